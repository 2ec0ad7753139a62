"""Anisotropy by brute force, and whitening: mean 0, variance 1, and what cannot be whitened."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from llmrec_lab.errors import DataError
from llmrec_lab.scoring import cosine
from llmrec_lab.whitening import anisotropy, fit_whitening


def test_anisotropy_is_the_mean_cosine_over_all_pairs(rng):
    vectors = rng.normal(size=(7, 3)) + 1
    pairs = [cosine(vectors[i], vectors[j]) for i in range(7) for j in range(7) if i != j]
    assert anisotropy(vectors) == pytest.approx(np.mean(pairs))


def test_anisotropy_of_one_direction_is_one_and_of_opposite_ones_minus_one():
    assert anisotropy([[1, 2], [2, 4], [3, 6]]) == pytest.approx(1)
    assert anisotropy([[1, 2], [-1, -2]]) == pytest.approx(-1)


def test_whitened_vectors_have_mean_zero_and_unit_covariance(rng):
    vectors = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)) + 7
    white = fit_whitening(vectors, k=5)(vectors)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(5), atol=1e-9)


def test_whitening_equals_that_of_sklearn_up_to_signs(rng):
    vectors = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6))
    ours = fit_whitening(vectors, k=3)(vectors)
    theirs = PCA(3, whiten=True).fit_transform(vectors) * np.sqrt(50 / 49)  # sklearn divides by n - 1
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-8)


def test_whitening_is_fitted_on_one_sample_and_used_on_another(rng):
    fitted = fit_whitening(rng.normal(size=(100, 3)) + 5, k=2)
    assert fitted(rng.normal(size=(4, 3))).shape == (4, 2)
    assert np.abs(fitted(np.full((1, 3), 5.0))).max() < 0.5


@pytest.mark.parametrize("k", [0, -1, 3, 9])
def test_more_directions_than_there_are_are_refused(k, rng):
    flat = rng.normal(size=(10, 2)) @ rng.normal(size=(2, 4))
    with pytest.raises(DataError, match="differ in 2 directions"):
        fit_whitening(flat, k)


@pytest.mark.parametrize("vectors", [[[1.0, 2.0]], [1.0, 2.0], np.zeros((0, 3)), [[1.0], [np.nan]], [[1.0], [np.inf]]])
@pytest.mark.parametrize("use", [anisotropy, lambda vectors: fit_whitening(vectors, 1)])
def test_what_are_no_rows_of_finite_numbers_is_refused(use, vectors):
    with pytest.raises(DataError, match="two rows|not finite"):
        use(vectors)
