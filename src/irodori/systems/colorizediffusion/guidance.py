"""Classifier-free guidance on the reference, on the sketch, or on both (Ho, Salimans 2021; section 5.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from irodori.systems.colorizediffusion.config import SamplingConfig
from irodori.systems.colorizediffusion.diffusion import NUM_TIMESTEPS
from irodori.systems.colorizediffusion.networks import Condition

Network = Callable[[Tensor, Tensor, Condition], Tensor]

RELEASED_COUNT = 16
UNREACHED = frozenset({6, 13, 14, 15})
"""Cross-attentions of the full-size network that the release's overall strength does not reach."""


@dataclass(frozen=True)
class Guided:
    """A network under guidance: latents and timestep to one prediction.

    conditions: the full one; then without the reference, and without the sketch, each where its scale is above 1.
    scales: of those that follow the full one.
    window: shares of the way, from noise to image, between which the reference counts.  pause: and between which not.
    """

    network: Network
    conditions: tuple[Condition, ...]
    scales: tuple[float, ...]
    window: tuple[float, float] = (0.0, 1.0)
    pause: tuple[float, float] = (-1.0, -1.0)

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """latents: ``(B, c, h, w)``.  timestep: a number, the same for all."""
        count = len(self.conditions)
        condition = joined(self.conditions)
        if not self.sees_reference(float(timestep)):
            condition = replace(condition, tokens=torch.zeros_like(condition.tokens[:, : 2 if condition.split else 1]))
        timesteps = timestep.to(latents.device).expand(count * len(latents))
        return combined(self.network(torch.cat([latents] * count), timesteps, condition).chunk(count), self.scales)

    def sees_reference(self, timestep: float) -> bool:
        """False where the network gets a zero token instead of the reference."""
        progress = 1 - timestep / (NUM_TIMESTEPS - 1)
        return self.window[0] <= progress <= self.window[1] and not self.pause[0] <= progress <= self.pause[1]


def guide(network: Network, condition: Condition, blank_hints: tuple[Tensor, ...], sampling: SamplingConfig) -> Guided:
    """The network under the guidance that is asked for; a scale of 1 is off and costs nothing.

    blank_hints: hints of an empty sketch, which is all paper and not all zero.
    """
    conditions, scales = [condition], []
    if sampling.reference_scale > 1:
        conditions.append(replace(condition, tokens=torch.zeros_like(condition.tokens)))
        scales.append(sampling.reference_scale)
    if sampling.sketch_scale > 1:
        conditions.append(replace(condition, hints=blank_hints))
        scales.append(sampling.sketch_scale)
    return Guided(network, tuple(conditions), tuple(scales), sampling.window, sampling.pause)


def combined(said: Sequence[Tensor], scales: Sequence[float]) -> Tensor:
    """The mean of ``u + (c - u) s`` over all unconditional predictions u with their scales s; c alone without any.

    said: c, then each u.  Both guidances at once are thus half of each.
    """
    conditional, *unconditional = said
    if not scales:
        return conditional
    pulled = [u + (conditional - u) * scale for u, scale in zip(unconditional, scales, strict=True)]
    return torch.stack(pulled).mean(0)


def joined(conditions: Sequence[Condition]) -> Condition:
    """Conditions one after the other in one batch; all are of the same kind."""
    first = conditions[0]
    split = first.split
    if split is not None:
        count = len(conditions)
        split = replace(split, mask=torch.cat([split.mask] * count), threshold=torch.cat([split.threshold] * count))
    return Condition(
        hints=_each(conditions, "hints"),
        tokens=torch.cat([condition.tokens for condition in conditions]),
        split=split,
        background=_each(conditions, "background"),
        style=_each(conditions, "style"),
        strengths=first.strengths,
    )


def _each(conditions: Sequence[Condition], name: str) -> tuple[Tensor, ...]:
    maps = zip(*(getattr(condition, name) for condition in conditions), strict=True)
    return tuple(torch.cat(members) for members in maps)


def strengths_of(strength: float, count: int) -> tuple[float, ...]:
    """The factor on each of `count` cross-attentions; in the full-size network some keep theirs, as released."""
    kept = UNREACHED if count == RELEASED_COUNT else frozenset()
    return tuple(1.0 if block in kept else strength for block in range(count))
