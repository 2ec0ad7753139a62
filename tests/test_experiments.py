"""Experiments: the numbers are those of statsmodels and of simulation, and a drift alarm comes after the drift."""

import numpy as np
import pytest

from llmrec_lab.errors import DataError
from llmrec_lab.experiments import LEVEL, compare_rates, drift_alarms, false_alarms, sample_size


def test_the_level_is_that_of_a_normal_distribution():
    from scipy.stats import norm

    assert LEVEL == pytest.approx(norm.ppf(0.975), abs=1e-6)


# p values of statsmodels 0.14, proportions_ztest
@pytest.mark.parametrize(
    ("counts", "p_value"), [((100, 1000, 140, 1000), 0.005915851074238003), ((45, 450, 30, 500), 0.02243889003089498)]
)
def test_the_p_value_is_that_of_statsmodels(counts, p_value):
    found = compare_rates(*counts)
    assert found.p_value == pytest.approx(p_value, rel=1e-6)
    assert found.significant


def test_the_interval_covers_the_true_difference_in_95_of_100_experiments():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(2000):
        found = compare_rates(rng.binomial(800, 0.2), 800, rng.binomial(500, 0.26), 500).difference
        covered += found.low < 0.06 < found.high
    assert 0.935 < covered / 2000 < 0.965


def test_the_difference_is_b_minus_a():
    found = compare_rates(10, 100, 30, 100)
    assert (found.difference.mean, found.difference.low > 0) == (pytest.approx(0.2), True)
    assert compare_rates(30, 100, 10, 100).difference.high < 0


@pytest.mark.parametrize("clicks", [0, 100])
def test_groups_in_which_nobody_or_everybody_clicks_do_not_differ(clicks):
    found = compare_rates(clicks, 100, clicks, 100)
    assert (found.p_value, found.significant, found.difference.mean) == (1, False, 0)


@pytest.mark.parametrize("counts", [(1, 0, 1, 1), (2, 1, 1, 1), (-1, 5, 1, 5)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(DataError, match="at most a click for each"):
        compare_rates(*counts)


# Roots of statsmodels 0.14, power_proportions_2indep: 3840.84, 14750.75, 518.04, 10794.93
@pytest.mark.parametrize(
    ("rate", "lift", "power", "views"),
    [(0.1, 0.02, 0.8, 3841), (0.1, 0.01, 0.8, 14751), (0.5, 0.1, 0.9, 519), (0.02, -0.005, 0.8, 10795)],
)
def test_the_sample_size_is_that_of_statsmodels(rate, lift, power, views):
    assert sample_size(rate, lift, power) == views


def test_so_many_views_find_the_lift_as_often_as_promised():
    n, rng = sample_size(0.2, 0.05), np.random.default_rng(0)
    found = [compare_rates(a, n, b, n).significant for a, b in zip(rng.binomial(n, 0.2, 2000), rng.binomial(n, 0.25, 2000))]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("rate", "lift", "power"), [(0, 0.1, 0.8), (0.1, 0, 0.8), (0.95, 0.1, 0.8), (0.1, 0.1, 1)])
def test_a_sample_size_that_does_not_exist_is_refused(rate, lift, power):
    with pytest.raises(DataError, match="pass rates between 0 and 1"):
        sample_size(rate, lift, power)


def test_one_look_is_wrong_once_in_twenty_and_every_further_look_adds():
    shares = [false_alarms(looks) for looks in (1, 2, 5, 20)]
    assert shares[0] == pytest.approx(0.05, abs=0.015)
    assert shares == sorted(shares)
    assert shares[-1] > 0.2


def test_looks_are_those_of_the_two_proportion_test():
    rng = np.random.default_rng(3)
    clicks = rng.binomial([250, 250], 0.1, (2, 300, 2)).cumsum(axis=2)
    wrong = [any(compare_rates(a, v, b, v).significant for a, b, v in zip(*pair, (250, 500))) for pair in zip(*clicks)]
    assert false_alarms(looks=2, views=500, runs=300, seed=3) == pytest.approx(np.mean(wrong))


@pytest.mark.parametrize("looks", [0, 5001])
def test_looks_that_make_no_sense_are_refused(looks):
    with pytest.raises(DataError, match="looks came as"):
        false_alarms(looks)


def test_a_drift_is_found_after_it_happened_and_no_drift_is_found_without_one():
    alarms, none = [], 0
    for seed in range(20):
        luck = np.random.default_rng(seed).random(2000)
        alarms.append(drift_alarms(luck < np.where(np.arange(2000) < 1000, 0.4, 0.1)))
        none += len(drift_alarms(luck < 0.4))
    assert all(found and 1000 < found[0] < 1500 for found in alarms)
    assert none <= 1
