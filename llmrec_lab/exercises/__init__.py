"""Exercises that check themselves: check, hint, claim and quiz, and the small parts that an exercise is made of.

Knows nothing about any single exercise (those are in `lesson_NN.py`) and holds no sentence (those are in
`llmrec_lab.messages`).
"""

from __future__ import annotations

import functools
import html
import importlib
import math
import pkgutil
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from numbers import Integral, Real

import numpy as np

from llmrec_lab.errors import DataError
from llmrec_lab.messages import message

LONGEST_LIST = 1000  # an answer with more entries than this is cut, so that an endless one cannot hang the check
SHOWN_ENTRIES = 10
HINTS = 3
_hints_shown: dict[str, int] = {}  # by exercise, in this kernel


@dataclass(frozen=True)
class Misconception:
    """A way to get an exercise wrong that has a reason, recognized by the answers it leads to.

    Args:
        name: the end of its message key, `<exercise>.wrong.<name>`.
        answers: what somebody who thinks so hands in; an answer that reads the same is recognized.
        shows: recognizes more: takes the answer as `Exercise.read` gives it, returns a bool.

    Example:
        >>> Misconception("dot", (130,)).name
        'dot'
    """

    name: str
    answers: tuple
    shows: Callable | None = None


@dataclass(frozen=True)
class Exercise:
    """One exercise: what is right, and which misconceptions are recognized, in order.

    Args:
        id: lesson and number, such as `00.1`.
        read: gives an answer as floats, strings or lists, or raises Unreadable; one of `number`, `array`, `ids`, `letters`,
            `Calls(...)`.
        reference: a right answer.
        misconceptions: the first one that an answer shows is named.
        tolerance: how far, relative and absolute, a number may be from the reference.

    Example:
        >>> double = Exercise("99.1", number, 4.0, (Misconception("square_root", (1.41,)),), tolerance=0.01)
        >>> double.passes(double.read(4.01)), double.misconception(1.414).name
        (True, 'square_root')
    """

    id: str
    read: Callable
    reference: object
    misconceptions: tuple[Misconception, ...]
    tolerance: float = 1e-6

    def passes(self, seen) -> bool:
        """Whether an answer, as `read` gives it, is right."""
        return agree(seen, self.read(self.reference), self.tolerance)

    def misconception(self, seen) -> Misconception | None:
        """The first misconception that an answer, as `read` gives it, shows; None if there is none."""
        for candidate in self.misconceptions:
            known = any(agree(seen, self.read(answer), self.tolerance) for answer in candidate.answers)
            if known or (candidate.shows and candidate.shows(seen)):
                return candidate
        return None


@dataclass(frozen=True)
class Verdict:
    """What the check thinks of one answer: did it pass, the key of the reason, and the sentence that is printed."""

    passed: bool
    key: str
    message: str


@dataclass(frozen=True)
class Question:
    """One question of a quiz; its words are the messages `<id>.question`, `<id>.<option>` and `<id>.<option>.why`.

    Args:
        id: lesson and number, such as `00.q1`, or `01.r1` in a recap.
        options: one letter each.
        right: the letter of the right option.
    """

    id: str
    options: str
    right: str


class Unreadable(Exception):
    """An answer that cannot be graded: the key of the message that says why, and its values."""

    def __init__(self, key: str, **values):
        super().__init__(key)
        self.key, self.values = key, values


def check(exercise_id: str, answer) -> None:
    """Print whether an answer is right, which misconception it shows, or what was expected; no answer makes it raise.

    Args:
        exercise_id: such as `00.1`.
        answer: anything.

    Raises:
        DataError: there is no such exercise.

    Example:
        >>> check("00.1", None)
        00.1 not yet: expected is one number, the cosine of (1, 2, 3, 4, 5) and (6, 7, 8, 9, 10).
        >>> check("00.1", 1 - 0.96495)
        00.1 not right: this is 1 - cosine, the cosine distance. Near vectors have a small distance and a large cosine.
    """
    print(grade(exercise_id, answer).message)


def grade(exercise_id: str, answer) -> Verdict:
    """What `check` would print, as a value.

    Args:
        exercise_id: such as `00.1`.
        answer: anything.

    Returns:
        A Verdict; its key ends in `.why` for a right answer and in `.wrong.<name>` for a recognized misconception.

    Raises:
        DataError: there is no such exercise.

    Example:
        >>> grade("00.1", 0.96495).passed, grade("00.1", 0.99).key
        (True, '00.1.wrong.article')
    """
    exercise = find(exercise_id)
    try:
        return judge(exercise, answer)
    except Unreadable as reason:
        return refuse(exercise, reason.key, **reason.values)
    except Exception:  # an answer may be an object that raises whatever is done with it
        return refuse(exercise, "check.unreadable")


def judge(exercise: Exercise, answer) -> Verdict:
    """The verdict on an answer; raises Unreadable, or whatever the answer itself raises."""
    if answer is None or answer is Ellipsis:
        raise Unreadable("check.not_yet")
    seen = exercise.read(answer)
    if exercise.passes(seen):
        key = f"{exercise.id}.why"
        return Verdict(True, key, message("check.passed", id=exercise.id, why=message(key)))
    found = exercise.misconception(seen)
    if found:
        key = f"{exercise.id}.wrong.{found.name}"
        return Verdict(False, key, message("check.wrong", id=exercise.id, why=message(key)))
    if isinstance(exercise.read, Calls):
        raise exercise.read.first_difference(seen, exercise)
    raise Unreadable("check.other", came=describe(answer))


def refuse(exercise: Exercise, key: str, **values) -> Verdict:
    """A verdict that names no misconception and says what was expected."""
    expected = message(f"{exercise.id}.expected")
    return Verdict(False, key, message(key, id=exercise.id, expected=expected, **values))


def hint(exercise_id: str, level: int | None = None) -> None:
    """Print the next hint for an exercise: three of them, each saying more, then where the solution is.

    Args:
        exercise_id: such as `00.1`.
        level: 1, 2 or 3 for that very hint, as often as you like; left out, each call gives the next one.

    Raises:
        DataError: there is no such exercise or level.

    Example:
        >>> hint("00.3", level=2)
        Hint 2 of 3 for 00.3: Add 0.42, 0.28 and 0.10 first.
    """
    find(exercise_id)
    if level is None:
        level = _hints_shown[exercise_id] = min(_hints_shown.get(exercise_id, 0) + 1, HINTS + 1)
    elif level not in range(1, HINTS + 1):
        raise DataError(f"level {level!r} is no hint; ask for 1, 2 or 3")
    if level > HINTS:
        print(message("hint.done", id=exercise_id))
    else:
        print(message("hint.level", id=exercise_id, level=level, text=message(f"{exercise_id}.hint{level}")))


def claim(sentence: str, holds: bool) -> None:
    """Print a sentence with a tick if it holds, and stop the notebook if it does not.

    Args:
        sentence: what is claimed, without a full stop.
        holds: one boolean, computed from data.

    Raises:
        AssertionError: the claim does not hold.
        DataError: the sentence is empty, or `holds` is no single boolean (an array would need `.all()`).

    Example:
        >>> claim("two and two is four", 2 + 2 == 4)
        ✓ two and two is four
    """
    if not isinstance(sentence, str) or not sentence.strip():
        raise DataError(f"the sentence of a claim came as {describe(sentence)}; say what is claimed")
    if not isinstance(holds, (bool, np.bool_)):
        raise DataError(
            f"claim {sentence!r} came with {describe(holds)}; pass True or False, of an array its .all() or .any()"
        )
    if not holds:
        raise AssertionError(message("claim.fails", sentence=sentence))
    print(message("claim.holds", sentence=sentence))


def quiz(lesson: str) -> None:
    """Show a lesson's questions; every option opens to say whether it is right, and why. Works without JavaScript.

    Args:
        lesson: two digits, such as `00`.

    Raises:
        DataError: the lesson has no quiz.

    Example:
        >>> quiz("00")  # doctest: +SKIP
    """
    from IPython.display import display

    display({"text/html": quiz_html(lesson), "text/plain": quiz_text(lesson)}, raw=True)


def recap(lesson: str) -> None:
    """Show the questions that open a lesson, on the lessons before it; they work as those of `quiz`.

    Args:
        lesson: two digits, such as `01`.

    Raises:
        DataError: the lesson has no recap.

    Example:
        >>> recap("01")  # doctest: +SKIP
    """
    from IPython.display import display

    display({"text/html": quiz_html(lesson, "RECAP"), "text/plain": quiz_text(lesson, "RECAP")}, raw=True)


def quiz_html(lesson: str, part: str = "QUIZ") -> str:
    """A lesson's quiz, or its recap, as HTML: one `<details>` element per option.

    Example:
        >>> quiz_html("00").count("<details>")
        16
    """
    parts = [f"<p>{escaped(quiz_title(part), lesson=lesson)}</p>"]
    for number, question in enumerate(find_quiz(lesson, part), start=1):
        parts.append(f'<p style="margin-top: 1.2em"><strong>{number}. {escaped(question.id + ".question")}</strong></p>')
        for option in question.options:
            key = f"{question.id}.{option}"
            reason = f"<strong>{escaped(mark(question, option))}</strong> {escaped(key + '.why')}"
            parts.append(f"<details><summary>{option}) {escaped(key)}</summary><p>{reason}</p></details>")
    return "\n".join(parts)


def quiz_text(lesson: str, part: str = "QUIZ") -> str:
    """A lesson's quiz, or its recap, as plain text: the questions first, then the answers.

    Example:
        >>> print(quiz_text("00").splitlines()[2])
        1. A sentence has become a vector. Which verb finds the several interests in it?
    """
    asked, answered = [message(quiz_title(part), lesson=lesson)], [message("quiz.answers")]
    for number, question in enumerate(find_quiz(lesson, part), start=1):
        asked += ["", f"{number}. {message(question.id + '.question')}"]
        for option in question.options:
            key = f"{question.id}.{option}"
            asked.append(f"   {option}) {message(key)}")
            answered.append(f"{number}{option}) {message(mark(question, option))} {message(key + '.why')}")
    return "\n".join([*asked, "", *answered])


def quiz_title(part: str) -> str:
    """The key of the line above the questions."""
    return "recap.title" if part == "RECAP" else "quiz.title"


def mark(question: Question, option: str) -> str:
    """The key of the word that says whether an option is the right one."""
    return "quiz.right" if option == question.right else "quiz.wrong"


def escaped(key: str, **values) -> str:
    """A message that is safe inside HTML."""
    return html.escape(message(key, **values))


@functools.cache
def lessons() -> dict:
    """The modules with exercises, by two-digit lesson number.

    Example:
        >>> lessons()["00"].__name__
        'llmrec_lab.exercises.lesson_00'
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("lesson_"))
    return {name.removeprefix("lesson_"): importlib.import_module(f"{__name__}.{name}") for name in names}


def find(exercise_id: str) -> Exercise:
    """The exercise of that id.

    Raises:
        DataError: there is none; the message lists those there are.

    Example:
        >>> find("00.1").id
        '00.1'
    """
    known = {exercise.id: exercise for lesson in lessons().values() for exercise in lesson.EXERCISES}
    if not isinstance(exercise_id, str) or exercise_id not in known:
        raise DataError(f"no exercise {describe(exercise_id)}; there are {', '.join(known)}")
    return known[exercise_id]


def find_quiz(lesson: str, part: str) -> tuple[Question, ...]:
    """The questions of a lesson; raises DataError with the lessons there are if it has none."""
    known = [name for name, module in lessons().items() if hasattr(module, part)]
    if not isinstance(lesson, str) or lesson not in known:
        raise DataError(f"no {part.lower()} for {describe(lesson)}; there are {', '.join(known)}")
    return getattr(lessons()[lesson], part)


def agree(seen, wanted, tolerance: float) -> bool:
    """Whether two answers, as `Exercise.read` gives them, are the same; numbers within the tolerance.

    Example:
        >>> agree([1.0, "a"], [1.0004, "a"], 1e-3), agree([1.0], [1.0, 2.0], 1e-3)
        (True, False)
    """
    if isinstance(seen, list) and isinstance(wanted, list):
        return len(seen) == len(wanted) and all(agree(s, w, tolerance) for s, w in zip(seen, wanted))
    if isinstance(seen, float) and isinstance(wanted, float):
        return math.isclose(seen, wanted, rel_tol=tolerance, abs_tol=tolerance)
    return type(seen) is type(wanted) and seen == wanted


def number(answer) -> float:
    """Reads an answer that is one finite number of Python, numpy or torch; raises Unreadable for anything else.

    Example:
        >>> number(np.float32(0.5))
        0.5
    """
    value = answer.item() if hasattr(answer, "item") and getattr(answer, "shape", None) == () else answer
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise Unreadable("check.other", came=describe(answer))
    return float(value)


def ids(answer) -> list:
    """Reads an answer that is a list, tuple or array of ids (or of numbers); raises Unreadable for anything else.

    Example:
        >>> ids(np.array(["b", "a"]))
        ['b', 'a']
    """
    if isinstance(answer, (str, bytes)) or not isinstance(answer, Iterable):
        raise Unreadable("check.other", came=describe(answer))
    return [one_id(value) for value in islice(answer, LONGEST_LIST)]


def one_id(value) -> str | int | float:
    """A string stays a string; an integer an integer, so that a place in an array is not taken for an id."""
    if isinstance(value, str):
        return str(value)
    try:
        return int(value) if isinstance(value, Integral) else number(value)
    except Unreadable:
        raise Unreadable("check.other", came=message("came.entry", came=describe(value))) from None


def array(answer) -> list:
    """Reads an answer that is a list or array of finite numbers of any shape; raises Unreadable for anything else.

    Example:
        >>> array(np.array([[True, False]])), array([0.5, 2])
        ([[1.0, 0.0]], [0.5, 2.0])
    """
    values = np.asarray(answer if isinstance(answer, np.ndarray) or short(answer) else None)
    numeric = values.dtype.kind in "biuf" and 0 < values.ndim and values.size <= LONGEST_LIST
    if not numeric or not np.isfinite(values).all():
        raise Unreadable("check.other", came=describe(answer))
    return values.astype(float).tolist()


def short(answer) -> bool:
    """Whether an answer is a list, a tuple or a tensor that can be turned into an array without waiting."""
    return (isinstance(answer, (list, tuple)) or hasattr(answer, "detach")) and len(answer) <= LONGEST_LIST


def letters(answer) -> list:
    """Reads an answer that names options: one letter, or several in a string, list or set; raises Unreadable otherwise.

    Example:
        >>> letters("b"), letters({"D", "A"})
        (['B'], ['A', 'D'])
    """
    text = [answer] if isinstance(answer, str) else ids(answer)
    if not all(isinstance(part, str) for part in text) or answer == "":
        raise Unreadable("check.other", came=describe(answer))
    words = " ".join(text)[:LONGEST_LIST].upper().replace(",", " ").split()
    return sorted(set(words))


@dataclass(frozen=True)
class Calls:
    """Reads an answer that is a function: what it returns for each of several inputs.

    Args:
        name: what the learner calls the function.
        cases: (c) tuples of arguments; every call gets a copy.
        read: reads one result.

    Example:
        >>> Calls("double", ((1,), (2,)), number)(lambda x: 2 * x)
        [2.0, 4.0]
    """

    name: str
    cases: tuple[tuple, ...]
    read: Callable

    def __call__(self, answer) -> list:
        if not callable(answer):
            raise Unreadable("check.other", came=describe(answer))
        return [self.result(answer, case) for case in self.cases]

    def result(self, answer, case: tuple):
        """What the function returns for one input; raises Unreadable if it raises or returns what cannot be read."""
        try:
            result = answer(*deepcopy(case))
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {str(error)[:100]}"
            raise Unreadable("check.raised", call=self.show(case), error=problem) from None
        if result is None or result is Ellipsis:
            raise Unreadable("check.not_yet")
        try:
            return self.read(result)
        except Unreadable as reason:
            raise Unreadable("check.gives", call=self.show(case), **reason.values) from None

    def first_difference(self, seen: list, exercise: Exercise) -> Unreadable:
        """The first input for which a function differs from the reference, as a reason to raise."""
        wanted = self(exercise.reference)
        place = [agree(s, w, exercise.tolerance) for s, w in zip(seen, wanted)].index(False)
        return Unreadable(
            "check.differs", call=self.show(self.cases[place]), got=show(seen[place]), wanted=show(wanted[place])
        )

    def show(self, case: tuple) -> str:
        """A call as the learner would type it."""
        return f"{self.name}({', '.join(map(show, case))})"


def show(value) -> str:
    """A value in a few characters: numbers to four digits, arrays as lists.

    Example:
        >>> show(np.array([1, 2.5])), show(["a", 0.123456])
        ('[1, 2.5]', "['a', 0.1235]")
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        dots = ["..."] if len(value) > SHOWN_ENTRIES else []
        return f"[{', '.join([*map(show, value[:SHOWN_ENTRIES]), *dots])}]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def describe(answer) -> str:
    """What came, in a few words, without ever printing a large thing.

    Example:
        >>> describe(np.zeros((2, 3))), describe([1, 2]), describe(0.5)
        ('an array of shape (2, 3)', 'a list of length 2', 'the number 0.5')
    """
    kind = type(answer).__name__
    if answer is None:
        return message("came.none")
    if isinstance(answer, str):
        return message("came.text", value=repr(str(answer[:30])))
    if isinstance(answer, (bool, float, np.generic)) or (isinstance(answer, int) and abs(answer) < 1e30):
        return message("came.number", value=answer)
    if isinstance(answer, np.ndarray):
        return message("came.array", shape=answer.shape)
    if callable(answer):
        return message("came.function")
    if hasattr(answer, "__len__"):
        return message("came.sized", kind=kind, length=len(answer))
    return message("came.other", kind=kind)
