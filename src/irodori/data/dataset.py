"""Training pairs: sketch, reference, truth, drawn at random from prepared drawings; `compose` makes the pictures.

`self`: the paper's augmented-self reference; a color-shifted picture is the truth, its warped copy the reference.
`recolor`: the reference is another figure B, the truth is A in B's colors, part by part; parts that B lacks are
masked out.
`shuffled`: the reference is any other drawing, and nobody knows the truth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from irodori.data.clusters import ColorClusters, color_clusters
from irodori.data.draft import Draft
from irodori.data.drawing import Drawing, DrawingCache
from irodori.data.index import PART_NAMES, Index, Item, Part, Split
from irodori.data.jitter import JitterOptions, no_jitter, random_jitter
from irodori.data.layers import Layers
from irodori.data.light import no_light, random_light
from irodori.data.line_variation import no_variation, random_variation
from irodori.data.lines import KINDS
from irodori.data.palette import PALETTES, Color, own_palette, palette_of
from irodori.data.scene import side_by_side
from irodori.data.warp import Warp, WarpOptions, no_warp, random_warp
from irodori.errors import ConfigError, DataError
from irodori.image import from_uint8

_SHARES = (
    "recolor_share", "shuffled_share", "same_style_share", "random_palette_share", "no_reference", "light_share",
    "scene_share",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How pairs are made (Lee et al. 2020, sections 3.2 and A.3, and the recolor pairs of this project)."""

    recolor_share: float = 0.0  # share of `recolor` pairs; the rest are `self` pairs (paper: 0)
    shuffled_share: float = 0.0  # share of the others whose reference is any other drawing: no truth (CSFT, figure 2)
    same_style_share: float = 0.5  # of the recolor pairs, share whose reference has the sketch's own style
    scene_share: float = 0.0  # of the recolor pairs, share whose reference shows two figures; half of the sketches too
    random_palette_share: float = 0.5  # share of pairs with random instead of the artist's colors
    palettes: tuple[str, ...] = ("random",) * 4 + ("near", "gray", "pastel", "dark")  # kinds of random palette
    appearance: float = 50.0  # largest offset per RGB channel, levels of 255 (A.3: 50)
    jitter: JitterOptions | None = None  # changes of color beside the offset, as large as these (CNF, 3.3.3)
    no_reference: float = 0.1  # share of zero-filled references (A.5: one in ten)
    light_share: float = 0.0  # share of references with soft or cel shading; the truth stays flat
    sketches: tuple[str, ...] = ("ink", "xdog")  # kinds of line, one drawn at random for each pair
    vary_lines: bool = True  # thicker, softer, broken, noisy, fainter lines
    color_clusters: int = 0  # clusters from which a picture as colored as the reference is drawn; 0 = none is (CSFT)
    leave_out: tuple[str, ...] = ()  # sources (styles) that are not used, to test on them as unseen
    sketch_warp: WarpOptions | None = None  # moves sketch and truth
    self_warp: WarpOptions = field(default_factory=WarpOptions)  # the paper's s(.)
    recolor_warp: WarpOptions = field(default_factory=lambda: WarpOptions(tps=0.03))

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"data.{name} is a share and must lie in 0…1, got {getattr(self, name)}")
        for name, known in (("sketches", KINDS), ("palettes", PALETTES)):
            unknown = set(getattr(self, name)) - set(known)
            if unknown or not getattr(self, name):
                raise ConfigError(f"data.{name}: choose from {', '.join(known)}; got {sorted(unknown)}")
        if self.color_clusters < 0:
            raise ConfigError(f"data.color_clusters must not be negative, got {self.color_clusters}")


class PairDataset(Dataset[Draft]):
    """An endless, reproducible stream of drafts of training pairs: pair `i` depends on the seed and on `i` alone.

    cache_bytes: memory for decoded drawings, in each process that makes pairs.
    """

    def __init__(
        self, index: Index, split: Split, options: DataOptions, image_size: int, seed: int, length: int,
        cache_bytes: int = 4 << 30,
    ) -> None:  # fmt: skip
        self.root, self.options, self.image_size = index.root, options, image_size
        self.seed, self.length = seed, length
        self.items = [item for item in index.select(split) if item.source not in options.leave_out]
        self.styles = _recolorable(self.items)
        if not self.items:
            raise DataError(f"{index.root}: no drawings in the split '{split}'; prepare more pictures")
        unknown = set(options.leave_out) - {item.source for item in index.items}
        if unknown:
            raise DataError(
                f"{index.root}: data.leave_out names {sorted(unknown)[0]}, which is no source of this data set"
            )
        if options.recolor_share > 0 and not self.styles:
            raise DataError(f"{index.root}: recolor pairs need vector art with named parts; set data.recolor_share=0")
        self.drawings = DrawingCache(index.root, image_size, cache_bytes)
        self.clusters = self._color_clusters(index) if options.color_clusters else None
        self._figures = [item for items in self.styles.values() for item in items]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Draft:
        generator = np.random.default_rng((self.seed, index))
        if generator.random() < self.options.no_reference:
            return self._lone_sketch(generator)
        if generator.random() < self.options.recolor_share:
            return self._recolor_pair(generator)
        if self.options.shuffled_share and generator.random() < self.options.shuffled_share:
            return self._shuffled_pair(generator)
        return self._self_pair(generator)

    def _lone_sketch(self, generator: np.random.Generator) -> Draft:
        """No reference (A.5): the truth has the artist's own colors, since nothing tells of any others."""
        item = self._any(generator)
        draft = self.plain_draft(self.drawings[item], self._own_layers(item), generator)
        return self._with_similar(draft, draft.drawing, item, generator)

    def _self_pair(self, generator: np.random.Generator) -> Draft:
        item = self._any(generator)
        drawing = self.drawings[item]
        layers = layers_of(drawing, self._palette(drawing.parts, generator), all_numbers(drawing.parts))
        draft = self.plain_draft(drawing, layers, generator)
        offset = generator.uniform(-1, 1, 3) * self.options.appearance
        jitter = random_jitter(self.options.jitter, generator) if self.options.jitter else no_jitter()
        draft = replace(
            self._lit(draft, generator),
            kinds=("self",),
            tags=(drawing.tags,),
            jitter=jitter,
            offset=torch.from_numpy(offset.astype(np.float32))[None],
            warp=random_warp(self.image_size, self.options.self_warp, generator),
        )
        return self._with_similar(draft, draft.drawing, item, generator)

    def _shuffled_pair(self, generator: np.random.Generator) -> Draft:
        item, other = self._any(generator), self._any(generator)
        draft = self.plain_draft(self.drawings[item], self._own_layers(item), generator)
        warp = random_warp(self.image_size, self.options.self_warp, generator)
        draft = replace(draft, kinds=("shuffled",), source=self._own_layers(other), warp=warp)
        return self._with_similar(self._lit(draft, generator), draft.source, other, generator)

    # --------------------------------------------------------------------------------------------- recolor pairs

    def _recolor_pair(self, generator: np.random.Generator) -> Draft:
        item = self._figures[generator.integers(len(self._figures))]
        other = self._partner(item, generator)
        warp = random_warp(self.image_size, self.options.recolor_warp, generator)
        drawing, source = self.drawings[item], self.drawings[other]
        if generator.random() < self.options.scene_share:
            source = side_by_side(source, self.drawings[self._partner(other, generator)], generator)
            if generator.random() < 0.5:
                drawing = side_by_side(drawing, self.drawings[self._partner(item, generator)], generator)
        draft = self.recolor_draft(drawing, source, self._palette(source.parts, generator), warp, generator)
        return self._with_similar(self._lit(draft, generator), draft.source, other, generator)

    def _partner(self, item: Item, generator: np.random.Generator) -> Item:
        """A figure of the same or of another style."""
        same = generator.random() < self.options.same_style_share or len(self.styles) == 1
        styles = [item.source] if same else [style for style in self.styles if style != item.source]
        candidates = self.styles[styles[generator.integers(len(styles))]]
        return candidates[generator.integers(len(candidates))]

    def recolor_draft(
        self, drawing: Drawing, source: Drawing, palette: Sequence[Color], warp: Warp, generator: np.random.Generator
    ) -> Draft:
        """Sketch of `drawing`, reference `source` in `palette`; the generator draws the lines, then `sketch_warp`."""
        known = {name: number for number, name in enumerate(sorted({p.name for p in source.parts if p.name}), 1)}
        shown = layers_of(drawing, own_palette(drawing.parts), shared_numbers(drawing.parts), known)
        draft = self.plain_draft(drawing, shown, generator)
        layers = layers_of(source, palette, shared_numbers(source.parts), known)
        return replace(draft, kinds=("recolor",), source=layers, warp=warp, tags=(source.tags,))

    # ---------------------------------------------------------------------------------------------- similar colors

    def _color_clusters(self, index: Index) -> ColorClusters:
        """Of the training set, whatever the split: similar pictures show nothing that training does not."""
        items = [item for item in index.select("train") if item.source not in self.options.leave_out]
        return color_clusters(self.root, items or self.items, self.options.color_clusters)

    def _with_similar(self, draft: Draft, shown: Layers, item: Item, generator: np.random.Generator) -> Draft:
        """With another picture of the color cluster of what the reference shows: `item`, in the colors of `shown`."""
        if self.clusters is None:
            return draft
        image = from_uint8((shown.paint(shown.palette) + draft.offset[:, :, None, None]).round().clamp(0, 255))
        return replace(draft, similar=self._own_layers(self.clusters.similar(image, item, generator)))

    # ----------------------------------------------------------------------------------------------------- shared

    def _any(self, generator: np.random.Generator) -> Item:
        return self.items[generator.integers(len(self.items))]

    def _own_layers(self, item: Item) -> Layers:
        """A drawing in the artist's own colors."""
        drawing = self.drawings[item]
        return layers_of(drawing, own_palette(drawing.parts), shared_numbers(drawing.parts))

    def plain_draft(self, drawing: Drawing, layers: Layers, generator: np.random.Generator) -> Draft:
        """A drawing, as `layers`, without a reference; the generator draws the lines, then `sketch_warp`."""
        kind = self.options.sketches[generator.integers(len(self.options.sketches))]
        if kind == "ink" and drawing.own_sketch is not None:
            kind = "own"
        elif kind == "ink" and not drawing.parts:
            kind = "xdog"
        thickness = torch.from_numpy(generator.integers(1, 3, 1))
        variation = random_variation(self.image_size, generator) if self.options.vary_lines else no_variation()
        moves = self.options.sketch_warp
        paper = torch.full((1, self.image_size, self.image_size), 255, dtype=torch.uint8)
        return Draft(
            kinds=("lone",),
            drawing=layers,
            source=_nothing(layers),
            own_sketch=(paper if drawing.own_sketch is None else drawing.own_sketch)[None],
            line_kinds=(kind,),
            thickness=thickness,
            variation=variation,
            moves_drawing=(moves is not None,),
            drawing_warp=random_warp(self.image_size, moves, generator) if moves else no_warp(),
            warp=no_warp(),
            offset=torch.zeros(1, 3),
            jitter=no_jitter(),
            light=no_light(),
            tags=((),),
        )

    def _palette(self, parts: Sequence[Part], generator: np.random.Generator) -> list[Color]:
        if generator.random() >= self.options.random_palette_share:
            return own_palette(parts)
        return palette_of(self.options.palettes[generator.integers(len(self.options.palettes))], parts, generator)

    def _lit(self, draft: Draft, generator: np.random.Generator) -> Draft:
        if generator.random() >= self.options.light_share:
            return draft
        return replace(draft, light=random_light(self.image_size, generator))


def layers_of(
    drawing: Drawing, palette: Sequence[Color], numbers: Sequence[int], names: dict[str, int] | None = None
) -> Layers:
    """A drawing as a batch of one.  numbers: of its parts (`Layers.numbers`).  names: numbers of the names that matter
    in this pair."""
    known = names or {}
    return Layers(
        planes=drawing.planes[None],
        palette=torch.tensor(palette, dtype=torch.float32).view(1, -1, 3),
        numbers=torch.tensor([numbers], dtype=torch.int64),
        names=torch.tensor([[known.get(part.name, 0) for part in drawing.parts]], dtype=torch.int64),
        is_line=torch.tensor([[part.line for part in drawing.parts]], dtype=torch.bool),
    )


def shared_numbers(parts: Sequence[Part]) -> list[int]:
    """Positions in `PART_NAMES`, -1 for parts without a shared name."""
    return [PART_NAMES.index(part.name) if part.name in PART_NAMES else -1 for part in parts]


def all_numbers(parts: Sequence[Part]) -> list[int]:
    """The same, but parts without a shared name have numbers of their own: both sides of a self pair show them."""
    return [len(PART_NAMES) + place if number < 0 else number for place, number in enumerate(shared_numbers(parts))]


def _nothing(layers: Layers) -> Layers:
    """Empty planes without parts."""
    empty: Tensor = torch.zeros_like(layers.planes[:, :3])
    none = layers.names[:, :0]
    return Layers(empty, layers.palette[:, :0], none, none, layers.is_line[:, :0])


def _recolorable(items: list[Item]) -> dict[str, list[Item]]:
    """Items with named parts, by style."""
    styles: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if any(part.name for part in item.parts):
            styles[item.source].append(item)
    return dict(styles)
