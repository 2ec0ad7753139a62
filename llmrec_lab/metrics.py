"""How good a ranking is: one number per user, its mean with an interval, and the rank of an item under two protocols.

Knows nothing about models, texts, or catalogs: only item positions, scores, and vectors. Ranked lists are (q, k) item
positions, best first, no item twice in a list, -1 where a list is shorter than k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrec_lab.errors import DataError

BLOCK = 1024  # users worked on at a time where an extra axis would need much memory


# From ranked lists or ranks to hits


def hits(ranked: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Which places of each list hold an item that is relevant to the user.

    Args:
        ranked: (q, k) item positions, best first, -1 for none.
        relevant: (q) one relevant item per user, or (q, r) several, none twice, filled up with -1.

    Returns:
        (q, k) booleans.

    Raises:
        DataError: the two are not for the same users, or `ranked` is not a table.

    Example:
        >>> hits([[3, 1, 2], [0, 1, 4]], [1, 4]).astype(int)
        array([[0, 1, 0],
               [0, 0, 1]])
        >>> hits([[3, 1, 2], [0, 1, 4]], [[2, 3], [1, -1]]).astype(int)
        array([[1, 0, 1],
               [0, 1, 0]])
    """
    ranked = require_table(ranked, "ranked")
    relevant = np.asarray(relevant)
    relevant = relevant[:, None] if relevant.ndim == 1 else relevant  # (q, r)
    if len(relevant) != len(ranked):
        raise DataError(f"ranked has {len(ranked)} users and relevant {len(relevant)}; pass the same users to both")
    found = np.zeros(ranked.shape, dtype=bool)
    for start in range(0, len(ranked), BLOCK):  # a block stays in the processor's cache while its columns are compared
        block = slice(start, start + BLOCK)
        for column in relevant[block].T:
            found[block] |= ranked[block] == column[:, None]
    return found & (ranked >= 0)


def count_relevant(relevant: np.ndarray) -> np.ndarray:
    """How many relevant items each user has.

    Args:
        relevant: (q, r) item positions, filled up with -1.

    Returns:
        (q) integers.

    Example:
        >>> count_relevant([[2, 3], [1, -1]])
        array([2, 1])
    """
    return (require_table(relevant, "relevant") >= 0).sum(axis=1)


def hits_from_ranks(ranks: np.ndarray, k: int) -> np.ndarray:
    """The hits of a top-k list whose one relevant item has the given rank.

    Args:
        ranks: (q) ranks from 1, as `target_rank` gives them.
        k: length of the list.

    Returns:
        (q, k) booleans; a row without a hit where the rank is beyond k.

    Example:
        >>> hits_from_ranks([2, 9], k=3).astype(int)
        array([[0, 1, 0],
               [0, 0, 0]])
    """
    return np.asarray(ranks)[:, None] == np.arange(1, k + 1)


# Measures of a list against what is relevant: (q, k) hits -> (q) numbers


def precision(hit: np.ndarray) -> np.ndarray:
    """The share of the k places that hold a relevant item.

    Args:
        hit: (q, k) booleans.

    Returns:
        (q) from 0 to 1; a list shorter than k is not forgiven.

    Example:
        >>> precision([[1, 0, 1, 0]])
        array([0.5])
    """
    return require_table(hit, "hit").mean(axis=1)


def recall(hit: np.ndarray, n_relevant: np.ndarray | int = 1) -> np.ndarray:
    """The share of the relevant items that are in the list; with one relevant item per user also called the hit rate.

    Args:
        hit: (q, k) booleans.
        n_relevant: (q) how many relevant items each user has, or one number for all.

    Returns:
        (q) from 0 to 1; NaN for a user with no relevant item.

    Example:
        >>> recall([[1, 0, 1, 0], [0, 0, 0, 0]], n_relevant=[4, 0])
        array([0.5, nan])
    """
    return divide(require_table(hit, "hit").sum(axis=1), n_relevant)


def f1(hit: np.ndarray, n_relevant: np.ndarray | int = 1) -> np.ndarray:
    """The harmonic mean of precision and recall.

    Args:
        hit: (q, k) booleans.
        n_relevant: (q) how many relevant items each user has, or one number for all.

    Returns:
        (q) from 0 to 1; NaN for a user with no relevant item.

    Example:
        >>> f1([[1, 0, 1, 0]], n_relevant=[4])
        array([0.5])
    """
    hit = require_table(hit, "hit")
    known = divide(n_relevant, n_relevant)  # 1, or NaN without a relevant item
    return 2 * hit.sum(axis=1) / (hit.shape[1] + np.asarray(n_relevant)) * known


def mrr(hit: np.ndarray, n_relevant: np.ndarray | int = 1) -> np.ndarray:
    """One over the rank of the first relevant item, 0 if none is in the list; the mean over users is the MRR.

    Args:
        hit: (q, k) booleans.
        n_relevant: (q) how many relevant items each user has, or one number for all.

    Returns:
        (q) from 0 to 1; NaN for a user with no relevant item.

    Example:
        >>> mrr([[0, 1, 1], [0, 0, 0]])
        array([0.5, 0. ])
    """
    hit = require_table(hit, "hit")
    first = hit.argmax(axis=1) + 1  # 1 where there is no hit at all, which the next line turns into 0
    return hit.any(axis=1) / first * divide(n_relevant, n_relevant)


def average_precision(hit: np.ndarray, n_relevant: np.ndarray | int = 1) -> np.ndarray:
    """The precision at each relevant item, 0 for those outside the list, averaged; the mean over users is the MAP.

    Args:
        hit: (q, k) booleans.
        n_relevant: (q) how many relevant items each user has, or one number for all; all of them count, also beyond k.

    Returns:
        (q) from 0 to 1; NaN for a user with no relevant item.

    Example:
        >>> average_precision([[1, 0, 1]], n_relevant=[2]).round(3)  # (1/1 + 2/3) / 2
        array([0.833])
    """
    hit = require_table(hit, "hit")
    users, places = np.nonzero(hit)  # hit after hit, user by user; far fewer than q times k
    nth = np.arange(1, len(users) + 1) - np.searchsorted(users, users)  # 1 for a user's first hit
    return divide(np.bincount(users, nth / (places + 1), minlength=len(hit)), n_relevant)


def ndcg(hit: np.ndarray, n_relevant: np.ndarray | int = 1) -> np.ndarray:
    """Hits discounted by the logarithm of their rank, as a share of what a list with the hits in front would get.

    Args:
        hit: (q, k) booleans.
        n_relevant: (q) how many relevant items each user has, or one number for all; the ideal list has up to k.

    Returns:
        (q) from 0 to 1; NaN for a user with no relevant item.

    Source:
        Järvelin, Kekäläinen: Cumulated gain-based evaluation of IR techniques, ACM TOIS 20(4), 2002.

    Example:
        >>> ndcg([[0, 1, 0], [1, 1, 1]], n_relevant=[1, 5]).round(3)
        array([0.631, 1.   ])
    """
    hit = require_table(hit, "hit")
    discount = 1 / np.log2(np.arange(2, hit.shape[1] + 2))  # (k)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])  # ideal[c] = DCG of c relevant items in the first c places
    return divide(hit @ discount, ideal[np.minimum(n_relevant, hit.shape[1])])


def mae(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """The mean absolute error of predicted ratings.

    Args:
        predicted: (q, r) ratings.
        actual: (q, r) ratings, NaN where the user gave none.

    Returns:
        (q) in stars; NaN for a user without ratings.

    Raises:
        DataError: the shapes differ, or a rating that was given has no prediction.

    Example:
        >>> mae([[3.5, 4.0], [2.0, 2.0]], [[4.0, np.nan], [1.0, 4.0]])
        array([0.5, 1.5])
    """
    predicted, actual = require_table(predicted, "predicted"), require_table(actual, "actual")
    if predicted.shape != actual.shape:
        raise DataError(f"predicted is {predicted.shape} and actual {actual.shape}; pass one prediction per rating")
    rated = ~np.isnan(actual)
    if not np.isfinite(predicted[rated]).all():
        raise DataError("a predicted rating is NaN or infinite; predict every rating that was given")
    return divide(np.abs(predicted - actual).sum(axis=1, where=rated), rated.sum(axis=1))


# Measures of the lists themselves


def coverage(ranked: np.ndarray, n_items: int) -> float:
    """The share of the catalog that is in at least one list.

    Args:
        ranked: (q, k) item positions, -1 for none.
        n_items: how many items the catalog has.

    Returns:
        A number from 0 to 1.

    Example:
        >>> coverage([[0, 1], [1, 2]], n_items=5)
        0.6
    """
    ranked = require_table(ranked, "ranked")
    return len(np.unique(ranked[ranked >= 0])) / n_items


def diversity(ranked: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """One minus the cosine of two items, averaged over all pairs of a list.

    Args:
        ranked: (q, k) item positions, -1 for none.
        vectors: (n_items, d) one row per item, of any length; a row of zeros has cosine 0 with all others.

    Returns:
        (q) from 0 to 2; NaN for a list of fewer than two items.

    Source:
        Ziegler, McNee, Konstan, Lausen: Improving recommendation lists through topic diversification, WWW 2005.

    Example:
        >>> diversity([[0, 1], [0, 2]], [[1, 0], [0, 3], [2, 0]])
        array([1., 0.])
    """
    ranked, vectors = require_table(ranked, "ranked"), np.asarray(vectors, dtype=np.float64)
    unit = divide(vectors, np.linalg.norm(vectors, axis=1, keepdims=True), empty=0.0)
    cosines = np.zeros(len(ranked))
    for start in range(0, len(ranked), BLOCK):
        block = ranked[start : start + BLOCK]
        listed = unit[block] * (block >= 0)[:, :, None]  # (b, k, d)
        # |sum of unit vectors|^2 is the cosine of every ordered pair, each item with itself included
        cosines[start : start + BLOCK] = (listed.sum(axis=1) ** 2).sum(axis=1) - (listed**2).sum(axis=(1, 2))
    n_listed = (ranked >= 0).sum(axis=1)
    return 1 - divide(cosines, n_listed * (n_listed - 1))


def popularity_share(ranked: np.ndarray, counts: np.ndarray, n_users: int) -> np.ndarray:
    """The share of users who met an item, averaged over the list: high where a list repeats what everybody knows.

    Args:
        ranked: (q, k) item positions, -1 for none.
        counts: (n_items) how many users met each item.
        n_users: how many users there are.

    Returns:
        (q) from 0 to 1; NaN for an empty list.

    Example:
        >>> popularity_share([[0, 1]], counts=[3, 1], n_users=4)
        array([0.5])
    """
    return mean_listed(ranked, np.asarray(counts) / n_users)


def novelty(ranked: np.ndarray, counts: np.ndarray, n_users: int) -> np.ndarray:
    """The surprise in bits, -log2 of the share of users who met an item, averaged over the list.

    Args:
        ranked: (q, k) item positions, -1 for none.
        counts: (n_items) how many users met each item; an item that nobody met counts as met once, not as infinite.
        n_users: how many users there are.

    Returns:
        (q) bits, 0 or more; NaN for an empty list.

    Source:
        Zhou et al.: Solving the apparent diversity-accuracy dilemma of recommender systems, PNAS 107(10), 2010.

    Example:
        >>> novelty([[0, 1]], counts=[4, 1], n_users=4)  # (0 + 2) / 2
        array([1.])
    """
    return mean_listed(ranked, -np.log2(np.maximum(counts, 1) / n_users))


# Full and sampled protocol: the rank of one target per user


def target_rank(scores: np.ndarray, targets: np.ndarray, seen: np.ndarray, id_order: np.ndarray) -> np.ndarray:
    """The rank of each user's target among all items that the user has not seen; ties go to the smaller item id.

    Args:
        scores: (q, n_items) larger is better.
        targets: (q) item positions.
        seen: (q, n_items) booleans: items left out of the ranking.
        id_order: (n_items) the place of each item when the ids are sorted: `np.argsort(np.argsort(item_ids))`.

    Returns:
        (q) ranks from 1.

    Raises:
        DataError: shapes do not fit, a score is NaN, or a target was seen.

    Example:
        >>> scores = np.array([[0.9, 0.5, 0.5, 0.1]])
        >>> seen = np.array([[True, False, False, False]])
        >>> target_rank(scores, [2], seen, [0, 1, 2, 3]), target_rank(scores, [2], seen, [3, 2, 1, 0])
        (array([2]), array([1]))
    """
    scores, seen, id_order = np.asarray(scores), np.asarray(seen, dtype=bool), np.asarray(id_order)
    if scores.shape != (len(targets), len(id_order)) or seen.shape != scores.shape:
        shapes = f"scores {scores.shape}, targets ({len(targets)}), seen {seen.shape}, id_order ({len(id_order)})"
        raise DataError(f"{shapes} do not fit; pass (q, n_items), (q), (q, n_items), (n_items)")
    if np.isnan(scores).any():
        raise DataError("a score is NaN, which has no place in a ranking; mend the model that made it")
    column = np.asarray(targets)[:, None]  # (q, 1)
    if np.take_along_axis(seen, column, axis=1).any():
        raise DataError("a target is among the seen items of its user; leave that user out of the evaluation")
    own = np.take_along_axis(scores, column, axis=1)
    ahead = (scores > own) | ((scores == own) & (id_order < id_order[column]))
    return (ahead & ~seen).sum(axis=1) + 1


def sampled_rank(
    scores: np.ndarray, targets: np.ndarray, seen: np.ndarray, id_order: np.ndarray, n_negatives: int, rng
) -> np.ndarray:
    """The rank of each user's target among itself and a few unseen items drawn at random: cheap, common, and biased.

    To compare models, give each a generator of the same seed, so that all meet the same items.

    Args:
        scores, targets, seen, id_order: as in `target_rank`.
        n_negatives: how many unseen items to draw, without repeats; all of them where a user has no more.
        rng: a `numpy.random.Generator`.

    Returns:
        (q) ranks from 1 to n_negatives + 1.

    Raises:
        DataError: as `target_rank`, or n_negatives is less than 1.

    Source:
        Krichene, Rendle: On sampled metrics for item recommendation, KDD 2020, which says why not to rely on it.

    Example:
        >>> scores, seen = np.array([[0.9, 0.8, 0.5, 0.1]]), np.zeros((1, 4), dtype=bool)
        >>> sampled_rank(scores, [2], seen, [0, 1, 2, 3], n_negatives=1, rng=np.random.default_rng(0))
        array([1])
    """
    if n_negatives < 1:
        raise DataError(f"n_negatives came as {n_negatives}; pass 1 or more")
    lottery = rng.random(np.shape(scores))  # (q, n_items) the smallest numbers are drawn
    lottery[np.asarray(seen, dtype=bool)] = np.inf
    lottery[np.arange(len(targets)), targets] = -np.inf  # the target itself always takes part
    if n_negatives + 1 >= lottery.shape[1]:
        return target_rank(scores, targets, seen, id_order)
    last_drawn = np.partition(lottery, n_negatives, axis=1)[:, [n_negatives]]
    return target_rank(scores, targets, seen | (lottery > last_drawn), id_order)


# Intervals


@dataclass(frozen=True)
class Interval:
    """A mean over users and the 95% interval around it.

    Args:
        mean: over the users that were measured.
        low, high: ends of the interval.

    Example:
        >>> print(Interval(0.1, 0.0514, 0.15), Interval(0.1, 0.05, 0.15).excludes_zero)
        0.100 [0.051, 0.150] True
    """

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_interval(values: np.ndarray, draws: int = 2000, seed: int = 0) -> Interval:
    """The mean over users and how far it would move with other users of the same kind: the 95% percentile bootstrap.

    Args:
        values: (q) one number per user; NaN for users who could not be measured, who are left out.
        draws: how often q users are drawn with replacement.
        seed: of the draws.

    Returns:
        An Interval; the same for the same values, draws, and seed.

    Raises:
        DataError: no user was measured.

    Source:
        Efron: Bootstrap methods: another look at the jackknife, Annals of Statistics 7(1), 1979.

    Example:
        >>> print(bootstrap_interval([0.0, 1.0, 1.0, 0.0, np.nan]))
        0.500 [0.000, 1.000]
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise DataError("no user has a value, so there is no mean; pass at least one number that is not NaN")
    low, high = np.percentile(drawn_means(values, draws, np.random.default_rng(seed)), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def drawn_means(values: np.ndarray, draws: int, rng) -> list[float]:
    """The mean of as many values as there are, drawn with replacement; that so many times."""
    n = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    if 20 * len(distinct) < n:
        # One relevant item per user gives few distinct values: drawing how often each of them comes up is the same
        # experiment, 15 times as fast for 50,000 users.
        return [rng.multinomial(n, counts / n) @ distinct / n for _ in range(draws)]
    return [values[rng.integers(n, size=n)].mean() for _ in range(draws)]


def paired_interval(a: np.ndarray, b: np.ndarray, draws: int = 2000, seed: int = 0) -> Interval:
    """The bootstrap interval of the difference a - b of two models measured on the same users.

    Args:
        a, b: (q) one number per user, in the same order of users; NaN in either leaves the user out.
        draws, seed: as in `bootstrap_interval`.

    Returns:
        An Interval; where it excludes zero, the difference is beyond the interval.

    Raises:
        DataError: a and b are of different length, or no user was measured.

    Example:
        >>> paired_interval([0.5, 0.6, 0.9], [0.4, 0.5, 0.8]).excludes_zero
        True
    """
    if np.shape(a) != np.shape(b):
        raise DataError(f"a has shape {np.shape(a)} and b {np.shape(b)}; measure both models on the same users")
    return bootstrap_interval(np.subtract(a, b), draws, seed)


# Helpers


def divide(top, bottom, empty: float = np.nan) -> np.ndarray:
    """top / bottom in float64, and `empty` where the bottom is zero."""
    top, bottom = np.broadcast_arrays(np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64))
    return np.divide(top, bottom, out=np.full(top.shape, empty), where=bottom != 0)


def mean_listed(ranked: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(q) the mean of (n_items) values over the items of each list."""
    ranked = require_table(ranked, "ranked")
    listed = ranked >= 0
    return divide(np.asarray(values)[ranked].sum(axis=1, where=listed), listed.sum(axis=1))


def require_table(values, name: str) -> np.ndarray:
    """The argument as an array; raises DataError unless it has two axes, the second not empty."""
    values = np.asarray(values)
    if values.ndim != 2 or not values.shape[1]:
        raise DataError(f"{name} has shape {values.shape}; pass one row per user and at least one place")
    return values
