"""The figures of the benchmark: what each means, on which tracks, which way is better, and what a failure counts.

A figure made with a feature network carries the network's name, as in ``lpips[mobilenet_v2]``: numbers of different
networks are different figures and never share a column.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from irodori.benchmark.cases import TRACKS, Track

Better = Literal["higher", "lower"]

_TRUTH: tuple[Track, ...] = ("aligned", "recolor", "variants", "shift")
_OTHERS: tuple[Track, ...] = ("recolor", "variants", "shift", "cross")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One kind of number.

    worst: what a failed case counts; None: it has no value and stands beside, in the number of failures.
    is_deep: whether it is named after a feature network too, as ``lpips[vgg16, lin]``.
    is_column: whether tables show it; else it is there for a trend or a curve alone.
    meaning: one line of the legend.
    """

    name: str
    title: str
    better: Better
    tracks: tuple[Track, ...]
    meaning: str
    unit: str = ""
    worst: float | None = None
    digits: int = 2
    is_deep: bool = False
    is_column: bool = True


CASE_FIGURES: tuple[Figure, ...] = (
    Figure(name="part_accuracy", title="part accuracy", better="higher", tracks=("recolor", "variants", "shift"),
           worst=0.0, meaning="share of parts whose median color lies within ΔE2000 10 of the truth"),
    Figure(name="part_delta_e", title="ΔE by part", better="lower", tracks=("recolor", "variants", "shift"),
           unit="ΔE2000", worst=100.0, digits=1, meaning="mean color difference of a part to the truth"),
    Figure(name="delta_e", title="ΔE", better="lower", tracks=_TRUTH, unit="ΔE2000", worst=100.0, digits=1,
           meaning="mean color difference to the truth over the pixels that count"),
    Figure(name="psnr", title="PSNR", better="higher", tracks=_TRUTH, unit="dB", worst=0.0, digits=1,
           meaning="of the pixels that count, range 255"),
    Figure(name="ssim", title="SSIM", better="higher", tracks=_TRUTH, worst=0.0, digits=3,
           meaning="structural similarity of the whole picture"),
    Figure(name="ms_ssim", title="MS-SSIM", better="higher", tracks=_TRUTH, worst=0.0, digits=3,
           meaning="the same at five scales; needs pictures of more than 160 pixels"),
    Figure(name="lpips", title="LPIPS", better="lower", tracks=_TRUTH, digits=3, is_deep=True,
           meaning="perceptual distance to the truth; published figures are those of vgg16, lin"),
    Figure(name="embedding_similarity", title="similarity", better="higher", tracks=_TRUTH, digits=3, is_deep=True,
           meaning="cosine between the embeddings of picture and truth; with clip_vit_b32 CLIP similarity"),
    Figure(name="content_relevance", title="CR", better="higher", tracks=_TRUTH, digits=3, is_deep=True,
           meaning="content relevance: low layers of a network, against the truth (Pi 2023, 4.2)"),
    Figure(name="style_relevance", title="SR", better="higher", tracks=_OTHERS, digits=3, is_deep=True,
           meaning="style relevance: high layers, against the reference at the same place (Pi 2023, 4.2)"),
    Figure(name="sc_psnr", title="SC-PSNR", better="higher", tracks=_TRUTH, unit="dB", worst=0.0, digits=1,
           meaning="PSNR between points of the picture and the points of the reference that show the same (SCFT, 4.2)"),
    Figure(name="bleed", title="bleed", better="lower", tracks=("aligned", "recolor", "variants", "shift"), worst=1.0,
           digits=3, meaning="share of pixels beside a part's border that have the neighboring part's color"),
    Figure(name="line_precision", title="line precision", better="higher", tracks=TRACKS, worst=0.0,
           meaning="share of the picture's lines that the sketch has (low: structure was invented)"),
    Figure(name="line_recall", title="line recall", better="higher", tracks=TRACKS, worst=0.0,
           meaning="share of the sketch's lines that the picture has (low: lines were lost)"),
    Figure(name="line_f", title="line F", better="higher", tracks=TRACKS, worst=0.0,
           meaning="harmonic mean of the two, 1 pixel tolerance"),
    Figure(name="reference_leak", title="reference leak", better="lower", tracks=_OTHERS, worst=1.0, digits=3,
           meaning="share of the borders off the lines that copy the reference's, above those of another; 0: none"),
    Figure(name="palette_distance", title="palette distance", better="lower", tracks=_OTHERS, worst=100.0, digits=1,
           meaning="between the colors of picture and reference, wherever they are"),
    Figure(name="edit_delta_e", title="ΔE to the wish", better="lower", tracks=("editing",), unit="ΔE2000",
           worst=100.0, digits=1, meaning="of the edited part's median color at scale 1"),
    Figure(name="edit_success", title="edits that help", better="higher", tracks=("editing",), worst=0.0,
           meaning="share of edits at scale 1 that bring the part nearer to the wish than it was before"),
    Figure(name="edit_spill", title="ΔE elsewhere", better="lower", tracks=("editing",), unit="ΔE2000", worst=100.0,
           digits=1, meaning="mean change of all other parts against the method's own picture before the edit"),
    Figure(name="edit_progress", title="progress to the wish", better="higher", tracks=("editing",), worst=0.0,
           is_column=False, meaning="way of the part from its color before to the one wished for: 0 none, 1 all"),
)  # fmt: skip
"""In the order of the columns."""

HEADLINES: dict[Track, str] = {
    "aligned": "psnr",
    "recolor": "part_accuracy",
    "variants": "part_accuracy",
    "shift": "part_accuracy",
    "cross": "palette_distance",
    "editing": "edit_delta_e",
}
"""The figure that stands for a track where there is room for one."""

RANKINGS: dict[Track, str] = {**HEADLINES, "recolor": "part_delta_e", "variants": "part_delta_e", "shift": "delta_e"}
"""The figure that tells the best from the worst cases: finer than a share of few parts."""


@dataclass(frozen=True, kw_only=True)
class Trend:
    """What happens to a figure along the sequences of a track (`irodori.metrics.shift`), mean over the sequences.

    slope: change per unit of position.  monotony: rank correlation with the position.
    """

    name: str
    title: str
    track: Track
    figure: str
    kind: Literal["slope", "monotony"]
    better: Better
    meaning: str
    digits: int = 3


TRENDS: tuple[Trend, ...] = (
    Trend(name="part_delta_e_slope", title="slope of ΔE by part", track="shift", figure="part_delta_e", kind="slope",
          better="lower", meaning="ΔE2000 that a part loses with each step of the reference"),
    Trend(name="psnr_slope", title="slope of PSNR", track="shift", figure="psnr", kind="slope", better="higher",
          meaning="dB gained with each step of the reference, usually below 0"),
    Trend(name="line_f_slope", title="slope of line F", track="shift", figure="line_f", kind="slope", better="higher",
          meaning="below 0: the further the reference, the more it disturbs the drawing (spatial entanglement)"),
    Trend(name="edit_monotony", title="monotony of the edit", track="editing", figure="edit_progress", kind="monotony",
          better="higher", meaning="1: each step of the scale brings the part further on the way to the wish"),
)  # fmt: skip

CURVES: dict[Track, tuple[str, ...]] = {
    "aligned": ("psnr", "delta_e"),
    "shift": ("part_accuracy", "part_delta_e", "psnr", "line_f"),
    "editing": ("edit_progress", "edit_spill"),
}
"""Figures that are drawn against the position of the cases."""

OF_PARTS = frozenset({"part_accuracy", "part_delta_e", "delta_e", "psnr", "bleed"})
"""Figures that depend on which parts are scored: along a sequence they count only where these are the same."""

SET_TRACKS: tuple[Track, ...] = ("cross",)

SET_FIGURES: tuple[Figure, ...] = (
    Figure(name="fid", title="FID", better="lower", tracks=SET_TRACKS, digits=1, is_deep=True,
           meaning="Fréchet distance between all answers and all references; FID proper is that of inception_v3_fid"),
    Figure(name="kid", title="KID", better="lower", tracks=SET_TRACKS, digits=4, is_deep=True,
           meaning="kernel distance between all answers and all references"),
    Figure(name="ndb", title="NDB", better="lower", tracks=SET_TRACKS, digits=0,
           meaning="of 100 clusters of the references, those that the answers fill differently; needs 100 references"),
    Figure(name="jsd", title="JSD", better="lower", tracks=SET_TRACKS, digits=3, unit="nats",
           meaning="divergence of the shares of these clusters"),
)  # fmt: skip
"""Of all answers of a track together: one number, without an interval."""


def figure_named(name: str) -> Figure:
    """The figure of a name, with the network's name in its title if it has one; KeyError if it does not exist."""
    base, bracket, network = name.partition("[")
    for figure in (*CASE_FIGURES, *SET_FIGURES):
        if figure.name == base and figure.is_deep == bool(bracket):
            return replace(figure, name=name, title=f"{figure.title} {bracket}{network}".rstrip())
    raise KeyError(name)


def in_order(names: Collection[str]) -> list[Figure]:
    """The figures of some names, in the order of the columns."""
    order = [figure.name for figure in (*CASE_FIGURES, *SET_FIGURES)]
    return sorted(map(figure_named, names), key=lambda one: (order.index(one.name.partition("[")[0]), one.name))
