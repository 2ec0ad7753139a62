"""The recommender, its parts, and its rivals under one protocol, with intervals on the differences.

Knows nothing about how a score is made: a model is anything with `fit(histories)` and `scores(histories)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd

from llmrec_lab import __version__
from llmrec_lab.baselines import EASE, ItemKNN, MarkovChain, Popularity
from llmrec_lab.catalog import Catalog, Histories, Interactions
from llmrec_lab.datasets.splits import Split, leave_last_out
from llmrec_lab.errors import DataError
from llmrec_lab.metrics import (
    Interval,
    bootstrap_interval,
    coverage,
    diversity,
    hits,
    ndcg,
    novelty,
    paired_interval,
    popularity_share,
    recall,
)
from llmrec_lab.peers import implicit_models
from llmrec_lab.ranking import top_k_rows
from llmrec_lab.recommender import BLOCK, Recommender

FUSION, RANDOM = "fusion", "random order"
AT = 10  # a slate has ten places
HIDDEN_SHARE = 0.1  # of the items, drawn at random, that nobody has met in the evaluation of new items


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found.

    Args:
        table: one row per model. HR@10, NDCG@10, Recall@20 of the items that were met next; coverage, diversity, novelty,
            and popularity share of the ten items listed.
        per_user: model to a table with one row per user and the same columns, coverage left out.
        differences: the fusion minus each rival: mean, and the ends of the paired 95% interval.
        new_items: Recall@10 of items that nobody had met, ranked among themselves, and the interval around what it has
            above a random order; NaN for a model to which all new items are equal.
        protocol: what was done to what, in words and numbers.
    """

    table: pd.DataFrame
    per_user: dict[str, pd.DataFrame]
    differences: pd.DataFrame
    new_items: pd.DataFrame
    protocol: dict

    def __str__(self) -> str:
        sections = {
            "What users met next": self.table.round(3).to_string(),
            f"{FUSION} minus rival, with its 95% interval": side_by_side(self.differences).to_string(),
            "New items, ranked among themselves": self.new_items.round(3).to_string(na_rep="all tie"),
            "Protocol": "\n".join(f"{name}: {value}" for name, value in self.protocol.items()),
        }
        return "\n\n".join(f"{title}\n{body}" for title, body in sections.items())

    def to_json(self) -> dict:
        """The same as one object that JSON can hold, without the values of single users."""
        return {
            "protocol": self.protocol,
            "models": records(self.table),
            "differences": self.differences.to_dict("records"),
            "new_items": records(self.new_items),
        }


def evaluate(
    catalog: Catalog,
    interactions: Interactions,
    encoder,
    targets: int = 1,
    max_users: int = 10_000,
    seed: int = 0,
    progress: bool = False,
) -> Evaluation:
    """Let the recommender, its parts, and its rivals guess what users met next.

    Args:
        catalog: the items.
        interactions: who met what when.
        encoder: from `load_encoder`.
        targets: how many last items of a user are asked for, one after the other, each of models that have not seen it or
            anything after it; a user's value is the mean over them.
        max_users: of more users, so many are drawn at random and asked. All are learned from.
        seed: of that draw, and of the draw of the new items.
        progress: show a bar.

    Returns:
        An Evaluation.

    Raises:
        DataError: targets is no whole number above zero, or no user has an item to be asked for.

    Example:
        >>> from llmrec_lab import load_encoder
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> found = evaluate(*tiny_world(), load_encoder("minilm"))
        >>> found.protocol["users asked"], float(found.table.loc["fusion", "HR@10"])
        (2, 1.0)
    """
    from tqdm.auto import tqdm

    if not isinstance(targets, (int, np.integer)) or targets < 1:
        raise DataError(f"targets came as {targets!r}; pass a whole number of at least 1")
    lab = Recommender(catalog, encoder, progress=progress).fit_prior(interactions)
    drawn = np.random.default_rng(seed).permutation(len(lab.histories))[:max_users]
    splits = [among(leave_last_out(lab.histories, back), drawn) for back in range(targets)]
    splits = [split for split in splits if len(split.rows)]
    if not splits:
        raise DataError(f"none of the {len(lab.histories)} users has met two different items; pass longer histories")
    found, spread = {}, {}
    with tqdm(total=len(splits) * (len(rivals()) + 1) + 1, disable=not progress) as bar:
        for split in splits:
            for name, ranked in slates(lab, split, bar):
                found.setdefault(name, []).append(measured(lab, split, ranked))
                spread.setdefault(name, []).append(coverage(ranked[:, :AT], len(catalog)))
        bar.set_description("new items")
        new_items = evaluate_new_items(lab, drawn, seed)
        bar.update()
    per_user = {name: pd.concat(tables).groupby(level=0).mean() for name, tables in found.items()}
    table = pd.DataFrame({name: values.mean() for name, values in per_user.items()}).T
    table.insert(3, "coverage", [float(np.mean(spread[name])) for name in table.index])
    return Evaluation(table, per_user, differences(per_user), new_items, protocol(lab, splits, per_user, seed))


def rivals() -> dict:
    """The models to beat, new and not fitted, by name."""
    counting = {"Popularity": Popularity(), "Markov chain": MarkovChain(), "EASE": EASE(), "ItemKNN": ItemKNN()}
    return counting | implicit_models()


def slates(lab: Recommender, split: Split, bar):
    """For every model in turn its name and (q, 20) item positions, best first, seen items left out."""
    others = rivals()
    for name, model in others.items():
        bar.set_description(name)
        yield name, best_items(model.fit(split.train), split, lab.order)
        bar.update()
    bar.set_description(FUSION)
    fusion = lab.new_fusion().fit(split.train)
    for name, part in fusion.parts.items():
        if part not in others.values():
            yield f"part: {name}", best_items(part, split, lab.order)
    yield FUSION, best_items(fusion, split, lab.order)
    bar.update()


def best_items(model, split: Split, order: np.ndarray) -> np.ndarray:
    """(q, 20) the best unseen items for every user that is evaluated, best first, -1 where none is left."""
    found = [np.empty((0, 2 * AT), dtype=int)]
    for start in range(0, len(split.rows), BLOCK):
        asked = split.train.of_users(split.train.user_ids[split.rows[start : start + BLOCK]])
        scores = model.scores(asked).astype(np.float64)
        scores[asked.rows(), asked.items] = -np.inf
        found.append(top_k_rows(scores, 2 * AT, order))
    return np.concatenate(found)


def measured(lab: Recommender, split: Split, ranked: np.ndarray) -> pd.DataFrame:
    """The metrics of every user, one row each."""
    hit, slate = hits(ranked, split.targets), ranked[:, :AT]
    counts = np.bincount(split.train.items, minlength=len(lab.catalog))
    return pd.DataFrame(
        {
            "HR@10": recall(hit[:, :AT]),
            "NDCG@10": ndcg(hit[:, :AT]),
            "Recall@20": recall(hit),
            "diversity": diversity(slate, lab.vectors),
            "novelty": novelty(slate, counts, len(split.train)),
            "popularity share": popularity_share(slate, counts, len(split.train)),
        },
        index=split.train.user_ids[split.rows],
    )


def differences(per_user: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The fusion minus every other model, on the same users."""
    rows = []
    for name in per_user:
        for metric in ("HR@10", "NDCG@10") if name != FUSION else ():
            found = paired_interval(per_user[FUSION][metric].to_numpy(), per_user[name][metric].to_numpy())
            rows.append({"rival": name, "metric": metric, "mean": found.mean, "low": found.low, "high": found.high})
    return pd.DataFrame(rows)


def evaluate_new_items(lab: Recommender, drawn: np.ndarray, seed: int) -> pd.DataFrame:
    """Hide a tenth of the items from all histories, and ask who met which of them.

    Args:
        lab: knows the histories and the texts, also those of the hidden items.
        drawn: the users that may be asked; those who met a hidden item and another one are.
        seed: of the items.

    Returns:
        One row per part, for the fusion, and for a random order; empty where the hidden items would all fit in a slate.
    """
    n_hidden = round(HIDDEN_SHARE * len(lab.catalog))
    if n_hidden <= AT:
        return pd.DataFrame(columns=["Recall@10", "above random", "low", "high"])
    hidden = np.sort(np.random.default_rng(seed).permutation(len(lab.catalog))[:n_hidden])
    is_new = np.isin(lab.histories.items, hidden)
    train, met = lab.histories.take(~is_new), lab.histories.take(is_new).matrix()[:, hidden].toarray() > 0
    rows = drawn[met[drawn].any(axis=1) & (np.diff(train.starts)[drawn] > 0)]
    fusion, chance = lab.new_fusion().fit(train), AT / n_hidden
    found = {RANDOM: {"Recall@10": chance}}
    for name, model in {**fusion.parts, FUSION: fusion}.items():
        values = new_item_recall(model, train.of_users(train.user_ids[rows]), hidden, met[rows], lab.order[hidden])
        found[name] = {} if values is None else above(values, chance)
    return pd.DataFrame(found).T


def new_item_recall(model, asked: Histories, hidden: np.ndarray, met: np.ndarray, order: np.ndarray) -> np.ndarray | None:
    """(q) the share of each user's new items in the ten best of all new items; None if all of them tie."""
    found, tie = [np.empty(0)], True
    for start in range(0, len(asked), BLOCK):
        block = slice(start, start + BLOCK)
        scores = model.scores(asked.of_users(asked.user_ids[block]))[:, hidden]  # (b, h)
        ranked = top_k_rows(scores, AT, order)
        found.append(np.take_along_axis(met[block], ranked, axis=1).sum(axis=1) / met[block].sum(axis=1))
        tie &= not np.ptp(scores, axis=1).any()
    return None if tie else np.concatenate(found)


def above(values: np.ndarray, chance: float) -> dict:
    """The mean, and the interval of what it has above chance."""
    found = bootstrap_interval(values - chance)
    return {"Recall@10": values.mean(), "above random": found.mean, "low": found.low, "high": found.high}


def among(split: Split, users: np.ndarray) -> Split:
    """The split with only some of the users asked; all are still learned from."""
    asked = np.isin(split.rows, users)
    return Split(split.train, split.rows[asked], split.targets[asked])


def protocol(lab: Recommender, splits: list[Split], per_user: dict, seed: int) -> dict:
    """The card that says what the numbers mean and how to get them again."""
    peers = f"implicit {version('implicit')}, its own settings" if implicit_models() else "implicit is not installed"
    libraries = ", ".join(
        [f"llmrec-lab {__version__}"] + [f"{name} {version(name)}" for name in ("numpy", "scipy", "torch")]
    )
    return {
        "items": len(lab.catalog),
        "users": len(lab.histories),
        "interactions": len(lab.histories.items),
        "users asked": len(per_user[FUSION]),
        "targets": "the last item of each user" if len(splits) == 1 else f"the last {len(splits)} items, averaged by user",
        "learned from": "everybody's items before the target, nothing after it",
        "ranked": "all items that the user has not met (no sampling); ties by item id",
        "split": " ".join(split.digest() for split in splits),
        "encoder": f"{lab.encoder.name} {lab.encoder.fingerprint[:12]}",
        "peers": peers,
        "new items": f"{HIDDEN_SHARE:.0%} of the items, hidden from all histories",
        "seed": seed,
        "interval": "95%, paired bootstrap over users, 2,000 draws",
        "libraries": libraries,
    }


def side_by_side(differences: pd.DataFrame) -> pd.DataFrame:
    """The differences with a row per rival and a column per metric, as text."""
    intervals = [str(Interval(row.mean, row.low, row.high)) for row in differences.itertuples()]
    table = differences.assign(interval=intervals).pivot(index="rival", columns="metric", values="interval")
    return table.loc[differences["rival"].unique()].rename_axis(index=None, columns=None)


def records(table: pd.DataFrame) -> list[dict]:
    """The rows of a table whose index are models, with None where a value is not a number."""
    rows = table.astype(object).where(table.notna(), None).rename_axis("model").reset_index()
    return rows.to_dict("records")
