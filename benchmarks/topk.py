"""Row 2, the exact 10 nearest items of one query and of 256: by us, and by scikit-learn's cosines and a sort."""

from __future__ import annotations

import tracemalloc

import numpy as np
import psutil

from benchmarks.harness import Bound, Race, main, peer
from benchmarks.synthetic import clustered_vectors
from llmrec_lab.ranking import DIGITS, nearest

K, D = 10, 384
SIZES = {  # items: (must, goal) of one query, (must, goal) of 256 queries
    10_000: ((12, 30), (5, 6)),
    100_000: ((5, 25), (5, 14)),
    1_000_000: ((10, 45), (10, 25)),
}
CELLS = 2**25  # cosines that the peer sorts at a time: those of 256 queries and a million items would fill 3 GB


def rows(quick):
    """All sizes that fit into the memory; with `quick` the smallest."""
    for n_items, (one, many) in SIZES.items():
        if quick and n_items > 10_000 or psutil.virtual_memory().available < 6 * n_items * D * 4:
            continue
        vectors = clustered_vectors(n_items + 256, D, seed=0)
        items, queries = vectors[:n_items], vectors[n_items:]
        yield Bound(f"{n_items:,} items: lists unlike a full sort", wrong_lists(items, queries[:20]), "lists", 0)
        yield race(items, queries[:1], "one query", *one, threads=1)
        yield race(items, queries, "256 queries", *many, threads=2)
        if n_items == 100_000:
            yield torch_race(items, queries)
        yield Bound(f"{n_items:,} items, 256 queries: extra memory", extra_megabytes(items, queries), "MB", 64, 16)


def race(items, queries, asked: str, must: float, goal: float, threads: int) -> Race:
    """Our search against the way of tutorials: all cosines, all sorted."""
    cosine_similarity, order = peer("sklearn.metrics.pairwise").cosine_similarity, np.arange(len(items))

    def sort_all():
        portion = CELLS // len(items)
        for at in range(0, len(queries), portion):
            cosine_similarity(queries[at : at + portion], items).argsort(axis=1)[:, ::-1][:, :K]

    work, ours = f"{len(items):,} items, {asked}", lambda: nearest(queries, items, K, order)
    return Race(work, "sklearn cosine_similarity + argsort", sort_all, "nearest", ours, must, goal, threads)


def torch_race(items, queries) -> Race:
    """Our search against the best that a library does in a line, for scale."""
    torch, order = peer("torch"), np.arange(len(items))
    table, asked = torch.from_numpy(items), torch.from_numpy(queries)
    work, theirs = f"{len(items):,} items, 256 queries", lambda: torch.topk(asked @ table.T, K)
    return Race(work, "torch mm + topk", theirs, "nearest", lambda: nearest(queries, items, K, order), threads=2)


def extra_megabytes(items, queries) -> float:
    """The most memory that a search holds beside the items and the queries."""
    order = np.arange(len(items))
    tracemalloc.start()
    nearest(queries, items, K, order)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def wrong_lists(items, queries) -> int:
    """How many lists are not what a full sort of cosines in double precision gives."""
    order, wrong = np.random.default_rng(1).permutation(len(items)), 0
    for query, found in zip(queries, nearest(queries, items, K, order)[0]):
        cosines = np.round([query.astype(np.float64) @ item for item in items], DIGITS)
        wrong += not np.array_equal(np.lexsort((order, -cosines))[:K], found)
    return wrong


if __name__ == "__main__":
    main("topk", rows)
