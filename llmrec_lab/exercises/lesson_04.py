"""The exercises, the recap and the quiz of lesson 04.

Knows nothing about how answers are read, compared or reported.
"""

from __future__ import annotations

import numpy as np

from llmrec_lab.exercises import Calls, Exercise, Misconception, Question, array, ids, number
from llmrec_lab.interests import unit_rows
from llmrec_lab.scoring import contributions, cosine, gram_cosine

A, B, G = np.array([0.5, 0.5]), np.array([0.3, 0.7]), np.array([[1.0, 0.6], [0.6, 1.0]])


def person_cosine(a, b, x) -> float:
    """The cosine of two people who share their interests.

    Args:
        a, b: (k) the weights of each person.
        x: (k, d) one interest in each row.

    Returns:
        A number from -1 to 1.

    Example:
        >>> round(person_cosine(np.array([1, 0]), np.array([0, 1]), np.array([[1, 0], [3, 4]])), 6)
        0.6
    """
    return float(gram_cosine(a, b, x @ x.T))


def similarities(item, items):
    """The cosines of one item with many.

    Args:
        item: (d).
        items: (n, d).

    Returns:
        (n).

    Example:
        >>> similarities(np.array([2.0, 0.0]), np.array([[3.0, 4.0], [1.0, 0.0]]))
        array([0.6, 1. ])
    """
    return cosine(items, item)


def token_parts(tokens, item):
    """What each token contributes to the cosine of a text, the mean of its tokens, with an item.

    Args:
        tokens: (t, d).
        item: (d) of any length.

    Returns:
        (t) numbers that sum to the cosine.

    Example:
        >>> token_parts(np.array([[6.0, 0.0], [0.0, 8.0]]), np.array([2.0, 0.0]))
        array([0.6, 0. ])
    """
    return contributions(tokens, np.full(len(tokens), 1 / len(tokens)), item[None])[0]


def pick(scores, similar, k: int) -> list[int]:
    """Maximal marginal relevance with lambda one half.

    Args:
        scores: (n) numbers.
        similar: (n, n) the cosine of every two items.
        k: how many, at most n.

    Returns:
        A list of k positions, in the order in which they were picked.

    Example:
        >>> pick(np.array([0.9, 0.8, 0.5]), np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), 2)
        [0, 2]
    """
    return picking(lambda scores, repeats: scores - repeats.max(axis=1))(scores, similar, k)


def profile(comments, stars):
    """A person's direction, from what the person wrote and how many stars went with it.

    Args:
        comments: (n, d) rows of length 1.
        stars: (n) from 1 to 5.

    Returns:
        (d) of length 1, or zeros where nothing counts.

    Example:
        >>> profile(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), np.array([5, 1, 3])).round(3)
        array([ 0.707, -0.707])
    """
    return unit_rows((stars - 3) @ comments)


# Wrong answers


def picking(value, forget: bool = True):
    """A pick that takes the largest value of (scores, similarity to what was chosen); it may take an item twice."""

    def picked(scores, similar, k):
        chosen = [int(np.argmax(scores))]
        while len(chosen) < k:
            values = value(scores, similar[:, chosen]).astype(float)
            if forget:
                values[chosen] = -np.inf
            chosen.append(int(np.argmax(values)))
        return chosen

    return picked


def own_products(a, b, x):
    """A wrong person_cosine: the formula of the article, in which every interest meets itself only."""
    return float((a * b) @ (x * x).sum(axis=1) / (np.linalg.norm(a) * np.linalg.norm(b)))


def dot(a, b, x):
    """A wrong person_cosine: the numerator alone."""
    return float(a @ x @ x.T @ b)


def lengths(a, x):
    """The squared length of a person."""
    return dot(a, a, x)


def weighing(weight, length=np.linalg.norm):
    """A wrong profile: with other weights for the stars, or another length; zeros where nothing counts."""
    return lambda comments, stars: weight(stars) @ comments / max(length(weight(stars) @ comments), 1e-12)


PEOPLE = Calls(
    "person_cosine",
    (
        (A, B, np.array([[1.0, 0.0], [0.6, 0.8]])),
        (np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([[2.0, 0.0, 0.0], [1.0, 1.0, 1.0]])),
        (np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.4, 0.0]), np.array([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]])),
    ),
    number,
)
NEIGHBORS = Calls(
    "similarities",
    (
        (np.array([1.0, 2.0]), np.array([[1.0, 2.0], [2.0, 0.0], [-3.0, 1.0]])),
        (np.array([3.0, 0.0, 4.0]), np.array([[0.0, 0.0, 2.0], [1.0, 1.0, 1.0]])),
    ),
    array,
)
TEXTS = Calls(
    "token_parts",
    (
        (np.array([[1.0, 2.0], [3.0, 0.0], [-1.0, 1.0]]), np.array([2.0, 1.0])),
        (np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([0.0, 3.0, 1.0])),
    ),
    array,
)
TWIN_RETURNS = np.array([[1, 0.99, 0.6, 0.5], [0.99, 1, 0.6, 0.5], [0.6, 0.6, 1, 0.4], [0.5, 0.5, 0.4, 1]])
CROWD = np.array(
    [
        [1, 0.9, 0.9, 0.5, 0.6],
        [0.9, 1, 1, 0.6, 0.9],
        [0.9, 1, 1, 0.7, 0.9],
        [0.5, 0.6, 0.7, 1, 0.9],
        [0.6, 0.9, 0.9, 0.9, 1],
    ]
)
TWIN_OF_THE_SECOND = np.array([[1, 0, 0, 0.1], [0, 1, 0.99, 0.1], [0, 0.99, 1, 0.1], [0.1, 0.1, 0.1, 1]])
LISTS = Calls(
    "pick",
    (
        (np.array([0.9, 0.88, 0.7, 0.65]), TWIN_RETURNS, 3),
        (np.array([0.3, 0.5, 0.8, 0.4, 0.6]), CROWD, 4),
        (np.array([0.9, 0.8, 0.79, 0.3]), TWIN_OF_THE_SECOND, 3),
    ),
    ids,
)
PROFILES = Calls(
    "profile",
    (
        (np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), np.array([5, 1, 4])),
        (np.array([[0.0, 1.0], [0.8, 0.6]]), np.array([5, 4])),
        (np.array([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]), np.array([3, 3])),
    ),
    array,
)

EXERCISES = (
    Exercise(
        "04.1",
        read=number,
        reference=gram_cosine(A, B, G),
        misconceptions=(
            Misconception("right_angle", (cosine(A, B),)),
            Misconception("article", (0.6,)),
            Misconception("dot", (A @ G @ B, A @ B)),
            Misconception("plain_lengths", (A @ G @ B / (np.linalg.norm(A) * np.linalg.norm(B)),)),
            Misconception("no_root", (A @ G @ B / ((A @ G @ A) * (B @ G @ B)),)),
            Misconception("distance", (1 - gram_cosine(A, B, G),)),
        ),
        tolerance=1e-3,
    ),
    Exercise(
        "04.2",
        read=PEOPLE,
        reference=person_cosine,
        misconceptions=(
            Misconception("right_angle", (lambda a, b, x: cosine(a, b),)),
            Misconception("own_products", (own_products,)),
            Misconception("dot", (dot,)),
            Misconception("plain_lengths", (lambda a, b, x: dot(a, b, x) / (np.linalg.norm(a) * np.linalg.norm(b)),)),
            Misconception("no_root", (lambda a, b, x: dot(a, b, x) / (lengths(a, x) * lengths(b, x)),)),
            Misconception("unit_interests", (lambda a, b, x: person_cosine(a, b, unit_rows(x)),)),
        ),
    ),
    Exercise(
        "04.3",
        read=NEIGHBORS,
        reference=similarities,
        misconceptions=(
            Misconception("bug", (lambda item, items: items @ item / np.linalg.norm(items, axis=1),)),
            Misconception("other_length", (lambda item, items: items @ item / np.linalg.norm(item),)),
            Misconception("dot", (lambda item, items: items @ item,)),
            Misconception(
                "whole_table", (lambda item, items: items @ item / (np.linalg.norm(items) * np.linalg.norm(item)),)
            ),
            Misconception("no_root", (lambda item, items: items @ item / ((items**2).sum(axis=1) * (item @ item)),)),
            Misconception("distance", (lambda item, items: 1 - cosine(items, item),)),
        ),
    ),
    Exercise(
        "04.4",
        read=TEXTS,
        reference=token_parts,
        misconceptions=(
            Misconception("own_cosines", (lambda tokens, item: cosine(tokens, item),)),
            Misconception("mean_of_cosines", (lambda tokens, item: cosine(tokens, item) / len(tokens),)),
            Misconception("no_count", (lambda tokens, item: token_parts(tokens, item) * len(tokens),)),
            Misconception("text_length", (lambda tokens, item: tokens @ item / (len(tokens) * np.linalg.norm(item)),)),
            Misconception(
                "item_length",
                (lambda tokens, item: tokens @ item / (len(tokens) * np.linalg.norm(tokens.mean(axis=0))),),
            ),
            Misconception("shares", (lambda tokens, item: tokens @ item / (tokens @ item).sum(),)),
        ),
    ),
    Exercise(
        "04.5",
        read=LISTS,
        reference=pick,
        misconceptions=(
            Misconception("bug", (picking(lambda scores, repeats: scores - repeats[:, -1]),)),
            Misconception("first", (picking(lambda scores, repeats: scores - repeats[:, 0]),)),
            Misconception("mean", (picking(lambda scores, repeats: scores - repeats.mean(axis=1)),)),
            Misconception("sum", (picking(lambda scores, repeats: scores - repeats.sum(axis=1)),)),
            Misconception("min", (picking(lambda scores, repeats: scores - repeats.min(axis=1)),)),
            Misconception("sign", (picking(lambda scores, repeats: scores + repeats.max(axis=1)),)),
            Misconception("again", (picking(lambda scores, repeats: scores - repeats.max(axis=1), forget=False),)),
            Misconception("no_penalty", (picking(lambda scores, repeats: scores),)),
        ),
    ),
    Exercise(
        "04.6",
        read=PROFILES,
        reference=profile,
        misconceptions=(
            Misconception("all_pull", (weighing(lambda stars: stars),)),
            Misconception("likes_only", (weighing(lambda stars: np.maximum(stars - 3, 0)),)),
            Misconception("sign_only", (weighing(lambda stars: np.sign(stars - 3)),)),
            Misconception("own_mean", (weighing(lambda stars: stars - stars.mean()),)),
            Misconception(
                "length",
                (
                    weighing(lambda stars: stars - 3, length=lambda total: 1),
                    lambda comments, stars: (stars - 3) @ comments / len(stars),
                ),
            ),
            Misconception("turned", (weighing(lambda stars: 3 - stars),)),
        ),
    ),
)

RECAP = (
    Question("04.r1", options="abc", right="c"),
    Question("04.r2", options="abc", right="b"),
    Question("04.r3", options="abc", right="a"),
)
QUIZ = (
    Question("04.q1", options="abc", right="c"),
    Question("04.q2", options="abc", right="a"),
    Question("04.q3", options="abc", right="b"),
    Question("04.q4", options="abc", right="a"),
    Question("04.q5", options="abc", right="b"),
)
