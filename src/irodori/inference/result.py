"""What a coloring returns: the pictures, where the colors came from, and how to make the same again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from irodori.image import Pixels
from irodori.image_io import write_image
from irodori.inference.correspondence import Correspondence
from irodori.inference.finish import LineMode, composite, fill_colors

METADATA_KEY = "irodori"
"""Under this key files carry the provenance, as JSON."""


@dataclass(frozen=True)
class Result:
    """One coloring; its full-size pictures are made when they are first asked for.

    network_image: ``(h, w, 3)`` uint8, at the size at which the network worked.
    drawing: ``(H, W)`` uint8, the lines as they were understood.
    mode: what `.image` does with lines.  correspondence: None without a reference or attention.
    notices: sentences about what was done to the sketch.  provenance: model, weights, options, seed.
    """

    network_image: Pixels
    drawing: Pixels
    mode: LineMode
    correspondence: Correspondence | None
    notices: tuple[str, ...]
    provenance: dict[str, str]

    @cached_property
    def pixels(self) -> Pixels:
        """The colored drawing, ``(H, W, 3)`` uint8, of exactly the sketch's size."""
        colors = self.color_pixels if self.mode != "model" else self.network_image
        return composite(colors, self.drawing, self.mode, self.network_image)

    @cached_property
    def color_pixels(self) -> Pixels:
        """The colors without any line, ``(H, W, 3)`` uint8."""
        return fill_colors(self.network_image, self.drawing)

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

    def save(self, path: str | Path, extra: Mapping[str, str] | None = None) -> None:
        """Writes `.image`, whole or not at all, with provenance (and `extra`) inside; the suffix chooses the format."""
        write_image(path, self.pixels, {METADATA_KEY: json.dumps({**self.provenance, **(extra or {})})})
