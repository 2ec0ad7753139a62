"""Ranking films by text alone: what an encoder reads of a film, and how well it ranks those that nobody has met.

Knows nothing about encoders or training: a model is anything with `scores(histories)`, such as `RecentText`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from llmrec_lab.catalog import Histories
from llmrec_lab.errors import DataError
from llmrec_lab.metrics import hits_from_ranks, ndcg, target_rank

if TYPE_CHECKING:
    from llmrec_lab.catalog import Catalog

YEAR = re.compile(r"^(.*) \((\d{4})\)$")


def short_texts(catalog: Catalog) -> list[str]:
    """A short text for every film: title, genres, year; 14 tokens on average, where `catalog.texts` have 31.

    Args:
        catalog: of films: titles that end in a year, and a facet `genre`.

    Returns:
        n strings.

    Raises:
        DataError: the catalog has no genres, or a title no year.

    Example:
        >>> from llmrec_lab.datasets.films import load_films
        >>> short_texts(load_films().catalog)[0]
        'Toy Story. adventure animation family comedy fantasy film of 1995'
    """
    genres, parts = catalog.facets.get("genre"), [YEAR.match(title) for title in catalog.titles]
    if genres is None or not all(parts):
        raise DataError("a short text needs the facet genre, and titles such as 'Alien (1979)'; pass a catalog of films")
    return [f"{part[1]}. {' '.join([*named, 'film']).lower()} of {part[2]}" for part, named in zip(parts, genres)]


def new_item_ndcg(model, histories: Histories, hidden: np.ndarray, id_order: np.ndarray) -> np.ndarray:
    """The NDCG@10 of items that nobody had met when the model learned, ranked among themselves.

    Each is asked for at the moment when its user met it, from what the user had met before that was not new.

    Args:
        model: its `scores(histories)` are asked; it must not have learned from hidden items.
        histories: of m users, hidden items included.
        hidden: (h) catalog positions, ascending.
        id_order: (n) the place of each item when the ids are sorted, for ties.

    Returns:
        (m) the mean over the user's new items; NaN for a user without one that can be asked for.
    """
    found = np.full(len(histories), np.nan)
    for row in range(len(histories)):
        items = histories.of(row)
        is_new = np.isin(items, hidden)
        places = [at for at in np.flatnonzero(is_new) if not is_new[:at].all() and items[at] not in items[:at]]
        if not places:
            continue
        scores = model.scores(stretches_before(items, places, ~is_new, histories.n_items))[:, hidden]  # (q, h)
        seen = np.stack([np.isin(hidden, items[:at]) for at in places])  # (q, h)
        ranks = target_rank(scores, np.searchsorted(hidden, items[places]), seen, id_order[hidden])
        found[row] = ndcg(hits_from_ranks(ranks, 10)).mean()
    return found


def stretches_before(items: np.ndarray, places: list[int], kept: np.ndarray, n_items: int) -> Histories:
    """A history for each of some places of one history: the kept items before it."""
    told = [items[:at][kept[:at]] for at in places]
    starts = np.cumsum([0, *map(len, told)])
    names = np.arange(len(told)).astype(str)
    return Histories(names, np.concatenate(told), np.zeros(starts[-1], dtype=np.int64), starts, n_items)
