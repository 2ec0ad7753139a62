"""Text in, unit vectors out: BERT encoders in one page of torch. Knows nothing about items, users, or scores.

The forward pass is written here and not taken from `transformers` because importing that library takes longer (4 s on two
cores) than answering a query; a test holds the two to each other within 1e-5.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.model_files import MAX_TOKENS, CachedEncoder, checked_texts, damage_is_refused, model_folder
from llmrec_lab.text import clean

CPU_TOKENS = 512  # padded tokens a batch: it stays in the cache, and all workers end at about the same time
GPU_TOKENS = 16_384  # a GPU is idle between small batches
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# oneDNN, which multiplies bfloat16 on CPUs, keeps compiled code for each of the last 1,024 shapes it met. Texts come in so
# many lengths that a training grew by 30 MB a step; with code for 16 shapes it is as fast. Read before the first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")


class Bert(nn.Module):
    """The BERT encoder (Devlin et al. 2019), named so that the published weights load as they are.

    Args:
        config: the model's config.json: hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, ...
    """

    def __init__(self, config: dict):
        super().__init__()
        d, eps = config["hidden_size"], config["layer_norm_eps"]
        self.heads = config["num_attention_heads"]
        sizes = {
            "word": config["vocab_size"],
            "position": config["max_position_embeddings"],
            "token_type": config["type_vocab_size"],
        }
        # From empty tensors, which load_state_dict fills: drawing random numbers for them would cost 2 s at every start.
        tables = {
            f"{name}_embeddings": nn.Embedding.from_pretrained(torch.empty(n, d), freeze=False) for name, n in sizes.items()
        }
        self.embeddings = nn.ModuleDict(tables | {"LayerNorm": nn.LayerNorm(d, eps)})
        layers = (bert_layer(d, config["intermediate_size"], eps) for _ in range(config["num_hidden_layers"]))
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
        """Contextual vectors of every token.

        Args:
            ids: (b, t) token ids.
            mask: (b, t) booleans, False where padded.
            types: (b, t) 0 for tokens of the first text of a pair, 1 for those of the second; all 0 if left out.

        Returns:
            (b, t, d); rows at padded places mean nothing.
        """
        parts = self.embeddings
        x = parts["word_embeddings"](ids) + parts["position_embeddings"].weight[: ids.shape[1]]  # (b, t, d)
        table = parts["token_type_embeddings"]
        x = parts["LayerNorm"](x + (table.weight[0] if types is None else table(types)))
        for layer in self.encoder["layer"]:
            x = self.layer(layer, x, mask[:, None, None, :])  # (b, t, d)
        return x

    def layer(self, layer: nn.ModuleDict, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One block: attention, then two dense maps, each added to its input and normalized."""
        attention = layer["attention"]
        q, k, v = (self.split(attention["self"][name](x)) for name in ("query", "key", "value"))  # (b, heads, t, d / heads)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)  # (b, t, d)
        x = attention["output"]["LayerNorm"](x + attention["output"]["dense"](mixed))
        wide = functional.gelu(layer["intermediate"]["dense"](x))  # (b, t, 4 d)
        return layer["output"]["LayerNorm"](x + layer["output"]["dense"](wide))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def bert_layer(d: int, wide: int, eps: float) -> nn.ModuleDict:
    """The weights of one block, under the names of the published checkpoints."""

    def output(width: int) -> nn.ModuleDict:
        return nn.ModuleDict({"dense": nn.Linear(width, d), "LayerNorm": nn.LayerNorm(d, eps)})

    projections = nn.ModuleDict({name: nn.Linear(d, d) for name in ("query", "key", "value")})
    return nn.ModuleDict(
        {
            "attention": nn.ModuleDict({"self": projections, "output": output(d)}),
            "intermediate": nn.ModuleDict({"dense": nn.Linear(d, wide)}),
            "output": output(wide),
        }
    )


class Encoder(CachedEncoder):
    """A tokenizer and a BERT: texts to unit vectors, by the mean over the tokens.

    Args:
        name: shown to people and written into saved files, so that `load_encoder(name)` finds it again.
        bert: the network.
        tokenizer: a `tokenizers.Tokenizer`.
        fingerprint: a hash of the weights, the key of cached vectors.
        device: where the network runs.
        dtype: what it computes with, `float32` or `bfloat16`; vectors are float32 either way.
    """

    def __init__(self, name: str, bert: Bert, tokenizer, fingerprint: str, device: str = "cpu", dtype: str = "float32"):
        rounded = "" if dtype == "float32" else f"-{dtype}"  # vectors of rounded weights must not pass for exact ones
        super().__init__(name, fingerprint + rounded, bert.embeddings["word_embeddings"].embedding_dim)
        self.bert, self.device, self.dtype = bert.to(device, DTYPES[dtype]).eval(), device, dtype
        self.tokenizer = tokenizer
        self.tokenizer.enable_truncation(min(MAX_TOKENS, bert.embeddings["position_embeddings"].num_embeddings))
        self.tokenizer.no_padding()

    def encode(self, texts: list[str], progress: bool = False) -> np.ndarray:
        """Unit vectors of texts.

        Texts are sorted by length, so that a batch holds texts of about the same length and little is padded; on a CPU as
        many batches are encoded at once as torch may use threads. The order of the result is that of the input, and a
        text's vector does not depend on the others beyond rounding.

        Args:
            texts: n strings; a text of more than 256 tokens is cut.
            progress: show a bar.

        Returns:
            (n, d) float32, rows of length 1.

        Raises:
            DataError: `texts` is one string or has an entry that is not text.
        """
        texts = checked_texts(texts)
        ids = [row.ids for row in self.tokenizer.encode_batch([self.prefix + text for text in texts])]
        vectors = np.zeros((len(ids), self.dimension), dtype=np.float32)  # (n, d)
        workers, tokens = (torch.get_num_threads(), CPU_TOKENS) if self.device == "cpu" else (1, GPU_TOKENS)
        batches = batches_by_length([len(row) for row in ids], tokens)
        with one_thread_each(workers) as pool, self.bar(len(ids), progress) as bar:
            for rows, found in zip(batches, pool.map(lambda rows: self.encode_batch([ids[row] for row in rows]), batches)):
                vectors[rows] = found
                bar.update(len(rows))
        return vectors

    @torch.inference_mode()
    def encode_batch(self, ids: list[list[int]]) -> np.ndarray:
        """Token ids of b texts to (b, d) unit vectors."""
        return self.pooled(ids).cpu().numpy()

    def pooled(self, ids: list[list[int]]) -> torch.Tensor:
        """Token ids of b texts to (b, d) unit vectors; gradients flow, for fine-tuning."""
        longest = max(map(len, ids))
        padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids], device=self.device)  # (b, t)
        lengths = torch.tensor([len(row) for row in ids], device=self.device)  # (b)
        mask = torch.arange(longest, device=self.device) < lengths[:, None]  # (b, t)
        tokens = self.bert(padded, mask).float().masked_fill(~mask[:, :, None], 0)  # (b, t, d)
        return functional.normalize(tokens.sum(1) / lengths[:, None], dim=-1)  # (b, d)

    def bar(self, total: int, shown: bool):
        from tqdm.auto import tqdm

        return tqdm(total=total, desc=f"encode with {self.name}", unit=" texts", disable=not shown)


@contextmanager
def one_thread_each(workers: int):
    """A pool of threads in each of which torch uses one thread.

    Two such workers encode more than one with two threads inside each product, which wait for each other after every one
    (benchmarks/encode.py times both).
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # what a worker sets holds for threads that start later, too


def batches_by_length(lengths: list[int], tokens: int) -> list[np.ndarray]:
    """Indices sorted by length and cut so that a batch, padded to its longest text, has at most so many tokens.

    Args:
        lengths: tokens per text.
        tokens: the most that a batch of several texts may have.

    Returns:
        Arrays of indices; together they hold each index once.

    Example:
        >>> [batch.tolist() for batch in batches_by_length([3, 1500, 2, 900], 1024)]
        [[2, 0], [3], [1]]
    """
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    for end in range(1, len(order) + 1):
        full = end == len(order) or (end + 1 - start) * lengths[order[end]] > tokens
        if full:
            batches.append(order[start:end])
            start = end
    return batches


@cache
def fastest_dtype(device: str) -> str:
    """`bfloat16` where its products run at least 1.6 times as fast as those of `float32`; measured once a process, 0.2 s.

    Below 1.6 the rounding buys too little: the products are four fifths of the work.
    """
    from torch.utils.benchmark import Timer

    matrices = {name: torch.ones(768, 768, device=device, dtype=dtype) for name, dtype in DTYPES.items()}
    timers = {name: Timer("x @ x", globals={"x": x}) for name, x in matrices.items()}
    seconds = {name: timer.blocked_autorange(min_run_time=0.1).median for name, timer in timers.items()}
    return "bfloat16" if seconds["float32"] >= 1.6 * seconds["bfloat16"] else "float32"


def load_encoder(name: str = "minilm", device: str = "auto", dtype: str = "float32") -> Encoder:
    """Load an encoder: `minilm` (English) or `e5` (about 100 languages), a folder, or a model of a hub.

    Args:
        name: an asset's name; a folder with model.safetensors, tokenizer.json and config.json; or `owner/model` on a hub.
        device: `cpu`, `cuda`, or `auto` (CUDA when it is there).
        dtype: `float32`, exact; `bfloat16`, nearly twice as fast on a processor that has it, at a cosine of 0.9999 to the
            exact vectors; or `auto`, which takes `bfloat16` where it pays. The encoder's `dtype` says what it came to.

    Returns:
        An Encoder.

    Raises:
        AssetError: the files are missing, damaged, or not those of a BERT.
        DataError: no such dtype.

    Example:
        >>> load_encoder("minilm").encode(["a film about space"]).shape
        (1, 384)
    """
    if dtype not in (*DTYPES, "auto"):
        raise DataError(f"dtype came as {dtype!r}; pass {', '.join(map(repr, DTYPES))} or 'auto'")
    folder, fingerprint = model_folder(name)
    config, weights, tokenizer = read_model(folder, name)
    if config.get("model_type") != "bert":
        raise AssetError(f"{name} is a {config.get('model_type')!r} model; pass one of type 'bert'")
    if config.get("hidden_act", "gelu") != "gelu":
        raise AssetError(f"{name} uses {config['hidden_act']!r}; only 'gelu' is known, so pass another model")
    try:
        with torch.device("meta"):  # no memory and no random numbers for weights that are about to be replaced
            bert = Bert(config)
        surplus = [key for key in weights if key.startswith("encoder.") and key not in bert.state_dict()]
        if surplus:
            raise KeyError(surplus[0])
        bert.load_state_dict({key: weights[key] for key in bert.state_dict()}, assign=True)
    except (KeyError, RuntimeError) as problem:
        raise AssetError(
            f"{name}: the weights do not fit its config.json ({clean(problem)[:80]}); use a matching pair"
        ) from None
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Encoder(name, bert, tokenizer, fingerprint, device, fastest_dtype(device) if dtype == "auto" else dtype)


def read_model(folder: Path, name: str) -> tuple[dict, dict[str, torch.Tensor], object]:
    """The configuration, the weights, and the tokenizer in the three files of a model folder."""
    from safetensors import safe_open
    from tokenizers import Tokenizer

    with damage_is_refused(name):
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        with safe_open(folder / "model.safetensors", "pt") as stored:  # mapped: a sentence touches ten rows of e5's 384 MB
            weights = {key.removeprefix("bert."): stored.get_tensor(key) for key in stored.keys()}
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return config, weights, tokenizer
