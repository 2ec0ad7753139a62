"""Row 4, fitting the models that only count: EASE against its published form, implicit's models for scale."""

from __future__ import annotations

import time
import warnings
from statistics import median

import numpy as np

from benchmarks.harness import Bound, Race, main, peer
from benchmarks.synthetic import zipf_histories
from llmrec_lab.baselines import EASE, ItemKNN, MarkovChain, Popularity

SHAPES = {
    "MovieLens 100K shape": (943, 1682, 100_000),
    "MovieLens 1M shape": (6_040, 3_706, 892_561),
}  # users, items, interactions


def rows(quick):
    """Made-up interactions in the shape of both data sets; with `quick` in that of the smaller."""
    for shape, sizes in list(SHAPES.items())[: 1 if quick else None]:
        yield from fits(shape, zipf_histories(*sizes, seed=0))


def fits(shape: str, histories):
    """Every model fitted on the same histories."""
    apart = np.abs(EASE().fit(histories).weights - published_ease(histories, sparse=True)).max()
    yield Bound(f"{shape}: EASE, farthest weight from float64", float(apart), "", must=1e-4)
    ours = {"ours": "EASE", "run_ours": lambda: EASE().fit(histories)}
    dense, sparse = (lambda: published_ease(histories, sparse=False)), (lambda: published_ease(histories, sparse=True))
    yield Race(f"{shape}: EASE", "float64, dense users, inverse", dense, **ours, must=2, goal=4)
    yield Race(f"{shape}: EASE", "float64, sparse users, inverse", sparse, **ours)
    yield Race(f"{shape}: EASE beside ALS", "implicit ALS, 64 x 15", lambda: als(histories), **ours)
    ours = {"ours": "ItemKNN", "run_ours": lambda: ItemKNN().fit(histories)}
    yield Race(f"{shape}: kNN", "implicit CosineRecommender", lambda: cosine_knn(histories), **ours)
    yield Bound(f"{shape}: MarkovChain", cpu_seconds(MarkovChain(), histories), "s", must=0.5)
    yield Bound(f"{shape}: Popularity", cpu_seconds(Popularity(), histories), "s", must=0.5)


def published_ease(histories, sparse: bool) -> np.ndarray:
    """(n_items, n_items) the paper's B by its algorithm 1; the Gram matrix by a dense or a sparse product."""
    users = histories.matrix().astype(np.float64)
    users = users if sparse else users.toarray()
    gram = (users.T @ users).toarray() if sparse else users.T @ users
    diagonal = np.diag_indices(len(gram))
    gram[diagonal] += EASE().regularization
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    weights[diagonal] = 0
    return weights


def als(histories) -> None:
    """15 iterations of matrix factorization with 64 factors: another model, shown for scale."""
    model = peer("implicit.als").AlternatingLeastSquares(factors=64, iterations=15, random_state=0, num_threads=1)
    model.fit(histories.matrix(), show_progress=False)


def cosine_knn(histories) -> None:
    """The 20 nearest items of each, compiled."""
    model = peer("implicit.nearest_neighbours").CosineRecommender(K=20, num_threads=1)
    with warnings.catch_warnings(action="ignore"):  # it says how long it takes to convert a matrix of its own
        model.fit(histories.matrix(), show_progress=False)


def cpu_seconds(model, histories) -> float:
    """How long a fit takes, the median of 5."""
    seconds = []
    for _ in range(5):
        start = time.process_time()
        model.fit(histories)
        seconds.append(time.process_time() - start)
    return median(seconds)


if __name__ == "__main__":
    main("baselines", rows)
