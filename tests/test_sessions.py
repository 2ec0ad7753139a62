"""Sessions: a user's events in order, the newest slate for who watches, nothing that the log cannot restore."""

import asyncio
import gc
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing

import pytest

from llmrec_lab import sessions as module
from llmrec_lab.errors import DataError, LogError
from llmrec_lab.event_log import Event, SQLiteLog
from llmrec_lab.recommender import Recommender
from llmrec_lab.sessions import Sessions


def event(n, kind="like", item="alien", value=1.0, user="ann"):
    return Event(f"e{n}", user, item, kind, value, 1_700_000_000 - n)


def played(lab, log, scene, **settings):
    """What a scene returns: a coroutine function that takes Sessions."""

    async def play():
        sessions = Sessions(lab, log, **settings)
        try:
            return await asyncio.wait_for(scene(sessions), 30)
        finally:
            sessions.close()

    return asyncio.run(play())


async def until(stream, position):
    """The first push of a stream with this position."""
    async for push in stream:
        if push is not None and push.position == position:
            return push


def counted(lab):
    """The same recommender, and a list that gets the position of every state that a slate is made for."""
    made = []

    class Counting(Recommender):
        def recommend_state(self, state, k=10):
            made.append(state.position)
            return super().recommend_state(state, k)

    return Counting(lab.catalog, lab.encoder).fit(lab.interactions), made


# Recording


def test_an_acknowledged_event_is_in_the_log_and_in_the_next_slate(lab, log):
    async def scene(sessions):
        before = await sessions.recommend("ann", 5)
        position = await sessions.record(event(1, item=before.items[0].item_id))
        return before, position, log.read(), await sessions.recommend("ann", 5)

    before, position, stored, after = played(lab, log, scene)
    assert [at for at, _ in stored] == [position] == [after.position]
    assert before.items[0].item_id not in [item.item_id for item in after.items]


@pytest.mark.parametrize("wrong", [event(1, item="Solaris"), event(1, "weigh", "love", 0.5), event(1, "say", "", "less")])
def test_an_event_that_makes_no_sense_is_not_stored(lab, log, wrong):
    with pytest.raises(DataError):
        played(lab, log, lambda sessions: sessions.record(wrong))
    assert log.read() == []


def test_an_event_that_made_sense_when_it_was_stored_may_be_sent_again(lab, log):
    first, second = event(2, "weigh", "space", 0.5), event(3, "describe", "", "love in Paris")

    async def scene(sessions):
        await sessions.record(event(1, "describe", "", "space and ghosts"))
        return [await sessions.record(one) for one in (first, second, first)]

    assert played(lab, log, scene) == [2, 3, 2]


def test_events_of_one_user_are_stored_in_the_order_they_came_however_many_wait(lab, log):
    async def scene(sessions):
        events = [event(n, "rate", "alien", 0.5 * (1 + n % 10), user) for n in range(40) for user in ("ann", "bob")]
        return await asyncio.gather(*map(sessions.record, events))

    played(lab, log, scene)
    for user in ("ann", "bob"):
        assert [one.event_id for _, one in log.read(user_id=user)] == [f"e{n}" for n in range(40)]


@pytest.mark.parametrize("kind, users", [("like", ["ann"]), ("say", ["ann", "eve", "zoe"])])
def test_who_waits_for_something_slow_keeps_nobody_else_waiting(lab, log, kind, users):
    begun, free = threading.Event(), threading.Event()

    class Slow(Recommender):
        def feedback(self, state, event):
            if state.user_id != "bob":
                begun.set()
                free.wait(20)
            return super().feedback(state, event)

    slow = Slow(lab.catalog, lab.encoder).fit(lab.interactions)
    what = {"say": ("", "more ghosts"), "like": ("alien", 1.0)}[kind]

    async def scene(sessions):
        events = [event(n, kind, *what, user=user) for n in range(5) for user in users]
        waiting = [asyncio.create_task(sessions.record(one)) for one in events]
        await asyncio.to_thread(begun.wait, 10)
        position = await asyncio.wait_for(sessions.record(event(1, user="bob")), 10)
        free.set()
        return position, len(await asyncio.gather(*waiting))

    assert played(slow, log, scene) == (1, 5 * len(users))


def test_a_state_that_was_dropped_is_made_again_from_the_log(lab, log):
    async def scene(sessions):
        await sessions.record(event(1, "describe", "", "space and ghosts"))
        await sessions.record(event(2, "like", "alien"))
        before = await sessions.recommend("ann", 3)
        sessions.live.clear()
        return before, await sessions.recommend("ann", 3)

    before, after = played(lab, log, scene)
    assert before == after and before.position == 2


@pytest.mark.parametrize("noticed", [False, True])
def test_a_state_that_was_foreseen_is_the_one_that_the_log_leads_to(lab, log, noticed):
    """Words are read once, when they are checked; events of other processes in between must not get lost by that."""
    words = event(3, "say", "", "more ghosts")
    with SQLiteLog(log.path) as other:

        async def scene(sessions):
            await sessions.record(event(1, "describe", "", "space and love"))
            await sessions.recommend("ann", 5)
            submit = log.submit

            def late(one):
                other.append(event(2, "less", "alien"))
                if noticed:
                    sessions.current(sessions.live["ann"])
                return submit(one)

            log.submit = late
            await sessions.record(words)
            log.submit = submit
            await sessions.record(event(4, "like", "amelie"))
            return await sessions.recommend("ann", 5)

        live = played(lab, log, scene)
    assert live == played(lab, log, lambda sessions: sessions.recommend("ann", 5)) and live.position == 4


def test_words_are_read_once(lab, log):
    read = []

    class Counting(Recommender):
        def interests(self, text):
            read.append(text)
            return super().interests(text)

    counting = Counting(lab.catalog, lab.encoder)

    async def scene(sessions):
        await sessions.record(event(1, "describe", "", "space and love"))
        return (await sessions.recommend("ann", 5)).position

    assert played(counting, log, scene) == 1 and read == ["space and love"]


# Watching


def test_everybody_who_watches_gets_the_new_slate(lab, log):
    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as one, aclosing(sessions.watch("ann")) as other:
            firsts = await anext(one), await anext(other)
            position = await sessions.record(event(1))
            return firsts, await until(one, position), await until(other, position)

    firsts, one, other = played(lab, log, scene)
    assert firsts[0].position == firsts[1].position == 0
    assert one == other and one.items != firsts[0].items


def test_nobody_gets_the_slate_of_another_user(lab, log, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)

    async def scene(sessions):
        async with aclosing(sessions.watch("bob")) as stream:
            first = await anext(stream)
            await sessions.record(event(1))
            return first.position, await anext(stream)

    assert played(lab, log, scene) == (0, None)


def test_a_slow_watcher_gets_the_newest_slate_only(lab, log):
    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            await anext(stream)
            for n in range(10):
                await sessions.record(event(n, "click"))
            while sessions.live["ann"].push.position < 10:
                await asyncio.sleep(0.001)
            return (await anext(stream)).position

    assert played(lab, log, scene) == 10


def test_many_events_at_once_are_one_push(lab, log):
    counting, made = counted(lab)

    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            await anext(stream)
            await asyncio.gather(*(sessions.record(event(n, "click")) for n in range(30)))
            await until(stream, 30)

    played(counting, log, scene)
    assert made[0] == 0 and len(made) < 5


def test_the_slate_that_was_made_while_the_disk_wrote_is_the_one_that_is_pushed(lab, log):
    counting, made = counted(lab)

    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            await anext(stream)
            return await until(stream, await sessions.record(event(1))), await sessions.recommend("ann", 10)

    pushed, asked = played(counting, log, scene)
    assert pushed == asked and len(made) == 3  # before the event, after it, and when asked


def test_a_slate_that_was_made_ahead_is_not_taken_for_that_of_the_next_event(lab, log):
    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            first = await anext(stream)
            await until(stream, await sessions.record(event(1, item=first.items[0].item_id)))
            with sessions.session("ann"):  # as while another request runs: the next slate is not made ahead
                position = await sessions.record(event(2, item=first.items[1].item_id))
            return await until(stream, position), await sessions.recommend("ann", 10)

    pushed, asked = played(lab, log, scene)
    assert pushed == asked


@pytest.mark.parametrize("stores", [True, False])
def test_a_slow_disk_holds_up_no_slate_and_what_it_does_not_store_is_taken_back(lab, log, stores):
    free, submit, writer = threading.Event(), log.submit, ThreadPoolExecutor(1)

    def write(one):
        free.wait(20)
        if not stores:
            raise LogError("nothing was stored")
        return submit(one).result()

    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            first = await anext(stream)
            log.submit = lambda event: writer.submit(write, event)
            recording = asyncio.create_task(sessions.record(event(1)))
            early = await anext(stream)
            assert log.read() == [] and not recording.done()
            free.set()
            await asyncio.wait([recording])
            return first, early, recording.exception(), await anext(stream)

    with writer:
        first, early, problem, last = played(lab, log, scene)
    assert (early.position, early.pending) == (0, "e1") and early.items != first.items
    assert (last.position, last.pending) == (int(stores), "") and last.items == (early if stores else first).items
    assert isinstance(problem, LogError) != stores


def test_an_event_that_is_sent_again_to_a_slow_disk_is_not_foreseen_twice(lab, log, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)
    submit = log.submit

    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            await until(stream, await sessions.record(event(1)))
            log.submit = lambda one: Future()  # never
            recording = asyncio.create_task(sessions.record(event(1)))
            try:
                return await anext(stream)
            finally:
                recording.cancel()
                log.submit = submit

    assert played(lab, log, scene) is None


def test_what_a_watcher_has_is_not_sent_again(lab, log, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)

    async def scene(sessions):
        position = await sessions.record(event(1))
        async with aclosing(sessions.watch("ann", seen=position)) as has, aclosing(sessions.watch("ann", seen=0)) as lacks:
            return await anext(has), (await anext(lacks)).position

    assert played(lab, log, scene) == (None, 1)


def test_events_that_another_process_stored_arrive_with_the_next_heartbeat(lab, log, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)

    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            await anext(stream)
            with SQLiteLog(log.path) as other:
                position = other.append(event(1))
            return (await until(stream, position)).position

    assert played(lab, log, scene) == 1


def test_a_log_that_cannot_be_read_for_a_while_ends_no_stream(lab, log, monkeypatch, caplog):
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)
    read = log.read

    def broken(*_, **__):
        raise LogError("cannot read now")

    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            log.read = broken
            silent = await anext(stream)
            with pytest.raises(LogError):
                await sessions.record(event(1))
            log.read = read
            position = await sessions.record(event(1))
            return silent, (await until(stream, position)).position

    assert played(lab, log, scene) == (None, 1)
    gc.collect()
    assert caplog.text == ""  # asyncio would complain about a task that failed


def test_closing_ends_every_stream(lab, log):
    async def scene(sessions):
        streams = [sessions.watch(user) for user in ("ann", "bob")]
        for stream in streams:
            await anext(stream)
        sessions.close()
        return [[push async for push in stream] for stream in streams], sessions.watchers()

    assert played(lab, log, scene) == ([[], []], 0)


# Forgetting, and how much is kept


def test_a_forgotten_user_is_a_stranger_at_once_and_the_others_stay(lab, log):
    async def scene(sessions):
        stranger = await sessions.recommend("ann", 10)
        await sessions.record(event(1, user="bob"))
        async with aclosing(sessions.watch("ann")) as stream:
            await until(stream, await sessions.record(event(1)))
            count = await sessions.forget("ann")
            return stranger, count, await until(stream, 0), await sessions.recommend("bob", 10)

    stranger, count, pushed, bob = played(lab, log, scene)
    assert count == 1 and pushed == stranger and bob.position == 1
    assert [one.user_id for _, one in log.read()] == ["bob"]


def test_of_idle_sessions_the_newest_are_kept_and_the_watched_always(lab, log):
    async def scene(sessions):
        async with aclosing(sessions.watch("watched")) as stream:
            await anext(stream)
            for n in range(20):
                await sessions.recommend(f"u{n}", 1)
            return list(sessions.live)

    assert played(lab, log, scene, size=3) == ["watched", "u17", "u18", "u19"]


def test_a_watcher_who_leaves_is_counted_no_more(lab, log):
    async def scene(sessions):
        async with aclosing(sessions.watch("ann")) as stream:
            await anext(stream)
            during = sessions.watchers(), sessions.watchers("ann"), sessions.watchers("bob")
        return during, sessions.watchers(), sessions.live["ann"].uses

    assert played(lab, log, scene) == ((1, 1, 0), 0, 0)
