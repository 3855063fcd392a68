"""Builds a data set from sources: decode or render once, check, split, write.  Damaged items are listed, never used."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from tqdm import tqdm

from irodori.data.index import Item, Part, split_of, write_index
from irodori.data.parts import MAX_PARTS, pack, parse, planes_of
from irodori.data.sources import RawItem, SourceKind, is_permissive, read_source
from irodori.errors import DataError, IrodoriError
from irodori.image import Pixels, resize
from irodori.image_io import over_paper, read_image, to_gray, write_image


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """image_size: side of the stored squares in pixels.  limit: items taken from each source, 0 = all.

    permissive_only: leave out items whose licence does not allow commercially usable weights.
    """

    image_size: int = 256
    kind: SourceKind = "auto"
    sketch_side: Literal["left", "right"] = "right"
    permissive_only: bool = False
    limit: int = 0


@dataclass(frozen=True)
class PrepareReport:
    """items: how many were written; rejected: ``(id, reason)`` of the others."""

    items: int
    rejected: tuple[tuple[str, str], ...]


def prepare(
    sources: Sequence[Path], output: Path, options: PrepareOptions, workers: int = 0, progress: bool = True
) -> PrepareReport:
    """Builds the data set `output` (a new folder) from `sources`; the folder appears only when it is complete."""
    if output.exists():
        raise DataError(f"{output}: already exists; choose a new folder or delete it first")
    partial_folder = output.with_name(output.name + ".partial")
    shutil.rmtree(partial_folder, ignore_errors=True)
    try:
        (partial_folder / "items").mkdir(parents=True)
        items, rejected = _prepare_all(sources, partial_folder, options, workers, progress)
        write_index(partial_folder, items, _about(items, rejected, options))
        os.replace(partial_folder, output)
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror or error}); choose another folder") from error
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return PrepareReport(len(items), tuple(rejected))


def _prepare_all(
    sources: Sequence[Path], folder: Path, options: PrepareOptions, workers: int, progress: bool
) -> tuple[list[Item], list[tuple[str, str]]]:
    raw = [item for source in sources for item in _selected(source, options)]
    work = partial(prepare_item, folder=folder, options=options)
    items, rejected = {}, []
    bar = tqdm(total=len(raw), unit="drawing", disable=not progress)
    for done, reason in _map(work, raw, workers):
        bar.update()
        if isinstance(done, Item):
            if done.id in items:
                raise DataError(f"two drawings are called {done.id}; rename one of them")
            items[done.id] = done
        else:
            rejected.append((done, reason))
    bar.close()
    if not items:
        raise DataError(f"no drawing could be prepared; the first problem: {rejected[0] if rejected else 'no input'}")
    return list(items.values()), rejected


def _selected(source: Path, options: PrepareOptions) -> Iterator[RawItem]:
    found = read_source(source, options.kind, options.sketch_side)
    allowed = [item for item in found if is_permissive(item.licence) or not options.permissive_only]
    if not options.limit:
        return iter(allowed)
    by_source: Counter[str] = Counter()
    return (item for item in allowed if by_source.update([item.source]) or by_source[item.source] <= options.limit)


def _map(work: Any, raw: Sequence[RawItem], workers: int) -> Iterable[Any]:
    if workers <= 1:
        return map(work, raw)
    # Not forked: a copy of OpenCV's thread pool without its threads waits forever.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn")).map(work, raw, chunksize=16)


def prepare_item(raw: RawItem, folder: Path, options: PrepareOptions) -> tuple[Item | str, str]:
    """``(item, "")``, or ``(id, reason)`` when the drawing cannot be used."""
    cv2.setNumThreads(1)
    try:
        return (_vector_item if isinstance(raw.data, str) else _picture_item)(raw, folder, options), ""
    except IrodoriError as error:
        return raw.id, str(error)


def _vector_item(raw: RawItem, folder: Path, options: PrepareOptions) -> Item:
    assert isinstance(raw.data, str)
    colors = raw.colors or ()
    if not 2 <= len(colors) <= MAX_PARTS:
        raise DataError(f"{len(colors)} part colours, usable are 2 to {MAX_PARTS}")
    planes = planes_of(raw.data, [color for _, color, _ in colors], options.image_size)
    name = f"items/{raw.source}-{raw.id}.png"
    write_image(folder / name, pack(planes))
    parts = tuple(Part(name, parse(color), line) for name, color, line in colors)
    return Item(**_common(raw), kind="parts", file=name, parts=parts)


def _picture_item(raw: RawItem, folder: Path, options: PrepareOptions) -> Item:
    assert not isinstance(raw.data, str)
    color = over_paper(read_image(raw.data))
    sketch = to_gray(read_image(raw.sketch)) if raw.sketch else None
    if raw.side:
        color, sketch = _halves(color, raw.side)
    if sketch is not None and sketch.shape != color.shape[:2]:
        raise DataError(f"sketch {sketch.shape[::-1]} and colour image {color.shape[1::-1]} differ in size")
    name = f"items/{raw.source}-{raw.id}"
    write_image(folder / f"{name}.png", square(color, options.image_size))
    if sketch is not None:
        write_image(folder / f"{name}.sketch.png", square(sketch, options.image_size))
    paired = f"{name}.sketch.png" if sketch is not None else None
    return Item(**_common(raw), kind="picture", file=f"{name}.png", sketch=paired)


def _common(raw: RawItem) -> dict[str, Any]:
    return {
        "id": f"{raw.source}-{raw.id}", "identity": raw.identity, "split": split_of(raw.identity), "source": raw.source,
        "tags": raw.tags, "licence": raw.licence, "attribution": raw.attribution,
    }  # fmt: skip


def _halves(picture: Pixels, sketch_side: Literal["left", "right"]) -> tuple[Pixels, Pixels]:
    """Splits a side-by-side file into ``(colour, grey sketch)``."""
    if picture.shape[1] % 2 or picture.shape[1] < picture.shape[0]:
        raise DataError(f"{picture.shape[1]}×{picture.shape[0]} is no side-by-side pair of two equal halves")
    left, right = np.split(picture, 2, axis=1)
    return (right, to_gray(left)) if sketch_side == "left" else (left, to_gray(right))


def square(pixels: Pixels, size: int) -> Pixels:
    """Fits a picture into a square of paper white, centred, longest side = `size`."""
    scale = size / max(pixels.shape[:2])
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    canvas = np.full((size, size, *pixels.shape[2:]), 255, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = resize(pixels, (height, width))
    return canvas


def _about(items: Sequence[Item], rejected: Sequence[tuple[str, str]], options: PrepareOptions) -> dict[str, Any]:
    licences = sorted({(item.source, item.licence, item.attribution) for item in items})
    return {
        "image_size": options.image_size,
        "counts": dict(Counter(f"{item.source}/{item.split}" for item in items)),
        "licences": [dict(zip(("source", "licence", "attribution"), row, strict=True)) for row in licences],
        "rejected": [list(row) for row in rejected],
    }
