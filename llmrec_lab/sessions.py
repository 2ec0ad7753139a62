"""The users who are here now: their states, in order, and the slates that are pushed to whoever watches.

Knows nothing about HTTP. All methods are called on one event loop; what computes runs in threads beside it.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat, starmap

import numpy as np

from llmrec_lab.catalog import Slate
from llmrec_lab.errors import LabError
from llmrec_lab.event_log import WORDS, Event, EventLog
from llmrec_lab.feedback import UserState, catch_up
from llmrec_lab.interests import Interests
from llmrec_lab.recommender import Recommender

THREADS = 2  # they compute; more would take turns on the same cores, and every slate would come later
SLOW = 0.01  # seconds that a slate waits for the disk before it is pushed ahead; most commits take a tenth of that
HEARTBEAT = 15.0  # seconds without news after which a stream says that it is alive, and looks for other processes' events


@dataclass(frozen=True)
class Reason:
    """A part of a score."""

    name: str
    value: float


@dataclass(frozen=True)
class Recommended:
    """One place of a slate; the reasons are the parts of the score, largest first."""

    item_id: str
    title: str
    score: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Interest:
    """What somebody said, or a part of it, and how much it counts."""

    label: str
    weight: float


@dataclass(frozen=True)
class Push:
    """What a user is shown: a slate with its reasons, and the interests.

    Args:
        position: of the last stored event that it knows.
        items: the slate.
        interests: what was said, and how much it counts.
        pending: the id of one more event that it knows, which the disk has not confirmed yet; empty if there is none.
    """

    position: int
    items: tuple[Recommended, ...]
    interests: tuple[Interest, ...]
    pending: str = ""

    @cached_property
    def line(self) -> str:
        """The push as one line of JSON, made once for all who watch."""
        return json.dumps(vars(self), ensure_ascii=False, default=vars)


def as_push(slate: Slate, interests: Interests | None = None, position: int = 0) -> Push:
    """A slate and interests in the words of JSON."""
    rows = zip(slate.item_ids, slate.titles, map(float, slate.scores), map(reasons, repeat(slate.part_names), slate.parts))
    wanted = [] if interests is None else zip(interests.labels, map(float, interests.weights))
    return Push(position, tuple(starmap(Recommended, rows)), tuple(starmap(Interest, wanted)))


def reasons(names: np.ndarray, parts: np.ndarray) -> tuple[Reason, ...]:
    """The parts of one item's score, largest first; those of the same name as one, and those that round to 0 left out.

    Example:
        >>> reasons(["text", "genre", "popularity", "popularity"], np.array([0.3, 0.0, -0.2, -0.2]))
        (Reason(name='popularity', value=-0.4), Reason(name='text', value=0.3))
    """
    total = dict.fromkeys(names, 0.0)
    for name, value in zip(names, parts.tolist()):
        total[name] += value
    shown = [Reason(name, round(value, 6)) for name, value in total.items() if abs(value) >= 5e-4]
    return tuple(sorted(shown, key=lambda reason: -abs(reason.value)))


@dataclass
class Foreseen:
    """What an event that is being stored makes of a state, and the slate of that if it was made."""

    before: UserState
    event: Event
    after: UserState
    push: Push | None = None


@dataclass
class Session:
    """A user who is here: the state, the newest push, and who waits for it."""

    user_id: str
    state: UserState | None = None
    foreseen: Foreseen | None = None
    push: Push | None = None
    pushed: asyncio.Event = field(default_factory=asyncio.Event)  # a new one for every push
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # what changes the state happens one after the other
    watchers: int = 0
    uses: int = 0  # by requests and streams; a session in use is not dropped
    stale: bool = False
    refreshing: asyncio.Task | None = None

    def show(self, push: Push) -> None:
        """Make a push the newest one."""
        self.push = push
        self.wake()

    def wake(self) -> None:
        """Wake who waits for a push."""
        self.pushed.set()
        self.pushed = asyncio.Event()


class Sessions:
    """Live states of users. A state is only a cache: dropped, or lost in a crash, it is made again from the log.

    Other processes may append to the log; what they have stored is seen at the user's next request, or the next heartbeat.

    Args:
        lab: a Recommender.
        log: where events are kept.
        k: items in a pushed slate.
        size: how many sessions are kept that nobody uses.
    """

    def __init__(self, lab: Recommender, log: EventLog, k: int = 10, size: int = 1000):
        self.lab, self.log, self.k, self.size = lab, log, k, size
        self.live: OrderedDict[str, Session] = OrderedDict()
        self.threads = ThreadPoolExecutor(THREADS, "recommend")
        self.reader = ThreadPoolExecutor(
            1, "read words"
        )  # takes seconds for a page of words, and then nobody else's likes wait
        self.closed = False

    @contextmanager
    def session(self, user_id: str) -> Iterator[Session]:
        """The session of a user while the block runs."""
        session = self.live.setdefault(user_id, Session(user_id))
        self.live.move_to_end(user_id)
        session.uses += 1
        try:
            yield session
        finally:
            session.uses -= 1
            if len(self.live) > self.size:
                idle = [each.user_id for each in self.live.values() if not each.uses]
                for oldest in idle[: max(0, len(idle) - self.size)]:
                    del self.live[oldest]

    # ---- what users do -----------------------------------------------------------------------------------------------

    async def record(self, event: Event) -> int:
        """Store an event that makes sense, and return its position once it is durable; who watches gets a new slate.

        The slate is made while the disk writes. When the disk is slow, the slate is pushed before the event is durable, and
        says so; it is pushed again when the event is, or taken back when nothing could be stored.

        Raises:
            DataError: the item or the interest is unknown, or the event_id is taken by another event.
            LogError: nothing was stored.
        """
        with self.session(event.user_id) as session:
            async with session.lock:
                await self.compute(self.check, session, event, words=event.kind in WORDS)
                stored = asyncio.wrap_future(self.log.submit(event))
                try:
                    await self.push_ahead(session, stored)
                    return await stored
                finally:
                    self.refresh(session)

    async def recommend(self, user_id: str, k: int) -> Push:
        """What all events of a user lead to now."""
        with self.session(user_id) as session:
            async with session.lock:
                return await self.compute(self.made, session, k)

    async def answer(self, text: str, k: int) -> Push:
        """The slate of a sentence, which nobody is known to have said."""
        return await self.compute(self.answered, text, k, words=True)

    async def forget(self, user_id: str) -> int:
        """Delete a user's events for good, and return how many there were; who watches sees the slate of a stranger."""
        with self.session(user_id) as session:
            async with session.lock:
                try:
                    return await asyncio.to_thread(self.log.forget, user_id)
                finally:  # the log may have deleted all, and yet ask to be asked again
                    session.state = session.push = None
                    self.refresh(session)

    async def watch(self, user_id: str, seen: int | None = None) -> AsyncIterator[Push | None]:
        """The newest push whenever there is one; None after a while without.

        A watcher that is slow misses the pushes that a newer one has replaced, so that nothing piles up.

        Args:
            user_id: whose slate.
            seen: the position of the push that the watcher has; it is not sent again.
        """
        with self.session(user_id) as session:
            session.watchers += 1
            shown = seen, ""
            try:
                self.refresh(session)
                while not self.closed:
                    push = session.push
                    if push is not None and (push.position, push.pending) != shown:
                        shown = push.position, push.pending
                        yield push
                    elif not await happens(session.pushed, HEARTBEAT):
                        yield None
                        self.refresh(session)
            finally:
                session.watchers -= 1

    def watchers(self, user_id: str | None = None) -> int:
        """How many watch a user, or all of them."""
        return sum(session.watchers for session in self.live.values() if user_id in (None, session.user_id))

    def close(self) -> None:
        """End all streams. Nothing is lost: the log has the events."""
        self.closed = True
        for session in self.live.values():
            session.wake()

    # ---- the push ----------------------------------------------------------------------------------------------------

    def refresh(self, session: Session) -> None:
        """See to it that who watches gets a push of what the log has: one for many events, if they come fast."""
        session.stale = True
        if session.watchers and session.refreshing is None:
            session.refreshing = asyncio.create_task(self.keep_fresh(session))

    async def keep_fresh(self, session: Session) -> None:
        """Push until nothing new came meanwhile."""
        try:
            while session.stale:
                session.stale = False
                async with session.lock:
                    session.show(await self.compute(self.newest, session))
        except LabError:
            pass  # the log cannot be read now; the next heartbeat tries again
        finally:
            session.refreshing = None

    async def push_ahead(self, session: Session, stored: asyncio.Future[int]) -> None:
        """Make the slate of what is foreseen; push it if the disk is slow. For many events at once, only the last one's."""
        foreseen, others = session.foreseen, session.uses - session.watchers - 1
        if foreseen is None or not session.watchers or others:
            return
        foreseen.push = await self.compute(self.push_of, foreseen.after, self.k)
        done, _ = await asyncio.wait([stored], timeout=SLOW)
        if not done:
            session.show(replace(foreseen.push, pending=foreseen.event.event_id))

    # ---- in threads --------------------------------------------------------------------------------------------------

    async def compute(self, work: Callable, *arguments, words: bool = False):
        """The result of a function that runs in a thread, while the event loop goes on."""
        threads = self.reader if words else self.threads
        return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)

    def current(self, session: Session) -> UserState:
        """The state after all events that the log has."""
        known = session.state or self.lab.user(user_id=session.user_id)
        news = self.log.read(known.position, session.user_id)
        foreseen = session.foreseen
        if foreseen and foreseen.before is known and [event for _, event in news] == [foreseen.event]:
            position = news[0][0]  # what was made of the event before it was stored holds
            session.state = replace(foreseen.after, position=position)
            session.push = replace(foreseen.push, position=position) if foreseen.push else session.push
        else:
            session.state = catch_up(self.lab, self.log, known) if news else known
        return session.state

    def made(self, session: Session, k: int) -> Push:
        """A slate for the state as it is now."""
        return self.push_of(self.current(session), k)

    def push_of(self, state: UserState, k: int) -> Push:
        """A slate for a state."""
        slate = self.lab.recommend(state, min(k, len(self.lab.catalog)))
        return as_push(slate, state.interests, state.position)

    def answered(self, text: str, k: int) -> Push:
        """A slate for a sentence."""
        return as_push(self.lab.recommend_text(text, min(k, len(self.lab.catalog))))

    def newest(self, session: Session) -> Push:
        """The push that is due; the one that is there, if it knows all that the log has, and nothing else."""
        state, push = self.current(session), session.push
        known = push is not None and (push.position, push.pending) == (state.position, "")
        return push if known else self.push_of(state, self.k)

    def check(self, session: Session, event: Event) -> None:
        """Foresee what an event leads to, unless it is stored already and was sent again; DataError if it makes no sense."""
        state, session.foreseen = self.current(session), None
        if not self.log.has(event.user_id, event.event_id):
            session.foreseen = Foreseen(state, event, self.lab.feedback(state, event))


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event happens within a time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
