"""The event log: what is acknowledged is on the disk, once, in order, whatever is killed, full, locked, or sent twice."""

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from llmrec_lab import event_log
from llmrec_lab.errors import DataError, LogError
from llmrec_lab.event_log import MAX_ID, MAX_WORDS, Event, SQLiteLog

TESTS = Path(__file__).parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(TESTS.parent)}


def like(n: int, user: str = "ann", event_id: str | None = None) -> Event:
    return Event(event_id or f"e{n}", user, str(n), "like", 1, 1_700_000_000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@pytest.fixture
def log(path):
    with SQLiteLog(path) as log:
        yield log


def stored(path) -> list[tuple[int, Event]]:
    with SQLiteLog(path) as log:
        log.check()
        return log.read()


# ---- events


GOOD = {"event_id": "e", "user_id": "u", "item_id": "i", "kind": "like", "value": 1, "timestamp": 0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"event_id": "x" * (MAX_ID + 1)}, "event_id"),
        ({"user_id": "a\nb"}, "user_id"),
        ({"user_id": "\ud800"}, "user_id"),
        ({"item_id": "a\x00"}, "item_id"),
        ({"item_id": ""}, "item_id"),
        ({"kind": "love"}, "use one of like"),
        ({"kind": ["like"]}, "use one of like"),
        ({"value": 2}, "pass 1"),
        ({"value": True}, "pass 1"),
        ({"value": "1"}, "pass 1"),
        ({"kind": "rate", "value": float("nan")}, "0.5 to 5"),
        ({"kind": "rate", "value": 0.4}, "0.5 to 5"),
        ({"kind": "weigh", "value": 1.01}, "0 to 1"),
        ({"kind": "say", "value": "less horror"}, "empty item_id"),
        ({"kind": "say", "item_id": "", "value": " \n"}, "1 to"),
        ({"kind": "say", "item_id": "", "value": "x" * (MAX_WORDS + 1)}, "1 to"),
        ({"kind": "say", "item_id": "", "value": 1}, "1 to"),
        ({"kind": "describe", "item_id": "", "value": "half \udc80"}, "half a character"),
        ({"timestamp": -1}, "seconds since 1970"),
        ({"timestamp": 1.5}, "seconds since 1970"),
        ({"timestamp": 1_700_000_000_000}, "seconds since 1970"),
    ],
)
def test_an_event_that_cannot_be_meant_is_refused(change, words):
    with pytest.raises(DataError, match=words):
        Event(**(GOOD | change))


def test_words_are_kept_as_they_were_said(log):
    words = "少一点恐怖片\n<b>'; DROP TABLE events; --</b> 😀"
    log.append(Event("e", "u", "", "say", words, 0))
    assert log.read()[0][1].value == words


# ---- acknowledged means stored, once


def test_events_come_back_in_order_from_any_point(log):
    positions = [log.append(like(n, user="ann" if n % 2 else "bob")) for n in range(6)]
    assert positions == [1, 2, 3, 4, 5, 6]
    assert [event.item_id for _, event in log.read(after=4)] == ["4", "5"]
    assert [position for position, _ in log.read(user_id="ann")] == [2, 4, 6]
    assert [position for position, _ in log.read(after=2, user_id="ann", limit=1)] == [4]


def test_an_event_sent_again_is_one_event(log):
    waiting = [log.submit(like(1)) for _ in range(5)]  # in one group
    assert {future.result() for future in waiting} == {1} == {log.append(like(1))}
    late = Event("e1", "ann", "1", "like", 1, 1_700_000_999)  # the same click, by a clock that was set meanwhile
    assert log.append(late) == 1 and len(log.read()) == 1


def test_an_id_that_was_used_for_something_else_is_refused_and_its_neighbors_are_stored(log):
    log.append(like(1))
    futures = [log.submit(event) for event in (like(2), like(3, event_id="e1"), like(4))]
    with pytest.raises(DataError, match="an id of its own"):
        futures[1].result()
    assert [event.item_id for _, event in log.read()] == ["1", "2", "4"]


def test_the_log_knows_what_it_has(log):
    log.append(like(1))
    assert [log.has("ann", "e1"), log.has("ann", "e2"), log.has("bob", "e1")] == [True, False, False]


def test_users_do_not_share_their_ids(log):
    assert [log.append(like(1, user=user)) for user in ("ann", "bob")] == [1, 2]


def test_events_of_one_user_keep_their_order_under_load(log):
    def produce(user):
        for future in [log.submit(like(n, user=user)) for n in range(200)]:
            future.result()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(produce, "abcdefgh"))
    for user in "abcdefgh":
        assert [event.item_id for _, event in log.read(user_id=user)] == [str(n) for n in range(200)]


def test_a_group_is_one_transaction(log, monkeypatch):
    sizes, commit = [], SQLiteLog.commit
    monkeypatch.setattr(SQLiteLog, "commit", lambda self, events: sizes.append(len(events)) or commit(self, events))
    held = sqlite3.connect(log.path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")  # while the first group waits, the next one gathers
    futures = [log.submit(like(n)) for n in range(100)]
    time.sleep(0.05)
    held.execute("ROLLBACK")
    assert [future.result() for future in futures] == list(range(1, 101))
    assert sum(sizes) == 100 and len(sizes) < 20
    held.close()


def test_several_processes_write_one_log(path):
    script = (
        "import sys; from llmrec_lab.event_log import *\n"
        "with SQLiteLog(sys.argv[1]) as log:\n"
        "    events = [Event(f'{sys.argv[2]}-{n}', f'u{n % 3}', str(n), 'like', 1, 0) for n in range(300)]\n"
        "    print(*[future.result() for future in [log.submit(event) for event in events]])"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, path, str(p)], env=ENVIRONMENT, stdout=subprocess.PIPE)
        for p in range(3)
    ]
    positions = [list(map(int, process.communicate(timeout=120)[0].split())) for process in processes]
    assert sorted(sum(positions, [])) == list(range(1, 901)) == [position for position, _ in stored(path)]
    assert all(own == sorted(own) for own in positions)


def test_a_process_that_comes_and_goes_takes_no_event_with_it(log):
    """If it took itself for the last one with the file, it would delete the write-ahead log that others go on writing to."""
    script = "import sys; from llmrec_lab.event_log import *\nwith SQLiteLog(sys.argv[1]) as log: print(len(log.read()))"
    seen = []
    for n in range(3):
        log.append(like(n))
        seen.append(int(subprocess.check_output([sys.executable, "-c", script, log.path], env=ENVIRONMENT)))
    assert seen == [1, 2, 3]


SYNCED = """
import os, sys
from llmrec_lab.event_log import Event, SQLiteLog
log = SQLiteLog(sys.argv[1])
if len(sys.argv) > 2:
    log.writing.execute(sys.argv[2])
for n in range(3):
    log.append(Event(f"event-{n}", "ann", str(n), "like", 1, 0))
    os.write(2, b"acknowledged")
"""


def system_calls(path, *arguments: str) -> list[str]:
    """What a writer of three events asks of the system, in order: `write`, `sync`, and `acknowledged`."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed, which shows the order of system calls")
    out = path.with_suffix(".strace")
    trace = ["strace", "-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", out]
    done = subprocess.run([*trace, sys.executable, "-c", SYNCED, path, *arguments], env=ENVIRONMENT, stderr=subprocess.PIPE)
    if done.returncode:
        pytest.skip(f"strace may not look at other processes here: {done.stderr[-100:]!r}")
    found = []
    for line in out.read_text(errors="replace").splitlines():
        if re.search(r"write(64)?\(\d+<[^>]*events\.db-wal>", line):
            found.append("write")
        elif re.search(r"f(data)?sync\(\d+<[^>]*events\.db-wal>", line):
            found.append("sync")
        elif '"acknowledged"' in line:
            found.append("acknowledged")
    return found


def synced_before_each_acknowledgement(calls: list[str]) -> bool:
    """Whether the last thing done to the file before each acknowledgement is a sync, after a write."""
    turns = " ".join(calls).split("acknowledged")[:-1]
    return len(turns) == 3 and all(re.search(r"write.* sync\s*$", turn) for turn in turns)


def test_the_sync_comes_before_the_acknowledgement(path):
    assert synced_before_each_acknowledgement(system_calls(path))


def test_a_missing_sync_would_be_seen(path):
    assert not synced_before_each_acknowledgement(system_calls(path, "PRAGMA synchronous = NORMAL"))


# ---- what goes wrong


def test_a_full_disk_stores_nothing_of_the_event_and_keeps_what_was_there(log):
    log.append(like(1))
    pages = log.writing.execute("PRAGMA page_count").fetchone()[0]
    log.writing.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LogError, match="disk is full; make room"):
        for n in range(2, 1000):
            log.append(like(n))
    kept = log.read()
    assert [event.item_id for _, event in kept] == [str(n + 1) for n in range(len(kept))]
    log.writing.execute("PRAGMA max_page_count = 100000")
    assert log.append(like(5000)) == len(kept) + 1
    log.check()


def test_a_disk_that_refuses_is_named(path):
    """A real limit of the system on the size of files, in a process of its own."""
    script = (
        "import resource, sys; from llmrec_lab.event_log import *\n"
        "log = SQLiteLog(sys.argv[1]); log.append(Event('e', 'u', 'i', 'like', 1, 0))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, 80_000))\n"
        "try:\n"
        "    for n in range(10_000): log.append(Event(f'e{n}', 'u', 'i', 'like', 1, 0)); print(n)\n"
        "except LogError as problem: print('refused:', problem)"
    )
    out = subprocess.run([sys.executable, "-c", script, path], env=ENVIRONMENT, capture_output=True, text=True).stdout
    *numbers, last = out.splitlines()
    assert last.startswith("refused: ") and "make room" in last
    assert [event.event_id for _, event in stored(path)] == ["e", *(f"e{n}" for n in numbers)]


def test_a_log_that_may_not_be_written_says_so(log):
    log.append(like(1))
    log.writing.execute("PRAGMA query_only = ON")
    with pytest.raises(LogError, match="check the rights"):
        log.append(like(2))
    assert len(log.read()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody, whom rights of files bind")
def test_a_file_of_somebody_else_is_refused(path, tmp_path):
    SQLiteLog(path).close()
    script = "import os, sys; from llmrec_lab.event_log import *; os.setuid(65534); SQLiteLog(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", script, path], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1 and "Permission denied" in done.stderr


def test_a_lock_that_stays_is_named_and_one_that_goes_is_waited_for(path, monkeypatch):
    monkeypatch.setattr(event_log, "PATIENCE", 0.2)
    with SQLiteLog(path) as log:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogError, match="another process has kept it locked"):
            log.append(like(1))
        threading.Timer(0.05, lambda: other.execute("ROLLBACK")).start()
        assert log.append(like(1)) == 1
        other.close()


def test_a_flood_is_refused_before_it_fills_the_memory(log, monkeypatch):
    monkeypatch.setattr(event_log, "WAITING", 5)
    held = sqlite3.connect(log.path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    futures = []
    with pytest.raises(LogError, match="5 events wait"):
        for n in range(2 * event_log.GROUP):
            futures.append(log.submit(like(n)))
    held.execute("ROLLBACK")
    assert [future.result() for future in futures] == list(range(1, len(futures) + 1))
    held.close()


def test_whatever_goes_wrong_nobody_waits_forever(log, monkeypatch):
    def broken(self, events):
        raise MemoryError("no room")

    monkeypatch.setattr(SQLiteLog, "commit", broken)
    with pytest.raises(MemoryError):
        log.submit(like(1)).result(timeout=10)
    monkeypatch.undo()
    assert log.append(like(1)) == 1


def test_who_appends_alone_writes_and_who_comes_after_others_waits_for_the_thread(log, monkeypatch):
    writers, commit = [], log.commit
    monkeypatch.setattr(log, "commit", lambda events: writers.append(threading.current_thread().name) or commit(events))
    log.append(like(1))
    log.last = Future()  # of an event that was handed over and is not stored yet
    log.append(like(2))
    assert writers == [threading.current_thread().name, "event log"]


def test_appends_of_many_threads_at_once_are_all_stored_once(log):
    with ThreadPoolExecutor(16) as pool:
        positions = list(pool.map(log.append, map(like, range(500))))
    assert sorted(positions) == [position for position, _ in log.read()] == list(range(1, 501))


def test_an_event_that_nobody_waits_for_any_more_does_not_stop_the_others(log):
    held = sqlite3.connect(log.path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    futures = [log.submit(like(n)) for n in range(3)]
    assert futures[1].cancel()
    held.execute("ROLLBACK")
    assert futures[2].result(timeout=10) == 3 and len(log.read()) == 3
    held.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 2000])
def test_a_file_that_is_no_log_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(LogError, match="no event log, or damaged|malformed|damaged"):
        SQLiteLog(path)
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name)")
    other.close()
    with pytest.raises(LogError, match="something else"):
        SQLiteLog(path)


def test_a_damaged_log_is_found(path):
    with SQLiteLog(path) as log:
        for future in [log.submit(like(n)) for n in range(500)]:
            future.result()
    content = bytearray(path.read_bytes())
    content[-3000:-1000] = b"\xff" * 2000
    path.write_bytes(content)
    with SQLiteLog(path) as log, pytest.raises(LogError, match="damaged"):
        log.check()


def test_a_folder_or_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(LogError, match="directory"):
        SQLiteLog(tmp_path)
    with pytest.raises(LogError, match="No such file"):
        SQLiteLog(tmp_path / "missing" / "events.db")


def test_only_an_event_is_taken(log):
    with pytest.raises(DataError, match="pass an Event"):
        log.submit({"event_id": "e1"})


def test_a_closed_log_says_so_and_has_stored_everything(path):
    log = SQLiteLog(path)
    waiting = [log.submit(like(n)) for n in range(50)]
    log.close()
    log.close()
    assert all(future.done() for future in waiting) and len(stored(path)) == 50
    with pytest.raises(LogError, match="closed"):
        log.append(like(99))


def test_a_forked_child_opens_a_log_of_its_own(log, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as a child sees it
    with pytest.raises(LogError, match="open it again here"):
        log.append(like(1))


# ---- a user's own data


def test_a_forgotten_user_leaves_no_byte_and_frees_no_position(path):
    with SQLiteLog(path) as log:
        log.append(like(1, user="bob"))
        log.append(Event("e", "ann", "", "say", "my secret wish", 0))
        log.append(like(2))
        assert b"my secret wish" in b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert log.forget("ann") == 2 and log.forget("ann") == 0
        assert b"my secret wish" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert [event.user_id for _, event in log.read()] == ["bob"]
        assert log.append(like(3)) == 4


def test_nobody_else_may_read_the_file(log):
    log.append(like(1))
    for file in log.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
