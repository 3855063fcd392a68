"""Step 2: from changed tags to changed reference features (Yan et al. 2023, section 3.5)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.systems.taggan.tagger import gap


class MappingNetwork(nn.Module):
    """phi-tilde: tag values ``(B, T)`` to latent codes ``(B, C)``.

    The self-adaptive MLP (figure 5) concatenates the outputs of all its layers and weighs them by one linear layer, so
    that what an early layer tells apart is not lost in a deep one; the plain MLP (figure 7) weighs the last one alone.
    """

    def __init__(
        self, num_tags: int, channels: int, out_channels: int, num_layers: int, kind: Literal["adaptive", "plain"]
    ) -> None:
        super().__init__()
        self.is_adaptive = kind == "adaptive"
        widths = (num_tags, *(channels,) * num_layers)
        self.layers = nn.ModuleList(nn.Linear(before, width) for before, width in pairwise(widths))
        self.fusion = nn.Linear(channels * (num_layers if self.is_adaptive else 1), out_channels, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        outputs = [values]
        for layer in self.layers:
            outputs.append(F.relu(layer(outputs[-1])))
        return self.fusion(torch.cat(outputs[1:], dim=1) if self.is_adaptive else outputs[-1])


def position_ratio(features: Tensor, empty: float) -> Tensor:
    """``phi(r) / GAP(phi(r))`` of equation 11, ``(B, C, h, w)``; `empty` where a channel is 0 everywhere."""
    mean = gap(features)[..., None, None]
    return torch.where(mean > 0, features / torch.where(mean > 0, mean, 1.0), empty)


class TagEditor(nn.Module):
    """Equation 10: ``delta_b = phi(r_a) + F(r_a) * (phi-tilde(cls_t) - phi-tilde(cls_a))``.

    F is the position weight matrix omega, one linear layer over the channels of each position, for M-Attention
    (equation 11); 1 for M-Add, which sees averages only.
    """

    def __init__(self, mapping: MappingNetwork, channels: int, has_positions: bool, empty: float) -> None:
        super().__init__()
        self.mapping, self.empty = mapping, empty
        self.omega = nn.Linear(channels, channels) if has_positions else None

    def initialize(self) -> None:
        """An edit starts as none: the mapping says 0, and omega puts a channel's change where the channel is."""
        if not self.mapping.fusion.weight.is_meta:
            nn.init.zeros_(self.mapping.fusion.weight)
            if self.omega is not None:
                nn.init.eye_(self.omega.weight)

    def forward(self, features: Tensor, anchor: Tensor, target: Tensor) -> Tensor:
        """features: of the anchor, ``(B, C, h, w)``.  anchor, target: tag values ``(B, T)``."""
        change = self.change(anchor, target)[..., None, None]
        return features + (change if self.omega is None else self.weights(features) * change)

    def change(self, anchor: Tensor, target: Tensor) -> Tensor:
        """``phi-tilde(cls_t) - phi-tilde(cls_a)``, ``(B, C)``: the average change of the features (equation 8)."""
        return self.mapping(target) - self.mapping(anchor)

    def weights(self, features: Tensor) -> Tensor:
        """F(r_a), ``(B, C, h, w)``."""
        assert self.omega is not None
        return self.omega(position_ratio(features, self.empty).movedim(1, -1)).movedim(-1, 1)


def set_tags(values: Tensor, wanted: Tensor, is_wanted: Tensor, group: Tensor) -> Tensor:
    """Tag values ``(B, T)`` after some tags are set: cls_t of a user's wish.

    wanted: ``(B, T)``, the values of those where `is_wanted` ``(B, T)``.  group: ``(T,)`` int64, tags of one group
    other than 0 exclude each other: as a tag of a group goes to 1, the others of that group go to 0.  The authors set
    them to 0 at once, so that 0 would not mean "as it was".
    """
    asked = torch.where(is_wanted & (group > 0), wanted, 0.0).expand_as(values)
    totals = values.new_zeros(len(values), int(group.max()) + 1).index_add_(1, group, asked)
    return torch.where(is_wanted, wanted, values * (1 - totals.clamp(max=1))[:, group])
