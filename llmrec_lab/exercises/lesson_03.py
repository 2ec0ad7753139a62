"""The exercises, the recap and the quiz of lesson 03.

Knows nothing about how answers are read, compared or reported.
"""

from __future__ import annotations

import numpy as np

from llmrec_lab.exercises import Calls, Exercise, Misconception, Question, array, ids, letters, number

X = np.array([[1.0, 0.0], [0.6, 0.8]])  # (2, 2): two concepts of length 1, not at right angles
A, B = np.array([2.0, 1.0]), np.array([1.0, 2.0])  # (2), (2): two mixtures of them
G = X @ X.T


def gram_cosine(a, b, gram) -> float:
    """The cosine of two mixtures of the same concepts.

    Args:
        a, b: (k) weights.
        gram: (k, k) dot products of the concepts.

    Returns:
        A number from -1 to 1.

    Example:
        >>> gram_cosine(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([[1.0, 0.6], [0.6, 1.0]]))
        0.6
    """
    return float(a @ gram @ b / np.sqrt((a @ gram @ a) * (b @ gram @ b)))


def new_weight(match: float, price: float) -> float:
    """The best weight of one concept in non-negative sparse coding, the others held.

    Args:
        match: the concept's dot product with what the others leave over.
        price: of a concept.

    Returns:
        A number of at least 0.

    Example:
        >>> new_weight(0.75, 0.25), new_weight(-0.75, 0.25)
        (0.5, 0.0)
    """
    return max(0.0, match - price)


def freshness(n: int, half_life: float) -> np.ndarray:
    """How much each event of a history counts, the last one 1.

    Args:
        n: how many events.
        half_life: places after which an event counts half.

    Returns:
        (n) numbers, oldest first.

    Example:
        >>> freshness(3, 1)
        array([0.25, 0.5 , 1.  ])
    """
    return 0.5 ** (np.arange(n)[::-1] / half_life)


def keywords(vector, names: list[str], rows, k: int) -> list[str]:
    """The k names whose vectors have the largest cosine with a vector, best first.

    Args:
        vector: (d).
        names: (n) strings.
        rows: (n, d), not of length 1.
        k: how many.

    Returns:
        A list of at most k names.

    Example:
        >>> keywords(np.array([1.0, 0.1]), ["war", "love"], np.array([[0.0, 5.0], [0.1, 0.0]]), 1)
        ['love']
    """
    cosines = rows @ vector / np.linalg.norm(rows, axis=1)
    return [names[i] for i in np.argsort(-cosines, kind="stable")[:k]]


def ndcg(listed: list[str], wanted: list[str]) -> float:
    """The discounted gain of a list, as a share of the best that a list of this length could have.

    Args:
        listed: item ids, best first.
        wanted: at least one item id, in any order.

    Returns:
        A number from 0 to 1.

    Example:
        >>> ndcg(["a", "x"], ["a"]), round(ndcg(["a", "x"], ["a", "b"]), 3)
        (1.0, 0.613)
    """
    gain = sum(1 / np.log2(place + 2) for place, item in enumerate(listed) if item in wanted)
    return float(gain / sum(1 / np.log2(place + 2) for place in range(min(len(listed), len(wanted)))))


def ideal_of_hits(listed, wanted):
    """The planted bug: the ideal list has as many hits as this one."""
    hits = [place for place, item in enumerate(listed) if item in wanted]
    gain = sum(1 / np.log2(place + 2) for place in hits)
    return gain / sum(1 / np.log2(place + 2) for place in range(len(hits))) if hits else 0.0


def no_cap(listed, wanted):
    """A wrong ndcg: the ideal list has room for everything that is wanted."""
    gain = sum(1 / np.log2(place + 2) for place, item in enumerate(listed) if item in wanted)
    return gain / sum(1 / np.log2(place + 2) for place in range(len(wanted)))


def places_of_wanted(listed, wanted):
    """A wrong ndcg: the discount counts places among the wanted items."""
    gain = sum(1 / np.log2(place + 2) for place, item in enumerate(wanted) if item in listed)
    return gain / sum(1 / np.log2(place + 2) for place in range(min(len(listed), len(wanted))))


def only_gain(listed, wanted):
    """A wrong ndcg: nothing is divided."""
    return sum(1 / np.log2(place + 2) for place, item in enumerate(listed) if item in wanted)


def share_found(listed, wanted):
    """A wrong ndcg: recall."""
    return sum(item in wanted for item in listed) / len(wanted)


WEIGHTS = Calls("new_weight", ((0.75, 0.25), (0.1, 0.25), (-0.75, 0.25), (0.5, 0.0)), number)
FRESH = Calls("freshness", ((3, 1), (4, 2), (1, 5), (5, 10)), array)
NAMES = ["war", "love", "ghosts", "trains"]
ROWS = np.array([[0.0, 9.0], [0.1, 0.01], [3.0, 3.0], [-1.0, 0.0]])  # of very different lengths
KEYWORDS = Calls(
    "keywords",
    (
        (np.array([1.0, 0.2]), NAMES, ROWS, 2),
        (np.array([0.1, 1.0]), NAMES, ROWS, 3),
        (np.array([-1.0, 0.1]), NAMES, ROWS, 1),
    ),
    ids,
)
LISTS = Calls(
    "ndcg",
    (
        (["a", "x", "b"], ["a", "b", "c"]),
        (["x", "y", "a"], ["b", "a"]),
        (["a", "b"], ["c", "b", "a"]),
        (["x", "y"], ["a"]),
        (["a", "b", "x"], ["b", "a"]),
    ),
    number,
)


def by_dot(vector, names, rows, k):
    """Wrong keywords: longer rows win."""
    return [names[i] for i in np.argsort(-(rows @ vector), kind="stable")[:k]]


def farthest(vector, names, rows, k):
    """Wrong keywords: the smallest cosine first."""
    return keywords(-vector, names, rows, k)


def nearest_by_distance(vector, names, rows, k):
    """Wrong keywords: the Euclidean distance, which lengths decide too."""
    return [names[i] for i in np.argsort(np.linalg.norm(rows - vector, axis=1), kind="stable")[:k]]


def positions(vector, names, rows, k):
    """Wrong keywords: places and not names."""
    return [names.index(name) for name in keywords(vector, names, rows, k)]


EXERCISES = (
    Exercise(
        "03.1",
        read=number,
        reference=gram_cosine(A, B, G),
        misconceptions=(
            Misconception("article", (gram_cosine(A, B, np.eye(2)),)),
            Misconception("no_lengths", (A @ G @ B,)),
            Misconception("plain_lengths", (A @ G @ B / np.sqrt((A @ A) * (B @ B)),)),
            Misconception("no_root", (A @ G @ B / ((A @ G @ A) * (B @ G @ B)),)),
            Misconception("dot", (A @ B,)),
        ),
        tolerance=1e-4,
    ),
    Exercise(
        "03.2",
        read=WEIGHTS,
        reference=new_weight,
        misconceptions=(
            Misconception("negative", (lambda match, price: match - price,)),
            Misconception("no_price", (lambda match, price: max(0.0, match),)),
            Misconception("hard", (lambda match, price: match if match > price else 0.0,)),
            Misconception("absolute", (lambda match, price: max(0.0, abs(match) - price),)),
            Misconception("added", (lambda match, price: max(0.0, match + price),)),
        ),
    ),
    Exercise(
        "03.3",
        read=FRESH,
        reference=freshness,
        misconceptions=(
            Misconception("reversed", (lambda n, half_life: 0.5 ** (np.arange(n) / half_life),)),
            Misconception("late", (lambda n, half_life: 0.5 ** (np.arange(1, n + 1)[::-1] / half_life),)),
            Misconception("natural", (lambda n, half_life: np.exp(-np.arange(n)[::-1] / half_life),)),
            Misconception("linear", (lambda n, half_life: np.maximum(0, 1 - np.arange(n)[::-1] / (2 * half_life)),)),
            Misconception("normalized", (lambda n, half_life: freshness(n, half_life) / freshness(n, half_life).sum(),)),
        ),
    ),
    Exercise(
        "03.4",
        read=KEYWORDS,
        reference=keywords,
        misconceptions=(
            Misconception("dot", (by_dot,)),
            Misconception("farthest", (farthest,)),
            Misconception("distance", (nearest_by_distance,)),
            Misconception("positions", (positions,)),
        ),
    ),
    Exercise(
        "03.5",
        read=LISTS,
        reference=ndcg,
        misconceptions=(
            Misconception("bug", (ideal_of_hits,)),
            Misconception("no_cap", (no_cap,)),
            Misconception("wanted_places", (places_of_wanted,)),
            Misconception("no_ideal", (only_gain,)),
            Misconception("recall", (share_found,)),
        ),
    ),
    Exercise(
        "03.6",
        read=letters,
        reference="B",
        misconceptions=(
            Misconception("travel", ("A",)),
            Misconception("service", ("C",)),
            Misconception("all", (set("ABC"),)),
            Misconception("none", (set(), "none")),
        ),
    ),
)

RECAP = (
    Question("03.r1", options="abc", right="b"),
    Question("03.r2", options="abc", right="c"),
    Question("03.r3", options="abc", right="a"),
)
QUIZ = (
    Question("03.q1", options="abc", right="c"),
    Question("03.q2", options="abc", right="a"),
    Question("03.q3", options="abc", right="b"),
    Question("03.q4", options="abc", right="b"),
)
