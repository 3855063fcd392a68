"""A tag in steps, or two against each other, as one picture (as figures 11 to 13 of Yan et al. 2023 are)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from irodori.editing.recipe import with_tags
from irodori.errors import InputError
from irodori.image import Pixels, resize
from irodori.image_io import write_image
from irodori.inference.batch import Options, file_names, input_hashes, references_of, refuse_foreign
from irodori.inference.colorizer import Colorizer
from irodori.inference.guidance import parse_tags
from irodori.inference.plan import Job
from irodori.inference.result import METADATA_KEY, Result

TILE_PX, GAP_PX, CAPTION_PX = 320, 8, 22
MOST_STEPS = 20


class Sweep(NamedTuple):
    """A tag and the values that it goes through."""

    tag: str
    values: tuple[float, ...]


def parse_sweep(text: str) -> Sweep:
    """``"TAG=FROM:TO:STEPS"``.

    >>> parse_sweep("red_hair=0:3:4")
    Sweep(tag='red_hair', values=(0.0, 1.0, 2.0, 3.0))
    """
    name, _, numbers = text.partition("=")
    first, last, steps = [*numbers.split(":"), "", "", ""][:3]
    try:
        count = int(steps)
        ends = parse_tags([f"{name}={first}"]), parse_tags([f"{name}={last}"])
    except (ValueError, InputError):
        count, ends = 0, ({}, {})
    if not 2 <= count <= MOST_STEPS or numbers.count(":") != 2:
        raise InputError(
            f"{text!r} is no sweep: write a tag, two values and 2 to {MOST_STEPS} steps, such as red_hair=0:3:6"
        )
    (tag, start), (_, end) = (*ends[0].items(), *ends[1].items())
    return Sweep(tag, tuple(round(start + (end - start) * i / (count - 1), 4) for i in range(count)))


def write_sweep(
    colorizer: Colorizer, job: Job, options: Options, sweeps: Sequence[Sweep], *, overwrite: bool = False
) -> Result:
    """Colors a sketch once for each value, and writes one picture of all; returns the last coloring.

    sweeps: one, from left to right; or two, the second from top to bottom.
    """
    if len(sweeps) not in (1, 2):
        raise InputError(f"{len(sweeps)} sweeps have no place on one sheet: give one or two")
    if not overwrite:
        refuse_foreign(job.output)
    sheet, result = sweep_sheet(colorizer, job, options, sweeps)
    about = {
        **result.provenance, **input_hashes(job), **file_names(job),
        "sweep": " ".join(f"{sweep.tag}={':'.join(f'{value:g}' for value in sweep.values)}" for sweep in sweeps),
    }  # fmt: skip
    write_image(job.output, sheet, {METADATA_KEY: json.dumps(about)})
    return result


def sweep_sheet(colorizer: Colorizer, job: Job, options: Options, sweeps: Sequence[Sweep]) -> tuple[Pixels, Result]:
    """The sheet ``(H, W, 3)``, and the coloring in its last corner."""
    columns = sweeps[0]
    rows = sweeps[1] if len(sweeps) == 2 else Sweep("", (0.0,))
    for one in sweeps:
        for value in one.values:
            colorizer.checked_tags({one.tag: value})
    colorizer.set_sketch(job.sketch, polarity=options.polarity, image_size=options.image_size)
    colorizer.set_reference(references_of(job))
    places = [(down, across) for down in rows.values for across in columns.values]
    tiles = []
    for down, across in tqdm(places, desc="sweeping", unit="coloring", disable=None):
        set_here = {columns.tag: across} | ({rows.tag: down} if rows.tag else {})
        steering = {**options.steering, "tags": with_tags(options.tags, set_here)}
        result = colorizer.run(options.seed, options.lines, **steering)
        tiles.append(captioned(result.pixels, "  ".join(f"{tag}={value:g}" for tag, value in set_here.items())))
    width = len(columns.values)
    return np.vstack([np.hstack(tiles[i : i + width]) for i in range(0, len(tiles), width)]), result


def captioned(pixels: Pixels, text: str) -> Pixels:
    """A picture at `TILE_PX`, on white, with a line of text below."""
    scale = min(1.0, TILE_PX / max(pixels.shape[:2]))
    tile = resize(pixels, (max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale))))
    framed = cv2.copyMakeBorder(
        tile,
        GAP_PX,
        CAPTION_PX,
        GAP_PX,
        GAP_PX + max(0, TILE_PX - tile.shape[1]),
        cv2.BORDER_CONSTANT,
        value=(255,) * 3,
    )
    picture = Image.fromarray(framed)
    place = (GAP_PX, GAP_PX + tile.shape[0] + 2)
    ImageDraw.Draw(picture).text(place, text, fill=(0, 0, 0), font=ImageFont.load_default(14))
    return np.asarray(picture)
