"""Regions of a reference by hand-made fits."""

from __future__ import annotations

import numpy as np
import torch

from irodori.inference.heatmap import REGION_COLORS, heatmap, regions
from irodori.systems.text import THRESHOLDS

FIT = torch.tensor([[0.0, 6.0], [9.0, 10.0]]) * 3 - 7  # m: 0, 0.6, 0.9, 1


def test_regions_are_those_of_the_thresholds():
    assert regions(FIT, (2, 2), THRESHOLDS).tolist() == [[0, 2], [3, 4]]
    assert regions(FIT, (9, 7), THRESHOLDS).shape == (9, 7)
    assert regions(torch.ones(2, 2), (2, 2), THRESHOLDS).tolist() == [[0, 0], [0, 0]]  # everything fits alike


def test_each_prompt_has_its_picture():
    reference = np.full((2, 2, 3), 100, np.uint8)
    found = heatmap(reference, torch.stack([FIT, -FIT]), [THRESHOLDS, THRESHOLDS])
    assert found.shape == (2, 4, 3)
    for (row, column), region in {(0, 0): 0, (1, 1): 4, (0, 2): 4, (1, 3): 0}.items():
        expected = 0.45 * 100 + 0.55 * np.array(REGION_COLORS[region])
        np.testing.assert_allclose(found[row, column], expected, atol=0.5)
