"""The committed notebooks: built from the lessons, executed, tame, and reproduced cell by cell by nbval."""

import contextlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pandas as pd
import pytest

from llmrec_lab.exercises import check, hint, lessons

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("build_notebooks", ROOT / "tools" / "build_notebooks.py")
builder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builder)

LESSONS = sorted((ROOT / "lessons").glob("*.py"))
NOTEBOOKS = [builder.notebook_path(lesson, edition, ROOT) for lesson in LESSONS for edition in builder.EDITIONS]
MOST_BYTES = 400_000
ABSOLUTE_PATH = re.compile(r"(?<![\w:/.])/(home|root|tmp|usr|opt|var|work|workspace|content|mnt|Users|private)/|[A-Z]:\\\\")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)[^)]*\)|(<img\b[^>]*>)")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}-{path.stem}")


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def exercise_cells(path):
    return [cell for cell in cells(path, "code") if "solution" in cell.metadata.get("tags", [])]


def text_of(output):
    """All that an output says in words; images are left out."""
    data = {kind: value for kind, value in output.get("data", {}).items() if not kind.startswith("image/p")}
    return output.get("text", "") + json.dumps(data, ensure_ascii=False)


def test_there_is_a_lesson():
    assert LESSONS
    assert [path.name for path in LESSONS if not re.fullmatch(r"\d\d_[a-z0-9_]+\.py", path.name)] == []


@each_lesson
def test_notebooks_are_what_the_lesson_says(lesson):
    assert builder.drift(lesson, ROOT) == []


def test_every_notebook_has_a_lesson():
    assert builder.strays(ROOT) == []


@each_lesson
def test_solution_edition_gives_the_same_outputs_when_it_runs_again(lesson):
    path = builder.notebook_path(lesson, "solution", ROOT)
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=600", "-q", "-o", "addopts=", "-o", "timeout=0"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", path.name]
    result = subprocess.run(command, cwd=path.parent, env=env, capture_output=True, text=True, check=False)
    compared = len([cell for cell in cells(path, "code") if cell.source.strip()])
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert f"{compared} passed" in result.stdout.splitlines()[-1]


@each_lesson
def test_shared_cells_have_the_same_source_and_output_in_both_editions(lesson):
    student, solution = (
        {cell.id: cell for cell in cells(builder.notebook_path(lesson, edition, ROOT), "code")}
        for edition in ("student", "solution")
    )
    assert list(student) == list(solution)
    for name, cell in student.items():
        other, tags = solution[name], cell.metadata.get("tags", [])
        if "solution" in tags:
            assert cell.source != other.source
            continue
        assert cell.source == other.source
        if "nbval-ignore-output" not in tags:
            assert cell.outputs == other.outputs, f"{name}: does it depend on an exercise?"


@each_lesson
def test_exercises_say_not_yet_in_the_student_edition_and_passed_in_the_other(lesson):
    for edition, word in (("student", "not yet:"), ("solution", "passed:")):
        found = exercise_cells(builder.notebook_path(lesson, edition, ROOT))
        for cell in found:
            said = "".join(map(text_of, cell.outputs))
            assert said.count(word) == cell.source.count("check(") >= 1, f"{cell.id}: {said}"


@each_lesson
def test_lesson_asks_every_exercise_of_its_module_once_and_its_quiz(lesson):
    module = lessons()[lesson.name[:2]]
    found = exercise_cells(builder.notebook_path(lesson, "solution", ROOT))
    asked = [name for cell in found for name in re.findall(r'check\("([^"]+)"', cell.source)]
    assert asked == [exercise.id for exercise in module.EXERCISES]
    source = lesson.read_text(encoding="utf-8")
    assert f'quiz("{lesson.name[:2]}")' in source
    assert not hasattr(module, "RECAP") or f'recap("{lesson.name[:2]}")' in source


@each_lesson
def test_stubs_run_alone_and_are_not_accepted(lesson):
    for cell in jupytext.read(lesson, fmt="py:percent").cells:
        if cell.cell_type == "code" and "solution" in cell.metadata.get("tags", []):
            stub = builder.take_apart(cell.source)["student"]
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(stub, {"check": check, "hint": hint, "np": np, "pd": pd})  # and nothing of the cells before
            assert "not yet:" in said.getvalue() and "passed:" not in said.getvalue(), stub


@each_notebook
def test_outputs_have_no_errors_no_stderr_and_no_absolute_paths(path):
    for cell in cells(path, "code"):
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", cell.id
            assert builder.WIDGET not in output.get("data", {}), cell.id
            said = text_of(output)
            assert not ABSOLUTE_PATH.search(said) and str(ROOT) not in said, f"{cell.id}: {said[:300]}"


@each_notebook
def test_notebook_was_executed_from_top_to_bottom_and_is_tame(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)) and counts
    assert notebook.metadata == builder.METADATA
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    assert all(cell.source.strip() for cell in notebook.cells)


@each_notebook
def test_notebook_is_small(path):
    assert path.stat().st_size < MOST_BYTES


@each_notebook
def test_images_have_alternative_text_and_relative_targets_exist(path):
    for cell in cells(path, "markdown"):
        for alternative, target, tag in IMAGE.findall(cell.source):
            described = re.search(r'alt="([^"]+)"', tag) if tag else alternative.strip()
            assert described, f"{cell.id}: an image without alternative text"
            assert tag or is_there(path, target), f"{cell.id}: no {target}"
        for target in LINK.findall(cell.source):
            assert is_there(path, target), f"{cell.id}: no {target}"


def is_there(path, target):
    """Whether a relative target exists; web addresses, places in the page and attached files are not looked for."""
    file = target.split("#")[0]
    return not file or ":" in file or (path.parent / file).exists()


def test_path_rule_finds_paths_and_leaves_addresses_alone():
    found = ["/home/me/x", "in /tmp/a", "'/usr/lib/python3'", json.dumps("C:\\Users")]
    fine = ["https://example.org/home/x", "../docs/tmp/x", "and/or", "a/var/b", "1/2"]
    assert all(map(ABSOLUTE_PATH.search, found)) and not any(map(ABSOLUTE_PATH.search, fine))
