"""Read a Llama from a GGUF file: its weights, its sizes, its vocabulary. Knows the file's layout and nothing else.

The file: a header of named values, a directory of the tensors, the tensors. Matrices are stored in blocks of 32 weights.
The package gguf reads the same; with it, loading took 40 s on a busy machine, and most of that went into the vocabulary.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch

from llmrec_lab.errors import AssetError
from llmrec_lab.vocabularies import GGUF_TEXT, read_entries, read_value

BLOCK = 32
BLOCK_BYTES = {0: 4 * BLOCK, 3: 20, 8: 34}  # by kind of tensor: F32, Q4_1, Q8_0
# GGUF's name of a tensor in a layer -> the name in a published Llama checkpoint
LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
OUTSIDE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}


def read_llama(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """The weights of a Llama with tied embeddings, and the header.

    Args:
        path: a GGUF file with tensors of the kinds F32, Q4_1 and Q8_0.

    Returns:
        Weights by their names in a Llama checkpoint, float32, and the values of the header by name.

    Raises:
        AssetError: the file is no such file, or is damaged.

    Source:
        https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    try:
        with open(path, "rb") as stream:
            header, tensors = read_directory(stream)
        raw = np.memmap(path, np.uint8, "r")
        heads = {"attn_q": header["llama.attention.head_count"], "attn_k": header["llama.attention.head_count_kv"]}
        weights = {}
        for name, (kind, shape, start) in tensors.items():
            matrix = dequantize(raw, kind, shape, start)
            long, short = checkpoint_name(name)
            weights[long] = torch.from_numpy(unpermute(matrix, heads[short]) if short in heads else matrix)
    except (struct.error, ValueError, KeyError, OverflowError, MemoryError) as problem:
        raise AssetError(f"{path.name} is no GGUF file of a Llama, or damaged ({problem}); fetch it again") from None
    return weights, header


def read_directory(stream) -> tuple[dict, dict[str, tuple]]:
    """The header, and for each tensor its kind, its shape, and where it starts in the file."""
    header, count = read_entries(stream)
    tensors = {}
    for _ in range(count):
        name, dimensions = read_value(stream, GGUF_TEXT), read_value(stream, 4)
        shape = [read_value(stream, 10) for _ in range(dimensions)][::-1]  # the file counts the columns first
        tensors[name] = read_value(stream, 4), shape, read_value(stream, 10)
    first = -(-stream.tell() // BLOCK) * BLOCK  # the tensors start at the next multiple of 32
    return header, {name: (kind, shape, first + start) for name, (kind, shape, start) in tensors.items()}


def checkpoint_name(name: str) -> tuple[str, str]:
    """The name of a tensor in a Llama checkpoint, and what it is.

    Example:
        >>> checkpoint_name("blk.7.attn_q.weight")
        ('model.layers.7.self_attn.q_proj.weight', 'attn_q')
    """
    if name in OUTSIDE:
        return OUTSIDE[name], name
    _, layer, short, _ = name.split(".")
    return f"model.layers.{layer}.{LAYER[short]}.weight", short


def dequantize(raw: np.ndarray, kind: int, shape: list[int], start: int) -> np.ndarray:
    """One tensor as float32.

    A block of Q4_1 is a scale, an offset and 32 integers of 4 bits: weight = scale * integer + offset; the low halves of its
    16 bytes come first. A block of Q8_0 is a scale and 32 integers of 8 bits: weight = scale * integer.

    Args:
        raw: the file, as bytes.
        kind: 0 for F32, 3 for Q4_1, 8 for Q8_0.
        shape: of the tensor; its last entry is a multiple of 32.
        start: its first byte.

    Returns:
        An array of that shape.

    Example:
        >>> block = np.array([0.5, -1], np.float16).tobytes() + bytes([0x31] * 16)
        >>> dequantize(np.frombuffer(block, np.uint8), 3, [1, 32], 0)[0, [0, 16]]
        array([-0.5,  0.5], dtype=float32)
    """
    blocks = int(np.prod(shape)) // BLOCK
    stored = raw[start : start + blocks * BLOCK_BYTES[kind]].reshape(blocks, BLOCK_BYTES[kind])
    if kind == 0:
        return stored.view(np.float32).reshape(shape).copy()
    scales = stored[:, :2].copy().view(np.float16).astype(np.float32)  # (blocks, 1)
    if kind == 8:
        return (scales * stored[:, 2:].view(np.int8)).reshape(shape)
    offsets = stored[:, 2:4].copy().view(np.float16).astype(np.float32)  # (blocks, 1)
    integers = np.concatenate([stored[:, 4:] & 15, stored[:, 4:] >> 4], axis=1)  # (blocks, 32)
    return (scales * integers + offsets).reshape(shape)


def unpermute(matrix: np.ndarray, heads: int) -> np.ndarray:
    """The rows of a query or key matrix in the order of the checkpoint.

    GGUF pairs the two numbers that a rotary position turns, row by row; the checkpoint has the first of every pair, then the
    second.

    Example:
        >>> unpermute(np.arange(8)[:, None], heads=2)[:, 0]
        array([0, 2, 1, 3, 4, 6, 5, 7])
    """
    return matrix.reshape(heads, -1, 2, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)
