import torch
from torch import nn

from irodori.nn.pyramid import Encoder


def test_narrowing_before_resizing_is_narrowing_after_it():
    torch.manual_seed(0)
    pyramid = Encoder(3, (4, 6, 8, 10))(torch.randn(2, 3, 32, 48))
    layer = nn.Conv2d(2 * (4 + 6 + 8 + 10), 5, 1)
    for size in ((32, 48), (16, 24), (8, 12), (4, 6)):
        torch.testing.assert_close(
            pyramid.narrowed_at(size, layer), layer(pyramid.features_at(size)), rtol=1e-4, atol=1e-5
        )


def test_coarser_activations_are_enlarged_and_finer_ones_averaged():
    pyramid = Encoder(1, (2, 3, 4))(torch.randn(1, 1, 16, 16))
    features = pyramid.features_at((8, 8))
    assert features.shape == (1, 18, 8, 8)
    torch.testing.assert_close(features[:, :2], nn.functional.avg_pool2d(pyramid.activations[0], 2))
    torch.testing.assert_close(features[:, 4:7], pyramid.activations[2])
    torch.testing.assert_close(features[:, 14:].mean((2, 3)), pyramid.activations[5].mean((2, 3)), rtol=0.2, atol=0.1)
