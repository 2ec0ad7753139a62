"""Every user of a batch is told by what they met just before, and no item that they met is a wrong guess."""

import numpy as np
import pytest
import torch
from training_world import N_ITEMS, TITLES, people, small_encoder

from llmrec_lab.catalog import Histories
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.encoder import load_encoder
from llmrec_lab.errors import DataError
from llmrec_lab.finetune import TrainConfig, finetune
from llmrec_lab.windows import RecentText, WindowConfig, WindowTask, draw_stretches, places

SMALL = WindowConfig(count=64, length=3, window=2)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp("models") / "small")


def by_hand(task, encoder, rows):
    """The loss, example by example, with loops."""
    items = sorted({item for row in rows for item in task.stretches[row]})
    vectors = dict(zip(items, encoder.encode([TITLES[item] for item in items]).astype(float)))
    losses = []
    for user in range(len(task.histories)):
        history = task.histories.of(user).tolist()
        for place, target in enumerate(history):
            told = [vectors[item] for item in history[max(0, place - task.config.window) : place] if item in vectors]
            if target not in vectors or not told:
                continue
            direction = np.mean(told, axis=0) / np.linalg.norm(np.mean(told, axis=0))
            rivals = [item for item in items if item == target or item not in history]
            share = {item: task.config.popularity * float(task.log_share[item]) for item in rivals}
            scores = {item: direction @ vectors[item] / task.config.temperature - share[item] for item in rivals}
            losses.append(np.log(sum(np.exp(score) for score in scores.values())) - scores[target])
    return np.mean(losses), len(losses)


@pytest.mark.parametrize("popularity", [0.0, 1.0])
def test_the_loss_is_that_of_a_plain_loop_over_everybody(encoder, popularity):
    task = WindowTask(encoder, people(), TITLES, WindowConfig(**vars(SMALL) | {"popularity": popularity}))
    rows = np.arange(6)
    (loss,) = task.parts(rows, tokens=64, checkpointing=False)
    expected, count = by_hand(task, encoder, rows)
    assert loss.item() == pytest.approx(expected, abs=1e-4)
    assert count > 2 * SMALL.length * len(rows)  # many more than one for each encoded item


def test_stretches_are_of_one_user_and_in_order():
    histories = people(length=5)
    together = {tuple(histories.of(user)[at : at + 3]) for user in range(len(histories)) for at in range(3)}
    drawn = [tuple(row) for row in draw_stretches(histories, WindowConfig(count=2000, length=3))]
    assert set(drawn) == together


def test_what_is_held_out_is_never_read(encoder):
    everyone = people(length=8)
    train = leave_last_out(everyone).train
    train = train.take(train.items != 5)
    task = WindowTask(encoder, train, TITLES, SMALL)
    assert 5 not in task.stretches
    told, targets, known = task.examples(np.unique(task.stretches))
    for user in range(len(everyone)):
        assert task.places[user, everyone.of(user)[-1]] == 0
    np.testing.assert_allclose(told.sum(axis=1), 1, rtol=1e-6)
    assert known[np.arange(len(targets)), targets].all()
    assert not told[np.arange(len(targets)), targets].any()


def test_training_finds_the_tastes_and_the_folder_keeps_them(encoder, tmp_path):
    split = leave_last_out(people(n_users=60, length=8))
    task = WindowTask(encoder, split.train, TITLES, WindowConfig(count=320, length=4))
    curve = finetune(task, tmp_path, TrainConfig(batch=8, rate=3e-3, dtype="float32"))
    assert np.mean(curve.losses[-5:]) < curve.losses[0] - 0.3
    before, after = (
        RecentText(loaded.encode(list(TITLES))).scores(split.train) for loaded in (encoder, load_encoder(str(tmp_path)))
    )
    right = [(scores.argmax(1) < N_ITEMS // 2) == (np.arange(60) % 2 == 0) for scores in (before, after)]
    assert right[1].mean() > 0.95


def test_an_item_met_again_has_its_last_place():
    histories = Histories(np.array(["a"]), np.array([2, 2, 0]), np.arange(3), np.array([0, 3]), 4)
    assert places(histories).toarray().tolist() == [[3, 0, 2, 0]]


def test_recent_text_is_the_mean_of_the_last_vectors(rng):
    vectors = rng.standard_normal((4, 3)).astype(np.float32)
    histories = Histories(np.array(["a", "b"]), np.array([0, 1, 2]), np.arange(3), np.array([0, 3, 3]), 4)
    scores = RecentText(vectors, last=2).fit(histories).scores(histories)
    np.testing.assert_allclose(scores[0], vectors @ vectors[1:3].mean(0), rtol=1e-5)
    assert not scores[1].any()


@pytest.mark.parametrize(
    "histories", [people(n_users=1), people(length=2), people().of_users([])], ids=["one user", "short", "none"]
)
def test_histories_without_a_wrong_guess_are_refused(encoder, histories):
    with pytest.raises(DataError, match="or there is one user only, for whom no guess is wrong; pass more users"):
        WindowTask(encoder, histories, TITLES, SMALL)


def test_texts_for_another_catalog_are_refused(encoder):
    with pytest.raises(DataError, match="3 item texts came for 40 items"):
        WindowTask(encoder, people(), TITLES[:3], SMALL)


def test_a_batch_is_described_by_its_items(encoder):
    task = WindowTask(encoder, people(), TITLES, SMALL)
    assert task.describe(np.array([4])) == f"1 stretches of histories, the first of the items {task.stretches[4].tolist()}"
    assert torch.isfinite(next(task.parts(np.array([4, 5]), 512, True)))
