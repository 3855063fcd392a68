"""How well tags are read."""

from __future__ import annotations

import torch
from torch import Tensor

from irodori.errors import ConfigError


def average_precisions(scores: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Average precision of each tag, ``(T,)`` in 0…1; NaN for a tag that is never true.

    scores: ``(N, T)``.  truth, known: ``(N, T)`` bool; where it is not known, an image does not count for a tag.  The
    area under the precision-recall curve as scikit-learn sums it, by torchmetrics.
    """
    try:
        from torchmetrics.functional.classification import binary_average_precision
    except ImportError as error:
        raise ConfigError("measuring tags needs more packages: pip install 'irodori[benchmark]'") from error
    columns = []
    for score, true, usable in zip(scores.T, truth.T, known.T, strict=True):
        has_any = bool((true & usable).any())
        value = binary_average_precision(score[usable], true[usable].long()) if has_any else None
        columns.append(torch.tensor(torch.nan) if value is None else value)
    return torch.stack(columns)
