"""Build the notebooks from the lessons: `python tools/build_notebooks.py [N ...] [--check]`.

Each `lessons/NN_name.py` (py:percent) becomes two executed notebooks: `notebooks/NN_name.ipynb`, the student edition,
and `notebooks/solutions/NN_name.ipynb`, the solution edition. Knows nothing about recommendation.

An exercise is a code cell tagged `solution`. Its stub is spelled out in `# stub:` lines; the solution follows them and
ends at `# end solution`. Code before and after is in both editions:

    # %% tags=["solution"]
    # stub: answer = None  # Write your code here.
    answer = a @ b / np.sqrt((a @ a) * (b @ b))
    # end solution
    check("00.1", answer)

With its stub, such a cell needs nothing from other cells but `check`, `hint`, `np` and `pd`. A Markdown cell tagged
`solution` is in the solution edition only, one tagged `lang-zh` in neither for now. A link or an image in Markdown is
written as seen from `notebooks/`; the solution edition gets one more `../`.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
EDITIONS = {"student": Path("."), "solution": Path("solutions")}  # below notebooks/
HEADERS = {
    "student": "*Student edition, built from `lessons/{name}.py`: edit that file, not this notebook. "
    "Worked answers are in [the solution edition](solutions/{name}.ipynb).*",
    "solution": "*Solution edition, built from `lessons/{name}.py`: edit that file, not this notebook. "
    "The exercises are open in [the student edition](../{name}.ipynb).*",
}
STUB = re.compile(r"^( *)# stub:(?: (.*))?$")
END = "# end solution"
WIDGET = "application/vnd.jupyter.widget-view+json"  # has a new random id in every run
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
CELL_SECONDS = 600


class BuildError(Exception):
    """A lesson that cannot be built; the message names the lesson, the cell and what to mend."""


def find_lessons(root: Path, numbers: list[str]) -> list[Path]:
    """The lesson files with these numbers, all if there are none; raises BuildError for a number without a lesson."""
    lessons = {path.name[:2]: path for path in sorted((root / "lessons").glob("[0-9][0-9]_*.py"))}
    wanted = [number.zfill(2) for number in numbers] or list(lessons)
    missing = [number for number in wanted if number not in lessons]
    if missing or not lessons:
        raise BuildError(f"no lesson {', '.join(missing)} in lessons/; there are: {', '.join(lessons) or 'none'}")
    return [lessons[number] for number in wanted]


def notebook_path(lesson: Path, edition: str, root: Path) -> Path:
    """Where an edition of a lesson is kept."""
    return root / "notebooks" / EDITIONS[edition] / f"{lesson.stem}.ipynb"


def compose(lesson: Path, edition: str) -> NotebookNode:
    """An edition of a lesson, not executed.

    Args:
        lesson: the py:percent file.
        edition: `student` or `solution`.

    Returns:
        A notebook whose cell ids are the lesson's number and the cell's place in the lesson, the same in both editions.

    Raises:
        BuildError: a cell is neither code nor Markdown, or its stub and solution are not marked as they should be.
    """
    header = nbformat.v4.new_markdown_cell(HEADERS[edition].format(name=lesson.stem), id=f"{lesson.name[:2]}-000")
    cells = [header]
    for place, cell in enumerate(jupytext.read(lesson, fmt="py:percent").cells, start=1):
        try:
            source = edit(cell, edition)
        except BuildError as problem:
            raise BuildError(f"{lesson.stem}, cell {place}: {problem}") from None
        if source is not None:
            make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
            tags = cell.metadata.get("tags")
            cells.append(make(source, id=f"{lesson.name[:2]}-{place:03d}", metadata={"tags": tags} if tags else {}))
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def edit(cell: NotebookNode, edition: str) -> str | None:
    """What one cell of a lesson is in an edition; None if it is left out."""
    tags = cell.metadata.get("tags", [])
    if cell.cell_type == "markdown":
        left_out = "lang-zh" in tags or ("solution" in tags and edition == "student")
        return None if left_out else (cell.source if edition == "student" else one_folder_deeper(cell.source))
    if cell.cell_type != "code":
        raise BuildError(f"is a {cell.cell_type} cell; lessons have code and Markdown")
    if "solution" in tags:
        return take_apart(cell.source)[edition]
    if any(STUB.match(line) or line.strip() == END for line in cell.source.splitlines()):
        raise BuildError('has a stub or a solution; tag it: # %% tags=["solution"]')
    return cell.source


def one_folder_deeper(markdown: str) -> str:
    """Markdown whose relative links that leave notebooks/ are seen from notebooks/solutions/."""
    return markdown.replace("](../", "](../../").replace('src="../', 'src="../../')


def take_apart(source: str) -> dict[str, str]:
    """The two editions of an exercise cell; raises BuildError unless it has one stub, then a solution, then its end."""
    lines = source.splitlines()
    stubs = [i for i, line in enumerate(lines) if STUB.match(line)]
    ends = [i for i, line in enumerate(lines) if line.strip() == END]
    if len(ends) != 1 or not stubs or stubs[-1] - stubs[0] != len(stubs) - 1:
        raise BuildError(f"is tagged solution; it needs `# stub:` lines without a gap, the solution, and one `{END}`")
    first, last, end = stubs[0], stubs[-1], ends[0]
    if not "".join(lines[last + 1 : end]).strip():
        raise BuildError(f"has no solution between its `# stub:` lines and `{END}`")
    stub = [match[1] + (match[2] or "") for match in map(STUB.match, lines[first : last + 1])]
    solution = lines[last + 1 : end]
    while not solution[-1].strip():  # blank lines before the end marker belong to both editions
        solution.pop()
        end -= 1
    head, tail = lines[:first], [line for line in lines[end:] if line.strip() != END]
    return {"student": "\n".join(head + stub + tail), "solution": "\n".join(head + solution + tail)}


def execute(notebook: NotebookNode, root: Path) -> None:
    """Run all cells in notebooks/ with this Python, outputs into the notebook; raises CellExecutionError."""
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(root / "notebooks")}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    client.execute(env={**os.environ, "PYTHONPATH": path})


def tame(notebook: NotebookNode) -> None:
    """Remove from an executed notebook what differs from run to run; raises BuildError if it writes to stderr."""
    notebook.metadata = nbformat.from_dict(METADATA)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        cell.metadata.pop("execution", None)
        noise = "".join(output.text for output in cell.outputs if output.get("name") == "stderr")
        if noise and "nbval-ignore-output" not in cell.metadata.get("tags", []):
            raise BuildError(f"cell {cell.id} writes to stderr: {noise.strip()[:200]!r}; mend it or tag the cell")
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)
            if output.output_type == "execute_result":
                output.execution_count = count


def build(lesson: Path, root: Path) -> None:
    """Write both editions of a lesson, executed; neither if one of them fails."""
    editions = {edition: compose(lesson, edition) for edition in EDITIONS}
    for edition, notebook in editions.items():
        try:
            execute(notebook, root)
            tame(notebook)
        except (CellExecutionError, BuildError) as problem:
            raise BuildError(f"{lesson.stem}, {edition} edition: {problem}") from None
    for edition, notebook in editions.items():
        path = notebook_path(lesson, edition, root)
        path.write_text(nbformat.writes(notebook, version=4).rstrip("\n") + "\n", encoding="utf-8", newline="\n")


def drift(lesson: Path, root: Path) -> list[str]:
    """For each edition that is not what its lesson says, a sentence with the first cell that differs; runs nothing."""
    found = []
    for edition in EDITIONS:
        path = notebook_path(lesson, edition, root)
        actual = nbformat.read(path, as_version=4).cells if path.exists() else []
        expected = compose(lesson, edition).cells
        if list(map(identity, actual)) != list(map(identity, expected)):
            place = next((i for i, (a, e) in enumerate(zip(actual, expected)) if identity(a) != identity(e)), None)
            place = min(len(actual), len(expected)) if place is None else place
            cell = (expected if place < len(expected) else actual)[place].id
            what = f"cell {cell} differs from the lesson" if path.exists() else "there is no notebook yet"
            found.append(f"{lesson.stem}, {edition} edition: {what}; run: make notebooks N={lesson.name[:2]}")
    return found


def identity(cell: NotebookNode) -> tuple:
    """What of a cell comes from the lesson: all but its outputs."""
    return cell.id, cell.cell_type, cell.source, tuple(cell.metadata.get("tags", []))


def strays(root: Path) -> list[str]:
    """Notebooks that no lesson makes, a sentence each."""
    made = {notebook_path(lesson, edition, root) for lesson in find_lessons(root, []) for edition in EDITIONS}
    found = sorted(set((root / "notebooks").rglob("*.ipynb")) - made)
    found = [path.relative_to(root) for path in found if ".ipynb_checkpoints" not in path.parts]
    return [f"{path} has no lesson; remove it or write lessons/{path.stem}.py" for path in found]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Build or check; returns the exit status: 0 if all is well, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Build the notebooks from the lessons.")
    parser.add_argument("numbers", nargs="*", metavar="N", help="lesson numbers, such as 03; all if left out")
    parser.add_argument("--check", action="store_true", help="run nothing; compare the notebooks' sources with the lessons")
    options = parser.parse_args(arguments)
    try:
        lessons = find_lessons(root, options.numbers)
        if options.check:
            problems = [sentence for lesson in lessons for sentence in drift(lesson, root)]
            problems += [] if options.numbers else strays(root)
            print("\n".join(problems) or f"{len(lessons)} lessons: both editions are what the lessons say")
            return 1 if problems else 0
        for edition in EDITIONS:
            (root / "notebooks" / EDITIONS[edition]).mkdir(parents=True, exist_ok=True)
        for lesson in lessons:
            build(lesson, root)
            print(f"{lesson.stem}: student and solution edition built")
    except BuildError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
