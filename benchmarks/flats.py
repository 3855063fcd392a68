"""How far colors stray over borders, with flats and without: ``python benchmarks/flats.py [MODEL] [CASES]``.

Prints a Markdown table: bleed and part accuracy on the mini edition, over the first CASES cases of each of its tracks
aligned, recolor and shift (default 24), of one coloring each, finished in four ways.  A second figure for bleed counts
only borders between two parts that both have the right color: what strayed there strayed over a border, while a part
that is wrong as a whole counts in the first figure too.  MODEL "truth" is a network without fault: the exact answer, at
192 pixels as networks give theirs.  What bleeds then, the finish lets bleed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from irodori import Colorizer, Result
from irodori.benchmark.cases import Case, read_benchmark
from irodori.benchmark.pictures import Scene, read_scene
from irodori.image import Geometry, Pixels, resize, to_tensor
from irodori.image_io import over_paper, read_image, to_gray
from irodori.inference.dominant import dominant_colors
from irodori.inference.finish import composite
from irodori.metrics.bleed import bleed
from irodori.metrics.parts import part_scores

TRACKS = ("aligned", "recolor", "shift")
ROOT = Path(__file__).parent / "mini"


def cases_of(count: int) -> Iterator[Case]:
    """The first cases of each track."""
    for track in TRACKS:
        yield from [case for case in read_benchmark(ROOT).cases if case.track == track and case.parts][:count]


def finishings(colorizer: Colorizer | None, case: Case) -> dict[str, Pixels]:
    """One coloring of a case, finished in each way, ``(H, W, 3)``; without a colorizer, of the truth."""
    plain, snapped = _true_results(case) if colorizer is None else _results(colorizer, case)
    return {
        "the network's picture, enlarged": resize(plain.network_image, plain.drawing.shape[:2]),
        "colors region by region (the default)": plain.pixels,
        "flats of the layers": _inked(plain),
        "`--snap`": snapped.pixels,
    }


def _results(colorizer: Colorizer, case: Case) -> tuple[Result, Result]:
    plain = colorizer(ROOT / case.sketch, [ROOT / name for name in case.references], seed=case.seed)
    return plain, colorizer.run(case.seed, snap=True)


def _true_results(case: Case) -> tuple[Result, Result]:
    assert case.truth is not None
    truth, lines = over_paper(read_image(ROOT / case.truth)), to_gray(read_image(ROOT / case.sketch))
    small = Geometry((truth.shape[0], truth.shape[1]), 192, 1).fitted_size
    plain = Result(resize(truth, small), lines, "keep", None, (), {}, inked=False)
    return plain, replace(plain, choices=dominant_colors([truth]))


def _inked(result: Result) -> Pixels:
    flats = next(layer.pixels for layer in result.layers if layer.name == "Flats")
    return composite(flats, result.drawing, "keep", result.network_image)


def scores(picture: Pixels, scene: Scene, right: Tensor) -> tuple[float | None, float | None, float]:
    """Bleed, bleed between the parts named by `right`, and the share of parts with the right color."""
    assert scene.truth is not None
    assert scene.parts is not None
    image, parts = to_tensor(picture)[0], torch.where(scene.counted, scene.parts, -1)
    found = part_scores(image, scene.truth, scene.parts, scene.counted.float())
    among_right = torch.where(torch.isin(parts, right), parts, -1)
    accuracy = sum(score.is_accurate for score in found) / max(len(found), 1)
    return bleed(image, scene.truth, parts), bleed(image, scene.truth, among_right), accuracy


def always_right(pictures: Iterable[Pixels], scene: Scene) -> Tensor:
    """Numbers of the parts whose color is right in every one of the pictures, so that all are asked about the same."""
    assert scene.truth is not None
    assert scene.parts is not None
    parts = torch.where(scene.counted, scene.parts, -1)
    right = set(parts.unique().tolist())
    for picture in pictures:
        found = part_scores(to_tensor(picture)[0], scene.truth, parts, scene.counted.float())
        right &= {score.part for score in found if score.is_accurate}
    return torch.tensor(sorted(right), dtype=parts.dtype)


def main(model: str = "irodori-base", count: str = "24") -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    colorizer = None if model == "truth" else Colorizer.from_pretrained(model)
    rows: dict[str, list[tuple[float | None, float | None, float]]] = {}
    for case in cases_of(int(count)):
        scene = read_scene(ROOT, case, None)
        pictures = finishings(colorizer, case)
        right = always_right(pictures.values(), scene)
        for name, picture in pictures.items():
            rows.setdefault(name, []).append(scores(picture, scene, right))
    count_of_cases = len(next(iter(rows.values())))
    print(f"| {model}, {count_of_cases} cases | bleed ↓ | between right parts ↓ | part accuracy ↑ |")
    print("| --- | ---: | ---: | ---: |")
    for name, found in rows.items():
        every, among_right, accuracy = ([v for v in column if v is not None] for column in zip(*found, strict=True))
        print(f"| {name} | {fmean(every):.4f} | {fmean(among_right):.4f} | {fmean(accuracy):.3f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
