"""Lesson 00 as a learner meets it: JupyterLab and Debian's chromium, all cells run, the search box typed into.

Works in a scratch folder: the committed notebook is only read. Stops every process it started.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "00_start_here.ipynb"
TOKEN = "lesson"
CHROMIUM = shutil.which("chromium")
# The prompts of the code cells are `[ ]:` before they run, `[*]:` while they wait, and then have a number.
NOTHING_WAITS = """() => {
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')].map(prompt => prompt.innerText);
    return prompts.some(text => /\\d/.test(text)) && !prompts.some(text => text.includes('*'));
}"""

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser test"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A folder with a copy of the notebook that has no outputs, and settings that keep every cell on the page."""
    folder = tmp_path_factory.mktemp("jupyter")
    shutil.copyfile(NOTEBOOK, folder / "committed.ipynb")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    (folder / "work").mkdir()
    nbformat.write(notebook, folder / "work" / NOTEBOOK.name)
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    news = folder / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir()
    (news / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    return folder


@pytest.fixture(scope="module")
def address(workspace):
    """Where JupyterLab serves the workspace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.token={TOKEN}", f"--ServerApp.root_dir={workspace / 'work'}", "--ServerApp.ip=127.0.0.1"]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    env = os.environ | {name: str(workspace / folder) for name, folder in folders.items()}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with open(workspace / "server.log", "w") as log, running(command, env, log) as server:
        wait_for(f"http://127.0.0.1:{port}/api?token={TOKEN}", server, workspace / "server.log")
        yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK.name}?token={TOKEN}"


@contextmanager
def running(command, env, log):
    """A process with its children (the kernels), stopped at the end: asked first, then by force."""
    process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
            if process.poll() is None:
                os.killpg(process.pid, sign)
                try:
                    process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue


def wait_for(url, server, log):
    """Return once the server answers."""
    for _ in range(300):
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"JupyterLab does not answer: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def page(address, workspace):
    """The notebook in a browser, all cells run, saved to the workspace."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.goto(address)
            page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
            page.wait_for_selector("text=/Python 3.* [|] Idle/", timeout=60_000)  # before that, Run does nothing
            page.click("text=Run >> nth=0")
            page.click("li[data-command='runmenu:run-all']")
            page.wait_for_function(NOTHING_WAITS, timeout=180_000)
            save(page, workspace / "work" / NOTEBOOK.name)
            yield page
        finally:
            browser.close()


def save(page, path):
    """Save the notebook and return once the file is written."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    for _ in range(100):
        page.wait_for_timeout(100)
        if path.stat().st_mtime_ns > before and path.read_text(encoding="utf-8").endswith("}\n"):
            return
    raise AssertionError("the notebook was not saved")


def test_all_cells_run_without_an_error(page, workspace):
    notebook = nbformat.read(workspace / "work" / NOTEBOOK.name, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    problems = [(cell.id, output.evalue) for cell in code for output in cell.outputs if output.output_type == "error"]
    assert problems == []
    assert all(cell.execution_count for cell in code)


def test_typing_in_the_search_box_changes_the_list(page):
    field = page.locator(".jupyter-widgets input[type=text]")
    answer = page.locator(".jupyter-widgets [role=status]")
    field.scroll_into_view_if_needed()
    before = answer.inner_text()
    assert "westerns and a good musical" in before
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("films by Hayao Miyazaki", delay=30)
    page.wait_for_function("document.querySelector('.jupyter-widgets [role=status]').innerText.includes('Hayao Miyazaki')")
    after = answer.inner_text()
    assert after.count("\n") == before.count("\n") and after != before
    titles = [{line.split("\t")[1] for line in text.splitlines() if line.count("\t") == 2} for text in (before, after)]
    assert titles[0] != titles[1] and len(titles[1]) == 6  # the header and five films


def test_an_emptied_search_box_says_what_to_do(page):
    field = page.locator(".jupyter-widgets input[type=text]")
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.wait_for_function(
        "document.querySelector('.jupyter-widgets [role=status]').innerText.includes('Type what you like')"
    )


def test_an_option_of_the_quiz_opens_to_its_reason(page):
    option = page.locator("details", has_text="decompose").first
    assert not option.locator("p").is_visible()
    option.locator("summary").click()
    assert option.locator("p").inner_text().startswith("Right.")


def test_the_picture_has_alternative_text(page):
    picture = page.locator(".jp-OutputArea img")
    assert picture.count() == 1 and "scores, from" in picture.get_attribute("alt")


def test_the_committed_notebook_is_only_read(page, workspace):
    assert NOTEBOOK.read_bytes() == (workspace / "committed.ipynb").read_bytes()
