"""Pictures from arrays: functions take data and an optional ax, and return the ax. Know nothing about where data is from.

Parts of a picture differ by hatching as well as by color, and every picture has its twin in words.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmrec_lab.errors import DataError

HATCHES = ("", "//", "..", "xx", "\\\\", "oo", "++", "--")
LONGEST_LABEL = 50
DPI = 80


def stacked_parts(titles: Sequence[str], parts: np.ndarray, part_names: Sequence[str], ax=None):
    """Scores as horizontal bars made of their parts, the first item on top.

    Args:
        titles: (n) strings.
        parts: (n, p) numbers; negative ones go to the left of 0.
        part_names: (p) strings, the legend.
        ax: matplotlib axes; new ones if left out.

    Returns:
        The axes.

    Example:
        >>> ax = stacked_parts(["Alien", "Amélie"], np.array([[0.4, 0.1], [0.2, -0.1]]), ["text", "popularity"])
        >>> [round(float(bar.get_width()), 2) for bar in ax.patches]
        [0.4, 0.2, 0.1, -0.1]
    """
    from matplotlib import colormaps

    ax = ax or new_axes(height=1.2 + 0.32 * len(titles))
    places = np.arange(len(titles))
    ends = {1: np.zeros(len(titles)), -1: np.zeros(len(titles))}  # where the bars end, to the right and to the left
    for number, name in enumerate(part_names):
        values = parts[:, number]
        starts = np.where(values >= 0, ends[1], ends[-1])
        color = colormaps["tab10"](number % 10)
        hatch = HATCHES[number % len(HATCHES)]
        ax.barh(places, values, left=starts, color=color, hatch=hatch, edgecolor="white", label=shorten(name))
        ends[1], ends[-1] = ends[1] + np.maximum(values, 0), ends[-1] + np.minimum(values, 0)
    ax.set_yticks(places, [shorten(title) for title in titles])
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_xlabel("score, the sum of its parts (no unit)")
    ax.set_ylabel("item, best first")
    ax.legend(loc="upper center", bbox_to_anchor=(0.35, -0.18), frameon=False)
    return ax


def parts_in_words(titles: Sequence[str], parts: np.ndarray, part_names: Sequence[str]) -> str:
    """What `stacked_parts` shows, as a sentence or two: for those who do not see the picture.

    Args:
        titles: (n) strings, at least one.
        parts: (n, p) numbers.
        part_names: (p) strings.

    Returns:
        The text.

    Example:
        >>> parts_in_words(["Alien", "Amélie"], np.array([[0.4, 0.1], [0.2, 0.1]]), ["text", "popularity"])
        'Bars of 2 scores, from 0.50 (Alien) down to 0.30 (Amélie). Mean parts: text 0.30, popularity 0.10.'
    """
    scores = parts.sum(axis=1)
    means = ", ".join(f"{name} {value:.2f}" for name, value in zip(part_names, parts.mean(axis=0)))
    first, last = f"{scores[0]:.2f} ({titles[0]})", f"{scores[-1]:.2f} ({titles[-1]})"
    return f"Bars of {len(titles)} scores, from {first} down to {last}. Mean parts: {means}."


def interval_chart(names: Sequence[str], intervals: Sequence, xlabel: str, ax=None):
    """Means with their intervals as dots on horizontal lines, the first on top, and a dashed line at zero.

    Args:
        names: (n) strings.
        intervals: (n) with a mean, a low and a high end, such as `llmrec_lab.metrics.Interval`.
        xlabel: what is measured, and its unit.
        ax: matplotlib axes; new ones if left out.

    Returns:
        The axes.

    Example:
        >>> from llmrec_lab.metrics import Interval
        >>> ax = interval_chart(["EASE"], [Interval(0.09, 0.06, 0.12)], "difference in HR@10 (share of users)")
        >>> [float(end) for end in ax.collections[0].get_segments()[0][:, 0].round(2)]
        [0.06, 0.12]
    """
    ax = ax or new_axes(height=1.2 + 0.32 * len(names))
    places = np.arange(len(names))
    ax.hlines(places, [found.low for found in intervals], [found.high for found in intervals], color="black")
    ax.plot([found.mean for found in intervals], places, "o", color="black")
    ax.axvline(0, color="black", linewidth=0.8, linestyle="--")
    ax.set_yticks(places, [shorten(name) for name in names])
    ax.invert_yaxis()
    ax.set_xlabel(xlabel)
    return ax


def intervals_in_words(names: Sequence[str], intervals: Sequence) -> str:
    """What `interval_chart` shows, for those who do not see the picture.

    Args:
        names: (n) strings.
        intervals: (n) as for `interval_chart`.

    Returns:
        The text.

    Example:
        >>> from llmrec_lab.metrics import Interval
        >>> intervals_in_words(["EASE"], [Interval(0.09, 0.06, 0.12)])
        'Means with intervals: EASE 0.09 (0.06 to 0.12).'
    """
    parts = (f"{name} {found.mean:.2f} ({found.low:.2f} to {found.high:.2f})" for name, found in zip(names, intervals))
    return f"Means with intervals: {', '.join(parts)}."


@dataclass(frozen=True)
class Picture:
    """An image that carries its alternative text wherever it is shown: as HTML where that is trusted, else as PNG.

    Args:
        png: the file's content.
        words: what the image shows; terminals show them instead.
    """

    png: bytes
    words: str

    def _repr_mimebundle_(self, include=None, exclude=None):
        encoded = base64.b64encode(self.png).decode()
        tag = f'<img alt="{html.escape(self.words)}" src="data:image/png;base64,{encoded}">'
        return {"image/png": encoded, "text/html": tag, "text/plain": self.words}, {"image/png": {"alt": self.words}}


def picture(ax, words: str) -> Picture:
    """The figure of some axes as an image that carries its alternative text, for the last line of a cell.

    Args:
        ax: matplotlib axes; their figure is closed.
        words: what the image shows, for instance from `parts_in_words`.

    Returns:
        A Picture.

    Raises:
        DataError: there are no words.
    """
    from matplotlib import pyplot

    if not words.strip():
        raise DataError("a picture came without words; say what it shows, for those who do not see it")
    content = io.BytesIO()
    ax.figure.savefig(content, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(ax.figure)
    return Picture(content.getvalue(), words)


def new_axes(width: float = 7.0, height: float = 4.0):
    """Axes of a new figure, sizes in inches; without a window, so that it works on servers and in tests."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height)).subplots()


def shorten(text: str) -> str:
    """A label that fits; longer ones end in an ellipsis.

    Example:
        >>> shorten("a" * 60)[-3:], len(shorten("a" * 60))
        ('aa…', 50)
    """
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
