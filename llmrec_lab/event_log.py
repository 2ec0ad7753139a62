"""A log of what people did that keeps every acknowledged event: durable first, then acknowledged, and each stored once.

Knows nothing about items, models, or what an event means to a recommender.
"""

from __future__ import annotations

import errno
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llmrec_lab.columns import LATEST_TIMESTAMP
from llmrec_lab.errors import DataError, LogError

MAX_ID = 200  # characters of an id
MAX_WORDS = 2000  # characters of what somebody says: as many as a wish may have
WORDS = ("describe", "say")
NUMBERS = {"like": (1, 1), "click": (1, 1), "skip": (1, 1), "less": (1, 1), "rate": (0.5, 5), "weigh": (0, 1)}
KINDS = (*NUMBERS, *WORDS)

SCHEMA = 0x4C4C4D52  # "LLMR": tells our files from other people's databases
GROUP = 512  # events in one commit at most, so that one commit stays short for the other processes
WAITING = 10_000  # events that may wait for a commit; more are refused, so that a flood cannot fill the memory
PATIENCE = 5.0  # seconds to wait while another process writes
ROW = "event_id, user_id, item_id, kind, value, timestamp"
INSERT = f"INSERT OR IGNORE INTO events ({ROW}) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Event:
    """Something a person did, as it is stored.

    Args:
        event_id: chosen by whoever saw it happen; sent again, for instance after a lost answer, it is still one event.
        user_id: who.
        item_id: the item; for `weigh` the label of an interest; empty for words.
        kind: `like`, `click`, `skip` (not now), `less` (less like this), `rate`, `weigh` (how much an interest counts),
            `describe` (what I like, in words), or `say` (words about the list, such as "less horror").
        value: the words; the rating, 0.5 to 5; the weight, 0 to 1; else 1.
        timestamp: integer seconds UTC of whoever saw it. The log's own order is what counts: clocks may go backwards.

    Raises:
        DataError: a field is missing, too long, or not what its kind needs.

    Example:
        >>> Event("a1", "ann", "7", "like", 1, 1700000000).value
        1.0
    """

    event_id: str
    user_id: str
    item_id: str
    kind: str
    value: float | str
    timestamp: int

    def __post_init__(self):
        check_id("event_id", self.event_id)
        check_id("user_id", self.user_id)
        if self.kind not in KINDS:
            raise DataError(f"the kind came as {self.kind!r:.60}; use one of {', '.join(KINDS)}")
        if self.kind in WORDS:
            check_words(self.kind, self.value, self.item_id)
        else:
            check_id("item_id", self.item_id, MAX_WORDS if self.kind == "weigh" else MAX_ID)
            object.__setattr__(self, "value", number(self.kind, self.value))
        if type(self.timestamp) is not int or not 0 <= self.timestamp < LATEST_TIMESTAMP:
            raise DataError(f"the timestamp came as {self.timestamp!r:.60}; pass integer seconds since 1970 UTC")


def check_id(name: str, value: str, longest: int = MAX_ID) -> None:
    """Raise DataError for an id that is no short printable string."""
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise DataError(f"the {name} came as {value!r:.60}; pass 1 to {longest} printable characters")


def check_words(kind: str, words: str, item_id: str) -> None:
    """Raise DataError for words that are empty, too long, or cannot be stored."""
    if item_id:
        raise DataError(f"`{kind}` came with the item_id {item_id!r:.60}; words belong to no item, pass an empty item_id")
    if not isinstance(words, str) or not words.strip() or len(words) > MAX_WORDS:
        raise DataError(f"the words of `{kind}` came as {words!r:.60}; pass text of 1 to {MAX_WORDS} characters")
    try:
        words.encode()
    except UnicodeEncodeError as problem:
        raise DataError(f"the words of `{kind}` have half a character at {problem.start}; pass valid Unicode") from None


def number(kind: str, value: float) -> float:
    """The value of an event as a float in the range of its kind."""
    low, high = NUMBERS[kind]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:  # NaN is in no range
        raise DataError(f"the value of `{kind}` came as {value!r:.60}; pass {low if low == high else f'{low} to {high}'}")
    return float(value)


class EventLog(Protocol):
    """What an engine of the event log does. `SQLiteLog` is the embedded one."""

    def submit(self, event: Event) -> Future[int]:
        """Hand an event over; the future has its position once it is durable, the first one's if it came before.

        The future raises DataError if the event_id is taken by another event of that user, LogError if nothing was stored.
        """

    def append(self, event: Event) -> int:
        """Store an event, and return its position when it is durable."""

    def read(self, after: int = 0, user_id: str | None = None, limit: int | None = None) -> list[tuple[int, Event]]:
        """The events behind a position in order, each with its position: those of one user, or all."""

    def has(self, user_id: str, event_id: str) -> bool:
        """Whether an event with this id is stored for the user."""

    def forget(self, user_id: str) -> int:
        """Delete the events of a user for good, and return how many there were."""

    def check(self) -> None:
        """Raise LogError if the stored log is damaged."""

    def close(self) -> None:
        """Store what was submitted, and let go of the files."""


class SQLiteLog:
    """The event log in one SQLite file that several processes may have open.

    A thread writes: it takes all events that wait, stores them in one transaction, and acknowledges them when the commit has
    been synced to the disk (write-ahead log, synchronous=FULL). While it syncs, the next group gathers. Who appends when
    nothing else waits writes alone: two changes of threads take nearly as long as the sync.

    Args:
        path: the file; made, readable by its owner only, if it is not there.

    Raises:
        LogError: the file cannot be opened, or is no log.

    Example:
        >>> import tempfile
        >>> with SQLiteLog(tempfile.mkdtemp() + "/events.db") as log:
        ...     positions = [log.append(Event("a1", "ann", "7", "like", 1, 0)) for _ in range(2)]
        ...     print(positions, len(log.read()))
        [1, 1] 1
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.writing, self.reading = connect(self.path), connect(self.path)
        self.lock = threading.Lock()  # one read at a time on its connection
        self.closing = threading.Lock()
        self.turn = threading.RLock()  # held by whoever writes
        self.last: Future[int] | None = None  # of what was handed over last; what came before is done when it is
        self.process = os.getpid()
        self.waiting: queue.SimpleQueue = queue.SimpleQueue()
        self.thread: threading.Thread | None = threading.Thread(target=self.write, name="event log", daemon=True)
        self.thread.start()

    def __enter__(self) -> SQLiteLog:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def submit(self, event: Event) -> Future[int]:
        """Hand an event over; see `EventLog.submit`."""
        if not isinstance(event, Event):
            raise DataError(f"the event came as {type(event).__name__}; pass an Event")
        return self.hand_over(event)

    def append(self, event: Event) -> int:
        """Store an event, and return its position when it is durable."""
        if not (isinstance(event, Event) and self.idle() and self.turn.acquire(blocking=False)):
            return self.submit(event).result()
        done: Future[int] = Future()
        try:
            self.finish([done], lambda: self.commit([event]))
        finally:
            self.turn.release()
        return done.result()

    def forget(self, user_id: str) -> int:
        """Delete the events of a user from the file and its write-ahead log, and return how many there were."""
        return self.hand_over(lambda: self.delete(user_id)).result()

    def read(self, after: int = 0, user_id: str | None = None, limit: int | None = None) -> list[tuple[int, Event]]:
        """The events behind a position in order; see `EventLog.read`."""
        of_user = "" if user_id is None else "AND user_id = :user_id "
        query = f"SELECT position, {ROW} FROM events WHERE position > :after {of_user}ORDER BY position LIMIT :limit"
        found = self.ask(query, {"after": after, "user_id": user_id, "limit": -1 if limit is None else limit})
        return [(position, Event(*row)) for position, *row in found]

    def has(self, user_id: str, event_id: str) -> bool:
        """Whether an event with this id is stored for the user."""
        return bool(self.ask("SELECT 1 FROM events WHERE user_id = ? AND event_id = ?", (user_id, event_id)))

    def check(self) -> None:
        """Raise LogError if SQLite finds the file damaged."""
        found = self.ask("PRAGMA integrity_check(1)")
        if found != [("ok",)]:
            raise LogError(f"the event log {self.path} is damaged ({found[0][0]}); restore it from a backup")

    def close(self) -> None:
        """Store what was submitted, and let go of the files."""
        if os.getpid() != self.process:
            return  # after a fork, thread and files are the parent's
        with self.closing:
            if self.thread is None:
                return
            self.waiting.put(None)
            self.thread.join()
            self.thread = None
        with self.turn:
            self.writing.close()
        self.reading.close()

    # ---- the writer --------------------------------------------------------------------------------------------------

    def hand_over(self, job: Event | Callable[[], int]) -> Future[int]:
        """Let the writer do a job: store an event, or run a function between two commits."""
        if os.getpid() != self.process:
            raise LogError(f"the event log {self.path} was opened before this process forked; open it again here")
        done: Future[int] = Future()
        with self.closing:
            if self.thread is None:
                raise LogError(f"the event log {self.path} is closed; open it again")
            if self.waiting.qsize() >= WAITING:
                raise LogError(f"{WAITING} events wait to be stored in {self.path}; send the event again in a moment")
            self.waiting.put((job, done))
            self.last = done
        return done

    def idle(self) -> bool:
        """Whether the log is open, and nothing waits that came before."""
        return self.thread is not None and os.getpid() == self.process and (self.last is None or self.last.done())

    def write(self) -> None:
        """Store what waits, group by group, until the log is closed."""
        more = True
        while more:
            group = [self.waiting.get()]
            while len(group) < GROUP and not self.waiting.empty():
                group.append(self.waiting.get())
            more = None not in group
            events = [(job, done) for job, done in filter(None, group) if isinstance(job, Event)]
            if events:
                self.finish([done for _, done in events], lambda events=events: self.commit([job for job, _ in events]))
            for job, done in filter(None, group):
                if not isinstance(job, Event):
                    self.finish([done], lambda job=job: [job()])

    def finish(self, promises: list[Future], work: Callable[[], list]) -> None:
        """Do the work, then keep the promises: with its results, or all with the reason why nothing was stored."""
        try:
            with self.turn:
                results = work()
        except Exception as problem:  # whatever it is, nobody may wait forever
            results = [self.explained(problem)] * len(promises)
        for done, result in zip(promises, results):
            if done.set_running_or_notify_cancel():
                done.set_exception(result) if isinstance(result, Exception) else done.set_result(result)

    def commit(self, events: list[Event]) -> list[int | DataError]:
        """Store events in one transaction: a position for each, or why that one was refused."""
        with transaction(self.writing):
            return [self.insert(event) for event in events]

    def insert(self, event: Event) -> int | DataError:
        """Store one event, unless its id is there."""
        row = (event.event_id, event.user_id, event.item_id, event.kind, event.value, event.timestamp)
        cursor = self.writing.execute(INSERT, row)
        if cursor.rowcount:
            return cursor.lastrowid
        same = "SELECT position, item_id, kind, value FROM events WHERE user_id = ? AND event_id = ?"
        position, *stored = self.writing.execute(same, (event.user_id, event.event_id)).fetchone()
        if stored == [event.item_id, event.kind, event.value]:  # the time of a second sending may differ
            return position
        return DataError(f"the event_id {event.event_id!r} was used for another event; give each event an id of its own")

    def delete(self, user_id: str) -> int:
        """Delete a user's events, then overwrite what the write-ahead log still has of them."""
        with transaction(self.writing):
            count = self.writing.execute("DELETE FROM events WHERE user_id = ?", (user_id,)).rowcount
        busy, *_ = self.writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise LogError("the events were deleted, but another process reads old pages; ask again to overwrite them")
        return count

    def ask(self, query: str, values: dict | tuple = ()) -> list[tuple]:
        """The rows of a query, on the connection for reading."""
        try:
            with self.lock:
                return self.reading.execute(query, values).fetchall()
        except sqlite3.Error as problem:
            raise self.explained(problem) from problem

    def explained(self, problem: Exception) -> Exception:
        """A problem of the storage as a LogError that says what to do."""
        return log_error(self.path, problem) if isinstance(problem, sqlite3.Error) else problem


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of a block's changes, synced to the disk when the block is left; or, after an error, none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after a full disk SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the log's file, which is made if it is not there."""
    try:
        make(path)
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        prepare(connection, path)
        return connection
    except (sqlite3.Error, OSError) as problem:
        raise log_error(path, problem) from problem


def make(path: Path) -> None:
    """Make an empty file that its owner alone may read, unless there is a file; PermissionError if that may not be written.

    One that is there is never opened beside SQLite: to close any descriptor of a file gives up all locks that the process
    holds on it, those of open connections too. The next process to leave would take itself for the last one, and delete the
    write-ahead log that this one goes on writing to.

    Source: "How To Corrupt An SQLite Database File", section 2.2, sqlite.org/howtocorrupt.html
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the table in a new file; refuse a file that is something else."""
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if found != SCHEMA and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise LogError(f"{path} is a database of something else; name another file for the event log")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # sync at every commit: acknowledged means on the disk
    connection.execute("PRAGMA secure_delete = ON")  # overwrite what is deleted
    with transaction(connection):
        # AUTOINCREMENT: the position of a deleted event is never given to another one.
        connection.execute(
            "CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL,"
            " user_id TEXT NOT NULL, item_id TEXT NOT NULL, kind TEXT NOT NULL, value NOT NULL, timestamp INTEGER NOT NULL,"
            " UNIQUE (user_id, event_id))"
        )
        connection.execute(f"PRAGMA application_id = {SCHEMA}")


REASONS = {
    "full": "the disk is full; make room and send the event again",
    "readonly": "it may not be written; check the rights of the file and its folder",
    "unable to open": "it is a directory, or may not be opened; name another file",
    "locked": f"another process has kept it locked for {PATIENCE:.0f} seconds; send the event again",
    "not a database": "it is no event log, or damaged; name another file, or restore it from a backup",
    "I/O error": "the disk refuses, or is full; make room, check the disk, and send the event again",
    "malformed": "it is damaged; restore it from a backup",
}


def log_error(path: Path, problem: Exception) -> LogError:
    """What went wrong with the file, and what to do."""
    reason = next((advice for words, advice in REASONS.items() if words in str(problem)), str(problem))
    return LogError(f"the event log {path}: {reason}")
