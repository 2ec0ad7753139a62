"""Clean text can be printed and stored anywhere, and words are words in both languages."""

import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest

from llmrec_lab.text import chinese_cutter, clean, language, segment


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("  two   spaces\t and\na line ", "two spaces and a line"),
        ("zero\x00byte", "zero byte"),
        ("bell\x07 escape\x1b[0m delete\x7f next\x85line", "bell escape [0m delete next line"),
        ("lone \ud800 surrogate \udfff", "lone surrogate"),
        ("\ufeffbyte-order mark", "byte-order mark"),
        ("line\u2028paragraph\u2029end", "line paragraph end"),
        ("ideographic\u3000space\xa0too", "ideographic space too"),
        ("Ame\u0301lie", "Am\xe9lie"),
        ("😀 stays whole", "😀 stays whole"),
        ("", ""),
        (" \n\x00 ", ""),
        (7, "7"),
        (2.5, "2.5"),
        (False, "False"),
    ],
)
def test_clean(raw, expected):
    assert clean(raw) == expected


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT])
def test_every_kind_of_missing_value_is_the_empty_text(missing):
    assert clean(missing) == ""


def test_a_text_that_spells_a_missing_value_is_kept():
    assert [clean(text) for text in ("None", "nan", "<NA>", np.str_("nan"))] == ["None", "nan", "<NA>", "nan"]


def test_a_list_is_written_out_and_does_not_crash():
    assert clean(["a", "b"]) == "['a', 'b']"
    assert clean(np.array([1, 2])) == "[1 2]"


def test_clean_text_of_any_character_can_be_encoded_and_is_clean_already():
    text = clean("x".join(chr(code) for code in range(sys.maxunicode + 1)))
    assert clean(text) == text
    assert unicodedata.is_normalized("NFC", text)
    assert text.encode("utf-8").decode("utf-8") == text
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["a", "\x00", "e\u0301", " ", "\u0301", "漢"])
def test_a_megabyte_is_cleaned_in_a_moment(piece):
    assert len(clean(piece * 1_000_000)) <= 1_000_000


@pytest.mark.parametrize(
    "text, expected",
    [
        ("science fiction", "en"),
        ("", "en"),
        ("123 !?", "en"),
        ("ひらがな", "en"),  # no Chinese character
        ("a 漢 b", "zh"),
        ("\u3400", "zh"),
        ("\U00020000", "zh"),
        ("，。！", "en"),
    ],
)
def test_language_is_chinese_where_there_is_a_chinese_character(text, expected):
    assert language(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("?! ...", []),
        ("Don't stop the Rock’n’Roll", ["don't", "stop", "the", "rock’n’roll"]),
        ("Amélie 2001", ["amélie", "2001"]),
        ("我喜欢购买便宜且耐用的电子产品。", ["我", "喜欢", "购买", "便宜", "且", "耐用", "的", "电子产品"]),
        ("喜欢Pixar电影", ["喜欢", "pixar", "电影"]),
    ],
)
def test_segment(text, expected):
    assert segment(text) == expected


def test_without_rjieba_the_words_are_cut_by_jieba(monkeypatch):
    class Jieba:
        @staticmethod
        def cut(text):
            return ["cut by", "jieba"]

    monkeypatch.setitem(sys.modules, "rjieba", None)  # importing it fails
    monkeypatch.setitem(sys.modules, "jieba", Jieba)
    assert chinese_cutter()("漢") == ["cut by", "jieba"]
