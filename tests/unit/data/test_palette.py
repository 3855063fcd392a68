import colorsys

import numpy as np
import pytest

from irodori.data.index import Part
from irodori.data.palette import PALETTES, palette_of

AREAS = [Part(f"part{number}", (0, 0, 0)) for number in range(7)]
PARTS = (*AREAS, Part("part0", (1, 1, 1)), Part("ink", (9, 9, 9), True))


def drawn(kind: str, count: int = 40) -> list[list[tuple[int, int, int]]]:
    return [palette_of(kind, PARTS, np.random.default_rng(seed)) for seed in range(count)]


@pytest.mark.parametrize("kind", PALETTES)
def test_a_name_has_one_color_and_lines_stay_dark(kind: str):
    for palette in drawn(kind):
        assert len(palette) == len(PARTS)
        assert palette[0] == palette[7]
        assert max(palette[8]) < 50
        assert all(0 <= level <= 255 for color in palette for level in color)


def test_near_palettes_have_close_but_distinct_parts():
    close = 0
    for palette in drawn("near"):
        colors = np.array(palette[:7])
        distance = np.abs(colors[:, None] - colors).max(-1)[np.triu_indices(7, 1)]
        assert distance.min() > 0
        close += (distance <= 28).sum() >= 3
    assert close > 30


@pytest.mark.parametrize(("kind", "saturation", "value"), [
    ("gray", (0, 0), (0, 1)), ("pastel", (0.09, 0.36), (0.84, 1)), ("dark", (0, 1), (0.07, 0.41)),
])  # fmt: skip
def test_kinds_are_what_they_are_called(kind: str, saturation: tuple[float, float], value: tuple[float, float]):
    for palette in drawn(kind):
        for color in palette[:7]:
            _, found_saturation, found_value = colorsys.rgb_to_hsv(*(level / 255 for level in color))
            assert saturation[0] <= found_saturation <= saturation[1]
            assert value[0] <= found_value <= value[1]
