"""Films: MovieLens ratings joined to facts from Wikidata, or the facts alone. Knows nothing about models.

MovieLens is for research and not for commercial use (Harper and Konstan 2015, doi 10.1145/2827872); the facts are CC0.
Nothing of MovieLens is in this repository: the ratings are read from their package, checked by hash.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import pickle
import re
import sqlite3
import unicodedata
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from llmrec_lab.assets import ASSETS, asset_files, home, packaged, sha256_of, write_cache
from llmrec_lab.catalog import Catalog, Dataset, Interactions
from llmrec_lab.columns import ITEM, RATING, TIMESTAMP, TITLE, USER

FACETS = ["genre", "director", "country", "language", "decade", "cast"]
CITATION = (
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4, article 19. https://doi.org/10.1145/2827872"
)
# The only names that the pickled tables mention; a pickle can name any function, so all others are refused.
PICKLE_NAMES = {
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
}
GENRE_NAMES = {"Children": "Family", "Music": "Musical"}  # the two vocabularies, made one
NO_GENRE = {"IMAX", "(no genres listed)", ""}
ARTICLE = re.compile(r"^(.+), (The|A|An|La|Le|Les|L'|El|Il|Los|Las|Das|Der|Die)$")
BETWEEN_NAMES = re.compile(r",(?!\s*(?:Jr|Sr|II|III|IV)\b)")  # "Ed Begley, Jr." is one person
PARENTHESIS = re.compile(r"\s*\((?:a\.?k\.?a\.?\s*)?([^()]*)\)")


def load_films(min_ratings: int = 5) -> Dataset:
    """MovieLens ml-latest-small with the directors, casts, countries and languages of Wikidata, offline.

    The join takes a few seconds, so it is kept in the cache folder as Parquet.

    Args:
        min_ratings: films with fewer ratings are left out; 5 leaves 3,496 films, few enough to encode in half a minute.

    Returns:
        A Dataset. A film that Wikidata does not have keeps its MovieLens genres and has empty cells for the rest.

    Raises:
        AssetError: a file is missing or damaged and cannot be fetched.

    Source:
        Harper and Konstan 2015, doi 10.1145/2827872; Wikidata snapshot of 2026-10-18, CC0.

    Example:
        >>> films = load_films()
        >>> len(films.catalog), len(films.interactions)
        (3496, 90072)
    """
    ratings = cached_frame("movielens", read_ratings)
    counts = ratings.groupby(ITEM)[RATING].transform("size")
    ratings = ratings[counts >= min_ratings]
    films = cached_frame("films", join_films)
    return Dataset(to_catalog(films[films[ITEM].isin(ratings[ITEM].unique())]), Interactions.from_frame(ratings))


def load_open_catalog() -> Catalog:
    """The 17,470 films of the CC0 facts alone, without any MovieLens data: free for paid workshops too.

    Returns:
        A Catalog whose item ids are IMDb ids; `llmrec_lab.datasets.people` makes the people who watch them.

    Example:
        >>> len(load_open_catalog())
        17470
    """
    return to_catalog(cached_frame("open-films", open_films))


def cached_frame(name: str, make) -> pd.DataFrame:
    """The table that `make` returns, kept as Parquet under a name that changes with this file and what it reads."""
    sources = [sha256_of(Path(__file__)), sha256_of(packaged("data/title_aliases.csv"))]
    sources += [file.sha256 for asset in ("movielens", "wikidata-films") for file in ASSETS[asset].files]
    path = home() / "tables" / f"{name}-{hashlib.sha256(''.join(sources).encode()).hexdigest()[:16]}.parquet"
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError):  # not there yet, or damaged (pyarrow's error is a ValueError)
        frame = make()
        write_cache(path, frame.to_parquet(index=False))
        return frame


def read_ratings() -> pd.DataFrame:
    """The MovieLens ratings of titled films: user, item, timestamp, rating, ids as strings."""
    return titled_ratings()[[USER, ITEM, TIMESTAMP, RATING]]


def titled_ratings() -> pd.DataFrame:
    """The MovieLens table, with title, year and genres in every row; seven rows without a title are dropped."""
    ratings = read_pickle(asset_files("movielens")["movielens.pkl.compress"])
    ratings = ratings[ratings[TITLE].notna()].rename(columns={"userId": USER, "movieId": ITEM})
    return ratings.astype({USER: str, ITEM: str, "year": int})


def join_films() -> pd.DataFrame:
    """One row per MovieLens film: id, title, and the facets."""
    facts = read_facts()
    films = titled_ratings().drop_duplicates(ITEM).sort_values(ITEM)
    return pd.DataFrame([film_row(film, facts) for film in films.itertuples()])


def open_films() -> pd.DataFrame:
    """One row per Wikidata film: id, title, and the facets."""
    rows = [{ITEM: fact.imdbID, TITLE: f"{fact.Title} ({fact.Year})"} | fact_cells(fact) for fact in read_facts().facts]
    return pd.DataFrame(rows)


def to_catalog(rows: pd.DataFrame) -> Catalog:
    """Rows of films to a Catalog; the text is one short line of facts, in the order of their weight."""
    catalog = Catalog.from_frame(rows.assign(text=[describe(row) for row in rows.itertuples()]), ["text"], FACETS)
    glosses = pd.read_csv(packaged("data/genre_glosses.csv"))
    return replace(catalog, glosses={("genre", row.genre): row.gloss for row in glosses.itertuples()}, noun="film")


def describe(film) -> str:
    """The line that a language model reads for one film.

    The cast is left out: the facts list it by alphabet, up to dozens of names, and names drown the rest. It is a facet.
    """
    genres = ", ".join(film.genre).replace("Sci-Fi", "science fiction").lower()
    parts = [f"{film.title}.", f"{genres} film." if genres else ""]
    parts += [f"Directed by {', '.join(film.director)}." if len(film.director) else ""]
    parts += [f"{', '.join(film.country)}; in {', '.join(film.language)}." if len(film.country) else ""]
    return " ".join(filter(None, parts))


def film_row(film, facts: Facts) -> dict:
    """One MovieLens film with the facts of its match in Wikidata, or with MovieLens' genres alone."""
    genres = tuple(GENRE_NAMES.get(genre, genre) for genre in film.genres.split("|") if genre not in NO_GENRE)
    row = {ITEM: film.item_id, TITLE: f"{front_article(film.title.strip())} ({film.year})"}
    match = facts.find(film.item_id, film.title, film.year)
    if match is None:
        return row | dict.fromkeys(FACETS, ()) | {"genre": genres, "decade": (decade(film.year),)}
    cells = fact_cells(match)
    return row | cells | {"genre": tuple(dict.fromkeys([*genres, *cells["genre"]]))}


def fact_cells(fact) -> dict[str, tuple]:
    """The facets of one row of Wikidata facts."""
    genres = (GENRE_NAMES.get(genre, genre) for genre in listed(fact.Genre))
    return {
        "genre": tuple(dict.fromkeys(genres)),
        "director": listed(fact.Director),
        "country": listed(fact.Country),
        "language": listed(fact.Language),
        "decade": (decade(fact.Year),),
        "cast": listed(fact.Cast),
    }


def decade(year: int) -> str:
    """1994 to `1990s`."""
    return f"{year // 10 * 10}s"


@dataclass(frozen=True)
class Facts:
    """The Wikidata rows and how to find one.

    Args:
        facts: named tuples with Title, Year, Genre, Director, Cast, Language, Country.
        rows: (normalized title, year) to a row's number.
        aliases: MovieLens id to (normalized title, year), our own mends for titles that differ.
    """

    facts: list
    rows: dict
    aliases: dict

    def find(self, movie_id: str, title: str, year: int):
        """A film's facts: by alias, else by any of its titles in the same year, the one before, or the one after."""
        keys = [self.aliases.get(movie_id)]
        keys += [(variant, year + shift) for variant in title_variants(title) for shift in (0, -1, 1)]
        row = next((self.rows[key] for key in keys if key in self.rows), None)
        return None if row is None else self.facts[row]


def read_facts() -> Facts:
    """The facts table of Wikidata and our aliases."""
    path = asset_files("wikidata-films")["movies.db"]
    query = 'SELECT imdbID, Title, Year, Genre, Director, "Cast", Language, Country FROM omdb ORDER BY imdbID, ID'
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        facts = list(pd.read_sql(query, connection).drop_duplicates("imdbID").itertuples())
    rows = {}
    for row, fact in enumerate(facts):
        rows.setdefault((normalize_title(fact.Title), fact.Year), row)
    table = pd.read_csv(packaged("data/title_aliases.csv"), dtype={"movielens_id": str})
    aliases = {row.movielens_id: (normalize_title(row.wikidata_title), row.year) for row in table.itertuples()}
    return Facts(facts, rows, aliases)


def title_variants(title: str) -> list[str]:
    """The normalized names a MovieLens title may have elsewhere.

    Args:
        title: such as `Spirited Away (Sen to Chihiro no kamikakushi)`.

    Returns:
        The title without its parentheses, then what stands in each of them, then all of it.

    Example:
        >>> title_variants("Femme Nikita, La (Nikita)")
        ['la femme nikita', 'nikita', 'la femme nikita nikita']
    """
    names = [PARENTHESIS.sub("", title), *PARENTHESIS.findall(title), title]
    return [normalize_title(front_article(name.strip())) for name in names if name.strip()]


def front_article(title: str) -> str:
    """`Wizard of Oz, The` to `The Wizard of Oz`; also before a parenthesis."""
    name, _, rest = title.partition(" (")
    match = ARTICLE.match(name)
    if match:
        article, space = match[2], "" if match[2].endswith("'") else " "
        name = f"{article}{space}{match[1]}"
    return f"{name} ({rest}" if rest else name


def normalize_title(title: str) -> str:
    """Lower case, no accents, no punctuation, no English article in front, `&` as `and`."""
    bare = unicodedata.normalize("NFKD", title.lower().replace("&", " and ")).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9 ]", "", bare.replace("-", " ")).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words)


def listed(cell) -> tuple[str, ...]:
    """A comma-separated cell as a tuple; empty for a missing one."""
    return tuple(value.strip() for value in BETWEEN_NAMES.split(cell) if value.strip()) if isinstance(cell, str) else ()


def read_pickle(path: Path) -> pd.DataFrame:
    """A table from an xz-compressed pickle that may name nothing but tables, arrays and slices.

    Args:
        path: a file whose hash was checked.

    Returns:
        The DataFrame.

    Raises:
        UnpicklingError: the pickle names anything else.
    """
    return FrameUnpickler(io.BytesIO(lzma.decompress(path.read_bytes()))).load()


class FrameUnpickler(pickle.Unpickler):
    """Refuses every name but those in PICKLE_NAMES."""

    def find_class(self, module: str, name: str):
        if (module, name) not in PICKLE_NAMES:
            raise pickle.UnpicklingError(f"the file names {module}.{name}, which no table needs; it was tampered with")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)  # renamed in numpy 2
