"""Every measure equals hand-computed values and an independent implementation, and planted faults are found."""

import inspect
import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, mean_absolute_error, ndcg_score

from llmrec_lab import metrics, ranking
from llmrec_lab.errors import DataError
from llmrec_lab.metrics import (
    average_precision,
    bootstrap_interval,
    count_relevant,
    coverage,
    diversity,
    f1,
    hits,
    hits_from_ranks,
    mae,
    mrr,
    ndcg,
    novelty,
    paired_interval,
    popularity_share,
    precision,
    recall,
    sampled_rank,
    target_rank,
)

# One user with five relevant items, of which two are in a list of four: at ranks 1 and 3.
HIT, N_RELEVANT = np.array([[True, False, True, False]]), np.array([5])
DCG = 1 + 1 / math.log2(4)
IDEAL = 1 + 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)


@pytest.fixture
def lists(rng):
    """(ranked (50, 10), relevant (50, 7) filled up with -1) over 30 items; each user has 1 to 7 relevant items."""
    ranked = np.array([rng.permutation(30)[:10] for _ in range(50)])
    relevant = np.array([rng.permutation(30)[:7] for _ in range(50)])
    relevant[np.arange(7) >= rng.integers(1, 8, size=50)[:, None]] = -1
    return ranked, relevant


# Hits


def test_hits_equal_a_loop_over_sets(lists):
    ranked, relevant = lists
    expected = [[item in set(wanted) for item in row] for row, wanted in zip(ranked, relevant)]
    assert hits(ranked, relevant).tolist() == expected


def test_one_relevant_item_may_come_without_a_second_axis():
    assert hits([[3, 1], [0, 2]], [1, 1]).tolist() == [[False, True], [False, False]]


def test_an_empty_place_never_hits_an_empty_place():
    assert not hits([[3, -1]], [[1, -1]]).any()


def test_hits_do_not_depend_on_the_size_of_the_blocks(lists, monkeypatch):
    whole = hits(*lists)
    monkeypatch.setattr(metrics, "BLOCK", 7)
    np.testing.assert_array_equal(hits(*lists), whole)


def test_hits_refuse_the_relevant_items_of_other_users():
    with pytest.raises(DataError, match="ranked has 1 users and relevant 2"):
        hits([[3, 1]], [1, 2])


@pytest.mark.parametrize("table", [[1, 2, 3], np.zeros((3, 0))])
def test_a_list_without_places_is_refused(table):
    with pytest.raises(DataError, match="pass one row per user and at least one place"):
        recall(table)


def test_hits_from_ranks_are_the_hits_of_the_list_itself(rng):
    scores = rng.random((20, 12))
    targets = rng.integers(12, size=20)
    ranks = target_rank(scores, targets, np.zeros((20, 12), dtype=bool), np.arange(12))
    ranked = np.argsort(-scores, axis=1)[:, :5]
    np.testing.assert_array_equal(hits_from_ranks(ranks, k=5), hits(ranked, targets))


# Measures by hand


def test_precision_by_hand():
    assert precision(HIT).tolist() == [2 / 4]


def test_recall_by_hand():
    assert recall(HIT, N_RELEVANT).tolist() == [2 / 5]


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    np.testing.assert_allclose(f1(HIT, N_RELEVANT), 2 / (4 / 2 + 5 / 2))


def test_mrr_is_one_over_the_first_hit():
    assert mrr([[0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]).tolist() == [1 / 3, 1, 0]


def test_average_precision_divides_by_all_relevant_items():
    np.testing.assert_allclose(average_precision(HIT, N_RELEVANT), (1 / 1 + 2 / 3) / 5)


def test_ndcg_uses_the_ideal_of_min_k_and_relevant():
    np.testing.assert_allclose(ndcg(HIT, N_RELEVANT), DCG / IDEAL)
    np.testing.assert_allclose(ndcg(HIT, [2]), DCG / (1 + 1 / math.log2(3)))
    assert ndcg(np.ones((1, 4)), [9]).tolist() == [1]


def test_ndcg_of_one_relevant_item_is_the_discount_of_its_rank():
    np.testing.assert_allclose(ndcg(np.eye(3)), [1, 1 / math.log2(3), 1 / math.log2(4)])


def test_recall_of_one_relevant_item_is_the_hit_rate():
    assert recall([[0, 1, 0], [0, 0, 0]]).tolist() == [1, 0]


@pytest.mark.parametrize("measure", [recall, f1, mrr, average_precision, ndcg])
def test_a_user_with_no_relevant_item_is_nan_and_others_are_not(measure):
    values = measure([[0, 0], [0, 1]], [0, 2])
    assert np.isnan(values).tolist() == [True, False]


def test_count_relevant_leaves_out_the_filling():
    assert count_relevant([[4, 0, 2], [1, -1, -1], [-1, -1, -1]]).tolist() == [3, 1, 0]


def test_mae_is_the_mean_over_the_ratings_that_were_given():
    values = mae([[3.0, 4.0, 1.0], [2.0, 5.0, 1.0]], [[4.0, 4.0, 3.0], [np.nan, np.nan, np.nan]])
    assert values[0] == 1.0
    assert np.isnan(values[1])


def test_mae_equals_sklearn(rng):
    predicted, actual = rng.random((6, 9)) * 5, rng.random((6, 9)) * 5
    np.testing.assert_allclose(mae(predicted, actual), [mean_absolute_error(a, p) for p, a in zip(predicted, actual)])


def test_mae_refuses_a_missing_prediction_and_other_shapes():
    with pytest.raises(DataError, match="a predicted rating is NaN"):
        mae([[np.nan]], [[4.0]])
    with pytest.raises(DataError, match=r"predicted is \(1, 2\) and actual \(1, 1\)"):
        mae([[1.0, 2.0]], [[4.0]])


# Measures against other implementations


def test_ndcg_equals_sklearn(rng):
    scores = rng.random((60, 20))
    relevant = rng.random((60, 20)) < 0.3
    relevant[:, 0] = True
    hit = np.take_along_axis(relevant, np.argsort(-scores, axis=1), axis=1)
    for k in (1, 5, 20):
        expected = [ndcg_score([r], [s], k=k) for r, s in zip(relevant, scores)]
        np.testing.assert_allclose(ndcg(hit[:, :k], relevant.sum(axis=1)), expected, rtol=1e-12)


def test_average_precision_of_the_whole_ranking_equals_sklearn(rng):
    scores = rng.random((60, 20))
    relevant = rng.random((60, 20)) < 0.3
    relevant[:, 0] = True
    hit = np.take_along_axis(relevant, np.argsort(-scores, axis=1), axis=1)
    expected = [average_precision_score(r, s) for r, s in zip(relevant, scores)]
    np.testing.assert_allclose(average_precision(hit, relevant.sum(axis=1)), expected, rtol=1e-12)


@pytest.fixture
def ranx(monkeypatch):
    """The module, as Python: compiling it takes a minute."""
    monkeypatch.setattr(pytest.importorskip("numba").config, "DISABLE_JIT", True)
    return pytest.importorskip("ranx")


def test_all_measures_equal_ranx(lists, ranx):
    ranked, relevant = lists
    qrels = ranx.Qrels({f"u{u}": {f"i{i}": 1 for i in row if i >= 0} for u, row in enumerate(relevant)})
    run = ranx.Run({f"u{u}": {f"i{i}": 10.0 - place for place, i in enumerate(row)} for u, row in enumerate(ranked)})
    hit, n_relevant = hits(ranked, relevant), count_relevant(relevant)
    ours = {
        "precision@10": precision(hit),
        "recall@10": recall(hit, n_relevant),
        "f1@10": f1(hit, n_relevant),
        "mrr@10": mrr(hit, n_relevant),
        "map@10": average_precision(hit, n_relevant),
        "ndcg@10": ndcg(hit, n_relevant),
    }
    ranx.evaluate(qrels, run, list(ours))
    for name, values in ours.items():
        theirs = [run.scores[name][f"u{u}"] for u in range(len(ranked))]
        np.testing.assert_allclose(values, theirs, atol=1e-12, err_msg=name)


# Measures of the lists


def test_coverage_counts_each_item_once_and_no_empty_place():
    assert coverage([[0, 1, -1], [1, 3, 0]], n_items=6) == 3 / 6


def test_diversity_equals_a_loop_over_pairs(lists, rng, monkeypatch):
    ranked, vectors = lists[0], rng.normal(size=(30, 4))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = [np.mean([1 - unit[a] @ unit[b] for a, b in itertools.combinations(row, 2)]) for row in ranked]
    np.testing.assert_allclose(diversity(ranked, vectors), expected)
    monkeypatch.setattr(metrics, "BLOCK", 7)
    np.testing.assert_allclose(diversity(ranked, vectors), expected)


def test_diversity_leaves_out_empty_places_and_needs_two_items():
    vectors = [[1, 0], [0, 2], [0, 0], [5, 0]]
    values = diversity([[0, 1, -1], [0, 3, 1], [3, -1, -1], [0, 2, -1]], vectors)
    np.testing.assert_allclose(values, [1, 2 / 3, np.nan, 1])


def test_novelty_and_popularity_share_by_hand():
    ranked, counts = [[0, 1], [2, -1], [-1, -1]], [8, 2, 0]
    np.testing.assert_allclose(popularity_share(ranked, counts, n_users=8), [(1 + 1 / 4) / 2, 0, np.nan])
    np.testing.assert_allclose(novelty(ranked, counts, n_users=8), [(0 + 2) / 2, 3, np.nan])


# The rank of a target


@pytest.fixture
def contest(rng):
    """Scores with many ties, targets, seen items, and an order of ids that is not the order of positions."""
    scores = rng.integers(0, 4, size=(40, 15)).astype(np.float32)
    targets = rng.integers(15, size=40)
    seen = rng.random((40, 15)) < 0.3
    seen[np.arange(40), targets] = False
    return scores, targets, seen, rng.permutation(15)


def test_target_rank_equals_a_sort_of_the_unseen_items(contest):
    scores, targets, seen, id_order = contest
    expected = []
    for row, target in enumerate(targets):
        unseen = [item for item in range(15) if not seen[row, item]]
        expected.append(sorted(unseen, key=lambda i: (-scores[row, i], id_order[i])).index(target) + 1)
    assert target_rank(*contest).tolist() == expected


def test_the_rank_does_not_depend_on_the_order_of_the_catalog(contest, rng):
    scores, targets, seen, id_order = contest
    shuffle = rng.permutation(15)
    moved = np.argsort(shuffle)[targets]
    ranks = target_rank(scores[:, shuffle], moved, seen[:, shuffle], id_order[shuffle])
    np.testing.assert_array_equal(ranks, target_rank(*contest))


def test_a_seen_target_a_nan_score_and_wrong_shapes_are_refused(contest):
    scores, targets, seen, id_order = contest
    with pytest.raises(DataError, match="a target is among the seen items"):
        target_rank(scores, targets, np.ones_like(seen), id_order)
    with pytest.raises(DataError, match="a score is NaN"):
        target_rank(np.where(seen, np.nan, scores), targets, seen, id_order)
    with pytest.raises(DataError, match=r"scores \(40, 15\).*do not fit"):
        target_rank(scores, targets[:-1], seen, id_order)


def test_sampled_rank_against_all_items_is_the_full_rank(contest, rng):
    for n_negatives in (14, 1000):
        np.testing.assert_array_equal(sampled_rank(*contest, n_negatives, rng), target_rank(*contest))


def test_sampled_rank_uses_all_unseen_items_of_a_user_who_has_too_few():
    scores, seen = np.array([[3.0, 2.0, 1.0, 5.0, 5.0]]), np.array([[False, False, False, True, True]])
    for seed in range(10):
        assert sampled_rank(scores, [2], seen, np.arange(5), 3, np.random.default_rng(seed)).tolist() == [3]


def test_sampled_rank_draws_exactly_n_unseen_items_each_as_often_as_another(rng):
    # The target is worst, so its rank says how many were drawn; item 0 alone is better in a second look.
    scores = np.tile(np.array([[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0]]), (6000, 1))
    seen = np.zeros(scores.shape, dtype=bool)
    seen[:, 6] = True
    targets, order = np.zeros(6000, dtype=int), np.arange(7)
    assert set(sampled_rank(scores, targets, seen, order, 2, rng)) == {3}
    for item in range(1, 6):
        only_item = np.where(np.arange(7) == item, 1.0, -1.0) + 0 * scores
        share = (sampled_rank(only_item, targets, seen, order, 2, rng) == 2).mean()
        assert abs(share - 2 / 5) < 5 * math.sqrt(0.4 * 0.6 / 6000)


def test_sampled_rank_is_the_same_for_the_same_seed_and_not_for_another(contest):
    ranks = [sampled_rank(*contest, 5, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert ranks[0] == ranks[1] != ranks[2]


def test_sampled_rank_needs_a_negative(contest, rng):
    with pytest.raises(DataError, match="n_negatives came as 0"):
        sampled_rank(*contest, 0, rng)


# The three classic faults, planted


@pytest.fixture
def study(rng):
    """(scores with many ties, seen, relevant, order of ids) of 40 users and 25 items; lists of 5, 1 to 7 items relevant."""
    seen = rng.random((40, 25)) < 0.3
    relevant = np.array([rng.permutation(np.flatnonzero(~row))[:7] for row in seen])
    relevant[np.arange(7) >= rng.integers(1, 8, size=40)[:, None]] = -1
    return rng.integers(0, 4, size=(40, 25)) / 4, seen, relevant, rng.permutation(25)


def measured(scores, seen, relevant, order):
    """What our functions say about lists of 5, user by user."""
    hit = hits(ranking.top_k_rows(np.where(seen, -np.inf, scores), 5, order), relevant)
    n_relevant = count_relevant(relevant)
    return {
        "ndcg@5": metrics.ndcg(hit, n_relevant),
        "recall@5": recall(hit, n_relevant),
        "map@5": average_precision(hit, n_relevant),
        "rank": metrics.target_rank(scores, relevant[:, 0], seen, order),
    }


def full_lists(scores, seen, order):
    """For each user all unseen items, best first, sorted one by one."""
    return [
        sorted((item for item in range(25) if not seen[user, item]), key=lambda item: (-row[item], order[item]))
        for user, row in enumerate(scores)
    ]


def by_hand(scores, seen, relevant, order):
    """The same measures from their definitions, for one user after another."""
    found = {"ndcg@5": [], "recall@5": [], "map@5": [], "rank": []}
    for full, row in zip(full_lists(scores, seen, order), relevant):
        wanted = set(row.tolist()) - {-1}
        ranks = [rank for rank, item in enumerate(full[:5], start=1) if item in wanted]
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(5, len(wanted)) + 1))
        found["ndcg@5"].append(sum(1 / math.log2(rank + 1) for rank in ranks) / ideal)
        found["recall@5"].append(len(ranks) / len(wanted))
        found["map@5"].append(sum(nth / rank for nth, rank in enumerate(ranks, start=1)) / len(wanted))
        found["rank"].append(full.index(row[0]) + 1)
    return found


def by_ranx(ranx, scores, seen, relevant, order):
    """Those that ranx knows; it gets the items in order, because it leaves the order of ties open."""
    lists = full_lists(scores, seen, order)
    runs = {f"u{u}": {f"i{i}": -float(at) for at, i in enumerate(row)} for u, row in enumerate(lists)}
    qrels = {f"u{u}": {f"i{i}": 1 for i in row if i >= 0} for u, row in enumerate(relevant)}
    run, names = ranx.Run(runs), ["ndcg@5", "recall@5", "map@5"]
    ranx.evaluate(ranx.Qrels(qrels), run, names)
    return {name: [run.scores[name][user] for user in runs] for name in names}


def assert_equal(ours, oracle):
    """Every measure of the oracle is ours, for every user."""
    for name, values in oracle.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-12, err_msg=name)


def test_lists_and_measures_together_equal_ranx_and_the_definitions(study, ranx):
    assert_equal(measured(*study), by_hand(*study))
    assert_equal(measured(*study), by_ranx(ranx, *study))


FAULTS = {
    "an ideal of always k items": (metrics, "ndcg", "np.minimum(n_relevant, hit.shape[1])", "hit.shape[1]"),
    "an ideal of one item": (metrics, "ndcg", "np.minimum(n_relevant, hit.shape[1])", "1"),
    "no ideal": (metrics, "ndcg", "ideal[np.minimum(n_relevant, hit.shape[1])]", "1"),
    "ties by position in a list": (ranking, "first_k", "(ids, -values, rows)", "(-values, rows)"),
    "ties by position in a rank": (metrics, "target_rank", "id_order < id_order[column]", "np.arange(25) < column"),
    "ties lost by the target": (metrics, "target_rank", "& (id_order < id_order[column])", ""),
    "seen items in a list": (ranking, "top_k_rows", "listed(scores,", "listed(np.where(np.isinf(scores), 1, scores),"),
    "seen items in a rank": (metrics, "target_rank", "ahead & ~seen", "ahead"),
}


@pytest.mark.parametrize("module, function, right, wrong", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found_by_the_oracles(module, function, right, wrong, study, ranx, monkeypatch):
    source = inspect.getsource(getattr(module, function))
    assert source.count(right) == 1
    faulty = dict(vars(module))
    exec(source.replace(right, wrong), faulty)
    monkeypatch.setattr(module, function, faulty[function])
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_equal(measured(*study), by_hand(*study))
    if function != "target_rank":  # ranx knows no rank of one target
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_equal(measured(*study), by_ranx(ranx, *study))


def test_a_model_that_gives_every_item_the_same_score_gains_nothing_from_the_order_of_the_table():
    constant, unseen, order = np.zeros((3, 4)), np.zeros((3, 4), dtype=bool), np.array([3, 2, 1, 0])
    assert target_rank(constant, [0, 0, 0], unseen, order).tolist() == [4, 4, 4]
    assert ranking.top_k_rows(constant, 2, order).tolist() == [[3, 2]] * 3


# Intervals


KINDS = {"all differ": lambda u: u, "0 or 1": lambda u: u < 0.2, "three values": lambda u: np.floor(u * 3) ** 3}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_bootstrap_interval_of_a_mean_is_close_to_two_standard_errors(kind, rng):
    values = kind(rng.random(400)).astype(float)
    interval = bootstrap_interval(values)
    error = values.std() / math.sqrt(400)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_the_bootstrap_is_repeatable_and_its_seed_matters(rng):
    values = rng.random(50)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_the_bootstrap_leaves_out_users_who_could_not_be_measured(rng):
    values = rng.random(50)
    assert bootstrap_interval(np.insert(values, [3, 9], np.nan)) == bootstrap_interval(values)


def test_the_bootstrap_refuses_to_measure_nobody():
    for nobody in ([], [np.nan]):
        with pytest.raises(DataError, match="no user has a value"):
            bootstrap_interval(nobody)


def test_a_paired_interval_is_narrower_than_its_parts_and_has_the_sign_of_the_difference(rng):
    easy = rng.random(200)  # users differ much, the models little
    a, b = easy + 0.02 + 0.01 * rng.normal(size=200), easy
    difference, alone = paired_interval(a, b), bootstrap_interval(a)
    assert difference.mean == pytest.approx((a - b).mean())
    assert difference.low > 0
    assert difference.high - difference.low < 0.2 * (alone.high - alone.low)
    assert paired_interval(b, a).high < 0


def test_a_pair_is_left_out_if_either_is_nan():
    assert paired_interval([1.0, np.nan, 3.0], [0.0, 0.0, np.nan]).mean == 1.0


def test_a_paired_interval_refuses_other_users():
    with pytest.raises(DataError, match=r"a has shape \(2,\) and b \(1,\)"):
        paired_interval([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    "low, high, excludes",
    [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.1, False), (-0.1, 0.0, False)],
)
def test_an_interval_that_touches_zero_does_not_exclude_it(low, high, excludes):
    assert metrics.Interval((low + high) / 2, low, high).excludes_zero is excludes
