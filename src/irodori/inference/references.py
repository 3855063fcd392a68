"""References as they are given, and in groups that are used together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from irodori.image import Pixels
from irodori.image_io import ImageSource, over_paper, read_image
from irodori.inference.guidance import ALL_PARTS, by_part, is_mask, uses_of
from irodori.inference.masked import read_place

Pictures = ImageSource | Sequence[ImageSource]
References = Pictures | Mapping[str, Pictures]
"""One picture, several for everything, or ``{part name or mask file: picture or pictures}``.

The name "" is for all other parts.  A mask is a picture of the sketch's size, white or opaque in the reference's place.
"""


class Given(NamedTuple):
    """A picture as it was given: for which part or mask, "" for all, and as which one."""

    part: str
    picture: Pixels
    number: int


@dataclass
class ReferenceGroup:
    """References that are used together: everywhere, where a mask ``(H, W)`` of the sketch says, or in a place.

    parts, uses: for each reference.  numbers: their places among all pictures as they were given.
    place: names of the parts of the sketch that make up the group's place (`irodori.inference.part_places`).
    code: their encoding, once it was made.
    """

    references: tuple[Pixels, ...] = ()
    parts: tuple[tuple[str, ...], ...] = ()
    mask: Pixels | None = None
    mask_name: str = ""
    numbers: tuple[int, ...] = ()
    place: tuple[str, ...] = ()
    code: Any = None

    @property
    def uses(self) -> tuple[tuple[str, ...], ...]:
        """For each reference the names of all parts that it is for; empty if none is for a named part."""
        return uses_of(self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """What layers with the references are called."""
        place = Path(self.mask_name).stem or ", ".join(self.place)
        places = [place or ", ".join(part for part in parts if part) for parts in self.parts]
        return tuple(f"Reference ({place})" if place else "Reference" for place in places)


def read_groups(reference: References | None) -> tuple[tuple[ReferenceGroup, ...], tuple[str, ...]]:
    """The groups of references, the one for everything first even if empty; and what each reference is for, as given.

    Raises InputError for a picture or mask that cannot be used.
    """
    parts, pictures = as_pairs(reference)
    read = [
        Given(part, over_paper(read_image(one)), n) for n, (part, one) in enumerate(zip(parts, pictures, strict=True))
    ]
    groups = [group_of([one for one in read if not is_mask(one.part)])]
    for mask in dict.fromkeys(part for part in parts if is_mask(part)):
        chosen = [one._replace(part=ALL_PARTS) for one in read if one.part == mask]
        groups.append(replace(group_of(chosen), mask=read_place(mask, mask), mask_name=mask))
    return tuple(groups), parts


def as_pairs(reference: References | None) -> tuple[tuple[str, ...], list[ImageSource]]:
    """Part names, "" for all, and pictures, one beside the other."""
    if reference is None:
        return (), []
    if isinstance(reference, Mapping):
        pairs = by_part(reference)
        return tuple(part for part, _ in pairs), [picture for _, picture in pairs]
    one = isinstance(reference, (str, Path, bytes, Image.Image, np.ndarray))
    pictures: list[Any] = [reference] if one else list(reference)  # type: ignore[arg-type]
    return (ALL_PARTS,) * len(pictures), pictures


def group_of(given: Sequence[Given]) -> ReferenceGroup:
    """References that are used together; one that is given for several parts is there once."""
    distinct: list[Given] = []
    names: list[list[str]] = []
    for one in given:
        same = [
            i
            for i, other in enumerate(distinct)
            if one.part not in names[i] and np.array_equal(other.picture, one.picture)
        ]
        if same:
            names[same[0]].append(one.part)
        else:
            distinct.append(one)
            names.append([one.part])
    return ReferenceGroup(
        tuple(one.picture for one in distinct),
        tuple(map(tuple, names)),
        numbers=tuple(one.number for one in distinct),
    )
