"""One score from many parts: each is standardized, and weighed by how well it ranks what people met next.

Knows nothing about texts, titles, or slates: a part is anything with `fit(histories)` and `scores(histories)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrec_lab.catalog import Histories
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.errors import DataError
from llmrec_lab.ranking import DIGITS

SEEN = -10.0  # far below what matters of a standardized score: a seen item is no rival of the one that was met next
RIDGE = 1e-4  # keeps the weights finite where a part ranks every target first
BLOCK = 256  # queries looked at together: 8 parts of 20,000 items fill 160 MB


@dataclass(frozen=True)
class FusionConfig:
    """What the weights are learned on: queries, each a user's history and the item that was met next.

    Args:
        queries: so many, drawn at random where there are more. A weight needs hundreds; more make it slower, not better.
        depth: a user is asked for at most so many last items, when one each gives too few queries, and never for more than
            a fifth of a typical history: the parts do not see them while the weights are learned.
        candidates: so many rivals beside the item that was met: those that the plain sum of the parts ranks first. Others
            could not reach a slate.
        seed: of the draw.
    """

    queries: int = 2000
    depth: int = 3
    candidates: int = 100
    seed: int = 0


class Fusion:
    """A weighted sum of standardized parts, whose weights are learned from histories.

    Args:
        parts: name to model; a model has `fit(histories)` and `scores(histories)`.
        least: name to the least weight of that part; the others may weigh nothing.
        config: what the weights are learned on.

    Example:
        >>> from llmrec_lab.baselines import MarkovChain, Popularity
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> histories = interactions.histories(catalog)
        >>> fusion = Fusion({"next": MarkovChain(), "popular": Popularity()}).fit(histories)
        >>> fusion.scores(histories).shape, bool(fusion.weights.min() >= 0)
        ((3, 5), True)
    """

    def __init__(self, parts: dict, least: dict[str, float] | None = None, config: FusionConfig = FusionConfig()):
        self.parts, self.config, self.weights = dict(parts), config, None
        self.least = np.array([(least or {}).get(name, 0.0) for name in self.parts])

    def fit(self, histories: Histories, weights: np.ndarray | None = None) -> Fusion:
        """Learn the weights on items that the parts have not seen, then fit the parts on everything.

        Args:
            histories: of m users.
            weights: (p) of an earlier fit, to spare the learning.

        Returns:
            The fusion itself.
        """
        learned = self.learned(histories) if weights is None else np.asarray(weights, dtype=np.float64)
        self.weights = np.maximum(learned, self.least)
        self.fit_parts(histories)
        return self

    def fit_parts(self, histories: Histories) -> None:
        """Fit every part."""
        for part in self.parts.values():
            part.fit(histories)

    def learned(self, histories: Histories) -> np.ndarray:
        """(p) weights; equal ones where no user has an item to be asked for."""
        depth = self.depth(histories)
        self.fit_parts(leave_last_out(histories, depth - 1).train)
        examples = [self.compared(split, chosen) for split, chosen in self.queries(histories, depth)]
        return learn_weights(np.concatenate(examples)) if examples else np.ones(len(self.parts))

    def depth(self, histories: Histories) -> int:
        """For how many last items each user is asked."""
        wanted = np.ceil(self.config.queries / max(len(histories), 1))
        typical = np.median(np.diff(histories.starts)) if len(histories) else 0
        return int(max(1, min(self.config.depth, wanted, typical // 5)))

    def queries(self, histories: Histories, depth: int):
        """Splits, each with a block of the rows that are drawn from it."""
        rng = np.random.default_rng(self.config.seed)
        for back in range(depth):
            split = leave_last_out(histories, back)
            chosen = np.sort(rng.permutation(len(split.rows))[: self.config.queries // depth])
            for start in range(0, len(chosen), BLOCK):
                yield split, chosen[start : start + BLOCK]

    def compared(self, split, chosen: np.ndarray) -> np.ndarray:
        """(q, c, p) float32: the standardized parts of each chosen target, which comes first, and of its best rivals."""
        asked = split.train.of_users(split.train.user_ids[split.rows[chosen]])
        targets, each = split.targets[chosen], np.arange(len(chosen))
        parts = np.stack([standardize(part.scores(asked)) for part in self.parts.values()], axis=-1, dtype=np.float32)
        parts[asked.rows(), asked.items] = SEEN
        plain = parts.sum(axis=-1)  # (q, n)
        plain[each, targets] = -np.inf
        rivals = min(self.config.candidates, plain.shape[1] - 1)
        best = np.argpartition(-plain, rivals - 1, axis=1)[:, :rivals] if rivals else np.empty((len(chosen), 0), dtype=int)
        return parts[each[:, None], np.column_stack([targets, best])]

    def scores(self, histories: Histories) -> np.ndarray:
        """How much each user may like each item.

        Args:
            histories: of m users.

        Returns:
            (m, n) float64, rounded as rankings compare scores, seen items included.

        Raises:
            DataError: `fit` was not called.
        """
        if self.weights is None:
            raise DataError("the fusion has learned nothing yet; call fit(histories) before scores(histories)")
        total = np.zeros((len(histories), histories.n_items))
        for weight, part in zip(self.weights, self.parts.values()):
            if weight:
                total += weight * standardize(part.scores(histories))
        return np.round(total, DIGITS)


def standardize(scores: np.ndarray) -> np.ndarray:
    """Each user's scores with mean 0 and standard deviation 1, so that parts of different make can be added.

    Args:
        scores: (m, n).

    Returns:
        (m, n) float64; zeros where all scores of a user are equal.

    Example:
        >>> standardize(np.array([[1.0, 3.0], [2.0, 2.0]]))
        array([[-1.,  1.],
               [ 0.,  0.]])
    """
    scores = np.asarray(scores, dtype=np.float64)
    spread = scores.std(axis=1, keepdims=True)
    return np.divide(scores - scores.mean(axis=1, keepdims=True), spread, out=np.zeros_like(scores), where=spread > 1e-9)


def standardize_columns(columns: np.ndarray) -> np.ndarray:
    """What `standardize` makes of the sum of some columns, with the columns kept apart.

    Args:
        columns: (n, k) scores of n items for one user, in k parts.

    Returns:
        (n, k) float64; each row sums to the standardized score of its item.

    Example:
        >>> standardize_columns(np.array([[0.0, 1.0], [2.0, 1.0]]))
        array([[-1.,  0.],
               [ 1.,  0.]])
    """
    columns = np.asarray(columns, dtype=np.float64)
    spread = columns.sum(axis=1).std()
    return (columns - columns.mean(axis=0)) / spread if spread > 1e-9 else np.zeros_like(columns)


def learn_weights(candidates: np.ndarray) -> np.ndarray:
    """Non-negative weights of the parts under which the items that were met stand high among their rivals.

    They maximize the mean NDCG of a smooth rank: 1 plus, for every rival, a sigmoid of how far it is ahead. Unlike a
    likelihood, it does not care how far down an item is that no slate would show anyway.

    Args:
        candidates: (q, c, p) standardized parts of c candidates for q queries; the first candidate is the one that was met.

    Returns:
        (p) weights.

    Source:
        Qin, Liu, Li: A general approximation framework for direct optimization of information retrieval measures,
        Information Retrieval 13, 2010 (ApproxNDCG).

    Example:
        >>> useful = np.array([[[1.0, 0.3], [0.0, 0.9]], [[0.2, 0.1], [0.9, 0.4]], [[0.8, 0.2], [0.1, 0.5]]])
        >>> (learn_weights(useful) > 0).tolist()
        [True, False]
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    ahead = candidates[:, 1:] - candidates[:, :1]  # (q, c - 1, p)

    def loss(weights):
        above = expit(ahead @ weights.astype(ahead.dtype))  # (q, c - 1) near 1 for a rival far ahead
        below_top = np.log2(2 + above.sum(axis=1, dtype=np.float64))  # (q) log2(1 + rank)
        steepness = 1 / (below_top**2 * (2 + above.sum(axis=1, dtype=np.float64)) * np.log(2)) / len(ahead)
        slope = np.einsum("qc,qcp->p", above * (1 - above) * steepness[:, None], ahead)
        return RIDGE * weights @ weights - (1 / below_top).mean(), slope + 2 * RIDGE * weights

    start = np.full(candidates.shape[-1], 0.3)
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start)).x
