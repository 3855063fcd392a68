import numpy as np
import pytest
from scipy.stats import linregress

from irodori.errors import InputError
from irodori.metrics.shift import monotony, slope


def test_the_slope_is_scipy_s():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 20))
    assert slope(x.tolist(), y.tolist()) == pytest.approx(linregress(x, y).slope)


def test_the_slope_of_a_line():
    assert slope([0, 0.1, 0.2, 0.4], [5, 4.8, 4.6, 4.2]) == pytest.approx(-2)
    assert slope([1, 2, 3], [7, 7, 7]) == 0


def test_monotony():
    assert monotony([0, 1, 2, 3], [0.1, 0.2, 5, 5.1]) == 1.0
    assert monotony([0, 1, 2, 3], [4, 3, 2, 1]) == -1.0
    assert monotony([0, 1, 2, 3], [1, 2, 4, 3]) == pytest.approx(0.8)  # 1 - 6 * 2 / (4 * 15)
    assert monotony([0, 1, 2], [3, 3, 3]) == 0.0


@pytest.mark.parametrize("trend", [slope, monotony])
@pytest.mark.parametrize(
    ("positions", "values"), [([1], [1]), ([1, 1], [1, 2]), ([1, 2], [1]), ([1, 2], [1, float("nan")])]
)
def test_what_has_no_trend_is_refused(trend, positions, values):
    with pytest.raises(InputError, match="a trend needs"):
        trend(positions, values)
