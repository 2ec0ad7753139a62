"""Made-up vectors, interactions, and lists of a given size, the same for the same seed. Knows nothing about benchmarks."""

from __future__ import annotations

import numpy as np

from llmrec_lab.catalog import Histories


def clustered_vectors(n: int, d: int, seed: int) -> np.ndarray:
    """Unit vectors in clusters of about a hundred, as items with similar texts have.

    Args:
        n: how many.
        d: dimensions.
        seed: of the draws.

    Returns:
        (n, d) float32 rows of length 1.

    Example:
        >>> vectors = clustered_vectors(1000, 16, seed=0)
        >>> vectors.shape, round(float(np.linalg.norm(vectors[7])), 3)
        ((1000, 16), 1.0)
    """
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((n // 100 + 1, d), dtype=np.float32)
    vectors = rng.standard_normal((n, d), dtype=np.float32)
    vectors += centers[rng.integers(len(centers), size=n)]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def zipf_histories(n_users: int, n_items: int, n_interactions: int, seed: int) -> Histories:
    """Histories in which the r-th user and the r-th item are met about 1 / r**0.6 times as often as the first.

    Args:
        n_users, n_items: how many; every user has at least one item.
        n_interactions: how many different pairs of a user and an item.
        seed: of the draws.

    Returns:
        Histories without repeats, a user's items in random order.

    Example:
        >>> histories = zipf_histories(50, 40, 600, seed=0)
        >>> len(histories), histories.n_items, int(histories.matrix().nnz)
        (50, 40, 600)
    """
    rng = np.random.default_rng(seed)
    share = np.arange(1, n_users + 1) ** -0.6, np.arange(1, n_items + 1) ** -0.6
    users, items = (rng.choice(len(p), 4 * n_interactions, p=p / p.sum()) for p in share)
    users[:n_users] = np.arange(n_users)
    pairs, first = np.unique(users * n_items + items, return_index=True)
    chosen = rng.permutation(pairs[np.argsort(first)[:n_interactions]])
    chosen = chosen[np.argsort(chosen // n_items, kind="stable")]
    starts = np.searchsorted(chosen // n_items, np.arange(n_users + 1))
    names = np.array([f"u{user:06}" for user in range(n_users)], dtype=object)
    return Histories(names, chosen % n_items, np.arange(len(chosen)), starts, n_items)


def random_lists(n_users: int, k: int, most_relevant: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ranked lists and relevant items out of 4 k items.

    Args:
        n_users: how many lists.
        k: their length.
        most_relevant: each user has from 1 to so many relevant items.
        seed: of the draws.

    Returns:
        (n_users, k) item positions, and (n_users, most_relevant) positions filled up with -1.

    Example:
        >>> ranked, relevant = random_lists(5, 10, 3, seed=0)
        >>> ranked.shape, relevant.shape
        ((5, 10), (5, 3))
    """
    rng = np.random.default_rng(seed)
    ranked, relevant = np.empty((n_users, k), dtype=int), np.empty((n_users, most_relevant), dtype=int)
    for user in range(n_users):
        ranked[user] = rng.permutation(4 * k)[:k]
        relevant[user] = rng.permutation(4 * k)[:most_relevant]
    relevant[np.arange(most_relevant) >= rng.integers(1, most_relevant + 1, n_users)[:, None]] = -1
    return ranked, relevant
