"""A GGUF file gives back the weights that went into it, and those of SmolLM2 are what transformers reads."""

import hashlib
import struct

import numpy as np
import pytest

from llmrec_lab.assets import asset_files
from llmrec_lab.errors import AssetError
from llmrec_lab.gguf import read_llama

WORDS, D, HEADS, KEY_HEADS, HEAD = 2, 32, 4, 2, 8


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def q4_1(rng, rows: int, columns: int) -> tuple[bytes, np.ndarray]:
    """Random blocks of a scale, an offset and 32 integers from 0 to 15, and the weights they stand for."""
    raw, values = b"", []
    for _ in range(rows * columns // 32):
        scale, offset = rng.normal(size=2).astype(np.float16)
        integers = rng.integers(0, 16, 32)
        raw += scale.tobytes() + offset.tobytes() + bytes((integers[:16] | integers[16:] << 4).tolist())
        values.append(np.float32(scale) * integers + np.float32(offset))
    return raw, np.reshape(values, (rows, columns))


def q8_0(rng, rows: int, columns: int) -> tuple[bytes, np.ndarray]:
    """Random blocks of a scale and 32 integers from -128 to 127, and the weights they stand for."""
    raw, values = b"", []
    for _ in range(rows * columns // 32):
        scale = np.float16(rng.normal())
        integers = rng.integers(-128, 128, 32).astype(np.int8)
        raw += scale.tobytes() + integers.tobytes()
        values.append(np.float32(scale) * integers)
    return raw, np.reshape(values, (rows, columns))


def permuted(matrix: np.ndarray, heads: int) -> np.ndarray:
    """What llama.cpp does to the rows of query and key: row i of a head's first half is followed by row i of its second."""
    half = len(matrix) // heads // 2
    order = [head * 2 * half + part * half + i for head in range(heads) for i in range(half) for part in (0, 1)]
    return matrix[order]


def toy(rng, kind: int = 3) -> tuple[bytes, dict[str, np.ndarray]]:
    """A file with one tensor of each kind, and a permuted one, and the checkpoint that it must give back."""
    embedding, wide, query = q8_0(rng, WORDS, D), q4_1(rng, 3, D), q4_1(rng, HEADS * HEAD, D)
    key = q4_1(rng, KEY_HEADS * HEAD, D)
    norm = rng.normal(size=D).astype(np.float32)
    tensors = {
        "token_embd.weight": (8, [D, WORDS], embedding[0]),
        "blk.11.ffn_up.weight": (kind, [D, 3], wide[0]),
        "blk.11.attn_q.weight": (3, [D, HEADS * HEAD], query[0]),
        "blk.11.attn_k.weight": (3, [D, KEY_HEADS * HEAD], key[0]),
        "output_norm.weight": (0, [D], norm.tobytes()),
    }
    raw = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), 2)
    for name, value in (("llama.attention.head_count", HEADS), ("llama.attention.head_count_kv", KEY_HEADS)):
        raw += text(name) + struct.pack("<II", 4, value)
    body = b""
    for name, (form, shape, content) in tensors.items():
        raw += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, form, len(body))
        body += content.ljust(-(-len(content) // 32) * 32, b"\0")
    layer = "model.layers.11."
    expected = {
        "model.embed_tokens.weight": embedding[1],
        layer + "mlp.up_proj.weight": wide[1],
        layer + "self_attn.q_proj.weight": query[1],
        layer + "self_attn.k_proj.weight": key[1],
        "model.norm.weight": norm,
    }
    return raw.ljust(-(-len(raw) // 32) * 32, b"\0") + body, expected


def test_a_file_gives_back_its_weights_under_the_names_of_a_checkpoint(tmp_path, rng):
    raw, expected = toy(rng)
    (tmp_path / "toy.gguf").write_bytes(raw)
    weights, header = read_llama(tmp_path / "toy.gguf")
    assert header == {"llama.attention.head_count": HEADS, "llama.attention.head_count_kv": KEY_HEADS}
    assert list(weights) == list(expected)
    for name, values in expected.items():
        found = weights[name].numpy()
        for part, heads in (("q_proj", HEADS), ("k_proj", KEY_HEADS)):
            found = permuted(found, heads) if part in name else found
        np.testing.assert_array_equal(found, values)


def test_the_weights_of_smollm2_are_those_that_transformers_reads_to_the_bit():
    """The hash is that of AutoModelForCausalLM.from_pretrained(folder, gguf_file=...), transformers 5.23 with gguf 0.19."""
    weights, _ = read_llama(asset_files("smollm2")["SmolLM2-135M-Instruct.Q4_1.gguf"])
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].numpy().tobytes())
    assert digest.hexdigest() == "785e20b3e653276b0579b744214a1186d730ba80af04f397f642d6432e5e0154"


@pytest.mark.parametrize("length", [0, 10, 24, 100, 300, -1])
def test_a_file_that_is_cut_off_is_refused_by_name(tmp_path, rng, length):
    (tmp_path / "cut.gguf").write_bytes(toy(rng)[0][:length])
    with pytest.raises(AssetError, match="cut.gguf is no GGUF file of a Llama, or damaged"):
        read_llama(tmp_path / "cut.gguf")


def test_the_weights_stay_when_the_file_is_written_over(tmp_path, rng):
    raw, expected = toy(rng)
    (tmp_path / "toy.gguf").write_bytes(raw)
    weights, _ = read_llama(tmp_path / "toy.gguf")
    (tmp_path / "toy.gguf").write_bytes(b"\xff" * len(raw))
    np.testing.assert_array_equal(weights["model.norm.weight"], expected["model.norm.weight"])


@pytest.mark.parametrize("length", [2**62, 2**63], ids=["more than the memory", "more than a file can have"])
def test_a_header_with_an_endless_text_is_refused_by_name(tmp_path, length):
    raw = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("name") + struct.pack("<IQ", 8, length)
    (tmp_path / "endless.gguf").write_bytes(raw)
    with pytest.raises(AssetError, match="endless.gguf is no GGUF file of a Llama, or damaged"):
        read_llama(tmp_path / "endless.gguf")


def test_tensors_of_another_kind_and_other_files_are_refused(tmp_path, rng):
    (tmp_path / "other.gguf").write_bytes(toy(rng, kind=2)[0])
    with pytest.raises(AssetError, match="other.gguf"):
        read_llama(tmp_path / "other.gguf")
    (tmp_path / "some.zip").write_bytes(b"PK\x03\x04" + toy(rng)[0][4:])
    with pytest.raises(AssetError, match="some.zip .*it does not start with GGUF"):
        read_llama(tmp_path / "some.zip")
