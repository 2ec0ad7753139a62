"""Clean text can be printed and stored anywhere, words are words in both languages, and padding is counted and marked."""

import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest

from llmrec_lab.errors import DataError
from llmrec_lab.text import chinese_cutter, clean, language, pad, padded_tokens, segment, token_grid, unknown_shares
from llmrec_lab.vocabularies import load_tokenizer


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


@pytest.fixture(scope="module")
def tokenizers():
    return {name: load_tokenizer(name) for name in ("minilm", "e5", "smollm2")}


def test_pad_keeps_every_id_and_marks_what_it_added():
    rows = [[5, 6, 7], [], [8], [0, 0]]
    ids, mask = pad(rows, filler=9)
    assert ids.tolist() == [[5, 6, 7], [9, 9, 9], [8, 9, 9], [0, 0, 9]]
    assert [ids[i][mask[i]].tolist() for i in range(4)] == rows
    assert (ids.dtype, mask.dtype) == (np.int64, np.bool_)


@pytest.mark.parametrize("rows, shape", [([], (0, 0)), ([[]], (1, 0)), ([[], []], (2, 0)), ([[1], [2]], (2, 1))])
def test_pad_of_nothing_or_of_equal_rows_adds_nothing(rows, shape):
    ids, mask = pad(rows)
    assert ids.shape == mask.shape == shape and mask.all()


@pytest.mark.parametrize("rows", [[1, 2], ["ab", "c"], [[1], 2]])
def test_pad_of_one_row_or_of_texts_says_what_it_takes(rows):
    with pytest.raises(DataError, match="list of lists of ids"):
        pad(rows)


@pytest.mark.parametrize("batch_size, expected", [(1, 23), (2, 2 * 9 + 2 * 8 + 3), (3, 3 * 9 + 2 * 8), (5, 45), (99, 45)])
def test_padded_tokens_equal_the_size_of_the_padded_arrays(batch_size, expected):
    lengths = [3, 9, 0, 8, 3]
    arrays = [pad([[1] * n for n in lengths[i : i + batch_size]])[0] for i in range(0, 5, batch_size)]
    assert padded_tokens(lengths, batch_size) == sum(array.size for array in arrays) == expected
    assert padded_tokens(np.array(lengths), batch_size) == expected


def test_padded_tokens_of_nothing_are_none():
    assert padded_tokens([], 4) == 0


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None, "2"])
def test_a_batch_size_that_is_no_positive_whole_number_is_refused(size):
    with pytest.raises(DataError, match="whole number of at least 1"):
        padded_tokens([1, 2], size)


def test_a_negative_length_is_refused():
    with pytest.raises(DataError, match="a length came as -2"):
        padded_tokens([1, -2], 1)


@pytest.mark.parametrize(
    "text, share",
    [
        ("我喜欢看科幻电影和研究机器学习", 12 / 15),  # known: 我 和 学
        ("我喜欢购买便宜且耐用的电子产品", 12 / 15),  # known: 我 的 子
        ("great😀 film", 6 / 10),  # one unknown sign takes its whole word with it
        ("great 😀 film", 1 / 10),
        ("", 0),
        (" ", 0),
        ("plain English", 0),
    ],
)
def test_share_of_characters_that_minilm_cannot_read(tokenizers, text, share):
    assert unknown_shares(tokenizers["minilm"], [text]) == pytest.approx([share])


def test_shares_are_per_text_and_in_order(tokenizers):
    assert unknown_shares(tokenizers["minilm"], ["good", "喜欢", "我喜"]).tolist() == [0, 1, 0.5]
    assert unknown_shares(tokenizers["minilm"], []).shape == (0,)


def test_e5_reads_chinese_and_names_what_it_cannot_read(tokenizers):
    assert unknown_shares(tokenizers["e5"], ["我喜欢看科幻电影", "\U00020bb7 \ua66e ab"]).tolist() == [0, 0.5]


def test_a_byte_level_tokenizer_has_no_unknown_token(tokenizers):
    assert unknown_shares(tokenizers["smollm2"], ["\ua66e <unk> [UNK]"]).tolist() == [0]


@pytest.mark.parametrize("name, filler", [("minilm", "[PAD]"), ("e5", "<pad>"), ("smollm2", "<|im_end|>")])
def test_a_grid_is_what_the_tokenizer_says_padded_to_a_multiple_of_eight(tokenizers, name, filler):
    row = tokenizers[name].encode("I like 科幻")
    grid = token_grid(tokenizers[name], "  I like \x00科幻")
    n = len(row.ids)
    assert grid.shape == (3, 8 if n <= 8 else 16) and grid.index.tolist() == ["token", "id", "mask"]
    assert (grid.loc["token"][:n].tolist(), grid.loc["id"][:n].tolist()) == (row.tokens, row.ids)
    assert set(grid.loc["token"][n:]) == {filler} and tokenizers[name].token_to_id(filler) in set(grid.loc["id"][n:])
    assert grid.loc["mask"].tolist() == [1] * n + [0] * (grid.shape[1] - n)


def test_a_grid_of_eight_tokens_has_no_padding(tokenizers):
    grid = token_grid(tokenizers["minilm"], "one two three four five six")
    assert grid.shape == (3, 8) and grid.loc["mask"].tolist() == [1] * 8
