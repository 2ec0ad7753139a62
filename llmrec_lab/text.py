"""Raw text to clean text and words, English and Chinese. Knows nothing about models or vectors."""

from __future__ import annotations

import re
import unicodedata

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]+"
)  # controls, lone surrogates, byte-order marks
MISSING = {"None", "nan", "<NA>", "NaT"}  # how values that are no text say that nothing is there
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")
WORD = re.compile(r"\w+(?:['’]\w+)*")


def clean(value) -> str:
    """Text with composed accents, single spaces, and no character that cannot be printed or stored.

    Args:
        value: anything; None, NaN, and what pandas puts in an empty cell become the empty string.

    Returns:
        A string that any file format and any tokenizer accepts.

    Example:
        >>> clean("  Ame\\u0301lie\\x00\\n (2001) ")
        'Amélie (2001)'
    """
    text = str(value)
    if text.isascii() and text.isprintable() and text == text.strip() and "  " not in text and text not in MISSING:
        return text  # most text by far; what follows takes four times as long
    if text in MISSING and not isinstance(value, str):
        return ""
    return " ".join(unicodedata.normalize("NFC", UNPRINTABLE.sub(" ", text)).split())


def language(text: str) -> str:
    """`zh` if the text has a Chinese character, else `en`.

    Args:
        text: any string.

    Returns:
        `zh` or `en`.

    Example:
        >>> language("我喜欢科幻电影"), language("I like science fiction")
        ('zh', 'en')
    """
    return "zh" if HAN.search(text) else "en"


def segment(text: str) -> list[str]:
    """Lower-case words; Chinese, which writes no spaces, is cut with a dictionary (rjieba, else jieba).

    Args:
        text: a clean string.

    Returns:
        Words in order, without punctuation.

    Source:
        The algorithm is that of https://github.com/fxsjy/jieba; rjieba is its port to Rust.

    Example:
        >>> segment("I like sci-fi"), segment("我喜欢科幻电影")
        (['i', 'like', 'sci', 'fi'], ['我', '喜欢', '科幻电影'])
    """
    if language(text) == "en":
        return [word.lower() for word in WORD.findall(text)]
    return [piece.lower() for piece in chinese_cutter()(text) if WORD.fullmatch(piece)]


def chinese_cutter():
    """The function that cuts Chinese text: rjieba's where it is installed, else jieba's (Colab has that one)."""
    try:
        from rjieba import cut
    except ImportError:
        from jieba import cut
    return cut
