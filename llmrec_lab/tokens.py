"""Signed tokens that say who somebody is. Knows nothing about what they may do with it.

A token is a random user id, the time, and a signature (HMAC with SHA-256) that only the holder of the secret can make. So
nothing is stored for a user who has done nothing yet, and whoever makes up an id has no signature for it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import tempfile
import time
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner

from llmrec_lab.errors import AssetError

SECRET_BYTES = 32
LIFETIME = 365 * 24 * 3600  # seconds a token is good for


class Tokens:
    """Makes and reads the tokens of one secret.

    Args:
        secret: 32 random bytes; tokens of another secret are refused.

    Example:
        >>> tokens = Tokens(b"0" * 32)
        >>> tokens.read(tokens.make("ann")), tokens.read("bob.aUqVzQ.forged")
        ('ann', None)
    """

    def __init__(self, secret: bytes):
        self.signer = TimestampSigner(secret, salt="llmrec user", digest_method=hashlib.sha256)

    def make(self, user_id: str | None = None) -> str:
        """A token for a user, made now; for a new user with a random id if none is named."""
        return self.signer.sign(user_id or secrets.token_urlsafe(16)).decode()

    def read(self, token: str) -> str | None:
        """The user id of a token; None if it is forged, of another secret, or a year old."""
        try:
            user_id, made = self.signer.unsign(token, return_timestamp=True)
        except (BadSignature, UnicodeError):
            return None
        # Not `unsign(max_age=)`: that also refuses tokens of the future, so that a clock set back would lock everybody out.
        return user_id.decode() if time.time() - made.timestamp() <= LIFETIME else None


def load_secret(path: Path) -> bytes:
    """The secret in a file; made, readable by its owner only, if it is not there.

    Args:
        path: the file.

    Returns:
        32 bytes.

    Raises:
        AssetError: others may read the file, or it is damaged.

    Example:
        >>> path = Path(tempfile.mkdtemp()) / "secret"
        >>> load_secret(path) == load_secret(path), oct(path.stat().st_mode & 0o777)
        (True, '0o600')
    """
    if not path.exists():
        make_secret(path)
    with open(path, "rb") as stream:
        refuse_shared(path, os.fstat(stream.fileno()))
        secret = stream.read()
    if len(secret) != SECRET_BYTES:
        raise AssetError(f"{path} has {len(secret)} bytes, expected {SECRET_BYTES}; delete it, and every user starts anew")
    return secret


def make_secret(path: Path) -> None:
    """Write a new secret; of several processes that do so at once, one wins, and nobody ever sees half a secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="secret-") as stream:  # opened with O_EXCL and mode 0600
        stream.write(secrets.token_bytes(SECRET_BYTES))
        stream.flush()
        os.fsync(stream.fileno())
        try:
            os.link(stream.name, path)  # like O_EXCL, it fails if the file is there
        except FileExistsError:
            pass


def refuse_shared(path: Path, found: os.stat_result) -> None:
    """Raise AssetError if anybody but us may read or change the file (where the system has such rights)."""
    if not hasattr(os, "getuid"):
        return
    if found.st_uid != os.getuid():
        raise AssetError(f"{path} belongs to another user; name a log in a folder of your own with --log")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise AssetError(f"{path} may be read by others, who could then pass for any user; run: chmod 600 {path}")
