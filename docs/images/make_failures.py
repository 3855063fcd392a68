"""The worst colorings of held-out figures, for docs/systems/irodori.md: ``python docs/images/make_failures.py DATA``.

Writes ``failures.png`` (sketch, reference, result, truth; two of the worst for each condition) and prints the wrong
parts of each row with their ΔE2000.
"""

import sys
from pathlib import Path

import numpy as np

from irodori.benchmark.recolor import MISMATCHES, RecolorOptions, recolor_pairs, score_system
from irodori.data.index import PART_NAMES, read_index
from irodori.data.sample import Sample
from irodori.image import Pixels, to_pixels
from irodori.image_io import write_image
from irodori.systems import load_system
from irodori.systems.base import Inputs, Noise
from irodori.weights import DEFAULT, resolve

CONDITIONS = ("same style, centered", "same style, moved", "same style, two figures", "other style, moved")
COUNT, EACH = 100, 2

system, index = load_system(resolve(DEFAULT)), read_index(Path(sys.argv[1]))


def row(sample: Sample, number: int) -> Pixels:
    """Sketch, reference, result with the sketch's lines on it, truth, side by side."""
    image = system.colorize(Inputs(sample.sketch, (sample.reference,)), Noise((number,))).image
    result = (image + 1) * (sample.sketch + 1) / 2 - 1
    pictures = (sample.sketch.expand(-1, 3, -1, -1), sample.reference, result, sample.color)
    return np.hstack([to_pixels(picture) for picture in pictures])


rows = []
for condition in CONDITIONS:
    samples = recolor_pairs(index, RecolorOptions(count=COUNT, image_size=system.image_size), MISMATCHES[condition])
    scores = score_system(system, samples)
    badness = [np.mean([part.median_delta_e for part in parts]) if parts else 0.0 for parts in scores]
    for number in np.argsort(badness)[::-1][:EACH]:
        rows.append(row(samples[number], int(number)))
        wrong = [f"{PART_NAMES[p.part]} {p.median_delta_e:.0f}" for p in scores[number] if not p.is_accurate]
        print(f"{condition}, pair {number}: {', '.join(wrong)}")
half = len(rows) // 2
write_image(Path(__file__).parent / "failures.png", np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])]))
