"""What the course needs, and whether it is there. Knows nothing about how to use any of it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from llmrec_lab.assets import home, inventory

PACKAGES = [
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "torch",
    "tokenizers",
    "safetensors",
    "pyarrow",
    "tqdm",
    "transformers",
]
COURSE_PACKAGES = ["jupyterlab", "ipywidgets", "matplotlib"]
ROOM = 1_500_000_000  # bytes: the assets, e5 converted to float32, and the encoded catalogs


@dataclass(frozen=True)
class Finding:
    """One requirement: what was found, whether that is enough, and what to do if not."""

    what: str
    ok: bool
    mend: str = ""


def examine() -> list[Finding]:
    """Look at Python, the packages, the assets, the room on the disk, and the device.

    Returns:
        One Finding per requirement, in the order in which they should be mended.

    Example:
        >>> examine()[0].what.startswith("Python 3.")
        True
    """
    python = ".".join(map(str, sys.version_info[:3]))
    findings = [Finding(f"Python {python}", sys.version_info >= (3, 11), "install Python 3.11 or later")]
    findings += [package(name, "pip install llmrec-lab's dependencies, or run `make lab`") for name in PACKAGES]
    findings += [package(name, "pip install '.[course]' in the checkout") for name in COURSE_PACKAGES]
    cutter = any(importlib.util.find_spec(name) for name in ("rjieba", "jieba"))
    findings.append(Finding("Chinese words (rjieba or jieba)", cutter, "pip install rjieba"))
    rows = inventory()
    for row in rows:
        what = f"{row['asset']}: {row['file']} {row['state']}"
        findings.append(Finding(what, row["state"] == "verified", "run `llmrec assets`"))
    findings.append(room(all(row["state"] == "verified" for row in rows)))
    findings.append(Finding(f"device {device()}", True))
    return findings


def package(name: str, mend: str) -> Finding:
    """Whether a package is installed, by its metadata: nothing is imported."""
    try:
        return Finding(f"{name} {version(name)}", True)
    except PackageNotFoundError:
        return Finding(name, False, mend)


def room(fetched: bool) -> Finding:
    """Whether the disk has room for what is still to be fetched and made."""
    folder = next(path for path in (home(), *home().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    enough = free >= (ROOM // 3 if fetched else ROOM)
    return Finding(
        f"{free / 1e9:.0f} GB free for the cache folder", enough, "make room, or set LLMREC_HOME to a larger disk"
    )


def device() -> str:
    """`cuda` with the name of the card, or `cpu`."""
    import torch

    return (
        f"cuda ({torch.cuda.get_device_name()})" if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads"
    )
