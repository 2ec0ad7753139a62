"""Tokens: only who has the secret makes one, and only its owner reads the secret."""

import os
import threading
import time

import pytest

from llmrec_lab import tokens as module
from llmrec_lab.errors import AssetError

pytest.importorskip("itsdangerous", reason="[serve] is not installed: no tokens")
from llmrec_lab.tokens import LIFETIME, Tokens, load_secret

SECRET = b"s" * 32


@pytest.fixture
def tokens():
    return Tokens(SECRET)


def at(monkeypatch, seconds):
    """Set the clock."""
    monkeypatch.setattr(time, "time", lambda: seconds)


def test_a_token_names_its_user(tokens):
    assert tokens.read(tokens.make("ann")) == "ann"


def test_new_users_have_ids_that_nobody_can_guess(tokens):
    ids = {tokens.read(tokens.make()) for _ in range(100)}
    assert len(ids) == 100 and min(map(len, ids)) >= 20


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token.replace("ann", "bob"),
        lambda token: token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:],
        lambda token: token.rsplit(".", 1)[0],
        lambda token: "ann",
        lambda token: "",
        lambda token: "..",
        lambda token: "é.\udcff." * 1000,
        lambda token: token + "\x00",
        lambda token: Tokens(b"t" * 32).make("ann"),
    ],
    ids=[
        "another user",
        "another signature",
        "no signature",
        "bare id",
        "empty",
        "dots",
        "garbage",
        "NUL",
        "foreign secret",
    ],
)
def test_a_token_that_was_not_made_here_is_refused(tokens, change):
    assert tokens.read(change(tokens.make("ann"))) is None


def test_a_token_is_good_for_a_year(tokens, monkeypatch):
    at(monkeypatch, 1_700_000_000)
    token = tokens.make("ann")
    at(monkeypatch, 1_700_000_000 + LIFETIME)
    assert tokens.read(token) == "ann"
    at(monkeypatch, 1_700_000_001 + LIFETIME)
    assert tokens.read(token) is None


def test_a_clock_that_was_set_back_locks_nobody_out(tokens, monkeypatch):
    at(monkeypatch, 1_700_000_000)
    token = tokens.make("ann")
    at(monkeypatch, 1_600_000_000)
    assert tokens.read(token) == "ann"


# The secret


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "new" / "events.secret"
    secret = load_secret(path)
    assert len(secret) == 32 and load_secret(path) == secret
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["events.secret"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_secret_that_others_may_read_or_write_is_refused(tmp_path, mode):
    path = tmp_path / "secret"
    load_secret(path)
    path.chmod(mode)
    with pytest.raises(AssetError, match="could then pass for any user; run: chmod 600"):
        load_secret(path)


def test_a_secret_of_another_user_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    load_secret(path)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(AssetError, match="belongs to another user; name a log in a folder of your own"):
        load_secret(path)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_secret_is_refused(tmp_path, content):
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(AssetError, match=f"has {len(content)} bytes, expected 32; delete it"):
        load_secret(path)


def test_processes_that_start_together_get_the_same_secret(tmp_path, monkeypatch):
    path, together, found = tmp_path / "secret", threading.Barrier(8), []  # all have seen that there is none
    make = module.make_secret
    monkeypatch.setattr(
        module, "make_secret", lambda path: (together.wait(10), make(path))
    )  # all have seen that none is there
    threads = [threading.Thread(target=lambda: found.append(load_secret(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
