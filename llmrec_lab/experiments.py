"""Is B better than A? Click rates compared, how many people it takes, what peeking does, and when a stream has changed.

Knows nothing about recommenders: only clicks and counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from llmrec_lab.errors import DataError
from llmrec_lab.metrics import Interval

LEVEL = 1.959964  # standard deviations: 95% of a normal distribution lie within


@dataclass(frozen=True)
class Comparison:
    """Two click rates side by side.

    Args:
        difference: the rate of B minus that of A, with its 95% interval.
        p_value: how often two groups of the same rate would differ as much.
    """

    difference: Interval
    p_value: float

    @property
    def significant(self) -> bool:
        """Whether so large a difference would come up by chance less than once in twenty times."""
        return self.p_value < 0.05


def compare_rates(clicks_a: int, views_a: int, clicks_b: int, views_b: int) -> Comparison:
    """Compare the click rates of two groups whose views are independent: the test of two proportions.

    Where one person has many views they are not; then take one number per person, and `metrics.bootstrap_interval`.

    Args:
        clicks_a, views_a: of the group that saw A.
        clicks_b, views_b: of the group that saw B.

    Returns:
        A Comparison. The interval has each group's own variance, the test that of both together, as if there were no
        difference; so close to 5% one may say yes and the other no.

    Raises:
        DataError: there are no views, or more clicks than views.

    Example:
        >>> found = compare_rates(100, 1000, 140, 1000)
        >>> print(found.difference, round(found.p_value, 4))
        0.040 [0.012, 0.068] 0.006
    """
    for clicks, views in ((clicks_a, views_a), (clicks_b, views_b)):
        if not 0 <= clicks <= views or not views:
            raise DataError(f"{clicks} clicks in {views} views came; pass at least one view, and at most a click for each")
    a, b, both = clicks_a / views_a, clicks_b / views_b, (clicks_a + clicks_b) / (views_a + views_b)
    own = math.sqrt(a * (1 - a) / views_a + b * (1 - b) / views_b)
    shared = math.sqrt(both * (1 - both) * (1 / views_a + 1 / views_b))
    p_value = math.erfc(abs(b - a) / shared / math.sqrt(2)) if shared else 1.0
    return Comparison(Interval(b - a, b - a - LEVEL * own, b - a + LEVEL * own), p_value)


def sample_size(rate: float, lift: float, power: float = 0.8) -> int:
    """How many views each group needs to find a lift of the click rate at the 5% level.

    Args:
        rate: of A.
        lift: the rate of B minus that of A that is to be found.
        power: how often it shall be found, if it is there.

    Returns:
        Views per group.

    Raises:
        DataError: a rate is not between 0 and 1, the lift is zero, or the power is not between .05 and 1.

    Source:
        Fleiss, Levin, Paik: Statistical methods for rates and proportions, 3rd edition, 2003, formula 4.14.

    Example:
        >>> sample_size(rate=0.10, lift=0.01), sample_size(rate=0.10, lift=0.02)  # half the lift, four times the people
        (14751, 3841)
    """
    from scipy.special import ndtri

    better = rate + lift
    if not (0 < rate < 1 and 0 < better < 1 and lift and 0.05 < power < 1):
        raise DataError(f"rate {rate}, lift {lift}, power {power}: pass rates between 0 and 1, a lift, a power as 0.8")
    middle = (rate + better) / 2
    by_chance = LEVEL * math.sqrt(2 * middle * (1 - middle))
    missed = ndtri(power) * math.sqrt(rate * (1 - rate) + better * (1 - better))
    return math.ceil(((by_chance + missed) / lift) ** 2)


def false_alarms(looks: int, views: int = 5000, rate: float = 0.1, runs: int = 2000, seed: int = 0) -> float:
    """How often an A/A test, in which both groups see the same, is called a difference at one of several looks.

    Args:
        looks: evenly spaced over the test, the last one at its end.
        views: of each group.
        rate: of clicks in both groups.
        runs: how many tests are simulated.
        seed: of the draws.

    Returns:
        The share of tests in which some look found p < 0.05.

    Raises:
        DataError: there are more looks than views, or none.

    Example:
        >>> once, often = false_alarms(looks=1), false_alarms(looks=20)
        >>> once < 0.07 < 0.2 < often
        True
    """
    if not 1 <= looks <= views:
        raise DataError(f"looks came as {looks} in {views} views; pass at least 1, and no more than views")
    seen = np.arange(1, looks + 1) * views // looks  # (looks)
    steps = np.diff(seen, prepend=0)
    clicks = np.random.default_rng(seed).binomial(steps, rate, (2, runs, looks)).cumsum(axis=2)
    both = clicks.sum(axis=0) / (2 * seen)
    deviation = np.sqrt(np.maximum(both * (1 - both) * 2 / seen, 1e-12))
    return float((np.abs(clicks[1] - clicks[0]) / seen / deviation > LEVEL).any(axis=1).mean())


def drift_alarms(clicks, delta: float = 0.002) -> list[int]:
    """Where a stream of clicks has changed, as ADWIN sees it: it keeps a window that it cuts when its halves differ.

    Args:
        clicks: numbers between 0 and 1, in order of time.
        delta: how sure it has to be; smaller is later, and with fewer false alarms.

    Returns:
        The places in the stream, from 0, at which it gave an alarm.

    Source:
        Bifet, Gavaldà: Learning from time-changing data with adaptive windowing, SDM 2007.

    Example:
        >>> stream = [0, 1, 0, 0] * 100 + [1, 1, 1, 0] * 100
        >>> [400 < place < 500 for place in drift_alarms(stream)][:1]
        [True]
    """
    from river.drift import ADWIN

    detector, alarms = ADWIN(delta=delta), []
    for place, click in enumerate(clicks):
        detector.update(click)
        if detector.drift_detected:
            alarms.append(place)
    return alarms
