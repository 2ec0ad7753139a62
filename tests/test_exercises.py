"""What check, hint, claim and quiz do; for every exercise: stub refused, reference accepted, mistakes named."""

import os
import re
import subprocess
import sys
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from llmrec_lab import exercises
from llmrec_lab.errors import DataError
from llmrec_lab.exercises import (
    HINTS,
    Calls,
    Exercise,
    Misconception,
    Unreadable,
    array,
    check,
    claim,
    grade,
    hint,
    lessons,
    number,
    quiz,
    quiz_html,
    quiz_text,
    recap,
)
from llmrec_lab.messages import message

ROOT = Path(__file__).resolve().parent.parent
EXERCISES = [exercise for lesson in lessons().values() for exercise in lesson.EXERCISES]
PARTS = [(name, part) for name, lesson in lessons().items() for part in ("QUIZ", "RECAP") if hasattr(lesson, part)]
QUESTIONS = [(question, part) for name, part in PARTS for question in getattr(lessons()[name], part)]


def endless(*_):
    while True:
        yield "1"


def raising(*_):
    raise RuntimeError("no " * 10_000)


def quitting(*_):
    sys.exit(1)


def deep(*arguments):
    return deep(*arguments)


class Hostile:
    """Raises whatever is done with it."""

    def _raise(self, *_):
        raise RuntimeError("hostile")

    __getattr__ = __iter__ = __len__ = __repr__ = __str__ = __float__ = __eq__ = __bool__ = __array__ = _raise
    __hash__ = None


class HostileNumber(float):
    def __float__(self):
        raise RuntimeError("hostile")

    __repr__ = __str__ = __float__


HOSTILE = {
    "ellipsis": ...,
    "text": "ten",
    "empty text": "",
    "long text": "x" * 10_000_000,
    "lone surrogate": "\ud800",
    "bytes": b"\x00",
    "true": True,
    "nan": float("nan"),
    "infinity": -np.inf,
    "complex": 1j,
    "huge integer": 10**10_000,
    "fraction": Fraction(10**500, 3),
    "empty list": [],
    "array": np.zeros((2, 3)),
    "nan array": np.full(3, np.nan),
    "0-d text": np.array("x"),
    "huge array": np.zeros(30_000_000, dtype=np.int8),
    "range": range(10**12),
    "generator": endless(),
    "class": int,
    "exception": ValueError("x"),
    "hostile": Hostile(),
    "hostile number": HostileNumber(0.5),
    "list of hostile": [Hostile()],
    "function that raises": raising,
    "function that quits": quitting,
    "function that recurses": deep,
    "function of nothing": lambda: 1,
    "function of hostile": lambda *_: Hostile(),
    "function of nan": lambda *_: float("nan"),
    "function of an array": lambda *_: np.zeros((2, 2)),
    "function without end": endless,
    "function of a function": lambda *_: print,
}


@pytest.fixture(autouse=True)
def no_hints_shown(monkeypatch):
    monkeypatch.setattr(exercises, "_hints_shown", {})


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
@pytest.mark.parametrize("stub", [None, ..., lambda *_: None], ids=["none", "ellipsis", "function of none"])
def test_unsolved_stub_is_not_accepted(exercise, stub, capsys):
    verdict = grade(exercise.id, stub)
    assert not verdict.passed and ".wrong." not in verdict.key
    if stub is None or (callable(stub) and isinstance(exercise.read, Calls)):
        assert verdict.key == "check.not_yet"
    assert check(exercise.id, stub) is None
    assert capsys.readouterr().out == verdict.message + "\n"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_reference_passes_and_says_why(exercise, capsys):
    verdict = grade(exercise.id, exercise.reference)
    assert (verdict.passed, verdict.key) == (True, f"{exercise.id}.why")
    check(exercise.id, exercise.reference)
    assert capsys.readouterr().out == f"✓ {exercise.id} passed: {message(verdict.key)}\n"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_each_misconception_is_refused_with_its_own_message(exercise):
    names = [misconception.name for misconception in exercise.misconceptions]
    assert len(set(names)) == len(names) >= 3
    for misconception in exercise.misconceptions:
        assert misconception.answers
        for answer in misconception.answers:
            verdict = grade(exercise.id, answer)
            assert (verdict.passed, verdict.key) == (False, f"{exercise.id}.wrong.{misconception.name}")
            assert verdict.message == f"{exercise.id} not right: {message(verdict.key)}"
    assert len({message(f"{exercise.id}.wrong.{name}") for name in names}) == len(names)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answer_is_refused_in_a_short_line_and_never_raises(exercise, name):
    verdict = grade(exercise.id, HOSTILE[name])
    assert not verdict.passed
    assert len(verdict.message) < 600 and "\n" not in verdict.message
    assert "expected" in verdict.message or ".wrong." in verdict.key


@pytest.mark.parametrize("exercise_id", ["99.9", "00.01", "", None, 0.1, ["00.1"]])
def test_unknown_exercise_raises_with_the_known_ones(exercise_id):
    for ask in (lambda: check(exercise_id, 1), lambda: grade(exercise_id, 1), lambda: hint(exercise_id)):
        with pytest.raises(DataError, match=r"there are 00\.1, 00\.2"):
            ask()


def test_ids_are_unique_and_belong_to_their_lesson():
    for name, lesson in lessons().items():
        ids = [exercise.id for exercise in lesson.EXERCISES]
        assert ids == [f"{name}.{n}" for n in range(1, len(ids) + 1)] and len(ids) >= 5
    for name, part in PARTS:
        questions = getattr(lessons()[name], part)
        assert [q.id for q in questions] == [f"{name}.{part[0].lower()}{n}" for n in range(1, len(questions) + 1)]


def test_first_misconception_in_order_is_named_and_a_predicate_recognizes_more():
    wrong = (Misconception("five", (5,)), Misconception("large", (9,), shows=lambda seen: seen > 4))
    exercise = Exercise("99.1", number, 2, wrong)
    assert [exercise.misconception(x).name for x in (5.0, 6.0, 9.0)] == ["five", "large", "large"]
    assert exercise.misconception(3.0) is None and not exercise.passes(3.0)


@pytest.mark.parametrize("answer", [0.965, 0.96495, np.float32(0.96495), np.array(0.96495), Fraction(96495, 100_000)])
def test_a_rounded_number_of_any_kind_passes(answer):
    assert grade("00.1", answer).passed


@pytest.mark.parametrize("answer", [0.96, 0.97, -0.965, True, "0.965", [0.965], np.array([0.965]), 0.965 + 0j])
def test_what_is_not_the_number_does_not_pass(answer):
    assert grade("00.1", answer).key == "check.other"


def test_torch_number_passes():
    torch = pytest.importorskip("torch")
    assert grade("00.1", torch.tensor(0.96495, requires_grad=True)).passed


@pytest.mark.parametrize("answer", [np.array([[1, 0]]), [[True, False]], ([1.0, 0.0],), np.float32([[1, 0]])])
def test_an_array_may_come_as_any_list_of_numbers(answer):
    assert array(answer) == [[1.0, 0.0]]


def test_an_array_may_come_as_a_tensor():
    torch = pytest.importorskip("torch")
    assert array(torch.tensor([[1, 0]])) == [[1.0, 0.0]]


@pytest.mark.parametrize(
    "answer",
    [
        np.zeros(1001),
        np.array([1.0, np.nan]),
        [np.inf],
        np.array(1.0),
        [0] * 1001,
        ["a"],
        np.array([1j]),
        range(10**12),
        "ab",
        5,
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_what_is_no_small_finite_array_is_unreadable(answer):
    with pytest.raises(Unreadable):
        array(answer)


def test_message_says_what_came():
    assert "an array of shape (2, 3) came" in grade("00.1", np.zeros((2, 3))).message
    assert "the number nan came" in grade("00.1", float("nan")).message
    assert "a function came" in grade("00.1", lambda: 1).message
    assert "a list of length 2 came" in grade("00.2", [1, 2]).message


def test_function_that_raises_is_told_for_which_call():
    assert "cosine_of([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) raised RuntimeError: no no" in grade("00.2", raising).message
    too_few = grade("00.4", lambda item_ids, scores: item_ids).message
    assert "top_k(['30', '10', '9', '7'], [0.2, 0.9, 0.5, 0.5], 3) raised TypeError" in too_few


def test_function_that_gives_the_wrong_kind_of_thing_is_told_for_which_call():
    assert "cosine_of([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) gives the number nan;" in grade("00.2", lambda *_: np.nan).message
    assert "gives an array of shape (2,);" in grade("00.2", lambda *_: np.ones(2)).message
    pairs = grade("00.4", lambda item_ids, scores, k: list(zip(scores, item_ids))).message
    assert ", 3) gives a tuple of length 2 as an entry;" in pairs


def test_function_that_differs_is_told_the_first_call_where_it_does():
    always_the_first = grade("00.2", lambda a, b: 0.96495).message
    assert "cosine_of([3, 4], [1, 0]) gives 0.9649, expected is 0.6" in always_the_first


def test_function_cannot_spoil_the_cases():
    def spoil(a, b):
        a[:], b[:] = 0.0, 0.0
        return 0.0

    grade("00.2", spoil)
    assert grade("00.2", lessons()["00"].cosine_of).passed


def test_top_k_written_in_other_ways_passes():
    by_lexsort = lambda item_ids, scores, k: item_ids[np.lexsort((item_ids, -scores))[:k]]  # noqa: E731
    by_sort_twice = lambda ids, s, k: tuple(i for i, _ in sorted(sorted(zip(ids, s)), key=lambda p: -p[1]))[:k]  # noqa: E731
    assert grade("00.4", by_lexsort).passed and grade("00.4", by_sort_twice).passed


def test_07_5_events_of_a_group_may_be_acknowledged_in_any_order():
    def commit(disk, group):
        for event in group:
            disk.write(event)
        disk.sync()
        for event in reversed(group):
            disk.acknowledge(event)
        return disk.done

    assert grade("07.5", commit).passed


def test_07_2_all_event_ids_of_all_people_and_items_are_not_the_likes_of_one():
    assert not grade("07.2", lambda received, item: len({event for _, event, _ in received})).passed


def test_07_6_what_the_lesson_prints_is_not_the_answer():
    assert not grade("07.6", 14_751).passed  # section 9: 10% to 11%


@pytest.mark.parametrize("answer", ["B", "b", " b ", {"B"}, ["b"], np.array(["B"])])
def test_letter_or_set_of_letters_passes(answer):
    assert grade("00.5", answer).passed


def test_hints_come_one_by_one_then_point_to_the_solution(capsys):
    for level in range(1, HINTS + 1):
        hint("00.1")
        assert capsys.readouterr().out == f"Hint {level} of 3 for 00.1: {message(f'00.1.hint{level}')}\n"
    for _ in range(2):
        hint("00.1")
        assert "solution edition" in capsys.readouterr().out
    hint("00.2")
    assert "Hint 1 of 3 for 00.2" in capsys.readouterr().out


def test_hint_of_a_level_does_not_move_the_others(capsys):
    hint("00.1", level=3)
    hint("00.1")
    assert re.findall(r"Hint (\d)", capsys.readouterr().out) == ["3", "1"]


@pytest.mark.parametrize("level", [0, 4, -1, 1.5, "1", [1]])
def test_hint_of_another_level_raises(level):
    with pytest.raises(DataError, match="ask for 1, 2 or 3"):
        hint("00.1", level=level)


@pytest.mark.parametrize("true", [True, np.True_, np.arange(3).sum() == 3])
def test_claim_that_holds_prints_its_sentence_with_a_tick(true, capsys):
    assert claim("five {is} more than four", true) is None
    assert capsys.readouterr().out == "✓ five {is} more than four\n"


@pytest.mark.parametrize("false", [False, np.False_])
def test_claim_that_fails_raises_with_its_sentence_and_what_to_do(false, capsys):
    with pytest.raises(AssertionError, match="does not hold here: four is more than five. Restart the kernel"):
        claim("four is more than five", false)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "holds", [1, 0, None, "yes", [True], np.array([True, False]), np.array([True]), np.array(True), max]
)
def test_claim_on_anything_but_one_boolean_raises(holds):
    with pytest.raises(DataError, match="pass True or False"):
        claim("this is a claim", holds)


@pytest.mark.parametrize("sentence", ["", "  ", None, True])
def test_claim_without_a_sentence_raises(sentence):
    with pytest.raises(DataError, match="say what is claimed"):
        claim(sentence, True)


@pytest.mark.parametrize("question, part", QUESTIONS)
def test_every_option_has_a_reason_of_its_own_and_one_is_right(question, part):
    assert question.right in question.options and len(question.options) >= 3
    reasons = [message(f"{question.id}.{option}.why") for option in question.options]
    assert len(set(reasons)) == len(reasons) and all(len(reason) > 20 for reason in reasons)
    text = quiz_text(question.id[:2], part)
    number_ = question.id[4:]
    assert re.findall(rf"^{number_}([a-z])\) Right\.", text, flags=re.M) == [question.right]


class Tags(HTMLParser):
    """Collects the opening tags and the text inside each details element."""

    def __init__(self):
        super().__init__()
        self.opened, self.attributes, self.details, self.stack = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.opened.append(tag)
        self.attributes += attrs
        self.stack.append(tag)
        if tag == "details":
            self.details.append("")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "details" in self.stack:
            self.details[-1] += data


@pytest.mark.parametrize("lesson, part", PARTS)
def test_quiz_opens_without_javascript_ids_or_color(lesson, part):
    tags = Tags()
    tags.feed(quiz_html(lesson, part))
    options = [f"{q.id}.{option}" for q in getattr(lessons()[lesson], part) for option in q.options]
    rights = [option == q.right for q in getattr(lessons()[lesson], part) for option in q.options]
    assert set(tags.opened) == {"p", "strong", "details", "summary"} and not tags.stack
    assert set(tags.attributes) == {("style", "margin-top: 1.2em")}
    assert tags.opened.count("summary") == len(tags.details) == len(options)
    for text, key, right in zip(tags.details, options, rights):
        assert message(key) in text and message(f"{key}.why") in text
        assert ("Right." in text, "Not this one." in text) == (right, not right)


def test_quiz_displays_html_and_plain_text_the_same_each_time(monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(display, "display", lambda data, raw: shown.append((data, raw)))
    quiz("00")
    quiz("00")
    assert shown[0] == shown[1] == ({"text/html": quiz_html("00"), "text/plain": quiz_text("00")}, True)


@pytest.mark.parametrize("lesson", ["99", "0", 0, None, ["00"]])
def test_quiz_of_an_unknown_lesson_raises_with_the_known_ones(lesson):
    with pytest.raises(DataError, match="there are 00"):
        quiz(lesson)


def test_a_lesson_without_a_recap_raises_with_those_that_have_one():
    with pytest.raises(DataError, match="no recap for the text '00'; there are"):
        recap("00")


def test_grading_imports_neither_torch_nor_plots_nor_ipython():
    code = (
        "import sys; from llmrec_lab.exercises import check; check('00.1', 1.0); check('00.2', max); "
        "print(*{'torch', 'matplotlib', 'IPython', 'ipywidgets'} & set(sys.modules))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert result.stdout.splitlines()[-1] == ""
