"""From any picture to a drawing with dark lines on white paper.

Decisions (light lines? a picture instead of a drawing? how bright is the paper?) are made on a copy of at most
512 pixels, so that they cost the same for any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.data.sketch import extract_sketch
from irodori.errors import InputError
from irodori.image import Pixels, resize
from irodori.image_io import over_paper, to_gray

Polarity = Literal["auto", "dark", "light"]
POLARITIES: tuple[str, ...] = get_args(Polarity)

INVERTED = "light lines on a dark ground: inverted (polarity 'dark' keeps them as they are)"
PICTURE = "looks like a picture, not line art: its lines were extracted (polarity 'dark' takes it as line art)"

COPY_SIZE = 512
EXTRACT_SIZE = 2048
"""Longest side at which lines are extracted: in larger pictures the extractor would see grain instead of contours."""
COLOR_SHARE, SOME_TONES, MANY_TONES, BARE_SHARE = 0.03, 0.10, 0.25, 0.5
"""Shares of the area.  On photographs, comics, portraits and line drawings (plain, as gray scans, inverted) these told
all color photographs and 95 % of color figures from all line drawings and 92 % of heavily shaded pencil drawings."""
MIN_PAPER = 64.0
Gray = NDArray[np.float32]


@dataclass(frozen=True)
class PreparedSketch:
    """lines: ``(H, W)`` uint8, dark lines on white paper, size of the picture.  notices: sentences for the user."""

    lines: Pixels
    notices: tuple[str, ...] = ()


def prepare_sketch(pixels: Pixels, polarity: Polarity = "auto") -> PreparedSketch:
    """A picture ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` uint8 to the lines in it.

    polarity: "dark" or "light" say what the lines are, and that it is line art; "auto" looks at the picture.
    Raises InputError for another polarity.
    """
    if polarity not in POLARITIES:
        raise InputError(f"unknown polarity {polarity!r}: use one of {', '.join(POLARITIES)}")
    if polarity != "dark" and (ink := _white_ink(pixels)) is not None:
        return PreparedSketch(255 - ink, (INVERTED,) if polarity == "auto" else ())
    color = over_paper(pixels)
    small = over_paper(_small_copy(color))
    light = polarity == "light" or (polarity == "auto" and has_light_lines(to_gray(small)))
    sampled = _sampled_copy(color)
    if polarity == "auto" and is_picture(*((255 - small, 255 - sampled) if light else (small, sampled))):
        return PreparedSketch(_extract(color), (PICTURE,))
    gray = cv2.bitwise_not(to_gray(color)) if light else to_gray(color)
    lines = whiten(np.asarray(gray, dtype=np.uint8), to_gray(255 - small if light else small))
    return PreparedSketch(lines, (INVERTED,) if light and polarity == "auto" else ())


def _white_ink(pixels: Pixels) -> Pixels | None:
    """The alpha of a picture that is nothing but white strokes on transparency, which paper would swallow."""
    if pixels.ndim != 3 or pixels.shape[2] != 4:
        return None
    small = _small_copy(pixels)
    if np.ptp(small[..., 3]) < 64 or to_gray(small).min() < 200:
        return None
    return pixels[..., 3]


def _small_copy(pixels: Pixels) -> Pixels:
    scale = min(1.0, COPY_SIZE / max(pixels.shape[:2]))
    return resize(pixels, (max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale))))


def _sampled_copy(pixels: Pixels) -> Pixels:
    """Every n-th pixel: dots and hatching stay black and white, where an average would be gray."""
    step = -(-max(pixels.shape[:2]) // COPY_SIZE)
    return np.ascontiguousarray(pixels[::step, ::step])


def has_light_lines(gray: Pixels) -> bool:
    """Whether a drawing ``(h, w)`` has light lines on dark ground.

    The ground is what most of the picture and most of its margin show; the lines are what differs from it.
    """
    rows, columns = (max(1, side // 20) for side in gray.shape)
    margin = np.concatenate(
        [part.ravel() for part in (gray[:rows], gray[-rows:], gray[:, :columns], gray[:, -columns:])]
    )
    ground = float(np.median(gray))
    if ground > 127 or np.median(margin) > ground + 64:
        return False
    difference = gray.astype(np.float32) - ground
    return bool(difference[difference > 25].sum() > -difference[difference < -25].sum())


def is_picture(small: Pixels, sampled: Pixels) -> bool:
    """Whether a copy with dark lines ``(h, w, 3)`` is a picture: areas of color, or many areas of middle gray.

    small, sampled: averaged and sampled copies, of about the same size.
    Paper of any tint is no color: all is measured against `paper_levels`.  Areas are what survives an opening, so
    colored pencil lines are none.  Soft pencil shades have middle grays too, but leave more of the paper bare.
    """
    paper = np.stack([paper_levels(small[..., channel]) for channel in range(3)], axis=2)
    clean = np.clip(small / paper * 255, 0, 255).astype(np.uint8)
    chroma, gray = clean.max(axis=2).astype(np.int16) - clean.min(axis=2), to_gray(clean)
    points = cv2.resize(to_gray(sampled), gray.shape[::-1], interpolation=cv2.INTER_NEAREST) / paper.mean(axis=2)
    tones = float((_areas((gray > 30) & (gray < 225)) & (points > 0.1) & (points < 0.9)).mean())
    bare = float((points >= 0.9).mean())
    return bool(_areas(chroma > 48).mean() > COLOR_SHARE or tones > (SOME_TONES if bare < BARE_SHARE else MANY_TONES))


def _areas(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without lines: what a square of about 1 % of the longest side fits into."""
    side = 2 * max(1, round(max(mask.shape) / 200)) + 1
    return cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8)).view(np.bool_)


def paper_levels(gray: Pixels) -> Gray:
    """Brightness of the paper under each pixel ``(h, w)``, 64…255: a quadratic surface that rests on the bright pixels.

    A surface that stiff follows uneven light on a scan, but not the shades of a picture.  Fitted by least squares
    again and again, each time with less weight for pixels below it, because those are ink.
    """
    y, x = np.mgrid[-1 : 1 : gray.shape[0] * 1j, -1 : 1 : gray.shape[1] * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    step = max(1, gray.size // 20000)
    fit = _fit_from_above(terms.reshape(-1, 6)[::step], gray.reshape(-1)[::step].astype(np.float32))
    return np.clip(terms @ fit, MIN_PAPER, 255).astype(np.float32)


def _fit_from_above(terms: Gray, values: Gray) -> Gray:
    """Coefficients ``(6,)`` of the surface; the ridge on the curvature keeps an empty corner from bending it."""
    ridge = 1e-3 * len(values) * np.diag(np.array([0, 1e-3, 1e-3, 1, 1, 1], np.float32))
    surface = np.full_like(values, np.percentile(values, 90))
    fit = np.zeros(6, np.float32)
    for _ in range(8):
        depth = np.maximum(surface - values, 0)
        weighted = terms * np.where(depth > 12, 0.02 * np.exp(-depth / 24), 1.0)[:, None]
        fit = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ values).astype(np.float32)
        surface = terms @ fit
    return fit


def whiten(gray: Pixels, small: Pixels) -> Pixels:
    """Divides a drawing ``(H, W)`` by the brightness of its paper, found on the copy ``(h, w)``: paper becomes 255.

    Paper that is white already is left alone.  The grain of the paper becomes white with it.
    """
    paper = paper_levels(small)
    grain = (small / paper)[small > paper * 0.85]
    noise = float(np.std(grain)) if grain.size else 0.0
    paper = paper * np.clip(1 - 2 * noise, 0.88, 1.0)
    if paper.min() >= 250:
        return gray
    levels = cv2.resize(np.rint(paper).astype(np.uint8), gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(gray, levels, scale=255), dtype=np.uint8)


def _extract(color: Pixels) -> Pixels:
    scale = min(1.0, EXTRACT_SIZE / max(color.shape[:2]))
    size = (max(1, round(color.shape[0] * scale)), max(1, round(color.shape[1] * scale)))
    return resize(extract_sketch(resize(color, size)), (color.shape[0], color.shape[1]))
