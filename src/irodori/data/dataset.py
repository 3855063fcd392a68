"""Training pairs: sketch, reference, truth, made on the fly from prepared drawings.

`self`: the paper's augmented-self reference; a color-shifted picture is the truth, its warped copy the reference.
`recolor`: the reference is another figure B, the truth is A in B's colors, part by part; parts that B lacks are
masked out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from irodori.data.index import PART_NAMES, Index, Item, Split
from irodori.data.palette import Color, own_palette, random_palette, recolor
from irodori.data.parts import Planes, unpack
from irodori.data.sample import Sample
from irodori.data.sketch import EXTRACTORS, ink_lines, region_borders, vary_lines
from irodori.data.warp import Warp, WarpOptions, random_warp
from irodori.errors import ConfigError, DataError
from irodori.image import Pixels, resize, to_tensor
from irodori.image_io import read_stored


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How pairs are made (Lee et al. 2020, sections 3.2 and A.3, and the recolor pairs of this project)."""

    recolor_share: float = 0.0  # share of `recolor` pairs; the rest are `self` pairs (paper: 0)
    same_style_share: float = 0.5  # of the recolor pairs, share whose reference has the sketch's own style
    random_palette_share: float = 0.5  # share of pairs with random instead of the artist's colors
    appearance: float = 50.0  # largest offset per RGB channel, levels of 255 (A.3: 50)
    no_reference: float = 0.1  # share of zero-filled references (A.5: one in ten)
    sketches: tuple[str, ...] = ("ink", "xdog")  # kinds of line, one drawn at random for each pair
    vary_lines: bool = True  # thicker, softer, broken, noisy lines
    self_warp: WarpOptions = field(default_factory=WarpOptions)  # the paper's s(.)
    recolor_warp: WarpOptions = field(default_factory=lambda: WarpOptions(tps=0.03))

    def __post_init__(self) -> None:
        for name in ("recolor_share", "same_style_share", "random_palette_share", "no_reference"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"data.{name} is a share and must lie in 0…1, got {getattr(self, name)}")
        unknown = set(self.sketches) - {"ink", *EXTRACTORS}
        if unknown or not self.sketches:
            raise ConfigError(f"data.sketches: choose from ink, {', '.join(EXTRACTORS)}; got {sorted(unknown)}")


class PairDataset(Dataset[Sample]):
    """An endless, reproducible stream of training pairs: pair `i` depends on the seed and on `i` alone."""

    def __init__(
        self, index: Index, split: Split, options: DataOptions, image_size: int, seed: int, length: int
    ) -> None:
        self.root, self.options, self.image_size = index.root, options, image_size
        self.seed, self.length = seed, length
        self.items = index.select(split)
        self.styles = _recolorable(self.items)
        if not self.items:
            raise DataError(f"{index.root}: no drawings in the split '{split}'; prepare more pictures")
        if options.recolor_share > 0 and not self.styles:
            raise DataError(f"{index.root}: recolor pairs need vector art with named parts; set data.recolor_share=0")
        self._figures = [item for items in self.styles.values() for item in items]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        generator = np.random.default_rng((self.seed, index))
        if generator.random() < self.options.no_reference:
            return self._lone_sketch(generator)
        if generator.random() < self.options.recolor_share:
            return self._recolor_pair(generator)
        return self._self_pair(generator)

    def _lone_sketch(self, generator: np.random.Generator) -> Sample:
        """No reference (A.5): the truth has the artist's own colors, since nothing tells of any others."""
        item = self.items[generator.integers(len(self.items))]
        drawing = load(self.root, item, self.image_size)
        color = drawing.color(own_palette(item.parts))
        sketch, nothing = self._sketch(drawing, color, generator), np.full(color.shape[:2], -1, np.int16)
        still = random_warp(self.image_size, WarpOptions(tps=0.0), generator)
        sample = make_sample(sketch, color, color, parts=drawing.part_numbers, reference_parts=nothing, warp=still)
        return replace(sample, reference=torch.zeros_like(sample.reference))

    # ------------------------------------------------------------------------------------------------ self pairs

    def _self_pair(self, generator: np.random.Generator) -> Sample:
        item = self.items[generator.integers(len(self.items))]
        drawing = load(self.root, item, self.image_size)
        color = drawing.color(self._palette(item, generator))
        sketch = self._sketch(drawing, color, generator)
        offset = generator.uniform(-1, 1, 3) * self.options.appearance
        color = np.clip(np.rint(color + offset), 0, 255).astype(np.uint8)
        warp = random_warp(self.image_size, self.options.self_warp, generator)
        return make_sample(
            sketch, color, warp.apply(color), parts=drawing.part_numbers,
            reference_parts=drawing.part_numbers, warp=warp, correspondence=warp.correspondence(),
        )  # fmt: skip

    # --------------------------------------------------------------------------------------------- recolor pairs

    def _recolor_pair(self, generator: np.random.Generator) -> Sample:
        item = self._figures[generator.integers(len(self._figures))]
        same = generator.random() < self.options.same_style_share or len(self.styles) == 1
        styles = [item.source] if same else [style for style in self.styles if style != item.source]
        candidates = self.styles[styles[generator.integers(len(styles))]]
        other = candidates[generator.integers(len(candidates))]
        warp = random_warp(self.image_size, self.options.recolor_warp, generator)
        return self.recolor_sample(item, other, self._palette(other, generator), warp, generator)

    def recolor_sample(
        self, item: Item, other: Item, palette: list[Color], warp: Warp, generator: np.random.Generator
    ) -> Sample:
        """Sketch of `item`, reference `other` in `palette`, and the exact truth; the generator draws the lines only."""
        drawing, source = load(self.root, item, self.image_size), load(self.root, other, self.image_size)
        colors, known = recolor(item.parts, other, palette, source.visible_parts(warp))
        color = drawing.color(colors)
        sketch = self._sketch(drawing, color, generator)
        return make_sample(
            sketch, color, warp.apply(source.color(palette)), parts=drawing.part_numbers,
            reference_parts=source.part_numbers, warp=warp, unknown=drawing.share_of(known, False),
        )  # fmt: skip

    # ----------------------------------------------------------------------------------------------------- shared

    def _palette(self, item: Item, generator: np.random.Generator) -> list[Color]:
        if generator.random() < self.options.random_palette_share:
            return random_palette(item.parts, generator)
        return own_palette(item.parts)

    def _sketch(self, drawing: Drawing, color: Pixels, generator: np.random.Generator) -> Pixels:
        style = self.options.sketches[generator.integers(len(self.options.sketches))]
        sketch = drawing.ink(generator) if style == "ink" else EXTRACTORS[style](color)
        return vary_lines(sketch, generator) if self.options.vary_lines else sketch


@dataclass(frozen=True)
class Drawing:
    """A prepared drawing in memory: planes or a picture."""

    item: Item
    planes: Planes | None
    picture: Pixels | None
    own_sketch: Pixels | None

    def color(self, palette: list[Color]) -> Pixels:
        """The drawing in a palette; a picture is what it is."""
        return self.picture if self.planes is None else self.planes.compose(palette)  # type: ignore[return-value]

    def ink(self, generator: np.random.Generator) -> Pixels:
        """The artist's lines: of a pair, or the ink of vector art with the borders of its regions."""
        if self.planes is None:
            return self.own_sketch if self.own_sketch is not None else EXTRACTORS["xdog"](self.color([]))
        is_line = [part.line for part in self.item.parts]
        return np.minimum(ink_lines(self.planes, is_line), region_borders(self._areas(), int(generator.integers(1, 3))))

    def _areas(self) -> NDArray[np.int16]:
        """Part labels with lines merged into what they lie on, so that ink is not outlined twice."""
        assert self.planes is not None
        areas = np.array([not part.line for part in self.item.parts])
        if not areas.any():
            return np.zeros(self.planes.base.shape[:2], np.int16)
        labels = self.planes.labels()
        on_line = (labels >= 0) & ~areas[labels]
        return np.where(on_line, -1, labels).astype(np.int16)

    @property
    def part_numbers(self) -> NDArray[np.int16]:
        """``(H, W)`` positions in `PART_NAMES`, -1 where the part has no shared name."""
        if self.planes is None:
            return np.full(self.picture.shape[:2], -1, np.int16)  # type: ignore[union-attr]
        table = [PART_NAMES.index(part.name) if part.name in PART_NAMES else -1 for part in self.item.parts]
        return np.array([*table, -1], np.int16)[self.planes.labels()]

    def visible_parts(self, warp: Warp, least_pixels: float = 4.0) -> list[bool]:
        """For each part, whether the warped drawing still shows some pixels of it, of 128 x 128."""
        assert self.planes is not None
        least = least_pixels * (self.planes.base.shape[0] / 128) ** 2
        shown = [warp.apply((plane * 255).astype(np.uint8)) for plane in self.planes.coverage]
        return [float(plane.sum()) / 255 >= least for plane in shown]

    def share_of(self, flags: list[bool], value: bool) -> NDArray[np.float32]:
        """``(H, W)`` in 0…1: how much of a pixel belongs to parts whose flag is `value`."""
        assert self.planes is not None
        chosen = [flag == value for flag in flags]
        return self.planes.coverage[chosen].sum(0)


def load(root: Path, item: Item, image_size: int) -> Drawing:
    """Reads a prepared drawing at ``image_size x image_size``; DataError when its file is damaged."""
    stored = read_stored(root / item.file, gray=item.kind == "parts")
    if item.kind == "parts":
        return Drawing(item, _resized(unpack(stored), image_size), None, None)
    size = (image_size, image_size)
    sketch = resize(read_stored(root / item.sketch, gray=True), size) if item.sketch else None
    return Drawing(item, None, resize(stored, size), sketch)


def _resized(planes: Planes, size: int) -> Planes:
    """Scaling is linear too, so scaled planes still compose exactly."""
    if planes.base.shape[0] == size:
        return planes
    mode = cv2.INTER_AREA if planes.base.shape[0] > size else cv2.INTER_LINEAR
    coverage = [cv2.resize(plane, (size, size), interpolation=mode) for plane in planes.coverage]
    return Planes(cv2.resize(planes.base, (size, size), interpolation=mode), np.stack(coverage))


def make_sample(
    sketch: Pixels,
    color: Pixels,
    reference: Pixels,
    *,
    parts: NDArray[np.int16],
    reference_parts: NDArray[np.int16],
    warp: Warp,
    correspondence: NDArray[np.float32] | None = None,
    unknown: NDArray[np.float32] | None = None,
) -> Sample:
    """Joins the pieces of a pair into a batch of one; `reference_parts` are those before the warp."""
    height, width = sketch.shape
    points = np.full((height, width, 2), np.nan, np.float32) if correspondence is None else correspondence
    valid = np.ones((height, width), np.float32) if unknown is None else (unknown < 0.05).astype(np.float32)
    moved_parts = warp.apply(reference_parts.astype(np.float32), nearest=True)
    return Sample(
        sketch=to_tensor(sketch),
        color=to_tensor(color),
        reference=to_tensor(reference),
        valid=torch.from_numpy(valid)[None, None],
        correspondence=torch.from_numpy(points).permute(2, 0, 1)[None],
        parts=torch.from_numpy(parts.astype(np.int64))[None],
        reference_parts=torch.from_numpy(moved_parts.astype(np.int64))[None],
        lines=torch.zeros(1, 1, height, width),
    )


def _recolorable(items: list[Item]) -> dict[str, list[Item]]:
    """Items with named parts, by style."""
    styles: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if any(part.name for part in item.parts):
            styles[item.source].append(item)
    return dict(styles)
