"""Palette files: GIMP (``.gpl``), Adobe swatches (``.ase``, ``.aco``) and JSON, read strictly and written.

Colors that have no exact place in sRGB, as CMYK without its profile, are refused and not guessed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from irodori.color import lab_to_rgb, parse_hex, to_hex
from irodori.errors import InputError
from irodori.image import Pixels, to_uint8
from irodori.image_io import over_paper, read_image, write_whole
from irodori.inference.dominant import dominant_colors
from irodori.inference.guidance import Color

MAX_BYTES, MAX_COLORS = 1 << 22, 4096


class _Wrong(Exception):
    """What is wrong with a file, as the middle of a sentence."""


def read_palette(path: str | Path) -> tuple[Color, ...]:
    """The colors of a palette file, in its order, each once; InputError, with the place, for anything else in it."""
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path} has no suffix of a palette: use one of {' '.join(palette_suffixes)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the path of the palette") from error
    try:
        if len(data) > MAX_BYTES:
            raise _Wrong(f"is larger than {MAX_BYTES >> 20} MB")
        colors = tuple(dict.fromkeys(read(data)))
        if not 0 < len(colors) <= MAX_COLORS:
            raise _Wrong(f"holds {len(colors)} colors, not 1 to {MAX_COLORS}")
    except _Wrong as error:
        raise InputError(f"{path} {error}: export the palette again") from error
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise InputError(f"{path} is damaged or no {path.suffix[1:].upper()} palette: export it again") from error
    return colors


def collect_colors(sources: Sequence[Path], most: int | None = None) -> tuple[Color, ...]:
    """The dominant colors of pictures, and all of palette files, each once; most: so many of each, the first ones."""
    found: list[Color] = []
    for source in sources:
        if source.suffix.lower() in palette_suffixes:
            colors = read_palette(source)
        else:
            colors = tuple(map(_rgb, dominant_colors([over_paper(read_image(source))])))
        found += colors[:most]
    return tuple(dict.fromkeys(found))


def write_new_palette(path: Path, colors: Sequence[Color], name: str, *, overwrite: bool = False) -> None:
    """`write_palette`, but InputError where there is a file already."""
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: choose another output, or --overwrite it")
    write_palette(path, colors, name)


def write_palette(path: str | Path, colors: Sequence[Color], name: str = "irodori") -> None:
    """Writes colors in the format of the suffix, whole or not at all; each is called by its hexadecimal digits."""
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise InputError(f"{path} has no suffix of a palette: use one of {' '.join(palette_suffixes)}")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written because the folder {path.parent} does not exist: create it first")
    write_whole(path, write(colors, name))


def _level(share: float) -> int:
    """0…1 to 0…255."""
    if not 0 <= share <= 1:  # also NaN
        raise _Wrong(f"has the value {share:g}, which is not between 0 and 1")
    return int(share * 255 + 0.5)


def _rgb(pixels: Pixels) -> Color:
    red, green, blue = (int(level) for level in pixels)
    return red, green, blue


def _of_lab(lightness: float, a: float, b: float) -> Color:
    return _rgb(to_uint8(lab_to_rgb(torch.tensor([[lightness, a, b]])))[0].numpy())


def _of_hsb(hue: float, saturation: float, brightness: float) -> Color:
    import colorsys

    red, green, blue = (_level(share) for share in colorsys.hsv_to_rgb(hue, saturation, brightness))
    return red, green, blue


# --- GIMP ------------------------------------------------------------------------------------------------------------


def _read_gpl(data: bytes) -> Iterator[Color]:
    lines = data.decode("utf-8-sig").splitlines()
    if not lines or lines[0].strip() != "GIMP Palette":
        raise _Wrong("does not begin with the line 'GIMP Palette'")
    for number, line in enumerate(lines[1:], start=2):
        text = line.strip()
        if not text or text.startswith(("#", "Name:", "Columns:")):
            continue
        levels = text.split()[:3]
        if len(levels) != 3 or not all(level.isascii() and level.isdigit() and int(level) < 256 for level in levels):
            raise _Wrong(f"has no three levels from 0 to 255 in line {number}")
        red, green, blue = map(int, levels)
        yield red, green, blue


def _gpl(colors: Sequence[Color], name: str) -> bytes:
    rows = [f"{red:3d} {green:3d} {blue:3d}\t{to_hex((red, green, blue))[1:]}" for red, green, blue in colors]
    return "\n".join(["GIMP Palette", f"Name: {name}", "Columns: 8", "#", *rows, ""]).encode()


# --- Adobe Swatch Exchange -------------------------------------------------------------------------------------------

_GROUP_START, _GROUP_END, _ENTRY = 0xC001, 0xC002, 0x0001


def _read_ase(data: bytes) -> Iterator[Color]:
    """Blocks of a type, a length and, for a color, name, model and floats; all big-endian."""
    if data[:4] != b"ASEF":
        raise _Wrong("does not begin with 'ASEF'")
    (count,), place = struct.unpack_from(">I", data, 8), 12
    for _ in range(count):
        kind, length = struct.unpack_from(">HI", data, place)
        block, place = data[place + 6 : place + 6 + length], place + 6 + length
        if len(block) < length:
            raise _Wrong("ends in the middle of a block")
        if kind == _ENTRY:
            yield _ase_color(block)
        elif kind not in (_GROUP_START, _GROUP_END):
            raise _Wrong(f"has a block of the unknown type {kind:#06x}")


def _ase_color(block: bytes) -> Color:
    (letters,) = struct.unpack_from(">H", block)
    name = block[2 : 2 + 2 * letters].decode("utf-16-be").rstrip("\0")
    model, values = block[2 + 2 * letters : 6 + 2 * letters], block[6 + 2 * letters :]
    if model == b"RGB ":
        red, green, blue = (_level(share) for share in struct.unpack_from(">3f", values))
        return red, green, blue
    if model == b"Gray":
        return (_level(*struct.unpack_from(">f", values)),) * 3
    if model == b"LAB ":
        lightness, a, b = struct.unpack_from(">3f", values)
        return _of_lab(100 * lightness, a, b)
    raise _Wrong(f"has {name!r} as {model.decode('latin-1').strip()}, which is no exact color on a screen; make it RGB")


def _ase(colors: Sequence[Color], name: str) -> bytes:
    blocks = b"".join(_ase_block(color) for color in colors)
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(colors)) + blocks


def _ase_block(color: Color) -> bytes:
    name = to_hex(color)[1:] + "\0"
    shares = struct.pack(">3f", *(level / 255 for level in color))
    body = struct.pack(">H", len(name)) + name.encode("utf-16-be") + b"RGB " + shares + struct.pack(">H", 2)
    return struct.pack(">HI", _ENTRY, len(body)) + body


# --- Adobe Color -----------------------------------------------------------------------------------------------------

_ACO_MODELS = {2: "CMYK", 3: "Pantone", 4: "Focoltone", 5: "Trumatch", 6: "Toyo", 9: "wide CMYK", 10: "HKS"}


def _read_aco(data: bytes) -> Iterator[Color]:
    """Version 1: a model and four 16-bit values for each color.  Version 2, which follows it, only adds names."""
    version, count = struct.unpack_from(">HH", data)
    if version not in (1, 2):
        raise _Wrong(f"has the version {version}, not 1 or 2")
    place = 4
    for _ in range(count):
        model, *values = struct.unpack_from(">H4H", data, place)
        place += 10
        if version == 2:
            (letters,) = struct.unpack_from(">I", data, place)
            place += 4 + 2 * letters
        yield _aco_color(model, values)


def _aco_color(model: int, values: Sequence[int]) -> Color:
    shares = [value / 65535 for value in values[:3]]
    if model == 0:
        red, green, blue = map(_level, shares)
        return red, green, blue
    if model == 1:
        return _of_hsb(*shares)
    if model == 7:
        a, b = (struct.unpack(">h", struct.pack(">H", value))[0] / 100 for value in values[1:3])
        return _of_lab(values[0] / 100, a, b)
    if model == 8:
        return (_level(min(values[0], 10000) / 10000),) * 3
    name = _ACO_MODELS.get(model, f"of the unknown model {model}")
    raise _Wrong(f"has a color as {name}, which is no exact color on a screen; make it RGB")


def _aco(colors: Sequence[Color], name: str) -> bytes:
    first, second = (struct.pack(">HH", version, len(colors)) for version in (1, 2))
    for color in colors:
        entry, text = struct.pack(">H4H", 0, *(level * 257 for level in color), 0), to_hex(color)[1:] + "\0"
        first, second = first + entry, second + entry + struct.pack(">I", len(text)) + text.encode("utf-16-be")
    return first + second


# --- JSON ------------------------------------------------------------------------------------------------------------


def _read_json(data: bytes) -> Iterator[Color]:
    """A list of ``"#rrggbb"``, or an object with such a list as ``"colors"``."""
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise _Wrong(f"is no JSON ({error})") from error
    colors = found.get("colors") if isinstance(found, dict) else found
    if not isinstance(colors, list):
        raise _Wrong('is no list of colors, such as ["#ff8000", "#2060c0"], nor an object that has one as "colors"')
    for number, color in enumerate(colors, start=1):
        try:
            yield parse_hex(f"#{color.removeprefix('#')}")
        except (InputError, AttributeError):
            raise _Wrong(f"has {color!r} as color {number}, not #rrggbb") from None


def _json(colors: Sequence[Color], name: str) -> bytes:
    return (json.dumps({"name": name, "colors": [to_hex(color) for color in colors]}, indent=1) + "\n").encode()


_READERS: Mapping[str, Callable[[bytes], Iterator[Color]]] = {
    ".gpl": _read_gpl, ".ase": _read_ase, ".aco": _read_aco, ".json": _read_json,
}  # fmt: skip
_WRITERS: Mapping[str, Callable[[Sequence[Color], str], bytes]] = {
    ".gpl": _gpl, ".ase": _ase, ".aco": _aco, ".json": _json,
}  # fmt: skip

palette_suffixes = tuple(_READERS)
"""Lower-case suffixes of palette files, each with its dot."""


def as_pixels(colors: Sequence[Color]) -> Pixels:
    """Colors as ``(K, 3)`` uint8."""
    return np.array(colors, np.uint8).reshape(-1, 3)
