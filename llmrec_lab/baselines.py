"""Recommenders that only count who met what and when. Cleverer ones have to beat them.

Knows nothing about texts, titles, or ratings. Every model has the same two calls, `fit(histories)` and
`scores(histories)`, and scores seen items too: leaving them out is the ranking's work. With their defaults they are what
the literature calls Popularity, ItemKNN, EASE; a `half_life` makes the latest items of a history count most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrec_lab.catalog import Histories
from llmrec_lab.errors import DataError

BLOCK = 1024  # rows worked on at a time; keeps the extra memory flat as users and items grow
PAIR_COST = 300  # a sparse product spends about as long on a pair of items as a dense one on so many cells of its matrix


class Baseline:
    """What the models share: a score is a user's profile times the weights that `fit` learned.

    A model says how it learns its weights (`learn`), and how it reads a history (`profile`) if not as a set of items.
    """

    weights = None  # (n_items, n_items); the row is an item of the history, the column a candidate
    half_life = np.inf  # in places from the end of a history

    def fit(self, histories: Histories) -> Baseline:
        """Learn the weights from the users' histories.

        Args:
            histories: of m users.

        Returns:
            The model itself, fitted.

        Raises:
            DataError: something else than Histories was passed.
        """
        self.n_items = require_histories(histories).n_items
        self.weights = self.learn(histories)
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
        if require_histories(histories).n_items != self.n_items:
            raise DataError(f"histories of {histories.n_items} items; {self} knows {self.n_items}; use the catalog of fit")
        scores = self.profile(histories) @ self.weights  # (m, n_items)
        return scores if isinstance(scores, np.ndarray) else scores.toarray()

    def profile(self, histories: Histories):
        """(m, n_items) what the model sees of each history: the set of its items, or with a half-life the latest most."""
        return histories.matrix() if self.half_life == np.inf else latest_items(histories, self.half_life)


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
class RecentPopularity(Baseline):
    """The logarithm of how many met an item before the user's last event, old events counting less and less.

    Counts are taken at evenly spaced moments, and a user gets those of the last moment before the own last event: nothing
    later is looked at, so an item that came out afterwards scores zero. Time is measured in the span of the data, so the
    same default serves twenty years of films and a month of news.

    Args:
        moments: into how many stretches the span of the data is divided.
        half_life: after so many stretches an event counts half.

    Raises:
        DataError: an argument is not above zero.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> histories = interactions.histories(catalog)
        >>> print(RecentPopularity(moments=4, half_life=2).fit(histories).scores(histories).round(2))
        [[1.1  0.79 0.69 0.   0.  ]
         [0.88 1.   0.   0.   0.  ]
         [0.88 0.62 0.53 0.69 0.  ]]
    """

    moments: int = 200
    half_life: float = 10.0

    def __post_init__(self):
        require_positive(self.moments, "RecentPopularity(moments)")
        require_positive(self.half_life, "RecentPopularity(half_life)")

    def learn(self, histories: Histories) -> np.ndarray:
        """(moments + 2, n_items): row r knows the events of all stretches before r; the last row knows all events."""
        times = histories.timestamps
        self.start, self.span = (times.min(), max(np.ptp(times), 1)) if len(times) else (0, 1)
        counts = np.zeros((self.moments + 2, histories.n_items), dtype=np.float32)
        np.add.at(counts, (self.stretch(times) + 1, histories.items), 1)
        for row in range(1, len(counts)):
            counts[row] += counts[row - 1] * 0.5 ** (1 / self.half_life)
        return np.log1p(counts)

    def profile(self, histories: Histories):
        """(m, moments + 2) sparse: a one at the stretch of each user's last event; without events, at the end."""
        from scipy.sparse import csr_matrix

        stretch = np.full(len(histories), self.moments + 1)
        some = np.diff(histories.starts) > 0
        stretch[some] = self.stretch(histories.timestamps[histories.starts[1:][some] - 1])
        ones = np.ones(len(histories), dtype=np.float32)
        return csr_matrix((ones, stretch, np.arange(len(histories) + 1)), shape=(len(histories), self.moments + 2))

    def stretch(self, times: np.ndarray) -> np.ndarray:
        """The stretch of the data's span in which each time lies, 0 to `moments`."""
        return np.clip((times - self.start) * self.moments // self.span, 0, self.moments)


@dataclass
class ItemKNN(Baseline):
    """The summed cosine of a candidate to those of its k nearest items that the user has met; cosine of who met them.

    Args:
        k: how many nearest items each candidate keeps.
        half_life: an item this many places from the end of a history counts half; by default all count the same.

    Raises:
        DataError: k is less than 1, or the half-life is not above zero.

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
    half_life: float = np.inf

    def __post_init__(self):
        require_positive(self.k, "ItemKNN(k)")
        require_half_life(self)

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
class CoViewing(Baseline):
    """How often two items stood near each other in a history, whichever came first, as a cosine.

    Two items s places apart count 1 - s / window. It needs no matrix of all items by all items, so it serves catalogs
    that are too large for EASE.

    Args:
        window: items this many places apart or more are no neighbors.
        half_life: an item this many places from the end of a history counts half.

    Raises:
        DataError: an argument is not above zero.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> histories = interactions.histories(catalog)
        >>> print(CoViewing(window=2).fit(histories).scores(histories).round(2))
        [[0.34 0.64 0.3  0.3  0.  ]
         [0.   0.41 0.   0.   0.  ]
         [0.29 0.54 0.75 0.25 0.42]]
    """

    window: int = 20
    half_life: float = 4.0

    def __post_init__(self):
        require_positive(self.window, "CoViewing(window)")
        require_half_life(self)

    def learn(self, histories: Histories):
        """(n_items, n_items) sparse, symmetric."""
        from scipy.sparse import diags_array

        together = neighbor_counts(histories, self.window)
        together.setdiag(0)
        scale = diags_array(1 / np.sqrt(np.maximum(users_per_item(histories), 1)))
        return (scale @ together @ scale).tocsr()


@dataclass
class EASE(Baseline):
    """The linear model that best rebuilds each item of a history from the others: B = I - P diag(1 / diag(P)).

    P is the inverse of the Gram matrix with `regularization` added on its diagonal. It is taken from a Cholesky factor
    in single precision: faster than a general inverse, and equal to the formula in double precision to about 1e-4.

    With a `window` the Gram matrix counts neighbors instead of items of the same history, as if every stretch of `window`
    places were a user of its own: two items s places apart count 1 - s / window, their share of the stretches.

    Args:
        regularization: the paper's lambda; larger means smaller weights.
        half_life: an item this many places from the end of a history counts half; the paper's model counts all the same.
        window: only items fewer places apart are counted together; the paper's model counts whole histories.
        max_items: of a larger catalog only so many items, the most popular, take part, and the others score zero. The
            dense matrix of 10,000 items fills 400 MB, and its inverse takes ten seconds.

    Raises:
        DataError: an argument is not above zero, or the regularization is too small to invert the Gram matrix.

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
    half_life: float = np.inf
    window: int | None = None
    max_items: int = 10_000

    def __post_init__(self):
        require_positive(self.regularization, "EASE(regularization)")
        require_positive(self.max_items, "EASE(max_items)")
        require_half_life(self)
        if self.window is not None:
            require_positive(self.window, "EASE(window)")

    def learn(self, histories: Histories) -> np.ndarray:
        """(kept, kept) the paper's B of the items that take part, whose diagonal is zero."""
        from scipy.linalg.lapack import spocon, spotrf, spotri

        self.kept = np.sort(np.argsort(-users_per_item(histories), kind="stable")[: self.max_items])
        gram = self.gram(histories)  # (kept, kept), only the lower triangle is filled
        np.fill_diagonal(gram, gram.diagonal() + np.float32(self.regularization))
        norm = (gram.sum(axis=0) + gram.sum(axis=1) - gram.diagonal()).max()
        factor, failed = spotrf(gram, lower=1, overwrite_a=1)
        if failed or spocon(factor, norm, uplo="L")[0] < np.finfo(np.float32).eps:
            raise DataError(f"{self}: too small to invert the Gram matrix in single precision; raise the regularization")
        inverse, _ = spotri(factor, lower=1, overwrite_c=1)  # P, only its lower triangle, column by column
        mirror_lower(inverse)
        weights = inverse.T  # P is symmetric: the same numbers, row by row
        weights /= -weights.diagonal()  # each column
        np.fill_diagonal(weights, 0.0)
        return weights

    def gram(self, histories: Histories) -> np.ndarray:
        """(kept, kept) float32, Fortran order: the lower triangle of the weighted counts of items met together."""
        if self.window is None:
            return lower_gram(histories.matrix()[:, self.kept])
        from scipy.sparse import tril

        return tril(neighbor_counts(histories, self.window)[self.kept][:, self.kept]).toarray(order="F")

    def profile(self, histories: Histories):
        """(m, kept) what a history says about the items that take part."""
        return super().profile(histories)[:, self.kept]

    def scores(self, histories: Histories) -> np.ndarray:
        """As `Baseline.scores`; zeros for items that do not take part."""
        found = super().scores(histories)  # (m, kept)
        scores = np.zeros((len(histories), self.n_items), dtype=np.float32)
        scores[:, self.kept] = found
        return scores


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


def latest_items(histories: Histories, half_life: float):
    """(m, n_items) sparse float32: 1 for the last item of a history, half of that every `half_life` places before it."""
    from scipy.sparse import csr_matrix

    rows = histories.rows()
    from_end = histories.starts[rows + 1] - np.arange(len(rows)) - 1  # 0 for the last item
    weight = (0.5 ** (from_end / half_life)).astype(np.float32)
    return csr_matrix((weight, histories.items, histories.starts), shape=(len(histories), histories.n_items))


def neighbor_counts(histories: Histories, window: int):
    """(n_items, n_items) sparse, symmetric: pairs in one history, s places apart, each counted 1 - s / window.

    The weights make it the sum of the Gram matrices of all stretches of `window` places, divided by `window`; so it has no
    negative eigenvalue, and EASE may invert it.
    """
    from scipy.sparse import csr_matrix, diags_array

    rows, items, shape = histories.rows(), histories.items, (histories.n_items, histories.n_items)
    earlier = csr_matrix(shape, dtype=np.float32)
    for step in range(1, window):
        same_user = rows[:-step] == rows[step:]
        ones = np.ones(same_user.sum(), dtype=np.float32)
        # whole numbers are summed before they are weighted, so the order of users cannot change a digit
        earlier += csr_matrix((ones, (items[:-step][same_user], items[step:][same_user])), shape=shape) * (1 - step / window)
    met = np.bincount(items, minlength=histories.n_items).astype(np.float32)
    return (earlier + earlier.T + diags_array(met)).tocsr().astype(np.float32)


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
    from scipy.sparse import tril

    pairs = (users.getnnz(axis=1).astype(float) ** 2).sum()
    if PAIR_COST * pairs < users.shape[0] * users.shape[1] ** 2:  # short histories, many items
        return tril(users.T @ users).toarray(order="F")
    gram = np.zeros((users.shape[1],) * 2, dtype=np.float32, order="F")
    for start in range(0, users.shape[0], BLOCK):
        block = users[start : start + BLOCK].toarray()
        gram = ssyrk(1.0, block.T, beta=1.0, c=gram, lower=1, overwrite_c=1)
    return gram


def mirror_lower(square: np.ndarray) -> None:
    """Copy the lower triangle of a square matrix to its upper one, in place."""
    for start in range(0, len(square), BLOCK):
        corner = square[start : start + BLOCK, start : start + BLOCK]
        corner[:] = np.tril(corner) + np.tril(corner, -1).T
        square[start : start + BLOCK, start + BLOCK :] = square[start + BLOCK :, start : start + BLOCK].T


def require_histories(histories) -> Histories:
    """The argument itself; raises DataError unless it is Histories."""
    if not isinstance(histories, Histories):
        raise DataError(f"{type(histories).__name__} came; Histories expected; pass interactions.histories(catalog)")
    return histories


def require_positive(value, name: str) -> None:
    """Raise DataError unless the value is a finite number above zero."""
    if not 0 < value < np.inf:
        raise DataError(f"{name} came as {value!r}; pass a number above zero")


def require_half_life(model: Baseline) -> None:
    """Raise DataError unless the model's half-life is above zero; infinity is one: nothing ever fades."""
    if not model.half_life > 0:
        raise DataError(f"{type(model).__name__}(half_life) came as {model.half_life!r}; pass a number above zero")
