"""Make the folder with which a course installs and runs without network: `python tools/make_bundle.py [--open]`.

build/bundle gets the committed files, the packages of requirements.lock for machines like this one, the models and the
data, and start.sh, which installs and opens the course. Knows nothing about what a lesson does.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from string import Template

from llmrec_lab.assets import ASSETS, asset_files, home
from llmrec_lab.errors import AssetError, LabError

ROOT = Path(__file__).resolve().parent.parent
NO_REDISTRIBUTION = "movielens"
START = Template("""\
#!/usr/bin/env bash
# Install the course the first time, then open it. Needs no network.
set -euo pipefail
cd "$$(dirname "$$0")/course"
export PIP_NO_INDEX=1 PIP_FIND_LINKS=../wheels LLMREC_HOME="$$PWD/../llmrec_home"
$command
""")
README = Template("""\
# LLM Recommender Lab, without network

Copy this folder to each machine, also to a path with spaces, and run `bash start.sh`: the first time it installs for some
minutes and takes about 2 GB more, then it opens JupyterLab at lesson 00. Nothing is fetched.
It fits $machine, and needs make.
`course/` is commit $commit, `wheels/` its packages, `llmrec_home/` models and data, checked by hash. A start lists
what they are and under which terms; so does `course/README.md`.

$terms
""")
WORKSHOP = (
    "**For the machines of one workshop.** MovieLens is in it: research, no commercial use, and no redistribution without\n"
    "permission of GroupLens. Do not publish this folder, and delete it after the workshop. For a paid one: `make bundle\n"
    "ARGS=--open`."
)
OPEN = (
    "**The open path:** MovieLens is not in it. `load_films()`, which the lessons call, stops and says so; call\n"
    "`load_open_catalog()` of `llmrec_lab.datasets.films` and `generate_people` of `llmrec_lab.datasets.people`\n"
    "instead. The first use of an encoder reads all films, which takes minutes. The reviews are in it: see their terms."
)


def run(command: list[str], doing: str, **options) -> bytes:
    """What a command prints; raises AssetError with its last line if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, **options)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise AssetError(f"{doing} failed: {said[-1]}; mend that, then run make bundle again")
    return done.stdout


def add_course(folder: Path) -> None:
    """Put the committed files there; what is not committed stays out."""
    archive = run(["git", "archive", "HEAD"], "git archive")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def add_wheels(folder: Path, lock: Path) -> None:
    """Download the locked packages, torch first and with what it depends on, as tools/setup.sh will install them."""
    torch = next(line for line in lock.read_text().splitlines() if line.startswith("torch=="))
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    run([*pip, "--constraint", str(lock), torch], "downloading torch")
    run([*pip, "--no-deps", "--requirement", str(lock)], "downloading the packages")


def add_assets(folder: Path, names: list[str]) -> None:
    """Copy the verified files of these assets to where LLMREC_HOME has them."""
    for name in names:
        for source in asset_files(name).values():
            target = folder / source.relative_to(home())
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def add_caches(folder: Path) -> None:
    """Copy what was computed from the assets here, and compute what is missing, so that no machine of the room has to."""
    for name in ("converted", "encoded"):
        if (home() / name).exists():
            shutil.copytree(home() / name, folder / name)
    command = [sys.executable, "-m", "llmrec_lab.cli", "assets", "--encode"]
    run(command, "encoding the films", env=os.environ | {"LLMREC_HOME": str(folder)})


def add_words(folder: Path, open_path: bool) -> None:
    """Write README.md and start.sh."""
    commit = run(["git", "rev-parse", "--short", "HEAD"], "git rev-parse").decode().strip()
    machine = f"{platform.system()} on {platform.machine()} with Python {sys.version_info[0]}.{sys.version_info[1]}"
    words = README.substitute(machine=machine, commit=commit, terms=OPEN if open_path else WORKSHOP)
    command = 'make setup\nexec .venv/bin/python -m jupyterlab "$@"' if open_path else 'exec make "${@:-lab}"'
    (folder / "README.md").write_text(words, encoding="utf-8")
    (folder / "start.sh").write_text(START.substitute(command=command), encoding="utf-8")


def make_bundle(folder: Path, open_path: bool) -> None:
    """Make the bundle anew.

    Args:
        folder: what is there is removed first.
        open_path: leave MovieLens out, and everything computed from it.

    Raises:
        AssetError: a file of an asset or a package could not be had, or this is no git repository.
    """
    shutil.rmtree(folder, ignore_errors=True)
    print("the committed files and the packages", flush=True)
    add_course(folder / "course")
    add_wheels(folder / "wheels", ROOT / "requirements.lock")
    print("models and data", flush=True)
    add_assets(folder / "llmrec_home", [name for name in ASSETS if not (open_path and name == NO_REDISTRIBUTION)])
    if not open_path:  # vectors of MovieLens titles are among them
        add_caches(folder / "llmrec_home")
    add_words(folder, open_path)


def main(arguments: list[str] | None = None) -> int:
    """Make build/bundle; returns the exit status: 0 if all is well, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Make a folder that installs and runs the course without network.")
    parser.add_argument("--open", action="store_true", help="leave MovieLens out, for a paid workshop")
    folder = ROOT / "build" / "bundle"
    try:
        make_bundle(folder, parser.parse_args(arguments).open)
    except LabError as problem:
        print(problem, file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"build/bundle: {size / 1e6:,.0f} MB; its README.md says how to use it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
