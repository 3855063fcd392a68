import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from irodori.errors import ConfigError, WeightsError
from irodori.nn.features import (
    EMBEDDINGS,
    FEATURES,
    VGG16,
    VGG19,
    CLIPImage,
    Inception3FID,
    MobileNetV2,
    MobileNetV2Embedding,
    VGG19Second,
    load_embedding,
    load_features,
)
from irodori.nn.features_base import Normalization, resized
from irodori.nn.features_mobilenet import _same_padding
from networks import fill, picture


def stored(network: torch.nn.Module, path: Path, extra: tuple[str, ...] = ()) -> Path:
    tensors = {key: value * 0.1 for key, value in network.state_dict().items()}
    save_file(tensors | {key: torch.zeros(1) for key in extra}, str(path))
    return path


@pytest.mark.parametrize(
    ("name", "extra"),
    [("vgg19", "features.32.weight"), ("vgg19_2", "features.32.weight"), ("mobilenet_v2", "head.weight")],
)
def test_a_file_with_more_layers_loads_and_is_frozen(tmp_path: Path, name: str, extra: str):
    path = stored(FEATURES[name](), tmp_path / "net.safetensors", (extra,))
    features = load_features(name, path)
    assert not any(parameter.requires_grad for parameter in features.parameters())
    assert not features.train().training
    maps = features(torch.zeros(1, 3, 64, 64))
    assert len(maps) == 5
    assert [m.shape[-1] for m in maps] == ([64, 32, 16, 8, 4] if name != "mobilenet_v2" else [32, 16, 8, 4, 2])


def test_vgg19_has_the_paper_s_widths_and_torchvision_s_keys():
    network = VGG19()
    assert [m.shape[1] for m in network(torch.zeros(1, 3, 32, 32))] == [64, 128, 256, 512, 512]
    convolutions = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28]
    assert sorted(network.state_dict()) == sorted(f"features.{n}.{k}" for n in convolutions for k in ("weight", "bias"))


def test_vgg19_2_goes_one_convolution_deeper_in_each_block():
    """On the same weights, each of its maps is the convolution after the one that `VGG19` shows."""
    torch.manual_seed(0)
    second, first = VGG19Second(), VGG19()
    first.load_state_dict({key: value for key, value in second.state_dict().items() if key in first.state_dict()})
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    for number, before, found in zip((2, 7, 12, 21, 30), first(image), second(image), strict=True):
        torch.testing.assert_close(found, torch.relu(second.features[number](before)))


def test_mobilenet_pads_as_tensorflow_does():
    """Stride 2 on an even side reads one pixel beyond the right and bottom border, none at the left and top."""
    network = MobileNetV2()
    with torch.no_grad():
        network.stem.weight.zero_()
        network.stem.bias.zero_()
        network.stem.weight[0, 0, 0, 0] = 1.0
    image = torch.zeros(1, 3, 8, 8)
    image[0, 0, 0, 0] = 1.0
    assert network.stem(_same_padding(image))[0, 0, 0, 0].item() == 1.0


def test_unknown_names_and_wrong_files_are_refused(tmp_path: Path):
    path = stored(VGG19(), tmp_path / "vgg.safetensors")
    with pytest.raises(ConfigError, match="mobilenet_v2"):
        load_features("resnet", path)
    with pytest.raises(WeightsError, match="missing"):
        load_features("mobilenet_v2", path)


def test_vgg16_is_torchvision_s_up_to_relu5_3():
    """Its convolutions stand where torchvision has them; 14 714 688 parameters are those before the classifier."""
    network = VGG16()
    assert sum(parameter.numel() for parameter in network.parameters()) == 14_714_688
    convolutions = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert sorted(network.state_dict()) == sorted(f"features.{n}.{k}" for n in convolutions for k in ("weight", "bias"))
    image = picture(32, 48)
    x, expected = network.normalization(image), []
    for position, layer in enumerate(network.features):
        x = layer(x)
        if position in (3, 8, 15, 22, 29):
            expected.append(x)
    assert all(torch.equal(a, b) for a, b in zip(network(image), expected, strict=True))


def test_layers_come_in_the_order_asked_and_no_deeper():
    network = VGG19()
    network.features[29] = None  # would fail if it were reached
    first, second = network.at(torch.zeros(1, 3, 16, 16), ("relu2_2", "relu1_2"))
    assert (first.shape[1], second.shape[1]) == (128, 64)
    with pytest.raises(ConfigError, match="mobilenet_v2 has no layer relu9_9; its usual layers are block01"):
        MobileNetV2().at(torch.zeros(1, 3, 32, 32), ("block01", "relu9_9"))


def test_pictures_are_normalized_as_the_networks_were_trained():
    gray = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(torch.zeros(1, 3, 1, 1))
    assert gray.flatten().tolist() == pytest.approx([0.015 / 0.229, 0.044 / 0.224, 0.094 / 0.225])


def test_inception_is_pytorch_fid_s():
    """Values of torchvision's Inception with the blocks of pytorch-fid, filled alike, computed once."""
    network = fill(Inception3FID())
    assert sum(parameter.numel() for parameter in network.parameters()) == 21_785_568
    assert "Mixed_6b.branch7x7dbl_5.bn.running_var" in network.state_dict()
    assert "Mixed_7c.branch3x3dbl_3b.conv.weight" in network.state_dict()
    vectors = network(picture(299, 299))
    assert vectors.shape == (1, 2048)
    stored = [0.791494, 0.0, 0.009353, 0.13605, 0.0, 0.068928, 0.783702]
    assert vectors[0, ::341].tolist() == pytest.approx(stored, abs=1e-4)


def test_embeddings_load_from_files_and_take_any_size(tmp_path: Path):
    network = fill(MobileNetV2Embedding())
    save_file({**network.state_dict(), "classifier.weight": torch.ones(1)}, tmp_path / "file")
    loaded = load_embedding("mobilenet_v2", tmp_path / "file")
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    image = picture(60, 90)
    vectors = loaded(image)
    assert vectors.shape == (1, 1280)
    assert torch.equal(vectors, network(image))
    assert torch.equal(vectors, network(resized(image, 224, 224)))


def test_the_embedding_is_the_pooled_head():
    network, trunk = fill(MobileNetV2Embedding()), MobileNetV2()
    trunk.load_state_dict({key: value for key, value in network.state_dict().items() if not key.startswith("head.")})
    image = picture(224, 224)
    deepest = trunk(image)[-1].double()
    weight, bias = network.head.weight.double()[:, :, 0, 0], network.head.bias.double()
    expected = (torch.einsum("oc,bchw->bohw", weight, deepest) + bias[:, None, None]).clamp(0, 6).mean((2, 3))
    torch.testing.assert_close(network(image).double(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(299, 299), (40, 70)])
def test_resizing_is_clean_fid_s(size: tuple[int, int]):
    """Pillow's bicubic on each channel as floats, clipped (Parmar et al. 2022)."""
    image = torch.rand(1, 3, 120, 90, generator=torch.Generator().manual_seed(0)) * 2 - 1
    planes = ((image[0].numpy() + 1) * 127.5).astype(np.float32)
    height, width = size
    small = [Image.fromarray(plane, "F").resize((width, height), Image.Resampling.BICUBIC) for plane in planes]
    expected = np.stack([np.asarray(plane).clip(0, 255) for plane in small]) / 127.5 - 1
    np.testing.assert_allclose(resized(image, height, width)[0].numpy(), expected, atol=1e-4)


def test_clip_without_transformers_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'irodori\[clip\]'"):
        CLIPImage()


class FakeVision(torch.nn.Module):
    """Stands for transformers' vision model: hands on the corner of what it is shown."""

    def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        assert pixel_values.shape[-2:] == (224, 224)
        return SimpleNamespace(pooler_output=pixel_values[:, :, 0, 0])


def test_clip_sees_the_middle_square(monkeypatch: pytest.MonkeyPatch):
    """A wide picture, gray but for its left and right quarters, is gray to CLIP."""
    network = SimpleNamespace(vision_model=FakeVision(), visual_projection=torch.nn.Identity())
    fake = SimpleNamespace(CLIPVisionConfig=lambda: None, CLIPVisionModelWithProjection=lambda _: network)
    monkeypatch.setitem(sys.modules, "transformers", fake)
    image = torch.zeros(1, 3, 100, 200)
    image[..., :40] = image[..., 160:] = 1.0
    mean, deviation = (np.array(x) for x in ((0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)))
    assert CLIPImage()(image)[0].tolist() == pytest.approx(((0.5 - mean) / deviation).tolist(), abs=1e-3)


def test_clip_is_transformers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    transformers = pytest.importorskip("transformers")
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    shown = transformers.CLIPImageProcessorPil()(images=Image.fromarray(pixels), return_tensors="pt")["pixel_values"]
    small = transformers.CLIPVisionConfig(num_hidden_layers=2, intermediate_size=64)
    monkeypatch.setattr("transformers.CLIPVisionConfig", lambda: small)
    torch.manual_seed(0)
    model = transformers.CLIPVisionModelWithProjection(small).eval()
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "clip")
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        expected = model(pixel_values=shown).image_embeds
    torch.testing.assert_close(load_embedding("clip_vit_b32", tmp_path / "clip")(image), expected, atol=1e-4, rtol=0)


def test_unknown_embeddings_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=", ".join(EMBEDDINGS)):
        load_embedding("vgg16", tmp_path / "missing")
