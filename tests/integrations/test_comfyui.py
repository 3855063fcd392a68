"""The nodes hold ComfyUI's contract, loaded as it loads them: from a folder that is on no path, without ComfyUI."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from fakes import box_drawing
from irodori import Colorizer, InputError
from irodori.systems import build_system, preset

FOLDER = Path(__file__).parents[2] / "integrations" / "comfyui" / "irodori"
COMFY_NODES = {"LoadImage": {"image"}, "SaveImage": {"images", "filename_prefix"}}
"""ComfyUI's own nodes in the example, and their inputs."""

COLORS = torch.rand(1, 40, 60, 3, generator=torch.Generator().manual_seed(0))
PLAIN = {"lines": "keep", "snap": False, "seed": 0, "image_size": 0}


@pytest.fixture(scope="module")
def nodes() -> Iterator[dict[str, type]]:
    """NODE_CLASS_MAPPINGS, by way of `load_custom_node` of ComfyUI's nodes.py."""
    name = str(FOLDER).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, FOLDER / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    assert module.NODE_CLASS_MAPPINGS.keys() == module.NODE_DISPLAY_NAME_MAPPINGS.keys()
    yield module.NODE_CLASS_MAPPINGS
    for loaded in [key for key in sys.modules if key.startswith(name)]:
        del sys.modules[loaded]


@pytest.fixture(scope="module")
def model() -> Colorizer:
    torch.manual_seed(0)
    return Colorizer(build_system("irodori", preset("irodori/tiny").system), device="cpu")


def drawings(count: int = 1) -> torch.Tensor:
    """An IMAGE of boxes, each further to the right."""
    found = [box_drawing(90, 70, (10 + 4 * i, 10, 60 + 4 * i, 60), 2) for i in range(count)]
    return torch.from_numpy(np.stack(found)).float()[..., None].expand(-1, -1, -1, 3) / 255


# ------------------------------------------------------------------------------------------------------------ contract


def test_every_node_is_one(nodes):
    for node in nodes.values():
        inputs = node.INPUT_TYPES()
        assert set(inputs) <= {"required", "optional", "hidden"}
        given = {name: kind for group in inputs.values() for name, kind in group.items()}
        for kind in given.values():
            assert isinstance(kind, tuple)
            assert isinstance(kind[0], str) or all(isinstance(choice, str) for choice in kind[0])
            assert len(kind) == 1 or isinstance(kind[1], dict)
        assert callable(getattr(node, node.FUNCTION))
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES)
        assert node.CATEGORY == "irodori"


def test_functions_take_what_the_inputs_offer(nodes):
    for node in nodes.values():
        inputs = node.INPUT_TYPES()
        code = getattr(node, node.FUNCTION).__code__
        names = set(code.co_varnames[1 : code.co_argcount])
        assert names == {name for group in inputs.values() for name in group}


def test_the_example_names_nodes_and_inputs_that_exist(nodes):
    workflow = json.loads((FOLDER / "workflow_api.json").read_text(encoding="utf-8"))
    for step in workflow.values():
        kind, given = step["class_type"], step["inputs"]
        links = {name: value for name, value in given.items() if isinstance(value, list)}
        assert all(source in workflow for source, _ in links.values())
        if kind in COMFY_NODES:
            assert set(given) == COMFY_NODES[kind]
            continue
        inputs = nodes[kind].INPUT_TYPES()
        offered = inputs["required"] | inputs.get("optional", {})
        assert set(inputs["required"]) <= set(given) <= set(offered)
        for name, value in given.items():
            wanted = offered[name][0]
            if name in links:
                source, slot = value
                maker = workflow[source]["class_type"]
                assert maker in COMFY_NODES or nodes[maker].RETURN_TYPES[slot] == wanted
            elif isinstance(wanted, list):
                assert value in wanted


# --------------------------------------------------------------------------------------------------------------- nodes


def test_a_model_is_loaded_by_name_or_from_a_file(nodes, model, tmp_path):
    load = nodes["IrodoriLoadModel"]
    assert "scft-small" in load.INPUT_TYPES()["required"]["model"][0]
    (shipped,) = load().load("scft-small", "cpu", "torch")
    assert shipped.name == "scft-small"
    path = model.save_pretrained(tmp_path / "mine")
    (own,) = load().load("scft-small", "cpu", "torch", str(path.parent))
    assert own.system.name == "irodori"


def test_a_changed_weight_file_is_loaded_again(nodes, model, tmp_path):
    load = nodes["IrodoriLoadModel"]
    path = model.save_pretrained(tmp_path / "mine")
    before = load.IS_CHANGED("scft-small", "cpu", "torch", str(path))
    assert before == load.IS_CHANGED("scft-small", "cpu", "torch", str(path))
    path.write_bytes(path.read_bytes() + b" ")
    assert load.IS_CHANGED("scft-small", "cpu", "torch", str(path)) != before
    assert load.IS_CHANGED("scft-small", "cpu", "torch", "nowhere") == ""


def test_a_batch_is_colored_picture_by_picture_as_colorizer_does(nodes, model):
    image, results = nodes["IrodoriColorize"]().colorize(model, drawings(2), **PLAIN, reference=COLORS)
    assert image.shape == (2, 90, 70, 3)
    assert image.dtype == torch.float32
    for number in range(2):
        wanted = model(drawings(2)[number].numpy(), COLORS[0].numpy()).pixels
        assert np.array_equal((image[number] * 255).round().numpy(), wanted)
    assert len(results) == 2


def test_references_serve_all_sketches_or_one_each(nodes, model):
    colorize, pair = nodes["IrodoriColorize"]().colorize, torch.cat([COLORS, 1 - COLORS])
    one_each, _ = colorize(model, drawings(2), **PLAIN, reference=pair, pairing="one for each")
    second, _ = colorize(model, drawings(2)[1:], **PLAIN, reference=1 - COLORS)
    assert torch.equal(one_each[1:], second)
    together, _ = colorize(model, drawings(2), **PLAIN, reference=pair)
    assert torch.equal(together[:1], colorize(model, drawings(1), **PLAIN, reference=pair)[0])
    with pytest.raises(InputError, match="2 references cannot be paired with 3 sketches"):
        colorize(model, drawings(3), **PLAIN, reference=pair, pairing="one for each")


def test_without_a_reference_and_after_one(nodes, model):
    colorize = nodes["IrodoriColorize"]().colorize
    alone, _ = colorize(model, drawings(), **PLAIN)
    colorize(model, drawings(), **PLAIN, reference=COLORS)
    assert torch.equal(colorize(model, drawings(), **PLAIN)[0], alone)


def test_steering_reaches_the_model(nodes, model):
    colorize = nodes["IrodoriColorize"]().colorize
    image, results = colorize(
        model,
        drawings(),
        **PLAIN,
        reference=COLORS,
        hints="30,30=#204060\n",
        tags="red hair=0.5\nblue_skin",
        palette="ff8000",
    )
    assert (image[0, 30, 30] * 255).tolist() == pytest.approx([0x20, 0x40, 0x60])
    assert results[0].provenance["tags"] == "red_hair=0.5 blue_skin=1"
    assert "palette" in results[0].provenance


def test_outside_the_mask_the_lines_stay_on_white(nodes, model):
    mask = torch.zeros(1, 45, 35)  # half the size, as masks of other nodes may be
    mask[:, :, :15] = 1
    image, results = nodes["IrodoriColorize"]().colorize(model, drawings(), **PLAIN, reference=COLORS, mask=mask)
    lines = np.asarray(results[0].lines)
    assert np.array_equal((image[0, :, 40:, 0] * 255).round().numpy(), lines[:, 40:])
    assert np.array_equal((image[0, :, :20] * 255).round().numpy(), results[0].pixels[:, :20])


def test_layers_are_flats_colors_and_ink(nodes, model):
    _, results = nodes["IrodoriColorize"]().colorize(model, drawings(2), **PLAIN, reference=COLORS)
    flats, color, lines = nodes["IrodoriLayers"]().take_apart(results)
    assert flats.shape == color.shape == (2, 90, 70, 3)
    assert lines.shape == (2, 90, 70)
    assert len(flats[0, 20:50, 20:50].flatten(0, 1).unique(dim=0)) == 1
    assert len(color[0, 20:50, 20:50].flatten(0, 1).unique(dim=0)) > 1
    multiplied = (color * (1 - lines[..., None]) * 255).round()
    assert (multiplied - torch.from_numpy(np.stack([one.pixels for one in results]))).abs().max() <= 1


def test_a_sketch_is_extracted_from_each_picture(nodes):
    picture = torch.zeros(2, 64, 64, 3)
    picture[1, :, 32:] = 1
    for style in nodes["IrodoriExtractSketch"].INPUT_TYPES()["required"]["style"][0]:
        (sketch,) = nodes["IrodoriExtractSketch"]().extract(picture, style)
        assert sketch.shape == (2, 64, 64, 3)
        assert sketch[1].min() < 0.5 < sketch[1, :, :10].min()


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (torch.zeros(64, 64, 3), "sketch is \\(64, 64, 3\\), no IMAGE"),
        (torch.zeros(1, 3, 64, 64), "sketch is \\(1, 3, 64, 64\\), no IMAGE"),
        (torch.zeros(0, 64, 64, 3), "no IMAGE"),
        (torch.full((1, 64, 64, 3), float("nan")), "sketch holds values that are no numbers"),
        (torch.zeros(1, 8, 8, 3), "8×8 pixels: too small"),
        (None, "sketch is NoneType, no IMAGE"),
    ],
)
def test_a_bad_image_is_answered_with_a_sentence(nodes, model, image, sentence):
    with pytest.raises(InputError, match=sentence):
        nodes["IrodoriColorize"]().colorize(model, image, **PLAIN)


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (torch.zeros(1, 90, 70), "the mask is empty"),
        (torch.ones(3, 90, 70), "3 masks cannot be paired with 2 sketches"),
        (torch.ones(1, 1, 90, 70), "no MASK"),
    ],
)
def test_a_bad_mask_is_answered_with_a_sentence(nodes, model, mask, sentence):
    with pytest.raises(InputError, match=sentence):
        nodes["IrodoriColorize"]().colorize(model, drawings(2), **PLAIN, mask=mask)


def test_bad_texts_are_refused_before_anything_runs(nodes):
    validate = nodes["IrodoriColorize"].VALIDATE_INPUTS
    assert validate(tags="red_hair=0.5", hints="1,2=ff0000", palette="ff0000,00ff00") is True
    assert validate(tags=None, hints=None, palette=None) is True
    assert "is not a hint" in validate(hints="here=red")
    assert "is not a tag" in validate(tags="=")
    assert "is not a color" in validate(palette="reddish")


def test_without_irodori_the_folder_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "irodori.weights", None)
    spec = importlib.util.spec_from_file_location("lonely_nodes", FOLDER / "nodes.py")
    with pytest.raises(ImportError, match="pip install irodori"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
