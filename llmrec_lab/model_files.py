"""Where a model's files are, and where the vectors that it made are kept. Knows nothing about networks; imports no torch."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np

from llmrec_lab.assets import ASSETS, asset_files, home, sha256_of, write_atomically, write_cache
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.text import clean

MAX_TOKENS = 256  # what all-MiniLM-L6-v2 was trained with; longer texts are cut


class CachedEncoder:
    """What all encoders share: a name, a fingerprint of the weights, and vectors that are kept once they are made.

    Args:
        name: shown to people and written into saved files, so that `load_encoder(name)` finds it again.
        fingerprint: a hash of the weights, the key of cached vectors.
        dimension: d, how many numbers a vector has.
    """

    def __init__(self, name: str, fingerprint: str, dimension: int):
        self.name, self.fingerprint, self.dimension = name, fingerprint, dimension
        self.prefix = "query: " if "e5" in Path(name).name else ""  # what e5 models read before every text in training

    def encode(self, texts: list[str], progress: bool = False) -> np.ndarray:
        """(n, d) unit vectors of n texts."""
        raise NotImplementedError

    def encode_cached(self, texts: list[str], progress: bool = False) -> np.ndarray:
        """As `encode`, but vectors of the same texts by the same weights are read from the cache folder.

        Args:
            texts: n strings.
            progress: show a bar while encoding.

        Returns:
            (n, d) float32.
        """
        texts = checked_texts(texts)
        path = self.cache_path(texts)
        vectors = read_array(path)
        if vectors is None:
            vectors = self.encode(texts, progress)
            write_cache(path, array_bytes(vectors))
        return vectors

    def cache_path(self, texts: list[str]) -> Path:
        """Where the vectors of these texts by these weights are kept."""
        key = hashlib.sha256("\x00".join([self.fingerprint, self.prefix, *texts]).encode()).hexdigest()
        return home() / "encoded" / f"{key[:32]}.npy"

    def is_cached(self, texts: list[str]) -> bool:
        """Whether `encode_cached` would read the vectors of these texts and not make them."""
        return self.cache_path(texts).exists()


def checked_texts(texts) -> list[str]:
    """Clean texts in a list; DataError for one string, or entries that are not text."""
    texts = list(texts) if hasattr(texts, "__iter__") and not isinstance(texts, str) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise DataError("encode takes a list of strings; wrap a single text in a list")
    return [clean(text) for text in texts]


def array_bytes(array: np.ndarray) -> bytes:
    """An array in the .npy format, then the sha256 of that, which np.load does not mind."""
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue() + hashlib.sha256(buffer.getvalue()).digest()


def read_array(path: Path) -> np.ndarray | None:
    """The array that was written as `array_bytes`; None if there is no file, or one bit of it has changed."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    content, digest = raw[:-32], raw[-32:]
    return np.load(BytesIO(content), allow_pickle=False) if hashlib.sha256(content).digest() == digest else None


def model_folder(name: str) -> tuple[Path, str]:
    """The folder that holds a model's three files, and a hash of its weights."""
    if name == "minilm":
        weights = asset_files("minilm")["model.safetensors"]
        return weights.parent, sha_prefix("minilm")
    if name == "e5":
        return e5_folder(), sha_prefix("e5")
    folder = Path(name) if Path(name).is_dir() else hub_folder(name)
    missing = [file for file in ("model.safetensors", "tokenizer.json", "config.json") if not (folder / file).exists()]
    if missing:
        raise AssetError(f"{name} has no {', '.join(missing)}; a model folder needs all three files")
    return folder, sha256_of(folder / "model.safetensors")


@contextmanager
def damage_is_refused(name: str):
    """Inside the block a model's files are read; what goes wrong there is an AssetError that names the model."""
    try:
        yield
    except Exception as problem:  # what the libraries raise for a damaged file goes up to a bare Exception
        raise AssetError(f"{name}: a file is damaged ({clean(problem)[:80]}); fetch the model again") from None


def sha_prefix(asset: str) -> str:
    """The hash of an asset's weights."""
    return ASSETS[asset].files[0].sha256


def hub_folder(name: str) -> Path:
    """Download a model from a hub, where one can be reached."""
    try:
        from huggingface_hub import snapshot_download

        files = ["model.safetensors", "tokenizer.json", "config.json"]
        return Path(snapshot_download(name, allow_patterns=files))
    except Exception as problem:  # the hub's client has a dozen ways to say that it is offline
        raise AssetError(
            f"no encoder {name!r}: not an asset (minilm, e5), not a folder, and no hub answered ({type(problem).__name__}); "
            "check the name, or go online"
        ) from None


def e5_folder() -> Path:
    """The folder of e5 in the standard format, converted once from the 4-bit file (about 5 s, 471 MB)."""
    files = asset_files("e5")
    folder = home() / "converted" / f"e5-{sha_prefix('e5')[:12]}"
    if not (folder / "config.json").exists():  # written last
        from safetensors.torch import save_file

        from llmrec_lab.four_bit import read_e5

        weights, config = read_e5(files["e5-small-q4.bin"])
        try:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(weights, folder / f"part-{os.getpid()}")
            os.replace(folder / f"part-{os.getpid()}", folder / "model.safetensors")
            write_atomically(folder / "tokenizer.json", files["tokenizer.json"].read_bytes())
            write_atomically(folder / "config.json", json.dumps(config, indent=2).encode())
        except OSError as problem:
            raise AssetError(f"cannot store e5 in {folder}: {problem.strerror}; 500 MB are needed") from None
    return folder
