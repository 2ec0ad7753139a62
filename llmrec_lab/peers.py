"""Matrix factorization by the library `implicit`, under the two calls of our own models. Knows nothing about texts."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np

from llmrec_lab.baselines import require_histories
from llmrec_lab.catalog import Histories


@dataclass
class ImplicitModel:
    """A model of the library implicit, with that library's own settings, for the users that it was fitted on.

    Args:
        kind: `ALS`, alternating least squares, or `BPR`, Bayesian personalized ranking.
        seed: of the random start.

    Source:
        Hu, Koren, Volinsky: Collaborative filtering for implicit feedback datasets, ICDM 2008 (ALS); Rendle et al.: BPR:
        Bayesian personalized ranking from implicit feedback, UAI 2009; https://github.com/benfred/implicit

    Example:
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> histories = interactions.histories(catalog)
        >>> ImplicitModel("ALS").fit(histories).scores(histories).shape
        (3, 5)
    """

    kind: str
    seed: int = 0

    def fit(self, histories: Histories) -> ImplicitModel:
        """Factor the matrix of who met what. One thread: with more, BPR gives other numbers each time."""
        from implicit.cpu.als import AlternatingLeastSquares
        from implicit.cpu.bpr import BayesianPersonalizedRanking
        from threadpoolctl import threadpool_limits

        make = {"ALS": AlternatingLeastSquares, "BPR": BayesianPersonalizedRanking}[self.kind]
        with threadpool_limits(1, "blas"):
            model = make(random_state=self.seed, num_threads=1)
            model.fit(require_histories(histories).matrix(), show_progress=False)
        self.users, self.items, self.user_ids = model.user_factors, model.item_factors, histories.user_ids
        return self

    def scores(self, histories: Histories) -> np.ndarray:
        """(m, n_items) float32, for users that the model was fitted on."""
        return self.users[np.searchsorted(self.user_ids.astype(str), histories.user_ids.astype(str))] @ self.items.T


def implicit_models() -> dict:
    """The models of implicit by name; none where the library is not installed."""
    if importlib.util.find_spec("implicit") is None:
        return {}
    return {"ALS (implicit)": ImplicitModel("ALS"), "BPR (implicit)": ImplicitModel("BPR")}
