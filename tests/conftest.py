"""What the tests share: the tiny world, the films, and an encoder that is switched off."""

import zlib

import numpy as np
import pytest

from llmrec_lab.datasets.tiny import tiny_world
from llmrec_lab.interests import unit_rows
from llmrec_lab.text import clean, segment


@pytest.fixture
def tiny():
    """(Catalog, Interactions) of five films and three people."""
    return tiny_world()


@pytest.fixture
def rng():
    return np.random.default_rng(20240101)


class WordCounts:
    """An encoder that knows words and no meaning: counts of hashed words, with the interface of a real one."""

    name, dimension = "word-counts", 1024

    def __init__(self, fingerprint: str = "words"):
        self.fingerprint = fingerprint

    def encode(self, texts, progress=False):
        """Unit rows, (n, 1024); zeros for a text without words."""
        counts = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in segment(clean(text)):
                counts[row, zlib.crc32(word.encode()) % self.dimension] += 1
        return unit_rows(counts)

    encode_cached = encode


@pytest.fixture(scope="session")
def word_counts():
    return WordCounts()


@pytest.fixture(scope="session")
def lab(word_counts):
    """A recommender fitted on the tiny world; files that need another one define their own."""
    from llmrec_lab.recommender import Recommender

    catalog, interactions = tiny_world()
    return Recommender(catalog, word_counts).fit(interactions)


@pytest.fixture
def log(tmp_path):
    """An empty event log."""
    from llmrec_lab.event_log import SQLiteLog

    with SQLiteLog(tmp_path / "events.db") as log:
        yield log


@pytest.fixture(scope="session")
def films():
    """The real films: catalog and interactions."""
    from llmrec_lab.datasets.films import load_films

    return load_films()


@pytest.fixture(scope="session")
def minilm():
    from llmrec_lab.encoder import load_encoder

    return load_encoder("minilm")


@pytest.fixture(scope="session")
def english(films, minilm):
    """The recommender of `llmrec recommend` for English sentences; tests must not fit it."""
    from llmrec_lab.recommender import Recommender

    return Recommender(films.catalog, minilm).fit_prior(films.interactions)
