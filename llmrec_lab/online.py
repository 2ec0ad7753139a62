"""Learners that change with every event: averages of vectors, logistic regression, LinUCB, and Thompson sampling.

Knows nothing about users, item ids, or files: an event is an item's vector and a reward. A learner is a frozen set of
choices with a name and three calls, so that any of them can be asked, taught, and compared in the same way:

    state = learner.start(d)                   what is known before the first event
    state = learner.update(state, x, reward)   after one more event; the work is the same for the first and the millionth
    learner.scores(state, items, rng)          (n) for items (n, d): what to put first

`reward` is above zero for a like, below zero for a dislike; its size says how much. RunningMean, Decay, and Rocchio have
`learner.query(state)` too, the user's vector (d). Their update is pure: the state that came stays as it was.
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
