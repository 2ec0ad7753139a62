"""Row 7, fine-tuning on a GPU: a BERT-base by five ways, its utilization, its memory beside the plan, CPU beside CUDA.

A machine with a GPU needs nothing of the course's but this folder and llmrec_lab: torch, transformers, accelerate, numpy,
safetensors, tokenizers, tqdm. Where there is no CUDA, `python -m benchmarks.finetune_cuda` writes a table that says so;
with --quick it runs the same code at a tiny size on the CPU, and judges nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from benchmarks.random_bert import LONGEST, RandomTask, random_encoder, random_texts, shape
from llmrec_lab.finetune import TrainConfig, Training, finetune
from llmrec_lab.memory import memory_plan

RESULTS = Path(__file__).parent / "results" / "finetune_cuda.json"
BATCH, VOCABULARY = 64, 30_522
FULL = {"layers": 12, "d": 768, "warm_up": 20, "timed": 50}
QUICK = {"layers": 1, "d": 64, "warm_up": 1, "timed": 2}
CONFIG = TrainConfig(batch=BATCH, tokens=BATCH * LONGEST, epochs=10**6, rate=5e-5, check_every=10**9)
# Published dense bf16 peaks in TFLOP/s, by a word of the device's name; the utilization is a share of this number.
PEAKS = {"H100": 989, "H200": 989, "A100": 312, "L4": 121, "T4": 65}


def measure(device: str, size: dict) -> list[dict]:
    """All rows: steps of equal padding by each way, the same with real lengths, then memory and agreement."""
    config = shape(size["layers"], size["d"], VOCABULARY)
    count = BATCH * (size["warm_up"] + size["timed"])
    padded, labels = random_texts(count, VOCABULARY, length=LONGEST)
    mixed, mixed_labels = random_texts(count, VOCABULARY)
    rows = [
        timed("plain loop, float32, eager", plain_steps(config, padded, labels, device), device, size),
        timed("plain loop, TF32, eager", plain_steps(config, padded, labels, device, tf32=True), device, size),
        timed("Trainer, bfloat16, SDPA", trainer_steps(config, padded, labels, device), device, size),
        timed("ours, bfloat16, SDPA, fused AdamW", our_steps(config, padded, labels, device), device, size),
        timed("the same, torch.compile", our_steps(config, padded, labels, device, compiled=True), device, size),
    ]
    for row in rows:
        row["utilization"] = share_of_peak(config, row["samples_per_second"] * LONGEST, device)
    budget = our_steps(config, mixed, mixed_labels, device, batch=BATCH * 3)
    rows.append(timed("ours, mixed lengths, 8,192 tokens a pass", budget, device, size, batch=BATCH * 3))
    articles = plain_steps(config, mixed, mixed_labels, device)
    rows.append(timed("plain loop, mixed lengths padded to 128, float32", articles, device, size))
    return [*rows, memory_row(config, padded, labels, device), agreement(device)]


def our_steps(config: dict, texts, labels, device: str, compiled: bool = False, batch: int = BATCH):
    """One step of our loop at each call."""
    task = RandomTask(random_encoder(config, device), texts, labels)
    if compiled:
        task.module.bert.compile(dynamic=False, backend="inductor" if device == "cuda" else "eager")
    training = Training(
        task, Path(tempfile.mkdtemp()), replace(CONFIG, batch=batch, dtype="bfloat16"), None, lambda *_: None
    )
    return training.take_step


def their_model(config: dict, attention: str, device: str):
    """The same network by transformers, without dropout, which ours has not."""
    from transformers import BertConfig, BertForSequenceClassification

    options = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 1}
    options["problem_type"] = "multi_label_classification"  # its name for BCE
    sizes = {name: value for name, value in config.items() if name != "model_type"}
    return BertForSequenceClassification(BertConfig(**sizes, **options, attn_implementation=attention)).to(device)


def padded_batch(texts, labels) -> dict[str, torch.Tensor]:
    """Every text padded to 128 tokens."""
    ids = torch.tensor([text + [0] * (LONGEST - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (LONGEST - len(text)) for text in texts])
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor(labels)[:, None].float()}


def plain_steps(config: dict, texts, labels, device: str, tf32: bool = False):
    """One step of the loop of the articles at each call: every text padded to 128, eager attention, AdamW."""
    model = their_model(config, "eager", device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=CONFIG.rate)
    starts = iter(range(0, 10**9, BATCH))

    def step() -> None:
        torch.backends.cuda.matmul.allow_tf32 = tf32
        at = next(starts) % (len(texts) - BATCH + 1)
        batch = padded_batch(texts[at : at + BATCH], labels[at : at + BATCH])
        optimizer.zero_grad()
        model(**{name: tensor.to(device) for name, tensor in batch.items()}).loss.backward()
        optimizer.step()
        torch.backends.cuda.matmul.allow_tf32 = False

    return step


def trainer_steps(config: dict, texts, labels, device: str):
    """One call runs `count` steps of transformers.Trainer; it has no way to run one alone."""
    from transformers import Trainer, TrainingArguments

    model = their_model(config, "sdpa", device)
    rows = [{"input_ids": text, "labels": label} for text, label in zip(texts, labels)]

    def collate(listed: list[dict]) -> dict[str, torch.Tensor]:
        return padded_batch([row["input_ids"] for row in listed], [row["labels"] for row in listed])

    def steps(count: int) -> None:
        options = {"per_device_train_batch_size": BATCH, "max_steps": count, "bf16": True, "use_cpu": device == "cpu"}
        quiet = {"save_strategy": "no", "logging_strategy": "no", "report_to": "none", "disable_tqdm": True}
        arguments = TrainingArguments(output_dir=tempfile.gettempdir(), **options, **quiet)
        Trainer(model, arguments, collate, rows).train()

    steps.many = True
    return steps


def timed(way: str, step, device: str, size: dict, batch: int = BATCH) -> dict:
    """The median seconds of a step, after some that warm up; of Trainer, the mean over all timed steps."""
    if getattr(step, "many", False):
        step(size["warm_up"])
        seconds = clocked(lambda: step(size["timed"]), device) / size["timed"]
    else:
        for _ in range(size["warm_up"]):
            step()
        seconds = median(clocked(step, device) for _ in range(size["timed"]))
    return {"way": way, "batch": batch, "step_seconds": seconds, "samples_per_second": batch / seconds}


def clocked(run, device: str) -> float:
    """Seconds that a call takes, on the device and not only until the work is handed to it."""
    if device == "cpu":
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000


def share_of_peak(config: dict, tokens_per_second: float, device: str) -> float | None:
    """Model FLOP utilization: what the network needs for so many tokens, as a share of the device's published peak.

    A token needs 2 operations for each weight of a product, and 4 d for each other token of its text in each attention;
    the way back needs twice as much as the way forward.
    """
    peak = next((peak for name, peak in PEAKS.items() if device == "cuda" and name in torch.cuda.get_device_name()), None)
    d, layers = config["hidden_size"], config["num_hidden_layers"]
    per_token = 3 * layers * (2 * 12 * d * d + 4 * LONGEST * d)
    return None if peak is None else tokens_per_second * per_token / (peak * 1e12)


def memory_row(config: dict, texts, labels, device: str) -> dict:
    """The plan for one step, and the most that CUDA had allocated during three."""
    plan = memory_plan(config, BATCH * LONGEST, "bfloat16")
    row = {"way": "memory of ours", "plan_bytes": plan.peak, "plan_parts": plan.parts, "measured_bytes": None}
    if device == "cuda":
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()  # what earlier rows still hold
        torch.cuda.reset_peak_memory_stats()
        step = our_steps(config, texts, labels, device)
        for _ in range(3):
            step()
        row["measured_bytes"] = torch.cuda.max_memory_allocated() - before
    return row


def agreement(device: str) -> dict:
    """The largest difference of the losses of twenty steps in float32, on this device and on the CPU."""
    config = shape(2, 64, 1000)
    texts, labels = random_texts(160, 1000)
    options = TrainConfig(batch=8, rate=1e-3, dtype="float32", check_every=10**9)
    curves = []
    for where in ("cpu", device):
        encoder = random_encoder(config)  # drawn on the CPU: the two devices draw other numbers from one seed
        encoder.bert.to(where)
        encoder.device = where
        with tempfile.TemporaryDirectory() as folder:
            curves.append(finetune(RandomTask(encoder, texts, labels), Path(folder), options).losses)
    return {"way": "losses of 20 steps beside the CPU's", "largest_difference": max(abs(a - b) for a, b in zip(*curves))}


def main() -> None:
    """Measure and write, or write that nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetune_cuda")
    parser.add_argument("--quick", action="store_true", help="tiny, on any device: does it run? Nothing is kept")
    quick, device = parser.parse_args().quick, "cuda" if torch.cuda.is_available() else "cpu"
    rows = measure(device, QUICK if quick else FULL) if quick or device == "cuda" else []
    about = {"device": torch.cuda.get_device_name() if device == "cuda" else "not yet measured"}
    if device == "cuda":
        about |= {"tf32_by_default": torch.backends.cuda.matmul.allow_tf32, "flash": torch.backends.cuda.flash_sdp_enabled()}
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    found = {"date": datetime.date.today().isoformat(), "machine": about, "versions": versions, "quick": quick}
    path = Path(tempfile.mkdtemp()) / RESULTS.name if quick else RESULTS
    kept = [{"work": row.pop("way"), **row, "verdict": "not judged"} for row in rows]
    path.write_text(json.dumps(found | {"rows": kept}, indent=1) + "\n")
    for row in kept:
        print("| " + " | ".join(shown(name, value) for name, value in row.items() if name != "plan_parts") + " |")
    print(f"written to {path}" if rows else "no CUDA here: not yet measured")


def shown(name: str, value) -> str:
    """A cell of the table."""
    return f"{name} {value:.4g}" if isinstance(value, float) else str(value) if name == "work" else f"{name} {value}"


if __name__ == "__main__":
    main()
