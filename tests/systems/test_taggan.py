"""TagGAN: networks, tagger and step 1 against the paper written out, and what is frozen."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from batches import batch_for, plain_sample
from irodori.checkpoint import load, save
from irodori.data.index import Index
from irodori.data.tags import TagTargets, place_words, places, tag_targets
from irodori.data.vocabulary import default_tags
from irodori.errors import ConfigError
from irodori.nn.blocks import initialize
from irodori.systems import build_system, load_system, preset
from irodori.systems.taggan.config import EditOptions, LossWeights, TagGANConfig, TaggerConfig
from irodori.systems.taggan.losses import (
    critic_terms,
    generator_terms,
    places_loss,
    tag_entropy,
    tag_focal,
    tagger_terms,
)
from irodori.systems.taggan.networks import RBCA, Critic, Generator, PositionAttention
from irodori.systems.taggan.tagger import PlaceHead, Tagger
from irodori.training.loop import LoopOptions, header_of, train
from irodori.training.run_folder import RunFolder
from taggans import TINY, built, colored_bands, rand

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


def test_attention_can_be_told_the_parts():
    """The term is there where it is asked for, moves the attention alone, and falls as the attention finds the part."""
    batch = colored_bands(4)
    system = built(replace(TINY, steps=("colors",), weights=LossWeights(adversarial=0, attention=2.0))).train()
    receiving = system.generator.attention
    optimizer = torch.optim.Adam(system.generator.parameters(), lr=3e-3)
    history = []
    for _ in range(60):
        terms = system("generator", batch)
        assert set(terms) == {"reconstruction", "variation", "attention"}
        optimizer.zero_grad()
        terms["attention"].backward()
        optimizer.step()
        history.append(terms["attention"].item())
    assert receiving.value.weight.grad is None
    assert history[-1] < 0.8 * history[0]
    assert "attention" not in built(TINY).train()("generator", batch)
    add = replace(TINY, steps=("colors",), receiving="add", weights=LossWeights(attention=2.0))
    assert "attention" not in built(add).train()("generator", batch)


def test_the_critic_sees_sketch_and_image():
    critic = Critic(2)
    sketch, image = rand(1, 1, 32, 32), rand(1, 3, 32, 32, seed=1)
    assert critic(sketch, image).shape == (1, 1, 4, 4)
    assert not torch.allclose(critic(sketch, image), critic(-sketch, image))
    assert not torch.allclose(critic(sketch, image), critic(sketch, -image))


# --- configurations --------------------------------------------------------------------------------------------------


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
