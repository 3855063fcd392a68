"""Where colors can come from: cells of references, hints, palette entries, all as tokens of one attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sources:
    """Tokens of the transport.

    keys: ``(B, heads, K, d)``.  colors: ``(B, heads, K, 3)`` in [-1, 1].  values: ``(B, heads, K, D)``, learned.
    present: ``(B, K)`` bool, which of them exist in which image; None: all.
    num_reference_tokens: how many, from the first, are cells of references.
    """

    keys: Tensor
    colors: Tensor
    values: Tensor
    present: Tensor | None = None
    num_reference_tokens: int = 0

    def __add__(self, other: Sources) -> Sources:
        """The tokens of both, `other` behind."""
        return Sources(
            torch.cat([self.keys, other.keys], dim=2),
            torch.cat([self.colors, other.colors], dim=2),
            torch.cat([self.values, other.values], dim=2),
            self._join_present(other),
            self.num_reference_tokens + other.num_reference_tokens,
        )

    def mask(self, bias: Tensor | None = None) -> Tensor | None:
        """What is added to the scores, ``(B, 1, Q or 1, K)``: minus infinity on absent tokens, else `bias`.

        bias: ``(B, Q, k)`` for the first k tokens.
        """
        if self.present is None and bias is None:
            return None
        count = self.keys.shape[2]
        mask = self.keys.new_zeros(len(self.keys), 1, 1, count)
        if self.present is not None:
            mask = mask.masked_fill(~self.present[:, None, None], -torch.inf)
        if bias is None:
            return mask
        return mask + torch.nn.functional.pad(bias, (0, count - bias.shape[-1]))[:, None]

    def _join_present(self, other: Sources) -> Tensor | None:
        if self.present is None and other.present is None:
            return None
        flags = [
            tokens.present
            if tokens.present is not None
            else tokens.keys.new_ones(len(tokens.keys), tokens.keys.shape[2]).bool()
            for tokens in (self, other)
        ]
        return torch.cat(flags, dim=1)
