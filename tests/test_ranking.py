"""The best come first, ties go to the smaller id, and every interest gets its share of the places."""

import tracemalloc

import numpy as np
import pytest

from llmrec_lab import ranking
from llmrec_lab.errors import DataError
from llmrec_lab.ranking import DIGITS, id_order, mmr, nearest, quota, top_k, top_k_rows


def brute_force(scores, k, ids):
    """Sort all finite scores one by one, by score, then by id."""
    finite = [i for i in range(len(scores)) if scores[i] > -np.inf]
    return sorted(finite, key=lambda i: (-round(float(scores[i]), DIGITS), ids[i]))[:k]


def random_case(seed):
    """(scores, ids) with many ties, some -inf, ids in no order."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    scores = rng.integers(-3, 4, n) / 2.0
    scores[rng.random(n) < 0.15] = -np.inf
    return scores, np.array([f"{number:x}" for number in rng.permutation(1000)[:n]], dtype=object)


@pytest.mark.parametrize("block", range(10))
def test_top_k_equals_brute_force_on_scores_with_many_ties(block):
    for seed in range(block * 30, block * 30 + 30):
        scores, ids = random_case(seed)
        for k in {1, 2, 7, max(1, len(ids) - 1), len(ids), len(ids) + 5}:
            assert top_k(scores, k, id_order(ids)).tolist() == brute_force(scores, k, ids), (seed, k)


def test_ties_go_to_the_smaller_id_wherever_it_stands():
    assert top_k(np.array([1.0, 1.0, 2.0]), 2, id_order(np.array(["b", "a", "c"]))).tolist() == [2, 1]
    assert top_k(np.array([1.0, 1.0, 2.0]), 2, id_order(np.array(["a", "b", "c"]))).tolist() == [2, 0]


def test_the_items_do_not_depend_on_the_order_of_the_catalog():
    for seed in range(30):
        scores, ids = random_case(seed)
        shuffled = np.random.default_rng(seed + 1000).permutation(len(ids))
        here, there = top_k(scores, 5, id_order(ids)), top_k(scores[shuffled], 5, id_order(ids[shuffled]))
        assert ids[here].tolist() == ids[shuffled][there].tolist()


def test_ids_are_ordered_as_strings():
    assert id_order(np.array(["10", "9", "1"], dtype=object)).tolist() == [1, 2, 0]


def test_scores_that_differ_after_the_sixth_digit_tie():
    order = id_order(np.array(["b", "a"]))
    assert top_k(np.array([0.5 + 1e-8, 0.5]), 1, order).tolist() == [1]
    assert top_k(np.array([0.5 + 1e-5, 0.5]), 1, order).tolist() == [0]


def test_minus_infinity_never_appears():
    assert top_k(np.array([-np.inf, 3.0, -np.inf]), 3, np.arange(3)).tolist() == [1]
    assert top_k(np.full(3, -np.inf), 2, np.arange(3)).tolist() == []
    assert top_k(np.array([]), 2, np.arange(0)).tolist() == []


@pytest.mark.filterwarnings("error")
def test_whole_number_scores_are_ranked_too():
    assert top_k(np.array([1, 3, 2]), 5, np.arange(3)).tolist() == [1, 2, 0]
    assert top_k(np.array([1, 3, 2]), np.int64(2), np.arange(3)).tolist() == [1, 2]


@pytest.mark.parametrize("k", [0, -1, 2.0, True, False, "3", None, np.float64(3), [1]])
def test_k_must_be_a_whole_number_of_at_least_1(k):
    with pytest.raises(DataError) as caught:
        top_k(np.array([0.1, 0.2]), k, np.arange(2))
    assert str(caught.value) == f"k came as {k!r}; pass a whole number of at least 1"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_a_score_that_has_no_place_in_an_order_is_refused_and_named(bad, k):
    with pytest.raises(DataError, match=f"score {bad} at position 1 has no place in an order"):
        top_k(np.array([0.1, bad, 0.3]), k, np.arange(3))


def test_ranking_changes_nothing():
    scores, order = np.array([0.2, 0.9, 0.9]), np.array([2, 1, 0])
    scores.flags.writeable = order.flags.writeable = False
    assert top_k(scores, 2, order).tolist() == [2, 1]
    quota(scores[None], np.ones(1), 2, order)


# Many rows


@pytest.mark.parametrize("k", [1, 2, 7, 40, 60])
def test_top_k_rows_is_top_k_row_by_row(k):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        scores = rng.integers(-3, 4, (int(rng.integers(1, 9)), 40)) / 2.0
        scores[rng.random(scores.shape) < rng.random()] = -np.inf
        order = rng.permutation(40)
        expected = np.full((len(scores), k), -1)
        for row, best in zip(expected, (top_k(row, k, order) for row in scores)):
            row[: len(best)] = best
        np.testing.assert_array_equal(top_k_rows(scores, k, order), expected, err_msg=str(seed))


def test_a_row_does_not_depend_on_the_rows_beside_it(rng):
    scores, order = rng.integers(0, 4, (20, 30)) / 4.0, rng.permutation(30)
    np.testing.assert_array_equal(top_k_rows(scores, 5, order)[7:9], top_k_rows(scores[7:9], 5, order))


def test_no_rows_and_no_items_give_empty_lists():
    assert top_k_rows(np.zeros((0, 4)), 3, np.arange(4)).shape == (0, 3)
    assert top_k_rows(np.zeros((2, 0)), 3, np.arange(0)).tolist() == [[-1] * 3] * 2


def test_a_bad_score_in_any_row_is_refused_and_named():
    with pytest.raises(DataError, match="score nan at position 1 has no place"):
        top_k_rows(np.array([[0.1, 0.2], [0.3, np.nan]]), 1, np.arange(2))


def test_a_k_far_beyond_the_catalog_takes_no_memory():
    assert top_k(np.array([0.1, 0.2]), 10**15, np.arange(2)).tolist() == [1, 0]


# Nearest


def unit_vectors(rng, rows, d=24):
    """(rows, d) float32 rows of length 1."""
    vectors = rng.normal(size=(rows, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest_by_hand(queries, items, k, order):
    """(positions, cosines) by a full sort of all cosines in double precision."""
    cosines = np.round(queries.astype(float) @ items.astype(float).T, DIGITS)
    positions = np.stack([np.lexsort((order, -row))[:k] for row in cosines])
    return positions, np.take_along_axis(cosines, positions, axis=1)


@pytest.fixture
def twins(rng):
    """(queries, items, order): every third item has up to 9 exact twins, a few have no text and a row of zeros."""
    items = unit_vectors(rng, 300)
    items[::3] = items[np.repeat(np.arange(0, 300, 30), 10)]
    items[5:50:9] = 0
    return np.concatenate([items[:20], unit_vectors(rng, 20)]), items, rng.permutation(300)


@pytest.mark.parametrize("k", [1, 4, 11, 70, 300])
@pytest.mark.parametrize("n_queries", [1, 7, 8, 40])
@pytest.mark.parametrize("cells", [40, 1000, 2**21])
def test_nearest_equals_a_full_sort_whatever_the_blocks(twins, k, n_queries, cells, monkeypatch):
    queries, items, order = twins
    monkeypatch.setattr(ranking, "CELLS", cells)
    monkeypatch.setattr(ranking, "QUERIES", 16)
    monkeypatch.setattr(ranking, "PAIRS", 33)
    positions, cosines = nearest(queries[:n_queries], items, k, order)
    expected_positions, expected_cosines = nearest_by_hand(queries[:n_queries], items, k, order)
    np.testing.assert_array_equal(positions, expected_positions)
    np.testing.assert_array_equal(cosines, expected_cosines)


def test_nearest_finds_items_that_get_better_and_better(rng, monkeypatch):
    """Each block beats all before it, so that no bound of an earlier one helps."""
    monkeypatch.setattr(ranking, "CELLS", 40)
    queries, items, order = unit_vectors(rng, 1), unit_vectors(rng, 300), rng.permutation(300)
    items = items[np.argsort(items @ queries[0])]
    np.testing.assert_array_equal(nearest(queries, items, 12, order)[0], nearest_by_hand(queries, items, 12, order)[0])


def test_cosines_closer_than_the_error_of_a_product_go_to_the_smaller_id_in_any_catalog(rng, monkeypatch):
    queries = unit_vectors(rng, 9)
    items = np.repeat(unit_vectors(rng, 1), 400, axis=0) * (1 + rng.integers(-1, 2, (400, 1)) * np.float32(6e-8))
    order = rng.permutation(400)
    monkeypatch.setattr(ranking, "CELLS", 9 * 37)
    for query in queries:
        assert order[nearest(query[None], items, 5, order)[0]].tolist() == [[0, 1, 2, 3, 4]]
    assert order[nearest(queries, items, 5, order)[0]].tolist() == [[0, 1, 2, 3, 4]] * 9


def test_nearest_fills_up_where_no_item_is_left(rng):
    positions, cosines = nearest(unit_vectors(rng, 2), unit_vectors(rng, 3), 5, np.arange(3))
    assert (positions[:, 3:] == -1).all() and np.isneginf(cosines[:, 3:]).all()
    assert sorted(positions[0, :3]) == [0, 1, 2]


def test_nearest_of_no_queries_or_no_items_is_empty(rng):
    assert nearest(np.zeros((0, 4)), np.ones((3, 4)) / 2, 2, np.arange(3))[0].shape == (0, 2)
    assert nearest(np.ones((1, 4)) / 2, np.zeros((0, 4)), 2, np.arange(0))[0].tolist() == [[-1, -1]]


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # numpy's, about infinity times zero
@pytest.mark.parametrize("where", ["queries", "items"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 3.0])
def test_rows_that_are_not_of_length_1_are_refused(where, bad, rng):
    vectors = {"queries": unit_vectors(rng, 10), "items": unit_vectors(rng, 10)}
    vectors["items"][3] = vectors["queries"][3]
    vectors[where][3] *= bad
    with pytest.raises(DataError, match="pass rows of length 1"):
        nearest(vectors["queries"], vectors["items"], 2, np.arange(10))


def test_nearest_refuses_shapes_that_do_not_fit_and_whole_numbers(rng):
    queries, items = unit_vectors(rng, 2), unit_vectors(rng, 5)
    for arguments in [(queries[0], items, 2, np.arange(5)), (queries, items[:, 1:], 2, np.arange(5))]:
        with pytest.raises(DataError, match="do not fit; pass"):
            nearest(*arguments)
    with pytest.raises(DataError, match=r"order \(4\)"):
        nearest(queries, items, 2, np.arange(4))
    with pytest.raises(DataError, match="int64 items"):
        nearest(np.eye(2), np.eye(2, dtype=np.int64), 2, np.arange(2))


def test_256_queries_need_at_most_13_mb_however_many_items_there_are(rng):
    queries, items, order = unit_vectors(rng, 256, d=384), unit_vectors(rng, 40_000, d=384), np.arange(40_000)
    tracemalloc.start()
    nearest(queries, items, 10, order)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 13e6  # all cosines at once would be 41 MB


# Quota


def quota_case(seed):
    """(scores, weights, k, order) of 1 to 5 interests with many ties."""
    rng = np.random.default_rng(seed)
    interests, n = int(rng.integers(1, 6)), int(rng.integers(10, 40))
    weights = rng.random(interests) + 0.05
    scores = rng.integers(0, 5, (interests, n)) / 4.0
    return scores, weights / weights.sum(), int(rng.integers(1, 11)), rng.permutation(n)


def picks_by_hand(scores, weights, k, order):
    """(items, the interest that picked each), by the words of the rule."""
    chosen, pickers = [], []
    for place in range(k):
        behind = [weights[i] * (place + 1) - pickers.count(i) for i in range(len(weights))]
        picker = int(np.argmax(behind))
        free = [item for item in range(scores.shape[1]) if item not in chosen]
        chosen.append(min(free, key=lambda item: (-scores[picker, item], order[item])))
        pickers.append(picker)
    return chosen, pickers


@pytest.mark.parametrize("block", range(5))
def test_quota_follows_its_rule_without_duplicates(block):
    for seed in range(block * 20, block * 20 + 20):
        scores, weights, k, order = quota_case(seed)
        found = quota(scores, weights, k, order).tolist()
        assert found == picks_by_hand(scores, weights, k, order)[0], seed
        assert len(set(found)) == len(found) == k


def test_every_interest_gets_its_share_within_one_place():
    for seed in range(100):
        scores, weights, k, order = quota_case(seed)
        _, pickers = picks_by_hand(scores, weights, k, order)
        assert (np.bincount(pickers, minlength=len(weights)) < weights * k + 1).all()


def test_ten_places_of_three_equal_interests_are_4_3_3():
    scores = np.zeros((3, 30))
    for interest in range(3):  # each wants ten items of its own
        scores[interest, interest * 10 : interest * 10 + 10] = 1
    found = quota(scores, np.full(3, 1 / 3), 10, np.arange(30))
    assert sorted(np.bincount(found // 10).tolist()) == [3, 3, 4]


def test_quota_of_one_interest_is_top_k():
    for seed in range(50):
        scores, ids = random_case(seed)
        order = id_order(ids)
        assert quota(scores[None], np.ones(1), 7, order).tolist() == top_k(scores, 7, order).tolist()


def test_an_interest_that_runs_out_leaves_its_places_to_the_others():
    scores = np.array([[1.0, -np.inf, -np.inf, -np.inf], [0.4, 0.1, 0.3, 0.2]])
    assert quota(scores, np.array([0.5, 0.5]), 3, np.arange(4)).tolist() == [0, 2, 3]


def test_quota_returns_what_there_is():
    nothing = np.full((2, 3), -np.inf)
    assert quota(nothing, np.array([0.5, 0.5]), 2, np.arange(3)).tolist() == []
    assert sorted(quota(np.ones((2, 3)), np.array([0.5, 0.5]), 9, np.arange(3)).tolist()) == [0, 1, 2]


@pytest.mark.parametrize("k", [0, -1, "2"])
def test_quota_checks_k(k):
    with pytest.raises(DataError, match="pass a whole number of at least 1"):
        quota(np.ones((1, 3)), np.ones(1), k, np.arange(3))


# Maximal marginal relevance


def mmr_by_hand(scores, vectors, k, ids, lambda_):
    """Positions, by the words of the rule, one candidate at a time."""
    chosen = []
    candidates = sorted((i for i in range(len(scores)) if scores[i] > -np.inf), key=lambda i: ids[i])
    while candidates and len(chosen) < k:
        repeats = {i: max((float(vectors[i] @ vectors[j]) for j in chosen), default=None) for i in candidates}
        worth = {
            i: scores[i] if repeat is None else lambda_ * scores[i] - (1 - lambda_) * repeat for i, repeat in repeats.items()
        }
        best = max(candidates, key=lambda i: round(float(worth[i]), DIGITS))  # the first of equals, so the smallest id
        chosen.append(best)
        candidates.remove(best)
    return chosen


@pytest.mark.parametrize("lambda_", [0, 0.3, 0.7, 1])
def test_mmr_follows_its_rule_with_ties_and_twins(lambda_):
    for seed in range(40):
        scores, ids = random_case(seed)
        vectors = np.eye(4)[np.random.default_rng(seed).integers(0, 4, len(scores))]
        found = mmr(scores, vectors, 6, id_order(ids), lambda_).tolist()
        assert found == mmr_by_hand(scores, vectors, 6, ids, lambda_), seed


def test_mmr_of_real_directions_follows_its_rule(rng):
    vectors, ids = unit_vectors(rng, 60).astype(float), np.array([f"{i:02d}" for i in rng.permutation(60)])
    scores = vectors @ vectors[0]
    assert mmr(scores, vectors, 12, id_order(ids), 0.6).tolist() == mmr_by_hand(scores, vectors, 12, ids, 0.6)


def test_mmr_that_counts_only_scores_is_top_k():
    for seed in range(40):
        scores, ids = random_case(seed)
        vectors = unit_vectors(np.random.default_rng(seed), len(scores))
        assert mmr(scores, vectors, 7, id_order(ids), 1.0).tolist() == top_k(scores, 7, id_order(ids)).tolist()


def test_mmr_remembers_every_item_chosen_and_not_only_the_last():
    query = np.array([1.0, 0.0, 0.0, 0.0])  # a near twin of the first item comes back if only the last one counts
    items = np.array([[0.90, 0.44, 0, 0], [0.88, 0.47, 0, 0], [0.70, 0, 0.71, 0], [0.65, 0, 0, 0.76]])
    units = items / np.linalg.norm(items, axis=1, keepdims=True)
    assert mmr(units @ query, units, 3, np.arange(4), 0.5).tolist() == [0, 2, 3]


def test_mmr_leaves_out_what_must_not_appear_and_returns_what_there_is(rng):
    vectors = unit_vectors(rng, 3)
    assert mmr(np.array([-np.inf, 0.1, 0.2]), vectors, 5, np.arange(3), 0.5).tolist() == [2, 1]
    assert mmr(np.full(3, -np.inf), vectors, 2, np.arange(3), 0.5).tolist() == []


@pytest.mark.parametrize("lambda_", [-0.1, 1.1, np.nan, "1", True, None])
def test_a_lambda_that_is_no_share_is_refused(lambda_):
    with pytest.raises(DataError, match="lambda came as .*; pass a number from 0"):
        mmr(np.ones(2), np.eye(2), 1, np.arange(2), lambda_)


def test_mmr_refuses_what_top_k_refuses_and_what_does_not_fit():
    with pytest.raises(DataError, match="k came as 0"):
        mmr(np.ones(2), np.eye(2), 0, np.arange(2), 0.5)
    with pytest.raises(DataError, match="score nan at position 1"):
        mmr(np.array([1.0, np.nan]), np.eye(2), 1, np.arange(2), 0.5)
    with pytest.raises(DataError, match="do not fit; pass n of each"):
        mmr(np.ones(3), np.eye(2), 1, np.arange(3), 0.5)
    with pytest.raises(DataError, match="pass rows of length 1"):
        mmr(np.ones(2), 2 * np.eye(2), 2, np.arange(2), 0.5)
