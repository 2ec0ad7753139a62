"""Recommenders that only count who met what: Popularity, ItemKNN, EASE, MarkovChain. Cleverer ones have to beat them.

Knows nothing about texts, titles, or ratings. Every model has the same two calls, `fit(histories)` and
`scores(histories)`, and scores seen items too: leaving them out is the ranking's work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrec_lab.catalog import Histories
from llmrec_lab.errors import DataError

BLOCK = 1024  # rows worked on at a time; keeps the extra memory flat as users and items grow


class Baseline:
    """What the models share: a score is a user's profile times the weights that `fit` learned.

    A model says how it learns its weights (`learn`), and how it reads a history (`profile`) if not as a set of items.
    """

    weights = None  # (n_items, n_items); the row is an item of the history, the column a candidate

    def fit(self, histories: Histories) -> Baseline:
        """Learn the weights from the users' histories.

        Args:
            histories: of m users.

        Returns:
            The model itself, fitted.

        Raises:
            DataError: something else than Histories was passed.
        """
        self.weights = self.learn(require_histories(histories))
        return self

    def scores(self, histories: Histories) -> np.ndarray:
        """How much each user may like each item; the model stays as it is.

        Args:
            histories: of m users, who need not be the users it was fitted on.

        Returns:
            (m, n_items) float32, seen items included; zeros for a user with an empty history.

        Raises:
            DataError: the model is not fitted, or was fitted on another catalog.
        """
        if self.weights is None:
            raise DataError(f"{self} has learned nothing yet; call fit(histories) before scores(histories)")
        n_items = self.weights.shape[1]
        if require_histories(histories).n_items != n_items:
            raise DataError(f"histories of {histories.n_items} items; {self} knows {n_items}; use the catalog of fit")
        scores = self.profile(histories) @ self.weights  # (m, n_items)
        return scores if isinstance(scores, np.ndarray) else scores.toarray()

    def profile(self, histories: Histories):
        """(m, n_items) what the model sees of each history: by default the set of its items."""
        return histories.matrix()


@dataclass
class Popularity(Baseline):
    """The share of users who met the item: the same for everybody, also for a user with an empty history.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> histories = interactions.histories(catalog)
        >>> print(Popularity().fit(histories).scores(histories).round(2))
        [[1.   0.67 0.33 0.33 0.33]
         [1.   0.67 0.33 0.33 0.33]
         [1.   0.67 0.33 0.33 0.33]]
    """

    def learn(self, histories: Histories) -> np.ndarray:
        """(1, n_items) share of users."""
        return users_per_item(histories)[None, :] / np.float32(max(len(histories), 1))

    def profile(self, histories: Histories) -> np.ndarray:
        """(m, 1) a one for every user."""
        return np.ones((len(histories), 1), dtype=np.float32)


@dataclass
class ItemKNN(Baseline):
    """The summed cosine of a candidate to those of its k nearest items that the user has met; cosine of who met them.

    Args:
        k: how many nearest items each candidate keeps.

    Raises:
        DataError: k is less than 1.

    Source:
        Sarwar, Karypis, Konstan, Riedl: Item-based collaborative filtering recommendation algorithms, WWW 2001.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> histories = interactions.histories(catalog)
        >>> print(ItemKNN(k=2).fit(histories).scores(histories).round(2))
        [[0.82 0.82 0.71 1.28 0.71]
         [0.   0.82 0.   0.58 0.  ]
         [1.39 1.52 1.71 1.28 1.71]]
    """

    k: int = 20

    def __post_init__(self):
        require_positive(self.k, "ItemKNN(k)")

    def learn(self, histories: Histories):
        """(n_items, n_items) sparse: column j holds the cosines of candidate j to its k nearest items."""
        from scipy.sparse import csr_matrix, vstack

        users = histories.matrix()  # (m, n_items)
        items = users.T.tocsr()  # (n_items, m)
        counts = users_per_item(histories)
        nearest = [csr_matrix((0, histories.n_items), dtype=np.float32)]
        for start in range(0, histories.n_items, BLOCK):
            together = (items[start : start + BLOCK] @ users).tocoo()  # how many users met both
            row, column = together.row + start, together.col
            together.data /= np.sqrt(counts[row] * counts[column])
            together.data[row == column] = 0.0  # an item is not its own neighbor
            nearest.append(keep_largest(together.tocsr(), self.k))
        return vstack(nearest).T.tocsr()


@dataclass
class EASE(Baseline):
    """The linear model that best rebuilds each item of a history from the others: B = I - P diag(1 / diag(P)).

    P is the inverse of the Gram matrix with `regularization` added on its diagonal. It is taken from a Cholesky factor
    in single precision: faster than a general inverse, and equal to the formula in double precision to about 1e-4.

    Args:
        regularization: the paper's lambda; larger means smaller weights.

    Raises:
        DataError: the regularization is not a positive number, or too small to invert the Gram matrix.

    Source:
        Steck: Embarrassingly shallow autoencoders for sparse data, WWW 2019, https://arxiv.org/abs/1905.03375

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> histories = interactions.histories(catalog)
        >>> print(EASE(regularization=1.0).fit(histories).scores(histories).round(2))
        [[0.73 0.65 0.15 0.5  0.15]
         [0.   0.29 0.1  0.17 0.1 ]
         [0.82 0.76 0.65 0.17 0.65]]
    """

    regularization: float = 100.0

    def __post_init__(self):
        require_positive(self.regularization, "EASE(regularization)")

    def learn(self, histories: Histories) -> np.ndarray:
        """(n_items, n_items) the paper's B, whose diagonal is zero."""
        from scipy.linalg.lapack import spocon, spotrf, spotri

        gram = lower_gram(histories.matrix())  # (n_items, n_items), only the lower triangle is filled
        np.fill_diagonal(gram, gram.diagonal() + np.float32(self.regularization))
        norm = (gram.sum(axis=0) + gram.sum(axis=1) - gram.diagonal()).max()
        factor, failed = spotrf(gram, lower=1, overwrite_a=1)
        if failed or spocon(factor, norm, uplo="L")[0] < np.finfo(np.float32).eps:
            raise DataError(f"{self}: too small to invert the Gram matrix in single precision; raise the regularization")
        lower, _ = spotri(factor, lower=1, overwrite_c=1)
        weights = np.tril(lower) + np.tril(lower, -1).T  # P, which is symmetric
        weights /= -weights.diagonal()  # column by column
        np.fill_diagonal(weights, 0.0)
        return np.ascontiguousarray(weights)


@dataclass
class MarkovChain(Baseline):
    """How often the candidate followed the user's last items, one to `steps` places later, in everybody's histories.

    A pair s places apart counts 1/s, and an item s places from the end of the history counts 1/s. What followed an item
    is divided by the square root of the item's popularity: half way between counts, where popular items drown the rest,
    and shares, where a rare item's only successor is certain.

    Args:
        steps: how many places to look back.

    Raises:
        DataError: steps is less than 1.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> histories = interactions.histories(catalog)
        >>> print(MarkovChain().fit(histories).scores(histories).round(2))
        [[0.   0.38 0.45 0.45 0.24]
         [0.   1.15 0.29 0.29 0.19]
         [0.   0.   0.24 0.24 0.62]]
    """

    steps: int = 3

    def __post_init__(self):
        require_positive(self.steps, "MarkovChain(steps)")

    def learn(self, histories: Histories):
        """(n_items, n_items) sparse: row i holds what followed item i."""
        from scipy.sparse import csr_matrix, diags

        rows, items, shape = histories.rows(), histories.items, (histories.n_items, histories.n_items)
        follows = csr_matrix(shape, dtype=np.float32)
        for step in range(1, self.steps + 1):
            same_user = rows[:-step] == rows[step:]
            ones = np.ones(same_user.sum(), dtype=np.float32)
            # whole numbers are summed before they are divided, so the order of users cannot change a digit
            follows += csr_matrix((ones, (items[:-step][same_user], items[step:][same_user])), shape=shape) / step
        popularity = np.bincount(items, minlength=histories.n_items).astype(np.float32)
        return (diags(1 / np.sqrt(np.maximum(popularity, 1))) @ follows).astype(np.float32)

    def profile(self, histories: Histories):
        """(m, n_items) sparse: the last items of each history, each with one over its place from the end."""
        from scipy.sparse import csr_matrix

        rows = histories.rows()
        from_end = histories.starts[rows + 1] - np.arange(len(rows))  # 1 for the last item
        recent = from_end <= self.steps
        value = (1.0 / from_end[recent]).astype(np.float32)
        shape = (len(histories), histories.n_items)
        return csr_matrix((value, (rows[recent], histories.items[recent])), shape=shape)


def users_per_item(histories: Histories) -> np.ndarray:
    """(n_items) float32: how many users met each item, however often."""
    return np.bincount(histories.matrix().indices, minlength=histories.n_items).astype(np.float32)


def keep_largest(matrix, k: int):
    """The sparse matrix with only the k largest entries of each row left; among equals the earlier column stays."""
    matrix.sort_indices()
    for start, end in zip(matrix.indptr, matrix.indptr[1:]):
        order = np.argsort(-matrix.data[start:end], kind="stable")
        matrix.data[start + order[k:]] = 0.0
    matrix.eliminate_zeros()
    return matrix


def lower_gram(users) -> np.ndarray:
    """(n_items, n_items) float32: in the lower triangle, how many users met both items."""
    from scipy.linalg.blas import ssyrk

    gram = np.zeros((users.shape[1],) * 2, dtype=np.float32, order="F")
    for start in range(0, users.shape[0], BLOCK):
        block = users[start : start + BLOCK].toarray()
        gram = ssyrk(1.0, block.T, beta=1.0, c=gram, lower=1, overwrite_c=1)
    return gram


def require_histories(histories) -> Histories:
    """The argument itself; raises DataError unless it is Histories."""
    if not isinstance(histories, Histories):
        raise DataError(f"{type(histories).__name__} came; Histories expected; pass interactions.histories(catalog)")
    return histories


def require_positive(value, name: str) -> None:
    """Raise DataError unless the value is a finite number above zero."""
    if not 0 < value < np.inf:
        raise DataError(f"{name} came as {value!r}; pass a number above zero")
