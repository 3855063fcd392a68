from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as published
from safetensors.torch import save_file

from irodori.errors import WeightsError
from irodori.metrics.perceptual import embedding_similarity, lpips, lpips_name, read_lpips_weights
from irodori.nn.feature_files import convert_features
from irodori.nn.features import VGG16, Features, MobileNetV2
from networks import fill, picture

PUBLISHED_WEIGHTS = Path(published.__file__).parent / "lpips_models" / "vgg.pth"
FIRST, SECOND = picture(48, 64)[0], picture(48, 64, 0.6)[0]


class Planes(Features):
    """Its layers are the picture, and the picture at half the size."""

    name, layers = "planes", ("full", "half")

    def activations(self, image):
        yield "full", image
        yield "half", image[..., ::2, ::2]


@pytest.fixture(scope="module")
def vgg16() -> VGG16:
    return fill(VGG16())


def test_unweighted_by_hand():
    """Unit colors at every place; squares of differences, summed over channels and layers, averaged over places."""
    expected = 0.0
    for step in (1, 2):
        first, second = (each[:, ::step, ::step].double().numpy() for each in (FIRST, SECOND))
        first, second = (each / np.linalg.norm(each, axis=0) for each in (first, second))
        expected += ((first - second) ** 2).sum(axis=0).mean()
    assert lpips(Planes(), FIRST, SECOND) == pytest.approx(expected, rel=1e-4)


def test_weights_scale_their_channels():
    ones = [torch.ones(3), torch.ones(3)]
    assert lpips(Planes(), FIRST, SECOND, ones) == pytest.approx(lpips(Planes(), FIRST, SECOND))
    single = [lpips(Planes(), FIRST, SECOND, [torch.eye(3)[channel], torch.zeros(3)]) for channel in range(3)]
    assert sum(single) == pytest.approx(lpips(Planes(), FIRST, SECOND, [torch.ones(3), torch.zeros(3)]), rel=1e-5)
    assert lpips(Planes(), FIRST, SECOND, [2 * one for one in ones]) == pytest.approx(
        2 * lpips(Planes(), FIRST, SECOND), rel=1e-5
    )


def test_with_the_learned_weights_it_is_the_published_figure(vgg16: VGG16, tmp_path: Path):
    """torchmetrics carries the official weights and the official order of steps; only its VGG16 needs torchvision."""
    weights = read_lpips_weights(convert_features(PUBLISHED_WEIGHTS, tmp_path))
    stored = torch.load(PUBLISHED_WEIGHTS, map_location="cpu", weights_only=True)
    expected = torch.zeros(())
    scale = published.ScalingLayer()  # its own way to write the mean and deviation of ImageNet
    for number, layer in enumerate((3, 8, 15, 22, 29)):
        maps = [published._normalize_tensor(vgg16.features[: layer + 1](scale(each[None]))) for each in (FIRST, SECOND)]
        linear = published.NetLinLayer(maps[0].shape[1], use_dropout=True)
        linear.load_state_dict({"model.1.weight": stored[f"lin{number}.model.1.weight"]})
        expected = expected + linear.eval()((maps[0] - maps[1]) ** 2).mean()
    assert lpips(vgg16, FIRST, SECOND, weights) == pytest.approx(expected.item(), rel=1e-4)
    assert expected.item() > 0.01


def test_it_is_a_distance(vgg16: VGG16):
    assert lpips(vgg16, FIRST, FIRST) == 0.0
    assert lpips(vgg16, FIRST, SECOND) == pytest.approx(lpips(vgg16, SECOND, FIRST), rel=1e-4)
    near = 0.9 * FIRST + 0.1 * SECOND
    assert 0 < lpips(vgg16, FIRST, near) < lpips(vgg16, FIRST, SECOND)


def test_the_name_says_which_figure_it_is(vgg16: VGG16):
    assert lpips_name(vgg16, [torch.ones(64)]) == "lpips[vgg16, lin]"
    assert lpips_name(MobileNetV2()) == "lpips[mobilenet_v2, unweighted]"


def test_weights_of_another_network_are_refused(vgg16: VGG16, tmp_path: Path):
    with pytest.raises(WeightsError, match="not for planes"):
        lpips(Planes(), FIRST, SECOND, [torch.ones(64)] * 5)
    save_file({"lin1.model.1.weight": torch.ones(1, 3, 1, 1)}, tmp_path / "lin.safetensors")
    with pytest.raises(WeightsError, match="not the weights of LPIPS"):
        read_lpips_weights(tmp_path / "lin.safetensors")


def test_similarity_is_the_cosine():
    def embed(image):
        return image.mean(dim=(2, 3))

    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).expand(3, 20, 20)
    yellow = torch.tensor([1.0, 1.0, 0.0]).view(3, 1, 1).expand(3, 30, 10)
    assert embedding_similarity(embed, red, yellow) == pytest.approx(0.5**0.5)
    assert embedding_similarity(embed, red, red * 0.3) == pytest.approx(1)
    assert embedding_similarity(embed, red, -red) == pytest.approx(-1)
