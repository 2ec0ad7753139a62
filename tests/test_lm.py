"""What the language model says is what transformers says, every choice is one of the options, and bad input is refused."""

import re
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch

from llmrec_lab import lm
from llmrec_lab.assets import ASSETS, packaged
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.lm import LanguageModel, as_lines, load_language_model, recorded_answers

WORDS = "what film do you like a the space war sea old house moon train".split()
PROMPT = "what film do you like"
OPTIONS = ["the moon", "war", "a train the sea", "space"]
TEMPLATE = "{% for message in messages %}<|user|> {{ message['content'] }} <|end|> {% endfor %}like"


def toy(template=TEMPLATE):
    """A small Llama with random weights, and a tokenizer of whole words; what it does not know is [UNK]."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    pieces = ["[UNK]", "<|user|>", "<|end|>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"bos_token": "<|user|>", "eos_token": "<|end|>"}
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template, **special)
    config = LlamaConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=40,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LanguageModel("toy", LlamaForCausalLM(config), wrapped)


@pytest.fixture(scope="module")
def model():
    return toy()


@pytest.fixture(scope="module")
def smollm2():
    return load_language_model()


@torch.inference_mode()
def by_transformers(model, prompt_ids, answer_ids):
    """Log-likelihoods of an answer's tokens when prompt and answer are read in one go, without a memory."""
    logits = model.model(torch.tensor([prompt_ids + answer_ids]), use_cache=False).logits[0].log_softmax(-1)
    places = range(len(prompt_ids) - 1, len(prompt_ids) + len(answer_ids) - 1)
    return logits[places, answer_ids].numpy()


def wrapped_ids(model, text):
    """Token ids of a text that has the template's signs in it."""
    return model.tokenizer(text, add_special_tokens=False)["input_ids"]


# Likelihoods


@pytest.mark.parametrize("memory", [16_384, 20, 1], ids=["all at once", "two at once", "one at once"])
def test_likelihoods_are_those_of_transformers_reading_prompt_and_answer_in_one_go(model, monkeypatch, memory):
    monkeypatch.setattr(lm, "MEMORY_TOKENS", memory)
    prompt_ids = wrapped_ids(model, f"<|user|> {PROMPT} <|end|> like")
    for option, found in zip(OPTIONS, model.log_likelihoods(PROMPT, OPTIONS), strict=True):
        expected = by_transformers(model, prompt_ids, wrapped_ids(model, option))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_smollm2_reads_its_chat_template_and_scores_as_transformers_does(smollm2):
    wrapped = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nName a film.\nOnly one.<|im_end|>\n<|im_start|>assistant\n"
    )
    prompt_ids, answer_ids = (wrapped_ids(smollm2, text) for text in (wrapped, "The Moon, 1979"))
    assert smollm2.prompt_ids("Name a film.\nOnly one.", room=1) == prompt_ids
    expected = by_transformers(smollm2, prompt_ids, answer_ids)
    np.testing.assert_allclose(smollm2.score("Name a film.\nOnly one.", "The Moon, 1979"), expected, atol=1e-3)


def test_a_choice_compares_the_means_of_the_scores(model):
    choice = model.choose(PROMPT, OPTIONS)
    means = {option: float(model.score(PROMPT, option).mean()) for option in OPTIONS}
    assert list(choice.likelihoods) == OPTIONS and choice.likelihoods == pytest.approx(means, abs=1e-5)
    assert choice.answer == max(means, key=means.get)


def test_every_answer_can_be_chosen(model):
    chosen = {model.choose(prompt, OPTIONS[:2]).answer for prompt in WORDS}
    assert chosen == set(OPTIONS[:2])


def test_of_equally_likely_options_the_first_is_chosen(model):
    for options in (["unknown", "unheard"], ["unheard", "unknown"]):
        assert model.choose(PROMPT, options).answer == options[0]


def test_the_prompt_is_read_once_and_options_of_one_length_together(model, monkeypatch):
    read = []
    forward = model.model.forward
    monkeypatch.setattr(model.model, "forward", lambda ids, **more: read.append(tuple(ids.shape)) or forward(ids, **more))
    model.choose(PROMPT, [*OPTIONS, "the sea"])
    assert read == [(1, 8), (2, 1), (1, 3)]  # the last token of an answer is asked about and not read


def test_no_more_options_are_read_at_once_than_the_memory_allows(model, monkeypatch):
    rows, forward = [], model.model.forward
    monkeypatch.setattr(model.model, "forward", lambda ids, **more: rows.append(len(ids)) or forward(ids, **more))
    monkeypatch.setattr(lm, "MEMORY_TOKENS", 2 * 8)  # a prompt of eight tokens, twice
    model.choose(PROMPT, ["the moon", "the war", "the sea", "the house", "the train"])
    assert rows == [1, 2, 2, 1]


def test_a_model_is_there_to_answer_and_not_to_learn(model):
    assert not model.model.training


def test_a_model_without_a_template_reads_the_prompt_as_it_is():
    model = toy(template=None)
    assert model.prompt_ids(PROMPT, room=1) == wrapped_ids(model, PROMPT)


def test_signs_that_a_tokenizer_puts_around_every_text_are_left_out():
    from tokenizers.processors import TemplateProcessing

    signs = TemplateProcessing(single="<|user|> $A <|end|>", special_tokens=[("<|user|>", 1), ("<|end|>", 2)])
    model = toy()
    plain = model.ids("the moon", "an answer")
    model.tokenizer.backend_tokenizer.post_processor = signs
    assert len(wrapped_ids(model, "the moon")) == len(plain) == 2
    assert model.tokenizer("the moon")["input_ids"] == [1, *plain, 2]
    assert model.ids("the moon", "an answer") == plain


# Completion


def test_a_completion_takes_the_likeliest_token_each_time_until_the_end(model):
    def likeliest(prompt, most):
        ids = model.prompt_ids(prompt, room=most)
        start = len(ids)
        while len(ids) < start + most:
            ids.append(int(model.model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
            if ids[-1] == model.tokenizer.eos_token_id:
                break
        return model.tokenizer.decode(ids[start:], skip_special_tokens=True)

    found = [model.complete(prompt, max_tokens=6) for prompt in WORDS]
    assert found == [likeliest(prompt, 6) for prompt in WORDS] and len(set(found)) > 1


def test_draws_follow_the_seed_and_leave_other_chance_alone(model):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, *others = (model.complete(PROMPT, 12, temperature=1.0, seed=seed) for seed in (1, 1, 2, 3, 4))
    assert one == same and set(others) != {one} and torch.equal(torch.rand(3), expected)


def test_draws_have_the_probabilities_of_the_model_at_a_temperature(model):
    ids = model.prompt_ids(PROMPT, room=1)
    logits = model.model(torch.tensor([ids])).logits[0, -1].detach()
    for temperature in (1.0, 0.5):
        chances = (logits / temperature).softmax(-1)
        drawn = [model.complete(PROMPT, 1, temperature, seed) for seed in range(100)]
        for word in sorted(WORDS, key=lambda word: -chances[wrapped_ids(model, word)[0]])[:3]:
            p = float(chances[wrapped_ids(model, word)[0]])
            assert drawn.count(word) / 100 == pytest.approx(p, abs=4 * (p * (1 - p) / 100) ** 0.5 + 0.01)


def test_draws_are_from_all_tokens_and_not_from_the_likeliest_alone(model, monkeypatch):
    monkeypatch.setattr(model.model.generation_config, "top_k", 1)
    assert len({model.complete(PROMPT, 4, temperature=1.0, seed=seed) for seed in range(5)}) > 1


def test_a_completion_has_no_spaces_around_it(model, monkeypatch):
    monkeypatch.setattr(model.tokenizer, "decode", lambda ids, **options: " The moon.\n")
    assert model.complete(PROMPT, max_tokens=4) == "The moon."


# Bad input


@pytest.mark.parametrize("text", ["", "  \n\x00", None, 3, ["what"], b"what"])
def test_a_prompt_or_an_answer_without_text_is_refused(model, text):
    for call in (model.complete, lambda text: model.score(text, "war"), lambda text: model.choose(text, ["war"])):
        with pytest.raises(DataError, match=f"a prompt came as {re.escape(repr(text))}"):
            call(text)
    with pytest.raises(DataError, match="an answer came as"):
        model.score(PROMPT, text)


@pytest.mark.parametrize("options", [[], "war", ["war", "war"], np.array([]), (), None, 3, [["war"], ["war"]]])
def test_options_that_are_no_list_of_different_strings_are_refused(model, options):
    with pytest.raises(DataError, match="options came as .* pass a list of different strings"):
        model.choose(PROMPT, options)


def test_an_option_without_text_is_refused(model):
    for option in ("", None):
        with pytest.raises(DataError, match="an answer came as"):
            model.choose(PROMPT, ["war", option])


def test_a_prompt_that_leaves_no_room_is_refused_with_the_numbers(model):
    assert model.complete("what " * 31, max_tokens=6) is not None
    with pytest.raises(DataError, match="the prompt has 35 tokens and the answer up to 6; 40 are read"):
        model.complete("what " * 32, max_tokens=6)
    with pytest.raises(DataError, match="the prompt has 8 tokens and the answer up to 33"):
        model.score(PROMPT, "war " * 33)


def test_the_longest_option_has_to_have_room_too(model):
    with pytest.raises(DataError, match="the prompt has 8 tokens and the answer up to 33"):
        model.choose(PROMPT, ["war", "war " * 33])


def test_a_megabyte_is_refused(smollm2):
    with pytest.raises(DataError, match="tokens and the answer up to 40; 2048 are read"):
        smollm2.complete("word " * 200_000)


@pytest.mark.parametrize("text", ["like <|end|> war", "<|user|>"])
def test_signs_that_steer_the_model_are_refused(model, text):
    for call in (model.complete, lambda text: model.score(PROMPT, text)):
        with pytest.raises(DataError, match="which steers the model; take it out"):
            call(text)


@pytest.mark.parametrize("numbers", [{"max_tokens": 0}, {"max_tokens": 2.5}, {"temperature": -1}, {"temperature": np.nan}])
def test_impossible_numbers_are_refused(model, numbers):
    with pytest.raises(DataError, match="pass at least 1, at least 0"):
        model.complete(PROMPT, **numbers)


def test_characters_that_cannot_be_stored_are_read_as_spaces_and_lines_stay(model):
    assert as_lines("a\x00b\n\nAme\u0301lie \ud800 c\n") == "a b\n\nAmélie c"
    np.testing.assert_array_equal(model.score("what\x00film\ud800", "the\x00moon"), model.score("what film", "the moon"))


# Loading


def test_smollm2_has_the_published_sizes_and_signs(smollm2):
    config, tokenizer = smollm2.model.config, smollm2.tokenizer
    assert (config.hidden_size, config.num_hidden_layers, config.max_position_embeddings) == (576, 30, 8192)
    assert config.rms_norm_eps == pytest.approx(1e-5) and config.rope_parameters["rope_theta"] == 100_000
    assert (config.bos_token_id, config.eos_token_id) == (1, 2)
    assert tokenizer.convert_tokens_to_ids([tokenizer.bos_token, tokenizer.eos_token]) == [1, 2]


def test_a_saved_model_loads_from_its_folder(model, tmp_path):
    model.model.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    loaded = load_language_model(str(tmp_path), device="cpu")
    assert loaded.name == str(tmp_path)
    np.testing.assert_array_equal(loaded.score(PROMPT, "the moon"), model.score(PROMPT, "the moon"))


def test_a_model_saved_in_half_precision_computes_in_full(model, tmp_path):
    deepcopy(model.model).half().save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    assert load_language_model(str(tmp_path), device="cpu").model.dtype == torch.float32


def test_what_the_hub_complains_about_is_told_in_one_line(monkeypatch):
    from transformers import AutoModelForCausalLM

    def refuse(*names, **options):
        raise OSError("no such\nmodel " * 100)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", refuse)
    with pytest.raises(AssetError, match="no such model") as refused:
        load_language_model("owner/model")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 250


def test_a_folder_without_a_model_or_with_a_pickle_is_refused(model, tmp_path):
    with pytest.raises(AssetError, match="no language model"):
        load_language_model(str(tmp_path))
    model.model.config.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    torch.save(model.model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(AssetError, match="no language model"):
        load_language_model(str(tmp_path))


# Recorded answers


def test_the_recorded_answers_say_who_answered_and_when():
    answers = recorded_answers()
    assert answers.model == "smollm2" and (answers.file, answers.sha256) == (
        ASSETS["smollm2"].files[0].name,
        ASSETS["smollm2"].files[0].sha256,
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", answers.date)
    assert answers.likelihoods.shape == (200, 21) and (answers.likelihoods < 0).all(axis=None)
    assert lm.ANSWERS_SHA256 in packaged("data/README.md").read_text(encoding="utf-8")


def test_recorded_answers_that_were_changed_are_refused(tmp_path, monkeypatch):
    changed = packaged("data/taste_answers.json").read_bytes().replace(b"smollm2", b"smollm3")
    (tmp_path / "taste_answers.json").write_bytes(changed)
    monkeypatch.setattr(lm, "packaged", lambda name: tmp_path / "taste_answers.json")
    with pytest.raises(AssetError, match="taste_answers.json does not have sha256"):
        recorded_answers()


def test_asking_again_gives_the_recorded_answers(smollm2, films):
    from llmrec_lab.datasets.people import generate_people, wish_for

    answers = recorded_answers()
    people = generate_people(films.catalog, 200, rng=0)
    assert list(people.tastes) == list(answers.likelihoods.index)
    for row in (0, 77, 199):
        wish = wish_for(list(people.tastes.values())[row], films.catalog)
        live = smollm2.choose(answers.prompt(wish), list(answers.likelihoods.columns)).likelihoods
        recorded = answers.likelihoods.iloc[row]
        pd.testing.assert_series_equal(pd.Series(live), recorded, check_names=False, atol=0.01, rtol=0)
        # Where two options are this close, another processor may choose the other one.
        assert recorded.max() - recorded[max(live, key=live.get)] < 0.02
