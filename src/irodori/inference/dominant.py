"""The colors that a picture is made of, each exactly as some of its pixels have it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from irodori.color import rgb_to_lab
from irodori.image import Pixels

LabColors = NDArray[np.float32]

SAMPLE_SIDE = 512
"""Pictures are looked at in about this many rows and columns; taking every n-th pixel keeps colors exact."""
MAX_FLATS, MAX_COLORS = 48, 64
FLAT_SHARE, CLUSTER_SHARE = 5e-4, 2e-3
"""Smallest share of the picture's pixels that makes a color one of its own: as a flat, as a cluster of paint."""
SAME, NEAR, CLUSTER = 2.0, 6.0, 10.0
"""Distances in L*a*b*: colors that are one, that a flat explains (compression), and that one cluster of paint holds."""
SMOOTH_RANGE = 12
"""Where levels differ by more than this around a pixel, it lies on an edge or a line and is no area's color."""


def lab_of(colors: Pixels) -> LabColors:
    """``(N, 3)`` uint8 to ``(N, 3)`` L*a*b*."""
    return rgb_to_lab(torch.from_numpy(colors.astype(np.float32)) / 127.5 - 1.0).numpy()


def dominant_colors(pictures: Sequence[Pixels]) -> Pixels:
    """The dominant colors ``(K, 3)`` of some pictures ``(H, W, 3)``, most frequent first within each.

    First the exact colors of flat areas; then, for what they leave unexplained, as in painted or compressed pictures,
    clusters, each by the pixel color that is most frequent in it.
    """
    found = [_dominant(_sample(picture)) for picture in pictures]
    return np.concatenate(found) if found else np.zeros((0, 3), np.uint8)


def _sample(picture: Pixels) -> Pixels:
    step = max(1, max(picture.shape[:2]) // SAMPLE_SIDE)
    return np.ascontiguousarray(picture[::step, ::step])


def _dominant(picture: Pixels) -> Pixels:
    kernel = np.ones((3, 3), np.uint8)
    spread = (cv2.dilate(picture, kernel) - cv2.erode(picture, kernel)).max(axis=2)
    smooth = spread <= SMOOTH_RANGE
    total = picture.shape[0] * picture.shape[1]
    colors = _flats(picture[spread == 0], total)
    rest = picture[smooth] if smooth.mean() > 0.1 else picture.reshape(-1, 3)
    return np.concatenate([colors, _clusters(rest, colors, total)])[:MAX_COLORS]


def _flats(pixels: Pixels, total: int) -> Pixels:
    """Exact colors of flat areas; of almost equal ones the most frequent."""
    values, counts = _count(pixels)
    values = values[counts >= max(FLAT_SHARE * total, 4)][:MAX_FLATS]
    lab, kept = lab_of(values), np.zeros(len(values), np.bool_)
    for number in range(len(values)):
        kept[number] = not kept.any() or _distance(lab[number], lab[kept]).min() > SAME
    return values[kept]


def _clusters(pixels: Pixels, known: Pixels, total: int) -> Pixels:
    """Colors of what the known ones leave unexplained, the most frequent first."""
    values, counts = _count(pixels)
    lab = lab_of(values)
    for color in lab_of(known):
        free = _distance(color, lab) > NEAR
        values, counts, lab = values[free], counts[free], lab[free]
    found: list[Pixels] = []
    while len(found) < MAX_COLORS and counts.sum() >= CLUSTER_SHARE * total:
        center, near = _densest(lab, counts)
        if counts[near].sum() < CLUSTER_SHARE * total:
            break
        found.append(_representative(values[near], counts[near], _distance(center, lab[near])))
        values, counts, lab = values[~near], counts[~near], lab[~near]
    return np.array(found, np.uint8).reshape(-1, 3)


def _densest(lab: LabColors, counts: NDArray[np.int64]) -> tuple[LabColors, NDArray[np.bool_]]:
    """The mean of the fullest bin, and which colors lie within a cluster's radius of it."""
    bins = np.floor(lab / CLUSTER).astype(np.int64) @ np.array([1 << 20, 1 << 10, 1])
    _, place = np.unique(bins, return_inverse=True)
    inside = place == np.bincount(place, weights=counts).argmax()
    center = np.average(lab[inside], axis=0, weights=counts[inside]).astype(np.float32)
    return center, _distance(center, lab) <= CLUSTER


def _representative(values: Pixels, counts: NDArray[np.int64], distance: NDArray[np.float32]) -> Pixels:
    """The most frequent color of a cluster, and among equally frequent ones the one nearest to its center."""
    best = np.flatnonzero(counts >= max(counts.max() * 0.5, 1))
    return values[best[distance[best].argmin()]]


def _count(pixels: Pixels) -> tuple[Pixels, NDArray[np.int64]]:
    """Distinct colors ``(n, 3)`` of pixels ``(N, 3)`` and how often each occurs, the most frequent first."""
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    codes, counts = np.unique(packed, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    codes = codes[order]
    values = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    return values, counts[order].astype(np.int64)


def _distance(color: LabColors, others: LabColors) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(others - color, axis=-1), np.float32)
