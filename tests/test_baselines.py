"""Each baseline equals its published formula, written out slowly, and all keep one contract."""

import copy

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from llmrec_lab import baselines
from llmrec_lab.baselines import EASE, CoViewing, ItemKNN, MarkovChain, Popularity, RecentPopularity
from llmrec_lab.catalog import Histories
from llmrec_lab.errors import DataError

MODELS = [
    Popularity(),
    RecentPopularity(moments=7, half_life=2),
    ItemKNN(k=3),
    ItemKNN(k=3, half_life=2),
    CoViewing(window=4),
    EASE(regularization=2.0),
    EASE(regularization=2.0, half_life=2, window=4, max_items=9),
    MarkovChain(),
]
each_model = pytest.mark.parametrize("model", [copy.copy(m) for m in MODELS], ids=str)


def histories_of(*items, n_items):
    """Histories of users u0, u1, ... from their lists of items."""
    starts = np.cumsum([0, *map(len, items)])
    flat = np.array([item for one in items for item in one], dtype=int)
    return Histories(np.array([f"u{i}" for i in range(len(items))]), flat, np.arange(len(flat)), starts, n_items)


@pytest.fixture
def histories(tiny):
    catalog, interactions = tiny
    return interactions.histories(catalog)


@pytest.fixture
def crowd(rng):
    """40 users, 23 items; some items popular, some met by nobody, some users empty, some events repeated."""
    share = 1 / np.arange(21, 0, -1)  # the popular ones stand last, so that no prefix passes for them
    lists = [rng.choice(21, size=rng.integers(0, 12), p=share / share.sum()).tolist() for _ in range(40)]
    assert any(len(set(one)) < len(one) for one in lists) and [] in lists
    return histories_of(*lists, n_items=23)


def ease_as_published(matrix, regularization):
    """The five lines of the paper, in double precision."""
    gram = matrix.T @ matrix
    inverse = np.linalg.inv(gram + regularization * np.eye(len(gram)))
    return np.eye(len(gram)) - inverse @ np.diag(1 / np.diag(inverse))


def markov_by_loops(histories, steps):
    """Every pair and every recent item, one at a time."""
    follows, scores = np.zeros((histories.n_items,) * 2), np.zeros((len(histories), histories.n_items))
    for row in range(len(histories)):
        items = histories.of(row)
        for here in range(len(items)):
            for step in range(1, steps + 1):
                if here + step < len(items):
                    follows[items[here], items[here + step]] += 1 / step
    follows /= np.sqrt(np.maximum(np.bincount(histories.items, minlength=histories.n_items), 1))[:, None]
    for row in range(len(histories)):
        for place, item in enumerate(histories.of(row)[::-1][:steps], start=1):
            scores[row] += follows[item] / place
    return scores


# Each model against its definition


def test_popularity_is_the_share_of_users_who_met_the_item(histories):
    scores = Popularity().fit(histories).scores(histories)
    np.testing.assert_allclose(scores, np.tile([3 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 3], (3, 1)), rtol=1e-6)


def test_popularity_counts_a_user_once():
    histories = histories_of([1, 1, 1], [0], n_items=2)
    assert Popularity().fit(histories).scores(histories)[0].tolist() == [0.5, 0.5]


def test_item_knn_of_bo_is_the_cosine_to_alien(histories):
    # Alien was met by 3, Blade Runner by 2, both by 2: 2 / sqrt(3 * 2). The others were met by 1: 1 / sqrt(3 * 1).
    scores = ItemKNN(k=4).fit(histories).scores(histories)
    np.testing.assert_allclose(scores[1], [0, 2 / 6**0.5, 1 / 3**0.5, 1 / 3**0.5, 1 / 3**0.5], rtol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 100])
def test_item_knn_sums_the_cosines_of_the_k_nearest(crowd, k):
    liked = crowd.matrix().toarray()
    cosine = cosine_similarity(liked.T.astype(float))
    np.fill_diagonal(cosine, 0)
    for candidate in range(crowd.n_items):
        farther = sorted(range(crowd.n_items), key=lambda i: (-round(cosine[i, candidate], 6), i))[k:]
        cosine[farther, candidate] = 0
    np.testing.assert_allclose(ItemKNN(k).fit(crowd).scores(crowd), liked @ cosine, atol=1e-5)


def test_item_knn_keeps_k_items_for_each_candidate(crowd):
    weights = ItemKNN(k=3).fit(crowd).weights.toarray()
    assert (weights > 0).sum(axis=0).max() == 3
    assert (weights > 0).sum(axis=1).max() > 3
    assert (weights.diagonal() == 0).all()


@pytest.mark.parametrize("regularization", [0.5, 100.0])
def test_ease_equals_the_published_formula(crowd, regularization):
    expected = ease_as_published(crowd.matrix().toarray().astype(float), regularization)
    model = EASE(regularization).fit(crowd)
    np.testing.assert_allclose(model.weights, expected, atol=1e-5)
    np.testing.assert_allclose(model.scores(crowd), crowd.matrix() @ expected, atol=1e-4)


def test_ease_weights_are_not_symmetric_and_their_diagonal_is_zero(crowd):
    weights = EASE(1.0).fit(crowd).weights
    assert (weights.diagonal() == 0).all()
    assert np.abs(weights - weights.T).max() > 0.01


def test_ease_with_two_items_by_hand():
    # The Gram matrix [[2, 1], [1, 1]] + 1 on the diagonal is [[3, 1], [1, 2]], its inverse [[2, -1], [-1, 3]] / 5.
    histories = histories_of([0, 1], [0], n_items=2)
    np.testing.assert_allclose(EASE(1.0).fit(histories).weights, [[0, 1 / 3], [1 / 2, 0]], atol=1e-6)


def test_ease_says_when_the_regularization_is_too_small():
    twins = histories_of([0, 1], [0, 1], n_items=2)  # two equal columns: the Gram matrix has no inverse
    with pytest.raises(DataError, match=r"EASE\(regularization=1e-12, .*raise the regularization"):
        EASE(1e-12).fit(twins)


@pytest.mark.parametrize("half_life", [0.5, 3.0])
def test_with_a_half_life_the_latest_items_count_most(crowd, half_life):
    profile = np.zeros((len(crowd), crowd.n_items))
    for row in range(len(crowd)):
        for place, item in enumerate(crowd.of(row)[::-1]):
            profile[row, item] += 0.5 ** (place / half_life)
    for model in (EASE(2.0), ItemKNN(k=3)):
        weights = model.fit(crowd).weights
        aged = type(model)(model.regularization if type(model) is EASE else model.k, half_life=half_life).fit(crowd)
        np.testing.assert_allclose(aged.scores(crowd), profile @ weights, atol=1e-5)


def neighbors_by_loops(histories, window):
    """The Gram matrices of all stretches of `window` places, over the ends too, added and divided by `window`."""
    total = np.zeros((histories.n_items,) * 2)
    for row in range(len(histories)):
        items = histories.of(row)
        for start in range(1 - window, len(items)):
            stretch = items[max(start, 0) : start + window]
            counts = np.bincount(stretch, minlength=histories.n_items)
            same = np.zeros((histories.n_items,) * 2)
            np.add.at(same, (stretch[:, None], stretch[None, :]), 1)
            assert same.sum() == counts.sum() ** 2
            total += same
    return total / window


@pytest.mark.parametrize("window", [1, 3, 50])
def test_neighbors_are_counted_as_in_all_stretches_of_a_history(crowd, window):
    found = baselines.neighbor_counts(crowd, window).toarray()
    np.testing.assert_allclose(found, neighbors_by_loops(crowd, window), rtol=1e-5, atol=1e-5)
    assert np.linalg.eigvalsh(found).min() > -1e-4


def test_ease_of_neighbors_is_the_published_formula_on_their_counts(crowd):
    counts = neighbors_by_loops(crowd, 4)
    inverse = np.linalg.inv(counts + 2.0 * np.eye(len(counts)))
    expected = np.eye(len(counts)) - inverse / inverse.diagonal()
    np.testing.assert_allclose(EASE(2.0, window=4).fit(crowd).weights, expected, atol=1e-5)


def test_ease_of_many_items_is_ease_of_the_most_popular_alone(crowd):
    popular = np.sort(np.argsort(-np.asarray(crowd.matrix().sum(axis=0))[0], kind="stable")[:9])
    expected = np.zeros((len(crowd), crowd.n_items))
    liked = crowd.matrix().toarray()[:, popular].astype(float)
    expected[:, popular] = liked @ ease_as_published(liked, 2.0)
    np.testing.assert_allclose(EASE(2.0, max_items=9).fit(crowd).scores(crowd), expected, atol=1e-5)


@pytest.mark.parametrize("cost", [0, np.inf])
def test_the_gram_matrix_is_the_same_by_sparse_and_by_dense_products(crowd, monkeypatch, cost):
    monkeypatch.setattr(baselines, "PAIR_COST", cost)
    users = crowd.matrix()
    np.testing.assert_array_equal(baselines.lower_gram(users), np.tril((users.T @ users).toarray()))


def test_a_matrix_larger_than_a_block_is_mirrored(monkeypatch, rng):
    monkeypatch.setattr(baselines, "BLOCK", 4)
    square = rng.normal(size=(11, 11))
    expected = np.tril(square) + np.tril(square, -1).T
    baselines.mirror_lower(square)
    np.testing.assert_array_equal(square, expected)


@pytest.mark.parametrize("window", [2, 5])
def test_co_viewing_is_the_cosine_of_neighbor_counts(crowd, window):
    counts = neighbors_by_loops(crowd, window)
    np.fill_diagonal(counts, 0)
    met = np.maximum(crowd.matrix().sum(axis=0), 1)
    expected = counts / np.sqrt(np.asarray(met).T @ np.asarray(met))
    np.testing.assert_allclose(CoViewing(window).fit(crowd).weights.toarray(), expected, rtol=1e-5, atol=1e-6)


def test_recent_popularity_knows_nothing_of_what_came_later():
    # Item 0 was met early, item 1 in the middle by the user who is asked, item 2 later.
    histories = Histories(np.array(["a", "b", "c"]), np.array([0, 1, 2]), np.array([0, 500, 999]), np.arange(4), 3)
    scores = RecentPopularity(moments=10, half_life=5).fit(histories).scores(histories)
    np.testing.assert_allclose(scores[0], 0)
    np.testing.assert_allclose(scores[1], [np.log1p(0.5 ** (4 / 5)), 0, 0], rtol=1e-6)


def test_recent_popularity_halves_and_adds_up():
    times = np.array([0, 0, 50, 100])
    histories = Histories(np.array(["a", "b", "c", "d"]), np.array([0, 0, 1, 2]), times, np.arange(5), 3)
    model = RecentPopularity(moments=10, half_life=2).fit(histories)
    nobody = Histories(np.array(["new"]), np.array([], dtype=int), np.array([], dtype=int), np.array([0, 0]), 3)
    expected = np.log1p([2 * 0.5**5, 0.5 ** (5 / 2), 1])
    np.testing.assert_allclose(model.scores(nobody)[0], expected, rtol=1e-5)


def test_recent_popularity_of_events_at_one_time_is_popularity_for_newcomers():
    histories = Histories(np.array(["a", "b", "c"]), np.array([0, 1, 1]), np.array([7, 7, 7]), np.arange(4), 2)
    model = RecentPopularity().fit(histories)
    assert model.scores(histories.take(np.zeros(3, dtype=bool)))[0].argmax() == 1
    assert not model.scores(histories).any()


@pytest.mark.parametrize("make", [RecentPopularity, CoViewing, EASE, ItemKNN])
def test_a_half_life_that_is_not_above_zero_is_refused(make):
    for bad in (0, -1.0, float("nan")):
        with pytest.raises(DataError, match="half_life.*pass a number above zero"):
            make(half_life=bad)


def test_markov_of_bo_counts_what_followed_alien(histories):
    # Ada: Alien, Blade Runner, Spirited Away. Chen: Alien, Blade Runner, Totoro, Amélie. Alien was met 3 times.
    scores = MarkovChain().fit(histories).scores(histories)
    np.testing.assert_allclose(scores[1], np.array([0, 2, 1 / 2, 1 / 2, 1 / 3]) / 3**0.5, rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 3, 50])
def test_markov_equals_a_loop_over_all_pairs(crowd, steps):
    scores = MarkovChain(steps).fit(crowd).scores(crowd)
    np.testing.assert_allclose(scores, markov_by_loops(crowd, steps), rtol=1e-5, atol=1e-6)


def test_markov_never_pairs_the_items_of_two_users():
    histories = histories_of([0], [1], n_items=2)
    assert MarkovChain().fit(histories).weights.nnz == 0


def test_markov_depends_on_the_order_and_ease_does_not():
    one, other = histories_of([0, 1, 2], [1], n_items=3), histories_of([2, 1, 0], [1], n_items=3)
    assert not np.allclose(MarkovChain().fit(one).scores(one), MarkovChain().fit(other).scores(other))
    np.testing.assert_array_equal(EASE(1.0).fit(one).scores(one), EASE(1.0).fit(other).scores(other))


# The contract of all models


@each_model
def test_scores_are_float32_with_a_row_per_user_and_a_column_per_item(model, histories):
    scores = model.fit(histories).scores(histories)
    assert isinstance(scores, np.ndarray)
    assert (scores.shape, scores.dtype) == ((3, 5), np.float32)


@each_model
def test_fit_returns_the_model(model, histories):
    assert model.fit(histories) is model


@each_model
def test_users_it_was_not_fitted_on_get_scores(model, histories):
    model.fit(histories)
    newcomer = histories.of_users(["ada"])
    newcomer = Histories(np.array(["new"]), newcomer.items, newcomer.timestamps, newcomer.starts, 5)
    np.testing.assert_allclose(model.scores(newcomer)[0], model.scores(histories)[0], rtol=1e-6)


@each_model
def test_an_empty_history_gets_zeros_or_popularity(model, histories):
    scores = model.fit(histories).scores(histories_of([], n_items=5))[0]
    if isinstance(model, Popularity):
        np.testing.assert_allclose(scores, [1, 2 / 3, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6)
    else:
        assert (scores > 0).all() if isinstance(model, RecentPopularity) else not scores.any()


@each_model
def test_fitting_on_nothing_gives_zeros(model):
    for nothing in (histories_of(n_items=4), histories_of([], [], n_items=4)):
        assert not model.fit(nothing).scores(histories_of([2], n_items=4)).any()


@each_model
def test_scores_change_neither_the_model_nor_the_histories(model, crowd):
    before = copy.deepcopy(crowd)
    model.fit(crowd)
    first = model.scores(crowd)
    kept = first.copy()
    first[:] = -1  # a caller may write into what it got
    np.testing.assert_array_equal(model.scores(crowd), kept)
    np.testing.assert_array_equal(crowd.items, before.items)
    np.testing.assert_array_equal(crowd.starts, before.starts)


@each_model
def test_the_order_of_users_changes_nothing(model, crowd):
    order = np.random.default_rng(5).permutation(len(crowd))
    shuffled = crowd.of_users(crowd.user_ids[order])
    scores = model.fit(crowd).scores(crowd)
    np.testing.assert_array_equal(model.fit(shuffled).scores(shuffled), scores[order])


@each_model
def test_small_blocks_give_the_same_scores(model, crowd, monkeypatch):
    whole = model.fit(crowd).scores(crowd)
    monkeypatch.setattr(baselines, "BLOCK", 7)
    np.testing.assert_allclose(model.fit(crowd).scores(crowd), whole, atol=1e-6)


@each_model
def test_scores_before_fit_say_what_to_do(model, histories):
    with pytest.raises(DataError, match=rf"{type(model).__name__}\(.*call fit\(histories\)"):
        type(model)().scores(histories)


@each_model
def test_histories_of_another_catalog_are_refused(model, histories):
    with pytest.raises(DataError, match="histories of 6 items; .* knows 5; use the catalog of fit"):
        model.fit(histories).scores(histories_of([0], n_items=6))


@each_model
def test_a_table_instead_of_histories_is_refused(model, tiny):
    with pytest.raises(DataError, match="Interactions came; Histories expected"):
        model.fit(tiny[1])


@pytest.mark.parametrize("model", [ItemKNN, EASE, MarkovChain, CoViewing, RecentPopularity])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_settings_must_be_above_zero(model, value):
    with pytest.raises(DataError, match=rf"{model.__name__}\(\w+\) came as {value}"):
        model(value)
