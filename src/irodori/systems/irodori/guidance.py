"""Hints and palettes: drawn from the truth in training, given by the artist afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from irodori.data.sample import Sample
from irodori.systems.irodori.config import GuidanceOptions
from irodori.systems.irodori.labels import HINTED, balance


@dataclass(frozen=True)
class Dabs:
    """Colors that somebody gave.

    points: ``(B, N, 2)`` pixels ``(x, y)`` of the sketch.  colors: ``(B, N, 3)`` in [-1, 1].
    labels: ``(B, N)`` part label, -1 where unknown.  present: ``(B, N)`` bool.
    """

    points: Tensor
    colors: Tensor
    labels: Tensor
    present: Tensor


def draw_guidance(batch: Sample, options: GuidanceOptions) -> tuple[Sample, Dabs, Dabs]:
    """Random hints and palette entries for a batch, and the batch with what conflicting hints changed.

    A conflicting hint gives its whole part another color than the reference has: so the system learns that the artist
    is right.
    """
    places = _places(batch, options.largest)
    has_hints = _chosen(places, options.hints)
    batch = _with_conflicts(batch, places[:, 0], has_hints & _chosen(places, options.conflicts))
    hints = _dabs(batch, places, has_hints)
    places = _places(batch, options.largest)
    return batch, hints, _dabs(batch, places, _chosen(places, options.palette))


def _chosen(places: Tensor, share: float) -> Tensor:
    return torch.rand(len(places), device=places.device) < share


def _places(batch: Sample, count: int) -> Tensor:
    """Random pixels with a known color off the lines, small parts as likely as large ones: ``(B, count)`` positions."""
    weights = balance(batch.parts, strength=1.0, largest=50.0) * batch.valid * (batch.lines < 0.1) + 1e-9
    return torch.multinomial(weights.flatten(1), count, replacement=True)


def _with_conflicts(batch: Sample, place: Tensor, wanted: Tensor) -> Sample:
    """Gives the part at `place` ``(B,)`` a random color where `wanted` ``(B,)``, and the label `HINTED`."""
    label = batch.parts.flatten(1).gather(1, place[:, None])[..., None]
    inside = (batch.parts == label) & (label >= 0) & wanted[:, None, None]
    old = batch.color.flatten(2).gather(2, place[:, None, None].expand(-1, 3, 1))
    new = torch.rand_like(old) * 2 - 1
    color = torch.where(inside[:, None], (batch.color + (new - old)[..., None]).clamp(-1, 1), batch.color)
    return replace(batch, color=color, parts=torch.where(inside, HINTED, batch.parts))


def _dabs(batch: Sample, places: Tensor, chosen: Tensor) -> Dabs:
    """The first few of the places, a random number of them, where the image is chosen."""
    count = places.shape[1]
    number = torch.randint(1, count + 1, (len(places), 1), device=places.device)
    present = (torch.arange(count, device=places.device) < number) & chosen[:, None]
    width = batch.color.shape[-1]
    colors = batch.color.flatten(2).gather(2, places[:, None].expand(-1, 3, -1)).mT
    points = torch.stack([places % width, places // width], dim=-1).to(colors.dtype)
    return Dabs(points, colors, batch.parts.flatten(1).gather(1, places), present)
