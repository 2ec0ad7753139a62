"""JupyterLab and Debian's chromium for tests: a folder is served, a notebook opened, run and saved. Knows no lesson.

Stops every process it started.
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

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "lesson"
CHROMIUM = shutil.which("chromium")
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is on the page, also far below
    "apputils-extension/notification": {"fetchNews": "false"},
}
FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
}
# The prompts of the code cells are `[ ]:` before they run, `[*]:` while they wait, and then have a number.
NOTHING_WAITS = """() => {
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')].map(prompt => prompt.innerText);
    return prompts.some(text => /\\d/.test(text)) && !prompts.some(text => text.includes('*'));
}"""


@contextmanager
def jupyterlab(folder):
    """The address at which JupyterLab serves `folder/work`; all that it writes for itself is in `folder` too."""
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.token={TOKEN}", f"--ServerApp.root_dir={folder / 'work'}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--LabApp.app_settings_dir={ROOT / 'tools' / 'jupyterlab'}"]  # as in the Makefile
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    env = os.environ | {name: str(folder / place) for name, place in FOLDERS.items()}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with open(folder / "server.log", "w") as log, running(command, env, log) as server:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/api?token={TOKEN}", server, folder / "server.log")
        yield address


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


@contextmanager
def chromium():
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


def run_all(browser, address, path):
    """The page of a notebook of the served folder, all cells run and the file saved."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(f"{address}/lab/workspaces/{path.stem}/tree/{path.name}?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("text=/Python 3.* [|] Idle/", timeout=60_000)  # before that, Run does nothing
    page.click("text=Run >> nth=0")
    page.click("li[data-command='runmenu:run-all']")
    page.wait_for_function(NOTHING_WAITS, timeout=180_000)
    save(page, path)
    return page


def save(page, path):
    """Save the notebook and return once the file is written."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    for _ in range(100):
        page.wait_for_timeout(100)
        if path.stat().st_mtime_ns > before and path.read_text(encoding="utf-8").endswith("}\n"):
            return
    raise AssertionError("the notebook was not saved")
