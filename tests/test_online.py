"""Online learners: what one event changes, what it may not change, and what is refused."""

import math

import numpy as np
import pytest

from llmrec_lab.errors import DataError
from llmrec_lab.online import Decay, LinearPosterior, LinUCB, Logistic, Rocchio, RunningMean, Thompson
from llmrec_lab.operations import count_operations

D = 4
PROFILES = (RunningMean(), Decay(half_life=3), Rocchio(half_life=3, dislikes=0.5))
LEARNERS = (*PROFILES, Logistic(), LinUCB(), LinUCB(half_life=30), Thompson())


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


# --- logistic regression -----------------------------------------------------------------------------------------------


def test_logistic_regression_is_that_of_river():
    from river import linear_model, optim

    vectors, rewards = events(1000)
    theirs = linear_model.LogisticRegression(optimizer=optim.SGD(0.3), intercept_lr=0.3)
    for x, reward in zip(vectors, rewards):
        theirs.learn_one(dict(enumerate(x)), bool(reward > 0))
    ours = learned(Logistic(learning_rate=0.3), vectors, rewards)
    np.testing.assert_allclose(ours.weights, [theirs.weights[i] for i in range(D)], rtol=0, atol=1e-12)
    assert ours.bias == pytest.approx(theirs.intercept, abs=1e-12)


def test_a_logistic_update_leaves_the_state_that_came_as_it_was():
    before = learned(Logistic(), *events(5))
    weights = before.weights.copy()
    Logistic().update(before, np.ones(D), 1.0)
    np.testing.assert_array_equal(before.weights, weights)


def test_the_size_of_a_reward_weighs_the_step():
    one, three = (Logistic().update(Logistic().start(D), np.ones(D), reward).weights for reward in (1.0, 3.0))
    np.testing.assert_allclose(three, 3 * one)


@pytest.mark.parametrize("reward", [1.0, -1.0])
def test_a_logistic_step_far_out_does_not_overflow(reward):
    state = Logistic().update(Logistic().start(D), np.full(D, 1e9), 1.0)
    assert np.isfinite(Logistic().update(state, np.full(D, 1e9), reward).weights).all()


# --- bandits -----------------------------------------------------------------------------------------------------------


def ridge_regression(vectors, rewards, ridge):
    """The mean and the covariance, solved at once from all events."""
    gram = vectors.T @ vectors + ridge * np.eye(vectors.shape[1])
    return np.linalg.solve(gram, vectors.T @ rewards), np.linalg.inv(gram)


def full(posterior) -> np.ndarray:
    """The covariance with both triangles."""
    lower = np.tril(posterior.covariance)
    return lower + np.tril(lower, -1).T


def test_the_posterior_is_that_of_solving_from_all_events():
    vectors, rewards = events(60)
    found = learned(LinUCB(ridge=2.0), vectors, rewards)
    mean, covariance = ridge_regression(vectors, rewards, ridge=2.0)
    np.testing.assert_allclose(found.mean, mean, atol=1e-12)
    np.testing.assert_allclose(full(found), covariance, atol=1e-12)


def test_after_ten_thousand_events_the_inverse_has_not_drifted():
    vectors, rewards = events(10_000, d=32)
    found = learned(LinUCB(), vectors, rewards)
    mean, covariance = ridge_regression(vectors, rewards, ridge=1.0)
    assert np.abs(found.mean - mean).max() < 1e-8 * np.abs(mean).max()
    assert np.abs(full(found) - covariance).max() < 1e-8 * covariance.max()


def test_deviations_are_those_of_the_covariance():
    vectors, rewards = events(20)
    _, covariance = ridge_regression(vectors, rewards, ridge=1.0)
    items = events(7, seed=1)[0]
    expected = [np.sqrt(x @ covariance @ x) for x in items]
    np.testing.assert_allclose(learned(LinUCB(), vectors, rewards).deviations(items), expected)
    learner = LinUCB(optimism=3.0)
    state = learned(learner, vectors, rewards)
    np.testing.assert_allclose(learner.scores(state, items), items @ state.mean + 3 * np.array(expected))


def test_draws_have_the_mean_and_the_covariance_of_the_posterior():
    state = learned(Thompson(), *events(20))
    rng = np.random.default_rng(0)
    draws = np.array([state.sample(2.0, rng) for _ in range(20_000)])
    np.testing.assert_allclose(draws.mean(axis=0), state.mean, atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T) / 4, full(state), atol=0.005)


def test_a_draw_after_an_update_knows_the_update():
    learner = Thompson(optimism=1e-9)
    state = learned(learner, *events(20))
    learner.scores(state, np.eye(D), np.random.default_rng(0))
    state = learner.update(state, np.array([0.0, 0, 0, 5]), 100.0)
    assert state.sample(1.0, np.random.default_rng(0))[3] == pytest.approx(state.mean[3], abs=0.5)
    fresh = learned(learner, *events(20))
    fresh.update(np.array([0.0, 0, 0, 5]), 100.0)
    draws = [s.sample(1.0, np.random.default_rng(0)) for s in (state, fresh)]
    np.testing.assert_array_equal(*draws)


def test_the_covariance_is_factored_only_at_the_first_draw_after_an_update(monkeypatch):
    from scipy.linalg import lapack

    calls, factor = [], lapack.dpotrf
    monkeypatch.setattr(lapack, "dpotrf", lambda *args, **options: calls.append(1) or factor(*args, **options))
    state, rng = learned(Thompson(), *events(20)), np.random.default_rng(0)
    assert len(calls) == 0
    state.sample(1.0, rng), state.sample(1.0, rng)
    assert len(calls) == 1
    state.update(np.ones(D), 1.0)
    state.sample(1.0, rng)
    assert len(calls) == 2


def test_thompson_without_a_generator_is_refused():
    with pytest.raises(DataError, match="pass a random generator"):
        Thompson().scores(Thompson().start(D), np.eye(D))


def test_with_a_half_life_the_posterior_goes_back_to_the_prior():
    learner = LinUCB(ridge=2.0, half_life=5)
    state = learned(learner, *events(50))
    for _ in range(500):
        learner.update(state, np.zeros(D), 0.0)
    np.testing.assert_allclose(full(state), np.eye(D) / 2, atol=1e-9)
    np.testing.assert_allclose(state.mean, 0, atol=1e-9)


def test_half_of_the_variance_that_was_gained_fades_in_a_half_life():
    learner = LinUCB(half_life=10)
    state = learned(learner, *events(50))
    mean, before = state.mean.copy(), full(state)
    for _ in range(10):
        learner.update(state, np.zeros(D), 0.0)
    np.testing.assert_allclose(full(state), (before + np.eye(D)) / 2, atol=1e-12)
    np.testing.assert_allclose(state.mean**2, mean**2 / 2)  # a mean of weights whose variance halves


def test_a_refused_event_leaves_the_posterior_as_it_was():
    learner = LinUCB(half_life=10)
    state = learned(learner, *events(5))
    before = full(state)
    with pytest.raises(DataError):
        learner.update(state, np.full(D, np.nan), 1.0)
    np.testing.assert_array_equal(full(state), before)


def test_a_ridge_that_double_precision_cannot_hold_is_refused_by_name():
    state = learned(Thompson(ridge=1e-30), np.tile(events(1)[0], (20, 1)), np.ones(20))  # differences of 1e30 are noise
    with pytest.raises(DataError, match="ridge 1e-30 is too small"):
        state.sample(1.0, np.random.default_rng(0))


# --- all of them -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("learner", LEARNERS, ids=str)
def test_the_work_of_an_update_does_not_grow_with_history(learner):
    vectors, rewards = events(10_000)
    young, old = learned(learner, vectors[:1], rewards[:1]), learned(learner, vectors, rewards)
    first, last = (count_operations(learner, state, vectors[0], 1.0) for state in (young, old))
    assert first == last > 0


@pytest.mark.parametrize("learner", LEARNERS, ids=str)
def test_every_learner_tells_what_is_liked_from_what_is_not(learner):
    rng = np.random.default_rng(0)
    state = learner.start(3)
    for _ in range(20):
        state = learner.update(state, np.array([1.0, 0.2, 0.0]), 1.0)
        state = learner.update(state, np.array([0.0, 0.2, 1.0]), -1.0)
    liked, _, disliked = np.mean([learner.scores(state, np.eye(3), rng) for _ in range(50)], axis=0)
    assert liked > disliked


# --- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("learner", LEARNERS, ids=str)
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


@pytest.mark.parametrize("choices", [{"ridge": 0}, {"half_life": -1}, {"optimism": -1}, {"optimism": math.nan}])
@pytest.mark.parametrize("bandit", [LinUCB, Thompson])
def test_choices_of_a_bandit_that_make_no_sense_are_refused(bandit, choices):
    with pytest.raises(DataError, match=f"{next(iter(choices))} came as"):
        bandit(**choices)


def test_a_learning_rate_or_a_ridge_of_zero_is_refused():
    with pytest.raises(DataError, match="learning_rate came as 0"):
        Logistic(learning_rate=0)
    with pytest.raises(DataError, match="ridge came as 0"):
        LinearPosterior(2, ridge=0)
