"""References as they are given, and in groups that are used together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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


@dataclass
class ReferenceGroup:
    """References that are used together: everywhere (mask None), or where a mask ``(H, W)`` of the sketch says.

    parts, uses: for each reference.  code: their encoding, once it was made.
    """

    references: tuple[Pixels, ...] = ()
    parts: tuple[tuple[str, ...], ...] = ()
    mask: Pixels | None = None
    mask_name: str = ""
    code: Any = None

    @property
    def uses(self) -> tuple[tuple[str, ...], ...]:
        """For each reference the names of all parts that it is for; empty if none is for a named part."""
        return uses_of(self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """What layers with the references are called."""
        places = [Path(self.mask_name).stem or ", ".join(part for part in parts if part) for parts in self.parts]
        return tuple(f"Reference ({place})" if place else "Reference" for place in places)


def read_groups(reference: References | None) -> tuple[tuple[ReferenceGroup, ...], tuple[str, ...]]:
    """The groups of references, the one for everything first even if empty; and what each reference is for, as given.

    Raises InputError for a picture or mask that cannot be used.
    """
    parts, pictures = as_pairs(reference)
    read = [over_paper(read_image(picture)) for picture in pictures]
    groups = [group_of([pair for pair in zip(parts, read, strict=True) if not is_mask(pair[0])])]
    for mask in dict.fromkeys(part for part in parts if is_mask(part)):
        chosen = [(ALL_PARTS, picture) for part, picture in zip(parts, read, strict=True) if part == mask]
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


def _merge(pictures: Sequence[Pixels], parts: Sequence[str]) -> tuple[tuple[Pixels, ...], list[list[str]]]:
    """Pictures without those that are there already for another part, and the part names of each."""
    distinct: list[Pixels] = []
    names: list[list[str]] = []
    for picture, part in zip(pictures, parts, strict=True):
        same = [i for i, other in enumerate(distinct) if part not in names[i] and np.array_equal(other, picture)]
        if same:
            names[same[0]].append(part)
        else:
            distinct.append(picture)
            names.append([part])
    return tuple(distinct), names


def group_of(pairs: Sequence[tuple[str, Pixels]]) -> ReferenceGroup:
    """References that are used together, from the part that each is for."""
    distinct, names = _merge([picture for _, picture in pairs], [part for part, _ in pairs])
    return ReferenceGroup(distinct, tuple(map(tuple, names)))
