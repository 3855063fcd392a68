"""The project file: characters with their references and palettes, pages and frames with their characters.

TOML, read strictly: a misspelled key is answered with the right one before anything is colored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from irodori.config import from_dict, read_toml
from irodori.errors import ConfigError, InputError
from irodori.image_io import list_images, write_whole
from irodori.weights import DEFAULT

PROJECT_FILE = "irodori.toml"

Format = Literal["png", "jpg", "webp", "tiff", "bmp", "ora", "psd"]


@dataclass(frozen=True, kw_only=True)
class Coloring:
    """How everything is colored; see `irodori.inference.batch.Options`.

    output: folder of the results.  format: of pages, and of frames.  snap: flats in the references' colors; a
    character's palette does that too, and more strictly.
    """

    model: str = DEFAULT
    output: str = "colored"
    format: Format = "png"
    lines: Literal["keep", "none"] = "keep"
    polarity: Literal["auto", "dark", "light"] = "auto"
    image_size: int | None = None
    seed: int = 0
    snap: bool = True


@dataclass(frozen=True, kw_only=True)
class Character:
    """references: pictures, as ``"rin.png"``, or ``"hair=rin.png"`` for a part.  palette: a palette file, or none."""

    references: tuple[str, ...]
    palette: str = ""


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Drawings that stand by themselves.

    sketches: files, folders and patterns such as ``"pages/*.png"``.  output: folder below that of the project.
    masks: for single drawings, where a character is, as a picture of the drawing's size.
    hints, hint_layer: for single drawings, as ``--hint`` and ``--hints``.
    """

    sketches: tuple[str, ...]
    characters: tuple[str, ...] = ()
    output: str = ""
    masks: dict[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
    hint_layer: str = ""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Drawings that follow one another.

    name: of the folder of the results.  sketches: as of pages, in this order; or video: a file to take them from.
    follow: each colored frame is one more reference for the next.
    output_video: a file, below the project's output, to join the results in.  frame_rate: in frames per second, of the
    video if None, else 24.
    """

    name: str
    sketches: tuple[str, ...] = ()
    video: str = ""
    characters: tuple[str, ...] = ()
    follow: bool = True
    output_video: str = ""
    frame_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Project:
    """A whole project file."""

    coloring: Coloring = field(default_factory=Coloring)
    characters: dict[str, Character] = field(default_factory=dict)
    pages: tuple[Pages, ...] = ()
    frames: tuple[Frames, ...] = ()

    def __post_init__(self) -> None:
        if not self.pages and not self.frames:
            raise ConfigError("there is nothing to color: write [[pages]] or [[frames]] with sketches")
        for number, pages in enumerate(self.pages, start=1):
            self._check_names((*pages.characters, *pages.masks), f"pages {number}")
        for frames in self.frames:
            self._check_names(frames.characters, f"frames '{frames.name}'")
            if bool(frames.sketches) == bool(frames.video):
                raise ConfigError(f"frames '{frames.name}': give either sketches or a video")
            if (frames.follow or frames.output_video) and self.coloring.format in ("ora", "psd"):
                raise ConfigError(
                    f"frames '{frames.name}' follow one another, and make videos, as pictures, not as "
                    f"{self.coloring.format}: choose another format, or follow = false without a video"
                )

    def _check_names(self, names: Sequence[str], where: str) -> None:
        for name in names:
            if name not in self.characters:
                known = ", ".join(self.characters) or "none is"
                raise ConfigError(f"{where}: there is no character '{name}': {known} in [characters]")


def read_project(path: Path) -> Project:
    """A project file; ConfigError, naming file and key, for anything in it that is not understood."""
    values = read_toml(path)
    try:
        return from_dict(Project, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def project_file(path: Path) -> Path:
    """The file itself, or the one of the usual name in a folder."""
    return path / PROJECT_FILE if path.is_dir() else path


# --- a new project ---------------------------------------------------------------------------------------------------


def new_project(
    folder: Path, characters: Mapping[str, Sequence[Path]], pages: Sequence[Path], frames: Sequence[Path]
) -> Path:
    """Writes a project file with comments into a folder; InputError if there is one already.

    Without characters or drawings, those in its folders ``references`` and ``pages`` are taken.
    """
    path = folder / PROJECT_FILE
    if path.exists():
        raise InputError(f"{path} exists already: edit it, or choose another folder")
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: make it first, with the drawings in it")
    characters = characters or {file.stem: [file] for file in _pictures(folder / "references")}
    if not pages:
        pages = [folder / "pages"] if _pictures(folder / "pages") else []
    write_whole(path, _template(folder, characters, pages, frames).encode())
    return path


def parse_characters(texts: Sequence[str]) -> dict[str, list[Path]]:
    """``"NAME=FILE"`` to files for each character.

    >>> parse_characters(["rin=a.png", "rin=b.png"])
    {'rin': [PosixPath('a.png'), PosixPath('b.png')]}
    """
    found: dict[str, list[Path]] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise InputError(f"{text!r} is no character with a picture: write its name and a file, such as rin=rin.png")
        if not Path(file).exists():
            raise InputError(f"{file} does not exist: check the path of {name}'s picture")
        found.setdefault(name, []).append(Path(file))
    return found


def _pictures(folder: Path) -> list[Path]:
    return list_images(folder) if folder.is_dir() else []


def _template(
    folder: Path, characters: Mapping[str, Sequence[Path]], pages: Sequence[Path], frames: Sequence[Path]
) -> str:
    names = json.dumps(list(characters), ensure_ascii=False)
    parts = [_HEAD]
    for name, files in characters.items():
        sources = f'references = {_paths(files, folder)}\n# palette = "palette.gpl"'
        parts.append(f"[characters.{_quoted(name)}]\n{sources}\n")
    if pages or not frames:
        parts.append(f"[[pages]]\nsketches = {_paths(pages or [Path('pages')], folder)}\ncharacters = {names}\n")
    for file in frames:
        given = (
            f"video = {_quoted(_relative(file, folder))}" if file.is_file() else f"sketches = {_paths([file], folder)}"
        )
        parts.append(f"[[frames]]\nname = {_quoted(file.stem)}\n{given}\ncharacters = {names}\n")
    return "\n".join(parts)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _paths(files: Sequence[Path], folder: Path) -> str:
    return json.dumps([_relative(file, folder) for file in files], ensure_ascii=False)


def _relative(file: Path, folder: Path) -> str:
    """Seen from the project's folder where it lies in it, else absolute."""
    absolute, root = file.resolve(), folder.resolve()
    return (absolute.relative_to(root) if absolute.is_relative_to(root) else absolute).as_posix()


_HEAD = """\
# A project of irodori: `irodori batch irodori.toml` colors what is new or has changed.
# Paths are seen from this file.  docs/pages.md tells all keys.

[coloring]
model = "irodori-base"
output = "colored"
format = "png"        # or webp, tiff; for pages also ora and psd, with layers
snap = true           # flats in exactly the references' colors, the same on every page
"""
