"""Draws `benchmark-faults.png`: ``python docs/images/make_faults.py BENCH ANSWERS_BEFORE ANSWERS_AFTER``.

Reference, before, after, truth, of the permissively licensed cases whose answers changed most, each sketch once.
"""

import sys
from pathlib import Path

import numpy as np

from irodori.benchmark.cases import Case, read_benchmark
from irodori.data.sources import is_permissive
from irodori.image import Pixels, resize
from irodori.image_io import over_paper, read_image, write_image

SIDE, ROWS = 192, 4
bench, before, after = (Path(argument) for argument in sys.argv[1:4])


def read(path: Path) -> Pixels:
    return over_paper(read_image(path))


def change(case: Case) -> float:
    return float(np.abs(read(before / case.answer).astype(int) - read(after / case.answer)).mean())


cases = [
    case
    for case in read_benchmark(bench).cases
    if case.truth and not case.edit and all(map(is_permissive, case.licenses)) and (after / case.answer).is_file()
]
most = {}
for case in sorted(cases, key=change):
    most[case.sketch] = case
tiles = [
    [bench / case.references[0], before / case.answer, after / case.answer, bench / str(case.truth)]
    for case in list(most.values())[-2 * ROWS :]
]
rows = [np.concatenate([resize(read(path), (SIDE, SIDE)) for path in four], axis=1) for four in tiles]
sheet = np.concatenate([np.concatenate(rows[:ROWS]), np.concatenate(rows[ROWS:])], axis=1)
write_image(Path(__file__).with_name("benchmark-faults.png"), sheet)
