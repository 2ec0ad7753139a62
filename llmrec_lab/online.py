"""Learners that change with every event: averages of vectors, logistic regression, LinUCB, and Thompson sampling.

Knows nothing about users, item ids, or files: an event is an item's vector and a reward. A learner is a frozen set of
choices with a name and four calls, so that any of them can be asked, taught, and compared in the same way:

    state = learner.start(d)                   what is known before the first event
    state = learner.update(state, x, reward)   after one more event; the work is the same for the first and the millionth
    learner.query(state)                       (d) the user's vector: the larger its product with an item, the better
    learner.scores(state, items, rng)          (n) for items (n, d): what to put first, exploration included

`reward` is above zero for a like, below zero for a dislike; its size says how much. An update is pure: the state that came
stays as it was. LinUCB and Thompson sampling are the exception; `LinearPosterior` says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmrec_lab.errors import DataError

# Averages of vectors


@dataclass(frozen=True)
class Profile:
    """The weighted vectors of all events, summed: all that an average needs to know about the past.

    Args:
        total: (d) the sum of weight times vector.
        weight: the sum of the sizes of the weights.
    """

    total: np.ndarray
    weight: float


@dataclass(frozen=True)
class RunningMean:
    """The mean of everything that was liked; dislikes change nothing.

    Example:
        >>> learner = RunningMean()
        >>> state = learner.start(2)
        >>> for x in ([1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]):
        ...     state = learner.update(state, np.array(x), reward=1.0)
        >>> learner.query(state), learner.scores(state, np.array([[0.0, 2.0]]))
        (array([0.25, 0.75]), array([1.5]))
    """

    name: ClassVar[str] = "running mean"
    half_life: ClassVar[float] = math.inf
    dislikes: ClassVar[float] = 0.0

    def __post_init__(self):
        require_choices(half_life=self.half_life)
        if not 0 <= self.dislikes < math.inf:
            raise DataError(f"dislikes came as {self.dislikes!r}; pass 0, which ignores them, or more")

    def start(self, d: int) -> Profile:
        """The state before the first event.

        Args:
            d: dimensions of the items' vectors.

        Returns:
            A Profile of zeros.
        """
        return Profile(np.zeros(d), 0.0)

    def update(self, state: Profile, x: np.ndarray, reward: float) -> Profile:
        """The state after one more event.

        Args:
            state: from `start` or `update`; it stays as it is.
            x: (d) the item's vector.
            reward: above zero for a like, below zero for a dislike; its size weighs the event.

        Returns:
            A new Profile; the same one where the event says nothing.

        Raises:
            DataError: the vector has other dimensions than the state, or a number is not finite.
        """
        require_event(x, reward, len(state.total))
        gain = reward if reward > 0 else reward * self.dislikes
        if not gain:
            return state
        fade = 0.5 ** (1 / self.half_life)
        return Profile(state.total * fade + x * gain, state.weight * fade + abs(gain))

    def query(self, state: Profile) -> np.ndarray:
        """(d) the user's vector: the weighted mean of the items' vectors; zeros before the first event."""
        return state.total / (state.weight or 1.0)

    def scores(self, state: Profile, items: np.ndarray, rng=None) -> np.ndarray:
        """(n) products of the user's vector with the items (n, d); nothing is drawn."""
        return items @ self.query(state)


@dataclass(frozen=True)
class Decay(RunningMean):
    """The mean of what was liked, in which an event counts half after `half_life` further ones.

    Args:
        half_life: in events.

    Raises:
        DataError: it is not above zero.

    Example:
        >>> learner = Decay(half_life=1)
        >>> state = learner.update(learner.start(2), np.array([1.0, 0.0]), reward=1.0)
        >>> learner.query(learner.update(state, np.array([0.0, 1.0]), reward=1.0)).round(3)
        array([0.333, 0.667])
    """

    name: ClassVar[str] = "decay"
    half_life: float = 8.0


@dataclass(frozen=True)
class Rocchio(Decay):
    """The mean of what was liked minus that of what was disliked: towards the one, away from the other; old events fade.

    Args:
        half_life: an event counts half after so many further ones, liked or disliked.
        dislikes: what a dislike counts beside a like, in the other direction.

    Raises:
        DataError: the half-life is not above zero, or `dislikes` is negative.

    Source:
        Rocchio: Relevance feedback in information retrieval, in Salton (ed.), The SMART retrieval system, 1971.

    Example:
        >>> learner = Rocchio(half_life=math.inf, dislikes=0.5)
        >>> state = learner.update(learner.start(2), np.array([1.0, 0.0]), reward=1.0)
        >>> learner.query(learner.update(state, np.array([0.0, 1.0]), reward=-1.0)).round(3)
        array([ 0.667, -0.333])
    """

    name: ClassVar[str] = "Rocchio"
    dislikes: float = 0.5


# Logistic regression


@dataclass(frozen=True)
class LinearModel:
    """A weight for each dimension and one for all items.

    Args:
        weights: (d).
        bias: what every item scores beside its weights.
    """

    weights: np.ndarray
    bias: float


@dataclass(frozen=True)
class Logistic:
    """Logistic regression of like against dislike by stochastic gradient descent: one step along each event's gradient.

    Args:
        learning_rate: how far a step goes.

    Raises:
        DataError: it is not above zero.

    Example:
        >>> learner = Logistic(learning_rate=1.0)
        >>> state = learner.update(learner.start(2), np.array([1.0, 0.0]), reward=1.0)  # it was thought a half: a half off
        >>> state.weights, state.bias
        (array([0.5, 0. ]), 0.5)
    """

    name: ClassVar[str] = "logistic"
    learning_rate: float = 0.1

    def __post_init__(self):
        require_choices(learning_rate=self.learning_rate)

    def start(self, d: int) -> LinearModel:
        """The state before the first event: zeros for d dimensions, which thinks like and dislike equally likely."""
        return LinearModel(np.zeros(d), 0.0)

    def update(self, state: LinearModel, x: np.ndarray, reward: float) -> LinearModel:
        """The state after one more event; see `RunningMean.update`."""
        require_event(x, reward, len(state.weights))
        margin = math.copysign(1.0, reward) * (float(x @ state.weights) + state.bias)  # above zero where it was right
        surprise = 1 / (1 + math.exp(min(margin, 700.0)))  # what it thought of the opposite; exp of more overflows
        step = self.learning_rate * reward * surprise
        return LinearModel(state.weights + x * step, state.bias + step)

    def query(self, state: LinearModel) -> np.ndarray:
        """(d) the weights."""
        return state.weights

    def scores(self, state: LinearModel, items: np.ndarray, rng=None) -> np.ndarray:
        """(n) log odds of a like for items (n, d); nothing is drawn."""
        return items @ state.weights + state.bias


# Bandits


class LinearPosterior:
    """What ridge regression knows of the weights that predict a reward: their mean and their covariance, event by event.

    The covariance is the inverse of ridge * I + sum of x x', kept by the formula of Sherman and Morrison. It is symmetric:
    only the lower triangle is kept, and read. An update changes it in place, because a copy of d * d numbers would take
    longer than the update itself.

    Args:
        d: dimensions.
        ridge: how strongly the weights are drawn to zero, in events: the prior covariance is I / ridge.

    Raises:
        DataError: ridge is not above zero.

    Source:
        Sherman, Morrison: Adjustment of an inverse matrix, Annals of Mathematical Statistics 21(1), 1950.

    Example:
        >>> posterior = LinearPosterior(2, ridge=1.0)
        >>> posterior.update(np.array([1.0, 0.0]), 1.0)
        >>> posterior.mean, posterior.deviations(np.array([[1.0, 0.0], [0.0, 1.0]])).round(3)
        (array([0.5, 0. ]), array([0.707, 1.   ]))
    """

    def __init__(self, d: int, ridge: float = 1.0):
        require_choices(ridge=ridge)
        self.mean, self.ridge, self.factor = np.zeros(d), ridge, None
        self.covariance = np.asfortranarray(np.eye(d) / ridge)  # BLAS changes columns in place

    def update(self, x: np.ndarray, reward: float, fading: float = 0.0) -> None:
        """Learn that an item had a reward: about 2 d * d products, however much was learned before.

        Args:
            x: (d) the item's vector.
            reward: any number.
            fading: the share of what is known that fades towards the prior first, as if the weights had moved at random.

        Raises:
            DataError: the vector has other dimensions, or a number is not finite; nothing was changed.
        """
        from scipy.linalg.blas import dsymv, dsyr

        require_event(x, reward, len(self.mean))
        if fading:
            self.mean *= math.sqrt(1 - fading)
            self.covariance *= 1 - fading
            self.covariance[np.diag_indices_from(self.covariance)] += fading / self.ridge
        shift = dsymv(1.0, self.covariance, x, lower=1)  # (d)
        scale = 1 / (1 + x @ shift)
        self.mean += shift * (scale * (reward - x @ self.mean))
        self.covariance = dsyr(-scale, shift, a=self.covariance, lower=1, overwrite_a=1)
        self.factor = None

    def deviations(self, items: np.ndarray) -> np.ndarray:
        """(n) the standard deviation of the prediction for each of the items (n, d)."""
        from scipy.linalg.blas import dsymm

        turned = dsymm(1.0, self.covariance, items.T, lower=1)  # (d, n)
        return np.sqrt(np.maximum(np.vecdot(items, turned.T), 0))

    def sample(self, scale: float, rng: np.random.Generator) -> np.ndarray:
        """(d) weights drawn around the mean, with `scale` times the standard deviation.

        The covariance is factored at the first draw after an update: d^3 / 3 steps, which is most of the time.
        """
        from scipy.linalg.blas import dtrmv
        from scipy.linalg.lapack import dpotrf

        if self.factor is None:
            self.factor, failed = dpotrf(self.covariance, lower=1)
            if failed:
                raise DataError(f"ridge {self.ridge} is too small for double precision; raise it")
        return self.mean + scale * dtrmv(self.factor, rng.standard_normal(len(self.mean)), lower=1)


@dataclass(frozen=True)
class LinUCB:
    """Puts first what may be best: the predicted reward plus `optimism` standard deviations, which shrink where it looked.

    Args:
        optimism: the paper's alpha; 0 never explores.
        ridge: of the LinearPosterior.
        half_life: half of what is known fades with so many events; infinite where tastes stay.

    Raises:
        DataError: ridge or half-life is not above zero, or optimism is negative.

    Source:
        Li, Chu, Langford, Schapire: A contextual-bandit approach to personalized news article recommendation, WWW 2010.

    Example:
        >>> learner = LinUCB(optimism=1.0)
        >>> state = learner.update(learner.start(2), np.array([1.0, 0.0]), reward=0.2)
        >>> learner.scores(state, np.eye(2)).round(3)  # 0.1 + 0.707, and 0 + 1 for what it knows nothing of
        array([0.807, 1.   ])
    """

    name: ClassVar[str] = "LinUCB"
    optimism: float = 0.5
    ridge: float = 1.0
    half_life: float = math.inf

    def __post_init__(self):
        require_choices(ridge=self.ridge, half_life=self.half_life)
        if not 0 <= self.optimism < math.inf:
            raise DataError(f"optimism came as {self.optimism!r}; pass 0, which never explores, or more")

    def start(self, d: int) -> LinearPosterior:
        """The state before the first event, for d dimensions."""
        return LinearPosterior(d, self.ridge)

    def update(self, state: LinearPosterior, x: np.ndarray, reward: float) -> LinearPosterior:
        """The state itself, changed by one more event, whose reward is what it learns to predict.

        Args:
            state: from `start`; it is changed.
            x: (d) the item's vector.
            reward: any number; 0 is a reward, too.

        Returns:
            The same LinearPosterior.
        """
        state.update(x, reward, fading=1 - 0.5 ** (1 / self.half_life))
        return state

    def query(self, state: LinearPosterior) -> np.ndarray:
        """(d) the mean of the weights."""
        return state.mean

    def scores(self, state: LinearPosterior, items: np.ndarray, rng=None) -> np.ndarray:
        """(n) the upper ends of what items (n, d) may be worth; nothing is drawn."""
        return items @ state.mean + self.optimism * state.deviations(items)


@dataclass(frozen=True)
class Thompson(LinUCB):
    """Draws weights that may be true, and puts first what would then be best.

    Args:
        optimism: times the standard deviation of the draws.
        ridge, half_life: as in LinUCB.

    Source:
        Agrawal, Goyal: Thompson sampling for contextual bandits with linear payoffs, ICML 2013.

    Example:
        >>> learner = Thompson()
        >>> learner.scores(learner.start(2), np.eye(2), np.random.default_rng(0)).round(2)
        array([ 0.06, -0.07])
    """

    name: ClassVar[str] = "Thompson"

    def scores(self, state: LinearPosterior, items: np.ndarray, rng=None) -> np.ndarray:
        """(n) what items (n, d) are worth by weights drawn with rng, a random generator."""
        if rng is None:
            raise DataError("Thompson sampling draws its scores; pass a random generator as rng")
        return items @ state.sample(self.optimism, rng)


# What is refused


def require_event(x: np.ndarray, reward: float, d: int) -> None:
    """Raise DataError unless the event is a finite vector of d dimensions with a finite reward."""
    if np.shape(x) != (d,):
        raise DataError(f"the item's vector has shape {np.shape(x)}; the state has {d} dimensions; use one encoder for both")
    if not math.isfinite(reward) or not math.isfinite(x @ x):
        raise DataError(f"reward {reward!r}, or the item's vector, is not finite; mend the event before it is learned")


def require_choices(**choices: float) -> None:
    """Raise DataError unless every choice is above zero."""
    for name, value in choices.items():
        if not value > 0:
            raise DataError(f"{name} came as {value!r}; pass a number above zero")
