"""The exercises, the recap and the quiz of lesson 06.

Knows nothing about how answers are read, compared or reported.
"""

from __future__ import annotations

import numpy as np

from llmrec_lab.exercises import Calls, Exercise, Misconception, Question, Unreadable, describe, ids, number

LIKED = 4  # stars


def softmax_loss(logits: list[float]) -> float:
    """Minus the logarithm of the first one's share in a softmax.

    Example:
        >>> round(softmax_loss([6, 3, 1]), 3)
        0.055
    """
    return float(np.log(np.exp(logits).sum()) - logits[0])


def examples(rows: list[dict]) -> list[tuple[str, str, int]]:
    """What a cross-encoder reads of each row, and what it is to say: did the user like it?

    Args:
        rows: with `user`, `title`, `ids` (token ids of the title), and `stars`.

    Returns:
        (user, title, label) of each row.

    Example:
        >>> examples([{"user": "Alien", "title": "Heat", "ids": [101, 3684, 102], "stars": 4.5}])
        [('Alien', 'Heat', 1)]
    """
    return [(row["user"], row["title"], int(row["stars"] >= LIKED)) for row in rows]


def groups(shapes: dict[str, tuple[int, ...]]) -> tuple[list[str], list[str]]:
    """The weights that AdamW decays, and those that it does not: biases and norms, which have one axis.

    Args:
        shapes: name to shape.

    Returns:
        Two lists of names; each name is in one of them.

    Example:
        >>> groups({"pooler.weight": (32, 32), "pooler.bias": (32,)})
        (['pooler.weight'], ['pooler.bias'])
    """
    decayed = [name for name, shape in shapes.items() if len(shape) > 1]
    return decayed, [name for name in shapes if name not in decayed]


def accumulated(batches: list[list[float]]) -> float:
    """The mean gradient of all examples, from batches that may differ in size.

    Example:
        >>> accumulated([[1.0, 1.0, 1.0], [5.0]])
        2.0
    """
    return sum(map(sum, batches)) / sum(map(len, batches))


def reported(validation: list[float], test: list[float]) -> float:
    """The test value of the epoch that validation likes best, the earliest of several.

    Example:
        >>> reported([0.1, 0.3, 0.2], [0.2, 0.25, 0.4])
        0.25
    """
    return test[int(np.argmax(validation))]


def best_rate(runs: list[tuple[float, float]]) -> float:
    """The rate with the best mean validation value over its runs, the smaller of equal ones.

    Args:
        runs: (rate, validation value) of each.

    Example:
        >>> best_rate([(0.1, 0.5), (0.2, 0.6), (0.2, 0.3)])
        0.1
    """
    return search(runs, np.mean)


def search(runs, summary, best=max) -> float:
    """The rate whose validation values have the best summary; the smaller of equal ones."""
    values = {rate: summary([value for tried, value in runs if tried == rate]) for rate in sorted(rates(runs))}
    return best(values, key=values.get)


def rates(runs) -> set[float]:
    """All rates that were tried."""
    return {rate for rate, _ in runs}


# Reading answers


def triples(answer) -> list:
    """Reads a list of (user, title, label): texts, and a label that is a number; a token id is one, too."""
    if not isinstance(answer, (list, tuple)) or not all(isinstance(row, (list, tuple)) and len(row) == 3 for row in answer):
        raise Unreadable("check.other", came=describe(answer))
    return [[*ids(row[:2]), label_of(row[2])] for row in answer]


def label_of(value) -> float:
    """A number; True and False are 1 and 0."""
    return float(value) if isinstance(value, (bool, np.bool_)) else number(value)


def two_lists(answer) -> list:
    """Reads two lists of names, whose order does not matter."""
    if not isinstance(answer, (list, tuple)) or len(answer) != 2:
        raise Unreadable("check.other", came=describe(answer))
    return [sorted(map(str, ids(part))) for part in answer]


# Wrong answers


def labeled(label):
    """A wrong examples: with another label."""
    return lambda rows: [(row["user"], row["title"], label(row)) for row in rows]


def named(rule, used=lambda name: True):
    """A wrong groups: decay goes by the name."""

    def value(shapes):
        names = [name for name in shapes if used(name)]
        return [name for name in names if not rule(name)], [name for name in names if rule(name)]

    return value


ROWS = [
    {"user": "Alien", "title": "Heat", "ids": [101, 3684, 102], "stars": 4.5},
    {"user": "Alien; Heat", "title": "Titanic", "ids": [101, 19467, 102], "stars": 2.0},
    {"user": "Titanic", "title": "Amélie", "ids": [101, 25933, 102], "stars": 4.0},
    {"user": "Amélie", "title": "Seven", "ids": [101, 2698, 102], "stars": 3.5},
]
HEAD = {"pooler.dense.weight": (8, 8), "pooler.dense.bias": (8,), "classifier.weight": (1, 8), "classifier.bias": (1,)}
LAYER = {"layer.0.query.weight": (8, 8), "layer.0.query.bias": (8,), "LayerNorm.weight": (8,), "LayerNorm.bias": (8,)}
EXAMPLES = Calls("examples", ((ROWS,), (ROWS[1:2],)), triples)
GROUPS = Calls("groups", ((LAYER | HEAD,), (HEAD,)), two_lists)
STEPS = Calls(
    "accumulated",
    (([[1.0, 1.0, 1.0], [5.0]],), ([[2.0, 4.0], [6.0, 8.0]],), ([[0.5], [1.0, -1.0], [2.0, 2.0, 3.0]],)),
    number,
)
EPOCHS = Calls(
    "reported",
    (
        ([0.10, 0.30, 0.20, 0.25], [0.20, 0.25, 0.40, 0.10]),
        ([0.5, 0.4, 0.5], [0.3, 0.9, 0.8]),
        ([0.1, 0.2, 0.3, 0.29], [0.4, 0.5, 0.35, 0.6]),
    ),
    number,
)


SEARCHES = Calls(
    "best_rate",
    (
        (
            [(2e-4, 0.040), (2e-5, 0.030), (5e-4, 0.020), (2e-4, 0.042), (2e-5, 0.031), (5e-4, 0.055)]
            + [(2e-4, 0.041), (2e-5, 0.032), (5e-4, 0.044)],
        ),
        ([(5e-5, 0.30), (1e-5, 0.25), (9e-5, 0.10), (5e-5, 0.20), (1e-5, 0.25), (9e-5, 0.30)],),
        ([(8e-5, 0.3), (4e-5, 0.6), (6e-5, 0.1), (4e-5, 0.28), (6e-5, 0.5), (6e-5, 0.3), (8e-5, 0.3)],),
    ),
    number,
)

EXERCISES = (
    Exercise(
        "06.1",
        read=number,
        reference=softmax_loss([6, 3, 1]),
        misconceptions=(
            Misconception("rival", (softmax_loss([6, 5, 3, 1]),)),
            Misconception("plain", (softmax_loss([0.6, 0.3, 0.1]), softmax_loss([0.6, 0.5, 0.3, 0.1]))),
            Misconception("times", (softmax_loss([0.06, 0.03, 0.01]), softmax_loss([0.06, 0.05, 0.03, 0.01]))),
            Misconception("share", (np.exp(-softmax_loss([6, 3, 1])), np.exp(-softmax_loss([6, 5, 3, 1])))),
            Misconception("sign", (-softmax_loss([6, 3, 1]),)),
            Misconception("log10", (softmax_loss([6, 3, 1]) / np.log(10), softmax_loss([6, 3, 1]) / np.log(2))),
        ),
        tolerance=1e-3,
    ),
    Exercise(
        "06.2",
        read=number,
        reference=1.76,
        misconceptions=(
            Misconception("weights", (0.44,)),
            Misconception("no_means", (0.88,)),
            Misconception("one_mean", (1.32,)),
            Misconception("half", (0.22, 0.66, 1.1)),
            Misconception("twice", (3.52,)),
            Misconception("binary", (1.76e9 / 2**30,)),
            Misconception("unit", (1760.0, 1.76e9, 1760000.0)),
        ),
        tolerance=0.005,
    ),
    Exercise(
        "06.3",
        read=EXAMPLES,
        reference=examples,
        misconceptions=(
            Misconception("bug", (labeled(lambda row: row["ids"][1]), labeled(lambda row: row["ids"][0]))),
            Misconception("ones", (labeled(lambda row: 1),)),
            Misconception("stars", (labeled(lambda row: row["stars"]),)),
            Misconception("above", (labeled(lambda row: int(row["stars"] > LIKED)),)),
            Misconception("swapped", (labeled(lambda row: int(row["stars"] < LIKED)),)),
            Misconception("dropped", (lambda rows: [row for row in examples(rows) if row[2]],)),
        ),
    ),
    Exercise(
        "06.4",
        read=GROUPS,
        reference=groups,
        misconceptions=(
            Misconception("bug", (named(lambda name: "bias" in name, lambda name: "pooler" not in name),)),
            Misconception("norms", (named(lambda name: "bias" in name),)),
            Misconception(
                "still_no_pooler",
                (named(lambda name: "bias" in name or "LayerNorm" in name, lambda name: "pooler" not in name),),
            ),
            Misconception("swapped", (lambda shapes: groups(shapes)[::-1],)),
            Misconception("all", (lambda shapes: (list(shapes), []),)),
            Misconception("twice", (lambda shapes: (list(shapes), groups(shapes)[1]),)),
        ),
    ),
    Exercise(
        "06.5",
        read=STEPS,
        reference=accumulated,
        misconceptions=(
            Misconception("bug", (lambda batches: np.mean([np.mean(batch) for batch in batches]),)),
            Misconception("sum", (lambda batches: sum(map(sum, batches)),)),
            Misconception("sum_of_means", (lambda batches: sum(np.mean(batch) for batch in batches),)),
            Misconception("last", (lambda batches: np.mean(batches[-1]),)),
            Misconception("first_size", (lambda batches: sum(map(sum, batches)) / (len(batches) * len(batches[0])),)),
        ),
    ),
    Exercise(
        "06.6",
        read=EPOCHS,
        reference=reported,
        misconceptions=(
            Misconception("bug", (lambda validation, test: max(test),)),
            Misconception("last", (lambda validation, test: test[-1],)),
            Misconception("validation", (lambda validation, test: max(validation),)),
            Misconception("latest", (lambda validation, test: test[len(test) - 1 - int(np.argmax(validation[::-1]))],)),
            Misconception("worst", (lambda validation, test: test[int(np.argmin(validation))],)),
            Misconception("mean", (lambda validation, test: float(np.mean(test)),)),
        ),
    ),
    Exercise(
        "06.7",
        read=SEARCHES,
        reference=best_rate,
        misconceptions=(
            Misconception("lucky", (lambda runs: search(runs, max),)),
            Misconception("sum", (lambda runs: search(runs, sum),)),
            Misconception("safe", (lambda runs: search(runs, min),)),
            Misconception("median", (lambda runs: search(runs, np.median),)),
            Misconception("smallest", (lambda runs: min(rates(runs)),)),
            Misconception("larger", (lambda runs: -search([(-rate, value) for rate, value in runs], np.mean),)),
            Misconception("worst", (lambda runs: search(runs, np.mean, best=min),)),
        ),
    ),
)

RECAP = (
    Question("06.r1", options="abc", right="b"),
    Question("06.r2", options="abc", right="c"),
    Question("06.r3", options="abc", right="a"),
)
QUIZ = (
    Question("06.q1", options="abc", right="b"),
    Question("06.q2", options="abc", right="c"),
    Question("06.q3", options="abc", right="a"),
    Question("06.q4", options="abc", right="c"),
    Question("06.q5", options="abc", right="b"),
)
