"""Figures of a whole set of pictures against another set: no picture has an answer of its own.

All of them move with the number of pictures (few pictures, higher FID), with the network and with the resizing: compare
only what was made with the same three.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from irodori.errors import InputError
from irodori.image import resize as resize_pixels
from irodori.image import to_pixels
from irodori.metrics.checks import check_image, optional
from irodori.nn.features import Embedding

SIGNIFICANCE = 0.05
"""Of the test that calls a bin different (Richardson, Weiss 2018)."""

_SUBSETS, _SUBSET_SIZE = 100, 1000  # of KID (Bińkowski et al. 2018)


@dataclass(frozen=True)
class SetDistance:
    """FID and KID between two sets of pictures; 0 = the same distribution, KID can fall slightly below.

    fid: of the Gaussians fitted to the embeddings (Heusel et al. 2017).
    kid: squared maximum mean discrepancy, cubic kernel, mean over random subsets (Bińkowski et al. 2018).
    kid_deviation: standard deviation over the subsets.
    """

    fid: float
    kid: float
    kid_deviation: float


class SetComparison:
    """FID and KID of pictures that are shown one after the other; pictures are not kept, only their embeddings.

    The embedding resizes by itself as clean-fid does (bicubic, antialiased, not rounded): with `Inception3FID` and PNG
    pictures the figure is "clean-fid" up to the port of the network.
    """

    def __init__(self, embed: Embedding, seed: int = 0) -> None:
        self.embed, self.seed = embed, seed
        vectors = _Passed(
            embed.num_features
        )  # torchmetrics takes any module; embeddings are made once for both figures
        self._fid = optional("torchmetrics.image.fid").FrechetInceptionDistance(vectors)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that KID keeps all embeddings is said above
            self._kid = optional("torchmetrics.image.kid").KernelInceptionDistance(vectors, _SUBSETS, _SUBSET_SIZE)

    @torch.no_grad()
    def update(self, image: Tensor, real: bool) -> None:
        """Adds a picture ``(3, H, W)`` in [-1, 1] to the true ones or to those of the method."""
        check_image("image", image)
        vectors = self.embed(image[None]).cpu()
        self._fid.update(vectors, real)
        self._kid.update(vectors, real)

    def compute(self) -> SetDistance:
        """InputError with fewer than two pictures in one of the sets."""
        counts = [len(each) for each in (self._kid.real_features, self._kid.fake_features)]
        if min(counts) < 2:
            raise InputError(
                f"FID and KID need at least two pictures in each set, got {counts[0]} true and {counts[1]}"
            )
        self._kid.subset_size = min(_SUBSET_SIZE, *counts)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)  # torchmetrics draws the subsets from the global generator
            kid, deviation = self._kid.compute()
        return SetDistance(self._fid.compute().item(), kid.item(), deviation.item())


class _Passed(nn.Module):
    """Takes embeddings for pictures."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors


@dataclass(frozen=True)
class NdbJsd:
    """How differently two sets fill the bins of the first.

    ndb: number of the `bins` whose shares differ significantly; `ndb_share` of them, 0…1, 0.05 is expected by chance.
    jsd: Jensen–Shannon divergence of the shares in nats, 0…0.69.
    """

    ndb: int
    bins: int
    jsd: float

    @property
    def ndb_share(self) -> float:
        return self.ndb / self.bins


def ndb_jsd(reference_vectors: Tensor, vectors: Tensor, bins: int = 100, seed: int = 0) -> NdbJsd:
    """NDB (Richardson, Weiss 2018) and JSD (Fuglede, Topsøe 2004), as CSFT reports them (Cui et al. 2022, 4.4).

    The bins are the cells of a k-means clustering of the reference vectors; a bin differs when the two-proportion
    z-test says so at 5 %.  CSFT tells neither its vectors nor its number of bins; Richardson and Weiss use pixels and
    100 bins.

    reference_vectors: ``(N, D)``, at least as many as bins.  vectors: ``(M, D)``.
    """
    if vectors.ndim != 2 or reference_vectors.ndim != 2 or vectors.shape[1:] != reference_vectors.shape[1:]:
        shapes = f"{tuple(reference_vectors.shape)} and {tuple(vectors.shape)}"
        raise InputError(f"NDB needs two tables of vectors of the same length, got {shapes}")
    if len(reference_vectors) < bins or not len(vectors):
        raise InputError(f"NDB with {bins} bins needs at least as many reference vectors, got {len(reference_vectors)}")
    clustering = optional("scipy.cluster.vq")
    known, seen = (each.double().cpu().numpy() for each in (reference_vectors, vectors))
    centers, cells = clustering.kmeans2(known, bins, minit="++", rng=np.random.default_rng(seed))
    expected = np.bincount(cells, minlength=bins)
    found = np.bincount(clustering.vq(seen, centers)[0], minlength=bins)
    jsd = optional("scipy.spatial.distance").jensenshannon(expected / len(known), found / len(seen)) ** 2
    return NdbJsd(int(_differ(expected, found).sum()), bins, float(jsd))


def _differ(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Two-proportion z-test of each bin's share in two sets, pooled variance, two-sided."""
    total, other_total = first.sum(), second.sum()
    pooled = (first + second) / (total + other_total)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / total + 1 / other_total))
    difference = np.abs(first / total - second / other_total)
    z = np.divide(difference, deviation, out=np.zeros_like(difference), where=deviation > 0)
    return 2 * optional("scipy.stats").norm.sf(z) < SIGNIFICANCE


def pixel_vector(image: Tensor, side: int = 16) -> Tensor:
    """A small copy of a picture as one vector ``(3 side²,)`` in [-1, 1]: what NDB's bins are made of."""
    check_image("image", image)
    small = resize_pixels(to_pixels(image[None]), (side, side))
    return torch.from_numpy(small).flatten().float() / 127.5 - 1
