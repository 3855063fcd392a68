"""A real browser, the studio's server as a process, and a page of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
PATIENCE = 60_000


@contextmanager
def launched():
    """The browser; the test is skipped where there is none."""
    playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if PROGRAM is None:
        pytest.skip("no Chromium or Chrome found")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """The address of a server, as a process: the page exists once in one.  folder: where it runs, and is to leave
    nothing."""
    process = subprocess.Popen(
        [sys.executable, "-m", "irodori", "serve", "--port", "0", *options], stdout=subprocess.PIPE, text=True,
        cwd=folder, env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    yield re.search(r"http://\S+", process.stdout.readline())[0]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    process.stdout.close()
    assert list(folder.iterdir()) == []  # nothing in the current folder, nothing in the temporary one


class Page:
    """A page of the studio; notes what goes wrong on it and whom it asks."""

    def __init__(self, browser, address):
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.faults, self.asked = [], []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector(".easel")

    @property
    def shown(self):
        return int(self.page.get_attribute(".easel", "data-shown"))

    def after(self, action):
        """Does something, and waits until another result is shown."""
        before = self.shown
        action()
        self.page.wait_for_function(f"document.querySelector('.easel').dataset.shown != '{before}'")
        self.page.wait_for_selector(".easel-busy", state="detached")

    def choose(self, label, path):
        self.page.set_input_files(f"input[type=file][aria-label='{label}']", path)

    def take(self, tool):
        """Picks a tool by its name, and waits until the easel has it."""
        self.page.click(f"button[aria-label^='{tool} (']")
        self.page.wait_for_selector(f".easel[data-tool='{tool.lower()}']")

    def click_picture(self, x, y):
        """At shares of the easel."""
        box = self.page.locator(".easel-canvas").bounding_box()
        self.page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])

    def download(self, kind):
        self.page.click("summary:has-text('Download')")
        with self.page.expect_download() as caught:
            self.page.click(f".menu-list a[download$='.{kind}']")
        self.page.click("summary:has-text('Download')")
        return Path(caught.value.path()), caught.value.suggested_filename
