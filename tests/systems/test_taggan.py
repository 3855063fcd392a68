"""TagGAN: every equation against the paper written out, the frozen tagger, edits, and a run from end to end."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from batches import batch_for, plain_sample
from irodori.checkpoint import load, save
from irodori.data.index import PART_NAMES, Index
from irodori.data.sample import Sample
from irodori.data.tags import TagTargets, place_words, places, shown_parts, tag_columns, tag_targets
from irodori.data.vocabulary import default_tags
from irodori.errors import ConfigError, InputError, WeightsError
from irodori.nn.blocks import initialize
from irodori.systems import build_system, load_system, preset
from irodori.systems.base import Guidance, Inputs
from irodori.systems.taggan.config import EditOptions, LossWeights, TagGANConfig, TaggerConfig
from irodori.systems.taggan.edits import ask, recolored
from irodori.systems.taggan.losses import (
    critic_terms,
    generator_terms,
    hybrid_terms,
    inversion_loss,
    places_loss,
    tag_entropy,
    tag_focal,
    tagger_terms,
)
from irodori.systems.taggan.mapping import MappingNetwork, TagEditor, position_ratio, set_tags
from irodori.systems.taggan.networks import RBCA, Critic, Generator, PositionAttention
from irodori.systems.taggan.system import TagGAN
from irodori.systems.taggan.tagger import PlaceHead, Tagger, gap
from irodori.training.loop import LoopOptions, header_of, train
from irodori.training.run_folder import RunFolder

TINY = preset("taggan/tiny").system
TAGS = TINY.tags


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def built(config: TagGANConfig = TINY) -> TagGAN:
    torch.manual_seed(0)
    return build_system("taggan", config).eval()


def colored_bands(count: int = 4, size: int = 32) -> Sample:
    """`plain_sample` whose bands are background, skin and hair, in random colors."""
    batch = plain_sample(count, size)
    return replace(batch, tags=(("glasses",),) * count)


# --- receiving block, RBCA -------------------------------------------------------------------------------------------


def test_attention_is_equation_5():
    block, x, memory = PositionAttention(4, 3, num_heads=1), rand(2, 4, 2, 3), rand(2, 5, 3, seed=1)
    w_q, w_k, w_v, w_o = (layer.weight for layer in (block.query, block.key, block.value, block.out))
    for b in range(2):
        for i in range(6):
            position = x[b, :, i // 3, i % 3]
            scores = torch.stack([(w_q @ position) @ (w_k @ r) / math.sqrt(4) for r in memory[b]])
            alpha = scores.softmax(0)
            context = sum(a * (w_v @ r) for a, r in zip(alpha, memory[b], strict=True))
            torch.testing.assert_close(block(x, memory)[b, :, i // 3, i % 3], position + w_o @ context)
            torch.testing.assert_close(block.rows(x, memory, torch.tensor([i]))[b, 0], alpha)


def test_several_heads_look_each_on_their_own():
    block, x, memory = PositionAttention(4, 3, num_heads=2), rand(1, 4, 1, 2), rand(1, 5, 3, seed=1)
    parts = []
    for head in (slice(0, 2), slice(2, 4)):
        query = x[0].flatten(1).T @ block.query.weight.T[:, head]
        key, value = (memory[0] @ layer.weight.T[:, head] for layer in (block.key, block.value))
        parts.append((query @ key.T / math.sqrt(2)).softmax(-1) @ value)
    expected = x[0].flatten(1).T + torch.cat(parts, 1) @ block.out.weight.T
    torch.testing.assert_close(block(x, memory)[0].flatten(1).T, expected)


def test_rbca_weighs_channels_as_the_authors_do():
    block, x, reference = RBCA(3, 5), rand(1, 3, 4, 4), rand(1, 5, seed=1)
    q, k, v = block.query.weight @ x[0].mean((1, 2)), block.key.weight @ reference[0], block.value.weight @ reference[0]
    rows = [torch.stack([k[i] * q[j] / math.sqrt(3) for j in range(3)]).softmax(0) for i in range(3)]
    y = block.out.weight @ torch.stack([sum(v[i] * rows[i][j] for i in range(3)) for j in range(3)])
    expected = torch.stack([x[0, c] + x[0, c] * torch.sigmoid(y[c]) for c in range(3)])
    torch.testing.assert_close(block(x, reference)[0], expected)


def test_add_receives_the_average_of_all_positions():
    torch.manual_seed(0)
    generator = Generator(replace(TINY, receiving="add"), 8)
    latent, memory = rand(1, 8, 2, 2), rand(1, 6, 8, seed=1)
    expected = torch.relu(generator.receive_conv(latent + memory.mean(1)[..., None, None]))
    torch.testing.assert_close(generator.receive(latent, memory), expected)
    torch.testing.assert_close(generator.receive(latent, memory.flip(1)), expected)
    wider = Generator(replace(TINY, receiving="add"), 6)
    memory = rand(1, 6, 6, seed=1)
    mean = (wider.to_latent.weight @ memory[0].mean(0))[None, :, None, None]
    torch.testing.assert_close(wider.receive(latent, memory), torch.relu(wider.receive_conv(latent + mean)))


def test_no_reference_is_nothing_received():
    generator = Generator(TINY, 8)
    latent = rand(1, 8, 2, 2)
    received = generator.receive(latent, torch.zeros(1, 1, 8))
    torch.testing.assert_close(received, torch.relu(generator.receive_conv(latent)))


@pytest.mark.parametrize(
    ("receiving", "rbca", "elements"),
    [("attention", True, 42_110_019), ("attention", False, 41_479_235), ("add", True, 41_061_443),
     ("add", False, 40_430_659)],
)  # fmt: skip
def test_the_paper_s_sizes(receiving: str, rbca: bool, elements: int):
    """Numbers of parameters of the authors' networks; the rest is read off the layers of table 4.1."""
    config = replace(
        preset("taggan/paper-384").system, receiving=receiving, rbca=rbca, tags=tuple(map(str, range(6000)))
    )
    with torch.device("meta"):
        system = build_system("taggan", config)
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in system.named_children()}
    assert count["generator"] == elements
    assert count["discriminator"] == 2_330_753
    assert sum(p.numel() for p in system.editor.mapping.parameters()) == 4_909_056
    assert sum(p.numel() for p in system.editor.parameters()) == 4_909_056 + (
        262_656 if receiving == "attention" else 0
    )
    tagger = system.tagger.network.state_dict()
    assert sum(value.numel() for value in tagger.values()) == 24_379_732
    assert config.tagger.stride == config.stride == 32


def test_paper_presets_are_the_paper():
    colors, tags, tagger = (preset(f"taggan/paper-384{end}") for end in ("", "-tags", "-tagger"))
    weights = colors.system.weights
    assert (weights.reconstruction, weights.adversarial, weights.variation) == (100, 1, 1e-4)
    assert (weights.pixel, weights.feature, weights.inversion) == (1, 1, 1)
    assert (colors.system.variation_from, colors.system.empty_ratio) == (384, 1)
    assert (colors.system.tagger.focus, colors.system.tagger.head) == (2, "average")
    assert (colors.training.learning_rate, colors.training.betas) == (1e-4, (0.5, 0.99))
    assert (colors.training.images, tags.training.images) == (9 * 766_454, 3 * 766_454)
    assert (colors.system.edits.asked, colors.system.edits.no_anchor) == (0, 0)
    with torch.device("meta"):
        names = [[p.name for p in build_system("taggan", r.system).phases()] for r in (tagger, colors, tags)]
    assert names == [["tagger"], ["discriminator", "generator"], ["tags"]]


# --- tagger ----------------------------------------------------------------------------------------------------------


def test_tagger_losses_are_equations_4_1_and_4_2():
    logits, values, alpha = 3 * rand(2, 3), (rand(2, 3, seed=1) + 1) / 2, torch.tensor([0.2, 0.5, 0.9])
    p = 1 / (1 + torch.exp(-logits))
    torch.testing.assert_close(tag_entropy(logits, values), -(values * p.log() + (1 - values) * (1 - p).log()))
    focal = -(alpha * (1 - p) ** 2 * values * p.log() + (1 - alpha) * p**2 * (1 - values) * (1 - p).log())
    torch.testing.assert_close(tag_focal(logits, values, alpha, 2.0), focal)


def test_unknown_tags_cost_nothing_and_images_that_tell_nothing_do_not_count():
    logits, values = rand(3, 4), (rand(3, 4, seed=1) > 0).float()
    known = torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
    weights = LossWeights(focal=0)
    terms = tagger_terms(weights, 2.0, logits, TagTargets(values, known), torch.full((4,), 0.5))
    expected = (tag_entropy(logits, values) * known).sum() / 2
    assert set(terms) == {"entropy"}
    torch.testing.assert_close(terms["entropy"], expected)


def test_rare_tags_weigh_more():
    tagger = Tagger(TaggerConfig(channels=(4,), blocks=(1,), stem="small"), ("a", "b", "c"))
    for _ in range(2000):
        tagger.count(torch.tensor([[1.0, 1, 0], [1, 0, 0]]), torch.tensor([[1.0, 1, 0], [1, 1, 0]]))
    torch.testing.assert_close(tagger.frequency, torch.tensor([1.0, 0.5, 0.05]))
    torch.testing.assert_close(tagger.rarity(), torch.tensor([1 / 3, 0.5, 0.5 / 0.55]))


def test_places_cost_the_cross_entropy_of_what_is_there():
    words = place_words(default_tags())
    wanted = places(plain_sample(1), words, 8)
    assert wanted.parts.sum() == pytest.approx(16)
    count, colors = len(words.parts) + 1, len(words.colors)
    nothing = torch.zeros(1, count + colors, 4, 4)
    assert places_loss(nothing, wanted).item() == pytest.approx(math.log(count) + math.log(colors), rel=1e-4)
    right = torch.cat([wanted.parts.clamp(min=1e-9).log(), wanted.colors.clamp(min=1e-9).log()], 1)
    assert places_loss(right, wanted) < 0.5 * places_loss(nothing, wanted)


def sure_head() -> PlaceHead:
    """Hair where channel 0 is 1, else another part; red where channel 1 is 1, else blue."""
    head = PlaceHead(2, ("red_hair", "blue_hair", "glasses"))
    head.initialize()
    head.classify.weight.data = torch.tensor([[20.0, 0], [-20, 0], [0, 20], [0, -20]])[..., None, None]
    head.classify.bias.data.zero_()
    return head


def test_tag_maps_are_products_of_part_and_color():
    head = PlaceHead(4, ("red_hair", "blue_skin", "green_skin", "smile"))
    reading = head(rand(2, 4, 3, 5))
    parts, colors = reading.places[:, :3].softmax(1), reading.places[:, 3:].softmax(1)
    expected = torch.stack([parts[:, p] * colors[:, k] for p in range(3) for k in range(3)], 1)
    torch.testing.assert_close(reading.features, 3 * expected)
    torch.testing.assert_close(reading.features.sum(1), torch.full((2, 3, 5), 3.0))  # of 9 maps
    assert (reading.features.shape[1], reading.logits.shape) == (head.num_maps, (2, 4))


def test_colors_of_a_part_are_read_whatever_its_size():
    """Hair on one cell or on half of them is red; all else is blue."""
    for cells in (1, 8):
        features = -torch.ones(1, 2, 4, 4)
        features.flatten(2)[:, :, :cells] = 1.0
        red, blue, glasses = sure_head()(features).probabilities[0].tolist()
        assert red > 0.97
        assert blue < 0.01
        assert glasses == pytest.approx(1 / (1 + math.exp(3)))


def test_a_part_that_is_not_there_has_no_color_and_one_in_two_colors_has_both():
    head = sure_head()
    red, blue, _ = head(-torch.ones(1, 2, 4, 4)).probabilities[0].tolist()
    assert max(red, blue) < 0.01
    features = torch.ones(1, 2, 4, 4)
    features[:, 1, :1] = -1.0  # a quarter of the hair is blue
    red, blue, _ = head(features).probabilities[0].tolist()
    assert red > 0.97
    assert blue == pytest.approx(1 / 3, abs=0.01)


def test_a_frozen_tagger_does_not_move_at_all(dataset: Index, tmp_path: Path):
    """Neither its weights nor its running averages, through the real loop with averaging."""
    recipe = preset("taggan/tiny")
    start = tmp_path / "start.safetensors"
    torch.manual_seed(3)
    system = build_system("taggan", recipe.system)
    save(start, header_of(recipe, 0), system.state_dict())
    path = train(recipe, dataset, RunFolder(tmp_path / "run"), LoopOptions(device="cpu", progress=False), start)
    moved = {key for key, value in load(path)[1].items() if not torch.equal(value, system.state_dict()[key])}
    assert {key for key in moved if key.startswith("tagger.")} == set()
    assert {key.split(".")[0] for key in moved} == {"generator", "discriminator", "editor"}


def test_a_joint_encoder_moves_and_knows_no_tags(dataset: Index, tmp_path: Path):
    recipe = preset("taggan/tiny")
    recipe = replace(recipe, system=replace(recipe.system, steps=("colors",), joint=True))
    path = train(recipe, dataset, RunFolder(tmp_path / "run"), LoopOptions(device="cpu", progress=False))
    torch.manual_seed(recipe.training.seed)
    fresh, found = build_system("taggan", recipe.system).state_dict(), load(path)[1]
    assert not torch.equal(found["tagger.network.conv1.weight"], fresh["tagger.network.conv1.weight"])
    assert not torch.equal(found["tagger.network.bn1.running_mean"], fresh["tagger.network.bn1.running_mean"])
    assert torch.equal(found["tagger.network.fc.weight"], fresh["tagger.network.fc.weight"])
    assert load_system(path).tags == ()
    places = TaggerConfig(channels=(4,), blocks=(1,), stem="small", head="places")
    system = build_system("taggan", replace(recipe.system, tagger=places))
    moved = {id(parameter) for parameter in system.phases()[-1].parameters}
    still = {name for name, parameter in system.tagger.named_parameters() if id(parameter) not in moved}
    assert still == {"places.read.weight", "places.read.bias", "places.scale"}


@pytest.mark.parametrize("head", ["average", "places"])
def test_the_tagger_learns_the_tags_of_drawings(dataset: Index, head: str):
    """A few drawings by heart: the tagger's own phase trains what `read_tags` reads."""
    tags = ("red_hair", "purple_hair", "green_hair", "blue_clothes", "green_clothes", "peach_skin", "red_skin")
    config = replace(TINY, steps=("tagger",), tags=tags, weights=LossWeights(places=1.0),
                     tagger=TaggerConfig(channels=(8, 16), blocks=(1, 1), stem="small", head=head))  # fmt: skip
    torch.manual_seed(0)
    system, batch = build_system("taggan", config), batch_for("taggan", dataset, 8)
    optimizer = torch.optim.Adam(system.tagger.parameters(), lr=1e-2)
    truth = tag_targets(batch, tags)
    before = (system.eval().read_tags(batch.reference) - truth.values).abs().mean()
    for _ in range(60):
        terms = system.train()("tagger", batch)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    after = (system.eval().read_tags(batch.reference) - truth.values).abs().mean()
    assert set(terms) == {"entropy", "focal", *(["places"] if head == "places" else [])}
    assert after < 0.6 * before


# --- step 1 ----------------------------------------------------------------------------------------------------------


def test_step_1_terms_have_their_values_and_weights(dataset: Index):
    """A critic that says 0 everywhere gives the generator log 2; only steps of the image cost variation."""
    batch = plain_sample(2)
    config = replace(TINY, weights=LossWeights(reconstruction=100, adversarial=3, variation=1.0))
    critic = lambda sketch, image: torch.zeros(len(image), 1, 4, 4)  # noqa: E731
    terms = generator_terms(config, batch, batch.color + 0.01, critic)
    assert terms["adversarial"].item() == pytest.approx(3 * math.log(2))
    assert terms["reconstruction"].item() == pytest.approx(1.0, rel=1e-3)
    assert critic_terms(batch, batch.color, critic)["discriminator"].item() == pytest.approx(2 * math.log(2))
    flat = generator_terms(config, batch, torch.zeros_like(batch.color), critic)
    assert flat["variation"].item() == pytest.approx(0.0, abs=1e-4)
    step = torch.zeros_like(batch.color)
    step[..., 16:] = 0.5
    assert generator_terms(config, batch, step, critic)["variation"].item() == pytest.approx(
        16 * math.sqrt(3), rel=1e-4
    )
    assert "variation" not in generator_terms(replace(config, variation_from=33), batch, step, critic)
    assert "adversarial" not in generator_terms(config, batch, step, None)


def test_the_critic_sees_sketch_and_image():
    critic = Critic(2)
    sketch, image = rand(1, 1, 32, 32), rand(1, 3, 32, 32, seed=1)
    assert critic(sketch, image).shape == (1, 1, 4, 4)
    assert not torch.allclose(critic(sketch, image), critic(-sketch, image))
    assert not torch.allclose(critic(sketch, image), critic(sketch, -image))


# --- step 2 ----------------------------------------------------------------------------------------------------------


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
        attention.start_from(tmp_path / "w.safetensors", add.state_dict())
    colors = built(replace(TINY, steps=("colors",)))
    colors.start_from(tmp_path / "w.safetensors", add.state_dict())
    assert torch.equal(colors.tagger.network.conv1.weight, add.tagger.network.conv1.weight)


@pytest.mark.parametrize(
    "wrong",
    [{"image_size": 100}, {"channels": (8,)}, {"num_heads": 3}, {"tags": ()}, {"tags": ("a", "a")}, {"steps": ()},
     {"joint": True, "steps": ("tags",)}, {"mapping_channels": 0}],
)  # fmt: skip
def test_impossible_configurations_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match="taggan"):
        TagGANConfig(**wrong)


@pytest.mark.parametrize(
    ("kind", "wrong"), [(LossWeights, {"pixel": -1}), (TaggerConfig, {"blocks": (1,)}), (EditOptions, {"asked": 1.5})]
)
def test_impossible_parts_of_configurations_are_refused(kind: type, wrong: dict):
    with pytest.raises(ConfigError, match="taggan"):
        kind(**wrong)


def test_normal_initialization_is_the_paper_s():
    torch.manual_seed(0)
    generator = Generator(replace(TINY, channels=(16, 32, 32), num_heads=1), 8)
    initialize(generator, "normal")
    assert generator.middle.conv1.weight.std().item() == pytest.approx(0.02, rel=0.05)
