"""How much arithmetic one update takes, counted, not timed: the same number on every machine.

Knows nothing about learners but their `update(state, x, reward)`.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np

SYMMETRIC = ("dsymv", "dsyr")  # BLAS takes no stand-in for an array, so its calls are counted by name


class Counted(np.ndarray):
    """An array that adds to its class's `done` what is done with it."""

    done = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        arrays = [plain(value) for value in inputs]
        options |= {"out": tuple(plain(value) for value in out)} if out else {}
        result = getattr(ufunc, method)(*arrays, **options)
        shared = np.shape(arrays[0])[-1] if ufunc in (np.matmul, np.vecdot) else 1  # products in each number that comes out
        type(self).done += max(np.size(result) * shared, *(np.size(a) for a in arrays if method != "__call__"), 1)
        return out[0] if out else self.counted(result)

    def __array_function__(self, function, types, inputs, options):
        if function.__module__ != "numpy.linalg":
            return self.counted(super().__array_function__(function, types, inputs, options))
        type(self).done += len(self) ** 3  # to solve or invert; the constant depends on the algorithm
        return self.counted(function(*map(plain, inputs), **options))

    def counted(self, result):
        """The result, counting on; a single number does not."""
        return result.view(type(self)) if isinstance(result, np.ndarray) else result


def plain(value):
    """The value, no longer counting."""
    return value.view(np.ndarray) if isinstance(value, Counted) else value


def count_operations(learner, state, x: np.ndarray, reward: float) -> int:
    """How many multiplications or additions one update takes.

    Args:
        learner: has `update(state, x, reward)`.
        state: before the event, an object whose arrays are its attributes; it stays as it is.
        x: (d) the item's vector.
        reward: of the event.

    Returns:
        The numbers that come out of elementwise steps and go into sums, and d products for each number of a matrix product.

    Example:
        >>> from llmrec_lab.online import RunningMean
        >>> learner = RunningMean()
        >>> state = learner.start(100)
        >>> count_operations(learner, state, np.ones(100), 1.0)  # x @ x, total * fade, x * gain, and their sum
        400
    """
    from scipy.linalg import blas

    tally = type("Tally", (Counted,), {})
    state = copy.copy(state)
    for name, value in vars(state).items():
        if isinstance(value, np.ndarray):
            object.__setattr__(state, name, value.copy(order="K").view(tally))  # also of a frozen dataclass
    with ExitStack() as patches:
        for name in SYMMETRIC:
            patches.enter_context(patch.object(blas, name, counting(getattr(blas, name), tally)))
        learner.update(state, x.view(tally), reward)
    return tally.done


def counting(function, tally):
    """A BLAS function of a symmetric matrix that counts the d * d products it makes."""

    def call(alpha, first, *inputs, **options):
        tally.done += len(first) ** 2
        return function(alpha, first, *inputs, **options)

    return call
