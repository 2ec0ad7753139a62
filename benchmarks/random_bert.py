"""BERTs with random weights and texts of random words, for timing. Needs torch, numpy, and tokenizers, and no data."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from tokenizers import Tokenizer, models

from llmrec_lab.cross_encoder import CrossEncoder, CrossEncoderTask
from llmrec_lab.encoder import Bert, Encoder

LONGEST = 128


def shape(layers: int, d: int, vocabulary: int = 30_522) -> dict:
    """The config.json of a BERT with heads of 64 numbers and an inner width of 4 d."""
    return {
        "model_type": "bert",
        "hidden_size": d,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, d // 64),
        "intermediate_size": 4 * d,
        "vocab_size": vocabulary,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    }


def random_encoder(config: dict, device: str = "cpu", seed: int = 0) -> Encoder:
    """An encoder whose weights are drawn as BERT's first ones are; its tokenizer knows no word."""
    with torch.device(device):
        bert = Bert(config)
    generator = torch.Generator(device).manual_seed(seed)
    for name, weight in bert.named_parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.02, generator=generator)
        else:
            torch.nn.init.constant_(weight, float(name.endswith("LayerNorm.weight")))
    return Encoder("random", bert, Tokenizer(models.WordLevel({"?": 0}, "?")), f"seed {seed}", device)


def random_texts(
    count: int, vocabulary: int, seed: int = 0, length: int | None = None
) -> tuple[list[list[int]], np.ndarray]:
    """Token ids and labels: 8 to 128 tokens, about 41 on average, or all of one length.

    There is something to learn: texts of label 1 have words of the first half of the vocabulary, the others of the second.
    """
    rng = np.random.default_rng(seed)
    lengths = (
        np.exp(rng.normal(np.log(35), 0.55, count)).clip(8, LONGEST).astype(int) if length is None else [length] * count
    )
    labels = rng.integers(0, 2, count)
    half = vocabulary // 2
    return [rng.integers(half * (1 - label), half * (2 - label), n).tolist() for n, label in zip(lengths, labels)], labels


class RandomTask(CrossEncoderTask):
    """A cross-encoder's training on random texts, one text an example.

    Args:
        encoder: from `random_encoder`.
        texts: lists of ids.
        labels: of the texts, 0 or 1.
    """

    def __init__(self, encoder: Encoder, texts: list[list[int]], labels: np.ndarray):
        self.module, self.seed = CrossEncoder(encoder), 0
        self.labels = torch.tensor(np.asarray(labels)[:, None], dtype=torch.float32)  # (p, 1)
        self.read = [SimpleNamespace(ids=ids, attention_mask=[1] * len(ids), type_ids=[0] * len(ids)) for ids in texts]
        self.longest = max(map(len, texts))

    def __len__(self) -> int:
        return len(self.read)

    def describe(self, rows: np.ndarray) -> str:
        """A batch in words."""
        return f"{len(rows)} random texts"

    def save(self, folder) -> None:
        """Nothing: random weights are worth no file."""
