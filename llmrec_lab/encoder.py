"""Text in, unit vectors out: BERT encoders in one page of torch. Knows nothing about items, users, or scores.

The forward pass is written here and not taken from `transformers` because importing that library takes longer (4 s on two
cores) than answering a query; a test holds the two to each other within 1e-5.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from llmrec_lab.errors import AssetError
from llmrec_lab.model_files import MAX_TOKENS, CachedEncoder, checked_texts, model_folder
from llmrec_lab.text import clean

TOKENS_PER_BATCH = 2048  # padded tokens a batch; sorted by length, 1,024 to 4,096 were equally fast on two cores


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

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Contextual vectors of every token.

        Args:
            ids: (b, t) token ids.
            mask: (b, t) booleans, False where padded.

        Returns:
            (b, t, d); rows at padded places mean nothing.
        """
        parts = self.embeddings
        x = parts["word_embeddings"](ids) + parts["position_embeddings"].weight[: ids.shape[1]]  # (b, t, d)
        x = parts["LayerNorm"](x + parts["token_type_embeddings"].weight[0])
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
    """

    def __init__(self, name: str, bert: Bert, tokenizer, fingerprint: str, device: str = "cpu"):
        super().__init__(name, fingerprint, bert.embeddings["word_embeddings"].embedding_dim)
        self.bert, self.device = bert.to(device).eval(), device
        self.tokenizer = tokenizer
        self.tokenizer.enable_truncation(min(MAX_TOKENS, bert.embeddings["position_embeddings"].num_embeddings))
        self.tokenizer.no_padding()

    def encode(self, texts: list[str], progress: bool = False) -> np.ndarray:
        """Unit vectors of texts.

        Texts are sorted by length, so that a batch holds texts of about the same length and little is padded; the order of
        the result is that of the input, and a text's vector does not depend on the others beyond rounding.

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
        bar = self.bar(len(ids), progress)
        with torch.inference_mode():
            for rows in batches_by_length([len(row) for row in ids]):
                vectors[rows] = self.pooled([ids[row] for row in rows]).cpu().numpy()
                bar.update(len(rows))
        bar.close()
        return vectors

    def pooled(self, ids: list[list[int]]) -> torch.Tensor:
        """Token ids of b texts to (b, d) unit vectors; gradients flow, for fine-tuning."""
        longest = max(map(len, ids))
        padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids], device=self.device)  # (b, t)
        lengths = torch.tensor([len(row) for row in ids], device=self.device)  # (b)
        mask = torch.arange(longest, device=self.device) < lengths[:, None]  # (b, t)
        tokens = self.bert(padded, mask).masked_fill(~mask[:, :, None], 0)  # (b, t, d)
        return functional.normalize(tokens.sum(1) / lengths[:, None], dim=-1)  # (b, d)

    def bar(self, total: int, shown: bool):
        from tqdm.auto import tqdm

        return tqdm(total=total, desc=f"encode with {self.name}", unit=" texts", disable=not shown)


def batches_by_length(lengths: list[int]) -> list[np.ndarray]:
    """Indices sorted by length and cut so that a batch, padded to its longest text, has at most TOKENS_PER_BATCH tokens.

    Args:
        lengths: tokens per text.

    Returns:
        Arrays of indices; together they hold each index once.

    Example:
        >>> [batch.tolist() for batch in batches_by_length([3, 1500, 2, 900])]
        [[2, 0], [3], [1]]
    """
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    for end in range(1, len(order) + 1):
        full = end == len(order) or (end + 1 - start) * lengths[order[end]] > TOKENS_PER_BATCH
        if full:
            batches.append(order[start:end])
            start = end
    return batches


def load_encoder(name: str = "minilm", device: str = "auto") -> Encoder:
    """Load an encoder: `minilm` (English) or `e5` (about 100 languages), a folder, or a model of a hub.

    Args:
        name: an asset's name; a folder with model.safetensors, tokenizer.json and config.json; or `owner/model` on a hub.
        device: `cpu`, `cuda`, or `auto` (CUDA when it is there).

    Returns:
        An Encoder.

    Raises:
        AssetError: the files are missing, damaged, or not those of a BERT.

    Example:
        >>> load_encoder("minilm").encode(["a film about space"]).shape
        (1, 384)
    """
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
    return Encoder(name, bert, tokenizer, fingerprint, device)


def read_model(folder: Path, name: str) -> tuple[dict, dict[str, torch.Tensor], object]:
    """The configuration, the weights, and the tokenizer in the three files of a model folder."""
    from tokenizers import Tokenizer

    try:
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        weights = mapped_tensors(folder / "model.safetensors")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as problem:  # what the libraries raise for a damaged file goes up to a bare Exception
        raise AssetError(f"{name}: a file is damaged ({clean(problem)[:80]}); fetch the model again") from None
    return config, {key.removeprefix("bert."): value for key, value in weights.items()}, tokenizer


def mapped_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, mapped into memory and not read.

    Of e5's table of 250,037 words a sentence touches ten rows; `safetensors.torch.load_file` reads all 384 MB of it first.
    """
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError(f"{path.name} is no safetensors file")
        header = json.loads(stream.read(length))
    storage = torch.UntypedStorage.from_file(str(path), shared=False, nbytes=path.stat().st_size)
    tensors = {}
    for name, about in header.items():
        if name != "__metadata__":
            start, end = (8 + length + offset for offset in about["data_offsets"])
            flat = torch.empty(0, dtype=torch.uint8).set_(storage, start, (end - start,))
            tensors[name] = flat.view(STORED_AS[about["dtype"]]).view(about["shape"])
    return tensors


STORED_AS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
