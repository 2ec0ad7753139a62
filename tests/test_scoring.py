"""A score is the sum of its parts, and the weights of the parts are the best there are."""

import copy

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from llmrec_lab.interests import Interests, build_concepts, decompose_history, decompose_text, unit_rows
from llmrec_lab.scoring import HistoryText, cosine, interest_scores, wish_parts


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
