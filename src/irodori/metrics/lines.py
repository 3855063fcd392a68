"""Did the drawing stay the drawing?  Lines kept, lost and invented, and structure copied from the reference.

What is a line?  A sketch marks a place by ink.  In a coloring the same place may be a dark stroke, or, in art without
outlines, only the border between two flat colors: whoever redrew the picture would draw a line there either way.  So
the structure of a coloring is its strokes *and* its color borders.  A border under a line of the sketch confirms the
line and is no error; a border where the sketch has no line is structure that nobody drew.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from irodori.image import Pixels, to_uint8
from irodori.metrics.checks import check_image, check_size

TOLERANCE_PX = 1

_INK = 0.5  # a sketch's pixel from a quarter of full ink on is line: the rims of drawn lines are gray
_SIGMA_PX, _WEAK, _STRONG = 0.8, 40, 120  # Canny (1986): blur; gradients, a border of d levels has about 2.5 d
_STROKE = 24  # levels of 255 by which a stroke is darker than its surroundings, or a border's sides differ

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LineFidelity:
    """Lines of a coloring against those of its sketch, at 1 px tolerance, each 0…1.

    precision: share of the coloring's structure that lies on lines of the sketch; low = structure was invented.
    recall: share of the sketch's lines that are there in the coloring; low = lines were lost.
    """

    precision: float
    recall: float

    @property
    def f(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def line_fidelity(image: Tensor, sketch: Tensor) -> LineFidelity:
    """Compares the structure of a coloring ``(3, H, W)`` with the lines of its sketch ``(1, H, W)``, both in [-1, 1].

    A picture without structure invents nothing (precision 1); of a sketch without lines none is lost (recall 1).
    """
    check_image("image", image)
    check_image("sketch", sketch, 1)
    check_size("sketch", sketch, image)
    pixels = _pixels(image)
    borders = _borders(pixels)
    drawn = _both_sides(borders, pixels) | _strokes(pixels)
    return LineFidelity(
        precision=_share(_explained(sketch)[borders], empty=1.0),
        recall=_share(_near(drawn)[_centers(_ink(sketch))], empty=1.0),
    )


def reference_leak(image: Tensor, sketch: Tensor, reference: Tensor, other_reference: Tensor) -> float:
    """Structure copied from the reference: about 0 = none, towards 1 = all that the sketch does not explain.

    Of the coloring's borders off the sketch's lines, the share that lies on borders of the reference (stretched to the
    same size, 1 px tolerance), less the share that lies on borders of an unrelated reference.  Without copying the
    expectation is 0 and single values scatter around it, below 0 too: clipping them would make a mean positive.
    A few stray pixels are no structure: shares are of at least half a side of the picture.

    image: ``(3, H, W)``.  sketch: ``(1, H, W)``.  references: ``(3, h, w)`` of any size.
    """
    check_image("image", image)
    check_image("sketch", sketch, 1)
    check_size("sketch", sketch, image)
    check_image("reference", reference)
    check_image("other_reference", other_reference)
    free = _borders(_pixels(image)) & ~_explained(sketch)
    size = (image.shape[-2], image.shape[-1])
    count = max(int(free.sum()), sum(size) // 4)
    hits, chance = (
        int((free & _near(_borders(_stretched(each, size)))).sum()) for each in (reference, other_reference)
    )
    return (hits - chance) / count


def _ink(sketch: Tensor) -> Mask:
    return (sketch[0] < _INK).cpu().numpy()


def _explained(sketch: Tensor) -> Mask:
    """Where the sketch allows structure: its ink, and the rims that the extraction finds of ink alone."""
    return _near(_ink(sketch) | _borders(_pixels(sketch.expand(3, -1, -1))))


def _pixels(image: Tensor) -> Pixels:
    return to_uint8(image).permute(1, 2, 0).contiguous().cpu().numpy()


def _stretched(reference: Tensor, size: tuple[int, int]) -> Pixels:
    stretched = F.interpolate(reference[None].float(), size, mode="bilinear", antialias=True, align_corners=False)
    return _pixels(stretched[0])


def _borders(pixels: Pixels) -> Mask:
    """Canny edges of the channel that changes most, so that borders between colors of equal brightness count."""
    blurred = cv2.GaussianBlur(pixels, (0, 0), _SIGMA_PX)
    return cv2.Canny(blurred, _WEAK, _STRONG) > 0


def _both_sides(borders: Mask, pixels: Pixels) -> Mask:
    """A border runs between two pixels, of which Canny names one; here both are marked."""
    sides = borders.copy()
    for marks, known, colors in ((sides, borders, pixels), (sides.T, borders.T, pixels.swapaxes(0, 1))):
        step = np.abs(colors[1:].astype(np.int16) - colors[:-1]).max(axis=2)
        parted = (step >= _STROKE) & (known[1:] | known[:-1])
        marks[1:] |= parted
        marks[:-1] |= parted
    return sides


def _strokes(pixels: Pixels) -> Mask:
    """Inside of dark strokes: what a closing would fill (a border between two colors has nothing to fill)."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, _square(_widest(gray.shape))) >= _STROKE


def _centers(ink: Mask) -> Mask:
    """Middle of each stroke, and the outline of each area that is too wide for a stroke."""
    mask = ink.astype(np.uint8)
    wide = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _square(_widest(mask.shape)))
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    middle = depth > cv2.dilate(depth, _square(3)) - 0.5
    outline = wide > cv2.erode(wide, _square(3))
    return ink & np.where(wide > 0, outline, middle)


def _widest(size: tuple[int, ...]) -> int:
    """Strokes are narrower than about 1/40 of the picture's short side, in pixels, odd."""
    return 2 * max(1, round(min(size) / 80)) + 1


def _near(mask: Mask) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), _square(2 * TOLERANCE_PX + 1)) > 0


def _square(side: int) -> NDArray[np.uint8]:
    return np.ones((side, side), np.uint8)


def _share(found: Mask, empty: float) -> float:
    return float(found.mean()) if found.size else empty
