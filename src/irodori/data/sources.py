"""Where drawings come from: packs of vector art or pictures, plain folders, paired folders, side-by-side files.

Every reader yields `RawItem`; nothing is decoded here, so that preparation can do that in parallel.

A *pack* is a folder with one JSON object a line in `index.jsonl` (or `<style>.jsonl` beside a `styles.json`) and the
files in zip or tar archives beside it.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from irodori.data.parts import hex_colors
from irodori.errors import DataError
from irodori.image_io import list_images

SourceKind = Literal["auto", "pack", "folder", "paired", "side-by-side"]

PERMISSIVE = ("cc0", "cc by 4.0", "cc-by-4.0", "mit", "apache-2.0", "released by eastman kodak for unrestricted use")
"""Starts of licence names under which trained weights may be used commercially."""


@dataclass(frozen=True)
class RawItem:
    """A drawing before preparation.

    data: SVG text or the bytes of a picture; a path for folders.
    sketch: the paired line drawing, if any.  side: where the sketch is in a side-by-side picture.
    colors: for vector art, ``(part name, hex colour, is line)`` for each part; None means "every colour is a part".
    """

    id: str
    identity: str
    source: str
    data: str | bytes | Path
    sketch: Path | None = None
    side: Literal["left", "right"] | None = None
    colors: tuple[tuple[str, str, bool], ...] | None = None
    tags: tuple[str, ...] = ()
    licence: str = ""
    attribution: str = ""


def is_permissive(licence: str) -> bool:
    """True for CC0, CC BY, MIT, Apache-2.0 and public-domain-like releases; share-alike and GPL are not."""
    return licence.lower().startswith(PERMISSIVE)


def read_source(
    folder: Path, kind: SourceKind = "auto", sketch_side: Literal["left", "right"] = "right"
) -> Iterator[RawItem]:
    """All drawings of a source, in a fixed order; DataError when the folder is not of the kind."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give a folder of pictures or an art pack")
    chosen = _recognise(folder) if kind == "auto" else kind
    if chosen == "pack":
        return _read_pack(folder)
    if chosen == "paired":
        return _read_paired(folder)
    return _read_folder(folder, sketch_side if chosen == "side-by-side" else None)


def _recognise(folder: Path) -> SourceKind:
    if any(folder.glob("*.jsonl")):
        return "pack"
    if (folder / "sketch").is_dir() and (folder / "color").is_dir():
        return "paired"
    return "folder"


def _read_folder(folder: Path, side: Literal["left", "right"] | None) -> Iterator[RawItem]:
    """Pictures of a folder and of its subfolders; those of one subfolder are one identity (one character, say)."""
    found = False
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        for path in list_images(place):
            found = True
            identity = path.stem if place == folder else place.name
            name = path.stem if place == folder else f"{place.name}-{path.stem}"
            yield RawItem(name, f"{folder.name}/{identity}", folder.name, path, side=side)
    if not found:
        raise DataError(f"{folder}: holds no pictures; give a folder of PNG, JPEG, WebP, TIFF or BMP files")


def _read_paired(folder: Path) -> Iterator[RawItem]:
    sketches = {path.stem: path for path in list_images(folder / "sketch")}
    colors = {path.stem: path for path in list_images(folder / "color")}
    alone = sorted(sketches.keys() ^ colors.keys())
    if alone or not colors:
        raise DataError(f"{folder}: sketch/ and color/ must hold the same names; without a partner: {alone[:3]}")
    for stem, path in colors.items():
        yield RawItem(stem, f"{folder.name}/{stem}", folder.name, path, sketch=sketches[stem])


def _read_pack(folder: Path) -> Iterator[RawItem]:
    styles = folder / "styles.json"
    if styles.is_file():
        for style, about in json.loads(styles.read_text(encoding="utf-8")).items():
            yield from _read_style(folder, style, about)
        return
    archives = [zipfile.ZipFile(path) for path in sorted(folder.glob("*.zip"))]
    members = {name: archive for archive in archives for name in archive.namelist()}
    for row in _rows(folder / "index.jsonl"):
        file = row.get("file") or row.get("flat") or row.get("color")
        if file not in members:
            raise DataError(f"{folder}: {file} is named in index.jsonl but in no archive beside it")
        data = members[file].read(file)
        yield _pack_item(folder.name, row, data.decode("utf-8") if file.endswith(".svg") else data)


def _read_style(folder: Path, style: str, about: dict[str, Any]) -> Iterator[RawItem]:
    """One style of a pack of characters whose colour roles are named."""
    with tarfile.open(folder / f"{style}.tar.gz") as archive:
        rows = {row["file"]: row for row in _rows(folder / f"{style}.jsonl")}
        for member in archive:
            if member.name not in rows:
                continue
            file, row = archive.extractfile(member), rows[member.name]
            if file is None:
                raise DataError(f"{folder}: {member.name} is not a file in {style}.tar.gz")
            colors = tuple(
                (about["roles"].get(role, ""), color.lower(), role in about["line_roles"])
                for role, color in row["colors"].items()
            )
            yield RawItem(
                id=row["id"], identity=f"{style}/{_digest(row['variants'])}", source=style, data=file.read().decode(),
                colors=colors, tags=tuple(row["tags"]), licence=about["license"], attribution=about["attribution"],
            )  # fmt: skip


def _pack_item(pack: str, row: dict[str, Any], data: str | bytes) -> RawItem:
    colors = tuple(("", color, False) for color in hex_colors(data)) if isinstance(data, str) else None
    identity = row.get("skintone_base") or row.get("near_duplicate_of") or row.get("episode") or row["id"]
    return RawItem(
        id=row["id"], identity=f"{pack}/{identity}", source=pack, data=data, colors=colors,
        tags=tuple(row.get("tags", ())), licence=row.get("licence", ""), attribution=row.get("author", ""),
    )  # fmt: skip


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as one JSON object a line ({error})") from error


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
