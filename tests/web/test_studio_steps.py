"""The studio in a browser with a system that draws in steps, takes words and masks, and can be stopped."""

from __future__ import annotations

import json
import re

import pytest
import torch

from browsing import Page, serving
from irodori.image_io import read_image
from irodori.inference.colorizer import Colorizer
from irodori.systems import build_system, preset


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    pytest.importorskip("diffusers", reason="diffusers is not installed")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny-diffusion"
    Colorizer(build_system("colorizediffusion", preset("colorizediffusion/tiny").system), device="cpu").save_pretrained(
        folder
    )
    with serving(tmp_path_factory.mktemp("studio"), "--model", str(folder)) as address:
        page = Page(browser, address)
        yield page
        page.context.close()


@pytest.fixture
def studio(opened, files):
    """The page with a sketch and a reference, colored."""
    if opened.shown:
        opened.page.click("button:has-text('Start over')")
        opened.page.wait_for_selector(".easel[data-shown='0'] >> text=Drop a sketch here")
    opened.after(lambda: opened.choose("Choose sketch", files / "sketch.png"))
    opened.after(lambda: opened.choose("Add reference", files / "first.png"))
    return opened


def recipe(studio):
    return json.loads(studio.download("json")[0].read_text())


def test_words_and_the_map_of_their_regions(studio):
    page = studio.page
    page.click("role=tab[name='Words']")
    page.fill("input[aria-label='Target, such as red hair']", "red hair")
    page.fill("input[aria-label='Where, such as hair']", "hair")
    page.click("button:has-text('Show regions')")
    page.wait_for_selector("img[alt^='Regions of the reference']")
    size = page.evaluate("document.querySelector('img[alt^=Regions]').naturalWidth")
    assert size == 96  # the reference's
    studio.after(lambda: page.click("button:has-text('Apply')"))
    assert "red hair" in json.dumps(recipe(studio))
    studio.after(lambda: page.click("button[aria-label^='Undo']"))
    assert page.input_value("input[aria-label='Target, such as red hair']") == ""
    page.click("button:has-text('Show regions')")
    page.wait_for_selector(".status.error:has-text('write a target first')")
    assert studio.faults == []


def test_masks_are_painted_over_the_sketch_and_over_the_reference(studio, opened):
    page = studio.page
    page.click("role=tab[name='More']")
    studio.after(lambda: page.check("label:has-text('Foreground and background apart') input"))
    studio.take("Mask")
    studio.after(lambda: studio.click_picture(0.5, 0.5))
    page.select_option("select[aria-label='The Mask tool paints']", "reference")
    page.wait_for_function("document.querySelector('.easel-canvas').ariaLabel.includes('96 by 96')")
    studio.click_picture(0.4, 0.5)
    page.wait_for_selector(
        "select[aria-label='Mask of the first reference'] >> option[value=painted][selected]", state="attached"
    )
    session = re.search(r"/api/sessions/[^/]+/", studio.asked[-1])[0]
    for of, size in (("sketch", (120, 160)), ("reference", (96, 96))):
        mask = read_image(page.request.get(f"{page.url.rstrip('/')}{session}masks/{of}.png").body())
        assert mask.shape[:2] == size
        assert 0 < (mask[..., 0] > 128).mean() < 0.5  # one dab
    studio.after(lambda: page.click("button[aria-label='Move (H)']"))  # the coloring is on the easel again
    assert "160 by 120" in page.get_attribute(".easel-canvas", "aria-label")
    page.reload()
    studio.take("Mask")
    page.wait_for_function("document.querySelector('.easel-canvas').ariaLabel.includes('96 by 96')")
    studio.click_picture(0.6, 0.5)  # goes on from what was painted
    page.wait_for_selector(".status:has-text('Colored in')")
    more = read_image(page.request.get(f"{page.url.rstrip('/')}{session}masks/reference.png").body())
    assert (more[..., 0] > 128).sum() > 1.5 * (mask[..., 0] > 128).sum()
    assert studio.faults == []


def test_steps_are_counted_and_can_be_stopped(studio):
    page = studio.page
    page.click("role=tab[name='More']")
    before = studio.shown
    page.fill("input[aria-label='num_steps']", "200")
    page.press("input[aria-label='num_steps']", "Enter")
    page.wait_for_selector(".status:has-text('of 200')")
    assert float(page.get_attribute(".easel-busy", "aria-valuenow") or 0) < 100
    page.click("button:has-text('Stop')")
    page.wait_for_selector(".status:has-text('Stopped.')")
    page.wait_for_selector(".easel-busy", state="detached")
    assert studio.shown == before
    assert page.input_value("input[aria-label='num_steps']") == ""  # the wish that was stopped is taken back
    studio.after(lambda: page.select_option("select[aria-label='Lines']", "none"))  # and the worker is free
    assert studio.faults == []
