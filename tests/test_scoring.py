"""A score is the sum of its parts, and the weights of the parts are the best there are."""

import copy

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics.pairwise import cosine_similarity

from llmrec_lab.interests import Interests, build_concepts, decompose_history, decompose_text, unit_rows
from llmrec_lab.scoring import RIDGE, HistoryText, cosine, interest_scores, learn_weights, standardize, wish_parts


@pytest.fixture
def world(tiny, word_counts):
    """(item vectors, concepts) of the tiny world."""
    vectors = unit_rows(word_counts.encode(tiny[0].texts))
    return vectors, build_concepts(tiny[0], word_counts, vectors)


# Cosine


def test_cosine_by_hand():
    assert cosine([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(130 / (55 * 330) ** 0.5)
    assert cosine([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(0.96495, abs=5e-6)
    assert cosine([1, 0], [0, 1]) == 0 and cosine([1, 1], [-2, -2]) == pytest.approx(-1)


def test_cosine_with_a_zero_vector_is_0():
    assert cosine([0, 0], [1, 2]) == 0 and cosine([0.0, 0.0], [0.0, 0.0]) == 0


def test_cosine_equals_scikit_learn(rng):
    a, b = rng.normal(size=(5, 7)), rng.normal(size=(3, 7))
    np.testing.assert_allclose(cosine(a[:, None], b[None]), cosine_similarity(a, b))


def test_cosine_broadcasts_one_vector_to_many(rng):
    a, b = rng.normal(size=(4, 6)), rng.normal(size=6)
    assert cosine(a, b).shape == cosine(b, a).shape == (4,)
    np.testing.assert_allclose(cosine(a, b), [cosine(row, b) for row in a])


def test_cosine_does_not_depend_on_length(rng):
    a, b = rng.normal(size=(2, 6))
    assert cosine(1e-6 * a, 1e6 * b) == pytest.approx(cosine(a, b))


# Parts of a wish


@pytest.mark.parametrize("text", ["horror", "comedy, animation", "science fiction and romance, but no horror", "Paris"])
def test_parts_of_a_wish_sum_to_its_interests_weighted_scores(text, world, word_counts):
    vectors, concepts = world
    found = decompose_text(text, word_counts, concepts)
    parts = wish_parts(found, concepts, vectors, facet_weight=0.5)
    assert parts.values.shape == (5, len(parts.names))
    each = interest_scores(found, concepts, vectors, facet_weight=0.5)
    assert each.shape == (len(found), 5)
    np.testing.assert_allclose(parts.values.sum(axis=1), found.weights @ each, atol=1e-6)


def test_parts_of_a_wish_with_uneven_weights_sum_too(world, word_counts):
    vectors, concepts = world
    even = decompose_text("comedy, animation, but no horror", word_counts, concepts)
    found = Interests(even.labels, even.vectors, np.array([0.9, 0.1]), even.codes, even.avoid)
    parts = wish_parts(found, concepts, vectors, 0.7)
    np.testing.assert_allclose(
        parts.values.sum(axis=1), found.weights @ interest_scores(found, concepts, vectors, 0.7), atol=1e-6
    )


def test_each_part_is_its_definition(world, word_counts, tiny):
    vectors, concepts = world
    found = decompose_text("comedy, but no horror", word_counts, concepts)
    parts = dict(zip(*(lambda p: (p.names, p.values.T))(wish_parts(found, concepts, vectors, facet_weight=0.5))))
    np.testing.assert_allclose(parts["meaning of “comedy”"], cosine(vectors, found.vectors[0]), atol=1e-6)
    np.testing.assert_allclose(parts["not genre horror"], [-1, 0, 0, 0, 0])  # twice 0.5, for Alien
    share = 0.5 * found.codes[0, concepts.names.index("genre comedy")]
    np.testing.assert_allclose(parts["genre comedy"], [0, 0, 0, 0, share])
    assert share > 0


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


# Weights


def mean_loss(candidates, weights):
    """The mean of -log softmax of the first candidate, with the ridge."""
    return -log_softmax(candidates @ weights, axis=1)[:, 0].mean() + RIDGE * np.sum(np.square(weights))


def problem(rng, useful, n_users=200, n_candidates=20):
    """Random parts; the first candidate's part p is raised by useful[p]."""
    candidates = rng.normal(size=(n_users, n_candidates, len(useful)))
    candidates[:, 0] += useful
    return candidates


@pytest.mark.parametrize("useful", [(1.0, 0.4), (0.0, 0.8), (-0.5, 0.6)])
def test_learned_weights_are_the_best_of_a_fine_grid(rng, useful):
    candidates = problem(rng, useful)
    steps = np.arange(0, 2.001, 0.05)
    losses = np.array([[mean_loss(candidates, np.array([a, b])) for b in steps] for a in steps])
    best = np.unravel_index(losses.argmin(), losses.shape)
    found = learn_weights(candidates)
    np.testing.assert_allclose(found, steps[list(best)], atol=0.05)
    assert mean_loss(candidates, found) <= losses.min() + 1e-7


def test_a_planted_part_gets_its_weight_and_noise_gets_little(rng):
    noise, useful = learn_weights(problem(rng, (0.0, 1.5), n_users=1000))
    assert useful > 1.2 and noise < 0.1


def test_a_harmful_part_gets_exactly_zero(rng):
    assert learn_weights(problem(rng, (1.0, -1.0, 0.5)))[1] == 0


def test_weights_stay_finite_where_the_best_item_always_wins():
    candidates = np.zeros((3, 4, 1))
    candidates[:, 0] = 1.0
    grid = np.arange(0, 20, 0.01)
    best = grid[np.argmin(np.log(1 + 3 * np.exp(-grid)) + 1e-3 * grid**2)]  # without the second term the best is infinite
    np.testing.assert_allclose(learn_weights(candidates), [best], atol=0.05)


def test_learning_weights_changes_nothing_and_repeats(rng):
    candidates = problem(rng, (1.0, 0.4))
    before = candidates.copy()
    np.testing.assert_array_equal(learn_weights(candidates), learn_weights(candidates))
    np.testing.assert_array_equal(candidates, before)


# The text of a history


def test_history_text_is_the_weighted_sum_of_cosines_to_the_interests(tiny, world):
    vectors, _ = world
    catalog, interactions = tiny
    histories = interactions.histories(catalog)
    model = HistoryText(vectors, catalog.titles)
    found = model.fit(histories).scores(histories)
    assert found.shape == (3, 5)
    for row in range(3):
        _, centers, weights = decompose_history(histories.of(row), vectors, catalog.titles)
        expected = sum(weight * cosine(vectors, center) for weight, center in zip(weights, centers))
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_history_text_of_an_empty_history_is_zero_and_nothing_changes(tiny, world):
    vectors, _ = world
    catalog, interactions = tiny
    histories = interactions.histories(catalog)
    before = copy.deepcopy(histories), vectors.copy()
    nobody = histories.take(np.zeros(len(histories.items), dtype=bool))
    assert not HistoryText(vectors, catalog.titles).scores(nobody).any()
    HistoryText(vectors, catalog.titles).scores(histories)
    np.testing.assert_array_equal(histories.items, before[0].items)
    np.testing.assert_array_equal(vectors, before[1])
