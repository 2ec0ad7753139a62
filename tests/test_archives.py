"""A file is read from a folder, a .zip or a .gz, and an archive that means harm is refused before anything is read."""

import gzip
import os
import stat
import zipfile

import pytest
from pyarrow import ArrowInvalid

from llmrec_lab.datasets import archives
from llmrec_lab.datasets.archives import members, reading
from llmrec_lab.errors import DataError

TEXT = "".join(f"line {number}\n" for number in range(5000)).encode()


def zip_of(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def content_of(path, name, companions=()):
    with members(path, companions) as files, reading(files, name) as stream:
        return stream.read()


def test_a_folder_gives_its_files_and_not_what_is_in_its_folders(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b.txt").write_bytes(TEXT)
    (tmp_path / "a.txt").write_bytes(TEXT)
    with members(tmp_path) as files:
        assert {name: member.size for name, member in files.items()} == {"a.txt": len(TEXT)}
    assert content_of(tmp_path, "a.txt") == TEXT


def test_a_zip_gives_its_files_by_their_names_without_folders(tmp_path):
    path = zip_of(tmp_path / "a.zip", ("ml/", b""), ("ml/a.txt", TEXT), ("ml/deep/b.txt", b"x"))
    with members(path) as files:
        assert {name: member.size for name, member in files.items()} == {"a.txt": len(TEXT), "b.txt": 1}
    assert content_of(path, "a.txt") == TEXT


def test_one_file_comes_with_the_companions_that_are_there(tmp_path):
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_bytes(TEXT)
    with members(tmp_path / "a.txt", ["b.txt", "missing.txt"]) as files:
        assert sorted(files) == ["a.txt", "b.txt"]


def test_what_is_behind_a_gz_is_unpacked_in_a_folder_and_in_a_zip(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(TEXT))
    assert content_of(tmp_path, "a.txt.gz") == TEXT
    assert content_of(zip_of(tmp_path / "a.zip", ("a.txt.gz", gzip.compress(TEXT))), "a.txt.gz") == TEXT


# --- harm --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../a", "ml/../../a", "/etc/a", "..\\a", "C:\\a", "C:a", "\\\\host\\share\\a"])
def test_an_archive_with_a_member_that_climbs_out_is_refused_whole(tmp_path, name):
    path = zip_of(tmp_path / "a.zip", ("a.txt", TEXT), (name, b"x"))
    with pytest.raises(DataError, match="a.zip holds .*, which leads out of it; get it from its publisher"):
        content_of(path, "a.txt")


def test_an_archive_with_a_link_is_refused_whole(tmp_path):
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DataError, match="holds 'link', which leads out of it"):
        content_of(zip_of(tmp_path / "a.zip", ("a.txt", TEXT), (link, "/etc/passwd")), "a.txt")


def test_two_files_of_one_name_are_refused(tmp_path):
    with pytest.raises(DataError, match="a.zip holds a.txt more than once; keep one"):
        content_of(zip_of(tmp_path / "a.zip", ("x/a.txt", TEXT), ("y/a.txt", TEXT)), "a.txt")


def test_a_bomb_is_refused_long_before_it_is_unpacked(tmp_path):
    bomb = bytes(50_000_000)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(bomb))
    for path in (zip_of(tmp_path / "a.zip", ("a.txt", bomb)), tmp_path):
        name = "a.txt" if path.suffix else "a.txt.gz"
        with (
            members(path) as files,
            pytest.raises(DataError, match=f"cannot read {name}: it unpacks to more than 100 times"),
        ):
            with reading(files, name) as stream:
                arrived = 0
                while chunk := stream.read(1 << 16):
                    arrived += len(chunk)
        assert arrived < 10_000_000


def test_a_text_that_packs_very_well_is_no_bomb(tmp_path):
    well = b"1,1,5.0,978300760\n" * 100 + os.urandom(100).hex().encode()
    assert content_of(zip_of(tmp_path / "a.zip", ("a.txt", well)), "a.txt") == well


# --- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_what_is_no_zip_is_refused(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"a.zip is no whole zip archive \(.*\); download it again"):
        content_of(tmp_path / "a.zip", "a.txt")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_zip_that_was_cut_off_is_refused(tmp_path, part):
    whole = zip_of(tmp_path / "a.zip", ("a.txt", TEXT)).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DataError, match="a.zip is no whole zip archive"):
        content_of(tmp_path / "a.zip", "a.txt")


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
def test_a_gz_that_was_cut_off_is_refused(tmp_path, part):
    whole = gzip.compress(TEXT)
    (tmp_path / "a.txt.gz").write_bytes(whole[: int(part * len(whole))])
    if part == 0:
        assert content_of(tmp_path, "a.txt.gz") == b""  # a file without bytes is an empty text to gzip
    else:
        with pytest.raises(DataError, match="cannot read a.txt.gz: Compressed file ended before.*; compare it with"):
            content_of(tmp_path, "a.txt.gz")


def test_what_is_no_gz_is_refused(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(TEXT)
    with pytest.raises(DataError, match="cannot read a.txt.gz: Not a gzipped file"):
        content_of(tmp_path, "a.txt.gz")


def test_a_plain_file_without_an_end_was_cut_off(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT[:-1])
    with pytest.raises(DataError, match="cannot read a.txt: its last line has no line break, so it was cut off; compare"):
        content_of(tmp_path, "a.txt")
    (tmp_path / "a.txt").write_bytes(b"")
    assert content_of(tmp_path, "a.txt") == b""


def test_an_encrypted_member_is_refused(tmp_path):
    whole = bytearray(zip_of(tmp_path / "a.zip", ("a.txt", TEXT)).read_bytes())
    whole[6] |= 1  # the flag in the member's own header
    whole[whole.index(b"PK\x01\x02") + 8] |= 1  # and in the list at the end
    (tmp_path / "a.zip").write_bytes(whole)
    with pytest.raises(DataError, match="cannot read a.txt: File 'a.txt' is encrypted, password required"):
        content_of(tmp_path / "a.zip", "a.txt")


@pytest.mark.parametrize("name", ["a.zip", "a.txt.gz"])
def test_a_damaged_byte_anywhere_gives_the_same_text_or_one_clear_error(tmp_path, name):
    whole = zip_of(tmp_path / "a.zip", ("a.txt", TEXT)).read_bytes() if name == "a.zip" else gzip.compress(TEXT)
    for place in range(0, len(whole), 101):
        (tmp_path / name).write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert content_of(tmp_path / name, "a.txt" if name == "a.zip" else name) == TEXT
        except DataError as problem:
            assert "cannot read a.txt" in str(problem) or "no whole zip archive" in str(problem)


def test_what_arrow_cannot_parse_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT)
    with members(tmp_path) as files, pytest.raises(DataError, match="cannot read a.txt: odd; compare it with"):
        with reading(files, "a.txt"):
            raise ArrowInvalid("odd")


def test_a_file_that_vanished_or_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT)
    with members(tmp_path) as files:
        (tmp_path / "a.txt").unlink()
        with pytest.raises(DataError, match="cannot read a.txt: .*No such file"):
            with reading(files, "a.txt"):
                pass


def test_an_error_of_the_one_who_reads_is_not_touched(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT)
    with pytest.raises(ZeroDivisionError), members(tmp_path) as files, reading(files, "a.txt"):
        1 / 0  # noqa: B018


def test_nothing_is_written_beside_the_archive(tmp_path):
    content_of(zip_of(tmp_path / "a.zip", ("a.txt", TEXT)), "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert archives.MOST_EXPANSION == 100
