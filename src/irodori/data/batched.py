"""Dataclasses of tensors with a leading batch axis: moved, pinned, cut and joined as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor


class Batched:
    """Base of dataclasses whose fields are tensors ``(B, …)``, other `Batched`s, tuples of B plain values, or None.

    Tuples stay with the host: what decides which operations run must not wait for the device.
    """

    def to(self, device: torch.device) -> Self:
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """The same in page-locked memory, which the loader of a GPU run asks for."""
        return self._each(lambda tensor: tensor.pin_memory())

    def take(self, rows: Tensor) -> Self:
        """The members of the batch that `rows` (int64, on the same device) names; for classes without tuples."""
        return self._each(lambda tensor: tensor[rows])

    @classmethod
    def collate(cls, members: Sequence[Self]) -> Self:
        """Joins batches along the batch axis."""
        return cls(**{name: _joined([getattr(member, name) for member in members]) for name in _names(cls)})

    def __reduce__(self) -> tuple[Any, ...]:
        """Small tensors go between processes as arrays: each tensor would hold one of the few open files."""
        return _from_plain, (type(self), [_plain(getattr(self, name)) for name in _names(type(self))])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(**{name: _changed(getattr(self, name), change) for name in _names(type(self))})


def rows_where(flags: Sequence[bool], device: torch.device) -> Tensor:
    """Positions of the true flags as int64 on `device`, without waiting for it."""
    found = [row for row, flag in enumerate(flags) if flag]
    return torch.tensor(found, dtype=torch.int64).to(device, non_blocking=True)


def _plain(value: Any) -> Any:
    return value.numpy() if isinstance(value, Tensor) and not value.is_cuda and value.nbytes < 65536 else value


def _from_plain(kind: type, values: Sequence[Any]) -> Any:
    return kind(*(torch.from_numpy(value) if isinstance(value, np.ndarray) else value for value in values))


def _names(kind: type) -> list[str]:
    return [f.name for f in fields(kind)]


def _changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    return value._each(change) if isinstance(value, Batched) else value


def _joined(values: Sequence[Any]) -> Any:
    if values[0] is None:
        return None
    if isinstance(values[0], Tensor):
        return torch.cat(list(values))
    if isinstance(values[0], Batched):
        return type(values[0]).collate(values)
    return tuple(one for value in values for one in value)
