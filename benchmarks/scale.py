"""How long the recommender takes: for the films, and for a made-up shop with short titles.

The shop has 17,000 items, 50,000 users, 390,000 interactions: histories of 8 items on average, as in a shop's log.
"""

import resource
import time

import numpy as np
import pandas as pd

from benchmarks.harness import Bound, main
from llmrec_lab import Recommender, load_encoder, load_films
from llmrec_lab.catalog import Catalog, Dataset, Interactions
from llmrec_lab.columns import ITEM, TIMESTAMP, TITLE, USER
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.evaluation import among, best_items
from llmrec_lab.metrics import hits, ndcg

THINGS = "lamp chair kettle drill tent boot guitar brush puzzle helmet rug camera mug saw lens scarf drum easel racket stove"
STYLES = (
    "oak steel wool travel kids garden retro night desk alpine marine urban folding silent solar heavy mini pro soft dry"
)
COLORS = "red blue green white black grey amber coral ivory olive teal plum sand rust mint navy rose lime slate pearl"
YEAR = 365 * 86_400


def shop(n_items: int, n_users: int, n_interactions: int, seed: int) -> Dataset:
    """A shop whose customers look around one kind of item at a time.

    Every item belongs to one of 380 kinds, such as `folding lamp`, and is as popular as 1 / (1 + its number)^0.7. A
    customer enters a kind by the popularity of its items. Of the further looks, two in five go to an item listed soon after
    the last one, two in five to any item of the kind, and one enters another kind. Titles name the kind, a color, a number.

    Args:
        n_items: how many items.
        n_users: how many customers; each looks at 2 items or more.
        n_interactions: about how many looks in all.
        seed: of all draws.

    Returns:
        A Dataset without facets.

    Example:
        >>> data = shop(n_items=500, n_users=40, n_interactions=300, seed=0)
        >>> len(data.catalog), data.interactions.frame["user_id"].nunique()
        (500, 40)
    """
    rng = np.random.default_rng(seed)
    kinds = [f"{style} {thing}" for style in STYLES.split() for thing in THINGS.split()]
    kind_of, colors = rng.integers(len(kinds), size=n_items), COLORS.split()
    titles = [f"{kinds[kind]} {colors[item % len(colors)]} {item % 97}" for item, kind in enumerate(kind_of)]
    share = (1 + np.arange(n_items)) ** -0.7
    lengths = 2 + rng.poisson(n_interactions / n_users - 2, n_users)
    entries = iter(rng.choice(n_items, 2 * lengths.sum(), p=share / share.sum()))
    members = [np.flatnonzero(kind_of == kind) for kind in range(len(kinds))]
    place = np.empty(n_items, dtype=int)  # of an item among those of its kind
    for items in members:
        place[items] = np.arange(len(items))
    looks = np.concatenate([walk(length, entries, kind_of, members, place, rng) for length in lengths])
    users = np.repeat(np.arange(n_users), lengths)
    frame = pd.DataFrame({USER: users, ITEM: looks})
    frame[TIMESTAMP] = np.repeat(rng.integers(YEAR, size=n_users), lengths) + 60 * frame.groupby(USER).cumcount()
    catalog = Catalog.from_frame(pd.DataFrame({ITEM: np.arange(n_items), TITLE: titles}))
    return Dataset(catalog, Interactions.from_frame(frame))


def walk(length: int, entries, kind_of, members, place, rng) -> list[int]:
    """The items that one customer looks at, in order."""
    looked = [next(entries)]
    while len(looked) < length:
        items, luck = members[kind_of[looked[-1]]], rng.random()
        if luck < 0.4:
            looked.append(items[(place[looked[-1]] + rng.geometric(0.4)) % len(items)])
        else:
            looked.append(rng.choice(items) if luck < 0.8 else next(entries))
    return looked


def rows(quick):
    """Seconds for the films; seconds and memory for the shop, and what the fusion ranks there beside its best part."""
    if not quick:
        yield Bound("fit the films, texts encoded: CPU time", seconds_to_fit_films(), "s", must=15)
    sizes = (500, 1_000, 8_000, 300) if quick else (17_000, 50_000, 390_000, 6_000)
    data = shop(*sizes[:3], seed=0)
    encoder = load_encoder("minilm")
    start = time.perf_counter()
    lab = Recommender(data.catalog, encoder)
    yield Bound(f"{sizes[0]:,} short titles: encode, or read from the cache", time.perf_counter() - start, "s")
    start = time.perf_counter()
    lab.fit(data.interactions)
    lab.recommend_users(list(lab.histories.user_ids[: sizes[3]]), k=20)
    yield Bound(f"fit {sizes[2]:,} interactions, serve {sizes[3]:,} users", time.perf_counter() - start, "s", must=300)
    yield Bound("peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, "MB", must=6_000)
    best, fused = qualities(lab, sizes[3])
    yield Bound("NDCG@10 of the best part", best, "")
    yield Bound("NDCG@10 of the fusion", fused, "")
    yield Bound("NDCG@10 that the fusion lacks to its best part", max(0.0, best - fused), "", must=0)


def seconds_to_fit_films() -> float:
    """CPU time of all threads."""
    films = load_films()
    lab = Recommender(films.catalog, load_encoder("minilm"))
    start = time.process_time()
    lab.fit(films.interactions)
    return time.process_time() - start


def qualities(lab: Recommender, n_users: int) -> tuple[float, float]:
    """NDCG@10 on the last item of some users: of the best part, and of the fusion."""
    split = among(leave_last_out(lab.histories), np.arange(n_users))
    fusion = lab.new_fusion().fit(split.train)

    def quality(model) -> float:
        return float(ndcg(hits(best_items(model, split, lab.order)[:, :10], split.targets)).mean())

    return max(map(quality, fusion.parts.values())), quality(fusion)


if __name__ == "__main__":
    main("scale", rows)
