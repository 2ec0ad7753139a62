"""Run our code against a peer's on the same work, and judge the ratio. Knows nothing about what is measured.

A script yields rows and hands them to `main`; `rows(quick=True)` does the same at a size that takes seconds:

    from benchmarks.harness import Bound, Race, main, peer

    def rows(quick):
        items, query = unit_vectors(1_000 if quick else 100_000), ...
        pairwise = peer("sklearn.metrics.pairwise")
        yield Race(
            work="100k items, one query",
            peer="sklearn + argsort", run_peer=lambda: pairwise.cosine_similarity(query, items).argsort(),
            ours="nearest", run_ours=lambda: nearest(query, items, 10, order),
            must=5, goal=25,
        )
        yield Bound("256 queries on 1M items: extra memory", measured, "MB", must=64, goal=16)

    if __name__ == "__main__":
        main("topk", rows)
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, median_low
from timeit import Timer

import psutil

RESULTS = Path(__file__).parent / "results"
ROUNDS = 3  # in each try; both sides take turns, so that a busy moment hits both
LIBRARIES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "transformers",
    "sentence-transformers",
    "implicit",
    "ranx",
)
COLUMNS = "{work:<50} {peer:<36} {ours:<36} {ratio:>7} {must:>7} {goal:>7}  {verdict:<10} {foreign:>7}"


@dataclass(frozen=True)
class Race:
    """One work done by a peer and by us: the ratio of their time to ours is to be at least `must`.

    Args:
        work: what both do.
        peer: the name of the peer's way.
        run_peer: does the work once, the peer's way.
        ours: the name of our way.
        run_ours: does the work once, our way.
        must: the least acceptable ratio; None for a peer that is shown for scale.
        goal: the ratio that we are after.
        threads: with 1, the CPU time of the process is compared; with more, the wall time.
    """

    work: str
    peer: str
    run_peer: Callable[[], object]
    ours: str
    run_ours: Callable[[], object]
    must: float | None = None
    goal: float | None = None
    threads: int = 1


@dataclass(frozen=True)
class Bound:
    """A quantity that is to be at most `must`: megabytes, seconds, a share of wrong answers.

    Args:
        work: what was measured.
        value: what came out.
        unit: of `value`, `must`, and `goal`.
        must: the largest acceptable value; None for one that is shown for scale.
        goal: the value that we are after.
    """

    work: str
    value: float
    unit: str
    must: float | None = None
    goal: float | None = None


def peer(module: str):
    """A peer's module, or an end with the line that says how to get it.

    Args:
        module: as in an import statement.

    Returns:
        The module.

    Raises:
        SystemExit: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        sys.exit(f"the peer {module} is missing ({problem}); install the peers: python -m pip install -e '.[bench]'")


def main(name: str, rows: Callable[[bool], Iterable[Race | Bound]]) -> None:
    """Measure the rows of one script, print a line for each, and write them to a file.

    With --quick nothing is judged, and the file goes to a scratch folder. Ends with status 1 if a row misses its must.

    Args:
        name: of the file in benchmarks/results.
        rows: yields Races and Bounds; its argument says whether to be quick.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run? Nothing is judged")
    quick = parser.parse_args().quick
    print(
        COLUMNS.format(
            work=name, peer="peer", ours="ours", ratio="ratio", must="must", goal="goal", verdict="", foreign="foreign"
        )
    )
    found = []
    for row in rows(quick):
        found.append(measured(row, quick))
        print(line(found[-1]), flush=True)
    folder = Path(tempfile.mkdtemp()) if quick else RESULTS
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(machine() | {"quick": quick, "rows": found}, indent=1) + "\n")
    print(f"written to {folder / name}.json")
    sys.exit(any(row["verdict"] == "missed" for row in found))


def measured(row: Race | Bound, quick: bool = False) -> dict:
    """What a row of results/*.json says: the fields of the row, what was measured, and the verdict."""
    if isinstance(row, Bound):
        kept, reached = asdict(row), lambda wanted: row.value <= wanted
    else:
        kept = {key: value for key, value in vars(row).items() if not callable(value)} | race(row, quick)
        reached = lambda wanted: kept["ratio"] >= wanted  # noqa: E731
    if quick or row.must is None:
        return kept | {"verdict": "not judged"}
    if not reached(row.must):
        return kept | {"verdict": "missed"}
    return kept | {"verdict": "goal" if row.goal is not None and reached(row.goal) else "must"}


def race(row: Race, quick: bool = False) -> dict:
    """Up to three tries at a race; two that agree on whether the must was reached decide.

    Returns:
        `ratio` of the deciding try, medians of the seconds of both sides, and the share of the machine that others used.
    """
    clock = time.process_time if row.threads == 1 else time.perf_counter
    timers = [Timer(run, timer=clock) for run in (row.run_peer, row.run_ours)]
    ratios, rounds = [], []
    with thread_limit(row.threads), foreign_cpu() as foreign:
        counts = [timer.autorange()[0] for timer in timers]  # so many that a round takes 0.2 s; warms up, too
        while not decided(ratios, None if quick else row.must):
            latest = [[t.timeit(n) / n for t, n in zip(timers, counts)] for _ in range(1 if quick else ROUNDS)]
            peer_seconds, our_seconds = map(median, zip(*latest))
            ratios.append(peer_seconds / our_seconds)
            rounds += latest
    peer_seconds, our_seconds = map(median, zip(*rounds))
    seconds = {"peer_seconds": float(f"{peer_seconds:.4g}"), "our_seconds": float(f"{our_seconds:.4g}")}
    return {"ratio": round(median_low(ratios), 3), **seconds, "foreign_cpu": round(foreign["share"], 3)}


def decided(ratios: list[float], must: float | None) -> bool:
    """Whether two tries agree; one is enough where nothing is judged.

    Example:
        >>> decided([5.1], 5), decided([5.1, 4.9], 5), decided([5.1, 4.9, 5.2], 5)
        (False, False, True)
    """
    hits = sum(ratio >= (must or 0) for ratio in ratios)
    return max(hits, len(ratios) - hits) >= (1 if must is None else 2)


@contextmanager
def thread_limit(threads: int):
    """Let numpy, scikit-learn, and torch use so many threads inside the block."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@contextmanager
def foreign_cpu():
    """Yields a dict that holds, after the block, the `share` of the machine's CPU time that other processes used."""
    share = {}
    start, busy, own = time.perf_counter(), busy_seconds(), own_seconds()
    yield share
    others = (busy_seconds() - busy) - (own_seconds() - own)
    share["share"] = max(0.0, others / (time.perf_counter() - start) / os.cpu_count())


def busy_seconds() -> float:
    """CPU seconds that all processes of the machine have used since it started."""
    times = psutil.cpu_times()._asdict()
    idle = ("idle", "iowait", "guest", "guest_nice")  # guests are counted in user and nice already
    return sum(seconds for kind, seconds in times.items() if kind not in idle)


def own_seconds() -> float:
    """CPU seconds that this process and the children that it waited for have used."""
    return sum(os.times()[:4])


def line(row: dict) -> str:
    """A row of the table."""

    def number(value, unit=""):
        return "" if value is None else f"{value:.3g}{unit}"

    if "unit" in row:
        unit = " " + row["unit"]
        cells = {"peer": "", "ours": number(row["value"], unit), "ratio": "", "foreign": ""}
    else:
        unit, threads = "x", f"{row['threads']}T"
        peer, ours = f"{row['peer']} {row['peer_seconds']:.3g} s", f"{row['ours']} {row['our_seconds']:.3g} s {threads}"
        cells = {"peer": peer, "ours": ours, "ratio": number(row["ratio"], unit), "foreign": f"{row['foreign_cpu']:.0%}"}
    limits = {key: number(row[key], unit) for key in ("must", "goal")}
    return COLUMNS.format(work=row["work"], verdict=row["verdict"], **cells, **limits)


def machine() -> dict:
    """Where and with what a file of results was measured."""
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            pass
    memory = round(psutil.virtual_memory().total / 2**30)
    about = {"cpu": cpu_model(), "cores": os.cpu_count(), "memory_gb": memory, "system": platform.system()}
    return {"date": datetime.date.today().isoformat(), "machine": about, "versions": versions}


def cpu_model() -> str:
    """The processor's name, as its maker writes it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(text.split(":", 1)[1].strip() for text in lines if text.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor that Linux does not name
        return platform.processor()
