"""Hand-made drawings whose precision, recall and leak are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from figures import draw, over
from irodori.metrics.lines import LineFidelity, line_fidelity, reference_leak

SIZE = 256


def paper(*columns: int, width: int = 2) -> Tensor:
    """A sketch ``(1, H, W)`` of full vertical lines that begin at these columns."""
    sketch = torch.ones(1, SIZE, SIZE)
    for column in columns:
        sketch[..., column : column + width] = -1
    return sketch


def flats(*columns: int) -> Tensor:
    """Vertical bands of colors of equal brightness, with borders at these columns."""
    colors = torch.tensor([[0.5, -0.2, -0.2], [-0.5, 0.2, -0.2], [0.0, -0.1, 0.9], [0.6, -0.3, 0.2]])
    bands = torch.bucketize(torch.arange(SIZE), torch.tensor(columns), right=True)
    return colors[bands].T[:, None].expand(3, SIZE, SIZE).clone()


WHITE = torch.ones(3, SIZE, SIZE)


@pytest.mark.parametrize("width", range(1, 8))
def test_the_sketch_itself_is_perfect(width: int):
    sketch = paper(20, 60, 100, width=width)
    assert line_fidelity(sketch.expand(3, -1, -1), sketch) == LineFidelity(1.0, 1.0)


@pytest.mark.parametrize("width", range(1, 8))
def test_colors_under_the_lines_change_nothing(width: int):
    sketch = paper(20, 60, 100, width=width)
    assert line_fidelity(over(flats(20, 60, 100), sketch), sketch) == LineFidelity(1.0, 1.0)


def test_a_border_of_flats_under_a_line_confirms_it_without_ink():
    assert line_fidelity(flats(21, 61, 101), paper(20, 60, 100)) == LineFidelity(1.0, 1.0)


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_lost_lines_lower_recall_by_their_share(kept: int):
    columns = (20, 60, 100)
    image = paper(*columns[:kept]).expand(3, -1, -1)
    fidelity = line_fidelity(image, paper(*columns))
    assert fidelity.recall == pytest.approx(kept / 3, abs=0.01)
    assert fidelity.precision == 1.0


@pytest.mark.parametrize("invented", [1, 2])
def test_invented_borders_lower_precision_by_their_share(invented: int):
    """One border lies on the line; each invented one is one more."""
    image = flats(*sorted((60, 30, 90)[: invented + 1]))
    fidelity = line_fidelity(image, paper(60))
    assert fidelity.precision == pytest.approx(1 / (1 + invented), abs=0.01)
    assert fidelity.recall == 1.0


def test_the_tolerance_is_one_pixel():
    sketch = paper(20, 60, 100, width=1)
    moved = [line_fidelity(paper(*(c + by for c in (20, 60, 100)), width=1).expand(3, -1, -1), sketch) for by in (1, 5)]
    assert moved[0] == LineFidelity(1.0, 1.0)
    assert moved[1] == LineFidelity(0.0, 0.0)


def test_soft_shading_is_no_structure():
    shade = torch.linspace(-0.4, 0.6, SIZE).expand(3, SIZE, SIZE)
    sketch = paper(60)
    assert line_fidelity(over(shade, sketch), sketch) == LineFidelity(1.0, 1.0)


def test_nothing_invents_nothing_and_of_nothing_nothing_is_lost():
    assert line_fidelity(WHITE, paper(60)) == LineFidelity(1.0, 0.0)
    assert line_fidelity(WHITE, paper()) == LineFidelity(1.0, 1.0)


def test_black_areas_are_told_by_their_outline():
    """A filled black square of the sketch, painted light with a dark rim or left out."""
    sketch = torch.ones(1, SIZE, SIZE)
    sketch[:, 40:90, 40:90] = -1
    painted = WHITE.clone()
    painted[:, 40:90, 40:90] = 0.1
    assert line_fidelity(painted, sketch) == LineFidelity(1.0, 1.0)
    assert line_fidelity(WHITE, sketch).recall == 0.0


def test_f_is_the_harmonic_mean():
    assert LineFidelity(1.0, 0.5).f == pytest.approx(2 / 3)
    assert LineFidelity(0.0, 0.0).f == 0.0


def test_full_and_no_leak():
    sketch, reference, other = paper(20), flats(70, 110), flats(40, 90)
    ghost = over(reference, sketch)
    assert reference_leak(ghost, sketch, reference, other) == 1.0
    assert reference_leak(ghost, sketch, other, reference) == -1.0
    assert reference_leak(over(WHITE, sketch), sketch, reference, other) == 0.0


def test_half_of_the_new_borders_are_the_reference_s():
    sketch, reference, other = paper(20), flats(70), flats(110)
    image = over(flats(70, 90), sketch)
    assert reference_leak(image, sketch, reference, other) == pytest.approx(0.5, abs=0.01)


def test_borders_on_the_sketch_s_lines_are_no_leak():
    """An aligned reference has its borders where the sketch has its lines."""
    sketch, reference = paper(20, 60, 100), flats(21, 61, 101)
    assert reference_leak(over(reference, sketch), sketch, reference, flats(40, 80)) == 0.0


def test_the_reference_is_stretched_to_the_picture():
    sketch, reference, other = paper(20), flats(64, 100), flats(40, 90)
    small = reference[:, ::2, ::4]
    assert reference_leak(over(reference, sketch), sketch, small, other) > 0.95


def test_a_few_stray_pixels_are_no_leak():
    sketch, reference, other = paper(20), flats(70), flats(110)
    image = over(WHITE, sketch)
    image[:, 60:66, 68:73] = 0.0
    assert 0 < reference_leak(image, sketch, reference, other) < 0.25


def test_a_drawn_figure():
    figure = draw()
    assert line_fidelity(figure.truth, figure.sketch) == LineFidelity(1.0, 1.0)
    fidelity = line_fidelity(figure.flats, figure.sketch)
    assert fidelity.precision == 1.0
    assert 0.8 < fidelity.recall < 0.97  # mouth and lock are gone, the outlines are borders
