"""Reviews are as many as the docstring says, have one label each, and show nobody's address or number."""

import lzma
import pickle

import pandas as pd
import pytest

from llmrec_lab.datasets import reviews
from llmrec_lab.datasets.reviews import CONTACT, load_reviews, quote, without_contacts, without_markup
from llmrec_lab.errors import DataError
from llmrec_lab.text import clean, language

CONTACTS = [
    "see http://www.shop.com/item?id=1 for more",
    "参考http://bbs.example.com.cn/thread-1.html吧",
    "go to www.example.org today",
    "I love igourmet.com",
    "write to some.body+x@mail.example.com",
    "ＣＨＵＮ２１９＠ＳＯＨＵ",
    "call 1-800-242-8807 now",
    "call me at (800) 456 1330.",
    "800-820-6666，按您的要求",
    "联系13900000000",
    "13 9000 0000 00 is 1390000 0000",
    "加QQ：63410，谢谢",
    "要的加qq 673946022",
    "可以加群87570咨询",
    "订单号5216523",
    "５５５５５５５５",
]
HARMLESS = [
    "I bought 2 for $3.99 in 2009-05-22 and rate it 10/10",
    "since 2007-2008 I eat 100-200 calories of it, 24/7, at 11:30",
    "玩QQ游戏、聊QQ都很快，分辨率1280x1024，价格3999元",
    "2008年8月8日住了3天，308房间，一共1234元",
    "I wait @ home. Then I eat, no .com at all",
    "ends with a dot.Comes with a lid",
    "一群5岁的孩子",
]


@pytest.fixture(scope="module")
def loaded():
    return {name: (load_reviews(name), load_reviews(name, contacts=True)) for name in ("en", "zh")}


@pytest.mark.parametrize("name, shown, everything", [("en", 4902, 4972), ("zh", 17280, 17361)])
def test_there_are_as_many_reviews_as_the_docstring_says(loaded, name, shown, everything):
    assert [len(frame) for frame in loaded[name]] == [shown, everything]
    said = load_reviews.__doc__
    assert f"{shown:,}" in said and f"{everything:,}" in said


@pytest.mark.parametrize("name", ["en", "zh"])
def test_reviews_are_distinct_clean_texts_with_one_label(loaded, name):
    for frame in loaded[name]:
        assert frame.columns.tolist() == ["text", "label"]
        assert frame.index.tolist() == list(range(len(frame)))
        assert frame["text"].is_unique
        assert set(frame["label"]) == {0, 1}
        assert all(text and clean(text) == text for text in frame["text"])


@pytest.mark.parametrize("name", ["en", "zh"])
def test_no_shown_review_holds_contact_data_and_some_of_the_others_do(loaded, name):
    shown, everything = loaded[name]
    assert not any(CONTACT.search(text) for text in shown["text"])
    assert not shown["text"].str.contains(r"https?:|www\.|\d{7}", regex=True).any()
    assert set(shown["text"]) < set(everything["text"])


def test_labels_are_those_of_the_files(loaded):
    english, chinese = loaded["en"][1].set_index("text")["label"], loaded["zh"][1].set_index("text")["label"]
    assert chinese["房间很大,老公每次去都定那里,在郑州算是不错的酒店."] == 1
    assert chinese["入住酒店停车竟然要收费。"] == 0
    assert english[english.index.str.startswith("I absolutely LOVE this dried fruit.")].tolist() == [1]
    assert 0.64 < english.mean() < 0.67  # 3,258 of 5,000 have five stars


def test_chinese_reviews_are_chinese_and_english_ones_have_no_markup(loaded):
    assert (loaded["zh"][0]["text"].map(language) == "zh").mean() > 0.98
    assert (loaded["en"][0]["text"].map(language) == "en").all()
    assert not loaded["en"][1]["text"].str.contains("<br|<a |&quot;", regex=True).any()


def test_a_text_with_both_labels_is_left_out_and_a_repeated_one_is_kept_once(monkeypatch, tmp_path):
    (tmp_path / "pos.txt").write_text("很好\n很好\n还行\n\n地道 \n", encoding="utf-8")
    (tmp_path / "neg.txt").write_text("还行\n很差\n打13900000000", encoding="utf-8")
    files = {name: tmp_path / name for name in ("pos.txt", "neg.txt")}
    monkeypatch.setattr(reviews, "asset_files", lambda name: files)
    assert load_reviews("zh").values.tolist() == [["很好", 1], ["地道", 1], ["很差", 0]]
    assert load_reviews("zh", contacts=True)["text"].tolist()[-1] == "打13900000000"


def test_five_stars_are_positive_and_the_training_part_comes_first(monkeypatch, tmp_path):
    files = {}
    for part, text in (("training", "Sour<br />milk"), ("testing", "Fresh milk")):
        frame = pd.DataFrame({"review": [text], "score": ["great" if "Fresh" in text else "other"]}, dtype=object)
        files[f"{part}_data.pkl.compress"] = tmp_path / part
        (tmp_path / part).write_bytes(lzma.compress(pickle.dumps(frame)))
    monkeypatch.setattr(reviews, "asset_files", lambda name: files)
    monkeypatch.setattr(reviews, "read_pickle", lambda path: pickle.loads(lzma.decompress(path.read_bytes())))
    assert load_reviews("en").values.tolist() == [["Sour milk", 0], ["Fresh milk", 1]]


def test_reviews_in_another_language_are_refused():
    with pytest.raises(DataError, match="no reviews in 'fr'; pass one of en, zh"):
        load_reviews("fr")


@pytest.mark.parametrize("text", CONTACTS)
def test_contact_data_is_found(text):
    assert without_contacts(pd.DataFrame({"text": [text]})).empty
    assert "[...]" in quote(text, 200)


@pytest.mark.parametrize("text", HARMLESS)
def test_prices_dates_and_sizes_are_no_contact_data(text):
    assert len(without_contacts(pd.DataFrame({"text": [text]}))) == 1
    assert quote(text, 200) == text


def test_without_contacts_keeps_other_columns_and_numbers_rows_anew():
    frame = pd.DataFrame({"text": ["www.a.com", "fine", None], "stars": [1, 2, 3]}, index=[7, 8, 9])
    kept = without_contacts(frame)
    assert kept["stars"].tolist() == [2, 3]
    assert kept.index.tolist() == [0, 1]


def test_without_contacts_needs_a_text_column():
    with pytest.raises(DataError, match="no column .'text'.; found .'review'."):
        without_contacts(pd.DataFrame({"review": ["x"]}))


def test_a_quote_is_never_longer_than_its_limit(loaded):
    for text in [*loaded["en"][0]["text"][:300], *loaded["zh"][0]["text"][:300]]:
        for limit in (1, 2, 20, 60):
            assert 1 <= len(quote(text, limit)) <= limit


def test_a_quote_of_a_long_text_ends_after_a_whole_word():
    assert quote("one two three", 13) == "one two three"
    assert quote("one two three", 12) == "one two…"
    assert quote("one two, three", 9) == "one two…"
    assert quote("这家酒店的服务很差", 5) == "这家酒店…"
    assert quote("unbreakablewords", 6) == "unbre…"


def test_a_number_cut_in_two_by_the_limit_is_blanked_out_too():
    assert "139" not in quote("please do call 13900000000 today", 20)


@pytest.mark.parametrize("limit", [0, -1, 2.5, None])
def test_a_limit_that_is_no_count_is_refused(limit):
    with pytest.raises(DataError, match="limit came as .*; pass a whole number of at least 1"):
        quote("text", limit)


def test_markup_goes_and_comparisons_stay():
    assert without_markup("a<br />b &lt;3 <a href='x'>c</a> 1 < 2 > 0") == "a b <3 c 1 < 2 > 0"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["a", "a.", "a@", "1-", "<a", "9", "qq", "(123) ", "群a", "-.", "\x00\ud800"])
def test_a_megabyte_of_anything_is_read_in_a_moment(piece):
    text = piece * (1_000_000 // len(piece))
    assert len(quote(text)) <= 60
    without_markup(text)
