import numpy as np
import pytest
import torch

from irodori.metrics.similarity import content_relevance, style_relevance
from irodori.nn.features import VGG16, Features, MobileNetV2
from networks import fill, picture

FIRST, SECOND = picture(32, 48)[0], picture(32, 48, 0.7)[0]


def cosine(first: torch.Tensor, second: torch.Tensor) -> float:
    a, b = (each.double().flatten().numpy() for each in (first, second))
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


class Powers(Features):
    """Five layers: the picture to the powers 1…5."""

    name, layers = "powers", ("one", "two", "three", "four", "five")

    def activations(self, image):
        yield from ((name, image**power) for power, name in enumerate(self.layers, start=1))


def test_by_hand():
    low, high = ([cosine(FIRST**power, SECOND**power) for power in powers] for powers in ((1, 2), (3, 4, 5)))
    assert content_relevance(Powers(), FIRST, SECOND) == pytest.approx(np.mean(low), abs=1e-5)
    assert style_relevance(Powers(), FIRST, SECOND) == pytest.approx(np.mean(high), abs=1e-5)


def test_layers_of_vgg16_are_those_of_cocosnet():
    """relu1_2 and relu2_2 stand at 3 and 8 of torchvision's list; relu3_2, relu4_2 and relu5_2 at 13, 20 and 27."""
    network = fill(VGG16())

    def at(positions: tuple[int, ...]) -> float:
        maps = [[network.features[: p + 1](network.normalization(x[None])) for p in positions] for x in (FIRST, SECOND)]
        return float(np.mean([cosine(a, b) for a, b in zip(*maps, strict=True)]))

    assert content_relevance(network, FIRST, SECOND) == pytest.approx(at((3, 8)), abs=1e-4)
    assert style_relevance(network, FIRST, SECOND) == pytest.approx(at((13, 20, 27)), abs=1e-4)


@pytest.mark.parametrize("network", [VGG16(), MobileNetV2()], ids=lambda network: network.name)
def test_a_copy_has_1(network: Features):
    fill(network)
    assert content_relevance(network, FIRST, FIRST) == pytest.approx(1, abs=1e-5)
    assert style_relevance(network, FIRST, FIRST) == pytest.approx(1, abs=1e-5)
    assert content_relevance(network, FIRST, SECOND) < 0.999


def test_the_reference_is_stretched_to_the_coloring():
    flat = torch.full((3, 20, 90), 0.4)
    assert style_relevance(Powers(), torch.full((3, 32, 48), 0.4), flat) == pytest.approx(1, abs=1e-5)
