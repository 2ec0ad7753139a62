"""Split histories into a part to learn from and an item to guess. Knows nothing about models or scores."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from llmrec_lab.catalog import Histories
from llmrec_lab.errors import DataError


@dataclass(frozen=True)
class Split:
    """What a model may learn from, and the item that each evaluated user met next.

    Args:
        train: histories of all m users; those who are not evaluated may be empty.
        rows: (q) rows of `train`, ascending: the users that are evaluated.
        targets: (q) catalog positions, one for each of `rows`.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> split = leave_last_out(interactions.histories(catalog))
        >>> split.rows, split.targets
        (array([0, 2]), array([3, 4]))
        >>> print(split.seen().astype(int))
        [[1 1 0 0 0]
         [1 1 1 0 0]]
    """

    train: Histories
    rows: np.ndarray
    targets: np.ndarray

    def seen(self) -> np.ndarray:
        """(q, n_items) booleans: the train items of the evaluated users, to be left out of their rankings."""
        return self.train.matrix()[self.rows].toarray() > 0

    def digest(self) -> str:
        """The split's checksum, published beside results: twelve hex digits over user ids and targets.

        Targets are catalog positions, so another order of the catalog gives another checksum.

        Example:
            >>> from llmrec_lab.datasets.tiny import tiny_world
            >>> catalog, interactions = tiny_world()
            >>> leave_last_out(interactions.histories(catalog)).digest()
            'a2b76254e649'
        """
        lines = (f"{user}\t{target}\n" for user, target in zip(self.train.user_ids[self.rows], self.targets))
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def leave_last_out(histories: Histories, back: int = 0) -> Split:
    """Hide the last item of every user, who is asked to guess it from those before: leave-one-out by time.

    The target and everything after it leave the train part of every user, also of those who are not evaluated. Not
    evaluated are users with nothing before the target, and users who had met the target before: seen items are left out
    of the ranking, so nobody could guess it.

    Args:
        histories: of m users, each oldest first.
        back: 0 hides the last item, 1 the one before it (to choose settings without a look at the last), and so on.

    Returns:
        A Split.

    Raises:
        DataError: back is negative or not a whole number.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> split = leave_last_out(interactions.histories(catalog))
        >>> split.train.user_ids[split.rows].tolist(), catalog.titles[split.targets].tolist()
        (['ada', 'chen'], ['Spirited Away', 'Amélie'])
    """
    if not isinstance(back, (int, np.integer)) or back < 0:
        raise DataError(f"back came as {back!r}; pass 0 for the last item, 1 for the one before it")
    rows, items, n_items = histories.rows(), histories.items, histories.n_items
    from_end = histories.starts[rows + 1] - np.arange(len(rows)) - 1  # 0 for the last item
    before, is_target = from_end > back, from_end == back
    repeated = np.isin(rows * n_items + items, (rows * n_items + items)[before])  # one number per user and item
    has_train = np.bincount(rows[before], minlength=len(histories)) > 0
    chosen = is_target & ~repeated & has_train[rows]
    return Split(histories.take(before), rows[chosen], items[chosen])
