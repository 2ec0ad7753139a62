"""Read MovieLens and Amazon Reviews 2023 from the files that their publishers offer. Knows nothing about models.

MovieLens is for research and not for commercial use (Harper and Konstan 2015, doi 10.1145/2827872). Amazon Reviews 2023
was collected by the McAuley Lab, and states no license (Hou et al. 2024, arXiv 2403.03952).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv, json

from llmrec_lab.catalog import Catalog, Dataset, Interactions
from llmrec_lab.columns import ITEM, LATEST_TIMESTAMP, RATING, TIMESTAMP, TITLE, USER
from llmrec_lab.datasets.archives import Member, members, reading
from llmrec_lab.datasets.downloads import DOWNLOADS, download
from llmrec_lab.datasets.films import Facts, film_row, front_article, to_catalog
from llmrec_lab.errors import DataError

BLOCK = 1_000_000  # interactions that are sorted at a time
LONGEST_RECORD = 1 << 24  # bytes of one line of JSON
ID = pa.dictionary(pa.int32(), pa.string())  # ids repeat: each is kept once
EVENT_TYPES = {USER: ID, ITEM: ID, RATING: pa.float32(), TIMESTAMP: pa.int64()}
YEAR = re.compile(r"(.+?)\s*\((\d{4})[-–]?\s?(?:\d{4})?\)(?:\s*\(V\))?")  # Heat (1995), Fawlty Towers (1975-1979)
NO_FACTS = Facts([], {}, {})


def load_dataset(source: str | Path, min_interactions: int = 5) -> Dataset:
    """MovieLens (100K, 1M, 10M, 20M, 25M, 32M, latest) or one category of Amazon Reviews 2023.

    Files are read where they are: in a folder, in the .zip as it was downloaded, or one ratings file of Amazon
    (`Books.csv.gz`, `Books.train.csv`, `Books.jsonl`) that has its products (`meta_Books.jsonl.gz`) beside it.

    Args:
        source: a path, or a key of `llmrec_lab.datasets.downloads.DOWNLOADS`, which is then fetched. A path goes first.
        min_interactions: items with fewer are left out, as are products that have no title.

    Returns:
        A Dataset. Films have the facets genre and decade, products category and store; interactions have ratings.

    Raises:
        DataError: the files are not there, not whole, or not in their format.
        AssetError: the files cannot be fetched.

    Source:
        Harper and Konstan 2015, doi 10.1145/2827872; Hou et al. 2024, arXiv 2403.03952.

    Example:
        >>> load_dataset("ml-3m")
        Traceback (most recent call last):
        llmrec_lab.errors.DataError: no path and no download is called 'ml-3m'; there are ml-100k, ml-1m, ...
    """
    if not isinstance(min_interactions, Integral) or min_interactions < 0:
        raise DataError(f"min_interactions came as {min_interactions!r}; pass a whole number of at least 0")
    path = locate(source)
    with members(path, meta_names(path.name)) as files:
        items, events, make_catalog = read(files)
    counts = events[ITEM].value_counts().rename(index=str).reindex(items[ITEM]).fillna(0)
    items = items[counts.to_numpy() >= min_interactions]
    events = events[events[ITEM].isin(items[ITEM])]
    if events.empty:
        least = max(min_interactions, 1)
        raise DataError(f"no item of {source} has {least} interactions; pass a smaller min_interactions, or matching files")
    return Dataset(make_catalog(items), to_interactions(events))


def locate(source: str | Path) -> Path:
    """The path that was passed, or that of the download of this name."""
    path = Path(source).expanduser()
    if path.exists():
        return path
    if str(source) in DOWNLOADS:
        return download(str(source))
    raise DataError(f"no path and no download is called {str(source)!r}; there are {', '.join(DOWNLOADS)}")


def to_interactions(events: pd.DataFrame) -> Interactions:
    """`Interactions.from_frame`, a block of users at a time: what it sorts by takes far more memory than the result.

    Args:
        events: user and item ids are categorical.

    Returns:
        The same Interactions as of all rows at once, because users come first in their order.
    """
    users = events[USER].cat.remove_unused_categories().cat
    names = users.categories.to_numpy(dtype=object)
    order = np.argsort(names)
    block = np.empty(len(names), dtype=np.int64)
    block[order] = np.cumsum(np.bincount(users.codes)[order]) // BLOCK
    blocks = (events[block[users.codes] == number] for number in np.unique(block))
    parts = [Interactions.from_frame(rows.astype({USER: object, ITEM: object})).frame for rows in blocks]
    return Interactions(pd.concat(parts, ignore_index=True))


# --- the formats -------------------------------------------------------------------------------------------------------


class Source(NamedTuple):
    """The tables of a data set, and what makes a catalog of those items that are kept."""

    items: pd.DataFrame
    events: pd.DataFrame
    make_catalog: Callable[[pd.DataFrame], Catalog]


def read(files: dict[str, Member]) -> Source:
    """The tables of whatever data set the files are."""
    layouts = {
        ("u.data", "u.item", "u.genre"): read_100k,
        ("ratings.dat", "movies.dat"): read_dat,
        ("ratings.csv", "movies.csv"): read_csv,
    }
    for needed, reader in layouts.items():
        if files.keys() >= set(needed):
            return reader(files)
    ratings = [name for name in sorted(files) if files.keys() & meta_names(name)]
    if len(ratings) == 1:
        return read_amazon(files, ratings[0])
    if ratings:
        raise DataError(f"found the ratings {', '.join(ratings)}; pass the path of one of them")
    wanted = [", ".join(names) for names in layouts] + ["NAME.csv or NAME.jsonl, meta_NAME.jsonl (maybe with .gz)"]
    raise DataError(f"found {', '.join(sorted(files)[:10]) or 'no files'}; expected {'; or '.join(wanted)}")


def read_100k(files: dict[str, Member]) -> Source:
    """u.data, u.item with a 0 or 1 for each genre, and u.genre with their names."""
    genres = np.array([cells[0] for cells in cells_of(files, "u.genre", "|")])
    rows = cells_of(files, "u.item", "|", 5 + len(genres))
    films = [(row[0], row[1], "|".join(genres[np.array(row[5:]) == "1"])) for row in rows]
    return movielens(films, table(files, "u.data", EVENT_TYPES, list(EVENT_TYPES), "\t"), "u.data")


def read_dat(files: dict[str, Member]) -> Source:
    """ratings.dat and movies.dat, whose columns are separated by two colons."""
    names = [USER, "gap 1", ITEM, "gap 2", RATING, "gap 3", TIMESTAMP]  # one colon is faster: an empty column between two
    events = table(files, "ratings.dat", EVENT_TYPES, names, ":")
    return movielens(cells_of(files, "movies.dat", "::", 3), events, "ratings.dat")


def read_csv(files: dict[str, Member]) -> Source:
    """ratings.csv and movies.csv."""
    films = table(files, "movies.csv", dict.fromkeys(["movieId", "title", "genres"], pa.string())).to_pandas()
    types = dict(zip(["userId", "movieId", "rating", "timestamp"], EVENT_TYPES.values()))
    return movielens(films.itertuples(index=False, name=None), table(files, "ratings.csv", types), "ratings.csv")


def movielens(films: Iterable[Sequence[str]], events: pa.Table, name: str) -> Source:
    """Films, as id, title with year, and genres separated by |, with their ratings, which are in the named file."""
    return Source(pd.DataFrame(list(films), columns=[ITEM, TITLE, "genres"]), to_events(events, name), film_catalog)


def film_catalog(films: pd.DataFrame) -> Catalog:
    """Films with their genres and the decade of the year that is behind their title."""
    catalog = to_catalog(pd.DataFrame([film_cells(*film) for film in films.itertuples(index=False)]))
    return replace(catalog, facets=catalog.facets[["genre", "decade"]])


class Film(NamedTuple):
    item_id: str
    title: str
    year: int
    genres: str


def film_cells(item_id: str, title: str, genres: str) -> dict:
    """The cells of one film; some titles have no year."""
    match = YEAR.fullmatch(title.strip())
    genres = genres.replace("Children's", "Children").replace("unknown", "")  # the words of 100K and 1M
    if match:
        return film_row(Film(item_id, match[1], int(match[2]), genres), NO_FACTS)
    return film_row(Film(item_id, title, 0, genres), NO_FACTS) | {TITLE: front_article(title.strip()), "decade": ()}


def read_amazon(files: dict[str, Member], name: str) -> Source:
    """The named file of ratings or reviews, and the products of its category."""
    text = pa.string()
    types = {"parent_asin": text, TITLE: text, "main_category": text, "categories": pa.list_(text), "store": text}
    meta = min(files.keys() & meta_names(name))  # the unpacked one, if both are there
    products = records(files, meta, types).to_pandas().rename(columns={"parent_asin": ITEM})
    products = products.fillna({TITLE: "", "main_category": "", "store": ""})
    types = dict(zip(["user_id", "parent_asin", "rating", "timestamp"], EVENT_TYPES.values()))
    if ".jsonl" in name:
        events = records(files, name, types | dict.fromkeys(["user_id", "parent_asin"], text))
    else:
        events = table(files, name, types)
    return Source(products[products[TITLE].str.strip() != ""], to_events(events, name, per_second=1000), product_catalog)


def meta_names(name: str) -> set[str]:
    """The names that the products of a ratings file may have: `Books.train.csv` has `meta_Books.jsonl`, or that with .gz.

    Example:
        >>> sorted(meta_names("Books.train.csv.gz")), meta_names("README.md")
        (['meta_Books.jsonl', 'meta_Books.jsonl.gz'], set())
    """
    match = re.fullmatch(r"(\w+)(\.\w+)?\.(csv|jsonl)(\.gz)?", name)
    return {f"meta_{match[1]}.jsonl", f"meta_{match[1]}.jsonl.gz"} if match else set()


def product_catalog(products: pd.DataFrame) -> Catalog:
    """Products with the categories and the store they are in; their text is short, as that of films."""
    rows = [product_cells(product) for product in products.itertuples()]
    return Catalog.from_frame(pd.DataFrame(rows), ["text"], ["category", "store"])


def product_cells(product) -> dict:
    """The cells of one product; its categories or its store may be missing."""
    categories = tuple(() if product.categories is None else product.categories) or (product.main_category,)
    text = [product.title, ", ".join(categories), product.store and f"By {product.store}"]
    return {
        ITEM: product.item_id,
        TITLE: product.title,
        "text": " ".join(f"{part}." for part in text if part),
        "category": categories,
        "store": (product.store,),
    }


# --- tables ------------------------------------------------------------------------------------------------------------


def to_events(found: pa.Table, name: str, per_second: int = 1) -> pd.DataFrame:
    """Check the columns user, item, rating, timestamp, and put times into seconds; ids become categorical.

    Args:
        found: four columns of any names, in this order.
        name: the file they are from.
        per_second: what a second is in its times: 1, or 1000 in milliseconds.

    Returns:
        One row per event.

    Raises:
        DataError: there are no rows, a cell is empty, a rating is not between 0 and 5, or times are no milliseconds.
    """
    if not len(found):
        raise DataError(f"{name} has no ratings; download it again")
    for column, cells in zip(found.column_names, found.columns):
        if cells.null_count:
            raise DataError(f"{name}: {cells.null_count:,} of {len(cells):,} rows have no {column}; download it again")
    events = found.rename_columns(list(EVENT_TYPES)).cast(pa.schema(EVENT_TYPES.items())).unify_dictionaries().to_pandas()
    odd = events[RATING][~events[RATING].between(0, 5)]
    if len(odd):
        raise DataError(f"{name} has the rating {odd.iloc[0]}, expected 0 to 5: are its columns in another order?")
    if per_second > 1 and events[TIMESTAMP].max() <= LATEST_TIMESTAMP:
        raise DataError(f"{name} has times up to {events[TIMESTAMP].max()}, expected milliseconds since 1970")
    return events.assign(**{TIMESTAMP: events[TIMESTAMP] // per_second})


def table(files: dict[str, Member], name: str, types: dict, names: list[str] | None = None, separator=",") -> pa.Table:
    """Some columns of a large file.

    Args:
        files: where the file is.
        name: the file.
        types: the columns to read, and the Arrow type of each.
        names: the names of all columns, if the first line does not tell them.
        separator: one character.

    Returns:
        The columns in the order of `types`.
    """
    with reading(files, name) as stream:
        return csv.read_csv(
            stream,
            csv.ReadOptions(column_names=names),
            csv.ParseOptions(delimiter=separator, quote_char=False if names else '"'),
            csv.ConvertOptions(column_types=types, include_columns=list(types)),
        )


def records(files: dict[str, Member], name: str, types: dict) -> pa.Table:
    """Some fields of a file with one JSON object per line; what an object lacks is null."""
    options = json.ParseOptions(explicit_schema=pa.schema(types.items()), unexpected_field_behavior="ignore")
    with reading(files, name) as stream:
        return json.read_json(stream, json.ReadOptions(block_size=LONGEST_RECORD), options)


def cells_of(files: dict[str, Member], name: str, separator: str, width: int | None = None) -> list[list[str]]:
    """The cells of each line of a small file; it is UTF-8, or Latin-1 as the older files of MovieLens are."""
    with reading(files, name) as stream:
        raw = stream.read()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    rows = [line.rstrip("\r").split(separator) for line in text.split("\n") if line.strip()]
    if not rows:
        raise DataError(f"{name} is empty; download it again")
    for row in rows:
        if width and len(row) != width:
            raise DataError(f"{name} has {separator.join(row)!r:.80}, which has {len(row)} columns, expected {width}")
    return rows
