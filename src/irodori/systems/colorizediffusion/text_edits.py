"""Text-based manipulation of a reference's tokens (Yan 2025, section 5.8; algorithms 1 and 2).

Symbols, as in the thesis: v local tokens ``(B, n, C)``, v_cls the class token ``(B, 1, C)``; e, a, c vectors ``(C,)``
of length 1 of the target, anchor and control prompts; m, omega position weight vectors ``(B, n, 1)``; d the change of
the class token's projection, r the strength ratio, ts the four thresholds.

Thesis and release differ in four places; `variant` says whose formula is used, the release's by default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from irodori.systems.text import THRESHOLDS, TextEdit, Thresholds, Variant

RATIO = 2.0
"""r of equation 5.11."""


# ------------------------------------------------------------------------------------------------ global, algorithm 1


def edit_global(
    v_cls: Tensor, e: Tensor, a: Tensor | None, target_scale: float, enhance: bool, variant: Variant = "release"
) -> Tensor:
    """Equations 5.6 to 5.8, one pass of algorithm 1: ``(B, 1, C)`` to the same.

    With anchor and enhance, equation 5.8 adds ``(target_scale - v . e) e``; the release adds ``target_scale e``.
    """
    if a is not None and not enhance:
        return v_cls + target_scale * (e - a)
    if a is not None:
        v_cls = v_cls - projection(v_cls, a) * a
        adds_all = variant == "release"
    else:
        adds_all = enhance
    return v_cls + (target_scale if adds_all else target_scale - projection(v_cls, e)) * e


# ------------------------------------------------------------------------------------------------- local, algorithm 2


def edit_local(
    v: Tensor,
    v_cls: Tensor,
    e: Tensor,
    a: Tensor | None,
    c: Tensor,
    target_scale: float,
    enhance: bool,
    ts: Thresholds = THRESHOLDS,
    variant: Variant = "release",
) -> Tensor:
    """Equations 5.10 to 5.14, one pass of algorithm 2: the edited local tokens.

    Without an anchor, algorithm 2 sets d to the target scale; the release subtracts the class token's projection.
    """
    if a is None:
        d = target_scale - (projection(v_cls, e) if variant == "release" else torch.zeros_like(v_cls[..., :1]))
        return v + omega(position_weights(v, c), d, ts, variant=variant) * e
    d = target_scale - projection(v_cls, a if enhance else e)  # equation 5.12
    change = omega(position_weights(v, c), d, ts, variant=variant)
    if enhance:
        change = change + projection(v, a)
    return v + change * (e - a)


def projection(v: Tensor, e: Tensor) -> Tensor:
    """``v . e``, for every token: ``(B, n, C)`` to ``(B, n, 1)``."""
    return (v @ e)[..., None]


def position_weights(v: Tensor, c: Tensor) -> Tensor:
    """m of equation 5.10: the tokens' projections on the control, from 0 at the least to 1 at the most.

    Tokens that all project alike are 0.
    """
    found = projection(v, c)
    least, most = found.amin(1, keepdim=True), found.amax(1, keepdim=True)
    return (found - least) / (most - least).clamp(min=torch.finfo(found.dtype).tiny)


def omega(m: Tensor, d: Tensor, ts: Thresholds = THRESHOLDS, r: float = RATIO, variant: Variant = "release") -> Tensor:
    """Equation 5.11 (figure 5.22).

    m: ``(B, n, 1)``.  d: ``(B, 1, 1)``.  From ts_0 to ts_1 the thesis goes from ``-d r`` to 0; the release from ``-d``
    to 0, which jumps at ts_0.
    """
    steep = d * (r if variant == "thesis" else 1.0)
    pieces = (
        (m <= ts[0], -d * r),
        (m <= ts[1], -steep + steep * (m - ts[0]) / (ts[1] - ts[0])),
        (m <= ts[2], 0.5 * d * (m - ts[1]) / (ts[2] - ts[1])),
        (m <= ts[3], 0.5 * d + 0.5 * d * (m - ts[2]) / (ts[3] - ts[2])),
    )
    found = d.expand_as(m)
    for inside, value in reversed(pieces):
        found = torch.where(inside, value, found)
    return found


# ---------------------------------------------------------------------------------------------------------- sequences

Encode = Callable[[Sequence[str]], Tensor]
"""Prompts to vectors of length 1, ``(len(prompts), C)``."""


def apply_edits(tokens: Tensor, edits: Sequence[TextEdit], encode: Encode, *, is_global: bool = False) -> Tensor:
    """Edits in sequence on ``(B, 1 + n, C)``, the class token first.

    is_global: for models that see the class token alone (algorithm 1); otherwise local tokens change (algorithm 2) and
    the class token stays as it is.  As released, nothing happens when every scale is 0.
    """
    if not any(edit.scale > 0 for edit in edits):
        return tokens
    v_cls, v = tokens[:, :1], tokens[:, 1:]
    for edit in edits:
        prompts = [edit.target, edit.place, *([edit.anchor] if edit.anchor else [])]
        e, c, *anchors = encode(prompts).to(tokens)
        a = anchors[0] if anchors else None
        if is_global:
            v_cls = edit_global(v_cls, e, a, edit.scale, edit.enhance, edit.variant)
        else:
            v = edit_local(v, v_cls, e, a, c, edit.scale, edit.enhance, edit.thresholds, edit.variant)
    return torch.cat([v_cls, v], dim=1)
