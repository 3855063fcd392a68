"""``hair from A, coat from B`` with systems that know no parts: the default model tells where a drawing's parts are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from irodori.data.index import PART_NAMES
from irodori.image import Geometry, Pixels
from irodori.inference.guidance import ALL_PARTS
from irodori.inference.masked import settle
from irodori.inference.references import ReferenceGroup
from irodori.systems import load_system
from irodori.systems.base import System
from irodori.weights import resolve

READER = "irodori-base"
"""The model that was taught part names, and ships."""

MOST = 0.4
"""A room of which one part has such a share is that part; others miss a line, and are divided."""

PartMap = NDArray[np.uint8]


@torch.inference_mode()
def read_part_map(lines: Pixels) -> PartMap:
    """The part of each pixel of a drawing ``(H, W)``, as a place in `PART_NAMES`."""
    system = _reader()
    geometry = Geometry((lines.shape[0], lines.shape[1]), system.image_size, system.size_multiple)
    shares = system.name_parts(system.encode_sketch(geometry.apply(lines)))[0]
    fine = torch.nn.functional.interpolate(shares[None], size=geometry.network_size, mode="bilinear")
    best = geometry.crop(fine).argmax(1)[0].numpy().astype(np.uint8)
    return settle(np.asarray(cv2.resize(best, geometry.size[::-1], interpolation=cv2.INTER_NEAREST)), lines, MOST)[0]


@lru_cache(maxsize=1)
def _reader() -> System:
    return load_system(resolve(READER, offline=True)).eval().requires_grad_(False)


def part_mask(part_map: PartMap, names: Sequence[str]) -> Pixels:
    """Where some parts are, 255 on 0, ``(H, W)``."""
    numbers = [PART_NAMES.index(name) for name in names]
    return np.where(np.isin(part_map, numbers), np.uint8(255), np.uint8(0))


def by_place(group: ReferenceGroup) -> tuple[ReferenceGroup, ...]:
    """One group for everything and one for the places of each named part, of references that are for parts.

    What no reference is for is colored after all of them.
    """
    users: dict[str, list[int]] = {}
    for number, names in enumerate(group.parts):
        for name in names:
            users.setdefault(name, []).append(number)
    rest = users.pop(ALL_PARTS, range(len(group.references)))
    if not users:
        return (group,)
    named: dict[tuple[int, ...], list[str]] = {}
    for name, numbers in users.items():
        named.setdefault(tuple(numbers), []).append(name)
    places = [replace(_some(group, numbers), place=tuple(names)) for numbers, names in named.items()]
    return (_some(group, rest), *places)


def _some(group: ReferenceGroup, numbers: Sequence[int]) -> ReferenceGroup:
    """Some references of a group, for all that they are asked about."""
    return ReferenceGroup(
        tuple(group.references[number] for number in numbers),
        ((ALL_PARTS,),) * len(numbers),
        numbers=tuple(group.numbers[number] for number in numbers),
    )
