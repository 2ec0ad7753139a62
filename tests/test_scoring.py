"""A score is the sum of its parts, and the weights of the parts are the best there are."""

import copy

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from llmrec_lab.errors import DataError
from llmrec_lab.interests import Interests, build_concepts, decompose_history, decompose_text, unit_rows
from llmrec_lab.scoring import (
    ROWS,
    HistoryText,
    contributions,
    cosine,
    exact_products,
    gram_cosine,
    interest_scores,
    wish_parts,
)


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


# The cosine from coefficients


def test_gram_cosine_is_the_cosine_of_the_sums(rng):
    a, b, directions = rng.normal(size=(20, 4)), rng.normal(size=(20, 4)), rng.normal(size=(4, 9))
    np.testing.assert_allclose(
        gram_cosine(a, b, directions @ directions.T), cosine(a @ directions, b @ directions), atol=1e-12
    )


def test_gram_cosine_broadcasts_one_person_to_many_items(rng):
    a, b, directions = rng.normal(size=3), rng.normal(size=(5, 3)), rng.normal(size=(3, 6))
    np.testing.assert_allclose(
        gram_cosine(a, b, directions @ directions.T), cosine(a @ directions, b @ directions), atol=1e-12
    )


def test_gram_cosine_of_orthonormal_directions_needs_no_matrix():
    assert gram_cosine([0.5, 0.5], [0.3, 0.7], np.eye(2)) == pytest.approx(0.92848, abs=5e-6)
    assert gram_cosine([0.5, 0.5], [0.3, 0.7], [[1, 0.6], [0.6, 1]]) == pytest.approx(0.98058, abs=5e-6)


def test_gram_cosine_of_a_sum_that_vanishes_is_0():
    assert gram_cosine([1, -1], [1, 0], np.ones((2, 2))) == 0 and gram_cosine([0, 0], [1, 2], np.eye(2)) == 0


@pytest.mark.parametrize("gram", [np.eye(3), np.ones((2, 3)), np.ones(2)])
def test_a_gram_matrix_of_another_size_is_refused(gram):
    with pytest.raises(DataError, match="do not fit; pass"):
        gram_cosine([1, 0], [0, 1], gram)


@pytest.mark.parametrize("gram", [[[1, 2], [0, 1]], [[1, 2], [2, 1]], [[1, np.nan], [np.nan, 1]]])
def test_a_matrix_that_holds_no_dot_products_is_refused(gram):
    with pytest.raises(DataError, match="no dot products"):
        gram_cosine([1, 0], [0, 1], gram)


# What each piece brings


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_contributions_sum_to_the_cosine_of_the_sum(rng, dtype):
    pieces, items, weights = (
        rng.normal(size=(6, 20)).astype(dtype),
        rng.normal(size=(9, 20)).astype(dtype),
        rng.normal(size=6),
    )
    parts = contributions(pieces, weights, items)
    assert parts.shape == (9, 6)
    np.testing.assert_allclose(parts.sum(axis=1), cosine(weights @ pieces, items), atol=1e-9)


def test_a_piece_without_weight_brings_nothing_and_a_piece_taken_off_counts_against(rng):
    parts = contributions(np.eye(3), np.array([1.0, 0.0, -1.0]), np.array([[1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(parts, [[1 / 6**0.5, 0, -1 / 6**0.5]])


def test_an_item_without_text_gets_nothing_from_anybody():
    assert contributions(np.eye(2), np.ones(2), np.zeros((1, 2))).tolist() == [[0, 0]]


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0]])
def test_pieces_that_cancel_each_other_are_refused(weights):
    with pytest.raises(DataError, match="cancel each other"):
        contributions(np.ones((2, 3)), np.array(weights), np.eye(3))


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


# The text of a history


def test_exact_products_do_not_depend_on_what_else_is_computed():
    rng = np.random.default_rng(0)
    vectors, directions = rng.normal(size=(2 * ROWS + 1, 24)).astype(np.float32), rng.normal(size=(3, 24))
    together = exact_products(directions, vectors)
    np.testing.assert_allclose(together, directions @ vectors.T.astype(np.float64), rtol=0, atol=1e-12)
    alone = np.concatenate([exact_products(directions[[row]], vectors) for row in range(3)])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-12)


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
