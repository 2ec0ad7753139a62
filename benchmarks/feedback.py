"""Row 6, feedback: what an event costs, from its durable append to the next list, and what it costs elsewhere."""

from __future__ import annotations

import csv
import multiprocessing
import os
import sqlite3
import tempfile
import time
from collections import deque
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.encode import padded_style, sample
from benchmarks.harness import Bound, Race, main, peer
from benchmarks.synthetic import clustered_vectors
from llmrec_lab import load_encoder
from llmrec_lab.event_log import Event, SQLiteLog
from llmrec_lab.interests import unit_rows
from llmrec_lab.model_files import model_folder
from llmrec_lab.online import Decay, LinUCB, Logistic, Rocchio, RunningMean, Thompson
from llmrec_lab.operations import count_operations
from llmrec_lab.ranking import nearest

D, K = 384, 10
PAST = 50  # events of the user whose vector is wanted
PROCESSES, OUTSTANDING = 4, 16
TO_FRESH = {
    10_000: ((1.5, 0.7), (5, 2)),
    100_000: ((8, 5), (None, None)),
}  # items: (must, goal) in ms of the p50, of the p99


def rows(quick):
    """All of row 6; with `quick` fewer events, and only the smaller catalog."""
    yield from updates(200 if quick else 10_000)
    yield from bandits(200 if quick else 10_000)
    yield from logistic()
    yield from appends(400 if quick else 20_000)
    for n_items, limits in TO_FRESH.items():
        if not quick or n_items == 10_000:
            yield from fresh_lists(n_items, 20 if quick else 1_000, *limits)


# A user's vector


def updates(n: int):
    """One more event, against encoding the history again; and every learner's updates, one by one."""
    vectors, (folder, _) = clustered_vectors(n, D, seed=0).astype(np.float64), model_folder("minilm")
    texts, encoder = sample(PAST, folder), load_encoder("minilm", "cpu")
    state = taught(Rocchio(), vectors[:PAST])
    ours = {"ours": "Rocchio.update", "run_ours": lambda: Rocchio().update(state, vectors[0], 1.0), "must": 10_000}
    work = f"user vector after one event, {PAST} before"
    yield Race(work, "encode the history again, padded", padded_style(folder, texts), **ours, goal=500_000)
    yield Race(work, "encode the history again, by us", lambda: encoder.encode(texts), **ours)
    for learner in (RunningMean(), Decay(), Rocchio(), Logistic(), LinUCB()):
        yield Bound(
            f"{learner.name}: p99 of {n:,} updates", percentile(update_seconds(learner, vectors), 99) * 1e6, "us", 200
        )
        young, old = taught(learner, vectors[:1]), taught(learner, vectors)
        counts = [count_operations(learner, known, vectors[0], 1.0) for known in (young, old)]
        yield Bound(f"{learner.name}: operations at event {n:,} beyond event 1", float(counts[1] - counts[0]), "", 0)


def taught(learner, vectors: np.ndarray):
    """The learner's state after an event with every vector, every third of them a dislike."""
    state = learner.start(vectors.shape[1])
    for number, x in enumerate(vectors):
        state = learner.update(state, x, 1.0 if number % 3 else -1.0)
    return state


def update_seconds(learner, vectors: np.ndarray) -> list[float]:
    """How long each update took."""
    state, seconds = taught(learner, vectors[:10]), []
    for x in vectors:
        start = time.perf_counter()
        state = learner.update(state, x, 1.0)
        seconds.append(time.perf_counter() - start)
    return seconds


def percentile(values: list[float], share: float) -> float:
    """The value that `share` percent do not exceed."""
    return float(np.percentile(values, share))


# Bandits and logistic regression


def bandits(n: int):
    """A rank-one update, against solving and inverting; how far it drifts; and a draw for Thompson sampling."""
    vectors = clustered_vectors(n, D, seed=0).astype(np.float64)
    learner, x = LinUCB(), vectors[0]
    state = taught(learner, vectors[:100])
    gram, target, inverse = vectors[:100].T @ vectors[:100] + np.eye(D), vectors[:100].sum(axis=0), np.eye(D)

    def observe():
        nonlocal gram, target
        gram += np.outer(x, x)
        target += x

    def rank_one():
        shift = inverse @ x
        np.subtract(inverse, np.outer(shift, shift) / (1 + x @ shift), out=inverse)
        return inverse @ target

    work, ours = f"LinUCB update, d = {D}", {"ours": "LinUCB.update", "run_ours": lambda: learner.update(state, x, 1.0)}
    yield Race(work, "solve", lambda: observe() or np.linalg.solve(gram, target), **ours, must=20, goal=55)
    yield Race(work, "inverse", lambda: observe() or np.linalg.inv(gram) @ target, **ours, must=100, goal=280)
    yield Race(work, "numpy, rank one", rank_one, **ours)
    yield Bound(f"inverse after {n:,} updates: farthest entry from a fresh one", drift(vectors), "", 1e-8)
    yield Bound("Thompson: p99 of update and draw", percentile(draw_seconds(vectors[:1_000]), 99) * 1e3, "ms", 5)


def drift(vectors: np.ndarray) -> float:
    """The largest difference of the kept inverse to one made at the end, beside the largest entry."""
    fresh = np.linalg.inv(vectors.T @ vectors + np.eye(D))
    kept = np.tril(taught(LinUCB(), vectors).covariance)
    return float(np.abs(kept - np.tril(fresh)).max() / np.abs(fresh).max())


def draw_seconds(vectors: np.ndarray) -> list[float]:
    """How long each update took together with the draw of weights that follows it."""
    learner, rng, seconds = Thompson(), np.random.default_rng(0), []
    state = learner.start(D)
    for x in vectors:
        start = time.perf_counter()
        learner.update(state, x, 1.0).sample(1.0, rng)
        seconds.append(time.perf_counter() - start)
    return seconds


def logistic():
    """One step of logistic regression, against river's and scikit-learn's."""
    linear, optim = peer("river.linear_model"), peer("river.optim")
    x = clustered_vectors(1, D, seed=0)[0].astype(np.float64)
    learner, theirs = Logistic(), linear.LogisticRegression(optimizer=optim.SGD(0.1), intercept_lr=0.1)
    sgd = peer("sklearn.linear_model").SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1)
    state, named, row = learner.start(D), dict(enumerate(x)), x[None]
    sgd.partial_fit(row, [1], classes=[0, 1])
    work, ours = f"logistic step, d = {D}", {"ours": "Logistic.update", "run_ours": lambda: learner.update(state, x, 1.0)}
    with_dict = lambda: theirs.learn_one(dict(enumerate(x)), True)  # noqa: E731
    yield Race(work, "river, from an array", with_dict, **ours, must=10, goal=35)
    yield Race(work, "river, from a dict", lambda: theirs.learn_one(named, True), **ours)
    yield Race(work, "scikit-learn partial_fit", lambda: sgd.partial_fit(row, [1]), **ours)


# Durable appends


def appends(n: int):
    """Events a second that were acknowledged because they were on the disk: in seconds for so many."""
    folder = Path(tempfile.mkdtemp())
    seconds = in_processes(folder / "many.db", n // PROCESSES)
    title = f"{PROCESSES} processes, {OUTSTANDING} outstanding each: 20,000 durable appends"
    yield Bound(title, seconds * 20_000 / n, "s", must=1)
    with SQLiteLog(folder / "one.db") as log:
        seconds, waits = outstanding(log, events(n, "p"), 64)
    title = "1 process, 64 outstanding"
    yield Bound(f"{title}: 100,000 durable appends", seconds * 100_000 / n, "s", goal=1)
    yield Bound(f"{title}: p99 until acknowledged", percentile(waits, 99) * 1e3, "ms", goal=1)
    with SQLiteLog(folder / "race.db") as log:
        yield from races(log, folder, n)


def races(log: SQLiteLog, folder: Path, n: int):
    """Some durable appends, against ways that keep no event waiting for others, for scale."""
    some, turn = 64, iter(range(10**9))
    work = f"{some} durable appends"
    ours = {"ours": "SQLiteLog", "run_ours": lambda: outstanding(log, events(some, f"t{next(turn)}"), some), "threads": 2}
    for mode in ("DELETE", "WAL"):
        database = sqlite3.connect(folder / f"{mode}.db", isolation_level=None)
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE events (event_id, user_id, item_id, kind, value, timestamp)")
        yield Race(work, f"SQLite {mode}, a commit each", partial(one_by_one, database, events(some, "t")), **ours)
        database.close()
    table = folder / "events.csv"
    write_csv(table, events(n, "t"))
    few = events(4, "t")
    ours["run_ours"] = lambda: outstanding(log, events(len(few), f"c{next(turn)}"), len(few))
    work = f"{len(few)} durable appends to {n:,}"
    yield Race(work, "read a CSV and write it again", lambda: [rewrite_csv(table, event) for event in few], **ours)


def events(n: int, name: str) -> list[Event]:
    """Likes of one user."""
    return [Event(f"{name}-{number}", name, str(number % 3_500), "like", 1.0, number) for number in range(n)]


def outstanding(log: SQLiteLog, todo: list[Event], most: int) -> tuple[float, list[float]]:
    """The seconds that all appends took, and each of them, with at most so many not yet acknowledged."""
    waiting, waits, start = deque(), [], time.perf_counter()
    for event in todo:
        if len(waiting) == most:
            waiting.popleft().result()
        handed = time.perf_counter()
        waiting.append(log.submit(event))
        waiting[-1].add_done_callback(lambda done, handed=handed: waits.append(time.perf_counter() - handed))
    for done in waiting:
        done.result()
    return time.perf_counter() - start, waits


def in_processes(path: Path, each: int) -> float:
    """The seconds in which several processes append so many events each to one log."""
    with SQLiteLog(path):
        pass  # made once, so that nobody waits for another to make it
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(PROCESSES)
    with spawn.Pool(PROCESSES, initializer=share, initargs=(barrier,)) as pool:
        spans = pool.starmap(append_some, [(path, each, f"p{number}") for number in range(PROCESSES)], chunksize=1)
    begins, ends = zip(*spans)
    with SQLiteLog(path) as log:
        stored = len(log.read())
    if stored != PROCESSES * each:
        raise SystemExit(f"{PROCESSES * each} events were acknowledged and {stored} are stored: the log has lost some")
    return max(ends) - min(begins)


def share(barrier) -> None:
    """Keep the barrier at which the processes wait for each other: it can only be handed over at their start."""
    global start_line
    start_line = barrier


def append_some(path: Path, each: int, name: str) -> tuple[float, float]:
    """When one process began and ended; its clock is that of the others."""
    with SQLiteLog(path) as log:
        todo = events(each, name)
        start_line.wait()
        begin = time.perf_counter()
        outstanding(log, todo, OUTSTANDING)
        return begin, time.perf_counter()


def one_by_one(database: sqlite3.Connection, todo: list[Event]) -> None:
    """A commit, and a sync, for each event."""
    for event in todo:
        database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", tuple(vars(event).values()))


def write_csv(path: Path, kept: list[Event]) -> None:
    """A table of events."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(vars(event).values() for event in kept)


def rewrite_csv(path: Path, event: Event) -> None:
    """One more row, as notebooks do it: read everything, append, write everything."""
    with path.open(newline="") as file:
        table = list(csv.reader(file))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([*table, vars(event).values()])
        file.flush()
        os.fsync(file.fileno())


# From the event to the list


def fresh_lists(n_items: int, n: int, median_limits: tuple, tail_limits: tuple):
    """From an event to the ten best items for the user it has changed: stored durably, learned, searched."""
    items, order, learner = clustered_vectors(n_items, D, seed=0), np.arange(n_items), Decay()
    state, seconds = learner.start(D), []
    with SQLiteLog(Path(tempfile.mkdtemp()) / "fresh.db") as log:
        for number, event in enumerate(events(n + 10, "fresh")):
            start = time.perf_counter()
            log.append(event)
            state = learner.update(state, items[number], 1.0)
            nearest(unit_rows(learner.query(state)).astype(np.float32)[None], items, K, order)
            seconds.append(time.perf_counter() - start)
    work = f"{n_items:,} items, event stored to fresh top {K}"
    yield Bound(f"{work}: p50", percentile(seconds[10:], 50) * 1e3, "ms", *median_limits)
    yield Bound(f"{work}: p99", percentile(seconds[10:], 99) * 1e3, "ms", *tail_limits)


if __name__ == "__main__":
    main("feedback", rows)
