"""What a coloring returns: the pictures, where the colors came from, and how to make the same again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from irodori.errors import InputError
from irodori.image import Pixels, resize
from irodori.image_io import write_image
from irodori.inference.correspondence import Correspondence
from irodori.inference.explain import explain
from irodori.inference.finish import LineMode, composite, fill_colors
from irodori.inference.flats import hinted_mask, paint_hints
from irodori.inference.grid import grid_picture
from irodori.inference.layer_files import is_layered, write_layers
from irodori.inference.layers import Layer, flatten, hard_edged, take_apart
from irodori.inference.marks import AnyHint
from irodori.inference.snap import Evidence, snap_colors

METADATA_KEY = "irodori"
"""Under this key files carry the provenance, as JSON."""


@dataclass(frozen=True)
class Result:
    """One coloring; its full-size pictures are made when they are first asked for.

    network_image: ``(h, w, 3)`` uint8, at the size at which the network worked.
    drawing: ``(H, W)`` uint8, the lines as they were understood.
    mode: what `.image` does with lines.  correspondence: None without a reference or attention.
    notices: sentences about what was done to the sketch.  provenance: model, weights, options, seed.
    hints: colors that the closed regions under them get exactly.
    choices: ``(K, 3)`` uint8, the colors that flats may have; None: colors are not made flat.
    exact: whether flats have one of the choices even where none resembles what the network painted.
    inked: whether the network drew the lines.
    network_warped, network_confidence: ``(h, w, 3)`` and ``(h, w)`` uint8, None from a system that does not tell.
    references: what each is called as a layer, and its pixels ``(H, W, 3)``.
    """

    network_image: Pixels
    drawing: Pixels
    mode: LineMode
    correspondence: Correspondence | None
    notices: tuple[str, ...]
    provenance: dict[str, str]
    hints: tuple[AnyHint, ...] = ()
    choices: Pixels | None = None
    exact: bool = False
    inked: bool = True
    network_warped: Pixels | None = None
    network_confidence: Pixels | None = None
    references: tuple[tuple[str, Pixels], ...] = ()

    @cached_property
    def pixels(self) -> Pixels:
        """The colored drawing, ``(H, W, 3)`` uint8, of exactly the sketch's size."""
        colors = self.color_pixels if self.mode != "model" else self.network_image
        return composite(colors, self.drawing, self.mode, self.network_image)

    @cached_property
    def color_pixels(self) -> Pixels:
        """The colors without any line, ``(H, W, 3)`` uint8: as the network gave them, made flat, hints laid on."""
        colors = self._filled
        if self.choices is not None:
            colors = snap_colors(colors, self.drawing, self.choices, self._evidence(colors), exact=self.exact)
        return self._with_hints(colors)

    @property
    def flats(self) -> Pixels:
        """``(H, W, 3)``: one color for each closed region, which goes on under the ink around it.

        Raises InputError with the model's own lines, whose areas are not those of the drawing.
        """
        if self.mode == "model":
            raise InputError("layers belong to the drawing's regions, not to lines that the model drew: keep the lines")
        flats = self.color_pixels
        if self.choices is None:
            flats = self._with_hints(flatten(self._filled, self.drawing, self._pixel_area))
        return hard_edged(flats, self.drawing)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that artists work on, topmost first (`irodori.inference.layers`); InputError as `flats`."""
        return take_apart(
            self.color_pixels,
            self.flats,
            self.drawing,
            lines_visible=self.mode == "keep",
            references=self.references,
        )

    @cached_property
    def _filled(self) -> Pixels:
        return fill_colors(self.network_image, self.drawing, self.inked, self.network_confidence)

    def _with_hints(self, colors: Pixels) -> Pixels:
        return paint_hints(colors, self.drawing, self.hints) if self.hints else colors

    @property
    def _pixel_area(self) -> float:
        return self.drawing.size / (self.network_image.shape[0] * self.network_image.shape[1])

    def _evidence(self, colors: Pixels) -> Evidence:
        warped, confidence = self.network_warped, self.network_confidence
        return Evidence(
            colors if warped is None else fill_colors(warped, self.drawing, self.inked, confidence),
            None if confidence is None else resize(confidence, self._size),
            self._pixel_area,
        )

    @property
    def _size(self) -> tuple[int, int]:
        return self.drawing.shape[0], self.drawing.shape[1]

    @property
    def image(self) -> Image.Image:
        """The colored drawing as an RGB image."""
        return Image.fromarray(self.pixels)

    @property
    def colors_only(self) -> Image.Image:
        """The colors without any line as an RGB image."""
        return Image.fromarray(self.color_pixels)

    @property
    def lines(self) -> Image.Image:
        """The lines as they were understood, dark on white, as a grayscale image."""
        return Image.fromarray(self.drawing)

    @property
    def warped_reference(self) -> Image.Image | None:
        """The references' colors brought to their places, before any refinement; None if the system does not tell."""
        if self.network_warped is None:
            return None
        return Image.fromarray(fill_colors(self.network_warped, self.drawing, self.inked))

    @property
    def confidence(self) -> Image.Image | None:
        """How much of each color comes from a reference or from guidance, as a grayscale image; None if not told."""
        if self.network_confidence is None:
            return None
        levels = resize(self.network_confidence, self._size)
        return Image.fromarray(np.where(hinted_mask(self.drawing, self.hints), np.uint8(255), levels))

    def explain(self) -> Image.Image:
        """A picture of which part of the references colored which part of the sketch (`irodori.inference.explain`).

        Raises InputError if there is no reference or the system has no attention.
        """
        return Image.fromarray(explain(self._looked(), self.color_pixels, self._reference_share()))

    def grid(self) -> Image.Image:
        """A picture of a grid over the references, brought to the sketch as their colors were.

        Raises InputError if there is no reference or the system has no attention (`irodori.inference.grid`).
        """
        return Image.fromarray(grid_picture(self._looked()))

    def _looked(self) -> Correspondence:
        if self.correspondence is None:
            raise InputError("there is nothing to explain: give a reference, and a model with attention")
        return self.correspondence

    def _reference_share(self) -> Pixels | None:
        """How much the references decided, 0…255: nothing where a hint lies."""
        hinted = hinted_mask(self.drawing, self.hints)
        if self.network_confidence is None:
            return np.where(hinted, np.uint8(0), np.uint8(255)) if self.hints else None
        return np.where(hinted, np.uint8(0), resize(self.network_confidence, self._size))

    def save(self, path: str | Path, extra: Mapping[str, str] | None = None) -> None:
        """Writes `.image`, whole or not at all, with provenance (and `extra`) inside; the suffix chooses the format.

        ``.ora`` and ``.psd`` hold `.layers`.
        """
        about = {METADATA_KEY: json.dumps({**self.provenance, **(extra or {})})}
        if is_layered(path):
            write_layers(path, self.layers, self.pixels, about)
        else:
            write_image(path, self.pixels, about)
