"""The folder for machines without network: what is in it, what is not, and what its start does. Nothing is fetched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmrec_lab.assets import ASSETS, home, path_of
from llmrec_lab.errors import AssetError

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
import make_bundle  # noqa: E402


@pytest.fixture
def commands(monkeypatch):
    """What the bundle would run, and with which environment."""
    found = []
    monkeypatch.setattr(make_bundle, "run", lambda command, doing, env=None: found.append((command, env)) or b"abc1234\n")
    return found


@pytest.fixture
def bundle(tmp_path, monkeypatch, commands):
    """Makes a bundle of files that hold their own names, without packages."""
    monkeypatch.setenv("LLMREC_HOME", str(tmp_path / "home"))
    for asset in ASSETS.values():
        for file in asset.files:
            path_of(file).parent.mkdir(parents=True, exist_ok=True)
            path_of(file).write_text(file.name)
    (home() / "tables").mkdir()
    (home() / "tables" / "movielens.parquet").write_text("ratings")
    monkeypatch.setattr(make_bundle, "asset_files", lambda name: {file.name: path_of(file) for file in ASSETS[name].files})
    monkeypatch.setattr(make_bundle, "add_course", lambda folder: folder.mkdir(parents=True))

    def make(open_path):
        folder = tmp_path / "room 7" / "bundle"
        make_bundle.make_bundle(folder, open_path)
        return folder

    return make


def names(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


def files_of(asset):
    return {file.name for file in ASSETS[asset].files}


def test_the_bundle_has_every_asset_and_encodes_the_films_for_the_room(bundle, commands):
    folder = bundle(open_path=False)
    assert set.union(*map(files_of, ASSETS)) <= names(folder)
    command, env = commands[-2]  # the last one asks for the commit
    assert command[-2:] == ["assets", "--encode"] and env["LLMREC_HOME"] == str(folder / "llmrec_home")
    assert "no redistribution" in (folder / "README.md").read_text()


def test_the_open_bundle_has_nothing_of_movielens(bundle, commands):
    folder = bundle(open_path=True)
    assert files_of("movielens").isdisjoint(names(folder)) and files_of("reviews-en") <= names(folder)
    assert "movielens.parquet" not in names(folder)
    assert not any("--encode" in command for command, _ in commands)
    assert "MovieLens is not in it" in (folder / "README.md").read_text()


def test_a_bundle_is_made_anew(bundle):
    assert files_of("movielens") <= names(bundle(open_path=False))
    assert files_of("movielens").isdisjoint(names(bundle(open_path=True)))


@pytest.mark.parametrize(("open_path", "target"), [(False, "lab"), (True, "setup")])
def test_start_installs_from_the_bundle_alone(bundle, tmp_path, open_path, target):
    folder = bundle(open_path)
    (tmp_path / "bin").mkdir()
    make = tmp_path / "bin" / "make"
    make.write_text(
        '#!/bin/sh\necho "$*|$PIP_NO_INDEX|$(cd "$PIP_FIND_LINKS" && pwd)|$(cd "$LLMREC_HOME" && pwd)"\nexit 3\n'
    )
    make.chmod(0o755)
    (folder / "wheels").mkdir()
    env = os.environ | {"PATH": f"{make.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", str(folder / "start.sh")], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == f"{target}|1|{folder / 'wheels'}|{folder / 'llmrec_home'}" and done.returncode == 3


def test_the_course_in_a_bundle_is_what_was_committed(tmp_path, monkeypatch):
    monkeypatch.setattr(make_bundle, "ROOT", tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "lesson.py").write_text("committed")
    for arguments in (["init", "-q"], ["add", "lesson.py"], ["commit", "-q", "--no-verify", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    (tmp_path / "lesson.py").write_text("edited since")
    (tmp_path / "notes.txt").write_text("mine")
    make_bundle.add_course(tmp_path / "out")
    assert (tmp_path / "out" / "lesson.py").read_text() == "committed" and names(tmp_path / "out") == {"lesson.py"}


def test_torch_is_downloaded_first_with_what_it_depends_on(tmp_path, commands):
    lock = tmp_path / "requirements.lock"
    lock.write_text("tokenizers==0.22\ntorch==2.13.0\ntorchmetrics==1.8\n")
    make_bundle.add_wheels(tmp_path / "wheels", lock)
    (first, _), (second, _) = commands
    assert first[-3:] == ["--constraint", str(lock), "torch==2.13.0"] and "--no-deps" not in first
    assert second[-3:] == ["--no-deps", "--requirement", str(lock)]


def test_a_command_that_fails_is_said_in_one_line():
    failing = [sys.executable, "-c", "import sys; sys.exit('first\\nno such package')"]
    with pytest.raises(AssetError, match="^downloading failed: no such package; mend that"):
        make_bundle.run(failing, "downloading")
