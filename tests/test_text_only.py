"""Films told in a line, and films that nobody has met: asked for one by one, from what came before and was not new."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from llmrec_lab.catalog import Histories
from llmrec_lab.errors import DataError
from llmrec_lab.text_only import new_item_ndcg, short_texts
from llmrec_lab.windows import RecentText


def test_a_short_text_is_title_genres_and_year(tiny):
    catalog, _ = tiny
    titles = np.array([f"Film {n} (20{n:02})" for n in range(len(catalog))], dtype=object)
    genres = pd.Series([("Drama", "War")] + [()] * (len(catalog) - 1))
    found = short_texts(replace(catalog, titles=titles, facets={"genre": genres}))
    assert found[:2] == ["Film 0. drama war film of 2000", "Film 1. film of 2001"]


@pytest.mark.parametrize(("title", "facets"), [("Alien (1979)", {}), ("Alien", {"genre": [("Horror",)] * 5})])
def test_a_catalog_that_is_not_of_films_is_refused(tiny, title, facets):
    with pytest.raises(DataError, match="needs the facet genre, and titles such as"):
        short_texts(replace(tiny[0], titles=np.array([title] * 5, dtype=object), facets=facets))


class Noted:
    """A model that says which item is best, and remembers what it was told."""

    def __init__(self, scores):
        self.row, self.told = np.array(scores), []

    def scores(self, histories):
        self.told += [histories.of(row).tolist() for row in range(len(histories))]
        return np.tile(self.row, (len(histories), 1))


def one_history(*items: int) -> Histories:
    return Histories(np.array(["u"]), np.array(items), np.arange(len(items)), np.array([0, len(items)]), 6)


def test_a_new_item_is_ranked_among_new_items_not_yet_met_by_what_was_not_new():
    model = Noted([9, 9, 9, 3, 2, 1])  # the new ones, 3, 4 and 5, in this order
    found = new_item_ndcg(model, one_history(0, 5, 1, 3, 4), np.array([3, 4, 5]), np.arange(6))
    assert model.told == [[0], [0, 1], [0, 1]]
    assert found.tolist() == pytest.approx([(1 / np.log2(4) + 1 + 1) / 3])  # ranks 3, 1, and 1 of the one that is left


def test_who_met_nothing_new_or_nothing_before_it_has_no_value():
    hidden = np.array([3, 4, 5])
    for history in (one_history(0, 1), one_history(3, 4), one_history()):
        assert np.isnan(new_item_ndcg(Noted([1] * 6), history, hidden, np.arange(6))).all()


def test_a_new_item_met_again_is_asked_for_once():
    model = Noted([0, 0, 0, 3, 2, 1])
    assert new_item_ndcg(model, one_history(0, 3, 3), np.array([3, 4]), np.arange(6)).tolist() == [1.0]
    assert len(model.told) == 1


def test_ties_go_to_the_smaller_id():
    order = np.array([0, 1, 2, 5, 4, 3])
    found = [new_item_ndcg(Noted([1] * 6), one_history(0, new), np.array([3, 4, 5]), order)[0] for new in (5, 4, 3)]
    assert found == pytest.approx([1, 1 / np.log2(3), 1 / np.log2(4)])


def test_text_that_is_near_comes_first():
    vectors = np.eye(6, dtype=np.float32)
    vectors[4] = vectors[0]
    found = new_item_ndcg(RecentText(vectors, last=2), one_history(0, 4), np.array([3, 4, 5]), np.arange(6))
    assert found.tolist() == [1.0]
