"""The Recommender: the verbs of the data flow, from a sentence or a history to a slate, in one short file."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from llmrec_lab.assets import sha256_of
from llmrec_lab.baselines import EASE, ItemKNN, MarkovChain, Popularity
from llmrec_lab.catalog import Catalog, Histories, Interactions, Slate
from llmrec_lab.columns import ITEM, RANK, SCORE, TITLE, USER
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.interests import build_concepts, decompose_history, decompose_text, unit_rows
from llmrec_lab.ranking import DIGITS, id_order, quota, top_k
from llmrec_lab.scoring import HistoryText, Parts, interest_scores, learn_weights, standardize, wish_parts

TEXT = "similar text"  # the part of a user's score that is taken apart by interest
POPULARITY = "popularity"
SEEN = -10.0  # far below any standardized score: a seen item is no rival of the one that was met next
LEAST = 0.01  # what popularity weighs at least: all that is known for a user who met nothing of the catalog


@dataclass(frozen=True)
class RecommenderConfig:
    """What the recommender's scores are made of.

    Args:
        facet_weight: what a concept that the item has counts beside a cosine of 1. Cosines of good matches lie near 0.5, so
            a matched concept and a good text weigh about the same.
        prior_weight: what the most popular item gains for a sentence: orders near ties, and is too little to add strangers.
        validation_users: the weights of the parts are learned on at most so many users.
        validation_items: and on so many random items beside the one that was met.
        seed: of that choice.
    """

    facet_weight: float = 0.5
    prior_weight: float = 0.05
    validation_users: int = 2000
    validation_items: int = 1000
    seed: int = 0


class Recommender:
    """Recommends items of a catalog: to a sentence from the texts alone, and after `fit` also to users by their history.

    Args:
        catalog: what can be recommended.
        encoder: from `load_encoder`; encodes the catalog's texts once and keeps the vectors in the cache folder.
        config: the weights.
        progress: show a bar while the catalog is encoded.
        vectors: (n, d) the vectors of an earlier recommender of the same catalog; made from the texts if left out.

    Example:
        >>> from llmrec_lab import load_encoder
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> catalog, interactions = tiny_world()
        >>> lab = Recommender(catalog, load_encoder("minilm")).fit(interactions)
        >>> lab.recommend("ghosts of the woods", k=1).titles.tolist()
        ['My Neighbor Totoro']
    """

    def __init__(self, catalog: Catalog, encoder, config=RecommenderConfig(), progress: bool = False, vectors=None):
        if not isinstance(catalog, Catalog):
            raise DataError(f"the catalog came as {type(catalog).__name__}; make one with Catalog.from_frame(table)")
        if not hasattr(encoder, "encode_cached"):
            raise DataError(f"the encoder came as {encoder!r:.60}; pass load_encoder('minilm')")
        self.catalog, self.encoder, self.config = catalog, encoder, config
        if vectors is None:
            raw = encoder.encode_cached(list(catalog.texts), progress)  # (n, d)
            vectors = unit_rows(raw - raw.mean(axis=0))  # what all items share tells none of them apart
        self.vectors = vectors
        self.order = id_order(catalog.item_ids)
        self.interactions = self.histories = self.models = self.weights = None
        self.prior = np.zeros(len(catalog))

    # ---- learn -------------------------------------------------------------------------------------------------------

    def fit(self, interactions: Interactions) -> Recommender:
        """Learn what people do: fit the counting models, and weigh them and the text on each user's last item.

        Args:
            interactions: who met what when.

        Returns:
            The recommender itself.

        Raises:
            DataError: no interaction is with an item of the catalog.
        """
        self.fit_prior(interactions)
        split = leave_last_out(self.histories)
        self.weights = self.learned_weights(split) if len(split.rows) else np.ones(len(self.new_models()))
        self.models = self.fitted_models()
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

    def new_models(self) -> dict:
        """The parts of a user's score, by the words that explain them."""
        return {
            "liked together": EASE(),
            "watched by the same people": ItemKNN(),
            "watched next": MarkovChain(),
            POPULARITY: Popularity(),
            TEXT: HistoryText(self.vectors, self.catalog.titles),
        }

    def fitted_models(self) -> dict:
        """The same, fitted on every user's whole history."""
        return {name: model.fit(self.histories) for name, model in self.new_models().items()}

    def learned_weights(self, split) -> np.ndarray:
        """(p) the weight of each model, from models that have not seen the items they are asked for."""
        rng = np.random.default_rng(self.config.seed)
        chosen = np.sort(rng.permutation(len(split.rows))[: self.config.validation_users])
        asked = histories_of(split.train.user_ids[split.rows[chosen]], split.train)
        seen = asked.matrix().toarray() > 0
        others = rng.integers(0, len(self.catalog), (len(chosen), self.config.validation_items))
        candidates = np.column_stack([split.targets[chosen], others])  # (q, c)
        parts = []
        for model in self.new_models().values():
            scores = standardize(model.fit(split.train).scores(asked))
            parts.append(np.where(seen, SEEN, scores)[np.arange(len(chosen))[:, None], candidates].astype(np.float32))
        weights = learn_weights(np.stack(parts, axis=-1))  # (q, c, p)
        return np.maximum(weights, [LEAST if name == POPULARITY else 0 for name in self.new_models()])

    # ---- recommend ---------------------------------------------------------------------------------------------------

    @cached_property
    def concepts(self):
        """The dictionary that sentences are written in, made from the catalog's facets at the first sentence."""
        return build_concepts(self.catalog, self.encoder, self.vectors)

    def interests(self, text: str):
        """The interests that a sentence names; see `decompose_text`."""
        return decompose_text(text, self.encoder, self.concepts)

    def recommend(self, who: str, k: int = 10) -> Slate:
        """The k best items for a sentence, or for a user that the recommender was fitted on.

        Args:
            who: a known user's id, else a sentence, English with the encoder minilm, many languages with e5.
            k: how many items.

        Returns:
            A Slate of at most k items, best first; a user's seen items are left out. Its parts are the exact reasons.

        Raises:
            DataError: the text is empty or too long, or k is no positive whole number.
        """
        return self.recommend_user(who, k) if self.knows(who) else self.recommend_text(who, k)

    def recommend_user(self, user_id: str, k: int = 10) -> Slate:
        """The k best unseen items for a user that the recommender was fitted on; see `recommend`."""
        self.check_k(k)
        if not self.knows(user_id):
            raise DataError(f"unknown user {user_id!r:.60}; use recommend_users with histories=, or recommend_text")
        history = histories_of([user_id], self.histories)
        parts = self.user_parts(history)
        scores = parts.values.sum(axis=1)
        scores[history.items] = -np.inf
        return self.slate(parts, top_k(scores, k, self.order))

    def recommend_text(self, text: str, k: int = 10) -> Slate:
        """The k best items for a sentence, even if it happens to be the id of a user; see `recommend`."""
        self.check_k(k)
        interests = self.interests(text)
        parts = wish_parts(interests, self.concepts, self.vectors, self.config.facet_weight)
        parts = Parts((*parts.names, POPULARITY), np.column_stack([parts.values, self.prior]))
        # Every interest picks its share of the places by its own score; the slate is then ordered by the total.
        each = interest_scores(interests, self.concepts, self.vectors, self.config.facet_weight) + self.prior
        return self.slate(parts, quota(each, interests.weights, min(k, len(self.catalog)), self.order))

    def knows(self, who) -> bool:
        """Whether this is the id of a user that the recommender was fitted on."""
        return self.interactions is not None and isinstance(who, str) and bool((self.interactions.frame[USER] == who).any())

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
        if self.models is None:
            raise DataError("recommend_users needs what people did; call fit(interactions) first")
        if isinstance(user_ids, str):
            raise DataError(f"user_ids came as the string {user_ids!r:.60}; pass a list of ids")
        source, known = self.histories, self.interactions.frame[USER].unique()
        if histories is not None:
            given = Interactions.from_frame(histories)
            source, known = given.histories(self.catalog), given.frame[USER].unique()
        user_ids = [str(user) for user in user_ids]
        unknown = sorted(set(user_ids) - set(known))
        if unknown:
            raise DataError(f"unknown user {unknown[0]!r}; pass their events as histories=, or recommend to a sentence")
        tables = [self.ranked(histories_of(user_ids[at : at + BLOCK], source), k) for at in range(0, len(user_ids), BLOCK)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[USER, ITEM, SCORE, RANK])

    def ranked(self, histories: Histories, k: int) -> pd.DataFrame:
        """The table of `recommend_users` for one block of users."""
        scores = self.scores(histories)  # (m, n)
        scores[histories.rows(), histories.items] = -np.inf
        rows = []
        for user, row in zip(histories.user_ids, scores):
            best = top_k(row, k, self.order)
            rows += [(user, self.catalog.item_ids[i], row[i], rank) for rank, i in enumerate(best, start=1)]
        return pd.DataFrame(rows, columns=[USER, ITEM, SCORE, RANK])

    def scores(self, histories: Histories) -> np.ndarray:
        """How much each user may like each item.

        Args:
            histories: of m users.

        Returns:
            (m, n) float64, seen items included.
        """
        total = np.zeros((len(histories), len(self.catalog)))
        for weight, model in zip(self.weights, self.models.values()):
            total += weight * standardize(model.scores(histories))
        return np.round(total, DIGITS)

    def user_parts(self, history: Histories) -> Parts:
        """The score of every item for one user, taken apart: by model, and the text by interest."""
        if self.models is None:
            raise DataError("a user's slate needs what people did; call fit(interactions) first")
        names, columns = [], []
        for weight, (name, model) in zip(self.weights, self.models.items()):
            if name != TEXT:
                names.append(name)
                columns.append(weight * standardize(model.scores(history))[0])
                continue
            labels, centers, shares = decompose_history(history.of(0), self.vectors, self.catalog.titles, model.config)
            # as standardize(HistoryText.scores) does, but with the interests kept apart
            each = shares * (self.vectors @ centers.T).astype(np.float64)  # (n, k)
            spread = max(each.sum(axis=1).std(), 1e-9)
            names += [f"text like {label}" for label in labels]
            columns += list(weight * ((each - each.mean(axis=0)) / spread).T)
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

    # ---- keep --------------------------------------------------------------------------------------------------------

    def save(self, folder) -> None:
        """Write everything that was learned into a folder: Parquet, safetensors, and a JSON with the hash of each file.

        The counting models are not stored: `load` makes them again from the interactions, in seconds for thousands of items.

        Args:
            folder: made if it is not there; files of an earlier save are replaced.
        """
        from safetensors.numpy import save

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"vectors": self.vectors} | ({} if self.weights is None else {"weights": self.weights})
        contents = {
            "catalog.parquet": catalog_frame(self.catalog).to_parquet(index=False),
            "arrays.safetensors": save(arrays),
        }
        if self.interactions is not None:
            contents["interactions.parquet"] = self.interactions.frame.to_parquet(index=False)
        glosses = [[*key, gloss] for key, gloss in self.catalog.glosses.items()]
        about = {
            "encoder": self.encoder.name,
            "fingerprint": self.encoder.fingerprint,
            "config": asdict(self.config),
            "facets": list(map(str, self.catalog.facets)),
            "glosses": glosses,
            "noun": self.catalog.noun,
            "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        }
        about["digest"] = digest(about)
        contents["recommender.json"] = json.dumps(about, indent=2, ensure_ascii=False).encode()
        replace_files(folder, contents)

    @classmethod
    def load(cls, folder, encoder=None) -> Recommender:
        """Read a saved recommender, after every file's hash was checked.

        Args:
            folder: where `save` wrote.
            encoder: the encoder it was saved with; loaded by its name if left out.

        Returns:
            A Recommender that gives the same slates.

        Raises:
            AssetError: a file is missing or damaged, or the encoder is another one.
        """
        from safetensors.numpy import load_file

        from llmrec_lab.encoder import load_encoder

        folder = Path(folder)
        try:
            about = json.loads((folder / "recommender.json").read_text(encoding="utf-8"))
            if about["digest"] != digest(about):
                raise ValueError
            damaged = [name for name, expected in about["sha256"].items() if sha256_of(folder / name) != expected]
        except OSError as problem:
            missing = Path(problem.filename or folder).name
            raise AssetError(
                f"{folder} holds no saved recommender: {missing}: {problem.strerror}; save one there first"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            damaged = ["recommender.json"]
        if damaged:
            raise AssetError(f"{damaged[0]} in {folder} is not what was saved; save the recommender again")
        encoder = encoder or load_encoder(about["encoder"])
        if encoder.fingerprint != about["fingerprint"]:
            raise AssetError(
                f"it was saved with other weights of {about['encoder']!r}; pass the same encoder, or make it anew"
            )
        arrays = load_file(folder / "arrays.safetensors")
        frame = pd.read_parquet(folder / "catalog.parquet")
        catalog = Catalog.from_frame(frame, ["text"], [FACET + name for name in about["facets"]])
        catalog.facets.columns = about["facets"]
        glosses = {(facet, value): gloss for facet, value, gloss in about["glosses"]}
        catalog = replace(catalog, glosses=glosses, noun=about["noun"])
        lab = cls(catalog, encoder, RecommenderConfig(**about["config"]), vectors=arrays["vectors"])
        if "interactions.parquet" in about["sha256"]:
            lab.fit_prior(Interactions.from_frame(pd.read_parquet(folder / "interactions.parquet")))
        if "weights" in arrays:
            lab.weights, lab.models = arrays["weights"], lab.fitted_models()
        return lab


def replace_files(folder: Path, contents: dict[str, bytes]) -> None:
    """Write all files beside the old ones, then put all in place: a disk that fills on the way loses no earlier save."""
    try:
        for name, content in contents.items():
            (folder / f"{name}.new").write_bytes(content)
    except OSError as problem:
        for name in contents:
            (folder / f"{name}.new").unlink(missing_ok=True)
        raise AssetError(f"cannot save in {folder}: {problem.strerror}; what was saved before is untouched") from None
    for name in contents:
        (folder / f"{name}.new").replace(folder / name)


def digest(about: dict) -> str:
    """The hash of what recommender.json says, the hash itself left out."""
    said = {name: value for name, value in about.items() if name != "digest"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


BLOCK = 1024  # users scored at a time: their scores of 10,000 items fill 80 MB


def histories_of(user_ids, histories: Histories) -> Histories:
    """The histories of the given users, in that order; empty for a user that has none.

    Args:
        user_ids: strings.
        histories: of all users.

    Returns:
        Histories with one row for each of `user_ids`.
    """
    user_ids = np.asarray(list(user_ids), dtype=object)
    rows = pd.Index(histories.user_ids).get_indexer(user_ids)
    lengths = np.append(np.diff(histories.starts), 0)[rows]  # row -1, no such user, has the appended 0
    starts = np.concatenate([[0], np.cumsum(lengths)])
    at = np.repeat(histories.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1])
    return Histories(user_ids, histories.items[at], histories.timestamps[at], starts, histories.n_items)


FACET = "facet "  # before the names of facets in the saved table, where one may be called title


def catalog_frame(catalog: Catalog) -> pd.DataFrame:
    """A catalog as the table from which `Recommender.load` makes it again."""
    frame = pd.DataFrame({ITEM: catalog.item_ids, TITLE: catalog.titles, "text": catalog.texts})
    return pd.concat([frame, catalog.facets.map(list).rename(columns=lambda name: f"{FACET}{name}")], axis=1)
