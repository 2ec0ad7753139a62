"""The exercises, the recap and the quiz of lesson 07.

Knows nothing about how answers are read, compared or reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from statistics import NormalDist

import numpy as np

from llmrec_lab.exercises import Calls, Exercise, Misconception, Question, array, ids, number
from llmrec_lab.operations import Counted

SOLVES = "it solves again"
SIZE = 12  # dimensions in 07.4: a solution takes 1,728 steps, a rank-one update about 700


def next_mean(mean: np.ndarray, n: int, x: np.ndarray) -> np.ndarray:
    """The mean of n + 1 vectors, from the mean of the first n and the last one.

    Args:
        mean: (d) zeros if n is 0.
        n: how many vectors are in it.
        x: (d) the next one.

    Returns:
        (d).

    Example:
        >>> next_mean(np.array([1.0, 0.0]), 3, np.array([5.0, 4.0]))
        array([2., 1.])
    """
    return mean + (x - mean) / (n + 1)


def count_likes(received: list[tuple[str, str, str]], item: str) -> int:
    """How often an item was liked, when events may arrive more than once.

    Args:
        received: (user_id, event_id, item_id) of each arrival; an event_id is a user's own.
        item: the item_id.

    Returns:
        The number of different events.

    Example:
        >>> count_likes([("ada", "1", "alien"), ("ada", "1", "alien"), ("bo", "1", "alien")], "alien")
        2
    """
    return len({(user, event) for user, event, liked in received if liked == item})


def fading_mean(xs: np.ndarray, half_life: float) -> np.ndarray:
    """The mean of vectors in which each counts half after `half_life` further ones.

    Args:
        xs: (n, d) oldest first.
        half_life: in vectors.

    Returns:
        (d).

    Example:
        >>> fading_mean(np.array([[0.0], [3.0]]), half_life=1)
        array([2.])
    """
    fade, total, weight = 0.5 ** (1 / half_life), 0.0, 0.0
    for x in xs:
        total, weight = fade * total + x, fade * weight + 1
    return total / weight


def learned(inverse: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The inverse of A + x x', from the inverse of the symmetric A, without solving: Sherman and Morrison.

    Args:
        inverse: (d, d).
        x: (d).

    Returns:
        (d, d).

    Example:
        >>> learned(np.eye(2), np.array([1.0, 0.0]))
        array([[0.5, 0. ],
               [0. , 1. ]])
    """
    shift = inverse @ x
    return inverse - np.outer(shift, shift) / (1 + x @ shift)


@dataclass
class Disk:
    """A toy disk that remembers what it was asked to do, in order.

    Example:
        >>> disk = Disk()
        >>> disk.write("a"), disk.sync(), disk.done
        (None, None, ['write a', 'sync'])
    """

    done: list[str] = field(default_factory=list)

    def write(self, event: str) -> None:
        """Hand over an event; it is in memory, and not yet on the disk."""
        self.done.append(f"write {event}")

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        self.done.append("sync")

    def acknowledge(self, event: str) -> None:
        """Tell whoever sent the event that it is safe."""
        self.done.append(f"acknowledge {event}")


def commit(disk: Disk, group: list[str]) -> list[str]:
    """Store a group of events with one sync, then acknowledge each.

    Args:
        disk: where to.
        group: the events.

    Returns:
        What was done, in order.

    Example:
        >>> commit(Disk(), ["a", "b"])
        ['write a', 'write b', 'sync', 'acknowledge a', 'acknowledge b']
    """
    for event in group:
        disk.write(event)
    disk.sync()
    for event in group:
        disk.acknowledge(event)
    return disk.done


def people_needed(base: float, better: float, power: float = 0.8, level: float = 0.05) -> float:
    """How many people each arm of an A/B test needs to find a change from one rate to another.

    Args:
        base, better: shares of people who click.
        power: the chance to find the change if it is there.
        level: the chance to find one that is not there, to either side.

    Returns:
        People in each of the two arms.

    Example:
        >>> round(people_needed(0.10, 0.11))
        14748
    """
    z = NormalDist().inv_cdf
    spread = base * (1 - base) + better * (1 - better)
    return (z(1 - level / 2) + z(power)) ** 2 * spread / (better - base) ** 2


def front_page(item_ids: np.ndarray, scores: np.ndarray, hours: np.ndarray, half_life: float, k: int) -> list[str]:
    """The k best news: a score counts half for every half-life that an item is old.

    Args:
        item_ids, scores: (n).
        hours: (n) ages.
        half_life: in hours.
        k: how many.

    Returns:
        Ids, best first.

    Example:
        >>> front_page(np.array(["a", "b"]), np.array([0.9, 0.5]), np.array([24, 0]), half_life=12, k=1)
        ['b']
    """
    return best(item_ids, scores * 0.5 ** (hours / half_life), k)


def best(item_ids, scores, k) -> list[str]:
    """The ids of the k best scores."""
    return [str(item_ids[i]) for i in np.argsort(-scores, kind="stable")[:k]]


# Wrong answers


def counting(key):
    """A wrong count_likes: arrivals with the same key are one."""
    return lambda received, item: len({key(*event) for event in received if event[2] == item})


def neighbors_only(received, item):
    """A wrong count_likes: only a repetition that follows at once is left out."""
    return sum(e[2] == item and (n == 0 or received[n - 1] != e) for n, e in enumerate(received))


def fading(of_total, of_weight):
    """A wrong fading_mean: with other factors by which the total and the weight fade."""

    def value(xs, half_life):
        total, weight = 0.0, 0.0
        for x in xs:
            total, weight = of_total(half_life) * total + x, of_weight(half_life) * weight + 1
        return total / weight

    return value


def moving_average(xs, half_life):
    """A wrong fading_mean: the usual moving average, in which the first vector counts like all before it."""
    mean = xs[0]
    for x in xs[1:]:
        mean = mean + (1 - rate(half_life)) * (x - mean)
    return mean


def rate(half_life):
    """The factor that belongs to a half-life."""
    return 0.5 ** (1 / half_life)


def once(half_life):
    """No fading."""
    return 1.0


def solving(inverse, x):
    """A wrong learned: correct, and as much work as ever."""
    return np.linalg.inv(np.linalg.inv(inverse) + np.outer(x, x))


def undivided(inverse, x):
    """A wrong learned: without the divisor."""
    shift = inverse @ x
    return inverse - np.outer(shift, shift)


def other_divisor(inverse, x):
    """A wrong learned: divided by the product of shift with itself, not with x."""
    shift = inverse @ x
    return inverse - np.outer(shift, shift) / (1 + shift @ shift)


def entry_by_entry(inverse, x):
    """A wrong learned: `*` between two vectors is no outer product."""
    shift = inverse @ x
    return inverse - shift * shift / (1 + x @ shift)


def added(inverse, x):
    """A wrong learned: what belongs to A is added to its inverse."""
    return inverse + np.outer(x, x)


def unturned(inverse, x):
    """A wrong learned: x in the place of the inverse times x."""
    return inverse - np.outer(x, x) / (1 + x @ inverse @ x)


def steps(*order: str):
    """A wrong commit: a function that does the steps in another order; `each` makes one turn for every event."""

    def value(disk, group):
        turns = [[event] for event in group] if "each" in order else [group]
        for turn in turns:
            for step in order:
                if step == "sync":
                    disk.sync()
                elif step != "each":
                    for event in turn:
                        getattr(disk, step)(event)
        return disk.done

    return value


def sync_each(disk, group):
    """A wrong commit: a sync after every write, the acknowledgements at the end."""
    steps("each", "write", "sync")(disk, group)
    return steps("acknowledge")(disk, group)


def sync_again(disk, group):
    """A wrong commit: all are written, and then there are as many syncs as events."""
    for step in ("write", "sync", "acknowledge"):
        steps("each", step)(disk, group)
    return disk.done


def linear(item_ids, scores, hours, half_life, k):
    """A wrong front_page: a score falls by the same amount each hour."""
    return best(item_ids, scores * (1 - hours / (2 * half_life)), k)


def cut_off(item_ids, scores, hours, half_life, k):
    """A wrong front_page: what is older than the half-life is gone."""
    return best(item_ids, np.where(hours <= half_life, scores, -1), k)


@dataclass(frozen=True)
class Frugal(Calls):
    """Reads a function as `Calls` does, and counts its steps: a result that took a solution of size d^3 is `SOLVES`."""

    def result(self, answer, case: tuple):
        tally = type("Tally", (Counted,), {})
        found = super().result(answer, tuple(value.view(tally) for value in case))
        return found if tally.done < SIZE**3 else SOLVES

    def show(self, case: tuple) -> str:
        """The call without its many numbers."""
        return f"{self.name}(inverse, x).sum(axis=0)"


def column_sums(answer) -> list:
    """Reads a matrix by the sums of its columns, which are few enough to be shown."""
    return np.atleast_1d(np.sum(array(answer), axis=0)).tolist()


def in_any_order(answer) -> list:
    """Reads the steps of a commit; which event of a group is written or acknowledged first does not matter."""
    runs = groupby(ids(answer), key=lambda step: str(step).split()[:1])
    return [step for _, run in runs for step in sorted(run, key=str)]


def inverse_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of what 20 random events add up to, and one more event."""
    rng = np.random.default_rng(seed)
    events = rng.normal(size=(20, SIZE))
    return np.linalg.inv(np.eye(SIZE) + events.T @ events), rng.normal(size=SIZE)


ADA_AND_BO = [
    ("ada", "1", "alien"),
    ("bo", "1", "alien"),
    ("ada", "2", "amelie"),
    ("ada", "1", "alien"),
    ("ada", "3", "alien"),
    ("ada", "3", "alien"),
    ("bo", "2", "totoro"),
]
TWICE = [*[("chen", "7", "totoro")] * 3, ("chen", "8", "totoro"), ("chen", "9", "alien")]
MEANS = Calls(
    "next_mean",
    ((np.array([1.0, 0.0]), 3, np.array([5.0, 4.0])), (np.zeros(2), 0, np.array([1.0, 2.0])), (np.ones(3), 1, np.zeros(3))),
    array,
)
LIKES = Calls("count_likes", ((ADA_AND_BO, "alien"), (TWICE, "totoro"), ([], "alien")), number)
FADED = Calls(
    "fading_mean",
    (
        (np.array([[0.0], [3.0]]), 1),
        (np.array([[8.0, 0.0], [0.0, 4.0], [4.0, 4.0]]), 2),
        (np.array([[5.0], [1.0], [1.0], [2.0]]), 4),
    ),
    array,
)
INVERSES = Frugal("learned", (inverse_case(0), inverse_case(1)), column_sums)
COMMITS = Calls("commit", ((Disk(), ["a", "b", "c"]), (Disk(), ["d"])), in_any_order)
NEWS = np.array(["flood", "match", "budget", "storm", "derby"])
PAGES = Calls(
    "front_page",
    (
        (NEWS, np.array([0.9, 0.5, 0.6, 0.4, 0.8]), np.array([30, 2, 7, 0, 40]), 12, 3),
        (NEWS, np.array([0.9, 0.5, 0.6, 0.4, 0.8]), np.array([30, 2, 7, 0, 40]), 100, 3),
        (NEWS[:3], np.array([0.9, 0.2, 0.05]), np.array([23, 0, 9]), 12, 2),
    ),
    ids,
)
NEEDED = people_needed(0.05, 0.06)

EXERCISES = (
    Exercise(
        "07.1",
        read=MEANS,
        reference=next_mean,
        misconceptions=(
            Misconception("halves", (lambda mean, n, x: (mean + x) / 2,)),
            Misconception("too_few", (lambda mean, n, x: mean + (x - mean) / max(n, 1),)),
            Misconception("adds", (lambda mean, n, x: mean + x / (n + 1), lambda mean, n, x: mean + x)),
            Misconception("away", (lambda mean, n, x: mean - (x - mean) / (n + 1),)),
            Misconception("replaces", (lambda mean, n, x: x,)),
            Misconception("unweighted", (lambda mean, n, x: (mean + x) / (n + 1),)),
        ),
    ),
    Exercise(
        "07.2",
        read=LIKES,
        reference=count_likes,
        misconceptions=(
            Misconception("bug", (lambda received, item: sum(liked == item for _, _, liked in received),)),
            Misconception("by_event", (counting(lambda user, event, item: event),)),
            Misconception("by_user", (counting(lambda user, event, item: user),)),
            Misconception("neighbors", (neighbors_only,)),
            Misconception(
                "all_items",
                (
                    lambda received, item: len(set(received)),
                    lambda received, item: len({event for _, event, _ in received}),
                ),
            ),
        ),
    ),
    Exercise(
        "07.3",
        read=FADED,
        reference=fading_mean,
        misconceptions=(
            Misconception("bug", (fading(rate, once),)),
            Misconception("never", (fading(once, once),)),
            Misconception("only_weight", (fading(once, rate),)),
            Misconception("power", (fading(lambda h: 0.5**h, lambda h: 0.5**h),)),
            Misconception("half_each", (fading(lambda h: 0.5, lambda h: 0.5), fading(lambda h: 0.5 / h, lambda h: 0.5 / h))),
            Misconception("euler", (fading(lambda h: np.exp(-1 / h), lambda h: np.exp(-1 / h)),)),
            Misconception("moving", (moving_average,)),
            Misconception("undivided", (lambda xs, half_life: fading(rate, lambda h: 0.0)(xs, half_life),)),
            Misconception("backwards", (lambda xs, half_life: fading_mean(xs[::-1], half_life),)),
        ),
    ),
    Exercise(
        "07.4",
        read=INVERSES,
        reference=learned,
        misconceptions=(
            Misconception("bug", (solving,), shows=lambda seen: SOLVES in seen),
            Misconception("undivided", (undivided,)),
            Misconception("divisor", (other_divisor,)),
            Misconception("entries", (entry_by_entry,)),
            Misconception("added", (added,)),
            Misconception("unturned", (unturned,)),
            Misconception("plus", (lambda inverse, x: 2 * inverse - learned(inverse, x),)),
        ),
    ),
    Exercise(
        "07.5",
        read=COMMITS,
        reference=commit,
        misconceptions=(
            Misconception("bug", (steps("write", "acknowledge", "sync"),)),
            Misconception("no_sync", (steps("write", "acknowledge"),)),
            Misconception("sync_first", (steps("sync", "write", "acknowledge"),)),
            Misconception("sync_each", (steps("each", "write", "sync", "acknowledge"), sync_each, sync_again)),
            Misconception("hopes", (steps("acknowledge", "write", "sync"),)),
            Misconception("silent", (steps("write", "sync"),)),
        ),
    ),
    Exercise(
        "07.6",
        read=number,
        reference=NEEDED,
        misconceptions=(
            Misconception("both_arms", (2 * NEEDED,)),
            Misconception("one_spread", (NEEDED / 2, NEEDED * 475 / 1039, NEEDED * 564 / 1039)),
            Misconception("relative", (NEEDED * (0.01 / 0.20) ** 2, people_needed(0.05, 0.15))),
            Misconception("no_power", (people_needed(0.05, 0.06, power=0.5),)),
            Misconception("one_sided", (people_needed(0.05, 0.06, level=0.10),)),
            Misconception("apart", (NEEDED * (1.96**2 + 0.84**2) / (1.96 + 0.84) ** 2,)),
            Misconception("unsquared", (NEEDED * 0.01, NEEDED / (1.96 + 0.84))),
            Misconception("deviation", ((NEEDED**0.5),)),
        ),
        tolerance=0.02,
    ),
    Exercise(
        "07.7",
        read=PAGES,
        reference=front_page,
        misconceptions=(
            Misconception("ageless", (lambda item_ids, scores, hours, half_life, k: best(item_ids, scores, k),)),
            Misconception("newest", (lambda item_ids, scores, hours, half_life, k: best(item_ids, -hours, k),)),
            Misconception("cut_off", (cut_off,)),
            Misconception("linear", (linear,)),
            Misconception("older", (lambda ids_, s, hours, half_life, k: best(ids_, s * 0.5 ** (-hours / half_life), k),)),
            Misconception(
                "worst", (lambda ids_, s, hours, half_life, k: front_page(ids_, s, hours, half_life, 9)[::-1][:k],)
            ),
        ),
    ),
)

RECAP = (
    Question("07.r1", options="abc", right="b"),
    Question("07.r2", options="abc", right="a"),
    Question("07.r3", options="abc", right="c"),
)
QUIZ = (
    Question("07.q1", options="abc", right="c"),
    Question("07.q2", options="abc", right="a"),
    Question("07.q3", options="abc", right="b"),
    Question("07.q4", options="abc", right="b"),
    Question("07.q5", options="abc", right="a"),
)
