"""The training loop: batches, rounding, schedule, checks, checkpoints. Knows nothing about users, items, or losses.

What is trained is a task, such as `BiEncoderTask` or `CrossEncoderTask`. The same functions run on a CPU and on a GPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from llmrec_lab.checkpoints import load_checkpoint, save_checkpoint
from llmrec_lab.encoder import CPU_TOKENS, GPU_TOKENS, fastest_dtype
from llmrec_lab.errors import AssetError, DataError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of each weight


class Task(Protocol):
    """What can be trained: some numbered examples, and a loss of any of them."""

    module: nn.Module  # its parameters that require a gradient are trained
    longest: int  # tokens of the longest text

    def __len__(self) -> int:
        """How many examples there are."""

    def parts(self, rows: np.ndarray, tokens: int, checkpointing: bool) -> Iterator[torch.Tensor]:
        """Losses that sum to the mean loss of some examples; each is sent backward before the next is asked for."""

    def describe(self, rows: np.ndarray) -> str:
        """A batch in words, for an error message."""

    def identity(self) -> dict:
        """What JSON can hold and no other task has: a checkpoint of another training is refused by it."""

    def save(self, folder: Path) -> None:
        """Write the model as it is now, in the files of a published model."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Args:
        epochs: how often each example is seen.
        batch: examples in a batch, drawn at random.
        accumulate: batches that make one step of the optimizer together.
        tokens: padded tokens that go through the network at once: a batch is sorted by length and cut into such passes. It
            changes speed and memory and, but for rounding, no result. By default 512 on a CPU, 16,384 on a GPU.
        rate: the largest learning rate; it rises for `warmup` of all steps, and falls in a line to 0.
        warmup: share of the steps.
        decay: of the weights, biases and norms left out.
        clip: the longest gradient; a longer one is cut to this length.
        frozen: how many parts stay as they are, from below: 1 the embeddings, 2 the first layer too, and so on.
        dtype: of the products: `float32`, `bfloat16`, `float16`, or `auto`, the fastest that is safe on the device. The
            weights themselves stay float32.
        checkpointing: keep no activations of a pass but compute them again on the way back: a third more work for the
            memory of one pass instead of all.
        check_every: steps between two checks, each with a checkpoint.
        patience: the training ends after so many checks without a better value.
        seed: of the order of the examples.
    """

    epochs: int = 1
    batch: int = 32
    accumulate: int = 1
    tokens: int | None = None
    rate: float = 5e-5
    warmup: float = 0.1
    decay: float = 0.01
    clip: float = 1.0
    frozen: int = 0
    dtype: str = "auto"
    checkpointing: bool = False
    check_every: int = 100
    patience: int = 3
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch", "accumulate", "tokens", "check_every", "patience"):
            value = getattr(self, name)
            if (value, name) != (None, "tokens") and not (isinstance(value, int) and value >= 1):
                raise DataError(f"{name} came as {value!r}; pass a whole number of at least 1")
        if not self.rate > 0 or not 0 <= self.warmup <= 1:
            raise DataError(f"rate came as {self.rate}, warmup as {self.warmup}; pass a rate above 0, a warmup from 0 to 1")
        if self.dtype not in (*DTYPES, "auto"):
            raise DataError(f"dtype came as {self.dtype!r}; pass {', '.join(map(repr, DTYPES))}, or 'auto'")


@dataclass
class Curve:
    """How a training went.

    Args:
        losses: of every step so far.
        checks: (step, value) of every check, the first before any step; empty without a `validate`.
    """

    losses: list[float] = field(default_factory=list)
    checks: list[tuple[int, float]] = field(default_factory=list)

    @property
    def best(self) -> tuple[int, float] | None:
        """The check with the largest value, the earliest of several; its weights are what is kept."""
        return max(self.checks, key=lambda check: check[1], default=None)

    @property
    def checks_since_best(self) -> int:
        return len(self.checks) - 1 - self.checks.index(self.best) if self.checks else 0


def finetune(
    task: Task,
    folder: Path,
    config: TrainConfig = TrainConfig(),
    validate: Callable[[], float] | None = None,
    progress: bool = False,
    watch: Callable[[int, dict[str, float]], None] | None = None,
) -> Curve:
    """Train, and keep the best model in a folder. Interrupted at any moment and called again, it goes on where it was.

    The folder holds the model in published form, which `load_encoder(folder)` or `load_cross_encoder(folder)` reads, and
    `training.safetensors`: the weights as they are now, and what the optimizer knows. The task ends with its last weights,
    which need not be the best.

    Args:
        task: what to train.
        folder: made if it is not there; a folder for each training.
        config: the choices.
        validate: what is to become as large as possible, such as `NextItem`; without it the last weights are kept.
        progress: show a bar with the loss, the examples a second, and the time left.
        watch: called after each step with the step and what is known of it, for example `tensorboard(folder)`.

    Returns:
        The Curve; the same task, config, and device give the same one.

    Raises:
        DataError: a loss is not finite; the message says in which batch and why.
        AssetError: the disk is full; the folder holds another training; not even one text fits into the memory.
    """
    training = Training(task, Path(folder), config, validate, watch or (lambda step, values: None))
    training.run(progress)
    return training.curve


class Training:
    """One run of `finetune`; between two steps it is what `state()` says, and nothing else."""

    def __init__(self, task: Task, folder: Path, config: TrainConfig, validate, watch):
        self.task, self.folder, self.config, self.validate, self.watch = task, folder, config, validate, watch
        self.device = next(task.module.parameters()).device.type
        self.dtype = config.dtype if config.dtype != "auto" else safe_dtype(self.device)
        self.tokens = config.tokens or (CPU_TOKENS if self.device == "cpu" else GPU_TOKENS)
        self.checkpointing = config.checkpointing
        freeze(task.module.bert, config.frozen)
        self.weights = {name: weight for name, weight in task.module.named_parameters() if weight.requires_grad}
        self.optimizer = adamw(self.weights, config)
        self.about = {"config": asdict(config), "task": task.identity()}
        self.step, self.total, self.curve = 0, count_steps(len(task), config), Curve()
        scaler = self.restore()
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.dtype == "float16")
        if scaler:
            self.scaler.load_state_dict(scaler)

    def run(self, progress: bool) -> None:
        """Step until the end, or until the checks get no better."""
        from tqdm.auto import tqdm

        each = self.config.batch * self.config.accumulate
        bar = tqdm(total=self.total * each, initial=self.step * each, unit=" examples", disable=not progress)
        with bar:
            if not self.curve.checks and not self.step:
                self.check()
            while self.step < self.total and self.curve.checks_since_best < self.config.patience:
                self.take_step()
                bar.set_postfix(loss=f"{self.curve.losses[-1]:.3f}", refresh=False)
                bar.update(each)
                if self.step % self.config.check_every == 0 or self.step == self.total:
                    self.check()

    def take_step(self) -> None:
        """One step of the optimizer: gradients, clipped, at the rate of this step."""
        rate = self.config.rate * rate_share(self.step, self.total, self.config.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batches = self.batches()
        loss = self.backward(batches)
        self.scaler.unscale_(self.optimizer)
        length = nn.utils.clip_grad_norm_(self.weights.values(), self.config.clip)
        if not np.isfinite(loss) or not (length.isfinite() or self.scaler.is_enabled()):
            self.refuse(loss, batches)
        self.scaler.step(self.optimizer)  # with float16 it skips a step whose gradient is too large, and scales less
        self.scaler.update()
        self.step += 1
        self.curve.losses.append(loss)
        self.watch(self.step, {"loss": loss, "rate": rate})

    def batches(self) -> list[np.ndarray]:
        """The batches of this step; they depend on the seed and the step alone, so no random state has to be stored."""
        first = self.step * self.config.accumulate
        return [rows_of(first + i, len(self.task), self.config) for i in range(self.config.accumulate)]

    def backward(self, batches: list[np.ndarray]) -> float:
        """The mean loss of the batches; its gradient is in the weights. What does not fit is tried in smaller passes."""
        while True:
            try:
                self.optimizer.zero_grad()
                with attention(self.device), row_gradients(self.task.module, self.device):
                    return sum(self.backward_one(rows) for rows in batches) / len(batches)
            except torch.OutOfMemoryError:
                pass  # outside of this block, where the failed pass is no longer held by its traceback
            self.shrink()

    def backward_one(self, rows: np.ndarray) -> float:
        """The loss of one batch, sent backward part by part."""
        parts, total = self.task.parts(rows, self.tokens, self.checkpointing), 0.0
        while True:
            with torch.autocast(self.device, DTYPES[self.dtype], enabled=self.dtype != "float32"):
                part = next(parts, None)
            if part is None:
                return float(total)
            self.scaler.scale(part / self.config.accumulate).backward()
            total += part.detach()

    def shrink(self) -> None:
        """After the memory was too small: half as many tokens at once, and no activations kept from pass to pass."""
        if self.tokens // 2 < self.task.longest:
            raise AssetError(
                f"out of memory with passes of {self.tokens} tokens, and the longest text has {self.task.longest}: not even "
                "one text fits; take a smaller model, shorter texts, or another device"
            )
        self.tokens, self.checkpointing = self.tokens // 2, True
        torch.cuda.empty_cache()
        warnings.warn(
            f"out of memory; going on with tokens={self.tokens}, checkpointing=True. Pass them next time", stacklevel=6
        )

    def refuse(self, loss: float, batches: list[np.ndarray]) -> None:
        """Say which batch broke the training, and why."""
        broken = [name for name, weight in self.weights.items() if not weight.isfinite().all()]
        if broken:
            why = f"the weights {broken[0]} were not finite before it: the model is broken, or the rate too high"
        elif self.dtype == "float16":
            why = "the weights are fine, so float16 overflowed; pass dtype='bfloat16' or 'float32'"
        else:
            why = f"the weights are fine, so numbers overflowed on the way; a rate below {self.config.rate:g} may help"
        raise DataError(
            f"the loss is {loss} in step {self.step + 1}, or its gradient is not finite. The batch is "
            f"{self.task.describe(batches[0])}. {why[0].upper()}{why[1:]}"
        )

    def check(self) -> None:
        """Validate, keep the model if it is the best so far, and save where the training stands."""
        if self.validate is not None:
            self.curve.checks.append((self.step, float(self.validate())))
            self.watch(self.step, {"validation": self.curve.checks[-1][1]})
        if not self.curve.checks_since_best:
            self.task.save(self.folder)
        save_checkpoint(self.folder, self.tensors(), self.state())

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights that are trained, and what AdamW keeps of them."""
        found = {f"weights.{name}": weight for name, weight in self.weights.items()}
        for name, weight in self.weights.items():
            found |= {f"{moment}.{name}": value for moment, value in self.optimizer.state[weight].items()}
        return found

    def state(self) -> dict:
        """All that a training is, but for its tensors."""
        return {
            "about": self.about,
            "dtype": self.dtype,
            "step": self.step,
            "losses": self.curve.losses,
            "checks": self.curve.checks,
            "tokens": self.tokens,
            "checkpointing": self.checkpointing,
            "scaler": self.scaler.state_dict(),
        }

    def restore(self) -> dict:
        """Go back to the folder's checkpoint, if it has one; returns the state of the scaler."""
        found = load_checkpoint(self.folder)
        if found is None:
            return {}
        tensors, state = found
        require_same(state["about"], self.about, self.folder)
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(tensors[f"weights.{name}"])
                kept = {key: tensors[f"{key}.{name}"] for key in MOMENTS if f"{key}.{name}" in tensors}
                self.optimizer.state[weight] = {key: value.to(weight.device) for key, value in kept.items()}
        self.step, self.tokens, self.checkpointing = state["step"], state["tokens"], state["checkpointing"]
        self.dtype = state["dtype"]  # `auto` may come to something else on a busy machine
        self.curve = Curve(state["losses"], [tuple(check) for check in state["checks"]])
        return state["scaler"]


def attention(device: str):
    """How attention is computed in the block: on a GPU fused, on a CPU plain.

    On a CPU the way back through torch's fused attention takes longer than through the plain formula: a BERT of four layers
    trained on 40% more texts a second without it at 8 to 128 tokens a text, and on 20% more at 128 each.
    """
    return sdpa_kernel(SDPBackend.MATH) if device == "cpu" else nullcontext()


@contextmanager
def row_gradients(module: nn.Module, device: str) -> Iterator[None]:
    """In the block, on a CPU, a pass leaves a gradient of only those rows of each embedding table that it has read.

    Else every pass fills a table as large as all embeddings, and adds it to that of the pass before: 31 MB of 44 in a BERT
    of 11 million weights. On a GPU the rows would be summed in an order that changes from run to run.
    """
    tables = [part for part in module.modules() if isinstance(part, nn.Embedding)] if device == "cpu" else []
    for table in tables:
        table.sparse = True
    try:
        yield
    finally:
        for table in tables:
            table.sparse = False
            if table.weight.grad is not None:
                table.weight.grad = table.weight.grad.to_dense()


def freeze(bert: nn.Module, count: int) -> None:
    """Keep the lowest parts of a BERT as they are: the embeddings, then the layers from below."""
    parts = [bert.embeddings, *bert.encoder["layer"]]
    if not isinstance(count, int) or not 0 <= count < len(parts):
        raise DataError(f"frozen came as {count!r}; the network has {len(parts)} parts, pass 0 to {len(parts) - 1}")
    for index, part in enumerate(parts):
        part.requires_grad_(index >= count)


def adamw(weights: dict[str, nn.Parameter], config: TrainConfig) -> torch.optim.AdamW:
    """AdamW that does not decay biases and norms, which have one axis; fused, so that a step reads the weights once.

    Source:
        Loshchilov, Hutter: Decoupled weight decay regularization, ICLR 2019, arXiv 1711.05101.
    """
    flat = [weight for weight in weights.values() if weight.ndim == 1]
    wide = [weight for weight in weights.values() if weight.ndim > 1]
    fused = wide[0].device.type in ("cpu", "cuda")
    groups = [{"params": wide, "weight_decay": config.decay}, {"params": flat, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.rate, fused=fused)


def safe_dtype(device: str) -> str:
    """The fastest type whose exponents reach as far as those of float32; float16 where a GPU has no such type."""
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return fastest_dtype(device) if device == "cpu" else "float32"


def count_steps(n_examples: int, config: TrainConfig) -> int:
    """Steps of a whole training: the examples left over at the end of an epoch make no batch of their own."""
    return max(1, config.epochs * batches_per_epoch(n_examples, config) // config.accumulate)


def batches_per_epoch(n_examples: int, config: TrainConfig) -> int:
    """Full batches; one that is smaller where there are too few examples for a full one."""
    return max(1, n_examples // config.batch)


def rows_of(batch: int, n_examples: int, config: TrainConfig) -> np.ndarray:
    """The examples of a batch, counted from the start of the training; each epoch has an order of its own.

    Args:
        batch: its number.
        n_examples: how many there are.
        config: its `batch` and `seed` count.

    Returns:
        (b) numbers of examples; fewer than asked for only where there are no more.

    Example:
        >>> [rows_of(batch, 5, TrainConfig(batch=2)).tolist() for batch in range(3)]
        [[2, 4], [3, 0], [1, 4]]
    """
    epoch, place = divmod(batch, batches_per_epoch(n_examples, config))
    order = np.random.default_rng([config.seed, epoch]).permutation(n_examples)
    return order[place * config.batch : (place + 1) * config.batch]


def rate_share(step: int, total: int, warmup: float) -> float:
    """The share of the largest rate in a step: up in a line, then down in a line to 0 after the last step.

    Example:
        >>> [rate_share(step, 10, warmup=0.4) for step in (0, 1, 3, 4, 9)]
        [0.25, 0.5, 1.0, 1.0, 0.16...]
    """
    rising = max(1, round(warmup * total))
    return min((step + 1) / rising, (total - step) / max(1, total - rising))


def require_same(found: dict, wanted: dict, folder: Path) -> None:
    """Raise AssetError unless a checkpoint is of this very training."""
    for kind, values in wanted.items():
        for name, value in values.items():
            if found[kind].get(name) != value:
                raise AssetError(
                    f"{folder} holds another training: its {name} is {found[kind].get(name)!r}, this one's {value!r}; pass "
                    "another folder, or remove that one"
                )


def tensorboard(folder: Path) -> Callable[[int, dict[str, float]], None]:
    """A `watch` for `finetune` that writes what TensorBoard draws: `tensorboard --logdir FOLDER`.

    Args:
        folder: where its files go.

    Returns:
        The function to pass as `watch`.

    Raises:
        AssetError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise AssetError("TensorBoard is not installed; run: python -m pip install tensorboard") from None
    writer = SummaryWriter(str(folder))

    def watch(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return watch
