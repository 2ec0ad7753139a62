"""From scores to an order. Knows nothing about where scores come from. Ties are broken by item id, never by position."""

from __future__ import annotations

import numpy as np

from llmrec_lab.errors import DataError

DIGITS = 6  # scores are compared after rounding: matrix products differ in later digits with the number of rows
SLACK = 10.0**-DIGITS  # scores that are further apart never tie
QUERIES, CELLS, PAIRS = 256, 2**21, 512  # worked on at a time: single-precision scores of so many cells fill 8 MB


def id_order(item_ids: np.ndarray) -> np.ndarray:
    """(n) the place of each item when all are sorted by id; ids are compared as strings.

    Example:
        >>> id_order(np.array(["b", "a", "c"]))
        array([1, 0, 2])
    """
    return np.argsort(np.argsort(item_ids.astype(str), kind="stable"), kind="stable")


def top_k(scores: np.ndarray, k: int, order: np.ndarray) -> np.ndarray:
    """Positions of the k best items, best first; equal scores in order of item id.

    Args:
        scores: (n); -inf marks items that must not appear.
        k: how many.
        order: (n) from `id_order`.

    Returns:
        At most k positions.

    Raises:
        DataError: k is not a positive whole number, or a score is NaN or +inf.

    Example:
        >>> top_k(np.array([0.2, 0.9, 0.9, -np.inf]), 3, id_order(np.array(["d", "c", "b", "a"])))
        array([2, 1, 0])
    """
    _, _, items = listed(scores[None], k, order)
    return items


def top_k_rows(scores: np.ndarray, k: int, order: np.ndarray) -> np.ndarray:
    """`top_k` of every row at once.

    Args:
        scores: (m, n) one row per user; -inf marks items that must not appear.
        k: how many.
        order: (n) from `id_order`.

    Returns:
        (m, k) positions, best first, -1 where none is left.

    Raises:
        DataError: as `top_k`.

    Example:
        >>> top_k_rows(np.array([[0.2, 0.9, 0.9], [-np.inf, 0.1, -np.inf]]), 2, np.array([0, 2, 1]))
        array([[ 2,  1],
               [ 1, -1]])
    """
    rows, places, items = listed(scores, k, order)
    ranked = np.full((len(scores), k), -1)
    ranked[rows, places] = items
    return ranked


def nearest(queries: np.ndarray, items: np.ndarray, k: int, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The k items with the largest cosine to each query, exactly, without ever holding the cosines of all items.

    Items are scanned block by block in the precision of the vectors; only what may be among the k best by more than the
    error of such a product is compared in double precision.

    Args:
        queries: (q, d) rows of length 1.
        items: (n, d) rows of length 1, of the same type; a row of zeros has cosine 0.
        k: how many.
        order: (n) from `id_order`.

    Returns:
        (q, k) positions, best first, equal cosines in order of item id, and (q, k) cosines, rounded to `DIGITS`; -1 and
        -inf where none is left.

    Raises:
        DataError: k is no positive whole number, the shapes do not fit, or a cosine is NaN or larger than 1.

    Example:
        >>> queries, items = np.array([[0.6, 0.8]]), np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])
        >>> nearest(queries, items, 2, np.arange(3))
        (array([[2, 1]]), array([[0.96, 0.8 ]]))
    """
    require_k(k)
    if queries.ndim != 2 or items.shape != (len(order), queries.shape[1]) or items.dtype.kind != "f":
        shapes = f"queries {queries.shape}, {items.dtype} items {items.shape}, order ({len(order)})"
        raise DataError(f"{shapes} do not fit; pass (q, d), float (n, d), (n)")
    ranked, cosines = np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf)
    for start in range(0, len(queries), QUERIES):
        block = slice(start, start + QUERIES)
        scan(queries[block], items, order, ranked[block], cosines[block])
    return ranked, cosines


def scan(queries, items, order, ranked, cosines) -> None:
    """Fill `ranked` and `cosines` as `nearest` returns them, in place, for queries that fit one block."""
    k, width = ranked.shape[1], CELLS // len(queries)
    for start in range(0, len(items), width):
        block = items[start : start + width]
        rows, found = contenders(queries, block, k, cosines[:, [-1]])
        values = exact_cosines(queries, rows, block, found)
        kept, places = np.nonzero(ranked >= 0)
        rows, found = np.append(rows, kept), np.append(found + start, ranked[kept, places])
        values = np.append(values, cosines[kept, places])
        best, places = first_k(rows, values, order[found], k)
        ranked[rows[best], places], cosines[rows[best], places] = found[best], values[best]


def contenders(queries, items, k: int, reached: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and positions of all items that may be among the k nearest, where the k-th cosine (q, 1) is `reached`."""
    scores = products(queries, items)  # (q, n)
    maxima = group_maxima(scores, k)
    require_cosine(maxima.max(initial=-1))
    error = items.shape[1] * np.finfo(items.dtype).eps + 2 * SLACK  # no two sums of d products differ by more
    return at_least(scores, np.maximum(floors(maxima, k), reached) - error)


def products(queries: np.ndarray, items: np.ndarray) -> np.ndarray:
    """(q, n) cosines in the precision of the vectors."""
    # For fewer than 8 queries a matrix product takes longer than one dot product after another: for one, twice as long.
    return np.vecdot(queries[:, None], items) if len(queries) < 8 else queries @ items.T


def require_cosine(largest) -> None:
    """Raise DataError if the largest cosine is none: a vector was not of length 1, or not finite."""
    if not largest < 1.001:
        raise DataError(f"a cosine came as {largest}; pass rows of length 1, as unit_rows makes them")


def exact_cosines(queries, rows, items, found) -> np.ndarray:
    """The cosine of each pair of a query's row and an item found, in double precision, then rounded to `DIGITS`."""
    values = [
        np.vecdot(queries[rows[at : at + PAIRS]], items[found[at : at + PAIRS]], dtype=np.float64)
        for at in range(0, len(rows), PAIRS)
    ]
    return np.round(np.concatenate([np.empty(0), *values]), DIGITS)


def listed(scores: np.ndarray, k: int, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The row, the place from 0, and the position of every item that is among the k best of its row, list after list."""
    require_k(k)
    usable = scores < np.inf
    if not usable.all():
        row, position = np.argwhere(~usable)[0]
        raise DataError(f"score {scores[row, position]} at position {position} has no place in an order; mend its model")
    rows, items = at_least(scores, floors(group_maxima(scores, k), k) - 2 * SLACK)
    best, places = first_k(rows, np.round(scores[rows, items], DIGITS), order[items], k)
    return rows[best], places, items[best]


def group_maxima(scores: np.ndarray, k: int) -> np.ndarray:
    """(m, g) the largest score of each of g groups, which together hold all items; at least k groups, where items allow."""
    n_rows, n_items = scores.shape
    if not n_items:
        return scores
    groups = min(max(64, 4 * k), n_items)
    each = n_items // groups
    maxima = scores[:, : each * groups].reshape(n_rows, each, groups).max(axis=1)
    rest = scores[:, each * groups :]  # fewer than `groups` items are left, and make one group more
    return np.hstack([maxima, rest.max(axis=1, keepdims=True)]) if rest.shape[1] else maxima


def floors(maxima: np.ndarray, k: int) -> np.ndarray:
    """(m, 1) a number that at least k scores of each row reach: the k-th largest of the maxima of groups of items.

    Found much faster than the k-th largest score itself, and few others reach it.
    """
    n_rows, n_groups = maxima.shape
    if k > n_groups:
        return np.full((n_rows, 1), -np.inf)
    return np.partition(maxima, n_groups - k, axis=1)[:, [n_groups - k]]


def at_least(scores: np.ndarray, lowest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and positions of all finite scores that reach the (m, 1) lowest ones wanted."""
    width = np.result_type(scores, np.float32)  # as wide as the scores: wider compares at half the speed
    lowest = np.maximum(lowest.astype(width), np.finfo(width).min)  # which a score of -inf does not reach
    return np.divmod(np.flatnonzero(scores >= lowest), scores.shape[1])


def first_k(rows: np.ndarray, values: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Which entries are the k best of their row, row after row, by value, then by id; and the place of each from 0."""
    best = np.lexsort((ids, -values, rows))
    places = np.arange(len(rows)) - np.searchsorted(rows[best], rows[best])
    return best[places < k], places[places < k]


def quota(scores: np.ndarray, weights: np.ndarray, k: int, order: np.ndarray) -> np.ndarray:
    """Positions of k items chosen so that every interest gets its share of places.

    The interest that is furthest behind its share picks its best item that is not taken yet, until k are chosen; one that
    has no item left leaves its places to the others.

    Args:
        scores: (interests, n) one row per interest; -inf marks items that must not appear.
        weights: (interests) shares, sum 1.
        k: how many.
        order: (n) from `id_order`.

    Returns:
        At most k positions, in the order in which they were picked.

    Example:
        >>> scores = np.array([[0.9, 0.8, 0.1], [0.2, 0.1, 0.7]])
        >>> quota(scores, np.array([0.5, 0.5]), 2, np.arange(3))
        array([0, 2])
    """
    queues = [iter(top_k(row, k, order)) for row in scores]  # k each is enough: others can take at most k - 1 of them
    given, chosen = np.zeros(len(scores)), []
    while len(chosen) < k and np.isfinite(given).any():
        behind = int(np.argmax(weights * (len(chosen) + 1) - given))
        item = next((item for item in queues[behind] if item not in chosen), None)
        if item is None:
            given[behind] = np.inf
            continue
        chosen.append(item)
        given[behind] += 1
    return np.array(chosen, dtype=int)


def mmr(scores: np.ndarray, vectors: np.ndarray, k: int, order: np.ndarray, lambda_: float) -> np.ndarray:
    """Positions of k items chosen by maximal marginal relevance: good ones that do not repeat what was chosen before.

    The best item comes first. Then, again and again, the one with the largest
    lambda * score - (1 - lambda) * (the largest cosine to any item chosen so far); equal ones in order of item id.

    Args:
        scores: (n) on the scale of a cosine; -inf marks items that must not appear, or need not be considered.
        vectors: (n, d) unit rows, by which items resemble each other.
        k: how many.
        order: (n) from `id_order`.
        lambda_: from 1, which is `top_k`, to 0, where only difference counts after the first item.

    Returns:
        At most k positions, in the order in which they were picked.

    Raises:
        DataError: as `top_k`; or lambda is not from 0 to 1, the shapes do not fit, or a row is not of length 1.

    Source:
        Carbonell and Goldstein 1998, The use of MMR, SIGIR, doi 10.1145/290941.291025.

    Example:
        >>> scores, vectors = np.array([0.9, 0.8, 0.5]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> mmr(scores, vectors, 2, np.arange(3), lambda_=0.5)
        array([0, 2])
    """
    require_lambda(lambda_)
    if not vectors.ndim == 2 or not len(scores) == len(vectors) == len(order):
        raise DataError(f"scores {scores.shape}, vectors {vectors.shape}, order ({len(order)}) do not fit; pass n of each")
    chosen = list(top_k(scores, k, order)[:1])
    pool = np.argsort(order)  # argmax takes the first of equal values: the one with the smallest id
    pool = pool[np.isfinite(scores[pool])]
    units, closest = vectors[pool], np.full(len(pool), -np.inf)  # (m, d), (m)
    while 0 < len(chosen) < min(k, len(pool)):
        cosines = products(vectors[chosen[-1:]], units)[0]  # (m)
        require_cosine(cosines.max())
        closest = np.maximum(closest, cosines)
        values = np.round(lambda_ * scores[pool] - (1 - lambda_) * closest, DIGITS)
        values[np.isin(pool, chosen)] = -np.inf
        chosen.append(pool[np.argmax(values)])
    return np.array(chosen, dtype=int)


def require_lambda(lambda_: float) -> None:
    """Raise DataError unless lambda is a number from 0 to 1."""
    if isinstance(lambda_, bool) or not isinstance(lambda_, (int, float, np.number)) or not 0 <= lambda_ <= 1:
        raise DataError(f"lambda came as {lambda_!r}; pass a number from 0 (only difference) to 1 (only scores)")


def require_k(k: int) -> None:
    """Raise DataError unless k is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise DataError(f"k came as {k!r}; pass a whole number of at least 1")
