"""``this place from A, that from B``: colorings after several references, put together by masks along the lines."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irodori.errors import InputError
from irodori.image import Pixels
from irodori.image_io import ImageSource, read_image, to_gray
from irodori.inference.leaks import find_rooms
from irodori.inference.regions import Regions, cell_regions, closed_regions, extend_regions
from irodori.systems.base import Attention, Output

Owners = NDArray[np.uint8]

CLEAR = 2 / 3
"""Share of a room from which on a mask means the whole of it: masks are painted roughly, lines are exact."""
INSIDE = 128


def read_place(source: ImageSource, name: str) -> Pixels:
    """A mask as 0…255 ``(H, W)``: its transparency where it has any, else its brightness."""
    pixels = read_image(source)
    levels = pixels[..., 3] if pixels.shape[2] == 4 else to_gray(pixels)
    if levels.max() < INSIDE:
        raise InputError(f"{name} is a mask that shows nothing: paint the place white, or opaque on transparency")
    return levels


def find_owners(masks: Sequence[Pixels], lines: Pixels) -> Owners:
    """Which mask each pixel of a drawing ``(H, W)`` belongs to: from 1 for the first, 0 = none; 255 on ink.

    Later masks lie over earlier ones.  A room that lies mostly in one belongs to it as a whole; others are divided.
    """
    drawn = np.zeros(lines.shape, np.uint8)
    for number, mask in enumerate(masks, start=1):
        drawn[mask >= INSIDE] = number
    settled, rooms = settle(drawn, lines, CLEAR)
    return np.where(rooms > 0, settled, np.uint8(255))


def settle(numbers: Owners, lines: Pixels, clear: float) -> tuple[Owners, Regions]:
    """Numbers of pixels ``(H, W)``, one for each room in which one has a share of at least `clear`; and the rooms."""
    rooms, owner = find_rooms(closed_regions(lines))
    kinds = int(numbers.max()) + 1
    index = rooms.reshape(-1).astype(np.int64) * kinds + numbers.reshape(-1)
    counts = np.bincount(index, minlength=len(owner) * kinds).reshape(-1, kinds)
    whole = counts.max(axis=1) >= clear * counts.sum(axis=1)
    return np.where(whole[rooms], counts.argmax(axis=1).astype(np.uint8)[rooms], numbers), rooms


def shrink_owners(owners: Owners, size: tuple[int, int], network_size: tuple[int, int]) -> Owners:
    """Owners in each cell of ``(height, width)``, lines given to the nearest, padded at the bottom and right."""
    numbers: Regions = np.where(owners == 255, 0, owners.astype(np.int32) + 1)
    cells = extend_regions(cell_regions(numbers, size))
    bottom, right = (whole - part for whole, part in zip(network_size, size, strict=True))
    return np.pad(np.maximum(cells - 1, 0).astype(np.uint8), ((0, bottom), (0, right)), mode="edge")


def compose(outputs: Sequence[Output], owners: Owners) -> Output:
    """One coloring of several: each pixel of ``owners (h, w)`` from the output of its number.

    What not all of the outputs tell is not told; attention looks at the references of all, one after the other.
    """
    if len(outputs) == 1:
        return outputs[0]
    chosen = torch.from_numpy(owners).to(outputs[0].image.device)

    def pick(name: str) -> Tensor | None:
        maps = [getattr(output, name) for output in outputs]
        known = [one for one in maps if one is not None]
        if name == "image" or len(known) == len(maps):
            return _picked(known, chosen)
        return None

    image, warped, confidence = (pick(name) for name in ("image", "warped_reference", "confidence"))
    assert image is not None
    return Output(image, _attention([output.attention for output in outputs], owners), warped, confidence)


def _picked(maps: Sequence[Tensor], chosen: Tensor) -> Tensor:
    result = maps[0]
    for number, one in enumerate(maps[1:], start=1):
        result = torch.where(chosen == number, one, result)
    return result


def _attention(attentions: Sequence[Attention | None], owners: Owners) -> Attention | None:
    """Rows of each query from the attention of its owner, on the references of all; None if no owner has any."""
    known = [(number, one) for number, one in enumerate(attentions) if one is not None and one.reference_grids]
    if not known:
        return None
    rows, columns = known[0][1].sketch_grid
    owner = torch.from_numpy(cv2.resize(owners, (columns, rows), interpolation=cv2.INTER_NEAREST).reshape(-1))

    def look(queries: Tensor) -> Tensor:
        parts = []
        for number, one in known:
            found = one.rows(queries)
            mine = (owner.to(queries.device)[queries] == number).to(found.device)
            parts.append(found * mine[:, None])
        return torch.cat(parts, dim=-1)

    grids: tuple[tuple[int, int], ...] = tuple(grid for _, one in known for grid in one.reference_grids)
    return Attention(look, (rows, columns), grids)
