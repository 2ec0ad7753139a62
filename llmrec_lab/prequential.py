"""Test, then train: before every event of real histories, rank all unseen items; then learn from the event, and go on.

Knows nothing about how scores are made: a learner is one of `llmrec_lab.online`, a model one of `llmrec_lab.baselines`.
Exploration is left out, because a history cannot say what would have been chosen of other items.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from llmrec_lab.catalog import Catalog, Histories, Interactions
from llmrec_lab.columns import RATING
from llmrec_lab.errors import DataError
from llmrec_lab.event_log import Event
from llmrec_lab.feedback import state_parts
from llmrec_lab.metrics import hits_from_ranks, ndcg, target_rank
from llmrec_lab.ranking import DIGITS

DISLIKED = 2.5  # stars, and fewer
BLOCK = 512  # events ranked at a time


@dataclass(frozen=True)
class Stretch:
    """The part of everybody's history in which a model is asked, and what it may learn from before.

    Args:
        histories: of m users, cut off at the end of the stretch.
        rewards: (t) for each entry of `histories.items` 1 for a like, -1 for a dislike.
        asked: (q) entries of `histories.items`, ascending: the items that are asked for.
        begins: (q) for each of them, the entry at which its user's stretch begins.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> stretch = last_events(*tiny_world(), last=2)
        >>> stretch.histories.items[stretch.asked], stretch.histories.user_ids[stretch.users].tolist()
        (array([1, 3, 2, 4]), ['ada', 'ada', 'chen', 'chen'])
    """

    histories: Histories
    rewards: np.ndarray
    asked: np.ndarray
    begins: np.ndarray

    @property
    def users(self) -> np.ndarray:
        """(q) the row of the user who is asked."""
        return self.histories.rows()[self.asked]

    @property
    def train(self) -> Histories:
        """What came before the stretch, of all m users: what a model may be fitted on."""
        first = self.histories.starts[1:].copy()
        first[self.users] = self.begins
        return self.histories.take(np.arange(len(self.histories.items)) < first[self.histories.rows()])

    def prefixes(self, updates: bool) -> Histories:
        """The history that is known when each item is asked for: all before it, or without updates all before the stretch.

        Args:
            updates: whether a model learns within the stretch.

        Returns:
            Histories of q rows.
        """
        starts, ends = self.histories.starts[self.users], self.asked if updates else self.begins
        lengths = ends - starts
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        at = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        names = self.histories.user_ids[self.users]
        return Histories(names, self.histories.items[at], self.histories.timestamps[at], offsets, self.histories.n_items)

    def of(self, rows: np.ndarray) -> Stretch:
        """The same stretch with only some users asked, by their rows."""
        kept = np.isin(self.users, rows)
        return Stretch(self.histories, self.rewards, self.asked[kept], self.begins[kept])


def last_events(catalog: Catalog, interactions: Interactions, last: int = 10, back: int = 0) -> Stretch:
    """Ask for the last events of every user, one after the other.

    Not asked are users with nothing before the stretch, and items that the user had met before.

    Args:
        catalog: the items.
        interactions: who met what when; a rating of 2.5 or less is a dislike, all else a like.
        last: how many events of a user are in the stretch.
        back: so many events after the stretch are left out, to choose settings on an earlier time than is reported.

    Returns:
        A Stretch.

    Raises:
        DataError: `last` or `back` is no fitting whole number.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> last_events(*tiny_world(), last=1).asked
        array([2, 7])
    """
    if not isinstance(last, (int, np.integer)) or last < 1 or not isinstance(back, (int, np.integer)) or back < 0:
        raise DataError(f"last came as {last!r} and back as {back!r}; pass whole numbers, at least 1 and at least 0")
    histories, known = interactions.histories(catalog), catalog.positions(interactions.frame["item_id"]) >= 0
    rewards = np.ones(len(histories.items))
    if RATING in interactions.frame:
        rewards[interactions.frame[RATING].to_numpy()[known] <= DISLIKED] = -1.0
    rows = histories.rows()
    kept = histories.starts[rows + 1] - np.arange(len(rows)) > back
    histories, rewards, rows = histories.take(kept), rewards[kept], rows[kept]
    from_end = histories.starts[rows + 1] - np.arange(len(rows))  # 1 for the last event
    begins = np.maximum(histories.starts[1:] - last, histories.starts[:-1])[rows]
    _, first = np.unique(rows * histories.n_items + histories.items, return_index=True)
    new = np.isin(np.arange(len(rows)), first)
    asked = np.flatnonzero((from_end <= last) & (begins > histories.starts[rows]) & new)
    return Stretch(histories, rewards, asked, begins[asked])


def learner_ranks(learner, vectors: np.ndarray, stretch: Stretch, order: np.ndarray, updates: bool = True) -> np.ndarray:
    """The rank of every item asked for by the state that an online learner has at that moment.

    Args:
        learner: one of `llmrec_lab.online`; each user has a state of their own, which learns all that came before.
        vectors: (n_items, d).
        stretch: what is asked.
        order: (n_items) from `ranking.id_order`, to break ties.
        updates: False leaves every state as it is when the stretch begins.

    Returns:
        (q) ranks from 1 among the items that the user has not met.

    Raises:
        DataError: there is not one vector for each item, or one is not finite.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> from llmrec_lab.online import Decay
        >>> vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0.5, 0.5]])
        >>> learner_ranks(Decay(), vectors, last_events(*tiny_world(), last=2), np.arange(5))
        array([1, 2, 3, 1])
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    if len(vectors) != stretch.histories.n_items:
        raise DataError(
            f"{len(vectors)} vectors came for {stretch.histories.n_items} items; pass one for each, in their order"
        )
    queries = np.array(list(learner_queries(learner, vectors, stretch, updates)))  # (q, d)
    return ranks((queries[at] @ vectors.T for at in blocks(stretch)), stretch, order)


def learner_queries(learner, vectors: np.ndarray, stretch: Stretch, updates: bool):
    """The user's vector before each item that is asked for."""
    items, rewards, starts = stretch.histories.items, stretch.rewards, stretch.histories.starts
    user, state, done = -1, None, 0
    for asked, begins, row in zip(stretch.asked, stretch.begins, stretch.users):
        if row != user:
            user, state, done = row, learner.start(vectors.shape[1]), starts[row]
        until = asked if updates else begins
        for event in range(done, until):
            state = learner.update(state, vectors[items[event]], rewards[event])
        done = until
        yield learner.query(state).copy()


def model_ranks(model, stretch: Stretch, order: np.ndarray, updates: bool = True) -> np.ndarray:
    """The rank of every item asked for by a model of histories.

    Args:
        model: fitted on `stretch.train`; has `scores(histories)`. It is not fitted again within the stretch.
        stretch: what is asked.
        order: (n_items) from `ranking.id_order`, to break ties.
        updates: whether it reads the user's history up to the moment, or only what came before the stretch.

    Returns:
        (q) ranks from 1 among the items that the user has not met.

    Example:
        >>> from llmrec_lab.baselines import Popularity
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> stretch = last_events(*tiny_world(), last=2)
        >>> model_ranks(Popularity().fit(stretch.train), stretch, np.arange(5))
        array([1, 2, 1, 2])
    """
    known = stretch.prefixes(updates)
    return ranks((model.scores(rows_of(known, at)) for at in blocks(stretch)), stretch, order)


def state_ranks(lab, stretch: Stretch, order: np.ndarray, updates: bool = True) -> np.ndarray:
    """The rank of every item asked for by the user state of a recommender: the whole of it, event by event.

    Args:
        lab: a Recommender, fitted on `stretch.train`. Its states learn likes, and dislikes as `less`.
        stretch: what is asked; tens of milliseconds each on the films, so ask some users (`stretch.of`).
        order: (n_items) from `ranking.id_order`, to break ties.
        updates: False leaves every state as it is when the stretch begins.

    Returns:
        (q) ranks from 1 among the items that the user has not met.

    Raises:
        DataError: the recommender does not know a user who is asked.
    """
    unknown = [user for user in stretch.histories.user_ids[np.unique(stretch.users)] if not lab.knows(user)]
    if unknown:
        raise DataError(f"the recommender does not know user {unknown[0]!r:.60}; fit it on stretch.train")
    scores = list(state_scores(lab, stretch, updates))
    return ranks((np.array(scores[at]) for at in blocks(stretch)), stretch, order)


def state_scores(lab, stretch: Stretch, updates: bool):
    """The scores (n_items) of the user's state before each item that is asked for."""
    state = None
    for asked, begins, user in zip(stretch.asked, stretch.begins, stretch.histories.user_ids[stretch.users]):
        if state is None or state.user_id != user:
            state, done, scores = lab.user(user), begins, None
        until = asked if updates else begins
        for event in range(done, until):
            state, scores = lab.feedback(state, as_event(lab.catalog, stretch, event, user)), None
        done = until
        scores = state_parts(lab, state).values.sum(axis=1) if scores is None else scores
        yield scores


def as_event(catalog: Catalog, stretch: Stretch, entry: int, user_id: str) -> Event:
    """An entry of the histories as the event that a live page would have sent."""
    kind, item_id = "like" if stretch.rewards[entry] > 0 else "less", catalog.item_ids[stretch.histories.items[entry]]
    return Event(f"e{entry}", user_id, item_id, kind, 1, int(stretch.histories.timestamps[entry]))


def rows_of(histories: Histories, rows: slice) -> Histories:
    """Some rows of histories, one after the other."""
    starts = histories.starts[rows.start : rows.stop + 1]
    at = slice(starts[0], starts[-1])
    names = histories.user_ids[rows]
    return Histories(names, histories.items[at], histories.timestamps[at], starts - starts[0], histories.n_items)


def blocks(stretch: Stretch) -> list[slice]:
    """Slices that cut the q items asked for into blocks."""
    return [slice(at, min(at + BLOCK, len(stretch.asked))) for at in range(0, len(stretch.asked), BLOCK)]


def ranks(scores: Iterable[np.ndarray], stretch: Stretch, order: np.ndarray) -> np.ndarray:
    """(q) the ranks of the items asked for, from their scores (b, n_items) block by block."""
    seen_then, targets = stretch.prefixes(updates=True), stretch.histories.items[stretch.asked]
    found = [np.empty(0, dtype=int)]
    for at, block in zip(blocks(stretch), scores):
        seen = rows_of(seen_then, at).matrix().toarray() > 0
        found.append(target_rank(np.round(block, DIGITS), targets[at], seen, order))
    return np.concatenate(found)


def per_user(ranks: np.ndarray, stretch: Stretch, metric=ndcg, k: int = 10) -> np.ndarray:
    """The mean of a metric over the events of each user who was asked.

    Args:
        ranks: (q) of the items asked for.
        stretch: what was asked.
        metric: `ndcg` or `recall` of `llmrec_lab.metrics`.
        k: length of the list.

    Returns:
        (u) one number per user, in order of user id; `paired_interval` compares two models.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> per_user(np.array([1, 3, 99, 99]), last_events(*tiny_world(), last=2))
        array([0.75, 0.  ])
    """
    values = metric(hits_from_ranks(ranks, k))
    users, place = np.unique(stretch.users, return_inverse=True)
    return np.bincount(place, values, minlength=len(users)) / np.bincount(place, minlength=len(users))
