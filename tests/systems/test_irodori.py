"""What makes color transport true: colors are convex mixes of given colors, wherever the reference stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from batches import plain_sample
from irodori.data.index import PART_NAMES
from irodori.data.sample import Sample
from irodori.data.vocabulary import named_color
from irodori.errors import ConfigError, InputError
from irodori.image import from_uint8
from irodori.systems import build_system, preset
from irodori.systems.base import Guidance, Inputs
from irodori.systems.irodori.config import GuidanceOptions, IrodoriConfig, LossWeights
from irodori.systems.irodori.guidance import draw_guidance
from irodori.systems.irodori.labels import HINTED, NUM_LABELS, balance, cell_shares
from irodori.systems.irodori.losses import attention_loss, color_terms, drawn_lines, label_hits, offered_labels
from irodori.systems.irodori.networks import Transport, Transported, convex_upsample
from irodori.systems.irodori.sources import Sources
from irodori.systems.irodori.system import Irodori, features_at
from irodori.systems.irodori.tags import COLOR_TAGS, seen_tags, with_tags
from irodori.systems.irodori.uses import LEAST, use_bias

TINY = preset("irodori/tiny").system


def tiny(**changes: object) -> Irodori:
    torch.manual_seed(0)
    system = build_system("irodori", replace(TINY, **changes)).eval()
    assert isinstance(system, Irodori)
    return system


def sketch(size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.where(torch.rand(1, 1, size, size, generator=generator) < 0.1, -1.0, 1.0)


def flat(*color: float, size: int = 32) -> torch.Tensor:
    return torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, size, size).contiguous()


# ------------------------------------------------------------------------------------------------------ transport


def transport(heads: int = 2) -> Transport:
    torch.manual_seed(0)
    return Transport(12, replace(TINY, num_heads=heads))


def test_a_reference_of_one_color_brings_that_color_wherever_attention_falls():
    layer, features = transport(), torch.randn(1, 12, 4, 4)
    tokens = layer.reference_tokens(flat(0.5, -0.25, 0.0, size=16), torch.randn(1, 12, 4, 4))
    torch.testing.assert_close(tokens.colors, torch.tensor([0.5, -0.25, 0.0]).expand_as(tokens.colors))
    with torch.no_grad():
        layer.source_bias[3] = -100.0  # nothing falls on the empty token
        brought = layer(features, tokens)
    torch.testing.assert_close(
        brought.colors, torch.tensor([0.5, -0.25, 0.0]).view(1, 1, 3, 1, 1).expand(1, 2, 3, 4, 4)
    )
    torch.testing.assert_close(brought.confidence, torch.ones_like(brought.confidence))


@torch.no_grad()
def test_each_head_can_offer_another_pixel_of_a_cell():
    layer, reference = transport(), torch.rand(1, 3, 16, 16)
    layer.to_pixel_weights.bias.fill_(-100.0)
    layer.to_pixel_weights.bias[[5, 16 + 14]] = 100.0  # row 1, column 1 for the first head; row 3, column 2
    tokens = layer.reference_tokens(reference, torch.randn(1, 12, 4, 4))
    torch.testing.assert_close(tokens.colors[0, 0], reference[0, :, 1::4, 1::4].flatten(1).mT)
    torch.testing.assert_close(tokens.colors[0, 1], reference[0, :, 3::4, 2::4].flatten(1).mT)


def test_transport_equals_the_plain_formula():
    """softmax(temperature * cosine + bias) over all tokens and the empty one, written out."""
    layer, features = transport(), torch.randn(2, 12, 3, 5)
    with torch.no_grad():
        layer.source_bias.copy_(torch.tensor([0.3, -0.2, 0.1, 0.4]))
    reference = torch.rand(2, 3, 8, 8) * 2 - 1
    sources = layer.reference_tokens(reference, torch.randn(2, 12, 2, 2))
    sources = sources + layer.palette_tokens(torch.rand(2, 3, 3))
    brought = layer(features, sources)
    query = F.normalize(layer.to_query(features).unflatten(1, (2, 8)).flatten(3).mT, dim=-1)
    keys = torch.cat([sources.keys[..., :8], F.normalize(layer.empty_key, dim=-1).expand(2, -1, -1, -1)], dim=2)
    bias = torch.tensor([0.3] * 4 + [0.1] * 3 + [0.4])
    weights = (layer.log_temperature.exp() * query @ keys.mT + bias).softmax(-1)
    guess = torch.tanh(layer.to_guess(features)).unflatten(1, (2, 3)).flatten(3).mT
    wanted = weights[..., :-1] @ sources.colors + weights[..., -1:] * guess
    torch.testing.assert_close(brought.colors.flatten(3).mT, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(brought.confidence.flatten(3).mT, 1 - weights[..., -1:], rtol=1e-4, atol=1e-5)


def test_colors_do_not_depend_on_where_the_cells_of_the_reference_stand():
    """Tokens carry no position: any order gives the same colors, the answer to a moved reference."""
    layer, features = transport(), torch.randn(1, 12, 4, 4)
    sources = layer.reference_tokens(torch.rand(1, 3, 16, 16), torch.randn(1, 12, 4, 4))
    order = torch.randperm(16)
    shuffled = Sources(sources.keys[:, :, order], sources.colors[:, :, order], sources.values[:, :, order])
    torch.testing.assert_close(layer(features, shuffled).colors, layer(features, sources).colors, rtol=1e-4, atol=1e-5)


def test_absent_tokens_bring_nothing():
    layer, features = transport(), torch.randn(1, 12, 4, 4)
    sources = layer.reference_tokens(torch.rand(1, 3, 16, 16), torch.randn(1, 12, 4, 4))
    absent = replace(sources, present=torch.zeros(1, 16, dtype=torch.bool))
    torch.testing.assert_close(layer(features, absent).confidence, torch.zeros(1, 2, 1, 4, 4))


def test_labels_travel_like_colors():
    layer, features = transport(), torch.randn(1, 12, 4, 4)
    sources = layer.reference_tokens(torch.rand(1, 3, 16, 16), torch.randn(1, 12, 4, 4))
    labels = torch.zeros(1, 16, 3)
    labels[..., 1] = 1
    brought = layer(features, sources, labels=labels)
    torch.testing.assert_close(brought.labels[:, 1], brought.confidence.mean(1)[:, 0], rtol=1e-4, atol=1e-5)
    assert brought.labels[:, [0, 2]].abs().max() == 0


def test_attention_rows_are_those_of_the_transport():
    layer, features = transport(heads=1), torch.randn(1, 12, 4, 4)
    with torch.no_grad():
        layer.source_bias[3] = -100.0
    sources = layer.reference_tokens(torch.rand(1, 3, 16, 16), torch.randn(1, 12, 4, 4))
    rows = layer.attention_rows(features, sources, torch.arange(16))
    torch.testing.assert_close(rows @ sources.colors[:, 0], layer(features, sources).colors[:, 0].flatten(2).mT)


# ----------------------------------------------------------------------------------------------------- refinement


def test_convex_upsampling_of_one_chosen_candidate():
    """With all weight on head 1, lower right neighbor, every pixel shows that cell."""
    candidates = torch.arange(2 * 9, dtype=torch.float32).view(1, 2, 1, 3, 3)
    scores = torch.full((1, 16, 2 * 9, 3, 3), -100.0)
    scores[:, :, 9 + 8] = 100.0  # neighbors are numbered row by row, 4 is the cell itself
    enlarged = convex_upsample(candidates, scores.flatten(1, 2))
    assert enlarged.shape == (1, 1, 12, 12)
    assert (enlarged[0, 0, :4, :4] == candidates[0, 1, 0, 1, 1]).all()
    assert (enlarged[0, 0, 8:, 8:] == candidates[0, 1, 0, 2, 2]).all()


def test_convex_upsampling_places_sub_pixels_row_by_row():
    scores = torch.full((1, 16, 9, 1, 1), -100.0)
    scores[:, :, 4] = 100.0
    candidates = torch.ones(1, 1, 1, 1, 1)
    torch.testing.assert_close(convex_upsample(candidates, scores.flatten(1, 2)), torch.ones(1, 1, 4, 4))
    scores = torch.randn(1, 16, 9, 2, 2)
    values = torch.randn(1, 1, 1, 2, 2)
    padded = F.pad(values[:, 0], (1, 1, 1, 1), mode="replicate")[0, 0]
    weights = scores.softmax(2)
    enlarged = convex_upsample(values, scores.flatten(1, 2))[0, 0]
    for y, x in ((0, 0), (3, 5), (6, 2)):
        cell_y, cell_x, sub = y // 4, x // 4, (y % 4) * 4 + x % 4
        around = padded[cell_y : cell_y + 3, cell_x : cell_x + 3].flatten()
        torch.testing.assert_close(enlarged[y, x], (weights[0, sub, :, cell_y, cell_x] * around).sum())


@torch.no_grad()
def test_the_warped_reference_of_one_color_is_that_color():
    system = tiny()
    system.painter.transport.source_bias[3] = -100.0
    output = system.colorize(Inputs(sketch(), (flat(0.5, 0.0, -0.5),)))
    assert output.warped_reference is not None
    torch.testing.assert_close(output.warped_reference, flat(0.5, 0.0, -0.5))
    assert output.confidence is not None
    assert output.confidence.min() > 0.99


@torch.no_grad()
def test_a_shrunk_reference_has_fewer_tokens_of_the_same_flat_color():
    system = tiny(reference_shrink=2)
    output = system.colorize(Inputs(sketch(64), (flat(0.5, 0.0, -0.5, size=64),)))
    assert output.attention is not None
    assert (output.attention.sketch_grid, output.attention.reference_grids) == ((16, 16), ((8, 8),))
    tokens = system.encode_references([flat(0.5, 0.0, -0.5, size=64)], sketch(64)).tokens
    torch.testing.assert_close(tokens.colors, torch.tensor([0.5, 0.0, -0.5]).expand_as(tokens.colors))


@torch.no_grad()
def test_without_any_source_confidence_is_zero():
    output = tiny().colorize(Inputs(sketch()))
    assert output.confidence is not None
    assert output.confidence.max() == 0


# ------------------------------------------------------------------------------------------------------- guidance


@torch.no_grad()
def test_hints_and_palettes_are_sources():
    system = tiny()
    system.painter.transport.source_bias[3] = -100.0
    for guidance in (
        Guidance(hints=torch.tensor([[[3.0, 4.0, 1.0, -1.0, 0.0]]])),
        Guidance(palette=torch.tensor([[[1.0, -1.0, 0.0]]])),
    ):
        output = system.colorize(Inputs(sketch(), guidance=guidance))
        torch.testing.assert_close(output.warped_reference, flat(1.0, -1.0, 0.0))


def test_a_hint_reads_the_features_of_the_cell_under_it():
    features = torch.arange(2 * 3 * 5, dtype=torch.float32).view(1, 2, 3, 5)
    points = torch.tensor([[[17.0, 3.0], [0.0, 11.0], [99.0, 99.0]]])  # cells (row 0, column 4), (2, 0), clipped
    assert features_at(features, points).tolist() == [[[4, 19], [10, 25], [14, 29]]]


def test_guidance_that_a_system_does_not_take_is_refused():
    system = build_system("scft", preset("scft/tiny").system).eval()
    with pytest.raises(InputError, match="scft takes no palette"):
        system.colorize(Inputs(sketch(), guidance=Guidance(palette=torch.zeros(1, 1, 3))))


def test_use_bias_sends_named_parts_to_their_reference():
    """Two sketch cells, hair and skin; reference A is for hair, B for all the rest; each has a cell of both."""
    hair, skin = PART_NAMES.index("hair"), PART_NAMES.index("skin")
    logits = torch.full((1, len(PART_NAMES), 1, 2), -20.0)
    logits[0, hair, 0, 0] = logits[0, skin, 0, 1] = 20.0
    bias = use_bias(logits, [logits, logits], [("hair",), ()])[0]
    open_pairs = bias > -1e-3
    assert open_pairs.tolist() == [[True, False, False, False], [False, False, False, True]]
    assert bias.min() == pytest.approx(2 * torch.tensor(LEAST).log().item())


def test_drawn_hints_carry_the_color_under_them():
    torch.manual_seed(3)
    batch = plain_sample(count=4)
    options = GuidanceOptions(hints=1.0, palette=1.0, conflicts=1.0)
    changed, hints, palette = draw_guidance(batch, options)
    for dabs in (hints, palette):
        assert dabs.present.any(1).all()
        x, y = dabs.points.long().unbind(-1)
        under = torch.stack([changed.color[i, :, y[i], x[i]].mT for i in range(4)])
        torch.testing.assert_close(dabs.colors, under)
        assert torch.equal(dabs.labels, torch.stack([changed.parts[i, y[i], x[i]] for i in range(4)]))
    assert (hints.labels[:, 0] == HINTED).all()


def test_a_conflicting_hint_recolors_its_part_alone():
    torch.manual_seed(3)
    batch = plain_sample(count=4)
    changed, _, _ = draw_guidance(batch, GuidanceOptions(hints=1.0, palette=0.0, conflicts=1.0))
    inside = changed.parts == HINTED
    for before, after, where, parts in zip(batch.color, changed.color, inside, batch.parts, strict=True):
        assert torch.equal(before[:, ~where], after[:, ~where])
        assert len(parts[where].unique()) == 1
        assert after[:, where].std(dim=1).max() < 1e-6  # the part was flat, so it stays flat
    again, hints, _ = draw_guidance(batch, GuidanceOptions(hints=0.0, palette=0.0))
    assert torch.equal(again.color, batch.color)
    assert not hints.present.any()


# ------------------------------------------------------------------------------------------------ labels and losses


def test_cell_shares_and_balance_on_a_known_picture():
    parts = torch.full((1, 8, 8), 2)
    parts[0, :4, :4] = -1
    parts[0, 4:, 4:6] = 5
    shares = cell_shares(parts, 4)
    assert shares.shape == (1, NUM_LABELS, 2, 2)
    assert shares[0, :, 0, 0].sum() == 0
    assert shares[0, 2].tolist() == [[0, 1], [1, 0.5]]
    assert shares[0, 5].tolist() == [[0, 0], [0, 0.5]]
    weights = balance(parts, 0.5, 4.0)  # areas 40 and 8, mean 24
    assert weights[0, 0, 0, 0] == 1
    assert weights[0, 0, 0, 7].item() == pytest.approx((24 / 40) ** 0.5)
    assert weights[0, 0, 7, 4].item() == pytest.approx((24 / 8) ** 0.5)


def test_attention_loss_at_known_values():
    """One cell wants label 0, found with 1/4; the other wants label 1, which no source has: empty must be 1/2."""
    wanted = torch.zeros(1, 2, 1, 2)
    wanted[0, 0, 0, 0] = wanted[0, 1, 0, 1] = 1
    found = torch.tensor([[[[0.25, 0.5]], [[0.0, 0.0]]]])
    empty, offered = torch.tensor([[[[0.75, 0.5]]]]), torch.tensor([[True, False]])
    loss = attention_loss(wanted, found, empty, offered, torch.ones(1, 1, 1, 2))
    assert loss.item() == pytest.approx((torch.tensor(4.0).log() + torch.tensor(2.0).log()).item() / 2)
    assert label_hits(wanted, found, offered).item() == pytest.approx(0.25)


def test_truth_is_asked_for_off_the_lines_of_the_art_and_of_pictures_off_all_ink():
    batch = plain_sample(count=2)
    sketch = batch.sketch.clone()
    sketch[:, :, 3] = -1.0  # a border that only the sketch draws
    batch = replace(batch, sketch=sketch, parts=torch.stack([batch.parts[0], torch.full_like(batch.parts[0], -1)]))
    figure, picture = drawn_lines(batch)
    assert torch.equal(figure, batch.lines[0])
    assert torch.equal(picture, (sketch[1] < 0).float())
    wrong = torch.where(batch.lines[:1] > 0, -batch.color[:1], batch.color[:1])
    one = Sample(**{name: value[:1] for name, value in vars(batch).items() if value is not None})
    terms = color_terms(LossWeights(), one, wrong, wrong)
    assert terms["reconstruction"].item() == terms["transport"].item() == 0.0
    terms = color_terms(LossWeights(), one, wrong + 0.1, wrong)
    assert terms["residual"].item() == pytest.approx(0.2 * 0.1, rel=1e-4)
    assert terms["reconstruction"].item() == pytest.approx(4 * 0.1, rel=0.05)


def test_parts_that_no_source_tells_count_little():
    batch = plain_sample(count=1)
    known = (batch.parts != 2).float()[:, None]
    batch = replace(batch, valid=known, lines=torch.zeros_like(batch.lines))
    wrong = torch.where(known > 0, batch.color, batch.color + 1.0)
    weights = balance(batch.parts, 0.5, 4.0)
    share = (0.15 * (1 - known) * weights).sum() / ((known + 0.15 * (1 - known)) * weights).sum()
    terms = color_terms(LossWeights(guess=0.15), batch, wrong, batch.color)
    assert terms["reconstruction"].item() == pytest.approx(4 * share.item(), rel=1e-4)
    assert color_terms(LossWeights(), batch, wrong, batch.color)["reconstruction"].item() == 0.0


def test_offered_labels_count_references_and_present_dabs():
    shares = torch.zeros(1, NUM_LABELS, 1, 2)
    shares[0, 3], shares[0, 4, 0, 0] = 0.5, 0.4
    labels = torch.tensor([[7, 8, -1]])
    offered = offered_labels(shares, (labels, torch.tensor([[True, False, True]])))
    assert offered[0].nonzero().flatten().tolist() == [3, 7]


@pytest.mark.parametrize(
    "changes",
    [
        {"num_heads": 1},
        {"refine": False},
        {"values": "features"},
        {"num_cross_blocks": 0},
        {"value_channels": 0},
        {"reference_shrink": 2},
    ],
    ids=str,
)
def test_ablations_train_and_color(changes: dict[str, object]):
    system = tiny(**changes).train()
    terms = system("transport", plain_sample(count=2))
    sum(value for key, value in terms.items() if not key.startswith("_")).backward()
    assert all(value.isfinite() for value in terms.values())
    with torch.no_grad():
        image = system.eval().colorize(Inputs(sketch(40), (flat(0.1, 0.2, 0.3),))).image
    assert image.shape == (1, 3, 40, 40)


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 60},
        {"channels": (8, 8, 40)},
        {"num_heads": 0},
        {"reference_shrink": 3},
        {"values": "features", "refine": False},
    ],
)
def test_impossible_configurations_are_refused(wrong: dict[str, object]):
    with pytest.raises(ConfigError, match="irodori"):
        IrodoriConfig(**wrong)


# --- tags ------------------------------------------------------------------------------------------------------------


def brought(color: float = 0.0, confidence: float = 0.5) -> Transported:
    """Two heads on 2 x 2 cells."""
    return Transported(
        torch.full((1, 2, 3, 2, 2), color), torch.zeros(1, 2, 1, 2, 2), torch.full((1, 2, 1, 2, 2), confidence),
        torch.zeros(1, 0, 2, 2),
    )  # fmt: skip


def part_logits(*cells: str) -> torch.Tensor:
    """Sure of one part in each of four cells."""
    logits = torch.full((1, len(PART_NAMES), 4), -20.0)
    for cell, name in enumerate(cells):
        logits[0, PART_NAMES.index(name), cell] = 20.0
    return logits.view(1, -1, 2, 2)


def test_a_tag_takes_its_share_where_its_part_is():
    logits = part_logits("hair", "skin", "hair", "background")
    red = from_uint8(torch.tensor(named_color("red")))
    half = with_tags(brought(), logits, [("red_hair", 0.5)])
    for cell, share in enumerate((0.5, 0.0, 0.5, 0.0)):
        torch.testing.assert_close(half.colors[0, 1, :, cell // 2, cell % 2], share * red, atol=1e-6, rtol=0)
        assert half.confidence[0, 0, 0, cell // 2, cell % 2].item() == pytest.approx(0.5 + 0.5 * share)
    full, more = (with_tags(brought(), logits, [("red_hair", value)]).colors for value in (1.0, 3.0))
    torch.testing.assert_close(full[0, 0, :, 0, 0], red, atol=1e-6, rtol=0)
    torch.testing.assert_close(full, more)
    torch.testing.assert_close(with_tags(brought(), logits, [("red_hair", 0.0)]).colors, brought().colors)


def test_tags_of_one_part_are_mixed_and_of_two_parts_are_not():
    logits = part_logits("hair", "skin", "hair", "background")
    red, blue = (from_uint8(torch.tensor(named_color(name))) for name in ("red", "blue"))
    mixed = with_tags(brought(), logits, [("red_hair", 1.5), ("blue_hair", 0.5), ("Blue skin", 1.0)]).colors[0, 0]
    torch.testing.assert_close(mixed[:, 0, 0], 0.75 * red + 0.25 * blue, atol=1e-6, rtol=0)
    torch.testing.assert_close(mixed[:, 0, 1], blue, atol=1e-6, rtol=0)
    assert mixed[:, 1, 1].abs().max() < 1e-9


def test_what_is_seen_has_the_names_of_its_colors():
    palette = {"hair": "teal", "skin": "peach", "background": "white"}
    cells = ("hair", "skin", "hair", "background")
    image = torch.stack([from_uint8(torch.tensor(named_color(palette[name]))) for name in cells], 1).view(1, 3, 2, 2)
    values = seen_tags(image.repeat_interleave(4, 2).repeat_interleave(4, 3), part_logits(*cells))[0].tolist()
    seen = {tag for tag, value in zip(COLOR_TAGS, values, strict=True) if value == 1}
    assert seen == {"teal_hair", "peach_skin", "white_background"}
    assert all(value == 0 for tag, value in zip(COLOR_TAGS, values, strict=True) if tag.endswith(("eyes", "clothes")))


def test_unknown_tags_and_attributes_are_refused():
    system = tiny()
    for tag in ("red_hiar", "glasses"):
        with pytest.raises(InputError, match="no tag of this model"):
            system.colorize(Inputs(plain_sample(1).sketch, guidance=Guidance(tags=((tag, 1.0),))))
    assert system.read_tags(plain_sample(2).reference).shape == (2, len(system.tags))
