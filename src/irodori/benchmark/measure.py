"""The figures of one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from irodori.benchmark.cases import Case, Edit
from irodori.benchmark.figures import figure_named
from irodori.benchmark.pictures import Scene
from irodori.color import delta_e_lab, rgb_to_lab
from irodori.image import from_uint8
from irodori.metrics.bleed import bleed
from irodori.metrics.images import delta_e_mean, ms_ssim, pixel_delta_e, psnr, ssim
from irodori.metrics.lines import LineFidelity, line_fidelity, reference_leak
from irodori.metrics.palettes import palette_distance
from irodori.metrics.parts import PartScore, part_scores
from irodori.metrics.points import sc_psnr


@dataclass(frozen=True)
class Evidence:
    """An answer ``(3, H, W)`` beside all that is known of its case; what several figures need is found once.

    before: the method's own answer without the edit, of an edited case.
    """

    case: Case
    scene: Scene
    image: Tensor
    before: Tensor | None = None

    @cached_property
    def parts(self) -> list[PartScore]:
        """Scores of the parts whose truth is known."""
        scene = self.scene
        if scene.truth is None or scene.parts is None:
            return []
        return part_scores(self.image, scene.truth, scene.parts, scene.counted.float())

    @cached_property
    def lines(self) -> LineFidelity:
        """The picture's lines against the sketch's."""
        return line_fidelity(self.image, self.scene.sketch)

    @cached_property
    def edited(self) -> Tensor | None:
        """Where the edited part is, ``(H, W)``; None without an edit or where no pixel of the part counts."""
        if self.case.edit is None or self.scene.parts is None:
            return None
        inside = self.scene.parts == self.case.edit.part
        return inside if inside.any() else None


def case_figures(
    evidence: Evidence, deep: Mapping[str, Callable[[Evidence], float | None]] = {}
) -> dict[str, float | None]:
    """All figures of the case's track by name, None for one that has no value here.

    deep: figures that need a feature network.
    """
    return {
        name: measure(evidence)
        for name, measure in {**_MEASURES, **deep}.items()
        if evidence.case.track in figure_named(name).tracks
    }


def _part_accuracy(evidence: Evidence) -> float | None:
    found = evidence.parts
    return sum(part.is_accurate for part in found) / len(found) if found else None


def _part_delta_e(evidence: Evidence) -> float | None:
    found = evidence.parts
    return sum(part.mean_delta_e for part in found) / len(found) if found else None


def _where_counted(measure: Callable[..., float]) -> Callable[[Evidence], float | None]:
    def measured(evidence: Evidence) -> float | None:
        truth, counted = evidence.scene.truth, evidence.scene.counted
        return measure(evidence.image, truth, counted) if truth is not None and counted.any() else None

    return measured


def _whole(measure: Callable[..., float | None]) -> Callable[[Evidence], float | None]:
    def measured(evidence: Evidence) -> float | None:
        return None if evidence.scene.truth is None else measure(evidence.image, evidence.scene.truth)

    return measured


def _sc_psnr(evidence: Evidence) -> float | None:
    points, reference = evidence.case.correspondence, evidence.scene.reference
    return sc_psnr(evidence.image, reference, points) if points and reference is not None else None


def _bleed(evidence: Evidence) -> float | None:
    scene = evidence.scene
    if scene.truth is None or scene.parts is None:
        return None
    return bleed(evidence.image, scene.truth, torch.where(scene.counted, scene.parts, -1))


def _reference_leak(evidence: Evidence) -> float | None:
    scene = evidence.scene
    if scene.reference is None or scene.other_reference is None:
        return None
    return reference_leak(evidence.image, scene.sketch, scene.reference, scene.other_reference)


def _palette_distance(evidence: Evidence) -> float | None:
    reference = evidence.scene.reference
    return None if reference is None else palette_distance(evidence.image, reference)


# --- edits -----------------------------------------------------------------------------------------------------------


def _edit_delta_e(evidence: Evidence) -> float | None:
    """At scale 1, where the part should have exactly the color wished for."""
    edit, inside = evidence.case.edit, evidence.edited
    if edit is None or inside is None or edit.scale != 1:
        return None
    return delta_e_lab(_median_lab(evidence.image, inside), _wish(edit)).item()


def _edit_success(evidence: Evidence) -> float | None:
    """1 where the part is nearer to the wish than before the edit, else 0; at scale 1."""
    after, edit, inside = _edit_delta_e(evidence), evidence.case.edit, evidence.edited
    if after is None or edit is None or inside is None or evidence.before is None:
        return None
    return float(after < delta_e_lab(_median_lab(evidence.before, inside), _wish(edit)).item())


def _edit_progress(evidence: Evidence) -> float | None:
    """How far the part went from its color before to the one wished for, in L*a*b*: 0 = not at all, 1 = all the way."""
    edit, inside, before = evidence.case.edit, evidence.edited, evidence.before
    if edit is None or inside is None or before is None:
        return None
    start = _median_lab(before, inside)
    way, gone = _wish(edit) - start, _median_lab(evidence.image, inside) - start
    length = way.square().sum().item()
    return (way * gone).sum().item() / length if length > 1 else None


def _edit_spill(evidence: Evidence) -> float | None:
    """Mean change of all other parts since before the edit."""
    edit, inside, parts = evidence.case.edit, evidence.edited, evidence.scene.parts
    if edit is None or inside is None or parts is None or evidence.before is None or edit.scale == 0:
        return None
    elsewhere = (parts >= 0) & ~inside
    return pixel_delta_e(evidence.image, evidence.before)[elsewhere].mean().item() if elsewhere.any() else None


def _wish(edit: Edit) -> Tensor:
    return rgb_to_lab(from_uint8(torch.tensor([edit.color])))


def _median_lab(image: Tensor, inside: Tensor) -> Tensor:
    """Median L*a*b* of the pixels inside, ``(1, 3)``."""
    return rgb_to_lab(image[:, inside][None])[0].median(dim=1).values[None]


_MEASURES: dict[str, Callable[[Evidence], float | None]] = {
    "part_accuracy": _part_accuracy,
    "part_delta_e": _part_delta_e,
    "delta_e": _where_counted(delta_e_mean),
    "psnr": _where_counted(psnr),
    "ssim": _whole(ssim),
    "ms_ssim": _whole(ms_ssim),
    "sc_psnr": _sc_psnr,
    "bleed": _bleed,
    "line_precision": lambda evidence: evidence.lines.precision,
    "line_recall": lambda evidence: evidence.lines.recall,
    "line_f": lambda evidence: evidence.lines.f,
    "reference_leak": _reference_leak,
    "palette_distance": _palette_distance,
    "edit_delta_e": _edit_delta_e,
    "edit_success": _edit_success,
    "edit_spill": _edit_spill,
    "edit_progress": _edit_progress,
}
