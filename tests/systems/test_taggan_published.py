"""Weights in the authors' layout: every name, every shape, and the same picture as their layers in their order."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.checkpoint import load, save
from irodori.errors import InputError, WeightsError
from irodori.systems import PRESETS, build_system, load_system, preset
from irodori.systems.base import Guidance, Inputs
from irodori.systems.convert import Wish, convert
from irodori.systems.taggan.config import TagGANConfig, TaggerConfig
from irodori.systems.taggan.published import IMAGENET_DEVIATION, IMAGENET_MEAN, KNOWN_TAGS, our_name
from irodori.training.loop import initialize_from

Shapes = dict[str, tuple[int, ...]]


def conv(name: str, before: int, after: int) -> Shapes:
    return {f"{name}.weight": (after, before, 3, 3), f"{name}.bias": (after,)}


def attention(name: str, channels: int, memory: int) -> Shapes:
    widths = {"q": channels, "k": memory, "v": memory, "out": channels}
    return {f"{name}.{role}_w.weight": (channels, width) for role, width in widths.items()}


def generator_shapes(widths: tuple[int, ...], reference: int, is_attention: bool, rbca: bool) -> Shapes:
    shapes: Shapes = {}
    for number, (before, width) in enumerate(zip((1, *widths), widths, strict=False), 1):
        shapes |= conv(f"conv{number}.conv1", before, width) | conv(f"conv{number}.conv2", width, width)
    deep = widths[-1]
    shapes |= conv("res.conv1", deep, deep) | conv("res.conv2", deep, deep) | conv("in_conv", deep, deep)
    shapes |= conv("deconv1.conv", deep, 4 * widths[-2]) | attention("deconv1.sattn", widths[-2], widths[-2])
    x, steps = widths[-2], [(widths[-2], widths[-3]), (widths[-3], widths[-4]), (widths[-4], widths[-5])]
    for number, (skip, width) in enumerate(steps, 2):
        shapes |= conv(f"deconv{number}.conv1", x + skip, 4 * width) | conv(f"deconv{number}.conv2", width, width)
        if rbca:
            shapes |= attention(f"deconv{number}.attn_layer", width, reference)
        x = width
    shapes |= conv("deconv5.conv1", x + widths[0], 4 * widths[0]) | conv("deconv5.conv2", widths[0], 3)
    return shapes | (attention("refer_attn", deep, reference) if is_attention else {})


def tagger_shapes(widths: tuple[int, ...], depths: tuple[int, ...], tags: int) -> Shapes:
    def norm(name: str, width: int) -> Shapes:
        values = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (width,))
        return {f"{name}.{key}": shape for key, shape in values.items()} | {f"{name}.num_batches_tracked": ()}

    shapes: Shapes = {"conv1.weight": (widths[0], 3, 7, 7), **norm("bn1", widths[0])}
    before = widths[0]
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), 1):
        for block in range(depth):
            name = f"layer{stage}.{block}"
            shapes |= {f"{name}.conv1.weight": (width, before, 3, 3), **norm(f"{name}.bn1", width)}
            shapes |= {f"{name}.conv2.weight": (width, width, 3, 3), **norm(f"{name}.bn2", width)}
            if before != width:
                shapes |= {f"{name}.downsample.0.weight": (width, before, 1, 1), **norm(f"{name}.downsample.1", width)}
            before = width
    return shapes | {"fc.weight": (tags, before), "fc.bias": (tags,)}


def critic_shapes(c: int) -> Shapes:
    widths = (4, c, c, 2 * c, 2 * c, 4 * c, 4 * c, 8 * c, 1)
    shapes: Shapes = {}
    for number, (before, width) in enumerate(pairwise(widths)):
        shapes |= conv(f"model.{2 * number}", before, width)
    return shapes


def mapping_shapes(tags: int, width: int, out: int) -> Shapes:
    shapes: Shapes = {}
    for number, before in enumerate((tags, width, width, width)):
        shapes |= {f"mlp.{number}.0.weight": (width, before), f"mlp.{number}.0.bias": (width,)}
    return shapes | {"fusion_layer.weight": (out, 4 * width)}


def elements(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


WIDTHS, TAGGER, DEPTHS, TAGS = (4, 6, 8, 8, 8), (4, 5, 6, 8), (1, 1, 2, 1), 12


def random(shapes: Shapes, seed: int, prefix: str = "") -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            value = torch.tensor(7)
        elif name.endswith("running_var") or ".bn" in name or name.startswith("bn"):
            value = torch.rand(shape, generator=generator) + 0.5
        else:
            fan = math.prod(shape[1:]) if len(shape) > 1 else 4
            value = torch.randn(shape, generator=generator) / math.sqrt(fan)
        found[prefix + name] = value
    return found


def networks(is_attention: bool = True, rbca: bool = True) -> dict[str, dict[str, Tensor]]:
    shapes = {
        "G": generator_shapes(WIDTHS, TAGGER[-1], is_attention, rbca), "D": critic_shapes(3),
        "M": mapping_shapes(TAGS, 10, TAGGER[-1]), "R": tagger_shapes(TAGGER, DEPTHS, TAGS),
    }  # fmt: skip
    if is_attention:
        shapes["Mr"] = {"weight": (TAGGER[-1],) * 2, "bias": (TAGGER[-1],)}
    return {name: random(shape, seed) for seed, (name, shape) in enumerate(shapes.items())}


def write(folder: Path, parts: dict[str, dict[str, Tensor]]) -> list[Path]:
    """The three files as the authors save them, from a run on several GPUs."""
    prefixed = {n: {f"module.{k}": v for k, v in tensors.items()} for n, tensors in parts.items()}
    states = {"epoch": 9, "lr": 1e-4}
    torch.save({"states": states, "G": prefixed["G"], "D": prefixed["D"]}, folder / "latest_colorization.pth")
    mapping = {name: prefixed[name] for name in ("M", "Mr") if name in prefixed}
    torch.save({"states": states, **mapping}, folder / "latest_mapping.pth")
    torch.save(parts["R"], folder / "tagger.pth")
    return [folder / name for name in ("latest_colorization.pth", "latest_mapping.pth", "tagger.pth")]


# --- the authors' layers, written from their table -------------------------------------------------------------------


def their_conv(p: dict[str, Tensor], name: str, x: Tensor, stride: int = 1) -> Tensor:
    return F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], stride=stride, padding=1)


def their_attention(p: dict[str, Tensor], name: str, x: Tensor, memory: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    q = tokens @ p[f"{name}.q_w.weight"].T
    k, v = (memory @ p[f"{name}.{role}_w.weight"].T for role in "kv")
    weights = torch.softmax(q @ k.transpose(1, 2) * x.shape[1] ** -0.5, dim=-1)
    return x + ((weights @ v) @ p[f"{name}.out_w.weight"].T).transpose(1, 2).reshape(x.shape)


def their_rbca(p: dict[str, Tensor], name: str, x: Tensor, r: Tensor) -> Tensor:
    q = x.mean((2, 3)) @ p[f"{name}.q_w.weight"].T
    k, v = (r @ p[f"{name}.{role}_w.weight"].T for role in "kv")
    a = torch.softmax(torch.einsum("bi,bj->bij", k, q) * x.shape[1] ** -0.5, dim=-1)
    y = torch.einsum("bi,bij->bj", v, a) @ p[f"{name}.out_w.weight"].T
    return x + x * torch.sigmoid(y)[..., None, None]


def their_generator(p: dict[str, Tensor], sketch: Tensor, features: Tensor) -> Tensor:
    memory, r = features.flatten(2).transpose(1, 2), features.mean((2, 3))
    x, skips = sketch, []
    for number in range(1, 6):
        x = F.relu(their_conv(p, f"conv{number}.conv1", x))
        x = F.relu(their_conv(p, f"conv{number}.conv2", x, stride=2))
        skips.append(x)
    x = F.relu(x + their_conv(p, "res.conv2", F.relu(their_conv(p, "res.conv1", x))))
    x = their_attention(p, "refer_attn", x, memory) if "refer_attn.q_w.weight" in p else x + r[..., None, None]
    x = F.relu(their_conv(p, "in_conv", x))
    x = F.pixel_shuffle(F.relu(their_conv(p, "deconv1.conv", x)), 2)
    x = their_attention(p, "deconv1.sattn", x, x.flatten(2).transpose(1, 2))
    for number in (2, 3, 4):
        x = torch.cat([x, skips[5 - number]], 1)
        x = F.pixel_shuffle(F.relu(their_conv(p, f"deconv{number}.conv1", x)), 2)
        if f"deconv{number}.attn_layer.q_w.weight" in p:
            x = their_rbca(p, f"deconv{number}.attn_layer", x, r)
        x = F.relu(their_conv(p, f"deconv{number}.conv2", x))
    x = F.pixel_shuffle(F.relu(their_conv(p, "deconv5.conv1", torch.cat([x, skips[0]], 1))), 2)
    return torch.tanh(their_conv(p, "deconv5.conv2", x))


def their_features(p: dict[str, Tensor], x: Tensor) -> Tensor:
    def norm(name: str, x: Tensor) -> Tensor:
        statistics = (p[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *statistics)

    x = F.max_pool2d(F.relu(norm("bn1", F.conv2d(x, p["conv1.weight"], stride=2, padding=3))), 3, 2, 1)
    for stage, depth in enumerate(DEPTHS, 1):
        for block in range(depth):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = F.relu(norm(f"{name}.bn1", F.conv2d(x, p[f"{name}.conv1.weight"], stride=stride, padding=1)))
            y = norm(f"{name}.bn2", F.conv2d(y, p[f"{name}.conv2.weight"], padding=1))
            if f"{name}.downsample.0.weight" in p:
                x = norm(f"{name}.downsample.1", F.conv2d(x, p[f"{name}.downsample.0.weight"], stride=stride))
            x = F.relu(x + y)
    return x


def their_mapping(p: dict[str, Tensor], values: Tensor) -> Tensor:
    outputs, x = [], values
    for number in range(4):
        x = F.relu(x @ p[f"mlp.{number}.0.weight"].T + p[f"mlp.{number}.0.bias"])
        outputs.append(x)
    return torch.cat(outputs, 1) @ p["fusion_layer.weight"].T


# --- tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "count"),
    [
        (generator_shapes((64, 128, 256, 512, 512), 512, True, True), 42_110_019),
        (generator_shapes((64, 128, 256, 512, 512), 512, True, False), 41_479_235),
        (generator_shapes((64, 128, 256, 512, 512), 512, False, True), 41_061_443),
        (generator_shapes((64, 128, 256, 512, 512), 512, False, False), 40_430_659),
        (critic_shapes(64), 2_330_753),
        (mapping_shapes(6000, 512, 512), 4_909_056),
        (tagger_shapes((64, 128, 256, 512), (3, 4, 6, 3), 6000), 24_379_732),
    ],
)
def test_the_layout_of_these_tests_has_the_published_numbers_of_elements(shapes: Shapes, count: int):
    assert elements(shapes) == count


@pytest.mark.parametrize("is_attention", [True, False])
@pytest.mark.parametrize("rbca", [True, False])
def test_converted_weights_paint_what_the_authors_layers_paint(tmp_path: Path, is_attention: bool, rbca: bool):
    parts = networks(is_attention, rbca)
    convert("two-step-gan", Wish(files=write(tmp_path, parts)), tmp_path / "out.safetensors")
    system = load_system(tmp_path / "out.safetensors")
    assert (system.config.receiving, system.config.rbca) == ("attention" if is_attention else "add", rbca)
    generator = torch.Generator().manual_seed(9)
    sketch = torch.where(torch.rand(2, 1, 64, 96, generator=generator) < 0.1, -1.0, 1.0)
    reference = torch.rand(2, 3, 64, 96, generator=generator) * 2 - 1
    features = their_features(parts["R"], reference)
    image = system.colorize(Inputs(sketch, (reference,))).image
    torch.testing.assert_close(image, their_generator(parts["G"], sketch, features), rtol=1e-4, atol=1e-5)
    logits = features.mean((2, 3)) @ parts["R"]["fc.weight"].T + parts["R"]["fc.bias"]
    torch.testing.assert_close(system.read_tags(reference), torch.sigmoid(logits), rtol=1e-4, atol=1e-5)
    score = torch.cat([sketch, reference], 1)
    for number in range(0, 16, 2):
        score = their_conv(parts["D"], f"model.{number}", score, stride=2 if number in (2, 6, 10) else 1)
        score = score if number == 14 else F.leaky_relu(score, 0.2)
    torch.testing.assert_close(system.discriminator(sketch, reference), score, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("is_attention", [True, False])
def test_converted_weights_edit_as_the_authors_do(tmp_path: Path, is_attention: bool):
    """Equation 10 with their networks; hair tags in their order, one of them set to 2 and the other to 0."""
    parts = networks(is_attention)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["red_hair", "blue_hair", *(f"word {i}" for i in range(10))]))
    convert("two-step-gan", Wish(files=write(tmp_path, parts), others={"names": names}), tmp_path / "out.safetensors")
    system = load_system(tmp_path / "out.safetensors")
    sketch, reference = torch.ones(1, 1, 64, 64), torch.rand(1, 3, 64, 64) * 2 - 1
    features = their_features(parts["R"], reference)
    anchor = torch.sigmoid(features.mean((2, 3)) @ parts["R"]["fc.weight"].T + parts["R"]["fc.bias"])
    target = anchor.clone()
    target[:, 0], target[:, 1] = 2.0, 0.0
    change = (their_mapping(parts["M"], target) - their_mapping(parts["M"], anchor))[..., None, None]
    if is_attention:
        mean = features.mean((2, 3), keepdim=True)
        ratio = torch.where(mean > 0, features / mean, torch.ones_like(features))
        change = change * (ratio.movedim(1, -1) @ parts["Mr"]["weight"].T + parts["Mr"]["bias"]).movedim(-1, 1)
    image = system.colorize(Inputs(sketch, (reference,), Guidance(tags=(("red_hair", 2.0),)))).image
    torch.testing.assert_close(image, their_generator(parts["G"], sketch, features + change), rtol=1e-3, atol=1e-4)


def test_without_the_mapping_file_colors_work_and_tags_are_refused(tmp_path: Path):
    files = write(tmp_path, networks())
    done = convert("two-step-gan", Wish(files=[files[0], files[2]]), tmp_path / "out.safetensors")
    assert done.license == "not stated by the authors"
    assert load(tmp_path / "out.safetensors")[0].provenance["license"] == done.license
    system = load_system(tmp_path / "out.safetensors")
    assert system.takes == frozenset()
    with pytest.raises(InputError, match="step 2"):
        system.check_guidance(Guidance(tags=(("tag_0000", 1.0),)))


def test_names_that_are_known_and_numbers_for_the_rest(tmp_path: Path):
    convert("two-step-gan", Wish(files=write(tmp_path, networks())), tmp_path / "out.safetensors")
    tags = load_system(tmp_path / "out.safetensors").tags
    assert tags == tuple(KNOWN_TAGS.get(number, f"tag_{number:04}") for number in range(TAGS))
    assert "blonde_hair" in tags


def test_foreign_and_damaged_files_are_refused(tmp_path: Path):
    parts = networks()

    def refused(match: str, *files: Path, **others: Path) -> None:
        with pytest.raises((WeightsError, InputError), match=match):
            convert("two-step-gan", Wish(files=files, others=others), tmp_path / "out.safetensors")
        assert not (tmp_path / "out.safetensors").exists()

    files = write(tmp_path, parts)
    refused("the tagger's file is missing", files[0])
    refused("the colorization file", files[2])
    refused("no such weight file", tmp_path / "gone.pth")
    (tmp_path / "text.pth").write_bytes(b"not a pickle")
    refused("text.pth", tmp_path / "text.pth")
    torch.save({"weights": torch.zeros(2)}, tmp_path / "other.pth")
    refused("none of the networks", tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    refused("no dictionary", tmp_path / "list.pth")
    (tmp_path / "names.txt").write_text("one\ntwo\n")
    refused("12 tags, but 2 names", *files, names=tmp_path / "names.txt")
    refused("gone.txt cannot be read", *files, names=tmp_path / "gone.txt")
    refused("--with clip: this layout knows no such thing; use names", *files, clip=tmp_path / "names.txt")
    extra = {**parts, "G": {**parts["G"], "deconv9.conv1.bias_extra.x": torch.zeros(1)}}
    refused("deconv9", *write(tmp_path, extra))
    missing = {**parts, "G": {k: v for k, v in parts["G"].items() if k != "deconv3.conv2.bias"}}
    refused(r"1 missing \['generator.ups.1.conv2.bias'\]", *write(tmp_path, missing))
    wrong = {**parts, "M": {**parts["M"], "fusion_layer.weight": torch.zeros(8, 39)}}
    refused("1 of another shape", *write(tmp_path, wrong))


def test_a_file_with_code_is_never_run(tmp_path: Path):
    class Trap:
        def __reduce__(self):
            return (Path.write_text, (tmp_path / "ran", "x"))

    torch.save({"G": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(WeightsError, match="trap.pth"):
        convert("two-step-gan", Wish(files=[tmp_path / "trap.pth"]), tmp_path / "out.safetensors")
    assert not (tmp_path / "ran").exists()


def test_no_name_is_mapped_twice_or_made_up():
    for network, shapes in (("G", generator_shapes(WIDTHS, 8, True, True)), ("M", mapping_shapes(3, 4, 5))):
        names = [our_name(network, name) for name in shapes]
        assert None not in names
        assert len(set(names)) == len(names)
    assert our_name("G", "nonsense.weight") is None
    assert our_name("D", "conv1.conv1.weight") is None


def test_an_imagenet_network_starts_a_tagger_and_sees_the_same_colors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Features of a picture in [-1, 1] are those of the same picture in ImageNet's normalization, off the border."""
    paper = preset("taggan/paper-256-tagger")
    config = TagGANConfig(image_size=64, steps=("tagger",), channels=WIDTHS, critic_channels=2, mapping_channels=4,
                          tagger=TaggerConfig(channels=TAGGER, blocks=DEPTHS))  # fmt: skip
    monkeypatch.setitem(PRESETS, "taggan/thin", replace(paper, name="taggan/thin", system=config))
    tensors = random(tagger_shapes(TAGGER, DEPTHS, 1000), 0)
    torch.save(tensors, tmp_path / "resnet34.pth")
    start = lambda name: Wish(files=[tmp_path / "resnet34.pth"], settings={"preset": name})  # noqa: E731
    convert("resnet34", start("taggan/thin"), tmp_path / "start.safetensors")
    torch.manual_seed(1)
    system = build_system("taggan", config)
    initialize_from(system, tmp_path / "start.safetensors")
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    theirs = F.conv2d(((image + 1) / 2 - mean) / deviation, tensors["conv1.weight"], stride=2, padding=3)
    statistics = (tensors[f"bn1.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
    network = system.eval().tagger.network
    ours = network.bn1(network.conv1(image))[..., 2:-2, 2:-2]
    torch.testing.assert_close(ours, F.batch_norm(theirs, *statistics)[..., 2:-2, 2:-2], rtol=1e-3, atol=1e-4)
    assert network.fc.out_features == len(config.tags)
    torch.testing.assert_close(network.layer4[0].conv2.weight, tensors["layer4.0.conv2.weight"])
    with pytest.raises(WeightsError, match="do not fit"):
        convert("resnet34", start("taggan/tiny"), tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="has no tagger"):
        convert("resnet34", start("scft/tiny"), tmp_path / "x.safetensors")


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from irodori.cli.main import main

    files = [str(file) for file in write(tmp_path, networks())]
    target = tmp_path / "converted.safetensors"
    assert main(["convert", "--from", "two-step-gan", *files, "-o", str(target)]) == 0
    shown = capsys.readouterr()
    assert "license: not stated by the authors" in shown.out
    assert "no license" in shown.err
    assert main(["convert", "--from", "two-step-gan", files[0], "-o", str(target)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert main(["convert", "--from", "resnet34", *files, "-o", str(target)]) == 2
    assert "3 files are given" in capsys.readouterr().err
    assert main(["convert", "--from", "two-step-gan", *files, "-o", str(target), "--with", "names"]) == 2
    assert "ROLE=FILE" in capsys.readouterr().err
    assert main(["convert", "--from", "two-step-gan", *files, "-o", str(target), "--set", "preset=taggan/tiny"]) == 2
    assert "--set preset: this layout knows no such thing; leave it out" in capsys.readouterr().err
    with pytest.raises(InputError, match="unknown layout"):
        convert("gan", Wish(files=()), target)


def test_only_conversion_opens_pickles(tmp_path: Path):
    path = tmp_path / "w.pth"
    save(path, load(_converted(tmp_path))[0], {})
    with pytest.raises(WeightsError, match="refused"):
        load_system(path)


def _converted(folder: Path) -> Path:
    convert("two-step-gan", Wish(files=write(folder, networks())), folder / "done.safetensors")
    return folder / "done.safetensors"
