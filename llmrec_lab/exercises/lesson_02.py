"""The exercises, the recap and the quiz of lesson 02.

Knows nothing about how answers are read, compared or reported.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, softmax

from llmrec_lab.exercises import Calls, Exercise, Misconception, Question, array, ids, number
from llmrec_lab.scoring import cosine

SCORES, D = np.array([6.0, 2.0, 0.0]), 4  # (3): dot products of a query with three keys of four numbers
MASK, NOT_ASKED = 4, -100
X_MAX, POWER = 100, 0.75


def weight(x: float) -> float:
    """How much a count weighs in the objective of GloVe.

    Args:
        x: a count, at least 0.

    Returns:
        A number from 0 to 1.

    Example:
        >>> weight(0), weight(200), round(weight(50), 3)
        (0.0, 1.0, 0.595)
    """
    return float(min(x / X_MAX, 1) ** POWER)


def pair_loss(center, neighbor, noise) -> float:
    """The loss of one pair in skip-gram with negative sampling.

    Args:
        center: (d) the vector of the word in the center.
        neighbor: (d) the vector of its true neighbor.
        noise: (k, d) the vectors of words drawn at random.

    Returns:
        A number of at least 0.

    Example:
        >>> round(pair_loss(np.zeros(2), np.ones(2), np.ones((3, 2))), 4)  # four times log 2
        2.7726
    """
    return float(-np.log(expit(neighbor @ center)) - np.log(expit(-(noise @ center))).sum())


def hide(token: int, draw: float, other: int) -> tuple[int, int]:
    """What a model in pre-training reads at one place, and what it is asked there.

    Args:
        token: the id of the true token.
        draw: a number from 0 to 1, drawn at random: 15% are asked about, of these 80% masked, 10% another, 10% as they are.
        other: the id of another token, drawn at random.

    Returns:
        The id to read, and the label: the true id where it is asked about, else -100.

    Example:
        >>> hide(7, 0.01, 9), hide(7, 0.13, 9), hide(7, 0.14, 9), hide(7, 0.5, 9)
        ((4, 7), (9, 7), (7, 7), (7, -100))
    """
    if draw >= 0.15:
        return token, NOT_ASKED
    if draw < 0.15 * 0.8:
        return MASK, token
    return (other if draw < 0.15 * 0.9 else token), token


def without_language(vectors, languages, sample, sample_languages):
    """Vectors minus the mean of their language, as a sample of other texts has it.

    Args:
        vectors: (n, d).
        languages: (n) strings.
        sample: (m, d) vectors of other texts.
        sample_languages: (m) strings; every language of `languages` is among them.

    Returns:
        (n, d).

    Example:
        >>> without_language(np.array([[5.0], [5.0]]), ["en", "zh"], np.array([[1.0], [2.0], [4.0]]), ["en", "zh", "zh"])
        array([[4.],
               [2.]])
    """
    means = {name: sample[np.array(sample_languages) == name].mean(axis=0) for name in set(sample_languages)}
    return vectors - np.array([means[name] for name in languages])


def target_attention(item, history) -> float:
    """How well an item fits a person: its cosine with its own attention over what the person has bought.

    Args:
        item: (d).
        history: (n, d), one row per purchase.

    Returns:
        A number from -1 to 1.

    Example:
        >>> round(target_attention(np.array([3.0, 4.0]), np.array([[1.0, 0.0]])), 6)
        0.6
    """
    return float(cosine(item, softmax(history @ item / np.sqrt(len(item))) @ history))


# Wrong answers


def with_noise(of_noise):
    """A wrong pair_loss: what it makes of the scores of the noise words."""
    return lambda center, neighbor, noise: float(-np.log(expit(neighbor @ center)) - of_noise(noise @ center))


def full_softmax(center, neighbor, noise):
    """A wrong pair_loss: the true neighbor against the noise words, in one softmax."""
    scores = np.concatenate([[neighbor @ center], noise @ center])
    return float(-np.log(softmax(scores)[0]))


def hiding(mask_below, other_below, asked_below=0.15, kept_is_asked=True, rest_is_asked=False):
    """A wrong hide: functions of the draw, or numbers, for the three borders, and who is asked about."""

    def border(value, draw):
        return value(draw) if callable(value) else value

    def hidden(token, draw, other):
        if draw >= asked_below:
            return token, (token if rest_is_asked else NOT_ASKED)
        if draw < border(mask_below, draw):
            return MASK, token
        if draw < border(other_below, draw):
            return other, token
        return token, (token if kept_is_asked else NOT_ASKED)

    return hidden


def own_means(vectors, languages, sample, sample_languages):
    """A wrong without_language: the means of the very texts that are compared."""
    return without_language(vectors, languages, vectors, languages)


def other_languages(vectors, languages, sample, sample_languages):
    """A wrong without_language: the mean of all languages but the text's own."""
    means = {name: sample[np.array(sample_languages) != name].mean(axis=0) for name in set(sample_languages)}
    return vectors - np.array([means[name] for name in languages])


def attending(weights):
    """A wrong target_attention: with other weights for the purchases."""
    return lambda item, history: float(cosine(item, weights(item, history) @ history))


WEIGHTS = Calls("weight", ((0,), (1,), (50,), (100,), (5000,)), number)
LOSSES = Calls(
    "pair_loss",
    (
        (np.array([1.0, 0.0]), np.array([2.0, 1.0]), np.array([[-1.0, 0.0], [0.5, 3.0]])),
        (
            np.array([0.5, -1.0, 2.0]),
            np.array([0.0, 1.0, 1.0]),
            np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [2.0, 0.0, 0.0]]),
        ),
    ),
    number,
)
HIDDEN = Calls(
    "hide",
    tuple((token, draw, 55) for token, draw in ((70, 0.03), (71, 0.1), (72, 0.13), (73, 0.14), (74, 0.5), (75, 0.9))),
    ids,
)
MEANS = Calls(
    "without_language",
    (
        (
            np.array([[5.0, 1.0], [6.0, 0.0], [2.0, 2.0]]),
            ["en", "zh", "en"],
            np.array([[1.0, 0.0], [3.0, 2.0], [4.0, 4.0], [4.0, 0.0], [7.0, 5.0]]),
            ["en", "en", "zh", "zh", "zh"],
        ),
    ),
    array,
)
FITS = Calls(
    "target_attention",
    (
        (np.array([2.0, 0.0, 1.0, 0.0]), np.array([[1.0, 0.0, 0.0, 0.0], [2.0, 3.0, 1.0, 0.0], [0.0, 0.0, 2.0, 0.0]])),
        (np.array([0.0, 1.0]), np.array([[1.0, 1.0], [2.0, -1.0]])),
    ),
    number,
)

EXERCISES = (
    Exercise(
        "02.1",
        read=number,
        reference=softmax(SCORES / np.sqrt(D))[0],
        misconceptions=(
            Misconception("no_root", (softmax(SCORES)[0],)),
            Misconception("by_d", (softmax(SCORES / D)[0],)),
            Misconception("share", (SCORES[0] / SCORES.sum(),)),
            Misconception("hard", (1,)),
            Misconception("equal", (1 / len(SCORES),)),
            Misconception("sigmoid", (expit(SCORES[0] / np.sqrt(D)), expit(SCORES[0]))),
        ),
        tolerance=1e-3,
    ),
    Exercise(
        "02.2",
        read=WEIGHTS,
        reference=weight,
        misconceptions=(
            Misconception("no_cap", (lambda x: (x / X_MAX) ** POWER,)),
            Misconception("no_power", (lambda x: min(x / X_MAX, 1),)),
            Misconception("cut_off", (lambda x: (x / X_MAX) ** POWER if x < X_MAX else 0,)),
            Misconception("max", (lambda x: max(x / X_MAX, 1) ** POWER,)),
            Misconception("count", (lambda x: min(x, X_MAX) ** POWER,)),
        ),
    ),
    Exercise(
        "02.3",
        read=LOSSES,
        reference=pair_loss,
        misconceptions=(
            Misconception("sign", (with_noise(lambda scores: np.log(expit(scores)).sum()),)),
            Misconception("plus", (with_noise(lambda scores: -np.log(expit(-scores)).sum()),)),
            Misconception("mean", (with_noise(lambda scores: np.log(expit(-scores)).mean()),)),
            Misconception("no_minus", (lambda *case: -pair_loss(*case),)),
            Misconception("only_true", (with_noise(lambda scores: 0),)),
            Misconception("one_minus", (with_noise(lambda scores: (1 - expit(scores)).sum()),)),
            Misconception("softmax", (full_softmax,)),
        ),
    ),
    Exercise(
        "02.4",
        read=HIDDEN,
        reference=hide,
        misconceptions=(
            Misconception("bug", (hiding(lambda draw: draw * 0.8, lambda draw: draw * 0.9),)),
            Misconception("all_masked", (hiding(0.8, 0.9), hiding(1, 1))),
            Misconception("asks_all", (hiding(0.8, 0.9, asked_below=1),)),
            Misconception("kept_not_asked", (hiding(0.12, 0.135, kept_is_asked=False),)),
            Misconception("rest_asked", (hiding(0.12, 0.135, rest_is_asked=True),)),
            Misconception("no_other", (hiding(0.12, 0.12),)),
        ),
    ),
    Exercise(
        "02.5",
        read=MEANS,
        reference=without_language,
        misconceptions=(
            Misconception("own_means", (own_means,)),
            Misconception(
                "one_mean",
                (
                    lambda vectors, _, sample, __: vectors - sample.mean(axis=0),
                    lambda vectors, *_: vectors - vectors.mean(axis=0),
                ),
            ),
            Misconception("other_language", (other_languages,)),
            Misconception("unchanged", (lambda vectors, *_: vectors,)),
            Misconception("added", (lambda vectors, *rest: 2 * vectors - without_language(vectors, *rest),)),
        ),
    ),
    Exercise(
        "02.6",
        read=FITS,
        reference=target_attention,
        misconceptions=(
            Misconception("mean", (attending(lambda item, history: np.full(len(history), 1 / len(history))),)),
            Misconception("hard", (attending(lambda item, history: np.eye(len(history))[np.argmax(history @ item)]),)),
            Misconception("nearest", (lambda item, history: float(cosine(item, history).max()),)),
            Misconception("no_root", (attending(lambda item, history: softmax(history @ item)),)),
            Misconception("root_of_n", (attending(lambda item, history: softmax(history @ item / np.sqrt(len(history)))),)),
            Misconception(
                "dot",
                (lambda item, history: float(item @ (softmax(history @ item / np.sqrt(len(item))) @ history)),),
            ),
        ),
    ),
)

RECAP = (
    Question("02.r1", options="abc", right="a"),
    Question("02.r2", options="abc", right="b"),
    Question("02.r3", options="abc", right="c"),
)
QUIZ = (
    Question("02.q1", options="abc", right="b"),
    Question("02.q2", options="abc", right="a"),
    Question("02.q3", options="abc", right="c"),
    Question("02.q4", options="abc", right="b"),
    Question("02.q5", options="abc", right="a"),
)
