"""The exercises, the recap and the quiz of lesson 05.

Knows nothing about how answers are read, compared or reported.
"""

from __future__ import annotations

import numpy as np

from llmrec_lab.exercises import Calls, Exercise, Misconception, Question, array, ids, letters, number
from llmrec_lab.metrics import bootstrap_interval, paired_interval

DISCOUNT = 1 / np.log2(np.arange(2, 7))  # (5)
HIT, N_RELEVANT = np.array([1, 0, 1, 0, 0]), 4
BUGS = ["seen", "ideal", "leak", "ties"]  # of the programs A, B, C, D


def ndcg_of(hit, n_relevant: int) -> float:
    """The NDCG of one list.

    Args:
        hit: (k) 0 or 1 per place.
        n_relevant: how many relevant items there are, at least 1.

    Returns:
        A number from 0 to 1.

    Example:
        >>> ndcg_of([1, 0, 0], 1), round(ndcg_of([1, 0, 0], 2), 3)
        (1.0, 0.613)
    """
    discount = 1 / np.log2(np.arange(2, len(hit) + 2))
    return float(np.asarray(hit) @ discount / discount[:n_relevant].sum())


def fair_rank(scores: np.ndarray, target: int) -> float:
    """The rank of an item, in the middle of the places that it shares with its equals.

    Args:
        scores: (n) larger is better.
        target: position of the item.

    Returns:
        A number from 1 to n.

    Example:
        >>> fair_rank(np.array([9, 8, 5, 5]), 2)
        3.5
    """
    ahead, equal = (scores > scores[target]).sum(), (scores == scores[target]).sum() - 1
    return float(1 + ahead + equal / 2)


def may_learn(users: np.ndarray, times: np.ndarray, user: str, time: int) -> np.ndarray:
    """Which events a model may learn from that is asked what a person meets at a moment: all before it.

    Args:
        users, times: (t) one entry per event.
        user, time: who is asked, and when.

    Returns:
        (t) booleans.

    Example:
        >>> may_learn(np.array(["ada", "bo"]), np.array([1, 5]), "ada", 3)
        array([ True, False])
    """
    return times < time


def winner(a: np.ndarray, b: np.ndarray) -> str:
    """Which of two models is better beyond the interval of the difference.

    Args:
        a, b: (q) one number per person, the same people.

    Returns:
        `a`, `b` or `neither`.

    Example:
        >>> winner(np.ones(50), np.zeros(50))
        'a'
    """
    return verdict(paired_interval(a, b))


def verdict(found) -> str:
    """Who wins by an interval of a minus b."""
    return "a" if found.low > 0 else "b" if found.high < 0 else "neither"


# Wrong answers


def list_ndcg(ideal):
    """A wrong ndcg_of: with another ideal DCG, a function of the list, its discount, and the number of relevant items."""

    def value(hit, n_relevant):
        discount = 1 / np.log2(np.arange(2, len(hit) + 2))
        divisor = ideal(np.asarray(hit), discount, n_relevant)
        return float(np.asarray(hit) @ discount / divisor) if divisor else 0.0

    return value


def endless_ideal(hit, discount, n_relevant):
    """An ideal DCG that is longer than the list."""
    return (1 / np.log2(np.arange(2, n_relevant + 2))).sum()


def by_place(scores, target):
    """A wrong fair_rank: ties in the order of the array."""
    return float(np.argsort(-scores, kind="stable").tolist().index(target) + 1)


def tied(share, itself=1):
    """A wrong fair_rank: another share of the equals counts as ahead."""
    return lambda scores, target: float(
        1 + (scores > scores[target]).sum() + share * ((scores == scores[target]).sum() - itself)
    )


def overlapping(a, b):
    """A wrong winner: two intervals that must not overlap."""
    first, second = bootstrap_interval(a), bootstrap_interval(b)
    return "a" if first.low > second.high else "b" if second.low > first.high else "neither"


def by_people(a, b):
    """A wrong winner: who is better for more people."""
    return "a" if (a > b).sum() > (b > a).sum() else "b" if (b > a).sum() > (a > b).sum() else "neither"


def people(n: int, seed: int, lead: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two models on n people who differ much among themselves: b, and a that leads on average."""
    rng = np.random.default_rng(seed)
    b = rng.uniform(0, 1, n)
    return b + lead + noise * rng.normal(size=n), b


STEADY = people(100, seed=0, lead=0.05, noise=0.05)
CLEAR = people(100, seed=2, lead=0.05, noise=0.01)
UNSURE = people(100, seed=1, lead=0.01, noise=0.5)
RARE = (np.r_[np.full(60, 0.01), np.full(40, -0.5)], np.zeros(100))  # a little better for most, much worse for some
WINNERS = Calls("winner", (STEADY, STEADY[::-1], CLEAR, UNSURE, RARE), letters)
NDCGS = Calls(
    "ndcg_of",
    tuple((np.array(hit), n) for hit, n in (([1, 0, 0], 1), ([1, 0, 0], 3), ([0, 1, 1, 0], 2), ([1, 1], 5), ([0, 0], 1))),
    number,
)
RANKS = Calls(
    "fair_rank",
    tuple(
        (np.array(scores, dtype=float), target)
        for scores, target in (([5, 9, 5, 8], 0), ([3, 1, 2], 0), ([4, 4, 4, 4, 4], 0), ([7, 2, 7, 7, 1], 2))
    ),
    number,
)
EVENTS = (np.array(["ada", "bo", "ada", "bo", "chen", "ada", "chen"]), np.array([1, 2, 5, 5, 7, 9, 4]))
LEARNED = Calls("may_learn", ((*EVENTS, "ada", 5), (*EVENTS, "chen", 7)), array)

EXERCISES = (
    Exercise(
        "05.1",
        read=number,
        reference=HIT @ DISCOUNT / DISCOUNT[:N_RELEVANT].sum(),
        misconceptions=(
            Misconception("ideal_of_hits", (HIT @ DISCOUNT / DISCOUNT[:2].sum(),)),
            Misconception("ideal_of_list", (HIT @ DISCOUNT / DISCOUNT.sum(),)),
            Misconception("dcg", (HIT @ DISCOUNT,)),
            Misconception("reciprocal", ((1 + 1 / 3) / (1 + 1 / 2 + 1 / 3 + 1 / 4),)),
            Misconception("recall", (2 / 4,)),
            Misconception("precision", (2 / 5,)),
            Misconception("average_precision", ((1 + 2 / 3) / 4,)),
        ),
        tolerance=1e-3,
    ),
    Exercise(
        "05.2",
        read=NDCGS,
        reference=ndcg_of,
        misconceptions=(
            Misconception("bug", (list_ndcg(lambda hit, discount, n: discount[: hit.sum()].sum()),)),
            Misconception("whole_list", (list_ndcg(lambda hit, discount, n: discount.sum()),)),
            Misconception("beyond_list", (list_ndcg(endless_ideal),)),
            Misconception("no_ideal", (list_ndcg(lambda hit, discount, n: 1),)),
            Misconception("by_count", (list_ndcg(lambda hit, discount, n: n), list_ndcg(lambda hit, discount, n: len(hit)))),
        ),
    ),
    Exercise(
        "05.3",
        read=RANKS,
        reference=fair_rank,
        misconceptions=(
            Misconception("best", (tied(0),)),
            Misconception("worst", (tied(1),)),
            Misconception("by_place", (by_place,)),
            Misconception("itself", (tied(1 / 2, itself=0),)),
            Misconception("half", (lambda scores, target: fair_rank(scores, target) - 0.5,)),
            Misconception("from_zero", (lambda scores, target: fair_rank(scores, target) - 1,)),
            Misconception("ascending", (lambda scores, target: fair_rank(-scores, target),)),
        ),
    ),
    Exercise(
        "05.4",
        read=LEARNED,
        reference=may_learn,
        misconceptions=(
            Misconception("own_future", (lambda users, times, user, time: (users != user) | (times < time),)),
            Misconception("same_moment", (lambda users, times, user, time: times <= time,)),
            Misconception("only_own", (lambda users, times, user, time: (users == user) & (times < time),)),
            Misconception("all_but_target", (lambda users, times, user, time: ~((users == user) & (times == time)),)),
            Misconception("only_others", (lambda users, times, user, time: (users != user) & (times < time),)),
            Misconception("after", (lambda users, times, user, time: times >= time, lambda u, times, v, time: times > time)),
        ),
    ),
    Exercise(
        "05.5",
        read=ids,
        reference=BUGS,
        misconceptions=(
            Misconception(
                "not_words",
                (["seen", "ideal", "leak"], ["A", "B", "C", "D"]),
                shows=lambda seen: len(seen) != len(BUGS) or set(seen) != set(BUGS),
            ),
            Misconception(
                "a",
                (["leak", "ideal", "seen", "ties"], ["ideal", "seen", "leak", "ties"]),
                shows=lambda seen: seen[0] != BUGS[0],
            ),
            Misconception(
                "b",
                (["seen", "leak", "ideal", "ties"], ["seen", "ties", "leak", "ideal"]),
                shows=lambda seen: seen[1] != BUGS[1],
            ),
            Misconception("c_and_d", (["seen", "ideal", "ties", "leak"],)),
        ),
    ),
    Exercise(
        "05.6",
        read=WINNERS,
        reference=winner,
        misconceptions=(
            Misconception("mean", (lambda a, b: "a" if a.mean() > b.mean() else "b",)),
            Misconception("overlap", (overlapping,)),
            Misconception("by_people", (by_people,)),
            Misconception("swapped", (lambda a, b: winner(b, a),)),
            Misconception("never", (lambda a, b: "neither",)),
            Misconception("spread", (lambda a, b: "a" if (a - b).mean() > (a - b).std() else "neither",)),
        ),
    ),
)

RECAP = (
    Question("05.r1", options="abc", right="b"),
    Question("05.r2", options="abc", right="c"),
    Question("05.r3", options="abc", right="a"),
)
QUIZ = (
    Question("05.q1", options="abc", right="c"),
    Question("05.q2", options="abc", right="a"),
    Question("05.q3", options="abc", right="b"),
    Question("05.q4", options="abc", right="b"),
    Question("05.q5", options="abc", right="a"),
)
