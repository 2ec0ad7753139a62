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
    update,
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
    vectors = WordVectors(("far", "same", "near"), np.array([[9.0, 90.0], [0.1, 0.0], [5.0, 1.0]]))
    assert [word for word, _ in vectors.neighbors("same", k=9)] == ["near", "far"]
    assert vectors.neighbors("same", k=1) == [("near", 0.981)]


def test_equally_near_words_come_in_the_order_of_the_vocabulary():
    words = tuple(f"word{number}" for number in range(100))
    vectors = WordVectors(words, np.eye(2)[np.arange(100) % 2])
    assert [word for word, _ in vectors.neighbors("word0", k=99)] == [*words[2::2], *words[1::2]]


def test_an_unknown_word_is_refused_with_one_that_looks_like_it():
    vectors = WordVectors(("coffee", "tea"), np.eye(2))
    with pytest.raises(DataError, match="no vector for 'cofee'.*'coffee'"):
        vectors.neighbors("cofee")
    assert "coffee" in vectors and "cofee" not in vectors


def test_mean_leaves_out_unknown_words_and_is_zero_without_any():
    vectors = WordVectors(("a", "b"), np.array([[1.0, 0.0], [0.0, 3.0]]))
    assert vectors.mean(["a", "b", "?"]).tolist() == [0.5, 1.5]
    assert vectors.mean(["a", "b", "a", "a"]).tolist() == [0.75, 0.75]  # a word counts as often as it comes
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
    sentences = [["the"] * 98 + ["owl", "rare"]] * 100
    kept = thinned(sentences, ("the", "owl"), keep=0.01, rng=rng)
    counts = [sum(sentence.count(word) for sentence in kept) for word in ("the", "owl", "rare")]
    assert counts[1:] == [100, 0] and 700 < counts[0] < 1300  # sqrt(0.01 / 0.98) of 9,800 is 990


def test_word2vec_brings_words_with_the_same_neighbors_together(two_topics):
    assert_topics_are_apart(train_word2vec(two_topics, Word2VecConfig(d=8, keep=1.0, batch=16)))


def word2vec_by_torch(sentences, config, seed):
    """Vectors by the optimizer and the loss of torch, with the same draws."""
    words, rng = vocabulary(sentences, config.min_count), np.random.default_rng(seed)
    pairs = skip_gram_pairs(thinned(sentences, words, config.keep, rng), words, config.window)
    noise = np.array([(pairs[:, 1] == word).sum() ** 0.75 for word in range(len(words))])
    first = rng.uniform(-0.5 / config.d, 0.5 / config.d, (len(words), config.d))
    centers = torch.nn.Embedding.from_pretrained(torch.tensor(first), freeze=False)
    contexts = torch.nn.Embedding.from_pretrained(torch.zeros(len(words), config.d, dtype=torch.double), freeze=False)
    optimizer = torch.optim.SGD([centers.weight, contexts.weight], lr=config.rate)
    steps = config.epochs * -(-len(pairs) // config.batch)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(config.epochs):
        rng.shuffle(pairs)
        drawn = rng.choice(len(words), (len(pairs), config.negatives), p=noise / noise.sum())
        for pair, others in zip(torch.tensor(pairs).split(config.batch), torch.tensor(drawn).split(config.batch)):
            scores = contexts(torch.cat([pair[:, 1:], others], dim=1)) @ centers(pair[:, 0])[:, :, None]  # (b, 1 + k, 1)
            truth = torch.zeros_like(scores)
            truth[:, 0] = 1
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(scores, truth, reduction="sum").backward()
            optimizer.step()
            falling.step()
    return words, centers.weight.detach().numpy()


def test_word2vec_takes_the_steps_that_torch_takes(two_topics):
    text = two_topics[:60] + [["owl", "tea", "owl"]] * 4
    config = Word2VecConfig(d=3, window=2, negatives=2, min_count=8, epochs=2, rate=0.3, keep=0.05, batch=25)
    words, expected = word2vec_by_torch(text, config, seed=5)
    found = train_word2vec(text, config, seed=5)
    assert found.words == words and "owl" in words
    np.testing.assert_allclose(found.vectors, expected, atol=1e-9)
    assert np.abs(expected).max() > 0.5  # it has moved away from where it began


@pytest.mark.parametrize("entry", [-2000.0, 2000.0])
def test_a_center_that_ran_away_is_refused_in_either_direction(entry):
    with pytest.raises(DataError, match="run away, in steps of 1 pairs"):
        update(np.array([[entry]]), np.zeros((1, 1)), np.array([0]), np.array([[0, 0]]), 0.1)


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


@pytest.mark.parametrize("config", [GloVeConfig(), GloVeConfig(x_max=20, power=0.5)])
def test_glove_objective_and_gradient_equal_torch(rng, config):
    tables = [rng.normal(size=shape) for shape in ((4, 3), (4, 3), (4,), (4,))]
    J, gradient = glove_objective(GloVe(*tables), COUNTS, config)
    w, c, b, a = (torch.tensor(table, requires_grad=True) for table in tables)
    seen = torch.tensor(COUNTS > 0)
    logs = torch.log(torch.tensor(np.where(COUNTS > 0, COUNTS, 1)))
    weight = torch.clamp(torch.tensor(COUNTS) / config.x_max, max=1) ** config.power
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


def test_a_fit_starts_at_its_seed_and_takes_its_number_of_steps():
    config = GloVeConfig(d=2, steps=3, x_max=20, power=0.5)
    model, J = fit_glove(COUNTS, config, seed=1)
    assert len(J) == 4 and J[-1] == pytest.approx(glove_objective(model, COUNTS, config)[0])
    first = GloVe.from_flat(np.random.default_rng(1).normal(0, 0.1, 2 * 4 * 2 + 2 * 4), 4)
    assert J[0] == pytest.approx(glove_objective(first, COUNTS, config)[0]) and J[0] > J[1]


def test_trained_glove_vectors_are_the_sum_of_the_tables_fitted_to_the_counts():
    words, config = vocabulary(SENTENCES, min_count=2), GloVeConfig(d=2, steps=5)
    model, _ = fit_glove(cooccurrence(SENTENCES, words, window=1), config, seed=3)
    found = train_glove(SENTENCES, window=1, min_count=2, config=config, seed=3)
    assert found.words == words and len(words) == 3
    np.testing.assert_allclose(found.vectors, model.w + model.c)


def test_one_number_per_word_cannot_fit_the_same_table():
    _, J = fit_glove(COUNTS, GloVeConfig(d=1, steps=500))
    assert J[-1] > 1e-4


def test_glove_brings_words_with_the_same_neighbors_together(two_topics):
    assert_topics_are_apart(train_glove(two_topics, config=GloVeConfig(d=4)))


@pytest.mark.parametrize("counts", [[[1.0, 2.0]], [1.0], [[np.nan]], [[-1.0]], [[np.inf]], [[0.0]], np.zeros((0, 0))])
def test_what_are_no_counts_is_refused(counts):
    with pytest.raises(DataError, match="counts"):
        fit_glove(counts)
