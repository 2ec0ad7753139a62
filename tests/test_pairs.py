"""Pairs hold what users met, in order; nothing that is held out is in them, and nothing a user met is a negative."""

import numpy as np
import pytest
from training_world import N_ITEMS, TITLES, people

from llmrec_lab.catalog import Histories
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.errors import DataError
from llmrec_lab.pairs import make_pairs, mine_negatives, user_texts


def histories(*items, n_items=6):
    """One user for each list of items."""
    starts = np.cumsum([0, *(len(row) for row in items)])
    flat = np.array([item for row in items for item in row], dtype=int)
    return Histories(np.array([f"u{i}" for i in range(len(items))]), flat, np.arange(len(flat)), starts, n_items)


LETTERS = np.array(list("abcdef"), dtype=object)


def test_a_users_text_is_what_they_said_and_the_last_titles_latest_first():
    met = histories([0, 1, 2], [3], [])
    assert user_texts(met, LETTERS, last=2) == ["c; b", "d", ""]
    assert user_texts(met, LETTERS, last=2, said=["robots", "", "love"]) == ["robots; c; b", "d", "love"]
    assert user_texts(met, LETTERS, last=0, said=["robots", "", "love"]) == ["robots", "", "love"]


def test_every_item_with_something_before_it_is_a_target_and_its_text_ends_before_it():
    pairs = make_pairs(histories([0, 1, 2], [3, 4], [5]), LETTERS, last=5)
    assert list(zip(pairs.users, pairs.texts, LETTERS[pairs.items])) == [(0, "a", "b"), (0, "b; a", "c"), (1, "d", "e")]


def test_no_target_is_in_its_own_text():
    pairs = make_pairs(people(), TITLES, last=3)
    assert not [text for text, item in zip(pairs.texts, pairs.items) if TITLES[item] in text.split("; ")]


def test_of_a_long_history_so_many_pairs_are_drawn_by_the_seed():
    first, again, other = (make_pairs(people(length=20), TITLES, per_user=4, seed=seed) for seed in (1, 1, 2))
    assert np.bincount(first.users).tolist() == [4] * 24
    assert first.texts == again.texts
    assert first.texts != other.texts


def test_what_is_held_out_is_in_no_text_no_target_and_no_negative():
    everyone = people(length=8)
    held_out = np.array([0, 1, 20, 21])
    train = leave_last_out(everyone, back=1).train
    train = train.take(~np.isin(train.items, held_out))
    pairs = make_pairs(train, TITLES, last=10)
    mined = mine_negatives(pairs, lambda rows: np.ones((len(rows), N_ITEMS)), count=3)
    words = {title for text in pairs.texts for title in text.split("; ")}
    assert not words & set(TITLES[held_out])
    assert not np.isin(np.concatenate([pairs.items, mined.ravel()]), held_out).any()
    for user in range(len(everyone)):
        assert not np.isin(pairs.items[pairs.users == user], everyone.of(user)[-2:]).any()


def test_known_says_what_the_user_of_a_pair_met_at_any_time():
    pairs = make_pairs(histories([0, 1, 5], [3, 4]), LETTERS)
    assert pairs.known(np.array([0, 2]), np.arange(6)).astype(int).tolist() == [[1, 1, 0, 0, 0, 1], [0, 0, 0, 1, 1, 0]]


def test_a_hard_negative_is_among_the_best_and_was_never_met_by_its_user():
    pairs = make_pairs(people(), TITLES)
    best_first = -np.arange(N_ITEMS, dtype=float)
    found = mine_negatives(pairs, lambda rows: np.tile(best_first, (len(rows), 1)), count=4, depth=8, seed=3)
    assert found.shape == (len(pairs), 4)
    for row, negatives in enumerate(found):
        met = pairs.known(np.array([row]), np.arange(N_ITEMS))[0]
        assert len(set(negatives)) == 4
        assert not met[negatives].any()
        assert set(negatives) <= set(np.flatnonzero(~met)[:8])


def test_only_items_that_somebody_met_are_negatives():
    pairs = make_pairs(histories([0, 1], [2, 3]), LETTERS)
    found = mine_negatives(pairs, lambda rows: np.tile([0, 0, 0, 0, 9.0, 9.0], (len(rows), 1)), count=2)
    assert [sorted(row) for row in found.tolist()] == [[2, 3], [0, 1]]


def test_more_negatives_than_unmet_items_are_refused():
    pairs = make_pairs(histories([0, 1], [2, 3]), LETTERS)
    with pytest.raises(DataError, match="a user has met all but fewer than 3 items; ask for fewer negatives"):
        mine_negatives(pairs, lambda rows: np.zeros((len(rows), 6)), count=3)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "none of the 0 users has met two items"),
        ([[0], [1], []], "none of the 3 users has met two items"),
        ([[0, 1, 2]], r"every user has met every item that is to be guessed \(users: 1, items: 2\)"),
        ([[0, 1], [1, 0, 1], [2, 1, 0]], r"\(users: 3, items: 2\), so no guess is wrong"),
        ([[0, 0, 0], [0, 0]], r"\(users: 2, items: 1\), so no guess is wrong"),
    ],
    ids=["no interactions", "one item each", "one user", "all the same", "one item"],
)
def test_histories_without_a_wrong_guess_are_refused(items, message):
    with pytest.raises(DataError, match=message):
        make_pairs(histories(*items), LETTERS)


def test_a_user_without_any_text_is_refused():
    with pytest.raises(DataError, match="last came as 0 and said as None, so that a user's text would be empty"):
        make_pairs(people(), TITLES, last=0)
