"""How evenly vectors fill their space, and how to make them fill it evenly. Knows nothing about what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrec_lab.errors import DataError
from llmrec_lab.interests import unit_rows


def anisotropy(vectors: np.ndarray) -> float:
    """The mean cosine of two different vectors: about 0 if they point everywhere, near 1 if they share one direction.

    Args:
        vectors: (n, d), at least two rows.

    Returns:
        A number between -1 and 1.

    Raises:
        DataError: there are fewer than two rows, or numbers that are not finite.

    Source:
        Ethayarajh 2019, How contextual are contextualized word representations?, arXiv 1909.00512, section 3.3.

    Example:
        >>> anisotropy(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])).round(3)
        np.float64(0.333)
    """
    units = unit_rows(checked_rows(vectors))
    n = len(units)
    together = units.sum(axis=0)  # |sum of units|^2 holds every pair twice and every vector with itself
    return (together @ together - np.square(units).sum()) / (n * (n - 1))


@dataclass(frozen=True)
class Whitening:
    """A shift and a map after which vectors have mean 0 and, in every direction, variance 1.

    Args:
        mean: (d).
        matrix: (d, k).
    """

    mean: np.ndarray
    matrix: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """(n, d) to (n, k)."""
        return (np.asarray(vectors) - self.mean) @ self.matrix


def fit_whitening(vectors: np.ndarray, k: int) -> Whitening:
    """The whitening of a sample of vectors, along their k directions of largest variance.

    Args:
        vectors: (n, d), more rows than k.
        k: dimensions to keep; the smallest directions are mostly noise, and whitening would blow it up.

    Returns:
        A Whitening, to be used on other vectors too.

    Raises:
        DataError: k is not between 1 and the number of directions in which the vectors differ.

    Source:
        Su et al. 2021, Whitening sentence representations for better semantics and faster retrieval, arXiv 2103.15316.

    Example:
        >>> sample = np.array([[1.0, 0.0], [3.0, 1.0], [5.0, 0.0], [7.0, -1.0]])
        >>> np.cov(fit_whitening(sample, k=2)(sample).T, bias=True).round(6) + 0.0
        array([[1., 0.],
               [0., 1.]])
    """
    vectors = checked_rows(vectors)
    mean = vectors.mean(axis=0)
    _, spread, directions = np.linalg.svd((vectors - mean) / np.sqrt(len(vectors)), full_matrices=False)
    rank = int((spread > 1e-6 * max(spread[0], 1e-12)).sum())
    if not 1 <= k <= rank:
        raise DataError(f"k came as {k!r}; the vectors differ in {rank} directions, so pass 1 to {rank}, or more vectors")
    return Whitening(mean, directions[:k].T / spread[:k])


def checked_rows(vectors) -> np.ndarray:
    """The vectors as floats; raises DataError unless they are at least two rows of finite numbers."""
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) < 2:
        raise DataError(f"vectors came with shape {vectors.shape}; pass at least two rows")
    if not np.isfinite(vectors).all():
        raise DataError("a vector has numbers that are not finite; leave such rows out")
    return vectors
