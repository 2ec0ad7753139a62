"""The numpy encoder gives the vectors of the torch encoder, and spares its import."""

import os
import subprocess
import sys

import numpy as np
import pytest

from llmrec_lab.encoder import load_encoder
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


def test_both_share_the_cache():
    quick, full = QuickEncoder("minilm"), load_encoder("minilm")
    assert quick.cache_path(TEXTS) == full.cache_path(TEXTS)


def test_a_warm_answer_imports_no_torch():
    code = "import sys; from llmrec_lab.cli import main; main(['recommend', 'a western']); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], capture_output=True)  # the first one may have to encode the films
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ).returncode == 0
