"""Word vectors from counts and from prediction: co-occurrence, word2vec, GloVe. Knows nothing about language models.

Everything is numpy, small enough to be read beside the papers, and fast enough for a few hundred thousand words.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit

from llmrec_lab.errors import DataError
from llmrec_lab.interests import unit_rows


@dataclass(frozen=True)
class WordVectors:
    """One vector for each word of a vocabulary.

    Args:
        words: (v) distinct words.
        vectors: (v, d).

    Example:
        >>> vectors = WordVectors(("tea", "coffee", "dog"), np.array([[1.0, 0.1], [0.9, 0.0], [0.0, 1.0]]))
        >>> vectors["coffee"], vectors.neighbors("tea", k=1)
        (array([0.9, 0. ]), [('coffee', 0.995)])
    """

    words: tuple[str, ...]
    vectors: np.ndarray

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each word."""
        return {word: place for place, word in enumerate(self.words)}

    def __contains__(self, word: str) -> bool:
        return word in self.places

    def __getitem__(self, word: str) -> np.ndarray:
        """(d) the vector of a word; DataError for one that is not in the vocabulary."""
        if word not in self.places:
            near = difflib.get_close_matches(str(word), self.words, n=3)
            raise DataError(f"no vector for {word!r}; pass one of {len(self.words)} words, such as {near or self.words[:3]}")
        return self.vectors[self.places[word]]

    def neighbors(self, word: str, k: int = 5) -> list[tuple[str, float]]:
        """The words whose vectors have the largest cosine with the vector of a word.

        Args:
            word: in the vocabulary.
            k: how many; all others if there are fewer.

        Returns:
            Pairs of a word and its cosine, largest first; equal ones in order of the vocabulary.

        Raises:
            DataError: the word is not in the vocabulary.
        """
        cosines = unit_rows(self.vectors) @ unit_rows(self[word])  # (v)
        order = np.argsort(-cosines, kind="stable")
        found = [(self.words[i], round(float(cosines[i]), 3)) for i in order if self.words[i] != word]
        return found[:k]

    def mean(self, words: list[str]) -> np.ndarray:
        """(d) the mean vector of those words that are in the vocabulary; zeros if none is."""
        known = [self.vectors[self.places[word]] for word in words if word in self.places]
        return np.mean(known, axis=0) if known else np.zeros(self.vectors.shape[1])


# Counts


def vocabulary(sentences: list[list[str]], min_count: int = 1) -> tuple[str, ...]:
    """The words that occur often enough, the most frequent first, equally frequent ones in alphabetical order.

    Args:
        sentences: lists of words.
        min_count: what occurs less often is left out: a vector learned from three examples is noise.

    Returns:
        (v) words.

    Raises:
        DataError: a sentence is one string, or no word occurs often enough.

    Example:
        >>> vocabulary([["a", "b"], ["b", "c"], ["c", "b"]], min_count=2)
        ('b', 'c')
    """
    if any(isinstance(sentence, str) for sentence in sentences):
        raise DataError("a sentence came as one string; pass lists of words, such as llmrec_lab.text.segment makes")
    counts = Counter(word for sentence in sentences for word in sentence)
    words = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    if not words:
        raise DataError(f"no word occurs {min_count} times in {len(sentences)} sentences; pass more text or less min_count")
    return tuple(words)


def skip_gram_pairs(sentences: list[list[str]], words: tuple[str, ...], window: int) -> np.ndarray:
    """Each word with each neighbor in its window, to the left and to the right: what skip-gram learns to predict.

    Args:
        sentences: lists of words; a word that is not in the vocabulary is dropped first, so its neighbors move closer.
        words: the vocabulary.
        window: how many words to each side.

    Returns:
        (p, 2) integers, rows of `words`: the word in the center, and its neighbor.

    Raises:
        DataError: the window is no whole number of at least 1.

    Example:
        >>> skip_gram_pairs([["a", "b", "c"]], ("a", "b", "c"), window=1).tolist()
        [[0, 1], [1, 2], [1, 0], [2, 1]]
    """
    if not isinstance(window, (int, np.integer)) or window < 1:
        raise DataError(f"window came as {window!r}; pass a whole number of at least 1")
    places = {word: place for place, word in enumerate(words)}
    rows = [[places[word] for word in sentence if word in places] for sentence in sentences]
    ids = np.array([place for row in rows for place in row], dtype=np.int64)  # (t), all sentences in a row
    owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows])  # (t), so that no pair spans two sentences
    right = []
    for distance in range(1, window + 1):
        same = owner[:-distance] == owner[distance:]
        right.append(np.stack([ids[:-distance][same], ids[distance:][same]], axis=1))
    right = np.concatenate(right)
    return np.concatenate([right, right[:, ::-1]])


def cooccurrence(sentences: list[list[str]], words: tuple[str, ...], window: int) -> np.ndarray:
    """How often each word stands within a window of each other word.

    Args:
        sentences, words, window: as for `skip_gram_pairs`.

    Returns:
        (v, v) symmetric counts.

    Raises:
        DataError: the window is no whole number of at least 1.

    Example:
        >>> cooccurrence([["a", "b", "a"]], ("a", "b"), window=2)
        array([[2., 2.],
               [2., 0.]])
    """
    counts = np.zeros((len(words), len(words)))
    np.add.at(counts, tuple(skip_gram_pairs(sentences, words, window).T), 1)
    return counts


# word2vec

TOO_LONG = 1e3  # trained vectors have entries of a few units; a run that grows past this never comes back


@dataclass(frozen=True)
class Word2VecConfig:
    """The choices of word2vec.

    Args:
        d: numbers per vector.
        window: neighbors to each side.
        negatives: noise words drawn for each pair.
        min_count: rarer words get no vector.
        epochs: passes over the pairs.
        rate: the first learning rate; it falls to 0 in a straight line.
        keep: a word that makes up more than this share of the text is dropped at random, the more the more frequent.
        batch: pairs per step; their gradients are summed, so larger ones need a smaller rate.
    """

    d: int = 50
    window: int = 4
    negatives: int = 5
    min_count: int = 20
    epochs: int = 3
    rate: float = 0.1
    keep: float = 1e-4
    batch: int = 256


def negative_sampling(center: np.ndarray, contexts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The loss of skip-gram with negative sampling, and its gradients.

    The loss of a pair is -log sigmoid(u_o . v_c) - sum over noise words n of log sigmoid(-u_n . v_c).

    Args:
        center: (b, d) vectors v_c of the words in the center.
        contexts: (b, 1 + k, d) vectors u: the true neighbor first, then k noise words.

    Returns:
        The loss (b), its gradient for the centers (b, d), and for the contexts (b, 1 + k, d).

    Source:
        Mikolov et al. 2013, Distributed representations of words and phrases, arXiv 1310.4546, equation 4.

    Example:
        >>> loss, _, _ = negative_sampling(np.array([[1.0, 0.0]]), np.array([[[0.0, 1.0], [0.0, 2.0]]]))
        >>> loss.round(4)  # two scores of 0: twice log 2
        array([1.3863])
    """
    scores = (contexts @ center[:, :, None])[:, :, 0]  # (b, 1 + k)
    true = np.arange(scores.shape[1]) == 0
    loss = np.logaddexp(0, np.where(true, -scores, scores)).sum(axis=1)  # -log sigmoid(x) is log(1 + exp(-x))
    error = expit(scores) - true  # (b, 1 + k), the gradient for the scores
    return loss, (error[:, None, :] @ contexts)[:, 0], error[:, :, None] * center[:, None, :]


def train_word2vec(sentences: list[list[str]], config: Word2VecConfig = Word2VecConfig(), seed: int = 0) -> WordVectors:
    """Word vectors by skip-gram with negative sampling.

    Args:
        sentences: lists of words.
        config: the choices.
        seed: of the first vectors, of what is dropped, and of the noise words.

    Returns:
        The vectors of the words in the center. The same text, choices, and seed give the same vectors.

    Raises:
        DataError: no word occurs often enough, or the steps are too large and the vectors run away.

    Source:
        Mikolov et al. 2013, arXiv 1310.4546.

    Example:
        >>> text = [["sweet", "tea"], ["sweet", "coffee"], ["loud", "dog"], ["loud", "cat"]] * 50
        >>> cosines = dict(train_word2vec(text, Word2VecConfig(d=8, keep=1.0, batch=16, epochs=5)).neighbors("tea"))
        >>> cosines["coffee"] > 0.9 > cosines["dog"]
        True
    """
    words = vocabulary(sentences, config.min_count)
    rng = np.random.default_rng(seed)
    pairs = skip_gram_pairs(thinned(sentences, words, config.keep, rng), words, config.window)  # (p, 2)
    noise = np.bincount(pairs[:, 1], minlength=len(words)) ** 0.75  # the paper's power: rare words a little more often
    centers = rng.uniform(-0.5, 0.5, (len(words), config.d)) / config.d  # (v, d)
    contexts = np.zeros((len(words), config.d))  # (v, d)
    starts = np.arange(0, len(pairs), config.batch)
    rates = iter(np.linspace(config.rate, 0, config.epochs * len(starts), endpoint=False))
    for _ in range(config.epochs):
        rng.shuffle(pairs)
        drawn = rng.choice(len(words), (len(pairs), config.negatives), p=noise / noise.sum())
        targets = np.concatenate([pairs[:, 1:], drawn], axis=1)  # (p, 1 + k)
        for start in starts:
            step = slice(start, start + config.batch)
            update(centers, contexts, pairs[step, 0], targets[step], next(rates))
    return WordVectors(words, centers)


def thinned(sentences: list[list[str]], words: tuple[str, ...], keep: float, rng) -> list[list[str]]:
    """The sentences without some occurrences of the most frequent words, which say little about their neighbors."""
    counts = Counter(word for sentence in sentences for word in sentence)
    total = sum(counts.values())
    chance = {word: np.sqrt(keep * total / counts[word]) for word in words}  # of staying; above 1 all stay
    return [[word for word in sentence if word in chance and rng.random() < chance[word]] for sentence in sentences]


def update(centers: np.ndarray, contexts: np.ndarray, c: np.ndarray, targets: np.ndarray, rate: float) -> None:
    """One step of gradient descent, in place, on (b) centers and (b, 1 + k) targets; DataError if the vectors run away."""
    if np.abs(centers[c]).max() > TOO_LONG:
        raise DataError(f"the vectors run away, in steps of {len(c)} pairs; pass a smaller rate or batch")
    _, for_centers, for_contexts = negative_sampling(centers[c], contexts[targets])
    add_rows(centers, c, -rate * for_centers)
    add_rows(contexts, targets.ravel(), -rate * for_contexts.reshape(-1, centers.shape[1]))


def add_rows(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """Add (n, d) values to (n) rows of a table, in place; a row that comes twice gets both. Faster than np.add.at."""
    touched, which = np.unique(rows, return_inverse=True)
    gather = csr_array((np.ones(len(rows)), (which, np.arange(len(rows)))), shape=(len(touched), len(rows)))
    table[touched] += gather @ values


# GloVe


@dataclass(frozen=True)
class GloVeConfig:
    """The choices of GloVe.

    Args:
        d: numbers per vector.
        x_max: counts from here on weigh 1 in the objective.
        power: smaller counts weigh (x / x_max) to this power.
        steps: at most so many steps of L-BFGS.
    """

    d: int = 50
    x_max: float = 100.0
    power: float = 0.75
    steps: int = 100


def glove_weight(counts: np.ndarray, config: GloVeConfig = GloVeConfig()) -> np.ndarray:
    """How much each count weighs in the objective: 0 for pairs never seen, 1 for frequent ones.

    Example:
        >>> glove_weight(np.array([0, 1, 50, 100, 5000])).round(3)
        array([0.   , 0.032, 0.595, 1.   , 1.   ])
    """
    return np.minimum(np.asarray(counts) / config.x_max, 1) ** config.power


@dataclass(frozen=True)
class GloVe:
    """The four tables that GloVe learns: the model of log X_ij is w_i . c_j + b_i + a_j.

    Args:
        w, c: (v, d) vectors of words and of contexts.
        b, a: (v) biases of words and of contexts.
    """

    w: np.ndarray
    c: np.ndarray
    b: np.ndarray
    a: np.ndarray

    @classmethod
    def from_flat(cls, flat: np.ndarray, v: int) -> GloVe:
        """The tables in one row of numbers, as an optimizer wants them."""
        w, c = flat[: -2 * v].reshape(2, v, -1)
        return cls(w, c, flat[-2 * v : -v], flat[-v:])

    def flat(self) -> np.ndarray:
        """All numbers in one row."""
        return np.concatenate([self.w.ravel(), self.c.ravel(), self.b, self.a])


def glove_objective(model: GloVe, counts: np.ndarray, config: GloVeConfig = GloVeConfig()) -> tuple[float, GloVe]:
    """J, the sum over i, j of f(X_ij) (w_i . c_j + b_i + a_j - log X_ij)^2, and its gradient.

    Args:
        model: the tables.
        counts: (v, v) X; pairs with 0 take no part.
        config: x_max and power are used.

    Returns:
        J, and the derivative of J for each number of each table.

    Source:
        Pennington, Socher, and Manning 2014, GloVe, doi 10.3115/v1/D14-1162, equation 8.

    Example:
        >>> zeros = GloVe(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(2), np.zeros(2))
        >>> J, _ = glove_objective(zeros, np.array([[100.0, 0.0], [1.0, 100.0]]))
        >>> round(J, 3), round(float(2 * np.log(100) ** 2), 3)  # the count of 1 adds 0: its logarithm is 0
        (42.415, 42.415)
    """
    return weighted_squares(model, log_or_zero(counts), glove_weight(counts, config))


def weighted_squares(model: GloVe, log_counts: np.ndarray, weights: np.ndarray) -> tuple[float, GloVe]:
    """J and its gradient, from what does not change during a fit."""
    gap = model.w @ model.c.T + model.b[:, None] + model.a - log_counts  # (v, v)
    pull = weights * gap  # (v, v), half the derivative of J for each product w_i . c_j
    J = np.vdot(pull, gap)
    pull *= 2
    return float(J), GloVe(pull @ model.c, pull.T @ model.w, pull.sum(axis=1), pull.sum(axis=0))


def log_or_zero(counts: np.ndarray) -> np.ndarray:
    """log X_ij where a pair was seen; 0 elsewhere, where nothing is asked."""
    return np.log(np.where(counts > 0, counts, 1))


def fit_glove(counts: np.ndarray, config: GloVeConfig = GloVeConfig(), seed: int = 0) -> tuple[GloVe, list[float]]:
    """The tables that make J small, found with all counts at once.

    The paper uses AdaGrad on single counts, because billions of them do not fit in memory. Thousands of words do, and then
    L-BFGS needs fewer passes and no learning rate.

    Args:
        counts: (v, v) non-negative co-occurrence counts.
        config: the choices.
        seed: of the first tables.

    Returns:
        The tables, and J at the start and after every step.

    Raises:
        DataError: the counts are no square table of finite numbers of at least 0, or all are 0.

    Example:
        >>> model, J = fit_glove(np.array([[4.0, 2.0], [2.0, 8.0]]), GloVeConfig(d=2))
        >>> J[0] > 0.1, J[-1] < 1e-6
        (True, True)
    """
    counts = checked_counts(counts)
    v, log_counts, weights = len(counts), log_or_zero(counts), glove_weight(counts, config)
    first = np.random.default_rng(seed).normal(0, 0.1, 2 * v * config.d + 2 * v)

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        J, gradient = weighted_squares(GloVe.from_flat(flat, v), log_counts, weights)
        return J, gradient.flat()

    def note(intermediate_result) -> None:
        history.append(float(intermediate_result.fun))

    history = [value(first)[0]]
    options = {"maxiter": config.steps, "ftol": 0, "gtol": 1e-12}
    result = minimize(value, first, jac=True, method="L-BFGS-B", options=options, callback=note)
    return GloVe.from_flat(result.x, v), history


def checked_counts(counts) -> np.ndarray:
    """The counts as floats; raises DataError unless they are a square table of finite numbers of at least 0, not all 0."""
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise DataError(f"counts came with shape {counts.shape}; pass a square table, such as cooccurrence makes")
    if not np.isfinite(counts).all() or counts.min(initial=0) < 0 or not counts.any():
        raise DataError("counts have to be finite, at least 0, and not all 0; count words that occur in the text")
    return counts


def train_glove(
    sentences: list[list[str]], window: int = 5, min_count: int = 20, config: GloVeConfig = GloVeConfig(), seed: int = 0
) -> WordVectors:
    """Word vectors by GloVe: count, fit, and add the two tables, as its authors do.

    Args:
        sentences: lists of words.
        window: neighbors to each side.
        min_count: rarer words get no vector.
        config, seed: as for `fit_glove`.

    Returns:
        The vectors w + c. The same text and choices give the same vectors.

    Raises:
        DataError: no word occurs often enough, or the window is no whole number of at least 1.

    Source:
        Pennington, Socher, and Manning 2014, doi 10.3115/v1/D14-1162.

    Example:
        >>> vectors = train_glove([["sweet", "hot", "tea"], ["sweet", "coffee"]] * 20, config=GloVeConfig(d=2))
        >>> vectors.words, vectors.vectors.shape
        (('sweet', 'coffee', 'hot', 'tea'), (4, 2))
    """
    words = vocabulary(sentences, min_count)
    model, _ = fit_glove(cooccurrence(sentences, words, window), config, seed)
    return WordVectors(words, model.w + model.c)
