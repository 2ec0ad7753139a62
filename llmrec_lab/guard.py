"""What stands before the routes: whom the server listens to, how much, and how often. Knows nothing about recommending."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from llmrec_lab.text import clean

READS = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Limits:
    """How much one server takes.

    Args:
        body: bytes of a request's body.
        seconds: for a body to arrive.
        user_rate: events per second that a user may send for long; twice as many at once.
        address_rate: requests per second of one address; twice as many at once. A classroom may share an address.
        user_streams: open streams of a user.
        streams: open streams of all users.
    """

    body: int = 16_384
    seconds: float = 10.0
    user_rate: float = 20.0
    address_rate: float = 200.0
    user_streams: int = 20
    streams: int = 1000


DEFAULTS = Limits()


class Refused(Exception):
    """A request that is not served: the status, and why in a sentence."""

    def __init__(self, status: int, detail: str, wait: float = 0.0):
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = {"Retry-After": str(math.ceil(wait))} if wait else {}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"

    def response(self) -> JSONResponse:
        """The refusal as an answer in JSON."""
        return JSONResponse({"detail": clean(self.detail)[:500]}, self.status, self.headers)


class TokenBuckets:
    """A bucket for every key that fills at a rate; whoever finds it empty has to wait.

    Args:
        rate: tokens per second; a bucket holds those of two seconds, at least one.
        clock: seconds that never go backwards.
        size: buckets that are kept; the ones used longest ago are dropped, and would be full again mostly.

    Example:
        >>> now = [0.0]
        >>> buckets = TokenBuckets(rate=1, clock=lambda: now[0])
        >>> buckets.wait("ann"), buckets.wait("ann"), buckets.wait("ann"), buckets.wait("bob")
        (0.0, 0.0, 1.0, 0.0)
        >>> now[0] = 1.0
        >>> buckets.wait("ann")
        0.0
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic, size: int = 10_000):
        self.rate, self.clock, self.size = rate, clock, size
        self.levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when there were so many

    def wait(self, key: str) -> float:
        """Take a token, and return 0; or return the seconds until there is one."""
        now, full = self.clock(), max(1.0, 2 * self.rate)
        tokens, then = self.levels.pop(key, (full, now))
        tokens = min(full, tokens + (now - then) * self.rate)
        self.levels[key] = (tokens - (tokens >= 1), now)
        if len(self.levels) > self.size:
            self.levels.popitem(last=False)
        return 0.0 if tokens >= 1 else (1 - tokens) / self.rate


class Guard:
    """ASGI middleware that refuses strangers, floods, and large bodies, and adds the headers that protect a page.

    A host that is a name must be one of ours: a stranger's page may have its own name point at this address (DNS
    rebinding), but cannot make a browser send another name, or a bare address. What changes something must come from our own
    page, or from no page at all (the Origin header): so no other page can act for a user whose browser has a cookie.

    Args:
        app: what is protected.
        names: the host names of this server, beside bare addresses and localhost.
        limits: of bodies and rates.
    """

    def __init__(self, app, names: tuple[str, ...] = (), limits: Limits = DEFAULTS):
        self.app, self.limits = app, limits
        self.names = {"localhost", *map(str.lower, names)}
        self.addresses = TokenBuckets(limits.address_rate)

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        try:
            self.admit(scope)
            body = await self.body(receive)
        except Refused as refused:
            return await refused.response()(scope, receive, with_headers(send))
        await self.app(scope, replayed(body, receive), with_headers(send))

    def admit(self, scope) -> None:
        """Raise Refused for a request of a stranger, or of an address that asks too often."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self.ours(host):
            raise Refused(400, f"the host came as {host!r:.60}; use the address that the server printed")
        if origin is not None and scope["method"] not in READS and origin != f"{scope['scheme']}://{host}":
            raise Refused(403, f"the request came from a page of {origin!r:.60}; only this server's own page may send it")
        if wait := self.addresses.wait(address_of(scope)):
            raise Refused(429, "too many requests from this address; wait, then send the same again", wait)

    def ours(self, host: str) -> bool:
        """Whether a Host header names this server, or is a bare address."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self.names or bool(ip_address(name))
        except ValueError:
            return False

    async def body(self, receive: Callable) -> bytes:
        """The whole body of a request; Refused as soon as more has come than is allowed, whatever its header announced."""
        body, more = b"", True
        try:
            async with asyncio.timeout(self.limits.seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "the connection was closed before the whole body had arrived")
                    body, more = body + message.get("body", b""), message.get("more_body", False)
                    if len(body) > self.limits.body:
                        raise Refused(413, f"the body is larger than {self.limits.body:,} bytes; an event is much smaller")
        except TimeoutError:
            raise Refused(408, f"the body did not arrive within {self.limits.seconds:g} seconds; send it again") from None
        return body


def address_of(scope) -> str:
    """Where a request came from."""
    return scope["client"][0] if scope["client"] else ""


def replayed(body: bytes, receive: Callable) -> Callable:
    """A `receive` that gives the body first, and then what comes after it."""
    messages = [{"type": "http.request", "body": body}]

    async def again() -> dict:
        return messages.pop() if messages else await receive()

    return again


def with_headers(send: Callable) -> Callable:
    """A `send` that adds the headers of every answer."""

    async def sending(message: dict) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sending
