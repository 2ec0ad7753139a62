"""Users told item by item: an encoder is tuned so that the mean of what somebody met lately lands near what came next.

One encoded item serves every user who met it, as a target, as a part of a history, and for the others as a wrong guess. So a
batch of 150 texts holds thousands of examples, where pairs of texts hold one each. Knows nothing about how training is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import normalize

from llmrec_lab.bi_encoder import BiEncoderConfig, BiEncoderTask, copy_of, softmax_loss, token_ids
from llmrec_lab.errors import DataError

if TYPE_CHECKING:
    from llmrec_lab.catalog import Histories
    from llmrec_lab.encoder import Encoder


@dataclass(frozen=True)
class WindowConfig(BiEncoderConfig):
    """The choices of the loss and of the examples.

    Args:
        temperature, popularity: of the softmax, as in `BiEncoderConfig`.
        count: stretches of histories to draw; a batch of `finetune` is made of so many as its `batch` says.
        length: items in a stretch.
        window: an item is told from those that its user met at most so many places before.
        seed: of the draw.
    """

    temperature: float = 0.1
    popularity: float = 0.0
    count: int = 1000
    length: int = 10
    window: int = 10
    seed: int = 0


class WindowTask(BiEncoderTask):
    """Examples for `finetune`: stretches of histories, whose items make a batch together.

    Args:
        encoder: to start from, with dtype float32; it stays as it is, a copy of its network is trained.
        histories: of m users, to learn from; what is held out must not be in them.
        item_texts: (n) strings.
        config: the choices.

    Raises:
        DataError: the encoder computes in bfloat16, no history is long enough, or no guess can be wrong.
    """

    def __init__(self, encoder: Encoder, histories: Histories, item_texts, config: WindowConfig = WindowConfig()):
        if encoder.dtype != "float32":
            raise DataError(f"the encoder came with dtype {encoder.dtype}; load it as float32, training rounds by itself")
        if len(item_texts) != histories.n_items:
            raise DataError(f"{len(item_texts)} item texts came for {histories.n_items} items; pass one for each")
        self.source, self.histories, self.config = encoder, histories, config
        self.encoder = copy_of(encoder)
        self.module = torch.nn.ModuleDict({"bert": self.encoder.bert})
        self.stretches = draw_stretches(histories, config)  # (count, length)
        self.item_ids = token_ids(encoder, item_texts)
        self.longest = max(map(len, self.item_ids))
        self.places = places(histories)
        counts = np.bincount(histories.items, minlength=histories.n_items)
        self.log_share = np.log(np.maximum(counts, 1) / counts.sum()).astype(np.float32)  # (n)

    def __len__(self) -> int:
        return len(self.stretches)

    def parts(self, rows: np.ndarray, tokens: int, checkpointing: bool) -> Iterator[torch.Tensor]:
        """The loss of all users of the batch: each item they met, told from those just before it, among all the others."""
        items = np.unique(self.stretches[rows])
        told, targets, known = self.examples(items)
        vectors = self.vectors([self.item_ids[item] for item in items], tokens, checkpointing)  # (c, d)
        shares = self.config.popularity * self.log_share[items]  # (c)
        told, targets, known, shares = map(self.on_device, (told, targets, known, shares))
        with torch.autocast(self.encoder.device, enabled=False):  # bfloat16 knows cosines to two digits only
            loss = softmax_loss(normalize(told @ vectors, dim=-1), vectors, targets, known, shares, self.config.temperature)
        yield loss

    def examples(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the users met of some items.

        Args:
            items: (c) catalog positions.

        Returns:
            (e, c) shares of the items that tell each user, which sum to 1; (e) the column of the target; (e, c) booleans,
            what the user met at any time.
        """
        place = self.places[:, items].toarray() - 1  # (m, c) -1 where the user never met the item
        users, targets = np.nonzero(place >= 0)
        gap = place[users, targets][:, None] - place[users]  # (e, c) how many places before the target
        told = (gap > 0) & (gap <= self.config.window) & (place[users] >= 0)
        some = told.any(axis=1)
        told, users, targets = told[some].astype(np.float32), users[some], targets[some]
        return told / told.sum(axis=1, keepdims=True), targets, place[users] >= 0

    def describe(self, rows: np.ndarray) -> str:
        """A batch in words."""
        return f"{len(rows)} stretches of histories, the first of the items {self.stretches[rows[0]].tolist()}"

    def identity(self) -> dict:
        """What tells this training from others."""
        kept = (self.item_ids, self.histories.items.tolist(), self.histories.starts.tolist())
        examples = hashlib.sha256(repr(kept).encode()).hexdigest()[:12]
        return {"encoder": self.source.fingerprint, "examples": examples, **asdict(self.config)}


def places(histories: Histories):
    """(m, n) sparse matrix: the place of an item in a user's history, from 1; the last one of an item met again."""
    from scipy.sparse import csc_matrix

    rows = histories.rows()
    keys = rows * histories.n_items + histories.items
    last = len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]
    place = np.arange(len(keys)) - histories.starts[rows] + 1
    return csc_matrix((place[last], (rows[last], histories.items[last])), shape=(len(histories), histories.n_items))


def draw_stretches(histories: Histories, config: WindowConfig) -> np.ndarray:
    """(count, length) items that somebody met one after the other, drawn from all such stretches with equal chance."""
    rng, rows = np.random.default_rng(config.seed), histories.rows()
    starts = np.flatnonzero(np.arange(len(rows)) + config.length <= histories.starts[rows + 1])
    if not len(starts) or len(histories) < 2:
        raise DataError(
            f"none of {len(histories)} users has met {config.length} items, or there is one user only, for whom no guess is "
            "wrong; pass more users, or a smaller length"
        )
    return histories.items[rng.choice(starts, config.count)[:, None] + np.arange(config.length)]


@dataclass
class RecentText:
    """Scores items by the cosine of their text to the mean of the last texts of a history. Same calls as the baselines.

    Args:
        vectors: (n, d) unit item vectors, best with the mean of all taken off.
        last: how many items.
    """

    vectors: np.ndarray
    last: int = 5

    def fit(self, histories: Histories) -> RecentText:
        """Nothing is learned from other people: the text is known beforehand."""
        return self

    def scores(self, histories: Histories) -> np.ndarray:
        """How near each item's text is to what each user met last.

        Args:
            histories: of m users.

        Returns:
            (m, n) float32; zeros for an empty history.
        """
        told = np.zeros((len(histories), self.vectors.shape[1]), dtype=np.float32)  # (m, d)
        for row in range(len(histories)):
            items = histories.of(row)[-self.last :]
            told[row] = self.vectors[items].mean(axis=0) if len(items) else 0
        return told @ self.vectors.T
