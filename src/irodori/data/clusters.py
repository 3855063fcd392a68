"""Pictures of similar colors: k-means over color histograms of a training set (Cui et al. 2022, section 3.3.2)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from irodori.color import lab_histogram
from irodori.data.drawing import Drawing, load
from irodori.data.index import Item
from irodori.image import from_uint8

LOOKED_AT = 64
"""Side, in pixels, at which histograms are counted."""


class Clusters(NamedTuple):
    """centers: ``(K, 512)`` mean histograms.  numbers: ``(N,)`` int64, the cluster of each item."""

    centers: Tensor
    numbers: Tensor


@dataclass(frozen=True)
class ColorClusters:
    """Items of a training set, sorted by color.

    members: for each cluster its items; each has at least one.
    """

    centers: Tensor
    members: tuple[tuple[Item, ...], ...]

    def nearest(self, images: Tensor) -> Tensor:
        """The cluster of each of ``(B, 3, H, W)`` images in [-1, 1]: ``(B,)``."""
        return torch.cdist(lab_histogram(images), self.centers).argmin(1)

    def similar(self, image: Tensor, item: Item, generator: np.random.Generator) -> Item:
        """A random item of the cluster of an image ``(1, 3, H, W)`` of `item`, another one unless there is none."""
        members = self.members[int(self.nearest(image))]
        others = [member for member in members if member.id != item.id] or members
        return others[generator.integers(len(others))]


def color_clusters(root: Path, items: Sequence[Item], count: int) -> ColorClusters:
    """Sorts items of a data set into at most `count` clusters; done once, then kept in a file of the data set."""
    file = root / f"color-clusters-{_digest(items, count)}.npz"
    found = _read(file)
    if found is None:
        found = cluster(histograms(root, items), count)
        _write(file, found)
    numbers = found.numbers.tolist()
    members = tuple(
        tuple(item for item, number in zip(items, numbers, strict=True) if number == cluster_number)
        for cluster_number in range(len(found.centers))
    )
    return ColorClusters(found.centers, members)


def histograms(root: Path, items: Sequence[Item]) -> Tensor:
    """Histograms ``(N, 512)`` of items in their own colors."""
    bar = tqdm(items, desc="sorting by color", unit="drawing", delay=2)
    return torch.cat([lab_histogram(_picture(load(root, item, LOOKED_AT))) for item in bar])


def cluster(found: Tensor, count: int) -> Clusters:
    """k-means with k-means++ start and a fixed seed; no cluster is empty."""
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-5)
    count = min(count, len(found))
    _, numbers, centers = cv2.kmeans(found.numpy(), count, None, stop, attempts=1, flags=cv2.KMEANS_PP_CENTERS)
    return Clusters(torch.from_numpy(centers), torch.from_numpy(numbers.reshape(-1)).long())


def _picture(drawing: Drawing) -> Tensor:
    """A drawing in its own colors: ``(1, 3, H, W)`` in [-1, 1]."""
    base, coverage = drawing.planes[:3].float(), drawing.planes[3:].float() / 255
    colors = torch.tensor([part.color for part in drawing.parts], dtype=torch.float32).view(-1, 3)
    return from_uint8((base + torch.einsum("khw,kc->chw", coverage, colors)).round().clamp(0, 255))[None]


def _digest(items: Sequence[Item], count: int) -> str:
    """A name for the clusters of these items: others, or another number of clusters, are another file."""
    text = "\n".join([str(count), *(item.id for item in items)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(file: Path) -> Clusters | None:
    """Kept clusters; None when there are none, or only what is left of them."""
    try:
        with np.load(file) as kept:
            return Clusters(torch.from_numpy(kept["centers"]), torch.from_numpy(kept["numbers"]))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _write(file: Path, clusters: Clusters) -> None:
    """Keeps clusters for the next run, where the data set's folder can be written."""
    temporary = file.with_name(f".{file.stem}-{os.getpid()}.npz")
    try:
        np.savez(temporary, centers=clusters.centers.numpy(), numbers=clusters.numbers.numpy())
        os.replace(temporary, file)
    except OSError:
        temporary.unlink(missing_ok=True)
