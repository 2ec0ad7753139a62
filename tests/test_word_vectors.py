"""Word vectors: counts by brute force, gradients against torch, and objectives that reach their minimum."""

import numpy as np
import pytest
import torch

from llmrec_lab.errors import DataError
from llmrec_lab.word_vectors import (
    GloVe,
    GloVeConfig,
    Word2VecConfig,
    WordVectors,
    add_rows,
    cooccurrence,
    fit_glove,
    glove_objective,
    glove_weight,
    negative_sampling,
    skip_gram_pairs,
    thinned,
    train_glove,
    train_word2vec,
    vocabulary,
)

SENTENCES = [["a", "b", "c", "a"], ["b"], ["c", "d", "b", "e", "a", "b"], []]
WORDS = ("a", "b", "c", "e")  # without d, so that its neighbors move closer
DRINKS, PETS = ["sweet", "hot", "iced", "tea", "coffee"], ["loud", "old", "furry", "dog", "cat"]
COUNTS = np.array([[0.0, 30, 1, 7], [3, 9, 2, 1], [1, 2, 0, 4], [50, 1, 4, 12]])


@pytest.fixture
def two_topics(rng):
    """Sentences of four words, nine in ten of them from one topic: GloVe learns nothing from pairs that never occur."""
    stay = rng.random((800, 4)) < 0.9
    words = np.where(rng.random((800, 1)) < 0.5, stay, ~stay)  # True: a drink
    return [[str(rng.choice(DRINKS if drink else PETS)) for drink in row] for row in words]


def pairs_by_brute_force(sentences, words, window):
    """Every pair of different places of one sentence that are at most `window` apart."""
    found = []
    for sentence in sentences:
        known = [words.index(word) for word in sentence if word in words]
        for i, center in enumerate(known):
            found += [(center, known[j]) for j in range(len(known)) if 0 < abs(i - j) <= window]
    return sorted(found)


def assert_topics_are_apart(vectors):
    near = dict(vectors.neighbors("tea", k=99))
    assert min(near[word] for word in DRINKS if word != "tea") > max(near[word] for word in PETS)


@pytest.mark.parametrize("window", [1, 2, 5])
def test_pairs_are_those_of_brute_force(window):
    pairs = skip_gram_pairs(SENTENCES, WORDS, window)
    assert sorted(map(tuple, pairs.tolist())) == pairs_by_brute_force(SENTENCES, WORDS, window)


def test_counts_are_symmetric_and_count_every_pair():
    counts = cooccurrence(SENTENCES, WORDS, window=2)
    assert counts.tolist() == counts.T.tolist()
    assert counts.sum() == len(pairs_by_brute_force(SENTENCES, WORDS, 2))
    assert counts[WORDS.index("a"), WORDS.index("b")] == 4  # two in each sentence: ab, ba across c; ea b: b-e-a, a-b


def test_pairs_do_not_span_two_sentences():
    assert skip_gram_pairs([["a"], ["b"]], ("a", "b"), window=3).tolist() == []


@pytest.mark.parametrize("window", [0, -1, 1.5, "2", None])
def test_a_window_that_is_no_positive_whole_number_is_refused(window):
    with pytest.raises(DataError, match="whole number of at least 1"):
        skip_gram_pairs(SENTENCES, WORDS, window)


def test_vocabulary_has_frequent_words_first_and_ties_in_alphabetical_order():
    assert vocabulary([["z", "y", "x"], ["y", "z"], ["w"]]) == ("y", "z", "w", "x")


@pytest.mark.parametrize("sentences, reason", [(["a b"], "one string"), ([], "no word"), ([["a"]], "no word occurs 2")])
def test_text_that_gives_no_vocabulary_is_refused(sentences, reason):
    with pytest.raises(DataError, match=reason):
        vocabulary(sentences, min_count=2)


def test_neighbors_are_ordered_by_cosine_and_not_by_length():
    vectors = WordVectors(("far", "same", "near"), np.array([[0.0, 9.0], [0.1, 0.0], [5.0, 1.0]]))
    assert [word for word, _ in vectors.neighbors("same", k=9)] == ["near", "far"]


def test_an_unknown_word_is_refused_with_one_that_looks_like_it():
    vectors = WordVectors(("coffee", "tea"), np.eye(2))
    with pytest.raises(DataError, match="no vector for 'cofee'.*'coffee'"):
        vectors.neighbors("cofee")
    assert "coffee" in vectors and "cofee" not in vectors


def test_mean_leaves_out_unknown_words_and_is_zero_without_any():
    vectors = WordVectors(("a", "b"), np.array([[1.0, 0.0], [0.0, 3.0]]))
    assert vectors.mean(["a", "b", "?"]).tolist() == [0.5, 1.5]
    assert vectors.mean(["?"]).tolist() == [0.0, 0.0]


def test_negative_sampling_equals_torch(rng):
    center, contexts = rng.normal(size=(3, 5)), rng.normal(size=(3, 4, 5))
    loss, for_center, for_contexts = negative_sampling(center, contexts)
    c, u = (torch.tensor(x, requires_grad=True) for x in (center, contexts))
    scores = torch.einsum("bd,bkd->bk", c, u)
    target = torch.zeros(3, 4, dtype=scores.dtype)
    target[:, 0] = 1
    expected = torch.nn.functional.binary_cross_entropy_with_logits(scores, target, reduction="none").sum(1)
    expected.sum().backward()
    np.testing.assert_allclose(loss, expected.detach(), atol=1e-12)
    np.testing.assert_allclose(for_center, c.grad, atol=1e-12)
    np.testing.assert_allclose(for_contexts, u.grad, atol=1e-12)


def test_negative_sampling_does_not_overflow():
    loss, *gradients = negative_sampling(np.array([[1e4]]), np.array([[[-1.0], [1.0]]]))
    assert loss[0] == pytest.approx(2e4) and all(np.isfinite(gradient).all() for gradient in gradients)


def test_add_rows_adds_as_often_as_a_row_comes(rng):
    table, rows, values = np.zeros((4, 3)), np.array([2, 0, 2]), rng.normal(size=(3, 3))
    add_rows(table, rows, values)
    expected = np.zeros((4, 3))
    np.add.at(expected, rows, values)
    np.testing.assert_allclose(table, expected)


def test_frequent_words_are_thinned_and_rare_ones_stay(rng):
    sentences = [["the"] * 99 + ["owl"]] * 100
    kept = thinned(sentences, ("the", "owl"), keep=0.01, rng=rng)
    counts = [sum(sentence.count(word) for sentence in kept) for word in ("the", "owl")]
    assert counts[1] == 100 and 700 < counts[0] < 1300  # sqrt(0.01 / 0.99) of 9,900 is 995


def test_word2vec_brings_words_with_the_same_neighbors_together(two_topics):
    assert_topics_are_apart(train_word2vec(two_topics, Word2VecConfig(d=8, keep=1.0, batch=16)))


def test_word2vec_that_runs_away_is_refused(two_topics):
    with pytest.raises(DataError, match="run away, in steps of 16 pairs"):
        train_word2vec(two_topics, Word2VecConfig(d=8, keep=1.0, rate=5.0, batch=16))


def test_word2vec_is_the_same_for_the_same_seed_and_leaves_its_input_alone(two_topics):
    config, text = Word2VecConfig(d=4, keep=0.5, batch=16, epochs=1), [list(sentence) for sentence in two_topics]
    first, again, other = (train_word2vec(text, config, seed).vectors for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist() and text == two_topics


def test_glove_weight_grows_to_one_and_forgets_unseen_pairs():
    assert glove_weight(np.array([0.0, 100.0, 1e9])).tolist() == [0, 1, 1]
    assert glove_weight(np.array([16.0]), GloVeConfig(x_max=256, power=0.5))[0] == 0.25


def test_glove_objective_and_gradient_equal_torch(rng):
    tables = [rng.normal(size=shape) for shape in ((4, 3), (4, 3), (4,), (4,))]
    J, gradient = glove_objective(GloVe(*tables), COUNTS)
    w, c, b, a = (torch.tensor(table, requires_grad=True) for table in tables)
    seen = torch.tensor(COUNTS > 0)
    logs = torch.log(torch.tensor(np.where(COUNTS > 0, COUNTS, 1)))
    weight = torch.clamp(torch.tensor(COUNTS) / 100, max=1) ** 0.75
    expected = (weight * (w @ c.T + b[:, None] + a[None, :] - logs) ** 2)[seen].sum()
    expected.backward()
    assert pytest.approx(expected.item()) == J
    for ours, theirs in zip((gradient.w, gradient.c, gradient.b, gradient.a), (w, c, b, a)):
        np.testing.assert_allclose(ours, theirs.grad, atol=1e-12)


def test_unseen_pairs_do_not_pull(rng):
    model = GloVe(*(rng.normal(size=shape) for shape in ((2, 3), (2, 3), (2,), (2,))))
    _, gradient = glove_objective(model, np.array([[5.0, 0.0], [0.0, 0.0]]))
    assert gradient.w[1].tolist() == [0, 0, 0] and gradient.b[1] == gradient.a[1] == 0 and gradient.b[0] != 0


def test_glove_fits_a_small_table_exactly_and_never_gets_worse():
    model, J = fit_glove(COUNTS, GloVeConfig(d=4, steps=500))
    assert J[0] > 0.1 and J[-1] < 1e-12 and (np.diff(J) <= 0).all()
    fitted = model.w @ model.c.T + model.b[:, None] + model.a
    np.testing.assert_allclose(np.exp(fitted)[COUNTS > 0], COUNTS[COUNTS > 0], rtol=1e-4)


def test_one_number_per_word_cannot_fit_the_same_table():
    _, J = fit_glove(COUNTS, GloVeConfig(d=1, steps=500))
    assert J[-1] > 1e-4


def test_glove_brings_words_with_the_same_neighbors_together(two_topics):
    assert_topics_are_apart(train_glove(two_topics, config=GloVeConfig(d=4)))


@pytest.mark.parametrize("counts", [[[1.0, 2.0]], [1.0], [[np.nan]], [[-1.0]], [[np.inf]], [[0.0]], np.zeros((0, 0))])
def test_what_are_no_counts_is_refused(counts):
    with pytest.raises(DataError, match="counts"):
        fit_glove(counts)
