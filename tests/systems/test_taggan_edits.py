"""TagGAN, step 2: what a tag does to features and pictures, and the three runs that follow each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from batches import batch_for
from irodori.checkpoint import load
from irodori.data.index import PART_NAMES, Index
from irodori.data.tags import shown_parts, tag_columns, tag_targets
from irodori.errors import InputError, WeightsError
from irodori.nn.blocks import initialize
from irodori.systems import build_system, load_system, preset
from irodori.systems.base import Guidance, Inputs
from irodori.systems.taggan.config import EditOptions, LossWeights
from irodori.systems.taggan.edits import ask, recolored
from irodori.systems.taggan.losses import hybrid_terms, inversion_loss
from irodori.systems.taggan.mapping import MappingNetwork, TagEditor, position_ratio, set_tags
from irodori.systems.taggan.tagger import gap
from irodori.training.loop import LoopOptions, train
from irodori.training.run_folder import RunFolder
from taggans import TAGS, TINY, built, colored_bands, rand


def test_the_self_adaptive_mlp_weighs_the_outputs_of_all_layers():
    network, values = MappingNetwork(5, 4, 3, 2, "adaptive"), (rand(2, 5) + 1) / 2
    first = torch.relu(values @ network.layers[0].weight.T + network.layers[0].bias)
    second = torch.relu(first @ network.layers[1].weight.T + network.layers[1].bias)
    torch.testing.assert_close(network(values), torch.cat([first, second], 1) @ network.fusion.weight.T)
    plain = MappingNetwork(5, 4, 3, 2, "plain")
    plain.layers.load_state_dict(network.layers.state_dict())
    torch.testing.assert_close(plain(values), second @ plain.fusion.weight.T)


def test_position_ratio_splits_features_into_place_and_content():
    """phi(r) = ratio * GAP(phi(r)), and an absent channel has the ratio that was chosen."""
    features = torch.rand(2, 3, 4, 5)
    features[0, 1] = 0
    ratio = position_ratio(features, 1.0)
    torch.testing.assert_close(ratio * gap(features)[..., None, None], features)
    assert (ratio[0, 1] == 1).all()
    assert (position_ratio(features, 0.0)[0, 1] == 0).all()


def test_edited_features_are_equation_10():
    torch.manual_seed(0)
    editor = TagEditor(MappingNetwork(5, 4, 3, 2, "adaptive"), 3, has_positions=True, empty=1.0)
    initialize(editor, "kaiming")
    features, anchor, target = torch.rand(1, 3, 2, 2), torch.rand(1, 5), torch.rand(1, 5)
    torch.testing.assert_close(editor(features, anchor, anchor), features)
    change = editor.mapping(target) - editor.mapping(anchor)
    edited = editor(features, anchor, target)
    for y, x in ((0, 0), (1, 0), (1, 1)):
        ratio = features[0, :, y, x] / features[0].mean((1, 2))
        weight = editor.omega.weight @ ratio + editor.omega.bias
        torch.testing.assert_close(edited[0, :, y, x], features[0, :, y, x] + weight * change[0])
    add = TagEditor(editor.mapping, 3, has_positions=False, empty=1.0)
    torch.testing.assert_close(add(features, anchor, target), features + change[..., None, None])


def test_an_edit_starts_as_none_and_puts_a_change_where_its_channel_is():
    torch.manual_seed(0)
    editor = TagEditor(MappingNetwork(5, 4, 3, 2, "adaptive"), 3, has_positions=True, empty=1.0)
    initialize(editor, "kaiming")
    editor.initialize()
    features, anchor, target = torch.rand(1, 3, 2, 2), torch.rand(1, 5), torch.rand(1, 5)
    torch.testing.assert_close(editor(features, anchor, target), features)
    torch.testing.assert_close(editor.weights(features), position_ratio(features, 1.0))
    torch.nn.init.normal_(editor.mapping.fusion.weight)
    edited, change = editor(features, anchor, target), editor.change(anchor, target)
    torch.testing.assert_close(gap(edited), gap(features) + change)  # equation 8


def test_step_2_losses_are_equations_12_and_13():
    weights = LossWeights(pixel=2, feature=3)
    terms = hybrid_terms(
        weights, (torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)), (torch.ones(1, 4), torch.zeros(1, 4))
    )
    assert (terms["pixel"].item(), terms["feature"].item()) == (2.0, 3.0)
    target, anchor = rand(2, 4), rand(2, 4, seed=1)
    assert inversion_loss(target, anchor, target - anchor).item() == 0
    assert inversion_loss(target, anchor, target - anchor + 0.5).item() == pytest.approx(0.5)


def test_m_add_has_neither_omega_nor_inversion(dataset: Index):
    system = built(replace(TINY, receiving="add")).train()
    assert system.editor.omega is None
    assert set(system("tags", batch_for("taggan", dataset))) == {"pixel", "feature"}
    assert set(built().train()("tags", batch_for("taggan", dataset))) == {"pixel", "feature", "inversion"}


def test_setting_a_tag_makes_its_group_give_way():
    group = tag_columns(TAGS).group
    values = torch.tensor([[0.2, 0.8, 0.9, 0.0, 0.3, 0.6]])  # hair, hair, skin, skin, clothes, glasses

    def after(**tags: float) -> list[float]:
        wanted, chosen = torch.zeros(1, 6), torch.zeros(1, 6, dtype=torch.bool)
        for tag, value in tags.items():
            wanted[0, TAGS.index(tag)], chosen[0, TAGS.index(tag)] = value, True
        return [round(value, 4) for value in set_tags(values, wanted, chosen, group)[0].tolist()]

    assert after(red_hair=3.0) == [3.0, 0.0, 0.9, 0.0, 0.3, 0.6]
    assert after(red_hair=0.25) == [0.25, 0.6, 0.9, 0.0, 0.3, 0.6]
    assert after(blue_skin=0.0) == [0.2, 0.8, 0.9, 0.0, 0.3, 0.6]
    assert after(red_hair=0.5, blue_hair=1.0, glasses=0.0) == [0.5, 1.0, 0.9, 0.0, 0.3, 0.0]


def test_an_asked_target_is_the_reference_with_one_part_recolored():
    batch = colored_bands(64)
    names = tuple(f"{color}_{part}" for color in ("red", "blue") for part in ("background", "skin", "lips"))
    torch.manual_seed(0)
    asked = ask(batch, names)
    assert asked.is_wanted.sum(1).eq(1).all()
    used = {names[i].split("_")[1] for i in asked.is_wanted.nonzero()[:, 1].tolist()}
    assert used == {"background", "skin"}  # lips are not shown
    before, after = (shown_parts(image, batch.reference_parts).colors for image in (batch.reference, asked.target))
    targets = tag_targets(replace(batch, reference=asked.target), names)
    for i in range(64):
        position = asked.is_wanted[i].nonzero().item()
        part = PART_NAMES.index(names[position].split("_")[1])
        changed = (asked.target[i] != batch.reference[i]).any(0)
        assert not changed[batch.reference_parts[i] != part].any()
        if asked.wanted[i, position] == 1:
            assert targets.values[i, position] == 1
            other = names.index(names[position].replace("red", "x").replace("blue", "red").replace("x", "blue"))
            assert targets.values[i, other] < 0.1
    full = asked.wanted.amax(1) == 1
    assert 0.3 < full.float().mean() < 0.7
    assert not torch.equal(before, after)


def test_recolored_parts_go_as_far_as_the_value_says():
    batch = colored_bands(2)
    parts = shown_parts(batch.reference, batch.reference_parts)
    color, part = torch.zeros(2, 3), torch.tensor([1, 2])
    half = recolored(batch, parts, part, color, torch.tensor([0.5, 1.0]))
    found = shown_parts(half, batch.reference_parts).colors
    torch.testing.assert_close(found[0, 1], parts.colors[0, 1] / 2, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[1, 2], torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(found[0, 2], parts.colors[0, 2])


def test_pictures_without_parts_ask_for_nothing():
    batch = colored_bands(3)
    asked = ask(replace(batch, reference_parts=torch.full_like(batch.parts, -1)), TAGS)
    assert not asked.is_wanted.any()
    assert torch.equal(asked.target, batch.reference)


def test_pairs_of_step_2_are_what_the_options_say():
    """All asked: the anchor is the reference itself; none: the target is the batch's next, perhaps from nothing."""
    batch = colored_bands(4)
    asked = built(replace(TINY, edits=EditOptions(asked=1.0)))
    torch.manual_seed(0)
    anchor, target, wanted = asked._edit_pairs(batch)
    torch.testing.assert_close(anchor.maps[0], asked.tagger(batch.reference).features)
    assert (wanted != anchor.values[0]).any(1).all()
    assert not torch.allclose(target.maps[0], anchor.maps[0])
    random = built(replace(TINY, edits=EditOptions(asked=0.0, no_anchor=1.0)))
    anchor, target, wanted = random._edit_pairs(batch)
    assert anchor.maps[0].eq(0).all()
    assert anchor.values[0].eq(0).all()
    torch.testing.assert_close(target.maps[0], random.tagger(batch.reference.roll(1, 0)).features)
    torch.testing.assert_close(wanted, random.read_tags(batch.reference.roll(1, 0)))


def test_step_2_learns_what_a_tag_does():
    """On one batch: the edited features come nearer to those of the picture that shows the tag."""
    torch.manual_seed(0)
    batch = colored_bands(8)
    system = built(replace(TINY, steps=("tags",), edits=EditOptions(asked=1.0), num_mapping_layers=3,
                           mapping_channels=32))  # fmt: skip
    system.requires_grad_(False)
    system.editor.requires_grad_(True)
    optimizer = torch.optim.Adam(system.editor.parameters(), lr=3e-3)
    history = []
    for _ in range(150):
        torch.manual_seed(1)
        terms = system.train()("tags", batch)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        history.append({key: value.item() for key, value in terms.items()})
    assert all(history[-1][key] < 0.7 * history[0][key] for key in ("pixel", "feature", "inversion"))


# --- coloring with tags ----------------------------------------------------------------------------------------------


@torch.no_grad()
def test_tags_change_the_picture_and_none_do_not():
    system = built()
    sketch, reference = rand(1, 1, 32, 32).sign(), rand(1, 3, 32, 32, seed=1)
    plain = system.colorize(Inputs(sketch, (reference,))).image

    def edited(*tags: tuple[str, float], references: tuple[Tensor, ...] = (reference,)) -> Tensor:
        return system.colorize(Inputs(sketch, references, Guidance(tags=tags))).image

    red = edited(("red_hair", 1.0))
    assert not torch.allclose(red, plain)
    assert not torch.allclose(edited(("red_hair", 3.0)), red)
    assert not torch.allclose(edited(("red_hair", 1.0), ("blue_skin", 1.0)), red)
    torch.testing.assert_close(edited(("Red hair", 1.0)), red)
    values = dict(zip(system.tags, system.read_tags(reference)[0].tolist(), strict=True))
    torch.testing.assert_close(edited(("glasses", values["glasses"])), plain, rtol=1e-4, atol=1e-5)
    alone = system.colorize(Inputs(sketch)).image
    assert not torch.allclose(edited(("red_hair", 1.0), references=()), alone)


@torch.no_grad()
def test_every_reference_is_edited_from_its_own_tags():
    system = built()
    pictures = [rand(1, 3, 32, 32, seed=seed) for seed in (1, 2)]
    code = system.encode_references(pictures, like=pictures[0])
    both = system.edited(code, [("red_hair", 2.0)])
    for number, picture in enumerate(pictures):
        alone = system.edited(system.encode_references([picture], like=picture), [("red_hair", 2.0)])
        torch.testing.assert_close(both.maps[number], alone.maps[0])


def test_unknown_tags_get_the_nearest():
    with pytest.raises(InputError, match="did you mean red_hair"):
        built().colorize(Inputs(rand(1, 1, 32, 32), guidance=Guidance(tags=(("red_hiar", 1.0),))))


def test_weights_of_step_1_take_no_tags():
    with pytest.raises(InputError, match="weights of step 2"):
        built(replace(TINY, steps=("colors",))).check_guidance(Guidance(tags=(("red_hair", 1.0),)))


# --- runs that follow each other -------------------------------------------------------------------------------------


def test_the_three_runs_follow_each_other(dataset: Index, tmp_path: Path):
    """Tagger, step 1 as the Add model, step 2; each keeps what the one before has trained."""
    tiny, path = preset("taggan/tiny"), None
    files = []
    for step, system in (("tagger", {}), ("colors", {"receiving": "add"}), ("tags", {"receiving": "add"})):
        recipe = replace(tiny, system=replace(tiny.system, steps=(step,), **system))
        path = train(recipe, dataset, RunFolder(tmp_path / step), LoopOptions(device="cpu", progress=False), path)
        files.append(load(path)[1])
    tagger, colors, tags = files
    assert all(torch.equal(tagger[key], tags[key]) for key in tagger if key.startswith("tagger."))
    assert all(torch.equal(colors[key], tags[key]) for key in colors if key.startswith("generator."))
    assert any(not torch.equal(colors[key], tags[key]) for key in colors if key.startswith("editor."))
    image = load_system(path).colorize(Inputs(rand(1, 1, 32, 32), guidance=Guidance(tags=(("red_hair", 1.0),)))).image
    assert image.shape == (1, 3, 32, 32)


def test_what_is_frozen_must_fit(tmp_path: Path):
    """Step 2 of Attention cannot start from step 1 of Add: the generator is another."""
    add, attention = built(replace(TINY, receiving="add")), built(replace(TINY, steps=("tags",)))
    with pytest.raises(WeightsError, match="weights do not fit"):
        attention.start_from(tmp_path / "w.safetensors", add)
    colors = built(replace(TINY, steps=("colors",)))
    colors.start_from(tmp_path / "w.safetensors", add)
    assert torch.equal(colors.tagger.network.conv1.weight, add.tagger.network.conv1.weight)


def test_an_edit_that_was_not_trained_is_not_taken_over(tmp_path: Path):
    untrained, trained = built(replace(TINY, steps=("colors",))), built(replace(TINY, steps=("tags",)))
    system = build_system("taggan", replace(TINY, steps=("tags",)))
    system.start_from(tmp_path / "w.safetensors", untrained)
    assert system.editor.mapping.fusion.weight.eq(0).all()
    system.start_from(tmp_path / "w.safetensors", trained)
    assert torch.equal(system.editor.mapping.fusion.weight, trained.editor.mapping.fusion.weight)
