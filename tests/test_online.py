"""Online learners: what one event changes, what it may not change, and what is refused."""

import math

import numpy as np
import pytest

from llmrec_lab.errors import DataError
from llmrec_lab.online import Decay, Rocchio, RunningMean

D = 4
PROFILES = (RunningMean(), Decay(half_life=3), Rocchio(half_life=3, dislikes=0.5))


def events(n: int, d: int = D, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) vectors and (n) rewards of 1 or -1."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.choice([1.0, 1.0, -1.0], n)


def learned(learner, vectors, rewards):
    state = learner.start(vectors.shape[1])
    for x, reward in zip(vectors, rewards):
        state = learner.update(state, x, reward)
    return state


# --- averages of vectors -----------------------------------------------------------------------------------------------


def test_the_running_mean_is_the_mean_of_what_was_liked():
    vectors, rewards = events(50)
    found = RunningMean().query(learned(RunningMean(), vectors, rewards))
    np.testing.assert_allclose(found, vectors[rewards > 0].mean(axis=0), atol=1e-12)


def test_a_decayed_event_counts_half_after_its_half_life():
    vectors, _ = events(20)
    weights = 0.5 ** (np.arange(19, -1, -1) / 3)
    found = Decay(half_life=3).query(learned(Decay(half_life=3), vectors, np.ones(20)))
    np.testing.assert_allclose(found, weights @ vectors / weights.sum(), atol=1e-12)


def test_rocchio_pushes_away_from_what_was_disliked():
    vectors, rewards = events(20)
    weights = 0.5 ** (np.arange(19, -1, -1) / 3) * np.where(rewards > 0, 1, -0.5)
    found = Rocchio(half_life=3, dislikes=0.5).query(learned(Rocchio(half_life=3, dislikes=0.5), vectors, rewards))
    np.testing.assert_allclose(found, weights @ vectors / np.abs(weights).sum(), atol=1e-12)


def test_rocchio_that_ignores_dislikes_is_decay_and_decay_that_never_fades_is_the_mean():
    vectors, rewards = events(20)
    for one, other in (Rocchio(5, dislikes=0), Decay(5)), (Decay(math.inf), RunningMean()):
        np.testing.assert_array_equal(*(x.query(learned(x, vectors, rewards)) for x in (one, other)))


def test_the_size_of_a_reward_weighs_the_event():
    vectors, _ = events(2)
    found = RunningMean().query(learned(RunningMean(), vectors, [3.0, 1.0]))
    np.testing.assert_allclose(found, (3 * vectors[0] + vectors[1]) / 4)


@pytest.mark.parametrize("learner", PROFILES, ids=lambda learner: learner.name)
def test_an_update_leaves_the_state_that_came_as_it_was(learner):
    before = learned(learner, *events(5))
    total, weight = before.total.copy(), before.weight
    learner.update(before, np.ones(D), 1.0)
    np.testing.assert_array_equal(before.total, total)
    assert before.weight == weight


@pytest.mark.parametrize("learner", PROFILES, ids=lambda learner: learner.name)
def test_an_event_that_says_nothing_changes_nothing(learner):
    state = learned(learner, *events(5))
    assert learner.update(state, np.ones(D), 0.0) is state


@pytest.mark.parametrize("learner", PROFILES, ids=lambda learner: learner.name)
def test_before_the_first_event_every_item_scores_zero(learner):
    np.testing.assert_array_equal(learner.scores(learner.start(D), np.ones((3, D))), np.zeros(3))


# --- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("learner", PROFILES, ids=lambda learner: learner.name)
@pytest.mark.parametrize(
    ("x", "reward", "message"),
    [
        (np.ones(1), 1.0, r"shape \(1,\); the state has 4"),
        (np.ones((1, D)), 1.0, "the state has 4"),
        (np.array([1, np.nan, 0, 0]), 1.0, "not finite"),
        (np.ones(D), math.inf, "reward inf"),
    ],
)
def test_a_bad_event_is_refused(learner, x, reward, message):
    with pytest.raises(DataError, match=message):
        learner.update(learner.start(D), x, reward)


@pytest.mark.parametrize("half_life", [0, -1, math.nan])
def test_a_half_life_that_is_not_above_zero_is_refused(half_life):
    with pytest.raises(DataError, match="half_life came as"):
        Decay(half_life)


@pytest.mark.parametrize("dislikes", [-1, math.inf, math.nan])
def test_dislikes_that_would_attract_are_refused(dislikes):
    with pytest.raises(DataError, match="dislikes came as"):
        Rocchio(dislikes=dislikes)
