"""Generated people whose tastes are known, so that what a method finds can be compared with what is true.

A taste is a set of real films that share two facets, such as French comedies. Knows nothing about models or scores. With the
catalog of `load_open_catalog`, whose facts are CC0, nothing here has terms: free for paid workshops too.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd

from llmrec_lab.catalog import Catalog, Interactions
from llmrec_lab.columns import ITEM, TIMESTAMP, USER
from llmrec_lab.errors import DataError

PAIRS = (("genre", "country"), ("genre", "director"), ("genre", "decade"))
SAID = {"country": "{genre} from {value}", "director": "{genre} by {value}", "decade": "{value} {genre}"}
NOISE = -1  # stands for the taste of an event that no taste explains
FIRST_DAY = 1_704_067_200  # 2024-01-01, midnight UTC
DAY = 86_400
MOST_SHARED = 0.1  # tastes of one person share at most this part of the smaller one's films, so that they can be told apart
TRIES = 50  # how often to look for such tastes before giving up


@dataclass(frozen=True)
class People:
    """What generated people watched, and why.

    Args:
        interactions: t events of all people.
        tastes: user id to the names of that user's tastes.
        drawn_from: (t) for each row of `interactions.frame` the number of the taste it was drawn from, from 0 in the order
            of `tastes[user_id]`, or -1 for noise.
        films: name of a taste to the catalog positions of all its films.
    """

    interactions: Interactions
    tastes: dict[str, tuple[str, ...]]
    drawn_from: np.ndarray
    films: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.tastes)


def taste_sets(catalog: Catalog, pairs=PAIRS, sizes: tuple[int, int] = (20, 400)) -> dict[str, np.ndarray]:
    """Sets of films that share a value of one facet and a value of another.

    Args:
        catalog: with the facets that `pairs` names.
        pairs: pairs of facets; each gives one set for every two values that enough films share.
        sizes: the fewest and the most films of a set; very large sets, such as American dramas, are nobody's taste.

    Returns:
        Name, such as `Comedy, France`, to catalog positions, ascending; sorted by name.

    Raises:
        DataError: the catalog lacks a facet, or no set has the right size.

    Example:
        >>> frame = pd.DataFrame({"item_id": range(8), "title": [*"ABCDEFGH"]})
        >>> frame = frame.assign(genre=["War", "Drama"] * 4, country=["UK"] * 5 + ["US"] * 3)
        >>> catalog = Catalog.from_frame(frame, facets=["genre", "country"])
        >>> {name: films.tolist() for name, films in taste_sets(catalog, [("genre", "country")], (2, 9)).items()}
        {'Drama, UK': [1, 3], 'Drama, US': [5, 7], 'War, UK': [0, 2, 4]}
    """
    absent = {facet for pair in pairs for facet in pair} - set(catalog.facets.columns)
    if absent:
        raise DataError(
            f"the catalog has no facets {sorted(absent)}; it has {list(catalog.facets.columns)}; pass other pairs"
        )
    sets = {}
    for one, other in pairs:
        rows = catalog.facets[[one, other]].explode(one).explode(other).dropna()
        for (first, second), films in rows.groupby([one, other]).groups.items():
            if sizes[0] <= len(films) <= sizes[1]:
                sets[f"{first}, {second}"] = np.sort(films.to_numpy())
    if not sets:
        raise DataError(f"no two facet values are shared by {sizes[0]} to {sizes[1]} films; pass other pairs or sizes")
    return dict(sorted(sets.items()))


def generate_people(
    catalog: Catalog,
    n_users: int,
    rng: np.random.Generator | int,
    tastes: tuple[int, int] = (2, 5),
    events: tuple[int, int] = (20, 40),
    drift: float = 0.0,
    noise: float = 0.1,
    sets: dict[str, np.ndarray] | None = None,
) -> People:
    """Make people with a few tastes each, who watch films of these tastes, and now and then any film.

    Some films are more famous than others and are watched more often; a person's first taste is the strongest. Nobody
    watches a film twice; a taste whose films are used up gives no more events.

    Args:
        catalog: the films.
        n_users: how many people; ids are `p0`, `p1`, ... padded with zeros to one width.
        rng: a random generator or a seed; the same one makes the same people.
        tastes: the fewest and the most tastes of one person.
        events: the fewest and the most events that are drawn for one person.
        drift: the share of everybody's timeline, at its end, in which the first taste is replaced by a new one, which stands
            last in `People.tastes`; 0 for people who never change.
        noise: the share of events that are any film of the catalog.
        sets: name to catalog positions, the possible tastes; those of `taste_sets(catalog)` if left out.

    Returns:
        People.

    Raises:
        DataError: a range or a share is impossible, or there are too few sets that differ enough.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, _ = tiny_world()
        >>> sets = {"by Scott": np.array([0, 1]), "by Miyazaki": np.array([2, 3])}
        >>> people = generate_people(catalog, 1, 7, tastes=(1, 1), events=(2, 2), noise=0, sets=sets)
        >>> people.tastes, sorted(people.interactions.frame["item_id"]), people.drawn_from
        ({'p0': ('by Miyazaki',)}, ['spirited-away', 'totoro'], array([0, 0]))
    """
    check_choices(n_users, tastes, events, drift, noise)
    rng = np.random.default_rng(rng)
    sets = taste_sets(catalog) if sets is None else checked_sets(sets, len(catalog))
    names, members = list(sets), list(sets.values())
    clash = overlap(members, len(catalog)) > MOST_SHARED
    fame = 1 / rng.permutation(np.arange(1, len(catalog) + 1))  # (n) Zipf's law: the second is watched half as often
    people = []
    for _ in range(n_users):
        chosen = differing_sets(clash, int(rng.integers(tastes[0], tastes[1] + 1)) + (drift > 0), rng)
        plan = plan_events(int(rng.integers(events[0], events[1] + 1)), len(chosen), drift, noise, rng)
        items = draw_films(plan, [members[number] for number in chosen], fame, rng)
        seconds = FIRST_DAY + int(rng.integers(365 * DAY)) + np.cumsum(1 + rng.exponential(DAY, len(plan)).astype(int))
        people.append((tuple(names[number] for number in chosen), plan[items >= 0], items[items >= 0], seconds[items >= 0]))
    return collect(people, catalog, sets)


def wish_for(tastes, catalog: Catalog) -> str:
    """A sentence that asks for the tastes of a generated person.

    Args:
        tastes: names of sets from `taste_sets(catalog)`, at least one.
        catalog: says which facet the second value of each name is of.

    Returns:
        English, such as `I like comedy from France, 1980s thriller and war by John Ford`.

    Raises:
        DataError: there are no tastes, or one is no genre with a country, a director or a decade of the catalog.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> wish_for(["animation, Japan", "horror, Ridley Scott"], tiny_world()[0])
        'I like animation from Japan and horror by Ridley Scott'
    """
    known = {facet: set(catalog.facets[facet].explode()) for facet in SAID if facet in catalog.facets}
    phrases = []
    for taste in tastes:
        genre, _, value = taste.partition(", ")
        facet = next((facet for facet, values in known.items() if value in values), None)
        if facet is None:
            raise DataError(f"{taste!r} is no taste of this catalog; pass names from taste_sets(catalog)")
        phrases.append(SAID[facet].format(genre=genre.lower(), value=value))
    if not phrases:
        raise DataError("a person without tastes has no wish; pass at least one name from taste_sets(catalog)")
    return "I like " + " and ".join(filter(None, [", ".join(phrases[:-1]), phrases[-1]]))


def taste_f1(listed: np.ndarray, tastes: list[np.ndarray]) -> float:
    """How well interests recover the tastes of a person, from the films that each interest puts first.

    An interest meets a taste if at least half of its films belong to the taste. Precision is the share of interests that
    meet one, recall the share of tastes that are met, and F1 their harmonic mean.

    Args:
        listed: (k, m) catalog positions: the best m films for each interest.
        tastes: for each taste the positions of all its films.

    Returns:
        A number from 0 to 1.

    Raises:
        DataError: there are no interests, no films, or no tastes.

    Example:
        >>> taste_f1(np.array([[0, 1], [7, 8]]), [np.array([0, 1, 2])])  # precision 1/2, recall 1
        0.6666666666666666
    """
    listed = np.asarray(listed)
    if listed.ndim != 2 or not listed.size or not len(tastes):
        raise DataError(f"listed has shape {listed.shape}, and there are {len(tastes)} tastes; pass (k, m) and at least one")
    met = np.array([np.isin(listed, films).mean(axis=1) >= 0.5 for films in tastes])  # (tastes, k)
    precision, found = met.any(axis=0).mean(), met.any(axis=1).mean()
    return float(2 * precision * found / (precision + found)) if precision + found else 0.0


def check_choices(n_users, tastes, events, drift, noise) -> None:
    """Raise DataError unless the arguments of generate_people make sense together."""
    if not isinstance(n_users, Integral) or n_users < 1:
        raise DataError(f"n_users came as {n_users!r}; pass a whole number of at least 1")
    check_range("tastes", tastes, 1)
    check_range("events", events, tastes[1] + 1)
    for name, share in (("drift", drift), ("noise", noise)):
        if not 0 <= share < 1:
            raise DataError(f"{name} came as {share!r}; pass a share from 0 to less than 1")


def check_range(name: str, value, least: int) -> None:
    """Raise DataError unless the value is a pair of whole numbers in order."""
    pair = isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(end, Integral) for end in value)
    if not pair or not least <= value[0] <= value[1]:
        raise DataError(f"{name} came as {value!r}; pass (fewest, most), whole numbers of at least {least}")


def checked_sets(sets: dict, n_items: int) -> dict[str, np.ndarray]:
    """The sets, after it was checked that each holds films and only films of the catalog."""
    for name, films in sets.items():
        if not len(films) or np.min(films) < 0 or np.max(films) >= n_items:
            raise DataError(f"the set {name!r} is empty or has positions outside the catalog of {n_items} films; mend it")
    if not sets:
        raise DataError("there are no sets of films; leave `sets` out, or pass name to catalog positions")
    return sets


def overlap(members: list[np.ndarray], n_items: int) -> np.ndarray:
    """For every two sets, how much of the smaller one they share.

    Args:
        members: s arrays of positions.
        n_items: how many positions there are.

    Returns:
        (s, s) shares from 0 to 1.

    Example:
        >>> overlap([np.array([0, 1]), np.array([1, 2, 3])], 4)
        array([[1. , 0.5],
               [0.5, 1. ]])
    """
    from scipy.sparse import csr_matrix

    sizes = np.array([len(films) for films in members])
    places = (np.repeat(np.arange(len(members)), sizes), np.concatenate(members))
    matrix = csr_matrix((np.ones(sizes.sum()), places), shape=(len(members), n_items))
    return (matrix @ matrix.T).toarray() / np.minimum(sizes[:, None], sizes)


def differing_sets(clash: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    """Random sets of which no two clash."""
    for _ in range(TRIES):  # an unlucky first choice may leave no room for the others
        chosen = []
        for candidate in rng.permutation(len(clash)):
            if not clash[candidate, chosen].any():
                chosen.append(candidate)
            if len(chosen) == count:
                return chosen
    raise DataError(f"found no {count} sets of films that differ enough; pass fewer tastes or more sets")


def plan_events(n_events: int, n_tastes: int, drift: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """The number of the taste behind each event, in the order of time; -1 for noise.

    Args:
        n_events: e.
        n_tastes: with drift the last one replaces the first.
        drift: share of the timeline, at its end, where it does.
        noise: the share of random events.
        rng: a random generator.

    Returns:
        (e) integers.
    """
    at_first = n_tastes - (drift > 0)
    strength = -np.sort(-rng.dirichlet(np.full(at_first, 3.0)))  # the first is the strongest, none is negligible
    plan = rng.choice(at_first, n_events, p=strength)
    plan[rng.permutation(n_events)[:at_first]] = np.arange(at_first)  # every taste shows, unless noise hides it
    if drift:
        late = np.arange(n_events) >= round(n_events * (1 - drift))
        plan[late & (plan == 0)] = n_tastes - 1
    plan[rng.random(n_events) < noise] = NOISE
    return plan


def draw_films(plan: np.ndarray, members: list[np.ndarray], fame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A film for each planned event, no film twice, famous ones more often.

    Args:
        plan: (e) taste numbers, -1 for noise.
        members: the films of each taste.
        fame: (n) positive weights of all films.
        rng: a random generator.

    Returns:
        (e) catalog positions; -1 where the taste had no film left.
    """
    items = np.full(len(plan), -1)
    free = np.ones(len(fame), dtype=bool)
    for taste in [*range(len(members)), NOISE]:
        events = np.flatnonzero(plan == taste)
        films = np.arange(len(fame)) if taste == NOISE else members[taste]
        films = films[free[films]]
        waits = rng.exponential(size=len(films)) / fame[films]  # the shortest waits are a draw by weight without repeats
        if len(events) < len(films):
            films = films[np.argpartition(waits, len(events))]
        drawn = films[: len(events)]
        items[rng.permutation(events)[: len(drawn)]] = drawn
        free[drawn] = False
    return items


def collect(people: list[tuple], catalog: Catalog, sets: dict[str, np.ndarray]) -> People:
    """The people's names, plans, films, and times in one object."""
    width = len(str(len(people) - 1))
    ids = [f"p{number:0{width}}" for number in range(len(people))]
    names, plans, items, seconds = zip(*people)
    users = np.repeat(ids, [len(plan) for plan in plans])
    frame = {USER: users, ITEM: catalog.item_ids[np.concatenate(items)], TIMESTAMP: np.concatenate(seconds)}
    interactions = Interactions.from_frame(pd.DataFrame(frame))  # by user and time: the order the events were made in
    return People(interactions, dict(zip(ids, names)), np.concatenate(plans), sets)
