"""The same films come out of every format of MovieLens, products out of Amazon's, and a file that is not right is named."""

import gzip
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from llmrec_lab.catalog import Interactions
from llmrec_lab.datasets import formats
from llmrec_lab.datasets.formats import BLOCK, load_dataset, meta_names, to_interactions
from llmrec_lab.errors import AssetError, DataError

# --- MovieLens, in the words of its files; u.item of 100K was cut to fewer films, nothing else ---------------------------

GENRES = """unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical
Mystery Romance Sci-Fi Thriller War Western""".split()
FILMS = [  # id, title as MovieLens writes it, genres
    (50, "Star Wars: Episode IV - A New Hope (1977)", ["Action", "Sci-Fi"]),
    (1, "Toy Story (1995)", ["Animation", "Children's", "Comedy"]),
    (29, "City of Lost Children, The (Cité des enfants perdus, La) (1995)", ["Adventure", "Sci-Fi"]),
    (267, "unknown", ["unknown"]),
]
RATINGS = [(2, 1, 4, 978300760), (10, 50, 5, 978302109), (2, 50, 3, 978300055), (10, 1, 1, 978302109), (2, 29, 5, 978298413)]
TITLES = [
    "Star Wars: Episode IV - A New Hope (1977)",
    "Toy Story (1995)",
    "The City of Lost Children (Cité des enfants perdus, La) (1995)",
    "unknown",
]


def ml_100k():
    def item(film):
        flags = "|".join(str(int(genre in film[2])) for genre in GENRES)
        return f"{film[0]}|{film[1]}|01-Jan-1995||http://us.imdb.com/M/title-exact?{film[0]}|{flags}\n"

    return {
        "u.data": "".join(f"{user}\t{item}\t{rating}\t{time}\n" for user, item, rating, time in RATINGS).encode(),
        "u.item": "".join(map(item, FILMS)).encode("latin-1"),
        "u.genre": "".join(f"{genre}|{place}\n" for place, genre in enumerate(GENRES)).encode() + b"\n",
    }


def ml_1m():
    return {
        "ratings.dat": "".join("::".join(map(str, row)) + "\n" for row in RATINGS).encode(),
        "movies.dat": "".join(f"{film[0]}::{film[1]}::{'|'.join(film[2])}\n" for film in FILMS).encode("latin-1"),
        "users.dat": b"2::M::56::16::70072\n10::F::35::1::95370\n",
    }


def ml_latest():
    def movie(film):
        genres = "|".join(film[2]).replace("Children's", "Children").replace("unknown", "(no genres listed)")
        return f'{film[0]},"{film[1]}",{genres}\r\n'

    ratings = "".join(f"{user},{item},{rating}.0,{time}\r\n" for user, item, rating, time in RATINGS)
    return {
        "ratings.csv": b"userId,movieId,rating,timestamp\r\n" + ratings.encode(),
        "movies.csv": b"movieId,title,genres\r\n" + "".join(map(movie, FILMS)).encode(),
        "README.txt": b"Summary",
    }


MOVIELENS = {"ml-100k": ml_100k, "ml-1m": ml_1m, "ml-latest-small": ml_latest}

# --- Amazon Reviews 2023, with the fields of its files -------------------------------------------------------------------

AMAZON_RATINGS = """user_id,parent_asin,rating,timestamp
AGKHLEW2SOWHNMFQIJGBECAF7INQ,0001712799,5.0,1588687728923
AEYORY2AVPMCPDV57CE337YU5LXA,B00YQ6X8EO,4.0,1588615855070
AGKHLEW2SOWHNMFQIJGBECAF7INQ,B00YQ6X8EO,1.0,1589665266052
AGKHLEW2SOWHNMFQIJGBECAF7INQ,B0NOTITLE0,1.0,1589665266053
AGKHLEW2SOWHNMFQIJGBECAF7INQ,B0NOPRODUC,1.0,1589665266054
"""
PRODUCTS = [
    {
        "main_category": "All Beauty",
        "title": "Howard Leather Conditioner",
        "average_rating": 4.8,
        "features": ["Softens"],
        "price": None,
        "images": [{"thumb": "https://a/b.jpg", "hi_res": None}],
        "store": "Howard Products",
        "categories": ["Beauty", "Leather, Suede"],
        "details": {"Package Dimensions": "7 x 2"},
        "parent_asin": "B00YQ6X8EO",
    },
    {"main_category": "Books", "title": "Hop on Pop", "store": None, "categories": [], "parent_asin": "0001712799"},
    {"main_category": "Books", "title": None, "store": "Nobody", "categories": [], "parent_asin": "B0NOTITLE0"},
]


def amazon():
    meta = "".join(json.dumps(product) + "\n" for product in PRODUCTS).encode()
    return {"All_Beauty.csv": AMAZON_RATINGS.encode(), "meta_All_Beauty.jsonl": meta}


def reviews():
    """The same events as AMAZON_RATINGS, as reviews."""
    rows = [line.split(",") for line in AMAZON_RATINGS.splitlines()[1:]]
    reviews = [
        {
            "rating": float(rating),
            "title": "Lovely",
            "text": 'It "really" is\nnice',
            "images": [],
            "asin": item + "x",
            "parent_asin": item,
            "user_id": user,
            "timestamp": int(time),
            "helpful_vote": 0,
            "verified_purchase": True,
        }
        for user, item, rating, time in rows
    ]
    return "".join(json.dumps(review) + "\n" for review in reviews).encode()


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def pack(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{path.stem}/{name}", content)
    return path


def rows(dataset):
    return [tuple(row) for row in dataset.interactions.frame[["user_id", "item_id", "rating", "timestamp"]].to_numpy()]


# --- MovieLens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("put", [write, lambda path, files: pack(path.with_suffix(".zip"), files)], ids=["folder", "zip"])
@pytest.mark.parametrize("name", MOVIELENS)
def test_every_format_of_movielens_gives_the_same_dataset(tmp_path, name, put):
    dataset = load_dataset(put(tmp_path / name, MOVIELENS[name]()), min_interactions=0)
    catalog = dataset.catalog
    assert catalog.item_ids.tolist() == ["50", "1", "29", "267"]
    assert catalog.titles.tolist() == TITLES
    assert catalog.texts.tolist()[0] == "Star Wars: Episode IV - A New Hope (1977). action, science fiction film."
    assert catalog.facets.columns.tolist() == ["genre", "decade"]
    assert catalog.facets["genre"].tolist() == [
        ("Action", "Sci-Fi"),
        ("Animation", "Family", "Comedy"),
        ("Adventure", "Sci-Fi"),
        (),
    ]
    assert catalog.facets["decade"].tolist() == [("1970s",), ("1990s",), ("1990s",), ()]
    assert catalog.noun == "film"
    log = pd.DataFrame(RATINGS, columns=["user_id", "item_id", "rating", "timestamp"])
    pd.testing.assert_frame_equal(dataset.interactions.frame, Interactions.from_frame(log).frame)


@pytest.mark.parametrize(
    "title, shown, decade",
    [
        ("Matrix, The (1999)", "The Matrix (1999)", ("1990s",)),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers (1975)", ("1970s",)),
        ("Death Note: Desu nôto (2006–2007)", "Death Note: Desu nôto (2006)", ("2000s",)),
        ("The Midnight Gospel (2020– )", "The Midnight Gospel (2020)", ("2020s",)),
        ("Land Before Time III (1995) (V)", "Land Before Time III (1995)", ("1990s",)),
        ("2001: A Space Odyssey (1968) ", "2001: A Space Odyssey (1968)", ("1960s",)),
        ("Babylon 5", "Babylon 5", ()),
        ("Blue Planet, The", "The Blue Planet", ()),
        ("Apollo (13)", "Apollo (13)", ()),
    ],
)
def test_the_year_behind_a_title_becomes_its_decade(title, shown, decade):
    cells = formats.film_cells("7", title, "Drama")
    assert (cells["item_id"], cells["title"], cells["genre"], cells["decade"]) == ("7", shown, ("Drama",), decade)


def test_files_that_somebody_saved_again_as_utf_8_are_read_too(tmp_path):
    files = ml_1m()
    files["movies.dat"] = files["movies.dat"].decode("latin-1").encode()
    assert load_dataset(write(tmp_path, files), min_interactions=0).catalog.titles.tolist() == TITLES


@pytest.mark.parametrize("name, last, facet", [("ml-100k", "Western", "Western"), ("ml-1m", "Children's", "Family")])
def test_files_with_the_line_ends_of_windows_are_read_too(tmp_path, monkeypatch, name, last, facet):
    monkeypatch.setitem(globals(), "FILMS", [(1, "Toy Story (1995)", [last])])
    files = {name: content.replace(b"\n", b"\r\n") for name, content in MOVIELENS[name]().items()}
    assert load_dataset(write(tmp_path, files), min_interactions=0).catalog.facets["genre"].tolist() == [(facet,)]


@pytest.mark.parametrize("least, kept", [(0, 4), (1, 3), (2, 2)])
def test_items_with_too_few_interactions_are_left_out_with_their_interactions(tmp_path, least, kept):
    dataset = load_dataset(write(tmp_path, ml_100k()), min_interactions=least)
    assert len(dataset.catalog) == kept
    assert set(dataset.interactions.frame["item_id"]) == set(dataset.catalog.item_ids) - {"267"}


def test_five_interactions_are_asked_for_where_nothing_is_said(tmp_path):
    with pytest.raises(DataError, match="no item of .* has 5 interactions; pass a smaller min_interactions"):
        load_dataset(write(tmp_path, ml_100k()))


@pytest.mark.parametrize("least", [-1, 2.5, "5", None])
def test_a_minimum_that_is_no_count_is_refused(tmp_path, least):
    with pytest.raises(DataError, match="min_interactions came as .*; pass a whole number of at least 0"):
        load_dataset(tmp_path, min_interactions=least)


def test_sorting_in_blocks_of_users_changes_nothing(rng, monkeypatch):
    """Ids of several lengths, many ties in time, a user with more rows than a block, ids in no order."""
    users, items = (rng.integers(0, 40, 5000) // rng.integers(1, 9, 5000)).astype(str), rng.integers(0, 99, 5000).astype(str)
    users[:900] = "17"
    log = {"user_id": users, "item_id": items, "timestamp": rng.integers(0, 50, 5000), "rating": rng.random(5000)}
    events = pd.DataFrame(log)
    monkeypatch.setattr(formats, "BLOCK", 700)
    as_read = {name: pd.Categorical(events[name], rng.permutation(events[name].unique())) for name in ("user_id", "item_id")}
    blocks = to_interactions(events.assign(**as_read))
    pd.testing.assert_frame_equal(blocks.frame, Interactions.from_frame(events).frame)
    assert BLOCK > 100_000


# --- by name -----------------------------------------------------------------------------------------------------------


def test_a_name_is_downloaded_and_a_path_of_that_name_goes_first(tmp_path, monkeypatch):
    fetched = pack(tmp_path / "fetched.zip", ml_100k())
    monkeypatch.setattr(formats, "download", lambda name: fetched if name == "ml-100k" else pytest.fail(name))
    monkeypatch.chdir(tmp_path)
    assert len(load_dataset("ml-100k", 0).catalog) == len(load_dataset(Path("ml-100k"), 0).catalog) == 4
    write(tmp_path / "ml-100k", ml_1m() | {"movies.dat": b"1::Toy Story (1995)::Comedy\n"})
    assert len(load_dataset("ml-100k", 0).catalog) == 1


def test_what_the_download_says_is_passed_on(monkeypatch, tmp_path):
    def no_network(name):
        raise AssetError("no network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(formats, "download", no_network)
    with pytest.raises(AssetError, match="no network"):
        load_dataset("ml-1m")


# --- Amazon ------------------------------------------------------------------------------------------------------------


def packed(files):
    return {f"{name}.gz": gzip.compress(content) for name, content in files.items()}


def with_history(files):
    """The form of the splits that are published: `history` has the items before this one."""
    header, *lines = files["All_Beauty.csv"].decode().splitlines()
    text = "\n".join([f"{header},history", *(f"{line},B00YQ6X8EO B001" for line in lines), ""])
    return {"All_Beauty.train.csv": text.encode(), "meta_All_Beauty.jsonl": files["meta_All_Beauty.jsonl"]}


def as_reviews(files):
    return {"All_Beauty.jsonl": reviews(), "meta_All_Beauty.jsonl": files["meta_All_Beauty.jsonl"]}


@pytest.mark.parametrize("layout", [dict, packed, with_history, as_reviews, lambda files: packed(as_reviews(files))])
@pytest.mark.parametrize("by", ["folder", "file", "zip"])
def test_every_format_of_amazon_gives_the_same_dataset(tmp_path, layout, by):
    files = layout(amazon())
    folder = write(tmp_path / "amazon", files)
    path = {"folder": folder, "file": folder / next(iter(files)), "zip": pack(tmp_path / "a.zip", files)}[by]
    dataset = load_dataset(path, min_interactions=1)
    catalog = dataset.catalog
    assert catalog.item_ids.tolist() == ["B00YQ6X8EO", "0001712799"]
    assert catalog.titles.tolist() == ["Howard Leather Conditioner", "Hop on Pop"]
    assert catalog.texts.tolist() == [
        "Howard Leather Conditioner. Beauty, Leather, Suede. By Howard Products.",
        "Hop on Pop. Books.",
    ]
    assert catalog.facets["category"].tolist() == [("Beauty", "Leather, Suede"), ("Books",)]
    assert catalog.facets["store"].tolist() == [("Howard Products",), ()]
    assert rows(dataset) == [
        ("AEYORY2AVPMCPDV57CE337YU5LXA", "B00YQ6X8EO", 4.0, 1588615855),
        ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "0001712799", 5.0, 1588687728),
        ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B00YQ6X8EO", 1.0, 1589665266),
    ]


def test_an_item_id_of_digits_keeps_its_zeros(tmp_path):
    only_digits = "".join(line for line in AMAZON_RATINGS.splitlines(True) if "B0" not in line)
    dataset = load_dataset(write(tmp_path, amazon() | {"All_Beauty.csv": only_digits.encode()}), min_interactions=1)
    assert dataset.interactions.frame["item_id"].tolist() == ["0001712799"]


def test_of_several_ratings_one_must_be_named(tmp_path):
    folder = write(tmp_path, amazon() | as_reviews(amazon()))
    with pytest.raises(DataError, match="found the ratings All_Beauty.csv, All_Beauty.jsonl; pass the path of one of them"):
        load_dataset(folder)
    assert len(load_dataset(folder / "All_Beauty.jsonl", 1).catalog) == 2


def test_products_may_lie_there_unpacked_and_packed(tmp_path):
    folder = write(tmp_path, amazon() | {"meta_All_Beauty.jsonl.gz": b"never read"})
    assert len(load_dataset(folder, 1).catalog) == 2


def test_times_of_amazon_that_are_seconds_are_refused(tmp_path):
    seconds = pd.read_csv(write(tmp_path, amazon()) / "All_Beauty.csv").assign(timestamp=1588687728).to_csv(index=False)
    with pytest.raises(DataError, match="All_Beauty.csv has times up to 1588687728, expected milliseconds since 1970"):
        load_dataset(write(tmp_path, {"All_Beauty.csv": seconds.encode()}))


@pytest.mark.parametrize("name", ["README.md", "meta.json", "a b.csv", "Books.csv.zip", "Books.train.valid.csv"])
def test_a_file_that_is_no_ratings_file_has_no_products(name):
    assert meta_names(name) == set()


# --- what is not right -------------------------------------------------------------------------------------------------


def test_a_folder_of_something_else_is_refused_with_what_was_found_and_what_was_expected(tmp_path):
    with pytest.raises(DataError, match="found no files; expected u.data, u.item, u.genre; or ratings.dat, movies.dat; or"):
        load_dataset(tmp_path)
    write(tmp_path, {"ratings.csv": ml_latest()["ratings.csv"], "notes.txt": b""})
    with pytest.raises(DataError, match="found notes.txt, ratings.csv; expected .*ratings.csv, movies.csv; or NAME.csv or"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("name", ["u.data", "All_Beauty.csv", "notes.txt"])
def test_one_file_without_those_that_belong_to_it_is_refused(tmp_path, name):
    write(tmp_path, {name: b"1\t1\t5\t9\n"})
    with pytest.raises(DataError, match=f"found {name}; expected"):
        load_dataset(tmp_path / name)


RATINGS_CSV, RATINGS_HEADER = "ratings.csv", b"userId,movieId,rating,timestamp\n"
AMAZON_HEADER = b"user_id,parent_asin,rating,timestamp\n"
META = "meta_All_Beauty.jsonl"
SPOILED = {  # the format, one of its files, what that holds instead, what is said about it
    "empty ratings": ("ml-100k", "u.data", b"", "cannot read u.data: Empty CSV file; compare"),
    "only a header": ("ml-latest-small", RATINGS_CSV, RATINGS_HEADER, "ratings.csv has no ratings"),
    "empty items": ("ml-100k", "u.item", b"", "u.item is empty"),
    "empty genres": ("ml-100k", "u.genre", b"", "u.genre is empty"),
    "empty films": ("ml-1m", "movies.dat", b"\n", "movies.dat is empty"),
    "fewer genres": ("ml-100k", "u.genre", b"Drama|0\n", r"u.item has '50\|Star Wars.*has 24 columns, expected 6"),
    "a column less": ("ml-1m", "movies.dat", b"1::Heat (1995)\n", "movies.dat has .*has 2 columns, expected 3"),
    "other columns": ("ml-latest-small", RATINGS_CSV, b"user,item\n1,2\n", "read ratings.csv: Column 'userId' in"),
    "other films": ("ml-latest-small", "movies.csv", b"movieId,name\n1,x\n", "read movies.csv: Column 'title' in"),
    "no time": ("ml-latest-small", RATINGS_CSV, RATINGS_HEADER + b"1,2,3,\n", "1 of 1 rows have no timestamp"),
    "a cell less": ("ml-latest-small", RATINGS_CSV, RATINGS_HEADER + b"1,2,3\n", "Expected 4 columns, got 3"),
    "words": ("ml-100k", "u.data", b"1\t1\tfive\t9\n", "cannot read u.data: .*invalid value 'five'"),
    "swapped": ("ml-1m", "ratings.dat", b"1::1::978300760::5\n", "has the rating 978300736.0, expected 0 to 5"),
    "cut number": ("ml-1m", "ratings.dat", b"1::1::5::978300760\n1::2::5::9783", "its last line has no line break"),
    "cut line": ("ml-1m", "ratings.dat", b"1::1::5::978300760\n1::2::\n", "read ratings.dat: .*Expected 7 columns"),
    "too late": ("ml-100k", "u.data", b"1\t1\t5\t978300760000\n", "no time in seconds; divide milliseconds by 1000"),
    "a zip inside": ("ml-100k", "u.data", b"PK\x03\x04\x00\x00\xff\xfe\n", "cannot read u.data"),
    "UTF-16": ("ml-latest-small", RATINGS_CSV, RATINGS_HEADER.decode().encode("utf-16"), "cannot read ratings.csv"),
    "Latin-1": ("ml-latest-small", "movies.csv", b"movieId,title,genres\n1,Am\xe9lie,Drama\n", "invalid UTF8 data"),
    "no JSON": ("amazon", META, b"<html>\n", "cannot read meta_All_Beauty.jsonl: JSON parse error"),
    "cut JSON": ("amazon", META, b'{"title": "A", "par\n', "cannot read meta_All_Beauty.jsonl: JSON parse error"),
    "wrong types": ("amazon", META, b'{"title": {"en": "A"}}\n', "cannot read meta_All_Beauty.jsonl: JSON parse error"),
    "other JSON": ("amazon", META, b'{"name": "A"}\n', "no item of .* has 1 interactions; pass a smaller"),
    "old Amazon": ("amazon", "All_Beauty.csv", b"B00YQ6X8EO,A1,5.0,1588687728\n", "Column 'user_id' in"),
    "no user": ("amazon", "All_Beauty.csv", AMAZON_HEADER + b",B00YQ6X8EO,5,1588687728923\n", "user_id '' is empty"),
    "film twice": ("ml-1m", "movies.dat", b"1::A (1995)::\n1::B (1995)::\n", "item_id '1' occurs more than once"),
}


@pytest.mark.parametrize("layout, name, content, says", SPOILED.values(), ids=SPOILED)
def test_a_spoiled_file_is_refused_by_name(tmp_path, layout, name, content, says):
    files = (MOVIELENS | {"amazon": amazon})[layout]()
    assert name in files
    with pytest.raises(DataError, match=says):
        load_dataset(write(tmp_path, files | {name: content}), min_interactions=0)


@pytest.mark.parametrize(
    "line", [b'{"user_id": "a", "parent_asin": "0001712799", "rating": 5}\n', b"{}\n", b"7\n", b'{"rating": "5"}\n']
)
def test_a_review_without_its_fields_is_refused(tmp_path, line):
    with pytest.raises(DataError, match="All_Beauty.jsonl"):
        load_dataset(write(tmp_path, as_reviews(amazon()) | {"All_Beauty.jsonl": reviews() + line}))


def test_interactions_with_items_that_no_file_describes_are_left_out(tmp_path):
    files = ml_1m()
    files["ratings.dat"] += b"2::9999::5::978300760\n"
    assert "9999" not in set(load_dataset(write(tmp_path, files), 0).interactions.frame["item_id"])


def test_a_damaged_byte_anywhere_in_a_zip_gives_the_same_dataset_or_one_clear_error(tmp_path):
    whole = pack(tmp_path / "ml-1m.zip", ml_1m()).read_bytes()
    expected = rows(load_dataset(tmp_path / "ml-1m.zip", 0))
    outcomes = {"read": 0, "refused": 0}
    for place in range(0, len(whole), 7):
        (tmp_path / "ml-1m.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert rows(load_dataset(tmp_path / "ml-1m.zip", 0)) == expected
            outcomes["read"] += 1
        except DataError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10  # the file has bytes that matter, and some that do not


def test_every_id_is_kept_once(tmp_path):
    """25 million ratings would not fit otherwise."""
    with formats.members(write(tmp_path, ml_latest())) as files:
        events = formats.read(files).events
    assert [str(events[name].dtype) for name in events] == ["category", "category", "float32", "int64"]
    assert events["item_id"].cat.codes.dtype.itemsize <= 4
