"""Where a training stands, in one file that is replaced at once: safetensors with JSON in its header, never a pickle.

Knows nothing about what is trained.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from llmrec_lab.errors import AssetError

FILE = "training.safetensors"


def save_checkpoint(folder: Path, tensors: dict[str, torch.Tensor], state: dict) -> None:
    """Replace a folder's checkpoint; a process that is killed meanwhile, or a full disk, leaves the last one as it was.

    Args:
        folder: made if it is not there.
        tensors: name to tensor.
        state: what JSON can hold.

    Raises:
        AssetError: the disk is full, or the folder may not be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save_checkpoint(folder, {"weights.bias": torch.ones(2)}, {"step": 3})
        ...     load_checkpoint(folder)
        ({'weights.bias': tensor([1., 1.])}, {'step': 3})
    """
    header = {"state": json.dumps(state), "sha256": digest(tensors, state)}
    write_tensors(Path(folder) / FILE, tensors, header)


def load_checkpoint(folder: Path) -> tuple[dict[str, torch.Tensor], dict] | None:
    """The tensors and the state that were saved last.

    Args:
        folder: given to `save_checkpoint`.

    Returns:
        Tensors on the CPU and the state; None where no checkpoint was saved.

    Raises:
        AssetError: the file is damaged.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}
            state = json.loads(stored.metadata()["state"])
            whole = stored.metadata()["sha256"] == digest(tensors, state)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise AssetError(f"{path} is not what was saved; remove it, and the training starts anew")
    return tensors, state


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str] | None = None) -> None:
    """Write a safetensors file beside the old one, flush it to the disk, and only then put it in place."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, part, header)
        with open(part, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(part, path)
    except (OSError, SafetensorError) as problem:
        part.unlink(missing_ok=True)
        size = sum(tensor.nbytes for tensor in tensors.values()) >> 20
        raise AssetError(
            f"cannot save {path}: {problem}; what was saved before is untouched. Make {size + 1} MB of room and run the "
            "same again: it goes on from there"
        ) from None


def digest(tensors: dict[str, torch.Tensor], state: dict) -> str:
    """The sha256 of all tensors and the state."""
    found = hashlib.sha256(json.dumps(state, sort_keys=True).encode())
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return found.hexdigest()
