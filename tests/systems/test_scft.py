"""SCFT against its paper (Lee et al. 2020)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from batches import batch_for
from irodori.data.index import Index
from irodori.errors import ConfigError, WeightsError
from irodori.nn.features import MobileNetV2
from irodori.nn.pyramid import Encoder
from irodori.systems import build_system, load_system, preset
from irodori.systems.base import Inputs
from irodori.systems.scft.config import LossWeights, SCFTConfig
from irodori.systems.scft.losses import generator_terms
from irodori.systems.scft.networks import FeatureTransfer, Generator, adain_features, add_features
from irodori.training.loop import LoopOptions, train
from irodori.training.run_folder import RunFolder


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_encoder_is_table_5():
    encoder = Encoder(1, SCFTConfig().channels)
    found = [(c.in_channels, c.out_channels, c.kernel_size[0], c.padding[0], c.stride[0]) for c in encoder.layers]
    assert found == [
        (1, 16, 3, 1, 1), (16, 16, 3, 1, 1), (16, 32, 3, 1, 2), (32, 32, 3, 1, 1), (32, 64, 3, 1, 2),
        (64, 64, 3, 1, 1), (64, 128, 3, 1, 2), (128, 128, 3, 1, 1), (128, 256, 3, 1, 2), (256, 256, 3, 1, 1),
    ]  # fmt: skip
    assert SCFTConfig().feature_channels == 992
    features = encoder(torch.zeros(1, 1, 64, 64)).features
    assert features.shape == (1, 992, 4, 4)


def test_equation_1_pools_every_activation_to_the_deepest_size():
    encoder = Encoder(3, (4, 8))
    pyramid = encoder(rand(1, 3, 8, 8))
    pooled = torch.nn.functional.avg_pool2d(pyramid.activations[0], 2)
    torch.testing.assert_close(pyramid.features[:, :4], pooled)
    torch.testing.assert_close(pyramid.features[:, -8:], pyramid.activations[-1])


def test_transfer_is_equations_2_to_4_written_out():
    transfer, sketch, reference = FeatureTransfer(6), rand(1, 6, 2, 3), rand(1, 5, 6, seed=1)
    result, attended = transfer(sketch, reference)
    w_q, w_k, w_v = (layer.weight for layer in (transfer.query, transfer.key, transfer.value))
    for i in range(6):
        v_s = sketch[0, :, i // 3, i % 3]
        scores = torch.stack([(w_q @ v_s) @ (w_k @ v_r) / math.sqrt(6) for v_r in reference[0]])
        alpha = scores.softmax(0)
        context = sum(a * (w_v @ v_r) for a, v_r in zip(alpha, reference[0], strict=True))
        torch.testing.assert_close(attended.weights[0, i], alpha)
        torch.testing.assert_close(result[0, :, i // 3, i % 3], v_s + context)


def test_transfer_does_not_care_where_the_reference_s_positions_are():
    transfer, sketch, reference = FeatureTransfer(6), rand(1, 6, 2, 2), rand(1, 7, 6, seed=1)
    torch.testing.assert_close(transfer(sketch, reference)[0], transfer(sketch, reference.flip(1))[0])


def test_adain_takes_the_reference_s_moments():
    joined = adain_features(rand(1, 4, 8, 8), 3 + 2 * rand(1, 64, 4, seed=1))
    reference = 3 + 2 * rand(1, 64, 4, seed=1)
    torch.testing.assert_close(joined.mean((2, 3)), reference.mean(1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(joined.std((2, 3)), reference.std(1), rtol=1e-3, atol=1e-3)


def test_addition_keeps_positions_and_averages_references():
    sketch, first, second = rand(1, 4, 2, 2), rand(1, 4, 4, seed=1), rand(1, 4, 4, seed=2)
    torch.testing.assert_close(add_features(sketch, first), sketch + first.mT.view(1, 4, 2, 2))
    both = add_features(sketch, torch.cat([first, second], 1))
    torch.testing.assert_close(both, sketch + (first + second).mT.view(1, 4, 2, 2) / 2)


def test_the_paper_s_sizes():
    with torch.device("meta"):
        generator = Generator((16, 32, 64, 128, 256), "scft", 0, 4)
    # By hand from table 5: sum of in * out * 9 + out.
    plan = ((1, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256))
    expected = sum(9 * i * o + o for i, o in plan)
    assert sum(p.numel() for p in generator.sketch_encoder.parameters()) == expected
    assert sum(p.numel() for p in generator.reference_encoder.parameters()) == expected + 9 * 2 * 16
    assert sum(p.numel() for p in generator.transfer.parameters()) == 3 * 992 * 992
    assert len(generator.decoder.blocks) == 4


def test_paper_preset_is_the_paper():
    recipe = preset("scft/paper-256")
    weights = recipe.system.weights
    assert (weights.reconstruction, weights.adversarial, weights.perceptual, weights.style, weights.triplet) == (
        30, 1, 0.01, 50, 1)  # fmt: skip
    assert (recipe.system.margin, recipe.system.image_size, recipe.system.initialization) == (12, 256, "normal")
    training = recipe.training
    assert (training.batch_size, training.learning_rate, training.betas) == (16, 1e-4, (0.5, 0.999))
    assert (training.decay, training.decay_start) == ("linear", 0.5)
    assert (recipe.data.appearance, recipe.data.no_reference, recipe.data.recolor_share) == (50, 0.1, 0)
    with torch.device("meta"):
        phases = build_system("scft", recipe.system).phases()
    assert [(phase.name, phase.learning_rate_scale) for phase in phases] == [("discriminator", 2.0), ("generator", 1.0)]


def test_all_five_losses_are_there_and_weighted(dataset: Index):
    config = replace(preset("scft/tiny").system, weights=LossWeights(), features="mobilenet_v2")
    system, batch = build_system("scft", config), batch_for("scft", dataset)
    with pytest.raises(ConfigError, match="--features"):
        system("generator", batch)
    system.use_features(MobileNetV2().requires_grad_(False))
    torch.manual_seed(0)
    terms = system("generator", batch)
    assert {k for k in terms if k[0] != "_"} == {"reconstruction", "adversarial", "perceptual", "style", "triplet"}
    twice = LossWeights(reconstruction=60, adversarial=2, perceptual=0.02, style=100, triplet=2)
    other = build_system("scft", replace(config, weights=twice))
    other.load_state_dict(system.state_dict())
    other.use_features(system.frozen_features)
    torch.manual_seed(0)
    for key, value in other("generator", batch).items():
        if not key.startswith("_"):
            torch.testing.assert_close(value, 2 * terms[key], rtol=1e-4, atol=1e-6)


def test_each_loss_has_its_value_and_weight(dataset: Index):
    """A discriminator that says 0 everywhere costs the generator exactly 1; the truth costs no reconstruction."""
    batch = batch_for("scft", dataset)
    config = replace(preset("scft/tiny").system, weights=LossWeights(reconstruction=30, adversarial=3))
    terms = generator_terms(config, batch, batch.color, None, lambda pair: torch.zeros(len(pair), 1, 2, 2), None)
    assert terms["adversarial"].item() == pytest.approx(3.0)
    assert terms["reconstruction"].item() == 0.0
    shifted = generator_terms(config, batch, batch.color + 0.1, None, None, None)
    assert shifted["reconstruction"].item() == pytest.approx(3.0, rel=1e-4)


def test_frozen_features_are_neither_saved_nor_trained():
    system = build_system("scft", preset("scft/tiny").system)
    keys, count = set(system.state_dict()), len(list(system.parameters()))
    system.use_features(MobileNetV2())
    assert set(system.state_dict()) == keys
    assert len(list(system.parameters())) == count


@pytest.mark.parametrize("wrong", [{"image_size": 250}, {"channels": (8,)}, {"num_residual_blocks": -1}])
def test_impossible_configurations_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match="scft"):
        SCFTConfig(**wrong)


def test_a_trained_tiny_system_colors_from_its_file(dataset: Index, tmp_path: Path):
    """End to end: a few steps, save, load, color."""
    recipe = preset("scft/tiny")
    path = train(recipe, dataset, RunFolder(tmp_path / "run"), LoopOptions(device="cpu", progress=False))
    system = load_system(path)
    batch = batch_for("scft", dataset, 1)
    image = system.colorize(Inputs(batch.sketch, (batch.reference,))).image
    assert image.shape == batch.color.shape
    assert not image.requires_grad
    assert (tmp_path / "run" / "samples" / "step-0000016.png").is_file()


@pytest.mark.parametrize("aggregation", ["add", "adain"])
def test_the_ablations_train_and_color_without_attention(dataset: Index, aggregation: str):
    config = replace(preset("scft/tiny").system, aggregation=aggregation, weights=LossWeights(perceptual=0, style=0))
    system, batch = build_system("scft", config), batch_for("scft", dataset)
    terms = system("generator", batch)
    assert {key for key in terms if key[0] != "_"} == {"reconstruction", "adversarial"}
    terms["reconstruction"].backward()
    assert all(p.grad is not None for p in system.generator.reference_encoder.parameters())
    output = system.eval().colorize(Inputs(batch.sketch, (batch.reference, batch.reference)))
    assert output.attention is None
    assert output.image.shape == batch.color.shape


def test_a_file_of_another_shape_is_refused(tmp_path: Path):
    from irodori.checkpoint import save
    from irodori.training.loop import header_of

    recipe = preset("scft/tiny")
    tensors = build_system("scft", recipe.system).state_dict()
    del tensors["generator.decoder.to_image.bias"]
    save(tmp_path / "w.safetensors", header_of(recipe, 0), tensors)
    with pytest.raises(WeightsError, match=r"1 missing \['generator.decoder.to_image.bias'\]"):
        load_system(tmp_path / "w.safetensors")
