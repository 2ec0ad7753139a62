"""The films are the counted ones, titles meet their facts, and nothing in a file is ever run."""

import collections
import lzma
import os
import pickle
import re

import pandas as pd
import pytest

from llmrec_lab.assets import packaged
from llmrec_lab.datasets import films
from llmrec_lab.datasets.films import (
    cached_frame,
    describe,
    front_article,
    load_films,
    load_open_catalog,
    normalize_title,
    read_facts,
    read_pickle,
    title_variants,
)


@pytest.fixture(scope="module")
def loaded():
    return load_films()


@pytest.fixture(scope="module")
def facts():
    return read_facts()


def row_of(catalog, title):
    (row,) = [row for row, found in enumerate(catalog.titles) if found == title]
    return {"text": catalog.texts[row]} | catalog.facets.iloc[row].to_dict()


# --- titles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title, expected",
    [
        ("Wizard of Oz, The", "The Wizard of Oz"),
        ("Bug's Life, A", "A Bug's Life"),
        ("Affair to Remember, An", "An Affair to Remember"),
        ("Avventura, L' (Adventure, The)", "L'Avventura (Adventure, The)"),
        ("Femme Nikita, La (Nikita)", "La Femme Nikita (Nikita)"),
        ("Boot, Das (Boat, The)", "Das Boot (Boat, The)"),
        ("The Matrix", "The Matrix"),
        ("Good, the Bad and the Ugly, The", "The Good, the Bad and the Ugly"),
        ("Crouching Tiger, Hidden Dragon", "Crouching Tiger, Hidden Dragon"),
        ("", ""),
        ("M", "M"),
    ],
)
def test_the_article_moves_to_the_front(title, expected):
    assert front_article(title) == expected


@pytest.mark.parametrize(
    "title, expected",
    [
        ("The Matrix", "matrix"),
        ("Amélie", "amelie"),
        ("Léon: The Professional", "leon the professional"),
        ("WALL·E", "walle"),
        ("WALL-E", "wall e"),
        ("Spider-Man", "spider man"),
        ("Bonnie & Clyde", "bonnie and clyde"),
        ("Se7en", "se7en"),
        ("  A   Bug's  Life ", "bugs life"),
        ("The", "the"),
        ("A", "a"),
        ("", ""),
        ("千と千尋の神隠し", ""),
    ],
)
def test_normalized_titles(title, expected):
    assert normalize_title(title) == expected


@pytest.mark.parametrize(
    "title, expected",
    [
        ("Seven (a.k.a. Se7en)", ["seven", "se7en", "seven aka se7en"]),
        (
            "City of Lost Children, The (Cité des enfants perdus, La)",
            ["city of lost children", "la cite des enfants perdus", "city of lost children cite des enfants perdus la"],
        ),
        ("Heat", ["heat", "heat"]),
        ("()", [""]),
    ],
)
def test_title_variants_are_the_title_then_what_is_in_parentheses(title, expected):
    assert title_variants(title) == expected


# --- the join ----------------------------------------------------------------------------------------------------------


def test_there_are_as_many_users_films_and_ratings_as_promised(loaded):
    assert loaded.interactions.frame["user_id"].nunique() == 671
    assert len(loaded.catalog) == 3496
    assert len(loaded.interactions) == 90072
    counts = loaded.interactions.frame["item_id"].value_counts()
    assert counts.min() == 5
    assert set(counts.index) == set(loaded.catalog.item_ids)


def test_ratings_are_half_stars_in_seconds_of_their_years(loaded):
    frame = loaded.interactions.frame
    assert frame.columns.tolist() == ["user_id", "item_id", "timestamp", "rating"]
    assert set(frame["rating"]) == {half / 2 for half in range(1, 11)}
    years = pd.to_datetime(frame["timestamp"], unit="s").dt.year
    assert (years.min(), years.max()) == (1995, 2016)


def test_a_rating_is_found_under_its_film(loaded):
    """The first row of the file: user 1 gave "Dangerous Minds" 2.5 stars."""
    frame = loaded.interactions.frame
    (row,) = frame[(frame["user_id"] == "1") & (frame["item_id"] == "31")].itertuples()
    assert (row.rating, row.timestamp) == (2.5, 1260759144)
    assert loaded.catalog.titles[loaded.catalog.positions(["31"])[0]] == "Dangerous Minds (1995)"


def test_fewer_ratings_asked_for_means_more_films():
    everything = load_films(min_ratings=1)
    assert (len(everything.catalog), len(everything.interactions)) == (9061, 99997)


def test_wall_e_is_spelled_with_a_dot_and_still_meets_its_facts(loaded):
    film = row_of(loaded.catalog, "WALL·E (2008)")
    assert film["director"] == ("Andrew Stanton",)
    assert film["country"] == ("United States",)
    assert film["text"].startswith("WALL·E (2008). adventure, animation, ")
    assert "science fiction" in film["text"]


def test_the_wizard_of_oz_is_older_than_the_facts_and_keeps_its_genres(loaded):
    film = row_of(loaded.catalog, "The Wizard of Oz (1939)")
    assert film["genre"] == ("Adventure", "Family", "Fantasy", "Musical")
    assert film["decade"] == ("1930s",)
    assert film["director"] == film["country"] == film["cast"] == ()
    assert film["text"] == "The Wizard of Oz (1939). adventure, family, fantasy, musical film."


def test_nineteen_of_twenty_films_meet_their_facts(loaded):
    with_facts = loaded.catalog.facets["director"].map(len) > 0
    assert with_facts.mean() > 0.94


def test_films_of_one_name_are_told_apart_by_their_years(facts):
    names = collections.defaultdict(set)
    for title, year in facts.rows:
        names[title].add(year)
    title, years = next((title, years) for title, years in names.items() if len(years) > 1 and max(years) - min(years) > 9)
    for year in years:
        found = facts.find("no alias", title, year)
        assert (normalize_title(found.Title), found.Year) == (title, year)
    assert facts.find("no alias", title, 1800) is None


def test_every_alias_meets_a_fact_and_a_film_that_people_rated(facts):
    everything = load_films(min_ratings=1).catalog
    table = pd.read_csv(packaged("data/title_aliases.csv"), dtype=str)
    assert table["movielens_id"].is_unique
    assert len(facts.aliases) == len(table) > 40
    for movie_id, key in facts.aliases.items():
        assert key in facts.rows, f"alias of {movie_id} leads nowhere: {key}"
    assert (everything.positions(table["movielens_id"]) >= 0).all()


def test_genres_speak_one_vocabulary_and_have_a_gloss(loaded):
    for catalog in (loaded.catalog, load_open_catalog()):
        genres = {genre for cell in catalog.facets["genre"] for genre in cell}
        assert not genres & {"Children", "Music", "IMAX", "(no genres listed)"}
        assert {genre for _, genre in catalog.glosses} <= {
            genre for cell in loaded.catalog.facets["genre"] for genre in cell
        }


def test_the_open_catalog_has_imdb_ids_and_nothing_of_movielens(monkeypatch):
    opened = films.asset_files
    monkeypatch.setattr(films, "asset_files", lambda name: pytest.fail(name) if name == "movielens" else opened(name))
    monkeypatch.setattr(films, "cached_frame", lambda name, make: make())
    catalog = load_open_catalog()
    assert len(catalog) == int(re.search(r"The ([\d,]+) films", load_open_catalog.__doc__)[1].replace(",", ""))
    assert all(re.fullmatch(r"tt\d{7,}", item_id) for item_id in catalog.item_ids)
    assert catalog.facets.columns.tolist() == films.FACETS


def test_a_film_without_any_facts_is_described_by_its_title():
    Film = collections.namedtuple("Film", ["title", *films.FACETS])
    assert describe(Film("Heat (1995)", (), (), (), (), (), ())) == "Heat (1995)."


# --- the cache ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"no parquet", None])
def test_a_damaged_table_in_the_cache_is_made_again(monkeypatch, tmp_path, damage):
    monkeypatch.setenv("LLMREC_HOME", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return pd.DataFrame({"x": [1, 2]})

    cached_frame("toy", make)
    assert cached_frame("toy", make)["x"].tolist() == [1, 2]
    assert len(made) == 1
    (path,) = (tmp_path / "tables").iterdir()
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    assert cached_frame("toy", make)["x"].tolist() == [1, 2]
    assert cached_frame("toy", make)["x"].tolist() == [1, 2]
    assert len(made) == 2


def test_a_home_that_cannot_be_written_costs_time_and_nothing_else(monkeypatch, tmp_path):
    (tmp_path / "tables").write_text("a file where a folder should be")
    monkeypatch.setenv("LLMREC_HOME", str(tmp_path))
    assert cached_frame("toy", lambda: pd.DataFrame({"x": [1]}))["x"].tolist() == [1]


# --- pickles -----------------------------------------------------------------------------------------------------------


class Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "attack, named",
    [
        (Attack(os.system, "touch {}"), "(posix|nt).system"),
        (Attack(eval, "open('{}', 'w')"), "builtins.eval"),
        (Attack(pd.read_pickle, "{}"), "pandas.*read_pickle"),
        (Attack(getattr, pd, "eval"), "builtins.getattr"),
    ],
)
def test_a_pickle_that_names_a_function_is_refused_before_it_runs(tmp_path, attack, named):
    victim = tmp_path / "victim"
    attack.call = attack.call[0], tuple(str(one).format(victim) for one in attack.call[1])
    (tmp_path / "evil").write_bytes(lzma.compress(pickle.dumps([attack])))
    with pytest.raises(pickle.UnpicklingError, match=f"the file names {named}, which no table needs; it was tampered with"):
        read_pickle(tmp_path / "evil")
    assert not victim.exists()


def test_no_admitted_name_can_run_a_command():
    assert {module.split(".")[0] for module, _ in films.PICKLE_NAMES} == {"builtins", "numpy", "pandas"}
    assert [name for module, name in films.PICKLE_NAMES if module == "builtins"] == ["slice"]
