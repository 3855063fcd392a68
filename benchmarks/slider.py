"""From a slider's event to the picture on the screen: ``python benchmarks/slider.py [SIZE] [MODEL...]``.

A server and a browser on this machine; sketch and reference are the example "portrait" at SIZE x SIZE pixels (512).
Needs Chromium and Playwright.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

EXAMPLES = Path(__file__).parents[1] / "examples"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
MOVES = 20
MOVE = """(slider, value) => new Promise((done) => {
  const easel = document.querySelector(".easel"), start = performance.now();
  new MutationObserver((changes, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => done(performance.now() - start));
  }).observe(easel, { attributes: true, attributeFilter: ["data-shown"] });
  slider.value = value;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
})"""


def square(kind: str, size: int, folder: str) -> str:
    """An example as a square."""
    file = f"{folder}/{kind}.png"
    Image.open(EXAMPLES / kind / "portrait.png").convert("RGB").resize((size, size), Image.Resampling.LANCZOS).save(
        file
    )
    return file


def measure(page: Page, size: int) -> list[float]:
    """Milliseconds of moves of the first tag's slider, there and back, after three that warm up."""
    page.wait_for_selector(".easel")
    with tempfile.TemporaryDirectory() as folder:
        for label, kind in (("Choose sketch", "sketches"), ("Add reference", "references")):
            before = page.get_attribute(".easel", "data-shown")
            page.set_input_files(f"input[type=file][aria-label='{label}']", square(kind, size, folder))
            page.wait_for_function(f"document.querySelector('.easel').dataset.shown != '{before}'")
            page.wait_for_selector(".easel-busy", state="detached")
    slider = page.locator(".tag .range").first
    slider.wait_for()
    times = []
    for move in range(3 + MOVES):
        times.append(slider.evaluate(MOVE, str(0.3 + 0.05 * (move % 10))))
        page.wait_for_timeout(300)
    return times[3:]


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    print("| model | size | median | 90 % | slowest |\n| --- | ---: | ---: | ---: | ---: |")
    for model in sys.argv[2:] or ("irodori-base", "taggan-small"):
        command = [sys.executable, "-m", "irodori", "serve", "--port", "0", "--model", model]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None, "the server did not start"
            try:
                with sync_playwright() as playwright:
                    program = shutil.which("chromium") or shutil.which("google-chrome")
                    page = playwright.chromium.launch(executable_path=program, args=FLAGS).new_page()
                    page.set_default_timeout(90_000)
                    page.goto(found[0])
                    times = sorted(measure(page, size))
            finally:
                server.send_signal(signal.SIGTERM)
        median, most = statistics.median(times), times[round(0.9 * (len(times) - 1))]
        print(f"| `{model}` | {size}² | {median:.0f} ms | {most:.0f} ms | {times[-1]:.0f} ms |", flush=True)


if __name__ == "__main__":
    main()
