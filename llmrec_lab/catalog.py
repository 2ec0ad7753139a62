"""The nouns that travel through the whole system, validated once and never changed: Catalog, Interactions, Histories, Slate.

Knows nothing about models, files, or scores.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from llmrec_lab.columns import ITEM, LATEST_TIMESTAMP, RANK, RATING, SCORE, TIMESTAMP, TITLE, USER, WEIGHT
from llmrec_lab.errors import DataError
from llmrec_lab.text import clean

FACET_SEPARATOR = re.compile(r"\s*[|,;]\s*")


@dataclass(frozen=True)
class Catalog:
    """The items that can be recommended, in a fixed order.

    Args:
        item_ids: (n) unique strings.
        titles: (n) strings, what a person sees.
        texts: (n) strings, what a language model reads.
        facets: (n rows) a DataFrame of tuples of strings, one column per facet (genre, director, ...); maybe none.
        glosses: (facet, value) to a few words that say what the value means, such as ("genre", "Western") to "cowboys and
            outlaws"; wishes that never use the value's name find it through its gloss.
        noun: what one item is called, such as "film": a concept is then read as "Western film", closer to what people say.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"item_id": [7, 9], "title": ["Alien", "Amelie"], "genre": ["Horror|Sci-Fi", "Comedy"]})
        >>> catalog = Catalog.from_frame(frame, text=["title", "genre"], facets=["genre"])
        >>> catalog.item_ids.tolist(), catalog.facets["genre"].tolist()
        (['7', '9'], [('Horror', 'Sci-Fi'), ('Comedy',)])
    """

    item_ids: np.ndarray
    titles: np.ndarray
    texts: np.ndarray
    facets: pd.DataFrame
    glosses: dict[tuple[str, str], str] = field(default_factory=dict)
    noun: str = ""

    def __len__(self) -> int:
        return len(self.item_ids)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, text: list[str] | None = None, facets: list[str] = ()) -> Catalog:
        """Make a catalog from a table with one row per item.

        Args:
            frame: needs the columns `item_id` (any type, unique) and `title`.
            text: the columns that the language model reads, in order; the title alone if left out.
            facets: columns with one or several values a cell: a list, or a string separated by `|`, `,` or `;`.

        Returns:
            A Catalog in the order of the rows.

        Raises:
            DataError: a column is missing, the table is empty, an id is missing or occurs twice, an item has no text.

        Example:
            >>> Catalog.from_frame(pd.DataFrame({"item_id": ["a"], "title": ["Alien"]})).texts.tolist()
            ['Alien']
        """
        text = [TITLE] if text is None else [text] if isinstance(text, str) else list(text)
        facets = [facets] if isinstance(facets, str) else list(facets or ())
        require_columns(frame, [ITEM, TITLE, *text, *facets], "the catalog")
        if frame.empty:
            raise DataError("the catalog is empty; pass a table with at least one item")
        item_ids = to_ids(frame[ITEM], "item_id")
        repeated = sorted(item_ids[pd.Series(item_ids).duplicated()])
        if repeated:
            raise DataError(f"item_id {repeated[0]!r} occurs more than once; keep one row per item")
        titles = [clean(title) or item_id for title, item_id in zip(frame[TITLE], item_ids)]
        texts = [" ".join(filter(None, (clean(value) for value in row))) for row in frame[text].itertuples(index=False)]
        for item_id, words in zip(item_ids, texts):
            if not words:
                raise DataError(f"item {item_id!r} has no text in {text}; give it a title or name more text columns")
        cells = {name: [split_facet(cell) for cell in frame[name]] for name in facets}
        return cls(item_ids, frozen(titles), frozen(texts), pd.DataFrame(cells, index=range(len(item_ids))))

    def positions(self, item_ids) -> np.ndarray:
        """Where the given items stand in the catalog; -1 for an item that is not in it.

        Args:
            item_ids: (m) strings.

        Returns:
            (m) integers.

        Example:
            >>> Catalog.from_frame(pd.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"]})).positions(["b", "x"])
            array([ 1, -1])
        """
        return self.index.get_indexer(np.asarray(item_ids, dtype=object))

    @cached_property
    def index(self) -> pd.Index:
        """The item ids, hashed once: `positions` of one id takes microseconds then."""
        return pd.Index(self.item_ids)


@dataclass(frozen=True)
class Interactions:
    """Who met which item when: `frame` has the columns user_id, item_id, timestamp, and maybe rating and weight.

    Args:
        frame: ids are strings, timestamps integer seconds UTC, rows sorted by user, then time, then a hash of user and item.

    Example:
        >>> log = pd.DataFrame({"user_id": [1, 1], "item_id": [7, 9], "timestamp": [20, 10]})
        >>> Interactions.from_frame(log).frame["item_id"].tolist()
        ['9', '7']
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Interactions:
        """Check a table of events and sort it; rows with the same user and time are ordered by a hash, never by item id.

        Args:
            frame: columns `user_id`, `item_id` (any type), `timestamp` (seconds or a datetime), optional `rating`, `weight`.

        Returns:
            Interactions, possibly with no rows. A user may meet the same item several times. Every row counts as one
            meeting: ratings and weights are kept for models that use them, which the Recommender does not do.

        Raises:
            DataError: a column or an id is missing, a timestamp is not in seconds, a rating or weight is not finite.

        Example:
            >>> Interactions.from_frame(pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": [0]})).frame.shape
            (1, 3)
        """
        require_columns(frame, [USER, ITEM, TIMESTAMP], "the interactions")
        checked = pd.DataFrame(
            {
                USER: pd.array(to_ids(frame[USER], USER), dtype=object),
                ITEM: pd.array(to_ids(frame[ITEM], ITEM), dtype=object),
                TIMESTAMP: to_seconds(frame[TIMESTAMP]),
            }
        )
        for name in (RATING, WEIGHT):
            if name in frame:
                checked[name] = to_finite(frame[name], name)
        tie = pd.util.hash_array((checked[USER] + "\t" + checked[ITEM]).to_numpy(dtype=object))
        users, _ = pd.factorize(checked[USER], sort=True)  # numbers that sort as the ids do, and faster
        order = np.lexsort((tie, checked[TIMESTAMP], users))
        return cls(checked.iloc[order].reset_index(drop=True))

    def histories(self, catalog: Catalog) -> Histories:
        """Each user's items as catalog positions, oldest first; events with items outside the catalog are left out.

        Args:
            catalog: the items that may be recommended.

        Returns:
            Histories of every user who met at least one item of the catalog, in order of user id.

        Example:
            >>> catalog = Catalog.from_frame(pd.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"]}))
            >>> log = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "x"], "timestamp": [1, 2]})
            >>> Interactions.from_frame(log).histories(catalog).of(0)
            array([1])
        """
        positions = catalog.positions(self.frame[ITEM])
        known = self.frame.assign(position=positions)[positions >= 0]
        user_ids, counts = np.unique(known[USER].to_numpy(dtype=object), return_counts=True)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return Histories(user_ids, known["position"].to_numpy(), known[TIMESTAMP].to_numpy(), starts, len(catalog))


@dataclass(frozen=True)
class Histories:
    """What each user met, as catalog positions: one flat array and where each user's stretch of it starts.

    Args:
        user_ids: (m) strings, sorted.
        items: (t) catalog positions, user by user, oldest first.
        timestamps: (t) integer seconds UTC.
        starts: (m + 1) where each user's items start in `items`; the last entry is t.
        n_items: how many items the catalog has.

    Example:
        >>> histories = Histories(np.array(["u", "v"]), np.array([2, 0, 1]), np.array([5, 6, 9]), np.array([0, 2, 3]), 4)
        >>> histories.of(0), histories.matrix().toarray()[1]
        (array([2, 0]), array([0., 1., 0., 0.], dtype=float32))
    """

    user_ids: np.ndarray
    items: np.ndarray
    timestamps: np.ndarray
    starts: np.ndarray
    n_items: int

    def __len__(self) -> int:
        return len(self.user_ids)

    def of(self, row: int) -> np.ndarray:
        """The items of one user, oldest first."""
        return self.items[self.starts[row] : self.starts[row + 1]]

    def rows(self) -> np.ndarray:
        """(t) for each entry of `items`, the row of its user."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def take(self, keep: np.ndarray) -> Histories:
        """The same users with only some of their items.

        Args:
            keep: (t) booleans, one per entry of `items`.

        Returns:
            Histories of the same m users; a user may be left with none.
        """
        counts = np.bincount(self.rows()[keep], minlength=len(self))
        starts = np.concatenate([[0], np.cumsum(counts)])
        return Histories(self.user_ids, self.items[keep], self.timestamps[keep], starts, self.n_items)

    def of_users(self, user_ids) -> Histories:
        """The histories of the given users, in that order; empty for a user that has none.

        Args:
            user_ids: strings.

        Returns:
            Histories with one row for each of `user_ids`.
        """
        user_ids = np.asarray(list(user_ids), dtype=object)
        rows = pd.Index(self.user_ids).get_indexer(user_ids)
        lengths = np.append(np.diff(self.starts), 0)[rows]  # row -1, no such user, has the appended 0
        starts = np.concatenate([[0], np.cumsum(lengths)])
        at = np.repeat(self.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1])
        return Histories(user_ids, self.items[at], self.timestamps[at], starts, self.n_items)

    def matrix(self):
        """(m, n_items) scipy CSR matrix, float32: 1 where the user met the item, however often."""
        from scipy.sparse import csr_matrix

        ones = np.ones(len(self.items), dtype=np.float32)
        matrix = csr_matrix((ones, (self.rows(), self.items)), shape=(len(self), self.n_items))
        matrix.data[:] = 1.0  # repeats were summed
        return matrix


@dataclass(frozen=True)
class Slate:
    """Recommended items, best first, each with the exact parts of its score.

    Args:
        item_ids: (n) strings.
        titles: (n) strings.
        scores: (n) float64, not increasing.
        part_names: (p) names, such as `text: space travel` or `popularity`.
        parts: (n, p) float64; each row sums to the score within 1e-6.

    Example:
        >>> slate = Slate(*map(np.array, (["a"], ["Alien"], [0.5], ["text", "popularity"], [[0.4, 0.1]])))
        >>> slate.reasons(0)
        'text 0.400 + popularity 0.100'
    """

    item_ids: np.ndarray
    titles: np.ndarray
    scores: np.ndarray
    part_names: np.ndarray
    parts: np.ndarray

    def __len__(self) -> int:
        return len(self.item_ids)

    def reasons(self, index: int) -> str:
        """The parts of one item's score in words, largest first; parts of zero are left out.

        Args:
            index: place in the slate, from 0.

        Returns:
            One line of text.
        """
        order = np.argsort(-np.abs(self.parts[index]), kind="stable")
        shown = [(self.part_names[p], self.parts[index, p]) for p in order if abs(self.parts[index, p]) >= 5e-4]
        signed = " ".join(f"{'-' if value < 0 else '+'} {name} {abs(value):.3f}" for name, value in shown)
        return signed.removeprefix("+ ") or "nothing known"

    def to_frame(self) -> pd.DataFrame:
        """The slate as a table with the columns rank, item_id, title, score, reasons."""
        return pd.DataFrame(
            {
                RANK: np.arange(1, len(self) + 1),
                ITEM: self.item_ids,
                TITLE: self.titles,
                SCORE: self.scores,
                "reasons": [self.reasons(i) for i in range(len(self))],
            }
        )

    def __str__(self) -> str:
        rows = self.to_frame()
        return "\n".join(f"{r.rank:>2}  {r.score:.3f}  {r.title}\n           {r.reasons}" for r in rows.itertuples())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{r.rank}</td><td style='text-align:left'>{html.escape(r.title)}</td><td>{r.score:.3f}</td>"
            f"<td style='text-align:left'>{html.escape(r.reasons)}</td></tr>"
            for r in self.to_frame().itertuples()
        )
        return f"<table><tr><th>rank</th><th>title</th><th>score</th><th>why: the parts of the score</th></tr>{rows}</table>"


def require_columns(frame: pd.DataFrame, names: list[str], what: str) -> None:
    """Raise DataError unless the table has all the named columns."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{what} came as {type(frame).__name__}; pass a pandas DataFrame")
    missing = [name for name in dict.fromkeys(names) if name not in frame.columns]
    if missing:
        raise DataError(f"{what}: no column {missing}; found {list(map(str, frame.columns))}; rename or add it")
    for name in names:
        if (frame.columns == name).sum() > 1:
            raise DataError(f"{what}: column {name!r} occurs more than once; keep one")


def to_ids(values: pd.Series, name: str) -> np.ndarray:
    """Ids of any type as strings; a whole float (an integer column that once had gaps) loses its `.0`."""
    missing = values.isna().to_numpy()
    if missing.any():
        raise DataError(f"{name} is missing in row {int(missing.argmax())}; every row needs one")
    try:
        codes, different = pd.factorize(values)  # the same ids come again and again: look at each once
    except TypeError:  # something that cannot be an id, which id_text names
        codes, different = np.arange(len(values)), values
    ids = np.array([id_text(value) for value in different], dtype=object)
    for value in ids:
        if not value.strip() or clean(value) != value:
            raise DataError(f"{name} {value!r:.60} is empty or has spaces at its ends or unprintable characters; rename it")
    return frozen(ids[codes])


def id_text(value) -> str:
    """One id as a string: the same for 7, 7.0 and "7", in whatever column they stand.

    Example:
        >>> id_text(7.0), id_text("007"), id_text((1, "a"))
        ('7', '007', "(1, 'a')")
    """
    if isinstance(value, (list, set, dict, np.ndarray)):
        raise DataError(f"an id came as {type(value).__name__}; pass strings, numbers, or tuples")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def to_seconds(values: pd.Series) -> np.ndarray:
    """Timestamps as integer seconds UTC, from numbers or datetimes."""
    if not pd.api.types.is_numeric_dtype(values) and pd.to_numeric(values, errors="coerce").isna().all():
        times = pd.to_datetime(values, errors="coerce", utc=True)  # text such as 2020-09-14 12:26:40, or Python's datetimes
        values = values if times.isna().any() else times
    if pd.api.types.is_datetime64_any_dtype(values):
        values = (pd.to_datetime(values, utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    seconds = to_finite(values, TIMESTAMP)
    if len(seconds) and np.abs(seconds).max() > LATEST_TIMESTAMP:
        raise DataError(
            f"timestamp {seconds[np.abs(seconds).argmax()]:.0f} is no time in seconds; divide milliseconds by 1000"
        )
    return np.floor(seconds).astype(np.int64)


def to_finite(values: pd.Series, name: str) -> np.ndarray:
    """A column as finite float64 numbers."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(numbers)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(f"{name} {values.iloc[row]!r:.60} in row {row} is not a finite number; drop or mend the row")
    return numbers


def split_facet(cell) -> tuple[str, ...]:
    """The values in one facet cell: a list, or a string separated by `|`, `,` or `;`; none for a missing cell."""
    if isinstance(cell, (list, tuple, set, np.ndarray)):
        values = [clean(value) for value in cell]
    else:
        values = FACET_SEPARATOR.split(clean(cell))
    return tuple(dict.fromkeys(value for value in values if value))


def frozen(values) -> np.ndarray:
    """A read-only array of Python strings."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Dataset:
    """Items and who met which of them when.

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> dataset = Dataset(*tiny_world())
        >>> len(dataset.catalog), len(dataset.interactions)
        (5, 8)
    """

    catalog: Catalog
    interactions: Interactions
