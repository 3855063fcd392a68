"""Where drawings come from: packs of vector art or pictures, plain folders, paired folders, side-by-side files.

Every reader yields `RawItem`; nothing is decoded here, so that preparation can do that in parallel.

A *pack* is a folder with one JSON object a line in `index.jsonl` (or `<style>.jsonl` beside a `styles.json`) and the
files in zip or tar archives beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from irodori.data.parts import hex_colors
from irodori.errors import DataError
from irodori.image_io import list_images

SourceKind = Literal["auto", "pack", "folder", "paired", "side-by-side", "celebamask"]

PERMISSIVE = ("cc0", "cc by 4.0", "cc-by-4.0", "mit", "apache-2.0", "released by eastman kodak for unrestricted use")
"""Starts of license names under which trained weights may be used commercially."""

SPLIT_FOLDERS = frozenset(("train", "val", "test", "valid", "validation", "training", "testing"))
"""Folder names, in lower case, that say how others split a collection and nothing about who is drawn."""

CELEBA_IMAGES, CELEBA_MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
CELEBA_LICENSE = "CelebAMask-HQ: non-commercial research and education"

_COLOR = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


@dataclass(frozen=True)
class RawItem:
    """A drawing before preparation.

    id: its name within the source; preparation makes ids of data sets, which are unique and safe as file names, of it.
    data: SVG text or the bytes of a picture; a path for folders.
    sketch: the artist's own line drawing, if any: SVG text beside SVG text, a path beside a path.
    side: where the sketch is in a side-by-side picture.
    masks: pictures whose bright areas together are the figure, all else is background; none: nobody knows.
    colors: for vector art, ``(part name, hex color, is line)`` for each part; None means "every color is a part".
    """

    id: str
    identity: str
    source: str
    data: str | bytes | Path
    sketch: str | Path | None = None
    side: Literal["left", "right"] | None = None
    masks: tuple[Path, ...] = ()
    colors: tuple[tuple[str, str, bool], ...] | None = None
    tags: tuple[str, ...] = ()
    license: str = ""
    attribution: str = ""
    group: str = ""


def is_permissive(license: str) -> bool:
    """True for CC0, CC BY, MIT, Apache-2.0 and public-domain-like releases; share-alike and GPL are not."""
    return license.lower().startswith(PERMISSIVE)


def clean(text: str) -> str:
    """Text that can be written as UTF-8: surrogates, from broken file names or JSON, become U+FFFD."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def with_packs_of(sources: Sequence[Path]) -> list[Path]:
    """The same folders, with the packs in place of a folder that holds packs and no pictures of its own."""
    found: list[Path] = []
    for source in sources:
        packs = sorted(path for path in source.iterdir() if _is_pack(path)) if os.path.isdir(source) else []
        found += [source] if not packs or _is_pack(source) or list_images(source) else packs
    return found


def read_source(
    folder: Path, kind: SourceKind = "auto", sketch_side: Literal["left", "right"] = "right"
) -> Iterator[RawItem]:
    """All drawings of a source, in a fixed order; DataError when the folder is not of the kind."""
    if not os.path.isdir(folder):  # unlike Path.is_dir, False for a folder that may not be looked at
        raise DataError(f"{folder}: no such folder; give a folder of pictures or an art pack")
    chosen = _recognize(folder) if kind == "auto" else kind
    if chosen == "pack":
        return _read_pack(folder)
    if chosen == "celebamask":
        return _read_celebamask(folder)
    if chosen == "paired":
        return _read_paired(folder)
    return _read_folder(folder, sketch_side if chosen == "side-by-side" else None)


def _recognize(folder: Path) -> SourceKind:
    if _is_pack(folder):
        return "pack"
    if all(os.path.isdir(folder / name) for name in (CELEBA_IMAGES, CELEBA_MASKS)):
        return "celebamask"
    if all(os.path.isdir(folder / name) for name in ("sketch", "color")):
        return "paired"
    return "folder"


def _is_pack(folder: Path) -> bool:
    # Other .jsonl files do not make a pack: folders of pictures on the Hugging Face hub have a metadata.jsonl.
    return any(os.path.isfile(folder / name) for name in ("index.jsonl", "styles.json"))


# --- folders of pictures ---------------------------------------------------------------------------------------------


def _read_folder(folder: Path, side: Literal["left", "right"] | None) -> Iterator[RawItem]:
    """Pictures of a folder and of everything below it; those of one subfolder are one identity (one character, say)."""
    source, found = _source_name(folder), False
    for path in _pictures(folder):
        found = True
        name = path.relative_to(folder).with_suffix("")
        identity = _file_identity(name) if side else _folder_identity(name)
        yield RawItem(_text(name), f"{source}/{identity}", source, path, side=side)
    if not found:
        raise DataError(f"{folder}: holds no pictures; give a folder of PNG, JPEG, WebP, TIFF or BMP files")


def _read_paired(folder: Path) -> Iterator[RawItem]:
    source, sketches, colors = _source_name(folder), _by_name(folder / "sketch"), _by_name(folder / "color")
    alone = sorted(name.as_posix() for name in sketches.keys() ^ colors.keys())
    if alone or not colors:
        raise DataError(f"{folder}: sketch/ and color/ must hold the same names; without a partner: {alone[:3]}")
    for name, paths in colors.items():
        for path in paths:
            partner = next((sketch for sketch in sketches[name] if sketch.name == path.name), sketches[name][0])
            yield RawItem(_text(name), f"{source}/{_file_identity(name)}", source, path, sketch=partner)


def _read_celebamask(folder: Path) -> Iterator[RawItem]:
    """CelebAMask-HQ (Lee et al. 2020): ``CelebA-HQ-img/7.jpg``, its masks ``…-mask-anno/0/00007_hair.png`` ….

    Every picture is its own identity; who is shown is not part of the data set.
    """
    masks: dict[int, list[Path]] = {}
    for path in sorted((folder / CELEBA_MASKS).glob("*/*.png")):
        number = path.name.partition("_")[0]
        if number.isdecimal():
            masks.setdefault(int(number), []).append(path)
    source, found = _source_name(folder), False
    for path in list_images(folder / CELEBA_IMAGES):
        found = True
        of_picture = masks.get(int(path.stem), []) if path.stem.isdecimal() else []
        yield RawItem(path.stem, f"{source}/{path.stem}", source, path, masks=tuple(of_picture), license=CELEBA_LICENSE)
    if not found:
        raise DataError(f"{folder}: {CELEBA_IMAGES} holds no pictures; unpack CelebAMask-HQ.zip again")


def _by_name(folder: Path) -> dict[Path, list[Path]]:
    """The pictures of a folder by their relative path without suffix, which a.png and a.jpg share."""
    found: dict[Path, list[Path]] = {}
    for path in _pictures(folder):
        found.setdefault(path.relative_to(folder).with_suffix(""), []).append(path)
    return found


def _pictures(folder: Path) -> Iterator[Path]:
    """The pictures of a folder, then those of its subfolders, sorted; hidden ones and data sets are left out."""
    waiting, seen = [folder], set()
    while waiting:
        place = waiting.pop()
        if (real := os.path.realpath(place)) in seen:  # a link to a folder above it would go round for ever
            continue
        seen.add(real)
        yield from list_images(place)
        waiting += sorted((path for path in place.iterdir() if _is_worth_a_look(path)), reverse=True)


def _is_worth_a_look(path: Path) -> bool:
    """False for hidden folders, and for data sets, which people put beside the pictures they are made of."""
    if path.name.startswith(".") or not os.path.isdir(path):
        return False
    return not all(os.path.isfile(path / name) for name in ("dataset.json", "index.jsonl"))


def _folder_identity(name: Path) -> str:
    """The first subfolder of a picture's relative path; of a picture that is in none, its own name."""
    return _text(Path(*_counted(name)[:1]))


def _file_identity(name: Path) -> str:
    """A picture's own relative path."""
    return _text(Path(*_counted(name)))


def _counted(name: Path) -> tuple[str, ...]:
    """The parts of a relative path after the folders that only say train, val or test."""
    parts = name.parts
    while len(parts) > 1 and parts[0].lower() in SPLIT_FOLDERS:
        parts = parts[1:]
    return parts


def _source_name(folder: Path) -> str:
    """The folder's name, also when it is given as `.` or `..`."""
    return _text(Path(os.path.abspath(folder).rsplit(os.sep, 1)[-1] or "root"))


def _text(path: Path) -> str:
    """A path as text that can be written, whatever bytes its names are made of."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


# --- packs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """A JSON object of a pack and where it stands; what it lacks or has of the wrong type raises a DataError."""

    where: str
    values: dict[str, Any]

    def text(self, *keys: str, default: str | None = None) -> str:
        """The first of `keys` that is there."""
        for key in keys:
            value = self.values.get(key)
            if value not in (None, ""):
                return self._as_text(key, value)
        if default is None:
            raise DataError(f"{self.where}: has no {keys[0]!r}; correct it or download the pack again")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty when it is not there."""
        value = self.values.get(key)
        if not isinstance(value, list | None):
            raise self._wrong(key, "a list of texts", value)
        return tuple(self._as_text(key, one) for one in value or ())

    def table(self, key: str) -> dict[str, str]:
        """Texts by name."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, "an object", value)
        return {clean(name): self._as_text(key, one) for name, one in value.items()}

    def name(self, key: str) -> str | None:
        """A text or a number, in lower case, as a name to compare; None when it is not there."""
        value = self.values.get(key)
        if value in (None, ""):
            return None
        if not isinstance(value, str | int | float):
            raise self._wrong(key, "a text or a number", value)
        # Emoji names are written with or without U+FE0F ("draw in color"): 1f3c3-200d-2640 is 1F3C3-200D-2640-FE0F.
        return clean(str(value)).casefold().replace("-fe0f", "")

    def _as_text(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self._wrong(key, "text", value)
        return clean(value)

    def _wrong(self, key: str, wanted: str, value: Any) -> DataError:
        shown = json.dumps(value)[:40]
        return DataError(f"{self.where}: {key!r} must be {wanted}, is {shown}; correct it or download the pack again")


def _read_pack(folder: Path) -> Iterator[RawItem]:
    if os.path.isfile(folder / "styles.json"):
        yield from _read_styles(folder)
        return
    index = folder / "index.jsonl"
    rows = _rows(index)
    by_name = {row.name("id"): row for row in reversed(rows)}
    with ExitStack() as stack:
        members = _zip_members(folder, stack)
        for row in rows:
            drawing = _member(row, row.text("file", "flat", "color"), members)
            line = row.text("line", default="")
            sketch = _member(row, line, members) if line and isinstance(drawing, str) else None
            yield _pack_item(_source_name(folder), row, drawing, sketch, _pack_identity(row, by_name))


def _member(row: _Row, file: str, members: Mapping[str, tuple[Path, zipfile.ZipFile]]) -> str | bytes:
    """A file of a pack: SVG as text."""
    if file not in members:
        raise DataError(f"{row.where}: {file} is in no zip beside it; copy or download the pack again")
    path, archive = members[file]
    with _reading(path):
        data = archive.read(file)
    return _svg_text(data, f"{path}: {file}") if file.lower().endswith(".svg") else data


def _pack_item(pack: str, row: _Row, data: str | bytes, sketch: str | bytes | None, identity: str) -> RawItem:
    colors = tuple(("", color, False) for color in hex_colors(data)) if isinstance(data, str) else None
    return RawItem(
        id=row.text("id"), identity=f"{pack}/{identity}", source=pack, data=data, colors=colors,
        sketch=sketch if isinstance(sketch, str) else None,
        tags=row.texts("tags"), license=row.text("license", "licence", default=""),
        attribution=row.text("author", default=""), group=row.text("group", default=""),
    )  # fmt: skip


def _pack_identity(row: _Row, rows: Mapping[str | None, _Row]) -> str:
    """What a drawing shares with its variants and near-duplicates: the episode, else the drawing they all lead to."""
    own, names = row.name("episode"), [row.name("id") or ""]
    while link := row.name("skintone_base") or row.name("near_duplicate_of"):
        if link in names:  # a ring; all in it must agree
            return own or min(names[names.index(link) :])
        names.append(link)
        if link not in rows:
            return own or link
        row = rows[link]
    return row.name("episode") or own or names[-1]


def _read_styles(folder: Path) -> Iterator[RawItem]:
    path = folder / "styles.json"
    with _reading(path):
        styles = json.loads(path.read_text(encoding="utf-8"))
    for style, about in _as_row(str(path), styles).values.items():
        yield from _read_style(folder, clean(style), _as_row(f"{path}, style {clean(style)}", about))


def _read_style(folder: Path, style: str, about: _Row) -> Iterator[RawItem]:
    """One style of a pack of characters whose color roles are named."""
    archive = folder / f"{style}.tar.gz"
    rows = {row.text("file"): row for row in _rows(folder / f"{style}.jsonl")}
    for file, data in _tar_files(archive, rows):
        yield _style_item(style, about, rows.pop(file), _svg_text(data, f"{archive}: {file}"))
    if rows:
        raise DataError(f"{archive}: lacks {next(iter(rows))} of {style}.jsonl; copy or download the pack again")


def _style_item(style: str, about: _Row, row: _Row, svg: str) -> RawItem:
    roles, line_roles = about.table("roles"), about.texts("line_roles")
    colors = tuple((roles.get(role, ""), color.lower(), role in line_roles) for role, color in _colors(row).items())
    if "variants" not in row.values:
        raise DataError(f"{row.where}: has no 'variants', which tell figures apart; download the pack again")
    return RawItem(
        id=row.text("id"), identity=f"{style}/{_digest(row.values['variants'])}", source=style, data=svg, colors=colors,
        tags=row.texts("tags"), license=about.text("license", "licence", default=""),
        attribution=about.text("attribution", default=""),
    )  # fmt: skip


def _colors(row: _Row) -> dict[str, str]:
    colors = row.table("colors")
    for role, color in colors.items():
        if not _COLOR.fullmatch(color):
            raise DataError(f"{row.where}: the color {color!r} of {role!r} is no #rrggbb; correct it")
    return colors


def _zip_members(folder: Path, stack: ExitStack) -> dict[str, tuple[Path, zipfile.ZipFile]]:
    """Every file in the zips of a folder, with its zip, open as long as `stack`."""
    members: dict[str, tuple[Path, zipfile.ZipFile]] = {}
    for path in sorted(folder.glob("*.zip")):
        with _reading(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
        members.update((name, (path, archive)) for name in archive.namelist())
    return members


def _tar_files(path: Path, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    with _reading(path), tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name in wanted else None
            if file is not None:
                yield member.name, file.read()


def _svg_text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: the SVG is not UTF-8 text; save it as UTF-8 or download the pack again") from error


def _rows(path: Path) -> list[_Row]:
    with _reading(path):
        # Not splitlines: JSON text may hold U+2028 and other characters at which that would cut it.
        lines = list(enumerate(path.read_text(encoding="utf-8").split("\n"), 1))
    return [_parsed(f"{path}, line {number}", line) for number, line in lines if line.strip()]


def _parsed(where: str, line: str) -> _Row:
    try:
        return _as_row(where, json.loads(line))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is no JSON object ({error}); correct it or download the pack again") from error


def _as_row(where: str, value: Any) -> _Row:
    if not isinstance(value, dict):
        raise DataError(f"{where}: is no JSON object; correct it or download the pack again")
    return _Row(where, value)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns whatever reading a file of a pack raises into one DataError that names it."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # a damaged archive can raise anything, from EOFError to struct.error
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read ({reason}); copy or download the pack again") from error


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
