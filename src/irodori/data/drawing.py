"""Prepared drawings in memory: decoded, resized, kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from irodori.data.index import Item, Part
from irodori.data.parts import Floats, pack, unpack
from irodori.image import Pixels, resize
from irodori.image_io import read_stored


@dataclass(frozen=True)
class Drawing:
    """planes: ``(3 + K, H, W)`` uint8: base RGB, then the coverages of `parts`; a picture is a base without parts.

    own_sketch: ``(1, H, W)`` uint8, the artist's line drawing, where there is one.
    tags: what the data set says of it.
    """

    parts: tuple[Part, ...]
    planes: Tensor
    own_sketch: Tensor | None = None
    tags: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        return self.planes.nbytes + (0 if self.own_sketch is None else self.own_sketch.nbytes)


def load(root: Path, item: Item, image_size: int) -> Drawing:
    """Reads a prepared drawing at ``image_size x image_size``; DataError when its file is damaged."""
    size = (image_size, image_size)
    stored = read_stored(root / item.file, gray=item.kind == "parts")
    if item.kind == "parts":
        packed = pack(unpack(stored)).reshape(-1, stored.shape[1], stored.shape[1])
        planes = scaled(packed, image_size)
    else:
        planes = np.ascontiguousarray(resize(stored, size).transpose(2, 0, 1))
    drawing = Drawing(item.parts, torch.from_numpy(planes), tags=item.tags)
    if not item.sketch:
        return drawing
    sketch = resize(read_stored(root / item.sketch, gray=True), size)
    return replace(drawing, own_sketch=torch.from_numpy(np.ascontiguousarray(sketch))[None])


def scaled(planes: Pixels | Floats, size: int) -> Pixels:
    """Planes ``(K, h, h)`` at ``size x size``: scaling is linear too, so scaled planes still compose exactly."""
    if planes.shape[1] == size:
        return planes  # type: ignore[return-value]
    mode = cv2.INTER_AREA if planes.shape[1] > size else cv2.INTER_LINEAR
    return np.stack([cv2.resize(plane, (size, size), interpolation=mode) for plane in planes])


class DrawingCache:
    """The drawings used last, at one size, in `most_bytes` of memory; each process has its own."""

    def __init__(self, root: Path, image_size: int, most_bytes: int) -> None:
        self.root, self.image_size, self.most_bytes = root, image_size, most_bytes
        self.nbytes = 0
        self._drawings: OrderedDict[str, Drawing] = OrderedDict()

    def __getitem__(self, item: Item) -> Drawing:
        if item.file in self._drawings:
            self._drawings.move_to_end(item.file)
            return self._drawings[item.file]
        drawing = load(self.root, item, self.image_size)
        self._drawings[item.file] = drawing
        self.nbytes += drawing.nbytes
        while self.nbytes > self.most_bytes:
            self.nbytes -= self._drawings.popitem(last=False)[1].nbytes
        return drawing
