"""`transformers.Trainer` and our loop do the same: equal batches, order, and schedule give equal losses."""

import numpy as np
import pytest
from training_world import N_ITEMS, TITLES, people, small_encoder

from llmrec_lab.bi_encoder import BiEncoderTask
from llmrec_lab.cross_encoder import CrossEncoderTask
from llmrec_lab.errors import AssetError
from llmrec_lab.finetune import TrainConfig, finetune
from llmrec_lab.pairs import make_pairs, mine_negatives
from llmrec_lab.trainer import train_with_trainer

CONFIG = TrainConfig(epochs=2, batch=12, rate=1e-3, frozen=1, dtype="float32", check_every=99)  # 20 steps


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp("models") / "small")


def tasks(encoder):
    pairs = make_pairs(people(), TITLES)
    negatives = mine_negatives(pairs, lambda rows: np.zeros((len(rows), N_ITEMS)), 1)
    return {
        "bi-encoder": BiEncoderTask(encoder, pairs, TITLES),
        "cross-encoder": CrossEncoderTask(encoder, pairs, TITLES, negatives),
    }


@pytest.mark.parametrize("kind", ["bi-encoder", "cross-encoder"])
def test_twenty_steps_have_the_same_losses(encoder, tmp_path, kind):
    ours = finetune(tasks(encoder)[kind], tmp_path / "ours", CONFIG).losses
    theirs = train_with_trainer(tasks(encoder)[kind], tmp_path / "theirs", CONFIG)
    assert len(theirs) == 20
    assert np.ptp(ours) > 0.001
    assert theirs == pytest.approx(ours, abs=1e-4)


def test_it_prints_nothing(encoder, tmp_path, capsys):
    train_with_trainer(tasks(encoder)["bi-encoder"], tmp_path, CONFIG)
    assert capsys.readouterr().out == ""


def test_accumulated_batches_have_the_same_mean(encoder, tmp_path):
    config = TrainConfig(**vars(CONFIG) | {"accumulate": 4})
    ours = finetune(tasks(encoder)["cross-encoder"], tmp_path / "ours", config).losses
    theirs = train_with_trainer(tasks(encoder)["cross-encoder"], tmp_path / "theirs", config)
    assert np.reshape(theirs, (5, 4)).mean(1) == pytest.approx(ours, abs=1e-4)


def test_without_accelerate_the_line_that_installs_it_is_printed(encoder, tmp_path, monkeypatch):
    import transformers

    def lacking(**_):
        raise ImportError("Using the `Trainer` with `PyTorch` requires `accelerate>=1.1.0`")

    monkeypatch.setattr(transformers, "TrainingArguments", lacking)
    with pytest.raises(AssetError, match="Trainer needs accelerate; run: python -m pip install accelerate"):
        train_with_trainer(tasks(encoder)["bi-encoder"], tmp_path, CONFIG)
