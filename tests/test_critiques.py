"""Words about a list: what is more, what is less, and what that does to the interests."""

import numpy as np
import pytest

from llmrec_lab.critiques import Critique, hear, joined, kept, read_critique, weigh
from llmrec_lab.errors import DataError
from llmrec_lab.interests import MAX_INTERESTS, bare_interests


@pytest.mark.parametrize(
    ("words", "more", "less"),
    [
        ("less horror, more French comedies", ("French comedies",), (("horror", 0.5),)),
        ("less horror and gore, more French comedies", ("French comedies",), (("horror", 0.5), ("gore", 0.5))),
        ("more westerns and musicals", ("westerns", "musicals"), ()),
        ("westerns", ("westerns",), ()),
        ("no horror", (), (("horror", 1.0),)),
        ("no horror, I like comedies", ("I like comedies",), (("horror", 1.0),)),
        ("fewer sequels", (), (("sequels", 0.5),)),
        ("enough of superheroes", (), (("superheroes", 0.5),)),
        ("not so much violence", (), (("violence", 0.5),)),
        ("少一点恐怖片，多一些法国喜剧", ("法国喜剧",), (("恐怖片", 0.5),)),
        ("不要恐怖片", (), (("恐怖片", 1.0),)),
        ("多来点纪录片", ("纪录片",), ()),
        ("多少", (), ()),
    ],
)
def test_a_remark_is_sorted_into_more_and_less(words, more, less):
    if not more and not less:
        with pytest.raises(DataError, match="names nothing"):
            read_critique(words)
    else:
        assert read_critique(words) == Critique(more, less)


@pytest.mark.parametrize("words", ["", "  ", "!!!", "less", "no more", "x" * 2001])
def test_a_remark_that_names_nothing_is_refused(words):
    with pytest.raises(DataError):
        read_critique(words)


def test_a_new_interest_counts_as_much_as_the_others_on_average():
    old, new = bare_interests(["a", "b"], np.eye(4)[:2], np.array([0.8, 0.2])), bare_interests(["c"], np.eye(4)[2:3])
    found = joined(old, new)
    assert found.labels == ("a", "b", "c")
    np.testing.assert_allclose(found.weights, np.array([0.8, 0.2, 0.5]) / 1.5)


def test_an_interest_named_again_counts_twice():
    old = bare_interests(["a", "b"], np.eye(4)[:2])
    found = joined(old, bare_interests(["a, please"], np.eye(4)[:1]))
    assert found.labels == ("a", "b")
    np.testing.assert_allclose(found.weights, [2 / 3, 1 / 3])


def test_at_most_five_interests_are_kept_the_heaviest_and_the_newest_in_their_order():
    found = kept(bare_interests(list("abcdefg"), np.eye(7), np.array([0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2])))
    assert found.labels == ("a", "d", "e", "f", "g") and len(found) == MAX_INTERESTS
    np.testing.assert_allclose(found.weights.sum(), 1)
    np.testing.assert_array_equal(found.vectors, np.eye(7)[[0, 3, 4, 5, 6]])


@pytest.mark.parametrize(("share", "weights"), [(0.5, [0.5, 0.375, 0.125]), (1.0, [1, 0, 0]), (0.0, [0, 0.75, 0.25])])
def test_an_interest_takes_its_share_and_the_others_divide_the_rest(share, weights):
    found = weigh(bare_interests(list("abc"), np.eye(3), np.array([0.2, 0.6, 0.2])), "a", share)
    np.testing.assert_allclose(found.weights, weights)


def test_interests_that_counted_nothing_come_back_in_equal_shares():
    alone = weigh(bare_interests(list("abc"), np.eye(3)), "a", 1.0)
    np.testing.assert_allclose(weigh(alone, "a", 0.5).weights, [0.5, 0.25, 0.25])


def test_an_unknown_interest_is_refused_and_so_is_nothing_at_all():
    one = bare_interests(["a"], np.eye(1))
    with pytest.raises(DataError, match=r"use one of \['a'\]"):
        weigh(one, "b", 0.5)
    with pytest.raises(DataError, match=r"use one of \[\]"):
        weigh(None, "a", 0.5)
    with pytest.raises(DataError, match="the only interest"):
        weigh(one, "a", 0.0)
    assert weigh(one, "a", 0.3).weights == [1.0]


def heard(english, words, before=None):
    return hear(before, words, english.encoder, english.concepts)


def avoided(english, interests):
    return {english.concepts.names[c]: interests.avoid[c] for c in np.flatnonzero(interests.avoid)}


def test_less_of_a_genre_is_half_of_no_and_adds_up(english):
    once, directions = heard(english, "less horror")
    assert avoided(english, once) == {"genre Horror": 0.5} and not len(directions) and not len(once)
    assert avoided(english, heard(english, "less horror", once)[0]) == {"genre Horror": 1.0}
    assert avoided(english, heard(english, "no horror")[0]) == {"genre Horror": 1.0}


def test_what_is_wanted_is_not_avoided_any_more(english):
    before, _ = heard(english, "no horror")
    after, _ = heard(english, "more horror", before)
    assert not avoided(english, after) and after.labels == ("horror",)


def test_less_of_an_interest_takes_its_weight(english):
    before = english.interests("westerns and a good musical")
    assert heard(english, "fewer musicals", before)[0].weights.round(6).tolist() == [round(2 / 3, 6), round(1 / 3, 6)]
    assert heard(english, "no musicals", before)[0].labels == ("westerns",)


def test_words_that_match_no_concept_are_handed_back_as_a_direction(english):
    interests, directions = heard(english, "less flibbertigibbet")
    assert not avoided(english, interests) and directions.shape == (1, english.encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(directions), 1, rtol=1e-5)
