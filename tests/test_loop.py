"""A loop that learns from its own slates: every meter by hand, and what the policies do to fame."""

import numpy as np
import pytest

from llmrec_lab.errors import DataError
from llmrec_lab.interests import unit_rows
from llmrec_lab.loop import Crowd, click_rate, most_clicked, run_loop, thompson_rate

POLICIES = (most_clicked, click_rate, thompson_rate)


@pytest.fixture(scope="module")
def crowd():
    """80 people around one taste in three, and 200 items."""
    rng = np.random.default_rng(0)
    centers = unit_rows(rng.standard_normal((3, 6)))
    tastes = unit_rows(centers[rng.choice(3, 80, p=[0.6, 0.3, 0.1])] + 0.3 * rng.standard_normal((80, 6)))
    return Crowd(tastes, unit_rows(rng.standard_normal((200, 6))))


def in_order(clicks, views, rng):
    """Item 0 first, whatever happened."""
    return -np.arange(len(clicks), dtype=float)


def test_the_chance_of_a_click_is_the_logistic_of_the_cosine():
    found = Crowd(np.array([[1.0, 0.0]]), np.array([[0.6, 0.8], [1.0, 0.0]]), steepness=5.0, level=0.4).chances
    np.testing.assert_allclose(found, [[1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-3))]])


def test_the_meters_of_a_fixed_order_are_those_by_hand(crowd):
    meters = run_loop(in_order, crowd, rounds=2, k=4)
    assert meters["click chance"].tolist() == pytest.approx([crowd.chances[:, :4].mean(), crowd.chances[:, 4:8].mean()])
    assert meters["coverage"].tolist() == pytest.approx([4 / 200, 8 / 200])
    assert meters["top share"].tolist() == pytest.approx([0.5, 0.5])  # all saw the same 4 items; 1% of 200 items are 2
    cosines = crowd.items[:4] @ crowd.items[:4].T
    assert meters["diversity"][0] == pytest.approx(1 - (cosines.sum() - 4) / 12)
    viewed = np.arange(200) < 4
    assert meters["fame"][0] == pytest.approx(np.corrcoef(viewed, crowd.chances.mean(axis=0))[0, 1])


def test_counts_given_to_a_policy_are_views_and_clicks_of_the_rounds_before(crowd):
    asked = []

    def spy(clicks, views, rng):
        asked.append((clicks.copy(), views.copy()))
        return in_order(clicks, views, rng)

    run_loop(spy, crowd, rounds=2, k=3)
    assert len(asked) == 160
    assert not asked[79][1].any()
    np.testing.assert_array_equal(asked[80][1], np.where(np.arange(200) < 3, 80, 0))
    clicks = asked[80][0][:3]
    expected, deviation = crowd.chances[:, :3].sum(axis=0), np.sqrt(80) / 2
    assert (np.abs(clicks - expected) < 4 * deviation).all() and clicks.sum() > 0 and not asked[80][0][3:].any()


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_loop(crowd, policy):
    one, same, other = (run_loop(policy, crowd, rounds=3, seed=seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


def test_what_is_viewed_is_what_is_liked_only_where_the_loop_explores(crowd):
    fames = {policy: [run_loop(policy, crowd, 20, seed=seed)["fame"].iloc[-1] for seed in range(5)] for policy in POLICIES}
    assert max(fames[most_clicked]) < min(fames[thompson_rate])


def test_counting_clicks_shows_few_items_to_all(crowd):
    top = [run_loop(policy, crowd, 20)["top share"][1:].mean() for policy in (most_clicked, thompson_rate)]
    assert top[0] > 1.5 * top[1]


def test_a_policy_scores_what_its_name_says():
    rng, clicks, views = np.random.default_rng(0), np.array([3.0, 2.0, 0.0]), np.array([9.0, 2.0, 0.0])
    assert np.argsort(-most_clicked(clicks, views, rng)).tolist() == [0, 1, 2]
    np.testing.assert_allclose(click_rate(clicks, views, rng), [4 / 11, 3 / 4, 1 / 2], atol=1e-3)
    draws = np.mean([thompson_rate(clicks, views, rng) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(draws, [4 / 11, 3 / 4, 1 / 2], atol=0.02)


def test_more_rounds_than_there_are_items_are_refused(crowd):
    with pytest.raises(DataError, match="41 rounds of 5 items need 205"):
        run_loop(in_order, crowd, rounds=41, k=5)


@pytest.mark.parametrize(
    ("tastes", "items"), [(np.eye(3), np.eye(2)), (2 * np.eye(3), np.eye(3)), (np.eye(3), np.zeros((3, 3)))]
)
def test_a_crowd_whose_vectors_do_not_fit_is_refused(tastes, items):
    with pytest.raises(DataError, match="do not fit|not of length 1"):
        Crowd(tastes, items)
