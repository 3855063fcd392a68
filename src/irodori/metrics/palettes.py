"""Does a picture have the reference's colors at all, wherever they are?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from irodori.color import delta_e_lab, rgb_to_lab
from irodori.image import to_uint8
from irodori.metrics.checks import check_image, optional

_COLORS = 32  # cells into which the colors of both pictures are divided

Numbers = NDArray[np.float64]


def palette_distance(image: Tensor, reference: Tensor) -> float:
    """Mean ΔE2000 by which the colors of one picture must change to become those of the other, regardless of place.

    The cheapest transport between the two pictures' palettes (the earth mover's distance of Rubner, Tomasi and Guibas
    2000): 0 = the same colors in the same amounts, 100 = all black against all white.

    image, reference: ``(3, H, W)`` in [-1, 1], of any sizes.
    """
    check_image("image", image)
    check_image("reference", reference)
    pictures = image.cpu(), reference.cpu()
    cells = _cells(pictures)
    (first, supply), (second, demand) = (_palette(each, which) for each, which in zip(pictures, cells, strict=True))
    pairs = first.repeat_interleave(len(second), 0), second.repeat(len(first), 1)
    costs = delta_e_lab(*pairs).view(len(first), len(second))
    return _transport(costs.numpy(), supply, demand)


def _cells(pictures: tuple[Tensor, Tensor]) -> list[NDArray[np.uint8]]:
    """Cells of a median cut (Heckbert 1982) through the colors of both pictures: the number of each pixel's cell.

    Both are cut together, so that equal distributions fall into equal cells.
    """
    pixels = torch.cat([to_uint8(each).flatten(1) for each in pictures], dim=1).mT.contiguous().numpy()
    cut = Image.fromarray(pixels[None]).quantize(_COLORS, Image.Quantize.MEDIANCUT)
    return np.split(np.asarray(cut)[0], [pictures[0][0].numel()])


def _palette(image: Tensor, cells: NDArray[np.uint8]) -> tuple[Tensor, Numbers]:
    """Mean L*a*b* ``(N, 3)`` of each cell that a picture uses, and its share of the pixels ``(N,)``."""
    counts = np.bincount(cells)
    lab = rgb_to_lab(image[None])[0].flatten(1).numpy()
    sums = np.stack([np.bincount(cells, channel) for channel in lab], axis=1)
    used = counts > 0
    return torch.from_numpy(sums[used] / counts[used, None]), counts[used] / counts.sum()


def _transport(costs: Numbers, supply: Numbers, demand: Numbers) -> float:
    """Least total cost of moving `supply` ``(N,)`` to `demand` ``(M,)``, both summing to 1: a linear program."""
    optimize, sparse = optional("scipy.optimize"), optional("scipy.sparse")
    count, others = costs.shape
    rows = sparse.kron(sparse.eye_array(count), np.ones((1, others)))
    columns = sparse.kron(np.ones((1, count)), sparse.eye_array(others))
    constraints = sparse.vstack([rows, columns], format="csr")[:-1]  # the last follows from the others
    amounts = np.concatenate([supply, demand])[:-1]
    return float(optimize.linprog(costs.ravel(), A_eq=constraints, b_eq=amounts, method="highs").fun)
