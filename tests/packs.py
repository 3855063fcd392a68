"""A small art pack in the layout that `irodori prepare` reads, drawn here: faces whose colors are parameters."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

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
