"""Make slides of lessons: `python tools/make_slides.py N ...` writes build/slides/NN_name.html, which needs no network.

A slide is a Markdown cell, or one section of it, with the code cells that follow. Text and code are the student edition's,
outputs are the solution edition's; an exercise keeps its stub and shows no output. Knows nothing about recommendation.
"""

from __future__ import annotations

import argparse
import base64
import html
import io
import re
import sys
from pathlib import Path
from string import Template

import nbformat
from build_notebooks import ROOT, BuildError, compose, drift, find_lessons, notebook_path
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser, math_to_image
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

PAGE = Template(Path(__file__).with_name("slides.html").read_text(encoding="utf-8"))
SECTION = re.compile(r"^(?=##+ )", re.MULTILINE)
HEADING = re.compile(r"<h[12][^>]*>(.*?)</h[12]>")
FONT = FontProperties(size=10, math_fontfamily="stix")
# What LaTeX allows and matplotlib's mathtext, which draws the formulas, does not.
MATHTEXT = [
    (re.compile(r"\\sqrt (\w)"), r"\\sqrt{\1}"),
    (re.compile(r"\\tfrac(\d)(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\(ge|le|ne)\b"), r"\\\1q"),
    (re.compile(r"\\[bB]igg?(?![a-z])"), ""),
    (re.compile(r"\s+"), " "),
]


class Prose(IPythonRenderer):
    """Markdown to HTML that needs no other file: formulas are drawn, and links to files are plain text."""

    def inline_math(self, body: str) -> str:
        return formula(body)

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{formula(body)}</div>'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, url, title) if url.startswith("http") else text


def formula(latex: str) -> str:
    """A formula as an SVG image that stands on the line of the text; raises BuildError if mathtext cannot draw it."""
    text = latex.strip()
    for pattern, instead in MATHTEXT:
        text = pattern.sub(instead, text)
    image = io.BytesIO()
    try:
        math_to_image(f"${text}$", image, prop=FONT, format="svg")
    except ValueError as problem:
        raise BuildError(f"cannot draw the formula {latex.strip()}: {str(problem).splitlines()[-1]}") from None
    _, height, depth, *_ = MathTextParser("path").parse(f"${text}$", dpi=72, prop=FONT)  # points, so tenths of an em
    style = f"height: {height / 10:.2f}em; vertical-align: {-depth / 10:.2f}em"
    return f'<img alt="{html.escape(latex.strip())}" style="{style}" src="{data_uri(image.getvalue())}">'


def data_uri(svg: bytes) -> str:
    """An SVG image as an address that carries the image itself."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def prose(markdown: str) -> str:
    """Markdown as HTML."""
    return MarkdownWithMath(Prose(escape=False, exclude_anchor_links=True)).render(markdown)


def code(source: str, outputs: list[NotebookNode]) -> str:
    """A code cell as HTML, and its outputs in one block that the page shows at the next key."""
    shown = "".join(map(output, outputs))
    return highlight(source, PythonLexer(), HtmlFormatter()) + (f'<div class="output">{shown}</div>' if shown else "")


def output(item: NotebookNode) -> str:
    """One output as HTML; pictures carry their own, with a description."""
    data = {"text/plain": item.text} if item.output_type == "stream" else item.data
    return data.get("text/html") or f"<pre>{html.escape(data['text/plain'])}</pre>"


def solved(lesson: Path, root: Path) -> dict[str, list[NotebookNode]]:
    """Cell id to outputs, without the exercises; raises BuildError if the notebooks are not what the lesson says."""
    for problem in drift(lesson, root):
        raise BuildError(problem)
    cells = nbformat.read(notebook_path(lesson, "solution", root), as_version=4).cells
    return {cell.id: cell.outputs for cell in cells if "outputs" in cell and "solution" not in cell.metadata.get("tags", [])}


def slides(lesson: Path, root: Path) -> list[str]:
    """The slides of a lesson, each as HTML.

    Args:
        lesson: the py:percent file; both editions of its notebook are built.
        root: the folder that has lessons/ and notebooks/.

    Returns:
        The title, the contents with links to the slides that start a section, then the lesson.

    Raises:
        BuildError: a notebook is missing or older than the lesson, or a formula cannot be drawn.
    """
    outputs = solved(lesson, root)
    found: list[str] = []
    for cell in compose(lesson, "student").cells[1:]:  # the first one only says which edition this is
        if cell.cell_type == "markdown":
            found += [prose(part) for part in SECTION.split(cell.source) if part.strip()]
        else:
            found[-1] += code(cell.source, outputs.get(cell.id, []))
    return [found[0], contents(found[1:]), *found[1:]]


def contents(found: list[str]) -> str:
    """A list of links to the slides that start a section; the first of these is slide 3."""
    starts = [(place, heading[1]) for place, slide in enumerate(found, start=3) if (heading := HEADING.search(slide))]
    return "<ul>" + "".join(f'<li><a href="#{place}">{heading}</a></li>' for place, heading in starts) + "</ul>"


def page(found: list[str]) -> str:
    """The slides as one HTML page."""
    title = re.sub("<[^>]+>", "", HEADING.search(found[0])[1])
    sections = "\n".join(f'<section tabindex="-1">{slide}</section>' for slide in found)
    return PAGE.substitute(title=title, colors=HtmlFormatter().get_style_defs(), sections=sections)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write the slides; returns the exit status: 0 if all is well, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Make slides of lessons.")
    parser.add_argument("numbers", nargs="*", metavar="N", help="lesson numbers, such as 03; all if left out")
    folder = root / "build" / "slides"
    try:
        for lesson in find_lessons(root, parser.parse_args(arguments).numbers):
            found = slides(lesson, root)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{lesson.stem}.html").write_text(page(found), encoding="utf-8")
            print(f"build/slides/{lesson.stem}.html: {len(found)} slides")
    except BuildError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
