"""Words about a list, such as "less horror, more French comedies", and the interests they leave behind.

Knows nothing about items, events, or ranking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from llmrec_lab.errors import DataError
from llmrec_lab.interests import (
    MAX_INTERESTS,
    NEGATION,
    CodingConfig,
    Concepts,
    Interests,
    checked_wish,
    clauses,
    decompose_text,
    neutral_vector,
    sparse_code,
    unit_rows,
)

LESS = re.compile(
    r"\b(?:less|fewer|not (?:so|too|that) (?:much|many)|enough)(?: of)?\b"
    r"|减少|(?<!多)少(?:一?[点些]|(?:来|推荐|看)[点些]?)?",
    re.IGNORECASE,
)
MORE = re.compile(r"\b(?:some )?more(?: of)?\b|更?多(?:一?[点些]|(?:来|推荐|看)[点些]?)?|增加", re.IGNORECASE)
WANT = re.compile(r"\b(?:like|love|want|prefer|enjoy|give|show|add)\b|喜欢|[想要爱]看|想要|给我", re.IGNORECASE)
CODING = CodingConfig()
SOFTER = 0.5  # what "less" takes off beside "no"


@dataclass(frozen=True)
class Critique:
    """What a remark asks for.

    Args:
        more: clauses that name what is wanted.
        less: clauses that name what is not wanted, each with 0.5 for "less" or 1 for "no".
    """

    more: tuple[str, ...]
    less: tuple[tuple[str, float], ...]


def read_critique(words: str) -> Critique:
    """Sort the clauses of a remark into more and less; one without such a word goes with the one before it.

    Args:
        words: English or Chinese.

    Returns:
        A Critique.

    Raises:
        DataError: the remark is empty or too long, or names nothing.

    Example:
        >>> read_critique("less horror and gore, more French comedies")
        Critique(more=('French comedies',), less=(('horror', 0.5), ('gore', 0.5)))
        >>> read_critique("少一点恐怖片，多一些法国喜剧")
        Critique(more=('法国喜剧',), less=(('恐怖片', 0.5),))
    """
    more, less, amount = [], [], 0.0  # amount: how much is taken off, 0 for what is wanted
    for clause in clauses(checked_wish(words)):
        amount = polarity(clause, amount)
        named = NEGATION.sub(" ", LESS.sub(" ", MORE.sub(" ", clause))).strip()
        if any(map(str.isalnum, named)):
            less.append((" ".join(named.split()), amount)) if amount else more.append(" ".join(named.split()))
    if not more and not less:
        raise DataError(f"{words[:60]!r} names nothing; say what you want more or less of, such as 'less horror'")
    return Critique(tuple(more), tuple(less))


def polarity(clause: str, before: float) -> float:
    """How much a clause takes off: 1 for "no", 0.5 for "less", 0 for what is wanted; without a sign, as much as `before`."""
    if LESS.search(clause):
        return SOFTER
    if NEGATION.search(clause):
        return 1.0
    return 0.0 if MORE.search(clause) or WANT.search(clause) else before


def hear(interests: Interests | None, words: str, encoder, concepts: Concepts) -> tuple[Interests, np.ndarray]:
    """The interests after a remark, and the directions of what it turned down without naming a concept.

    What is wanted joins the interests: one that was there counts twice as much, a new one as much as the others on average.
    What is not wanted weighs on interests that mean the same, and becomes a concept to avoid where the words match one well;
    else its direction is handed back.

    Args:
        interests: before the remark; None if nothing was said yet.
        words: the remark.
        encoder: makes vectors of its clauses.
        concepts: the dictionary of the interests.

    Returns:
        Interests, at most 5 of them, and (r, d) unit directions.

    Raises:
        DataError: the remark is empty, too long, or names nothing.
    """
    critique = read_critique(words)
    if interests is None:
        width = len(concepts.names)
        interests = Interests((), np.zeros((0, encoder.dimension)), np.zeros(0), np.zeros((0, width)), np.zeros(width))
    if critique.more:
        interests = joined(interests, decompose_text(", ".join(critique.more), encoder, concepts))
    turned_down = []
    for clause, amount in critique.less:
        vector = unit_rows(encoder.encode([clause])[0] - neutral_vector(clause, encoder))
        code, match = sparse_code(vector, concepts, CODING, clause)
        interests = lightened(interests, vector, amount)
        if match >= CODING.sure:
            interests = replace(interests, avoid=np.minimum(1.0, interests.avoid + amount * (code > 0.5)))
        else:
            turned_down.append(vector)
    return interests, np.array(turned_down).reshape(-1, interests.vectors.shape[1])


def lightened(interests: Interests, vector: np.ndarray, amount: float) -> Interests:
    """Interests that mean the same as a vector count less by an amount from 0 to 1; those that count nothing are dropped."""
    weights = interests.weights * (1 - amount * (interests.vectors @ vector >= CODING.same))
    return kept(replace(interests, weights=weights)) if weights.any() or not len(weights) else interests


def joined(old: Interests, new: Interests) -> Interests:
    """Old and new interests together, at most 5; a new one that means the same as an old one makes it count twice."""
    same = new.vectors @ old.vectors.T >= CODING.same  # (new, old)
    weights = old.weights * (1 + same.any(axis=0))
    fresh = ~same.any(axis=1)
    average = weights.mean() if len(weights) else 1.0
    everything = Interests(
        (*old.labels, *np.array(new.labels, dtype=object)[fresh]),
        np.concatenate([old.vectors, new.vectors[fresh]]),
        np.concatenate([weights, np.full(fresh.sum(), average)]),
        np.concatenate([old.codes, new.codes[fresh]]),
        np.where(new.codes.any(axis=0), 0.0, np.maximum(old.avoid, new.avoid)),
    )
    return kept(everything)


def kept(interests: Interests) -> Interests:
    """The heaviest 5 interests that count at all, of equal ones the newest, in their order; the weights sum to 1."""
    heaviest = len(interests) - 1 - np.argsort(-interests.weights[::-1], kind="stable")[:MAX_INTERESTS]
    best = [i for i in sorted(heaviest) if interests.weights[i] > 0]
    weights = interests.weights[best] / interests.weights[best].sum()
    labels = tuple(interests.labels[i] for i in best)
    return replace(interests, labels=labels, vectors=interests.vectors[best], weights=weights, codes=interests.codes[best])


def weigh(interests: Interests | None, label: str, share: float) -> Interests:
    """Give one interest its share; the others divide the rest as they did before.

    Args:
        interests: at least one.
        label: of the interest.
        share: 0 to 1.

    Returns:
        Interests whose weights sum to 1.

    Raises:
        DataError: no interest has this label, or the only one is to count nothing.

    Example:
        >>> from llmrec_lab.interests import bare_interests
        >>> weigh(bare_interests(["a", "b", "c"], np.eye(3)), "a", 0.5).weights
        array([0.5 , 0.25, 0.25])
    """
    labels = interests.labels if interests is not None else ()
    if label not in labels:
        raise DataError(f"the interest came as {label!r:.60}; use one of {list(labels)!r:.200}")
    chosen = np.array([name == label for name in labels])
    others = np.where(chosen, 0.0, interests.weights)
    if not others.any():
        others = (~chosen).astype(float)
    if not others.any() and not share:
        raise DataError(f"{label!r} is the only interest, so it counts 1; describe other interests to replace it")
    rest = others / others.sum() * (1 - share) if others.any() else others
    return replace(interests, weights=np.where(chosen, share if others.any() else 1.0, rest))
