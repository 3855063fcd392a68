"""Positions enter as differences alone; absent memory is never looked at."""

import pytest
import torch

from irodori.nn.transformer import CrossAttentionBlock, SelfAttentionBlock, rotate


def test_rotary_products_depend_on_differences_alone():
    torch.manual_seed(0)
    grid = (5, 7)
    query, key = torch.randn(1, 1, 1, 32).expand(1, 1, 35, 32), torch.randn(1, 1, 1, 32).expand(1, 1, 35, 32)
    products = (rotate(query, grid) @ rotate(key, grid).mT)[0, 0].view(5, 7, 5, 7)
    torch.testing.assert_close(products[0, 0, 2, 3], products[2, 3, 4, 6], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(products[4, 1, 3, 5], products[3, 2, 2, 6], rtol=1e-4, atol=1e-4)
    assert not torch.isclose(products[0, 0, 2, 3], products[0, 0, 3, 2])


def test_rotation_keeps_lengths_and_leaves_the_origin_alone():
    heads = torch.randn(2, 3, 12, 16)
    turned = rotate(heads, (3, 4))
    torch.testing.assert_close(turned.norm(dim=-1), heads.norm(dim=-1))
    torch.testing.assert_close(turned[:, :, 0], heads[:, :, 0])


def test_self_attention_tells_a_row_from_a_column():
    torch.manual_seed(0)
    block, tokens = SelfAttentionBlock(32).eval(), torch.randn(1, 6, 32)
    assert not torch.allclose(block(tokens, (1, 6)), block(tokens, (6, 1)))


@pytest.mark.parametrize("count", [1, 4])
def test_absent_memory_changes_nothing(count: int):
    torch.manual_seed(0)
    block = CrossAttentionBlock(32).eval()
    tokens, memory = torch.randn(1, 5, 32), torch.randn(1, count, 32)
    absent = torch.zeros(1, count, dtype=torch.bool)
    torch.testing.assert_close(block(tokens, memory, absent), block(tokens, memory.flip(-1), absent))
    assert not torch.allclose(block(tokens, memory, ~absent), block(tokens, memory.flip(-1), ~absent))
