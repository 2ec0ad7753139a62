"""The same training by `transformers.Trainer`, to hold our loop against it: same batches, optimizer, and schedule.

Needs `accelerate`, which Trainer asks for. Knows nothing about users or items.
"""

from __future__ import annotations

from pathlib import Path

import torch

from llmrec_lab.errors import AssetError
from llmrec_lab.finetune import Task, TrainConfig, adamw, count_steps, freeze, rate_share, rows_of


class TaskModel(torch.nn.Module):
    """A task as a model that Trainer can call: rows in, `{"loss": ...}` out.

    Args:
        task: what to train.
        tokens: padded tokens in a pass, as in `TrainConfig`.
    """

    def __init__(self, task: Task, tokens: int):
        super().__init__()
        self.module, self.task, self.tokens, self.losses = task.module, task, tokens, []

    def forward(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = sum(self.task.parts(rows.cpu().numpy(), self.tokens, checkpointing=False))
        self.losses.append(loss.item())
        return {"loss": loss}


def train_with_trainer(task: Task, folder: Path, config: TrainConfig) -> list[float]:
    """Train a task by `transformers.Trainer`.

    Args:
        task: what to train; it ends with the trained weights.
        folder: where Trainer may write.
        config: as for `finetune`; checks and patience do not count here.

    Returns:
        The loss of every batch.

    Raises:
        AssetError: `accelerate` is not installed.
    """
    from transformers import PrinterCallback, Trainer, TrainingArguments

    freeze(task.module.bert, config.frozen)
    total = count_steps(len(task), config)
    arguments = {
        "output_dir": str(folder),
        "max_steps": total,
        "per_device_train_batch_size": 1,  # one list of rows, which is a whole batch of ours
        "gradient_accumulation_steps": config.accumulate,
        "max_grad_norm": config.clip,
        "bf16": config.dtype == "bfloat16",
        "use_cpu": next(task.module.parameters()).device.type == "cpu",
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    try:
        arguments = TrainingArguments(**arguments)
    except ImportError:
        raise AssetError("Trainer needs accelerate; run: python -m pip install accelerate") from None
    weights = {name: weight for name, weight in task.module.named_parameters() if weight.requires_grad}
    optimizer = adamw(weights, config)  # built outside: without it Trainer makes one of its own, at its own rate
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_share(step, total, config.warmup))
    batches = [torch.from_numpy(rows_of(i, len(task), config)) for i in range(total * config.accumulate)]
    model = TaskModel(task, config.tokens or task.longest)

    class InOrder(Trainer):
        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(batches)

    def collate(listed: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"rows": listed[0]}

    trainer = InOrder(model, arguments, collate, batches, optimizers=(optimizer, schedule))
    trainer.remove_callback(PrinterCallback)  # it prints how long it took
    trainer.train()
    return model.losses
