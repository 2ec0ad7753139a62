"""The live page as somebody meets it: in a browser, by keyboard, in two tabs, and across a crash of the server.

The server is `llmrec serve` itself, in a process of its own, on items whose titles are markup.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from browser import CHROMIUM, ROOT, chromium

from llmrec_lab.event_log import SQLiteLog

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
pytest.importorskip("fastapi", reason="[serve] is not installed: no live page")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser test"),
    pytest.mark.timeout(300),
]
expect = playwright.expect
MARKUP = "<img src=x onerror=document.title='hacked'>"
SUBJECTS = ["tea from green leaves", "black coffee from beans", "bread from rye", "ghosts in the woods", "space ships"]
ITEMS = "item_id,title,text\n" + "".join(
    f"{n},{SUBJECTS[n % 5].split()[0].title()} {n} {MARKUP if n < 5 else ''},a story about {SUBJECTS[n % 5]} number {n}\n"
    for n in range(25)
)


class Live:
    """A server that can be killed and started again at the same address."""

    def __init__(self, folder):
        self.folder, self.port = folder, 0
        (folder / "items.csv").write_text(ITEMS, encoding="utf-8")

    def start(self):
        command = [sys.executable, "-m", "llmrec_lab.cli", "serve", "--port", str(self.port)]
        command += ["--items", str(self.folder / "items.csv"), "--log", str(self.folder / "events.db")]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line + self.process.stdout.read()
        self.address, self.port = found.group(), int(found.group(1))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    live = Live(tmp_path_factory.mktemp("live"))
    live.start()
    yield live
    live.kill()


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def person(live, browser):
    """A browser of somebody new; what its pages complain about fails the test."""
    context, complaints = browser.new_context(viewport={"width": 1100, "height": 900}), []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda problem: complaints.append(str(problem.error)))
    yield context
    context.close()
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []


def opened(person, live):
    """A tab with the page, once the list is there."""
    page = person.new_page()
    page.goto(live.address)
    expect(page.locator("#slate li")).to_have_count(10)
    return page


def titles(page):
    return page.locator("#slate h3").evaluate_all("all => all.map(title => title.firstChild.textContent)")


def described(page, words="ghosts in the woods and black coffee"):
    """The titles after a wish; before it there are no interests."""
    page.get_by_label("What do you like?").fill(words)
    page.get_by_role("button", name="Show me").click()
    expect(page.locator("#sliders input")).to_have_count(2)
    return titles(page)


def changed(page, before):
    """The titles once they are others than before."""
    page.wait_for_function(
        "before => JSON.stringify([...document.querySelectorAll('#slate h3')].map(title => title.firstChild.textContent))"
        " !== JSON.stringify(before)",
        arg=before,
    )
    return titles(page)


def test_describe_like_a_second_tab_and_a_crash(person, live):
    page = opened(person, live)
    stranger = titles(page)
    wished = described(page)
    assert wished != stranger and all(title.startswith(("Ghosts", "Black")) for title in wished[:4])
    page.get_by_role("button", name="Like:").first.click()
    liked = changed(page, wished)
    assert wished[0] not in liked

    second = opened(person, live)
    expect(second.locator("#sliders input")).to_have_count(2)
    assert titles(second) == liked
    second.get_by_role("button", name="Skip:").first.click()
    skipped = changed(page, liked)  # the first tab follows
    assert liked[0] not in skipped

    live.kill()
    expect(page.get_by_role("alert")).to_contain_text("trying again")
    live.start()
    expect(page.get_by_role("alert")).to_be_empty(timeout=60_000)
    assert titles(page) == skipped == titles(opened(person, live))  # also in a tab that knows nothing from before
    page.get_by_role("button", name="Less like this:").first.click()
    assert skipped[0] not in changed(page, skipped)
    with SQLiteLog(live.folder / "events.db") as log:
        kinds = [event.kind for _, event in log.read() if event.user_id == log.read()[-1][1].user_id]
    assert kinds == ["describe", "like", "skip", "less"]


def test_everything_works_by_keyboard(person, live):
    page = opened(person, live)
    page.keyboard.press("Tab")
    page.keyboard.type("space ships and bread from rye")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sliders input")).to_have_count(2)
    wished = titles(page)
    for name in ("summary", "button", "button"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.localName") == name
    page.keyboard.press("Enter")  # skip the first
    after = changed(page, wished)
    assert wished[0] not in after
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Skip: {after[0]}".strip()
    for _ in range(60):
        if page.evaluate("document.activeElement.type") == "range":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("End")
    changed(page, after)
    expect(page.locator("#sliders [aria-hidden]")).to_have_text(["100%", "0%"])
    assert page.evaluate("document.activeElement.type") == "range"


def test_whatever_has_the_focus_is_seen_to_have_it(person, live):
    page = opened(person, live)
    described(page)
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "[document.activeElement.localName, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert name == "body" or outline == "solid"
        seen.add(name)
    assert seen >= {"textarea", "button", "summary", "input"}


def test_a_new_list_is_announced_politely_and_marked_in_words(person, live):
    page = opened(person, live)
    expect(page.get_by_role("status")).to_be_empty()
    first = described(page)[0].strip()
    expect(page.get_by_role("status")).to_contain_text(f"The list has changed. First {first}")
    expect(page.locator("#slate small").first).to_have_text("new")


DRAWINGS = """() => {
    window.drawings = 0;
    new MutationObserver(() => window.drawings++).observe(document.getElementById("slate"), { childList: true });
}"""


def test_a_slow_disk_holds_up_no_click_and_a_slate_that_comes_again_is_not_drawn_again(person, live):
    page = opened(person, live)
    before = described(page)
    page.evaluate(DRAWINGS)
    with closing(sqlite3.connect(live.folder / "events.db", isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")  # until it ends, the server can store nothing
        page.get_by_role("button", name="Like:").first.click()
        liked = changed(page, before)
        busy.execute("ROLLBACK")
    assert before[0] not in liked
    with page.expect_response("**/events") as answer:
        page.get_by_role("button", name="Skip:").first.click()
    assert answer.value.ok and liked[0] not in changed(page, liked)
    assert page.evaluate("window.drawings") == 2
    with SQLiteLog(live.folder / "events.db") as log:
        assert [event.kind for _, event in log.read()][-3:] == ["describe", "like", "skip"]


def test_titles_are_shown_as_text_and_never_as_markup(person, live):
    page = opened(person, live)
    described(page, "tea from green leaves, black coffee")
    assert any(MARKUP in title for title in titles(page))
    assert page.locator("main img").count() == 0 and page.title() == "A list that listens"


def test_words_change_the_list_and_words_that_name_nothing_are_explained(person, live):
    page = opened(person, live)
    before = described(page)
    page.get_by_label("What should change?").fill("less")
    page.get_by_role("button", name="Tell the list").click()
    expect(page.get_by_role("alert")).to_contain_text("names nothing")
    page.get_by_label("What should change?").fill("more tea from green leaves")
    page.get_by_role("button", name="Tell the list").click()
    expect(page.locator("#sliders input")).to_have_count(3)
    assert changed(page, before) and page.get_by_label("What should change?").input_value() == ""
    expect(page.get_by_role("alert")).to_be_empty()


def test_the_exact_reasons_open_and_stay_open(person, live):
    page = opened(person, live)
    before = described(page)
    for summary in page.locator("summary").all():
        summary.click()
    assert float(page.locator("dd").first.inner_text()) > 0
    page.get_by_role("button", name="Skip:").first.click()
    stayed = set(changed(page, before)) & set(before)
    is_open = page.locator("#slate li").evaluate_all(
        "all => all.map(line => [line.querySelector('h3').firstChild.textContent, line.querySelector('details').open])"
    )
    assert len(stayed) > 3 and {title for title, is_open in is_open if is_open} == stayed


def test_forget_me_deletes_everything_in_every_tab(person, live):
    page = opened(person, live)
    stranger = titles(page)
    described(page)
    second = opened(person, live)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget me").click()
    for tab in (page, second):
        expect(tab.locator("#sliders input")).to_have_count(0)
        assert titles(tab) == stranger
    assert page.get_by_label("What do you like?").input_value() == ""


def test_the_page_fits_its_window_by_day_and_by_night(person, live):
    page = opened(person, live)
    described(page)
    page.locator("summary").first.click()
    for width in (320, 700, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    for scheme, darker in (("light", "color"), ("dark", "backgroundColor")):
        page.emulate_media(color_scheme=scheme)
        colors = page.evaluate("(({color, backgroundColor}) => ({color, backgroundColor}))(getComputedStyle(document.body))")
        light = {name: sum(map(int, re.findall(r"\d+", color))) for name, color in colors.items()}
        assert min(light, key=light.get) == darker and max(light.values()) - min(light.values()) > 400
