"""A benchmark drawn by hand: a head on a ground, whose parts, colors and lines are known to the pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from irodori.benchmark.cases import NO_PART, Benchmark, Case, Edit, read_benchmark, write_cases
from irodori.image import Pixels
from irodori.image_io import write_image

SIZE = 64
BACKGROUND, SKIN, HAIR = 0, 1, 2
WISH = (200, 40, 40)


@dataclass(frozen=True)
class Drawn:
    """lines: ``(H, H)``.  parts: ``(H, H)``, `NO_PART` on lines.  colors: of background, skin and hair."""

    lines: Pixels
    parts: Pixels
    colors: tuple[tuple[int, int, int], ...]

    @property
    def flats(self) -> Pixels:
        """The parts in their colors; under the lines the background's."""
        return np.array(self.colors, np.uint8)[np.where(self.parts == NO_PART, BACKGROUND, self.parts)]

    @property
    def colored(self) -> Pixels:
        """The colors under black lines: a perfect answer."""
        return np.where(self.lines[..., None] == 0, np.uint8(0), self.flats)


def draw(number: int, left: int = 16, size: int = SIZE) -> Drawn:
    """A square of hair above a square of skin, each 24 pixels wide, from column `left` on; colors by number."""
    parts = np.full((size, size), BACKGROUND, np.uint8)
    parts[8:26, left : left + 24] = HAIR
    parts[28:52, left : left + 24] = SKIN
    lines = np.full((size, size), 255, np.uint8)
    for top, bottom in ((7, 26), (27, 52)):
        lines[top : bottom + 1, left - 1 : left + 25] = 0
        lines[top + 1 : bottom, left : left + 24] = 255
    parts[lines == 0] = NO_PART
    shade = 20 * (number % 8)
    return Drawn(lines, parts, ((250 - shade, 250, 200), (240, 180 - shade, 140), (40, 60 + shade, 180)))


def make_bench(root: Path, drawings: int = 2, size: int = SIZE, recolored: int = 0) -> Benchmark:
    """Cases of most tracks for each drawing; the reference of `cross` is another drawing's.

    ``recolor-N`` and ``aligned-N`` have an answer; ``shift-N-S`` for three steps; ``edit-N`` and ``edit-N-SCALE``.
    recolored: further drawings, of which there is ``recolor-N`` alone.
    """
    (root / "pictures").mkdir(parents=True)
    cases: list[Case] = []
    for number in range(drawings + recolored):
        drawn, away = draw(number, size=size), draw(number, 30, size=size)
        files = {
            "sketch": _store(root, f"{number}-sketch", drawn.lines),
            "parts": _store(root, f"{number}-parts", drawn.parts),
            "truth": _store(root, f"{number}-truth", drawn.flats),
            "references": (_store(root, f"{number}-reference", away.colored),),
            "scored_parts": (BACKGROUND, SKIN, HAIR),
            "items": (f"drawing-{number}", f"reference-{number}"),
            "seed": number,
            "licenses": ("CC0 1.0",),
        }
        moved = "moved" if number % 2 else "centered"
        cases.append(Case(id=f"recolor-{number}", track="recolor", condition=moved, **files))
        if number >= drawings:
            continue
        cases.append(Case(id=f"aligned-{number}", track="aligned", condition="warp 0", **files))
        for step, left in enumerate((16, 22, 30)):
            reference = _store(root, f"{number}-step-{step}", draw(number, left, size).colored)
            fields = {**files, "references": (reference,), "sequence": f"slide-{number}", "position": float(step)}
            cases.append(Case(id=f"shift-{number}-{step}", track="shift", condition=f"step {step}", **fields))
        other = {**files, "truth": None, "parts": None, "scored_parts": ()}
        cases.append(Case(id=f"cross-{number}", track="cross", condition="any", **other))
        cases += _edits(root, number, files)
    write_cases(root, cases, {"name": "squares", "image_size": size, "attribution": ["drawn for tests"]})
    return read_benchmark(root)


def _edits(root: Path, number: int, files: dict) -> list[Case]:
    before = Case(id=f"edit-{number}", track="editing", condition="before", **files)
    found = [before]
    for scale in (0.0, 0.5, 1.0):
        edit = Edit(before=before.id, tag="red_hair", part=HAIR, color=WISH, scale=scale)
        fields = {**files, "truth": None, "sequence": f"edit-{number}", "position": scale, "edit": edit}
        found.append(Case(id=f"edit-{number}-{scale:g}", track="editing", condition="red_hair", **fields))
    return found


def _store(root: Path, name: str, pixels: Pixels) -> str:
    write_image(root / "pictures" / f"{name}.png", pixels)
    return f"pictures/{name}.png"


def number_of(case: Case) -> int:
    """Which drawing a case shows."""
    return int(case.id.split("-")[1])


def answer(case: Case, size: int = SIZE) -> Pixels:
    """The perfect answer to a case, edits included."""
    drawn = draw(number_of(case), size=size)
    pixels = drawn.colored.copy()
    if case.edit is not None:
        old = np.array(drawn.colors[HAIR])
        mixed = np.rint(old + case.edit.scale * (np.array(WISH) - old))
        pixels[drawn.parts == HAIR] = mixed.astype(np.uint8)
    return pixels


def write_answers(benchmark: Benchmark, folder: Path, shade: int = 0) -> Path:
    """Perfect answers to all cases; shade: by how many levels the skin is too dark."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in benchmark.cases:
        pixels = answer(case, benchmark.image_size)
        skin = draw(number_of(case), size=benchmark.image_size).parts == SKIN
        pixels[skin] = np.maximum(pixels[skin].astype(int) - shade, 0)
        write_image(folder / case.answer, pixels)
    return folder
