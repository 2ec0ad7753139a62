"""A checkpoint is replaced at once or not at all, and one that is damaged is never read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from llmrec_lab.checkpoints import FILE, load_checkpoint, save_checkpoint
from llmrec_lab.errors import AssetError

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3), "c": torch.tensor([0.1], dtype=torch.bfloat16)}


def test_what_was_saved_comes_back_bit_by_bit(tmp_path):
    save_checkpoint(tmp_path / "new", TENSORS, {"step": 7, "losses": [0.1, 1e-300]})
    tensors, state = load_checkpoint(tmp_path / "new")
    assert state == {"step": 7, "losses": [0.1, 1e-300]}
    assert all(torch.equal(tensors[name], value) and tensors[name].dtype == value.dtype for name, value in TENSORS.items())
    assert tensors.keys() == TENSORS.keys()


def test_a_folder_without_a_checkpoint_gives_none(tmp_path):
    assert load_checkpoint(tmp_path) is None


@pytest.mark.parametrize("place", [0, 60, -5])
def test_a_changed_byte_anywhere_is_found(tmp_path, place):
    save_checkpoint(tmp_path, TENSORS, {"step": 7})
    content = bytearray((tmp_path / FILE).read_bytes())
    content[place] ^= 1
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(AssetError, match="training.safetensors is not what was saved; remove it"):
        load_checkpoint(tmp_path)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    save_checkpoint(tmp_path, TENSORS, {"step": 7})
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-1])
    with pytest.raises(AssetError, match="is not what was saved"):
        load_checkpoint(tmp_path)


def test_a_full_disk_leaves_the_last_checkpoint_and_nothing_else(tmp_path):
    code = (
        "import resource, sys, torch\n"
        "from llmrec_lab.checkpoints import save_checkpoint\n"
        "save_checkpoint(sys.argv[1], {'a': torch.ones(10)}, {'step': 1})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, 80_000))\n"  # a file that grows no more, as on a full disk
        "save_checkpoint(sys.argv[1], {'a': torch.ones(1_000_000)}, {'step': 2})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert "AssetError: cannot save" in done.stderr
    assert "what was saved before is untouched. Make 4 MB of room and run the same again" in done.stderr
    assert load_checkpoint(tmp_path)[1] == {"step": 1}
    assert os.listdir(tmp_path) == [FILE]


def test_the_file_is_safetensors_with_json_and_no_pickle(tmp_path):
    save_checkpoint(tmp_path, TENSORS, {"step": 7})
    content = Path(tmp_path / FILE).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["state"]) == {"step": 7}
