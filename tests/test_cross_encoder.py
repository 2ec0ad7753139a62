"""A cross-encoder is the one of transformers, learns from both labels, and re-ranks without letting a stranger in."""

import json

import numpy as np
import pytest
import torch
from training_world import N_ITEMS, TITLES, people, small_encoder

from llmrec_lab.bi_encoder import BiEncoderTask, copy_of
from llmrec_lab.cross_encoder import CrossEncoder, CrossEncoderTask, Reranker, load_cross_encoder
from llmrec_lab.encoder import load_encoder
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.finetune import TrainConfig, finetune
from llmrec_lab.pairs import make_pairs, user_texts
from llmrec_lab.recommender import Recommender

CONFIG = TrainConfig(epochs=3, batch=16, rate=3e-3, dtype="float32")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return small_encoder(tmp_path_factory.mktemp("models") / "small")


def a_task(encoder):
    """People who like the first half of the items, and two negatives for each pair from the second half."""
    everyone = people(n_users=80)
    pairs = make_pairs(everyone.of_users(everyone.user_ids[::2]), TITLES, last=3)
    negatives = np.random.default_rng(0).integers(N_ITEMS // 2, N_ITEMS, (len(pairs), 2))
    return CrossEncoderTask(encoder, pairs, TITLES, negatives)


def test_it_is_the_sequence_classifier_of_transformers(encoder, tmp_path):
    from transformers import BertForSequenceClassification

    task = a_task(encoder)
    task.save(tmp_path)
    theirs, report = BertForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert (theirs.num_labels, list(report["missing_keys"])) == (1, [])
    rows = task.read[:5]
    longest = max(len(row.ids) for row in rows)
    pad = {"ids": "input_ids", "attention_mask": "attention_mask", "type_ids": "token_type_ids"}
    inputs = {
        name: torch.tensor([getattr(row, field) + [0] * (longest - len(row.ids)) for row in rows])
        for field, name in pad.items()
    }
    with torch.inference_mode():
        expected, found = theirs.eval()(**inputs).logits[:, 0], task.module(rows)
    assert torch.allclose(found, expected, atol=1e-5)
    assert len(set(rows[0].type_ids)) == 2


def test_the_order_of_the_two_texts_counts(encoder):
    model = CrossEncoder(encoder)
    assert model.scores(["robot one"], ["kiss two"])[0] != pytest.approx(
        model.scores(["kiss two"], ["robot one"])[0], abs=1e-6
    )


def test_a_score_does_not_depend_on_the_pairs_beside_it(encoder):
    model, users = CrossEncoder(encoder), ["robot one; laser two", "", "kiss one " * 20]
    together = model.scores(users, list(TITLES[:3]))
    alone = [model.scores([user], [title])[0] for user, title in zip(users, TITLES)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_pairs_are_padded_to_few_widths_that_the_positions_allow(encoder, monkeypatch):
    model, widths = CrossEncoder(encoder), []
    model.bert.register_forward_pre_hook(lambda _, inputs: widths.append(inputs[0].shape[1]))
    model(model.read(["robot one"], ["kiss two"]))
    positions = model.bert.embeddings["position_embeddings"].num_embeddings
    monkeypatch.setattr("llmrec_lab.cross_encoder.WIDTHS", positions + 1)
    model(model.read(["robot one"], ["kiss two"]))
    assert widths == [8, positions]


def test_the_parts_sum_to_the_mean_cross_entropy_of_both_labels(encoder):
    task, rows = a_task(encoder), np.array([3, 0, 7, 11])
    parts = list(task.parts(rows, tokens=40, checkpointing=False))
    assert len(parts) > 2
    losses = []
    for row in rows:
        for place in range(3):
            (logit,) = task.module([task.read[row * 3 + place]]).tolist()
            losses.append(np.log1p(np.exp(-logit if place == 0 else logit)))
    assert sum(part.item() for part in parts) == pytest.approx(np.mean(losses), abs=1e-5)


def test_training_learns_what_is_liked_and_the_folder_keeps_it(encoder, tmp_path):
    curve = finetune(a_task(encoder), tmp_path, CONFIG)
    assert curve.losses[-1] < 0.5 * curve.losses[0]
    task, model = a_task(encoder), load_cross_encoder(str(tmp_path))
    scores = model.scores([task.pairs.texts[7]] * N_ITEMS, list(TITLES))
    assert scores[:20].mean() > 0 > scores[20:].mean()


def test_every_weight_of_the_head_is_trained(encoder, tmp_path):
    task = a_task(encoder)
    before = {name: weight.clone() for name, weight in task.module.named_parameters()}
    finetune(task, tmp_path, TrainConfig(batch=16, rate=1e-3, dtype="float32"))
    still = [name for name, weight in task.module.named_parameters() if torch.equal(weight, before[name])]
    assert still == []


def test_a_task_without_negatives_is_refused(encoder):
    pairs = make_pairs(people(), TITLES)
    for negatives in (np.empty((len(pairs), 0), dtype=int), np.zeros((3, 2), dtype=int), None):
        with pytest.raises(DataError, match="else all labels are 1 and the network learns to say 1"):
            CrossEncoderTask(encoder, pairs, TITLES, negatives)


def test_a_rounded_encoder_is_refused(encoder):
    with pytest.raises(DataError, match="load it as float32"):
        CrossEncoderTask(copy_of(encoder, "bfloat16"), make_pairs(people(), TITLES), TITLES, np.zeros((120, 1), dtype=int))


def test_a_model_without_a_head_is_refused(encoder):
    with pytest.raises(AssetError, match="has no head that scores a pair; train one with CrossEncoderTask"):
        load_cross_encoder(encoder.name)


def test_the_configuration_names_one_label(encoder, tmp_path):
    a_task(encoder).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["id2label"] == {"0": "LABEL_0"}
    assert config["hidden_size"] == 32


class Reader:
    """Likes the last title of the alphabet best, and notes what it was asked."""

    def __init__(self):
        self.asked = []

    def scores(self, user_texts, item_texts):
        self.asked.append((set(user_texts), list(item_texts)))
        return np.argsort(np.argsort(item_texts)).astype(np.float32)


def test_the_reranker_reads_the_first_items_and_no_other_can_pass_them(rng):
    histories, reader = people(n_users=3), Reader()
    ranking = rng.standard_normal((3, N_ITEMS))
    ranking[:, 7] = -np.inf
    added = Reranker(reader, TITLES, TITLES, weight=50.0, depth=5, last=2).scores(histories, ranking)
    for row in range(3):
        first = np.argsort(-ranking[row])[:5]
        assert reader.asked[row] == ({user_texts(histories, TITLES, 2)[row]}, list(TITLES[first]))
        best = np.argsort(-(ranking + added)[row])[:5]
        assert set(best) == set(first)
        assert list(TITLES[best]) == sorted(TITLES[first], reverse=True)
        assert added[row, first].mean() == pytest.approx(0, abs=1e-9)
        assert added[row, first].std() == pytest.approx(50)


def test_a_ranking_without_a_choice_is_left_alone():
    ranking = np.full((1, N_ITEMS), -np.inf)
    ranking[0, 3] = 1.0
    assert not Reranker(Reader(), TITLES, TITLES).scores(people(n_users=1), ranking).any()


# --- in the recommender ------------------------------------------------------------------------------------------------


@pytest.fixture
def reranked(word_counts, tiny):
    catalog, interactions = tiny
    reranker = Reranker(Reader(), catalog.titles, catalog.titles, weight=3.0, depth=2)
    return Recommender(catalog, word_counts, reranker=reranker).fit(interactions)


def test_a_slate_says_what_reading_together_added_and_its_parts_sum_to_the_score(reranked):
    slate = reranked.recommend("ada", k=5)
    assert slate.part_names[-1] == "read together"
    np.testing.assert_allclose(slate.parts.sum(axis=1), slate.scores, atol=1e-6)
    assert sorted(slate.parts[:, -1]) == [-3.0, 3.0]
    assert list(slate.titles) == ["My Neighbor Totoro", "Amélie"]  # the later title of the alphabet first


def test_one_user_and_many_get_the_same_slates(reranked):
    table = reranked.recommend_users(["bo", "ada"], k=3)
    for user in ("bo", "ada"):
        slate, listed = reranked.recommend(user, k=3), table[table["user_id"] == user]
        assert listed["item_id"].tolist() == slate.item_ids.tolist()
        np.testing.assert_allclose(listed["score"], slate.scores, atol=1e-6)


def test_without_a_reranker_nothing_changes_and_a_loaded_recommender_takes_one(reranked, word_counts, tmp_path):
    reranked.save(tmp_path)
    plain = Recommender.load(tmp_path, word_counts)
    assert "read together" not in plain.recommend("ada", k=5).part_names
    again = Recommender.load(tmp_path, word_counts, reranked.reranker)
    assert again.recommend("ada", k=5).to_frame().equals(reranked.recommend("ada", k=5).to_frame())


def test_the_recommender_takes_a_tuned_encoder_by_its_path(encoder, tiny, tmp_path):
    task = a_task(encoder)
    task.save(tmp_path / "cross")
    BiEncoderTask(encoder, task.pairs, TITLES).save(tmp_path / "tuned")
    catalog, interactions = tiny
    lab = Recommender(catalog, load_encoder(str(tmp_path / "tuned"), "cpu")).fit(interactions)
    lab.reranker = Reranker(load_cross_encoder(str(tmp_path / "cross")), catalog.titles, catalog.texts)
    assert len(lab.recommend("ada", k=2)) == 2
    lab.save(tmp_path / "lab")
    assert Recommender.load(tmp_path / "lab").encoder.name == str(tmp_path / "tuned")
