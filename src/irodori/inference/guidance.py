"""What the artist steers with: hints, a palette, references, tags, words; as values, as text and as tensors."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from irodori.color import parse_hex, to_hex
from irodori.config import from_dict
from irodori.data.index import PART_NAMES
from irodori.data.vocabulary import find_tag, normal
from irodori.editing.masks import MaskOptions
from irodori.errors import ConfigError, InputError
from irodori.image import Geometry, from_uint8
from irodori.image_io import supported_suffixes
from irodori.systems.base import Sampling
from irodori.systems.text import TextEdit

Color = tuple[int, int, int]
"""Red, green, blue in 0…255."""

ALL_PARTS = ""
"""As a part name: all parts that no other reference is given for."""


MAX_TAG = 5.0
"""Largest value of a tag: 1 is as in a picture that shows it, more is stronger (Yan et al. 2023, section 4.4)."""


class Hint(NamedTuple):
    """A color at a place of the drawing: ``x, y`` in its pixels, centers at integers; ``color`` in 0…255."""

    x: float
    y: float
    color: Color


class Stroke(NamedTuple):
    """A color along a line of the drawing: `points` as a hint's place, joined by straight lines."""

    points: tuple[tuple[float, float], ...]
    color: Color


# --- checks ----------------------------------------------------------------------------------------------------------


def checked_hints(hints: Sequence[Hint | Stroke], size: tuple[int, int]) -> tuple[Hint | Stroke, ...]:
    """Hints as given, for a drawing of ``(height, width)``; InputError for one outside it or without a color."""
    height, width = size
    found = tuple(_checked_hint(hint) for hint in hints)
    for x, y in (point for hint in found for point in places_of(hint)):
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            raise InputError(f"the hint {x:g},{y:g} lies outside the sketch of {width}x{height} pixels: move it inside")
    return found


def _checked_hint(hint: Hint | Stroke) -> Hint | Stroke:
    if isinstance(hint, Stroke):
        if not hint.points:
            raise InputError("a stroke without points lies nowhere: give it at least one")
        return Stroke(tuple((float(x), float(y)) for x, y in hint.points), checked_color(hint.color))
    x, y, color = hint
    return Hint(float(x), float(y), checked_color(color))


def places_of(hint: Hint | Stroke) -> tuple[tuple[float, float], ...]:
    """The points ``(x, y)`` that a hint names."""
    return hint.points if isinstance(hint, Stroke) else ((hint.x, hint.y),)


def checked_color(color: Sequence[int]) -> Color:
    """A color as a tuple of three numbers; InputError for anything else."""
    if len(color) != 3 or not all(0 <= level <= 255 and int(level) == level for level in color):
        raise InputError(f"{tuple(color)} is not a color: red, green and blue are whole numbers from 0 to 255")
    red, green, blue = (int(level) for level in color)
    return red, green, blue


def is_mask(part: str) -> bool:
    """Whether what a reference is for is no part's name but a file: a mask."""
    return Path(part).suffix.lower() in supported_suffixes


def checked_part(name: str) -> str:
    """A part name as given, or `ALL_PARTS`; InputError, with the nearest name, for one that does not exist."""
    if name not in (ALL_PARTS, *PART_NAMES):
        close = difflib.get_close_matches(name, PART_NAMES, n=1, cutoff=0.5)
        remedy = f"did you mean {close[0]}?" if close else f"use one of {', '.join(PART_NAMES)}"
        raise InputError(f"{name!r} is no part that a reference can be for: {remedy}")
    return name


def checked_tags(tags: Mapping[str, float], known: Sequence[str]) -> dict[str, float]:
    """Tags as the model calls them, and their values; InputError for an unknown name or a value outside 0…5.

    known: the tags of the model; none, and names are only brought into their usual spelling.
    """
    for name, value in tags.items():
        if not 0 <= value <= MAX_TAG:  # also False for NaN
            raise InputError(f"the tag {name} cannot be {value:g}: 0 is none, 1 as usual, {MAX_TAG:g} the strongest")
    return {find_tag(name, known) if known else normal(name): float(value) for name, value in tags.items()}


# --- text ------------------------------------------------------------------------------------------------------------


def parse_hint(text: str) -> Hint | Stroke:
    """``"x,y=#rrggbb"`` to a hint, ``"x,y:x,y:…=#rrggbb"`` to a stroke.

    >>> parse_hint("120,85=#ff8000")
    Hint(x=120.0, y=85.0, color=(255, 128, 0))
    >>> parse_hint("120,85:160,90=ff8000")
    Stroke(points=((120.0, 85.0), (160.0, 90.0)), color=(255, 128, 0))
    """
    places, equals, color = text.partition("=")
    try:
        points = tuple((float(x), float(y)) for x, y in (place.split(",") for place in places.split(":")))
    except ValueError:
        points = ()
    if not (equals and points and all(map(math.isfinite, sum(points, ())))):
        raise InputError(
            f"{text!r} is not a hint: write a place and a color, such as 120,85=#ff8000, or, for a stroke, "
            "several places, such as 120,85:160,90=#ff8000"
        )
    return Hint(*points[0], parse_color(color)) if len(points) == 1 else Stroke(points, parse_color(color))


def parse_palette(texts: Sequence[str]) -> tuple[Color, ...]:
    """Lists of colors with commas between them to one palette.

    >>> parse_palette(["#ff8000,#ffffff", "000000"])
    ((255, 128, 0), (255, 255, 255), (0, 0, 0))
    """
    return tuple(parse_color(part.strip()) for text in texts for part in text.split(","))


def parse_color(text: str) -> Color:
    """``"#rrggbb"``, or without the ``#``, which shells take for a comment."""
    try:
        return parse_hex(f"#{text.removeprefix('#')}")
    except InputError:
        raise InputError(f"{text!r} is not a color: write it as #rrggbb, such as #ff8000") from None


def parse_tags(texts: Sequence[str]) -> dict[str, float]:
    """``"NAME"`` and ``"NAME=VALUE"`` to names and values; of a name that is there twice, the last value.

    >>> parse_tags(["red_hair=1.5", "blue eyes"])
    {'red_hair': 1.5, 'blue_eyes': 1.0}
    """
    return dict(_parse_tag(text) for text in texts)


def _parse_tag(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        number = float(value) if equals else 1.0
    except ValueError:
        number = math.nan
    if not normal(name) or not math.isfinite(number):
        raise InputError(f"{text!r} is not a tag: write its name, and how strong it should be, such as red_hair=1.5")
    return normal(name), number


def parse_text(texts: Sequence[str], **more: Any) -> tuple[TextEdit, ...]:
    """``"TARGET; anchor=…; control=…; scale=…; enhance; thresholds=a,b,c,d; variant=…"`` to edits.

    more: the same fields for a single edit, given beside it.

    >>> parse_text(["red hair; anchor=black hair; scale=6"], control="hair")
    (TextEdit(target='red hair', anchor='black hair', control='hair', scale=6.0, enhance=False, \
thresholds=(0.5, 0.55, 0.65, 0.95), variant='release'),)
    """
    given = {name: value for name, value in more.items() if value not in (None, False)}
    if given and len(texts) != 1:
        raise InputError(
            f"--{next(iter(given))} belongs to a single --text, but there are {len(texts)}: write it inside, such as "
            "'red hair; anchor=black hair'"
        )
    return tuple(_parse_edit(text, given) for text in texts)


def _parse_edit(text: str, more: Mapping[str, Any]) -> TextEdit:
    target, *settings = (part.strip() for part in text.split(";"))
    values: dict[str, Any] = dict(more)
    for setting in settings:
        name, _, value = (part.strip() for part in setting.partition("="))
        try:
            values[name] = _EDIT_FIELDS[name](value)
        except (KeyError, ValueError):
            raise InputError(
                f"{setting!r} in {text!r} is not understood: after the target come {', '.join(_EDIT_FIELDS)}, such as "
                "'red hair; anchor=black hair; scale=8; enhance'"
            ) from None
    try:
        return from_dict(TextEdit, {"target": target, **values}, "text")
    except ConfigError as error:
        raise InputError(str(error)) from error


def parse_thresholds(text: str) -> list[float]:
    """``"0.5,0.55,0.65,0.95"`` to numbers; ValueError for anything else."""
    return [float(part) for part in text.split(",")]


_EDIT_FIELDS: Mapping[str, Callable[[str], Any]] = {
    "anchor": str, "control": str, "scale": float, "enhance": lambda value: value != "no",
    "thresholds": parse_thresholds, "variant": str,
}  # fmt: skip


def parse_references(texts: Sequence[str]) -> dict[str, list[Path]]:
    """``"FILE"``, ``"PART=FILE"`` and ``"MASK.png=FILE"`` to files by what they are for; a file that exists is a file.

    >>> parse_references(["hair=a.png", "b.png", "coat-mask.png=c.png"])
    {'hair': [PosixPath('a.png')], '': [PosixPath('b.png')], 'coat-mask.png': [PosixPath('c.png')]}
    """
    found: dict[str, list[Path]] = {}
    for text in texts:
        part, equals, file = text.partition("=")
        is_for = bool(equals) and (part.replace("_", "").isalpha() or is_mask(part)) and not Path(text).exists()
        if is_for and not file:
            raise InputError(f"{text!r} names no file: write a part or a mask, and a file, such as hair=picture.png")
        name, path = (_part_of(part, text), Path(file)) if is_for else (ALL_PARTS, Path(text))
        found.setdefault(name, []).append(path)
    return found


def _part_of(part: str, text: str) -> str:
    if is_mask(part):
        return part
    try:
        return checked_part(part)
    except InputError as error:
        raise InputError(f"there is no file {text}, and {error}") from None


def describe(
    hints: Sequence[Hint | Stroke],
    palette: Sequence[Color],
    snap: bool,
    parts: Sequence[str],
    tags: Mapping[str, float],
    snap_palette: Sequence[Color] = (),
) -> dict[str, str]:
    """Steering in words that provenance keeps; an empty text: not given.  parts: for each reference."""
    return {
        "hints": " ".join(map(_hint_text, hints)),
        "palette": " ".join(to_hex(color) for color in palette),
        "snap": "yes" if snap else "",
        "snap_palette": " ".join(to_hex(color) for color in snap_palette),
        "reference_parts": " ".join(names)
        if set(names := ["*" if is_mask(part) else part or "*" for part in parts]) - {"*"}
        else "",
        "tags": " ".join(f"{name}={value:g}" for name, value in tags.items()),
    }


def _hint_text(hint: Hint | Stroke) -> str:
    """The inverse of `parse_hint`."""
    return ":".join(f"{x:g},{y:g}" for x, y in places_of(hint)) + f"={to_hex(hint.color)}"


def describe_drawing(text: Sequence[TextEdit], masks: MaskOptions | None, sampling: Sampling | None) -> dict[str, str]:
    """The same for text, masks and sampling, each as JSON; of mask files the names alone, as folders are private."""
    named = masks and replace(masks, sketch=Path(masks.sketch).name, reference=Path(masks.reference).name)
    return {
        "text": _json([_given(edit) for edit in text]),
        "masks": _json(named and asdict(named)),
        "sampling": _json(sampling and _given(sampling)),
    }


def drawing_of(words: Mapping[str, str]) -> dict[str, Any]:
    """The inverse: "text", "masks" and "sampling" as `Colorizer.run` takes them; InputError for anything else."""
    try:
        text, masks, sampling = (json.loads(words.get(key) or "null") for key in ("text", "masks", "sampling"))
        return {
            "text": tuple(from_dict(TextEdit, row, "text") for row in text or ()),
            "masks": masks and from_dict(MaskOptions, masks, "masks"),
            "sampling": sampling and from_dict(Sampling, sampling, "sampling"),
        }
    except (ValueError, TypeError, AttributeError, ConfigError) as error:
        raise InputError(f"text, masks or sampling are damaged ({error})") from error


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def _given(values: Any) -> dict[str, Any]:
    """The fields of a dataclass that have another value than by default."""
    return {field.name: value for field in fields(values) if (value := getattr(values, field.name)) != field.default}


# --- tensors ---------------------------------------------------------------------------------------------------------


def hint_tensor(hints: Sequence[Hint], geometry: Geometry) -> Tensor | None:
    """Hints as the network takes them, ``(1, N, 5)`` (`irodori.systems.base.Guidance`); None without any."""
    if not hints:
        return None
    points = [geometry.to_network((hint.x, hint.y)) for hint in hints]
    colors = color_tensor([hint.color for hint in hints])
    assert colors is not None
    return torch.cat([torch.tensor([points], dtype=torch.float32), colors], dim=-1)


def color_tensor(colors: Sequence[Color]) -> Tensor | None:
    """Colors as the network takes them, ``(1, M, 3)`` in [-1, 1]; None without any."""
    return from_uint8(torch.tensor([list(colors)])) if colors else None


def uses_of(parts: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """For each picture the names of all parts that it is for, from the names that it was given for.

    Names all parts, also those meant by `ALL_PARTS`, so that a picture can be for hair and for all the rest.
    Empty if no picture is for a named part.
    """
    named = {name for names in parts for name in names} - {ALL_PARTS}
    if not named:
        return ()
    rest = tuple(name for name in PART_NAMES if name not in named)
    return tuple(tuple(name for name in names if name) + (rest if ALL_PARTS in names else ()) for names in parts)


def by_part(references: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """``{part or mask: picture or pictures}`` as pairs in the order given; InputError for an unknown part."""
    return [
        (str(part) if is_mask(str(part)) else checked_part(part), picture)
        for part, pictures in references.items()
        for picture in (pictures if isinstance(pictures, (list, tuple)) else [pictures])
    ]
