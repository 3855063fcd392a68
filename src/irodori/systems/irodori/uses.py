"""``hair from A, clothes from B``: references that are used for named parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from irodori.data.index import PART_NAMES

LEAST = 1e-4


def use_bias(sketch: Tensor, references: Sequence[Tensor], uses: Sequence[Sequence[str]]) -> Tensor:
    """What is added to the scores so that references serve the parts that they are given for: ``(B, Q, K)``.

    sketch, references: logits of part names ``(B, 20, h, w)``.  uses: part names for each reference, empty = all parts
    that no other reference names.  The bias is ``log P(cell is such a part) + log P(token is such a part)``.
    """
    named = {name for names in uses for name in names}
    rest = [name for name in PART_NAMES if name not in named]
    columns = []
    for logits, names in zip(references, uses, strict=True):
        wanted = list(names) or rest
        columns.append(_log_share(sketch, wanted)[:, :, None] + _log_share(logits, wanted)[:, None])
    return torch.cat(columns, dim=-1)


def _log_share(logits: Tensor, names: Sequence[str]) -> Tensor:
    """How sure a cell is to be one of some parts: ``(B, h * w)``, log of a probability of at least `LEAST`."""
    index = [PART_NAMES.index(name) for name in names]
    return logits.softmax(1)[:, index].sum(1).clamp(min=LEAST).log().flatten(1)
