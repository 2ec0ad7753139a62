"""Generated people watch films of their tastes, and what is recorded about them is true."""

import numpy as np
import pandas as pd
import pytest

from llmrec_lab.catalog import Catalog
from llmrec_lab.datasets.films import load_open_catalog
from llmrec_lab.datasets.people import generate_people, overlap, taste_f1, taste_sets, wish_for
from llmrec_lab.errors import DataError

GENRES, COUNTRIES = ["War", "Drama", "Western"], ["France", "Japan", "Mexico", "India"]


def made_catalog(each=40):
    """A catalog with `each` films of every genre and country, not in the order of either."""
    cells = [(genre, country) for _ in range(each) for genre in GENRES for country in COUNTRIES]
    frame = pd.DataFrame(cells, columns=["genre", "country"])
    frame = frame.assign(item_id=range(len(frame)), title="Film", director="Somebody", decade="1990s")
    return Catalog.from_frame(frame, ["title"], ["genre", "country", "director", "decade"])


@pytest.fixture(scope="module")
def catalog():
    return made_catalog()


@pytest.fixture(scope="module")
def sets(catalog):
    return taste_sets(catalog, [("genre", "country")])


def events_of(people, catalog):
    """(user, position, taste) of every event."""
    frame = people.interactions.frame
    return list(zip(frame["user_id"], catalog.positions(frame["item_id"]), people.drawn_from, strict=True))


def test_a_taste_set_holds_exactly_the_films_with_both_values(catalog, sets):
    assert list(sets) == sorted(f"{genre}, {country}" for genre in GENRES for country in COUNTRIES)
    for name, films in sets.items():
        genre, country = name.split(", ")
        both = [(genre,) == g and (country,) == c for g, c in zip(catalog.facets["genre"], catalog.facets["country"])]
        assert films.tolist() == np.flatnonzero(both).tolist()


def test_taste_sets_leave_out_what_is_too_small_or_too_large(catalog):
    assert len(taste_sets(catalog, [("genre", "country")], (40, 40))) == 12
    assert list(taste_sets(catalog, [("genre", "country"), ("country", "decade")], (41, 200))) == [
        f"{country}, 1990s" for country in sorted(COUNTRIES)
    ]
    for pair in (("genre", "country"), ("country", "decade")):  # 40 and 120 films
        with pytest.raises(DataError, match="no two facet values are shared by 41 to 119 films"):
            taste_sets(catalog, [pair], (41, 119))


def test_a_film_with_two_genres_is_in_the_sets_of_both():
    frame = pd.DataFrame({"item_id": [1, 2], "title": ["A", "B"], "genre": ["War|Drama", ""], "country": ["UK|US", "UK"]})
    found = taste_sets(Catalog.from_frame(frame, facets=["genre", "country"]), [("genre", "country")], (1, 5))
    assert {name: films.tolist() for name, films in found.items()} == {
        f"{genre}, {country}": [0] for genre in ("War", "Drama") for country in ("UK", "US")
    }


def test_a_catalog_without_the_facets_is_refused(tiny):
    with pytest.raises(DataError, match=r"no facets \['decade'\]; it has \['genre', 'director', 'country'\]"):
        taste_sets(tiny[0])


def test_every_event_is_of_the_taste_that_is_recorded_for_it(catalog, sets):
    people = generate_people(catalog, 100, 1, drift=0.3, noise=0.2, sets=sets)
    seen = 0
    for user, film, taste in events_of(people, catalog):
        if taste >= 0:
            assert film in sets[people.tastes[user][taste]]
            seen += 1
    assert seen > 1500


def test_nobody_watches_a_film_twice_and_time_always_goes_on(catalog, sets):
    frame = generate_people(catalog, 100, 2, noise=0.5, drift=0.4, sets=sets).interactions.frame
    assert not frame.duplicated(["user_id", "item_id"]).any()
    assert frame.groupby("user_id")["timestamp"].apply(lambda times: (times.diff().dropna() > 0).all()).all()


def test_the_same_seed_makes_the_same_people_and_another_one_others(catalog):
    one, same, other = (generate_people(catalog, 20, seed, sets=None) for seed in (5, np.random.default_rng(5), 6))
    pd.testing.assert_frame_equal(one.interactions.frame, same.interactions.frame)
    assert one.tastes == same.tastes
    assert one.drawn_from.tolist() == same.drawn_from.tolist()
    assert one.tastes != other.tastes


def test_numbers_of_people_tastes_and_events_are_in_the_given_ranges(catalog, sets):
    people = generate_people(catalog, 150, 3, tastes=(2, 4), events=(10, 15), sets=sets)
    assert len(people) == 150
    assert people.interactions.frame["user_id"].unique().tolist() == list(people.tastes)
    assert {len(names) for names in people.tastes.values()} == {2, 3, 4}
    assert set(people.interactions.frame.groupby("user_id").size()) == set(range(10, 16))
    assert people.drawn_from.max() == 3


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_noise_is_the_share_of_events_that_no_taste_explains(catalog, sets, noise):
    people = generate_people(catalog, 300, 4, noise=noise, sets=sets)
    spread = 4 * np.sqrt(noise * (1 - noise) / len(people.drawn_from))
    assert abs((people.drawn_from == -1).mean() - noise) <= spread


def test_random_events_are_of_the_whole_catalog(catalog, sets):
    two = {name: sets[name] for name in list(sets)[:2]}
    people = generate_people(catalog, 200, 5, tastes=(1, 1), noise=0.5, sets=two)
    random = {film for _, film, taste in events_of(people, catalog) if taste == -1}
    assert len(random) > 0.8 * len(catalog)  # 3,000 random events, few of them for the least famous films


def test_without_drift_the_first_taste_is_there_to_the_end(catalog, sets):
    people = generate_people(catalog, 200, 6, tastes=(2, 2), noise=0, sets=sets)
    late = [taste for row, taste in zip(places(people), people.drawn_from) if row >= 0.75]
    assert {len(names) for names in people.tastes.values()} == {2}
    assert 0.5 < np.mean(np.array(late) == 0) < 0.8  # the first taste is the stronger of two


def test_drift_replaces_the_first_taste_by_a_new_one_at_the_end_of_the_timeline(catalog, sets):
    people = generate_people(catalog, 200, 7, tastes=(2, 2), events=(20, 20), drift=0.25, noise=0, sets=sets)
    place, taste = places(people), people.drawn_from
    assert {len(names) for names in people.tastes.values()} == {3}
    assert set(taste[place < 0.75]) == {0, 1}
    assert set(taste[place >= 0.75]) == {1, 2}


def places(people):
    """For every event its place in its user's timeline, from 0 to 1."""
    groups = people.interactions.frame.groupby("user_id")["timestamp"]
    return (groups.cumcount() / groups.transform("size")).to_numpy()


def test_tastes_are_in_order_of_strength(catalog, sets):
    people = generate_people(catalog, 300, 8, tastes=(3, 3), noise=0, sets=sets)
    counts = np.bincount(people.drawn_from)
    assert counts[0] > 1.3 * counts[1] > 1.3 * 1.3 * counts[2]


def test_tastes_of_one_person_share_hardly_any_film():
    catalog = load_open_catalog()
    people = generate_people(catalog, 50, 9, drift=0.2)
    for names in people.tastes.values():
        shared = overlap([people.films[name] for name in names], len(catalog))
        assert len(set(names)) == len(names)
        assert (shared[~np.eye(len(names), dtype=bool)] <= 0.1).all()


def test_some_films_are_much_more_famous_than_others(catalog, sets):
    counts = generate_people(catalog, 300, 10, sets=sets).interactions.frame["item_id"].value_counts()
    assert counts.iloc[:10].mean() > 5 * counts.iloc[-100:].mean()


def test_a_taste_whose_films_are_used_up_gives_no_more_events(tiny):
    catalog, _ = tiny
    people = generate_people(catalog, 3, 0, tastes=(1, 1), events=(4, 4), noise=0, sets={"Scott": np.array([0, 1])})
    assert people.interactions.frame.groupby("user_id").size().tolist() == [2, 2, 2]


def test_user_ids_sort_in_the_order_of_making(catalog, sets):
    people = generate_people(catalog, 101, 11, events=(6, 6), sets=sets)
    assert list(people.tastes) == sorted(people.tastes) == [f"p{number:03}" for number in range(101)]


def test_what_one_taste_explains_is_nearer_to_itself_than_noise(catalog, sets):
    """The labels say something: films of one taste of one person share both facets, random ones rarely do."""
    people = generate_people(catalog, 50, 12, noise=0.3, sets=sets)
    genre = catalog.facets["genre"]
    table = pd.DataFrame(events_of(people, catalog), columns=["user", "film", "taste"])
    kinds = table.assign(genre=genre[table["film"]].to_numpy()).groupby(["user", "taste"])["genre"].nunique()
    assert (kinds[kinds.index.get_level_values("taste") >= 0] == 1).all()
    assert kinds[kinds.index.get_level_values("taste") == -1].mean() > 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_users": 0}, "n_users came as 0"),
        ({"n_users": 2.5}, "n_users came as 2.5"),
        ({"tastes": (0, 2)}, r"tastes came as \(0, 2\); pass \(fewest, most\), whole numbers of at least 1"),
        ({"tastes": (3, 2)}, r"tastes came as \(3, 2\)"),
        ({"tastes": 3}, "tastes came as 3"),
        ({"events": (2, 9)}, r"events came as \(2, 9\); .* at least 6"),
        ({"events": (20, 30, 40)}, "events came as"),
        ({"drift": 1}, "drift came as 1; pass a share from 0 to less than 1"),
        ({"noise": -0.1}, "noise came as -0.1"),
        ({"noise": float("nan")}, "noise came as nan"),
        ({"sets": {}}, "there are no sets"),
        ({"sets": {"x": np.array([], dtype=int)}}, "'x' is empty"),
        ({"sets": {"x": np.array([99999])}}, "outside the catalog of 480 films"),
        ({"sets": {"x": np.arange(20)}}, "found no . sets of films that differ enough; pass fewer tastes"),
    ],
)
def test_impossible_choices_are_refused(catalog, arguments, message):
    with pytest.raises(DataError, match=message):
        generate_people(catalog, **({"n_users": 3, "rng": 0} | arguments))


# What they say, and whether a method finds it


def test_a_wish_names_every_taste_once_and_joins_the_last_by_and(catalog):
    assert wish_for(["War, France"], catalog) == "I like war from France"
    tastes = ["War, France", "Drama, 1990s", "Western, Somebody"]
    assert wish_for(tastes, catalog) == "I like war from France, 1990s drama and western by Somebody"


@pytest.mark.parametrize("tastes, problem", [(["War, Atlantis"], "is no taste"), (["War"], "is no taste"), ([], "no wish")])
def test_a_wish_for_what_is_no_taste_is_refused(tastes, problem, catalog):
    with pytest.raises(DataError, match=problem):
        wish_for(tastes, catalog)


WAR, DRAMA = np.arange(5), np.arange(5, 10)


@pytest.mark.parametrize(
    "listed, f1",
    [
        ([[0, 1], [5, 6]], 1.0),
        ([[0, 1], [1, 2]], 2 / 3),  # both meet one taste, the other taste is missed
        ([[0, 1], [5, 6], [10, 11]], 4 / 5),  # both tastes are met, one interest of three meets none
        ([[0, 10, 11, 12]], 0.0),  # less than half
        ([[0, 1, 10, 11]], 2 / 3),  # just half
        ([[10, 11]], 0.0),
    ],
)
def test_f1_of_tastes_equals_the_value_by_hand(listed, f1):
    assert taste_f1(np.array(listed), [WAR, DRAMA]) == pytest.approx(f1)


@pytest.mark.parametrize("listed, tastes", [(np.zeros((0, 2)), [WAR]), (np.zeros((2, 0)), [WAR]), (np.ones((1, 1)), [])])
def test_f1_without_interests_films_or_tastes_is_refused(listed, tastes):
    with pytest.raises(DataError, match="pass \\(k, m\\)"):
        taste_f1(listed, tastes)
