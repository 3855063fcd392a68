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
from flows import log_det_by_autograd, perturbed, rand
from irodori.checkpoint import save
from irodori.data.index import Index
from irodori.errors import ConfigError
from irodori.nn.features import MobileNetV2
from irodori.systems import PRESETS, build_system, load_system, preset
from irodori.systems.base import EXACT, Inputs
from irodori.systems.cnf.config import CNFConfig, LossWeights
from irodori.systems.cnf.layers import OrthogonalDownsampling
from irodori.systems.cnf.losses import flow_terms
from irodori.systems.cnf.networks import CouplingBlock, Flow
from irodori.systems.cnf.system import CNF, flow_error
from irodori.training.loop import LoopOptions, header_of, train
from irodori.training.run_folder import RunFolder

TINY = preset("cnf/tiny").system
DEEP = replace(TINY, num_downsamplings=3)
"""As deep as the thesis's flows."""


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


# ------------------------------------------------------------------------------------------------------ exactness

SIZES = [(17, 31), (64, 64), (33, 130), (401, 250)]


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
    back = system.color_flow.inverse(encoded.latent, [[feature] for feature in encoded.features])
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


def test_log_determinant_of_whole_flows():
    system = built(replace(TINY, image_size=8), 0.05).double()
    sketch, reference = rand(1, 3, 4, 8, dtype=torch.float64), rand(1, 3, 4, 8, seed=1, dtype=torch.float64)
    conditions = system.encode_references([reference], sketch).conditions
    for flow in (system.sketch_flow, system.color_flow):
        expected = log_det_by_autograd(lambda v, flow=flow: flow(v, conditions).latent, sketch)
        torch.testing.assert_close(flow(sketch, conditions).log_det[0], expected, rtol=0, atol=1e-8)


def test_attention_rows_are_the_mean_of_the_blocks():
    system, given = built(TINY, 0.05), pictures(16, 24)
    attention = system.colorize(given).attention
    conditions = system.encode_references(given.references, given.sketch).conditions
    features = system.sketch_flow(given.sketch.expand(-1, 3, -1, -1), conditions).features
    expected = []
    for layer, x, references in zip(system.sketch_flow.blocks, features, conditions, strict=True):
        kept = layer.permute(layer.norm(x)[0])[0].chunk(2, 1)[1]
        query = layer.aggregate.query(kept.flatten(2).mT)
        key = layer.aggregate.key(references[0].flatten(2).mT)
        expected.append((query @ key.mT).softmax(-1))
    torch.testing.assert_close(attention.weights, torch.stack(expected).mean(0).float(), rtol=1e-4, atol=1e-6)


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


def test_attention_is_told_the_parts(dataset: Index):
    """One part everywhere: nothing to tell.  Parts that the reference shows in one position: -log of that weight."""
    system = built(replace(TINY, weights=LossWeights(perceptual=0, attention=3)))
    batch = batch_for("cnf", dataset)
    batch = replace(batch, parts=torch.zeros_like(batch.parts), reference_parts=torch.zeros_like(batch.parts))
    assert system("flows", batch)["attention"].item() == pytest.approx(0, abs=1e-5)
    corner = torch.ones_like(batch.parts)
    corner[:, : system.size_multiple, : system.size_multiple] = 0
    conditions = system.encode_references([batch.reference], batch.sketch).conditions
    x, rows = system.sketch_flow.encode_stem(batch.sketch.expand(-1, 3, -1, -1))[0], []
    for block, features in zip(system.sketch_flow.blocks, conditions, strict=True):
        rows.append(block.attention_rows(x, features, torch.arange(x.shape[-2] * x.shape[-1])))
        x = block(x, features)[0]
    term = system("flows", replace(batch, reference_parts=corner))["attention"]
    assert term.item() == pytest.approx(-3 * torch.stack(rows)[..., 0].log().mean().item(), rel=1e-4)


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


@pytest.mark.parametrize("flow", ["sketch_flow", "color_flow"])
@pytest.mark.parametrize("damage", [-60.0, math.nan])
def test_a_broken_inverse_is_seen(dataset: Index, flow: str, damage: float):
    system, batch = build_system("cnf", TINY).train(), batch_for("cnf", dataset)
    system("flows", batch)
    assert system.health(batch)["round_trip"] < EXACT
    assert system.training
    with torch.no_grad():
        getattr(system, flow).blocks[1].permute.packed[3, 3] = damage
    with pytest.raises(ConfigError, match=rf"inverse.*condition number.*{flow}.blocks.1.permute.*learning_rate"):
        system.health(batch)


def test_training_stops_when_the_inverse_breaks(dataset: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(CNF, "round_trip_error", lambda self, inputs: 0.5)
    run = RunFolder(tmp_path / "run")
    options = LoopOptions(device="cpu", progress=False, log_every=2, checkpoint_every=1)
    with pytest.raises(ConfigError, match="0.5"):
        train(preset("cnf/tiny"), dataset, run, options)
    assert run.stats.exists() is False
    assert json.loads((run.root / "recipe.json").read_text())["name"] == "cnf/tiny"
