"""What a training keeps in memory, by arithmetic from a model's configuration, and measured. Knows nothing about texts."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

import torch

from llmrec_lab.encoder import Bert

FLOAT, HALF = 4, 2  # bytes of a number


@dataclass(frozen=True)
class MemoryPlan:
    """What is in memory while a BERT is trained.

    Args:
        parts: name to bytes.
    """

    parts: dict[str, int]

    @property
    def activations(self) -> int:
        """Bytes that the way forward keeps for the way back."""
        return sum(size for name, size in self.parts.items() if name.startswith(("activations", "rounded")))

    @property
    def peak(self) -> int:
        """Bytes at the fullest moment: gradients come as activations go, so the two are never there as a whole."""
        kept = self.parts["parameters"] + self.parts["optimizer state"]
        return kept + max(self.activations, self.parts["gradients"])

    def __str__(self) -> str:
        rows = {**self.parts, "peak": self.peak}
        return "\n".join(f"{name:<28} {size / 2**20:10,.1f} MB" for name, size in rows.items())


def memory_plan(config: dict, tokens: int, dtype: str = "float32", frozen: int = 0, length: int | None = None) -> MemoryPlan:
    """What fine-tuning a BERT by AdamW keeps in memory.

    For each token a layer keeps its input, queries, keys, values, what attention mixed, and what enters each normalization,
    each dense map, and the GELU: 16 d numbers where the inner width is 4 d. Fused attention, as on a GPU, computes its
    weights again on the way back; plain attention, as `finetune` has it on a CPU, keeps them.

    Args:
        config: a model's config.json: hidden_size, num_hidden_layers, intermediate_size, ...
        tokens: padded tokens that are in memory at the same time: all of a batch in a bi-encoder, those of one pass in a
            cross-encoder or with checkpointing.
        dtype: of the products, as in `TrainConfig`; in two bytes a number most activations take half the room, but each of
            queries, keys, and values keeps a rounded input of its own, and the weights are kept rounded, too.
        frozen: parts that are not trained, as in `TrainConfig`.
        length: tokens that a text is padded to, for plain attention; None for fused attention.

    Returns:
        A MemoryPlan.

    Example:
        >>> base = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
        >>> base |= {"vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12}
        >>> plan = memory_plan(base, tokens=32 * 128)
        >>> plan.parts["parameters"] >> 20, plan.parts["optimizer state"] >> 20, plan.activations >> 20
        (415, 830, 2319)
    """
    with torch.device("meta"):
        bert = Bert(config)
    parts = [bert.embeddings, *bert.encoder["layer"]]
    sizes = [sum(weight.numel() for weight in part.parameters()) for part in parts]
    trained = sum(sizes[frozen:])
    found = {"parameters": FLOAT * sum(sizes), "gradients": FLOAT * trained, "optimizer state": 2 * FLOAT * trained}
    if dtype != "float32":
        products = sum(weight.numel() for part in parts[max(frozen, 1) :] for weight in part.parameters() if weight.ndim > 1)
        found["rounded weights"] = HALF * products
    d, heads = config["hidden_size"], config["num_attention_heads"]
    normalized = FLOAT * (d + 2)  # what enters a normalization, its mean, and its spread
    if not frozen:
        found["activations: embeddings"] = tokens * (normalized + 8)  # and the ids
    each = layer_bytes(d, config["intermediate_size"], dtype) + attention_bytes(d, heads, dtype, length) + 2 * normalized
    found |= {f"activations: layer {i}": tokens * each for i in range(max(frozen, 1), len(parts))}
    return MemoryPlan(found)


def layer_bytes(d: int, wide: int, dtype: str) -> int:
    """Bytes that the dense maps of one layer keep of one token."""
    inputs = 1 if dtype == "float32" else 3  # of queries, keys, values: the same numbers, or a rounded copy for each
    numbers = (inputs + 1 + 1) * d + 2 * wide  # inputs; what was mixed; into the inner map; into and out of its GELU
    return numbers * (FLOAT if dtype == "float32" else HALF)


def attention_bytes(d: int, heads: int, dtype: str, length: int | None) -> int:
    """Bytes that attention keeps of one token: queries, keys, values; and a log-sum, or all weights, of each head."""
    if length is not None:
        return FLOAT * (3 * d + heads * length)  # plain attention computes in float32
    return (FLOAT if dtype == "float32" else HALF) * 3 * d + FLOAT * heads


@contextmanager
def saved_bytes(module: torch.nn.Module):
    """Measure what the forward passes in the block keep for the way back; the weights themselves are not counted.

    Args:
        module: whose weights are left out.

    Yields:
        A dictionary of storages and their bytes, each once; sum its values when the block has ended.

    Example:
        >>> layer = torch.nn.Linear(3, 5)
        >>> with saved_bytes(layer) as kept:
        ...     out = layer(torch.ones(2, 3))
        >>> sum(kept.values())  # the input: six numbers of four bytes
        24
    """
    weights = {weight.untyped_storage().data_ptr() for weight in module.parameters()}
    kept, alive = {}, []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(storage)  # an address must not be given to another tensor meanwhile
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield kept
