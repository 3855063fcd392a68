import math

import pytest
import torch

from irodori.nn.attention import blockwise_attention, scaled_dot_attention


def test_rows_sum_to_one_and_the_context_is_their_mean():
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, n, 8, generator=generator) for n in (5, 7, 7))
    attended = scaled_dot_attention(query, key, value)
    torch.testing.assert_close(attended.weights.sum(-1), torch.ones(2, 5))
    torch.testing.assert_close(attended.context, attended.weights @ value)


def test_equals_torch_s_own_attention():
    generator = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(2, n, 8, generator=generator) for n in (5, 7, 7))
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(scaled_dot_attention(query, key, value).context, expected)


def test_scores_are_scaled_before_the_softmax():
    query = key = torch.tensor([[[3.0, 4.0]]])
    assert scaled_dot_attention(query, key, key).scores.item() == pytest.approx(25 / math.sqrt(2))


def test_a_matching_key_is_found():
    key = 10 * torch.eye(4)[None]
    attended = scaled_dot_attention(key[:, [2]], key, torch.arange(4.0).view(1, 4, 1))
    assert attended.context.item() > 1.99


@pytest.mark.parametrize("most_pairs", [1, 50, 10_000], ids=["row by row", "some rows", "at once"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blockwise_attention_equals_the_plain_formula(most_pairs: int, dtype: torch.dtype):
    generator = torch.Generator().manual_seed(2)
    query, key = (torch.randn(2, n, 8, generator=generator, dtype=dtype) for n in (17, 11))
    value = torch.randn(2, 11, 5, generator=generator, dtype=dtype)
    expected = torch.softmax(0.7 * query @ key.mT, dim=-1) @ value
    torch.testing.assert_close(blockwise_attention(query, key, value, 0.7, most_pairs), expected)


def test_blockwise_attention_has_the_plain_formula_s_gradients():
    generator = torch.Generator().manual_seed(3)
    given = [torch.randn(2, 9, 8, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    weights = torch.randn(2, 9, 8, generator=generator, dtype=torch.float64)
    query, key, value = given
    plain = torch.autograd.grad((torch.softmax(query @ key.mT, -1) @ value * weights).sum(), given)
    found = torch.autograd.grad((blockwise_attention(query, key, value, 1.0, 40) * weights).sum(), given)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("width", "values"), [(8, 3), (16, 16), (5, 20)])
def test_the_blockwise_form_is_the_same_attention(width: int, values: int):
    """Also of channels that do not lie side by side."""
    generator = torch.Generator().manual_seed(2)
    query, key, value = (
        torch.randn(2, channels, n, generator=generator).mT for channels, n in ((width, 50), (width, 70), (values, 70))
    )
    expected = scaled_dot_attention(query, key, value).context
    torch.testing.assert_close(blockwise_attention(query, key, value, width**-0.5), expected)
