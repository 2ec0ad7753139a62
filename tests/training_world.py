"""What the tests of training share: a BERT of two layers with random weights, and people of two tastes."""

import json

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from llmrec_lab.catalog import Histories
from llmrec_lab.encoder import Bert, load_encoder

TASTES = [["robot", "laser", "orbit", "alien", "rocket"], ["waltz", "letter", "garden", "kiss", "violin"]]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ";", *TASTES[0], *TASTES[1], "one", "two", "three", "four"]
CONFIG = {
    "model_type": "bert",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}
TITLES = np.array([f"{word} {number}" for taste in TASTES for word in taste for number in WORDS[-4:]], dtype=object)
N_ITEMS = len(TITLES)  # 40: the first half for one taste, the second for the other


def small_encoder(folder, seed=0, **changes):
    """A BERT of 32 numbers a token with random weights, loaded from the three files of a published model."""
    folder.mkdir(parents=True)
    bert = Bert(CONFIG | changes)
    generator = torch.Generator().manual_seed(seed)
    weights = {name: torch.randn(weight.shape, generator=generator) * 0.2 for name, weight in bert.state_dict().items()}
    weights |= {name: torch.ones_like(weight) for name, weight in weights.items() if name.endswith("LayerNorm.weight")}
    save_file({f"bert.{name}": weight for name, weight in weights.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return load_encoder(str(folder), "cpu")


def people(n_users=24, length=6, seed=0) -> Histories:
    """Users who each met `length` different items of one taste."""
    rng = np.random.default_rng(seed)
    half = N_ITEMS // 2
    items = np.concatenate([rng.permutation(half)[:length] + half * (user % 2) for user in range(n_users)])
    user_ids = np.array([f"u{user:02}" for user in range(n_users)], dtype=object)
    return Histories(user_ids, items, np.arange(len(items)), np.arange(0, len(items) + 1, length), N_ITEMS)
