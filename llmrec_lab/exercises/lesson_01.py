"""The exercises, the recap and the quiz of lesson 01.

Knows nothing about how answers are read, compared or reported.
"""

from __future__ import annotations

import numpy as np

from llmrec_lab.exercises import Calls, Exercise, Misconception, Question, array, ids, number
from llmrec_lab.text import clean

TOKENS = ["[CLS]", "我", "[UNK]", "[UNK]", "看", "[UNK]", "[UNK]", "[UNK]", "[UNK]", "[SEP]"]
PAD, UNK, CLS, SEP, MASK = 0, 100, 101, 102, 103
UNKNOWN = TOKENS.count("[UNK]")
SPECIAL = 2  # [CLS] and [SEP]


def padding_mask(ids: np.ndarray) -> np.ndarray:
    """1 for every real token, 0 for padding.

    Args:
        ids: (b, t) token ids.

    Returns:
        (b, t) of 0 and 1.

    Example:
        >>> padding_mask(np.array([[101, 100, 103, 102, 0]])).tolist()
        [[1, 1, 1, 1, 0]]
    """
    return (ids != PAD).astype(int)


def labels(ids: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """What masked language modeling asks: the original id where a token is hidden, -100 elsewhere.

    Args:
        ids: (t) ids of the original text.
        hidden: (t) booleans, True where the token was replaced by [MASK].

    Returns:
        (t) ids and -100.

    Example:
        >>> labels(np.array([101, 7592, 102]), np.array([False, True, False])).tolist()
        [-100, 7592, -100]
    """
    return np.where(hidden, ids, -100)


def restore(results: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Results in the order in which their texts came.

    Args:
        results: (n) one number per text, sorted by length.
        order: (n) places: `results[i]` belongs to the text at `order[i]`.

    Returns:
        (n) the results in the old order.

    Example:
        >>> restore(np.array([1, 2, 3]), np.array([2, 0, 1])).tolist()
        [2, 3, 1]
    """
    restored = np.empty_like(results)
    restored[order] = results
    return restored


def pooled(vectors: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of the vectors of a text's real tokens.

    Args:
        vectors: (b, t, d).
        mask: (b, t) with 1 for real tokens, 0 for padding.

    Returns:
        (b, d).

    Example:
        >>> pooled(np.array([[[2.0], [4.0], [9.0]]]), np.array([[1, 1, 0]])).tolist()
        [[3.0]]
    """
    return (vectors * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)


def worth_encoding(texts: list[str]) -> list[str]:
    """Clean texts with a letter or a digit, each once whatever its capitals, in the order of their first appearance.

    Args:
        texts: raw strings.

    Returns:
        At most as many strings.

    Example:
        >>> worth_encoding([" Sci-Fi", "???", "sci-fi ", "喜剧"])
        ['Sci-Fi', '喜剧']
    """
    first = {}
    for text in map(clean, texts):
        if readable(text):
            first.setdefault(text.lower(), text)
    return list(first.values())


def readable(text: str) -> bool:
    """Whether a text has a letter or a digit."""
    return any(character.isalnum() for character in text)


def duplicates_first(texts):
    """A wrong worth_encoding: looks for duplicates before cleaning."""
    first = {text.lower(): text for text in reversed(texts)}
    return [clean(text) for text in texts if first[text.lower()] is text and readable(clean(text))]


def words_of_spaces(texts):
    """A wrong worth_encoding: counts words between spaces, and Chinese has none."""
    return [text for text in worth_encoding(texts) if len(text.split()) > 1]


def in_ascii(texts):
    """A wrong worth_encoding: only English letters count as letters."""
    return [text for text in worth_encoding(texts) if any(c.isascii() and c.isalnum() for c in text)]


def keep_capitals_apart(texts):
    """A wrong worth_encoding: capitals make another wish."""
    return list(dict.fromkeys(text for text in map(clean, texts) if readable(text)))


def keep_everything(texts):
    """A wrong worth_encoding: texts without a letter stay."""
    return list({text.lower(): text for text in map(clean, reversed(texts))}.values())[::-1]


def keep_the_last(texts):
    """A wrong worth_encoding: of wishes that differ in capitals, the last one stays."""
    return list({text.lower(): text for text in map(clean, texts) if readable(text)}.values())


def in_any_order(texts):
    """A wrong worth_encoding: the right wishes, sorted."""
    return sorted(worth_encoding(texts))


def has_right_wishes(seen: list) -> bool:
    """Whether every list holds the right wishes, in any order."""
    return [sorted(map(str, one)) for one in seen] == [sorted(one) for one in WISHES(worth_encoding)]


MASKS = Calls(
    "padding_mask",
    (
        (np.array([[CLS, 3152, SEP, PAD], [CLS, 1037, 2143, SEP]]),),
        (np.array([[CLS, 3152, MASK, UNK, SEP, PAD, PAD]]),),
    ),
    array,
)
LABELS = Calls(
    "labels",
    (
        (np.array([CLS, 2048, 5208, 3113, SEP]), np.array([False, False, True, False, False])),
        (np.array([CLS, 1037, 3224, SEP]), np.array([False, True, True, False])),
        (np.array([CLS, 3152, SEP]), np.array([False, False, False])),
    ),
    array,
)
ORDERS = Calls(
    "restore",
    (
        (np.array([5.0, 6.0, 7.0, 8.0]), np.array([2, 3, 1, 0])),
        (np.array([0.1, 0.2, 0.3]), np.array([1, 2, 0])),
    ),
    array,
)
POOLS = Calls(
    "pooled",
    (
        (
            np.array([[[2.0, 0.0], [4.0, 2.0], [9.0, 9.0]], [[1.0, 1.0], [2.0, 3.0], [6.0, -1.0]]]),
            np.array([[1, 1, 0], [1, 1, 1]]),
        ),
        (np.array([[[2.0, 0.0], [4.0, 2.0], [9.0, 9.0], [7.0, -7.0]]]), np.array([[1, 1, 0, 0]])),
    ),
    array,
)
WISHES = Calls(
    "worth_encoding",
    (
        (["warm  comedies", "???", "Warm comedies", "喜剧", " WARM comedies\n", ""],),
        (["2001", "Ame\u0301lie", "Am\u00e9lie", "a film", "\x00", "Ein Film"],),
    ),
    ids,
)

EXERCISES = (
    Exercise(
        "01.1",
        read=number,
        reference=UNKNOWN / (len(TOKENS) - SPECIAL),
        misconceptions=(
            Misconception("special", (UNKNOWN / len(TOKENS),)),
            Misconception("count", (UNKNOWN,)),
            Misconception("known", (1 - UNKNOWN / (len(TOKENS) - SPECIAL),)),
            Misconception("percent", (100 * UNKNOWN / (len(TOKENS) - SPECIAL),)),
            Misconception("ratio", (UNKNOWN / (len(TOKENS) - SPECIAL - UNKNOWN),)),
        ),
        tolerance=1e-3,
    ),
    Exercise(
        "01.2",
        read=MASKS,
        reference=padding_mask,
        misconceptions=(
            Misconception("inverted", (lambda ids: (ids == PAD).astype(int),)),
            Misconception(
                "mask_token",
                (lambda ids: ((ids != PAD) & (ids != MASK)).astype(int), lambda ids: (ids != MASK).astype(int)),
            ),
            Misconception("where_masked", (lambda ids: (ids == MASK).astype(int),)),
            Misconception(
                "special", (lambda ids: (~np.isin(ids, [PAD, CLS, SEP])).astype(int), lambda ids: (ids > MASK).astype(int))
            ),
            Misconception("all", (lambda ids: np.ones_like(ids),)),
            Misconception("ids", (lambda ids: ids,)),
        ),
    ),
    Exercise(
        "01.3",
        read=LABELS,
        reference=labels,
        misconceptions=(
            Misconception("inverted", (lambda ids, hidden: np.where(hidden, -100, ids),)),
            Misconception("input", (lambda ids, hidden: np.where(hidden, MASK, ids),)),
            Misconception("mask_id", (lambda ids, hidden: np.where(hidden, MASK, -100),)),
            Misconception("zeros", (lambda ids, hidden: np.where(hidden, ids, 0),)),
            Misconception("everywhere", (lambda ids, hidden: ids,)),
            Misconception("only_hidden", (lambda ids, hidden: ids[hidden],)),
        ),
    ),
    Exercise(
        "01.4",
        read=ORDERS,
        reference=restore,
        misconceptions=(
            Misconception("again", (lambda results, order: results[order],)),
            Misconception("unchanged", (lambda results, order: results,)),
            Misconception("reversed", (lambda results, order: results[::-1],)),
            Misconception("places", (lambda results, order: np.argsort(order),)),
        ),
    ),
    Exercise(
        "01.5",
        read=POOLS,
        reference=pooled,
        misconceptions=(
            Misconception("bug", (lambda vectors, mask: vectors.mean(axis=1),)),
            Misconception("divides_by_all", (lambda vectors, mask: (vectors * mask[:, :, None]).mean(axis=1),)),
            Misconception("sum", (lambda vectors, mask: (vectors * mask[:, :, None]).sum(axis=1),)),
            Misconception("first", (lambda vectors, mask: vectors[:, 0],)),
            Misconception(
                "axis", (lambda vectors, mask: (vectors * mask[:, :, None]).sum(axis=2) / mask.sum(axis=1, keepdims=True),)
            ),
            Misconception("one_count", (lambda vectors, mask: (vectors * mask[:, :, None]).sum(axis=1) / mask.sum(),)),
        ),
    ),
    Exercise(
        "01.6",
        read=WISHES,
        reference=worth_encoding,
        misconceptions=(
            Misconception("duplicates_first", (duplicates_first,)),
            Misconception("spaces", (words_of_spaces,)),
            Misconception("ascii", (in_ascii,)),
            Misconception("capitals", (keep_capitals_apart,)),
            Misconception("everything", (keep_everything,)),
            Misconception("lower", (lambda texts: [text.lower() for text in worth_encoding(texts)],)),
            Misconception("last", (keep_the_last,)),
            Misconception("order", (in_any_order,), shows=has_right_wishes),
        ),
    ),
)

RECAP = (
    Question("01.r1", options="abc", right="b"),
    Question("01.r2", options="abc", right="c"),
    Question("01.r3", options="abc", right="a"),
)

QUIZ = (
    Question("01.q1", options="abc", right="b"),
    Question("01.q2", options="abcd", right="c"),
    Question("01.q3", options="abc", right="a"),
    Question("01.q4", options="abc", right="b"),
    Question("01.q5", options="abc", right="c"),
    Question("01.q6", options="abc", right="a"),
)
