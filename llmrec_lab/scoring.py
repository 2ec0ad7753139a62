"""Scores of items, always with the parts they are made of. Knows nothing about ranking or files.

A score is a plain sum of parts, so an explanation is the score itself, taken apart, and not a second model.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np

from llmrec_lab.catalog import Histories
from llmrec_lab.errors import DataError
from llmrec_lab.interests import ClusterConfig, Concepts, Interests, decompose_history, unit_rows
from llmrec_lab.ranking import products

ROWS = 128  # of 384 numbers in double precision stay in a core's cache: 3 times as fast as a copy of 3,700 rows at once


@dataclass(frozen=True)
class Parts:
    """Named parts of the scores of all n items.

    Args:
        names: (p) what each part is.
        values: (n, p) float64; an item's score is the sum of its row.
    """

    names: tuple[str, ...]
    values: np.ndarray


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine of the angle between vectors: their dot product, divided by both lengths.

    Args:
        a: (..., d).
        b: (..., d), of a shape that broadcasts with a.

    Returns:
        (...) between -1 and 1; 0 where a vector is all zero.

    Example:
        >>> round(float(cosine(np.arange(1, 6), np.arange(6, 11))), 5)
        0.96495
    """
    return (unit_rows(np.asarray(a, dtype=np.float64)) * unit_rows(np.asarray(b, dtype=np.float64))).sum(axis=-1)


def gram_cosine(a: np.ndarray, b: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """The cosine of u = sum a_i x_i and v = sum b_i x_i from their coefficients: a G b / sqrt(a G a * b G b).

    The Gram matrix G holds the dot products of the directions x_i. If they have length 1 and stand at right angles, G is
    the identity and drops out; interests rarely do.

    Args:
        a, b: (..., k) coefficients, of shapes that broadcast.
        gram: (k, k) the dot product of every two directions.

    Returns:
        (...) between -1 and 1; 0 where a sum is the zero vector.

    Raises:
        DataError: the matrix holds no dot products, or does not fit the coefficients.

    Example:
        >>> directions = np.array([[1.0, 0.0], [0.6, 0.8]])
        >>> gram_cosine([1, 0], [0, 1], directions @ directions.T).round(3)
        np.float64(0.6)
    """
    a, b, gram = (np.asarray(values, dtype=np.float64) for values in (a, b, gram))
    if gram.ndim != 2 or not a.shape[-1:] == b.shape[-1:] == gram.shape[:1] == gram.shape[1:]:
        raise DataError(f"a {a.shape}, b {b.shape} and the matrix {gram.shape} do not fit; pass (..., k), (..., k), (k, k)")
    if not np.allclose(gram, gram.T) or np.linalg.eigvalsh(gram)[0] < -1e-6 * max(gram.trace(), 1e-12):
        raise DataError("the matrix holds no dot products of real directions; pass directions @ directions.T")
    squares = ((a @ gram) * a).sum(axis=-1) * ((b @ gram) * b).sum(axis=-1)
    return ((a @ gram) * b).sum(axis=-1) / np.sqrt(np.maximum(squares, 1e-24))


def contributions(pieces: np.ndarray, weights: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The cosine of a sum of pieces with each item, taken apart: what each piece brings.

    Pieces may be the interests of a person, or the tokens of a sentence whose vector is their mean.

    Args:
        pieces: (p, d) vectors.
        weights: (p) how much of each piece is in the sum; negative for what was taken off.
        items: (n, d) vectors of any length.

    Returns:
        (n, p) float64; each row sums to the cosine of `weights @ pieces` and the item.

    Raises:
        DataError: the pieces cancel each other, so that their sum has no direction.

    Example:
        >>> contributions(np.array([[3.0, 0.0], [0.0, 4.0]]), np.array([1.0, 1.0]), np.array([[1.0, 0.0], [3.0, 4.0]]))
        array([[0.6 , 0.  ],
               [0.36, 0.64]])
    """
    pieces, weights = np.asarray(pieces, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    total = weights @ pieces  # (d)
    length = np.linalg.norm(total)
    if not length > 1e-9 * np.abs(weights).max(initial=0) * np.abs(pieces).max(initial=0):
        raise DataError("the pieces cancel each other, so that their sum has no direction; check the weights")
    return weights / length * (unit_rows(np.asarray(items, dtype=np.float64)) @ pieces.T)


def wish_parts(interests: Interests, concepts: Concepts, vectors: np.ndarray, facet_weight: float) -> Parts:
    """How well each item meets a sentence: for every interest its cosine, and for every concept whether the item has it.

    A concept to avoid takes off up to twice what a concept that fills a whole interest brings.

    Args:
        interests: k interests of a sentence.
        concepts: the dictionary that their codes refer to.
        vectors: (n, d) unit item vectors.
        facet_weight: what a concept counts beside a cosine of 1.

    Returns:
        Parts of n items: k columns of meaning, then one for each concept that takes part.
    """
    meaning = interests.weights * products(interests.vectors.astype(vectors.dtype), vectors).astype(np.float64).T  # (n, k)
    shares = facet_weight * (interests.weights @ interests.codes)  # (c)
    wanted, unwanted = np.flatnonzero(shares), np.flatnonzero(interests.avoid)
    names = [f"meaning of “{textwrap.shorten(label, 80, placeholder='…') or label[:80]}”" for label in interests.labels]
    names += [concepts.names[c] for c in wanted] + [
        f"{'not' if interests.avoid[c] == 1 else 'less'} {concepts.names[c]}" for c in unwanted
    ]
    has = concepts.members[wanted].toarray().T * shares[wanted]  # (n, wanted)
    lacks = concepts.members[unwanted].toarray().T * (-2 * facet_weight * interests.avoid[unwanted])
    return Parts(tuple(names), np.hstack([meaning, has, lacks]))


def interest_scores(interests: Interests, concepts: Concepts, vectors: np.ndarray, facet_weight: float) -> np.ndarray:
    """(k, n) how well each item meets each single interest, for a slate that serves them all."""
    meaning = products(interests.vectors.astype(vectors.dtype), vectors)
    used = np.flatnonzero(interests.codes.any(axis=0) | (interests.avoid > 0))  # a few of thousands
    shares = facet_weight * (interests.codes[:, used] - 2 * interests.avoid[used])  # (k, used)
    return meaning + shares @ concepts.members[used].toarray()


def exact_products(directions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Dot products in double precision, so that a row's value does not depend on what else is computed with it.

    Args:
        directions: (k, d) float64.
        vectors: (n, d).

    Returns:
        (k, n) float64.

    Example:
        >>> exact_products(np.eye(2), np.array([[3.0, 4.0]], dtype=np.float32)).tolist()
        [[3.0], [4.0]]
    """
    blocks = [directions @ vectors[at : at + ROWS].astype(np.float64).T for at in range(0, len(vectors), ROWS)]
    return np.concatenate(blocks, axis=1)


@dataclass
class HistoryText:
    """Scores items by their text: the cosine to the interests in a user's history. Same calls as the baselines.

    Args:
        vectors: (n, d) unit item vectors.
        titles: (n) strings.
        config: how a history is cut into interests.
    """

    vectors: np.ndarray
    titles: np.ndarray
    config: ClusterConfig = ClusterConfig()

    def fit(self, histories: Histories) -> HistoryText:
        """Nothing is learned from other people: the text is known beforehand."""
        return self

    def scores(self, histories: Histories) -> np.ndarray:
        """How near each item's text is to each user's interests.

        Args:
            histories: of m users.

        Returns:
            (m, n) float64, so that a user's scores do not depend on who else is scored; zeros for an empty history.
        """
        directions = np.zeros((len(histories), self.vectors.shape[1]))  # (m, d)
        for row in range(len(histories)):
            _, centers, weights = self.interests(histories.of(row))
            directions[row] = weights @ centers  # a weighted sum of cosines is the cosine to the weighted sum
        return exact_products(directions, self.vectors)

    def interests(self, items: np.ndarray):
        """The interests in one history, as `decompose_history` returns them."""
        return decompose_history(items, self.vectors, self.titles, self.config)
