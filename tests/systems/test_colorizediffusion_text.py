"""Algorithms 1 and 2 against values by hand, in both variants."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from irodori.errors import InputError
from irodori.systems.colorizediffusion.text_edits import (
    apply_edits,
    edit_global,
    edit_local,
    omega,
    position_weights,
)
from irodori.systems.text import TextEdit

E, A, C = torch.eye(3)  # target, anchor and control along the axes
V_CLS = torch.tensor([[[3.0, 2.0, 5.0]]])  # v_cls . e = 3, v_cls . a = 2
LEVELS = (0.0, 0.5, 0.525, 0.6, 0.8, 1.0)  # of m: one inside each interval, and at ts_0
V = torch.stack([torch.tensor([10.0, 20.0, 4 + 8 * level]) for level in LEVELS])[None]


# ------------------------------------------------------------------------------------------------------ algorithm 1


@pytest.mark.parametrize(
    ("anchor", "enhance", "variant", "expected"),
    [
        (False, False, "release", [8, 2, 5]),  # 5.6: the projection on e becomes the scale
        (False, True, "release", [11, 2, 5]),
        (True, False, "release", [11, -6, 5]),  # 5.7
        (True, True, "release", [11, 0, 5]),
        (True, True, "thesis", [8, 0, 5]),  # 5.8
        (True, False, "thesis", [11, -6, 5]),
    ],
)
def test_global_edits(anchor: bool, enhance: bool, variant, expected: list[float]):
    found = edit_global(V_CLS, E, A if anchor else None, 8.0, enhance, variant)
    assert found.flatten().tolist() == expected


def test_the_anchor_is_removed_before_the_target_is_measured():
    """Algorithm 1: with a target that is not perpendicular to the anchor, the order matters (thesis)."""
    e = torch.tensor([0.6, 0.8, 0.0])
    found = edit_global(V_CLS, e, A, 8.0, True, "thesis")
    without = torch.tensor([3.0, 0.0, 5.0])
    torch.testing.assert_close(found.flatten(), without + (8 - 1.8) * e)


# ------------------------------------------------------------------------------------------------------ algorithm 2


def test_position_weights_run_from_0_to_1():
    assert position_weights(V, C).flatten().tolist() == pytest.approx(LEVELS)
    assert position_weights(torch.ones(1, 4, 3), C).flatten().tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("release", [-8, -8, -2, 1, 3, 4]),  # jumps from -2d to -d at ts_0
        ("thesis", [-8, -8, -4, 1, 3, 4]),  # continuous
    ],
)
def test_omega(variant, expected: list[float]):
    m = torch.tensor(LEVELS).view(1, -1, 1)
    assert omega(m, torch.full((1, 1, 1), 4.0), variant=variant).flatten().tolist() == pytest.approx(expected)


def test_omega_at_its_joints():
    m, d = torch.tensor([0.5, 0.55, 0.65, 0.95]).view(1, -1, 1), torch.ones(1, 1, 1)
    just_above = omega(m + 1e-6, d).flatten().tolist()
    assert just_above == pytest.approx([-1, 0, 0.5, 1], abs=1e-3)
    assert omega(m, d).flatten().tolist() == pytest.approx([-2, 0, 0.5, 1], abs=1e-3)
    assert omega(m + 1e-6, d, variant="thesis").flatten()[0].item() == pytest.approx(-2, abs=1e-3)


def weights(d: float) -> Tensor:
    return omega(torch.tensor(LEVELS).view(1, -1, 1), torch.full((1, 1, 1), d))


@pytest.mark.parametrize(("enhance", "d", "extra"), [(False, 8 - 3, 0), (True, 8 - 2, 20)])
def test_local_edits_with_an_anchor(enhance: bool, d: float, extra: float):
    """5.12 takes the target's projection, or with enhance the anchor's; 5.13 then adds v . a = 20."""
    found = edit_local(V, V_CLS, E, A, C, 8.0, enhance)
    torch.testing.assert_close(found, V + (weights(d) + extra) * (E - A))


@pytest.mark.parametrize("enhance", [False, True])
def test_local_edits_without_an_anchor(enhance: bool):
    found = edit_local(V, V_CLS, E, None, C, 8.0, enhance)
    torch.testing.assert_close(found, V + weights(8 - 3) * E)
    thesis = edit_local(V, V_CLS, E, None, C, 8.0, enhance, variant="thesis")
    expected = omega(torch.tensor(LEVELS).view(1, -1, 1), torch.full((1, 1, 1), 8.0), variant="thesis")
    torch.testing.assert_close(thesis, V + expected * E)


# --------------------------------------------------------------------------------------------------------- sequences

WORDS = {"red": E, "black": A, "hair": C}


def encode(prompts: Sequence[str]) -> Tensor:
    return torch.stack([WORDS[prompt] for prompt in prompts])


TOKENS = torch.cat([V_CLS, V], 1)


def test_a_sequence_edits_what_the_edit_before_left_but_keeps_the_class_token():
    edits = (TextEdit(target="red", anchor="black", control="hair"), TextEdit(target="hair", scale=2, enhance=True))
    once = edit_local(V, V_CLS, E, A, C, 8.0, False)
    twice = edit_local(once, V_CLS, C, None, C, 2.0, True)
    torch.testing.assert_close(apply_edits(TOKENS, edits, encode), torch.cat([V_CLS, twice], 1))


def test_a_global_sequence_moves_the_class_token_alone():
    edits = (TextEdit(target="red"), TextEdit(target="hair", enhance=True, scale=1))
    found = apply_edits(TOKENS, edits, encode, is_global=True)
    assert found[0, 0].tolist() == [8, 2, 6]
    assert torch.equal(found[:, 1:], V)


def test_without_any_scale_nothing_happens():
    assert torch.equal(apply_edits(TOKENS, [TextEdit(target="red", scale=0)], encode), TOKENS)
    # but next to another edit it does, as released: its d is not 0
    both = apply_edits(TOKENS, [TextEdit(target="red", scale=0, control="hair")] * 2 + [TextEdit(target="red")], encode)
    assert not torch.equal(both, apply_edits(TOKENS, [TextEdit(target="red")], encode))


@pytest.mark.parametrize("thresholds", [(0.5, 0.5, 0.6, 0.7), (-0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 1.4)])
def test_thresholds_rise_within_0_and_1(thresholds):
    with pytest.raises(InputError, match="must rise"):
        TextEdit(target="red", thresholds=thresholds)
