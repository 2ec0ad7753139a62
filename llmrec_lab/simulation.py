"""People whose tastes drift: what they would click is known, so what a learner loses can be counted.

Knows nothing about real people, and nothing about learners but their three calls (`llmrec_lab.online`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrec_lab.errors import DataError
from llmrec_lab.interests import unit_rows

NEIGHBORS = 10  # items whose mean is a taste


@dataclass(frozen=True)
class World:
    """Items, and how people choose among them: the closer an item is to the taste of the moment, the likelier its click.

    Every round some random items are on offer, a few of them are shown, and each is clicked with the probability
    1 / (1 + exp(-steepness * (cosine - level))).

    Args:
        items: (n, d) rows of length 1.
        horizon: rounds of one person's life.
        changes: rounds at which the taste is replaced by another.
        drift: radians by which the taste turns in every round, towards one taste after the other.
        offered: items on offer in a round.
        shown: how many of them the learner shows.
        steepness: how sharply clicks tell good from bad.
        level: the cosine at which a click is as likely as not.
        skip: the reward of an item that was shown and not clicked, which says less than a click; a click's is 1.

    Raises:
        DataError: the numbers do not go together, or an item is not of length 1.
    """

    items: np.ndarray
    horizon: int = 400
    changes: tuple[int, ...] = ()
    drift: float = 0.0
    offered: int = 50
    shown: int = 3
    steepness: float = 8.0
    level: float = 0.5
    skip: float = -0.25

    def __post_init__(self):
        if self.horizon < 1 or not 1 <= self.shown <= self.offered <= len(self.items):
            counts = f"horizon {self.horizon}, shown {self.shown}, offered {self.offered}, items {len(self.items)}"
            raise DataError(
                f"{counts}: take 1 round or more, show at least 1, offer as many or more, and have as many or more"
            )
        lengths = np.linalg.norm(self.items, axis=1)
        if not np.allclose(lengths, 1, atol=1e-3):
            raise DataError(f"an item has length {lengths[np.abs(lengths - 1).argmax()]:.3g}; pass unit_rows(items)")


@dataclass(frozen=True)
class Life:
    """All that happens to one person, before any learner meets them; the same for every learner.

    Args:
        offers: (t, offered) the item positions on offer in each of t rounds.
        chances: (t, offered) the probability that each would be clicked.
        clicks: (t, offered) whether it would be, if it were shown.
    """

    offers: np.ndarray
    chances: np.ndarray
    clicks: np.ndarray


def live(world: World, seed: int) -> Life:
    """Draw a person's tastes, offers, and clicks.

    Args:
        world: the items and the odds.
        seed: of all draws; the same person for the same seed.

    Returns:
        A Life.

    Example:
        >>> world = World(unit_rows(np.random.default_rng(0).standard_normal((200, 8))), horizon=30)
        >>> life = live(world, seed=1)
        >>> life.offers.shape, bool((live(world, seed=1).clicks == life.clicks).all())
        ((30, 50), True)
    """
    rng = np.random.default_rng(seed)
    tastes = taste_path(world, rng)
    shape = (world.horizon, world.offered)
    offers = np.array([rng.permutation(len(world.items))[: world.offered] for _ in range(world.horizon)]).reshape(shape)
    cosines = np.vecdot(world.items[offers], tastes[:, None])  # (t, offered)
    chances = 1 / (1 + np.exp(-world.steepness * (cosines - world.level)))
    return Life(offers, chances, rng.random(shape) < chances)


def taste_path(world: World, rng: np.random.Generator) -> np.ndarray:
    """(t, d) the taste of each round, rows of length 1."""
    taste, goal = random_taste(world.items, rng), random_taste(world.items, rng)
    path = np.empty((world.horizon, world.items.shape[1]))
    for round_ in range(world.horizon):
        if round_ in world.changes:
            taste, goal = goal, random_taste(world.items, rng)
        path[round_] = taste
        taste = turned(taste, goal, world.drift)
        if world.drift and taste @ goal > 1 - 1e-9:
            goal = random_taste(world.items, rng)
    return path


def random_taste(items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(d) the direction of a random item and its nearest neighbors."""
    cosines = items @ items[rng.integers(len(items))]
    return unit_rows(items[np.argsort(-cosines, kind="stable")[:NEIGHBORS]].mean(axis=0))


def turned(taste: np.ndarray, goal: np.ndarray, angle: float) -> np.ndarray:
    """A direction turned by an angle towards another, not past it.

    Example:
        >>> turned(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.pi / 6).round(3)
        array([0.866, 0.5  ])
    """
    across = goal - (goal @ taste) * taste
    length = np.linalg.norm(across)
    angle = min(angle, np.arctan2(length, goal @ taste))
    return np.cos(angle) * taste + np.sin(angle) * across / max(length, 1e-12)


@dataclass(frozen=True)
class Run:
    """What a learner did in one life.

    Args:
        regret: (t) after each round, the clicks that were to be expected of the best items on offer, minus those to be
            expected of the items that were shown, summed up to then. Chances are compared, not draws: luck is left out.
        clicks: (t) how many of the shown items were clicked.
        shown: (t, shown) item positions.
    """

    regret: np.ndarray
    clicks: np.ndarray
    shown: np.ndarray


def simulate(learner, world: World, seed: int) -> Run:
    """Let a learner show items to a person, round by round, and learn from what is clicked and what is not.

    Args:
        learner: has `start(d)`, `update(state, x, reward)`, and `scores(state, items, rng)`.
        world: the items and the odds.
        seed: of the person, and of the learner's draws.

    Returns:
        A Run.

    Example:
        >>> from llmrec_lab.online import Decay
        >>> world = World(unit_rows(np.random.default_rng(0).standard_normal((200, 8))), horizon=100)
        >>> run = simulate(Decay(), world, seed=1)
        >>> run.shown.shape, bool((np.diff(run.regret) >= 0).all())
        ((100, 3), True)
    """
    life, rng = live(world, seed), np.random.default_rng([seed, 1])
    state, places = learner.start(world.items.shape[1]), np.empty((world.horizon, world.shown), dtype=int)
    for round_, offer in enumerate(life.offers):
        scores = learner.scores(state, world.items[offer], rng)
        places[round_] = np.argsort(-scores, kind="stable")[: world.shown]  # offers are in random order: ties are, too
        for place in places[round_]:
            state = learner.update(state, world.items[offer[place]], 1.0 if life.clicks[round_, place] else world.skip)
    best, chosen = life.chances, np.take_along_axis(life.chances, places, axis=1)
    lost = -np.sort(-best, axis=1)[:, : world.shown] + np.sort(-chosen, axis=1)  # best minus best, second minus second, ...
    clicks = np.take_along_axis(life.clicks, places, axis=1).sum(axis=1)
    return Run(np.cumsum(lost.sum(axis=1)), clicks, np.take_along_axis(life.offers, places, axis=1))


def regrets(learner, world: World, seeds) -> np.ndarray:
    """The regret at the end of the lives of several people.

    Args:
        learner: as in `simulate`.
        world: the items and the odds.
        seeds: one for each of q people.

    Returns:
        (q) expected clicks lost; for two learners and the same seeds, `metrics.paired_interval` compares them.

    Example:
        >>> from llmrec_lab.online import Decay, RunningMean
        >>> world = World(unit_rows(np.random.default_rng(0).standard_normal((200, 8))), horizon=100)
        >>> regrets(Decay(), world, range(3)).shape
        (3,)
    """
    return np.array([simulate(learner, world, seed).regret[-1] for seed in seeds])


@dataclass(frozen=True)
class Frozen:
    """A learner that stops learning after some events: what a profile is that was computed once.

    Args:
        learner: any learner.
        events: how many events it learns from.

    Example:
        >>> from llmrec_lab.online import RunningMean
        >>> learner = Frozen(RunningMean(), events=1)
        >>> state = learner.start(2)
        >>> for x in np.eye(2):
        ...     state = learner.update(state, x, reward=1.0)
        >>> learner.scores(state, np.eye(2))
        array([1., 0.])
    """

    learner: object
    events: int

    @property
    def name(self) -> str:
        return f"{self.learner.name}, frozen"

    def start(self, d: int) -> tuple:
        """No event yet, and the learner's state."""
        return 0, self.learner.start(d)

    def update(self, state: tuple, x: np.ndarray, reward: float) -> tuple:
        """The state after one more event, which is learned from if it is an early one."""
        events, inner = state
        return events + 1, self.learner.update(inner, x, reward) if events < self.events else inner

    def scores(self, state: tuple, items: np.ndarray, rng=None) -> np.ndarray:
        """The scores of the learner."""
        return self.learner.scores(state[1], items, rng)
