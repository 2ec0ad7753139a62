"""Our BERT is BERT, a text's vector depends on the text alone, and broken models are refused in one sentence."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from llmrec_lab import encoder as encoder_module
from llmrec_lab import four_bit
from llmrec_lab import model_files as module
from llmrec_lab.encoder import Bert, batches_by_length, load_encoder
from llmrec_lab.errors import AssetError, DataError

WORDS = "a film about space the of cheap shoes and robots war love in Paris 科 幻 电 影".lower().split()
CONFIG = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "vocab_size": 4 + len(WORDS),
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}
TEXTS = [
    "a film about space",
    "",
    "cheap shoes",
    "the war of the robots and love in paris " * 5,
    "科幻电影",
    "unknown words",
]


def make_model(folder, seed=0, **changes):
    """A tiny BERT with random weights in the three files of a published model."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIG | changes
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: weight.shape for name, weight in Bert(config).state_dict().items()}
    weights = {name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}
    save_file({f"bert.{name}": weight for name, weight in weights.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer(models.WordPiece(vocabulary(), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def vocabulary():
    return {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}


@pytest.fixture
def folder(tmp_path):
    return make_model(tmp_path / "tiny")


@pytest.fixture
def tiny_encoder(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("LLMREC_HOME", str(tmp_path / "home"))
    return load_encoder(str(folder), "cpu")


@pytest.fixture(scope="module")
def minilm():
    return load_encoder("minilm", "cpu")


@pytest.fixture(scope="module")
def e5():
    return load_encoder("e5", "cpu")


# --- the network -------------------------------------------------------------------------------------------------------


def by_transformers(folder, encoder, texts):
    """The same vectors by the library that everybody uses: its BertModel, then the mean over the tokens."""
    from transformers import BertConfig, BertModel

    config = BertConfig(**json.loads((folder / "config.json").read_text()))
    model = BertModel(config, add_pooling_layer=False).eval()
    weights = {name.removeprefix("bert."): weight for name, weight in load_file(folder / "model.safetensors").items()}
    lacking = model.load_state_dict(weights, strict=False).missing_keys
    assert not [name for name in lacking if "position_ids" not in name]
    rows = [row.ids for row in encoder.tokenizer.encode_batch([encoder.prefix + text for text in texts])]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    with torch.inference_mode():
        tokens = model(input_ids=ids, attention_mask=mask).last_hidden_state
    means = (tokens * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    return torch.nn.functional.normalize(means, dim=-1).numpy()


def test_our_bert_equals_the_one_of_transformers_on_minilm(minilm):
    texts = ["a film about space", "", "x", "Two sisters meet the spirits of a forest. " * 12, "Amélie!", "科幻电影 sci-fi"]
    folder, _ = module.model_folder("minilm")
    np.testing.assert_allclose(minilm.encode(texts), by_transformers(folder, minilm, texts), rtol=0, atol=1e-5)


def test_our_bert_equals_the_one_of_transformers_on_random_weights(folder, tiny_encoder):
    expected = by_transformers(folder, tiny_encoder, TEXTS)
    np.testing.assert_allclose(tiny_encoder.encode(TEXTS), expected, rtol=0, atol=1e-5)


def test_minilm_puts_a_space_film_nearer_to_space_travel_than_to_headphones(minilm):
    film, travel, headphones = minilm.encode(["a science fiction film", "a movie about space travel", "cheap headphones"])
    assert film @ travel > 0.4 > 0.2 > film @ headphones


def test_e5_puts_a_chinese_sentence_next_to_its_translation(e5):
    chinese, english, other = e5.encode(
        ["我喜欢看科幻电影和研究机器学习", "I like science fiction films and machine learning", "The hotel room was dirty"]
    )
    assert chinese @ english > chinese @ other + 0.05
    assert chinese @ english > english @ other
    assert e5.prefix == "query: "


def test_gradients_reach_the_weights_for_fine_tuning(tiny_encoder):
    ids = [row.ids for row in tiny_encoder.tokenizer.encode_batch(TEXTS[:3])]
    tiny_encoder.pooled(ids)[:, 0].sum().backward()
    assert tiny_encoder.bert.encoder["layer"][0]["attention"]["self"]["query"].weight.grad.abs().sum() > 0


# --- encode ------------------------------------------------------------------------------------------------------------


def test_vectors_are_unit_rows_of_float32_in_the_order_of_the_texts(tiny_encoder, rng):
    vectors = tiny_encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    order = rng.permutation(len(TEXTS))
    np.testing.assert_allclose(tiny_encoder.encode([TEXTS[i] for i in order]), vectors[order], atol=1e-5)


def test_a_batch_equals_one_by_one(tiny_encoder):
    alone = np.concatenate([tiny_encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(tiny_encoder.encode(TEXTS), alone, atol=1e-5)
    assert len({row.tobytes() for row in np.round(alone, 4)}) == len(TEXTS)


def test_minilm_in_a_batch_equals_one_by_one(minilm):
    texts = ["space", "a much longer text about a detective who hunts artificial humans " * 3, ""]
    alone = np.concatenate([minilm.encode([text]) for text in texts])
    np.testing.assert_allclose(minilm.encode(texts), alone, atol=1e-5)


def test_no_text_at_all_gives_no_rows(tiny_encoder):
    assert tiny_encoder.encode([]).shape == (0, 16)
    assert tiny_encoder.encode_cached([]).shape == (0, 16)


def test_texts_may_come_in_any_container_and_only_once(tiny_encoder):
    expected = tiny_encoder.encode(TEXTS)
    for texts in (tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), iter(TEXTS), (text for text in TEXTS)):
        np.testing.assert_array_equal(tiny_encoder.encode(texts), expected)


def test_what_cannot_be_printed_counts_as_a_space(tiny_encoder):
    found = tiny_encoder.encode(["cheap\x00shoes", "cheap \ud800 shoes", "\ufeffcheap\n\nshoes ", "cheap shoes"])
    np.testing.assert_allclose(found, found[[3, 3, 3, 3]], atol=1e-6)
    np.testing.assert_array_equal(tiny_encoder.encode_cached(["\ud800", "a\x00b"]), tiny_encoder.encode(["", "a b"]))


@pytest.mark.parametrize("bad", ["a film", None, 7, ["a film", None], [b"bytes"], [["nested"]], [float("nan")]])
def test_what_is_no_list_of_texts_is_refused(tiny_encoder, bad):
    for encode in (tiny_encoder.encode, tiny_encoder.encode_cached):
        with pytest.raises(DataError, match="encode takes a list of strings; wrap a single text in a list"):
            encode(bad)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["space ", "x", "科", "\x00"])
def test_a_text_of_a_megabyte_is_cut_and_does_not_hang(minilm, piece):
    vector = minilm.encode([piece * (1_000_000 // len(piece))])
    assert np.isfinite(vector).all()


def test_a_text_longer_than_the_model_has_positions_is_cut(tiny_encoder):
    long, longer = tiny_encoder.encode(["space robots " * 40, "space robots " * 400])
    np.testing.assert_allclose(long, longer, atol=1e-6)


@pytest.mark.parametrize("name", ["minilm", "e5"])
def test_the_published_models_are_cut_at_256_tokens(name, request):
    tokenizer = request.getfixturevalue(name).tokenizer
    assert len(tokenizer.encode("space " * 999).ids) == module.MAX_TOKENS


# --- batches -----------------------------------------------------------------------------------------------------------


def test_batches_hold_every_text_once_and_no_more_tokens_than_allowed(rng):
    for count in (0, 1, 2, 50, 1000):
        lengths = rng.integers(2, 257, count).tolist()
        batches = batches_by_length(lengths, 1024)
        assert sorted(row for batch in batches for row in batch.tolist()) == list(range(count))
        assert all(len(batch) * max(lengths[row] for row in batch) <= 1024 for batch in batches)


def test_batches_are_full(rng):
    lengths = rng.integers(2, 257, 1000).tolist()
    batches = batches_by_length(lengths, 1024)
    for batch, following in zip(batches, batches[1:]):
        assert (len(batch) + 1) * lengths[following[0]] > 1024


def test_sorting_by_length_pads_little(rng):
    lengths = rng.integers(2, 257, 1000)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches_by_length(lengths.tolist(), 1024))
    assert padded < 1.1 * lengths.sum()


# --- threads and precision ---------------------------------------------------------------------------------------------


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_each_worker_lets_torch_use_one_thread_and_the_caller_keeps_its_own(tiny_encoder, two_threads, monkeypatch):
    seen = []
    original = tiny_encoder.encode_batch
    monkeypatch.setattr(encoder_module, "CPU_TOKENS", 8)
    monkeypatch.setattr(
        tiny_encoder, "encode_batch", lambda ids: seen.append((get_ident(), torch.get_num_threads())) or original(ids)
    )
    tiny_encoder.encode(TEXTS * 20)
    assert {threads for _, threads in seen} == {1}
    assert get_ident() not in {worker for worker, _ in seen}
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2, "threads that start later may use two again"


def test_vectors_do_not_depend_on_the_number_of_workers(tiny_encoder, two_threads, monkeypatch):
    monkeypatch.setattr(encoder_module, "CPU_TOKENS", 8)
    by_two = tiny_encoder.encode(TEXTS * 20)
    torch.set_num_threads(1)
    np.testing.assert_array_equal(tiny_encoder.encode(TEXTS * 20), by_two)


def test_a_failure_in_a_worker_reaches_the_caller_and_restores_the_threads(tiny_encoder, two_threads, monkeypatch):
    monkeypatch.setattr(tiny_encoder, "encode_batch", lambda ids: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tiny_encoder.encode(TEXTS)
    assert torch.get_num_threads() == 2


def test_bfloat16_gives_nearly_the_same_vectors_and_never_the_same_cache_file(minilm):
    texts = ["space", "two sisters meet the spirits of a forest", "a detective hunts artificial humans " * 9, ""]
    rounded = load_encoder("minilm", "cpu", "bfloat16")
    found, exact = rounded.encode(texts), minilm.encode(texts)
    cosines = (found * exact).sum(axis=1)
    assert found.dtype == np.float32
    assert 0.9995 < cosines.min() < 1 - 1e-7, "rounded, or it would not be bfloat16"
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert rounded.cache_path(texts) != minilm.cache_path(texts)


@pytest.mark.parametrize(("ratio", "chosen"), [(1.5, "float32"), (1.7, "bfloat16")])
def test_auto_takes_bfloat16_only_where_its_products_are_fast(folder, monkeypatch, ratio, chosen):
    medians = iter([ratio, 1.0])  # float32 is timed first
    timed = SimpleNamespace(blocked_autorange=lambda **_: SimpleNamespace(median=next(medians)))
    monkeypatch.setattr("torch.utils.benchmark.Timer", lambda *_, **__: timed)
    encoder_module.fastest_dtype.cache_clear()
    encoders = [load_encoder(str(folder), "cpu", "auto") for _ in range(2)]  # the second one measures nothing
    encoder_module.fastest_dtype.cache_clear()
    assert [encoder.dtype for encoder in encoders] == [chosen, chosen]
    assert load_encoder(str(folder), "cpu").dtype == "float32"


def test_an_unknown_dtype_is_refused(folder):
    with pytest.raises(DataError, match="dtype came as 'fp16'; pass 'float32', 'bfloat16' or 'auto'"):
        load_encoder(str(folder), dtype="fp16")


# --- the cache ---------------------------------------------------------------------------------------------------------


def test_the_second_time_nothing_is_encoded(tiny_encoder, monkeypatch):
    first = tiny_encoder.encode_cached(TEXTS)
    monkeypatch.setattr(tiny_encoder, "encode", lambda *_: pytest.fail("encoded again"))
    np.testing.assert_array_equal(tiny_encoder.encode_cached(TEXTS), first)


@pytest.mark.parametrize("damage", [b"", b"no array", "half", "pickle", "other shape", "one bit"])
def test_a_damaged_cache_file_is_encoded_again(tiny_encoder, tmp_path, damage):
    expected = tiny_encoder.encode_cached(TEXTS)
    (path,) = (tmp_path / "home" / "encoded").iterdir()
    if damage == "half":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "pickle":
        np.save(path, np.array([{"a": 1}] * len(TEXTS), dtype=object), allow_pickle=True)
    elif damage == "other shape":
        np.save(path, expected[:2])
    elif damage == "one bit":
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    else:
        path.write_bytes(damage)
    for _ in range(2):
        np.testing.assert_array_equal(tiny_encoder.encode_cached(TEXTS), expected)
    np.testing.assert_array_equal(np.load(path), expected)


def test_a_home_that_cannot_be_written_costs_time_and_nothing_else(tiny_encoder, tmp_path):
    (tmp_path / "home").write_text("a file where a folder should be")
    np.testing.assert_array_equal(tiny_encoder.encode_cached(TEXTS), tiny_encoder.encode(TEXTS))


def test_other_texts_weights_or_prefixes_have_their_own_cache_files(tiny_encoder, tmp_path):
    other = load_encoder(str(make_model(tmp_path / "other", seed=1)), "cpu")
    prefixed = load_encoder(str(make_model(tmp_path / "e5-like")), "cpu")
    assert (other.prefix, prefixed.prefix) == ("", "query: ")
    for one, texts in ((tiny_encoder, ["a", "b"]), (tiny_encoder, ["b", "a"]), (other, ["a", "b"]), (prefixed, ["a", "b"])):
        np.testing.assert_array_equal(one.encode_cached(texts), one.encode(texts))
    assert len(list((tmp_path / "home" / "encoded").iterdir())) == 4


# --- loading -----------------------------------------------------------------------------------------------------------


def test_a_model_that_nobody_has_is_one_clear_error_offline(monkeypatch):
    import huggingface_hub

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name in ("bert-base-of-nobody", "nobody/nothing", "no such name!", "/no/such/folder"):
        with pytest.raises(AssetError, match=f"no encoder '{name}': not an asset .minilm, e5., not a folder, and no hub"):
            load_encoder(name)


@pytest.mark.parametrize("lacking", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_folder_without_one_of_the_three_files_is_refused(folder, lacking):
    (folder / lacking).unlink()
    with pytest.raises(AssetError, match=f"has no {lacking}; a model folder needs all three files"):
        load_encoder(str(folder))


def test_an_empty_folder_lacks_all_three(tmp_path):
    with pytest.raises(AssetError, match="has no model.safetensors, tokenizer.json, config.json"):
        load_encoder(str(tmp_path))


def test_another_kind_of_model_is_refused(tmp_path):
    with pytest.raises(AssetError, match="is a 'roberta' model; pass one of type 'bert'"):
        load_encoder(str(make_model(tmp_path / "other", model_type="roberta")))


def test_another_activation_is_refused(tmp_path):
    with pytest.raises(AssetError, match="uses 'relu'; only 'gelu' is known"):
        load_encoder(str(make_model(tmp_path / "other", hidden_act="relu")))


@pytest.mark.parametrize(
    "change", [{"hidden_size": 32}, {"num_hidden_layers": 3}, {"num_hidden_layers": 1}, {"vocab_size": 99}]
)
def test_weights_that_do_not_fit_the_configuration_are_refused(folder, change):
    (folder / "config.json").write_text(json.dumps(CONFIG | change))
    with pytest.raises(AssetError, match="the weights do not fit its config.json .*; use a matching pair"):
        load_encoder(str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"version https://git-lfs.github.com/spec/v1", b"{}", b"[]"])
def test_a_damaged_file_is_refused_and_its_model_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(AssetError, match="tiny"):
        load_encoder(str(folder))


def test_truncated_weights_are_refused(folder):
    raw = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(raw[:-100])
    with pytest.raises(AssetError, match="tiny: .*; fetch the model again"):
        load_encoder(str(folder))


def test_weights_are_never_a_pickle(folder):
    (folder / "pytorch_model.bin").write_bytes((folder / "model.safetensors").read_bytes())
    (folder / "model.safetensors").unlink()
    with pytest.raises(AssetError, match="has no model.safetensors"):
        load_encoder(str(folder))


def test_the_name_prefix_and_fingerprint_are_those_of_the_folder(folder):
    encoder = load_encoder(str(folder), "cpu")
    assert (encoder.name, encoder.prefix, encoder.dimension) == (str(folder), "", 16)
    assert len(encoder.fingerprint) == 64


def test_auto_takes_cuda_where_it_is(folder, monkeypatch):
    assert load_encoder(str(folder)).device == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert load_encoder(str(folder)).device == "cpu"


# --- e5 ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def toy_e5(monkeypatch, tmp_path):
    """The conversion of e5 with a tiny model in place of the real one; returns how often it ran."""
    source = make_model(tmp_path / "source")
    runs = []

    def read(path):
        runs.append(path)
        weights = {name.removeprefix("bert."): value for name, value in load_file(source / "model.safetensors").items()}
        return weights, CONFIG

    monkeypatch.setenv("LLMREC_HOME", str(tmp_path / "home"))
    files = {"e5-small-q4.bin": source / "model.safetensors", "tokenizer.json": source / "tokenizer.json"}
    monkeypatch.setattr(module, "asset_files", lambda name: files)
    monkeypatch.setattr(four_bit, "read_e5", read)
    return runs


def test_e5_is_converted_once(toy_e5):
    assert load_encoder("e5", "cpu").dimension == load_encoder("e5", "cpu").dimension == 16
    assert len(toy_e5) == 1


def test_an_interrupted_conversion_is_done_again(toy_e5, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomically", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_encoder("e5", "cpu")
    assert load_encoder("e5", "cpu").encode(["space"]).shape == (1, 16)
    assert len(toy_e5) == 2


def test_a_conversion_without_room_is_one_clear_error(toy_e5, tmp_path):
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(AssetError, match="cannot store e5 in .*: Not a directory; 500 MB are needed"):
        load_encoder("e5", "cpu")
