"""The README says what is so: its tables are the committed results, its links lead somewhere, its tree is complete."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"


def cells(line: str) -> list[str]:
    return [cell.strip().strip("*") for cell in line.strip("|").split("|")]


def rows_below(header: str) -> list[list[str]]:
    """The rows of the README's table that has this first line."""
    lines = README.splitlines()
    start = lines.index(header) + 2
    end = next(at for at in range(start, len(lines)) if not lines[at].startswith("|"))
    return [cells(line) for line in lines[start:end]]


def test_the_table_of_quality_is_what_was_measured():
    header = "| model | HR@10, last item | NDCG@10, last item | HR@10, last three | NDCG@10, last three |"
    last, three = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("evaluation", "evaluation-of-3"))
    shown = rows_below(header)
    assert len(shown) == len(last["models"])
    for row, one, many in zip(shown, last["models"], three["models"]):
        values = [one["HR@10"], one["NDCG@10"], many["HR@10"], many["NDCG@10"]]
        assert row == [one["model"], *(f"{value:.3f}" for value in values)]


def test_the_table_of_time_and_memory_is_what_was_measured():
    course = json.loads((RESULTS / "course.json").read_text())
    measured = {row["work"]: row["value"] for row in course["rows"]}
    wanted = [
        [name.removeprefix("lesson "), f"{seconds:.0f}", f"{measured[f'{name}: memory']:.1f} GB"]
        for name, seconds in measured.items()
        if re.fullmatch(r"lesson \d\d_\w+", name)
    ]
    assert wanted and rows_below("| lesson | seconds | memory |") == wanted
    assert f"on {course['machine']['cores']} cores of an {course['machine']['cpu']}" in README


@pytest.mark.parametrize("place", sorted(set(re.findall(r"\]\((?!http)([^)#]+)", README))))
def test_a_link_leads_to_a_file(place):
    assert (ROOT / place).exists()


@pytest.mark.parametrize("module", sorted(path.name for path in (ROOT / "llmrec_lab").glob("[a-z]*.py")))
def test_the_tree_names_every_module(module):
    assert re.search(rf"^  ([\w.]+, )*{re.escape(module)}[, ]", README, re.M)
