"""Training pairs from histories: a text about a user, and an item that the user met next. Knows nothing about networks.

Imports no pandas and no torch at its top, so that a bare machine with a GPU can train too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmrec_lab.errors import DataError

if TYPE_CHECKING:
    from llmrec_lab.catalog import Histories

BLOCK = 256  # pairs whose scores of all items are looked at together


@dataclass(frozen=True)
class Pairs:
    """What a model learns from: p times a user, told as a text, and an item that this user met next.

    Args:
        texts: p strings, what is known of the user before the item.
        users: (p) rows of the histories.
        items: (p) catalog positions.
        met: (t) everything that any user met in training, as sorted numbers `user * n_items + item`.
        n_items: how many items the catalog has.
    """

    texts: list[str]
    users: np.ndarray
    items: np.ndarray
    met: np.ndarray
    n_items: int

    def __len__(self) -> int:
        return len(self.items)

    def known(self, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Which items the users of some pairs have met: such an item is never a negative for them.

        Args:
            rows: (b) pairs.
            items: (c) catalog positions.

        Returns:
            (b, c) booleans.
        """
        keys = self.users[rows][:, None] * self.n_items + np.asarray(items)  # (b, c)
        return self.met[np.searchsorted(self.met, keys).clip(max=len(self.met) - 1)] == keys

    def counts(self) -> np.ndarray:
        """(n_items) in how many pairs each item is the one that was met."""
        return np.bincount(self.items, minlength=self.n_items)


def user_texts(histories: Histories, titles, last: int = 5, said: list[str] | None = None) -> list[str]:
    """A text about each user: what they said about themselves, then the titles they met, the latest first.

    Args:
        histories: of m users.
        titles: (n) strings.
        last: how many titles; 0 for none.
        said: (m) strings, such as interests; nothing if left out.

    Returns:
        m strings; empty for a user of whom nothing is known.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> user_texts(interactions.histories(catalog), catalog.titles, last=2)
        ['Spirited Away; Blade Runner', 'Alien', 'Amélie; My Neighbor Totoro']
    """
    every = np.arange(len(histories))
    return texts_before(histories, every, np.diff(histories.starts), titles, last, said)


def texts_before(histories: Histories, users, places, titles, last: int, said: list[str] | None) -> list[str]:
    """The text about each of some users, as it was before the given place of their history."""
    texts = []
    for user, place in zip(users, places):
        recent = histories.of(user)[max(0, place - last) : place][::-1]
        words = [said[user]] if said is not None and said[user] else []
        texts.append("; ".join([*words, *(titles[item] for item in recent)]))
    return texts


def make_pairs(
    histories: Histories, titles, last: int = 5, per_user: int = 20, said: list[str] | None = None, seed: int = 0
) -> Pairs:
    """Pairs from histories: every item that has something before it, with a text about its user at that moment.

    Items and users that are held out must not be in `histories`: pass `leave_last_out(...).train`, or `histories.take`.
    Then a held-out item is in no text, is no target, and is no negative.

    Args:
        histories: of m users, to learn from.
        titles: (n) strings for the users' texts.
        last: titles in a text.
        per_user: so many pairs are drawn of a user who has more, else a few heavy users would be most of the training.
        said: (m) strings that open the users' texts; nothing if left out.
        seed: of the draw.

    Returns:
        Pairs, user by user.

    Raises:
        DataError: there is nothing to learn: no history of two items, or no item that somebody has not met.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> pairs = make_pairs(interactions.histories(catalog), catalog.titles)
        >>> [(text, catalog.titles[item]) for text, item in zip(pairs.texts, pairs.items)][:2]
        [('Alien', 'Blade Runner'), ('Blade Runner; Alien', 'Spirited Away')]
    """
    if last < 1 and said is None:
        raise DataError(f"last came as {last} and said as None, so that a user's text would be empty; pass one of them")
    rng = np.random.default_rng(seed)
    places = []
    for user in range(len(histories)):
        possible = np.arange(1, len(histories.of(user)))
        places.append(np.sort(rng.permutation(possible)[:per_user]))
    users = np.repeat(np.arange(len(histories)), [len(place) for place in places])
    places = np.concatenate([np.empty(0, dtype=int), *places])
    items = histories.items[histories.starts[users] + places]
    met = np.unique(histories.rows() * histories.n_items + histories.items)
    pairs = Pairs(texts_before(histories, users, places, titles, last, said), users, items, met, histories.n_items)
    require_contrast(pairs, len(histories))
    return pairs


def require_contrast(pairs: Pairs, n_users: int) -> None:
    """Raise DataError unless at least one user of a pair has not met the item of another pair."""
    if not len(pairs):
        raise DataError(f"none of the {n_users} users has met two items, so nobody has met one after another; pass more")
    targets = np.unique(pairs.items)
    reached = pairs.met[np.isin(pairs.met % pairs.n_items, targets)] // pairs.n_items  # one entry per user and target
    if (np.bincount(reached)[np.unique(pairs.users)] == len(targets)).all():
        raise DataError(
            f"every user has met every item that is to be guessed (users: {len(np.unique(pairs.users))}, items: "
            f"{len(targets)}), so no guess is wrong; pass more users with different histories"
        )


def mine_negatives(
    pairs: Pairs, score: Callable[[np.ndarray], np.ndarray], count: int, depth: int = 50, seed: int = 0
) -> np.ndarray:
    """Hard negatives: items that a model ranks high for a user who has not met them.

    They are drawn from the first `depth` and not simply the first `count`: the very best of them are often items that the
    user would like, and has not met yet.

    Args:
        pairs: whose users are asked.
        score: rows of pairs to (b, n) scores of all items by some model, such as the frozen encoder.
        count: negatives for each pair.
        depth: drawn from so many of the best.
        seed: of the draw.

    Returns:
        (p, count) catalog positions. Only items that somebody met in training are drawn, and none twice for a pair.

    Raises:
        DataError: too few items are left.
    """
    rng = np.random.default_rng(seed)
    never = np.setdiff1d(np.arange(pairs.n_items), pairs.met % pairs.n_items)
    found = []
    for start in range(0, len(pairs), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(pairs)))
        scores = np.where(pairs.known(rows, np.arange(pairs.n_items)), -np.inf, score(rows))  # (b, n)
        scores[:, never] = -np.inf
        within = np.argsort(-scores, axis=1, kind="stable")[:, :depth]  # (b, depth)
        lottery = rng.random(within.shape) + np.isinf(np.take_along_axis(scores, within, axis=1))  # met ones come last
        chosen = np.argsort(lottery, axis=1)[:, :count]
        if chosen.shape[1] < count or np.take_along_axis(lottery, chosen, axis=1).max(initial=0) >= 1:
            raise DataError(f"a user has met all but fewer than {count} items; ask for fewer negatives")
        found.append(np.take_along_axis(within, chosen, axis=1))
    return np.concatenate(found)
