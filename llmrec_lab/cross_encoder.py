"""Two texts read together, one score: a network that sees which word of the user meets which word of the item.

Slower than a bi-encoder, since nothing can be computed before the user is known; so it re-ranks what another model found.
Knows nothing about how a training is run; `finetune` does that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from llmrec_lab.bi_encoder import save_model
from llmrec_lab.encoder import CPU_TOKENS, GPU_TOKENS, Encoder, batches_by_length, load_encoder
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.model_files import checked_texts, model_folder
from llmrec_lab.pairs import Pairs, user_texts

if TYPE_CHECKING:
    from llmrec_lab.catalog import Histories

HEAD = {"pooler.dense": "bert.pooler.dense", "classifier": "classifier"}  # our name to that of the published checkpoints
FIRST_WEIGHTS = 0.02  # standard deviation, as in BERT
WIDTHS = 8  # texts are padded to a multiple of it: few shapes to compile code for, and those that a GPU multiplies fastest


class CrossEncoder(nn.Module):
    """A BERT that reads two texts at once, and a head that makes one number of what it read.

    Args:
        encoder: the BERT to start from, which stays as it is; its tokenizer joins the texts.
        seed: of the head's first weights.

    Example:
        >>> from llmrec_lab import load_encoder
        >>> CrossEncoder(load_encoder("minilm")).scores(["Alien"], ["Blade Runner"]).shape
        (1,)
    """

    def __init__(self, encoder: Encoder, seed: int = 0):
        super().__init__()
        self.source, self.tokenizer, self.device = encoder, encoder.tokenizer, encoder.device
        self.bert, d = deepcopy(encoder.bert), encoder.dimension
        self.pooler, self.classifier = nn.ModuleDict({"dense": nn.Linear(d, d)}), nn.Linear(d, 1)
        generator = torch.Generator().manual_seed(seed)
        for dense in (self.pooler["dense"], self.classifier):
            nn.init.normal_(dense.weight, std=FIRST_WEIGHTS, generator=generator)
            nn.init.zeros_(dense.bias)
        self.to(self.device)

    def forward(self, rows: list) -> torch.Tensor:
        """Scores of b pairs, as logits: 0 is a probability of one half.

        Args:
            rows: b pairs as `read` gives them.

        Returns:
            (b) float32; gradients flow.
        """
        longest = max(len(row.ids) for row in rows)
        longest = min(-(-longest // WIDTHS) * WIDTHS, self.bert.embeddings["position_embeddings"].num_embeddings)

        def padded(lists) -> torch.Tensor:
            return torch.tensor([values + [0] * (longest - len(values)) for values in lists], device=self.device)

        mask = padded([row.attention_mask for row in rows]).bool()  # (b, t)
        tokens = self.bert(padded([row.ids for row in rows]), mask, padded([row.type_ids for row in rows]))  # (b, t, d)
        return self.classifier(torch.tanh(self.pooler["dense"](tokens[:, 0])))[:, 0].float()  # (b)

    def read(self, user_texts: list[str], item_texts: list[str]) -> list:
        """Pairs of texts as ids and token types: [CLS] user [SEP] item [SEP]; the longer text of a long pair is cut."""
        pairs = zip(checked_texts(user_texts), checked_texts(item_texts), strict=True)
        return self.tokenizer.encode_batch(list(pairs))

    @torch.inference_mode()
    def scores(self, user_texts: list[str], item_texts: list[str]) -> np.ndarray:
        """How well each item fits the user beside it.

        Args:
            user_texts: b strings.
            item_texts: b strings.

        Returns:
            (b) float32 logits.

        Raises:
            DataError: a list has an entry that is not text.
        """
        rows, found = self.read(user_texts, item_texts), np.empty(len(user_texts), dtype=np.float32)
        for batch in batches_by_length([len(row.ids) for row in rows], CPU_TOKENS if self.device == "cpu" else GPU_TOKENS):
            found[batch] = self([rows[row] for row in batch]).cpu().numpy()
        return found


class CrossEncoderTask:
    """Examples for `finetune`: an item that a user met, label 1, with some that the user did not meet, label 0; and BCE.

    Args:
        encoder: to start from, with dtype float32; it stays as it is.
        pairs: from `make_pairs`.
        item_texts: (n) strings.
        negatives: (p, h) items from `mine_negatives`; of the model whose best items are to be re-ranked.
        seed: of the head's first weights.

    Raises:
        DataError: the encoder computes in bfloat16, or a shape does not fit.
    """

    def __init__(self, encoder: Encoder, pairs: Pairs, item_texts, negatives: np.ndarray, seed: int = 0):
        if encoder.dtype != "float32":
            raise DataError(f"the encoder came with dtype {encoder.dtype}; load it as float32, training rounds by itself")
        if np.ndim(negatives) != 2 or not np.shape(negatives)[1] or len(negatives) != len(pairs):
            raise DataError(
                f"negatives came with shape {np.shape(negatives)} for {len(pairs)} pairs; pass at least one for each, else "
                "all labels are 1 and the network learns to say 1"
            )
        self.module, self.pairs, self.seed = CrossEncoder(encoder, seed), pairs, seed
        candidates = np.column_stack([pairs.items, negatives])  # (p, 1 + h)
        self.labels = torch.zeros(candidates.shape)  # (p, 1 + h)
        self.labels[:, 0] = 1
        who = [text for text in pairs.texts for _ in range(candidates.shape[1])]
        self.read = self.module.read(who, [item_texts[item] for item in candidates.ravel()])
        self.longest = max(len(row.ids) for row in self.read)

    def __len__(self) -> int:
        return len(self.pairs)

    def parts(self, rows: np.ndarray, tokens: int, checkpointing: bool) -> Iterator[torch.Tensor]:
        """The loss of some examples, a part for each pass; only one pass is in memory, so there is nothing to checkpoint."""
        each = self.labels.shape[1]
        chosen = (rows[:, None] * each + np.arange(each)).ravel()  # (b (1 + h))
        for batch in batches_by_length([len(self.read[row].ids) for row in chosen], tokens):
            logits = self.module([self.read[row] for row in chosen[batch]])
            labels = self.labels.view(-1)[chosen[batch]].to(logits.device)
            yield binary_cross_entropy_with_logits(logits, labels, reduction="sum") / len(chosen)

    def describe(self, rows: np.ndarray) -> str:
        """A batch in words."""
        return f"{len(rows)} examples from number {rows[0]} on, whose user is “{self.pairs.texts[rows[0]]:.60}”"

    def identity(self) -> dict:
        """What tells this training from others."""
        examples = hashlib.sha256(repr([row.ids for row in self.read]).encode()).hexdigest()[:12]
        return {"encoder": self.module.source.fingerprint, "examples": examples, "head": f"BCE, seed {self.seed}"}

    def save(self, folder: Path) -> None:
        """Write the three files of a BertForSequenceClassification; `load_cross_encoder(folder)` reads them."""
        weights = {f"bert.{name}": weight for name, weight in self.module.bert.state_dict().items()}
        for ours, published in HEAD.items():
            dense = self.module.get_submodule(ours)
            weights |= {f"{published}.weight": dense.weight, f"{published}.bias": dense.bias}
        changes = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
        save_model(folder, self.module.source, weights, changes)


def load_cross_encoder(name: str, device: str = "auto") -> CrossEncoder:
    """Load what `finetune` made of a CrossEncoderTask, or a published cross-encoder with one label.

    Args:
        name: a folder, or `owner/model` on a hub.
        device: `cpu`, `cuda`, or `auto` (CUDA when it is there).

    Returns:
        A CrossEncoder.

    Raises:
        AssetError: files are missing or damaged, or the model has no head for pairs.
    """
    found = CrossEncoder(load_encoder(name, device))
    stored = load_file(model_folder(name)[0] / "model.safetensors")
    try:
        for ours, published in HEAD.items():
            dense = {kind: stored[f"{published}.{kind}"] for kind in ("weight", "bias")}
            found.get_submodule(ours).load_state_dict(dense)
    except (KeyError, RuntimeError):
        raise AssetError(f"{name} has no head that scores a pair; train one with CrossEncoderTask") from None
    return found.eval()


@dataclass
class Reranker:
    """Lets a cross-encoder read a user and each of the first items of a ranking together.

    Args:
        model: a CrossEncoder.
        titles: (n) strings for the users' texts.
        item_texts: (n) strings.
        weight: what one standard deviation of its scores counts beside the ranking's own.
        depth: so many items are read.
        last: titles in a user's text, as in training.
    """

    model: CrossEncoder
    titles: np.ndarray
    item_texts: np.ndarray
    weight: float = 1.0
    depth: int = 100
    last: int = 5

    def scores(self, histories: Histories, ranking: np.ndarray) -> np.ndarray:
        """What to add to the scores of a ranking.

        Args:
            histories: of m users.
            ranking: (m, n) scores of the items, -inf for those that are not to be shown.

        Returns:
            (m, n) float64: for the first items the standardized score of the cross-encoder, times the weight; for all
            others its least value, so that none of them can pass the first ones.
        """
        added = np.zeros(ranking.shape)
        for row, text in enumerate(user_texts(histories, self.titles, self.last)):
            first = np.argsort(-ranking[row], kind="stable")[: self.depth]
            first = first[np.isfinite(ranking[row, first])]
            if len(first) < 2:
                continue
            found = self.model.scores([text] * len(first), [self.item_texts[item] for item in first]).astype(np.float64)
            found = self.weight * (found - found.mean()) / max(found.std(), 1e-9)
            added[row] = found.min()
            added[row, first] = found
        return added
