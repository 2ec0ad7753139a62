"""The masks are BERT's, the loss is that of transformers, and what is trained beats guessing by frequency."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from llmrec_lab import masked_lm
from llmrec_lab.errors import DataError
from llmrec_lab.masked_lm import (
    MASK,
    SPECIAL,
    TinyBertConfig,
    blocks,
    frequency_losses,
    guesses,
    held_out_losses,
    mask_tokens,
    masked_losses,
    pretrain,
    text_vectors,
    tiny_bert,
    train_tokenizer,
)

TEXTS = ["the tea is hot and sweet", "the dog is loud and old", "茶很热也很甜", "狗很吵也很老"] * 100
CONFIG = TinyBertConfig(vocabulary=60, length=6, d=32, batch=64, steps=150, share=0.15)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, CONFIG.vocabulary)


@pytest.fixture(scope="module")
def trained(tokenizer):
    return pretrain(blocks(TEXTS, tokenizer, CONFIG.length), CONFIG)


def generator():
    return torch.Generator().manual_seed(3)


def test_special_tokens_come_first_and_chinese_characters_stand_alone(tokenizer):
    assert [tokenizer.token_to_id(piece) for piece in SPECIAL] == [0, 1, 2, 3, 4] and MASK == 4
    assert tokenizer.encode("狗很吵").tokens == ["狗", "很", "吵"]


def test_capitals_are_folded_and_what_is_not_in_the_vocabulary_is_unknown(tokenizer):
    assert tokenizer.encode("Tea?! 猫").tokens == ["tea", "[UNK]", "[UNK]", "[UNK]"]


def test_the_vocabulary_holds_the_most_frequent_words_and_ties_are_in_alphabetical_order():
    tokenizer = train_tokenizer(["b a c", "c 茶 d"], size=8)
    assert sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id) == [*SPECIAL, "c", "a", "b"]


def test_blocks_hold_the_tokens_in_order_and_drop_what_is_left(tokenizer):
    rows = blocks(["the tea is hot", "the dog", "茶很热也很甜"], tokenizer, 3)
    assert [tokenizer.decode(row.tolist()) for row in rows] == ["the tea is", "茶 很 热", "也 很 甜"]


def test_texts_that_are_all_too_short_are_refused(tokenizer):
    with pytest.raises(DataError, match="none of 2 texts has 9 tokens"):
        blocks(["tea", ""], tokenizer, 9)


@pytest.mark.parametrize("share", [0.15, 0.5])
def test_of_the_tokens_asked_about_eight_in_ten_are_masked_one_is_another_and_one_stays(share):
    ids = torch.full((400, 500), 7)
    read, asked = mask_tokens(ids, 1000, generator(), share)
    assert asked.float().mean().item() == pytest.approx(share, abs=0.005)
    assert (read[asked] == MASK).float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert (read[asked] == 7).float().mean().item() == pytest.approx(0.1, abs=0.01)
    other = read[asked & (read != MASK) & (read != 7)]
    assert other.min() >= len(SPECIAL) and other.max() < 1000 and len(other.unique()) > 900


def test_masks_are_shared_out_as_by_the_collator_of_transformers(tokenizer):
    from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="[MASK]", pad_token="[PAD]", unk_token="[UNK]")
    ids = torch.full((300, 300), 20)
    batch = DataCollatorForLanguageModeling(wrapped, seed=1)([{"input_ids": row} for row in ids])
    theirs = [(batch["input_ids"] == MASK).float().mean(), (batch["labels"] != -100).float().mean()]
    read, asked = mask_tokens(ids, tokenizer.get_vocab_size(), generator())
    ours = [(read == MASK).float().mean(), asked.float().mean()]
    assert [x.item() for x in ours] == pytest.approx([x.item() for x in theirs], abs=0.005)


def test_tokens_that_are_not_asked_about_are_read_as_they_are(rng):
    ids = torch.tensor(rng.integers(5, 60, (50, 50)))
    before = ids.clone()
    read, asked = mask_tokens(ids, 60, generator())
    assert (read[~asked] == ids[~asked]).all() and (ids == before).all() and asked.any()


def test_the_loss_is_that_of_transformers():
    model = tiny_bert(CONFIG).eval()
    ids = torch.arange(12).reshape(2, 6) + 5
    read, asked = mask_tokens(ids, CONFIG.vocabulary, generator(), share=0.5)
    theirs = model(input_ids=read, labels=ids.masked_fill(~asked, -100)).loss
    ours = masked_losses(model, read, ids, asked)
    assert len(ours) == asked.sum() and ours.mean().item() == pytest.approx(theirs.item(), abs=1e-5)


def test_first_weights_depend_on_the_seed_and_leave_other_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (tiny_bert(CONFIG, seed).bert.embeddings.word_embeddings.weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other) and torch.equal(torch.rand(3), expected)


def test_the_network_has_the_sizes_of_the_choices():
    model = tiny_bert(TinyBertConfig(vocabulary=500, length=5, d=48, layers=2, heads=6, first=0.2))
    layers = model.bert.encoder.layer
    assert model.bert.embeddings.word_embeddings.weight.shape == (500, 48)
    assert model.bert.embeddings.position_embeddings.weight.shape == (5, 48)
    assert len(layers) == 2 and layers[0].attention.self.num_attention_heads == 6
    assert layers[1].intermediate.dense.weight.shape == (4 * 48, 48)
    assert layers[1].intermediate.dense.weight.std().item() == pytest.approx(0.2, rel=0.05)


def test_every_step_asks_about_the_right_share_of_another_batch(monkeypatch):
    batches, loss = [], masked_lm.masked_losses
    monkeypatch.setattr(masked_lm, "masked_losses", lambda *inputs: batches.append(inputs[1:]) or loss(*inputs))
    train = torch.arange(5, 59).repeat(200).reshape(-1, 6)  # nine different rows, 1,800 in all
    config = replace(CONFIG, d=8, batch=300, steps=3, share=0.4)
    for seed in (1, 2):
        pretrain(train, config, seed)
    assert all(len(ids) == 300 for _, ids, _ in batches)
    assert all(asked.float().mean().item() == pytest.approx(0.4, abs=0.05) for *_, asked in batches)
    assert len({tuple(ids.flatten().tolist()) for _, ids, _ in batches}) == 6  # two seeds, three steps
    assert all(set(map(tuple, ids.tolist())) == set(map(tuple, train.tolist())) for _, ids, _ in batches)


def test_training_starts_from_the_weights_of_its_seed_and_follows_its_rate(tokenizer):
    train, seen = blocks(TEXTS, tokenizer, CONFIG.length), {}

    def watch(step, model):
        seen[step] = model.bert.embeddings.word_embeddings.weight.detach().clone()

    for rate, moved in ((1e-9, False), (1e-2, True)):
        pretrain(train, replace(CONFIG, steps=2, rate=rate), seed=7, watch=watch)
        first = tiny_bert(CONFIG, seed=7).bert.embeddings.word_embeddings.weight
        assert list(seen) == [0, 1, 2] and torch.equal(seen[0], first)
        assert torch.allclose(seen[2], first, atol=1e-6) != moved


def test_training_is_the_same_for_the_same_seed(tokenizer):
    short = TinyBertConfig(vocabulary=60, length=6, d=8, batch=4, steps=3)
    train = blocks(TEXTS, tokenizer, 6)
    one, same, other = (pretrain(train, short, seed).cls.predictions.bias for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_a_trained_model_beats_guessing_by_frequency_and_an_untrained_one_does_not(tokenizer, trained):
    train = blocks(TEXTS, tokenizer, CONFIG.length)
    base = frequency_losses(train, train, CONFIG.vocabulary).mean()
    assert held_out_losses(trained, train).mean() < 0.7 * base
    assert held_out_losses(tiny_bert(CONFIG), train).mean() > base


def test_training_starts_from_the_frequencies(tokenizer):
    train, start = blocks(TEXTS, tokenizer, CONFIG.length), []

    def watch(step, model):
        if step == 0:
            start.append(held_out_losses(model, train).mean())

    pretrain(train, replace(CONFIG, steps=2), watch=watch)
    assert start[0] < frequency_losses(train, train, CONFIG.vocabulary).mean() + 0.5
    assert held_out_losses(tiny_bert(CONFIG), train).mean() > start[0] + 0.5


def test_a_model_that_only_copies_what_it_reads_does_not_look_good(tokenizer):
    train = blocks(TEXTS, tokenizer, CONFIG.length)
    seen = []

    class Copies:
        """Stands in for a network: is sure of whatever it reads."""

        def bert(self, read):
            seen.append(read)
            return SimpleNamespace(last_hidden_state=torch.nn.functional.one_hot(read, CONFIG.vocabulary) * 50.0)

        def cls(self, vectors):
            return vectors

    assert (held_out_losses(Copies(), train) > 40).all()
    assert (seen[0] == MASK).any() and (seen[0] != MASK).any()


def test_every_model_and_the_frequencies_are_asked_about_the_same_tokens(tokenizer, trained):
    train = blocks(TEXTS, tokenizer, CONFIG.length)
    losses = [held_out_losses(model, train, share=0.5, seed=4) for model in (trained, tiny_bert(CONFIG))]
    by_frequency = frequency_losses(train, train, CONFIG.vocabulary, share=0.5, seed=4)
    assert len(losses[0]) == len(losses[1]) == len(by_frequency) == pytest.approx(train.numel() / 2, rel=0.05)


def test_guessing_by_frequency_counts_the_training_text_and_every_word_once_more():
    losses = frequency_losses(torch.tensor([[5, 5, 4]]), torch.tensor([[5, 4, 3]]), size=6, share=1.0)
    assert losses.exp().tolist() == pytest.approx([9 / 3, 9 / 2, 9 / 1])


def test_the_tokens_asked_about_depend_on_the_seed():
    held_out = torch.arange(5, 65).reshape(10, 6)
    train = torch.arange(5, 65).repeat_interleave(torch.arange(60))[None]  # every word as often as its place
    one, same, other = (frequency_losses(train, held_out, 65, share=0.5, seed=seed).tolist() for seed in (1, 1, 2))
    assert one == same != other


def test_guesses_follow_what_stands_to_the_left_and_to_the_right(tokenizer, trained):
    assert guesses(trained, tokenizer, "the [MASK] is hot and sweet")[0][0] == "tea"
    assert guesses(trained, tokenizer, "狗很[MASK]也很老")[0][0] == "吵"
    chances = [p for _, p in guesses(trained, tokenizer, "the [MASK] is loud", k=9)]
    assert len(chances) == 9 and chances == sorted(chances, reverse=True) and sum(chances) <= 1.01


@pytest.mark.parametrize("text", ["the tea is hot", "[MASK] is [MASK]", "[MASK] the tea is hot and sweet and hot", ""])
def test_a_text_without_one_mask_or_too_long_is_refused(text, tokenizer, trained):
    with pytest.raises(DataError, match=r"write one, in at most 6"):
        guesses(trained, tokenizer, text)


def test_text_vectors_do_not_depend_on_the_other_texts(tokenizer, trained):
    alone = text_vectors(trained, tokenizer, ["the dog"])
    beside = text_vectors(trained, tokenizer, ["the tea is hot and sweet", "the dog", ""])
    torch.testing.assert_close(beside[1], alone[0])
    assert beside[2].tolist() == [0.0] * CONFIG.d and not torch.equal(beside[0], beside[1])


def test_a_text_vector_is_the_mean_over_its_own_tokens_of_the_first_block(tokenizer, trained):
    found = text_vectors(trained, tokenizer, ["the dog", "the tea is hot and sweet", "the tea is hot and sweet and loud"])
    for vector, text in zip(found, ["the dog", "the tea is hot and sweet"]):
        with torch.inference_mode():
            tokens = trained.bert(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0]  # (t, d), no padding
        torch.testing.assert_close(vector, tokens.mean(0))
    torch.testing.assert_close(found[2], found[1])


@pytest.mark.parametrize("train", [torch.full((4, 5), 7), torch.full((4, 6), 60), torch.full((6,), 7)])
def test_blocks_that_do_not_fit_the_choices_are_refused(train):
    with pytest.raises(DataError, match="length of 6 and 60 words"):
        pretrain(train, CONFIG)
