"""Attention checks: the exact truth against a spoiled version of it, so that whoever looks knows the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from irodori.benchmark.cases import Case, Track
from irodori.color import delta_e, lab_to_rgb, rgb_to_lab
from irodori.errors import DataError
from irodori.image import Pixels, resize, to_pixels, to_tensor
from irodori.image_io import over_paper, read_image, to_gray

TRACKS: tuple[Track, ...] = ("aligned", "recolor", "variants")
"""Tracks in which the truth is what sketch and reference ask for, plainly."""

_BLOCKS = 16  # of a mosaic, along the shorter side
_CLEAR_DELTA_E, _CLEAR_SHARE = 10.0, 0.15


@dataclass(frozen=True)
class Check:
    """The truth of a case against the version of it that `spoiled` (a key of `SPOILED`) names."""

    case: Case
    spoiled: str


def _untouched(truth: Pixels, sketch: Pixels) -> Pixels:
    return sketch


def _gray(truth: Pixels, sketch: Pixels) -> Pixels:
    return over_paper(to_gray(truth))


def _hue(truth: Pixels, sketch: Pixels) -> Pixels:
    """Every hue turned by 180° in L*a*b*, lightness and chroma kept."""
    lab = rgb_to_lab(to_tensor(truth))
    return to_pixels(lab_to_rgb(lab * torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)))


def _mosaic(truth: Pixels, sketch: Pixels) -> Pixels:
    height, width = truth.shape[:2]
    block = max(1, min(height, width) // _BLOCKS)
    small = resize(truth, (-(-height // block), -(-width // block)))
    return np.ascontiguousarray(small.repeat(block, 0).repeat(block, 1)[:height, :width])


SPOILED: dict[str, Callable[[Pixels, Pixels], Pixels]] = {
    "untouched": _untouched,
    "gray": _gray,
    "hue": _hue,
    "mosaic": _mosaic,
}
"""Name → version of a truth ``(H, W, 3)`` with the sketch ``(H, W, 3)`` that no attentive judge prefers.

All but "mosaic" keep the lines, and serve for questions about color alone; "mosaic" serves for lines too.
"""


def check_pictures(root: Path, check: Check) -> tuple[Pixels, Pixels]:
    """The right and the wrong picture, ``(H, W, 3)`` each; the truth gets the sketch's lines if it has none."""
    assert check.case.truth is not None
    sketch = over_paper(to_gray(read_image(root / check.case.sketch)))
    truth = over_paper(read_image(root / check.case.truth))
    if truth.shape != sketch.shape:
        raise DataError(f"{root}: the truth of case {check.case.id} has another size than its sketch; build it again")
    return np.minimum(truth, sketch), SPOILED[check.spoiled](np.minimum(truth, sketch), sketch)


def is_clear(right: Pixels, wrong: Pixels) -> bool:
    """Whether a good part of the picture (15 %) differs plainly (ΔE2000 10): a gray truth has no wrong hue."""
    return bool((delta_e(to_tensor(right), to_tensor(wrong)) > _CLEAR_DELTA_E).float().mean() >= _CLEAR_SHARE)


def design_checks(root: Path, cases: Sequence[Case], used: set[str], spoiled: Sequence[str], count: int) -> list[Check]:
    """`count` clear checks, on cases that no pair uses (ids `used`) as far as there are any, the kinds in turn.

    DataError when the benchmark has too few truths for them.
    """
    known = [case for case in cases if case.truth is not None and case.track in TRACKS]
    known.sort(key=lambda case: case.id in used)  # stable: a truth once seen would give away the pair
    found = list(islice(_clear_checks(root, known, spoiled), count))
    if len(found) < count:
        raise DataError(f"{root}: its truths allow {len(found)} of {count} attention checks; lower --checks")
    return found


def _clear_checks(root: Path, cases: Sequence[Case], spoiled: Sequence[str]) -> Iterator[Check]:
    for turn in range(len(spoiled)):
        for number, case in enumerate(cases):
            check = Check(case, spoiled[(number + turn) % len(spoiled)])
            if is_clear(*check_pictures(root, check)):
                yield check
