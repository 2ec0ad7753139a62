"""The numpy encoder gives the vectors of the torch encoder, and spares its import."""

import os
import subprocess
import sys

import numpy as np
import pytest
from test_encoder import make_model

from llmrec_lab.encoder import load_encoder
from llmrec_lab.errors import AssetError
from llmrec_lab.quick import FEW, QuickEncoder

TEXTS = ["gunfights at high noon", "", "我喜欢太空探险的科幻电影", "a", "Something light, please: it was a long day!"]


@pytest.mark.parametrize("name", ["minilm", "e5"])
def test_numpy_and_torch_give_the_same_vectors(name):
    assert np.abs(QuickEncoder(name).encode(TEXTS) - load_encoder(name).encode(TEXTS)).max() < 1e-5


@pytest.mark.parametrize("texts", [["a"] * (FEW + 1), ["word " * 100]], ids=["many", "long"])
def test_many_or_long_texts_are_left_to_torch(texts):
    quick = QuickEncoder("minilm")
    quick.tokens = lambda ids: pytest.fail("encoded by numpy")
    assert quick.encode(texts).shape == (len(texts), 384)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"{}", b"[]", "half"])
def test_a_damaged_file_is_refused_and_its_model_named(tmp_path, name, content):
    folder = make_model(tmp_path / "tiny")
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content == "half" else content)
    with pytest.raises(AssetError, match="tiny: a file is damaged .*; fetch the model again"):
        QuickEncoder(str(folder)).encode(["a"])


def test_both_share_the_cache():
    quick, full = QuickEncoder("minilm"), load_encoder("minilm")
    assert quick.cache_path(TEXTS) == full.cache_path(TEXTS)


def test_a_warm_answer_imports_no_torch():
    code = "import sys; from llmrec_lab.cli import main; main(['recommend', 'a western']); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], capture_output=True)  # the first one may have to encode the films
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ).returncode == 0
