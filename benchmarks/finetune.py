"""Row 5, fine-tuning on a CPU: our loop, transformers.Trainer, and batches padded to 128, on a BERT of 11M parameters.

All have the same semantics: every weight is trained, with AdamW, on batches of 32 texts drawn at random, with BCE.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.course import spent
from benchmarks.harness import Bound, Race, main, peer
from benchmarks.random_bert import LONGEST, RandomTask, random_encoder, random_texts, shape
from llmrec_lab.bi_encoder import BiEncoderTask
from llmrec_lab.encoder import fastest_dtype
from llmrec_lab.finetune import TrainConfig, Training, finetune
from llmrec_lab.pairs import Pairs

BATCH = 32
VOCABULARY = 30_522
CONFIG = TrainConfig(batch=BATCH, epochs=1000, rate=5e-5, check_every=10**9)
BY_LENGTH = {"train_sampling_strategy": "group_by_length", "length_column_name": "length"}


def rows(quick: bool):
    """What memory a training takes, then races of steps, then whether both learn the same."""
    layers, d, steps = (1, 64, 1) if quick else (4, 256, 8)
    yield from memory(steps, quick)  # first: a new process's peak starts from what this one holds when it starts it
    config = shape(layers, d, VOCABULARY)
    texts, labels = random_texts(BATCH * steps, VOCABULARY)
    dtype = fastest_dtype("cpu")
    ours = our_steps(config, texts, labels, steps, dtype)
    work = f"{steps} x {BATCH} texts, {layers} layers of {d} numbers"
    peers = {
        "Trainer, its default": (trainer_steps(config, texts, labels, steps), 2.5, 3.7),
        "Trainer, grouped by length": (trainer_steps(config, texts, labels, steps, **BY_LENGTH), 1.2, 1.5),
        f"plain loop padded to {LONGEST}, eager": (padded_steps(config, texts, labels, steps), 3.5, 4.5),
    }
    for name, (run, must, goal) in peers.items():
        yield Race(work, name, run, f"our loop, {dtype}", ours, must, goal)
    exact = our_steps(config, texts, labels, steps, "float32")
    yield Race(work, "Trainer, grouped by length", peers["Trainer, grouped by length"][0], "our loop, float32", exact)
    yield bi_encoder_race(config, steps, dtype)
    yield from same_learning(config, quick, dtype)


def our_steps(config: dict, texts, labels, steps: int, dtype: str):
    """So many steps of our loop, each time the next ones of one training."""
    folder = Path(tempfile.mkdtemp())  # no check comes, so nothing is written
    task = RandomTask(random_encoder(config), texts, labels)
    training = Training(task, folder, replace(CONFIG, dtype=dtype), None, lambda step, values: None)

    def run() -> None:
        for _ in range(steps):
            training.take_step()

    return run


def their_model(config: dict, attention: str = "sdpa"):
    """The same network by transformers, without dropout, which ours has not."""
    transformers = peer("transformers")
    options = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 1}
    options["problem_type"] = "multi_label_classification"  # its name for BCE
    sizes = {name: value for name, value in config.items() if name != "model_type"}
    made = transformers.BertConfig(**sizes, **options, attn_implementation=attention)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.BertForSequenceClassification(made)


class Rows(torch.utils.data.Dataset):
    """Texts as Trainer wants them."""

    def __init__(self, texts, labels):
        self.rows = [{"input_ids": ids, "labels": [float(label)], "length": len(ids)} for ids, label in zip(texts, labels)]
        self.column_names = ["input_ids", "labels", "length"]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index] if isinstance(index, int) else [row[index] for row in self.rows]


def padded_batch(rows: list[dict], longest: int | None = None) -> dict[str, torch.Tensor]:
    """What DataCollatorWithPadding makes of rows; padded to the longest of them, or to a fixed length."""
    longest = longest or max(len(row["input_ids"]) for row in rows)
    ids = torch.tensor([row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in rows])
    mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows])
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([row["labels"] for row in rows])}


def trainer_steps(config: dict, texts, labels, steps: int, **options):
    """So many steps by transformers.Trainer; returns their mean loss."""
    transformers = peer("transformers")
    peer("accelerate")
    model, data = their_model(config), Rows(texts, labels)

    def run() -> float:
        arguments = transformers.TrainingArguments(
            output_dir=tempfile.gettempdir(),
            per_device_train_batch_size=BATCH,
            max_steps=steps,
            learning_rate=CONFIG.rate,
            warmup_steps=CONFIG.warmup,
            weight_decay=CONFIG.decay,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **options,
        )
        return Quiet(model, arguments, padded_batch, data).train().training_loss

    class Quiet(transformers.Trainer):
        def log(self, *_, **__):
            """The table has no room for it."""

    return run


def padded_steps(config: dict, texts, labels, steps: int):
    """How tutorials do it: a plain loop, every text padded to the longest that may come, eager attention."""
    model, data = their_model(config, "eager"), Rows(texts, labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=CONFIG.rate)

    def run() -> None:
        for start in range(0, steps * BATCH, BATCH):
            optimizer.zero_grad()
            model(**padded_batch(data.rows[start : start + BATCH], LONGEST)).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CONFIG.clip)
            optimizer.step()

    return run


def bi_encoder_race(config: dict, steps: int, dtype: str) -> Race:
    """Pairs of two texts and the softmax over a batch, with the embeddings frozen as is usual for short trainings."""
    pairs, items = pairs_task(config, steps)
    ours = Training(pairs, Path(tempfile.mkdtemp()), replace(CONFIG, frozen=1, dtype=dtype), None, lambda step, values: None)
    model = their_model(config, "eager").bert
    optimizer = torch.optim.AdamW(model.parameters(), lr=CONFIG.rate)

    def vectors(ids) -> torch.Tensor:
        batch = padded_batch([{"input_ids": row, "labels": [0.0]} for row in ids], LONGEST)
        out = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mask = batch["attention_mask"][:, :, None]
        return torch.nn.functional.normalize((out * mask).sum(1) / mask.sum(1), dim=-1)

    def style() -> None:
        for start in range(0, steps * BATCH, BATCH):
            optimizer.zero_grad()
            scores = vectors(pairs.user_ids[start : start + BATCH]) @ vectors(items[start : start + BATCH]).T / 0.05
            torch.nn.functional.cross_entropy(scores, torch.arange(BATCH)).backward()
            optimizer.step()

    def run() -> None:
        for _ in range(steps):
            ours.take_step()

    work = f"bi-encoder, {steps} x {BATCH} pairs"
    return Race(work, f"padded to {LONGEST}, eager, all weights", style, f"{dtype}, frozen embeddings", run, 3.5, 4.5)


def pairs_task(config: dict, steps: int) -> tuple[BiEncoderTask, list]:
    """A bi-encoder's training on random texts: so many users, each of whom met an item of their own."""
    count = steps * BATCH
    users, items = (random_texts(count, VOCABULARY, seed)[0] for seed in (1, 2))
    each = np.arange(count)
    pairs = Pairs([""] * count, each, each, each * count + each, count)
    task = BiEncoderTask(random_encoder(config), pairs, [""] * count)
    task.user_ids, task.item_ids, task.longest = users, items, LONGEST
    return task, items


def memory(steps: int, quick: bool):
    """The peak of a process that trains our way, beside one that trains as Trainer does by default."""
    ours, theirs = (
        spent("-c", f"from benchmarks.finetune import weigh; weigh({way!r}, {steps}, {quick})")[1]
        for way in ("ours", "trainer")
    )
    yield Bound("peak memory of our loop, imports included", ours, "GB")
    yield Bound("the same as a share of Trainer's default", ours / theirs, "", must=0.8, goal=0.7)


def weigh(way: str, steps: int, quick: bool) -> None:
    """Train in a process of its own, whose memory is looked at from outside."""
    torch.set_num_threads(1)
    config = shape(1, 64) if quick else shape(4, 256)
    texts, labels = random_texts(BATCH * steps, VOCABULARY)
    if way == "ours":
        our_steps(config, texts, labels, steps, fastest_dtype("cpu"))()
    else:
        trainer_steps(config, texts, labels, steps)()


def same_learning(config: dict, quick: bool, dtype: str):
    """Five trainings from equal weights on equal data, ours and Trainer's: the mean difference of the mean losses."""
    seeds, steps = (1, 2) if quick else (5, 40)
    differences = []
    for seed in range(seeds):
        texts, labels = random_texts(BATCH * steps, VOCABULARY, seed)
        task = RandomTask(random_encoder(config), texts, labels)
        theirs = trainer_steps(config, texts, labels, steps, seed=seed)()
        with tempfile.TemporaryDirectory() as folder:
            options = replace(CONFIG, epochs=1, dtype=dtype, seed=seed)
            losses = finetune(task, Path(folder), options).losses
        differences.append(np.mean(losses) - theirs)
    yield Bound(f"mean loss, ours minus Trainer's, {steps} steps, {seeds} seeds", abs(float(np.mean(differences))), "", 0.03)


if __name__ == "__main__":
    main("finetune", rows)
