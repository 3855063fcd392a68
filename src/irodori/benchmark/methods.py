"""Methods that can be asked: systems, exactly as users get them, and baselines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from irodori.benchmark import gmic
from irodori.benchmark.baselines import BASELINES, baseline, ceiling_size
from irodori.benchmark.cases import Case, Edit
from irodori.benchmark.results import MethodKind
from irodori.data.vocabulary import part_of
from irodori.errors import ConfigError, InputError
from irodori.image import Pixels
from irodori.image_io import over_paper, read_image, to_gray
from irodori.inference.colorizer import Colorizer
from irodori.inference.finish import LineMode
from irodori.inference.guidance import Hint
from irodori.systems.text import TextEdit

BASELINE_PREFIX = "baseline:"


@dataclass(frozen=True)
class Question:
    """A case of the benchmark in `root`; before: the method's own picture without the edit."""

    root: Path
    case: Case
    before: Path | None = None

    @cached_property
    def lines(self) -> Pixels:
        """The sketch, ``(H, W)``."""
        return to_gray(read_image(self.root / self.case.sketch))


class SystemMethod:
    """A system behind `Colorizer`: shipped name, weight file, folder or hub repository.

    An edit is given as its tag to a system that takes tags, as a text edit of the part to one that takes text, and to
    any other as a hint in the part.
    """

    kind: ClassVar[MethodKind] = "system"
    lines: LineMode = "keep"

    def __init__(
        self,
        name: str,
        label: str = "",
        device: str = "auto",
        offline: bool = False,
        seed: int = 0,
        lines: LineMode = "keep",
    ) -> None:
        """label: what reports call it; seed: added to each case's own; lines: as `Colorizer` takes it."""
        self.colorizer, self.seed, self.lines = Colorizer.from_pretrained(name, device, offline), seed, lines
        self.name = label or self.colorizer.name

    @property
    def about(self) -> dict[str, str]:
        """What its answers depend on."""
        lines = {} if self.lines == "keep" else {"lines": self.lines}
        return lines | {
            "irodori": version("irodori"),
            "system": self.colorizer.system.name,
            "weights_sha256": self.colorizer.weights_hash,
            "image_size": str(self.colorizer.system.image_size),
            "seed": str(self.seed),
            "edits": _ASKED[self.asks_by],
        }

    @property
    def asks_by(self) -> Literal["tag", "text", "hint"]:
        """How edits are asked for."""
        takes = self.colorizer.system.takes
        return "tag" if "tags" in takes else "text" if "text" in takes else "hint"

    def can_answer(self, case: Case) -> bool:
        """Any case."""
        return True

    def answer(self, question: Question) -> Pixels:
        """The colored sketch, ``(H, W, 3)``."""
        case = question.case
        references = [question.root / name for name in case.references]
        sketch, seed = question.root / case.sketch, self.seed + case.seed
        wish = {"tag": _tags, "text": _texts, "hint": _hints}[self.asks_by](question)
        return self.colorizer(sketch, references, seed=seed, lines=self.lines, **wish).pixels


class BaselineMethod:
    """One of `irodori.benchmark.baselines`; it sees the first reference alone, and no edits."""

    kind: ClassVar[MethodKind] = "baseline"

    def __init__(self, name: str) -> None:
        self.baseline = baseline(name)
        self.name = f"{BASELINE_PREFIX}{name}"

    @property
    def about(self) -> dict[str, str]:
        """What its answers depend on."""
        found = {"irodori": version("irodori"), "method": self.baseline.meaning, "edits": "not given"}
        if self.baseline.name == "gmic":
            found["gmic"] = gmic.version()
        if self.baseline.name == "ceiling":
            found["image_size"] = str(ceiling_size())
        return found

    def __reduce__(self) -> tuple[type[BaselineMethod], tuple[str]]:
        return BaselineMethod, (self.baseline.name,)

    def can_answer(self, case: Case) -> bool:
        """Whether the case has the picture that it needs."""
        return self.baseline.can_answer(case)

    def answer(self, question: Question) -> Pixels:
        """The colored sketch, ``(H, W, 3)``."""
        case, lines = question.case, question.lines
        name = {"nothing": case.sketch, "reference": (*case.references, "")[0], "truth": case.truth}[
            self.baseline.needs
        ]
        assert name
        return self.baseline.paint(lines, over_paper(read_image(question.root / name)))


def make_method(
    name: str, device: str = "auto", offline: bool = False, seed: int = 0, lines: LineMode = "keep"
) -> SystemMethod | BaselineMethod:
    """``NAME``, ``LABEL=NAME`` or ``baseline:NAME`` to a method; ConfigError or WeightsError when there is none."""
    if name.startswith(BASELINE_PREFIX):
        return BaselineMethod(name.removeprefix(BASELINE_PREFIX))
    if name in BASELINES:
        raise ConfigError(f"'{name}' is a baseline: write {BASELINE_PREFIX}{name}")
    label, equals, source = name.partition("=")
    if not equals or Path(name).exists():
        return SystemMethod(name, "", device, offline, seed, lines)
    return SystemMethod(source, label, device, offline, seed, lines)


# --- edits -----------------------------------------------------------------------------------------------------------


_ASKED = {
    "tag": "as a tag, as strong as the edit's scale",
    "text": "as a text edit of the part, its scale the usual one times the edit's",
    "hint": "as a hint in the middle of the part, between the color before and the color wished for",
}


def _tags(question: Question) -> dict[str, Any]:
    """The edit as a tag; none at scale 0, which asks for nothing."""
    edit = _asked(question)
    return {} if edit is None else {"tags": {edit.tag: edit.scale}}


def _texts(question: Question) -> dict[str, Any]:
    """The edit in words, in the part that its tag is about."""
    edit = _asked(question)
    if edit is None:
        return {}
    words, place = edit.tag.replace("_", " "), part_of(edit.tag) or ""
    return {"text": (TextEdit(target=words, control=place, scale=TextEdit.scale * edit.scale),)}


def _hints(question: Question) -> dict[str, Any]:
    """The edit as a hint: in the part, far from its borders, between the color there before and the wished one."""
    edit, case = _asked(question), question.case
    if edit is None:
        return {}
    if case.parts is None:
        raise InputError("the edit names a part, but the case has no map of parts")
    inside = to_gray(read_image(question.root / case.parts)) == edit.part
    if not inside.any():
        raise InputError(f"no pixel of the sketch belongs to the part {edit.part} of the edit")
    if question.before is None or not question.before.exists():
        raise InputError("there is no picture to edit: the case before the edit has no answer")
    before = over_paper(read_image(question.before))
    x, y = middle(inside)
    return {"hints": (Hint(x, y, edit_color(edit, before[inside])),)}


def _asked(question: Question) -> Edit | None:
    """The edit, if it asks for anything."""
    edit = question.case.edit
    return None if edit is None or edit.scale == 0 else edit


def middle(inside: np.ndarray) -> tuple[int, int]:
    """The point ``(x, y)`` of a mask ``(H, W)`` that is furthest from its border."""
    depth = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = divmod(int(depth.argmax()), inside.shape[1])
    return column, row


def edit_color(edit: Edit, before: Pixels) -> tuple[int, int, int]:
    """Between the median of the pixels before ``(N, 3)`` and the color wished for, by the edit's scale."""
    start, wish = np.median(before, axis=0), np.array(edit.color)
    red, green, blue = np.rint(start + edit.scale * (wish - start)).astype(int).clip(0, 255).tolist()
    return red, green, blue
