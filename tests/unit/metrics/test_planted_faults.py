"""Each figure moves the right way when a fault of known kind is planted, and more for more of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from figures import COLORS, FACE, HAIR, SHIRT, Figure, blurred, draw, hue_turned, over, recolored, shifted
from irodori.metrics.bleed import bleed
from irodori.metrics.images import delta_e_mean, ms_ssim, psnr, ssim
from irodori.metrics.lines import line_fidelity, reference_leak
from irodori.metrics.palettes import palette_distance
from irodori.metrics.parts import part_scores
from irodori.metrics.perceptual import embedding_similarity, lpips
from irodori.metrics.points import sc_psnr
from irodori.metrics.similarity import content_relevance, style_relevance
from irodori.nn.features import Embedding, Features, Frozen, MobileNetV2, MobileNetV2Embedding

SWAPPED = {**COLORS, HAIR: COLORS[SHIRT], SHIRT: COLORS[HAIR]}
POINTS = ((96.0, 100.0, 65.0, 115.0), (96.0, 45.0, 65.0, 70.0), (96.0, 170.0, 65.0, 170.0))
"""Face, hair and shirt of the figure and of its reference."""


def leaked(figure: Figure, share: float) -> Tensor:
    """The reference shines through the coloring."""
    return over(figure.flats * (1 - share) + figure.reference * share, figure.sketch)


def unlined(figure: Figure, share: float) -> Tensor:
    """Lines are gone in the upper share of the picture; only colors are left there."""
    image = figure.truth.clone()
    rows = round(share * image.shape[1])
    image[:, :rows] = figure.flats[:, :rows]
    return image


def smeared(figure: Figure, share: float) -> Tensor:
    """Colors, not lines, are out of place."""
    return over(shifted(figure.flats, round(10 * share)), figure.sketch)


FAULTS: dict[str, Callable[[Figure, float], Tensor]] = {
    "blur": lambda figure, share: blurred(figure.truth, 6 * share),
    "shift": lambda figure, share: shifted(figure.truth, round(10 * share)),
    "hue": lambda figure, share: hue_turned(figure.truth, 90 * share),
    "leak": leaked,
    "lines": unlined,
    "smear": smeared,
}
"""Pictures with a fault of a size in 0…1."""


@pytest.fixture(scope="module")
def figure() -> Figure:
    return draw()


def untrained(network: Frozen) -> Frozen:
    """Random weights that do not die out over the depth: they see colors and edges, if nothing else."""
    torch.manual_seed(0)
    for parameter in network.requires_grad_(False).parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)
    return network.eval()


@pytest.fixture(scope="module")
def features() -> Features:
    return untrained(MobileNetV2())


@pytest.fixture(scope="module")
def embed() -> Embedding:
    return untrained(MobileNetV2Embedding())


@pytest.fixture(scope="module")
def figures(figure: Figure, features: Features, embed: Embedding) -> dict[str, Callable[[Tensor], float]]:
    """Figures by name; those where higher is better are negated, so that every one grows with a fault."""
    everywhere = torch.ones(figure.parts.shape)
    return {
        "psnr": lambda image: -psnr(image, figure.truth),
        "ssim": lambda image: -ssim(image, figure.truth),
        "ms_ssim": lambda image: -(ms_ssim(image, figure.truth) or 0.0),
        "delta_e": lambda image: delta_e_mean(image, figure.truth),
        "parts": lambda image: sum(
            score.mean_delta_e for score in part_scores(image, figure.truth, figure.parts, everywhere)
        ),
        "precision": lambda image: -line_fidelity(image, figure.sketch).precision,
        "recall": lambda image: -line_fidelity(image, figure.sketch).recall,
        "leak": lambda image: reference_leak(image, figure.sketch, figure.reference, figure.other),
        "bleed": lambda image: bleed(image, figure.truth, figure.parts) or 0.0,
        "palette": lambda image: palette_distance(image, figure.reference),
        "sc_psnr": lambda image: -(sc_psnr(image, figure.reference, POINTS) or 0.0),
        "lpips": lambda image: lpips(features, image, figure.truth),
        "content": lambda image: -content_relevance(features, image, figure.truth),
        "embedding": lambda image: -embedding_similarity(embed, image, figure.truth),
    }


GROWS = [
    *(("blur", name) for name in ("psnr", "ssim", "ms_ssim", "delta_e", "parts", "recall", "lpips", "bleed")),
    *(("blur", name) for name in ("content", "palette")),
    *(("shift", name) for name in ("psnr", "ssim", "ms_ssim", "delta_e", "parts", "precision", "recall", "bleed")),
    *(("shift", name) for name in ("lpips", "content")),
    *(("hue", name) for name in ("psnr", "ssim", "delta_e", "parts", "palette", "sc_psnr", "lpips")),
    *(("leak", name) for name in ("psnr", "ssim", "delta_e", "parts", "precision", "lpips", "embedding")),
    *(("lines", name) for name in ("psnr", "ssim", "ms_ssim", "delta_e", "recall", "lpips", "content")),
    *(("smear", name) for name in ("psnr", "ssim", "delta_e", "parts", "precision", "bleed", "lpips")),
]


@pytest.mark.parametrize(("fault", "name"), GROWS)
def test_a_fault_makes_it_worse_and_a_larger_one_still_worse(figure: Figure, figures, fault: str, name: str):
    none, half, full = (figures[name](FAULTS[fault](figure, share)) for share in (0.0001, 0.5, 1.0))
    assert none < half < full


UNMOVED = [
    ("hue", "recall"),
    ("hue", "precision"),
    ("hue", "leak"),
    ("shift", "palette"),
    ("smear", "recall"),
    ("lines", "precision"),
    ("lines", "bleed"),
    ("lines", "leak"),
]


@pytest.mark.parametrize(("fault", "name"), UNMOVED)
def test_what_a_fault_does_not_touch_stays(figure: Figure, figures, fault: str, name: str):
    assert figures[name](FAULTS[fault](figure, 1.0)) == pytest.approx(figures[name](figure.truth), abs=0.06)


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_a_leaked_reference_is_found_however_faint(figure: Figure, figures, share: float):
    assert figures["leak"](leaked(figure, 0.0)) == pytest.approx(0, abs=0.02)
    assert figures["leak"](leaked(figure, share)) > 0.7


def test_swapped_parts(figure: Figure, figures):
    swapped = recolored(figure, SWAPPED)
    for name in ("psnr", "ssim", "ms_ssim", "delta_e", "parts", "sc_psnr", "lpips", "embedding", "content"):
        assert figures[name](swapped) > figures[name](figure.truth), name
    for name in ("precision", "recall", "leak"):
        assert figures[name](swapped) == pytest.approx(figures[name](figure.truth), abs=0.06), name
    scores = part_scores(swapped, figure.truth, figure.parts, torch.ones(figure.parts.shape))
    assert {score.part for score in scores if not score.is_accurate} == {HAIR, SHIRT}
    assert {FACE} <= {score.part for score in scores if score.is_accurate}


def test_the_truth_itself_is_without_fault(figure: Figure, figures, features: Features):
    expected = {"psnr": -100, "ssim": -1, "ms_ssim": -1, "content": -1, "embedding": -1}
    expected |= dict.fromkeys(("delta_e", "parts", "lpips", "bleed"), 0)
    for name, value in expected.items():
        assert figures[name](figure.truth) == pytest.approx(value, abs=1e-3), name
    fidelity = line_fidelity(figure.truth, figure.sketch)
    assert (fidelity.precision, fidelity.recall) == (1.0, 1.0)
    assert style_relevance(features, figure.reference, figure.reference) == pytest.approx(1, abs=1e-5)


def test_a_copy_of_the_reference_is_seen_through(figure: Figure, figures, features: Features):
    """It has the reference's colors and style, but it is not the drawing."""
    copy = figure.reference
    assert palette_distance(copy, figure.reference) == pytest.approx(0, abs=1e-4)
    assert style_relevance(features, copy, figure.reference) > style_relevance(features, figure.truth, figure.reference)
    assert figures["leak"](copy) > 0.5
    assert line_fidelity(copy, figure.sketch).f < 0.5
