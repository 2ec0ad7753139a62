"""The longer training of lesson 06: MiniLM learns from what people watched, and is asked what they watched next.

About 25 minutes of two CPU cores, or a few of a GPU where there is one. Stopped at any moment and started again, it goes on
from its last checkpoint in the cache folder. Of every user the last three films are asked for, one after the other, and the
one before them chooses whatever is chosen; no training has seen any of the four. All is of one seed.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import RESULTS, cpu_clock, foreign_share, machine
from llmrec_lab.assets import home
from llmrec_lab.baselines import EASE, MarkovChain, Popularity
from llmrec_lab.bi_encoder import BiEncoderConfig, BiEncoderTask, copy_of
from llmrec_lab.catalog import Histories
from llmrec_lab.cross_encoder import CrossEncoderTask, Reranker, load_cross_encoder
from llmrec_lab.datasets.films import load_films
from llmrec_lab.datasets.splits import Split, leave_last_out
from llmrec_lab.encoder import Encoder, fastest_dtype, load_encoder
from llmrec_lab.finetune import TrainConfig, finetune
from llmrec_lab.fusion import Fusion, FusionConfig, standardize
from llmrec_lab.interests import unit_rows
from llmrec_lab.metrics import bootstrap_interval, divide, hits_from_ranks, ndcg, paired_interval, target_rank
from llmrec_lab.pairs import Pairs, make_pairs, mine_negatives, user_texts
from llmrec_lab.ranking import id_order
from llmrec_lab.recommender import LEAST, POPULARITY, TEXT, Recommender
from llmrec_lab.scoring import HistoryText
from llmrec_lab.text_only import new_item_ndcg, short_texts
from llmrec_lab.windows import RecentText, WindowConfig, WindowTask

SEED = 0
TARGETS = 3  # last items that are asked for; the one before them chooses
LASTS = (1, 3, 5, 10)  # ways to read a history: the mean of so many last texts
WEIGHTS = (0.25, 0.5, 1.0, 2.0)  # of the cross-encoder beside the ranking that it reads
HIDDEN_SHARE = 0.1
FULL = {"ratings": 5, "users": None, "steps": 600, "every": 50, "per_user": 3, "read": 2, "depth": 100}
QUICK = {"ratings": 120, "users": 20, "steps": 2, "every": 1, "per_user": 2, "read": 2, "depth": 5}
RECIPE = {"rate": 2e-4, "frozen": 4, "tokens": 2048, "seed": SEED}  # the lesson's, found on second-last items
TUNED, FROZEN = "tuned text", "frozen text"
READ_ALONE, BOTH = "tuned text, read as without a fusion", "both texts"
LAST, THREE, NEW = "the last film", "the last three films", "new films"
AGAINST = {
    TUNED: (FROZEN, "popularity", "Markov chain", "EASE"),
    f"fusion, {FROZEN}": (TUNED,),
    f"fusion, {TUNED}": (f"fusion, {FROZEN}", TUNED),
    f"fusion, {READ_ALONE}": (f"fusion, {FROZEN}",),
    f"fusion, {BOTH}": (f"fusion, {FROZEN}",),
    f"{TUNED}, first hundred re-ranked by a cross-encoder": (TUNED,),
    "user text, trained with hard negatives": ("user text, trained without", "user text, not trained"),
}
PROTOCOL = {
    "asked": "the last three films of every user, one after the other, from everything before each; all films ranked",
    "chosen": "readings, weights, and the kept checkpoint on the film before those three",
    "learned from": "neither those four films of any user nor the hidden films; baselines and fusion: all before the target",
    "new films": "a tenth of all, hidden from the training and ranked among themselves when their user met them; the frozen "
    "text reads as many last films as serve it best here, the tuned text as many as were chosen",
    "fusion": "that of the Recommender; its weights are learned on the film before the target, which no encoder has seen",
    "cross-encoder": "asked for the last film alone, and read only where that is among the first hundred: elsewhere both "
    "rankings have 0",
    "interval": "95%, paired bootstrap over users, 2,000 draws",
    "seeds": "one; the intervals say what other users would change, and not what another seed would",
}


class World:
    """The films, who watched them, and what of that may be learned from."""

    def __init__(self, size: dict):
        films, self.size = load_films(size["ratings"]), size
        self.catalog, everyone = films.catalog, films.interactions.histories(films.catalog)
        self.histories = everyone.of_users(everyone.user_ids[: size["users"]])
        self.texts, self.order, n = short_texts(self.catalog), id_order(self.catalog.item_ids), len(self.catalog)
        self.hidden = np.sort(np.random.default_rng(SEED).permutation(n)[: round(HIDDEN_SHARE * n)])
        self.asked = [leave_last_out(self.histories, back) for back in range(TARGETS)]
        self.choosing = leave_last_out(self.histories, TARGETS)
        self.train = self.choosing.train.take(~np.isin(self.choosing.train.items, self.hidden))
        self.encoder = load_encoder("minilm")
        self.dtype = fastest_dtype(self.encoder.device)

    def vectors(self, encoder: Encoder) -> np.ndarray:
        """(n, d) unit vectors of the films, with what all of them share taken off."""
        found = copy_of(encoder, self.dtype).encode(self.texts)
        return unit_rows(found - found.mean(axis=0))

    def before(self, split: Split) -> Histories:
        """What the users that are asked had met."""
        return split.train.of_users(split.train.user_ids[split.rows])

    def ndcg(self, model, split: Split) -> np.ndarray:
        """(m) the NDCG@10 of every user, by a model that is fitted on what came before; NaN for users not asked."""
        scores = model.fit(split.train).scores(self.before(split))
        return self.by_user(split.rows, target_rank(scores, split.targets, split.seen(), self.order))

    def by_user(self, rows: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """(m) the NDCG@10 of the ranks of some users' targets."""
        found = np.full(len(self.histories), np.nan)
        found[rows] = ndcg(hits_from_ranks(ranks, 10))
        return found

    def best_reading(self, vectors: np.ndarray) -> RecentText:
        """The reading of histories that ranks best what chooses."""
        readings = [RecentText(vectors, last) for last in LASTS]
        return max(readings, key=lambda reading: np.nanmean(self.ndcg(reading, self.choosing)))

    def hard_negatives(self, pairs: Pairs, encoder: Encoder, count: int) -> np.ndarray:
        """(p, count) films that an encoder takes for what the users of the pairs met next, and they did not."""
        users, items = (copy_of(encoder, self.dtype).encode(texts) for texts in (pairs.texts, self.texts))
        return mine_negatives(pairs, lambda rows: users[rows] @ items.T, count, seed=SEED)


@dataclass
class Report:
    """What was found so far.

    Args:
        values: question to model to (m) NDCG@10 of every user, NaN for users not asked.
        trainings: name to how a training went.
        chosen: what was chosen on the film before those that are asked.
    """

    values: dict = field(default_factory=lambda: {LAST: {}, THREE: {}, NEW: {}})
    trainings: dict = field(default_factory=dict)
    chosen: dict = field(default_factory=dict)

    def add(self, name: str, found: np.ndarray) -> None:
        """Take (TARGETS, m) values of a model."""
        self.values[LAST][name] = found[0]
        self.values[THREE][name] = divide(np.nansum(found, axis=0), (~np.isnan(found)).sum(axis=0))
        print(f"{name}: {np.nanmean(found, axis=1).round(4)}", flush=True)

    def ask(self, name: str, model, world: World) -> None:
        """Let a model guess the last films of all users."""
        self.add(name, np.stack([world.ndcg(model, split) for split in world.asked]))

    def rows(self) -> list[dict]:
        """A row for each question and model, with the differences to its rivals."""
        return [row(question, name, asked) for question, asked in self.values.items() for name in asked]


def row(question: str, name: str, asked: dict) -> dict:
    """One model's answer to one question, in the form of the other files of results."""
    values, rivals = asked[name], [rival for rival in AGAINST.get(name, ()) if rival in asked]
    about = {"work": f"{question}: {name}", "unit": "NDCG@10", "users": int((~np.isnan(values)).sum())}
    minus = {rival: ends(paired_interval(values, asked[rival])) for rival in rivals}
    return about | ends(bootstrap_interval(values)) | {"minus": minus, "verdict": "not judged"}


def ends(interval) -> dict[str, float]:
    """An interval for JSON."""
    return {"value": round(interval.mean, 5), "low": round(interval.low, 5), "high": round(interval.high, 5)}


# The four questions, each of which adds to the report


def ask_text_alone(world: World, folder: Path, report: Report) -> None:
    """What counting finds, what the frozen text finds, and what the tuned text finds."""
    for name, model in {"popularity": Popularity(), "Markov chain": MarkovChain(), "EASE": EASE()}.items():
        report.ask(name, model, world)
    frozen = world.best_reading(world.vectors(world.encoder))
    report.ask(FROZEN, frozen, world)
    report.trainings[TUNED] = train_text(world, folder / "text")
    tuned = world.best_reading(tuned_vectors(world, folder))
    report.ask(TUNED, tuned, world)
    report.chosen |= {f"films read, {FROZEN}": frozen.last, f"films read, {TUNED}": tuned.last}
    readings = [new_films(world, RecentText(frozen.vectors, last)) for last in LASTS]
    report.values[NEW] = {FROZEN: max(readings, key=np.nanmean), TUNED: new_films(world, tuned)}


def ask_fusion(world: World, folder: Path, report: Report) -> None:
    """What the recommender's fusion gains by the tuned text: instead of the frozen one, and beside it."""
    both = world.vectors(world.encoder), tuned_vectors(world, folder)
    frozen, tuned = (HistoryText(vectors, world.catalog.titles) for vectors in both)
    alone = world.best_reading(tuned.vectors)
    arms = {FROZEN: {TEXT: frozen}, TUNED: {TEXT: tuned}, READ_ALONE: {TEXT: alone}, BOTH: {TEXT: frozen, TUNED: alone}}
    parts = Recommender(world.catalog, world.encoder, vectors=frozen.vectors).new_fusion().parts
    for name, texts in arms.items():
        # deeper than 1, the weights would be learned on films that the training has seen
        fusion = Fusion(parts | texts, {POPULARITY: LEAST}, FusionConfig(depth=1))
        report.ask(f"fusion, {name}", fusion, world)
        report.chosen[f"weights of the fusion, {name}"] = dict(zip(fusion.parts, fusion.weights.round(3).tolist()))


def ask_hard_negatives(world: World, folder: Path, report: Report) -> None:
    """What mined negatives add to a short training on pairs, with as many steps."""
    report.ask("user text, not trained", UserText(world, world.encoder), world)
    pairs = make_pairs(world.train, world.catalog.titles, per_user=world.size["per_user"], seed=SEED)
    arms = {"trained without": None, "trained with hard negatives": world.hard_negatives(pairs, world.encoder, 4)}
    config = TrainConfig(batch=32, **RECIPE)
    for name, negatives in arms.items():
        task = BiEncoderTask(world.encoder, pairs, world.texts, negatives, BiEncoderConfig(popularity=0.0))
        report.trainings[f"user text, {name}"] = trained(task, folder / name.replace(" ", "-"), config)
        report.ask(f"user text, {name}", UserText(world, task.encoder), world)


def ask_cross_encoder(world: World, folder: Path, report: Report) -> None:
    """What a cross-encoder adds that re-ranks the first hundred of the tuned text."""
    name, tuned = f"{TUNED}, first hundred re-ranked by a cross-encoder", load_encoder(str(folder / "text"))
    titles, texts, size = world.catalog.titles, world.texts, world.size
    pairs = make_pairs(world.train, titles, last=3, per_user=size["read"], seed=SEED)
    task = CrossEncoderTask(tuned, pairs, texts, world.hard_negatives(pairs, tuned, 3), SEED)
    config = TrainConfig(batch=16, rate=1e-4, frozen=1, tokens=2048, seed=SEED)
    report.trainings[name] = trained(task, folder / "cross-encoder", config)
    reranker = Reranker(load_cross_encoder(str(folder / "cross-encoder")), titles, texts, depth=size["depth"], last=3)
    base = world.best_reading(tuned_vectors(world, folder))
    best = int(np.nanmean(reranked(world, base, reranker, world.choosing), axis=1).argmax())
    report.chosen["weight of the cross-encoder"] = WEIGHTS[best]
    report.values[LAST][name] = reranked(world, base, reranker, world.asked[0])[best]


# Their parts


def train_text(world: World, folder: Path) -> dict:
    """The training of the lesson, for longer, and stopped early."""
    task = WindowTask(world.encoder, world.train, world.texts, WindowConfig(count=16 * world.size["steps"], seed=SEED))
    config = TrainConfig(batch=16, check_every=world.size["every"], patience=4, **RECIPE)

    def validate() -> float:
        return float(np.nanmean(world.ndcg(RecentText(world.vectors(task.encoder)), world.choosing)))

    return trained(task, folder, config, validate)


def trained(task, folder: Path, config: TrainConfig, validate=None) -> dict:
    """Train, or go on where it was; how it went, in seconds, and in losses averaged from check to check."""
    log = Log(folder)
    curve = finetune(task, folder, config, validate, watch=log)
    steps = [step for step, _ in curve.checks[1:]] or [len(curve.losses)]
    losses = [float(np.mean(part)) for part in np.split(curve.losses, steps[:-1])]
    spent = {"steps": len(curve.losses), "kept": (curve.best or [len(curve.losses)])[0], **log.seconds()}
    return spent | {"losses": np.round(losses, 4).tolist(), "validation": [[at, round(x, 5)] for at, x in curve.checks]}


class Log:
    """Prints how a training goes, and adds up its seconds, also over interruptions."""

    def __init__(self, folder: Path):
        self.path, self.start = folder / "seconds.json", (time.process_time(), time.perf_counter())
        self.before = json.loads(self.path.read_text()) if self.path.exists() else {"cpu_seconds": 0.0, "seconds": 0.0}

    def __call__(self, step: int, values: dict[str, float]) -> None:
        now = {"cpu_seconds": time.process_time() - self.start[0], "seconds": time.perf_counter() - self.start[1]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({name: self.before[name] + now[name] for name in now}))
        print(self.path.parent.name, step, values, self.seconds(), flush=True)

    def seconds(self) -> dict[str, float]:
        """By the clock of the CPU, all threads together, and by that on the wall."""
        return {name: round(spent, 1) for name, spent in json.loads(self.path.read_text()).items()}


def new_films(world: World, model) -> np.ndarray:
    """(m) the NDCG@10 of the hidden films, ranked among themselves when their user met them."""
    return new_item_ndcg(model, world.histories, world.hidden, world.order)


def tuned_vectors(world: World, folder: Path) -> np.ndarray:
    """The films' vectors by the encoder that the longer training kept."""
    return world.vectors(load_encoder(str(folder / "text")))


class UserText:
    """Scores films by the cosine of their text to that of the user; same calls as the baselines."""

    def __init__(self, world: World, encoder: Encoder):
        self.encoder, self.titles = copy_of(encoder, world.dtype), world.catalog.titles
        self.items = self.encoder.encode(world.texts)  # (n, d)

    def fit(self, histories: Histories):
        """Nothing is learned from other people."""
        return self

    def scores(self, histories: Histories) -> np.ndarray:
        """(m, n) cosines."""
        return self.encoder.encode(user_texts(histories, self.titles)) @ self.items.T


def reranked(world: World, base, reranker: Reranker, split: Split) -> np.ndarray:
    """(weights, m) the NDCG@10 of every user when the first items of a ranking are read once more, for each of WEIGHTS.

    Read only for users whose target is among these items: for the others it is in the first ten neither before nor after.
    """
    asked, seen = world.before(split), split.seen()
    ranking = np.where(seen, -np.inf, standardize(base.scores(asked)))
    ranks = target_rank(ranking, split.targets, seen, world.order)
    near = np.flatnonzero(ranks <= reranker.depth)
    with torch.autocast(reranker.model.device, torch.bfloat16, enabled=world.dtype == "bfloat16"):
        added = reranker.scores(asked.of_users(asked.user_ids[near]), ranking[near])
    found = []
    for weight in WEIGHTS:
        ranks[near] = target_rank(ranking[near] + weight * added, split.targets[near], seen[near], world.order)
        found.append(world.by_user(split.rows, ranks))
    return np.stack(found)


def main() -> None:
    """Ask the four questions, and write what is known after each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetune_films")
    parser.add_argument("--quick", action="store_true", help="few films, few steps: does it run? Nothing is kept")
    quick, scratch = parser.parse_args().quick, Path(tempfile.mkdtemp())
    folder, path = (scratch, scratch) if quick else (home() / "finetune_films", RESULTS)
    world, report, before = World(QUICK if quick else FULL), Report(), cpu_clock()
    about = machine() | {"quick": quick, "device": world.encoder.device, "dtype": world.dtype, "seed": SEED}
    about |= {"threads": torch.get_num_threads(), "protocol": PROTOCOL}
    for ask in (ask_text_alone, ask_fusion, ask_hard_negatives, ask_cross_encoder):
        ask(world, folder, report)
        found = about | {"foreign_cpu": round(foreign_share(before, cpu_clock()), 3), "chosen": report.chosen}
        found |= {"trainings": report.trainings, "rows": report.rows()}
        (path / "finetune_films.json").write_text(json.dumps(found, indent=1) + "\n")
    for row in found["rows"]:
        print("|", row["work"], "|", f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}] |")
    print(f"written to {path / 'finetune_films.json'}")


if __name__ == "__main__":
    main()
