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
from dataclasses import dataclass
from pathlib import Path
from statistics import median, median_low
from timeit import Timer

import psutil
from threadpoolctl import threadpool_limits

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
    "river",
)
COLUMNS = {"work": 48, "peer": 36, "ours": 34, "ratio": 7, "must": 7, "goal": 7, "verdict": 10, "foreign CPU": 11}  # widths


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
    """Measure the rows of one script, print them as a Markdown table, and write them to a file.

    With --quick nothing is judged, and the file goes to a scratch folder. Ends with status 1 if a row misses its must.

    Args:
        name: of the file in benchmarks/results.
        rows: yields Races and Bounds; its argument says whether to be quick.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run? Nothing is judged")
    quick = parser.parse_args().quick
    print(line({column: column for column in COLUMNS}), line({column: "-" * w for column, w in COLUMNS.items()}), sep="\n")
    found, before = [], cpu_clock()
    for row in rows(quick):
        kept = measured(row, quick) | {"foreign_cpu": foreign_share(before, before := cpu_clock())}
        found.append({key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in kept.items()})
        print(line(cells(found[-1])), flush=True)
    folder = Path(tempfile.mkdtemp()) if quick else RESULTS
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(machine() | {"quick": quick, "rows": found}, indent=1) + "\n")
    print(f"written to {folder / name}.json")
    sys.exit(any(row["verdict"] == "missed" for row in found))


def measured(row: Race | Bound, quick: bool = False) -> dict:
    """What results/*.json say of a row: its fields, what was measured, and the verdict `goal`, `must`, or `missed`."""
    kept = {key: value for key, value in vars(row).items() if not callable(value)}
    kept |= race(row, quick) if isinstance(row, Race) else {}

    def reached(limit: float | None) -> bool:
        return limit is not None and (kept["ratio"] >= limit if isinstance(row, Race) else row.value <= limit)

    if quick or row.must is None:
        return kept | {"verdict": "not judged"}
    return kept | {"verdict": "missed" if not reached(row.must) else "goal" if reached(row.goal) else "must"}


def race(row: Race, quick: bool = False) -> dict:
    """Up to three tries, each of rounds in which both sides take turns; two tries that agree decide.

    Returns:
        `ratio`, of the medians of a try, and the medians of the seconds of both sides over all rounds.
    """
    clock = time.process_time if row.threads == 1 else time.perf_counter
    timers = [Timer(run, timer=clock) for run in (row.run_peer, row.run_ours)]
    ratios, rounds = [], []
    with exactly(row.threads):
        counts = [timer.autorange()[0] for timer in timers]  # so many that a round takes 0.2 s; warms up, too
        while not decided(ratios, None if quick else row.must):
            rounds += [[t.timeit(n) / n for t, n in zip(timers, counts)] for _ in range(1 if quick else ROUNDS)]
            peer_seconds, our_seconds = map(median, zip(*rounds[-ROUNDS:]))
            ratios.append(peer_seconds / our_seconds)
    peer_seconds, our_seconds = map(median, zip(*rounds))
    ratio = median_low(ratios)  # the middle one of three, the lower one of two: it reaches the must if two tries did
    return {"ratio": ratio, "peer_seconds": peer_seconds, "our_seconds": our_seconds}


@contextmanager
def exactly(threads: int):
    """So many threads in the block: numpy's, and torch's, whose second one spins under a mere limit, and its time counts."""
    import torch

    before = torch.get_num_threads()
    with threadpool_limits(threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def decided(ratios: list[float], must: float | None) -> bool:
    """Whether two tries agree; one is enough where nothing is judged.

    Example:
        >>> decided([5.1], 5), decided([5.1, 4.9], 5), decided([5.1, 4.9, 5.2], 5)
        (False, False, True)
    """
    if must is None:
        return len(ratios) == 1
    hits = sum(ratio >= must for ratio in ratios)
    return max(hits, len(ratios) - hits) == 2


def cpu_clock() -> tuple[float, float]:
    """Wall seconds, and the CPU seconds that all other processes of the machine have used."""
    spent = psutil.cpu_times()._asdict()
    idle = ("idle", "iowait", "guest", "guest_nice")  # user and nice hold those of guests already
    busy = sum(seconds for kind, seconds in spent.items() if kind not in idle)
    return time.perf_counter(), busy - sum(os.times()[:4])  # ours: this process and the children that it waited for


def foreign_share(before: tuple[float, float], after: tuple[float, float]) -> float:
    """The share of the machine that others used between two readings of `cpu_clock`.

    Example:
        >>> foreign_share((0, 100), (10, 100 + 5 * os.cpu_count()))
        0.5
    """
    share = (after[1] - before[1]) / (after[0] - before[0]) / os.cpu_count()
    return min(max(share, 0.0), 1.0)  # both clocks tick, so that a moment of no length has any share


def cells(row: dict) -> dict[str, str]:
    """A row of results/*.json as text, by column."""
    unit = " " + row["unit"] if "unit" in row else "x"
    shown = {key: "" if row.get(key) is None else f"{row[key]:.3g}{unit}" for key in ("ratio", "must", "goal", "value")}
    shown |= {"work": row["work"], "verdict": row["verdict"], "foreign CPU": f"{row['foreign_cpu']:.0%}"}
    if "unit" in row:
        return shown | {"peer": "", "ours": shown["value"]}
    peer, ours = f"{row['peer']} {duration(row['peer_seconds'])}", f"{row['ours']} {duration(row['our_seconds'])}"
    return shown | {"peer": peer, "ours": f"{ours} {row['threads']}T"}


def duration(seconds: float) -> str:
    """Seconds with a unit that fits.

    Example:
        >>> duration(12.345), duration(0.0123), duration(4.5e-6)
        ('12.3 s', '12.3 ms', '4.5 us')
    """
    size, unit = next(
        (size, unit) for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= size or unit == "us"
    )
    return f"{seconds / size:.3g} {unit}"


def line(texts: dict[str, str]) -> str:
    """A line of the Markdown table."""
    return "| " + " | ".join(texts[column].ljust(width) for column, width in COLUMNS.items()) + " |"


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
