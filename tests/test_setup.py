"""What tools/setup.sh says when something is missing, and that running it again mends it. No network, no real pip."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ["python3", "python3.11", "python3.12", "python3.13"]

# Stands in for Python: `-m venv DIR` puts a copy of itself into DIR/bin, `-m pip install` writes to calls.txt.
FAKE_PYTHON = """#!/bin/sh
case "$*" in
  *"version_info < (3, 11)"*) exit {too_old} ;;
  *ensurepip*) exit {no_venv} ;;
  "-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && touch "$3/bin/pip" ;;
  "-m pip install"*) echo "$*" >> calls.txt; {pip} ;;
esac
"""


@pytest.fixture
def folder(tmp_path):
    """A repository in a folder with a space in its name, and a PATH whose Python, df and sleep we control."""
    folder = tmp_path / "my lab"
    (folder / "tools").mkdir(parents=True)
    for name in ["tools/setup.sh", "requirements.lock", "pyproject.toml"]:
        shutil.copy(ROOT / name, folder / name)
    (tmp_path / "bin").mkdir()
    set_free_space(folder, 50_000)
    set_python(folder)
    return folder


def write_command(folder, name, text):
    path = folder.parent / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def set_python(folder, too_old=0, no_venv=0, pip=":"):
    for name in PYTHONS:
        write_command(folder, name, FAKE_PYTHON.format(too_old=too_old, no_venv=no_venv, pip=pip))
    for path in folder.glob(".venv/bin/python"):  # the environment that is already there changes too
        shutil.copy(folder.parent / "bin" / "python3", path)


def set_free_space(folder, megabytes):
    write_command(folder, "df", f'#!/bin/sh\necho header\necho "disk 9 9 {megabytes * 1024} 9% /"\n')


def start(folder):
    keep = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "PATH")}
    return subprocess.Popen(
        ["bash", "tools/setup.sh"],
        cwd=folder,
        env={**keep, "PATH": f"{folder.parent / 'bin'}:/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that a test can interrupt it as the terminal does, with its children
    )


def run(folder):
    process = start(folder)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def installs(folder):
    calls = folder / "calls.txt"
    return calls.read_text().splitlines() if calls.exists() else []


def test_it_installs_torch_then_the_lock_then_the_package_and_then_nothing(folder):
    code, out, err = run(folder)
    assert (code, err) == (0, "")
    torch, lock, package = installs(folder)
    assert " torch==" in torch and "--constraint requirements.lock" in torch
    assert "--no-deps -r requirements.lock" in lock
    assert "--no-deps --no-build-isolation -e ." in package
    assert run(folder) == (0, "", "")
    assert len(installs(folder)) == 3


def test_a_changed_lock_is_installed(folder):
    run(folder)
    with (folder / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert run(folder)[0] == 0
    assert len(installs(folder)) == 6


def test_a_moved_folder_gets_a_new_environment(folder):
    run(folder)
    (folder / ".venv" / "old").touch()
    moved = folder.rename(folder.parent / "elsewhere")
    assert run(moved)[0] == 0
    assert not (moved / ".venv" / "old").exists()


def test_an_environment_made_by_hand_is_kept_and_brought_up_to_date(folder):
    run(folder)
    (folder / ".venv" / "setup-stamp").unlink()
    (folder / ".venv" / "mine").touch()
    assert run(folder)[0] == 0
    assert (folder / ".venv" / "mine").exists()
    assert len(installs(folder)) == 6


FAILURES = [
    (dict(too_old=1), "no Python 3.11 or newer"),
    (dict(no_venv=1), "apt install python3-venv"),
    (dict(pip='echo "NewConnectionError: Temporary failure in name resolution"; exit 1'), "no network"),
    (dict(pip='echo "OSError: [Errno 28] No space left on device"; exit 2'), "the disk is full"),
    (dict(pip='echo "ERROR: something else"; exit 1'), "ERROR: something else"),
]


@pytest.mark.parametrize("broken, message", FAILURES, ids=[message for _, message in FAILURES])
def test_a_failure_is_one_line_and_running_again_mends_it(folder, broken, message):
    set_python(folder, **broken)
    code, _, err = run(folder)
    assert code == 1
    assert err.startswith("Set-up stopped: ") and message in err and err.count("\n") == 1, err
    before = len(installs(folder))
    set_python(folder)
    assert run(folder)[0] == 0
    assert len(installs(folder)) == before + 3


def test_too_little_space_is_seen_before_anything_is_written(folder):
    set_free_space(folder, 100)
    code, _, err = run(folder)
    assert code == 1 and "the disk is full (100 MB free" in err and err.count("\n") == 1, err
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_starts_over(folder, how):
    set_python(folder, pip=": > .venv/half-installed; exec sleep 20")  # exec: no child for the signal to miss
    process = start(folder)
    while not (folder / ".venv" / "half-installed").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, how)
    _, err = process.communicate(timeout=10)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert err == "Set-up stopped: it was interrupted. Run the same command again.\n"
    set_python(folder)
    assert run(folder)[0] == 0
    assert not (folder / ".venv" / "half-installed").exists()
    assert len(installs(folder)) == 4
