"""Two texts, two vectors, one product: an encoder is tuned so that users' texts land near the items they met next.

Knows nothing about how a training is run; `finetune` does that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from llmrec_lab.assets import write_atomically
from llmrec_lab.checkpoints import write_tensors
from llmrec_lab.encoder import Encoder, batches_by_length
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.metrics import hits_from_ranks, ndcg, target_rank
from llmrec_lab.model_files import checked_texts, model_folder
from llmrec_lab.pairs import Pairs

if TYPE_CHECKING:
    from llmrec_lab.datasets.splits import Split


@dataclass(frozen=True)
class BiEncoderConfig:
    """The choices of the loss.

    Args:
        temperature: cosines are divided by it: they reach from -1 to 1 only, and a softmax needs more room.
        popularity: how much of an item's log share among the candidates is taken off its score. With 1 the model learns
            who likes an item more than others do; with 0 it learns popularity, too.
    """

    temperature: float = 0.05
    popularity: float = 1.0


def softmax_loss(
    users: torch.Tensor,
    items: torch.Tensor,
    targets: torch.Tensor,
    known: torch.Tensor,
    log_share: torch.Tensor,
    temperature: float = 0.05,
) -> torch.Tensor:
    """The cross-entropy of choosing, among all items of a batch, the one that each user met.

    Args:
        users: (b, d) unit vectors.
        items: (c, d) unit vectors of different items.
        targets: (b) which of the items each user met here.
        known: (b, c) booleans: items that the user met at any time. They are no negatives, and left out.
        log_share: (c) the logarithm of how often each item is a candidate, as a share of all.
        temperature: cosines are divided by it.

    Returns:
        The mean over the users, in nats.

    Source:
        Yi et al.: Sampling-bias-corrected neural modeling for large corpus item recommendations, RecSys 2019.

    Example:
        >>> users, items = torch.eye(2), torch.eye(2)
        >>> known, share = torch.eye(2, dtype=torch.bool), torch.zeros(2)
        >>> softmax_loss(users, items, torch.tensor([0, 1]), known, share, temperature=1.0)  # log(e + 1) - 1
        tensor(0.3133)
    """
    scores = users @ items.T / temperature - log_share  # (b, c)
    own = torch.zeros_like(known).scatter_(1, targets[:, None], True)  # (b, c)
    return cross_entropy(scores.masked_fill(known & ~own, -torch.inf), targets)


class BiEncoderTask:
    """Examples for `finetune`: pairs of a user's text and an item, and the softmax over the items of a batch.

    Args:
        encoder: to start from, with dtype float32; it stays as it is, a copy of its network is trained.
        pairs: from `make_pairs`.
        item_texts: (n) strings.
        negatives: (p, h) hard negatives of each pair, from `mine_negatives`; the other items of a batch serve without.
        config: of the loss.

    Raises:
        DataError: the encoder computes in bfloat16, or a shape does not fit.
    """

    def __init__(self, encoder: Encoder, pairs: Pairs, item_texts, negatives=None, config=BiEncoderConfig()):
        if encoder.dtype != "float32":
            raise DataError(f"the encoder came with dtype {encoder.dtype}; load it as float32, training rounds by itself")
        if len(item_texts) != pairs.n_items:
            raise DataError(f"{len(item_texts)} item texts came for {pairs.n_items} items; pass one for each")
        self.source, self.pairs, self.config = encoder, pairs, config
        self.encoder = copy_of(encoder)
        self.module = torch.nn.ModuleDict({"bert": self.encoder.bert})
        others = np.empty((len(pairs), 0), dtype=int) if negatives is None else negatives
        self.candidates = np.column_stack([pairs.items, others])  # (p, 1 + h) the one that was met comes first
        self.user_ids, self.item_ids = token_ids(encoder, pairs.texts), token_ids(encoder, item_texts)
        self.longest = max(map(len, self.user_ids + self.item_ids))
        counts = np.bincount(self.candidates.ravel(), minlength=pairs.n_items)
        with np.errstate(divide="ignore"):  # items that are never a candidate
            self.log_share = np.log(counts / counts.sum()).astype(np.float32)  # (n)

    def __len__(self) -> int:
        return len(self.pairs)

    def parts(self, rows: np.ndarray, tokens: int, checkpointing: bool) -> Iterator[torch.Tensor]:
        """The loss of some pairs, in one part: every user is compared with every item."""
        items, own = np.unique(self.candidates[rows], return_inverse=True)  # an item of several pairs is encoded once
        users = self.vectors([self.user_ids[row] for row in rows], tokens, checkpointing)  # (b, d)
        vectors = self.vectors([self.item_ids[item] for item in items], tokens, checkpointing)  # (c, d)
        targets, known = own.reshape(len(rows), -1)[:, 0], self.pairs.known(rows, items)  # (b), (b, c)
        shares = self.config.popularity * self.log_share[items]  # (c)
        targets, known, shares = map(self.on_device, (targets, known, shares))
        with torch.autocast(self.encoder.device, enabled=False):  # bfloat16 knows cosines to two digits only
            loss = softmax_loss(users, vectors, targets, known, shares, self.config.temperature)
        yield loss

    def vectors(self, ids: list[list[int]], tokens: int, checkpointing: bool) -> torch.Tensor:
        """(b, d) vectors of texts, encoded in passes of texts of about the same length."""
        passes = batches_by_length(list(map(len, ids)), tokens)
        batches = [[ids[row] for row in rows] for rows in passes]
        if checkpointing:
            found = [checkpoint(self.encoder.pooled, batch, use_reentrant=False) for batch in batches]
        else:
            found = [self.encoder.pooled(batch) for batch in batches]
        return torch.cat(found)[self.on_device(np.argsort(np.concatenate(passes)))]

    def on_device(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.encoder.device)

    def describe(self, rows: np.ndarray) -> str:
        """A batch in words."""
        return f"{len(rows)} pairs from number {rows[0]} on, whose user is “{self.pairs.texts[rows[0]]:.60}”"

    def identity(self) -> dict:
        """What tells this training from others."""
        ids = [*self.user_ids, *self.item_ids, *self.candidates.tolist()]
        examples = hashlib.sha256(repr((ids, self.pairs.users.tolist())).encode()).hexdigest()[:12]
        return {"encoder": self.source.fingerprint, "examples": examples, **asdict(self.config)}

    def save(self, folder: Path) -> None:
        """Write the three files of a published encoder; `load_encoder(folder)` reads them."""
        save_model(folder, self.source, {f"bert.{name}": weight for name, weight in self.encoder.bert.state_dict().items()})


@dataclass
class NextItem:
    """The NDCG@10 of what users met next, by the cosine of their text and the items' texts; for `finetune` to watch.

    Args:
        task: its encoder is asked, as it is at the moment.
        split: users and the items they met next, as `leave_last_out(histories, back=1)` hides them.
        user_texts: (m) a text for each row of the split's histories.
        item_texts: (n) strings.
        id_order: (n) the place of each item when the ids are sorted, for ties.
        dtype: what the check computes with; `bfloat16` is faster, and ranks nearly the same.

    Returns:
        Called, the mean over the users that are evaluated.
    """

    task: BiEncoderTask
    split: Split
    user_texts: list[str]
    item_texts: list[str]
    id_order: np.ndarray
    dtype: str = "float32"

    def __call__(self) -> float:
        encoder = copy_of(self.task.encoder, self.dtype)
        scores = text_scores(encoder, [self.user_texts[row] for row in self.split.rows], self.item_texts)
        ranks = target_rank(scores, self.split.targets, self.split.seen(), self.id_order)
        return float(ndcg(hits_from_ranks(ranks, 10)).mean())


def text_scores(encoder, user_texts: list[str], item_texts: list[str]) -> np.ndarray:
    """(m, n) the cosine of every user's text and every item's text."""
    return encoder.encode(list(user_texts)) @ encoder.encode(list(item_texts)).T


def copy_of(encoder: Encoder, dtype: str = "float32") -> Encoder:
    """An encoder with weights of its own, which may change; so it has no fingerprint that cached vectors could go by."""
    return Encoder(encoder.name, deepcopy(encoder.bert), encoder.tokenizer, "in training", encoder.device, dtype)


def token_ids(encoder: Encoder, texts) -> list[list[int]]:
    """The ids of each text, cut to what the encoder reads."""
    return [row.ids for row in encoder.tokenizer.encode_batch([encoder.prefix + text for text in checked_texts(texts)])]


def save_model(folder: Path, source: Encoder, weights: dict[str, torch.Tensor], changes: dict | None = None) -> None:
    """Write weights beside the tokenizer and the configuration of the model they were trained from; all or nothing changes.

    Args:
        folder: made if it is not there.
        source: the encoder that the training started from.
        weights: by their published names.
        changes: to config.json.

    Raises:
        AssetError: the disk is full, or the folder's name would change how the model reads a text.
    """
    folder, (origin, _) = Path(folder), model_folder(source.name)
    if source.prefix and "e5" not in folder.name:
        raise AssetError(
            f"call the folder {folder.name}-e5: by that name the model is known to read {source.prefix!r} first"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "tokenizer.json", (origin / "tokenizer.json").read_bytes())
        config = json.loads((origin / "config.json").read_text(encoding="utf-8")) | (changes or {})
        write_atomically(folder / "config.json", json.dumps(config, indent=2).encode())
    except OSError as problem:
        raise AssetError(f"cannot save in {folder}: {problem.strerror}; mend that and run the same again") from None
    write_tensors(folder / "model.safetensors", weights)
