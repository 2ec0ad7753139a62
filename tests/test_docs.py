"""The docs keep to the lessons: the glossary has every term, the errata lead to cells that exist, links lead somewhere."""

import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
LESSONS = {path.name[:2]: path for path in sorted((ROOT / "lessons").glob("*.py"))}
NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", re.DOTALL)
# A label, such as **Time:**, **Check the article: code.** or **02.4 Find the bug.**, or an option, such as **A**.
LABEL = re.compile(r"\d.*|.*[.:?]|[A-Z]", re.DOTALL)
ENDINGS = "(ed|ing|ic|y|s)?"  # fine-tuned and fine-tuning, anisotropic and anisotropy, bucket and buckets


def rows(name: str) -> list[list[str]]:
    """The cells of the rows of the only table of a document."""
    lines = [line for line in (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


GLOSSARY = rows("glossary.md")
ERRATA = rows("errata.md")


def prose(lesson: str) -> str:
    """The Markdown of a lesson without code and formulas."""
    cells = jupytext.read(LESSONS[lesson], fmt="py:percent").cells
    return NOT_PROSE.sub("", "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))


def bold(lesson: str) -> list[str]:
    """What stands in bold in a lesson and is no label: its terms."""
    found = re.findall(r"\*\*(.+?)\*\*", prose(lesson), re.DOTALL)
    return [" ".join(text.split()) for text in found if not LABEL.fullmatch(text)]


def names(entry: str) -> list[str]:
    """What an entry of the glossary is called: `byte-pair encoding (BPE)` has two names, and so has `hit rate, HR@10`."""
    return [name.strip(" )").lower() for name in re.split("[,(]", entry) if not name.startswith("of ")]


def defines(entry: str, term: str) -> bool:
    """Whether a name of an entry starts or ends with a term, up to the ending of the word."""
    stem = re.escape(re.sub(ENDINGS + "$", "", term.lower().split("@")[0]))  # recall@10 is recall
    return any(re.fullmatch(rf"{stem}{ENDINGS}( .*)?|.* {stem}{ENDINGS}", name) for name in names(entry))


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_glossary_has_every_term_of_a_lesson_and_no_later_lesson_for_it(lesson):
    missing = [
        term for term in bold(lesson) if not any(defines(entry, term) and first <= lesson for entry, _, _, first in GLOSSARY)
    ]
    assert not missing, f"add these terms of lesson {lesson} to docs/glossary.md: {missing}"


def test_the_glossary_is_sorted():
    order = [re.sub(r"\W", "", entry).lower() for entry, *_ in GLOSSARY]
    wrong = [(one, other) for one, other in zip(order, order[1:]) if one > other]
    assert not wrong, f"these pairs of docs/glossary.md stand the wrong way round: {wrong}"


def test_the_glossary_has_one_entry_for_a_name():
    found = [name for entry, *_ in GLOSSARY for name in names(entry)]
    twice = {name for name in found if found.count(name) > 1}
    assert not twice, f"docs/glossary.md has two entries for {twice}"


@pytest.mark.parametrize("row", GLOSSARY, ids=lambda row: row[0])
def test_a_term_has_its_chinese_its_meaning_and_its_lesson(row):
    _, chinese, meaning, lesson = row
    assert meaning and lesson in LESSONS
    assert re.search("[\u4e00-\u9fff]", chinese) or chinese.lower() == row[0].lower(), "Chinese, or the same word in both"


def test_an_erratum_is_listed_once_and_in_order():
    ids = [row[0] for row in ERRATA]
    assert all(re.fullmatch(r"E(00[0-4]-\d\d|X-\d\d|-CIT-\d)", number) for number in ids)
    assert ids == sorted(set(ids), key=lambda number: (not number[1].isdigit(), number))


@pytest.mark.parametrize("row", ERRATA, ids=lambda row: row[0])
def test_an_erratum_leads_to_sections_and_exercises_that_exist(row):
    lesson, *places = re.split(r"[,;:] ?", row[3])
    found = [re.fullmatch(r"(section|exercise) ([\d.]+).*", place.strip()) for place in places]
    found = [place for place in found if place]
    assert found, "name the lesson, then `section N` or `exercise NN.N`"
    for place in found:
        mark = rf"^#+ {place[2]}\. " if place[1] == "section" else rf"\*\*{re.escape(place[2])}\b"
        assert re.search(mark, prose(lesson), re.MULTILINE), f"lesson {lesson} has no {place[0]}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_that_checks_an_article_has_errata_and_the_other_way_round(lesson):
    assert ("**Check the article" in prose(lesson)) == any(row[3].startswith(lesson) for row in ERRATA)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_a_run_sheet(lesson):
    assert f"\n## Lesson {lesson} · " in (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")


LINKS = [(path, link) for path in DOCS for link in re.findall(r"\]\((?!http)([^)]+)\)", path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("path", "link"), LINKS, ids=str)
def test_a_link_of_a_document_leads_to_a_file(path, link):
    assert (path.parent / link.split("#")[0]).exists()
