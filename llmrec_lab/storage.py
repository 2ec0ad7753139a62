"""What a recommender knows, written to a folder and read back: Parquet, safetensors, and a JSON with the hash of each file.

Knows nothing about how the parts were made, or what they are for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd

from llmrec_lab.assets import sha256_of
from llmrec_lab.catalog import Catalog, Interactions
from llmrec_lab.columns import ITEM, TITLE
from llmrec_lab.errors import AssetError

ABOUT = "recommender.json"
FACET = "facet "  # before the names of facets in the saved table, where one may be called title


def write_saved(folder, catalog: Catalog, interactions: Interactions | None, arrays: dict, encoder, config: dict) -> None:
    """Write all files, or none.

    Args:
        folder: made if it is not there; files of an earlier save are replaced.
        catalog: the items.
        interactions: who met what when, or None.
        arrays: name to numpy array.
        encoder: its name and fingerprint are written, not its weights.
        config: what JSON can hold.

    Raises:
        AssetError: the disk is full.
    """
    from safetensors.numpy import save

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"catalog.parquet": catalog_frame(catalog).to_parquet(index=False), "arrays.safetensors": save(arrays)}
    if interactions is not None:
        contents["interactions.parquet"] = interactions.frame.to_parquet(index=False)
    about = {
        "encoder": encoder.name,
        "fingerprint": encoder.fingerprint,
        "config": config,
        "facets": list(map(str, catalog.facets)),
        "glosses": [[*key, gloss] for key, gloss in catalog.glosses.items()],
        "noun": catalog.noun,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    about["digest"] = digest(about)
    contents[ABOUT] = json.dumps(about, indent=2, ensure_ascii=False).encode()
    replace_files(folder, contents)


def read_saved(folder, encoder=None) -> tuple[Catalog, Interactions | None, dict, object, dict]:
    """Read what `write_saved` wrote, after every file's hash was checked.

    Args:
        folder: where it was written.
        encoder: the encoder it was written with; loaded by its name if left out.

    Returns:
        Catalog, interactions or None, arrays, encoder, and config.

    Raises:
        AssetError: a file is missing or damaged, or the encoder is another one.
    """
    from safetensors.numpy import load_file

    from llmrec_lab.encoder import load_encoder

    folder = Path(folder)
    about = read_about(folder)
    encoder = encoder or load_encoder(about["encoder"])
    if encoder.fingerprint != about["fingerprint"]:
        raise AssetError(f"it was saved with other weights of {about['encoder']!r}; pass the same encoder, or make it anew")
    frame = pd.read_parquet(folder / "catalog.parquet")
    catalog = Catalog.from_frame(frame, ["text"], [FACET + name for name in about["facets"]])
    catalog.facets.columns = about["facets"]
    glosses = {(facet, value): gloss for facet, value, gloss in about["glosses"]}
    catalog = replace(catalog, glosses=glosses, noun=about["noun"])
    interactions = None
    if "interactions.parquet" in about["sha256"]:
        interactions = Interactions.from_frame(pd.read_parquet(folder / "interactions.parquet"))
    return catalog, interactions, load_file(folder / "arrays.safetensors"), encoder, about["config"]


def read_about(folder: Path) -> dict:
    """What recommender.json says, if it and all files it names are what was saved."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if about["digest"] != digest(about):
            raise ValueError
        damaged = [name for name, expected in about["sha256"].items() if sha256_of(folder / name) != expected]
    except OSError as problem:
        missing = Path(problem.filename or folder).name
        raise AssetError(
            f"{folder} holds no saved recommender: {missing}: {problem.strerror}; save one there first"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        damaged = [ABOUT]
    if damaged:
        raise AssetError(f"{damaged[0]} in {folder} is not what was saved; save the recommender again")
    return about


def replace_files(folder: Path, contents: dict[str, bytes]) -> None:
    """Write all files beside the old ones, then put all in place: a disk that fills on the way loses no earlier save."""
    try:
        for name, content in contents.items():
            (folder / f"{name}.new").write_bytes(content)
    except OSError as problem:
        for name in contents:
            (folder / f"{name}.new").unlink(missing_ok=True)
        raise AssetError(f"cannot save in {folder}: {problem.strerror}; what was saved before is untouched") from None
    for name in contents:
        (folder / f"{name}.new").replace(folder / name)


def digest(about: dict) -> str:
    """The hash of what recommender.json says, the hash itself left out."""
    said = {name: value for name, value in about.items() if name != "digest"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def catalog_frame(catalog: Catalog) -> pd.DataFrame:
    """A catalog as the table from which `Recommender.load` makes it again."""
    frame = pd.DataFrame({ITEM: catalog.item_ids, TITLE: catalog.titles, "text": catalog.texts})
    return pd.concat([frame, catalog.facets.map(list).rename(columns=lambda name: f"{FACET}{name}")], axis=1)
