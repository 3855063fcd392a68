"""The tracks of the benchmark: each makes its cases of one number from the held-out art."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from irodori.benchmark.art import Art
from irodori.benchmark.cases import Case, Track
from irodori.benchmark.tracks import aligned, cross, editing, recolor, shift, variants
from irodori.benchmark.tracks.base import Unit

MAKERS: dict[Track, Callable[[Art, Unit], Iterator[Case]]] = {
    "aligned": aligned.cases,
    "recolor": recolor.cases,
    "variants": variants.cases,
    "shift": shift.cases,
    "cross": cross.cases,
    "editing": editing.cases,
}
