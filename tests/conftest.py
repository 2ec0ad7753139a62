"""What the tests share: the tiny world and a random generator that starts the same in every test."""

import numpy as np
import pytest

from llmrec_lab.datasets.tiny import tiny_world


@pytest.fixture
def tiny():
    """(Catalog, Interactions) of five films and three people."""
    return tiny_world()


@pytest.fixture
def rng():
    return np.random.default_rng(20240101)
