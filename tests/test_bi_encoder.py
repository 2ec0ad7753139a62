"""The loss chooses among items the user has not met, learns what people like, and saves a model that loads as any other."""

import numpy as np
import pytest
import torch
from training_world import N_ITEMS, TITLES, people, small_encoder

from llmrec_lab.bi_encoder import BiEncoderConfig, BiEncoderTask, NextItem, copy_of, softmax_loss, text_scores
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.encoder import load_encoder
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.finetune import TrainConfig, finetune
from llmrec_lab.pairs import make_pairs, mine_negatives, user_texts

ROWS = np.arange(8)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def pairs():
    return make_pairs(people(), TITLES)


def unit(rng, n):
    return torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((n, 4))), dim=-1)


def by_hand(users, items, targets, known, log_share, temperature):
    """The loss, user by user, with loops."""
    losses = []
    for user, target in enumerate(targets.tolist()):
        allowed = [item for item in range(len(items)) if item == target or not known[user, item]]
        scores = {item: float(users[user] @ items[item]) / temperature - float(log_share[item]) for item in allowed}
        losses.append(np.log(sum(np.exp(score) for score in scores.values())) - scores[target])
    return np.mean(losses)


def test_the_loss_is_that_of_a_plain_loop(rng):
    users, items, targets = unit(rng, 5), unit(rng, 7), torch.tensor([0, 3, 3, 6, 2])
    known = torch.from_numpy(rng.random((5, 7)) < 0.4)
    known[torch.arange(5), targets] = True
    log_share = torch.from_numpy(np.log(rng.random(7)))
    for temperature in (0.05, 1.0):
        expected = by_hand(users, items, targets, known, log_share, temperature)
        assert softmax_loss(users, items, targets, known, log_share, temperature).item() == pytest.approx(expected)


def test_a_user_is_not_pushed_away_from_another_item_that_they_met(rng):
    users, items = unit(rng, 1), unit(rng, 3).requires_grad_()
    known = torch.tensor([[True, True, False]])
    softmax_loss(users, items, torch.tensor([0]), known, torch.zeros(3)).backward()
    assert items.grad.abs().sum(1).gt(0).tolist() == [True, False, True]


def test_several_pairs_of_one_user_do_not_contradict_each_other(encoder):
    """In a batch of one user's pairs no item is wrong, so there is nothing to learn from it."""
    pairs = make_pairs(people(n_users=4), TITLES)
    task = BiEncoderTask(encoder, pairs, TITLES)
    (loss,) = task.parts(np.flatnonzero(pairs.users == 0), tokens=512, checkpointing=False)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_a_task_has_the_loss_of_its_texts(encoder, pairs):
    """Against the encoder's own vectors, with every pair's item in a column of its own where no item repeats."""
    rows = ROWS[np.unique(pairs.items[ROWS], return_index=True)[1]]
    (loss,) = BiEncoderTask(encoder, pairs, TITLES, config=BiEncoderConfig(0.1, 0.5)).parts(rows, 64, False)
    users = torch.from_numpy(encoder.encode([pairs.texts[row] for row in rows]))
    items = torch.from_numpy(encoder.encode(list(TITLES[pairs.items[rows]])))
    share = 0.5 * torch.from_numpy(np.log(pairs.counts()[pairs.items[rows]] / len(pairs)))
    known = torch.from_numpy(pairs.known(rows, pairs.items[rows]))
    assert loss.item() == pytest.approx(by_hand(users, items, torch.arange(len(rows)), known, share, 0.1), abs=1e-4)


def test_hard_negatives_are_candidates_for_every_user_of_the_batch(encoder, pairs):
    mined = mine_negatives(pairs, lambda rows: np.zeros((len(rows), N_ITEMS)), count=2)
    easy, hard = (BiEncoderTask(encoder, pairs, TITLES, negatives) for negatives in (None, mined))
    assert hard.candidates[:, 0].tolist() == pairs.items.tolist()
    assert np.isfinite(hard.log_share[mined]).all()
    losses = [next(task.parts(ROWS, 512, False)).item() for task in (easy, hard)]
    assert losses[1] > losses[0]  # more to choose from


def test_training_finds_what_two_tastes_have_in_common(encoder, tmp_path):
    split = leave_last_out(people(n_users=60, length=8))
    task = BiEncoderTask(encoder, make_pairs(split.train, TITLES), TITLES)
    check = NextItem(task, split, user_texts(split.train, TITLES), list(TITLES), np.arange(N_ITEMS))
    curve = finetune(task, tmp_path, TrainConfig(epochs=2, rate=3e-3, check_every=20, dtype="float32"), check)
    scores = text_scores(load_encoder(str(tmp_path)), user_texts(split.train, TITLES), list(TITLES))
    right = (scores.argmax(1) < N_ITEMS // 2) == (np.arange(60) % 2 == 0)
    assert right.mean() > 0.95
    assert curve.best[1] > curve.checks[0][1] + 0.05
    assert curve.best[1] == pytest.approx(check_of(load_encoder(str(tmp_path)), check), abs=1e-6)


def check_of(encoder, check):
    """What a check says of an encoder."""
    task = type("Task", (), {"encoder": encoder})
    return NextItem(task, check.split, check.user_texts, check.item_texts, check.id_order)()


def test_the_check_is_the_ndcg_of_a_plain_loop(encoder, pairs):
    split = leave_last_out(people())
    check = NextItem(
        BiEncoderTask(encoder, pairs, TITLES), split, user_texts(split.train, TITLES), list(TITLES), np.arange(40)
    )
    found = []
    for row, target in zip(split.rows, split.targets):
        (scores,) = text_scores(encoder, [check.user_texts[row]], list(TITLES))
        scores[split.train.of(row)] = -np.inf
        rank = 1 + int(np.flatnonzero(np.argsort(-scores, kind="stable") == target)[0])
        found.append(1 / np.log2(1 + rank) if rank <= 10 else 0)
    assert check() == pytest.approx(np.mean(found), abs=1e-6)


def test_what_is_saved_loads_and_gives_the_vectors_of_the_task(encoder, pairs, tmp_path):
    task = BiEncoderTask(encoder, pairs, TITLES)
    task.encoder.bert.embeddings["word_embeddings"].weight.data += 0.1
    task.save(tmp_path)
    loaded = load_encoder(str(tmp_path))
    assert np.array_equal(loaded.encode(list(TITLES)), copy_of(task.encoder).encode(list(TITLES)))
    assert loaded.fingerprint not in ("in training", encoder.fingerprint)


def test_transformers_reads_what_is_saved(encoder, pairs, tmp_path):
    from transformers import BertModel

    BiEncoderTask(encoder, pairs, TITLES).save(tmp_path)
    model, report = BertModel.from_pretrained(tmp_path, add_pooling_layer=False, output_loading_info=True)
    assert not report["missing_keys"]
    ours = encoder.bert.state_dict()["encoder.layer.1.output.dense.weight"]
    assert torch.equal(model.state_dict()["encoder.layer.1.output.dense.weight"], ours)


def test_a_text_longer_than_the_model_is_cut(encoder):
    long = ["robot one " * 50] * N_ITEMS
    task = BiEncoderTask(encoder, make_pairs(people(), np.array(long, dtype=object)), long)
    assert task.longest == 64  # the positions that the model has
    assert next(task.parts(ROWS, 512, False)).isfinite()


def test_a_rounded_encoder_is_refused(encoder, pairs):
    with pytest.raises(DataError, match="the encoder came with dtype bfloat16; load it as float32"):
        BiEncoderTask(copy_of(encoder, "bfloat16"), pairs, TITLES)


def test_texts_for_another_catalog_are_refused(encoder, pairs):
    with pytest.raises(DataError, match="3 item texts came for 40 items; pass one for each"):
        BiEncoderTask(encoder, pairs, TITLES[:3])


def test_an_encoder_that_reads_a_word_before_each_text_keeps_its_name(encoder, pairs, tmp_path):
    small_encoder(tmp_path / "e5-small")
    task = BiEncoderTask(load_encoder(str(tmp_path / "e5-small"), "cpu"), pairs, TITLES)
    with pytest.raises(
        AssetError, match="call the folder films-e5: by that name the model is known to read 'query: ' first"
    ):
        task.save(tmp_path / "films")
    task.save(tmp_path / "films-e5")
    assert load_encoder(str(tmp_path / "films-e5")).prefix == "query: "


def test_a_batch_is_described_by_its_first_user(encoder, pairs):
    words = BiEncoderTask(encoder, pairs, TITLES).describe(np.array([4, 1]))
    assert words == f"2 pairs from number 4 on, whose user is “{pairs.texts[4][:60]}”"
