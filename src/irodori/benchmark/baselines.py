"""Simple methods that every report holds beside the systems: what costs nothing, and what nobody can surpass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.benchmark import gmic
from irodori.benchmark.cases import Case
from irodori.checkpoint import read_header
from irodori.errors import ConfigError, IrodoriError
from irodori.image import Geometry, Pixels, resize
from irodori.image_io import over_paper
from irodori.inference.dominant import dominant_colors, lab_of
from irodori.inference.finish import composite, fill_colors
from irodori.inference.flats import lay_flats
from irodori.inference.regions import Regions, closed_regions
from irodori.weights import DEFAULT, resolve

FILL_SIDE = 192
"""Longest side, in pixels, at which the regions of a reference are found."""
THIN = 2.0
"""A region of the reference that is nowhere further than this from its border is a drawn line, at that side."""
SIZE_WEIGHT = 0.1
"""How much the logarithm of a size ratio counts against a distance in picture sides."""

Need = Literal["nothing", "reference", "truth"]
Paint = Callable[[Pixels, Pixels], Pixels]


@dataclass(frozen=True)
class Baseline:
    """paint: lines ``(H, W)`` and the picture that it needs ``(h, w, 3)`` to the answer ``(H, W, 3)``."""

    name: str
    meaning: str
    needs: Need
    paint: Paint

    def can_answer(self, case: Case) -> bool:
        """Whether the case has the picture that it needs."""
        return {"nothing": True, "reference": bool(case.references), "truth": case.truth is not None}[self.needs]


def sketch(lines: Pixels, _: Pixels) -> Pixels:
    """The sketch as it is."""
    return over_paper(lines)


def mean(lines: Pixels, reference: Pixels) -> Pixels:
    """The reference's mean color everywhere, under the lines."""
    color = np.rint(reference.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    return _under(lines, np.broadcast_to(color, (*lines.shape, 3)).copy())


def stretch(lines: Pixels, reference: Pixels) -> Pixels:
    """The reference stretched to the sketch's size, under the lines."""
    return _under(lines, resize(reference, (lines.shape[0], lines.shape[1])))


def histogram(lines: Pixels, reference: Pixels) -> Pixels:
    """The sketch with the histograms of the reference's three channels (Gonzalez, Woods, section 3.3)."""
    channels = [_matched(lines, np.ascontiguousarray(reference[..., channel])) for channel in range(3)]
    return np.stack(channels, axis=-1)


def _matched(gray: Pixels, wanted: Pixels) -> Pixels:
    """Levels of one channel moved so that their distribution becomes that of another, ``(H, W)``."""
    counts, wanted_counts = (np.bincount(channel.reshape(-1), minlength=256) for channel in (gray, wanted))
    present = np.flatnonzero(wanted_counts)
    quantiles = np.cumsum(counts) / gray.size
    levels = np.interp(quantiles, np.cumsum(wanted_counts)[present] / wanted.size, present)
    return np.rint(levels).astype(np.uint8)[gray]


def ceiling(lines: Pixels, truth: Pixels) -> Pixels:
    """The truth, shrunk to a network's size and finished as a system's colors are: what a perfect network would get."""
    size = (lines.shape[0], lines.shape[1])
    shrunk = resize(truth, Geometry(size, min(ceiling_size(), max(size)), 1).fitted_size)
    return _under(lines, fill_colors(shrunk, lines))


@cache
def ceiling_size() -> int:
    """Longest side to which the ceiling shrinks the truth: that at which the default model works."""
    return int(read_header(resolve(DEFAULT)).config["image_size"])


def _under(lines: Pixels, colors: Pixels) -> Pixels:
    return composite(colors, lines, "keep", colors)


# --- region fill -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Areas:
    """Areas of one color: ``(N, 2)`` centers in shares of the picture, ``(N,)`` shares of it, ``(N, 3)`` colors."""

    centers: NDArray[np.float64]
    shares: NDArray[np.float64]
    colors: Pixels


def fill(lines: Pixels, reference: Pixels) -> Pixels:
    """Each closed region of the sketch in the color of the reference's area most like it in position and size."""
    regions, areas = closed_regions(lines), color_areas(reference)
    if not regions.any() or not len(areas.shares):
        return mean(lines, reference)
    centers, shares = _centers(regions)
    cost = np.linalg.norm(centers[:, None] - areas.centers[None], axis=-1)
    cost += SIZE_WEIGHT * np.abs(np.log(np.maximum(shares, 1e-9)[:, None] / areas.shares[None]))
    flats, colors = areas.colors[cost.argmin(axis=1)], np.full((*lines.shape, 3), 255, np.uint8)
    lay_flats(colors, regions, flats, np.arange(len(flats)) > 0)
    return _under(lines, colors)


def color_areas(picture: Pixels) -> Areas:
    """The connected areas of a picture's dominant colors; drawn lines are none."""
    step = -(-max(picture.shape[:2]) // FILL_SIDE)
    small = np.ascontiguousarray(picture[::step, ::step])
    colors = dominant_colors([picture])
    labels = _nearest_color(small, colors)
    found = [(center, share, colors[number]) for number in range(len(colors))
             for center, share in _thick_components(labels == number)]  # fmt: skip
    return Areas(
        np.array([center for center, _, _ in found], np.float64).reshape(-1, 2),
        np.array([share for _, share, _ in found], np.float64),
        np.array([color for _, _, color in found], np.uint8).reshape(-1, 3),
    )


def _nearest_color(picture: Pixels, colors: Pixels) -> NDArray[np.int64]:
    """For each pixel the number of the color most like it, ``(H, W)``; -1 without colors."""
    if not len(colors):
        return np.full(picture.shape[:2], -1, np.int64)
    values, place = np.unique(picture.reshape(-1, 3), axis=0, return_inverse=True)
    distance = np.linalg.norm(lab_of(values)[:, None] - lab_of(colors)[None], axis=-1)
    return distance.argmin(axis=1)[place.reshape(-1)].reshape(picture.shape[:2])


def _thick_components(mask: NDArray[np.bool_]) -> list[tuple[NDArray[np.float64], float]]:
    """Center and share of the connected components of a mask that are no lines."""
    plane = mask.view(np.uint8)
    count, regions = cv2.connectedComponents(plane, connectivity=4, ltype=cv2.CV_32S)
    depth = cv2.distanceTransform(np.pad(plane, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    deepest = np.zeros(count)
    np.maximum.at(deepest, regions.reshape(-1), depth.reshape(-1))
    centers, shares = _centers(regions)
    return [(centers[number], shares[number]) for number in range(1, count) if deepest[number] > THIN]


def _centers(regions: Regions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centers ``(R + 1, 2)`` in shares of width and height, and shares of the area ``(R + 1,)``, of all regions."""
    flat, count = regions.reshape(-1), int(regions.max()) + 1
    sizes = np.bincount(flat, minlength=count)
    rows, columns = np.divmod(np.arange(flat.size), regions.shape[1])
    sums = [np.bincount(flat, weights=place, minlength=count) for place in (columns, rows)]
    centers = np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None] / np.array(regions.shape[::-1])
    return centers, sizes / flat.size


# --- all -------------------------------------------------------------------------------------------------------------

BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        Baseline("sketch", "the sketch as it is", "nothing", sketch),
        Baseline("mean", "the reference's mean color under the lines", "reference", mean),
        Baseline("stretch", "the reference stretched under the lines", "reference", stretch),
        Baseline("histogram", "the sketch with the reference's histograms", "reference", histogram),
        Baseline("fill", "closed regions in the colors of the reference's areas of like position and size",
                 "reference", fill),
        Baseline("gmic", "G'MIC, Colorize Lineart [Smart Coloring], auto-clean of the reference stretched under the "
                 "lines", "reference", gmic.paint),
        Baseline("ceiling", "the truth, shrunk to the default model's size and finished as a system's colors are",
                 "truth", ceiling),
    )
}  # fmt: skip


def baseline(name: str) -> Baseline:
    """A baseline by name; ConfigError with the names there are, or when something that it needs is missing."""
    if name not in BASELINES:
        raise ConfigError(f"unknown baseline '{name}': choose one of {', '.join(BASELINES)}")
    needed: dict[str, Callable[[], object]] = {"gmic": gmic.version, "ceiling": ceiling_size}
    if name in needed:
        needed[name]()
    return BASELINES[name]


def usable_baselines() -> tuple[list[str], list[str]]:
    """Names of the baselines that can run here, and notices about those that cannot."""
    names, notices = [], []
    for name in BASELINES:
        try:
            baseline(name)
        except IrodoriError as error:
            notices.append(f"baseline {name} left out: {error}")
        else:
            names.append(name)
    return names, notices
