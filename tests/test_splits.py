"""Leave-last-out hides one item per user, and nothing of it or after it stays in the train part."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from llmrec_lab.catalog import Histories, Interactions
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.errors import DataError


def histories_of(*items, n_items=6):
    """Histories of users u0, u1, ... from their lists of items."""
    starts = np.cumsum([0, *map(len, items)])
    flat = np.array([item for one in items for item in one], dtype=int)
    return Histories(np.array([f"u{i}" for i in range(len(items))]), flat, np.arange(len(flat)), starts, n_items)


def parts(split):
    return [split.train.of(row).tolist() for row in range(len(split.train))]


def test_the_last_item_is_hidden():
    split = leave_last_out(histories_of([0, 3, 1], [2, 5]))
    assert parts(split) == [[0, 3], [2]]
    assert split.rows.tolist() == [0, 1]
    assert split.targets.tolist() == [1, 5]


def test_back_1_hides_the_second_last_item_and_drops_the_last():
    split = leave_last_out(histories_of([0, 3, 1], [2, 5]), back=1)
    assert parts(split) == [[0], []]
    assert (split.rows.tolist(), split.targets.tolist()) == ([0], [3])


def test_users_without_an_item_before_the_target_are_not_evaluated():
    split = leave_last_out(histories_of([4], [], [0, 1]))
    assert (split.rows.tolist(), split.targets.tolist()) == ([2], [1])
    assert parts(split) == [[], [], [0]]


def test_users_who_met_the_target_before_are_not_evaluated():
    split = leave_last_out(histories_of([1, 2, 1], [1, 2, 3], [2, 2]))
    assert (split.rows.tolist(), split.targets.tolist()) == ([1], [3])
    assert parts(split) == [[1, 2], [1, 2], [2]]


def test_an_item_that_only_another_user_met_before_is_no_repeat():
    split = leave_last_out(histories_of([0, 1], [1, 0]))
    assert split.targets.tolist() == [1, 0]


def test_split_equals_a_loop_over_users(rng):
    lists = [rng.integers(0, 6, size=rng.integers(0, 7)).tolist() for _ in range(300)]
    for back in (0, 1, 2):
        split = leave_last_out(histories_of(*lists), back)
        expected = [
            (row, one[-1 - back])
            for row, one in enumerate(lists)
            if len(one) > back + 1 and one[-1 - back] not in one[: -1 - back]
        ]
        assert list(zip(split.rows, split.targets)) == expected
        assert parts(split) == [one[: -1 - back] if len(one) > back else [] for one in lists]


def test_seen_is_the_train_part_and_never_the_target():
    split = leave_last_out(histories_of([4], [0, 3, 1], [2, 5]))
    assert split.seen().astype(int).tolist() == [[1, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]]
    assert not split.seen()[np.arange(2), split.targets].any()


def test_digest_is_a_sha256_over_user_ids_and_targets():
    split = leave_last_out(histories_of([4], [0, 3, 1], [2, 5]))
    assert split.digest() == hashlib.sha256(b"u1\t1\nu2\t5\n").hexdigest()[:12]


def test_digest_changes_with_a_target_but_not_with_what_came_before():
    digest = leave_last_out(histories_of([0, 3, 1], [2, 5])).digest()
    assert digest != leave_last_out(histories_of([0, 3, 4], [2, 5])).digest()
    assert digest == leave_last_out(histories_of([3, 0, 1], [2, 5])).digest()


def test_digest_does_not_depend_on_the_order_of_the_rows_even_where_timestamps_tie(tiny):
    catalog, interactions = tiny
    log = interactions.frame.assign(timestamp=0)
    shuffled = log.sample(frac=1, random_state=3)
    digests = {
        leave_last_out(Interactions.from_frame(pd.DataFrame(rows)).histories(catalog)).digest() for rows in (log, shuffled)
    }
    assert len(digests) == 1


def test_the_split_leaves_the_histories_as_they_are():
    histories = histories_of([0, 3, 1], [2, 5])
    leave_last_out(histories, back=1)
    assert histories.of(0).tolist() == [0, 3, 1]
    assert histories.starts.tolist() == [0, 3, 5]


@pytest.mark.parametrize("back", [-1, 0.5, None])
def test_back_must_be_a_whole_number_from_0(back):
    with pytest.raises(DataError, match=f"back came as {back}; pass 0"):
        leave_last_out(histories_of([0, 3, 1]), back)
