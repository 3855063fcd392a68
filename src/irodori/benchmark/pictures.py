"""The pictures of a case in the internal form, and the answer that a method gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from irodori.benchmark.cases import NO_PART, Case
from irodori.errors import DataError, InputError
from irodori.image import Pixels, to_tensor
from irodori.image_io import over_paper, read_image, to_gray
from irodori.inference.regions import INK_LEVEL


@dataclass(frozen=True)
class Scene:
    """What is known of a case.

    sketch: ``(1, H, W)``.  reference, other_reference: ``(3, h, w)``, the first of the case and that of another case.
    truth: ``(3, H, W)``.  parts: ``(H, W)`` integers, -1 = none.  counted: ``(H, W)``, where the truth counts.
    """

    sketch: Tensor
    reference: Tensor | None
    other_reference: Tensor | None
    truth: Tensor | None
    parts: Tensor | None
    counted: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """``(height, width)`` that an answer must have."""
        return self.sketch.shape[-2], self.sketch.shape[-1]


def read_scene(root: Path, case: Case, other_reference: str | None) -> Scene:
    """All pictures of a case in the folder of its benchmark; DataError for one that cannot be read."""
    lines = to_gray(_stored(root, case.sketch))
    parts = _parts(root, case)
    return Scene(
        sketch=to_tensor(lines)[0],
        reference=read_color(root, case.references[0]) if case.references else None,
        other_reference=None if other_reference is None else read_color(root, other_reference),
        truth=None if case.truth is None else read_color(root, case.truth),
        parts=parts,
        counted=_counted(case, lines, parts),
    )


def read_color(root: Path, name: str) -> Tensor:
    """A picture of the benchmark, ``(3, H, W)``; DataError when it cannot be read."""
    return to_tensor(over_paper(_stored(root, name)))[0]


def read_answer(path: Path, size: tuple[int, int] | None = None) -> Pixels:
    """A method's answer over white, ``(H, W, 3)``; InputError when it is missing, unreadable or of another size."""
    if not path.exists():
        raise InputError("missing")
    pixels = over_paper(read_image(path))
    if size is not None and pixels.shape[:2] != size:
        raise InputError(f"{pixels.shape[1]}×{pixels.shape[0]} pixels, expected {size[1]}×{size[0]}")
    return pixels


def other_references(cases: Sequence[Case]) -> dict[str, str | None]:
    """For each case id the reference of another drawing in the same track, chosen by the case alone; None without."""
    by_track: dict[str, dict[str, frozenset[str]]] = {}
    for case in cases:
        if case.references:
            by_track.setdefault(case.track, {})[case.references[0]] = frozenset(case.items[1:])
    return {case.id: _other_reference(case, by_track.get(case.track, {})) for case in cases}


def _other_reference(case: Case, shown: Mapping[str, frozenset[str]]) -> str | None:
    """shown: reference files of the track, and the drawings that each shows."""
    if not case.references:
        return None
    others = [name for name, drawings in shown.items() if name not in case.references and not drawings & {*case.items}]
    return others[case.seed % len(others)] if others else None


def _stored(root: Path, name: str) -> Pixels:
    try:
        return read_image(root / name)
    except InputError as error:
        raise DataError(f"{error}; it belongs to the benchmark: run 'irodori benchmark build' again") from error


def _parts(root: Path, case: Case) -> Tensor | None:
    if case.parts is None:
        return None
    parts = torch.from_numpy(to_gray(_stored(root, case.parts))).long()
    return torch.where(parts == NO_PART, -1, parts)


def _counted(case: Case, lines: Pixels, parts: Tensor | None) -> Tensor:
    """Bare paper, and of a case with parts only in those whose color the references tell.

    Under drawn lines nothing counts: they are the artist's, and systems lay them on the colors.
    """
    paper = torch.from_numpy(lines >= INK_LEVEL)
    return paper if parts is None else paper & torch.isin(parts, torch.tensor(case.scored_parts, dtype=torch.long))
