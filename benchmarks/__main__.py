"""Run benchmarks: `python -m benchmarks` all of them, `python -m benchmarks 1 8` those rows of benchmarks/README.md."""

import argparse
import subprocess
import sys

SCRIPTS = {1: "encode", 2: "topk", 3: "metrics", 4: "baselines", 5: "finetune", 6: "feedback", 8: "course", 9: "scale"}


def run(rows: list[int], quick: bool) -> int:
    """Run the scripts of some rows, each in a process of its own; 1 if one of them ended with a failure, else 0."""
    statuses = []
    for row in rows:
        print(f"\n{row}. {SCRIPTS[row]}", flush=True)
        statuses.append(subprocess.call([sys.executable, "-m", f"benchmarks.{SCRIPTS[row]}"] + ["--quick"] * quick))
    return int(any(statuses))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, choices=list(SCRIPTS), help="numbers; all of them if left out")
    parser.add_argument("--quick", action="store_true", help="small sizes: do they run? Nothing is judged")
    options = parser.parse_args()
    sys.exit(run(options.rows or list(SCRIPTS), options.quick))
