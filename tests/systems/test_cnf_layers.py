"""The parts of CNF's flows against the equations of the thesis (Pi 2023, section 3.1.3)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from flows import log_det_by_autograd, perturbed, rand
from irodori.systems import preset
from irodori.systems.cnf.aggregation import AdaptiveInstanceNorm, Concatenation, FeatureAggregation
from irodori.systems.cnf.config import CNFConfig
from irodori.systems.cnf.layers import LEAST_DEVIATION, ActNorm, InvertibleConv, OrthogonalDownsampling, haar_theta
from irodori.systems.cnf.networks import CouplingBlock, Flow

TINY = preset("cnf/tiny").system


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
        expected = expected + ((convolved - mean) / (variance + 1e-3).sqrt()).clamp(min=0)
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("aggregation", ["fam", "none", "concatenation", "adain"])
def test_log_determinant_and_inverse_of_a_block(aggregation: str):
    layer, x = block(aggregation=aggregation), rand(1, 8, 3, 4, dtype=torch.float64)
    references = [rand(1, 8, 3, 4, seed=1, dtype=torch.float64), rand(1, 8, 5, 2, seed=2, dtype=torch.float64)]
    y, log_det = layer(x, references)
    expected = log_det_by_autograd(lambda v: layer(v, references)[0], x)
    torch.testing.assert_close(log_det[0], expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(layer.inverse(y, references), x, rtol=0, atol=1e-10)


def test_the_volume_of_a_batch_is_that_of_its_images():
    flow = perturbed(Flow(TINY).eval(), 0.05)
    images = rand(3, 3, 16, 16)
    together = flow(images).log_det
    alone = torch.cat([flow(image[None]).log_det for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-3)


# ---------------------------------------------------------------------------------------------------- aggregation


@pytest.mark.parametrize(("is_scaled", "is_gate"), [(False, True), (True, True), (True, False)])
def test_the_aggregation_module_is_equations_3_11_to_3_16_written_out(is_scaled: bool, is_gate: bool):
    torch.manual_seed(0)
    module = FeatureAggregation(8, 2, is_scaled=is_scaled, is_gate=is_gate).double()
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
    fuse = (fuse_s + fuse_c).view(1, 4, 3, 2)
    expected = kept * (torch.sigmoid(fuse) + 1) if is_gate else kept + fuse
    torch.testing.assert_close(module(kept, [color]), expected)


def test_spatial_attention_does_not_care_where_a_reference_s_positions_are():
    torch.manual_seed(0)
    module, kept, color = FeatureAggregation(8, 2, is_scaled=True), rand(1, 4, 3, 3), rand(1, 8, 3, 3, seed=1)
    with torch.no_grad():
        module.channel_value[2].weight.zero_()  # no channel attention
        module.channel_value[2].bias.zero_()
    torch.testing.assert_close(module(kept, [color]), module(kept, [color.flip(2)]))


def test_a_reference_given_twice_is_that_reference():
    for kind in (FeatureAggregation(8, 2, is_scaled=True), Concatenation(8), AdaptiveInstanceNorm(8)):
        kept, color = rand(1, 4, 3, 3), rand(1, 8, 3, 3, seed=1)
        torch.testing.assert_close(kind(kept, [color]), kind(kept, [color, color]))


def test_adain_takes_the_reference_s_moments():
    module, color = AdaptiveInstanceNorm(8), 3 + 2 * rand(1, 8, 5, 7, seed=1)
    found, wanted = module(rand(1, 4, 16, 16), [color]), module.to_half(color)
    torch.testing.assert_close(found.mean((2, 3)), wanted.mean((2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.std((2, 3), correction=0), wanted.std((2, 3), correction=0), rtol=1e-3, atol=1e-3)
