"""The table of sentences: complete, without leftovers, and the same in every language."""

import ast
import re
import string
from pathlib import Path

import pytest

from llmrec_lab.errors import DataError
from llmrec_lab.exercises import HINTS, lessons
from llmrec_lab.messages import MESSAGES, message

PACKAGE = Path(__file__).resolve().parent.parent / "llmrec_lab"
CALLS = {"message", "escaped", "refuse", "Unreadable"}  # functions that take a key
WITH_KEY_IN = {"mark", "quiz_title"}  # functions that return one


def literal_keys() -> set[str]:
    """The keys that the package's code writes out."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "id", getattr(node, "name", None))
            if isinstance(node, (ast.Call, ast.FunctionDef)) and name in CALLS | WITH_KEY_IN:
                inside = node.args if isinstance(node, ast.Call) else node.body[1:]
                found |= {n.value for part in inside for n in ast.walk(part) if is_key(n)}
    return found


def is_key(node) -> bool:
    """Whether a piece of code is a text such as `check.passed`."""
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", text) is not None


def exercise_keys() -> set[str]:
    """The keys that exercises and quizzes make from their ids."""
    found = set()
    for lesson in lessons().values():
        for exercise in lesson.EXERCISES:
            found |= {f"{exercise.id}.{end}" for end in ("expected", "why")}
            found |= {f"{exercise.id}.hint{level}" for level in range(1, HINTS + 1)}
            found |= {f"{exercise.id}.wrong.{misconception.name}" for misconception in exercise.misconceptions}
        for question in [*lesson.QUIZ, *getattr(lesson, "RECAP", ())]:
            found.add(f"{question.id}.question")
            found |= {f"{question.id}.{option}{end}" for option in question.options for end in ("", ".why")}
    return found


def fields(sentence: str) -> set[str]:
    """The names of the places to fill in."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_key_used_exists():
    assert literal_keys() | exercise_keys() <= set(MESSAGES["en"])


def test_every_key_is_used():
    assert set(MESSAGES["en"]) - literal_keys() - exercise_keys() == set()


@pytest.mark.parametrize("language", MESSAGES)
def test_languages_have_the_same_keys_and_places_to_fill(language):
    assert {key: fields(text) for key, text in MESSAGES[language].items()} == {
        key: fields(text) for key, text in MESSAGES["en"].items()
    }


@pytest.mark.parametrize("key", sorted(exercise_keys()))
def test_sentences_of_exercises_stand_alone_and_start_and_end_as_they_should(key):
    text = MESSAGES["en"][key]
    assert message(key) == text == text.strip() and "  " not in text
    if key.endswith(".expected"):
        assert text.startswith("expected is ") and not text.endswith(".")
    elif key.endswith(".question"):
        assert text.endswith("?")
    elif key.split(".")[-1].startswith(("why", "hint")) or ".wrong." in key:
        assert text.endswith(".")


def test_hints_of_an_exercise_differ():
    for lesson in lessons().values():
        for exercise in lesson.EXERCISES:
            assert len({message(f"{exercise.id}.hint{level}") for level in range(1, HINTS + 1)}) == HINTS


def test_values_are_filled_in_and_never_read_as_places():
    assert message("claim.holds", sentence="{x} and {0}") == "✓ {x} and {0}"


def test_unknown_key_language_and_missing_value_raise():
    with pytest.raises(DataError, match="no message 'check.maybe'"):
        message("check.maybe")
    with pytest.raises(DataError, match=r"language 'tlh'; there are \['en'"):
        message("check.passed", language="tlh")
    with pytest.raises(DataError, match="needs a value for 'sentence'"):
        message("claim.holds")
