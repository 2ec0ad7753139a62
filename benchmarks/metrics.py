"""Row 3, NDCG@10, Recall@10, and MAP of 100,000 users, with ranx beside it; bootstrap intervals, with scipy beside them."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Bound, Race, main, peer
from benchmarks.synthetic import random_lists
from llmrec_lab.metrics import average_precision, bootstrap_interval, count_relevant, hits, ndcg, recall

NAMES = ["ndcg@10", "recall@10", "map"]


def rows(quick):
    """100,000 users with lists of 100; with `quick` 500 users."""
    ranx = peer("ranx")
    ranked, relevant = random_lists(500 if quick else 100_000, 100, 10, seed=0)
    work, ours = f"{len(ranked):,} users x top 100", lambda: measured(ranked, relevant)
    qrels, run = as_dicts(ranked, relevant)

    def end_to_end():
        return ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), NAMES)

    yield Race(work, "ranx, from dicts", end_to_end, "arrays, from positions", ours, must=25, goal=35)
    made = ranx.Qrels(qrels), ranx.Run(run)
    yield Race(work, "ranx, evaluation alone", lambda: ranx.evaluate(*made, NAMES), "arrays", ours, must=4, goal=6)
    theirs = {name: np.array([made[1].scores[name][user] for user in run]) for name in NAMES}
    apart = max(np.abs(theirs[name] - values).max() for name, values in ours().items())
    yield Bound(f"{work}: farthest from ranx", apart, "", must=1e-9)
    yield bootstrap_race(ours()["ndcg@10"], "several relevant items a user")
    yield bootstrap_race(ndcg(hits(ranked[:, :10], relevant[:, 0])), "one relevant item a user")


def as_dicts(ranked, relevant) -> tuple[dict, dict]:
    """What ranx takes: a dict of grades and a dict of scores for every user, by string ids."""
    scores = np.arange(ranked.shape[1], 0, -1, dtype=float).tolist()
    qrels = {f"u{user}": {str(item): 1 for item in row if item >= 0} for user, row in enumerate(relevant.tolist())}
    run = {f"u{user}": dict(zip(map(str, row), scores)) for user, row in enumerate(ranked.tolist())}
    return qrels, run


def measured(ranked, relevant) -> dict[str, np.ndarray]:
    """The three measures, one number per user."""
    hit, n_relevant = hits(ranked, relevant), count_relevant(relevant)
    return {
        "ndcg@10": ndcg(hit[:, :10], n_relevant),
        "recall@10": recall(hit[:, :10], n_relevant),
        "map": average_precision(hit, n_relevant),
    }


def bootstrap_race(values, kind: str) -> Race:
    """Our interval against scipy's; both draw all users 2,000 times."""
    bootstrap, work = peer("scipy.stats").bootstrap, f"interval over {len(values):,} users, {kind}"
    settings = {"n_resamples": 2000, "method": "percentile", "batch": 10, "rng": 0}  # in one batch they fill 1.6 GB
    theirs = lambda: bootstrap((values,), np.mean, **settings)  # noqa: E731
    return Race(work, "scipy.stats.bootstrap", theirs, "bootstrap_interval", lambda: bootstrap_interval(values))


if __name__ == "__main__":
    main("metrics", rows)
