"""Small art packs in the layouts that `irodori prepare` reads, drawn here: faces whose colors are parameters, emoji."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np

from irodori.data.index import split_of
from irodori.image_io import write_image

STYLE = {
    "roles": {"skin": "skin", "hair": "hair", "shirt": "clothes", "line": "ink", "background": "background"},
    "line_roles": ["line"],
    "license": "CC0 1.0",
    "attribution": "drawn for the tests of irodori",
}


def face(number: int, colors: dict[str, str]) -> str:
    """A bust of which head, hair and shoulders depend on `number`; 96 x 96 units."""
    head, hair = 20 + number % 5, 10 + number % 7
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96">'
        f'<rect width="96" height="96" fill="{colors["background"]}"/>'
        f'<path d="M10 96 Q48 {60 + number % 9} 86 96 Z" fill="{colors["shirt"]}" stroke="{colors["line"]}"/>'
        f'<circle cx="48" cy="46" r="{head}" fill="{colors["skin"]}" stroke="{colors["line"]}"/>'
        f'<path d="M{48 - head} 46 A{head} {head} 0 0 1 {48 + head} 46 L48 {46 - hair} Z" fill="{colors["hair"]}" '
        f'stroke="{colors["line"]}"/></svg>'
    )


def palette(number: int) -> dict[str, str]:
    """Five distinct colors."""
    base = (number * 37) % 200
    return {
        "skin": f"#f0{base:02x}80", "hair": f"#{base:02x}30a0", "shirt": f"#20{255 - base:02x}40",
        "line": "#000000", "background": f"#d0e0{base:02x}",
    }  # fmt: skip


def make_pack(folder: Path, styles: tuple[str, ...] = ("round", "square"), count: int = 30) -> Path:
    """Writes `count` figures of each style and returns the folder."""
    folder.mkdir(parents=True)
    (folder / "styles.json").write_text(json.dumps(dict.fromkeys(styles, STYLE)))
    for style in styles:
        rows = []
        with tarfile.open(folder / f"{style}.tar.gz", "w:gz") as archive:
            for number in range(count):
                name, colors = f"{style}/{style}-{number}.svg", palette(number)
                data = face(number, colors).encode()
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
                rows.append({"id": f"{style}-{number}", "file": name, "colors": colors,
                             "variants": {"figure": str(number // 2)}, "tags": ["face"]})  # fmt: skip
        (folder / f"{style}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


TONES = {"": ("#ffe040", "#a06020"), "-1f3fb": ("#fadcbc", "#a57939"), "-1f3ff": ("#6a462f", "#000000")}
"""End of an emoji's name → its skin and hair."""


def emoji(number: int, skin: str, hair: str) -> tuple[str, str]:
    """A head, bald if `number` is 1 modulo 4, and a bow tie, ``(colored, lines alone)``; 72 x 72 units."""
    head = 16 + number % 6
    shapes = (
        ("#40a0e0", f'd="M8 72 Q36 {52 + number % 5} 64 72 Z"'),
        (skin, f'd="M{36 - head} 36 A{head} {head} 0 1 0 {36 + head} 36 Z"'),
        (skin if number % 4 == 1 else hair, f'd="M{36 - head} 36 A{head} {head} 0 0 1 {36 + head} 36 Z"'),
        ("#d02020", f'd="M{30 - number % 4} 64 h12 v6 h-12 Z"'),
    )
    start, stroke = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72">', 'stroke="black" stroke-width="2"'
    colored = "".join(f'<path fill="{color}" {stroke} {path}/>' for color, path in shapes)
    lines = "".join(f'<path fill="none" {stroke} {path}/>' for _, path in shapes)
    return f"{start}{colored}</svg>", f"{start}{lines}</svg>"


def make_emoji(folder: Path, count: int = 4, lines: bool = True) -> Path:
    """Writes `count` emoji of the test split and one of the training split, each in three tones."""
    folder.mkdir(parents=True)
    names = [f"1f{number:03x}" for number in range(0x600, 0x680)]
    held_out = [name for name in names if split_of(f"{folder.name}/{name}") == "test"][:count]
    others = [name for name in names if split_of(f"{folder.name}/{name}") == "train"][:1]
    rows = []
    with zipfile.ZipFile(folder / "svg.zip", "w") as archive:
        for base in held_out + others:
            for tone, colors in TONES.items():
                name, drawing = base + tone, emoji(int(base, 16), *colors)
                for kind, text in zip(("color", "line"), drawing, strict=True):
                    archive.writestr(f"{kind}/{name}.svg", text)
                row = {"id": name, "color": f"color/{name}.svg", "license": "MIT", "skintone_base": tone and base}
                rows.append(row | ({"line": f"line/{name}.svg", "author": "Line Artist"} if lines else {}))
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def make_paintings(folder: Path, count: int = 3) -> Path:
    """Writes `count` pictures of the test split: blots on white."""
    folder.mkdir(parents=True)
    names = [f"{number}" for number in range(200) if split_of(f"{folder.name}/{number}") == "test"]
    for name in names[:count]:
        generator = np.random.default_rng(int(name))
        picture = np.full((96, 96, 3), 255, np.uint8)
        for _ in range(12):
            center, color = generator.integers(12, 84, 2).tolist(), generator.integers(0, 200, 3).tolist()
            cv2.circle(picture, center, int(generator.integers(6, 16)), color, -1)
        write_image(folder / f"{name}.png", picture)
    return folder
