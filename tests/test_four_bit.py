"""A 4-bit file gives back the weights that went into it."""

import struct

import numpy as np
import pytest

from llmrec_lab.errors import AssetError
from llmrec_lab.four_bit import dequantize, directory, read_e5

MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
HIDDEN, LAYERS, HEADS, WIDE, WORDS, POSITIONS, TYPES = 32, 2, 4, 64, 5, 6, 2


def quantized(matrix):
    """(rows, columns) as bytes: per 32 weights an fp16 scale, then integers from 0 to 15, two to a byte."""
    raw, values = b"", np.zeros_like(matrix)
    for row in range(matrix.shape[0]):
        for start in range(0, matrix.shape[1], 32):
            block = matrix[row, start : start + 32]
            scale = np.float16(np.abs(block).max() / 7)
            integers = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(int)
            values[row, start : start + 32] = (integers - 8) * np.float32(scale)
            raw += scale.tobytes() + bytes(int(low | high << 4) for low, high in zip(integers[:16], integers[16:]))
    return raw, values


def toy_file(path, rng):
    """Write a whole file of the format by hand and return the weights it must give back."""
    shapes = {"emb.word": (WORDS, HIDDEN)} | {
        f"l{layer}.{name}.w": {"fi": (WIDE, HIDDEN), "fo": (HIDDEN, WIDE)}.get(name, (HIDDEN, HIDDEN))
        for layer in range(LAYERS)
        for name in MATRICES
    }
    plain = {"emb.pos": (POSITIONS, HIDDEN), "emb.type": (1, HIDDEN), "emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    for layer in range(LAYERS):
        plain |= {f"l{layer}.{name}.b": (shapes[f"l{layer}.{name}.w"][0],) for name in MATRICES}
        plain |= {f"l{layer}.{name}.{kind}": (HIDDEN,) for name in NORMS for kind in "wb"}
    data, values = {}, {}
    for name, shape in shapes.items():
        data[name], values[name] = quantized(rng.normal(size=shape).astype(np.float32))
    for name, shape in plain.items():
        values[name] = rng.normal(size=shape).astype(np.float32)
        data[name] = values[name].tobytes()
    pieces, text, normalizer = 3, b"abcde", b"1234567"
    header = b"E5S1" + struct.pack("<i7if", 1, HIDDEN, LAYERS, HEADS, WIDE, WORDS, POSITIONS, TYPES, 1e-12)
    header = header.ljust(44, b"\0") + struct.pack("<i", pieces)
    header = header.ljust(64, b"\0") + struct.pack("<Q", len(text))
    header += b"\0" * (4 * (pieces + 1) + 4 * pieces) + text
    header += struct.pack("<iI", 2, len(normalizer)) + normalizer + struct.pack("<i", len(data))
    offset = len(header) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in data)
    body = b""
    for name, content in data.items():
        count = values[name].size
        header += struct.pack("<H", len(name)) + name.encode()
        header += struct.pack("<BIQQ", 0, count, offset + len(body), len(content))
        body += content
    path.write_bytes(header + body)
    return values


def test_a_matrix_written_by_hand_comes_back(rng):
    raw, expected = quantized(rng.normal(size=(3, 96)).astype(np.float32))
    found = dequantize(b"before" + raw + b"after", 6, 3, 96)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_low_halves_are_the_first_sixteen_weights_and_eight_is_zero():
    packed = [low | (15 - low) << 4 for low in range(16)]
    found = dequantize(np.float16(0.25).tobytes() + bytes(packed), 0, 1, 32)[0]
    assert found[:16].tolist() == [0.25 * (low - 8) for low in range(16)]
    assert found[16:].tolist() == [0.25 * (7 - low) for low in range(16)]


def test_four_bits_are_within_half_a_step_of_the_original(rng):
    original = rng.normal(size=(8, 64)).astype(np.float32)
    found = dequantize(quantized(original)[0], 0, 8, 64)
    steps = np.abs(original).reshape(8, 2, 32).max(axis=2) / 7  # (8, 2)
    assert (np.abs(found - original).reshape(8, 2, 32) <= 0.51 * steps[:, :, None]).all()


def test_a_whole_file_gives_every_tensor_of_the_checkpoint_its_values(tmp_path, rng):
    values = toy_file(tmp_path / "toy.bin", rng)
    weights, config = read_e5(tmp_path / "toy.bin")
    assert [config[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads")] == [32, 2, 4]
    assert (config["intermediate_size"], config["vocab_size"], config["max_position_embeddings"]) == (64, 5, 6)
    assert config["layer_norm_eps"] == 1e-12
    np.testing.assert_array_equal(weights["embeddings.word_embeddings.weight"], values["emb.word"])
    np.testing.assert_array_equal(weights["embeddings.token_type_embeddings.weight"], values["emb.type"].repeat(2, 0))
    for layer in range(LAYERS):
        for short, long in (MATRICES | NORMS).items():
            for kind, name in (("w", "weight"), ("b", "bias")):
                found = weights[f"encoder.layer.{layer}.{long}.{name}"]
                np.testing.assert_array_equal(found, values[f"l{layer}.{short}.{kind}"])


def test_the_tensors_are_those_that_our_network_needs(tmp_path, rng):
    from llmrec_lab.encoder import Bert

    toy_file(tmp_path / "toy.bin", rng)
    weights, config = read_e5(tmp_path / "toy.bin")
    Bert(config).load_state_dict(weights, strict=True)


def test_the_directory_names_every_tensor_once(tmp_path, rng):
    values = toy_file(tmp_path / "toy.bin", rng)
    found = directory((tmp_path / "toy.bin").read_bytes())
    assert {name: count for name, (count, _) in found.items()} == {name: array.size for name, array in values.items()}


@pytest.mark.parametrize("content", [b"", b"GGUF" + bytes(100), b"version https://git-lfs.github.com/spec/v1\n"])
def test_another_file_is_refused_by_its_first_bytes(tmp_path, content):
    (tmp_path / "other.bin").write_bytes(content)
    with pytest.raises(AssetError, match=r"other.bin starts with b'.*', expected b'E5S1'; run `llmrec assets`"):
        read_e5(tmp_path / "other.bin")
