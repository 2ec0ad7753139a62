"""The push: a server that takes events, stores them, and pushes the next slate to everybody who watches. Needs [serve].

Knows nothing about how slates are made. The interactive pages of FastAPI are off, because they load scripts from elsewhere;
the description of the interface is at /openapi.json.

No answer is a 5xx. When the log can store nothing now (full disk, file locked or read-only) the answer is 429 with
Retry-After: of the statuses below 500 it is the one that every client takes for what it is here, nothing was done, wait and
send the same again; the event's id makes that safe.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import logging
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict
from threadpoolctl import threadpool_limits

from llmrec_lab import __version__
from llmrec_lab.errors import DataError, LogError
from llmrec_lab.event_log import MAX_WORDS, Event, EventLog
from llmrec_lab.guard import DEFAULTS, Guard, Limits, Refused, TokenBuckets, address_of
from llmrec_lab.recommender import Recommender
from llmrec_lab.sessions import Push, Sessions
from llmrec_lab.tokens import LIFETIME, Tokens

PAGE = Path(__file__).parent / "page"
RETRY = 5  # seconds after which a log that stored nothing is worth another try
SHARE = 0.0005  # seconds that a thread keeps the interpreter; at Python's 0.005 a request waits that often for a slate
AGAIN = 1000  # milliseconds after which a browser opens a stream again that broke off


class NewEvent(BaseModel):
    """An event as a client sends it; whose it is, the token says."""

    model_config = ConfigDict(extra="forbid")

    event_id: str
    kind: str
    item_id: str = ""
    value: float | str = 1.0
    timestamp: int | None = None


class Acknowledged(BaseModel):
    """The event is on the disk, at this position of the log."""

    position: int


class NewUser(BaseModel):
    """The token of a user, for the header `Authorization: Bearer`; none if it was put into a cookie."""

    token: str | None


class Forgotten(BaseModel):
    """How many events were deleted for good."""

    events: int


class Health(BaseModel):
    """What a monitor wants to know."""

    status: str
    items: int
    streams: int


# ---- who asks --------------------------------------------------------------------------------------------------------


async def sessions_of(request: Request) -> Sessions:
    """The sessions of the app."""
    return request.app.state.sessions


async def me(request: Request) -> str:
    """The id of the user who asks: from the token in the header or the cookie, and from nowhere else."""
    state, given = request.app.state, request.headers.get("authorization", "")
    token = given.removeprefix("Bearer ") if given else request.cookies.get(state.cookie, "")
    user_id = state.tokens.read(token)
    if user_id is None:
        raise Refused(401, "no valid token; POST /users makes one, for the header `Authorization: Bearer`")
    slow_down(request, user_id)
    return user_id


def slow_down(request: Request, key: str) -> None:
    """Raise Refused for who asks too often."""
    if wait := request.app.state.users.wait(key):
        raise Refused(429, "too many requests; wait, then send the same again", wait)


Me = Annotated[str, Depends(me)]
Here = Annotated[Sessions, Depends(sessions_of)]

# ---- the routes ------------------------------------------------------------------------------------------------------

routes = APIRouter()


@routes.post("/users", status_code=201)
async def make_user(request: Request, response: Response, cookie: bool = False) -> NewUser:
    """Make a user. With `cookie` the token goes into a cookie that no script can read, and whoever has one keeps it."""
    state = request.app.state
    if not cookie:
        return NewUser(token=state.tokens.make())
    token = state.tokens.make(state.tokens.read(request.cookies.get(state.cookie, "")))
    response.set_cookie(state.cookie, token, max_age=LIFETIME, httponly=True, samesite="strict")
    return NewUser(token=None)


@routes.get("/recommend")
async def recommend(
    request: Request,
    sessions: Here,
    q: Annotated[str | None, Query(max_length=MAX_WORDS, description="a sentence; needs no token")] = None,
    k: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Push:
    """The slate for a sentence, or for the user of the token."""
    if q is None:
        return await sessions.recommend(await me(request), k)
    slow_down(request, address_of(request.scope))
    return await sessions.answer(q, k)


@routes.post("/events")
async def record(new: NewEvent, user_id: Me, sessions: Here) -> Acknowledged:
    """Store an event, and answer when it is on the disk; sent again with the same event_id, it is still one event."""
    timestamp = int(time.time()) if new.timestamp is None else new.timestamp
    event = Event(new.event_id, user_id, new.item_id, new.kind, new.value, timestamp)
    return Acknowledged(position=await sessions.record(event))


@routes.get("/stream", response_class=StreamingResponse)
async def stream(request: Request, user_id: Me, sessions: Here, last_event_id: Annotated[str, Header()] = ""):
    """Server-sent events: now, and whenever an event changes it, the user's slate, with its position as the id.

    When the disk is slow, a slate comes before the event that it names as `pending` is stored. It has no id then, so that
    who comes back after a crash gets the slate of what is stored. The acknowledgement is the answer to POST /events.
    """
    limits = request.app.state.limits
    if sessions.watchers(user_id) >= limits.user_streams or sessions.watchers() >= limits.streams:
        raise Refused(429, "too many open streams; close one, then try again", RETRY)
    seen = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 20 else None
    return StreamingResponse(lines(sessions.watch(user_id, seen)), media_type="text/event-stream")


@routes.delete("/users/me")
async def forget(user_id: Me, sessions: Here) -> Forgotten:
    """Delete all events of the user for good. The token goes on as that of somebody of whom nothing is known."""
    return Forgotten(events=await sessions.forget(user_id))


@routes.get("/health")
async def health(sessions: Here) -> Health:
    """That the server answers, and what it recommends from."""
    return Health(status="ok", items=len(sessions.lab.catalog), streams=sessions.watchers())


async def lines(pushes: AsyncIterator[Push | None]) -> AsyncIterator[str]:
    """Pushes as server-sent events; a comment where there was none for a while."""
    yield f"retry: {AGAIN}\n\n"
    async for push in pushes:
        yield ": nothing new\n\n" if push is None else f"id: {'' if push.pending else push.position}\ndata: {push.line}\n\n"


# ---- what goes wrong -------------------------------------------------------------------------------------------------


async def refused(_, problem: Refused) -> Response:
    return problem.response()


async def bad_data(_, problem: DataError) -> Response:
    return Refused(422, str(problem)).response()


async def nothing_stored(_, problem: LogError) -> Response:
    """The reason, which names files of the server, goes to its own output."""
    logging.getLogger("uvicorn.error").error("%s", problem)
    return Refused(429, "nothing was stored: the event log can take nothing now; wait, then send it again", RETRY).response()


async def bad_shape(_, problem: RequestValidationError) -> Response:
    """The first thing that is wrong with a request, in one line."""
    first = problem.errors()[0]
    return Refused(422, f"{' '.join(map(str, first['loc']))}: {first['msg']}; /openapi.json has what is expected").response()


# ---- the app, and the server -----------------------------------------------------------------------------------------


def create_app(
    lab: Recommender, log: EventLog, secret: bytes, names: tuple[str, ...] = (), limits: Limits = DEFAULTS
) -> FastAPI:
    """The live page and its interface as an ASGI app.

    Args:
        lab: a Recommender.
        log: where events are kept; stays the caller's to close.
        secret: signs the tokens; see `load_secret`.
        names: host names of the server, beside localhost and bare addresses.
        limits: of sizes and rates.

    Returns:
        A FastAPI app.

    Example:
        >>> import tempfile, urllib.request
        >>> from llmrec_lab import load_encoder
        >>> from llmrec_lab.datasets.tiny import tiny_world
        >>> from llmrec_lab.event_log import SQLiteLog
        >>> lab = Recommender(tiny_world()[0], load_encoder("minilm"))
        >>> with SQLiteLog(tempfile.mkdtemp() + "/log.db") as log, running(create_app(lab, log, b"0" * 32)) as address:
        ...     urllib.request.urlopen(f"{address}/health").read()
        b'{"status":"ok","items":5,"streams":0}'
    """
    app = FastAPI(title="llmrec", version=__version__, docs_url=None, redoc_url=None)
    app.state.sessions, app.state.tokens = Sessions(lab, log), Tokens(secret)
    app.state.cookie = f"llmrec-{hashlib.sha256(secret).hexdigest()[:8]}"  # cookies know no ports: one name per secret
    app.state.limits, app.state.users = limits, TokenBuckets(limits.user_rate)
    app.include_router(routes)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    handlers = {Refused: refused, DataError: bad_data, LogError: nothing_stored, RequestValidationError: bad_shape}
    for problem, handler in handlers.items():
        app.add_exception_handler(problem, handler)
    app.add_middleware(Guard, names=names, limits=limits)
    return app


class Server(uvicorn.Server):
    """Ends the open streams when it stops: they would keep it waiting."""

    async def shutdown(self, sockets=None) -> None:
        self.config.app.state.sessions.close()
        await super().shutdown(sockets)


def make_server(app: FastAPI) -> Server:
    """A server for the app. It believes no header about where a request came from, and writes no log of requests."""
    quiet = {"log_level": "warning", "access_log": False, "server_header": False}
    return Server(uvicorn.Config(app, proxy_headers=False, ws="none", **quiet))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; 0 finds a free port.

    Raises:
        DataError: the address cannot be used.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=256)
        # asyncio sets this only for sockets that name their protocol, which this one does not. Without it the kernel holds
        # back an answer's body until its head is confirmed: 40 ms for every event.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError) as problem:
        if getattr(problem, "errno", None) == errno.EADDRINUSE:
            raise DataError(f"port {port} is in use, perhaps by another `llmrec serve`; pass --port {port + 1}") from None
        raise DataError(f"cannot serve at {host} port {port}: {problem}; pass another --host or --port") from None


def address(listening: socket.socket) -> str:
    """Where a socket listens, as one types it into a browser."""
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(lab: Recommender, log: EventLog, secret: bytes, listening: socket.socket, host: str) -> None:
    """Serve the live page at a socket until the process is interrupted.

    Args:
        lab, log, secret: as for `create_app`.
        listening: from `listen`.
        host: the name that it was opened with.
    """
    sys.setswitchinterval(SHARE)
    with threadpool_limits(1):  # a second thread for one slate would only be in the way of the next
        lab.recommend_text("the first sentence takes longest", 1)  # so that nobody waits for it
        gc.collect()
        gc.freeze()  # what is loaded stays: to look through it for garbage would hold up everybody for 70 ms
        print(f"the live page is at {address(listening)} (Ctrl+C stops it)", flush=True)
        with suppress(KeyboardInterrupt):
            make_server(create_app(lab, log, secret, (host,))).run([listening])


@contextmanager
def running(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve an app from a thread while the block runs, for notebooks and tests.

    Args:
        app: from `create_app`.
        port: on this machine; 0 finds a free one.

    Returns:
        The address.
    """
    server, listening = make_server(app), listen("127.0.0.1", port)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield address(listening)
    finally:
        server.should_exit = True
        thread.join()
