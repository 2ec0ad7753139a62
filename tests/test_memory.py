"""What the plan says is what a training keeps, within 5%: the bytes that autograd saves, and what AdamW keeps."""

from contextlib import nullcontext

import pytest
import torch
from training_world import CONFIG

from llmrec_lab.encoder import Bert
from llmrec_lab.finetune import TrainConfig, adamw, attention, freeze
from llmrec_lab.memory import memory_plan, saved_bytes

WIDE = CONFIG | {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3}


def a_bert(config, frozen=0):
    bert = Bert(config)
    for weight in bert.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    freeze(bert, frozen)
    return bert


def forward(bert, b, t, dtype):
    ids, mask = torch.ones(b, t, dtype=torch.long), torch.ones(b, t, dtype=torch.bool)
    mask[0, t // 2 :] = False
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
        return bert(ids, mask)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("frozen", [0, 1, 2])
@pytest.mark.parametrize("config", [CONFIG, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("plain", [False, True], ids=["fused", "plain"])
def test_activations_are_what_autograd_saves(config, frozen, dtype, plain):
    bert = a_bert(config, frozen)
    with saved_bytes(bert) as kept, attention("cpu") if plain else nullcontext():
        out = forward(bert, 8, 48, dtype)
    assert out.requires_grad
    assert memory_plan(config, 8 * 48, dtype, frozen, 48 if plain else None).activations == pytest.approx(
        sum(kept.values()), rel=0.05
    )


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_parameters_gradients_and_optimizer_state_are_what_training_allocates(frozen):
    bert = a_bert(WIDE, frozen)
    weights = {name: weight for name, weight in bert.named_parameters() if weight.requires_grad}
    optimizer = adamw(weights, TrainConfig())
    forward(bert, 2, 8, "float32").sum().backward()
    optimizer.step()
    parts = memory_plan(WIDE, 16, frozen=frozen).parts
    assert parts["parameters"] == sum(weight.nbytes for weight in bert.parameters())
    assert parts["gradients"] == sum(weight.grad.nbytes for weight in weights.values())
    state = sum(value.nbytes for kept in optimizer.state.values() for value in kept.values())
    assert parts["optimizer state"] == pytest.approx(state, rel=0.01)  # and a counter for each weight


def test_gradients_and_activations_are_not_full_at_the_same_time():
    few, many = memory_plan(WIDE, 1), memory_plan(WIDE, 10_000)
    assert few.peak == few.parts["parameters"] + few.parts["optimizer state"] + few.parts["gradients"]
    assert many.peak == many.parts["parameters"] + many.parts["optimizer state"] + many.activations


def test_a_plan_prints_its_parts_and_the_peak():
    lines = str(memory_plan(CONFIG, 100)).splitlines()
    assert [line.rsplit(maxsplit=2)[0] for line in lines] == [
        "parameters",
        "gradients",
        "optimizer state",
        "activations: embeddings",
        "activations: layer 1",
        "activations: layer 2",
        "peak",
    ]
    assert lines[0].split()[-1] == "MB"
