"""Layered files, read back with other programs' code, give the picture again; and what each layer is."""

import io
import json
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from fakes import MirrorSystem, box_drawing
from irodori.errors import InputError
from irodori.inference import layer_files
from irodori.inference.colorizer import Colorizer
from irodori.inference.guidance import Hint
from irodori.inference.layer_files import read_notes, read_picture, write_layers
from irodori.inference.layers import Layer, fitted, flatten, split_light

psd_tools = pytest.importorskip("psd_tools")

NAMES = ["Lines", "Highlights", "Shading", "Flats", "Color", "Background mask", "Reference"]


def _drawing():
    """Two closed boxes with soft lines, and a blot of solid ink."""
    lines = np.minimum(box_drawing(120, 160, (10, 10, 100, 70), 3), box_drawing(120, 160, (30, 80, 110, 150), 2))
    lines[40:60, 20:30] = 0
    soft = np.asarray(Image.fromarray(lines).resize((150, 110), Image.Resampling.BILINEAR))
    return np.ascontiguousarray(soft)


def _painting():
    y, x = np.mgrid[0:90, 0:70]
    return np.stack([x * 3 % 256, 255 - y * 2, (x + y) % 256], -1).astype(np.uint8)


@pytest.fixture(scope="module")
def result():
    return Colorizer(MirrorSystem(), device="cpu")(_drawing(), _painting(), hints=[Hint(100, 60, (250, 4, 128))])


def _composite(layers):
    """The picture of layers, topmost first, by the formulas of the W3C's compositing specification, 8 bit."""
    canvas = None
    for pixels, blend, visible in reversed(layers):
        if not visible:
            continue
        source = pixels[..., :3] / 255
        alpha = pixels[..., 3:] / 255 if pixels.shape[2] == 4 else np.ones((*pixels.shape[:2], 1))
        if canvas is None:
            assert (alpha == 1).all()
            canvas = source
            continue
        mixed = {
            "normal": source,
            "multiply": source * canvas,
            "screen": source + canvas - source * canvas,
        }[blend]
        canvas = np.rint(((1 - alpha) * canvas + alpha * mixed) * 255) / 255
    return np.rint(canvas * 255).astype(np.int16)


def _read_ora(path):
    """Name to pixels, blend mode and visibility, topmost first, by nothing but the standard library and Pillow."""
    blends = {"svg:src-over": "normal", "svg:multiply": "multiply", "svg:screen": "screen"}
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"image/openraster"
        image = ElementTree.fromstring(archive.read("stack.xml"))
        found = {
            layer.get("name"): (
                np.asarray(Image.open(io.BytesIO(archive.read(layer.get("src"))))),
                blends[layer.get("composite-op")],
                layer.get("visibility") == "visible",
            )
            for layer in image.find("stack")
        }
        merged = np.asarray(Image.open(io.BytesIO(archive.read("mergedimage.png"))))
        thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
    assert (int(image.get("h")), int(image.get("w"))) == merged.shape[:2]
    assert max(thumbnail.size) <= 256
    return found, merged


@pytest.mark.parametrize(
    "options", [{}, {"snap": True}, {"lines": "none"}, {"snap_palette": [(9, 99, 199), (255, 0, 0)]}]
)
def test_openraster_gives_the_picture_again(tmp_path, options):
    result = Colorizer(MirrorSystem(), device="cpu")(_drawing(), _painting(), **options)
    result.save(tmp_path / "page.ora")
    layers, merged = _read_ora(tmp_path / "page.ora")
    assert list(layers) == NAMES
    assert np.array_equal(merged, result.pixels)
    assert np.abs(_composite(list(layers.values())) - result.pixels).max() <= 1
    assert np.array_equal(layers["Color"][0], result.color_pixels)


def test_photoshop_gives_the_picture_again(tmp_path, result):
    result.save(tmp_path / "page.psd")
    document = psd_tools.PSDImage.open(tmp_path / "page.psd")
    assert [layer.name for layer in reversed(list(document))] == NAMES
    assert [layer.visible for layer in reversed(list(document))] == [True] * 4 + [False] * 3
    blends = {layer.name: layer.blend_mode.name for layer in document}
    assert (blends["Shading"], blends["Highlights"], blends["Lines"]) == ("MULTIPLY", "SCREEN", "NORMAL")
    layers = [
        (np.asarray(layer.topil().convert("RGBA")), layer.blend_mode.name.lower(), layer.visible)
        for layer in reversed(list(document))
    ]
    assert np.abs(_composite(layers) - result.pixels).max() <= 1
    preview = np.asarray(document.topil().convert("RGB"))
    assert np.array_equal(preview, result.pixels)


def test_the_two_formats_hold_the_same_layers(tmp_path, result):
    for suffix in ("ora", "psd"):
        result.save(tmp_path / f"page.{suffix}")
    layers, _ = _read_ora(tmp_path / "page.ora")
    for layer in psd_tools.PSDImage.open(tmp_path / "page.psd"):
        expected = Image.fromarray(layers[layer.name][0]).convert("RGBA")
        seen = np.asarray(expected)[..., 3] > 0
        assert np.array_equal(np.asarray(layer.topil().convert("RGBA"))[seen], np.asarray(expected)[seen])


def test_lines_over_colors_are_the_page(result):
    layers = {layer.name: layer for layer in result.layers}
    ink = layers["Lines"].pixels
    assert (ink[..., :3] == 0).all()
    assert np.array_equal(255 - ink[..., 3], _drawing())
    over = Image.alpha_composite(Image.fromarray(result.color_pixels).convert("RGBA"), Image.fromarray(ink))
    assert np.abs(np.asarray(over)[..., :3].astype(int) - result.pixels).max() <= 1


def test_each_region_has_one_flat(result):
    flats = next(layer.pixels for layer in result.layers if layer.name == "Flats")
    paper = _drawing() >= 200
    assert len(np.unique(flats[12:90, 30:60][paper[12:90, 30:60]], axis=0)) == 1
    assert tuple(flats[60, 100]) == (250, 4, 128)
    assert len(np.unique(flats.reshape(-1, 3), axis=0)) == 3  # two boxes and what is around them


def test_a_flat_is_robust_and_a_gap_does_not_join():
    lines = box_drawing(300, 400, (50, 50, 250, 300), 2)
    lines[50:52, 150:155] = 255
    colors = np.full((300, 400, 3), 240, np.uint8)
    colors[50:251, 50:301] = (200, 30, 40)
    colors[60:120, 60:160] = (20, 220, 90)  # a stain of a tenth of the room
    flats = flatten(colors, lines, 1.0)
    assert tuple(flats[200, 200]) == (200, 30, 40)
    assert tuple(flats[80, 80]) == (200, 30, 40)
    assert tuple(flats[20, 20]) == (240, 240, 240)


def test_light_is_split_exactly_for_every_pair_of_levels():
    color, flat = np.meshgrid(np.arange(256), np.arange(256))
    colors, flats = (np.repeat(levels[..., None], 3, axis=2).astype(np.uint8) for levels in (color, flat))
    shading, highlights = split_light(colors, flats)
    layers = [(highlights, "screen", True), (shading, "multiply", True), (flats, "normal", True)]
    assert np.array_equal(_composite(layers), colors)
    assert (shading[..., 3] > 0).sum() == (colors[..., 0] < flats[..., 0]).sum()


def test_the_background_is_what_the_outline_does_not_enclose(result):
    mask = next(layer.pixels for layer in result.layers if layer.name == "Background mask")
    assert mask[2, 2, 3] == 255
    assert mask[80, 40, 3] == mask[60, 100, 3] == 0


def test_references_fit_the_page_and_keep_their_names():
    references = {"hair": np.full((400, 300, 3), 90, np.uint8), "": _painting()}
    result = Colorizer(MirrorSystem(), device="cpu")(_drawing(), references)
    found = {layer.name: layer.pixels for layer in result.layers[6:]}
    assert list(found) == ["Reference (hair)", "Reference"]
    assert found["Reference (hair)"].shape[0] <= 110
    assert np.array_equal(found["Reference"], _painting())
    assert fitted(_painting(), (1000, 1000)) is not None


@pytest.mark.parametrize("suffix", ["ora", "psd"])
def test_the_recipe_is_inside(tmp_path, result, suffix):
    result.save(tmp_path / f"page.{suffix}", extra={"sketch": "Zeichnung & «線».png"})
    notes = json.loads(read_notes(tmp_path / f"page.{suffix}")["irodori"])
    assert notes == {**result.provenance, "sketch": "Zeichnung & «線».png"}
    assert np.array_equal(read_picture(tmp_path / f"page.{suffix}"), result.pixels)


@pytest.mark.parametrize("suffix", ["ora", "psd"])
def test_names_beyond_ascii_and_foreign_files(tmp_path, suffix):
    path = tmp_path / f"page.{suffix}"
    pixels = np.full((40, 50, 3), 7, np.uint8)
    write_layers(path, [Layer("線画 <1>", pixels)], pixels)
    assert read_notes(path) == {}
    if suffix == "psd":
        assert [layer.name for layer in psd_tools.PSDImage.open(path)] == ["線画 <1>"]
    else:
        assert list(_read_ora(path)[0]) == ["線画 <1>"]


@pytest.mark.parametrize("suffix", ["ora", "psd"])
@pytest.mark.parametrize("content", [b"", b"8BPS\0\1", b"PK\3\4 nothing", b"text"])
def test_a_damaged_file_is_named(tmp_path, suffix, content):
    path = tmp_path / f"page.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"page.{suffix} is damaged"):
        read_notes(path)


def test_the_same_layers_make_the_same_file(tmp_path, result):
    for name in ("a.ora", "b.ora"):
        result.save(tmp_path / name)
    assert (tmp_path / "a.ora").read_bytes() == (tmp_path / "b.ora").read_bytes()


@pytest.mark.parametrize("suffix", ["ora", "psd"])
def test_nothing_half_written(tmp_path, result, suffix, monkeypatch):
    def fail(*arguments):
        raise InputError("no space left")

    monkeypatch.setattr(layer_files, "write_whole", fail)
    with pytest.raises(InputError, match="no space"):
        result.save(tmp_path / f"page.{suffix}")
    with pytest.raises(InputError, match="does not exist"):
        result.save(tmp_path / "gone" / f"page.{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_the_models_own_lines_have_no_layers(tmp_path):
    result = Colorizer(MirrorSystem(), device="cpu")(_drawing(), _painting(), lines="model")
    with pytest.raises(InputError, match="layers belong to the drawing"):
        result.save(tmp_path / "page.ora")
