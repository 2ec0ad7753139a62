"""The search box and the token explorer: pure functions first, then the shells, driven without a browser."""

import asyncio
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from llmrec_lab import widgets
from llmrec_lab.catalog import Slate
from llmrec_lab.errors import DataError
from llmrec_lab.recommender import Recommender
from llmrec_lab.text import token_grid
from llmrec_lab.vocabularies import load_tokenizer
from llmrec_lab.widgets import (
    after_a_pause,
    attention_dial,
    attention_html,
    attention_table,
    attention_weights_at,
    diversity_dial,
    diversity_html,
    diversity_table,
    feedback_player,
    feedback_table,
    first_turn,
    interest_mixer,
    metric_playground,
    mixed_slate,
    mixer_html,
    mixer_table,
    next_turn,
    playground_html,
    playground_table,
    playground_values,
    search_box,
    search_html,
    search_table,
    token_explorer,
    tokens_html,
)

TITLES = {"woods": ["My Neighbor Totoro", "Amélie"], "paris": ["Amélie", "Alien"]}


class Lab:
    """Stands in for a Recommender: knows two wishes, and counts how often it was asked."""

    def __init__(self):
        self.asked = []

    def recommend_text(self, text, k):
        self.asked.append(text)
        if "?" in text:
            raise DataError("the text <b>has</b> no words")
        titles = np.array(TITLES["paris" if "paris" in text.lower() else "woods"][:k], dtype=object)
        parts = np.array([[0.5, 0.1], [0.2, 0.1]])[: len(titles)]
        return Slate(titles, titles, parts.sum(axis=1), np.array([f"meaning of “{text}”", "popularity"]), parts)


class Tags(HTMLParser):
    """Checks that tags nest, and collects them and the text."""

    def __init__(self, source):
        super().__init__()
        self.stack, self.opened, self.text = [], [], ""
        self.feed(source)
        assert not self.stack

    def handle_starttag(self, tag, attrs):
        self.stack.append(tag)
        self.opened.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def lab():
    return Lab()


def test_a_text_gives_a_table_with_a_caption_and_one_row_per_item(lab):
    page = Tags(search_html(lab, "ghosts of the woods", k=2))
    assert page.opened.count("tr") == 3 and page.opened.count("th") == 3 and "caption" in page.opened
    assert "For “ghosts of the woods”" in page.text
    assert "My Neighbor Totoro0.600 = meaning of “ghosts of the woods” 0.500 + popularity 0.100" in page.text


def test_k_is_how_many_items_are_shown(lab):
    assert Tags(search_html(lab, "woods", k=1)).opened.count("tr") == 2


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\x00"])
def test_no_text_gives_a_sentence_and_asks_nobody(lab, text):
    assert "Type what you like" in Tags(search_html(lab, text)).text
    assert lab.asked == []


def test_text_that_cannot_be_read_gives_the_reason_in_a_sentence(lab):
    page = Tags(search_html(lab, "???"))
    assert page.text == "No list yet: the text <b>has</b> no words."
    assert "b" not in page.opened


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b </table>"])
def test_what_is_typed_is_escaped(lab, text):
    page = Tags(search_html(lab, text))
    assert not {"script", "img"} & set(page.opened)
    assert text in page.text


def test_the_real_recommender_refuses_bad_text_in_a_sentence(tiny):
    from llmrec_lab import Recommender, load_encoder

    real = Recommender(tiny[0], load_encoder("minilm"))
    for text in ("...", "x" * 5000, "no horror"):
        page = Tags(search_html(real, text))
        assert page.text.startswith("No list yet: ") and "table" not in page.opened
    assert "My Neighbor Totoro" in search_html(real, "ghosts of the woods", k=1)


def test_the_still_twin_has_a_column_for_each_sentence_and_ranks_from_one(lab):
    table = search_table(lab, ["woods", "Paris"], k=2)
    assert table.to_dict("list") == {"woods": TITLES["woods"], "Paris": TITLES["paris"]}
    assert table.index.tolist() == [1, 2] and table.index.name == "rank"


def test_the_still_twin_of_no_sentence_is_empty(lab):
    assert search_table(lab, []).empty


def test_the_box_shows_the_first_text_and_follows_what_is_typed(lab):
    box = search_box(lab, "woods", k=1)
    field, answer = box.children
    assert "Totoro" in answer.value and "Amélie" not in answer.value
    field.value = "love in Paris"
    assert "Amélie" in answer.value and "Totoro" not in answer.value
    field.value = ""
    assert "Type what you like" in answer.value
    field.value = "???"
    assert "No list yet" in answer.value


def test_the_field_has_a_label_and_reports_every_key_press(lab):
    field = search_box(lab).children[0]
    assert field.description == "I like" and field.continuous_update and field.placeholder


def test_a_fast_typist_is_answered_once_and_for_the_last_text(lab):
    async def typing():
        box = search_box(lab)
        for end in range(1, 6):
            box.children[0].value = "Paris"[:end]
            await asyncio.sleep(0)
        assert lab.asked == []
        while not lab.asked:
            await asyncio.sleep(0.01)
        return box.children[1].value

    shown = asyncio.run(asyncio.wait_for(typing(), timeout=30))
    assert lab.asked == ["Paris"] and "Amélie" in shown


@pytest.fixture(scope="module")
def tokenizers():
    return {name: load_tokenizer(name) for name in ("minilm", "e5")}


def test_the_explorer_shows_the_grid_of_each_tokenizer(tokenizers):
    page = Tags(tokens_html(tokenizers, "I like 科幻"))
    assert page.opened.count("table") == 2 and page.opened.count("th") == 6
    assert "minilm: 6 tokens" in page.text and "e5: 6 tokens" in page.text
    for tokenizer in tokenizers.values():
        for entry in token_grid(tokenizer, "I like 科幻").to_numpy().ravel():
            assert f"\n{entry}\n" in "\n".join(page.text.split()) + "\n"


@pytest.mark.parametrize("text", ["", "  ", "\x00", "x" * 1_000_000, "\ud800", "我" * 5000])
def test_the_explorer_answers_whatever_is_typed(tokenizers, text):
    page = tokens_html(tokenizers, text)
    assert Tags(page).opened.count("table") == 2 and len(page) < 60_000


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"])
def test_what_is_typed_into_the_explorer_is_escaped(tokenizers, text):
    assert not {"script", "img"} & set(Tags(tokens_html(tokenizers, text)).opened)
    assert not {"b"} & set(Tags(tokens_html({"<b>": tokenizers["minilm"]}, "x")).opened)


def test_the_explorer_follows_what_is_typed(tokenizers):
    field, answer = token_explorer(tokenizers, "Alien").children
    assert field.description == "Sentence" and "alien" in answer.value
    field.value = "Amélie"
    assert "amelie" in answer.value and "alien" not in answer.value


def test_an_action_happens_at_once_where_no_event_loop_runs():
    done = []
    after_a_pause(lambda: done.append(1))({"new": "x"})
    assert done == [1]


def test_importing_widgets_and_plots_imports_neither_ipywidgets_nor_matplotlib():
    import subprocess
    import sys

    code = (
        "import sys, llmrec_lab.widgets, llmrec_lab.plots; print({'ipywidgets', 'matplotlib', 'torch'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"
    assert widgets.PAUSE > 0


LABELS, SCORES = ["<tea>", "dog", "cat"], [3.0, 1.0, 1.0]


def test_attention_is_hard_when_cold_a_mean_when_hot_and_always_sums_to_one():
    cold, warm, hot = (attention_weights_at(SCORES, temperature) for temperature in (0.01, 1.0, 1e4))
    assert cold.round(6).tolist() == [1, 0, 0] and hot.round(3).tolist() == [0.333] * 3
    assert warm[0] == pytest.approx(np.e**2 / (np.e**2 + 2)) and warm.sum() == pytest.approx(1)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature):
    with pytest.raises(DataError, match="pass a number above 0"):
        attention_weights_at(SCORES, temperature)


def test_attention_page_has_a_row_per_key_with_its_weight_and_is_escaped():
    page = Tags(attention_html(LABELS, SCORES, 1.0))
    assert page.opened.count("tr") == 4 and "tea" not in page.opened
    assert "Attention at temperature 1.00" in page.text and "<tea>0.79" in page.text and "dog0.11" in page.text


def test_still_twin_of_the_dial_shows_what_the_dial_shows():
    table = attention_table(LABELS, SCORES, [0.5, 1.0])
    assert table.index.tolist() == LABELS and table.columns.tolist() == [0.5, 1.0]
    for temperature in table:
        page = Tags(attention_html(LABELS, SCORES, temperature))
        assert all(f"{label}{weight:.2f}" in page.text for label, weight in table[temperature].items())


def test_the_table_follows_the_dial():
    pytest.importorskip("ipywidgets")
    dial, answer = attention_dial(LABELS, SCORES).children
    before = answer.value
    dial.value = 0.1
    assert answer.value == attention_html(LABELS, SCORES, 0.1) != before


def test_the_playground_shows_what_the_metrics_compute():
    values = playground_values([2, 5, 11])
    assert values["precision"] == 2 / 10 and values["recall"] == 2 / 3 and values["F1"] == 2 * 2 / (10 + 3)
    assert values["MRR"] == 1 / 2 and values["AP"] == (1 / 2 + 2 / 5) / 3
    dcg, ideal = 1 / np.log2(3) + 1 / np.log2(6), 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert values["NDCG"] == pytest.approx(dcg / ideal)


@pytest.mark.parametrize("places", [[], [1, 1], [0, 2]])
def test_the_playground_refuses_places_that_cannot_be(places):
    with pytest.raises(DataError, match="different whole numbers from 1"):
        playground_values(places)


def test_the_still_twin_of_the_playground_has_a_row_per_placement():
    table = playground_table([[1, 4], [4, 12]])
    assert list(table.index) == ["1 4", "4 12"]
    assert table.loc["4 12", "recall"] == 0.5 and table.loc["1 4", "NDCG"] == round(playground_values([1, 4])["NDCG"], 2)


def test_the_playground_marks_relevant_places_and_says_when_two_items_share_one():
    page = playground_html([1, 4, 12])
    assert "2 of the relevant items are in the list, in brackets: [1] 2 3 [4] 5" in page
    assert "<td" not in playground_html([4, 4]) and "same place" in playground_html([4, 4])


def test_the_playground_follows_its_sliders_and_each_has_a_name_of_its_own():
    ipywidgets = pytest.importorskip("ipywidgets")
    *sliders, answer = metric_playground([1, 4]).children
    assert all(isinstance(slider, ipywidgets.IntSlider) for slider in sliders)
    assert [slider.description for slider in sliders] == ["place of item 1", "place of item 2"]
    sliders[0].value = 15
    assert answer.value == playground_html([15, 4])
    sliders[1].value = 15
    assert "same place" in answer.value


TWINS = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 1], [0, 1]])  # Alien and Blade Runner alike, and the last two
LIKED = np.array([1.0, 1.0, 0.9, 0.2, 0.2])


def test_still_twin_of_the_diversity_dial_shows_what_the_dial_shows(tiny):
    table = diversity_table(tiny[0], LIKED, TWINS, [1.0, 0.5], k=2)
    assert table.index.tolist() == [1, 2, "diversity"]
    assert table[1.0].tolist() == ["Alien", "Blade Runner", "0.00"]
    assert table[0.5].tolist() == ["Alien", "My Neighbor Totoro", "0.40"]
    for lambda_ in table:
        page = Tags(diversity_html(tiny[0], LIKED, TWINS, lambda_, k=2))
        assert f"Lambda {lambda_:.2f}: diversity {table.loc['diversity', lambda_]}" in page.text
        assert all(f"{rank}{table.loc[rank, lambda_]}" in page.text for rank in (1, 2))


def test_diversity_page_has_a_row_per_item_and_its_titles_are_escaped(tiny):
    titles = np.array(["<b>Alien</b>", *tiny[0].titles[1:]], dtype=object)
    page = Tags(diversity_html(replace(tiny[0], titles=titles), LIKED, TWINS, 1.0, k=2))
    assert page.opened.count("tr") == 3 and "b" not in page.opened and "<b>Alien</b>1.000" in page.text


def test_the_slate_follows_the_diversity_dial(tiny):
    pytest.importorskip("ipywidgets")
    dial, answer = diversity_dial(tiny[0], LIKED, TWINS, k=2).children
    dial.value = 1.0
    before = answer.value
    dial.value = 0.3
    assert answer.value == diversity_html(tiny[0], LIKED, TWINS, 0.3, k=2) != before


def test_a_lambda_that_is_no_share_is_refused_by_the_dial(tiny):
    with pytest.raises(DataError, match="lambda came as 2"):
        diversity_table(tiny[0], LIKED, TWINS, [2])


# The interest mixer

TWO_WISHES = np.array([[0.9, 0.8, 0.1, 0.0, 0.2], [0.0, 0.1, 0.7, 0.6, 0.2]])  # Ridley Scott, and spirits


def test_a_mix_of_three_to_one_gives_three_places_to_one(tiny):
    assert mixed_slate(tiny[0], TWO_WISHES, [3, 1], k=4).tolist() == [
        "Alien",
        "Blade Runner",
        "My Neighbor Totoro",
        "Amélie",
    ]


def test_an_interest_of_weight_0_picks_nothing(tiny):
    assert mixed_slate(tiny[0], TWO_WISHES, [0, 0.5], k=2).tolist() == ["My Neighbor Totoro", "Spirited Away"]


@pytest.mark.parametrize("weights", [[1], [0, 0], [2, -1], [1, np.nan], [1, np.inf], [1, 1, 1]])
def test_a_mix_that_cannot_be_is_refused(weights, tiny):
    with pytest.raises(DataError, match="pass 2 numbers of at least 0"):
        mixed_slate(tiny[0], TWO_WISHES, weights)
    assert "Move at least one slider" in mixer_html(tiny[0], TWO_WISHES, weights)


def test_still_twin_of_the_mixer_has_a_column_per_mix(tiny):
    table = mixer_table(tiny[0], TWO_WISHES, [(1, 0), (0, 1)], k=2)
    assert table.columns.tolist() == ["1 : 0", "0 : 1"]
    assert table["1 : 0"].tolist() == ["Alien", "Blade Runner"]


def test_the_slate_follows_the_sliders_and_titles_are_escaped(tiny):
    catalog = replace(tiny[0], titles=np.array(["<b>", *tiny[0].titles[1:]], dtype=object))
    *sliders, answer = interest_mixer(catalog, ["Scott", "spirits"], TWO_WISHES, k=2).children
    assert "&lt;b&gt;" in answer.value and "<b>" not in answer.value
    sliders[0].value = 0
    assert answer.value == mixer_html(catalog, TWO_WISHES, [0, 1], k=2) and "&lt;b&gt;" not in answer.value


# The feedback player


@pytest.fixture
def listening(tiny, word_counts):
    """A recommender of the tiny world that has no model to load."""
    return Recommender(tiny[0], word_counts)


def test_a_like_takes_the_film_off_the_list_and_a_neighbor_comes(listening):
    before = first_turn(listening, "spirits", k=2)
    after = next_turn(listening, before, "like", 1)
    assert before.slate.titles[0] not in after.slate.titles and len(after.slate.titles) == 2
    new = set(after.slate.titles) - set(before.slate.titles)
    assert after.said == (
        f"like: {before.slate.titles[0]}. First now: {after.slate.titles[0]}. New on the list: {', '.join(new)}."
    )


def test_like_and_skip_move_the_list_apart_and_the_turn_before_stays(listening):
    before = first_turn(listening, "science fiction", k=4)
    liked, skipped = (next_turn(listening, before, kind, 1) for kind in ("like", "skip"))
    liked_alien, skipped_alien = (turn.slate.scores[turn.slate.titles == "Alien"] for turn in (liked, skipped))
    assert liked_alien > skipped_alien  # Blade Runner, in place 1, is its neighbor; four films are too few to change places
    assert listening.recommend(before.state, 4).titles.tolist() == before.slate.titles.tolist()


def test_the_list_may_be_played_until_nothing_is_left(listening):
    turn = first_turn(listening, "spirits", k=5)
    for left in (4, 3, 2, 1, 0):
        turn = next_turn(listening, turn, "like", 1)
        assert len(turn.slate.titles) == left
    assert turn.said.endswith("First now: nothing. New on the list: nothing.")


@pytest.mark.parametrize(
    ("kind", "place", "words"), [("like", 0, "1 to 2"), ("like", 3, "1 to 2"), ("love", 1, "use one of")]
)
def test_a_press_of_nothing_is_refused(listening, kind, place, words):
    with pytest.raises(DataError, match=words):
        next_turn(listening, first_turn(listening, "spirits", k=2), kind, place)


def test_still_twin_of_the_player_has_a_column_per_press(listening):
    table = feedback_table(listening, "spirits", [("like", 1), ("skip", 1)], k=4)
    assert table.columns.tolist() == ["at first", "1. after like 1", "2. after skip 1"]
    assert table["2. after skip 1"].tolist()[3] == "" and table.index.tolist() == [1, 2, 3, 4]


def test_the_player_follows_its_buttons_and_titles_are_escaped(tiny, word_counts):
    pytest.importorskip("ipywidgets")
    catalog = replace(tiny[0], titles=np.array([f"<b>{title}" for title in tiny[0].titles], dtype=object))
    lab = Recommender(catalog, word_counts)
    *rows, said = feedback_player(lab, "spirits", k=5).children
    table = feedback_table(lab, "spirits", [("skip", 2)], k=5)
    shown = lambda: [unescape(row.children[2].value) for row in rows]  # noqa: E731
    assert shown() == table["at first"].tolist() and "Press like or skip" in said.value
    rows[1].children[1].click()
    assert shown() == table["1. after skip 2"].tolist()
    assert rows[4].children[0].disabled and not rows[0].children[0].disabled
    assert "&lt;b&gt;" in said.value and "<b>" not in said.value + rows[0].children[2].value
    assert rows[0].children[0].tooltip == f"like {shown()[0]}"
