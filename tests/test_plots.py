"""Pictures: the bars are the parts, they differ by more than color, and every picture carries words."""

import numpy as np
import pytest

from llmrec_lab.errors import DataError
from llmrec_lab.metrics import Interval
from llmrec_lab.plots import interval_chart, intervals_in_words, new_axes, parts_in_words, picture, stacked_parts

TITLES = ["Alien", "Amélie", "Blade Runner"]
PARTS = np.array([[0.5, 0.2, 0.1], [0.4, -0.3, 0.1], [0.1, 0.0, -0.2]])
NAMES = ["text", "history", "popularity"]


@pytest.fixture
def ax():
    return stacked_parts(TITLES, PARTS, NAMES)


def test_each_bar_is_one_part(ax):
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(3, 3).T
    np.testing.assert_allclose(widths, PARTS)


def test_parts_stand_end_to_end_and_negative_ones_go_left_of_zero(ax):
    spans = np.array([(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]).reshape(3, 3, 2)  # part, item
    np.testing.assert_allclose(spans[:, 0], [[0, 0.5], [0.5, 0.7], [0.7, 0.8]])
    np.testing.assert_allclose(spans[:, 1], [[0, 0.4], [0, -0.3], [0.4, 0.5]])
    np.testing.assert_allclose(spans[2, 2], [0, -0.2])


def test_the_best_item_is_on_top_and_axes_say_what_they_show(ax):
    assert [label.get_text() for label in ax.get_yticklabels()] == TITLES
    assert ax.yaxis_inverted() and ax.get_xlabel() and ax.get_ylabel()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == NAMES


def test_parts_differ_by_hatching_as_well_as_color(ax):
    assert len({bar.get_hatch() for bar in ax.patches}) == len({bar.get_facecolor() for bar in ax.patches}) == 3


def test_given_axes_are_used_and_returned():
    ax = new_axes()
    assert stacked_parts(TITLES, PARTS, NAMES, ax) is ax


def test_words_tell_first_and_last_score_and_mean_parts():
    words = parts_in_words(TITLES, PARTS, NAMES)
    assert "0.80 (Alien) down to -0.10 (Blade Runner)" in words
    assert "text 0.33, history -0.03, popularity 0.00" in words


def test_a_picture_is_a_png_with_its_words_as_alternative_text(ax):
    data, metadata = picture(ax, 'three "bars"')._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR") and metadata["image/png"]["alt"] == data["text/plain"] == 'three "bars"'
    assert data["text/html"].startswith('<img alt="three &quot;bars&quot;" src="data:image/png;base64,iVBOR')


def test_the_same_data_gives_the_same_picture():
    one, two = (picture(stacked_parts(TITLES, PARTS, NAMES), "bars") for _ in range(2))
    assert one == two


@pytest.mark.parametrize("words", ["", "  "])
def test_a_picture_without_words_is_refused(ax, words):
    with pytest.raises(DataError, match="say what it shows"):
        picture(ax, words)


def test_an_interval_chart_draws_each_mean_inside_its_interval_the_first_on_top():
    found = [Interval(0.2, 0.1, 0.4), Interval(-0.1, -0.3, 0.0)]
    ax = interval_chart(["EASE", "x" * 60], found, "difference (share of users)")
    lines = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert lines == [[0.1, 0.4], [-0.3, 0.0]]
    assert ax.lines[0].get_xdata().tolist() == [0.2, -0.1] and ax.yaxis_inverted()
    assert ax.get_xlabel() == "difference (share of users)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["EASE", "x" * 49 + "…"]
    assert intervals_in_words(["EASE"], found[:1]) == "Means with intervals: EASE 0.20 (0.10 to 0.40)."
