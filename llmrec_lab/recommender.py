"""The Recommender: the verbs of the data flow, from a sentence or a history to a slate, in one short file."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from llmrec_lab.baselines import EASE, CoViewing, ItemKNN, MarkovChain, Popularity, RecentPopularity
from llmrec_lab.catalog import Catalog, Histories, Interactions, Slate
from llmrec_lab.columns import ITEM, RANK, SCORE, USER
from llmrec_lab.errors import DataError
from llmrec_lab.event_log import Event
from llmrec_lab.feedback import FeedbackConfig, UserState, new_state, state_parts, update
from llmrec_lab.fusion import Fusion, standardize, standardize_columns
from llmrec_lab.interests import Interests, build_concepts, decompose_text, unit_rows
from llmrec_lab.ranking import DIGITS, id_order, quota, top_k, top_k_rows
from llmrec_lab.scoring import HistoryText, Parts, exact_products, interest_scores, wish_parts
from llmrec_lab.storage import read_saved, write_saved

TEXT = "similar text"  # the part of a user's score that is taken apart by interest
POPULARITY = "popularity"
TOGETHER = "read together"  # what a re-ranker adds
LEAST = 0.01  # what popularity weighs at least: all that is known for a user who met nothing of the catalog
# Places after which an item of a history counts half: what comes next has to do with what came just now. On the films'
# second-, third- and fourth-last items, 2 to 6 places do about equally well, and no fading at all does worst.
RECENT = 4.0
BLOCK = 1024  # users scored at a time: their scores of 10,000 items fill 80 MB


@dataclass(frozen=True)
class RecommenderConfig:
    """How a sentence is scored; the weights of a user's parts are learned instead.

    Args:
        facet_weight: what a concept that the item has counts beside a cosine of 1. Cosines of good matches lie near 0.5, so
            a matched concept and a good text weigh about the same.
        prior_weight: what the most popular item gains for a sentence: orders near ties, and is too little to add strangers.
        feedback: how much events count.
    """

    facet_weight: float = 0.5
    prior_weight: float = 0.05
    feedback: FeedbackConfig = FeedbackConfig()


class Recommender:
    """Recommends items of a catalog: to a sentence from the texts alone, and after `fit` also to users by their history.

    Args:
        catalog: what can be recommended.
        encoder: from `load_encoder`; encodes the catalog's texts once and keeps the vectors in the cache folder.
        config: the weights.
        progress: show a bar while the catalog is encoded.
        vectors: (n, d) the vectors of an earlier recommender of the same catalog; made from the texts if left out.
        reranker: a `Reranker`, which reads a user and each of the first items together; without it the fusion decides.

    Example:
        >>> from llmrec_lab import load_encoder
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> lab = Recommender(catalog, load_encoder("minilm")).fit(interactions)
        >>> lab.recommend("ghosts of the woods", k=1).titles.tolist()
        ['My Neighbor Totoro']
    """

    def __init__(
        self, catalog: Catalog, encoder, config=RecommenderConfig(), progress: bool = False, vectors=None, reranker=None
    ):
        if not isinstance(catalog, Catalog):
            raise DataError(f"the catalog came as {type(catalog).__name__}; make one with Catalog.from_frame(table)")
        if not hasattr(encoder, "encode_cached"):
            raise DataError(f"the encoder came as {encoder!r:.60}; pass load_encoder('minilm')")
        self.catalog, self.encoder, self.config, self.reranker = catalog, encoder, config, reranker
        if vectors is None:
            raw = encoder.encode_cached(list(catalog.texts), progress)  # (n, d)
            vectors = unit_rows(raw - raw.mean(axis=0))  # what all items share tells none of them apart
        self.vectors = vectors
        self.order = id_order(catalog.item_ids)
        self.interactions = self.histories = self.fusion = None
        self.users: frozenset[str] = frozenset()
        self.prior = np.zeros(len(catalog))

    # ---- learn -------------------------------------------------------------------------------------------------------

    def fit(self, interactions: Interactions) -> Recommender:
        """Learn what people do: fit the parts of a user's score, and weigh them by how they rank what users met next.

        Args:
            interactions: who met what when.

        Returns:
            The recommender itself.

        Raises:
            DataError: no interaction is with an item of the catalog.
        """
        self.fit_prior(interactions)
        self.fusion = self.new_fusion().fit(self.histories)
        return self

    def fit_prior(self, interactions: Interactions) -> Recommender:
        """Learn popularity alone, which is all that a sentence needs: takes no time, where `fit` takes seconds.

        Args:
            interactions: who met what when.

        Returns:
            The recommender itself; it knows the users, and can recommend to sentences.
        """
        if not isinstance(interactions, Interactions):
            raise DataError(
                f"interactions came as {type(interactions).__name__}; make them with Interactions.from_frame(table)"
            )
        self.interactions, self.histories = interactions, interactions.histories(self.catalog)
        self.users = frozenset(interactions.frame[USER])
        if not len(self.histories):
            raise DataError(
                f"none of the {len(interactions)} interactions is with an item of the catalog; check the item ids"
            )
        strange = len(interactions) - len(self.histories.items)
        if strange:
            warnings.warn(f"{strange} of {len(interactions)} interactions are with items outside the catalog", stacklevel=3)
        counts = np.bincount(self.histories.items, minlength=len(self.catalog))
        self.prior = self.config.prior_weight * np.log1p(counts) / np.log1p(counts.max())
        return self

    def new_fusion(self) -> Fusion:
        """The parts of a user's score, by the words that explain them."""
        parts = {
            "often chosen together": EASE(half_life=RECENT),
            "chosen around the same time": EASE(half_life=RECENT, window=20),
            "chosen one after the other": CoViewing(half_life=RECENT),
            "chosen by the same people": ItemKNN(half_life=RECENT),
            "chosen next": MarkovChain(),
            "popular lately": RecentPopularity(),
            POPULARITY: Popularity(),
            TEXT: HistoryText(self.vectors, self.catalog.titles),
        }
        return Fusion(parts, least={POPULARITY: LEAST})

    # ---- recommend ---------------------------------------------------------------------------------------------------

    @cached_property
    def concepts(self):
        """The dictionary that sentences are written in, made from the catalog's facets at the first sentence."""
        return build_concepts(self.catalog, self.encoder, self.vectors)

    def interests(self, text: str):
        """The interests that a sentence names; see `decompose_text`."""
        return decompose_text(text, self.encoder, self.concepts)

    def recommend(self, who: str | UserState, k: int = 10) -> Slate:
        """The k best items for a sentence, for a user that the recommender was fitted on, or for a state.

        Args:
            who: a known user's id, else a sentence, English with the encoder minilm, many languages with e5; or a UserState.
            k: how many items.

        Returns:
            A Slate of at most k items, best first; a user's seen items are left out. Its parts are the exact reasons.

        Raises:
            DataError: the text is empty or too long, or k is no positive whole number.
        """
        if isinstance(who, UserState):
            return self.recommend_state(who, k)
        return self.recommend_user(who, k) if self.knows(who) else self.recommend_text(who, k)

    def recommend_user(self, user_id: str, k: int = 10) -> Slate:
        """The k best unseen items for a user that the recommender was fitted on; see `recommend`."""
        self.check_k(k)
        if not self.knows(user_id):
            raise DataError(f"unknown user {user_id!r:.60}; use recommend_users with histories=, or recommend_text")
        history = self.histories.of_users([user_id])
        parts = self.user_parts(history)
        scores = parts.values.sum(axis=1)
        scores[history.items] = -np.inf
        return self.slate(parts, top_k(scores, k, self.order))

    def recommend_text(self, text: str, k: int = 10) -> Slate:
        """The k best items for a sentence, even if it happens to be the id of a user; see `recommend`."""
        self.check_k(k)
        interests = self.interests(text)
        parts = self.wish(interests)
        return self.slate(parts, self.shared(interests, parts.values.sum(axis=1), k))

    def recommend_state(self, state: UserState, k: int = 10) -> Slate:
        """The k best unseen items for a person as a state knows them; see `recommend`."""
        self.check_k(k)
        parts = state_parts(self, state)
        scores = np.where(state.seen, -np.inf, parts.values.sum(axis=1))
        if state.interests is None or not len(state.interests):
            return self.slate(parts, top_k(scores, k, self.order))
        return self.slate(parts, self.shared(state.interests, scores, k))

    def wish(self, interests: Interests) -> Parts:
        """The score of every item for what was said, taken apart."""
        parts = wish_parts(interests, self.concepts, self.vectors, self.config.facet_weight)
        return Parts((*parts.names, POPULARITY), np.column_stack([parts.values, self.prior]))

    def shared(self, interests: Interests, scores: np.ndarray, k: int) -> np.ndarray:
        """Positions of k items: every interest picks its share of the places, with itself in the place of the whole wish."""
        each = interest_scores(interests, self.concepts, self.vectors, self.config.facet_weight)  # (interests, n)
        return quota(each + (scores - interests.weights @ each), interests.weights, min(k, len(self.catalog)), self.order)

    def knows(self, who) -> bool:
        """Whether this is the id of a user that the recommender was fitted on."""
        return isinstance(who, str) and who in self.users

    def recommend_users(self, user_ids: list[str], k: int = 10, histories: pd.DataFrame | None = None) -> pd.DataFrame:
        """The k best unseen items for each of many users.

        Args:
            user_ids: known users, or those of `histories`.
            k: items per user.
            histories: a table user_id, item_id, timestamp of users the recommender was not fitted on.

        Returns:
            A table user_id, item_id, score, rank, in the order of `user_ids`; a user's rows do not depend on the others.

        Raises:
            DataError: a user is unknown, or `fit` was not called.
        """
        self.check_k(k)
        if self.fusion is None:
            raise DataError("recommend_users needs what people did; call fit(interactions) first")
        if isinstance(user_ids, str):
            raise DataError(f"user_ids came as the string {user_ids!r:.60}; pass a list of ids")
        source, known = self.histories, self.users
        if histories is not None:
            given = Interactions.from_frame(histories)
            source, known = given.histories(self.catalog), given.frame[USER].unique()
        user_ids = [str(user) for user in user_ids]
        unknown = sorted(set(user_ids).difference(known))
        if unknown:
            raise DataError(f"unknown user {unknown[0]!r}; pass their events as histories=, or recommend to a sentence")
        tables = [self.ranked(source.of_users(user_ids[at : at + BLOCK]), k) for at in range(0, len(user_ids), BLOCK)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[USER, ITEM, SCORE, RANK])

    def ranked(self, histories: Histories, k: int) -> pd.DataFrame:
        """The table of `recommend_users` for one block of users."""
        scores = self.fusion.scores(histories)  # (m, n)
        scores[histories.rows(), histories.items] = -np.inf
        if self.reranker is not None:
            scores += self.reranker.scores(histories, scores)
        best = top_k_rows(scores, min(k, len(self.catalog)), self.order)
        rows, places = np.nonzero(best >= 0)
        items = best[rows, places]
        ids = histories.user_ids[rows], self.catalog.item_ids[items]
        return pd.DataFrame(dict(zip([USER, ITEM, SCORE, RANK], [*ids, scores[rows, items], places + 1])))

    def user_parts(self, history: Histories) -> Parts:
        """The score of every item for one user, taken apart: by model, and the text by interest."""
        if self.fusion is None:
            raise DataError("a user's slate needs what people did; call fit(interactions) first")
        names, columns = [], []
        for weight, (name, part) in zip(self.fusion.weights, self.fusion.parts.items()):
            if name != TEXT:
                names.append(name)
                columns.append(weight * standardize(part.scores(history))[0])
                continue
            labels, centers, shares = part.interests(history.of(0))
            names += [f"text like {label}" for label in labels]
            columns += list(weight * standardize_columns((shares[:, None] * exact_products(centers, self.vectors)).T).T)
        if self.reranker is not None:
            ranking = np.round(np.sum(columns, axis=0), DIGITS)  # (n)
            ranking[history.items] = -np.inf
            names.append(TOGETHER)
            columns.append(self.reranker.scores(history, ranking[None])[0])
        return Parts(tuple(names), np.column_stack(columns).astype(np.float64))

    def slate(self, parts: Parts, chosen: np.ndarray) -> Slate:
        """The chosen items, best first, with the parts of their scores."""
        scores = np.round(parts.values[chosen].sum(axis=1), DIGITS)
        best = np.lexsort((self.order[chosen], -scores))
        rows = chosen[best]
        names = np.array(parts.names, dtype=object)
        return Slate(self.catalog.item_ids[rows], self.catalog.titles[rows], scores[best], names, parts.values[rows])

    def check_k(self, k: int) -> None:
        """Raise DataError for a k that makes no sense; warn if the catalog is smaller."""
        top_k(np.zeros(1), k, np.zeros(1, dtype=int))  # raises for a bad k
        if k > len(self.catalog):
            warnings.warn(f"k={k}, but the catalog has {len(self.catalog)} items; all are returned", stacklevel=4)

    # ---- feedback --------------------------------------------------------------------------------------------------

    def user(self, who: str = "", user_id: str = "you") -> UserState:
        """What is known of a person before the first event.

        Args:
            who: a known user's id, whose history then counts; else a sentence; nothing for a stranger.
            user_id: what somebody who is no known user is called.

        Returns:
            A UserState for `feedback` and `recommend`.

        Raises:
            DataError: the sentence has no words, or too many.

        Example:
            >>> from llmrec_lab import Event, load_encoder
            >>> from llmrec_lab.datasets.tiny import tiny_world
            >>> catalog, interactions = tiny_world()
            >>> lab = Recommender(catalog, load_encoder("minilm")).fit(interactions)
            >>> before = lab.user("ghosts of the woods")
            >>> best = lab.recommend(before, k=1).item_ids[0]
            >>> after = lab.feedback(before, Event("e1", "you", best, "like", 1, 1700000000))
            >>> lab.recommend(before, k=1).titles.tolist(), lab.recommend(after, k=1).titles.tolist()
            (['My Neighbor Totoro'], ['Spirited Away'])
        """
        if self.knows(who):
            return new_state(self, who)
        state = new_state(self, user_id)
        return replace(state, interests=self.interests(who)) if who else state

    def feedback(self, state: UserState, event: Event) -> UserState:
        """The state after one more event; see `llmrec_lab.feedback.update`."""
        return update(self, state, event)

    # ---- keep --------------------------------------------------------------------------------------------------------

    def save(self, folder) -> None:
        """Write everything that was learned into a folder: Parquet, safetensors, and a JSON with the hash of each file.

        The counting models are not stored: `load` makes them again from the interactions, in seconds for thousands of items.

        Args:
            folder: made if it is not there; files of an earlier save are replaced.
        """
        arrays = {"vectors": self.vectors} | ({} if self.fusion is None else {"weights": self.fusion.weights})
        write_saved(folder, self.catalog, self.interactions, arrays, self.encoder, asdict(self.config))

    @classmethod
    def load(cls, folder, encoder=None, reranker=None) -> Recommender:
        """Read a saved recommender, after every file's hash was checked.

        Args:
            folder: where `save` wrote.
            encoder: the encoder it was saved with; loaded by its name if left out.
            reranker: the one it was made with; it is not stored.

        Returns:
            A Recommender that gives the same slates.

        Raises:
            AssetError: a file is missing or damaged, or the encoder is another one.
        """
        catalog, interactions, arrays, encoder, config = read_saved(folder, encoder)
        config["feedback"] = FeedbackConfig(**config.get("feedback", {}))
        lab = cls(catalog, encoder, RecommenderConfig(**config), vectors=arrays["vectors"], reranker=reranker)
        if interactions is not None:
            lab.fit_prior(interactions)
        if "weights" in arrays:
            lab.fusion = lab.new_fusion().fit(lab.histories, arrays["weights"])
        return lab
