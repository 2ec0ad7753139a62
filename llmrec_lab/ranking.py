"""From scores to an order. Knows nothing about where scores come from. Ties are broken by item id, never by position."""

from __future__ import annotations

import numpy as np

from llmrec_lab.errors import DataError

DIGITS = 6  # scores are compared after rounding: matrix products differ in later digits with the number of rows


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


def listed(scores: np.ndarray, k: int, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The row, the place from 0, and the position of every item that is among the k best of its row, list after list."""
    require_k(k)
    usable = scores < np.inf
    if not usable.all():
        row, position = np.argwhere(~usable)[0]
        raise DataError(f"score {scores[row, position]} at position {position} has no place in an order; mend its model")
    rounded, n_items = np.round(scores, DIGITS), scores.shape[1]
    worst = np.partition(rounded, n_items - k, axis=1)[:, [n_items - k]] if k < n_items else -np.inf  # (m, 1)
    rows, items = np.nonzero((rounded >= worst) & (rounded > -np.inf))  # all that tie with the last place stay in
    best = np.lexsort((order[items], -rounded[rows, items], rows))
    rows, items = rows[best], items[best]
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return rows[places < k], places[places < k], items[places < k]


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


def require_k(k: int) -> None:
    """Raise DataError unless k is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise DataError(f"k came as {k!r}; pass a whole number of at least 1")
