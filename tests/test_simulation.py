"""The simulator of drifting tastes: what is known exactly is exact, and adapting pays exactly where tastes drift."""

import math

import numpy as np
import pytest

from llmrec_lab.errors import DataError
from llmrec_lab.interests import unit_rows
from llmrec_lab.metrics import paired_interval
from llmrec_lab.online import Decay, LinUCB, Rocchio, RunningMean, Thompson
from llmrec_lab.simulation import Frozen, World, live, regrets, simulate, taste_path, turned

CHANGES = (100, 200)


@pytest.fixture(scope="module")
def items():
    """300 items in clusters of about ten."""
    rng = np.random.default_rng(0)
    return unit_rows(rng.standard_normal((30, 12))[rng.integers(30, size=300)] + 0.6 * rng.standard_normal((300, 12)))


class Knows:
    """Scores by the true chances of one life, or the worst items by their opposite."""

    def __init__(self, world, seed, sign):
        self.chances, self.sign, self.round = live(world, seed).chances, sign, -1

    def start(self, d):
        return None

    def update(self, state, x, reward):
        return None

    def scores(self, state, items, rng):
        self.round += 1
        return self.sign * self.chances[self.round]


def test_who_knows_the_chances_has_no_regret(items):
    world = World(items, horizon=50, changes=(20,))
    np.testing.assert_array_equal(simulate(Knows(world, 3, 1), world, 3).regret, np.zeros(50))


def test_the_regret_of_the_worst_is_that_of_brute_force(items):
    world = World(items, horizon=30, shown=2)
    expected = sum(sum(sorted(row)[-2:]) - sum(sorted(row)[:2]) for row in live(world, 3).chances)
    assert simulate(Knows(world, 3, -1), world, 3).regret[-1] == pytest.approx(expected)


def test_the_chance_of_a_click_is_the_logistic_of_the_cosine_to_the_taste(items):
    world = World(items, horizon=30, changes=(10,), steepness=5.0, level=0.3)
    life, tastes = live(world, 4), taste_path(world, np.random.default_rng(4))
    for round_ in (0, 10, 29):
        expected = [1 / (1 + math.exp(-5 * (items[item] @ tastes[round_] - 0.3))) for item in life.offers[round_]]
        np.testing.assert_allclose(life.chances[round_], expected)


def test_clicks_come_as_often_as_their_chances_say(items):
    world = World(items, horizon=2000, level=0.2)
    life = live(world, 0)
    likely = life.chances > 0.7
    assert life.clicks[likely].mean() == pytest.approx(life.chances[likely].mean(), abs=0.02)
    assert life.clicks[~likely].mean() == pytest.approx(life.chances[~likely].mean(), abs=0.02)


def test_everybody_meets_the_same_life_for_the_same_seed_and_another_for_another(items):
    world = World(items, horizon=20)
    one, same, other = live(world, 1), live(world, 1), live(world, 2)
    for name in ("offers", "chances", "clicks"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
        assert (getattr(one, name) != getattr(other, name)).any()
    np.testing.assert_array_equal(simulate(Thompson(), world, 1).shown, simulate(Thompson(), world, 1).shown)


def test_a_taste_stays_until_it_changes(items):
    path = taste_path(World(items, horizon=300, changes=CHANGES), np.random.default_rng(0))
    moved = np.flatnonzero(np.abs(np.diff(path, axis=0)).sum(axis=1) > 1e-12) + 1
    assert tuple(moved) == CHANGES


def test_a_drifting_taste_turns_by_its_angle_every_round(items):
    path = taste_path(World(items, horizon=300, drift=0.02), np.random.default_rng(0))
    angles = np.arccos(np.clip(np.vecdot(path[1:], path[:-1]), -1, 1))
    assert np.median(angles) == pytest.approx(0.02, rel=1e-6)
    assert angles.max() < 0.02 + 1e-9
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 1)
    assert path[0] @ path[-1] < 0.9


def test_a_direction_is_not_turned_past_its_goal():
    np.testing.assert_allclose(turned(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3.0), [0, 1], atol=1e-12)
    np.testing.assert_allclose(turned(np.array([1.0, 0.0]), np.array([1.0, 0.0]), 3.0), [1, 0])


def test_what_is_shown_was_on_offer_and_is_learned_from(items):
    world, seen = World(items, horizon=15, shown=4), []

    class Spy(RunningMean):
        def update(self, state, x, reward):
            seen.append((x, reward))
            return super().update(state, x, reward)

    run, life = simulate(Spy(), world, 5), live(world, 5)
    assert [set(shown) <= set(offer) and len(set(shown)) == 4 for shown, offer in zip(run.shown, life.offers)] == [True] * 15
    np.testing.assert_array_equal([x for x, _ in seen], items[run.shown.ravel()])
    rewards = np.array([reward for _, reward in seen]).reshape(15, 4)
    assert set(rewards.ravel()) <= {1.0, world.skip}
    np.testing.assert_array_equal((rewards == 1).sum(axis=1), run.clicks)
    assert run.clicks.sum() > 0


@pytest.fixture(scope="module")
def standing_still(items):
    """The regrets of 20 people, whose tastes change twice, by rivals who do not adapt."""
    world = World(items, horizon=300, changes=CHANGES)
    return world, [regrets(rival, world, range(20)) for rival in (Frozen(RunningMean(), 150), RunningMean())]


ADAPTIVE = (Decay(), Rocchio(30, 1), LinUCB(0.1, half_life=100), Thompson(0.1, half_life=100))


@pytest.mark.parametrize("learner", ADAPTIVE, ids=str)
def test_under_drift_adapting_beats_standing_still_beyond_the_interval(standing_still, learner):
    world, rivals = standing_still
    ours = regrets(learner, world, range(20))
    assert all(paired_interval(rival, ours).low > 0 for rival in rivals)


def test_without_drift_forgetting_costs(items):
    world = World(items, horizon=300)
    forgets, keeps = (regrets(LinUCB(0.1, half_life=h), world, range(20)) for h in (50, math.inf))
    assert paired_interval(forgets, keeps).low > 0


def test_a_frozen_learner_is_its_learner_until_it_stops():
    x, learner = np.eye(3), Frozen(RunningMean(), events=2)
    state, free = learner.start(3), RunningMean().start(3)
    for number, row in enumerate(x):
        state, free = learner.update(state, row, 1.0), RunningMean().update(free, row, 1.0)
        same = np.array_equal(learner.scores(state, x), RunningMean().scores(free, x))
        assert same == (number < 2)
    assert learner.name == "running mean, frozen"


@pytest.mark.parametrize(("shown", "offered"), [(0, 50), (51, 50), (1, 301)])
def test_more_than_there_is_cannot_be_shown(items, shown, offered):
    with pytest.raises(DataError, match="show at least 1"):
        World(items, shown=shown, offered=offered)


def test_a_life_without_rounds_is_refused(items):
    with pytest.raises(DataError, match="take 1 round or more"):
        World(items, horizon=0)


def test_items_that_are_not_of_length_one_are_refused(items):
    with pytest.raises(DataError, match=r"an item has length 2; pass unit_rows"):
        World(2 * items)
