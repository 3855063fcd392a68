"""The studio in a real browser: what an artist does, and that nothing leaves the machine."""

from __future__ import annotations

import pytest

from browsing import Page, serving
from irodori.image_io import read_image, read_metadata


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a server with the shipped model."""
    with serving(tmp_path_factory.mktemp("studio")) as address:
        yield address


@pytest.fixture(scope="module")
def opened(browser, address):
    page = Page(browser, address)
    yield page
    page.context.close()


@pytest.fixture
def studio(opened):
    """The page, empty; loading it is what takes longest, so all tests share one."""
    if opened.page.get_attribute(".easel", "data-shown") != "0":
        opened.page.click("button:has-text('Start over')")
        opened.page.wait_for_selector(".easel[data-shown='0'] >> text=Drop a sketch here")
    return opened


DROP = """([names, contents]) => {
  const dataTransfer = new DataTransfer();
  names.forEach((name, place) =>
    dataTransfer.items.add(new File([new Uint8Array(contents[place])], name, { type: "image/png" })));
  const options = { dataTransfer, bubbles: true, cancelable: true };
  for (const type of ["dragover", "drop"])
    document.querySelector(".easel-canvas").dispatchEvent(new DragEvent(type, options));
}"""


def test_an_artists_way_through_it(studio, files, address, tmp_path):
    page = studio.page
    # Load, and drop files: the first is the sketch, the second a reference.
    page.wait_for_selector("text=Drop a sketch here")
    contents = [list((files / name).read_bytes()) for name in ("sketch.png", "first.png")]
    studio.after(lambda: page.evaluate(DROP, [["sketch.png", "first.png"], contents]))
    page.wait_for_selector("img[alt='Reference 1']")
    assert page.locator(".step").count() == 1

    # A tag slider from the keyboard.
    slider = page.locator(".tag .range").first
    slider.wait_for()
    studio.after(lambda: slider.press("ArrowLeft"))
    page.wait_for_selector(".tag.set")

    # A hint: exactly the color, in exactly the region.
    page.fill(".tools input[type=color]", "#2060c0")
    page.dispatch_event(".tools input[type=color]", "change")
    page.wait_for_selector("text=#2060c0")
    studio.take("Hint")
    studio.after(lambda: studio.click_picture(0.5, 0.5))
    hinted, _ = studio.download("png")
    assert tuple(read_image(hinted)[60, 80]) == (0x20, 0x60, 0xC0)

    # Undo, redo, history.
    studio.after(lambda: page.keyboard.press("Control+z"))
    undone, _ = studio.download("png")
    assert tuple(read_image(undone)[60, 80]) != (0x20, 0x60, 0xC0)
    studio.after(lambda: page.click("button[aria-label^='Redo']"))
    steps = page.locator(".step").count()
    assert page.get_attribute(f".step >> nth={steps - 1}", "aria-current") == "true"

    # Download: the picture and its recipe tell how it was made.
    final, name = studio.download("png")
    assert name.endswith(".png")
    assert final.read_bytes() == hinted.read_bytes()
    assert "#2060c0" in read_metadata(final)["irodori"]
    recipe, _ = studio.download("json")
    assert "#2060c0" in recipe.read_text()

    # Reload keeps the work.
    shown = studio.shown
    page.reload()
    page.wait_for_function(f"document.querySelector('.easel')?.dataset.shown == '{shown}'")
    assert page.locator(".step").count() == steps
    assert page.is_visible("img[alt='Reference 1']")
    assert page.is_visible("text=#2060c0")

    assert studio.faults == []
    asked = {url.split("/")[2] for url in studio.asked if not url.startswith(("data:", "blob:"))}
    assert asked == {address.split("/")[2]}


def test_colors_sources_and_comparison(studio, files):
    page = studio.page
    studio.after(lambda: studio.choose("Choose sketch", files / "sketch.png"))
    studio.after(lambda: studio.choose("Add reference", files / "second.png"))

    # A click shows where a color came from.
    studio.take("Source")
    studio.click_picture(0.5, 0.5)
    page.wait_for_selector(".mark.shown")
    assert "of the attention" in page.inner_text(".status")

    # Flats, and a color of the palette replaced everywhere.
    page.click("role=tab[name='Colors']")
    studio.after(lambda: page.click("text=Flat regions"))
    swatch = page.locator(".swatches input").first
    page.wait_for_function("document.querySelectorAll('.swatches input').length > 0")
    flats = read_image(studio.download("png")[0])
    page.wait_for_timeout(300)
    old = swatch.input_value()
    studio.after(lambda: (swatch.fill("#123456"), swatch.dispatch_event("change")))
    after = read_image(studio.download("png")[0])
    where = (flats == [int(old[place : place + 2], 16) for place in (1, 3, 5)]).all(axis=2)
    assert where.sum() > 100
    assert (after[where] == (0x12, 0x34, 0x56)).all()

    # Compare, with the keyboard.
    page.locator(".easel-canvas").focus()
    page.keyboard.press("w")
    wipe = page.locator("role=slider[name='Compare: share of the sketch']")
    wipe.press("ArrowRight")
    assert wipe.get_attribute("aria-valuenow") == "52"
    page.keyboard.press("w")

    # The cursor and a hint without a pointer.
    page.locator(".easel-canvas").focus()
    page.keyboard.press("b")
    page.wait_for_selector(".easel[data-tool=hint]")
    page.keyboard.press("ArrowRight")
    studio.after(lambda: page.keyboard.press("Enter"))
    assert studio.faults == []


def test_what_goes_wrong_is_said_and_the_work_stays(studio, files):
    page = studio.page
    studio.after(lambda: studio.choose("Choose sketch", files / "sketch.png"))
    studio.choose("Add reference", files / "broken.png")
    page.wait_for_selector(".status.error:has-text('the reference is not a readable PNG')")
    page.fill("input[placeholder^='A tag']", "rad hair")
    page.press("input[placeholder^='A tag']", "Enter")
    page.wait_for_selector(".status.error:has-text('did you mean')")
    page.click("role=tab[name='Words']")
    page.wait_for_selector("text=takes no words")
    assert page.get_attribute("button[aria-label='Mask (M)']", "aria-pressed") == "false"
    page.click("button[aria-label='Mask (M)']")
    page.wait_for_selector(".status.error:has-text('takes no masks')")
    page.keyboard.press("?")
    page.wait_for_selector("text=Undo, redo")
    page.click("button:has-text('Close')")


def test_it_follows_the_system_into_the_dark_and_fits_the_window(studio):
    page = studio.page
    bar = "getComputedStyle(document.querySelector('.bar')).backgroundColor"
    assert page.evaluate(bar) == "rgb(242, 242, 242)"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{bar} === 'rgb(42, 42, 42)'")
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [1280, 800]
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, [role=slider], canvas')]"
        ".filter(e => !(e.innerText || e.ariaLabel || e.placeholder || e.labels?.[0]?.innerText)).map(e => e.outerHTML)"
    )
    assert nameless == []
    page.click("button[aria-label^='Theme']")  # dark, whatever the system says
    page.emulate_media(color_scheme="light")
    page.wait_for_selector(".status:has-text('Dark')")
    assert page.evaluate(bar) == "rgb(42, 42, 42)"
    page.click("button[aria-label^='Theme']")
    page.wait_for_function(f"{bar} === 'rgb(242, 242, 242)'")
