"""The server: what it acknowledged is stored, what it refuses it explains, and nothing that anybody sends is a 5xx."""

import asyncio
import http.client
import json
import re
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("fastapi", reason="[serve] is not installed: no server")
import httpx2
from starlette.testclient import TestClient

from benchmarks import load
from llmrec_lab import event_log, sessions
from llmrec_lab.datasets.tiny import tiny_world
from llmrec_lab.errors import DataError, LogError
from llmrec_lab.event_log import SQLiteLog
from llmrec_lab.guard import Limits
from llmrec_lab.recommender import Recommender
from llmrec_lab.serve import create_app, lines, listen, running
from llmrec_lab.sessions import Push
from llmrec_lab.tokens import LIFETIME, Tokens

SECRET = b"s" * 32
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"
SQL = "'; DROP TABLE events; --"


@pytest.fixture
def client(lab, log):
    """A client of the app without a network between them."""
    return TestClient(create_app(lab, log, SECRET), base_url="http://127.0.0.1")


@pytest.fixture
def address(lab, log):
    """Where a real server answers."""
    with running(create_app(lab, log, SECRET)) as address:
        yield address


def user(client):
    """The header of a new user."""
    return {"authorization": f"Bearer {client.post('/users').json()['token']}"}


def like(n=1, item="alien", **changes):
    return {"event_id": f"e{n}", "kind": "like", "item_id": item} | changes


def refused(answer, status, words):
    """Assert that a request was refused with a status and one line that has these words."""
    detail = answer.json()["detail"]
    assert answer.status_code == status, answer.text
    assert words in detail and "\n" not in detail and "Traceback" not in answer.text, detail


def titles(push):
    return [item["title"] for item in push["items"]]


# ---- what it does


def test_an_event_changes_the_next_slate(client, log):
    ann = user(client)
    before = client.get("/recommend?k=3", headers=ann).json()
    answer = client.post("/events", headers=ann, json=like(item=before["items"][0]["item_id"]))
    assert (answer.status_code, answer.json()) == (200, {"position": 1})
    after = client.get("/recommend?k=3", headers=ann).json()
    assert after["position"] == 1 and titles(after) != titles(before)


def test_the_answer_comes_after_the_event_is_on_the_disk(client, log):
    client.post("/events", headers=user(client), json=like())
    with sqlite3.connect(log.path) as other:
        assert other.execute("SELECT event_id, kind, item_id FROM events").fetchall() == [("e1", "like", "alien")]


def test_a_slate_has_the_exact_parts_of_its_scores(client):
    ann = user(client)
    client.post("/events", headers=ann, json=like(kind="describe", item_id="", value="ghosts and space"))
    push = client.get("/recommend", headers=ann).json()
    assert len(push["items"]) == 5
    for item in push["items"]:
        assert sum(reason["value"] for reason in item["reasons"]) == pytest.approx(item["score"], abs=5e-3)
    assert sum(interest["weight"] for interest in push["interests"]) == pytest.approx(1)


def test_a_sentence_needs_no_token_and_is_stored_nowhere(client, log):
    push = client.get("/recommend", params={"q": "ghosts of the woods", "k": 1}).json()
    assert len(push["items"]) == 1 and log.read() == []


def test_a_sentence_that_is_the_id_of_a_known_user_shows_nothing_of_that_user(client, lab):
    known = lab.interactions.frame["user_id"][0]
    as_text = [str(title) for title in lab.recommend_text(known, 5).titles]
    assert titles(client.get("/recommend", params={"q": known}).json()) == as_text


def test_the_interface_describes_itself_without_loading_anything_from_elsewhere(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/users", "/users/me", "/recommend", "/events", "/stream", "/health"}
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_the_server_says_that_it_is_well(client):
    assert client.get("/health").json() == {"status": "ok", "items": 5, "streams": 0}


def test_the_page_loads_nothing_from_elsewhere_and_has_no_script_or_style_in_its_text(client):
    page, script, style, icon = (client.get(f"/{name}").text for name in ("", "page.js", "page.css", "icon.svg"))
    elsewhere = set(re.findall(r"(?:\w+:)?//[\w.-]+", page + script + style + icon))
    assert elsewhere == {"http://www.w3.org"}  # the name of SVG, which nothing is loaded from
    assert re.findall(r"<script.*?>(.*?)</script>", page, re.S) == [""]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script)


def test_no_file_outside_the_page_is_served(client):
    for path in ("/../serve.py", "/%2e%2e/serve.py", "/..%2fserve.py", "//etc/passwd", "/index.html%00"):
        assert client.get(path).status_code in (400, 404), path


# ---- who asks


def expired(monkeypatch):
    """A token that was made a year and a second ago."""
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    token = Tokens(SECRET).make("ann")
    monkeypatch.setattr(time, "time", lambda: 1_700_000_001.0 + LIFETIME)
    return token


@pytest.mark.parametrize("kind", ["none", "empty", "bare id", "forged", "foreign", "expired"])
def test_without_a_good_token_of_this_server_nothing_is_read_or_written(client, log, monkeypatch, kind):
    good, foreign = Tokens(SECRET).make("ann"), Tokens(b"t" * 32).make("ann")
    token = {"empty": "", "bare id": "ann", "forged": good.replace("ann", "bob"), "foreign": foreign}.get(kind)
    token = expired(monkeypatch) if kind == "expired" else token
    headers = {} if kind == "none" else {"authorization": f"Bearer {token}"}
    answer = client.post("/events", headers=headers, json=like())
    refused(answer, 401, "POST /users makes one")
    assert answer.headers["www-authenticate"] == "Bearer"
    for method, path in (("GET", "/recommend"), ("GET", "/stream"), ("DELETE", "/users/me")):
        refused(client.request(method, path, headers=headers), 401, "POST /users makes one")
    assert log.read() == []


def test_nobody_reads_or_writes_the_events_of_another(client, log):
    ann, bob = user(client), user(client)
    client.post("/events", headers=ann, json=like())
    ann_s_id = log.read()[0][1].user_id
    refused(client.post("/events", headers=bob, json=like(2, user_id=ann_s_id)), 422, "user_id")
    client.get("/recommend", headers=bob, params={"user_id": ann_s_id})
    assert client.get(f"/recommend?user_id={ann_s_id}", headers=bob).json()["position"] == 0
    assert client.delete("/users/me", headers=bob).json() == {"events": 0}
    assert len(log.read()) == 1
    assert client.post("/events", headers=bob, json=like()).json() == {"position": 2}  # the same event_id is another event


def test_a_deleted_user_s_events_are_gone_for_good_and_nobody_else_s(client, log):
    ann, bob = user(client), user(client)
    client.post("/events", headers=ann, json=like(kind="describe", item_id="", value="secretwish about ghosts"))
    client.post("/events", headers=bob, json=like())
    assert client.delete("/users/me", headers=ann).json() == {"events": 1}
    assert client.get("/recommend", headers=ann).json()["position"] == 0
    assert [position for position, _ in log.read()] == [2]
    files = b"".join(file.read_bytes() for file in log.path.parent.iterdir())
    assert b"secretwish" not in files


def test_the_page_s_token_is_out_of_reach_of_scripts_and_other_sites(client):
    answer = client.post("/users?cookie=true")
    assert answer.json() == {"token": None}
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie


def test_who_has_a_cookie_stays_who_he_is(client):
    client.post("/users?cookie=true")
    client.post("/events", json=like())
    client.post("/users?cookie=true")
    assert client.get("/recommend").json()["position"] == 1


def test_servers_of_different_secrets_do_not_overwrite_each_other_s_cookies(lab, log):
    names = set()
    for secret in (SECRET, b"t" * 32):
        client = TestClient(create_app(lab, log, secret), base_url="http://127.0.0.1")
        names |= set(client.post("/users?cookie=true").cookies)
    assert len(names) == 2


def test_another_page_cannot_act_for_a_user(client, log):
    client.post("/users?cookie=true")
    for origin in ("http://evil.example", "http://127.0.0.1:8888", "null"):
        refused(client.post("/events", json=like(), headers={"origin": origin}), 403, "own page")
        refused(client.delete("/users/me", headers={"origin": origin}), 403, "own page")
    assert log.read() == []


# ---- bad data


@pytest.mark.parametrize(
    "change, words",
    [
        ({"kind": "adore"}, "use one of like, click, skip, less"),
        ({"item_id": "Solaris"}, "is not in the catalog"),
        ({"item_id": ""}, "the item_id came as ''"),
        ({"event_id": ""}, "the event_id came as ''"),
        ({"event_id": "x" * 10_000}, "characters"),
        ({"event_id": None}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"event_id": "\ud800"}, "event_id"),
        ({"kind": "rate", "value": 6}, "pass 0.5 to 5"),
        ({"kind": "rate", "value": float("nan")}, "came as nan"),
        ({"kind": "rate", "value": float("-inf")}, "came as -inf"),
        ({"kind": "rate", "value": "five"}, "came as 'five'"),
        ({"kind": "rate", "value": [5]}, "value"),
        ({"kind": "weigh", "item_id": "love", "value": 0.5}, "use one of"),
        ({"kind": "weigh", "item_id": "love", "value": 2}, "pass 0 to 1"),
        ({"kind": "describe", "item_id": "", "value": "  "}, "words of `describe`"),
        ({"kind": "describe", "item_id": "", "value": "x" * 3000}, "text of 1 to 2000 characters"),
        ({"kind": "describe", "item_id": "", "value": "half \ud800"}, "valid Unicode"),
        ({"kind": "describe", "value": "ghosts"}, "words belong to no item"),
        ({"kind": "say", "item_id": "", "value": "less"}, "names nothing"),
        ({"timestamp": -1}, "integer seconds"),
        ({"timestamp": 10**15}, "integer seconds"),
        ({"timestamp": "now"}, "timestamp"),
        ({"unknown": 1}, "unknown"),
        ({"\ud800\x00\n": 1}, "/openapi.json has what is expected"),
    ],
    ids=lambda value: ascii(value)[:50] if isinstance(value, dict) else "",
)
def test_an_event_that_cannot_be_meant_is_explained_and_not_stored(client, log, change, words):
    headers = user(client) | {"content-type": "application/json"}
    refused(client.post("/events", headers=headers, content=json.dumps(like() | change)), 422, words)
    assert log.read() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"like"',
        b"\xff\xfe",
        b"[" * 16_000,
        b'{"value": ' + b"1" * 16_000 + b"}",
        b'{"value": 1e999}',
    ],
    ids=lambda body: ascii(body[:12]),
)
def test_a_body_that_is_no_event_is_explained(client, log, body):
    answer = client.post("/events", headers=user(client) | {"content-type": "application/json"}, content=body)
    assert answer.status_code in (400, 422) and answer.json()["detail"] and log.read() == []


@pytest.mark.parametrize("text", [MARKUP, SQL, "\x00", "🎬" * 100, "\u202eevil", "%00", "..\\..", "{{7*7}}"], ids=ascii)
def test_markup_and_sql_in_any_field_are_data(client, log, text):
    ann = user(client)
    events = [like(n, **{field: text}) for n, field in enumerate(("kind", "item_id", "value", "timestamp"))]
    events += [like(event_id=text), like(9, kind="describe", item_id="", value=text), like(10)]
    answers = [client.post("/events", headers=ann, json=event) for event in events]
    answers += [client.get("/recommend", params={field: text}, headers=ann) for field in ("q", "k")]
    answers += [client.get("/recommend", headers=ann | {"x-forwarded-for": text.encode(), "last-event-id": text.encode()})]
    for answer in answers:
        assert answer.status_code in (200, 422) and answer.headers["content-type"] == "application/json"
    log.check()
    stored = {one.event_id: one for _, one in log.read()}
    taken = [event for event, answer in zip(events, answers) if answer.status_code == 200]
    assert [event["event_id"] for event in taken] == list(stored) and "e10" in stored
    assert "e9" not in stored or stored["e9"].value == text


def test_a_bad_question_is_explained(client):
    ann = user(client)
    for query in ("k=0", "k=-1", "k=101", "k=ten", "k=1e9", f"q={'x' * 3000}", "q=", "q=%00"):
        answer = client.get(f"/recommend?{query}", headers=ann)
        assert answer.status_code == 422 and answer.json()["detail"], query


def test_more_than_there_is_may_be_asked_for(client):
    assert len(client.get("/recommend?k=100", headers=user(client)).json()["items"]) == 5


# ---- events that come twice, late, or never


def test_an_event_sent_again_is_one_event(client, log):
    ann = user(client)
    assert [client.post("/events", headers=ann, json=like()).json() for _ in range(3)] == [{"position": 1}] * 3
    assert len(log.read()) == 1


def test_an_id_that_was_used_for_another_event_is_refused(client, log):
    ann = user(client)
    client.post("/events", headers=ann, json=like())
    refused(client.post("/events", headers=ann, json=like(item="totoro")), 422, "was used for another event")
    assert [one.item_id for _, one in log.read()] == ["alien"]


def test_the_order_of_arrival_counts_whatever_the_clocks_say(client, log, monkeypatch):
    ann = user(client)
    for n, timestamp in enumerate([1_700_000_000, 0, 1_800_000_000, 5]):
        assert client.post("/events", headers=ann, json=like(n, timestamp=timestamp)).json() == {"position": n + 1}
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)  # the server's own clock is set back
    assert client.post("/events", headers=ann, json=like(4)).json() == {"position": 5}
    assert [one.event_id for _, one in log.read()] == ["e0", "e1", "e2", "e3", "e4"]


# ---- a log that can take nothing, and too much of everything


@contextmanager
def full(log):
    log.writing.execute("PRAGMA max_page_count = 1")  # as many as there are
    yield
    log.writing.execute("PRAGMA max_page_count = 100000")


@contextmanager
def read_only(log):
    log.writing.execute("PRAGMA query_only = ON")
    yield
    log.writing.execute("PRAGMA query_only = OFF")


@contextmanager
def locked(log):
    other = sqlite3.connect(log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


def wish(n):
    return like(n, kind="describe", item_id="", value="ghosts and space " * 100)


@pytest.mark.parametrize("broken, reason", [(full, "disk is full"), (read_only, "may not be written"), (locked, "locked")])
def test_a_log_that_can_take_nothing_loses_nothing_and_says_wait(lab, tmp_path, monkeypatch, caplog, broken, reason):
    monkeypatch.setattr(event_log, "PATIENCE", 0.1)
    with SQLiteLog(tmp_path / "events.db") as log:
        client = TestClient(create_app(lab, log, SECRET), base_url="http://127.0.0.1")
        ann = user(client)
        client.post("/events", headers=ann, json=wish(0))
        with broken(log):
            answers = [client.post("/events", headers=ann, json=wish(n)) for n in range(1, 8)]
            assert client.get("/recommend", headers=ann).status_code == 200
        acknowledged = ["e0"] + [f"e{n}" for n, answer in enumerate(answers, 1) if answer.status_code == 200]
        assert [one.event_id for _, one in log.read()] == acknowledged
        refused(answers[-1], 429, "nothing was stored")
        assert answers[-1].headers["retry-after"] == "5" and str(tmp_path) not in answers[-1].text
        assert reason in caplog.text  # who runs the server learns why
        assert client.post("/events", headers=ann, json=wish(7)).json() == {"position": len(acknowledged) + 1}
        log.check()


class Broken:
    """A log that can neither store nor read."""

    def __init__(self, problem):
        self.problem = problem

    def submit(self, event):
        done = Future()
        done.set_exception(self.problem)
        return done

    def read(self, *_, **__):
        raise self.problem

    forget = read


def test_a_log_that_cannot_even_be_read_says_so_everywhere(lab):
    client = TestClient(create_app(lab, Broken(LogError("gone")), SECRET), base_url="http://127.0.0.1")
    ann = user(client)
    for answer in (
        client.post("/events", headers=ann, json=like()),
        client.get("/recommend", headers=ann),
        client.delete("/users/me", headers=ann),
    ):
        refused(answer, 429, "can take nothing now")


def test_a_flood_of_one_user_is_slowed_down_and_nobody_else_is(lab, log):
    app = create_app(lab, log, SECRET, limits=Limits(user_rate=2))
    client = TestClient(app, base_url="http://127.0.0.1")
    ann, bob = user(client), user(client)
    answers = [client.post("/events", headers=ann, json=like(n)) for n in range(30)]
    taken = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    assert taken[:4] == [0, 1, 2, 3] and len(taken) < 30
    too_many = next(answer for answer in answers if answer.status_code != 200)
    refused(too_many, 429, "wait, then send the same again")
    assert int(too_many.headers["retry-after"]) >= 1
    assert client.post("/events", headers=bob, json=like()).status_code == 200
    assert [one.event_id for _, one in log.read()] == [*(f"e{n}" for n in taken), "e1"]


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
def test_a_body_of_100_megabytes_is_refused_and_a_client_that_sends_all_of_it_reads_why(address, log, announced):
    megabyte = b"x" * 1_000_000
    headers = user(httpx2.Client(base_url=address)) | {"content-type": "application/json"}
    client = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    content = megabyte * 100 if announced else (megabyte for _ in range(100))
    client.request("POST", "/events", content, headers, encode_chunked=not announced)
    answer = client.getresponse()
    assert answer.status == 413 and "larger than 16,384 bytes" in json.load(answer)["detail"]
    client.close()
    assert httpx2.post(f"{address}/events", headers=headers, json=like()).status_code == 200
    assert len(log.read()) == 1


def test_a_client_that_leaves_in_the_middle_of_a_body_does_no_harm(address, log):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(f"POST /events HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert httpx2.get(f"{address}/health").status_code == 200 and log.read() == []


def test_whatever_is_no_http_at_all_does_no_harm(address):
    host, port = address.removeprefix("http://").split(":")
    for noise in (
        b"\x00" * 1000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /events HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET " + b"/" * 99_999,
    ):
        with socket.create_connection((host, int(port)), timeout=10) as strange:
            strange.sendall(noise)
            strange.shutdown(socket.SHUT_WR)
            assert b" 5" not in strange.recv(1000)[:12]
    assert httpx2.get(f"{address}/health").status_code == 200


# ---- the stream


@contextmanager
def watching(address, headers, **more):
    """The pushes of a stream, one after the other."""
    with httpx2.stream("GET", f"{address}/stream", headers=headers | more, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        yield (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: "))


def test_an_event_is_pushed_to_every_open_tab(address):
    with httpx2.Client(base_url=address) as client:
        ann = user(client)
        with watching(address, ann) as one, watching(address, ann) as other:
            before = next(one), next(other)
            client.post("/events", headers=ann, json=like(item=before[0]["items"][0]["item_id"]))
            after = next(one), next(other)
        assert before[0] == before[1] and after[0] == after[1]
        assert after[0]["position"] == 1 and titles(after[0]) != titles(before[0])
        assert after[0] == client.get("/recommend", headers=ann).json()


def test_a_push_is_a_server_sent_event_with_its_position_as_the_id(address):
    ann = user(httpx2.Client(base_url=address))
    with httpx2.stream("GET", f"{address}/stream", headers=ann) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert [next(lines).split(":")[0] for _ in range(5)] == ["retry", "", "id", "data", ""]


def test_a_slate_whose_event_is_not_stored_yet_has_no_id():
    async def scene():
        async def pushes():
            yield Push(3, (), (), "e1")

        return [text async for text in lines(pushes())]

    _, early = asyncio.run(scene())
    assert early.startswith("id: \n") and '"position": 3' in early and '"pending": "e1"' in early


def test_an_answer_is_not_held_back_until_its_first_packet_is_confirmed():
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_browser_that_comes_back_gets_only_what_it_missed(address):
    with httpx2.Client(base_url=address) as client:
        ann = user(client)
        client.post("/events", headers=ann, json=like(1))
        with (
            watching(address, ann, **{"last-event-id": "1"}) as has,
            watching(address, ann, **{"last-event-id": "0"}) as lacks,
        ):
            assert next(lacks)["position"] == 1
            client.post("/events", headers=ann, json=like(2, "totoro"))
            assert next(has)["position"] == 2


def test_a_strange_last_event_id_is_none(address):
    ann = user(httpx2.Client(base_url=address))
    for number in ("x", "-1", "9" * 99, "٣"):
        with watching(address, ann, **{"last-event-id": number.encode()}) as pushes:
            assert next(pushes)["position"] == 0


def test_a_stream_without_news_says_that_it_is_alive(address, monkeypatch):
    monkeypatch.setattr(sessions, "HEARTBEAT", 0.05)
    with httpx2.stream("GET", f"{address}/stream", headers=user(httpx2.Client(base_url=address))) as answer:
        assert any(line.startswith(":") for line in answer.iter_lines())


def test_the_number_of_open_streams_is_bounded_for_a_user_and_for_all(lab, log):
    with running(create_app(lab, log, SECRET, limits=Limits(user_streams=2, streams=3))) as address:
        with httpx2.Client(base_url=address) as client, ExitStack() as tabs:
            ann, bob, eve = (user(client) for _ in range(3))
            opened = []
            for who, next_one in ((ann, None), (ann, ann), (bob, eve)):
                opened.append(tabs.enter_context(watching(address, who)))
                assert next(opened[-1])["position"] == 0
                if next_one:
                    refused(client.get("/stream", headers=next_one), 429, "too many open streams")


def test_a_stream_that_was_left_frees_its_place(address):
    with httpx2.Client(base_url=address) as client:
        with watching(address, user(client)) as pushes:
            next(pushes)
            assert client.get("/health").json()["streams"] == 1
        for _ in range(200):
            if not client.get("/health").json()["streams"]:
                return
            time.sleep(0.05)
    raise AssertionError("the stream is still counted")


def test_a_server_that_stops_ends_its_streams(lab, log):
    with running(create_app(lab, log, SECRET)) as address:
        stream = httpx2.stream("GET", f"{address}/stream", headers=user(httpx2.Client(base_url=address)), timeout=20)
        lines = stream.__enter__().iter_lines()
        next(lines)
    assert list(lines)[-1] == ""
    stream.__exit__(None, None, None)


# ---- start and restart


def test_importing_the_library_and_its_recommender_imports_no_server():
    code = "import sys; from llmrec_lab import Recommender; print([n for n in ('fastapi', 'uvicorn') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_restart_loses_nothing_and_tokens_stay_good(lab, tmp_path):
    pushes = []
    for _ in range(2):
        with SQLiteLog(tmp_path / "events.db") as log:
            client = TestClient(create_app(lab, log, SECRET), base_url="http://127.0.0.1")
            if not pushes:
                ann = user(client)
                client.post("/events", headers=ann, json=like(1, kind="describe", item_id="", value="ghosts and space"))
                client.post("/events", headers=ann, json=like(2))
            pushes.append(client.get("/recommend", headers=ann).json())
    assert pushes[0] == pushes[1] and pushes[0]["position"] == 2


def test_a_port_in_use_is_named_with_what_to_do():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(DataError, match=f"port {port} is in use, .* pass --port {port + 1}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    "host, port", [("256.1.1.1", 0), ("127.0.0.1", 70_000), ("127.0.0.1", -1), ("no such host", 0), ("8.8.8.8", 0)]
)
def test_an_address_that_cannot_be_served_is_refused(host, port):
    with pytest.raises(DataError, match="pass another --host or --port"):
        listen(host, port)


def test_an_app_without_fit_serves_from_texts_alone(log, word_counts):
    client = TestClient(create_app(Recommender(tiny_world()[0], word_counts), log, SECRET), base_url="http://127.0.0.1")
    ann = user(client)
    client.post("/events", headers=ann, json=like())
    assert len(client.get("/recommend", headers=ann).json()["items"]) == 4


def test_the_load_benchmark_times_every_event_and_loses_none(address, log):
    items, words, answers = asyncio.run(load.load(address, 9, 3))
    assert len(items.pushed) == 9 and len(words.pushed) == 2
    assert min(items.pushed + items.acknowledged + words.pushed) > 0
    assert sorted(answer.position for answer in answers) == [position for position, _ in log.read()] == list(range(1, 15))
