"""What an artist asks for in words: edits of what a reference shows, for systems that take "text"."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from irodori.errors import InputError

Variant = Literal["release", "thesis"]
Thresholds = tuple[float, float, float, float]

THRESHOLDS: Thresholds = (0.5, 0.55, 0.65, 0.95)
MAX_SCALE = 100.0


@dataclass(frozen=True, kw_only=True)
class TextEdit:
    """One manipulation (Yan 2025, section 5.8).

    target: what it should look like, "red hair".  anchor: what it looks like now, "black hair"; empty: no anchor.
    control: where, "hair"; empty: the target says so.  scale: 0…15, strength of the target.
    enhance: remove the anchor first.  thresholds: of equation 5.11, rising, in 0…1.
    variant: thesis and released code differ in some formulas.
    """

    target: str
    anchor: str = ""
    control: str = ""
    scale: float = 8.0
    enhance: bool = False
    thresholds: Thresholds = THRESHOLDS
    variant: Variant = "release"

    def __post_init__(self) -> None:
        if not self.target.strip():
            raise InputError("a text edit needs a target, such as 'red hair'")
        if not 0 <= self.scale <= MAX_SCALE:
            raise InputError(f"the scale of '{self.target}' is {self.scale:g}: use 0 to 15, rarely more")
        ts = self.thresholds
        if not all(0 <= low < high <= 1 for low, high in pairwise(ts)):
            raise InputError(f"the thresholds of '{self.target}' are {ts}: they must rise, between 0 and 1")

    @property
    def place(self) -> str:
        """The prompt that locates the region."""
        return self.control or self.target
