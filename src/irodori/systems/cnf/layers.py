"""The invertible layers of CNF (Pi 2023, section 3.1.3).

Every layer has ``forward(x) -> (y, log_det)`` and ``inverse(y) -> x``; `log_det` is ``log |det dy/dx|`` of each image,
``(B,)``.  All compute in the precision of their input, whatever that of their weights; matrices are made in float64
and rounded once, so that a layer and its inverse disagree by rounding alone.
"""

from __future__ import annotations

import math

import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_DEVIATION = 0.05
"""ActNorm takes flatter channels of the first batch for this deviation: it must not blow up what varies later."""


class Conv(nn.Conv2d):
    """A convolution in the precision of its input."""

    def forward(self, input: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(input.dtype)
        return self._conv_forward(input, self.weight.to(input.dtype), bias)


class Linear(nn.Linear):
    """A linear layer in the precision of its input."""

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight.to(input.dtype), self.bias.to(input.dtype))


class ActNorm(nn.Module):
    """**act** of equation 3.2: ``y = S x + B`` for each channel.

    The first batch that it is trained on gets mean 0 and deviation 1.  S is stored as its logarithm: it stays positive,
    so that the layer stays invertible.
    """

    initialized: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialized", torch.tensor(False))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training and not self.initialized:
            self.fit(x)
        y = x * self._scale(x) + self._shift(x)
        return y, _for_each(x, self.log_scale.double().sum() * x.shape[-2] * x.shape[-1])

    def inverse(self, y: Tensor) -> Tensor:
        """Equation 3.10 prints the shift outside the matrix; it is taken off where it was put on."""
        return (y - self._shift(y)) / self._scale(y)

    def _scale(self, x: Tensor) -> Tensor:
        return self.log_scale.to(x.dtype).exp()[:, None, None]

    def _shift(self, x: Tensor) -> Tensor:
        return self.shift.to(x.dtype)[:, None, None]

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Data-dependent initialization (Kingma, Dhariwal 2018), the same on all processes."""
        moments = _mean_of_processes(torch.stack([x.mean((0, 2, 3)), x.square().mean((0, 2, 3))]))
        deviation = (moments[1] - moments[0].square()).clamp(min=LEAST_DEVIATION**2).sqrt()
        self.log_scale.copy_(-deviation.log())
        self.shift.copy_(-moments[0] / deviation)
        self.initialized.fill_(True)


class InvertibleConv(nn.Module):
    """**p** of equation 3.2: a 1x1 convolution ``y = W x`` with ``W = P L U`` (Kingma, Dhariwal 2018, equation 10).

    packed: ``(C, C)``: below the diagonal L, whose own diagonal is 1, above it U, and on it the logarithms of U's
    diagonal; so W has an inverse whatever the weights.  The permutation P and the signs of U's diagonal stay as drawn.
    """

    order: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.packed = nn.Parameter(torch.empty(channels, channels))
        self.register_buffer("order", torch.arange(channels))
        self.register_buffer("sign", torch.ones(channels))
        self._settled: tuple[Tensor, Tensor] | None = None
        if not self.packed.is_meta:
            self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """A random rotation."""
        rotation, _ = torch.linalg.qr(torch.randn(self.packed.shape, dtype=torch.float64))
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.packed.copy_(lower.tril(-1) + upper.triu(1) + diagonal.abs().log().diag())
        self.order.copy_(permutation.argmax(1))
        self.sign.copy_(diagonal.sign())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = self.packed.double().diagonal().sum() * x.shape[-2] * x.shape[-1]
        return _mix(x, self.weight()), _for_each(x, log_det)

    def inverse(self, y: Tensor) -> Tensor:
        return _mix(y, self.inverse_weight())

    def weight(self) -> Tensor:
        """W, ``(C, C)`` float64."""
        if self._settled is not None:
            return self._settled[0]
        lower, upper = self._factors()
        return (lower @ upper)[self.order]

    def inverse_weight(self) -> Tensor:
        """``W⁻¹ = U⁻¹ L⁻¹ Pᵀ``, ``(C, C)`` float64."""
        if self._settled is not None:
            return self._settled[1]
        lower, upper = self._factors()
        unpermuted = torch.eye(len(lower), dtype=lower.dtype, device=lower.device)[self.order].mT
        half = torch.linalg.solve_triangular(lower, unpermuted, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper, half, upper=True)

    def settle(self) -> None:
        """Keeps W and W⁻¹ as they are now: graphs cannot make them."""
        self._settled = self.weight().detach(), self.inverse_weight().detach()

    def condition(self) -> float:
        """Largest over smallest singular value of W: how much more than others some errors grow; infinite if W is."""
        weight = self.weight().detach()
        return float(torch.linalg.cond(weight)) if weight.isfinite().all() else math.inf

    def _factors(self) -> tuple[Tensor, Tensor]:
        packed = self.packed.double()
        ones = torch.ones_like(self.sign, dtype=packed.dtype)
        return packed.tril(-1) + ones.diag(), packed.triu(1) + (self.sign * packed.diagonal().exp()).diag()


class OrthogonalDownsampling(nn.Module):
    """O_D and O_U of equations 3.20 and 3.21: each channel to four at half the size, by a learnable orthogonal matrix.

    ``(B, C, 2h, 2w)`` to ``(B, 4C, h, w)`` with ``exp(Θ - Θᵀ)`` for each channel (Etmann et al. 2020), a Haar transform
    at first.  Equation 3.20 prints no ``exp``; without it the matrix is not orthogonal and 3.21 not its inverse.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(haar_theta().repeat(channels, 1, 1))
        self._settled: Tensor | None = None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return F.conv2d(x, self._kernel(x.dtype), stride=2, groups=x.shape[1]), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        return F.conv_transpose2d(y, self._kernel(y.dtype), stride=2, groups=y.shape[1] // 4)

    def matrices(self) -> Tensor:
        """``(C, 4, 4)`` float64, orthogonal; columns are the pixels of a 2x2 block, row by row."""
        if self._settled is not None:
            return self._settled
        theta = self.theta.double()
        return torch.linalg.matrix_exp(theta - theta.mT)

    def settle(self) -> None:
        """Keeps the matrices as they are now: graphs cannot make them."""
        self._settled = self.matrices().detach()

    def _kernel(self, dtype: torch.dtype) -> Tensor:
        """**reshape** of equations 3.20 and 3.21: ``(4C, 1, 2, 2)``."""
        return self.matrices().view(-1, 1, 2, 2).to(dtype)


def haar_theta() -> Tensor:
    """The Θ with ``exp(Θ - Θᵀ)`` = the Haar transform of a 2x2 block, ``(4, 4)``.

    That matrix is symmetric and orthogonal with the eigenvalues 1, 1, -1, -1, so it is half a turn in the plane of the
    last two.

    >>> theta = haar_theta().double()
    >>> (2 * torch.linalg.matrix_exp(theta - theta.mT)).round().int()[1].tolist()
    [1, -1, 1, -1]
    """
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    _, vectors = torch.linalg.eigh(torch.kron(pair, pair) / 2)
    first, second = vectors[:, 0], vectors[:, 1]  # eigenvalues come in ascending order
    return (math.pi / 2 * (torch.outer(first, second) - torch.outer(second, first))).float()


def _mix(x: Tensor, weight: Tensor) -> Tensor:
    """``(C, C)`` times each position of ``(B, C, H, W)``; a matrix product, which no GPU rounds to TF32 unasked."""
    return F.linear(x.permute(0, 2, 3, 1), weight.to(x.dtype)).permute(0, 3, 1, 2)


def _for_each(x: Tensor, value: Tensor) -> Tensor:
    return value.to(x.dtype).expand(len(x))


def _mean_of_processes(value: Tensor) -> Tensor:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(value)
        value = value / torch.distributed.get_world_size()
    return value
