"""Builds a data set from sources: decode or render once, check, split, write.  Damaged items are listed, never used."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from irodori.data.index import SPLITS, Item, Part, Split, split_of, write_index
from irodori.data.licenses import FOLDER as LICENSES
from irodori.data.licenses import copy_license_texts
from irodori.data.parts import MAX_PARTS, pack, parse, planes_of, render
from irodori.data.sources import RawItem, SourceKind, clean, is_permissive, read_source, with_packs_of
from irodori.errors import DataError, IrodoriError
from irodori.image import Pixels, resize
from irodori.image_io import over_paper, read_image, to_gray, write_image

LONGEST_ID = 150
"""In bytes: file systems allow names of 255 bytes, some encrypted ones of 143 characters."""

NONE_PERMISSIVE = (
    "no drawing has a permissive license (CC0, CC BY, MIT, Apache-2.0); give other sources, or allow every license"
)

NOTICE_FROM, NOTICE_SHARE = 50, 0.10
"""From so many drawings on, an identity that holds a larger share of them is worth a notice."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """image_size: side of the stored squares in pixels.  limit: items taken from each source, 0 = all.

    remove_background: paint over with paper what lies outside the masks of a picture, where a source has masks.
    permissive_only: leave out items whose license does not allow commercially usable weights.
    splits: keep only items of these splits; vector art of the others is not even rendered.
    """

    image_size: int = 256
    kind: SourceKind = "auto"
    sketch_side: Literal["left", "right"] = "right"
    remove_background: bool = False
    permissive_only: bool = False
    limit: int = 0
    splits: tuple[Split, ...] = SPLITS


@dataclass(frozen=True)
class PrepareReport:
    """items: how many were written; rejected: ``(id, reason)`` of the others; notices: what its maker should know."""

    items: int
    rejected: tuple[tuple[str, str], ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """An item and its content: the same text for pictures that are equal or mirrored; "" for vector art."""

    item: Item
    content: str = ""


def prepare(
    sources: Sequence[Path], output: Path, options: PrepareOptions, workers: int = 0, progress: bool = True
) -> PrepareReport:
    """Builds the data set `output` (a new folder) from `sources`; the folder appears only when it is complete.

    A source is a folder of pictures, an art pack or a folder of packs.
    """
    if output.exists():
        raise DataError(f"{output}: already exists; choose a new folder or delete it first")
    sources = with_packs_of(sources)
    named = _with_ids(item for source in sources for item in _selected(source, options))
    raw = [item for item in named if _may_be_wanted(item, options.splits)]
    if not named and options.permissive_only:
        raise DataError(NONE_PERMISSIVE)
    if named and not raw:
        raise _none_left(options.splits)
    partial_folder = output.with_name(output.name + ".partial")
    try:
        with writing(output):
            shutil.rmtree(partial_folder, ignore_errors=True)
            (partial_folder / "items").mkdir(parents=True)
        done, rejected = _prepare_all(raw, partial_folder, options, workers, progress)
        items = _with_copies_together(done)
        notices = _notices(items) if set(options.splits) == set(SPLITS) else ()
        items = _only(items, options.splits, partial_folder)
        with writing(output):
            for source in sources:
                copy_license_texts(source, {item.license for item in items}, partial_folder / LICENSES)
            write_index(partial_folder, items, _about(items, rejected, notices, options))
            os.replace(partial_folder, output)
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return PrepareReport(len(items), tuple(rejected), notices)


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Turns an OSError into one sentence that names the folder to be made."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror or error}); choose another folder") from error


def _prepare_all(
    raw: Sequence[RawItem], folder: Path, options: PrepareOptions, workers: int, progress: bool
) -> tuple[list[Prepared], list[tuple[str, str]]]:
    work = partial(prepare_item, folder=folder, options=options)
    done, rejected = [], []
    with tqdm(total=len(raw), unit="drawing", disable=not progress) as bar:
        for result in map_in_processes(work, raw, workers):
            bar.update()
            if isinstance(result, Prepared):
                done.append(result)
            else:
                rejected.append(result)
    if not done:
        raise DataError(f"no drawing could be prepared; the first problem: {rejected[0] if rejected else 'no input'}")
    return done, rejected


def _selected(source: Path, options: PrepareOptions) -> Iterator[RawItem]:
    found = read_source(source, options.kind, options.sketch_side)
    allowed = [item for item in found if is_permissive(item.license) or not options.permissive_only]
    if not options.limit:
        return iter(allowed)
    by_source: Counter[str] = Counter()
    return (item for item in allowed if by_source.update([item.source]) or by_source[item.source] <= options.limit)


def _may_be_wanted(item: RawItem, splits: Sequence[Split]) -> bool:
    """Whether an item can end in one of the splits; a picture may be the copy of another and move to its split."""
    return not isinstance(item.data, str) or split_of(item.identity) in splits


def _only(items: Sequence[Item], splits: Sequence[Split], folder: Path) -> list[Item]:
    """The items of some splits; removes the files of the others."""
    for item in items:
        if item.split not in splits:
            for file in (item.file, item.sketch):
                if file:
                    (folder / file).unlink()
    kept = [item for item in items if item.split in splits]
    if not kept:
        raise _none_left(splits)
    return kept


def _none_left(splits: Sequence[Split]) -> DataError:
    return DataError(f"no drawing stands in the split {' or '.join(splits)}; give more drawings")


def map_in_processes(work: Callable[[Any], Any], raw: Sequence[Any], workers: int) -> Iterable[Any]:
    """``map(work, raw)``, in order, in so many processes; `work` must be picklable."""
    if workers <= 1:
        yield from map(work, raw)
        return
    # Not forked: a copy of OpenCV's thread pool without its threads waits forever.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, raw, chunksize=16)


# --- ids -------------------------------------------------------------------------------------------------------------


def _with_ids(raw: Iterable[RawItem]) -> list[RawItem]:
    """The items with the ids of the data set: source and name; of several that are called so, later ones get "-2" ….

    Decided before any work is done, so that nobody waits an hour to hear of two equal names.
    """
    taken: set[str] = set()
    numbers: dict[str, Iterator[int]] = {}
    named = []
    for item in raw:
        base = _file_name(f"{item.source}-{item.id}")
        tried = (base if number == 1 else f"{base}-{number}" for number in numbers.setdefault(base, count(1)))
        id = next(id for id in tried if taken.isdisjoint(_claims(item, id)))
        taken |= _claims(item, id)
        named.append(replace(item, id=id))
    return named


def _claims(item: RawItem, id: str) -> set[str]:
    """The file names an id stands for, as file systems compare them that ignore case or the form of accents."""
    names = {id, f"{id}.sketch"} if item.sketch or item.side else {id}
    return {unicodedata.normalize("NFC", name.casefold()) for name in names}


def _file_name(name: str) -> str:
    """A name that every file system takes."""
    safe = re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFC", name))
    if len(safe.encode()) <= LONGEST_ID:
        return safe
    digest = hashlib.sha256(safe.encode()).hexdigest()[:16]
    return safe.encode()[: LONGEST_ID - 17].decode("utf-8", "ignore") + "-" + digest


# --- one drawing -----------------------------------------------------------------------------------------------------


def prepare_item(raw: RawItem, folder: Path, options: PrepareOptions) -> Prepared | tuple[str, str]:
    """Writes the files of a drawing; ``(id, reason)`` when it cannot be used."""
    cv2.setNumThreads(1)
    try:
        done, files = (_vector_item if isinstance(raw.data, str) else _picture_item)(raw, options)
    except IrodoriError as error:
        return raw.id, clean(str(error))
    for name, pixels in files.items():  # not in the try: a full disk is no fault of the drawing and ends the run
        write_image(folder / name, pixels)
    return done


def _vector_item(raw: RawItem, options: PrepareOptions) -> tuple[Prepared, Mapping[str, Pixels]]:
    assert isinstance(raw.data, str)
    colors = raw.colors or ()
    if not 2 <= len(colors) <= MAX_PARTS:
        raise DataError(f"{len(colors)} part colors, usable are 2 to {MAX_PARTS}")
    planes = planes_of(raw.data, [color for _, color, _ in colors], options.image_size)
    file = f"items/{raw.id}.png"
    parts = tuple(Part(name, parse(color), line) for name, color, line in colors)
    files = {file: pack(planes)}
    sketch_file = f"items/{raw.id}.sketch.png" if isinstance(raw.sketch, str) else None
    if isinstance(raw.sketch, str) and sketch_file is not None:
        files[sketch_file] = to_gray(render(raw.sketch, options.image_size))
    return Prepared(Item(**_common(raw), kind="parts", file=file, sketch=sketch_file, parts=parts)), files


def _picture_item(raw: RawItem, options: PrepareOptions) -> tuple[Prepared, Mapping[str, Pixels]]:
    assert not isinstance(raw.data, str)
    color = over_paper(read_image(raw.data))
    sketch = to_gray(read_image(raw.sketch)) if isinstance(raw.sketch, Path) else None
    if raw.side:
        color, sketch = _halves(color, raw.side)
    if sketch is not None and sketch.shape != color.shape[:2]:
        raise DataError(f"sketch {sketch.shape[::-1]} and color image {color.shape[1::-1]} differ in size")
    if options.remove_background and raw.masks:
        shown = foreground(raw.masks, (color.shape[0], color.shape[1]))
        color = np.where(shown[..., None], color, np.uint8(255))
        sketch = None if sketch is None else np.where(shown, sketch, np.uint8(255))
    file, sketch_file = f"items/{raw.id}.png", f"items/{raw.id}.sketch.png" if sketch is not None else None
    files = {file: square(color, options.image_size)}
    if sketch is not None and sketch_file is not None:
        files[sketch_file] = square(sketch, options.image_size)
    # Mirrored before it is fitted: the square of an odd width, or a rounded average, is not exactly symmetric.
    mirrored = square(np.ascontiguousarray(color[:, ::-1]), options.image_size)
    content = min(_digest(files[file]), _digest(mirrored))
    return Prepared(Item(**_common(raw), kind="picture", file=file, sketch=sketch_file), content), files


def foreground(masks: Sequence[Path], size: tuple[int, int]) -> NDArray[np.bool_]:
    """``(H, W)``: where any of the masks is bright; they are brought to `size` without mixing their pixels."""
    found = np.zeros(size, bool)
    for path in masks:
        found |= cv2.resize(to_gray(read_image(path)), size[::-1], interpolation=cv2.INTER_NEAREST) > 127
    return found


def _digest(pixels: Pixels) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _common(raw: RawItem) -> dict[str, Any]:
    return {
        "id": raw.id, "identity": raw.identity, "split": split_of(raw.identity), "source": raw.source,
        "tags": raw.tags, "license": raw.license, "attribution": raw.attribution, "group": raw.group,
    }  # fmt: skip


def _halves(picture: Pixels, sketch_side: Literal["left", "right"]) -> tuple[Pixels, Pixels]:
    """Splits a side-by-side file into ``(color, gray sketch)``."""
    if picture.shape[1] % 2 or picture.shape[1] < picture.shape[0]:
        raise DataError(f"{picture.shape[1]}×{picture.shape[0]} is no side-by-side pair of two equal halves")
    left, right = np.split(picture, 2, axis=1)
    return (right, to_gray(left)) if sketch_side == "left" else (left, to_gray(right))


def square(pixels: Pixels, size: int) -> Pixels:
    """Fits a picture into a square of paper white, centered, longest side = `size`."""
    scale = size / max(pixels.shape[:2])
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    canvas = np.full((size, size, *pixels.shape[2:]), 255, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = resize(pixels, (height, width))
    return canvas


# --- the whole -------------------------------------------------------------------------------------------------------


def _with_copies_together(done: Sequence[Prepared]) -> list[Item]:
    """Gives copies of a picture, also mirrored ones, the identity of the smallest id, so that they share a split."""
    first: dict[str, str] = {}
    for one in sorted(done, key=lambda one: one.item.id):
        first.setdefault(one.content or one.item.id, one.item.identity)
    identities = [first[one.content] if one.content else one.item.identity for one in done]
    return [
        replace(one.item, identity=identity, split=split_of(identity))
        for one, identity in zip(done, identities, strict=True)
    ]


def _notices(items: Sequence[Item]) -> tuple[str, ...]:
    """Identities that hold so much that the splits cannot have their sizes."""
    if len(items) < NOTICE_FROM:
        return ()
    counts = Counter(item.identity for item in items).most_common()
    return tuple(
        f"identity {identity} holds {held} of {len(items)} drawings: its drawings all stand in one split "
        f"({split_of(identity)}); if they show several figures, sort them into a folder for each"
        for identity, held in counts
        if held > NOTICE_SHARE * len(items)
    )


def _about(
    items: Sequence[Item], rejected: Sequence[tuple[str, str]], notices: Sequence[str], options: PrepareOptions
) -> dict[str, Any]:
    licenses = sorted({(item.source, item.license, item.attribution) for item in items})
    return {
        "image_size": options.image_size,
        "remove_background": options.remove_background,
        "counts": dict(Counter(f"{item.source}/{item.split}" for item in items)),
        "licenses": [dict(zip(("source", "license", "attribution"), row, strict=True)) for row in licenses],
        "rejected": [list(row) for row in rejected],
        "notices": list(notices),
    }
