import torch
from torch import nn

from irodori.nn.blocks import ResidualBlock, UpBlock, initialize
from irodori.nn.patchgan import PatchDiscriminator


def test_a_residual_block_with_zero_convolutions_is_a_relu():
    block = ResidualBlock(4).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(block(x), x.relu())


def test_an_up_block_takes_the_skip_s_size():
    assert UpBlock(8, 4, 6)(torch.zeros(1, 8, 3, 5), torch.zeros(1, 4, 6, 10)).shape == (1, 6, 6, 10)


def test_normal_initialization_has_the_paper_s_deviation():
    layer = nn.Conv2d(64, 64, 3)
    torch.manual_seed(0)
    initialize(layer, "normal")
    assert abs(layer.weight.std().item() - 0.02) < 0.001
    assert layer.bias.abs().max() == 0


def test_a_patch_sees_seventy_pixels():
    """Isola et al. 2017: the gradient of one score reaches a 70x70 field."""
    network = PatchDiscriminator(4, 8).eval()
    image = torch.zeros(1, 4, 256, 256, requires_grad=True)
    scores = network(image)
    assert scores.shape == (1, 1, 30, 30)
    scores[0, 0, 15, 15].backward()
    rows, columns = image.grad.abs().sum((0, 1)).nonzero().T
    assert rows.max() - rows.min() + 1 == 70
    assert columns.max() - columns.min() + 1 == 70
