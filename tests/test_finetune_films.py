"""The longer training runs at a small size, sees nothing that is asked, and reports differences on the same users."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from training_world import TITLES, people, small_encoder

from benchmarks import finetune_films as module
from benchmarks.finetune_films import LAST, NEW, QUICK, TUNED, Log, Report, World, reranked
from llmrec_lab.cross_encoder import CrossEncoder, Reranker
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.metrics import target_rank
from llmrec_lab.windows import RecentText


@pytest.fixture(scope="module")
def world():
    return World(QUICK)


def test_no_training_sees_what_is_asked(world):
    assert not np.isin(world.train.items, world.hidden).any()
    for row in range(len(world.histories)):
        everything = world.histories.of(row)
        held_out = everything[-4:]
        assert not np.isin(held_out, world.train.of(row)).any()
        assert set(world.train.of(row)) == set(everything[:-4]) - set(world.hidden)
    assert len(world.hidden) == round(0.1 * len(world.catalog))


def test_what_chooses_is_not_what_is_asked(world):
    for row, target in zip(world.choosing.rows, world.choosing.targets):
        assert world.histories.of(row)[-4] == target
    for back, split in enumerate(world.asked):
        assert [world.histories.of(row)[-1 - back] for row in split.rows] == split.targets.tolist()


def test_it_runs_at_a_small_size_and_keeps_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(module, "RESULTS", tmp_path / "untouched")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["finetune_films", "--quick"])
    module.main()
    written = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("written to "))
    found = json.loads(written.read_text())
    assert found["quick"] and found["rows"] and not (tmp_path / "untouched").exists()
    rows = {row["work"]: row for row in found["rows"]}
    for name, rivals in module.AGAINST.items():
        assert set(rows[f"{LAST}: {name}"]["minus"]) == set(rivals)
    assert set(rows[f"{NEW}: {TUNED}"]["minus"]) == {module.FROZEN}
    assert all(row["low"] <= row["value"] <= row["high"] for row in found["rows"])
    training = found["trainings"][TUNED]
    assert [step for step, _ in training["validation"]] == [0, 1, 2] and len(training["losses"]) == 2
    assert training["cpu_seconds"] > 0


def test_a_difference_is_that_of_the_same_users():
    report, rng = Report(), np.random.default_rng(0)
    rival = rng.random((3, 50))
    rival[0, :10] = np.nan
    report.add("popularity", rival)
    report.add(TUNED, rival + 0.25)
    rows = {row["work"]: row for row in report.rows()}
    assert rows[f"{LAST}: {TUNED}"]["users"] == 40
    assert rows[f"{LAST}: {TUNED}"]["minus"] == {"popularity": {"value": 0.25, "low": 0.25, "high": 0.25}}
    assert rows[f"{module.THREE}: popularity"]["users"] == 50
    assert rows[f"{module.THREE}: popularity"]["value"] == pytest.approx(np.nanmean(rival, axis=0).mean(), abs=1e-5)


def test_reading_only_where_it_matters_gives_what_reading_for_everybody_gives(tmp_path):
    encoder, histories = small_encoder(tmp_path / "small"), people(length=6)
    base = RecentText(encoder.encode(list(TITLES)))
    reranker = Reranker(CrossEncoder(encoder).eval(), TITLES, list(TITLES), depth=10)
    world = object.__new__(World)
    vars(world).update(histories=histories, order=np.arange(len(TITLES)), dtype="float32")
    split = leave_last_out(histories)
    found = reranked(world, base, reranker, split)
    plain = np.where(split.seen(), -np.inf, module.standardize(base.scores(world.before(split))))
    added = reranker.scores(world.before(split), plain)
    for weight, values in zip(module.WEIGHTS, found):
        ranks = target_rank(plain + weight * added, split.targets, split.seen(), world.order)
        np.testing.assert_array_equal(values, world.by_user(split.rows, ranks))
    assert len(np.unique(found, axis=0)) > 1


def test_seconds_add_up_over_interruptions(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "seconds.json").write_text(json.dumps({"cpu_seconds": 1000.0, "seconds": 2000.0}))
    log = Log(tmp_path / "text")
    assert log.seconds() == {"cpu_seconds": 1000.0, "seconds": 2000.0}
    log(7, {"loss": 0.5})
    assert 1000 <= Log(tmp_path / "text").seconds()["cpu_seconds"] < 1100
    assert 2000 < json.loads((tmp_path / "text" / "seconds.json").read_text())["seconds"] < 2100
