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


def candidate_scores(interests, candidates) -> np.ndarray:
    """How well each candidate fits the one interest that fits the first candidate best.

    Args:
        interests: (k, d) of one person.
        candidates: (n, d); the first one was clicked, the others were drawn at random.

    Returns:
        (n) dot products.

    Example:
        >>> candidate_scores(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.2, 0.9], [0.8, 0.1], [0.5, 0.5]]))
        array([0.9, 0.1, 0.5])
    """
    return candidates @ clicked_interest(interests, candidates)


def clicked_interest(interests, candidates) -> np.ndarray:
    """(d) the interest that fits the first candidate best."""
    return interests[(interests @ candidates[0]).argmax()]


def summed_over_candidates(interests, candidates):
    """The planted bug: the candidates are added up, and the directions are left."""
    return (clicked_interest(interests, candidates) * candidates).sum(axis=0)


def one_total(interests, candidates):
    """A wrong candidate_scores: everything is added up."""
    return [float((clicked_interest(interests, candidates) * candidates).sum())]


def each_its_own(interests, candidates):
    """A wrong candidate_scores: every candidate may choose its interest."""
    return (candidates @ interests.T).max(axis=1)


def mean_interest(interests, candidates):
    """A wrong candidate_scores: the compromise of the interests."""
    return candidates @ interests.mean(axis=0)


def worst_interest(interests, candidates):
    """A wrong candidate_scores: the interest that fits the click worst."""
    return candidates @ interests[(interests @ candidates[0]).argmin()]


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
TWO = np.array([[1.0, 0.0], [0.0, 1.0]])
THREE = np.array([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8], [1.0, 0.0, 0.0]])
CANDIDATES = Calls(
    "candidate_scores",
    (
        (TWO, np.array([[0.2, 0.9], [0.8, 0.1], [0.5, 0.4]])),
        (TWO, np.array([[0.9, 0.2], [0.3, 0.7]])),  # as many candidates as directions: the shape is right by accident
        (THREE, np.array([[0.1, 0.5, 0.9], [0.9, 0.1, 0.0], [0.4, 0.8, 0.1], [0.0, 0.3, 0.2]])),
        (THREE[:1], np.array([[0.3, 0.1, 0.2], [0.5, 0.5, 0.1]])),
    ),
    array,
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
        read=CANDIDATES,
        reference=candidate_scores,
        misconceptions=(
            Misconception("bug", (summed_over_candidates,)),
            Misconception("one_total", (one_total,)),
            Misconception("each_its_own", (each_its_own,)),
            Misconception("mean", (mean_interest, lambda interests, candidates: candidates @ interests.sum(axis=0))),
            Misconception("worst", (worst_interest,)),
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
