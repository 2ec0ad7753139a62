"""The published tokenizers load offline and uncut, and a damaged GGUF file is refused."""

import struct

import pytest

from llmrec_lab.assets import asset_files
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.vocabularies import load_tokenizer, read_gguf_header


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def gguf(*entries: bytes) -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, len(entries)) + b"".join(entries)


SMALL = gguf(
    entry("name", 8, text("Amélie")),
    entry("size", 4, struct.pack("<I", 7)),
    entry("large", 10, struct.pack("<Q", 2**63)),
    entry("scale", 6, struct.pack("<f", 0.5)),
    entry("less", 5, struct.pack("<i", -3)),
    entry("byte", 0, b"\xff"),
    entry("small", 1, b"\xff"),
    entry("short", 2, b"\xff\xff"),
    entry("shorter", 3, b"\xff\xff"),
    entry("wide", 4, b"\xff" * 4),
    entry("deep", 11, b"\xff" * 8),
    entry("fine", 12, struct.pack("<d", 0.1)),
    entry("yes", 7, b"\x01"),
    entry("pieces", 9, struct.pack("<IQ", 8, 2) + text("a") + text("Ġb")),
    entry("nested", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 0, 3) + b"\x01\x02\x03"),
)


def test_a_header_gives_every_value_by_name(tmp_path):
    (tmp_path / "small.gguf").write_bytes(SMALL + b"tensors")
    found = read_gguf_header(tmp_path / "small.gguf")
    assert found["yes"] is True
    assert found == {
        "name": "Amélie",
        "size": 7,
        "large": 2**63,
        "scale": 0.5,
        "less": -3,
        "byte": 255,
        "small": -1,
        "short": 65_535,
        "shorter": -1,
        "wide": 2**32 - 1,
        "deep": -1,
        "fine": 0.1,
        "yes": True,
        "pieces": ["a", "Ġb"],
        "nested": [[1, 2, 3]],
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", b"PK\x03\x04" + SMALL[4:], *(SMALL[:length] for length in range(24, len(SMALL), 7))],
    ids=lambda content: f"{len(content)} bytes",
)
def test_a_file_that_is_cut_off_or_something_else_is_refused_by_name(tmp_path, content):
    (tmp_path / "damaged.gguf").write_bytes(content)
    with pytest.raises(AssetError, match="damaged.gguf is no GGUF file, or damaged"):
        read_gguf_header(tmp_path / "damaged.gguf")


@pytest.mark.parametrize(
    "value",
    [
        entry("a", 99, b""),
        entry("a", 8, struct.pack("<Q", 2**62)),
        entry("a", 8, struct.pack("<Q", 2**63)),
        entry("a", 8, struct.pack("<Q", 5) + b"abc"),
        entry("a", 8, struct.pack("<Q", 2) + b"\xff\xff"),
        entry("a", 9, struct.pack("<IQ", 4, 2**60)),
    ],
    ids=["unknown kind", "endless text", "text longer than a file can be", "cut text", "no UTF-8", "endless list"],
)
def test_a_value_that_cannot_be_is_refused(tmp_path, value):
    (tmp_path / "odd.gguf").write_bytes(gguf(value))
    with pytest.raises(AssetError, match="odd.gguf"):
        read_gguf_header(tmp_path / "odd.gguf")


@pytest.mark.parametrize("name, size", [("minilm", 30_522), ("e5", 250_002), ("smollm2", 49_152)])
def test_vocabularies_have_the_published_sizes(name, size):
    assert load_tokenizer(name).get_vocab_size() == size


@pytest.mark.parametrize("name", ["minilm", "e5", "smollm2"])
def test_a_long_text_is_not_cut_and_a_short_one_not_padded(name):
    tokenizer = load_tokenizer(name)
    assert len(tokenizer.encode("film " * 1000).ids) >= 1000
    assert len({len(row.ids) for row in tokenizer.encode_batch(["a", "film " * 50])}) == 2


@pytest.mark.parametrize(
    "words, expected",
    [
        ("I like sci-fi", ["I", "Ġlike", "Ġsci", "-", "fi"]),
        ("from 1979,", ["from", "Ġ", "1", "9", "7", "9", ","]),
        ("我", ["æĪ", "ĳ"]),
        ("<|im_start|>user", ["<|im_start|>", "user"]),
    ],
)
def test_smollm2_cuts_as_transformers_does(words, expected):
    """The expected pieces were read off transformers 5.23, which takes 28 s to load them from the same file."""
    assert load_tokenizer("smollm2").encode(words).tokens == expected


def test_the_ids_of_smollm2_are_places_in_its_list_and_its_signs_are_special():
    header = read_gguf_header(asset_files("smollm2")["SmolLM2-135M-Instruct.Q4_1.gguf"])
    tokenizer = load_tokenizer("smollm2")
    row = tokenizer.encode("<|im_start|>user")
    assert [header["tokenizer.ggml.tokens"][number] for number in row.ids] == row.tokens
    assert tokenizer.decode(row.ids, skip_special_tokens=True) == "user"


@pytest.mark.parametrize("words", ["Amélie 2001", "我喜欢 😀\n\tx", "  two  spaces ", "\ua66e"])
def test_smollm2_gives_every_text_back(words):
    tokenizer = load_tokenizer("smollm2")
    assert tokenizer.decode(tokenizer.encode(words).ids) == words


@pytest.mark.parametrize("name", ["bert", "", None, 3, ["minilm"]])
def test_another_name_is_refused_with_those_there_are(name):
    with pytest.raises(DataError, match="pass minilm, e5 or smollm2"):
        load_tokenizer(name)
