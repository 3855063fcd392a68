"""What can be said of the references of training pairs: their tags as words, "red hair", and names of their parts."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.index import PART_NAMES
from irodori.data.sample import Sample
from irodori.data.tags import place_words, shown_parts, tag_columns, tag_targets
from irodori.data.vocabulary import default_tags

NUM_FALSE = 64
"""Tags that are true of no picture of a batch, drawn at random for contrast."""


class Sayings(NamedTuple):
    """Prompts, and how true they are of pictures.

    words: ``S`` prompts.  parts: ``(S,)``, the part that each is about, a position in `PART_NAMES`, -1 for attributes.
    truth: ``(B, S)`` in 0…1.  known: ``(B, S)``, 0 where nobody can tell.
    """

    words: tuple[str, ...]
    parts: Tensor
    truth: Tensor
    known: Tensor


def sayings(batch: Sample) -> Sayings:
    """All tags that are true of some reference of the batch, as many false ones as `NUM_FALSE`, and names of parts."""
    tags = default_tags()
    targets = tag_targets(batch, tags)
    columns = _some_columns(targets.values)
    names = place_words(tags).parts
    numbers = torch.tensor([PART_NAMES.index(name) for name in names], device=columns.device)
    shown = shown_parts(batch.reference, batch.reference_parts).shown
    known = shown.any(1, keepdim=True).expand(-1, len(names))
    return Sayings(
        words=(*(tags[column].replace("_", " ") for column in columns.tolist()), *names),
        parts=torch.cat([tag_columns(tags).part.to(columns.device)[columns], numbers]),
        truth=torch.cat([targets.values[:, columns], shown[:, numbers].float()], dim=1),
        known=torch.cat([targets.known[:, columns], known.float()], dim=1),
    )


def _some_columns(values: Tensor) -> Tensor:
    """Positions of the tags to speak of, in order; values: ``(B, T)``."""
    is_true = (values > 0.5).any(0)
    false = (~is_true).nonzero()[:, 0]
    chosen = false[torch.randperm(len(false), device=values.device)[:NUM_FALSE]]
    return torch.cat([is_true.nonzero()[:, 0], chosen]).sort().values


def part_of_patches(parts: Tensor, grid: int) -> Tensor:
    """The part that covers more than half of each patch: ``(B, H, W)`` to ``(B, grid * grid)``, -1 where none does."""
    known = torch.where(parts < len(PART_NAMES), parts, -1)
    planes = F.one_hot(known + 1, len(PART_NAMES) + 1).permute(0, 3, 1, 2)[:, 1:].float()
    share, part = F.adaptive_avg_pool2d(planes, grid).flatten(2).max(1)
    return torch.where(share > 0.5, part, -1)
