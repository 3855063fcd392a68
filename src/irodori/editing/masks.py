"""Foreground masks of sketches and references: from a file, by classical means, or from a user's segmentation network.

Masks are ``(H, W)`` float32 in 0…1, 1 = foreground.  Split cross-attention (Yan 2025, section 5.5.3) compares them with
thresholds that the user sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.errors import InputError, MissingPackageError
from irodori.export.runtime import import_onnxruntime
from irodori.image import Pixels
from irodori.image_io import read_image, to_gray

Mask = NDArray[np.float32]
Kind = Literal["sketch", "reference"]

INK = 0.75
"""A pixel darker than this share of white stops the outside of a drawing."""

GAP_SHARE = 0.012
"""Gaps in the outline up to this share of the longer side are closed."""

WORKING_SIDE = 320
"""Longest side, in pixels, at which backgrounds of references are told from what stands before them."""

FLAT_DIFFERENCE = 5.0
"""In L*a*b*: what differs so much from a flat background stands before it."""

DILATION = 11
"""Pixels by which the release widens a reference's mask, so that no rim of the figure stays in the background."""


AUTO = "auto"
"""Instead of a file: the classical method."""


@dataclass(frozen=True, kw_only=True)
class MaskOptions:
    """Where foregrounds come from, and what of them counts.

    sketch, reference: "auto" for the classical method, a path to an ``.onnx`` network, or to a picture of the mask.
    sketch_threshold, reference_threshold: tau_s and tau_r, what lies over them is foreground.
    """

    sketch: str = AUTO
    reference: str = AUTO
    sketch_threshold: float = 0.05
    reference_threshold: float = 0.5

    def __post_init__(self) -> None:
        for threshold in (self.sketch_threshold, self.reference_threshold):
            if not 0 <= threshold <= 1:
                raise InputError(f"the mask threshold {threshold:g} is not between 0 and 1")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files among them."""
        return tuple(Path(how) for how in (self.sketch, self.reference) if how != AUTO)


def mask_of(pixels: Pixels, how: str, kind: Kind) -> Mask:
    """The mask of a picture, at its size; how: see `MaskOptions`.

    Raises InputError for a file that cannot be used.
    """
    if how == AUTO:
        return sketch_mask(to_gray(pixels)) if kind == "sketch" else reference_mask(pixels)
    if how.lower().endswith(".onnx"):
        return Segmenter(Path(how))(pixels if pixels.ndim == 3 else np.dstack([pixels] * 3))
    return mask_from_file(Path(how), (pixels.shape[0], pixels.shape[1]))


def mask_from_file(path: Path, size: tuple[int, int]) -> Mask:
    """A picture as a mask of ``(height, width)``: its transparency where it has any, else its brightness."""
    pixels = read_image(path)
    levels = pixels[..., 3] if pixels.shape[2] == 4 else to_gray(pixels)
    return _resized(levels.astype(np.float32) / np.float32(255), size)


# ---------------------------------------------------------------------------------------------------------- classical


def sketch_mask(lines: Pixels) -> Mask:
    """Everything that the drawing's outline encloses; lines are dark on light, ``(H, W)``.

    The outside is what can be reached from the upper corners without crossing a line, small gaps closed.  A drawing
    whose outline is open everywhere has no inside but its lines.
    """
    ink = (lines < INK * 255).astype(np.uint8)
    radius = max(1, round(GAP_SHARE * max(lines.shape) / 2))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    walls = cv2.dilate(ink, kernel)
    outside = _reached(walls == 0)
    # What the wider walls took from the outside comes back, as far as the lines themselves.
    outside = cv2.dilate(outside.astype(np.uint8), kernel).astype(bool) & (ink == 0)
    return (~outside).astype(np.float32)


def _reached(free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Free pixels that are connected to the outer stretches of the border (`_outer_border`)."""
    _, labels = cv2.connectedComponents(free.astype(np.uint8), connectivity=4)
    rows, columns = _border_round(free.shape[0], free.shape[1])
    at_side = np.isin(columns, (0, free.shape[1] - 1))
    upper, lower = (np.flatnonzero(at_side & (rows == row)) for row in (0, free.shape[0] - 1))
    outer = _outer_border(free[rows, columns], upper, lower)
    seeds = np.unique(labels[rows[outer], columns[outer]])
    return np.isin(labels, seeds[seeds > 0])


def _border_round(height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the border's pixels, once around: left side upwards, top, right side downwards, bottom."""
    up, across = np.arange(height)[::-1], np.arange(width)
    rows = np.concatenate([up, np.zeros(width, int), up[::-1], np.full(width, height - 1)])
    columns = np.concatenate([np.zeros(height, int), across, np.full(height, width - 1), across[::-1]])
    return rows, columns


def _outer_border(free: NDArray[np.bool_], upper: NDArray[np.int64], lower: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pixels of a border, once around, lie outside the figure.  upper, lower: positions of the corners.

    Lines divide it into stretches.  Those with an upper corner are outside.  So are those with a lower corner that an
    even number of lines separates from the upper ones: a figure that leaves at a side comes back there, the shoulders
    of a bust do not.  All others are inside.
    """
    starts = np.r_[True, free[1:] != free[:-1]]
    stretches, lines_before = np.cumsum(starts) - 1, np.cumsum(starts & ~free)
    upper, lower = upper[free[upper]], lower[free[lower]]
    if not len(upper):
        return free
    parities = (lines_before[lower][:, None] - lines_before[upper]) % 2
    outside = np.concatenate([upper, lower[(parities == 0).all(1)]])
    return np.isin(stretches, stretches[outside]) & free


def reference_mask(pixels: Pixels) -> Mask:
    """What differs from the colors along the border and stands in one piece before them; transparency tells best.

    pixels: ``(H, W, 3)``, or ``(H, W, 4)`` with some transparency.  The border tells the background's colors; where
    they vary, GrabCut (Rother et al. 2004) finds the outline.
    """
    size = (pixels.shape[0], pixels.shape[1])
    if pixels.shape[2] == 4:
        return pixels[..., 3].astype(np.float32) / np.float32(255)
    small = _at_working_size(pixels)
    differs, spread = _border_distance(small)
    if differs.max() < 1:
        return np.ones(size, np.float32)  # one color everywhere: nothing stands before anything
    # A flat background tells exactly what differs from it; a painted one gives a first guess.
    found = _filled(differs > FLAT_DIFFERENCE) if spread < 2 else _cut(small, differs)
    return dilated(_resized(found, size))


def _at_working_size(pixels: Pixels) -> Pixels:
    scale = min(1.0, WORKING_SIDE / max(pixels.shape[:2]))
    width, height = (max(8, round(side * scale)) for side in (pixels.shape[1], pixels.shape[0]))
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def _border_distance(pixels: Pixels, num_colors: int = 4) -> tuple[Mask, float]:
    """``(H, W)``: distance in L*a*b* to the nearest of the border's colors; and how far the border itself is."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    rim = max(1, round(0.02 * max(pixels.shape[:2])))
    # Not the lower border: there a bust leaves the picture.
    border = np.concatenate([part.reshape(-1, 3) for part in (lab[:rim], lab[:, :rim], lab[:, -rim:])])
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    cv2.setRNGSeed(0)
    count = min(num_colors, len(np.unique(border.round(), axis=0)))
    _, labels, centers = cv2.kmeans(border, count, None, criteria, 3, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(labels.ravel(), minlength=count) / len(border)
    kept = centers[shares > 0.08]  # less is the figure where it leaves the picture
    distances = np.linalg.norm(lab[:, :, None] - kept[None, None], axis=-1).min(-1)
    along = np.linalg.norm(border[:, None] - kept[None], axis=-1).min(-1)
    return distances.astype(np.float32), float(np.median(along))


def _cut(pixels: Pixels, differs: Mask) -> Mask:
    """GrabCut from the border's distance."""
    levels = np.clip(differs * 4, 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    guess = np.where(levels > threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[levels < threshold / 4] = cv2.GC_BGD
    if len(np.unique(guess == cv2.GC_PR_FGD)) < 2:  # GrabCut wants something of both
        return (levels > threshold).astype(np.float32)
    cv2.setRNGSeed(0)
    model = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(pixels[..., ::-1]), guess, None, *model, 3, cv2.GC_INIT_WITH_MASK)
    return _filled(np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)))


def _filled(figure: NDArray[np.bool_]) -> Mask:
    """The figure with its holes, which belong to what they are in."""
    return (~_reached(~figure)).astype(np.float32)


def dilated(mask: Mask, size: int = DILATION) -> Mask:
    """The mask, widened by the largest value in a square."""
    return cv2.dilate(mask, np.ones((size, size), np.uint8))


# ------------------------------------------------------------------------------------------------------------ networks


class Segmenter:
    """A user's segmentation network in ONNX, as rembg uses them: a square picture in, one map out.

    Networks of 320 px (U2-Net) and most others want ImageNet's normalization, IS-Net's of 1024 px want mean 0.5 and
    deviation 1, which `is_isnet` says.
    """

    def __init__(self, path: Path, session: Any = None, is_isnet: bool | None = None) -> None:
        """session: an open onnxruntime session, made from the file when there is none."""
        self.path, self.session = path, session or _session(path)
        self.is_isnet = "isnet" in path.name.lower() if is_isnet is None else is_isnet

    def __call__(self, pixels: Pixels) -> Mask:
        """The mask of ``(H, W, 3)``, at its size, from 0 at its least to 1 at its most."""
        entry = self.session.get_inputs()[0]
        side = entry.shape[2] if isinstance(entry.shape[2], int) else 320
        square = cv2.resize(np.ascontiguousarray(pixels[..., :3]), (side, side), interpolation=cv2.INTER_AREA)
        mean, deviation = ((0.5,) * 3, (1.0,) * 3) if self.is_isnet else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        levels = (square / 255.0 - mean) / deviation
        found = self.session.run(None, {entry.name: levels.transpose(2, 0, 1)[None].astype(np.float32)})[0]
        flat = np.squeeze(np.asarray(found, np.float32))
        if flat.ndim != 2:
            raise InputError(
                f"{self.path}: gives {np.shape(found)} instead of one map; use a network as rembg has them"
            )
        least, most = flat.min(), flat.max()
        return _resized((flat - least) / max(most - least, 1e-6), (pixels.shape[0], pixels.shape[1]))


def _session(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such network; check the path")
    try:
        onnxruntime = import_onnxruntime()
    except MissingPackageError as error:
        raise InputError(f"{path}: networks in ONNX need one more package: pip install onnxruntime") from error
    try:
        return onnxruntime.InferenceSession(str(path), providers=onnxruntime.get_available_providers())
    except Exception as error:  # onnxruntime's errors have no common base
        raise InputError(f"{path}: not a readable ONNX network ({str(error).splitlines()[0]})") from error


def _resized(mask: Mask, size: tuple[int, int]) -> Mask:
    if mask.shape == size:
        return mask
    shrinks = size[0] * size[1] < mask.size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(mask, (size[1], size[0]), interpolation=how).clip(0, 1)
