"""The guard: strangers, floods, and large bodies do not reach the routes, and every answer protects the page."""

import asyncio
import time

import pytest

pytest.importorskip("starlette", reason="[serve] is not installed: no server")
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from llmrec_lab import guard
from llmrec_lab.guard import Guard, Limits, TokenBuckets


def client(address="http://127.0.0.1", **settings):
    """A client of an app that says how many bytes it was sent."""

    async def count(request):
        return PlainTextResponse(str(len(await request.body())))

    app = Starlette(routes=[Route("/", count, methods=["GET", "POST", "DELETE"])])
    return TestClient(Guard(app, **settings), base_url=address)


# Hosts and pages


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "192.168.1.7"])
def test_an_address_and_localhost_are_ours(host):
    assert client().get("/", headers={"host": host}).status_code == 200


def test_a_name_of_ours_is_ours():
    assert client(names=("Lab.example",)).get("/", headers={"host": "lab.example:80"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:8000", "[::1", "a b"]
)
def test_a_stranger_s_name_for_this_address_is_refused(host):
    answer = client().get("/", headers={"host": host})
    assert answer.status_code == 400 and "use the address that the server printed" in answer.json()["detail"]


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:8888", "https://127.0.0.1", "http://127.0.0.1.evil.example"],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_only_our_own_page_may_change_something(origin, method):
    answer = client().request(method, "/", headers={"origin": origin})
    assert answer.status_code == 403 and "only this server's own page" in answer.json()["detail"]


def test_our_own_page_and_programs_may_change_something():
    assert client().post("/", headers={"origin": "http://127.0.0.1"}).status_code == 200
    assert client().post("/").status_code == 200


def test_no_other_page_may_read_an_answer():
    answer = client().get("/", headers={"origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    asked = client().options("/", headers={"origin": "http://evil.example", "access-control-request-method": "POST"})
    assert asked.status_code == 405 and not [name for name in asked.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_every_answer_has_the_headers_that_protect_the_page(host):
    headers = client().get("/", headers={"host": host}).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"


# Bodies


def test_a_body_within_the_limit_arrives_whole():
    assert client(limits=Limits(body=1000)).post("/", content=b"x" * 1000).text == "1000"
    assert client(limits=Limits(body=1000)).post("/", content=iter([b"x" * 400, b"", b"x" * 600])).text == "1000"


def chunks(count):
    for _ in range(count):
        yield b"x" * 1000


@pytest.mark.parametrize("content", [b"x" * 1001, chunks(2)], ids=["of known size", "in chunks"])
def test_a_larger_body_is_refused(content):
    answer = client(limits=Limits(body=1000)).post("/", content=content)
    assert answer.status_code == 413 and "larger than 1,000 bytes" in answer.json()["detail"]


def run(receive, limits=guard.DEFAULTS):
    """The status that a POST with this `receive` gets, and what was read of it."""
    sent, scope = [], {"type": "http", "method": "POST", "path": "/", "scheme": "http", "client": None}

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(app, limits=limits)(scope | {"headers": [(b"host", b"localhost")]}, receive, send))
    return sent[0]["status"]


def test_a_body_that_never_ends_is_read_no_further_than_the_limit():
    read = []

    async def receive():
        read.append(1)
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    assert run(receive) == 413 and len(read) == 17


def test_a_body_that_does_not_come_is_not_waited_for_long():
    async def receive():
        await asyncio.sleep(60)

    began = time.monotonic()
    assert run(receive, Limits(seconds=0.05)) == 408
    assert time.monotonic() - began < 30


def test_a_connection_that_breaks_off_is_no_request():
    messages = [{"type": "http.request", "body": b'{"a": 1}', "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    assert run(receive) == 400


# Rates


def test_an_address_that_asks_too_often_is_told_when_to_come_back():
    answers = [client_.get("/") for client_ in [client(limits=Limits(address_rate=2))] for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert answers[-1].headers["retry-after"] == "1" and "wait" in answers[-1].json()["detail"]


def test_a_bucket_fills_at_its_rate_and_holds_two_seconds():
    now = [0.0]
    buckets = TokenBuckets(5, clock=lambda: now[0])
    assert [buckets.wait("ann") > 0 for _ in range(11)] == [False] * 10 + [True]
    now[0] = 0.4
    assert [buckets.wait("ann") > 0 for _ in range(3)] == [False, False, True]
    now[0] = 1000.0
    assert [buckets.wait("ann") > 0 for _ in range(11)] == [False] * 10 + [True]


def test_who_is_refused_does_not_wait_longer_for_asking():
    now = [0.0]
    buckets = TokenBuckets(1, clock=lambda: now[0])
    waits = [buckets.wait("ann") for _ in range(50)]
    assert waits[2:] == [1.0] * 48


def test_buckets_of_many_keys_do_not_fill_the_memory():
    buckets = TokenBuckets(1, size=10)
    for n in range(1000):
        buckets.wait(str(n))
    assert len(buckets.levels) == 10
