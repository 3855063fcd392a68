"""The authors' files: every tensor of the full-size lists has its place, and small files convert strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import released
import released_names
from irodori.checkpoint import read_header, read_tensors
from irodori.errors import ConfigError, WeightsError
from irodori.systems import load_system, preset
from irodori.systems.colorizediffusion.memory import Estimate, estimate
from irodori.systems.colorizediffusion.openclip import clip_tensors
from irodori.systems.colorizediffusion.published import config_of, empty_state, fitted
from irodori.systems.colorizediffusion.release import our_name, version_of
from irodori.systems.convert import Converted, Wish
from irodori.systems.convert import convert as convert_layout

PRESETS = {"v1": "colorizediffusion/v1", "v1.5": "colorizediffusion/v1.5", "v2": "colorizediffusion/v2"}


def on_meta(shapes: released.Shapes) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def sizes(shapes: released.Shapes) -> dict[str, torch.Size]:
    return {name: torch.Size(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("version", released.VERSIONS)
def test_full_size_lists_and_networks_match_one_to_one(version: str):
    shapes = released.release_shapes(version)
    pairs = [(our_name(name, 4), tensor) for name, tensor in on_meta(shapes).items()]
    theirs = {name: fitted(name, tensor).shape for name, tensor in pairs if name is not None}
    assert len(theirs) == len(shapes) - 12  # schedule tables; no two names became one
    clip = on_meta(released_names.clip())
    theirs |= {f"encoder.{name}": tensor.shape for name, tensor in clip_tensors(clip).items()}
    ours = {name: tensor.shape for name, tensor in empty_state(preset(PRESETS[version]).system).items()}
    assert theirs == ours


@pytest.mark.parametrize(("version", "millions"), [("v1", 865.91), ("v1.5", None), ("v2", 1056.92)])
def test_the_denoising_network_has_the_published_size(version: str, millions: float | None):
    state = empty_state(preset(PRESETS[version]).system)
    count = sum(tensor.numel() for name, tensor in state.items() if name.startswith("unet."))
    if millions is None:
        shapes = released.release_shapes(version)
        assert count == sum(torch.Size(s).numel() for n, s in shapes.items() if n.startswith("model.diffusion_model."))
    else:
        assert count / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("version", released.VERSIONS)
def test_shapes_tell_the_full_size_configuration(version: str):
    found = config_of(sizes(released.release_shapes(version)), sizes(released_names.clip()))
    expected = preset(PRESETS[version]).system
    for part in ("version", "prediction", "image_size", "unet", "vae", "sketch_channels", "adapters", "recovery"):
        assert getattr(found, part) == getattr(expected, part), part
    assert found.encoder == expected.encoder


# ------------------------------------------------------------------------------------------------- files on disk


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions say nothing true about memory, which takes a second each; below it is asked for by itself."""
    monkeypatch.setattr("irodori.systems.colorizediffusion.memory.estimate", lambda *_: Estimate(0, 0, {"": (0, 0)}))


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("clip") / "clip.safetensors", clip_weights())


def clip_weights() -> released.Weights:
    return released.random_weights(released.small_clip_shapes())


def write(path: Path, weights: released.Weights) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    return path


def small(version: str) -> released.Weights:
    """What a file holds, all ones: what the networks make of it is tested elsewhere."""
    return {name: torch.ones(shape) for name, shape in released.small_shapes(version).items()}


def convert(file: Path, output: Path, others=None, settings=None, full: bool = False) -> Converted:
    wish = Wish(files=(file,), others=others or {}, settings=settings or {}, full=full)
    return convert_layout("colorizediffusion", wish, output)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("version", released.VERSIONS)
def test_a_small_file_converts_and_loads(clip_file: Path, tmp_path: Path, version: str):
    name = "model.diffusion_model.input_blocks.4.1.proj_in.weight"
    weights = small(version)
    weights[name] = torch.arange(weights[name].numel()).float().view(weights[name].shape)
    file, output = write(tmp_path / "some-name.safetensors", weights), tmp_path / "model.safetensors"
    said = convert(file, output, {"clip": clip_file}, full=True).notice
    prediction = "v" if version == "v2" else "eps"
    assert f"ColorizeDiffusion {version}, predicts {prediction}" in said
    system = load_system(output)
    assert (system.config.version, system.config.prediction) == (version, prediction)
    assert read_header(output).provenance["license"] == "CC BY-NC-SA 4.0"
    assert torch.equal(system.state_dict()["unet.input_blocks.4.transformer.proj_in.weight"], weights[name])


@pytest.mark.usefixtures("quick")
def test_half_precision_prediction_and_clip_inside_the_file(tmp_path: Path):
    """The prediction is never guessed from a name: what the version says holds unless it is set."""
    file, output = tmp_path / "mult-v.safetensors", tmp_path / "model.safetensors"
    write(file, small("v1") | clip_weights())
    assert "predicts eps" in convert(file, output).notice
    assert {tensor.dtype for tensor in read_tensors(output).values()} == {torch.float16}
    assert "predicts v" in convert(file, output, settings={"prediction": "v"}).notice
    assert read_header(output).config["prediction"] == "v"


def broken(version: str, change) -> released.Weights:
    weights = small(version)
    change(weights)
    return weights


ADAPTER = "model.diffusion_model.output_blocks.5.1.transformer_blocks.0.attn2.to_k.lora_up_bg.weight"


@pytest.mark.parametrize(
    ("version", "change", "message"),
    [
        (
            "v2",
            lambda w: w.pop(ADAPTER),
            "lora_up_bg.weight' is missing",
        ),  # the authors' own loader hides missing adapters
        ("v1", lambda w: w.pop("control_encoder.zero_blocks.3.0.bias"), "1 missing"),
        ("v1", lambda w: w.update({"control_encoder.extra.weight": torch.zeros(2)}), "1 unexpected"),
        ("v1", lambda w: w.update({"lora_te.weight": torch.zeros(2)}), "unknown tensor lora_te.weight"),
        ("v1.5", lambda w: w.update({"thresh_embedder.embed_layer.2.bias": torch.zeros(3)}), "1 of another shape"),
        ("v1", lambda w: w.pop("model.diffusion_model.input_blocks.0.0.weight"), "is missing"),
        ("v1", lambda w: [w.pop(n) for n in list(w) if n.startswith("control_encoder.")], "no weights of Colorize"),
    ],
)
def test_files_that_do_not_fit_are_refused(clip_file: Path, tmp_path: Path, version: str, change, message: str):
    file, output = write(tmp_path / "file.safetensors", broken(version, change)), tmp_path / "out.safetensors"
    with pytest.raises(WeightsError, match=message):
        convert(file, output, {"clip": clip_file})
    assert not output.exists()


def test_an_older_trees_file_is_named_as_such():
    name = "model.diffusion_model.semantic_input_blocks.model.0.weight"
    with pytest.raises(WeightsError, match="older tree"):
        version_of({name: torch.Size((16, 3, 3, 3))})


def test_without_clip_the_remedy_is_named(tmp_path: Path):
    file = write(tmp_path / "file.safetensors", small("v1"))
    with pytest.raises(WeightsError, match="--with clip=FILE"):
        convert(file, tmp_path / "out.safetensors")


@pytest.mark.usefixtures("quick")
def test_widths_of_heads_can_be_set_and_are_checked(clip_file: Path, tmp_path: Path):
    file, output = write(tmp_path / "file.safetensors", small("v1")), tmp_path / "out.safetensors"
    convert(file, output, {"clip": clip_file}, {"unet": {"head_channels": 16}})
    assert read_header(output).config["unet"]["head_channels"] == 16
    with pytest.raises(ConfigError, match="multiples"):
        convert(file, output, {"clip": clip_file}, {"unet": {"head_channels": 24}})


def test_clip_in_the_layout_of_transformers_is_the_same():
    ours = clip_tensors(clip_weights())
    again = clip_tensors({name.removeprefix("vision.").removeprefix("text."): value for name, value in ours.items()})
    assert again.keys() == ours.keys()
    assert all(torch.equal(again[name], ours[name]) for name in ours)


# ---------------------------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize(("version", "side", "gigabytes"), [("v1", 512, 6), ("v2", 768, 10)])
def test_full_size_models_fit_the_promised_gpus_in_half_precision(version: str, side: int, gigabytes: int):
    config = preset(PRESETS[version]).system
    found = estimate(config, (side, side), torch.float16)
    assert found.weights == 2 * sum(tensor.numel() for tensor in empty_state(config).values())
    assert found.weights < found.total < gigabytes * 1e9
    assert found.offloaded < 0.6 * found.total


def test_activations_grow_with_the_picture_and_its_precision():
    config = preset("colorizediffusion/tiny-v2").system
    small, wide = (estimate(config, (64, side), torch.float16).activations for side in (64, 128))
    assert wide == pytest.approx(2 * small, rel=0.02)
    assert estimate(config, (64, 64), torch.float32).activations == pytest.approx(2 * small, rel=0.02)
