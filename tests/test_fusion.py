"""The fusion: weights that rank what was met first, learned on what the parts have not seen."""

import numpy as np
import pytest
from scipy.special import expit

from llmrec_lab.baselines import EASE, MarkovChain, Popularity
from llmrec_lab.catalog import Histories
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.errors import DataError
from llmrec_lab.fusion import RIDGE, SEEN, Fusion, FusionConfig, learn_weights, standardize, standardize_columns
from llmrec_lab.metrics import hits_from_ranks, ndcg, target_rank


class Planted:
    """Scores a given table, whoever asks; counts what it was fitted on."""

    def __init__(self, table):
        self.table, self.fitted_on = table, []

    def fit(self, histories):
        self.fitted_on.append(len(histories.items))
        return self

    def scores(self, histories):
        return self.table[[int(user[1:]) for user in histories.user_ids]]


@pytest.fixture
def cyclists(rng):
    """80 users who go around 40 items from a random start, with a stumble now and then; seven items each."""
    lists = (rng.integers(40, size=(80, 1)) + np.arange(7) + (rng.random((80, 7)) < 0.1)) % 40
    users = np.array([f"u{row:02}" for row in range(80)], dtype=object)
    return Histories(users, lists.ravel(), np.arange(560), np.arange(0, 561, 7), 40)


# Standardized scores


def test_standardized_scores_have_mean_0_and_deviation_1(rng):
    scores = rng.normal(3, 5, size=(4, 50))
    found = standardize(scores)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(found.argsort(axis=1), scores.argsort(axis=1))


def test_standardizing_depends_on_the_user_alone(rng):
    scores = rng.normal(size=(4, 20))
    np.testing.assert_array_equal(standardize(scores)[[2]], standardize(scores[[2]]))


def test_equal_scores_become_zeros_and_the_argument_is_left_alone():
    scores = np.full((2, 3), 7.0)
    assert not standardize(scores).any() and (scores == 7).all()


def test_standardized_columns_sum_to_the_standardized_sum(rng):
    columns = rng.normal(size=(20, 3))
    np.testing.assert_allclose(standardize_columns(columns).sum(axis=1), standardize(columns.sum(axis=1)[None])[0])
    np.testing.assert_allclose(standardize_columns(columns).mean(axis=0), 0, atol=1e-12)
    assert not standardize_columns(np.ones((4, 2))).any()


# Weights


def problem(rng, useful, n_users=200, n_candidates=20):
    """Random parts; the first candidate's part p is raised by useful[p]."""
    candidates = rng.normal(size=(n_users, n_candidates, len(useful)))
    candidates[:, 0] += useful
    return candidates


def loss(candidates, weights):
    """The definition, one query at a time."""
    found = []
    for query in candidates:
        rank = 1 + sum(expit((rival - query[0]) @ weights) for rival in query[1:])
        found.append(1 / np.log2(1 + rank))
    return RIDGE * np.sum(np.square(weights)) - np.mean(found)


@pytest.mark.parametrize("useful", [(1.0, 0.4), (0.0, 0.8), (-0.5, 0.6)])
def test_learned_weights_are_as_good_as_any_of_a_grid(rng, useful):
    candidates = problem(rng, useful)
    steps = [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8]
    best = min(loss(candidates, np.array([a, b])) for a in steps for b in steps)
    assert loss(candidates, learn_weights(candidates)) <= best + 1e-6


def test_a_planted_part_gets_its_weight_and_noise_gets_little(rng):
    noise, useful = learn_weights(problem(rng, (0.0, 1.5), n_users=1000))
    assert noise < 0.1 * useful


def test_a_harmful_part_gets_exactly_zero(rng):
    assert learn_weights(problem(rng, (1.0, -1.0, 0.5)))[1] == 0


def test_a_target_that_no_slate_would_show_does_not_spoil_the_weights():
    # In nine queries the first part ranks the target first of 50, in the tenth last, far behind. The second part is steady
    # and mediocre: it ranks it tenth. A likelihood would give up the first part for the sake of the tenth query.
    candidates = np.zeros((10, 50, 2))
    candidates[:9, 0, 0], candidates[9, 0, 0] = 3.0, -30.0
    candidates[:, :10, 1] = np.linspace(0.9, 1.0, 10)
    first, second = learn_weights(candidates)
    assert first > 1 and (candidates[:9] @ [first, second]).argmax(axis=1).tolist() == [0] * 9


def test_weights_stay_finite_where_the_best_item_always_wins():
    candidates = np.zeros((3, 4, 1))
    candidates[:, 0] = 1.0
    grid = np.arange(0, 40, 0.01)
    best = grid[np.argmin([loss(candidates[:1], np.array([weight])) for weight in grid])]
    np.testing.assert_allclose(learn_weights(candidates), [best], atol=0.1)


def test_learning_weights_changes_nothing_and_repeats(rng):
    candidates = problem(rng, (1.0, 0.4))
    before = candidates.copy()
    np.testing.assert_array_equal(learn_weights(candidates), learn_weights(candidates))
    np.testing.assert_array_equal(candidates, before)


# The fusion


def test_its_score_is_the_weighted_sum_of_standardized_parts(cyclists):
    fusion = Fusion({"next": MarkovChain(), "popular": Popularity(), "together": EASE()}).fit(cyclists)
    expected = sum(w * standardize(part.scores(cyclists)) for w, part in zip(fusion.weights, fusion.parts.values()))
    np.testing.assert_allclose(fusion.scores(cyclists), expected, atol=1e-6)


def test_the_weights_are_learned_without_the_last_item_and_the_parts_fitted_with_it(cyclists):
    part = Planted(np.zeros((80, 40)))
    Fusion({"planted": part}).fit(cyclists)
    assert part.fitted_on == [6 * 80, 7 * 80]


def test_few_users_with_long_histories_are_asked_for_three_items_each():
    lists = np.tile(np.arange(15), (4, 1))
    part = Planted(np.zeros((4, 40)))
    users = np.array([f"u{row}" for row in range(4)], dtype=object)
    Fusion({"planted": part}).fit(Histories(users, lists.ravel(), np.arange(60), np.arange(0, 61, 15), 40))
    assert part.fitted_on == [12 * 4, 15 * 4]


def test_a_part_that_knows_the_last_item_takes_all(cyclists, rng):
    table = np.zeros((80, 40))
    table[np.arange(80), cyclists.items[6::7]] = 1.0
    knows, guesses = Fusion({"knows": Planted(table), "guesses": Planted(rng.random((80, 40)))}).fit(cyclists).weights
    assert knows > 1 and guesses < 0.1 * knows


def test_the_fusion_ranks_no_worse_than_its_best_part(cyclists):
    split = leave_last_out(cyclists)
    asked, seen = split.train.of_users(split.train.user_ids[split.rows]), split.seen()

    def quality(model):
        ranks = target_rank(np.round(model.fit(split.train).scores(asked), 6), split.targets, seen, np.arange(40))
        return ndcg(hits_from_ranks(ranks, 10)).mean()

    parts = {"next": MarkovChain(steps=1), "popular": Popularity()}
    assert quality(Fusion(parts)) >= max(map(quality, parts.values())) > 0.5


def test_seen_items_are_no_rivals(cyclists):
    fusion = Fusion({"planted": Planted(standardize(np.tile(np.arange(40.0), (80, 1))))}, config=FusionConfig(candidates=39))
    split = leave_last_out(cyclists)
    found = fusion.compared(split, np.arange(3))  # (3, 40, 1)
    assert (found == SEEN).sum(axis=(1, 2)).tolist() == [len(set(cyclists.of(split.rows[row])[:6])) for row in range(3)]
    assert found[:, 0, 0].tolist() == pytest.approx(standardize(np.arange(40.0)[None])[0, split.targets[:3]].tolist())


def test_a_least_weight_is_kept(cyclists):
    harmful = np.zeros((80, 40))
    harmful[np.arange(80), [cyclists.of(row)[-1] for row in range(80)]] = -1  # the item that comes next stands last
    parts = {"next": MarkovChain(), "harmful": Planted(harmful)}
    assert Fusion(parts).fit(cyclists).weights[1] == 0
    assert Fusion(parts, least={"harmful": 0.01}).fit(cyclists).weights[1] == 0.01


def test_given_weights_spare_the_learning(cyclists):
    part = Planted(np.zeros((80, 40)))
    fusion = Fusion({"planted": part}).fit(cyclists, weights=[2.0])
    assert fusion.weights.tolist() == [2.0] and part.fitted_on == [7 * 80]


def test_users_whom_nothing_can_be_asked_leave_equal_weights():
    histories = Histories(np.array(["u0", "u1"]), np.array([0, 1]), np.array([1, 2]), np.arange(3), 3)
    assert Fusion({"a": Popularity(), "b": MarkovChain()}).fit(histories).weights.tolist() == [1, 1]


def test_scores_before_fit_say_what_to_do(cyclists):
    with pytest.raises(DataError, match=r"call fit\(histories\) before scores"):
        Fusion({"popular": Popularity()}).scores(cyclists)
