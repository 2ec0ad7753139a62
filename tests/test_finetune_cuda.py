"""The script for a GPU runs at a tiny size on a CPU, needs little, and says "not yet measured" where it measured nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import finetune_cuda as module

ROOT = Path(__file__).resolve().parent.parent
ABSENT = ["pandas", "scipy", "sklearn", "pyarrow", "filelock", "rjieba", "matplotlib", "psutil", "threadpoolctl"]


def test_a_bare_machine_can_import_it():
    code = f"import sys, benchmarks.finetune_cuda; print([name for name in {ABSENT} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"


def test_it_runs_at_a_tiny_size_and_keeps_nothing(tmp_path):
    before = module.RESULTS.read_bytes()
    command = [sys.executable, "-m", "benchmarks.finetune_cuda", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(Path(done.stdout.strip().splitlines()[-1].removeprefix("written to ")).read_text())
    assert found["quick"]
    *timed, memory, agreement = found["rows"]
    assert len(timed) == 7
    assert all(row["samples_per_second"] == pytest.approx(row["batch"] / row["step_seconds"]) for row in timed)
    assert memory["plan_bytes"] > sum(size for name, size in memory["plan_parts"].items() if name == "parameters")
    assert agreement["largest_difference"] < 1e-4
    assert module.RESULTS.read_bytes() == before


def test_without_cuda_the_table_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(module, "RESULTS", tmp_path / "finetune_cuda.json")
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["finetune_cuda"])
    module.main()
    found = json.loads((tmp_path / "finetune_cuda.json").read_text())
    assert (found["rows"], found["machine"]["device"]) == ([], "not yet measured")
    assert capsys.readouterr().out == "no CUDA here: not yet measured\n"


def test_utilization_is_the_arithmetic_of_a_bert_base(monkeypatch):
    """A BERT-base takes 67.1 GFLOP for a text of 128 tokens, forward and backward."""
    monkeypatch.setattr(module.torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    base = {"hidden_size": 768, "num_hidden_layers": 12}
    assert module.share_of_peak(base, 128 * 989e12 / 67.1e9, "cuda") == pytest.approx(1, rel=0.01)
    assert module.share_of_peak(base, 1e6, "cpu") is None
