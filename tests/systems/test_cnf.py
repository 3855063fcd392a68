"""CNF against its thesis (Pi 2023, chapter 3): equations, exactness, training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from batches import batch_for, plain_sample
from irodori.checkpoint import save
from irodori.data.index import Index
from irodori.errors import ConfigError
from irodori.nn.features import MobileNetV2
from irodori.systems import PRESETS, build_system, load_system, preset
from irodori.systems.base import EXACT, Inputs
from irodori.systems.cnf.aggregation import AdaptiveInstanceNorm, Concatenation, FeatureAggregation
from irodori.systems.cnf.config import CNFConfig, LossWeights
from irodori.systems.cnf.layers import LEAST_DEVIATION, ActNorm, InvertibleConv, OrthogonalDownsampling, haar_theta
from irodori.systems.cnf.losses import flow_terms
from irodori.systems.cnf.networks import CouplingBlock, Flow
from irodori.systems.cnf.system import CNF, flow_error
from irodori.training.loop import LoopOptions, header_of, train
from irodori.training.run_folder import RunFolder

TINY = preset("cnf/tiny").system
DEEP = replace(TINY, num_downsamplings=3)
"""As deep as the thesis's flows."""


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def perturbed(module: torch.nn.Module, deviation: float = 0.02) -> torch.nn.Module:
    """All weights moved, also those that start as zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(deviation * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return module


def built(config: CNFConfig, deviation: float = 0.0) -> CNF:
    torch.manual_seed(0)
    system = build_system("cnf", config).eval()
    assert isinstance(system, CNF)
    perturbed(system, deviation)
    return system


def pictures(height: int, width: int, dtype: torch.dtype = torch.float32) -> Inputs:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    sketch = torch.where(torch.rand(1, 1, height, width, generator=generator) < 0.1, -1.0, 1.0).to(dtype)
    return Inputs(sketch, ((torch.rand(1, 3, height, width, generator=generator) * 2 - 1).to(dtype),))


def log_det_by_autograd(function, x: torch.Tensor) -> torch.Tensor:
    jacobian = torch.autograd.functional.jacobian(lambda v: function(v.view_as(x)).flatten(), x.flatten())
    return torch.linalg.slogdet(jacobian).logabsdet


# --------------------------------------------------------------------------------------------------------- layers


def test_downsampling_starts_as_the_haar_transform():
    layer, block = OrthogonalDownsampling(1), torch.tensor([[[[1.0, 2.0], [3.0, 5.0]]]])
    down, _ = layer(block)
    mean, right, lower, corner = (1 + 2 + 3 + 5) / 2, (1 - 2 + 3 - 5) / 2, (1 + 2 - 3 - 5) / 2, (1 - 2 - 3 + 5) / 2
    torch.testing.assert_close(down.flatten(), torch.tensor([mean, right, lower, corner]))


def test_downsampling_is_orthogonal_for_every_theta_and_upsampling_undoes_it():
    layer = perturbed(OrthogonalDownsampling(3).double(), 2.0)
    matrices = layer.matrices()
    torch.testing.assert_close(matrices @ matrices.mT, torch.eye(4, dtype=torch.float64).expand(3, 4, 4))
    x = rand(2, 3, 6, 8, dtype=torch.float64)
    down, log_det = layer(x)
    assert down.shape == (2, 12, 3, 4)
    # Channel 1, position (2, 1): the pixels of its block, row by row, times the matrix of that channel.
    torch.testing.assert_close(down[1, 4:8, 2, 1], matrices[1] @ x[1, 1, 4:6, 2:4].flatten())
    torch.testing.assert_close(layer.inverse(down), x, rtol=0, atol=1e-12)
    assert log_det.tolist() == [0, 0]


def test_theta_is_what_the_exponential_takes_to_the_haar_transform():
    theta = haar_theta()
    signs = 2 * torch.linalg.matrix_exp(theta - theta.mT)
    assert signs.round().tolist() == [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]


def test_the_1x1_convolution_starts_as_a_rotation_and_is_its_lu_factors():
    torch.manual_seed(0)
    layer = InvertibleConv(6)
    weight = layer.weight()
    torch.testing.assert_close(weight @ weight.mT, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-6)
    perturbed(layer, 0.3)
    packed = layer.packed.detach().double()
    lower = packed.tril(-1) + torch.eye(6)
    upper = packed.triu(1) + (layer.sign * packed.diagonal().exp()).diag()
    permutation = torch.eye(6, dtype=torch.float64)[layer.order]
    torch.testing.assert_close(layer.weight(), permutation @ lower @ upper)
    torch.testing.assert_close(layer.inverse_weight(), torch.linalg.inv(permutation @ lower @ upper))
    x = rand(2, 6, 3, 4)
    torch.testing.assert_close(layer(x)[0], F.conv2d(x, layer.weight().float()[..., None, None]))
    assert layer.condition() == pytest.approx(torch.linalg.cond(layer.weight()).item())


def test_actnorm_makes_its_first_batch_of_mean_0_and_deviation_1():
    layer, first = ActNorm(3).train(), 4 + 3 * rand(4, 3, 5, 6)
    y, _ = layer(first)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(y.std((0, 2, 3), correction=0), torch.ones(3), rtol=1e-4, atol=0)
    before = layer.shift.clone()
    layer(first + 1)
    assert torch.equal(layer.shift, before)


def test_actnorm_is_not_fitted_in_evaluation_and_not_to_flat_channels():
    layer = ActNorm(2).eval()
    layer(3 + rand(2, 2, 4, 4))
    assert not layer.initialized
    layer.train()(torch.full((2, 2, 4, 4), 0.7))
    torch.testing.assert_close(layer.log_scale.exp(), torch.full((2,), 1 / LEAST_DEVIATION))


def test_actnorm_is_fitted_to_the_pictures_of_all_processes(monkeypatch: pytest.MonkeyPatch):
    """Here all is 0; in another process all is 2: mean 0, mean square 4 halve to mean 1, deviation 1."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda moments: moments.add_(torch.tensor([[2.0], [4.0]])))
    layer = ActNorm(1).train()
    layer(torch.zeros(1, 1, 2, 2))
    assert (layer.shift.item(), layer.log_scale.item()) == pytest.approx((-1, 0), abs=1e-6)


@pytest.mark.parametrize(
    "layer", [ActNorm(4), InvertibleConv(4), OrthogonalDownsampling(2)], ids=lambda m: type(m).__name__
)
def test_log_determinant_of_a_layer_is_autograd_s(layer: torch.nn.Module):
    layer = perturbed(layer.double(), 0.3).eval()
    x = (
        rand(1, 4, 2, 2, dtype=torch.float64)
        if not isinstance(layer, OrthogonalDownsampling)
        else rand(1, 2, 4, 4).double()
    )
    expected = log_det_by_autograd(lambda v: layer(v)[0], x)
    torch.testing.assert_close(layer(x)[1][0], expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(layer.inverse(layer(x)[0]), x, rtol=0, atol=1e-10)


# --------------------------------------------------------------------------------------------------------- blocks


def block(is_conditional: bool = True, **changes: object) -> CouplingBlock:
    torch.manual_seed(0)
    return perturbed(CouplingBlock(replace(TINY, **changes), 8, is_conditional).double().eval(), 0.1)


def test_a_coupling_is_equations_3_1_to_3_5_written_out():
    layer, x = block(is_conditional=False, least_scale=0.0), rand(1, 8, 4, 4, dtype=torch.float64)
    mixed = torch.einsum("ij,bjhw->bihw", layer.permute.weight(), layer.norm(x)[0])
    moved, kept = mixed[:, :4], mixed[:, 4:]
    expected = torch.cat([moved * layer.to_scale(kept).sigmoid() + layer.to_shift(kept), kept], 1)
    torch.testing.assert_close(layer(x)[0], expected)


def test_a_conditional_coupling_is_equation_3_17_and_its_scale_is_bounded():
    layer, x, reference = block(least_scale=0.25), rand(1, 8, 4, 4).double(), rand(1, 8, 4, 4, seed=1).double()
    mixed = layer.permute(layer.norm(x)[0])[0]
    moved, kept = mixed[:, :4], mixed[:, 4:]
    fuse = layer.aggregate(kept, [reference])
    scale = 0.25 + 0.75 * layer.to_scale(fuse).sigmoid()
    torch.testing.assert_close(layer(x, [reference])[0], torch.cat([moved * scale + layer.to_shift(fuse), kept], 1))
    with torch.no_grad():
        layer.to_scale[-1].bias.fill_(-1000.0)  # a plain sigmoid would be 0 here
    torch.testing.assert_close(layer.inverse(layer(x, [reference])[0], [reference]), x)


def test_a_sub_network_is_three_normed_residual_blocks_and_starts_as_zero():
    torch.manual_seed(0)
    network, x = CouplingBlock(CNFConfig(), 12, is_conditional=False).to_shift, rand(1, 6, 5, 5)
    assert network(x).abs().max() == 0
    with torch.no_grad():
        network[-1].weight.copy_(torch.eye(6)[..., None, None])
    expected = x
    for residual in list(network)[:3]:
        convolved = F.conv2d(expected, residual.conv.weight, padding=1)
        variance, mean = torch.var_mean(convolved, (2, 3), correction=0, keepdim=True)
        expected = expected + ((convolved - mean) / (variance + 1e-5).sqrt()).clamp(min=0)
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("aggregation", ["fam", "none", "concatenation", "adain"])
def test_log_determinant_and_inverse_of_a_block(aggregation: str):
    layer, x = block(aggregation=aggregation), rand(1, 8, 3, 4, dtype=torch.float64)
    references = [rand(1, 8, 3, 4, seed=1, dtype=torch.float64), rand(1, 8, 5, 2, seed=2, dtype=torch.float64)]
    y, log_det = layer(x, references)
    expected = log_det_by_autograd(lambda v: layer(v, references)[0], x)
    torch.testing.assert_close(log_det[0], expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(layer.inverse(y, references), x, rtol=0, atol=1e-10)


def test_log_determinant_of_whole_flows():
    system = built(replace(TINY, image_size=8), 0.05).double()
    sketch, reference = rand(1, 3, 8, 8, dtype=torch.float64), rand(1, 3, 8, 8, seed=1, dtype=torch.float64)
    conditions = system.encode_references([reference], sketch).conditions
    for flow in (system.sketch_flow, system.color_flow):
        expected = log_det_by_autograd(lambda v, flow=flow: flow(v, conditions).latent, sketch)
        torch.testing.assert_close(flow(sketch, conditions).log_det[0], expected, rtol=0, atol=1e-8)


def test_the_volume_of_a_batch_is_that_of_its_images():
    flow = perturbed(Flow(TINY).eval(), 0.05)
    images = rand(3, 3, 16, 16)
    together = flow(images).log_det
    alone = torch.cat([flow(image[None]).log_det for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-3)


# ---------------------------------------------------------------------------------------------------- aggregation


@pytest.mark.parametrize("is_scaled", [False, True])
def test_the_aggregation_module_is_equations_3_11_to_3_16_written_out(is_scaled: bool):
    torch.manual_seed(0)
    module = FeatureAggregation(8, 2, is_scaled).double()
    kept, color = rand(1, 4, 3, 2, dtype=torch.float64), rand(1, 8, 3, 2, seed=1, dtype=torch.float64)
    query = module.query(kept[0].flatten(1).T).T  # R(mlp_s[1](F_b)), (c, HW)
    key = module.key(color[0].flatten(1).T).T
    value_s, value_c = module.spatial_value(key.T).T, module.channel_value(key.T).T
    spatial, channel = (math.sqrt(4), 6) if is_scaled else (1, 1)
    fuse_s, fuse_c = torch.zeros(4, 6, dtype=torch.float64), torch.zeros(4, 6, dtype=torch.float64)
    for i in range(6):
        weights = torch.stack([query[:, i] @ key[:, j] / spatial for j in range(6)]).softmax(0)
        fuse_s[:, i] = sum(w * value_s[:, j] for j, w in enumerate(weights))
    for a in range(4):
        weights = torch.stack([query[a] @ key[b] / channel for b in range(4)]).softmax(0)
        fuse_c[a] = sum(w * value_c[b] for b, w in enumerate(weights))
    expected = kept * (torch.sigmoid(fuse_s + fuse_c).view(1, 4, 3, 2) + 1)
    torch.testing.assert_close(module(kept, [color]), expected)


def test_spatial_attention_does_not_care_where_a_reference_s_positions_are():
    torch.manual_seed(0)
    module, kept, color = FeatureAggregation(8, 2, True), rand(1, 4, 3, 3), rand(1, 8, 3, 3, seed=1)
    with torch.no_grad():
        module.channel_value[2].weight.zero_()  # no channel attention
        module.channel_value[2].bias.zero_()
    torch.testing.assert_close(module(kept, [color]), module(kept, [color.flip(2)]))


def test_a_reference_given_twice_is_that_reference():
    for kind in (FeatureAggregation(8, 2, True), Concatenation(8), AdaptiveInstanceNorm(8)):
        kept, color = rand(1, 4, 3, 3), rand(1, 8, 3, 3, seed=1)
        torch.testing.assert_close(kind(kept, [color]), kind(kept, [color, color]))


def test_adain_takes_the_reference_s_moments():
    module, color = AdaptiveInstanceNorm(8), 3 + 2 * rand(1, 8, 5, 7, seed=1)
    found, wanted = module(rand(1, 4, 16, 16), [color]), module.to_half(color)
    torch.testing.assert_close(found.mean((2, 3)), wanted.mean((2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.std((2, 3), correction=0), wanted.std((2, 3), correction=0), rtol=1e-3, atol=1e-3)


def test_attention_rows_are_the_mean_of_the_blocks(dataset: Index):
    system, given = built(TINY, 0.05), pictures(16, 24)
    attention = system.colorize(given).attention
    conditions = system.encode_references(given.references, given.sketch).conditions
    features = system.sketch_flow(given.sketch.expand(-1, 3, -1, -1), conditions).features
    expected = []
    for layer, x, references in zip(system.sketch_flow.blocks, features, conditions, strict=True):
        kept = layer.permute(layer.norm(x)[0])[0].chunk(2, 1)[1].float()
        query = layer.aggregate.query(kept.flatten(2).mT)
        key = layer.aggregate.key(references[0].flatten(2).mT)
        expected.append((query @ key.mT).softmax(-1))
    torch.testing.assert_close(attention.weights, torch.stack(expected).mean(0), rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------------------------------------------ exactness

SIZES = [(17, 31), (64, 64), (33, 130), (128, 96)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("deviation", [0.0, 0.02], ids=["random", "perturbed"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=["float32", "float64"]
)
@torch.no_grad()
def test_both_flows_find_back(size: tuple[int, int], deviation: float, dtype: torch.dtype, tolerance: float):
    system = built(DEEP, deviation).to(dtype)
    assert system.round_trip_error(pictures(*size, dtype)) < tolerance


@torch.no_grad()
def test_a_round_trip_is_a_round_trip():
    """It is not the latent that is compared, and the latent is not the image."""
    system, given = built(DEEP, 0.02), pictures(32, 48)
    image = given.references[0]
    encoded = system.color_flow(image)
    back = system.color_flow.inverse(encoded.latent, system.color_flow.as_conditions(encoded.features))
    assert encoded.latent.shape == (1, 192, 4, 6)
    assert encoded.latent.std() > 0.1
    torch.testing.assert_close(back.float(), image, rtol=0, atol=1e-6)
    other = [[given.references[0].new_zeros(1, 192, 4, 6)] for _ in encoded.features]
    assert flow_error(system.color_flow, image, other) < 1e-5  # exact for any condition …
    assert (system.color_flow.inverse(encoded.latent, other) - image).abs().max() > 0.01  # … if it is the same one


@torch.no_grad()
def test_weights_rounded_to_half_precision_find_back(tmp_path: Path):
    """As they ship: stored in float16, computed in float32."""
    recipe = replace(preset("cnf/tiny"), system=DEEP)
    system, path = built(DEEP, 0.02), tmp_path / "weights.safetensors"
    save(path, header_of(recipe, 0), system.state_dict(), torch.float16)
    shipped = load_system(path)
    assert any(not torch.equal(a, b) for a, b in zip(shipped.parameters(), system.parameters(), strict=True))
    assert shipped.round_trip_error(pictures(63, 41)) < 1e-5


@torch.no_grad()
def test_blank_paper_and_a_blank_reference_find_back():
    system = built(DEEP, 0.02)
    assert system.round_trip_error(Inputs(torch.ones(1, 1, 64, 64), (torch.zeros(1, 3, 64, 64),))) < 1e-5


@torch.no_grad()
def test_before_training_the_sketch_comes_out():
    """Zero last layers and equal rotations: the inverse of one flow undoes the other."""
    given = pictures(19, 40)
    image = built(replace(DEEP, last_layer=0.0)).colorize(given).image
    torch.testing.assert_close(image, given.sketch.expand(-1, 3, -1, -1), rtol=0, atol=1e-5)


class LargestTensor(TorchDispatchMode):
    """Remembers the most elements that any result had."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        for one in result if isinstance(result, tuple | list) else [result]:
            if isinstance(one, torch.Tensor):
                self.elements = max(self.elements, one.numel())
        return result


@torch.no_grad()
def test_large_pictures_need_no_map_of_all_pairs():
    system, given = built(replace(DEEP, num_ccb=1)), pictures(512, 512)
    with LargestTensor() as seen:
        image = system.colorize(given).image
    assert image.shape == (1, 3, 512, 512)
    assert seen.elements <= 4 * 3 * 512**2  # all pairs of 64 x 64 positions would be 16.8 million


# ------------------------------------------------------------------------------------------------------- the whole


def block_parameters(channels: int, is_conditional: bool) -> int:
    """By hand from section 3.5: two sub-networks of three 3x3 and a 1x1 convolution, ActNorm, W; FAM: four mlps."""
    half = channels // 2
    count = 2 * (3 * 9 * half**2 + half**2 + half) + 2 * channels + channels**2
    if is_conditional:
        for width in (half, channels, half, half):  # hidden layers of four times the input's width
            count += width * 4 * width + 4 * width + 4 * width * half + half
    return count


def test_the_thesis_s_17_million_parameters():
    with torch.device("meta"):
        system = build_system("cnf", preset("cnf/paper-256").system)
    one_flow = sum(16 * channels for channels in (3, 12, 48))
    one_flow += sum(block_parameters(channels, False) for channels in (12, 48, 192)) + 8 * block_parameters(192, True)
    count = sum(parameter.numel() for parameter in system.parameters())
    assert count == 2 * one_flow == 17_154_216
    assert count == pytest.approx(17.1e6, rel=0.005)


def test_paper_preset_is_the_thesis():
    recipe = preset("cnf/paper-256")
    config, training, data = recipe.system, recipe.training, recipe.data
    assert (config.num_downsamplings, config.num_nccb, config.num_ccb, config.num_residual_blocks) == (3, 1, 8, 3)
    assert (config.image_size, config.aggregation, config.features) == (256, "fam", "vgg16")
    assert (config.weights.reconstruction, config.weights.perceptual) == (10, 1)
    assert (training.batch_size, training.learning_rate, training.decay_factor) == (16, 1e-4, 0.9)
    assert (training.images / training.decay_images, data.recolor_share) == (20, 0)  # 100 epochs, every fifth
    assert data.self_warp.elastic > 0
    assert data.jitter is not None
    system = build_system("cnf", TINY)
    assert [(phase.name, len(phase.parameters)) for phase in system.phases()] == [
        ("flows", len(list(system.parameters())))
    ]


@pytest.mark.parametrize(("name", "downs", "nccbs"), [
    ("nccb-2-1", 2, 1), ("nccb-4-1", 4, 1), ("nccb-2-8", 2, 8), ("nccb-3-8", 3, 8), ("nccb-4-8", 4, 8),
])  # fmt: skip
def test_the_ablations_of_table_4_5(name: str, downs: int, nccbs: int):
    with torch.device("meta"):
        flow = Flow(preset(f"cnf/paper-256-{name}").system)
    assert sum(isinstance(layer, OrthogonalDownsampling) for layer in flow.stem) == downs
    assert sum(isinstance(layer, CouplingBlock) for layer in flow.stem) == downs * nccbs
    assert len(flow.blocks) == 8


def test_each_loss_has_its_value_and_weight():
    batch = plain_sample(2, 32)
    off = batch.color + 0.1
    features = MobileNetV2().requires_grad_(False)
    terms = flow_terms(LossWeights(), batch, off, features)
    assert terms["reconstruction"].item() == pytest.approx(1.0, rel=1e-4)
    expected = sum(F.mse_loss(a, b) for a, b in zip(features(off), features(batch.color), strict=True))
    torch.testing.assert_close(terms["perceptual"], expected)
    masked = replace(batch, valid=torch.zeros_like(batch.valid))
    assert [term.item() for term in flow_terms(LossWeights(), masked, off, features).values()] == [0, 0]
    assert set(flow_terms(LossWeights(), batch, off, None)) == {"reconstruction"}


@torch.no_grad()
def test_training_compares_the_colored_sketch_with_the_truth(dataset: Index):
    """Before training the sketch comes out, so that its loss is known."""
    system, batch = built(replace(TINY, last_layer=0.0)), batch_for("cnf", dataset)
    known = batch.valid.expand(-1, 3, -1, -1) > 0
    expected = (batch.sketch.expand(-1, 3, -1, -1) - batch.color).abs()[known].mean()
    torch.testing.assert_close(system("flows", batch)["reconstruction"].float(), 10 * expected, rtol=1e-4, atol=0)


def test_the_perceptual_loss_needs_its_network(dataset: Index):
    system, batch = build_system("cnf", replace(TINY, weights=LossWeights())), batch_for("cnf", dataset)
    with pytest.raises(ConfigError, match="vgg16.*--features"):
        system("flows", batch)
    system.use_features(MobileNetV2().requires_grad_(False))
    terms = system("flows", batch)
    terms["perceptual"].backward()
    assert all(parameter.grad is not None for parameter in system.parameters())


@pytest.mark.parametrize("aggregation", ["none", "concatenation", "adain"])
def test_the_ablations_of_table_4_3_train_and_color(dataset: Index, aggregation: str):
    system, batch = build_system("cnf", replace(TINY, aggregation=aggregation)), batch_for("cnf", dataset)
    system.train()("flows", batch)["reconstruction"].backward()
    assert all(parameter.grad is not None for parameter in system.parameters())
    given = pictures(24, 40)
    with torch.no_grad():
        output = system.eval().colorize(given)
        other = system.colorize(Inputs(given.sketch, (-given.references[0], pictures(17, 31).references[0])))
        assert system.round_trip_error(given) < EXACT
    assert output.attention is None
    assert torch.equal(output.image, other.image) == (aggregation == "none")


def test_every_ablation_is_a_preset():
    found = {name: recipe.system for name, recipe in PRESETS.items() if name.startswith("cnf/")}
    for start in ("paper-256", "small-64"):
        for aggregation in ("none", "concatenation", "adain"):
            assert found[f"cnf/{start}-{aggregation}"] == replace(found[f"cnf/{start}"], aggregation=aggregation)
    assert found["cnf/paper-256-l1"].weights == LossWeights(perceptual=0)
    assert found["cnf/paper-256-perceptual"].weights == LossWeights(reconstruction=0)


@pytest.mark.parametrize("wrong", [
    {"num_downsamplings": 0}, {"image_size": 36}, {"num_ccb": 0}, {"least_scale": 1.0}, {"last_layer": -1.0},
])  # fmt: skip
def test_impossible_configurations_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match="cnf"):
        CNFConfig(**wrong)


# ------------------------------------------------------------------------------------------------------- training


def test_a_trained_tiny_system_colors_from_its_file_and_finds_back(dataset: Index, tmp_path: Path):
    """End to end: a few steps, save, load, color, undo."""
    run = RunFolder(tmp_path / "run")
    path = train(preset("cnf/tiny"), dataset, run, LoopOptions(device="cpu", progress=False, log_every=8))
    system = load_system(path)
    assert system.sketch_flow.is_fitted
    assert system.color_flow.is_fitted
    batch = batch_for("cnf", dataset, 1)
    given = Inputs(batch.sketch, (batch.reference,))
    assert system.colorize(given).image.shape == batch.color.shape
    assert system.round_trip_error(given) < 1e-5
    rows = [json.loads(line) for line in run.stats.read_text().splitlines()]
    assert all(row["health/round_trip"] < 1e-5 and row["health/condition"] >= 1 for row in rows)


def test_a_broken_inverse_is_seen(dataset: Index):
    system, batch = build_system("cnf", TINY).train(), batch_for("cnf", dataset)
    system("flows", batch)
    assert system.health(batch)["round_trip"] < EXACT
    assert system.training
    with torch.no_grad():
        system.sketch_flow.blocks[1].permute.packed[3, 3] = -60.0
    with pytest.raises(ConfigError, match=r"inverse.*condition number.*sketch_flow.blocks.1.permute.*learning_rate"):
        system.health(batch)


def test_training_stops_when_the_inverse_breaks(dataset: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(CNF, "round_trip_error", lambda self, inputs: 0.5)
    run = RunFolder(tmp_path / "run")
    options = LoopOptions(device="cpu", progress=False, log_every=2, checkpoint_every=1)
    with pytest.raises(ConfigError, match="0.5"):
        train(preset("cnf/tiny"), dataset, run, options)
    assert run.stats.exists() is False
    assert json.loads((run.root / "recipe.json").read_text())["name"] == "cnf/tiny"
