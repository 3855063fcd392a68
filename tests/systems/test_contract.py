"""What every system promises (`irodori.systems.base`), asked of each entry of the registry with its tiny preset."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from batches import batch_for
from irodori.checkpoint import save
from irodori.data.index import Index
from irodori.data.sample import Sample
from irodori.systems import PRESETS, SYSTEMS, build_system, load_system, preset
from irodori.systems.base import Guidance, Inputs, Noise, System
from irodori.training.loop import header_of, make_optimizers

pytestmark = pytest.mark.parametrize("name", SYSTEMS)


def build_tiny(name: str) -> System:
    torch.manual_seed(0)
    return build_system(name, preset(f"{name}/tiny").system)


def train(system: System, name: str, batch: Sample, steps: int) -> list[dict[str, float]]:
    """Plain steps of every phase; returns the losses."""
    optimizers = make_optimizers(system, preset(f"{name}/tiny").training)
    history = []
    system.train()
    for _ in range(steps):
        row = {}
        for phase in system.phases():
            system.requires_grad_(False)
            for parameter in phase.parameters:
                parameter.requires_grad_(True)
            terms = system(phase.name, batch)
            optimizers[phase.name].zero_grad()
            sum(value for key, value in terms.items() if not key.startswith("_")).backward()
            optimizers[phase.name].step()
            row |= {f"{phase.name}/{key}": value.item() for key, value in terms.items()}
        history.append(row)
    return history


def inputs(height: int, width: int, count: int = 1, references: int = 1) -> Inputs:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    sketch = torch.where(torch.rand(count, 1, height, width, generator=generator) < 0.1, -1.0, 1.0)
    images = tuple(torch.rand(count, 3, height, width, generator=generator) * 2 - 1 for _ in range(references))
    return Inputs(sketch, images)


def test_only_the_phases_move(name: str, dataset: Index):
    system = build_tiny(name)
    trained = {id(parameter) for phase in system.phases() for parameter in phase.parameters}
    before = {key: parameter.detach().clone() for key, parameter in system.named_parameters()}
    train(system, name, batch_for(name, dataset), steps=2)  # what starts at zero holds back the layers before it once
    for key, parameter in system.named_parameters():
        assert torch.equal(parameter, before[key]) == (id(parameter) not in trained), key


def test_every_trained_parameter_gets_a_finite_gradient(name: str, dataset: Index):
    system, batch = build_tiny(name).train(), batch_for(name, dataset)
    for phase in system.phases():
        system.zero_grad()
        terms = system(phase.name, batch)
        sum(value for key, value in terms.items() if not key.startswith("_")).backward()
        for parameter in phase.parameters:
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()


def test_the_loss_falls_on_four_images(name: str, dataset: Index):
    system = build_tiny(name)
    history = train(system, name, batch_for(name, dataset), steps=40)
    key = next(key for key in history[0] if key.endswith("reconstruction"))
    assert history[-1][key] < 0.8 * history[0][key]


@pytest.mark.parametrize("size", [(17, 31), (31, 17), (33, 47), (64, 64), (40, 100)])
@torch.no_grad()
def test_any_size_from_17x31_comes_back_as_it_was(name: str, size: tuple[int, int]):
    output = build_tiny(name).eval().colorize(inputs(*size))
    assert output.image.shape == (1, 3, *size)
    assert output.image.isfinite().all()
    assert output.image.abs().max() <= 1


@torch.no_grad()
def test_works_without_a_reference_and_with_several_of_any_size(name: str):
    system = build_tiny(name).eval()
    given = inputs(32, 32)
    assert system.colorize(Inputs(given.sketch)).image.isfinite().all()
    several = Inputs(given.sketch, (inputs(48, 20).references[0], inputs(17, 31).references[0]))
    assert system.colorize(several).image.shape == (1, 3, 32, 32)


@torch.no_grad()
def test_the_reference_matters(name: str):
    system, given = build_tiny(name).eval(), inputs(32, 32)
    other = Inputs(given.sketch, (-given.references[0],))
    assert not torch.allclose(system.colorize(given).image, system.colorize(other).image)


@torch.no_grad()
def test_same_seed_same_image_alone_and_in_a_batch(name: str):
    system, given = build_tiny(name).eval(), inputs(32, 48, count=3)
    together = system.colorize(given, Noise((7, 8, 9))).image
    torch.testing.assert_close(together, system.colorize(given, Noise((7, 8, 9))).image, rtol=0, atol=0)
    alone = Inputs(given.sketch[1:2], (given.references[0][1:2],))
    torch.testing.assert_close(system.colorize(alone, Noise((8,))).image, together[1:2], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_attention_rows_sum_to_one_over_all_references(name: str):
    system = build_tiny(name).eval()
    given = Inputs(inputs(32, 48).sketch, (inputs(32, 32).references[0], inputs(48, 64).references[0]))
    attention = system.colorize(given).attention
    if attention is None:
        return
    keys = sum(height * width for height, width in attention.reference_grids)
    assert attention.weights.shape == (1, attention.sketch_grid[0] * attention.sketch_grid[1], keys)
    torch.testing.assert_close(attention.weights.sum(-1), torch.ones(attention.weights.shape[:2]))


@torch.no_grad()
def test_saving_and_loading_changes_nothing(name: str, tmp_path: Path):
    system, path = build_tiny(name).eval(), tmp_path / "weights.safetensors"
    save(path, header_of(preset(f"{name}/tiny"), 0), system.state_dict())
    again = load_system(path)
    assert again.config == system.config
    torch.testing.assert_close(
        again.colorize(inputs(32, 32)).image, system.colorize(inputs(32, 32)).image, rtol=0, atol=0
    )


@torch.no_grad()
def test_the_halves_of_colorize_give_the_same_image(name: str):
    """An interactive user encodes once and paints often."""
    system, given = build_tiny(name).eval(), inputs(32, 32)
    sketch, reference = system.encode_sketch(given.sketch), system.encode_references(given.references, given.sketch)
    for _ in range(2):
        painted = system.paint(sketch, reference, Noise((0,)), Guidance()).image
        torch.testing.assert_close(painted, system.colorize(given, Noise((0,))).image, rtol=0, atol=0)


def test_every_preset_builds(name: str):
    names = [key for key in PRESETS if key.startswith(f"{name}/")]
    own = {"irodori": ("base",), "colorizediffusion": ("small", "v1", "v1.5", "v2")}
    usual = {f"{name}/{preset}" for preset in own.get(name, ("small", "paper-256"))}
    assert {f"{name}/tiny", *usual} <= set(names)
    with torch.device("meta"):
        for key in names:
            system = build_system(name, PRESETS[key].system)
            assert isinstance(system, SYSTEMS[name])
            assert system.takes == SYSTEMS[name].takes_with(PRESETS[key].system)
