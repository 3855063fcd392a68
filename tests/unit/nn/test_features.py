from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from irodori.errors import ConfigError, WeightsError
from irodori.nn.features import FEATURES, VGG19, MobileNetV2, VGG19Second, load_features


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
    first.load_state_dict({key: value for key, value in second.state_dict().items() if first.owns(key)})
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
    from irodori.nn.features import _same_padding

    image = torch.zeros(1, 3, 8, 8)
    image[0, 0, 0, 0] = 1.0
    assert network.stem(_same_padding(image))[0, 0, 0, 0].item() == 1.0


def test_unknown_names_and_wrong_files_are_refused(tmp_path: Path):
    path = stored(VGG19(), tmp_path / "vgg.safetensors")
    with pytest.raises(ConfigError, match="mobilenet_v2"):
        load_features("resnet", path)
    with pytest.raises(WeightsError, match="missing"):
        load_features("mobilenet_v2", path)
