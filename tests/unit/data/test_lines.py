from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from irodori.data.dataset import layers_of
from irodori.data.drawing import Drawing
from irodori.data.index import Part
from irodori.data.layers import Layers
from irodori.data.line_variation import no_variation, random_variation
from irodori.data.lines import (
    KINDS,
    blurred,
    draw_lines,
    gaussian,
    gradient_edges,
    highest,
    ink_lines,
    line_share,
    region_borders,
)
from irodori.data.parts import Planes, pack, parse, planes_of
from irodori.data.sketch import extract_sketch
from packs import face, palette


def drawing(number: int = 2, size: int = 96) -> tuple[Planes, Drawing]:
    """A face with ink, as planes and in memory."""
    colors = palette(number)
    planes = planes_of(face(number, colors), list(colors.values()), size)
    parts = tuple(Part(role, parse(color), role == "line") for role, color in colors.items())
    return planes, Drawing(parts, torch.from_numpy(pack(planes).reshape(-1, size, size)))


def layers(number: int = 2) -> Layers:
    shown = drawing(number)[1]
    return layers_of(shown, [part.color for part in shown.parts], range(len(shown.parts)))


def halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> Tensor:
    image = torch.empty(1, 3, 64, 64)
    image[..., :32], image[..., 32:] = (torch.tensor(color).view(3, 1, 1) for color in (left, right))
    return image


def drawn(color: Tensor, kind: str) -> Tensor:
    plain = Layers(
        color.to(torch.uint8), torch.zeros(1, 0, 3), torch.zeros(1, 0, dtype=torch.int64),
        torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0, dtype=torch.bool),
    )  # fmt: skip
    return draw_lines(color, plain, plain.labels(), torch.full((1, 1, 64, 64), 255), (kind,), torch.ones(1))[0, 0]


@pytest.mark.parametrize("number", range(4))
def test_composing_in_torch_is_composing_planes(number: int):
    planes, shown = drawing(number)
    colors = np.random.default_rng(number).integers(0, 256, (len(shown.parts), 3))
    painted = layers(number).paint(torch.from_numpy(colors)[None].float())[0].permute(1, 2, 0).numpy()
    assert np.abs(painted - planes.compose(colors)).max() <= 1
    labels = layers(number).labels()[0].numpy()
    assert (labels == planes.labels()).mean() > 0.999


@pytest.mark.parametrize("kind", set(KINDS) - {"ink"})
def test_a_line_appears_at_the_border_and_nowhere_else(kind: str):
    sketch = drawn(halves((20, 20, 20), (240, 240, 240)), kind)
    assert (sketch[:, 26:38].amin(1) < 128).all()
    assert sketch[:, :16].min() > 230 or kind == "pencil"
    assert sketch[:, 48:].min() > 230
    assert drawn(torch.full((1, 3, 64, 64), 255.0), kind).min() == 255


@pytest.mark.parametrize("kind", ["xdog", "dog", "pencil"])
def test_batched_lines_are_those_of_pictures(kind: str):
    color = drawing(3)[0].compose([part.color for part in drawing(3)[1].parts])
    expected = extract_sketch(color, kind)
    plain = replace(layers(3), planes=layers(3).planes)
    image = torch.from_numpy(color.copy()).permute(2, 0, 1)[None].float()
    found = draw_lines(image, plain, plain.labels(), torch.full((1, 1, 96, 96), 255), (kind,), torch.ones(1))[0, 0]
    assert (np.abs(found.numpy() - expected) > 8).mean() < 0.01
    assert (expected < 128).mean() > 0.02


def test_gradient_edges_are_nearly_canny_s():
    """Most of each within a pixel of the other."""
    color = drawing(3)[0].compose([part.color for part in drawing(3)[1].parts])
    image = torch.from_numpy(color.copy()).permute(2, 0, 1)[None].float()
    mine = gradient_edges(image) < 128
    theirs = torch.from_numpy(extract_sketch(color, "canny") < 128)[None, None]
    near = [highest(edges, (1, 1)) for edges in (mine, theirs)]
    assert (mine & near[1]).sum() > 0.95 * mine.sum()
    assert (theirs & near[0]).sum() > 0.85 * theirs.sum()


def test_a_batch_may_mix_kinds():
    both = Layers.collate([layers(2)] * len(KINDS))
    color = both.paint(both.palette)
    white = torch.full((len(KINDS), 1, 96, 96), 255)
    mixed = draw_lines(color, both, both.labels(), white, KINDS, torch.ones(len(KINDS)))
    for row, kind in enumerate(KINDS):
        alone = draw_lines(color[:1], layers(2), layers(2).labels(), white[:1], (kind,), torch.ones(1))
        assert torch.equal(mixed[row], alone[0]), kind
    assert len({sketch.sum().item() for sketch in mixed}) == len(KINDS)
    own = draw_lines(color[:1], layers(2), layers(2).labels(), white[:1] - 7, ("own",), torch.ones(1))
    assert (own == 248).all()


def test_ink_is_the_art_s_own_line_whatever_its_palette():
    ink = ink_lines(layers())[0, 0]
    assert ink[50, 48] == 255  # middle of the face is paper
    assert ink.min() < 60
    assert (ink < 128).float().mean() < 0.15


def test_the_share_of_lines_is_coverage_and_fixed_dark_base():
    shown = layers()
    line = 3 + [part.line for part in drawing()[1].parts].index(True)
    torch.testing.assert_close(line_share(shown)[0, 0], shown.planes[0, line] / 255, rtol=0, atol=0.03)
    planes = shown.planes.clone()
    planes[..., :48] = 0  # black base, as ink that no part colors
    planes[:, :, 48:, :48] = torch.tensor([230, 230, 230] + [0] * (planes.shape[1] - 3))[:, None, None]
    changed = line_share(replace(shown, planes=planes))[0, 0]
    assert (changed[:48, :48] == 1).all()
    assert (changed[48:, :48] == 0).all()
    picture = replace(shown, planes=torch.zeros_like(planes))
    assert (line_share(picture) == 0).all()


def test_region_borders_separate_labels():
    labels = torch.zeros(2, 16, 16, dtype=torch.int64)
    labels[:, :, 8:] = 1
    borders = region_borders(labels, torch.tensor([1, 2]))[:, 0]
    assert (borders[0, :, 8] == 0).all()
    assert (borders[0, :, [7, 9]] == 255).all()
    assert (borders[1, :, 8:10] == 0).all()
    assert (borders[1, :, [7, 10]] == 255).all()


def test_blurs_keep_sums_and_spread_by_sigma():
    dot = torch.zeros(2, 1, 33, 33)
    dot[:, :, 16, 16] = 1
    spread = blurred(dot, gaussian(torch.tensor([0.5, 1.5]), 8))
    torch.testing.assert_close(spread.sum((2, 3)), torch.ones(2, 1))
    variance = (spread.sum(2)[:, 0] * (torch.arange(33) - 16) ** 2).sum(1)
    torch.testing.assert_close(variance, torch.tensor([0.25, 2.25]), rtol=0.2, atol=0)


def test_varied_lines_are_reproducible_and_still_lines():
    sketch = torch.full((1, 1, 64, 64), 255.0)
    sketch[:, :, 32] = 0
    assert torch.equal(no_variation().vary(sketch), sketch)
    seen = set()
    for seed in range(60):
        variation = random_variation(64, np.random.default_rng(seed))
        again = random_variation(64, np.random.default_rng(seed)).vary(sketch)
        varied = variation.vary(sketch)
        assert torch.equal(varied, again)
        assert torch.equal(varied, sketch) == (not variation.steps[0]) or variation.steps[0] <= {"thinner", "gaps"}
        seen |= variation.steps[0]
        if "thinner" not in variation.steps[0]:
            assert (varied[0, 0, 30:35].amin(0) < 200).float().mean() > 0.5
        assert varied[0, 0, :20].mean() > 200
    assert seen == {"thicker", "thinner", "gaps", "soft", "faint", "paper", "noise"}


def test_each_pair_of_a_batch_has_its_own_noise():
    variation = replace(no_variation(), steps=(frozenset({"noise"}),), noise=torch.full((1,), 10.0))
    other = replace(variation, noise_place=torch.tensor([[5, 9]]))
    gray = torch.full((2, 1, 64, 64), 128.0)
    first, second = type(variation).collate([variation, other]).vary(gray)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first[:, 9:, 5:][:, :10, :10].std(), torch.tensor(10.0), rtol=0.3, atol=0)
    torch.testing.assert_close(second[:, :59, :55], first[:, 5:, 9:])
