"""One flat color for each region, laid onto a color layer; and large regions divided between several colors."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.image import Pixels
from irodori.inference.finish import bands, extended_band, soften_under_ink
from irodori.inference.marks import AnyHint, as_marks, claim_regions
from irodori.inference.regions import Labels, Mask, Regions, closed_regions, grow_labels, nearest

WORK_SIDE = 512
"""Longest side, in pixels, at which a region is divided."""
WIDTHS = (64, 45, 32, 23, 16, 11, 8, 6, 4, 3, 2, 1)
"""Widths of passages, as distances to ink in pixels: what is joined by the wider ones is divided last."""


def lay_flats(colors: Pixels, regions: Regions, flats: Pixels, chosen: Mask) -> None:
    """Paints whole regions, in place, up to the middle of the lines around them.

    colors: ``(H, W, 3)``.  regions: ``(H, W)``, 0 = ink.  flats: ``(R, 3)``, the color of each region.
    chosen: ``(R,)``, which regions are painted.
    """
    for band in bands(regions.shape):
        own = extended_band(regions, band)
        painted = chosen[own]
        if not painted.any():
            continue
        cv2.copyTo(np.take(flats, own, axis=0), painted.view(np.uint8), colors[band])
        soften_under_ink(colors[band], regions[band] == 0)


def paint_flats(flats: Pixels, regions: Regions) -> Pixels:
    """Each region ``(H, W)``, up to the middle of the lines, in its color of ``(R, 3)``, with hard edges."""
    painted = np.empty((*regions.shape, 3), np.uint8)
    for band in bands(regions.shape):
        painted[band] = flats[extended_band(regions, band)]
    return painted


def paint_hints(colors: Pixels, lines: Pixels, hints: Sequence[AnyHint]) -> Pixels:
    """The color layer ``(H, W, 3)`` with the closed region of each hint in exactly its color.

    A hint on ink is one for the nearest region; strokes and dabs are for every region that they lie in
    (`irodori.inference.marks`).  Hints of several colors in one region share it: they meet where it is narrowest, as in
    a gap of a line, and halfway where it is equally wide (`share_region`).
    """
    regions = closed_regions(lines)
    if not regions.any():
        return colors
    colors, claims = colors.copy(), claim_regions(as_marks(hints, lines.shape), regions)
    owners: dict[int, list[int]] = {}
    for number, claim in enumerate(claims):
        owners.setdefault(claim.region, []).append(number)
    first = int(regions.max()) + 1
    owner = np.arange(first, dtype=np.int32)
    shared: list[Regions] = []
    for region, numbers in owners.items():
        seeds = [(claims[number].places, first + number) for number in numbers]
        if len({claims[number].color for number in numbers}) > 1:
            shared.append(share_region(regions == region, seeds))
        owner[region] = seeds[0][1]
    regions = owner[regions]
    for parts in shared:
        np.copyto(regions, parts, where=parts > 0)
    flats = np.zeros((first + len(claims), 3), np.uint8)
    flats[first:] = np.array([claim.color for claim in claims], np.uint8).reshape(-1, 3)
    lay_flats(colors, regions, flats, np.arange(len(flats)) >= first)
    for claim in claims:
        colors.reshape(-1, 3)[claim.places] = claim.color  # also where two are closer than the working size tells apart
    return colors


def hinted_mask(lines: Pixels, hints: Sequence[AnyHint]) -> Mask:
    """Where hints decide: ``(H, W)``."""
    regions = closed_regions(lines)
    if not regions.any() or not hints:
        return np.zeros(lines.shape, np.bool_)
    claims = claim_regions(as_marks(hints, lines.shape), regions)
    return np.isin(regions, [claim.region for claim in claims])


# --- several hints in one region -------------------------------------------------------------------------------------


def share_region(mask: Mask, seeds: Sequence[tuple[NDArray[np.int64], int]]) -> Regions:
    """Divides a region between seeds: ``(H, W)``, the number of the seed that each pixel belongs to, 0 outside.

    mask: ``(H, W)``, the region.  seeds: flat indices of pixels ``(N,)``, and a number.
    All seeds grow equally fast, first through what is wide and only then through narrow passages: so a color does not
    leave through a gap in a line before the place behind the gap has filled with its own (after the trapped balls of
    Zhang et al. 2009, "Vectorizing cartoon animations").
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    small, scale = _shrink(mask[box])
    labels = np.zeros(small.shape, np.uint16)
    for number, (places, _) in enumerate(seeds, start=1):
        down, across = np.divmod(places, mask.shape[1])
        place = ((down - rows[0]) * scale).astype(np.int64), ((across - columns[0]) * scale).astype(np.int64)
        small[place], labels[place] = True, number
    _grow(labels, _thickness(small))
    index, _ = nearest(labels > 0)  # what shrinking closed goes to whoever is next to it
    full = cv2.resize(
        labels.reshape(-1)[index], (mask[box].shape[1], mask[box].shape[0]), interpolation=cv2.INTER_NEAREST
    )
    result = np.zeros(mask.shape, np.int32)
    result[box] = np.array([0, *(number for _, number in seeds)], np.int32)[full]
    return np.where(mask, result, np.int32(0))


def _shrink(mask: Mask) -> tuple[Mask, float]:
    scale = min(1.0, WORK_SIDE / max(mask.shape))
    if scale == 1.0:
        return mask.copy(), scale
    size = (max(1, int(mask.shape[1] * scale)), max(1, int(mask.shape[0] * scale)))
    share = cv2.resize(mask.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    return share > 127, min(size[0] / mask.shape[1], size[1] / mask.shape[0])


def _thickness(mask: Mask) -> NDArray[np.int32]:
    """How wide a region is at each of its pixels: the largest of `WIDTHS` whose disk fits around it; 0 outside."""
    distance = cv2.distanceTransform(np.pad(mask.view(np.uint8), 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    thickness = mask.astype(np.int32)
    for width in reversed(WIDTHS):
        centers = distance >= width
        if centers.any():
            reached = cv2.distanceTransform((~centers).view(np.uint8), cv2.DIST_L2, 5) < width
            thickness[reached & mask] = width
    return thickness


def _grow(labels: Labels, thickness: NDArray[np.int32]) -> None:
    """Grows labels, in place, over where thickness is not 0, the widest places first."""
    for width in WIDTHS:
        grow_labels(labels, thickness >= width)
