"""Download a data set by name, resuming what was cut off, verified by sha256. Knows nothing about what the files mean.

Only files whose hash is known beforehand are offered. MovieLens is for research and not for commercial use.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from llmrec_lab.assets import ASSETS, CHUNK, home, sha256_of
from llmrec_lab.datasets.films import CITATION
from llmrec_lab.errors import AssetError

GROUPLENS = "https://files.grouplens.org/datasets/movielens/"
TERMS = f"{ASSETS['movielens'].license}\n{CITATION}"
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")  # such as `bytes 1000-4999/5000`
SECONDS_OF_SILENCE = 30  # a server that says nothing for so long is given up


@dataclass(frozen=True)
class Download:
    """One file on the web: its address, its size in bytes, and what it must hash to."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


# Sizes and hashes: TensorFlow Datasets, tensorflow_datasets/url_checksums/movielens.txt; the same hashes are in
# github.com/ankane/disco-cli, src/download.rs, from where that of ml-32m is, which other projects found independently.
# No two sources could be found for the files of Amazon Reviews 2023: download those by hand and pass their path.
DOWNLOADS = {
    "ml-100k": Download(
        GROUPLENS + "ml-100k.zip", 4_924_029, "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
    ),
    "ml-1m": Download(
        GROUPLENS + "ml-1m.zip", 5_917_549, "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"
    ),
    "ml-latest-small": Download(  # the edition of September 2018
        GROUPLENS + "ml-latest-small.zip", 978_202, "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436"
    ),
    "ml-25m": Download(
        GROUPLENS + "ml-25m.zip", 261_978_986, "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa"
    ),
    "ml-32m": Download(
        GROUPLENS + "ml-32m.zip", 238_950_008, "e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee"
    ),
}


def download(name: str, folder: str | Path | None = None, progress: bool = True) -> Path:
    """The path of a verified data set; it is fetched if it is not there yet.

    What was cut off or interrupted goes on where it stopped. Several processes may ask for the same file: one fetches it.

    Args:
        name: a key of DOWNLOADS, such as `ml-1m`.
        folder: where the file is kept; `downloads` in the cache folder if left out.
        progress: show the terms of use and a progress bar on standard error.

    Returns:
        The path of a .zip file; `llmrec_lab.datasets.formats.load_dataset` reads it.

    Raises:
        AssetError: the name is unknown, there is no network or no room, or the file does not have its hash.

    Source:
        Harper and Konstan 2015, doi 10.1145/2827872.

    Example:
        >>> download("ml-3m")
        Traceback (most recent call last):
        llmrec_lab.errors.AssetError: no download 'ml-3m'; there are ml-100k, ml-1m, ml-latest-small, ml-25m, ml-32m
    """
    if name not in DOWNLOADS:
        raise AssetError(f"no download {name!r}; there are {', '.join(DOWNLOADS)}")
    wanted = DOWNLOADS[name]
    target = Path(folder or home() / "downloads").expanduser() / wanted.name
    with explained(wanted, target):
        if not target.exists():  # else a shared folder may be read-only: nothing is locked or written
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{target}.lock"):
                fetch(wanted, target, progress)
        found = sha256_of(target)
    if found != wanted.sha256:
        raise AssetError(f"{target} has sha256 {found}, expected {wanted.sha256}; delete it, and it is fetched again")
    return target


@contextmanager
def explained(wanted: Download, target: Path):
    """Turn what networks and disks raise into one sentence that says what to do."""
    try:
        yield
    except urllib.error.HTTPError as problem:
        if problem.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part_of(target).unlink()  # it is longer than what the server has, so it can never be completed
        raise AssetError(f"{wanted.url} answers {problem.code} {problem.reason}; {by_hand(wanted)}") from None
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as problem:
        reason = getattr(problem, "reason", None) or problem
        raise AssetError(f"could not fetch {wanted.url} ({reason}); {by_hand(wanted)}") from None
    except OSError as problem:
        reason = f"cannot store {wanted.name} in {target.parent}: {problem.strerror}"
        raise AssetError(f"{reason}; mend that and try again") from None


def by_hand(wanted: Download) -> str:
    return f"try again, it goes on where it stopped, or download {wanted.name} with a browser and pass its path"


def part_of(target: Path) -> Path:
    """Where the bytes are gathered until they are complete and verified."""
    return target.with_name(target.name + ".part")


def fetch(wanted: Download, target: Path, progress: bool) -> None:
    """Complete the part that is there, verify it, and move it into place; a part with a wrong hash is removed."""
    if target.exists():  # made by another process while this one waited for the lock
        return
    part = part_of(target)
    have = part.stat().st_size if part.exists() else 0
    if have < wanted.size:
        require_room(part.parent, wanted.size - have)
        transfer(wanted, part, have, progress)
    found = sha256_of(part)
    if found != wanted.sha256:
        part.unlink()
        raise AssetError(
            f"{wanted.name} came with sha256 {found}, expected {wanted.sha256}: it was damaged on the way or replaced by "
            "its publisher, and is not kept; try again"
        )
    os.replace(part, target)


def require_room(folder: Path, needed: int) -> None:
    """Raise AssetError if the folder's disk cannot hold so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AssetError(f"{folder} has {free >> 20} MB free, {needed >> 20} MB are needed; make room, or name another")


def transfer(wanted: Download, part: Path, have: int, progress: bool) -> None:
    """Append what is missing behind the bytes that are there; pooch would start again from the first."""
    from tqdm.auto import tqdm

    request = urllib.request.Request(wanted.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=SECONDS_OF_SILENCE) as response:
        have = first_byte(response, wanted)
        if progress:
            print(TERMS, file=sys.stderr)
        bar = tqdm(total=wanted.size, initial=have, desc=wanted.name, unit="B", unit_scale=True, disable=not progress)
        with bar, open(part, "ab") as stream:
            stream.truncate(have)
            while chunk := response.read(min(CHUNK, wanted.size - have)):
                stream.write(chunk)
                bar.update(len(chunk))
                have += len(chunk)
    if have < wanted.size:
        raise ConnectionError(f"the connection ended after {have:,} of {wanted.size:,} bytes")


def first_byte(response: http.client.HTTPResponse, wanted: Download) -> int:
    """Where the answer starts in the file: at what was asked for, or at 0 if the server sends the whole file anyway.

    Args:
        response: an answer with status 200 or 206.
        wanted: what was asked for.

    Returns:
        A place in bytes.

    Raises:
        AssetError: the file on the server has another size.
        HTTPException: the server sends a part of the file without saying which.
    """
    start, size = "0", response.headers.get("Content-Length", "*")
    if response.status == 206:
        answered = response.headers.get("Content-Range", "")
        match = CONTENT_RANGE.fullmatch(answered)
        if match is None:
            raise http.client.HTTPException(f"the server sends a part without saying which: Content-Range {answered!r}")
        start, size = match.groups()
    if size not in ("*", str(wanted.size)):
        raise AssetError(f"{wanted.url} has {size} bytes, expected {wanted.size}: its publisher replaced it; pass a path")
    return int(start)
