"""The tokenizers that the models were trained with: minilm, e5 and smollm2. Knows nothing about networks or vectors."""

from __future__ import annotations

import struct
from pathlib import Path

from llmrec_lab.assets import asset_files
from llmrec_lab.errors import AssetError, DataError

GGUF_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
GGUF_TEXT, GGUF_LIST = 8, 9
GGUF_CONTROL = 3  # the kind of a token that stands for no text, such as the one between two documents


def load_tokenizer(name: str = "minilm"):
    """The tokenizer of a model, as its makers published it; it neither cuts nor pads.

    Args:
        name: `minilm` (WordPiece, English), `e5` (Unigram, about 100 languages) or `smollm2` (byte-level BPE, English).

    Returns:
        A `tokenizers.Tokenizer`.

    Raises:
        DataError: there is no tokenizer of that name.
        AssetError: a file is missing or damaged.

    Example:
        >>> load_tokenizer("minilm").encode("Spirited Away").tokens
        ['[CLS]', 'spirited', 'away', '[SEP]']
        >>> load_tokenizer("smollm2").encode("Spirited Away").tokens
        ['Sp', 'ir', 'ited', 'ĠAway']
    """
    from tokenizers import Tokenizer

    if name == "smollm2":
        return byte_level_bpe(read_gguf_header(asset_files("smollm2")["SmolLM2-135M-Instruct.Q4_1.gguf"]))
    if name not in ("minilm", "e5"):
        raise DataError(f"no tokenizer {name!r}; pass minilm, e5 or smollm2")
    tokenizer = Tokenizer.from_file(str(asset_files(name)["tokenizer.json"]))
    tokenizer.no_truncation()  # the published file of minilm cuts and pads to 128
    tokenizer.no_padding()
    return tokenizer


def byte_level_bpe(header: dict):
    """The tokenizer that the header of a GGUF file describes: pieces of bytes, so that no character is unknown."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    pieces, kinds = header["tokenizer.ggml.tokens"], header["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in header["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    control = [piece for piece, kind in zip(pieces, kinds) if kind == GGUF_CONTROL]
    tokenizer.add_special_tokens([AddedToken(piece, special=True) for piece in control])
    return tokenizer


def read_gguf_header(path: Path) -> dict:
    """The named values at the start of a GGUF file, without its tensors.

    The package gguf reads the same in 100 times the time, because it makes an array of every string.

    Args:
        path: the file.

    Returns:
        Numbers, strings and lists by name, such as `tokenizer.ggml.tokens`.

    Raises:
        AssetError: the file is no GGUF file, or is cut off.

    Source:
        https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    with open(path, "rb") as stream:
        try:
            return read_entries(stream)[0]
        except (struct.error, ValueError, KeyError, OverflowError, MemoryError) as problem:
            raise AssetError(f"{path.name} is no GGUF file, or damaged ({problem}); fetch it again") from None


def read_entries(stream) -> tuple[dict, int]:
    """The named values at the start, and how many tensors are described behind them."""
    magic, _, tensors, entries = struct.unpack("<4sIQQ", stream.read(24))
    if magic != b"GGUF":
        raise ValueError("it does not start with GGUF")
    return dict(read_entry(stream) for _ in range(entries)), tensors


def read_entry(stream) -> tuple[str, object]:
    """One name and its value."""
    name = read_value(stream, GGUF_TEXT)
    return name, read_value(stream, read_value(stream, 4))


def read_value(stream, kind: int):
    """One value of a kind of GGUF; a list holds values of one kind."""
    if kind == GGUF_TEXT:
        return read_bytes(stream, read_value(stream, 10)).decode("utf-8")
    if kind == GGUF_LIST:
        inner, length = read_value(stream, 4), read_value(stream, 10)
        return [read_value(stream, inner) for _ in range(length)]
    form = GGUF_NUMBERS[kind]
    return struct.unpack(form, stream.read(struct.calcsize(form)))[0]


def read_bytes(stream, length: int) -> bytes:
    content = stream.read(length)
    if len(content) != length:
        raise ValueError("it is cut off")
    return content
