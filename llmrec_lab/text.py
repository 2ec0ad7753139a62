"""Raw text to clean text, words, and padded token ids, English and Chinese. Knows nothing about networks or vectors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from llmrec_lab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd  # encoders clean their texts, and need no tables for it

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]+"
)  # controls, lone surrogates, byte-order marks
MISSING = {"None", "nan", "<NA>", "NaT"}  # how values that are no text say that nothing is there
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")
UNKNOWN = ("[UNK]", "<unk>")  # of BERT, of e5; byte-level tokenizers have none
PADDING = ("[PAD]", "<pad>", "<|im_end|>")  # of BERT, of e5, of SmolLM2
GRID_MULTIPLE = 8  # GPUs multiply fastest where sizes are multiples of eight, so batches are often padded to one
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


def pad(rows: Sequence[Sequence[int]], filler: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids as one array, and the padding mask that says which of its entries are real.

    Args:
        rows: b lists of token ids, of different lengths.
        filler: the id that stands in the padding.

    Returns:
        ids (b, t) int64, t the longest length, and mask (b, t) bool, False in the padding.

    Raises:
        DataError: the rows are not lists of ids.

    Example:
        >>> ids, mask = pad([[101, 7592, 102], [101, 102]])
        >>> ids.tolist(), mask.astype(int).tolist()
        ([[101, 7592, 102], [101, 102, 0]], [[1, 1, 1], [1, 1, 0]])
    """
    if not all(hasattr(row, "__len__") and not isinstance(row, str) for row in rows):
        raise DataError("pad takes a list of lists of ids; wrap a single list in another one")
    lengths = np.array([len(row) for row in rows], dtype=np.int64)  # (b)
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]  # (b, t)
    ids = np.full(mask.shape, filler, dtype=np.int64)
    ids[mask] = [number for row in rows for number in row]
    return ids, mask


def padded_tokens(lengths: Sequence[int], batch_size: int) -> int:
    """How many tokens a network computes for texts that come in this order, each batch padded to its longest text.

    Args:
        lengths: (n) tokens per text.
        batch_size: texts per batch; the last batch may have fewer.

    Returns:
        The number of real and padding tokens.

    Raises:
        DataError: the batch size is not a whole number of at least 1, or a length is negative.

    Example:
        >>> padded_tokens([3, 9, 3, 8], batch_size=2), padded_tokens([3, 3, 8, 9], batch_size=2)
        (34, 24)
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, Integral) or batch_size < 1:
        raise DataError(f"batch_size came as {batch_size!r}; pass a whole number of at least 1")
    if min(lengths, default=0) < 0:
        raise DataError(f"a length came as {min(lengths)}; a text has at least 0 tokens")
    batches = (lengths[start : start + batch_size] for start in range(0, len(lengths), batch_size))
    return int(sum(len(batch) * max(batch) for batch in batches))


def unknown_shares(tokenizer, texts: Sequence[str]) -> np.ndarray:
    """For each text the share of its characters that a tokenizer cannot read: those inside its unknown token.

    Counted in characters, not in tokens, so that tokenizers can be compared: one unknown token may stand for a whole word.

    Args:
        tokenizer: a `tokenizers.Tokenizer`.
        texts: n strings.

    Returns:
        (n) numbers from 0 to 1; spaces do not count, and a text without any other character has 0.

    Example:
        >>> from llmrec_lab.vocabularies import load_tokenizer
        >>> unknown_shares(load_tokenizer("minilm"), ["science fiction", "我喜欢喜剧"])
        array([0. , 0.8])
    """
    unknown = first_id(tokenizer, UNKNOWN)
    shares = np.zeros(len(texts))  # (n)
    for place, (text, row) in enumerate(zip(texts, tokenizer.encode_batch(list(texts)))):
        spans = (text[start:end] for number, (start, end) in zip(row.ids, row.offsets) if number == unknown)
        shares[place] = sum(map(written, spans)) / max(written(text), 1)
    return shares


def written(text: str) -> int:
    """How many characters of a text are no spaces."""
    return len("".join(text.split()))


def first_id(tokenizer, tokens: Sequence[str]) -> int | None:
    """The id of the first of some tokens that a tokenizer has; None if it has none."""
    return next((number for token in tokens if (number := tokenizer.token_to_id(token)) is not None), None)


def token_grid(tokenizer, text: str) -> pd.DataFrame:
    """What a network gets for a text: tokens, ids and padding mask, padded to a multiple of eight.

    Args:
        tokenizer: a `tokenizers.Tokenizer` that does not pad itself.
        text: any string.

    Returns:
        A table with the rows `token`, `id` and `mask` and a column per place, from 0.

    Example:
        >>> from llmrec_lab.vocabularies import load_tokenizer
        >>> print(token_grid(load_tokenizer("minilm"), "Miyazaki films").to_string(header=False))
        token  [CLS]    mi  ##ya  ##zaki  films  [SEP]  [PAD]  [PAD]
        id       101  2771  3148   18637   3152    102      0      0
        mask       1     1     1       1      1      1      0      0
    """
    import pandas as pd

    row = tokenizer.encode(clean(text))
    filler = first_id(tokenizer, PADDING)
    missing = -len(row.ids) % GRID_MULTIPLE
    tokens = row.tokens + [tokenizer.id_to_token(filler)] * missing
    return pd.DataFrame(
        [tokens, row.ids + [filler] * missing, [1] * len(row.ids) + [0] * missing], index=["token", "id", "mask"]
    )
