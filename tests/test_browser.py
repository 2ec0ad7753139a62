"""Lessons as a learner meets them: in JupyterLab, lesson 00 with all its cells run, and every widget driven by keys.

Works in a scratch folder: the committed notebooks are only read.
"""

import ast
import re
import shutil
from dataclasses import dataclass

import jupytext
import nbformat
import pytest
from browser import CHROMIUM, ROOT, chromium, jupyterlab, run_all

NOTEBOOK = ROOT / "notebooks" / "00_start_here.ipynb"

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser test"),
    pytest.mark.timeout(300),
]


@dataclass(frozen=True)
class Widget:
    """A widget as a lesson shows it, with the lesson's names standing for something small, and what keys do to it."""

    lesson: str
    name: str
    twin: str  # shows without a kernel what the widget shows
    given: str  # code that gives the names of the lesson's cell their values
    keys: list[str]
    shown: str  # in the answer after the keys, and not before


WIDGETS = [
    Widget(
        "01",
        "token_explorer",
        "token_grid",
        "from llmrec_lab.vocabularies import load_tokenizer\ntokenizers = {'minilm': load_tokenizer('minilm')}",
        ["End", "!"],
        "minilm: 8 tokens",
    ),
    Widget("02", "attention_dial", "attention_table", "bought = ['coffee', 'dog', 'chocolate']", ["Home"], "coffee 1.00"),
    Widget(
        "03",
        "interest_mixer",
        "mixer_table",
        "from llmrec_lab import Recommender, load_encoder\nfrom llmrec_lab.datasets.tiny import tiny_world\n"
        "from llmrec_lab.scoring import interest_scores\ncatalog, _ = tiny_world()\n"
        "lab = Recommender(catalog, load_encoder('minilm'))\nconcepts, vectors = lab.concepts, lab.vectors",
        ["Home"],
        "Amélie My Neighbor Totoro",
    ),
    Widget(
        "04",
        "diversity_dial",
        "diversity_table",
        "import numpy as np\nfrom llmrec_lab.datasets.tiny import tiny_world\ncatalog, _ = tiny_world()\n"
        "vectors = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 1], [0, 1]])\nwish_scores = vectors[:, 0]",
        ["Home"],
        "2 Amélie 0.000",  # Blade Runner, a twin of the first, was there
    ),
    Widget("05", "metric_playground", "playground_table", "", ["ArrowRight"], "MRR 0.50"),
    Widget(
        "07",
        "feedback_player",
        "feedback_table",
        "from llmrec_lab import Recommender, load_encoder\nfrom llmrec_lab.datasets.tiny import tiny_world\n"
        "lab = Recommender(tiny_world()[0], load_encoder('minilm'))",
        ["Enter"],
        "like: ",
    ),
]
TWINS = {("00", "search_box"): "search_table"} | {(widget.lesson, widget.name): widget.twin for widget in WIDGETS}


def code_cells(folder, lesson):
    """The code cells of a lesson in `lessons`, which have no outputs, or in `notebooks`."""
    (path,) = (ROOT / folder).glob(f"{lesson}_*")
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def showing(name, cells):
    """Which of a lesson's cells shows a widget."""
    (place,) = (i for i, cell in enumerate(cells) if re.search(rf"^{name}\(", cell.source, re.MULTILINE))
    return place


def without_outputs(notebook):
    """The notebook as if it had never run."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def gallery():
    """A notebook with every widget's cell as its lesson has it, below what gives the names their values."""
    notebook = nbformat.v4.new_notebook(metadata=nbformat.read(NOTEBOOK, as_version=4).metadata)  # or Lab asks for a kernel
    for widget in WIDGETS:
        cells = code_cells("lessons", widget.lesson)
        source = f"{widget.given}\n{cells[showing(widget.name, cells)].source}"
        notebook.cells.append(nbformat.v4.new_code_cell(source))
    return notebook


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A folder with lesson 00 and the gallery, neither with outputs."""
    folder = tmp_path_factory.mktemp("jupyter")
    shutil.copyfile(NOTEBOOK, folder / "committed.ipynb")
    (folder / "work").mkdir()
    nbformat.write(without_outputs(nbformat.read(NOTEBOOK, as_version=4)), folder / "work" / NOTEBOOK.name)
    nbformat.write(gallery(), folder / "work" / "gallery.ipynb")
    return folder


@pytest.fixture(scope="module")
def opened(workspace):
    """A function that opens a notebook of the workspace in a browser and runs all its cells."""
    with jupyterlab(workspace) as address, chromium() as browser:
        yield lambda name: run_all(browser, address, workspace / "work" / name)


@pytest.fixture(scope="module")
def page(opened):
    return opened(NOTEBOOK.name)


@pytest.fixture(scope="module")
def gallery_page(opened):
    return opened("gallery.ipynb")


def assert_no_errors(path):
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    problems = [(cell.id, output.evalue) for cell in code for output in cell.outputs if output.output_type == "error"]
    assert problems == []
    assert all(cell.execution_count for cell in code)


def test_all_cells_run_without_an_error(page, workspace):
    assert_no_errors(workspace / "work" / NOTEBOOK.name)


def test_typing_in_the_search_box_changes_the_list(page):
    field = page.locator(".jupyter-widgets input[type=text]")
    answer = page.locator(".jupyter-widgets [role=status]")
    field.scroll_into_view_if_needed()
    before = answer.inner_text()
    assert "westerns and a good musical" in before
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("films by Hayao Miyazaki", delay=30)
    page.wait_for_function("document.querySelector('.jupyter-widgets [role=status]').innerText.includes('Hayao Miyazaki')")
    after = answer.inner_text()
    assert after.count("\n") == before.count("\n") and after != before
    titles = [{line.split("\t")[1] for line in text.splitlines() if line.count("\t") == 2} for text in (before, after)]
    assert titles[0] != titles[1] and len(titles[1]) == 6  # the header and five films


def test_an_emptied_search_box_says_what_to_do(page):
    field = page.locator(".jupyter-widgets input[type=text]")
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.wait_for_function(
        "document.querySelector('.jupyter-widgets [role=status]').innerText.includes('Type what you like')"
    )


def test_an_option_of_the_quiz_opens_to_its_reason(page):
    option = page.locator("details", has_text="decompose").first
    assert not option.locator("p").is_visible()
    option.locator("summary").click()
    assert option.locator("p").inner_text().startswith("Right.")


def test_the_picture_has_alternative_text(page):
    picture = page.locator(".jp-OutputArea img")
    assert picture.count() == 1 and "scores, from" in picture.get_attribute("alt")


def test_no_code_is_wider_than_its_cell(page):
    hidden = "all => all.map(box => box.scrollWidth - box.clientWidth)"
    assert max(page.locator(".jp-CodeCell .jp-InputArea .cm-scroller").evaluate_all(hidden)) <= 0
    assert "app_settings_dir=tools/jupyterlab" in (ROOT / "Makefile").read_text()


def test_the_committed_notebook_is_only_read(page, workspace):
    assert NOTEBOOK.read_bytes() == (workspace / "committed.ipynb").read_bytes()


def test_all_widgets_show_without_an_error(gallery_page, workspace):
    assert_no_errors(workspace / "work" / "gallery.ipynb")


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: f"{widget.lesson}-{widget.name}")
def test_a_widget_is_reached_with_tab_and_follows_the_keys(gallery_page, widget):
    cell = gallery_page.locator(".jp-CodeCell", has_text=f"{widget.name}(")
    control, answer = cell.locator("input[type=text], [role=slider], .widget-button").first, cell.locator("[role=status]")
    playwright.expect(answer).not_to_contain_text(widget.shown, use_inner_text=True)
    assert control.evaluate("element => element.tabIndex") == 0  # Tab stops here
    control.focus()
    for key in widget.keys:
        gallery_page.keyboard.press(key)
    playwright.expect(answer).to_contain_text(widget.shown, use_inner_text=True, timeout=20_000)


@pytest.mark.parametrize(("lesson", "name"), TWINS, ids=map("-".join, TWINS))
def test_the_cell_after_a_widget_shows_its_still_twin(lesson, name):
    cells = code_cells("notebooks", lesson)
    after = cells[showing(name, cells) + 1]
    assert re.search(rf"^{TWINS[lesson, name]}\(", after.source, re.MULTILINE)
    assert "<table" in after.outputs[-1].data["text/html"]


def test_every_widget_of_the_lessons_is_driven_here():
    imports = [
        (path.name[:2], name.name)
        for path in (ROOT / "lessons").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "llmrec_lab.widgets"
        for name in node.names
    ]
    assert {(lesson, name) for lesson, name in imports if name not in TWINS.values()} == set(TWINS)
