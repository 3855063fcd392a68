"""The same results from any number of processes, in order; and what happens when one dies."""

import pytest
import torch

from irodori.benchmark.parallel import run_parallel
from irodori.errors import InputError, IrodoriError
from workers import BROKEN, DEADLY, double, start


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_from_single_threads_until_one_fails(workers):
    found = run_parallel(double, start, [0, 1, 2, 3, BROKEN], workers)
    assert [next(found) for _ in range(4)] == [(2 * item, (1, 1)) for item in range(4)]
    with pytest.raises(InputError, match="this item is broken"):
        next(found)


def test_a_dead_process_is_told():
    with pytest.raises(IrodoriError, match="fewer --workers"):
        list(run_parallel(double, start, [DEADLY, 1], 2))


def test_nothing_starts_nothing():
    assert list(run_parallel(double, lambda: pytest.fail("started"), [], 1)) == []


def test_threads_are_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert list(run_parallel(double, start, [1], 1)) == [(2, (1, 1))]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
