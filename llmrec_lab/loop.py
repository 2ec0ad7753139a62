"""A recommender that learns from clicks on its own slates: what it shows is what it learns, and what it learns it shows.

Knows nothing about real people. A policy says how good items look from the counts so far: `policy(clicks, views, rng)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from llmrec_lab.errors import DataError
from llmrec_lab.metrics import diversity
from llmrec_lab.ranking import top_k_rows

TOP_SHARE = 0.01  # of the items: the most viewed ones of a round


@dataclass(frozen=True)
class Crowd:
    """People and items whose tastes and vectors never change, so that whatever changes is the loop's own doing.

    Args:
        tastes: (m, d) rows of length 1.
        items: (n, d) rows of length 1.
        steepness, level: an item is clicked with the probability 1 / (1 + exp(-steepness * (cosine - level))).

    Raises:
        DataError: tastes and items have different dimensions, or a row is not of length 1.
    """

    tastes: np.ndarray
    items: np.ndarray
    steepness: float = 6.0
    level: float = 0.5

    def __post_init__(self):
        if self.tastes.shape[1:] != self.items.shape[1:]:
            raise DataError(f"tastes {self.tastes.shape} and items {self.items.shape} do not fit; pass (m, d) and (n, d)")
        for rows in (self.tastes, self.items):
            if not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3):
                raise DataError("a taste or an item is not of length 1; pass unit_rows(...) of both")

    @property
    def chances(self) -> np.ndarray:
        """(m, n) the probability of each person to click each item."""
        return 1 / (1 + np.exp(-self.steepness * (self.tastes @ self.items.T - self.level)))


def most_clicked(clicks: np.ndarray, views: np.ndarray, rng) -> np.ndarray:
    """(n) the clicks so far: who was shown is clicked, who was clicked is shown. Ties are drawn."""
    return clicks + 1e-3 * rng.random(len(clicks))


def click_rate(clicks: np.ndarray, views: np.ndarray, rng) -> np.ndarray:
    """(n) clicks per view, after two views with one click that nobody made: what few have seen counts as promising."""
    return (clicks + 1) / (views + 2) + 1e-3 * rng.random(len(clicks))


def thompson_rate(clicks: np.ndarray, views: np.ndarray, rng) -> np.ndarray:
    """(n) a click rate that may be true, drawn from Beta(clicks + 1, views - clicks + 1)."""
    return rng.beta(clicks + 1, views - clicks + 1)


def run_loop(policy, crowd: Crowd, rounds: int = 30, k: int = 5, seed: int = 0) -> pd.DataFrame:
    """Show every person k items, learn from the clicks, and again; nobody is shown an item twice.

    Args:
        policy: gives (n) scores from the clicks (n), the views (n), and a random generator; asked anew for each person.
        crowd: who clicks what.
        rounds: how often.
        k: items a slate.
        seed: of the clicks, and of the policy's draws.

    Returns:
        One row per round: `click chance`, the mean probability of a click on what was shown (luck is left out); `top share`,
        the share of the views that went to the most viewed 1% of the items; `coverage`, the share of items that anybody
        has been shown so far; `diversity` within slates; `fame`, the correlation over items of views so far with the
        mean chance of a click among all people, which is high where what is viewed is what is liked.

    Raises:
        DataError: there are fewer items than the rounds would show.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> tastes, items = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in rng.standard_normal((2, 60, 4)))
        >>> run_loop(most_clicked, Crowd(tastes, items), rounds=3).columns.tolist()
        ['click chance', 'top share', 'coverage', 'diversity', 'fame']
    """
    chances, rng = crowd.chances, np.random.default_rng(seed)
    (m, n), meters = chances.shape, []
    if rounds * k > n:
        raise DataError(f"{rounds} rounds of {k} items need {rounds * k}, and there are {n}; take fewer rounds")
    seen, clicks, views = np.zeros((m, n), dtype=bool), np.zeros(n), np.zeros(n)
    everybody = np.arange(m)[:, None]
    for _ in range(rounds):
        scores = np.array([policy(clicks, views, rng) for _ in range(m)])
        slates = top_k_rows(np.where(seen, -np.inf, scores), k, np.arange(n))  # (m, k)
        seen[everybody, slates] = True
        chosen = chances[everybody, slates]
        shown = np.bincount(slates.ravel(), minlength=n)
        clicks += np.bincount(slates.ravel(), (rng.random(slates.shape) < chosen).ravel(), minlength=n)
        views += shown
        top = np.sort(shown)[-max(round(TOP_SHARE * n), 1) :].sum() / shown.sum()
        fame = np.corrcoef(views, chances.mean(axis=0))[0, 1]
        meters.append((chosen.mean(), top, (views > 0).mean(), diversity(slates, crowd.items).mean(), fame))
    return pd.DataFrame(meters, columns=["click chance", "top share", "coverage", "diversity", "fame"])
