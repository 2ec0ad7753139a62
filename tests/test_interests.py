"""A wish is cut at its joints and written in concepts, a history falls into clusters, and the arithmetic is exact."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Lasso

from llmrec_lab import interests as module
from llmrec_lab.catalog import Catalog
from llmrec_lab.errors import DataError
from llmrec_lab.interests import (
    MAX_INTERESTS,
    ClusterConfig,
    CodingConfig,
    Concepts,
    build_concepts,
    clause_interests,
    clauses,
    decompose_history,
    decompose_text,
    history_interests,
    lasso,
    name_words,
    named_interests,
    sparse_code,
    unit_rows,
)
from llmrec_lab.scoring import interest_scores

THINGS = """westerns musicals robots ghosts soldiers lovers lawyers dancers wizards boxers spies cooks trains planes ships
kings nurses clowns thieves farmers dragons sharks twins orphans pirates monks poets bikers tramps judges""".split()


@pytest.fixture
def catalog(tiny):
    return tiny[0]


@pytest.fixture
def concepts(catalog, word_counts):
    vectors = unit_rows(word_counts.encode(catalog.texts))
    return build_concepts(catalog, word_counts, vectors)


def random_concepts(rng, n_concepts=30, n_atoms=40, d=8, keys=()):
    """Concepts with random atoms, some with two; no items."""
    owners = np.concatenate([np.arange(n_concepts), rng.integers(0, n_concepts, n_atoms - n_concepts)])
    keys = tuple(frozenset(keys) for _ in range(n_concepts))
    names = tuple(f"genre {c}" for c in range(n_concepts))
    return Concepts(names, None, unit_rows(rng.normal(size=(n_atoms, d))), owners, rng.random(n_concepts), keys)


# Sparse coding


@pytest.mark.parametrize("seed", range(20))
def test_lasso_equals_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    atoms, vector = unit_rows(rng.normal(size=(12, 30))), rng.normal(size=30)
    # scikit-learn divides the square error by the number of dimensions; equal penalties hide a mix-up of order
    ours = lasso(atoms, atoms @ vector, np.full(12, 0.3), sweeps=1000)
    theirs = Lasso(alpha=0.3 / 30, positive=True, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(atoms.T, vector)
    np.testing.assert_allclose(ours, theirs.coef_, atol=1e-5)
    assert 0 < (ours > 0).sum() < 12


@pytest.mark.parametrize("seed", range(20))
def test_lasso_with_a_penalty_for_each_atom_equals_scikit_learn_on_scaled_atoms(seed):
    rng = np.random.default_rng(seed)
    atoms, vector, penalty = unit_rows(rng.normal(size=(12, 30))), rng.normal(size=30), rng.uniform(0.05, 0.8, 12)
    scaled = (atoms / penalty[:, None]).T  # the coefficient times its penalty has a penalty of 1
    theirs = Lasso(alpha=1 / 30, positive=True, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(scaled, vector)
    np.testing.assert_allclose(lasso(atoms, atoms @ vector, penalty, sweeps=1000), theirs.coef_ / penalty, atol=1e-5)


def test_lasso_shares_between_equal_atoms_no_more_than_one_would_get():
    twice = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert lasso(twice, np.array([0.9, 0.9]), np.array([0.2, 0.2])).sum() == pytest.approx(0.7)


@pytest.mark.parametrize("seed", range(30))
def test_a_sparse_code_is_non_negative_sums_to_1_and_is_sparse(seed):
    rng = np.random.default_rng(seed)
    concepts, vector = random_concepts(rng), unit_rows(rng.normal(size=8))
    code, strength = sparse_code(vector, concepts, CodingConfig(), "any text")
    assert (code >= 0).all() and code.sum() == pytest.approx(1)
    assert 1 <= (code > 0).sum() <= 8
    assert strength == pytest.approx((concepts.atoms @ vector).max())
    assert (code[code > 0] >= CodingConfig().keep * code.max()).all()


def test_a_vector_opposite_to_every_concept_has_an_empty_code(rng):
    concepts = random_concepts(rng, n_concepts=2, n_atoms=2)
    code, strength = sparse_code(-unit_rows(concepts.atoms.sum(axis=0)), concepts, CodingConfig(), "text")
    assert not code.any() and strength <= 0


def test_a_name_takes_part_only_if_one_of_its_words_is_said(rng):
    concepts = random_concepts(rng, keys=["hitchcock"])
    assert not sparse_code(concepts.atoms[3], concepts, CodingConfig(), "films by the master of suspense")[0].any()
    assert sparse_code(concepts.atoms[3], concepts, CodingConfig(), "films by Hitchcock")[0][3] > 0


def test_initials_and_particles_are_no_words_of_a_name():
    assert name_words("D. W. Griffith") == {"griffith"}
    assert name_words("Rainer W. de la Fassbinder") == {"rainer", "fassbinder"}


# Clauses


@pytest.mark.parametrize(
    "text, expected",
    [
        ("westerns", ["westerns"]),
        ("a film about the end of the world", ["a film about the end of the world"]),
        ("westerns and a good musical", ["westerns", "a good musical"]),
        ("westerns, musicals or ghosts", ["westerns", "musicals", "ghosts"]),
        ("rock and roll", ["rock", "roll"]),
        ("Westerns AND musicals", ["Westerns", "musicals"]),
        ("sandwiches, orchids", ["sandwiches", "orchids"]),
        ("from 1,000 A.D.", ["from 1,000 A.D"]),
        ('"westerns" and "musicals"', ['"westerns"', '"musicals"']),
        ("a western without songs", ["a western", "without songs"]),
        ("and", ["and"]),
        ("我喜欢科幻电影和纪录片", ["我喜欢科幻电影", "纪录片"]),
        ("西部片、歌舞片，还有动画片", ["西部片", "歌舞片", "动画片"]),
        ("和平年代的电影", ["和平年代的电影"]),
        ("我也喜欢科幻片", ["我喜欢科幻片"]),
        ("喜欢 sci-fi，也喜欢动画片", ["喜欢 sci-fi", "喜欢动画片"]),
    ],
)
def test_a_sentence_is_cut_at_its_joints(text, expected):
    assert clauses(text) == expected


def test_clauses_that_mean_the_same_are_one_interest(english):
    assert english.interests("rock and roll").labels == ("rock, roll",)
    assert english.interests("a scary film, really frightening").labels == ("a scary film, really frightening",)


def test_clauses_that_mean_different_things_are_two_interests(english):
    assert english.interests("horror films and musicals").labels == ("horror films", "musicals")


def test_a_clause_that_asks_for_nothing_joins_its_neighbor(english):
    assert len(english.interests("Swedish cinema, please")) == 1


# Wishes


@pytest.mark.parametrize("text", ["", "   ", "\n", "\x00", "...", "?!", "😀😀", "，。", "\ud800", "-- / --"])
def test_a_text_without_words_is_refused(text, concepts, word_counts):
    with pytest.raises(DataError, match="the text has no words; say what you like"):
        decompose_text(text, word_counts, concepts)


@pytest.mark.parametrize("text", [None, 7, ["westerns"], b"westerns", float("nan")])
def test_what_is_no_text_is_refused(text, concepts, word_counts):
    with pytest.raises(DataError, match=f"came as {type(text).__name__}; pass a string"):
        decompose_text(text, word_counts, concepts)


@pytest.mark.parametrize("text", ["western " * 2**17, "，" * 10**6, "\x00" * 10**6])
def test_a_megabyte_is_refused_before_it_is_read(text, concepts):
    with pytest.raises(DataError, match=r"the text has 1,\d\d\d,\d\d\d characters; at most 2,000 are read"):
        decompose_text(text, None, concepts)  # no encoder: it is not asked


def test_2000_characters_are_read_and_2001_are_not(concepts, word_counts):
    decompose_text("x" * 2000, word_counts, concepts)
    with pytest.raises(DataError, match="2,001 characters"):
        decompose_text("x" * 2001, word_counts, concepts)


def test_control_characters_line_ends_and_lone_surrogates_are_spaces(concepts, word_counts):
    plain = decompose_text("horror and comedy", word_counts, concepts)
    dirty = decompose_text("\ufeffhorror\x00 and\ud800\ncomedy\x1b", word_counts, concepts)
    assert dirty.labels == plain.labels
    np.testing.assert_array_equal(dirty.vectors, plain.vectors)


@pytest.mark.parametrize("text", ["no horror", "no horror and no comedy"])
def test_a_wish_that_only_excludes_is_refused(text, concepts, word_counts):
    with pytest.raises(DataError, match=f"{text}' says only what is not wanted; add what is"):
        decompose_text(text, word_counts, concepts)


@pytest.mark.parametrize("text", ["no horror", "not horror", "I don't like horror", "except it", "不要恐怖片", "别放恐怖片"])
def test_these_words_say_no(text):
    assert module.NEGATION.search(text)


@pytest.mark.parametrize(
    "text",
    ["not only horror", "not just horror", "I don't mind horror", "特别恐怖", "告别", "别的电影", "不错", "north"],
)
def test_these_words_do_not(text):
    assert not module.NEGATION.search(text)


def test_what_a_clause_excludes_is_avoided_and_no_interest(concepts, word_counts):
    found = decompose_text("comedy, but no horror", word_counts, concepts)
    assert found.labels == ("comedy",)
    assert np.array(concepts.names)[found.avoid > 0].tolist() == ["genre horror"]


SIX = "horror, comedy, animation, romance, crime, France"  # each of them a concept of the tiny world


@pytest.mark.parametrize("text", ["comedy", "comedy, horror, Paris", ", ".join(THINGS), SIX])
def test_interests_are_unit_vectors_with_weights_that_sum_to_1(text, concepts, word_counts):
    found = decompose_text(text, word_counts, concepts)
    n = len(found)
    assert 1 <= n <= MAX_INTERESTS
    assert found.vectors.shape == (n, word_counts.dimension) and found.codes.shape == (n, len(concepts.names))
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)
    assert (found.weights > 0).all() and found.weights.sum() == pytest.approx(1)
    sums = found.codes.sum(axis=1)
    assert (found.codes >= 0).all() and np.all(np.isclose(sums, 1) | (sums == 0))


def test_of_six_interests_the_first_five_are_kept(concepts, word_counts):
    assert decompose_text(SIX, word_counts, concepts).labels == tuple(SIX.split(", "))[:MAX_INTERESTS]


def test_hundreds_of_clauses_are_answered_without_encoding_each_again_and_again(concepts, word_counts):
    asked = []

    class Counting:
        encode_cached = word_counts.encode

        def encode(self, texts):
            asked.extend(texts)
            return word_counts.encode(texts)

    decompose_text("horror, " + ", ".join(f"w{number}" for number in range(300)), Counting(), concepts)
    assert len(asked) <= 2 * module.MAX_CLAUSES  # each clause once, and each pair that was joined


def test_the_same_text_gives_the_same_interests_whatever_was_asked_before(english):
    text = "a quiet western and a loud musical, but no horror"
    first = english.interests(text)
    for other in ("我喜欢科幻片", "war films", text.upper(), "and"):
        english.interests(other)
    again = english.interests(text)
    assert again.labels == first.labels
    for name in ("vectors", "weights", "codes", "avoid"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))


# Concepts


def test_the_concepts_of_the_tiny_world_are_its_facet_values(concepts, catalog):
    assert "genre horror" in concepts.names and "director Hayao Miyazaki" in concepts.names
    members = concepts.members.toarray()[concepts.names.index("director Hayao Miyazaki")]
    assert catalog.titles[members > 0].tolist() == ["My Neighbor Totoro", "Spirited Away"]
    assert concepts.rarity.min() >= 0 and concepts.rarity.max() == 1
    np.testing.assert_allclose(np.linalg.norm(concepts.atoms, axis=1), 1, rtol=1e-5)


def test_a_catalog_without_facets_has_interests_and_no_concepts(word_counts):
    bare = Catalog.from_frame(pd.DataFrame({"item_id": [1, 2], "title": ["a western", "a musical"]}))
    concepts = build_concepts(bare, word_counts, unit_rows(word_counts.encode(bare.texts)))
    assert concepts.names == () and concepts.members.shape == (0, 2)
    found = decompose_text("western, musical, but no horror", word_counts, concepts)
    assert len(found) >= 1 and found.codes.shape == (len(found), 0) and found.avoid.shape == (0,)


def test_directors_and_decades_are_names_and_genres_are_not(english):
    concepts = english.concepts
    keys = dict(zip(concepts.names, concepts.keys))
    assert keys["genre Western"] == frozenset()
    assert keys["director Alfred Hitchcock"] == {"alfred", "hitchcock"}
    assert "1980s" in keys["decade 1980s"]


# Histories


@pytest.fixture
def planted(rng):
    """(vectors, items): 20 items around one direction at even positions, 20 around another at odd ones."""
    centers = np.eye(6)[[0, 1]]
    vectors = unit_rows(centers[np.arange(40) % 2] + 0.1 * rng.normal(size=(40, 6)))
    return vectors, rng.permutation(40)[:16]


def test_two_planted_clusters_are_found(planted):
    vectors, items = planted
    labels, centers, weights = decompose_history(items, vectors, np.arange(40).astype(str))
    assert len(labels) == 2
    assert sorted(np.abs(centers).argmax(axis=1)) == [0, 1]
    assert (centers.max(axis=1) > 0.98).all()
    assert weights.sum() == pytest.approx(1) and weights[0] >= weights[1]


def test_the_label_is_the_latest_title_of_its_cluster(planted):
    vectors, items = planted
    titles = np.array([f"film {i}" for i in range(40)])
    labels, _, _ = decompose_history(items, vectors, titles)
    assert set(labels) == {titles[items[items % 2 == side][-1]] for side in (0, 1)}


def test_the_weights_are_the_halved_ages_written_out():
    vectors = np.eye(2)
    items = np.array([0, 1, 0, 1, 1])
    _, centers, weights = decompose_history(items, vectors, ["x", "y"], ClusterConfig(half_life=2.0, spread=0.5))
    age = np.array([4, 3, 2, 1, 0])
    fresh = 0.5 ** (age / 2)
    expected = [fresh[items == 1].sum() / fresh.sum(), fresh[items == 0].sum() / fresh.sum()]
    np.testing.assert_allclose(weights, expected)
    np.testing.assert_allclose(centers, [[0, 1], [1, 0]], atol=1e-12)


def test_what_was_met_last_weighs_more():
    vectors = np.eye(2)
    share = {}
    for name, items in (("first", [0, 0, 1, 1]), ("last", [1, 1, 0, 0])):
        labels, _, weights = decompose_history(np.array(items), vectors, ["x", "y"], ClusterConfig(half_life=1.0))
        share[name] = dict(zip(labels, weights))["x"]
    assert share["last"] > 0.5 > share["first"]


def test_only_the_recent_items_are_read(planted):
    vectors, items = planted
    config = ClusterConfig(recent=3)
    whole = decompose_history(items, vectors, np.arange(40).astype(str), config)
    tail = decompose_history(items[-3:], vectors, np.arange(40).astype(str), config)
    assert whole[0] == tail[0]
    np.testing.assert_array_equal(whole[1], tail[1])


def test_an_empty_history_has_no_interests():
    labels, centers, weights = decompose_history(np.array([], dtype=int), np.eye(3), ["a", "b", "c"])
    assert labels == [] and centers.shape == (0, 3) and weights.shape == (0,)


def test_one_item_is_one_interest():
    labels, centers, weights = decompose_history(np.array([2]), np.eye(3), ["a", "b", "c"])
    assert labels == ["c"] and centers.tolist() == [[0, 0, 1]] and weights.tolist() == [1]


@pytest.mark.parametrize("seed", range(10))
def test_any_history_gives_at_most_5_unit_interests(seed):
    rng = np.random.default_rng(seed)
    vectors = unit_rows(rng.normal(size=(50, 16)))
    items = rng.integers(0, 50, rng.integers(1, 40))
    labels, centers, weights = decompose_history(items, vectors, np.arange(50).astype(str), ClusterConfig(spread=0.01))
    assert 1 <= len(labels) == len(centers) == len(weights) <= MAX_INTERESTS
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 1)
    assert (np.diff(weights) <= 1e-12).all() and weights.sum() == pytest.approx(1)


def test_nothing_that_is_passed_in_is_changed(planted, concepts, word_counts):
    vectors, items = planted
    kept = vectors.copy(), items.copy(), concepts.atoms.copy(), concepts.members.toarray()
    vectors.flags.writeable = items.flags.writeable = concepts.atoms.flags.writeable = False
    decompose_history(items, vectors, np.arange(40).astype(str))
    decompose_text("comedy, but no horror", word_counts, concepts)
    for now, before in zip((vectors, items, concepts.atoms, concepts.members.toarray()), kept):
        np.testing.assert_array_equal(now, before)


def test_unit_rows_leave_zeros_and_their_argument_alone():
    rows = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(unit_rows(rows), [[0.6, 0.8], [0, 0]])
    assert rows.tolist() == [[3, 4], [0, 0]]


@pytest.mark.parametrize("text", ["No Country for Old Men", "not bad at all", "别墅里的故事"])
def test_a_no_that_names_no_concept_does_not_refuse_the_wish(text, concepts, word_counts):
    interests = decompose_text(text, word_counts, concepts)
    assert len(interests) == 1 and not interests.avoid.any()


def test_what_is_wanted_is_never_avoided(concepts, word_counts):
    interests = decompose_text("horror, but not horror", word_counts, concepts)
    assert interests.labels == ("horror",) and not interests.avoid.any()


def test_every_line_of_a_list_is_a_wish(concepts, word_counts):
    assert decompose_text("horror\nromance", word_counts, concepts).labels == ("horror", "romance")


# One interface


def test_clauses_are_interests_of_equal_weight_and_never_merged(word_counts):
    found = clause_interests("rock and rock, or roll", word_counts)
    assert found.labels == ("rock", "rock", "roll") and found.weights.tolist() == [1 / 3] * 3
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)


def test_of_six_clauses_the_first_five_are_kept(word_counts):
    assert clause_interests(SIX, word_counts).labels == tuple(SIX.split(", "))[:MAX_INTERESTS]


def test_named_interests_are_written_in_one_concept_each(concepts):
    found = named_interests(["genre horror", "genre comedy"], concepts)
    assert [concepts.names[c] for c in found.codes.argmax(axis=1)] == list(found.labels)
    assert (found.codes.sum(axis=1) == 1).all() and not found.avoid.any()
    np.testing.assert_array_equal(found.vectors[1], concepts.atoms[concepts.names.index("genre comedy")])


@pytest.mark.parametrize("names", [["genre opera"], []])
def test_a_name_that_is_not_in_the_dictionary_is_refused(names, concepts):
    with pytest.raises(DataError, match="pass names of concepts"):
        named_interests(names, concepts)


def test_history_interests_are_what_decompose_history_finds(planted):
    vectors, items = planted
    titles = np.arange(40).astype(str)
    found, (labels, centers, weights) = history_interests(items, vectors, titles), decompose_history(items, vectors, titles)
    assert found.labels == tuple(labels)
    np.testing.assert_array_equal(found.vectors, centers)
    np.testing.assert_array_equal(found.weights, weights)


def test_interests_of_an_empty_history_are_refused():
    with pytest.raises(DataError, match="the history is empty"):
        history_interests(np.array([], dtype=int), np.eye(2), ["A", "B"])


def test_interests_without_concepts_are_scored_by_cosine_alone(concepts, catalog, word_counts):
    vectors = unit_rows(word_counts.encode(catalog.texts))
    found = clause_interests("horror and comedy", word_counts)
    np.testing.assert_allclose(interest_scores(found, concepts, vectors, 0.5), found.vectors @ vectors.T)
