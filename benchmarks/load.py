"""The live page under load: how long after an event the new slate is there, in every open tab, over HTTP on loopback.

The server is `llmrec serve` on the films, in a process of its own. Events leave by the clock, whether the ones before are
answered or not, and the time of one runs from when it was due: one that leaves late because the machine is busy is late (no
coordinated omission). It ends when a slate that knows the event has arrived in its user's stream. When the disk is slow,
that is before the event is durable; how long it takes until it is acknowledged, which never is, has rows of its own.
"""

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx2
import numpy as np

from benchmarks.harness import Bound, main
from llmrec_lab.event_log import SQLiteLog

ROOT = Path(__file__).resolve().parent.parent
USERS = 25
RATE = 50  # events per second, of all users together
RUNS = 3
MIX = {"like": 0.5, "skip": 0.35, "less": 0.15}
WISHES = [
    "westerns and a good musical",
    "space operas",
    "French comedies and films by Hitchcock",
    "quiet films about the sea",
]
REMARKS = ["less horror, more French comedies", "more films about space", "no musicals", "fewer dramas, more adventures"]


@dataclass
class User:
    """Somebody with an open tab."""

    header: dict[str, str]
    slate: list[str] = field(default_factory=list)  # of the newest push
    arrived: list[tuple[float, int, str]] = field(default_factory=list)  # pushes: when complete, position, pending event
    opened: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Answer:
    """The acknowledgement of an event."""

    event_id: str
    position: int
    at: float


@dataclass
class Waits:
    """Milliseconds from when each event was due."""

    pushed: list[float]
    acknowledged: list[float]


def rows(quick: bool):
    """Bounds on the way from an event to the pushed slate: medians of the runs, because a disk may stall in one of them."""
    count, users, runs = (20, 3, 1) if quick else (RATE * 20, USERS, RUNS)
    items, words = zip(*(run(count, users) for _ in range(runs)))
    pushed, acknowledged = [waits.pushed for waits in items], [waits.acknowledged for waits in items]
    work = f"{RATE} events/s with items, {users} open tabs"
    yield Bound(f"{work}: event to pushed slate, p50", of_runs(median, pushed, 0.5), "ms", must=20)
    yield Bound(f"{work}: p99", of_runs(median, pushed, 0.99), "ms", must=60)
    yield Bound(f"{work}: p99 of the worst of {runs} runs", of_runs(max, pushed, 0.99), "ms")
    yield Bound(f"{work}: event to acknowledgement, on the disk, p50", of_runs(median, acknowledged, 0.5), "ms")
    yield Bound(f"{work}: the same, p99", of_runs(median, acknowledged, 0.99), "ms")
    yield Bound(f"{work}: the same, p99 of the worst of {runs} runs", of_runs(max, acknowledged, 0.99), "ms")
    yield Bound("a remark in words to pushed slate, p50", of_runs(median, [waits.pushed for waits in words], 0.5), "ms")


def run(count: int, users: int) -> tuple[Waits, Waits]:
    """The waits of one run with a fresh server, in which no acknowledged event may be lost."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "events.db") as address:
        items, words, answers = asyncio.run(load(address, count, users))
        with SQLiteLog(Path(folder) / "events.db") as log:
            stored = [position for position, _ in log.read()]
    acknowledged = sorted(answer.position for answer in answers)
    assert acknowledged == stored, "an acknowledged event is missing in the log, or there twice"
    return items, words


def of_runs(choose, runs: list[list[float]], share: float) -> float:
    """One of the runs' quantiles: their median, or their maximum."""
    return choose([quantile(milliseconds, share) for milliseconds in runs])


def quantile(milliseconds: list[float], share: float) -> float:
    """The value that a share of all do not exceed."""
    return float(np.quantile(milliseconds, share, method="higher"))


@contextmanager
def serving(log: Path):
    """The address of a server on the films."""
    command = [sys.executable, "-m", "llmrec_lab.cli", "serve", "--port", "0", "--log", str(log)]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+", process.stdout.readline()).group()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


async def load(address: str, count: int, users: int) -> tuple[Waits, Waits, list[Answer]]:
    """The waits of events with items, those of remarks in words, and all acknowledgements."""
    rng, answers = random.Random(7), []
    async with httpx2.AsyncClient(base_url=address, timeout=60) as client, AsyncExitStack() as stack:
        people = [User(await new_user(client)) for _ in range(users)]
        for n, user in enumerate(people):
            answers.append(await send(client, user, n, "describe", "", WISHES[n % len(WISHES)]))
            task = asyncio.create_task(watch(client, user))
            stack.callback(task.cancel)
            await user.opened.wait()
        items = await paced(client, people, count, RATE, lambda user: (pick(rng), rng.choice(user.slate), 1), answers)
        words = await paced(client, people, max(2, count // 50), 1, lambda user: ("say", "", rng.choice(REMARKS)), answers)
    return items, words, answers


def pick(rng: random.Random) -> str:
    """A kind of event, by the shares of MIX."""
    return rng.choices(list(MIX), list(MIX.values()))[0]


async def new_user(client) -> dict[str, str]:
    """The header of a new user."""
    return {"authorization": f"Bearer {(await client.post('/users')).json()['token']}"}


async def watch(client, user: User) -> None:
    """Keep a user's tab open, and note when pushes arrive."""
    async with client.stream("GET", "/stream", headers=user.header) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                arrival, push = time.perf_counter(), json.loads(line.removeprefix("data: "))
                user.slate = [item["item_id"] for item in push["items"]]
                user.arrived.append((arrival, push["position"], push["pending"]))
                user.opened.set()


async def send(client, user: User, number: int, kind: str, item_id: str, value) -> Answer:
    """Send one event."""
    event = {"event_id": f"e{number}", "kind": kind, "item_id": item_id, "value": value}
    answer = await client.post("/events", headers=user.header, json=event)
    answer.raise_for_status()
    return Answer(f"e{number}", answer.json()["position"], time.perf_counter())


async def paced(client, people: list[User], count: int, rate: float, choose, answers: list[Answer]) -> Waits:
    """Send events at a rate, whether the ones before are answered or not."""
    start, tasks, first = time.perf_counter() + 0.1, [], len(answers)
    for n in range(count):
        await asyncio.sleep(max(0.0, start + n / rate - time.perf_counter()))
        user = people[n % len(people)]
        tasks.append(asyncio.create_task(send(client, user, first + n, *choose(user))))
    found = await asyncio.gather(*tasks)
    answers += found
    seen = await asyncio.gather(*(waited(people[n % len(people)], answer) for n, answer in enumerate(found)))
    due = [start + n / rate for n in range(count)]
    return Waits(
        [1000 * (at - then) for at, then in zip(seen, due)], [1000 * (one.at - then) for one, then in zip(found, due)]
    )


async def waited(user: User, answer: Answer) -> float:
    """When the first slate that knows an event arrived."""
    while user.arrived[-1][1] < answer.position:
        await asyncio.sleep(0.01)
    return next(at for at, known, pending in user.arrived if known >= answer.position or pending == answer.event_id)


if __name__ == "__main__":
    main("load", rows)
