"""A small causal language model: complete a prompt, choose among options, score a text. Knows nothing about items or users.

The network is `transformers.LlamaForCausalLM`, or any causal model of a hub; what is written here is what is asked of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
import torch

from llmrec_lab.assets import asset_files, packaged, sha256_of
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.text import clean

ANSWERS_SHA256 = "ef13231afdade22871226831310808b83db5f9a5528decf1deb09592f357f308"
MAX_TOKENS = 2048  # of a prompt and its answer; a processor reads some hundred a second
MEMORY_TOKENS = 16_384  # what is kept of the prompt, once for each option: 46 kB a token for smollm2, so 750 MB at most


@dataclass(frozen=True)
class Choice:
    """What a model chose among options.

    Args:
        answer: the likeliest option.
        likelihoods: option to its log-likelihood, the mean over its tokens, in nats; in the order the options came.
    """

    answer: str
    likelihoods: dict[str, float]


class LanguageModel:
    """A causal model and its tokenizer: it goes on with a prompt, or says how likely a given answer is.

    A prompt is what a person says. It is wrapped as the model saw prompts in training, by the chat template of its
    tokenizer; a model without a template reads it as it is.

    Args:
        name: shown to people, so that `load_language_model(name)` finds it again.
        model: a causal model of transformers.
        tokenizer: its tokenizer, of transformers.
        device: where the model runs.
    """

    def __init__(self, name: str, model, tokenizer, device: str = "cpu"):
        self.name, self.model, self.tokenizer, self.device = name, model.to(device).eval(), tokenizer, device

    def complete(self, prompt: str, max_tokens: int = 40, temperature: float = 0.0, seed: int = 0) -> str:
        """What the model answers.

        Args:
            prompt: what a person says.
            max_tokens: where to stop if the model does not stop by itself.
            temperature: 0 takes the likeliest token each time; 1 draws tokens by their probability, less sharpens it.
            seed: of the draws; the same seed gives the same answer.

        Returns:
            The answer, without surrounding spaces.

        Raises:
            DataError: the prompt has no text or is too long, or the numbers are impossible.

        Example:
            >>> load_language_model().complete("What is the capital of France?")
            'The capital of France is Paris.'
        """
        if not isinstance(max_tokens, Integral) or max_tokens < 1 or not temperature >= 0:
            raise DataError(f"max_tokens came as {max_tokens}, temperature as {temperature}; pass at least 1, at least 0")
        ids = torch.tensor([self.prompt_ids(prompt, room=max_tokens)], device=self.device)  # (1, p)
        drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(seed)
            found = self.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_tokens, pad_token_id=0, **drawn
            )
        return self.tokenizer.decode(found[0, ids.shape[1] :], skip_special_tokens=True).strip()

    def score(self, prompt: str, text: str) -> np.ndarray:
        """How likely the model thinks each token of an answer, given the prompt and the tokens before.

        Args:
            prompt: what a person says.
            text: the answer.

        Returns:
            (t) log-likelihoods in nats, none above 0.

        Raises:
            DataError: the prompt or the text has no text, or together they are too long.

        Example:
            >>> lm = load_language_model()
            >>> question = "What is the capital of France?"
            >>> bool(lm.score(question, "Paris").mean() > lm.score(question, "Tokyo").mean())
            True
        """
        return self.log_likelihoods(prompt, [text])[0]

    def choose(self, prompt: str, options: list[str]) -> Choice:
        """The option that is the likeliest answer, so that every answer is one of the options.

        An option of many words is less likely than each of its words, so options are compared by the mean over their tokens.
        The prompt is read once for all options.

        Args:
            prompt: what a person says.
            options: at least one, no two the same; of equally likely ones the first is chosen.

        Returns:
            A Choice.

        Raises:
            DataError: there are no options, two are the same, one has no text, or the prompt has none or is too long.

        Example:
            >>> load_language_model().choose("What is the capital of France?", ["Rome", "Paris", "New York"]).answer
            'Paris'
        """
        named = [] if isinstance(options, str) or not isinstance(options, Iterable) else list(options)
        if not named or len(set(map(str, named))) < len(named):
            raise DataError(f"options came as {options!r}; pass a list of different strings")
        means = [float(tokens.mean()) for tokens in self.log_likelihoods(prompt, named)]
        return Choice(named[int(np.argmax(means))], dict(zip(named, means)))

    @torch.inference_mode()
    def log_likelihoods(self, prompt: str, texts: list[str]) -> list[np.ndarray]:
        """For each text the log-likelihoods of its tokens; what the model makes of the prompt is kept and used for all."""
        answers = [self.ids(text, "an answer") for text in texts]
        prompt_ids = torch.tensor([self.prompt_ids(prompt, room=max(map(len, answers)))], device=self.device)  # (1, p)
        read = self.model(prompt_ids, logits_to_keep=1)
        at_once = max(1, MEMORY_TOKENS // prompt_ids.shape[1])
        found = {}
        for length in sorted(set(map(len, answers))):  # answers of one length need no padding, which would cost time
            alike = [place for place, answer in enumerate(answers) if len(answer) == length]
            for start in range(0, len(alike), at_once):
                places = alike[start : start + at_once]
                rows = self.go_on([answers[place] for place in places], read.logits, deepcopy(read.past_key_values))
                found |= zip(places, rows)
        return [found[place] for place in range(len(answers))]

    def go_on(self, answers: list[list[int]], logits: torch.Tensor, memory) -> np.ndarray:
        """(b, t) log-likelihoods of b answers of t tokens to a prompt that was read already.

        Args:
            answers: b lists of t token ids.
            logits: (1, 1, vocabulary) of the token behind the prompt.
            memory: keys and values of the prompt's tokens, to be used up.
        """
        ids = torch.tensor(answers, device=self.device)  # (b, t)
        logits = logits.expand(len(answers), -1, -1)  # (b, 1, vocabulary)
        if ids.shape[1] > 1:
            memory.batch_repeat_interleave(len(answers))
            logits = torch.cat([logits, self.model(ids[:, :-1], past_key_values=memory).logits], dim=1)  # (b, t, vocabulary)
        return (logits.gather(2, ids[:, :, None])[:, :, 0] - logits.logsumexp(2)).cpu().numpy()

    def prompt_ids(self, prompt: str, room: int) -> list[int]:
        """The tokens of a prompt in the chat template; DataError if it leaves no room for so many more tokens."""
        ids = self.ids(prompt, "a prompt")
        if self.tokenizer.chat_template:
            said = [{"role": "user", "content": as_lines(prompt)}]
            ids = self.tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=False)
        most = min(MAX_TOKENS, getattr(self.model.config, "max_position_embeddings", MAX_TOKENS))
        if len(ids) + room > most:
            raise DataError(
                f"the prompt has {len(ids)} tokens and the answer up to {room}; {most} are read, so shorten them"
            )
        return ids

    def ids(self, text: str, what: str) -> list[int]:
        """The tokens of a text; DataError if it has none, or holds a sign that only the template may use."""
        if not isinstance(text, str) or not as_lines(text):
            raise DataError(f"{what} came as {text!r}; pass a string with words")
        ids = self.tokenizer.encode(as_lines(text), add_special_tokens=False)
        control = set(ids) & set(self.tokenizer.all_special_ids)
        if control:
            raise DataError(f"{what} holds {self.tokenizer.decode(sorted(control))!r}, which steers the model; take it out")
        return ids


def as_lines(text: str) -> str:
    """A text whose lines are clean, without empty lines around it.

    Example:
        >>> as_lines("Films:  Alien\\x00\\nHeat \\n")
        'Films: Alien\\nHeat'
    """
    return "\n".join(map(clean, text.splitlines())).strip()


def load_language_model(name: str = "smollm2", device: str = "auto") -> LanguageModel:
    """Load a causal language model: `smollm2` (English, offline), a folder, or a model of a hub.

    Args:
        name: `smollm2`; a folder with a causal model of transformers in safetensors; or `owner/model` on a hub.
        device: `cpu`, `cuda`, or `auto` (CUDA when it is there).

    Returns:
        A LanguageModel.

    Raises:
        AssetError: the files are missing or damaged, or no hub answered.

    Example:
        >>> load_language_model().model.num_parameters()
        134515008
    """
    model, tokenizer = load_smollm2() if name == "smollm2" else load_from_hub(name)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return LanguageModel(name, model, tokenizer, device)


def load_smollm2():
    """SmolLM2-135M-Instruct and its tokenizer from the GGUF file.

    Source:
        Ben Allal et al. 2025, SmolLM2, arXiv 2502.02737.
    """
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers.initialization import no_init_weights

    from llmrec_lab.gguf import read_llama
    from llmrec_lab.vocabularies import byte_level_bpe

    weights, header = read_llama(asset_files("smollm2")["SmolLM2-135M-Instruct.Q4_1.gguf"])
    config = LlamaConfig(
        vocab_size=header["llama.vocab_size"],
        hidden_size=header["llama.embedding_length"],
        intermediate_size=header["llama.feed_forward_length"],
        num_hidden_layers=header["llama.block_count"],
        num_attention_heads=header["llama.attention.head_count"],
        num_key_value_heads=header["llama.attention.head_count_kv"],
        max_position_embeddings=header["llama.context_length"],
        rms_norm_eps=header["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": header["llama.rope.freq_base"]},
        bos_token_id=header["tokenizer.ggml.bos_token_id"],
        eos_token_id=header["tokenizer.ggml.eos_token_id"],
        tie_word_embeddings=True,
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level_bpe(header),
        chat_template=header["tokenizer.chat_template"],
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        clean_up_tokenization_spaces=False,
    )
    with no_init_weights():  # drawing random numbers that are about to be replaced took 2 s
        model = LlamaForCausalLM(config)
    model.load_state_dict(weights | {"lm_head.weight": weights["model.embed_tokens.weight"]}, assign=True)
    model.tie_weights()
    return model, tokenizer


def load_from_hub(name: str):
    """A causal model and its tokenizer, from a folder or a hub; no pickle is read and no code of the model's is run."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, dtype=torch.float32)
        return model, AutoTokenizer.from_pretrained(name)
    except Exception as problem:  # what the libraries raise goes up to a bare Exception
        raise AssetError(
            f"no language model {name!r}: not smollm2, and neither a folder nor a hub gave one ({clean(problem)[:80]}); "
            "check the name, or go online"
        ) from None


@dataclass(frozen=True)
class RecordedAnswers:
    """What a model said about the wishes of 200 generated people, recorded once because asking takes minutes.

    The people are `generate_people(load_films().catalog, 200, rng=0)`; tools/record_answers.py asked.

    Args:
        model, file, sha256: which weights answered.
        date: when, as year-month-day.
        template: the prompt, with `{wish}` where the wish belongs.
        likelihoods: a row for each user id, a column for each option: mean log-likelihood of its tokens, in nats.
    """

    model: str
    file: str
    sha256: str
    date: str
    template: str
    likelihoods: pd.DataFrame

    def prompt(self, wish: str) -> str:
        """What the model was asked about a wish."""
        return self.template.format(wish=wish)


def recorded_answers() -> RecordedAnswers:
    """The recorded answers of smollm2, after their hash was checked.

    Returns:
        RecordedAnswers of 200 people on 21 genres.

    Raises:
        AssetError: the file was changed.

    Example:
        >>> answers = recorded_answers()
        >>> answers.model, answers.likelihoods.shape
        ('smollm2', (200, 21))
        >>> answers.prompt("I like westerns").splitlines()[0]
        'I like westerns.'
    """
    path = packaged("data/taste_answers.json")
    if sha256_of(path) != ANSWERS_SHA256:
        raise AssetError(
            f"{path.name} does not have sha256 {ANSWERS_SHA256[:12]}...: it was changed; install llmrec-lab again"
        )
    record = json.loads(path.read_text(encoding="utf-8"))
    options = record.pop("options")
    table = pd.DataFrame.from_dict(record.pop("likelihoods"), orient="index", columns=options)
    return RecordedAnswers(**record, likelihoods=table)
