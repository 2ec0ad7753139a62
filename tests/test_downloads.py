"""A download is whole and unchanged or it is refused; what was cut off goes on, and nothing else stays behind."""

import errno
import hashlib
import http.server
import os
import re
import threading
from types import SimpleNamespace

import pytest
import tqdm.auto

from llmrec_lab.assets import home
from llmrec_lab.datasets import downloads
from llmrec_lab.datasets.downloads import DOWNLOADS, Download, download
from llmrec_lab.errors import AssetError

CONTENT = bytes(range(256)) * 400  # 102,400 bytes


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `site.content` as `site` says, and writes down what was asked for."""

    def do_GET(self):
        site = self.server.site
        asked = self.headers["Range"]
        site.asked.append(asked)
        site.meanwhile()
        if site.status >= 400:
            return self.send_error(site.status)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and site.knows_range else 0
        if start >= len(site.content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", site.says.format(start, len(site.content) - 1, len(site.content)))
        elif site.tells_size:
            self.send_header("Content-Length", str(len(site.content)))
        self.end_headers()
        self.wfile.write(site.content[start : site.cut_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch, tmp_path):
    """A web site with one file, `toy.zip`, that downloads know as `toy`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = site = SimpleNamespace(
        asked=[], content=CONTENT, status=200, knows_range=True, tells_size=True, cut_after=None, says="bytes {}-{}/{}"
    )
    site.meanwhile = lambda: None
    site.url = f"http://127.0.0.1:{server.server_port}/toy.zip"
    server.handle_error = lambda *_: None  # clients that hang up are part of the tests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("LLMREC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    known = Download(site.url, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(downloads, "DOWNLOADS", {"toy": known})
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def kept():
    """What lies in the folder of downloads, except the lock."""
    folder = home() / "downloads"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


def get():
    return download("toy", progress=False)


# --- the list ----------------------------------------------------------------------------------------------------------


def test_every_download_is_a_zip_of_movielens_with_its_size_and_a_full_hash():
    for name, known in DOWNLOADS.items():
        assert known.name == f"{name}.zip"
        assert known.url.startswith("https://")
        assert known.size > 900_000
        assert re.fullmatch("[0-9a-f]{64}", known.sha256)


def test_an_unknown_name_is_refused_and_the_known_ones_are_named():
    with pytest.raises(AssetError, match="no download 'ml-3m'; there are ml-100k, ml-1m, ml-latest-small, ml-25m, ml-32m"):
        download("ml-3m")


# --- whole files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tells_size", [True, False])
def test_a_file_is_fetched_once_and_found_again(site, tells_size):
    site.tells_size = tells_size
    assert get() == get() == home() / "downloads" / "toy.zip"
    assert kept() == {"toy.zip": CONTENT}
    assert site.asked == [None]


def test_a_folder_of_ones_own_is_made_and_used(site, tmp_path):
    assert download("toy", tmp_path / "a" / "b", progress=False) == tmp_path / "a" / "b" / "toy.zip"
    assert (tmp_path / "a" / "b" / "toy.zip").read_bytes() == CONTENT


def test_a_file_in_a_folder_that_cannot_be_written_is_found(site, tmp_path, monkeypatch):
    (tmp_path / "toy.zip").write_bytes(CONTENT)
    monkeypatch.setattr(downloads, "FileLock", lambda path: pytest.fail("nothing may be written here"))
    assert download("toy", tmp_path) == tmp_path / "toy.zip"


def test_the_terms_and_a_progress_bar_are_shown_on_standard_error_only(site, capsys):
    download("toy")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no commercial use" in shown.err
    assert "Harper" in shown.err
    assert "toy.zip: 100%" in shown.err


def test_without_progress_nothing_is_shown(site, capsys):
    get()
    assert capsys.readouterr() == ("", "")


# --- wrong files -------------------------------------------------------------------------------------------------------


def test_a_file_with_another_hash_is_refused_with_both_hashes_and_not_kept(site):
    site.content = CONTENT[:-1] + b"x"
    hashes = [hashlib.sha256(content).hexdigest() for content in (site.content, CONTENT)]
    with pytest.raises(AssetError, match="toy.zip came with sha256 {}, expected {}: it was damaged".format(*hashes)):
        get()
    assert kept() == {}


@pytest.mark.parametrize("content", [b"<html>Sign in</html>", CONTENT + b"more"])
def test_a_file_of_another_size_is_refused_before_it_is_fetched(site, content):
    site.content = content
    with pytest.raises(AssetError, match=f"has {len(content)} bytes, expected {len(CONTENT)}: its publisher replaced it"):
        get()
    assert kept() == {}


def test_a_file_that_never_ends_is_read_no_further_than_its_size(site):
    site.content, site.tells_size = CONTENT + bytes(10_000_000), False
    get()
    assert kept() == {"toy.zip": CONTENT}


def test_a_file_that_was_damaged_later_is_refused_with_both_hashes(site):
    get().write_bytes(b"damaged")
    hashes = [hashlib.sha256(content).hexdigest() for content in (b"damaged", CONTENT)]
    with pytest.raises(AssetError, match="toy.zip has sha256 {}, expected {}; delete it".format(*hashes)):
        get()


# --- parts -------------------------------------------------------------------------------------------------------------


def test_what_was_cut_off_is_refused_kept_apart_and_goes_on_where_it_stopped(site):
    site.cut_after = 40_000
    with pytest.raises(AssetError, match="ended after 40,000 of 102,400 bytes.*it goes on where it stopped"):
        get()
    assert kept() == {"toy.zip.part": CONTENT[:40_000]}
    site.cut_after = None
    get()
    assert site.asked == [None, "bytes=40000-"]
    assert kept() == {"toy.zip": CONTENT}


def test_a_server_that_sends_everything_again_is_believed(site):
    site.knows_range, site.cut_after = False, 40_000
    with pytest.raises(AssetError, match="ended after 40,000"):
        get()
    site.cut_after = None
    get()
    assert site.asked == [None, "bytes=40000-"]
    assert kept() == {"toy.zip": CONTENT}


def lay(part):
    (home() / "downloads").mkdir(parents=True)
    (home() / "downloads" / "toy.zip.part").write_bytes(part)


def test_a_part_of_another_file_is_found_out_and_not_kept(site):
    lay(b"x" * 40_000)
    with pytest.raises(AssetError, match="toy.zip came with sha256"):
        get()
    assert kept() == {}
    get()
    assert kept() == {"toy.zip": CONTENT}


@pytest.mark.parametrize("part", [CONTENT, CONTENT[:-1] + b"x", CONTENT + b"x"])
def test_a_part_of_full_length_is_verified_and_not_fetched(site, part):
    lay(part)
    if part == CONTENT:
        get()
        assert kept() == {"toy.zip": CONTENT}
    else:
        with pytest.raises(AssetError, match="toy.zip came with sha256"):
            get()
        assert kept() == {}
    assert site.asked == []


def test_a_part_longer_than_the_file_on_the_server_is_dropped(site):
    lay(CONTENT[:50_000])
    site.content = CONTENT[:1000]
    with pytest.raises(AssetError, match="answers 416"):
        get()
    assert kept() == {}


@pytest.mark.parametrize("says", ["bytes {}-{}/99", "nonsense", "bytes {}-{}"])
def test_a_wrong_account_of_the_rest_is_refused_and_the_part_stays(site, says):
    lay(CONTENT[:40_000])
    site.says = says
    with pytest.raises(AssetError, match="has 99 bytes, expected 102400" if "99" in says else "without saying which"):
        get()
    assert kept() == {"toy.zip.part": CONTENT[:40_000]}


def test_the_rest_may_come_from_a_server_that_does_not_know_the_size(site):
    lay(CONTENT[:40_000])
    site.says = "bytes {}-{}/*"
    get()
    assert kept() == {"toy.zip": CONTENT}


@pytest.mark.parametrize(
    "problem, error",
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), AssetError)],
)
def test_what_is_interrupted_or_fills_the_disk_keeps_its_part_and_goes_on(site, monkeypatch, problem, error):
    def stop(*_):
        raise problem

    with monkeypatch.context() as patch:
        patch.setattr(downloads, "CHUNK", 40_000)
        patch.setattr(tqdm.auto.tqdm, "update", stop)  # after the first chunk was written
        with pytest.raises(error, match="No space left on device; mend that and try" if error is AssetError else None):
            get()
    assert kept() == {"toy.zip.part": CONTENT[:40_000]}
    get()
    assert site.asked == [None, "bytes=40000-"]
    assert kept() == {"toy.zip": CONTENT}


# --- networks and disks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status, reason", [(404, "Not Found"), (500, "Internal Server Error"), (403, "Forbidden")])
def test_a_server_that_refuses_is_quoted_and_nothing_is_kept(site, status, reason):
    site.status = status
    with pytest.raises(
        AssetError, match=f"toy.zip answers {status} {reason}; try again, .* or download toy.zip with a browser"
    ):
        get()
    assert kept() == {}


def test_without_a_network_one_error_says_what_to_do(site, monkeypatch):
    monkeypatch.setattr(downloads, "DOWNLOADS", {"toy": Download("http://127.0.0.1:1/toy.zip", 9, "0" * 64)})
    with pytest.raises(AssetError, match="could not fetch http://127.0.0.1:1/toy.zip .*refused.*with a browser and"):
        get()
    assert kept() == {}


def test_a_silent_server_is_given_up(site, monkeypatch):
    monkeypatch.setattr(downloads, "SECONDS_OF_SILENCE", 0.05)
    over = threading.Event()
    site.meanwhile = lambda: over.wait(30)
    with pytest.raises(AssetError, match="could not fetch .*timed out"):
        get()
    over.set()


def test_too_little_room_is_said_before_anything_is_fetched(site, monkeypatch):
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda folder: SimpleNamespace(free=len(CONTENT) - 1))
    with pytest.raises(AssetError, match="downloads has 0 MB free, 0 MB are needed; make room"):
        get()
    assert site.asked == []


def test_room_is_needed_only_for_what_is_missing(site, monkeypatch):
    lay(CONTENT[:40_000])
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda folder: SimpleNamespace(free=len(CONTENT) - 40_000))
    get()
    assert kept() == {"toy.zip": CONTENT}


def test_a_folder_that_is_a_file_gives_one_clear_error(site, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AssetError, match="cannot store toy.zip in .*file: File exists"):
        download("toy", tmp_path / "file")


def test_a_second_process_waits_for_the_first_and_finds_its_file(site):
    """While the server answers the first, a second asks for the same; were it not to wait, it would reach the server too."""
    second = threading.Thread(target=get)

    def meanwhile():
        site.meanwhile = lambda: None
        second.start()
        second.join(0.5)

    site.meanwhile = meanwhile
    get()
    second.join()
    assert site.asked == [None]
    assert kept() == {"toy.zip": CONTENT}
