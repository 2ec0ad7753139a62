"""The nouns accept what can be used, in any type, and name what cannot; nothing bad passes in silence."""

import dataclasses
import datetime
import uuid

import numpy as np
import pandas as pd
import pytest

from llmrec_lab.catalog import Catalog, Histories, Interactions, Slate, split_facet
from llmrec_lab.errors import DataError


def items(**columns):
    columns = {"item_id": ["a", "b"], "title": ["Alien", "Brazil"]} | columns
    return pd.DataFrame({name: as_it_came(values) for name, values in columns.items()})


def as_it_came(values):
    """Lists with strings stay objects: the string type of pandas 3 has no room for lone surrogates."""
    has_text = isinstance(values, list) and any(isinstance(value, str) for value in values)
    return pd.Series(values, dtype=object) if has_text else values


def log(**columns):
    return pd.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "timestamp": [1, 2]} | columns)


# --- Catalog -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["item_id", "title"])
def test_a_catalog_needs_ids_and_titles(column):
    with pytest.raises(DataError, match=rf"the catalog: no column \['{column}'\]; found .*; rename or add it"):
        Catalog.from_frame(items().drop(columns=column))


def test_columns_that_are_asked_for_must_be_there():
    with pytest.raises(DataError, match=r"no column \['plot', 'genre'\]; found \['item_id', 'title'\]"):
        Catalog.from_frame(items(), ["title", "plot"], ["genre"])


@pytest.mark.parametrize("thing", [None, [], {"item_id": ["a"], "title": ["A"]}, np.zeros((2, 2))])
def test_what_is_no_table_is_refused(thing):
    with pytest.raises(DataError, match="came as .*; pass a pandas DataFrame"):
        Catalog.from_frame(thing)
    with pytest.raises(DataError, match="the interactions came as .*; pass a pandas DataFrame"):
        Interactions.from_frame(thing)


def test_an_empty_catalog_is_refused():
    with pytest.raises(DataError, match="the catalog is empty; pass a table with at least one item"):
        Catalog.from_frame(items().iloc[:0])


def test_a_repeated_id_is_refused_and_named():
    with pytest.raises(DataError, match="item_id 'b' occurs more than once; keep one row per item"):
        Catalog.from_frame(pd.DataFrame({"item_id": ["b", "a", "b"], "title": ["B", "A", "C"]}))


def test_ids_that_differ_in_type_only_are_the_same_id():
    with pytest.raises(DataError, match="item_id '1' occurs more than once"):
        Catalog.from_frame(items(item_id=[1, "1"]))


def test_a_column_that_occurs_twice_is_refused():
    twice = pd.concat([items(), items()[["title"]]], axis=1)
    with pytest.raises(DataError, match=r"the catalog: column 'title' occurs more than once"):
        Catalog.from_frame(twice)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_missing_id_is_refused_with_its_row(missing):
    with pytest.raises(DataError, match="item_id is missing in row 1; every row needs one"):
        Catalog.from_frame(items(item_id=pd.Series(["a", missing], dtype=object)))
    for column in ("user_id", "item_id"):
        with pytest.raises(DataError, match=f"{column} is missing in row 0"):
            Interactions.from_frame(log(**{column: pd.Series([missing, "a"], dtype=object)}))


@pytest.mark.parametrize("bad", ["", "  ", " a", "a ", "a\x00", "\ud800", "a\nb", "a  b"])
def test_an_id_that_would_change_when_it_is_stored_is_refused(bad):
    with pytest.raises(DataError, match="item_id .* is empty or has spaces .* or unprintable characters; rename it"):
        Catalog.from_frame(items(item_id=["x", bad]))


UUIDS = [uuid.UUID(int=5), uuid.UUID(int=6)]


@pytest.mark.parametrize(
    "ids, expected",
    [
        ([7, 9], ["7", "9"]),
        ([7.0, 9.0], ["7", "9"]),
        ([7.5, 9.0], ["7.5", "9"]),
        (np.array([7, 9], dtype=np.uint8), ["7", "9"]),
        (pd.array([7, 9], dtype="Int64"), ["7", "9"]),
        (pd.array([7.0, 9.0], dtype="Float64"), ["7", "9"]),
        ([2**62, 2**62 + 1], [str(2**62), str(2**62 + 1)]),
        (UUIDS, [str(one) for one in UUIDS]),
        ([("a", 1), ("b", 2)], ["('a', 1)", "('b', 2)"]),
        (["007", "7"], ["007", "7"]),
        (pd.Categorical(["x", "y"]), ["x", "y"]),
        ([True, False], ["True", "False"]),
        (["漢", "é"], ["漢", "é"]),
    ],
)
def test_ids_of_any_type_become_strings(ids, expected):
    catalog = Catalog.from_frame(items(item_id=ids))
    frame = Interactions.from_frame(log(item_id=ids, user_id=ids)).frame
    assert catalog.item_ids.tolist() == expected
    assert all(type(one) is str for one in catalog.item_ids)
    assert sorted(frame["item_id"]) == sorted(frame["user_id"]) == sorted(expected)
    assert (catalog.positions(frame["item_id"]) >= 0).all()


@pytest.mark.parametrize("ids", [[["a"], ["b"]], [{"a"}, {"b"}]])
def test_ids_that_are_lists_or_sets_are_refused(ids):
    with pytest.raises(DataError, match="an id came as (list|set); pass strings, numbers, or tuples"):
        Catalog.from_frame(items(item_id=pd.Series(ids, dtype=object)))


def test_an_error_shows_the_beginning_of_a_very_long_value():
    for wrong in (items(item_id=["a", "x " * 500_000]), items(title=["x", "y"], item_id=["a", "\x00" * 500_000])):
        with pytest.raises(DataError, match=r"item_id '(x|.x00)") as error:
            Catalog.from_frame(wrong)
        assert len(str(error.value)) < 200
    with pytest.raises(DataError, match="timestamp 'xxx") as error:
        Interactions.from_frame(log(timestamp=["1", "x" * 1_000_000]))
    assert len(str(error.value)) < 200


def test_whole_floats_too_large_for_an_integer_stay_distinct():
    assert Catalog.from_frame(items(item_id=[1e300, 2e300])).item_ids.tolist() == ["1e+300", "2e+300"]


@pytest.mark.parametrize("dtype", [object, "str", "string", "string[python]", "string[pyarrow]"])
def test_every_string_type_of_pandas_gives_the_same_catalog(dtype):
    frame = items(genre=["Horror|Sci-Fi", None], plot=["Space.", None]).astype(dtype)
    catalog = Catalog.from_frame(frame, ["title", "plot"], ["genre"])
    assert catalog.texts.tolist() == ["Alien Space.", "Brazil"]
    assert catalog.facets["genre"].tolist() == [("Horror", "Sci-Fi"), ()]
    assert all(type(text) is str for text in (*catalog.item_ids, *catalog.titles, *catalog.texts))
    events = log().astype({"user_id": dtype, "item_id": dtype})
    assert Interactions.from_frame(events).frame["item_id"].tolist() == ["a", "b"]


def test_titles_and_texts_lose_what_cannot_be_stored():
    catalog = Catalog.from_frame(items(title=["A\x00li\ud800en\n", " Bra\u0301zil "]))
    assert catalog.titles.tolist() == catalog.texts.tolist() == ["A li en", "Brázil"]


@pytest.mark.parametrize("nothing", ["", "  ", None, float("nan"), "\x00", "\ud800"])
def test_an_item_without_text_is_refused_and_named(nothing):
    with pytest.raises(DataError, match=r"item 'b' has no text in \['title'\]; give it a title or name more text columns"):
        Catalog.from_frame(items(title=["Alien", nothing]))


def test_an_item_without_title_may_have_other_text():
    catalog = Catalog.from_frame(items(title=["Alien", None], plot=["", "A clerk dreams."]), ["title", "plot"])
    assert catalog.titles.tolist() == ["Alien", "b"]
    assert catalog.texts.tolist() == ["Alien", "A clerk dreams."]


@pytest.mark.timeout(20)
def test_a_text_of_a_megabyte_is_kept():
    catalog = Catalog.from_frame(items(plot=["x" * 1_000_000, "y"]), ["plot"], ["plot"])
    assert len(catalog.texts[0]) == 1_000_000


@pytest.mark.parametrize(
    "cell, expected",
    [
        ("Horror|Sci-Fi", ("Horror", "Sci-Fi")),
        (" US ,UK; US ", ("US", "UK")),
        (["b", "a", "b", ""], ("b", "a")),
        (("a, b",), ("a, b",)),
        (np.array(["x", None], dtype=object), ("x",)),
        ("", ()),
        (None, ()),
        (float("nan"), ()),
        (pd.NA, ()),
        (1994, ("1994",)),
    ],
)
def test_a_facet_cell_becomes_a_tuple_of_distinct_values(cell, expected):
    assert split_facet(cell) == expected


def test_a_catalog_cannot_be_changed():
    catalog = Catalog.from_frame(items())
    for array in (catalog.item_ids, catalog.titles, catalog.texts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = "x"
    with pytest.raises(dataclasses.FrozenInstanceError):
        catalog.titles = None


def test_making_a_catalog_or_interactions_does_not_change_the_table():
    table, events = items(item_id=[2.0, 1.0]), log(timestamp=[5.5, 1.5])
    before = table.copy(deep=True), events.copy(deep=True)
    Catalog.from_frame(table)
    Interactions.from_frame(events)
    pd.testing.assert_frame_equal(table, before[0])
    pd.testing.assert_frame_equal(events, before[1])


def test_the_index_of_the_table_does_not_matter():
    catalog = Catalog.from_frame(items(genre=["x", "y"]).set_index(pd.Index([5, 5])), facets=["genre"])
    assert catalog.facets.loc[1, "genre"] == ("y",)
    events = Interactions.from_frame(log(rating=[1, 2]).set_index(pd.Index([9, 9])))
    assert events.frame["rating"].tolist() == [1, 2]


def test_positions_are_minus_one_for_what_the_catalog_does_not_have(tiny):
    catalog, _ = tiny
    assert catalog.positions(["amelie", "nothing", "alien"]).tolist() == [4, -1, 0]
    assert catalog.positions([]).tolist() == []


# --- Interactions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["user_id", "item_id", "timestamp"])
def test_interactions_need_user_item_and_time(column):
    with pytest.raises(DataError, match=rf"the interactions: no column \['{column}'\]; found"):
        Interactions.from_frame(log().drop(columns=column))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), None, "five"])
@pytest.mark.parametrize("column", ["rating", "weight", "timestamp"])
def test_a_number_that_is_missing_or_infinite_is_refused_with_its_row(column, bad):
    with pytest.raises(DataError, match=f"{column} .* in row 1 is not a finite number; drop or mend the row"):
        Interactions.from_frame(log(**{column: pd.Series([1, bad], dtype=object)}))


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]"])
def test_numbers_of_any_pandas_type_are_read_and_their_gaps_refused(dtype):
    frame = Interactions.from_frame(log(rating=pd.array([4, 5], dtype=dtype), timestamp=pd.array([1, 2], dtype=dtype))).frame
    assert frame["rating"].tolist() == [4, 5]
    assert frame["timestamp"].dtype == np.int64
    with pytest.raises(DataError, match="rating <NA> in row 1"):
        Interactions.from_frame(log(rating=pd.array([4, None], dtype=dtype)))


@pytest.mark.parametrize("milliseconds", [1_704_067_200_000, -1_704_067_200_000])
def test_milliseconds_are_refused(milliseconds):
    with pytest.raises(DataError, match=f"timestamp {milliseconds} is no time in seconds; divide milliseconds by 1000"):
        Interactions.from_frame(log(timestamp=[milliseconds, 5]))


FIRST = 1_704_067_200  # 2024-01-01, midnight UTC


@pytest.mark.parametrize(
    "times",
    [
        [FIRST, FIRST + 1],
        [float(FIRST), FIRST + 1.75],
        [str(FIRST), str(FIRST + 1)],
        pd.to_datetime(["2024-01-01 00:00:00", "2024-01-01 00:00:01"]),
        pd.to_datetime(["2024-01-01 00:00:00", "2024-01-01 00:00:01.9"], format="ISO8601").as_unit("ms"),
        pd.to_datetime(["2024-01-01 00:00:00", "2024-01-01 00:00:01"]).as_unit("s"),
        pd.to_datetime(["2024-01-01 01:00:00", "2024-01-01 01:00:01"]).tz_localize("Europe/Berlin"),
        pd.array(pd.to_datetime(["2024-01-01 00:00:00", "2024-01-01 00:00:01"]), dtype="timestamp[us][pyarrow]"),
        pd.Series([datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, 0, 0, 1)], dtype=object),
    ],
)
def test_times_of_any_type_become_whole_seconds_utc(times):
    frame = Interactions.from_frame(log(timestamp=times)).frame
    assert frame["timestamp"].tolist() == [FIRST, FIRST + 1]
    assert frame["timestamp"].dtype == np.int64


def test_times_before_1970_round_down_like_all_others():
    assert Interactions.from_frame(log(timestamp=[-0.5, 0.5])).frame["timestamp"].tolist() == [-1, 0]


def test_dates_as_text_and_texts_that_cannot_be_stored_are_refused():
    for bad in ("2024-01-01", "\ud800"):
        with pytest.raises(DataError, match="timestamp '.*' in row 1 is not a finite number"):
            Interactions.from_frame(log(timestamp=pd.Series([1, bad], dtype=object)))


def test_a_missing_date_is_refused():
    with pytest.raises(DataError, match="timestamp .* in row 1 is not a finite number"):
        Interactions.from_frame(log(timestamp=pd.to_datetime(["2024-01-01", None])))


def test_other_columns_are_left_behind():
    frame = Interactions.from_frame(log(rating=[1, 2], password=["x", "y"])).frame
    assert frame.columns.tolist() == ["user_id", "item_id", "timestamp", "rating"]


def test_no_events_at_all_are_fine():
    events = Interactions.from_frame(log().iloc[:0])
    assert len(events) == 0
    catalog = Catalog.from_frame(items())
    histories = events.histories(catalog)
    assert len(histories) == 0
    assert histories.matrix().shape == (0, 2)


def tied(ids):
    return log().iloc[[0] * len(ids)].assign(item_id=ids, timestamp=5)


def test_events_at_the_same_time_are_ordered_by_a_hash_and_not_by_id():
    ids = [f"i{number:02}" for number in range(40)]
    order = Interactions.from_frame(tied(ids)).frame["item_id"].tolist()
    assert sorted(order) == ids
    assert order != ids and order != ids[::-1]


def test_the_order_of_ties_does_not_depend_on_the_order_of_the_rows(rng):
    ids = [f"i{number:02}" for number in range(40)]
    orders = [Interactions.from_frame(tied(rng.permutation(ids))).frame["item_id"].tolist() for _ in range(5)]
    assert all(order == orders[0] for order in orders)


def test_the_order_of_ties_differs_between_users():
    ids = [f"i{number:02}" for number in range(40)]
    orders = [Interactions.from_frame(tied(ids).assign(user_id=user)).frame["item_id"].tolist() for user in "uv"]
    assert orders[0] != orders[1]


def test_rows_are_sorted_by_user_then_time(rng):
    table = pd.DataFrame({"user_id": rng.integers(0, 20, 500), "item_id": "a", "timestamp": rng.integers(0, 99, 500)})
    frame = Interactions.from_frame(table).frame
    assert frame["user_id"].is_monotonic_increasing
    assert all(times.is_monotonic_increasing for _, times in frame.groupby("user_id")["timestamp"])


# --- Histories ---------------------------------------------------------------------------------------------------------


def test_histories_leave_out_unknown_items_and_users_who_know_no_other():
    table = pd.DataFrame({"user_id": ["v", "u", "u", "w"], "item_id": ["x", "b", "a", "b"], "timestamp": [1, 2, 1, 1]})
    histories = Interactions.from_frame(table).histories(Catalog.from_frame(items()))
    assert histories.user_ids.tolist() == ["u", "w"]
    assert [histories.of(row).tolist() for row in (0, 1)] == [[0, 1], [1]]
    assert histories.timestamps.tolist() == [1, 2, 1]


def test_a_repeated_item_stays_in_the_history_and_counts_once_in_the_matrix():
    histories = Interactions.from_frame(log(item_id=["a", "a"])).histories(Catalog.from_frame(items()))
    assert histories.of(0).tolist() == [0, 0]
    assert histories.matrix().toarray().tolist() == [[1.0, 0.0]]


def test_take_keeps_users_who_are_left_with_nothing():
    histories = Histories(np.array(["u", "v"]), np.array([2, 0, 1]), np.array([5, 6, 9]), np.array([0, 2, 3]), 4)
    taken = histories.take(np.array([False, True, False]))
    assert [taken.of(row).tolist() for row in (0, 1)] == [[0], []]
    assert taken.timestamps.tolist() == [6]
    assert taken.n_items == 4


# --- Slate -------------------------------------------------------------------------------------------------------------


def slate(titles=("Alien",), parts=((0.4, 0.1),)):
    scores = np.sum(parts, axis=1)
    names = np.array(["text: space", "popularity"])
    return Slate(np.array(["a", "b"][: len(titles)]), np.array(titles), scores, names, np.array(parts))


def test_reasons_are_the_largest_parts_first_with_their_signs():
    assert slate(parts=((0.1, -0.4),)).reasons(0) == "- popularity 0.400 + text: space 0.100"
    assert slate(parts=((0.4, -0.1),)).reasons(0) == "text: space 0.400 - popularity 0.100"
    assert slate(parts=((0.4, 0.0001),)).reasons(0) == "text: space 0.400"
    assert slate(parts=((0.0, 0.0),)).reasons(0) == "nothing known"


def test_a_slate_as_a_table_counts_from_one():
    table = slate(("Alien", "Brazil"), ((0.4, 0.1), (0.3, 0.1))).to_frame()
    assert table["rank"].tolist() == [1, 2]
    assert table.columns.tolist() == ["rank", "item_id", "title", "score", "reasons"]


def test_a_title_cannot_put_markup_into_a_notebook():
    shown = slate(("<script>alert(1)</script>",))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_an_id_is_the_same_in_a_column_of_any_type():
    mixed = pd.Series([1000, 1000.0, "1000", np.float64(1000)], dtype=object)
    log = pd.DataFrame({"user_id": list("abcd"), "item_id": mixed, "timestamp": range(4)})
    assert set(Interactions.from_frame(log).frame["item_id"]) == {"1000"}


def test_dates_in_words_are_seconds():
    log = pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": ["2020-09-14 12:26:40"]})
    assert Interactions.from_frame(log).frame["timestamp"].tolist() == [1_600_086_400]


def test_a_single_column_may_be_named_without_a_list():
    frame = items(kind=["tea", "cup"])
    catalog = Catalog.from_frame(frame, text="kind", facets="kind")
    assert catalog.texts.tolist() == ["tea", "cup"] and list(catalog.facets) == ["kind"]
