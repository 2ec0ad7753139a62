"""BERT in a page of numpy, for a sentence at a time. Knows nothing about batches, gradients, or GPUs.

Importing torch takes over a second, longer than everything else between a command and its answer. One short sentence does
not need it: the network below gives the vectors of `llmrec_lab.encoder` to 1e-5, and a test holds the two together.
"""

from __future__ import annotations

import json
import math
from functools import cached_property
from pathlib import Path

import numpy as np

from llmrec_lab.model_files import CachedEncoder, checked_texts, damage_is_refused, model_folder

FEW = 8  # more texts than this, or longer ones, are work for torch
SHORT = 64  # tokens
erf = np.frompyfunc(math.erf, 1, 1)


class QuickEncoder(CachedEncoder):
    """Stands in for `load_encoder(name)`: the same vectors, without importing torch for a few short texts.

    Args:
        name: as for `load_encoder`.

    Example:
        >>> QuickEncoder("minilm").encode(["a film about space"]).shape
        (1, 384)
    """

    def __init__(self, name: str):
        from tokenizers import Tokenizer

        self.folder, fingerprint = model_folder(name)
        with damage_is_refused(name):
            self.config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
            self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
            super().__init__(name, fingerprint, self.config["hidden_size"])
        self.tokenizer.no_padding()

    @cached_property
    def full(self):
        """The encoder that this one stands in for."""
        from llmrec_lab.encoder import load_encoder

        return load_encoder(self.name)

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """The float32 weights by name, mapped into memory and read where they are used."""
        with damage_is_refused(self.name):
            return mapped_arrays(self.folder / "model.safetensors")

    def encode(self, texts: list[str], progress: bool = False) -> np.ndarray:
        """Unit vectors of texts; see `Encoder.encode`.

        Args:
            texts: n strings.
            progress: show a bar if there are many.

        Returns:
            (n, d) float32, rows of length 1.
        """
        from threadpoolctl import threadpool_limits

        texts = checked_texts(texts)
        ids = [row.ids for row in self.tokenizer.encode_batch([self.prefix + text for text in texts[: FEW + 1]])]
        if len(texts) > FEW or max(map(len, ids), default=0) > SHORT:
            return self.full.encode(texts, progress)
        with threadpool_limits(1):  # for matrices this small a second thread only waits: 0.8 s in place of 0.07 s
            vectors = np.array([self.tokens(row).mean(axis=0) for row in ids], dtype=np.float32).reshape(-1, self.dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def tokens(self, ids: list[int]) -> np.ndarray:
        """(t, d) contextual vectors of the t tokens of one text."""
        word, position, kind = (
            self.weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        )
        x = self.normalize(word[ids] + position[: len(ids)] + kind[0], "embeddings")  # (t, d)
        for number in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{number}"
            attended = self.dense(self.attend(x, f"{layer}.attention.self"), f"{layer}.attention.output.dense")
            x = self.normalize(x + attended, f"{layer}.attention.output")
            wide = gelu(self.dense(x, f"{layer}.intermediate.dense"))  # (t, 4 d)
            x = self.normalize(x + self.dense(wide, f"{layer}.output.dense"), f"{layer}.output")
        return x

    def attend(self, x: np.ndarray, name: str) -> np.ndarray:
        """Every token's mix of all tokens, by how well its query fits their keys."""
        heads = self.config["num_attention_heads"]
        q, k, v = (
            self.dense(x, f"{name}.{part}").reshape(len(x), heads, -1).swapaxes(0, 1) for part in ("query", "key", "value")
        )  # (heads, t, d / heads)
        fit = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])  # (heads, t, t)
        odds = np.exp(fit - fit.max(axis=-1, keepdims=True))
        return (odds / odds.sum(axis=-1, keepdims=True) @ v).swapaxes(0, 1).reshape(x.shape)

    def dense(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normalize(self, x: np.ndarray, name: str) -> np.ndarray:
        """Each token's numbers with mean 0 and variance 1, then scaled and shifted as learned."""
        centered = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centered**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return centered / spread * self.weights[f"{name}.LayerNorm.weight"] + self.weights[f"{name}.LayerNorm.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    """x times the share of a normal distribution that lies below x.

    Example:
        >>> gelu(np.array([-1.0, 0.0, 2.0], dtype=np.float32)).round(3)
        array([-0.159,  0.   ,  1.954], dtype=float32)
    """
    return x * (0.5 + 0.5 * erf(x / math.sqrt(2)).astype(np.float32))


def mapped_arrays(path: Path) -> dict[str, np.ndarray]:
    """The float32 tensors of a safetensors file as arrays that are read only where they are used.

    `safetensors.safe_open` does that for torch; for numpy it copies all 471 MB of e5, which takes seconds.
    """
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    length = int(raw[:8].view("<u8")[0])
    header = json.loads(raw[8 : 8 + length].tobytes())
    arrays = {}
    for name, about in header.items():
        if name != "__metadata__" and about["dtype"] == "F32":
            start, end = (8 + length + offset for offset in about["data_offsets"])
            arrays[name.removeprefix("bert.")] = raw[start:end].view("<f4").reshape(about["shape"])
    return arrays
