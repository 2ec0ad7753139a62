"""Read files where they are: in a folder, in a .zip, or behind a .gz. Knows nothing about what the files mean.

Nothing is unpacked to disk, and nothing is read that is far longer than its packed size explains.
"""

from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, NamedTuple

from pyarrow import ArrowException

from llmrec_lab.errors import DataError

MOST_EXPANSION = 100  # times its packed size that a file may have; tables and texts have about 5, a zip bomb 1,000


class Member(NamedTuple):
    """A file in a folder or an archive: how to open it, and its size in bytes."""

    open: Callable[[], BinaryIO]
    size: int


@contextmanager
def members(path: Path, companions: Iterable[str] = ()):
    """The files of a folder or of a .zip, open for the length of a `with` block.

    Args:
        path: a folder, a .zip, or one file.
        companions: names of files that belong to it where it is one file, and lie beside it or not.

    Yields:
        Name without folders to Member.

    Raises:
        DataError: the archive is damaged or was tampered with.
    """
    if path.is_dir():
        yield {file.name: on_disk(file) for file in path.iterdir() if file.is_file()}
    elif path.suffix == ".zip":
        with open_zip(path) as archive:
            yield in_archive(path, archive)
    else:
        names = (path.name, *companions)
        yield {name: on_disk(path.with_name(name)) for name in names if path.with_name(name).is_file()}


def on_disk(file: Path) -> Member:
    return Member(lambda: open(file, "rb"), file.stat().st_size)


def open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as problem:
        raise DataError(f"{path} is no whole zip archive ({problem}); download it again") from None


def in_archive(path: Path, archive: zipfile.ZipFile) -> dict[str, Member]:
    """The files of an archive by their names without folders; one that leads out of the archive refuses all of it."""
    files = {}
    for info in archive.infolist():
        place = PureWindowsPath(info.filename)  # knows both separators, and drives
        if place.anchor or ".." in place.parts or stat.S_ISLNK(info.external_attr >> 16):
            raise DataError(f"{path} holds {info.filename!r}, which leads out of it; get it from its publisher")
        if info.is_dir():
            continue
        if place.name in files:
            raise DataError(f"{path} holds {place.name} more than once; keep one")
        files[place.name] = zipped(archive, info)
    return files


def zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    return Member(lambda: bounded(archive.open(info.filename), info.compress_size), info.file_size)


def bounded(stream: BinaryIO, packed: int) -> BinaryIO:
    """The unpacked stream, which ends with an error when it is far longer than its packed size in bytes explains."""
    return io.BufferedReader(Bounded(stream, packed * MOST_EXPANSION), 1 << 20)


class Bounded(io.RawIOBase):
    """At most so many bytes of another stream."""

    def __init__(self, stream: BinaryIO, left: int):
        self.stream, self.left = stream, left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        chunk = self.stream.read(len(buffer))
        self.left -= len(chunk)
        if self.left < 0:
            raise DataError(f"it unpacks to more than {MOST_EXPANSION} times its size, as no table does")
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self.stream.close()
        super().close()


@contextmanager
def reading(files: dict[str, Member], name: str):
    """The unpacked bytes of a file, open for the length of a `with` block that parses them.

    Args:
        files: where the file is.
        name: the file.

    Yields:
        A binary stream.

    Raises:
        DataError: the file is damaged, cut off, encrypted, or a bomb; or Arrow, in the block, cannot parse it.
    """
    try:
        with files[name].open() as stream:
            if name.endswith(".gz"):
                stream = bounded(gzip.GzipFile(fileobj=stream), files[name].size)
            elif stream.seekable():  # a plain file; archives have checksums
                refuse_cut_off(stream)
            yield stream
    except (ArrowException, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, DataError) as problem:
        reason = problem.args[0] if isinstance(problem, KeyError) else problem  # its str() would be in quotes
        raise DataError(f"cannot read {name}: {reason}; compare it with its publisher's, or download it again") from None


def refuse_cut_off(stream: BinaryIO) -> None:
    """Raise DataError unless the last line has an end; a number that was cut off looks like any other."""
    if stream.seek(0, io.SEEK_END):
        stream.seek(-1, io.SEEK_END)
        if stream.read() != b"\n":
            raise DataError("its last line has no line break, so it was cut off")
    stream.seek(0)
