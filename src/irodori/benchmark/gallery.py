"""Cases side by side: which to show, and their pictures as small data URIs within a budget."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import cv2
import numpy as np
import torch

from irodori.benchmark.cases import Benchmark, Case
from irodori.benchmark.comparison import Field
from irodori.benchmark.figures import RANKINGS, figure_named
from irodori.benchmark.pictures import Scene, read_answer, read_color, read_scene
from irodori.benchmark.results import Row, Scored
from irodori.errors import InputError
from irodori.image import Pixels, resize, to_pixels, to_tensor
from irodori.metrics.images import pixel_delta_e

SIDE = 176
"""Longest side of the pictures on the page, pixels."""
QUALITY = 82
SAMPLES, WORST, BEST = 4, 3, 1
"""Cases of a track that are shown: evenly drawn ones, and the worst and best of each method that is no baseline."""
FULL_HEAT = 50.0
"""ΔE2000 from which on the difference map is at its brightest."""


@dataclass(frozen=True)
class Shown:
    """One picture on the page: a data URI, or a reason why there is none; heat: its difference map."""

    caption: str
    alt: str
    uri: str = ""
    heat: str = ""
    problem: str = ""
    value: str = ""


@dataclass(frozen=True)
class Card:
    """A case: why it is shown, what was given, and what each method answered."""

    case: Case
    reasons: tuple[str, ...]
    given: tuple[Shown, ...]
    answers: tuple[Shown, ...]

    @property
    def size(self) -> int:
        """Bytes that its pictures take on the page."""
        return sum(len(shown.uri) + len(shown.heat) for shown in chain(self.given, self.answers))


def cards(
    benchmark: Benchmark, scored: Sequence[Scored], compared: Sequence[Field], budget: int
) -> tuple[dict[str, list[Card]], int]:
    """For each track the cases to look at, as many as fit into `budget` bytes; and how many had to be left out.

    All tracks get their turn, one card each.
    """
    cases, found, left, spent = {case.id: case for case in benchmark.cases}, dict[str, list[Card]](), 0, 0
    kinds = {one.method.name: one.method.kind for one in scored}
    chosen = [list(choose(field, kinds).items()) for field in compared]
    for turn in zip_longest(*chosen):
        for field, choice in zip(compared, turn, strict=True):
            if choice is None:
                continue
            card = make_card(benchmark.root, cases[choice[0]], choice[1], scored, field)
            if spent + card.size > budget:
                left += 1
                continue
            spent += card.size
            found.setdefault(field.track, []).append(card)
    return found, left


def choose(field: Field, kinds: Mapping[str, str]) -> dict[str, list[str]]:
    """Ids of cases to show, and why each is shown; the most telling first."""
    reasons: dict[str, list[str]] = {}
    lists = [_extremes(field, name) for name in field.methods if kinds[name] != "baseline"]
    for choice in chain(*zip_longest(_samples(field), *lists)):
        if choice is not None:
            reasons.setdefault(choice[0], []).append(choice[1])
    return reasons


def _samples(field: Field) -> list[tuple[str, str]]:
    ids = list(field.rows)
    places = np.linspace(0, len(ids) - 1, min(SAMPLES, len(ids))).round().astype(int)
    return [(ids[place], "sample") for place in places]


def _extremes(field: Field, method: str) -> list[tuple[str, str]]:
    """The worst cases of a method, and then the best."""
    figure = figure_named(RANKINGS[field.track])
    valued = [(row.figures[figure.name], row.id) for row in field.methods[method].values()
              if row.figures.get(figure.name) is not None]  # fmt: skip
    from_best = sorted(valued, key=lambda pair: pair[0] or 0.0, reverse=figure.better == "higher")
    worst = [(name, f"worst of {method}") for _, name in reversed(from_best[-WORST:])]
    return worst + [(name, f"best of {method}") for _, name in from_best[: min(BEST, len(from_best) - len(worst))]]


def make_card(root: Path, case: Case, reasons: Sequence[str], scored: Sequence[Scored], field: Field) -> Card:
    """Reads and encodes the pictures of a case."""
    scene = read_scene(root, case, None)
    shown = [one for one in scored if one.method.name in field.methods]
    answers = [_answer(one, case, scene, field.methods[one.method.name][case.id]) for one in shown]
    return Card(case, tuple(dict.fromkeys(reasons)), tuple(_given(root, case, scene)), tuple(answers))


def _given(root: Path, case: Case, scene: Scene) -> Iterator[Shown]:
    yield Shown("sketch", f"sketch of case {case.id}", data_uri(to_pixels(scene.sketch[None])))
    for name in case.references:
        yield Shown("reference", f"reference of case {case.id}", data_uri(to_pixels(read_color(root, name)[None])))
    if scene.truth is not None:
        yield Shown("truth", f"true colors of case {case.id}", data_uri(to_pixels(scene.truth[None])))


def _answer(one: Scored, case: Case, scene: Scene, row: Row) -> Shown:
    name, figure = one.method.name, figure_named(RANKINGS[case.track])
    value = row.figures.get(figure.name)
    text = "" if value is None else f"{figure.title} {value:.{figure.digits}f}"
    try:
        pixels = read_answer(one.images / case.answer, scene.size)
    except InputError:
        return Shown(name, f"no picture of {name}", problem=row.reason or "no picture there", value=text)
    heat = "" if scene.truth is None else data_uri(difference_map(pixels, scene))
    return Shown(name, f"{name} on case {case.id}", data_uri(pixels), heat, value=text)


def difference_map(pixels: Pixels, scene: Scene) -> Pixels:
    """ΔE2000 to the truth as ``(H, W, 3)``: dark = none, bright = `FULL_HEAT` or more; gray where it does not count."""
    assert scene.truth is not None
    difference = pixel_delta_e(to_tensor(pixels)[0], scene.truth) / FULL_HEAT
    levels = (difference.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    colored = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.where(scene.counted.numpy()[..., None], colored, np.uint8(120))


def data_uri(pixels: Pixels) -> str:
    """A small WebP of a picture, ``(H, W, 3)`` or ``(H, W, 1)``, as a data URI."""
    scale = min(1.0, SIDE / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale)))
    small = resize(np.ascontiguousarray(pixels), size)
    if small.ndim == 2 or small.shape[2] == 1:
        small = cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    _, data = cv2.imencode(".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode()


def heat_scale() -> str:
    """The colors of the difference maps from none to `FULL_HEAT`, as a data URI."""
    levels = np.arange(256, dtype=np.uint8)[None].repeat(8, axis=0)
    _, data = cv2.imencode(".png", cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO))
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
