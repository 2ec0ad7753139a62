"""The exercises and the quiz of lesson 00.

Knows nothing about how answers are read, compared or reported.
"""

from __future__ import annotations

import numpy as np

from llmrec_lab.exercises import Calls, Exercise, Misconception, Question, ids, letters, number

A, B = np.arange(1.0, 6.0), np.arange(6.0, 11.0)  # (5), (5): the two vectors of the article
PARTS = {"text": 0.42, "history": 0.28, "popularity": 0.10}  # one item's score, taken apart


def cosine_of(a, b) -> float:
    """The cosine of the angle between two vectors that are not zero.

    Args:
        a: (d) numbers.
        b: (d) numbers.

    Returns:
        A number from -1 to 1.

    Example:
        >>> round(cosine_of(np.array([3, 4]), np.array([1, 0])), 6)
        0.6
    """
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def top_k(item_ids, scores, k: int) -> list[str]:
    """The ids of the k items with the largest scores, best first; equal scores in order of item id.

    Args:
        item_ids: (n) strings.
        scores: (n) numbers.
        k: how many; all items if there are fewer.

    Returns:
        A list of at most k ids.

    Example:
        >>> top_k(np.array(["9", "10", "8"]), np.array([0.5, 0.5, 0.7]), k=2)
        ['8', '10']
    """
    return [str(item_id) for _, item_id in sorted(zip(-scores, item_ids))[:k]]


def by_key(key):
    """A wrong top_k: the ids sorted by a key of (score, id, place)."""

    def chosen(item_ids, scores, k):
        places = sorted(range(len(item_ids)), key=lambda i: key(scores[i], item_ids[i], i))
        return [item_ids[i] for i in places[:k]]

    return chosen


def id_descending(item_ids, scores, k):
    """A wrong top_k: score and id both turned around."""
    return [item_id for _, item_id in sorted(zip(scores, item_ids), reverse=True)[:k]]


def right_places(item_ids, scores, k):
    """A wrong top_k: the right places, and not the ids at them."""
    return np.lexsort((item_ids, -scores))[:k]


def right_items_unsorted(item_ids, scores, k):
    """A wrong top_k: the right ids, in the order they came in."""
    chosen = set(top_k(item_ids, scores, k))
    return [item_id for item_id in item_ids if item_id in chosen]


def has_right_items(seen: list) -> bool:
    """Whether every list holds the right items, in any order."""
    return [sorted(map(str, one)) for one in seen] == [sorted(one) for one in SLATES(top_k)]


PAIRS = Calls(
    "cosine_of",
    (
        (A, B),
        (np.array([3.0, 4.0]), np.array([1.0, 0.0])),
        (np.array([1.0, 2.0]), np.array([-2.0, -4.0])),
        (np.array([2.0, 0.0, 1.0]), np.array([0.0, 3.0, 0.0])),
    ),
    number,
)
SLATES = Calls(
    "top_k",
    (
        (np.array(["30", "10", "9", "7"]), np.array([0.2, 0.9, 0.5, 0.5]), 3),
        (np.array(["9", "10", "8"]), np.array([0.5, 0.5, 0.1]), 1),
        (np.array(["3", "5", "4"]), np.array([0.5, 0.5, 0.5]), 3),
        (np.array(["5", "4", "6"]), np.array([-0.1, -0.3, -0.2]), 2),
        (np.array(["2", "1"]), np.array([0.3, 0.4]), 5),
    ),
    ids,
)

EXERCISES = (
    Exercise(
        "00.1",
        read=number,
        reference=cosine_of(A, B),
        misconceptions=(
            Misconception("article", (0.99,)),
            Misconception("dot", (A @ B,)),
            Misconception("pearson", (np.corrcoef(A, B)[0, 1],)),
            Misconception("radians", (np.arccos(cosine_of(A, B)),)),
            Misconception("degrees", (np.degrees(np.arccos(cosine_of(A, B))),)),
            Misconception("distance", (1 - cosine_of(A, B),)),
            Misconception("no_root", (A @ B / ((A @ A) * (B @ B)),)),
        ),
        tolerance=1e-3,
    ),
    Exercise(
        "00.2",
        read=PAIRS,
        reference=cosine_of,
        misconceptions=(
            Misconception("dot", (lambda a, b: a @ b,)),
            Misconception("one_length", (lambda a, b: a @ b / np.linalg.norm(a), lambda a, b: a @ b / np.linalg.norm(b))),
            Misconception("distance", (lambda a, b: 1 - cosine_of(a, b),)),
            Misconception("no_root", (lambda a, b: a @ b / ((a @ a) * (b @ b)),)),
            Misconception("abs", (lambda a, b: abs(cosine_of(a, b)),)),
        ),
        tolerance=1e-4,
    ),
    Exercise(
        "00.3",
        read=number,
        reference=PARTS["history"] / sum(PARTS.values()),
        misconceptions=(
            Misconception("raw", (PARTS["history"],)),
            Misconception("percent", (100 * PARTS["history"] / sum(PARTS.values()),)),
            Misconception("of_largest", (PARTS["history"] / max(PARTS.values()),)),
            Misconception("of_others", (PARTS["history"] / (PARTS["text"] + PARTS["popularity"]),)),
            Misconception("equal", (1 / len(PARTS),)),
        ),
        tolerance=1e-3,
    ),
    Exercise(
        "00.4",
        read=SLATES,
        reference=top_k,
        misconceptions=(
            Misconception(
                "ascending",
                (
                    by_key(lambda score, item_id, place: (score, place)),
                    by_key(lambda score, item_id, place: (score, item_id)),
                ),
            ),
            Misconception(
                "by_position",
                (
                    by_key(lambda score, item_id, place: (-score, place)),
                    by_key(lambda score, item_id, place: (-score, -place)),
                ),
            ),
            Misconception("id_descending", (id_descending,)),
            Misconception("by_number", (by_key(lambda score, item_id, place: (-score, int(item_id))),)),
            Misconception("positions", (right_places, lambda item_ids, scores, k: np.argsort(-scores, kind="stable")[:k])),
            Misconception("unsorted", (right_items_unsorted,), shows=has_right_items),
        ),
    ),
    Exercise(
        "00.5",
        read=letters,
        reference="B",
        misconceptions=(
            Misconception("odd_title", ("C",)),
            Misconception("old", ("A",)),
            Misconception("plausible", ("D",)),
            Misconception("trusts_all", (set(), "none")),
            Misconception("doubts_all", (set("ABCD"),)),
        ),
    ),
)

QUIZ = (
    Question("00.q1", options="abcd", right="b"),
    Question("00.q2", options="abc", right="a"),
    Question("00.q3", options="abc", right="a"),
    Question("00.q4", options="abc", right="c"),
    Question("00.q5", options="abc", right="b"),
)
