"""The held-out drawings of a benchmark and their pictures, as files have them: exact, and alike on every machine."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.benchmark.cases import NO_PART
from irodori.benchmark.moving import Points, nearest, points_of, sampled
from irodori.benchmark.recolor import Pair
from irodori.data.compose import LEAST_PIXELS, compose
from irodori.data.dataset import DataOptions, PairDataset, all_numbers, layers_of
from irodori.data.draft import Draft
from irodori.data.drawing import Drawing
from irodori.data.index import Index, Item
from irodori.data.palette import Color, own_palette
from irodori.data.sample import Sample
from irodori.data.sketch import Operations, xdog
from irodori.data.warp import no_warp
from irodori.image import Pixels, to_pixels

Groups = Mapping[str, Sequence[Item]]
"""Drawings by source."""

CACHE_BYTES = 256 << 20
LEAST_COLORS, LEAST_FILLED, LEAST_INK = 4, 0.5, 0.05
"""Of an object: its colors.  Of a painting: the share of the square that it fills, and of it that its lines fill."""
LARGEST_SPECK = 2
"""Of extracted lines, in times the pixels from which on a part counts as shown."""
_OBJECTS = re.compile("object|nature|animal|food|travel|place")
_RUDE = re.compile("middle-finger|1f595")
"""Gestures that nobody wants to see in a report."""


@dataclass(frozen=True)
class Picture:
    """color: ``(H, H, 3)``.  parts: ``(H, H)`` part numbers, `NO_PART` on drawn lines and where none is known."""

    color: Pixels
    parts: Pixels

    def moved(self, points: Points) -> Picture:
        return Picture(sampled(self.color, points), nearest(self.parts, points))

    def shown(self) -> set[int]:
        """The numbers of the parts that are large enough to be seen."""
        numbers, counts = np.unique(self.parts, return_counts=True)
        return set(numbers[counts >= least_pixels(len(self.parts))].tolist()) - {NO_PART}


@dataclass(frozen=True)
class Recolored:
    """A figure in another's colors: sketch ``(H, H)``, exact truth, reference, and the parts whose color it tells."""

    sketch: Pixels
    truth: Picture
    reference: Picture
    scored: tuple[int, ...]


class Art:
    """Drawings of the test split, by kind and source.

    figures: vector art with named parts.  emoji: other vector art.  objects: what of it shows no people and has enough
    colors to be more than a sign.
    """

    def __init__(self, index: Index, image_size: int) -> None:
        options = replace(DataOptions(), sketches=("ink",), vary_lines=False, no_reference=0.0)
        self.pairs = PairDataset(index, "test", options, image_size, 0, 0, CACHE_BYTES)
        self.size = image_size
        self.figures: Groups = self.pairs.styles
        unnamed = [item for item in self.pairs.items if item.parts and not any(part.name for part in item.parts)]
        unnamed = [item for item in unnamed if not _RUDE.search(item.id.lower())]
        self.emoji = _by_source(unnamed)
        self.objects = _by_source([item for item in unnamed if _is_object(item)])

    @cached_property
    def paintings(self) -> Groups:
        """Pictures whose lines can be made out: no strips, no columns, nothing that is soft all over."""
        pictures = [item for item in self.pairs.items if not item.parts]
        return _by_source([item for item in pictures if _has_lines(self.load(item))])

    def load(self, item: Item) -> Drawing:
        return self.pairs.drawings[item]

    def labels(self, item: Item) -> NDArray[np.int64]:
        """``(H, H)``: the part of vector art that covers most of a pixel, -1 for none."""
        drawing = self.load(item)
        numbers = range(len(drawing.parts))
        return layers_of(drawing, own_palette(drawing.parts), numbers).labels()[0].numpy()

    def drawn(self, item: Item, palette: Sequence[Color], generator: np.random.Generator) -> tuple[Pixels, Picture]:
        """The sketch of a drawing, and the drawing in a palette."""
        drawing = self.load(item)
        if not drawing.parts:
            return _painted(drawing)
        layers = layers_of(drawing, palette, all_numbers(drawing.parts))
        draft = self.pairs.plain_draft(drawing, layers, generator)
        sample = compose(draft)
        sketch = to_pixels(sample.sketch)[..., 0]
        parts = _part_map(sample)
        if drawing.own_sketch is not None:
            parts[sketch < 128] = NO_PART
        return sketch, Picture(to_pixels(sample.color), parts)

    def recolored(self, pair: Pair, generator: np.random.Generator) -> Recolored:
        """The sketch of a pair, its exact truth and its moved reference."""
        points = points_of(pair.warp, self.size)
        draft = self.pairs.recolor_draft(pair.drawing, pair.source, pair.palette, no_warp(), generator)
        sample = compose(_without_hidden(draft, points))
        reference = Picture(to_pixels(sample.reference), _bytes(sample.reference_parts[0].numpy())).moved(points)
        told = sample.valid[0, 0].numpy() > 0.5
        parts = _part_map(sample)
        known = Picture(to_pixels(sample.color), np.where(told, parts, NO_PART).astype(np.uint8))
        scored = known.shown() & reference.shown()
        # A pixel that is mixed with a color which the reference does not tell has no exact truth.
        mixed = np.isin(parts, list(scored)) & ~told
        parts[mixed] = NO_PART
        return Recolored(
            to_pixels(sample.sketch)[..., 0], replace(known, parts=parts), reference, tuple(sorted(scored))
        )


def _is_object(item: Item) -> bool:
    return len(item.parts) >= LEAST_COLORS and (not item.group or bool(_OBJECTS.search(item.group.lower())))


def _has_lines(drawing: Drawing) -> bool:
    """Whether a picture fills enough of its square, and its lines enough of the picture."""
    sketch, picture = _painted(drawing)
    drawn = (picture.color < 250).any(-1)
    _, _, width, height = cv2.boundingRect(drawn.astype(np.uint8))
    area = width * height
    return area >= LEAST_FILLED * drawn.size and int((sketch < 128).sum()) >= LEAST_INK * area


def least_pixels(size: int) -> float:
    """From so many pixels on, a part of a ``size x size`` picture counts as shown."""
    return LEAST_PIXELS * (size / 128) ** 2


def _by_source(items: Sequence[Item]) -> Groups:
    groups = defaultdict(list)
    for item in items:
        groups[item.source].append(item)
    return dict(groups)


def _without_hidden(draft: Draft, points: Points) -> Draft:
    """A recolor draft that takes no color from parts which the reference, seen at `points`, does not show."""
    labels = nearest(draft.source.labels()[0].numpy(), points)
    counts = np.bincount(labels[labels >= 0], minlength=draft.source.names.shape[1])
    seen = draft.source.names.new_tensor(counts >= least_pixels(len(labels)))
    return replace(draft, source=replace(draft.source, names=draft.source.names * seen))


def _part_map(sample: Sample) -> Pixels:
    parts = _bytes(sample.parts[0].numpy())
    parts[sample.lines[0, 0].numpy() >= 0.5] = NO_PART
    return parts


def _bytes(parts: np.ndarray) -> Pixels:
    return np.where(parts < 0, NO_PART, parts).astype(np.uint8)


# --- paintings -------------------------------------------------------------------------------------------------------

_EXACT = Operations(
    gray=lambda color: cv2.cvtColor(color, cv2.COLOR_RGB2GRAY).astype(np.float64),
    blur=lambda image, sigma: cv2.GaussianBlur(image, (0, 0), sigma),
    strongest=lambda image: image.max(axis=2),
    dilate=lambda gray: cv2.dilate(gray, np.ones((3, 3), np.uint8)),
)
"""In float64, where hardly a pixel lies so near to the threshold of black and white that machines differ."""


def _painted(drawing: Drawing) -> tuple[Pixels, Picture]:
    """A picture without parts: the artist's sketch, or extracted lines, and its colors."""
    color = np.ascontiguousarray(drawing.planes[:3].permute(1, 2, 0).numpy())
    sketch = _traced(color) if drawing.own_sketch is None else drawing.own_sketch[0].numpy()
    return sketch, Picture(color, np.full(color.shape[:2], NO_PART, np.uint8))


def _traced(color: Pixels) -> Pixels:
    """Extracted lines without the specks that the grain of a brush leaves."""
    sketch = xdog(color, _EXACT).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(255 - sketch, connectivity=8)
    is_speck = stats[:, cv2.CC_STAT_AREA] < LARGEST_SPECK * least_pixels(len(sketch))
    sketch[is_speck[labels]] = 255
    return sketch
