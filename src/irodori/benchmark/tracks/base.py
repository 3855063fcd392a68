"""What every track shares: the random numbers of a case and the way its pictures are written."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from irodori.benchmark.art import Groups
from irodori.benchmark.cases import Case, Track
from irodori.data.index import Item
from irodori.image import Pixels
from irodori.image_io import write_image

PICTURES = "pictures"


@dataclass(frozen=True)
class Unit:
    """Number `number` of a track: its cases share a sketch and depend on seed, track and number alone.

    folder: of the benchmark.
    """

    folder: Path
    track: Track
    number: int
    seed: int

    @property
    def case_seed(self) -> int:
        return zlib.crc32(f"{self.seed}/{self.track}/{self.number}".encode())

    def generator(self) -> np.random.Generator:
        """A fresh one at each call, so that all conditions draw the same."""
        return np.random.default_rng(self.case_seed)

    def in_turn(self, groups: Groups) -> Item:
        """The drawing of this number: sources take turns, each in an order that is shuffled once for the track.

        None comes twice before all have come.
        """
        turns = []
        for name in groups:
            shuffle = np.random.default_rng(zlib.crc32(f"{self.seed}/{self.track}/{name}".encode()))
            turns += [(turn, name, place) for turn, place in enumerate(shuffle.permutation(len(groups[name])))]
        _, name, place = sorted(turns)[self.number % len(turns)]
        return groups[name][place]

    def id(self, name: str) -> str:
        """Of a case or sequence: safe as a file name."""
        return f"{self.track}-{self.number:04d}-{re.sub('[^a-z0-9]+', '-', name.lower())}"

    def case(
        self,
        condition: str,
        items: Sequence[Item],
        sketch: Pixels,
        references: Sequence[Pixels],
        truth: Pixels | None = None,
        parts: Pixels | None = None,
        name: str = "",
        **more: Any,
    ) -> Case:
        """Writes the pictures of a case and describes it.

        name: what tells it from the other cases of this number, when the condition does not.  more: fields of `Case`.
        """
        return Case(
            id=self.id(name or condition),
            track=self.track,
            condition=condition,
            sketch=self._stored(sketch),
            references=tuple(self._stored(reference) for reference in references),
            truth=None if truth is None else self._stored(truth),
            parts=None if parts is None else self._stored(parts),
            seed=self.case_seed,
            items=tuple(item.id for item in items),
            licenses=tuple(dict.fromkeys(item.license for item in items)),
            **more,
        )

    def _stored(self, pixels: Pixels) -> str:
        """Writes a picture under its content's name, once, whichever cases show it."""
        content = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
        name = f"{PICTURES}/{content[:20]}.png"
        if not (self.folder / name).exists():
            write_image(self.folder / name, pixels)
        return name
