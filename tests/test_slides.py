"""Slides of a lesson of a few cells: what is on them, what is not, and what the keys do."""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from browser import CHROMIUM, chromium

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))
import build_notebooks  # noqa: E402
import make_slides  # noqa: E402

LESSON = """# %% [markdown]
# # Lesson 00 · Tiny
#
# What this is about.
#
# ## 1. A sum
#
# See [the next lesson](01_next.ipynb) and [a paper](https://arxiv.org/abs/1706.03762). What is $a + b$?

# %%
print(1 + 2 < 4)

# %% [markdown]
# It is so.
#
# ## Exercises

# %% tags=["solution"]
# stub: answer = None  # Write your code here.
answer = "the secret"
# end solution
print(answer)

# %% [markdown] tags=["solution"]
# Why it is the secret.
"""


@pytest.fixture
def course(tmp_path):
    """A lesson, and its notebooks with outputs that say which cell they are of."""
    lesson = tmp_path / "lessons" / "00_tiny.py"
    lesson.parent.mkdir()
    lesson.write_text(LESSON, encoding="utf-8")
    for edition in build_notebooks.EDITIONS:
        notebook = build_notebooks.compose(lesson, edition)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"{edition} <{cell.id}>")]
        path = build_notebooks.notebook_path(lesson, edition, tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    return tmp_path


@pytest.fixture
def slides(course):
    return make_slides.slides(course / "lessons" / "00_tiny.py", course)


def test_a_slide_is_a_section_with_its_code_and_the_output_of_the_solution_edition(slides):
    assert len(slides) == 5  # title, contents, the sum, what it is, exercises
    assert "What this is about" in slides[0] and "A sum" not in slides[0]
    assert "A sum" in slides[2] and "print" in slides[2] and "<pre>solution &lt;00-002&gt;</pre>" in slides[2]
    assert "It is so" in slides[3] and "Exercises" in slides[4]


def test_the_contents_lead_to_the_slides_that_start_a_section(slides):
    assert re.findall(r'href="#(\d+)">([^<]*)<', slides[1]) == [("3", "1. A sum"), ("5", "Exercises")]
    assert "A sum" in slides[3 - 1] and "Exercises" in slides[5 - 1]


def test_an_exercise_keeps_its_stub_and_shows_no_solution(slides):
    assert "Write your code here" in slides[-1]
    assert not re.search("secret|00-004", make_slides.page(slides))


def test_the_page_needs_no_other_file(slides):
    page = make_slides.page(slides)
    assert set(re.findall(r'\ssrc="(\w+:)', page)) == {"data:"} and page.count(" src=") == page.count(' src="data:')
    assert not re.search(r"<link|@import|url\(|<script ", page)
    assert re.findall(r'href="([^#"]+)"', page) == ["https://arxiv.org/abs/1706.03762"]


def test_a_formula_is_drawn_and_described(slides):
    assert re.search(r'<img alt="a \+ b" [^>]*src="data:image/svg', slides[2])


def test_a_formula_that_cannot_be_drawn_is_refused_by_name():
    with pytest.raises(make_slides.BuildError, match=r"cannot draw the formula \\unheard\{x\}"):
        make_slides.prose(r"See $\unheard{x}$.")


@pytest.mark.parametrize("lesson", sorted((ROOT / "lessons").glob("*.py")), ids=lambda path: path.stem)
def test_no_formula_of_a_lesson_is_left_in_latex(lesson):
    for cell in jupytext.read(lesson, fmt="py:percent").cells:
        if cell.cell_type == "markdown":
            assert "$" not in re.sub("<img[^>]*>|<code>.*?</code>", "", make_slides.prose(cell.source), flags=re.DOTALL)


def test_a_lesson_that_was_edited_after_it_was_built_makes_no_slides(course, capsys):
    lesson = course / "lessons" / "00_tiny.py"
    lesson.write_text(LESSON.replace("1 + 2", "1 + 1"), encoding="utf-8")
    assert make_slides.main(["0"], course) == 1
    assert "00-002 differs from the lesson; run: make notebooks N=00" in capsys.readouterr().err
    assert not (course / "build").exists()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser test")
def test_a_key_shows_the_output_before_it_turns_the_slide(course):
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
    assert make_slides.main([], course) == 0
    with chromium() as browser:
        page = browser.new_page()
        page.goto((course / "build" / "slides" / "00_tiny.html").as_uri())
        seen = []
        for key in ("PageDown", "ArrowRight", " ", "ArrowRight", "PageUp", "End", "Home"):
            page.keyboard.press(key)
            page.wait_for_function("location.hash.slice(1) === document.querySelector('#place').textContent.split(' ')[0]")
            seen.append((page.inner_text("#place"), page.locator(".output").is_visible()))
    places, visible = zip(*seen)
    assert places == ("2 / 5", "3 / 5", "3 / 5", "4 / 5", "3 / 5", "5 / 5", "1 / 5")
    assert visible == (False, False, True, False, True, False, False)
