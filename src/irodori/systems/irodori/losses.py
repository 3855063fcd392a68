"""The objective of the color transport."""

from __future__ import annotations

import torch
from torch import Tensor

from irodori.data.index import PART_NAMES
from irodori.data.sample import Sample
from irodori.losses.reconstruction import masked_l1
from irodori.systems.irodori.config import LossWeights
from irodori.systems.irodori.labels import NUM_LABELS, balance

Terms = dict[str, Tensor]


def color_terms(weights: LossWeights, batch: Sample, image: Tensor, transported: Tensor) -> Terms:
    """L1 of the finished and of the transported color layer, and the size of what lies between them.

    Only off the lines: those are composited afterwards, what is under them is free.  Parts whose color the reference
    does not show count little, with the colors that the drawing itself has: a guess should be calm, and is never right.
    """
    known = batch.valid + weights.guess * (1 - batch.valid) * (batch.parts >= 0)[:, None]
    where = known * (1 - drawn_lines(batch)) * balance(batch.parts, weights.small_parts, weights.largest)
    terms = {"reconstruction": weights.reconstruction * masked_l1(image, batch.color, where)}
    if weights.transport:
        terms["transport"] = weights.transport * masked_l1(transported, batch.color, where)
    if weights.residual:
        terms["residual"] = weights.residual * (image - transported).abs().mean()
    return terms


def drawn_lines(batch: Sample) -> Tensor:
    """Where the truth shows lines, ``(B, 1, H, W)`` in 0…1: known in art with parts, else wherever the sketch has ink.

    In art with parts the truth goes on under the borders that a sketch draws between them; small parts such as an iris
    may lie under such borders altogether.
    """
    has_parts = (batch.parts >= 0).flatten(1).any(1)[:, None, None, None]
    return torch.where(has_parts, batch.lines, (batch.sketch <= 0).to(batch.lines))


def attention_loss(wanted: Tensor, found: Tensor, empty: Tensor, offered: Tensor, cell_weights: Tensor) -> Tensor:
    """Cross-entropy between the parts of a sketch cell and the parts that the attention brings to it.

    wanted: ``(B, L, h, w)`` label shares of the sketch's cells.  found: the same of what was attended.
    empty: ``(B, 1, h, w)``, attention on the empty token: what is right for labels that no source offers.
    offered: ``(B, L)`` bool.  cell_weights: ``(B, 1, h, w)``.
    """
    has_label = offered[..., None, None]
    log_found = torch.where(has_label, found, empty).clamp(min=1e-4).log()
    weighted = wanted * cell_weights
    return -(weighted * log_found).sum() / weighted.sum().clamp(min=1)


def label_hits(wanted: Tensor, found: Tensor, offered: Tensor) -> Tensor:
    """Share of the attention that falls on the right part, where a source offers it (only logged)."""
    weighted = wanted * offered[..., None, None]
    return (weighted * found).sum() / weighted.sum().clamp(min=1)


def part_name_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of part names: logits ``(B, 20, h, w)`` against label shares ``(B, L, h, w)``, named parts only."""
    named = wanted[:, : len(PART_NAMES)]
    return -(named * logits.log_softmax(1)).sum() / named.sum().clamp(min=1)


def offered_labels(reference: Tensor, *dabs: tuple[Tensor, Tensor]) -> Tensor:
    """Which labels some source of an image has, ``(B, L)`` bool.

    reference: ``(B, L, h, w)`` label shares; a label counts from half a cell on.
    dabs: labels ``(B, N)`` and presence ``(B, N)`` of hints and palette entries.
    """
    offered = reference.sum((2, 3)) >= 0.5
    for labels, present in dabs:
        usable = torch.where(present & (labels >= 0), labels, NUM_LABELS)
        flags = torch.zeros(len(labels), NUM_LABELS + 1, dtype=torch.bool, device=labels.device)
        offered = offered | flags.scatter_(1, usable, True)[:, :NUM_LABELS]
    return offered
