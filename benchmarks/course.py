"""Row 8, the course itself: a first import, two warm answers, and every lesson's time and memory."""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.harness import Bound, main

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = {"en": "I like science fiction films and machine learning", "zh": "我喜欢太空探险的科幻电影和温暖的动画片"}
LESSON_SECONDS = {"06": 240, "07": 120}  # the others: 90


def rows(quick: bool):
    """Bounds on what a learner waits for; then the lessons once more, as a table for the README."""
    times = 1 if quick else 5
    bare = median(spent("-c", "")[0] for _ in range(times))
    yield Bound("import llmrec_lab", median(spent("-c", "import llmrec_lab")[0] for _ in range(times)) - bare, "s", must=0.3)
    for language, sentence in SENTENCES.items():
        ask = ("-m", "llmrec_lab.cli", "recommend", sentence)
        spent(*ask)  # the first answer may have to encode the films
        yield Bound(f"llmrec recommend, {language}, warm", median(spent(*ask)[0] for _ in range(times)), "s", must=3)
    if not quick:
        yield from lessons(sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb")))


def lessons(paths: list[Path]):
    """Time and memory of each notebook, run from start to end in a kernel of its own."""
    table = ["| lesson | seconds | memory |", "| --- | --- | --- |"]
    for path in paths:
        seconds, gigabytes = spent("-m", "jupyter", "execute", str(path), cwd=path.parent)
        yield Bound(f"lesson {path.stem}", seconds, "s", must=LESSON_SECONDS.get(path.stem[:2], 90))
        yield Bound(f"lesson {path.stem}: memory", gigabytes, "GB", must=3)
        table.append(f"| {path.stem} | {seconds:.0f} | {gigabytes:.1f} GB |")
    print(*table, sep="\n")


def spent(*arguments: str, cwd: Path = ROOT) -> tuple[float, float]:
    """Wall seconds of a Python command, and the peak memory in GB of the largest process in it.

    Raises:
        SystemExit: the command failed.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *arguments], cwd=cwd, env=environment, **quiet)
    _, status, usage = os.wait4(process.pid, 0)  # unlike Popen.wait it says how much memory
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"failed: python {' '.join(arguments)}; run it in {cwd} to see why")
    return seconds, usage.ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)  # bytes there, kilobytes elsewhere


if __name__ == "__main__":
    main("course", rows)
