"""Makes the pictures of docs/studio.md: ``python tools/studio_pictures.py``; needs Chromium and Playwright."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES, EXAMPLES = ROOT / "docs" / "images", ROOT / "examples"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def after(page: Page, action: object) -> None:
    """Does something, and waits until another coloring is shown."""
    before = page.get_attribute(".easel", "data-shown")
    action()  # type: ignore[operator]
    page.wait_for_function(f"document.querySelector('.easel').dataset.shown != '{before}'")
    page.wait_for_selector(".easel-busy", state="detached")


def fill(page: Page, name: str) -> None:
    """A sketch and its reference."""
    page.wait_for_selector(".easel")
    choose = "input[type=file][aria-label='{}']"
    after(page, lambda: page.set_input_files(choose.format("Choose sketch"), EXAMPLES / f"sketches/{name}.png"))
    after(page, lambda: page.set_input_files(choose.format("Add reference"), EXAMPLES / f"references/{name}.png"))
    page.wait_for_selector(".tag .range")


def ask(page: Page, tag: str) -> None:
    """A tag from the field."""
    page.fill("input[placeholder^='A tag']", tag)
    after(page, lambda: page.press("input[placeholder^='A tag']", "Enter"))
    page.wait_for_selector(".tag.set")


def shoot(page: Page, name: str) -> None:
    """A picture of the window, as WebP."""
    page.wait_for_timeout(500)
    with tempfile.TemporaryDirectory() as folder:
        page.screenshot(path=f"{folder}/window.png")
        Image.open(f"{folder}/window.png").convert("RGB").save(IMAGES / f"{name}.webp", quality=88, method=6)
    print(f"{name}.webp: {(IMAGES / f'{name}.webp').stat().st_size // 1000} kB")


def tags_picture(page: Page) -> None:
    fill(page, "ponytail")
    ask(page, "dark blue background")
    page.click("button[aria-label='Source (S)']")
    box = page.locator(".easel-canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.22 * box["height"])
    page.wait_for_selector(".mark.shown")
    shoot(page, "studio-light")


def colors_picture(page: Page) -> None:
    fill(page, "curls")
    page.click("role=tab[name='Colors']")
    after(page, lambda: page.click("text=Flat regions"))
    page.wait_for_selector(".swatches input")
    page.click("button[aria-label='Hint (B)']")
    page.fill(".tools input[type=color]", "#7a4bb0")
    page.dispatch_event(".tools input[type=color]", "change")
    page.wait_for_selector("text=#7a4bb0")
    box = page.locator(".easel-canvas").bounding_box()
    assert box is not None
    after(page, lambda: page.mouse.click(box["x"] + 0.36 * box["width"], box["y"] + 0.45 * box["height"]))
    page.locator(".easel-canvas").focus()
    page.keyboard.press("w")
    page.wait_for_selector(".easel-wipe")
    shoot(page, "studio-dark")


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    command = [sys.executable, "-m", "irodori", "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert server.stdout is not None
    found = re.search(r"http://\S+", server.stdout.readline())
    assert found is not None
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for scheme, picture in (("light", tags_picture), ("dark", colors_picture)):
                size = {"width": 1280, "height": 800}
                page = browser.new_context(viewport=size, color_scheme=scheme).new_page()  # type: ignore[arg-type]
                page.set_default_timeout(90_000)
                page.goto(found[0])
                picture(page)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


if __name__ == "__main__":
    main()
