"""CSFT against its paper (Cui et al. 2022), and the properties that its parts have by construction."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from batches import batch_for, plain_sample
from irodori.data.index import Index
from irodori.data.lines import brightness
from irodori.data.sample import Sample
from irodori.errors import ConfigError
from irodori.image import to_tensor
from irodori.inference.colorizer import Colorizer
from irodori.inference.grid import bring
from irodori.nn.features import FEATURES, MobileNetV2
from irodori.systems import PRESETS, build_system, load_system, preset
from irodori.systems.base import Guidance, Inputs, Noise
from irodori.systems.csft.config import FEATURE_LAYERS, CSFTConfig, LossWeights
from irodori.systems.csft.correspondence import correlation_rows, domain_vectors, warp
from irodori.systems.csft.discriminators import StructureDiscriminator, lines_of
from irodori.systems.csft.losses import Counterparts, Judges, Painting, alignment_loss, coarse_loss, generator_terms
from irodori.systems.csft.moments import (
    DynamicMomentShortcut,
    Moments,
    moments_of,
    normalize_positions,
    restore_positions,
)
from irodori.systems.csft.networks import FeatureTransfer
from irodori.systems.csft.system import CSFT
from irodori.training.loop import LoopOptions, train
from irodori.training.run_folder import RunFolder

TINY = preset("csft/tiny")


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def build(**changes: Any) -> CSFT:
    torch.manual_seed(0)
    return build_system("csft", replace(TINY.system, **changes))  # type: ignore[return-value]


# ----------------------------------------------------------------------------------------------------- correspondence


def plain_warp(sketch: torch.Tensor, reference: torch.Tensor, values: torch.Tensor, alpha: float) -> torch.Tensor:
    """Equations 3 and 4 as they stand, from features ``(B, C, n)``, with the whole matrix."""
    x, y = (each - each.mean(1, keepdim=True) for each in (sketch, reference))
    correlation = torch.einsum("bci,bcj->bij", x, y) / (x.norm(dim=1)[:, :, None] * y.norm(dim=1)[:, None])
    return torch.einsum("bij,bjd->bid", (alpha * correlation).softmax(-1), values)


@pytest.mark.parametrize(("channels", "width"), [(24, 3), (5, 3), (2, 40)])
def test_the_blockwise_warp_is_equations_3_and_4(channels: int, width: int):
    """Values and gradients, over more positions than one block holds, at the paper's alpha."""
    results = []
    for kind in ("plain", "blockwise"):
        x, y = (rand(2, channels, 24, 26, seed=seed).requires_grad_() for seed in (1, 2))
        values = rand(2, 624, width, seed=3).requires_grad_()
        if kind == "plain":
            warped = plain_warp(x.double().flatten(2), y.double().flatten(2), values.double(), 100.0).float()
        else:
            warped = warp(domain_vectors(x), domain_vectors(y), values, 100.0)
        (warped * rand(*warped.shape, seed=4)).sum().backward()
        results.append((warped, x.grad, y.grad, values.grad))
    for plain, blockwise in zip(*results, strict=True):
        torch.testing.assert_close(blockwise, plain, rtol=2e-3, atol=2e-3)


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that was made."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return result


@pytest.mark.parametrize("width", [8, 16])
def test_nothing_ever_holds_the_correlation(width: int):
    """1024 positions have 1 048 576 correlations; training and coloring, nothing comes near that."""
    system, batch = build(image_size=128, transfer_channels=width, domain_channels=width), plain_sample(1, 128)
    with Largest() as seen:
        terms = system("generator", replace(batch, similar=batch.color))
        sum(value for key, value in terms.items() if key[0] != "_").backward()
    assert 100_000 < seen.elements < 400_000
    with torch.no_grad(), Largest() as seen:
        system.eval().colorize(Inputs(batch.sketch, (batch.reference,)))
    assert seen.elements < 400_000


def test_the_correlation_is_blind_to_scale_and_to_a_shift_of_all_channels():
    features = rand(1, 6, 3, 3)
    torch.testing.assert_close(domain_vectors(7 * features + 3), domain_vectors(features))
    vectors = domain_vectors(features)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(1, 9))
    torch.testing.assert_close(vectors.sum(-1), torch.zeros(1, 9), rtol=0, atol=1e-5)


def test_a_reference_that_is_the_sketch_comes_back_as_it_was():
    """Identity: each position correlates with itself alone."""
    vectors, colors = domain_vectors(torch.eye(16).view(1, 16, 4, 4)), rand(1, 16, 3)
    torch.testing.assert_close(warp(vectors, vectors, colors, 100.0), colors)
    shuffled = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(warp(vectors, vectors[:, shuffled], colors[:, shuffled], 100.0), colors)


def test_the_warp_is_a_convex_mix_of_the_reference_s_colors():
    x, y, colors = domain_vectors(rand(2, 8, 5, 5)), domain_vectors(rand(2, 8, 6, 6, seed=1)), rand(2, 36, 3, seed=2)
    warped = warp(x, y, colors, 5.0)
    assert (warped <= colors.amax(1, keepdim=True) + 1e-5).all()
    assert (warped >= colors.amin(1, keepdim=True) - 1e-5).all()
    rows = correlation_rows(x, y, 5.0, torch.arange(25))
    torch.testing.assert_close(rows.sum(-1), torch.ones(2, 25))
    torch.testing.assert_close(rows @ colors, warped, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(warp(x, y, torch.full((2, 36, 3), 0.3), 5.0), torch.full((2, 25, 3), 0.3))


def test_transfer_is_equations_8_and_9_written_out():
    torch.manual_seed(0)
    transfer, sketch, reference = FeatureTransfer(6), rand(1, 6, 2, 3), rand(1, 5, 6, seed=1)
    found = transfer(sketch, reference)
    for i in range(6):
        v_s = sketch[0, :, i // 3, i % 3]
        scores = [transfer.query(v_s) @ transfer.key(v_r) / math.sqrt(6) for v_r in reference[0]]
        alpha = torch.stack(scores).softmax(0)
        context = sum(a * transfer.value(v_r) for a, v_r in zip(alpha, reference[0], strict=True))
        torch.testing.assert_close(found[0, :, i // 3, i % 3], v_s + context)


# ----------------------------------------------------------------------------------------------------------- generator


def test_the_moment_shortcut_is_the_inverse_of_positional_normalization():
    x = 3 * rand(2, 7, 5, 4) + rand(2, 1, 5, 4, seed=1)
    normalized, moments = normalize_positions(x), moments_of(x)
    torch.testing.assert_close(normalized.mean(1), torch.zeros(2, 5, 4), rtol=0, atol=1e-5)
    torch.testing.assert_close(normalized.std(1, correction=0), torch.ones(2, 5, 4), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(restore_positions(normalized, moments), x, rtol=1e-4, atol=1e-4)


def test_the_dynamic_shortcut_without_its_convolutions_is_the_plain_one():
    torch.manual_seed(0)
    shortcut, x = DynamicMomentShortcut(6), rand(1, 6, 4, 4)
    moments = Moments(rand(1, 1, 4, 4, seed=1), rand(1, 1, 4, 4, seed=2).abs())
    assert not torch.allclose(shortcut(x, moments), restore_positions(x, moments), atol=1e-2)
    for layer in (shortcut.to_gamma, shortcut.to_beta):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.testing.assert_close(shortcut(x, moments), restore_positions(x, moments))


def test_moments_bring_lines_to_the_picture():
    """Without them the decoder cannot know where lines are: the bottleneck is a quarter of the picture."""
    system = build(generator_channels=(4, 8, 12)).eval()
    sketch = torch.ones(1, 1, 32, 32)
    sketch[..., 13, :] = -1
    with torch.no_grad():
        rows = system.generator(torch.zeros(1, 3, 8, 8), sketch).mean((0, 1, 3))
    assert (rows[13] - rows[15]).abs() > 0.01
    assert (rows[13] - rows[11]).abs() > 0.01


# -------------------------------------------------------------------------------------------------------------- losses


def painting(image: torch.Tensor, sketch: torch.Tensor, reference: torch.Tensor) -> Painting:
    return Painting(image, F.avg_pool2d(image, 4), sketch, reference)


def test_the_align_loss_is_zero_for_equal_features_and_blind_to_their_scale():
    image, features = torch.zeros(2, 3, 8, 8), rand(2, 6, 2, 2)
    equal = domain_vectors(features), domain_vectors(5 * features)
    shown = torch.tensor([True, True])
    assert alignment_loss(painting(image, *equal), Counterparts(*equal), shown).item() == pytest.approx(0, abs=1e-6)
    other = domain_vectors(rand(2, 6, 2, 2, seed=1))
    found = alignment_loss(painting(image, *equal), Counterparts(other, equal[1]), shown)
    assert found.item() == pytest.approx((equal[0] - other).abs().mean().item(), rel=1e-5)


def test_a_missing_reference_has_no_sketch_to_be_aligned_with():
    image, vectors = torch.zeros(2, 3, 8, 8), domain_vectors(rand(2, 6, 2, 2))
    drawn = torch.stack([vectors[0], -vectors[1]])
    for shown, expected in (([True, False], 0.0), ([True, True], vectors[1].abs().mean().item())):
        found = alignment_loss(painting(image, vectors, vectors), Counterparts(vectors, drawn), torch.tensor(shown))
        assert found.item() == pytest.approx(expected, abs=1e-6)


def test_the_coarse_loss_counts_whole_known_cells_of_pictures_with_a_reference():
    batch = plain_sample(2, 16)
    exact = F.avg_pool2d(batch.color, 4)
    assert coarse_loss(exact, batch).item() == pytest.approx(0, abs=1e-6)
    wrong = exact.clone()
    wrong[0, :, 0, 0] += 1
    wrong[1] += 1
    valid = batch.valid.clone()
    valid[0, :, 2, 2] = 0  # one pixel of the wrong cell
    reference = batch.reference.clone()
    reference[1] = 0
    assert coarse_loss(wrong, batch).item() == pytest.approx(17 / 32, rel=1e-5)
    assert coarse_loss(wrong, replace(batch, valid=valid, reference=reference)).item() == pytest.approx(0, abs=1e-6)


def test_pseudo_loss_and_adversarial_terms_have_their_values():
    """Discriminators without a clue cost the generator log 2 each; the truth costs nothing."""

    def clueless(image: torch.Tensor, condition: torch.Tensor) -> list[torch.Tensor]:
        return [torch.zeros(len(image), 1, 4, 4), torch.zeros(len(image), 1, 2, 2)]

    batch, vectors = plain_sample(), domain_vectors(rand(4, 6, 8, 8))
    config = replace(TINY.system, weights=LossWeights(pseudo=10, adversarial=3))
    judges = Judges(clueless, clueless)  # type: ignore[arg-type]
    terms = generator_terms(config, batch, painting(batch.color, vectors, vectors), None, judges, None)
    assert terms["reconstruction"].item() == 0
    assert terms["structure"].item() == terms["color"].item() == pytest.approx(3 * math.log(2))
    shifted = painting(batch.color + 0.1, vectors, vectors)
    assert generator_terms(config, batch, shifted, None, Judges(None, None), None)["reconstruction"].item() == (
        pytest.approx(1.0, rel=1e-4)
    )


def with_similar(batch: Sample) -> Sample:
    return batch if batch.similar is not None else replace(batch, similar=batch.color.flip(-1))


def test_all_terms_are_there_and_weighted(dataset: Index):
    weights = LossWeights(coarse=2)
    system, batch = build(weights=weights, features="mobilenet_v2"), batch_for("csft", dataset)
    with pytest.raises(ConfigError, match="--features"):
        system("generator", batch)
    system.use_features(MobileNetV2().requires_grad_(False))
    terms = {key: value for key, value in system("generator", batch).items() if key[0] != "_"}
    names = ["perceptual", "style", "contextual", "reconstruction", "align", "coarse", "structure", "color"]
    assert sorted(terms) == sorted(names)
    fields = ["perceptual", "style", "contextual", "pseudo", "align", "coarse", "adversarial", "adversarial"]
    for field_name in set(fields):
        system.config = replace(
            system.config, weights=replace(weights, **{field_name: 3 * getattr(weights, field_name)})
        )
        again = system("generator", batch)
        for name, of in zip(names, fields, strict=True):
            factor = 3 if of == field_name else 1
            torch.testing.assert_close(again[name], factor * terms[name], rtol=1e-3, atol=1e-5)


def test_without_a_reference_the_truth_is_the_exemplar(dataset: Index):
    """Style and context of a zero-filled reference would be those of gray paper."""
    weights = LossWeights(adversarial=0)
    system, batch = build(weights=weights, features="mobilenet_v2"), batch_for("csft", dataset)
    system.use_features(MobileNetV2().requires_grad_(False))
    lone = replace(batch, reference=torch.zeros_like(batch.reference))
    vectors = domain_vectors(rand(4, 8, 8, 8))
    unjudged, features = Judges(None, None), system.frozen_features
    terms = generator_terms(system.config, lone, painting(batch.color, vectors, vectors), None, unjudged, features)
    assert terms["style"].item() == pytest.approx(0, abs=1e-7)
    assert terms["perceptual"].item() == pytest.approx(0, abs=1e-7)


# ------------------------------------------------------------------------------------------------------ discriminators


def gray_shift() -> torch.Tensor:
    """A change of color that leaves the brightness as it is, ``(3,)``: more red, less blue."""
    return torch.tensor([0.114, 0.0, -0.299])


def test_the_structure_discriminator_is_blind_to_color_of_equal_brightness():
    torch.manual_seed(0)
    judge = StructureDiscriminator(TINY.system).eval()
    image = 0.5 * torch.tanh(F.interpolate(rand(1, 3, 8, 8), size=(32, 32), mode="bilinear"))
    hue = F.interpolate(rand(1, 1, 4, 4, seed=1), size=(32, 32), mode="bilinear") * gray_shift().view(1, 3, 1, 1)
    torch.testing.assert_close(brightness(image + hue), brightness(image), rtol=0, atol=1e-6)
    assert hue.abs().max() > 0.3
    sketch = torch.ones(1, 1, 32, 32)
    for plain, colored in zip(judge(image, sketch), judge(image + hue, sketch), strict=True):
        torch.testing.assert_close(colored, plain, rtol=1e-3, atol=1e-4)


def test_the_structure_discriminator_sees_lines_and_the_sketch_and_passes_a_gradient():
    torch.manual_seed(0)
    judge = StructureDiscriminator(TINY.system).eval()
    image = torch.full((1, 3, 32, 32), 0.5, requires_grad=True)
    sketch = torch.ones(1, 1, 32, 32)
    dark = image.detach().clone()
    dark[..., 16:] = -0.5
    assert (lines_of(image) > 0.99).all()
    assert lines_of(dark)[..., 15:17].min() < 0
    assert (lines_of(dark)[..., :8] > 0.99).all()
    assert not torch.allclose(judge(image, sketch)[0], judge(dark, sketch)[0])
    assert not torch.allclose(judge(image, sketch)[0], judge(image, -sketch)[0])
    noisy = (dark + 0.1 * rand(1, 3, 32, 32)).requires_grad_()
    sum(scores.sum() for scores in judge(noisy, sketch)).backward()
    assert noisy.grad.abs().max() > 0


def test_lines_are_those_of_the_sketches_before_they_are_made_binary():
    from irodori.data.lines import extract_lines

    image = torch.tanh(F.interpolate(rand(1, 3, 6, 6), size=(48, 48), mode="bilinear"))
    binary = extract_lines((image + 1) * 127.5, "xdog") / 127.5 - 1
    soft = lines_of(image)
    assert (soft[binary < 0] < 1).all()
    assert 0.01 < (binary < 0).float().mean() < 0.5
    torch.testing.assert_close(soft[binary > 0], torch.ones_like(soft[binary > 0]))


def test_the_color_discriminator_needs_similar_pictures(dataset: Index):
    system, batch = build(), batch_for("csft", dataset)
    with pytest.raises(ConfigError, match=r"data\.color_clusters"):
        system("discriminators", replace(batch, similar=None))
    terms = system("discriminators", batch)
    assert set(terms) == {"structure_discriminator", "color_discriminator"}


def test_color_s_real_pair_is_the_similar_picture_and_structure_s_is_the_truth(dataset: Index):
    system, batch = build(), with_similar(batch_for("csft", dataset))
    seen: dict[str, list[torch.Tensor]] = {"structure": [], "color": []}

    def remember(kind: str) -> Any:
        return lambda _module, args: seen[kind].append(args)

    system.structure_discriminator.register_forward_pre_hook(remember("structure"))
    system.color_discriminator.register_forward_pre_hook(remember("color"))
    system("discriminators", batch)
    (real, sketch), (fake, _) = seen["structure"]
    assert real is batch.color
    assert sketch is batch.sketch
    (similar, reference), (image, _) = seen["color"]
    assert similar is batch.similar
    assert reference is batch.reference
    assert image is fake
    assert not image.requires_grad


# ---------------------------------------------------------------------------------------------------------- the system


def test_paper_preset_is_the_paper_where_it_is_told():
    recipe = preset("csft/paper-256")
    config, training = recipe.system, recipe.training
    assert (config.image_size, config.temperature) == (256, 100)
    assert config.image_size // config.alignment_stride == 64
    assert (training.batch_size, training.learning_rate, training.betas) == (8, 1e-4, (0.5, 0.999))
    assert training.images == 100 * 14_224
    assert recipe.data.sketches == ("xdog",)
    assert recipe.data.color_clusters > 0
    assert config.features == "vgg19_2"
    with torch.device("meta"):
        phases = build_system("csft", config).phases()
    assert [(phase.name, phase.learning_rate_scale) for phase in phases] == [("discriminators", 1), ("generator", 1)]


@pytest.mark.parametrize("base", ["csft/paper-256", "csft/small-64"])
def test_the_ablations_of_tables_2_and_6_leave_out_what_they_say(base: str):
    full = preset(base).system
    left_out = {
        "no-cc": {"colorific": False},
        "no-sc": {"structural": False},
        "no-csft": {"transfer": "residual"},
        "no-context": {"weights": replace(full.weights, contextual=0)},
        "no-pseudo": {"weights": replace(full.weights, pseudo=0)},
        "no-align": {"weights": replace(full.weights, align=0)},
        "no-adv": {"weights": replace(full.weights, adversarial=0)},
    }
    for name, change in left_out.items():
        assert PRESETS[f"{base}-{name}"].system == replace(full, **change)
        assert PRESETS[f"{base}-{name}"].data == preset(base).data
    assert min(vars(full.weights)[term] for term in ("perceptual", "style", "contextual", "align", "adversarial")) > 0


def test_what_ships_needs_no_feature_network_and_its_stages_are_one_network():
    first, last = preset("csft/small-first").system, preset("csft/small").system
    assert not last.needs_features
    assert replace(first, image_size=last.image_size) == last
    assert preset("csft/small-first").training.images + preset("csft/small").training.images == (
        preset("scft/small").training.images
    )


@pytest.mark.parametrize("name", FEATURE_LAYERS)
def test_features_are_compared_at_strides_2_to_16(name: str):
    maps = FEATURES[name]().at(torch.zeros(1, 3, 64, 64), FEATURE_LAYERS[name])
    assert [each.shape[-1] for each in maps] == [32, 16, 8, 4]


@pytest.mark.parametrize(
    ("change", "phases", "missing"),
    [
        ({"colorific": False}, 2, {"color"}),
        ({"structural": False}, 2, {"structure"}),
        ({"weights": replace(TINY.system.weights, adversarial=0)}, 1, {"color", "structure"}),
        ({"weights": replace(TINY.system.weights, align=0)}, 2, {"align"}),
        ({"transfer": "residual"}, 2, set()),
        ({"fold": 2, "transfer_channels": 0, "alignment_stride": 8}, 2, set()),
    ],
)
def test_ablations_train_and_color(dataset: Index, change: dict[str, Any], phases: int, missing: set[str]):
    system, batch = build(**change), batch_for("csft", dataset)
    assert len(system.phases()) == phases
    terms = system("generator", batch)
    names = {"reconstruction", "coarse", "align", "structure", "color"} - missing
    assert {key for key in terms if key[0] != "_"} == names
    sum(value for key, value in terms.items() if key[0] != "_").backward()
    assert all(parameter.grad is not None for parameter in system.alignment.parameters())
    with torch.no_grad():
        output = system.eval().colorize(Inputs(batch.sketch, (batch.reference, batch.reference[..., :16])))
    assert output.image.shape == batch.color.shape


@torch.no_grad()
def test_the_coarse_image_is_what_the_attention_says():
    """Row by row, over two references of two sizes."""
    system = build().eval()
    sketch = torch.where(rand(1, 1, 32, 48) > 1, -1.0, 1.0)
    references = rand(1, 3, 32, 32, seed=1).clamp(-1, 1), rand(1, 3, 16, 64, seed=2).clamp(-1, 1)
    codes = system.encode_sketch(sketch), system.encode_references(references, sketch)
    output = system.paint(*codes, Noise((0,)), Guidance())
    colors = torch.cat([F.avg_pool2d(reference, 4).flatten(2).mT for reference in references], dim=1)
    coarse = (output.attention.weights @ colors).mT.view(1, 3, 8, 12)
    wanted = F.interpolate(coarse, size=(32, 48), mode="bilinear")
    torch.testing.assert_close(output.warped_reference, wanted, rtol=1e-4, atol=1e-5)


def test_hits_count_correlation_on_the_right_part():
    """The reference shows three bands upside down: taken as they stand, only the middle one is right."""
    batch, system = plain_sample(1, 48), build()
    bands = F.one_hot(batch.parts[:, ::4, ::4], 8).permute(0, 3, 1, 2).float()
    sketch, turned = domain_vectors(bands), domain_vectors(bands.flip(2))
    assert system._hits(batch, painting(batch.color, sketch, turned)).item() == pytest.approx(1, abs=1e-4)
    assert system._hits(batch, painting(batch.color, sketch, sketch)).item() == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 250}, {"channels": (8,)}, {"generator_channels": ()}, {"alignment_stride": 3}, {"fold": 0},
        {"domain_channels": 0}, {"num_residual_blocks": -1}, {"temperature": 0.0}, {"context_side": 0},
        {"features": "clip"},
    ],
)  # fmt: skip
def test_impossible_configurations_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ConfigError, match="csft"):
        CSFTConfig(**wrong)
    with pytest.raises(ConfigError, match="negative"):
        LossWeights(align=-1)


def test_a_trained_tiny_system_colors_and_explains_from_its_file(dataset: Index, tmp_path: Path):
    """End to end: a few steps, save, load, color; a point's origin, its heat and the picture of what colored what."""
    path = train(TINY, dataset, RunFolder(tmp_path / "run"), LoopOptions(device="cpu", progress=False))
    assert (tmp_path / "run" / "samples" / "step-0000016.png").is_file()
    batch = batch_for("csft", dataset, 1)
    image = load_system(path).colorize(Inputs(batch.sketch, (batch.reference,))).image
    assert image.shape == batch.color.shape
    assert not image.requires_grad
    drawing = np.full((80, 60), 255, np.uint8)
    drawing[20:60, [10, 50]] = drawing[[20, 60], 10:51] = 0
    reference = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    result = Colorizer.from_pretrained(path, device="cpu")(drawing, reference, image_size=64)
    assert result.pixels.shape == (80, 60, 3)
    assert result.warped_reference.size == (60, 80)
    number, x, y, weight = result.correspondence.where(30, 40)
    assert number == 0
    assert 0 <= x <= 69
    assert 0 <= y <= 49
    assert 0 < weight <= 1
    heat = result.correspondence.heatmap(30, 40)
    assert heat.shape == (50, 70)
    assert heat[round(y), round(x)] > 0.5
    assert result.correspondence.picture([(30, 40)]).ndim == 3
    assert result.explain().size == result.grid().size
    brought = to_tensor(bring(result.correspondence, [reference]))  # the coarse image, which is shown enlarged
    enlarged = F.interpolate(brought, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(enlarged, to_tensor(result.network_warped), rtol=0, atol=0.02)
