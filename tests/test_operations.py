"""The counter of operations sees what is done, also work that grows with history, and changes nothing."""

from dataclasses import dataclass

import numpy as np
import pytest

from llmrec_lab.online import LinUCB, Rocchio
from llmrec_lab.operations import count_operations


@dataclass(frozen=True)
class History:
    items: np.ndarray


class MeanAgain:
    """Takes the mean of all events anew."""

    def update(self, state, x, reward):
        items = np.concatenate([state.items, x[None]])
        return History(items), items.mean(axis=0)


class SolveAgain:
    """Solves for all weights anew."""

    def update(self, state, x, reward):
        return np.linalg.solve(state.items, x)


def test_work_that_grows_with_history_is_seen_to_grow():
    first, last = (count_operations(MeanAgain(), History(np.ones((n, 8))), np.ones(8), 1.0) for n in (1, 1000))
    assert first < 50 < 8_000 <= last


def test_solving_counts_as_the_cube_of_the_dimensions():
    assert count_operations(SolveAgain(), History(np.eye(20)), np.ones(20), 1.0) == 8_000


def test_a_matrix_product_counts_its_inner_products():
    class Product:
        def update(self, state, x, reward):
            return state.items @ x

    assert count_operations(Product(), History(np.ones((5, 8))), np.ones(8), 1.0) == 40


@pytest.mark.parametrize("learner", [Rocchio(), LinUCB(half_life=3)], ids=str)
def test_counting_changes_neither_state_nor_what_is_learned_next(learner):
    x = np.ones(8)
    counted, other = learner.update(learner.start(8), x, 1.0), learner.update(learner.start(8), x, 1.0)
    count_operations(learner, counted, x, 1.0)
    for state in counted, other:
        assert {type(value) for value in vars(state).values()} & {np.ndarray} == {np.ndarray}
    for one, two in zip(vars(counted).values(), vars(other).values()):
        np.testing.assert_array_equal(one, two)


def test_a_rank_one_update_counts_two_products_per_number_of_the_matrix():
    d = 50
    learner = LinUCB()
    assert 2 * d**2 <= count_operations(learner, learner.start(d), np.ones(d), 1.0) < 2 * d**2 + 10 * d
