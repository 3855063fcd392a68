"""Palette files are read strictly, by hand-made files of each format, and come back as they were written."""

import json
import struct

import numpy as np
import pytest
from PIL import Image

from irodori.errors import InputError
from irodori.inference.palette_files import collect_colors, palette_suffixes, read_palette, write_palette

COLORS = ((255, 128, 0), (1, 2, 3), (32, 96, 192), (255, 255, 255), (0, 0, 0))


@pytest.mark.parametrize("suffix", palette_suffixes)
def test_what_is_written_is_read(tmp_path, suffix):
    every = tuple((level, 255 - level, level // 2) for level in range(256))
    for colors in (COLORS, every):
        write_palette(tmp_path / f"p{suffix}", colors, "線")
        assert read_palette(tmp_path / f"p{suffix}") == colors


def test_pillow_reads_our_gimp_palette(tmp_path):
    write_palette(tmp_path / "p.gpl", COLORS)
    from PIL.GimpPaletteFile import GimpPaletteFile

    with (tmp_path / "p.gpl").open("rb") as file:
        data, mode = GimpPaletteFile(file).getpalette()
    assert (mode, bytes(data[:15])) == ("RGB", bytes(level for color in COLORS for level in color))


def test_gimps_own_file(tmp_path):
    text = (
        "GIMP Palette\nName: Hair\nColumns: 2\n#\n# a comment\n255 128   0\tOrange 12\n  1   2   3\n\n255 128 0 again\n"
    )
    (tmp_path / "p.gpl").write_text(text, encoding="utf-8")
    assert read_palette(tmp_path / "p.gpl") == ((255, 128, 0), (1, 2, 3))


def _ase_entry(model, *values, name="a"):
    letters = (name + "\0").encode("utf-16-be")
    body = struct.pack(">H", len(name) + 1) + letters + model + struct.pack(f">{len(values)}f", *values) + b"\0\0"
    return struct.pack(">HI", 1, len(body)) + body


def _ase(*blocks):
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def test_adobe_swatches_with_groups_and_models(tmp_path):
    group = struct.pack(">HIH", 0xC001, 4, 1) + b"\0\0", struct.pack(">HI", 0xC002, 0)
    rgb, gray = _ase_entry(b"RGB ", 1.0, 0.5, 0.0), _ase_entry(b"Gray", 0.2)
    lab = _ase_entry(b"LAB ", 0.532408, 80.0925, 67.2032)  # sRGB red, from tables of D65
    (tmp_path / "p.ase").write_bytes(_ase(group[0], rgb, gray, lab, group[1]))
    assert read_palette(tmp_path / "p.ase") == ((255, 128, 0), (51, 51, 51), (255, 0, 0))


def test_adobe_color_of_both_versions_and_models(tmp_path):
    rows = [(0, 65535, 32896, 0, 0), (1, 21845, 65535, 65535, 0), (8, 2000, 0, 0, 0), (7, 5324, 8009, 6720, 0)]
    first = struct.pack(">HH", 1, len(rows)) + b"".join(struct.pack(">5H", *row) for row in rows)
    names = struct.pack(">I", 2) + "a\0".encode("utf-16-be")
    second = struct.pack(">HH", 2, len(rows)) + b"".join(struct.pack(">5H", *row) + names for row in rows)
    expected = ((255, 128, 0), (0, 255, 0), (51, 51, 51), (255, 0, 0))
    for content in (first, first + second, second):
        (tmp_path / "p.aco").write_bytes(content)
        assert read_palette(tmp_path / "p.aco") == expected


@pytest.mark.parametrize("content", ['["#ff8000", "010203"]', '{"name": "x", "colors": ["#ff8000", "#010203"]}'])
def test_json(tmp_path, content):
    (tmp_path / "p.json").write_text(content)
    assert read_palette(tmp_path / "p.json") == COLORS[:2]


BAD = {
    "empty.gpl": (b"", "GIMP Palette"),
    "other.gpl": (b"JASC-PAL\n0100\n", "GIMP Palette"),
    "level.gpl": (b"GIMP Palette\n1 2 3\n256 0 0\n", "line 3"),
    "none.gpl": (b"GIMP Palette\n#\n", "0 colors"),
    "bytes.gpl": (b"GIMP Palette\n\xff\xfe", "damaged"),
    "empty.ase": (b"", "ASEF"),
    "short.ase": (_ase(_ase_entry(b"RGB ", 1, 1, 1))[:-6], "block"),
    "cut.ase": (b"ASEF\0\1\0\0\0\0\0\2", "damaged"),
    "cmyk.ase": (_ase(_ase_entry(b"CMYK", 0, 1, 1, 0, name="ink")), "'ink' as CMYK"),
    "nan.ase": (_ase(_ase_entry(b"RGB ", float("nan"), 0, 0)), "nan"),
    "kind.ase": (_ase(struct.pack(">HI", 7, 0)), "0x0007"),
    "short.aco": (struct.pack(">HH5H", 1, 2, 0, 1, 2, 3, 4), "damaged"),
    "version.aco": (struct.pack(">HH", 9, 0), "version 9"),
    "cmyk.aco": (struct.pack(">HH5H", 1, 1, 2, 0, 0, 0, 0), "CMYK"),
    "text.json": (b"no", "no JSON"),
    "number.json": (b"[1]", "color 1"),
    "names.json": (b'{"hues": []}', "no list"),
    "deep.json": (b'["#ff80001"]', "color 1"),
    "colors.txt": (b"", "suffix"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_palette(tmp_path, name):
    content, part = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_palette(tmp_path / name)
    assert name in str(caught.value)
    assert part in str(caught.value)


def test_a_missing_file_and_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_palette(tmp_path / "gone.gpl")
    with pytest.raises(InputError, match="does not exist"):
        write_palette(tmp_path / "gone" / "p.gpl", COLORS)


def test_colors_of_pictures_are_exact_and_palettes_join(tmp_path):
    pixels = np.full((60, 60, 3), (12, 200, 77), np.uint8)
    pixels[:20] = (250, 249, 3)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    (tmp_path / "p.json").write_text(json.dumps(["#000001", "#0cc84d"]))
    assert collect_colors([tmp_path / "picture.png"]) == ((12, 200, 77), (250, 249, 3))
    assert collect_colors([tmp_path / "picture.png", tmp_path / "p.json"], most=1) == ((12, 200, 77), (0, 0, 1))
