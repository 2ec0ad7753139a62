"""A training is the same every time, goes on where it was killed, and says what is wrong in one sentence."""

import math
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_world import TITLES, people, small_encoder

from llmrec_lab import finetune as module
from llmrec_lab.bi_encoder import BiEncoderTask
from llmrec_lab.checkpoints import FILE, load_checkpoint
from llmrec_lab.encoder import load_encoder
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.finetune import TrainConfig, Training, adamw, count_steps, finetune, freeze, rate_share, rows_of
from llmrec_lab.pairs import make_pairs

SHORT = TrainConfig(epochs=1, batch=8, rate=1e-3, check_every=5, dtype="float32")  # 15 steps


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp("models") / "small")


def a_task(encoder, **options):
    return BiEncoderTask(encoder, make_pairs(people(), TITLES), TITLES, **options)


def weights_of(folder):
    return load_file(Path(folder) / "model.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --- order, schedule, optimizer ----------------------------------------------------------------------------------------


def test_each_epoch_has_every_full_batch_once_and_an_order_of_its_own():
    config = TrainConfig(batch=4, seed=3)
    epochs = [[row for batch in range(start, start + 5) for row in rows_of(batch, 22, config)] for start in (0, 5)]
    assert [len(set(epoch)) for epoch in epochs] == [20, 20]
    assert epochs[0] != epochs[1]
    assert rows_of(7, 22, config).tolist() == rows_of(7, 22, config).tolist()
    assert rows_of(7, 22, TrainConfig(batch=4, seed=4)).tolist() != rows_of(7, 22, config).tolist()


def test_fewer_examples_than_a_batch_make_one_batch_an_epoch():
    config = TrainConfig(batch=8, epochs=3)
    assert count_steps(5, config) == 3
    assert sorted(rows_of(2, 5, config)) == [0, 1, 2, 3, 4]


def test_the_rate_rises_falls_and_never_is_zero_in_a_step():
    shares = [rate_share(step, 40, warmup=0.25) for step in range(40)]
    assert np.allclose(shares[:10], np.arange(1, 11) / 10)
    assert np.allclose(np.diff(shares[10:]), -1 / 30)
    assert min(shares) > 0


@pytest.mark.parametrize(("total", "warmup"), [(1, 0.1), (1, 1.0), (5, 0.0), (5, 1.0)])
def test_the_rate_is_never_above_the_largest(total, warmup):
    assert all(0 < rate_share(step, total, warmup) <= 1 for step in range(total))


def test_gradients_by_rows_are_those_of_whole_tables(encoder, tmp_path):
    task, rows = a_task(encoder), np.arange(8)
    training = Training(task, tmp_path, SHORT, None, lambda step, values: None)
    training.tokens = 16  # several passes
    training.backward([rows])
    by_rows = {name: weight.grad.clone() for name, weight in task.module.named_parameters()}
    task.module.zero_grad()
    for part in task.parts(rows, 16, False):
        part.backward()
    for name, weight in task.module.named_parameters():
        assert not by_rows[name].is_sparse and not weight.grad.is_sparse  # whoever trains on meets plain tables
        torch.testing.assert_close(by_rows[name], weight.grad)


def test_biases_and_norms_are_not_decayed(encoder):
    named = dict(encoder.bert.named_parameters())
    decayed, free = adamw(named, TrainConfig(decay=0.1)).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    undecayed = {name for name, weight in named.items() if any(weight is other for other in free["params"])}
    assert undecayed == {name for name in named if name.endswith(".bias") or "LayerNorm" in name}
    assert decayed["fused"]


def test_frozen_parts_keep_their_weights_and_the_others_move(encoder, tmp_path):
    task = a_task(encoder)
    finetune(task, tmp_path, TrainConfig(batch=8, rate=1e-3, frozen=2, dtype="float32", check_every=99))
    before, after = encoder.bert.state_dict(), task.encoder.bert.state_dict()
    unmoved = {name for name in before if torch.equal(before[name], after[name])}
    assert unmoved == {name for name in before if name.startswith(("embeddings.", "encoder.layer.0."))}


@pytest.mark.parametrize("count", [-1, 3, 1.5])
def test_a_count_of_frozen_parts_that_leaves_nothing_is_refused(encoder, count):
    with pytest.raises(DataError, match=f"frozen came as {count}; the network has 3 parts, pass 0 to 2"):
        freeze(encoder.bert, count)


# --- the same again ----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(encoder, tmp_path):
    first, again = (finetune(a_task(encoder), tmp_path / name, SHORT) for name in "ab")
    other = finetune(a_task(encoder), tmp_path / "c", TrainConfig(**vars(SHORT) | {"seed": 1}))
    assert first.losses == again.losses
    assert len(first.losses) == 15
    assert first.losses != other.losses
    assert same(weights_of(tmp_path / "a"), weights_of(tmp_path / "b"))


def test_the_encoder_that_training_starts_from_stays_as_it_is(encoder, tmp_path):
    before = encoder.encode(["robot one"])
    finetune(a_task(encoder), tmp_path, SHORT)
    assert np.array_equal(encoder.encode(["robot one"]), before)
    assert not np.allclose(load_encoder(str(tmp_path)).encode(["robot one"]), before, atol=1e-3)


@pytest.mark.parametrize(
    "options", [{"tokens": 16}, {"tokens": 10_000}, {"tokens": 16, "checkpointing": True}], ids=["short", "long", "again"]
)
def test_passes_and_checkpointing_change_no_result(encoder, tmp_path, options):
    plain = finetune(a_task(encoder), tmp_path / "a", SHORT).losses
    other = finetune(a_task(encoder), tmp_path / "b", TrainConfig(**vars(SHORT) | options)).losses
    assert other == pytest.approx(plain, abs=1e-4)


def test_attention_is_plain_on_a_cpu_on_the_way_forward_and_back(encoder, tmp_path):
    from torch.profiler import profile

    training = Training(
        a_task(encoder), tmp_path, TrainConfig(**vars(SHORT) | {"checkpointing": True}), None, lambda *_: None
    )
    with profile() as seen:
        training.take_step()
    names = {event.key for event in seen.key_averages()}
    assert "aten::_scaled_dot_product_attention_math" in names
    assert not [name for name in names if "flash_attention" in name]


def test_bfloat16_follows_the_same_curve_within_its_rounding(encoder, tmp_path):
    plain = finetune(a_task(encoder), tmp_path / "a", SHORT).losses
    rounded = finetune(a_task(encoder), tmp_path / "b", TrainConfig(**vars(SHORT) | {"dtype": "bfloat16"})).losses
    assert rounded != plain
    assert rounded == pytest.approx(plain, abs=0.1)


class OneNumber:
    """A task of one weight, which is pulled to each of its examples; what is trained is plain to see."""

    longest = 8

    def __init__(self, examples, memory=math.inf):
        self.examples, self.memory, self.asked = torch.tensor(examples), memory, []
        layers = torch.nn.ModuleList([torch.nn.Linear(1, 1, bias=False)])
        torch.nn.init.zeros_(layers[0].weight)
        bert = torch.nn.Module()
        bert.embeddings, bert.encoder = torch.nn.Linear(1, 1), torch.nn.ModuleDict({"layer": layers})
        self.module = torch.nn.ModuleDict({"bert": bert})

    @property
    def weight(self):
        return self.module["bert"].encoder["layer"][0].weight

    def __len__(self):
        return len(self.examples)

    def parts(self, rows, tokens, checkpointing):
        self.asked.append((tokens, checkpointing))
        for row in rows:
            if tokens > self.memory:
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield ((self.weight.squeeze() - self.examples[row]) ** 2) / len(rows)

    def describe(self, rows):
        return f"examples {rows.tolist()}"

    def identity(self):
        return {"examples": self.examples.tolist()}

    def save(self, folder):
        folder.mkdir(exist_ok=True)
        (folder / "weight").write_text(str(self.weight.item()))


def test_a_step_is_that_of_adamw_on_the_mean_gradient_of_its_batches(tmp_path):
    task = OneNumber([1.0, 2.0, 4.0, 9.0])
    config = TrainConfig(batch=2, accumulate=2, rate=0.1, decay=0.5, clip=1e9, frozen=1, dtype="float32")
    assert finetune(task, tmp_path, config).losses == pytest.approx([(1 + 4 + 16 + 81) / 4])
    assert task.weight.item() == pytest.approx(0.1)  # the first step of Adam is as long as the rate


def test_a_long_gradient_is_cut(tmp_path, monkeypatch):
    lengths = []
    cut = torch.nn.utils.clip_grad_norm_

    def noted(weights, most):
        found = cut(weights, most)
        lengths.append((found.item(), most))
        return found

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", noted)
    task = OneNumber([3.0, 3.0])
    finetune(task, tmp_path, TrainConfig(batch=1, accumulate=2, clip=0.5, frozen=1, dtype="float32"))
    assert lengths == [(6.0, 0.5)]
    assert task.weight.grad.abs().item() == pytest.approx(0.5, rel=1e-4)


# --- checks ------------------------------------------------------------------------------------------------------------


def test_the_best_weights_are_kept_and_patience_ends_the_training(tmp_path):
    task, values = OneNumber([1.0] * 90), iter([0.1, 0.5, 0.9, 0.5, 0.9, 0.2])
    config = TrainConfig(batch=1, rate=0.01, check_every=10, patience=3, frozen=1, dtype="float32")
    seen = []
    curve = finetune(task, tmp_path, config, lambda: seen.append(task.weight.item()) or next(values))
    assert curve.checks == [(0, 0.1), (10, 0.5), (20, 0.9), (30, 0.5), (40, 0.9), (50, 0.2)]
    assert curve.best == (20, 0.9)
    assert float((tmp_path / "weight").read_text()) == seen[2]


def test_weights_that_training_only_made_worse_are_those_of_the_start(tmp_path):
    task, values = OneNumber([1.0] * 50), iter([0.9, 0.1, 0.1, 0.1])
    curve = finetune(task, tmp_path, TrainConfig(batch=1, check_every=1, frozen=1, dtype="float32"), lambda: next(values))
    assert len(curve.losses) == 3
    assert float((tmp_path / "weight").read_text()) == 0


def test_without_a_check_the_last_weights_are_kept(tmp_path):
    task = OneNumber([1.0] * 7)
    finetune(task, tmp_path, TrainConfig(batch=1, check_every=5, rate=0.1, frozen=1, dtype="float32"))
    assert float((tmp_path / "weight").read_text()) == task.weight.item() != 0


def test_watch_is_told_of_every_step_and_check(tmp_path):
    told = []
    config = TrainConfig(batch=1, check_every=2, rate=0.5, warmup=0.0, frozen=1, dtype="float32")
    finetune(OneNumber([1.0] * 2), tmp_path, config, lambda: 0.25, watch=lambda step, values: told.append((step, values)))
    assert [step for step, _ in told] == [0, 1, 2, 2]
    assert told[0][1] == told[3][1] == {"validation": 0.25}
    assert told[1][1] == {"loss": 1.0, "rate": 0.5}


def test_the_bar_shows_the_loss_and_counts_examples(tmp_path, capsys):
    config = TrainConfig(batch=2, frozen=1, dtype="float32")
    finetune(OneNumber([1.0] * 6), tmp_path, config, progress=True)
    shown = capsys.readouterr().err
    assert "6/6" in shown
    assert "examples/s" in shown or "s/ examples" in shown
    assert "loss=" in shown


def test_tensorboard_is_asked_for_by_name_where_it_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(AssetError, match="TensorBoard is not installed; run: python -m pip install tensorboard"):
        module.tensorboard(tmp_path)


def test_tensorboard_gets_every_value(monkeypatch, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is an extra")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = TrainConfig(batch=1, check_every=2, frozen=1, dtype="float32")
    curve = finetune(
        OneNumber([1.0] * 4), tmp_path / "model", config, lambda: 0.25, watch=module.tensorboard(tmp_path / "log")
    )
    written = EventAccumulator(str(tmp_path / "log")).Reload()
    assert [event.value for event in written.Scalars("loss")] == pytest.approx(curve.losses)
    assert [event.step for event in written.Scalars("validation")] == [0, 2, 4]


# --- going on ----------------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def stop_at(step):
    def watch(at, values):
        if at == step and "loss" in values:
            raise Interrupted

    return watch


@pytest.mark.parametrize("step", [1, 5, 7, 14])
def test_an_interrupted_training_ends_where_the_other_ends(encoder, tmp_path, step):
    whole = finetune(a_task(encoder), tmp_path / "whole", SHORT)
    with pytest.raises(Interrupted):
        finetune(a_task(encoder), tmp_path / "cut", SHORT, watch=stop_at(step))
    resumed = finetune(a_task(encoder), tmp_path / "cut", SHORT)
    assert resumed.losses == whole.losses
    assert same(weights_of(tmp_path / "cut"), weights_of(tmp_path / "whole"))
    (cut, told), (whole, said) = (load_checkpoint(tmp_path / name) for name in ("cut", "whole"))
    assert same(cut, whole)  # the optimizer's memory, too
    assert told == said


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_finetune import SHORT, a_task
from llmrec_lab.encoder import load_encoder
from llmrec_lab.finetune import finetune

def tell(step, values):
    print(step, flush=True)
    time.sleep(0.05)

finetune(a_task(load_encoder(sys.argv[2], "cpu")), Path(sys.argv[3]), SHORT, watch=tell)
"""


def test_a_training_that_is_killed_ends_where_the_other_ends(encoder, tmp_path):
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), encoder.name, str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while process.stdout.readline().strip() != "8":
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert load_checkpoint(tmp_path / "killed")[1]["step"] == 5
    threads = torch.get_num_threads()
    resumed = finetune(a_task(encoder), tmp_path / "killed", SHORT)
    whole = finetune(a_task(encoder), tmp_path / "whole", SHORT)
    assert torch.get_num_threads() == threads
    assert resumed.losses == whole.losses
    assert same(weights_of(tmp_path / "killed"), weights_of(tmp_path / "whole"))


def test_what_auto_came_to_holds_until_the_end(encoder, tmp_path, monkeypatch):
    config = TrainConfig(**vars(SHORT) | {"dtype": "auto"})
    whole = finetune(a_task(encoder), tmp_path / "whole", TrainConfig(**vars(SHORT) | {"dtype": "bfloat16"}))
    monkeypatch.setattr(module, "safe_dtype", lambda device: "bfloat16")
    with pytest.raises(Interrupted):
        finetune(a_task(encoder), tmp_path / "cut", config, watch=stop_at(7))
    monkeypatch.setattr(module, "safe_dtype", lambda device: "float32")
    assert finetune(a_task(encoder), tmp_path / "cut", config).losses == whole.losses


def test_float16_scales_its_loss_and_goes_on_with_the_same_scale(encoder, tmp_path):
    config = TrainConfig(**vars(SHORT) | {"dtype": "float16"})
    whole = finetune(a_task(encoder), tmp_path / "whole", config)
    with pytest.raises(Interrupted):
        finetune(a_task(encoder), tmp_path / "cut", config, watch=stop_at(7))
    assert finetune(a_task(encoder), tmp_path / "cut", config).losses == whole.losses
    scalers = [load_checkpoint(tmp_path / name)[1]["scaler"] for name in ("cut", "whole")]
    assert scalers[0] == scalers[1]
    assert (scalers[0]["scale"], scalers[0]["_growth_tracker"]) == (2.0**16, 15)  # fine steps so far
    assert whole.losses == pytest.approx(finetune(a_task(encoder), tmp_path / "exact", SHORT).losses, abs=0.1)


def test_a_training_that_is_over_is_read_and_not_run_again(encoder, tmp_path):
    curve = finetune(a_task(encoder), tmp_path, SHORT)
    assert finetune(a_task(encoder), tmp_path, SHORT, watch=stop_at(15)).losses == curve.losses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 2e-3}, "its rate is 0.001, this one's 0.002"),
        ({"batch": 4}, "its batch is 8, this one's 4"),
        ({"dtype": "bfloat16"}, "its dtype is 'float32', this one's 'bfloat16'"),
        ({"epochs": 2}, "its epochs is 1, this one's 2"),
    ],
)
def test_a_checkpoint_of_other_choices_is_refused(encoder, tmp_path, change, message):
    finetune(a_task(encoder), tmp_path, SHORT)
    with pytest.raises(AssetError, match=f"holds another training: {message}; pass another folder, or remove that one"):
        finetune(a_task(encoder), tmp_path, TrainConfig(**vars(SHORT) | change))


def test_a_checkpoint_of_another_shape_is_refused(encoder, tmp_path):
    finetune(a_task(encoder), tmp_path / "out", SHORT)
    wider = small_encoder(tmp_path / "wider", intermediate_size=64)
    before = (tmp_path / "out" / FILE).read_bytes()
    with pytest.raises(
        AssetError, match="holds another training: its encoder is '.*', this one's '.*'; pass another folder"
    ):
        finetune(a_task(wider), tmp_path / "out", SHORT)
    assert (tmp_path / "out" / FILE).read_bytes() == before


def test_a_checkpoint_of_other_examples_is_refused(encoder, tmp_path):
    finetune(a_task(encoder), tmp_path, SHORT)
    other = BiEncoderTask(encoder, make_pairs(people(seed=5), TITLES), TITLES)
    with pytest.raises(AssetError, match="its examples is"):
        finetune(other, tmp_path, SHORT)


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_finetune import SHORT, a_task
from llmrec_lab.encoder import load_encoder
from llmrec_lab.finetune import finetune

def fill(step, values):
    if step == 7:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

finetune(a_task(load_encoder(sys.argv[2], "cpu")), Path(sys.argv[3]), SHORT, watch=fill)
"""


def test_a_disk_that_fills_leaves_the_last_checkpoint_and_the_training_goes_on_from_it(encoder, tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(Path(__file__).parent), encoder.name, str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "AssetError: cannot save" in done.stderr
    assert "what was saved before is untouched" in done.stderr
    assert load_checkpoint(tmp_path / "out")[1]["step"] == 5
    assert not list((tmp_path / "out").glob("*.part"))
    load_encoder(str(tmp_path / "out"))
    resumed = finetune(a_task(encoder), tmp_path / "out", SHORT)
    assert resumed.losses == finetune(a_task(encoder), tmp_path / "whole", SHORT).losses


# --- what goes wrong ---------------------------------------------------------------------------------------------------


def test_out_of_memory_is_answered_with_what_fits(tmp_path):
    task = OneNumber([1.0, 2.0, 3.0], memory=40)
    config = TrainConfig(batch=3, tokens=256, frozen=1, dtype="float32")
    with pytest.warns(UserWarning, match="out of memory; going on with tokens=32, checkpointing=True. Pass them next time"):
        curve = finetune(task, tmp_path, config)
    assert task.asked == [(256, False), (128, True), (64, True), (32, True)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = finetune(OneNumber([1.0, 2.0, 3.0], memory=40), tmp_path / "b", TrainConfig(**vars(config) | {"tokens": 32}))
    assert curve.losses == again.losses


def test_a_text_that_does_not_fit_alone_is_the_end(tmp_path):
    task = OneNumber([1.0], memory=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(AssetError, match="with passes of 8 tokens, and the longest text has 8: not even one text fits"):
            finetune(task, tmp_path, TrainConfig(tokens=32, frozen=1, dtype="float32"))


def test_a_loss_that_is_no_number_names_the_batch_and_the_cause(tmp_path):
    task = OneNumber([1.0, math.nan])
    config = TrainConfig(batch=1, frozen=1, dtype="float32", rate=0.125)
    with pytest.raises(DataError) as error:
        finetune(task, tmp_path, config)
    assert "the loss is nan in step" in str(error.value)
    assert "The batch is examples [1]." in str(error.value)
    assert "The weights are fine, so numbers overflowed on the way; a rate below 0.125 may help" in str(error.value)
    assert math.isfinite(task.weight.item())


def test_weights_that_are_no_numbers_are_named(encoder, tmp_path):
    task = a_task(encoder)
    torch.nn.init.constant_(task.encoder.bert.encoder["layer"][1]["output"]["dense"].bias, math.nan)
    with pytest.raises(DataError, match=r"The weights bert.encoder.layer.1.output.dense.bias were not finite before it"):
        finetune(task, tmp_path, SHORT)


def test_a_gradient_that_is_no_number_does_not_reach_the_weights(tmp_path):
    task = OneNumber([1.0])
    task.parts = lambda rows, tokens, checkpointing: iter([task.weight.squeeze().abs().sqrt()])  # infinitely steep at 0
    with pytest.raises(DataError, match="or its gradient is not finite"):
        finetune(task, tmp_path, TrainConfig(frozen=1, dtype="float32"))
    assert task.weight.item() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 0}, "batch came as 0; pass a whole number of at least 1"),
        ({"epochs": 1.5}, "epochs came as 1.5; pass a whole number"),
        ({"rate": -1.0}, "rate came as -1.0"),
        ({"rate": math.nan}, "rate came as nan"),
        ({"warmup": 2.0}, "a warmup from 0 to 1"),
        ({"dtype": "int8"}, "dtype came as 'int8'; pass 'float32', 'bfloat16', 'float16', or 'auto'"),
        ({"tokens": 0}, "tokens came as 0"),
    ],
)
def test_choices_that_make_no_sense_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        TrainConfig(**change)
