"""Boxes that answer while you type, and their still twins. Know nothing about how slates or tokens are made.

Everything shown is made by pure functions; the widget only wires a text field to them. ipywidgets is imported when a
widget is built. Works with ipywidgets 7.7 and 8.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from llmrec_lab.catalog import Catalog, Slate
from llmrec_lab.columns import RANK
from llmrec_lab.errors import DataError, LabError
from llmrec_lab.event_log import Event
from llmrec_lab.feedback import UserState
from llmrec_lab.messages import message
from llmrec_lab.metrics import average_precision, diversity, f1, mrr, ndcg, precision, recall
from llmrec_lab.ranking import id_order, mmr, quota
from llmrec_lab.text import clean, token_grid

LONGEST_SHOWN = 200  # characters whose tokens are shown; more would fill the page
PAUSE = 0.3  # seconds without a key press before the box answers, so that it does not lag behind the typing


def search_html(lab, text: str, k: int = 5) -> str:
    """What the search box shows for a text: a slate, or one sentence that says what is missing. Never raises for bad text.

    Args:
        lab: a Recommender.
        text: what somebody has typed so far.
        k: how many items.

    Returns:
        HTML in which the text and the titles are escaped.

    Example:
        >>> search_html(None, "   ")
        '<div role="status"><p>Type what you like, such as: westerns and a good musical.</p></div>'
    """
    if not clean(text):
        return status(html.escape(message("widget.empty")), "p")
    try:
        slate = lab.recommend_text(text, k)
    except LabError as problem:
        return status(html.escape(message("widget.problem", problem=problem)), "p")
    return status(slate_html(slate, clean(text)), None)


def status(content: str, tag: str | None) -> str:
    """HTML that a screen reader announces when it changes."""
    return f'<div role="status">{f"<{tag}>{content}</{tag}>" if tag else content}</div>'


def slate_html(slate: Slate, text: str) -> str:
    """A slate as an HTML table with a caption and marked headers.

    Args:
        slate: what was recommended.
        text: for which text; the caption.

    Returns:
        HTML with everything escaped.
    """
    columns = message("widget.rank"), message("widget.title"), message("widget.why")
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    rows = "".join(
        f'<tr><td>{row.rank}</td><td style="text-align:left">{html.escape(row.title)}</td>'
        f'<td style="text-align:left">{row.score:.3f} = {html.escape(row.reasons)}</td></tr>'
        for row in slate.to_frame().itertuples()
    )
    caption = html.escape(message("widget.caption", text=text))
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>"


def search_table(lab, sentences: list[str], k: int = 5) -> pd.DataFrame:
    """The still twin of the search box: the slates of several sentences side by side.

    Args:
        lab: a Recommender.
        sentences: one column each.
        k: how many items.

    Returns:
        A table of titles; its index is the rank, from 1.

    Raises:
        DataError: a sentence has no words.

    Example:
        >>> from llmrec_lab import Recommender, load_encoder
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> lab = Recommender(tiny_world()[0], load_encoder("minilm"))
        >>> search_table(lab, ["ghosts of the woods", "love in Paris"], k=1).loc[1].tolist()
        ['My Neighbor Totoro', 'Amélie']
    """
    columns = {sentence: pd.Series(lab.recommend_text(sentence, k).titles) for sentence in sentences}
    table = pd.DataFrame(columns)
    table.index = pd.RangeIndex(1, len(table) + 1, name=RANK)
    return table


def search_box(lab, text: str = "", k: int = 5):
    """A text field with the slate below it, which follows what is typed. Reached with Tab; needs a running kernel.

    Args:
        lab: a Recommender.
        text: what stands in the field at first.
        k: how many items.

    Returns:
        An ipywidgets VBox of the field and the answer.

    Raises:
        ImportError: ipywidgets is not installed.
    """
    return answered_field(lambda typed: search_html(lab, typed, k), text, message("widget.label"))


def token_explorer(tokenizers: dict, text: str = ""):
    """A text field with the tokens, ids and padding mask of several tokenizers below it, which follow what is typed.

    Its still twin is `llmrec_lab.text.token_grid`, which shows one of these tables.

    Args:
        tokenizers: by the name that is shown, such as `{"minilm": load_tokenizer("minilm")}`.
        text: what stands in the field at first.

    Returns:
        An ipywidgets VBox of the field and the answer.

    Raises:
        ImportError: ipywidgets is not installed.
    """
    return answered_field(lambda typed: tokens_html(tokenizers, typed), text, message("widget.sentence"))


def tokens_html(tokenizers: dict, text: str) -> str:
    """What the token explorer shows for a text: a table per tokenizer; never raises for bad text.

    Args:
        tokenizers: by the name that is shown.
        text: what somebody has typed so far; after 200 characters it is cut.

    Returns:
        HTML in which the text is escaped.

    Example:
        >>> from llmrec_lab.vocabularies import load_tokenizer
        >>> page = tokens_html({"minilm": load_tokenizer("minilm")}, "<b>")
        >>> "minilm: 5 tokens" in page, "<td>&lt;</td>" in page
        (True, True)
    """
    tables = []
    for name, tokenizer in tokenizers.items():
        grid = token_grid(tokenizer, text[:LONGEST_SHOWN])
        title = message("widget.tokens", name=name, number=int(grid.loc["mask"].sum()))
        table = grid.to_html(header=False, border=1)
        tables.append(f'<p>{html.escape(title)}</p><div style="overflow-x:auto">{table}</div>')
    return status("".join(tables), None)


def answered_field(answer_html: Callable[[str], str], text: str, label: str):
    """A text field with an answer below it: what a function makes of the text once the typing pauses."""
    import ipywidgets

    field = ipywidgets.Text(
        value=text,
        description=label,
        placeholder=message("widget.placeholder"),
        continuous_update=True,
        layout=ipywidgets.Layout(width="95%"),
    )
    answer = ipywidgets.HTML(value=answer_html(text))

    def show() -> None:
        answer.value = answer_html(field.value)

    field.observe(after_a_pause(show), names="value")
    return ipywidgets.VBox([field, answer])


def attention_weights_at(scores, temperature: float) -> np.ndarray:
    """The softmax of scores divided by a temperature: hard attention as it falls to 0, a plain mean as it rises.

    Args:
        scores: (n) numbers.
        temperature: above 0.

    Returns:
        (n) positive weights that sum to 1.

    Raises:
        DataError: the temperature is not above 0.

    Example:
        >>> attention_weights_at([3.0, 1.0], 0.1).round(3), attention_weights_at([3.0, 1.0], 100.0).round(3)
        (array([1., 0.]), array([0.505, 0.495]))
    """
    if not temperature > 0:
        raise DataError(f"temperature came as {temperature!r}; pass a number above 0")
    from scipy.special import softmax

    return softmax(np.asarray(scores, dtype=np.float64) / temperature)


def attention_table(labels: list[str], scores, temperatures: list[float]) -> pd.DataFrame:
    """The still twin of the attention dial: the weights at several temperatures side by side.

    Args:
        labels: (n) what the keys are.
        scores: (n) numbers.
        temperatures: one column each.

    Returns:
        A table of weights, rounded to two digits.

    Raises:
        DataError: a temperature is not above 0.

    Example:
        >>> attention_table(["tea", "dog"], [3.0, 1.0], [0.1, 100.0]).loc["tea"].tolist()
        [1.0, 0.5]
    """
    columns = {temperature: attention_weights_at(scores, temperature).round(2) for temperature in temperatures}
    return pd.DataFrame(columns, index=labels).rename_axis(columns=message("widget.temperature"))


def attention_html(labels: list[str], scores, temperature: float) -> str:
    """What the attention dial shows at one temperature: a table of keys and weights, each with a bar.

    Args:
        labels, scores: (n) as for `attention_table`.
        temperature: above 0.

    Returns:
        HTML in which the labels are escaped.
    """
    columns = message("widget.key"), message("widget.weight")
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    rows = "".join(
        f'<tr><td style="text-align:left">{html.escape(label)}</td>'
        f'<td style="text-align:left">{weight:.2f} <span aria-hidden="true">{"█" * round(20 * weight)}</span></td></tr>'
        for label, weight in zip(labels, attention_weights_at(scores, temperature))
    )
    caption = html.escape(message("widget.attention", temperature=temperature))
    return status(f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>", None)


def attention_dial(labels: list[str], scores):
    """A slider for the temperature, with the attention weights below it. Reached with Tab; needs a running kernel.

    Args:
        labels, scores: (n) as for `attention_table`.

    Returns:
        An ipywidgets VBox of the slider and the table.

    Raises:
        ImportError: ipywidgets is not installed.
    """
    import ipywidgets

    whole_label = {"description_width": "initial"}
    dial = ipywidgets.FloatLogSlider(
        value=1.0, min=-2, max=2, step=0.1, description=message("widget.temperature"), style=whole_label
    )
    answer = ipywidgets.HTML(value=attention_html(labels, scores, dial.value))

    def show(change: dict) -> None:
        answer.value = attention_html(labels, scores, change["new"])

    dial.observe(show, names="value")
    return ipywidgets.VBox([dial, answer])


def playground_values(places: list[int], k: int = 10) -> dict[str, float]:
    """The metrics of a list of k places, from the places at which the relevant items stand.

    Args:
        places: from 1, one for each relevant item, no two the same; one beyond k is not in the list.
        k: length of the list.

    Returns:
        Metric to value, from 0 to 1.

    Raises:
        DataError: two items share a place, or a place is less than 1.

    Example:
        >>> {name: round(value, 2) for name, value in playground_values([1, 11]).items()}
        {'precision': 0.1, 'recall': 0.5, 'F1': 0.17, 'MRR': 1.0, 'AP': 0.5, 'NDCG': 0.61}
    """
    if not len(places) or len(set(places)) < len(places) or min(places) < 1:
        raise DataError(f"places came as {list(places)}; pass different whole numbers from 1, one per relevant item")
    hit = np.isin(np.arange(1, k + 1), places)[None, :]  # (1, k)
    found = {"precision": precision(hit)}
    for name, metric in {"recall": recall, "F1": f1, "MRR": mrr, "AP": average_precision, "NDCG": ndcg}.items():
        found[name] = metric(hit, len(places))
    return {name: float(values[0]) for name, values in found.items()}


def playground_table(placements: list[list[int]], k: int = 10) -> pd.DataFrame:
    """The still twin of the metric playground: the metrics of several placements of the relevant items.

    Args:
        placements: one row each; places as for `playground_values`.
        k: length of the list.

    Returns:
        A table of values, rounded to two digits; its index are the places.

    Raises:
        DataError: as `playground_values`.

    Example:
        >>> playground_table([[1, 2], [9, 10]])["NDCG"].tolist()
        [1.0, 0.36]
    """
    rows = {" ".join(map(str, places)): playground_values(places, k) for places in placements}
    return pd.DataFrame(rows).T.round(2).rename_axis(index=message("widget.places"))


def playground_html(places: list[int], k: int = 10) -> str:
    """What the metric playground shows: the list with its relevant items marked, and a table of metrics, each with a bar.

    Args:
        places, k: as for `playground_values`; items that share a place get a sentence that says so.

    Returns:
        HTML.
    """
    if len(set(places)) < len(places):
        return status(html.escape(message("widget.shared")), "p")
    shown = " ".join(f"[{place}]" if place in places else str(place) for place in range(1, k + 1))
    rows = "".join(
        f'<tr><td style="text-align:left">{name}</td>'
        f'<td style="text-align:left">{value:.2f} <span aria-hidden="true">{"█" * round(20 * value)}</span></td></tr>'
        for name, value in playground_values(places, k).items()
    )
    caption = html.escape(message("widget.playground", shown=shown, found=sum(place <= k for place in places)))
    caption = f'<caption style="text-align:left; white-space:nowrap">{caption}</caption>'  # it may be wider than the bars
    return status(f"<table>{caption}{rows}</table>", None)


def metric_playground(places: list[int] = (1, 4, 12), k: int = 10):
    """A slider for the place of each relevant item, with the metrics below. Reached with Tab; needs a running kernel.

    Args:
        places: where the relevant items stand at first, from 1 to 2 k.
        k: length of the list.

    Returns:
        An ipywidgets VBox of the sliders and the table.

    Raises:
        ImportError: ipywidgets is not installed.
    """
    import ipywidgets

    sizes = {"min": 1, "max": 2 * k, "style": {"description_width": "initial"}}
    labels = [message("widget.place", number=number) for number in range(1, len(places) + 1)]
    sliders = [ipywidgets.IntSlider(value=place, description=label, **sizes) for place, label in zip(places, labels)]
    answer = ipywidgets.HTML(value=playground_html(list(places), k))

    def show(_: dict) -> None:
        answer.value = playground_html([slider.value for slider in sliders], k)

    for slider in sliders:
        slider.observe(show, names="value")
    return ipywidgets.VBox([*sliders, answer])


def diversity_table(catalog: Catalog, scores: np.ndarray, vectors: np.ndarray, lambdas, k: int = 10) -> pd.DataFrame:
    """The still twin of the diversity dial: the slates that MMR makes at several lambdas side by side.

    Args:
        catalog: n items.
        scores: (n) on the scale of a cosine.
        vectors: (n, d) unit rows, by which items resemble each other.
        lambdas: one column each, from 1, which is plain top-k, down to 0.
        k: how many items.

    Returns:
        A table of titles, best first, and the diversity of each slate in the last row.

    Raises:
        DataError: a lambda is not from 0 to 1, or another argument does not suit `mmr`.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> vectors = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 1], [0, 1]])
        >>> scores = np.array([1.0, 1.0, 0.9, 0.2, 0.2])
        >>> diversity_table(tiny_world()[0], scores, vectors, [1.0, 0.5], k=2)[0.5].tolist()
        ['Alien', 'My Neighbor Totoro', '0.40']
    """
    columns = {}
    for lambda_ in lambdas:
        chosen, spread = diverse_slate(catalog, scores, vectors, lambda_, k)
        columns[lambda_] = [*catalog.titles[chosen], f"{spread:.2f}"]
    index = [*range(1, len(next(iter(columns.values()), [""]))), message("widget.diversity")]
    return pd.DataFrame(columns, index=index).rename_axis(columns=message("widget.lambda"))


def diverse_slate(catalog: Catalog, scores, vectors, lambda_: float, k: int) -> tuple[np.ndarray, float]:
    """At most k positions, best first, and their diversity; the two things that the diversity dial shows."""
    chosen = mmr(scores, vectors, k, id_order(catalog.item_ids), lambda_)
    return chosen, float(diversity(chosen[None], vectors)[0])


def diversity_html(catalog: Catalog, scores, vectors, lambda_: float, k: int = 10) -> str:
    """What the diversity dial shows at one lambda: a table of titles and scores, and how diverse they are.

    Args:
        catalog, scores, vectors, k: as for `diversity_table`.
        lambda_: from 0 to 1.

    Returns:
        HTML in which the titles are escaped.
    """
    chosen, spread = diverse_slate(catalog, scores, vectors, lambda_, k)
    columns = message("widget.rank"), message("widget.title"), message("widget.score")
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    rows = "".join(
        f'<tr><td>{rank}</td><td style="text-align:left">{html.escape(catalog.titles[item])}</td>'
        f"<td>{scores[item]:.3f}</td></tr>"
        for rank, item in enumerate(chosen, start=1)
    )
    caption = html.escape(message("widget.diverse", value=lambda_, diversity=spread))
    return status(f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>", None)


def diversity_dial(catalog: Catalog, scores, vectors, k: int = 10):
    """A slider for lambda, with the slate that MMR makes below it. Reached with Tab; needs a running kernel.

    Args:
        catalog, scores, vectors, k: as for `diversity_table`.

    Returns:
        An ipywidgets VBox of the slider and the slate.

    Raises:
        ImportError: ipywidgets is not installed.
    """
    import ipywidgets

    dial = ipywidgets.FloatSlider(value=0.7, min=0, max=1, step=0.05, description=message("widget.lambda"))
    answer = ipywidgets.HTML(value=diversity_html(catalog, scores, vectors, dial.value, k))

    def show(change: dict) -> None:
        answer.value = diversity_html(catalog, scores, vectors, change["new"], k)

    dial.observe(show, names="value")
    return ipywidgets.VBox([dial, answer])


def mixed_slate(catalog: Catalog, scores: np.ndarray, weights, k: int = 10) -> np.ndarray:
    """The titles of a slate in which every interest has its share of places.

    Args:
        catalog: n items.
        scores: (interests, n) how well each item meets each interest.
        weights: (interests) at least 0, not all 0; they need not sum to 1.
        k: how many items.

    Returns:
        At most k titles, in the order in which the interests picked them.

    Raises:
        DataError: there is not one weight for each interest, one is negative, or all are 0.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> scores = np.array([[0.9, 0.8, 0, 0, 0], [0, 0, 0.7, 0.6, 0]])
        >>> mixed_slate(tiny_world()[0], scores, [0, 3], k=2).tolist()
        ['My Neighbor Totoro', 'Spirited Away']
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (len(scores),) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise DataError(f"weights came as {weights.tolist()}; pass {len(scores)} numbers of at least 0, not all 0")
    wanted = weights > 0
    chosen = quota(scores[wanted], weights[wanted] / weights.sum(), k, id_order(catalog.item_ids))
    return catalog.titles[chosen]


def mixer_table(catalog: Catalog, scores: np.ndarray, mixes, k: int = 5) -> pd.DataFrame:
    """The still twin of the interest mixer: the slates of several mixes side by side.

    Args:
        catalog, scores, k: as for `mixed_slate`.
        mixes: tuples of weights, one column each.

    Returns:
        A table of titles; its index is the rank, from 1.

    Raises:
        DataError: as `mixed_slate`.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> scores = np.array([[0.9, 0.8, 0, 0, 0], [0, 0, 0.7, 0.6, 0]])
        >>> mixer_table(tiny_world()[0], scores, [(1, 1)], k=2)["1 : 1"].tolist()
        ['Alien', 'My Neighbor Totoro']
    """
    columns = {" : ".join(f"{w:g}" for w in mix): pd.Series(mixed_slate(catalog, scores, mix, k)) for mix in mixes}
    table = pd.DataFrame(columns)
    table.index = pd.RangeIndex(1, len(table) + 1, name=RANK)
    return table


def mixer_html(catalog: Catalog, scores: np.ndarray, weights, k: int = 10) -> str:
    """What the interest mixer shows: a numbered list of titles, or one sentence that says what is missing."""
    try:
        titles = mixed_slate(catalog, scores, weights, k)
    except DataError:
        return status(html.escape(message("widget.no_mix")), "p")
    return status("".join(f"<li>{html.escape(title)}</li>" for title in titles), "ol")


def interest_mixer(catalog: Catalog, labels, scores: np.ndarray, k: int = 10):
    """A slider for the weight of each interest, with the slate below. Reached with Tab; needs a running kernel.

    Args:
        catalog, scores, k: as for `mixed_slate`.
        labels: (interests) strings, one for each slider.

    Returns:
        An ipywidgets VBox of the sliders and the slate.

    Raises:
        ImportError: ipywidgets is not installed.
    """
    import ipywidgets

    wide = {"style": {"description_width": "40%"}, "layout": ipywidgets.Layout(width="95%")}
    sliders = [ipywidgets.FloatSlider(value=1, min=0, max=3, step=0.5, description=label, **wide) for label in labels]
    answer = ipywidgets.HTML(value=mixer_html(catalog, scores, [1.0] * len(labels), k))

    def show(_: dict) -> None:
        answer.value = mixer_html(catalog, scores, [slider.value for slider in sliders], k)

    for slider in sliders:
        slider.observe(show, names="value")
    return ipywidgets.VBox([*sliders, answer])


@dataclass(frozen=True)
class Turn:
    """Where a feedback player stands: the state, its slate, and a sentence about the last press."""

    state: UserState
    slate: Slate
    said: str


def first_turn(lab, who: str, k: int = 5) -> Turn:
    """The slate for a known user or a wish, before anything is pressed."""
    state = lab.user(who)
    return Turn(state, lab.recommend(state, k), message("widget.press"))


def next_turn(lab, turn: Turn, kind: str, place: int) -> Turn:
    """What a press makes of a turn: the next state, its slate, and what is new on it.

    Args:
        lab: a Recommender.
        turn: from `first_turn` or `next_turn`; it stays as it is.
        kind: `like`, `skip` or `less`.
        place: of the item on the slate, from 1.

    Returns:
        A Turn whose slate is as long, or shorter where nothing is left to show.

    Raises:
        DataError: the slate has no such place, or the kind is none of an item.

    Example:
        >>> from llmrec_lab import Recommender, load_encoder
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> lab = Recommender(tiny_world()[0], load_encoder("minilm"))
        >>> next_turn(lab, first_turn(lab, "spirits", k=2), "like", 1).said
        'like: Spirited Away. First now: My Neighbor Totoro. New on the list: Amélie.'
    """
    shown = len(turn.slate.item_ids)
    if not 1 <= place <= shown:
        raise DataError(f"place came as {place!r}; the slate has places 1 to {shown}")
    item_id, title = turn.slate.item_ids[place - 1], turn.slate.titles[place - 1]
    state = lab.feedback(turn.state, Event("pressed", turn.state.user_id, item_id, kind, 1, 0))
    slate = lab.recommend(state, shown)
    new = [title for title in slate.titles if title not in turn.slate.titles] or [message("widget.nothing")]
    first = slate.titles[0] if len(slate.titles) else message("widget.nothing")
    return Turn(state, slate, message("widget.pressed", kind=kind, title=title, first=first, new=", ".join(new)))


def feedback_table(lab, who: str, presses: list[tuple[str, int]], k: int = 5) -> pd.DataFrame:
    """The still twin of the feedback player: the slates at first and after each press, side by side.

    Args:
        lab: a Recommender.
        who: a known user's id, else a wish.
        presses: pairs of a kind and a place, such as `("like", 1)`.
        k: how many items.

    Returns:
        A table of titles; its index is the rank, from 1.

    Raises:
        DataError: as `next_turn`.

    Example:
        >>> from llmrec_lab import Recommender, load_encoder
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> lab = Recommender(tiny_world()[0], load_encoder("minilm"))
        >>> feedback_table(lab, "spirits", [("like", 1)], k=2).loc[1].tolist()
        ['Spirited Away', 'My Neighbor Totoro']
    """
    turn = first_turn(lab, who, k)
    columns = {message("widget.start"): pd.Series(turn.slate.titles)}
    for number, (kind, place) in enumerate(presses, start=1):
        turn = next_turn(lab, turn, kind, place)
        columns[message("widget.after", number=number, kind=kind, place=place)] = pd.Series(turn.slate.titles)
    table = pd.DataFrame(columns).fillna("")
    table.index = pd.RangeIndex(1, len(table) + 1, name=RANK)
    return table


def feedback_player(lab, who: str, k: int = 5):
    """A slate with buttons like and skip, which follows every press. Reached with Tab; needs a running kernel.

    Args:
        lab, who, k: as for `feedback_table`.

    Returns:
        An ipywidgets VBox: a row for each place, and below them what the last press did.

    Raises:
        ImportError: ipywidgets is not installed.
    """
    import ipywidgets

    turn = first_turn(lab, who, k)
    places, kinds = range(1, len(turn.slate.item_ids) + 1), ("like", "skip")
    narrow = ipywidgets.Layout(width="5em")
    buttons = {(kind, place): ipywidgets.Button(description=kind, layout=narrow) for place in places for kind in kinds}
    titles = {place: ipywidgets.HTML() for place in places}
    said = ipywidgets.HTML()

    def show() -> None:
        shown = dict(zip(places, turn.slate.titles))
        for place in places:
            titles[place].value = html.escape(shown.get(place, ""))
            for kind in kinds:
                buttons[kind, place].disabled = place not in shown
                buttons[kind, place].tooltip = f"{kind} {shown.get(place, '')}"
        said.value = status(html.escape(turn.said), "p")

    def pressed(kind: str, place: int) -> None:
        nonlocal turn
        turn = next_turn(lab, turn, kind, place)
        show()

    for (kind, place), button in buttons.items():
        button.on_click(lambda _, kind=kind, place=place: pressed(kind, place))
    show()
    rows = [ipywidgets.HBox([*(buttons[kind, place] for kind in kinds), titles[place]]) for place in places]
    return ipywidgets.VBox([*rows, said])


def after_a_pause(action: Callable[[], None], pause: float = PAUSE) -> Callable:
    """A callback that runs an action once nothing has called it for a while; at once where no event loop runs.

    Args:
        action: takes and returns nothing.
        pause: seconds.

    Returns:
        A function that takes anything.

    Example:
        >>> after_a_pause(lambda: print("shown"))({"new": "text"})
        shown
    """
    waiting = None

    def called(*_) -> None:
        nonlocal waiting
        if waiting is not None:
            waiting.cancel()
        try:
            waiting = asyncio.get_running_loop().call_later(pause, action)
        except RuntimeError:  # no loop: a plain script, or a test
            action()

    return called
