"""The builder of the notebooks, on a lesson of six cells."""

import importlib.util
import json
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("build_notebooks", ROOT / "tools" / "build_notebooks.py")
builder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builder)

LESSON = """# ---
# jupyter:
#   kernelspec:
#     display_name: Some kernel
#     language: python
#     name: some_kernel
# ---

# %% [markdown]
# # A tiny lesson
# ![a map](../docs/map.svg) and [the next lesson](01_next.ipynb)

# %% [markdown] tags=["lang-zh"]
# # 小课

# %%
from pathlib import Path

print("first", end=" ")
print("second")
Path.cwd().name

# %% tags=["solution"]
start = 40
# stub: answer = None  # Write your code here.
answer = start
answer += 2
# end solution
print("not yet" if answer is None else "passed")

# %% tags=["solution"]
# stub: def double(x):
# stub:     return None  # Write your code here.
def double(x):
    return 2 * x


# end solution
print(double(4))

# %% [markdown] tags=["solution"]
# Why it is 42.

# %% tags=["nbval-ignore-output"]
import sys

print("noise", file=sys.stderr)
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "00_tiny.py").write_text(LESSON, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    (root / "lessons").mkdir()
    (root / "lessons" / "00_tiny.py").write_text(LESSON, encoding="utf-8")
    assert builder.main([], root) == 0
    return root


@pytest.fixture
def copy(built, tmp_path):
    """The built course, in a folder that a test may spoil."""
    for path in built.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(built)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def sources(root, edition):
    return {cell.id: cell.source for cell in builder.compose(root / "lessons" / "00_tiny.py", edition).cells}


def path_of(root, edition):
    return root / "notebooks" / builder.EDITIONS[edition] / "00_tiny.ipynb"


def outputs(root, edition):
    notebook = nbformat.read(path_of(root, edition), as_version=4)
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def test_student_edition_has_stubs_and_solution_edition_solutions(root):
    student, solution = sources(root, "student"), sources(root, "solution")
    says = 'print("not yet" if answer is None else "passed")'
    assert student["00-004"] == f"start = 40\nanswer = None  # Write your code here.\n{says}"
    assert solution["00-004"] == f"start = 40\nanswer = start\nanswer += 2\n{says}"
    assert student["00-005"] == "def double(x):\n    return None  # Write your code here.\n\n\nprint(double(4))"
    assert solution["00-005"] == "def double(x):\n    return 2 * x\n\n\nprint(double(4))"
    assert all("# stub:" not in text and "# end" not in text for text in [*student.values(), *solution.values()])


def test_header_names_the_edition_and_its_source(root):
    for edition, other in (("student", "solution"), ("solution", "student")):
        header = sources(root, edition)["00-000"]
        assert header.startswith(f"*{edition.capitalize()} edition, built from `lessons/00_tiny.py`: edit that file")
        assert f"[the {other} edition](" in header and "\n" not in header


def test_markdown_of_the_solution_and_of_other_languages_is_left_out_where_it_should(root):
    assert list(sources(root, "student")) == ["00-000", "00-001", "00-003", "00-004", "00-005", "00-007"]
    assert list(sources(root, "solution")) == ["00-000", "00-001", "00-003", "00-004", "00-005", "00-006", "00-007"]


def test_links_that_leave_the_folder_are_one_deeper_in_the_solution_edition(root):
    assert "(../docs/map.svg) and [the next lesson](01_next.ipynb)" in sources(root, "student")["00-001"]
    assert "(../../docs/map.svg) and [the next lesson](01_next.ipynb)" in sources(root, "solution")["00-001"]


@pytest.mark.parametrize(
    ("change", "to", "problem"),
    [
        ('# %% tags=["solution"]\nstart', "# %%\nstart", "cell 4: has a stub or a solution; tag it"),
        ("# end solution\nprint(d", "print(d", "cell 5: is tagged solution; it needs"),
        ("# stub: answer = None  # Write your code here.\n", "", "cell 4: is tagged solution; it needs"),
        ("answer = start\nanswer += 2\n", "", "cell 4: has no solution"),
        ("# stub:     return", "x = 1\n# stub:     return", "cell 5: is tagged solution; it needs"),
        ('# %% [markdown] tags=["lang-zh"]', "# %% [raw]", "cell 2: is a raw cell"),
    ],
)
def test_lesson_with_a_lost_tag_or_marker_is_refused(root, change, to, problem, capsys):
    lesson = root / "lessons" / "00_tiny.py"
    assert LESSON.count(change) == 1
    lesson.write_text(LESSON.replace(change, to), encoding="utf-8")
    for arguments in ([], ["--check"]):
        assert builder.main(arguments, root) == 1
        said = capsys.readouterr()
        assert f"00_tiny, {problem}" in said.err + said.out
    assert not list(root.rglob("*.ipynb"))


def test_both_editions_run_in_the_notebooks_folder_and_keep_their_outputs(built):
    student, solution = outputs(built, "student"), outputs(built, "solution")
    assert student["00-003"] == solution["00-003"]
    assert student["00-003"][0].text == "first second\n"
    assert student["00-003"][1].data["text/plain"] == "'notebooks'"
    assert (student["00-004"][0].text, solution["00-004"][0].text) == ("not yet\n", "passed\n")
    assert (student["00-005"][0].text, solution["00-005"][0].text) == ("None\n", "8\n")
    assert student["00-007"] == []


def test_building_twice_gives_the_same_bytes(copy, built):
    assert builder.main(["0"], copy) == 0
    for edition in builder.EDITIONS:
        assert path_of(copy, edition).read_bytes() == path_of(built, edition).read_bytes()


def test_files_are_tame(built):
    for edition in builder.EDITIONS:
        text = path_of(built, edition).read_text(encoding="utf-8")
        notebook = json.loads(text)
        nbformat.validate(notebook)
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
        assert notebook["metadata"] == builder.METADATA and "version" not in notebook["metadata"]["language_info"]
        assert all(set(cell["metadata"]) <= {"tags"} for cell in notebook["cells"])
        assert text.endswith("}\n") and "\r" not in text and "小课" not in text


def test_widget_views_counts_and_noise_are_tamed():
    data = {"text/plain": "IntSlider(value=0)", builder.WIDGET: {"model_id": "8c1f"}}
    results = [
        nbformat.v4.new_output("execute_result", data=data, execution_count=7),
        nbformat.v4.new_output("stream", name="stderr", text="warning"),
    ]
    cell = nbformat.v4.new_code_cell("x", outputs=results, metadata={"tags": ["nbval-ignore-output"], "execution": {}})
    notebook = nbformat.v4.new_notebook(
        cells=[cell], metadata={"widgets": {}, "language_info": {"name": "python", "version": "3.11.7"}}
    )
    builder.tame(notebook)
    (output,) = cell.outputs
    assert (output.data, output.execution_count, cell.execution_count) == ({"text/plain": "IntSlider(value=0)"}, 1, 1)
    assert cell.metadata == {"tags": ["nbval-ignore-output"]} and notebook.metadata == builder.METADATA


def test_check_passes_on_what_was_built(built, capsys):
    assert builder.main(["--check"], built) == 0
    assert "1 lessons: both editions are what the lessons say" in capsys.readouterr().out


def spoil_source(notebook):
    notebook.cells[2].source += "\n# by hand"


def spoil_tag(notebook):
    del notebook.cells[2 + 1].metadata["tags"]


def spoil_type(notebook):
    notebook.cells[1] = nbformat.v4.new_code_cell(notebook.cells[1].source, id=notebook.cells[1].id)


def spoil_last(notebook):
    del notebook.cells[-1]


def spoil_extra(notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("more", id="extra"))


@pytest.mark.parametrize("edition", ["student", "solution"])
@pytest.mark.parametrize(
    ("spoil", "cell"),
    [
        (spoil_source, "00-003"),
        (spoil_tag, "00-004"),
        (spoil_type, "00-001"),
        (spoil_last, "00-007"),
        (spoil_extra, "extra"),
    ],
)
def test_check_names_the_edition_and_the_cell_that_drifted(copy, edition, spoil, cell, capsys):
    notebook = nbformat.read(path_of(copy, edition), as_version=4)
    spoil(notebook)
    nbformat.write(notebook, path_of(copy, edition))
    assert builder.main(["--check", "00"], copy) == 1
    expected = f"00_tiny, {edition} edition: cell {cell} differs from the lesson; run: make notebooks N=00\n"
    assert capsys.readouterr().out == expected


def test_check_catches_a_lesson_edited_after_the_build(copy, capsys):
    (copy / "lessons" / "00_tiny.py").write_text(LESSON.replace("answer += 2", "answer += 3"), encoding="utf-8")
    assert builder.main(["--check"], copy) == 1
    said = capsys.readouterr().out
    assert "solution edition: cell 00-004" in said and "student" not in said


def test_check_catches_a_missing_and_a_stray_notebook(copy, capsys):
    path_of(copy, "solution").rename(copy / "notebooks" / "07_old.ipynb")
    assert builder.main(["--check"], copy) == 1
    said = capsys.readouterr().out
    assert "00_tiny, solution edition: there is no notebook yet; run: make notebooks N=00" in said
    assert "07_old.ipynb has no lesson" in said and "lessons/07_old.py" in said


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys\nprint('hm', file=sys.stderr)", "cell 00-008 writes to stderr: 'hm'"),
    ],
)
def test_lesson_that_fails_or_is_noisy_is_not_written(copy, built, code, problem, capsys):
    (copy / "lessons" / "00_tiny.py").write_text(f"{LESSON}\n# %%\n{code}\n", encoding="utf-8")
    assert builder.main([], copy) == 1
    said = capsys.readouterr().err
    assert "00_tiny, student edition:" in said and problem in said
    for edition in builder.EDITIONS:
        assert path_of(copy, edition).read_bytes() == path_of(built, edition).read_bytes()


def test_unknown_number_and_no_lessons_are_refused(root, tmp_path_factory, capsys):
    assert builder.main(["3"], root) == 1
    assert "no lesson 03 in lessons/; there are: 00" in capsys.readouterr().err
    assert builder.main(["--check"], tmp_path_factory.mktemp("empty")) == 1
    assert "there are: none" in capsys.readouterr().err
