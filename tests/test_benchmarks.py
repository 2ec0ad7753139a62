"""The benchmarks run, print their tables, and write what was measured; how fast anything is, no test says."""

import importlib
import json
import os
import re
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path
from zipfile import ZipFile

import nbformat
import pytest
import torch

from benchmarks import course, harness
from benchmarks.__main__ import SCRIPTS, run
from benchmarks.harness import Bound, Race, cells, line, measured
from llmrec_lab.assets import packaged

ROOT = Path(__file__).resolve().parent.parent


class Clock:
    """A clock that only the work itself moves on."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        for name in ("process_time", "perf_counter"):
            monkeypatch.setattr(time, name, lambda: self.now)

    def takes(self, *seconds: float):
        """Work that takes so long, each time the next of `seconds`, then the last one again and again."""
        left = list(seconds)

        def work():
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return work


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def a_race(peer_work, our_work, must=3, goal=5, threads=1):
    return Race("sorting", "bubble", peer_work, "quick", our_work, must, goal, threads)


# --- judging -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "verdict"), [(2.9, "missed"), (3.0, "must"), (4.9, "must"), (5.0, "goal")])
def test_the_verdict_of_a_race_is_the_best_limit_it_reached(clock, seconds, verdict):
    found = measured(a_race(clock.takes(seconds), clock.takes(1.0)))
    assert found["verdict"] == verdict
    assert (found["ratio"], found["peer_seconds"], found["our_seconds"]) == pytest.approx((seconds, seconds, 1.0))


@pytest.mark.parametrize(("value", "verdict"), [(65, "missed"), (64, "must"), (17, "must"), (16, "goal"), (0, "goal")])
def test_the_verdict_of_a_bound_is_the_best_limit_it_reached(value, verdict):
    assert measured(Bound("memory", value, "MB", must=64, goal=16))["verdict"] == verdict


def test_what_has_no_goal_can_only_reach_its_must():
    assert measured(Bound("memory", 0, "MB", must=64))["verdict"] == "must"


# The first run of either side warms up; a try is three rounds.
SLOW_FIRST_TRY = (9, *[2] * 3, *[4] * 6)
SLOW_LATER_TRIES = (9, *[4] * 3, *[2] * 6)


@pytest.mark.parametrize(
    ("peer_seconds", "verdict", "ratio"), [(SLOW_FIRST_TRY, "must", 4), (SLOW_LATER_TRIES, "missed", 2)]
)
def test_two_tries_of_three_decide(clock, peer_seconds, verdict, ratio):
    found = measured(a_race(clock.takes(*peer_seconds), clock.takes(1)))
    assert (found["verdict"], found["ratio"]) == (verdict, pytest.approx(ratio))


def test_one_slow_round_of_three_changes_nothing(clock):
    found = measured(a_race(clock.takes(9, *[4, 400, 4] * 2), clock.takes(1)))
    assert found["ratio"] == pytest.approx(4)


def test_both_sides_take_turns(clock):
    order, work = [], clock.takes(1)
    measured(a_race(lambda: order.append("peer") or work(), lambda: order.append("ours") or work(), must=1))
    assert order == ["peer", "ours"] * 7  # to warm up, then two tries of three rounds


def test_short_work_is_repeated_until_a_round_takes_long_enough(clock):
    found = measured(a_race(clock.takes(1e-3), clock.takes(1e-4)))
    assert found["peer_seconds"] == pytest.approx(1e-3)
    assert found["our_seconds"] == pytest.approx(1e-4)


def test_a_quick_run_or_a_row_for_scale_is_not_judged(clock):
    race = a_race(clock.takes(1), clock.takes(1))
    assert measured(race, quick=True)["verdict"] == "not judged"
    assert measured(a_race(clock.takes(1), clock.takes(1), must=None))["verdict"] == "not judged"
    assert measured(Bound("memory", 99, "MB", must=1), quick=True)["verdict"] == "not judged"


@pytest.mark.parametrize(("threads", "ratio"), [(1, 4), (2, 8)])
def test_one_thread_is_judged_by_cpu_time_and_more_by_the_wall(monkeypatch, threads, ratio):
    now = {"cpu": 0, "wall": 0}
    monkeypatch.setattr(time, "process_time", lambda: now["cpu"])
    monkeypatch.setattr(time, "perf_counter", lambda: now["wall"])

    def work(cpu, wall):
        return lambda: now.update(cpu=now["cpu"] + cpu, wall=now["wall"] + wall)

    assert measured(a_race(work(cpu=4, wall=8), work(cpu=1, wall=1), threads=threads))["ratio"] == ratio


@pytest.mark.parametrize("threads", [1, 2])
def test_both_sides_have_the_threads_of_the_row_and_the_caller_gets_its_own_back(clock, threads):
    before, seen, work = torch.get_num_threads(), set(), clock.takes(1)
    measured(a_race(lambda: seen.add(torch.get_num_threads()) or work(), work, threads=threads))
    assert seen == {threads}
    assert torch.get_num_threads() == before


def test_foreign_cpu_is_what_the_machine_did_and_we_did_not(monkeypatch):
    machine = namedtuple("machine", "user system idle iowait guest")
    readings = iter(
        [machine(100, 10, 500, 5, 50), machine(106, 12, 900, 95, 53)]
    )  # busy for 8 s; guests are in user already
    ours = iter([(1, 1, 0, 0, 0), (3, 1, 1, 0, 10)])  # 3 of them by us and our children
    wall = iter([0.0, 10.0])
    monkeypatch.setattr(harness.psutil, "cpu_times", lambda: next(readings))
    monkeypatch.setattr(os, "times", lambda: next(ours))
    monkeypatch.setattr(time, "perf_counter", lambda: next(wall))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert harness.foreign_share(harness.cpu_clock(), harness.cpu_clock()) == pytest.approx((8 - 3) / 10 / 2)


# --- the table and the file --------------------------------------------------------------------------------------------


def test_a_line_has_names_times_threads_limits_and_verdict(clock):
    row = measured(a_race(clock.takes(0.5), clock.takes(0.002), threads=2)) | {"foreign_cpu": 0.123}
    texts = [text.strip() for text in line(cells(row)).strip("|").split("|")]
    assert texts == ["sorting", "bubble 500 ms", "quick 2 ms 2T", "250x", "3x", "5x", "goal", "12%"]
    row = measured(Bound("memory", 12.34, "MB", must=64)) | {"foreign_cpu": 0}
    texts = [text.strip() for text in line(cells(row)).strip("|").split("|")]
    assert texts == ["memory", "", "12.3 MB", "", "64 MB", "", "must", "0%"]


def run_main(monkeypatch, tmp_path, rows, *arguments):
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        harness.main("sorting", rows)
    return ended.value.code


def test_the_file_says_what_was_measured_where_and_with_what(monkeypatch, tmp_path, capsys):
    code = run_main(monkeypatch, tmp_path, lambda quick: [Bound("memory", 0.123456789, "MB", must=1)])
    found = json.loads((tmp_path / "results" / "sorting.json").read_text())
    (row,) = found["rows"]
    assert code == 0
    assert row.pop("foreign_cpu") >= 0
    assert row == {"work": "memory", "value": 0.1235, "unit": "MB", "must": 1, "goal": None, "verdict": "must"}
    assert found["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert found["machine"]["cores"] == os.cpu_count()
    assert found["machine"]["cpu"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"])
    assert str(tmp_path) in capsys.readouterr().out


def test_a_missed_must_is_the_status_of_the_script(monkeypatch, tmp_path):
    assert (
        run_main(monkeypatch, tmp_path, lambda quick: [Bound("memory", 2, "MB", must=1), Bound("m", 0, "MB", must=1)]) == 1
    )


def test_a_quick_run_leaves_the_results_alone(monkeypatch, tmp_path):
    assert run_main(monkeypatch, tmp_path, lambda quick: [Bound("memory", 2 if quick else 0, "MB", must=1)], "--quick") == 0
    assert not (tmp_path / "results").exists()


def test_a_missing_peer_ends_with_the_line_that_installs_it():
    with pytest.raises(SystemExit, match="the peer no_such_peer is missing .*; install the peers: .*bench"):
        harness.peer("no_such_peer")


# --- the scripts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS.values())
def test_every_row_runs_at_a_small_size_and_writes_its_file(script, tmp_path):
    command = [sys.executable, "-m", f"benchmarks.{script}", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr[-2000:]
    *table, last = [text for text in done.stdout.splitlines() if text.startswith(("|", "written"))]
    found = json.loads(Path(last.removeprefix("written to ")).read_text())
    assert found["quick"]
    assert [text.split("|")[1].strip() for text in table[2:]] == [row["work"] for row in found["rows"]]
    assert found["rows"]


def test_one_failing_script_fails_the_command_and_the_others_run(monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda command: called.append(command[2:]) or len(called) == 2)
    assert run([1, 3], quick=True) == 1
    assert called == [["benchmarks.encode", "--quick"], ["benchmarks.metrics", "--quick"]]
    assert run([1], quick=False) == 0


def test_the_readme_lists_the_scripts_by_their_numbers():
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    listed = {int(number): script for number, script in re.findall(r"^\| (\d+) \| `(\w+)\.py`", text, re.M)}
    assert listed == SCRIPTS


def test_a_lesson_is_timed_and_its_kernel_weighed(tmp_path, capsys):
    cell = nbformat.v4.new_code_cell(
        "import time; held = bytearray(600 << 20); held[::4096] = b'x' * len(held[::4096]); time.sleep(1)"
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "06_films.ipynb")
    seconds, memory = course.lessons([tmp_path / "06_films.ipynb"])
    assert (seconds.unit, seconds.must, memory.unit, memory.must) == ("s", 240, "GB", 3)
    assert seconds.value > 1
    assert 0.6 < memory.value < 1.2
    assert "| 06_films |" in capsys.readouterr().out


def test_a_lesson_that_fails_is_named(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), tmp_path / "06_films.ipynb")
    with pytest.raises(SystemExit, match="failed: python -m jupyter execute .*06_films.ipynb; run it in .* to see why"):
        list(course.lessons([tmp_path / "06_films.ipynb"]))


def test_the_wheel_carries_the_results(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    names = ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    results = [path.name for path in (ROOT / "benchmarks" / "results").iterdir()]
    assert {f"llmrec_lab/benchmarks/results/{name}" for name in results} <= set(names)
    assert not [name for name in names if name.startswith("benchmarks/")]


TIMED = sorted(path for path in (ROOT / "benchmarks" / "results").glob("*.json") if not path.stem.startswith("evaluation"))


@pytest.mark.parametrize("path", TIMED, ids=lambda path: path.stem)
def test_committed_results_are_whole_and_found_by_the_package(path):
    found = json.loads(packaged(f"benchmarks/results/{path.name}").read_text())
    assert not found["quick"]
    assert importlib.import_module(f"benchmarks.{path.stem}")
    assert [row for row in found["rows"] if row["verdict"] == "missed"] == []


def test_a_race_tells_torch_its_threads_and_gives_them_back(monkeypatch):
    told, before = [], torch.get_num_threads()
    monkeypatch.setattr(torch, "set_num_threads", told.append)  # under a mere limit torch shows this number, too
    with harness.exactly(3):
        assert told == [3]
    assert told == [3, before]
