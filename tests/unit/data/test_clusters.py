"""Pictures of similar colors: groups that are known by construction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from irodori.color import lab_histogram
from irodori.data import clusters
from irodori.data.clusters import cluster, color_clusters
from irodori.data.compose import compose
from irodori.data.dataset import DataOptions, PairDataset
from irodori.data.draft import Draft
from irodori.data.index import Index, Item
from irodori.data.warp import WarpOptions
from irodori.errors import ConfigError
from irodori.image import from_uint8
from irodori.image_io import write_image

PAINTS = {"red": (200, 30, 30), "green": (30, 160, 40), "blue": (30, 40, 200)}


@pytest.fixture
def paintings(tmp_path: Path) -> list[Item]:
    """Four noisy pictures of each paint, in no order."""
    generator = np.random.default_rng(0)
    (tmp_path / "items").mkdir()
    items = []
    for number in range(4):
        for name, paint in PAINTS.items():
            pixels = np.array(paint) + generator.integers(-9, 10, (32, 32, 3))
            file = f"items/{name}-{number}.png"
            write_image(tmp_path / file, pixels.astype(np.uint8))
            items.append(Item(f"{name}-{number}", name, "train", "paint", "picture", file))
    return items


def paint(name: str) -> torch.Tensor:
    return from_uint8(torch.tensor(PAINTS[name])).view(1, 3, 1, 1).expand(1, 3, 8, 8)


def test_histograms_are_those_of_scikit_image_and_numpy():
    skimage_color = pytest.importorskip("skimage.color")
    pixels = np.random.default_rng(1).integers(0, 256, (2, 24, 20, 3)).astype(np.uint8)
    found = lab_histogram(from_uint8(torch.from_numpy(pixels).permute(0, 3, 1, 2)))
    for picture, row in zip(pixels, found, strict=True):
        lab = skimage_color.rgb2lab(picture).reshape(-1, 3)
        counts, _ = np.histogramdd(lab, bins=8, range=((0, 100), (-128, 128), (-128, 128)))
        np.testing.assert_allclose(row.numpy(), counts.reshape(-1) / len(lab), atol=2.1 / len(lab))
    torch.testing.assert_close(found.sum(1), torch.ones(2))


def test_each_paint_becomes_a_cluster(tmp_path: Path, paintings: list[Item]):
    found = color_clusters(tmp_path, paintings, 3)
    groups = sorted(sorted({item.identity for item in members}) for members in found.members)
    assert groups == [["blue"], ["green"], ["red"]]
    assert all(len(members) == 4 for members in found.members)
    for name in PAINTS:
        assert found.members[int(found.nearest(paint(name)))][0].identity == name


@pytest.mark.parametrize("count", [3, 9])
def test_no_cluster_is_empty_however_many_are_asked_for(count: int):
    found = cluster(torch.eye(512)[[0, 0, 1, 1]], count)
    assert set(found.numbers.tolist()) == set(range(len(found.centers)))


def test_a_similar_picture_is_another_one_of_the_same_cluster(tmp_path: Path, paintings: list[Item]):
    found, generator = color_clusters(tmp_path, paintings, 3), np.random.default_rng(0)
    chosen = {found.similar(paint("green"), paintings[1], generator).id for _ in range(60)}
    assert chosen == {"green-1", "green-2", "green-3"}
    alone = replace(found, members=tuple(members[:1] for members in found.members))
    assert alone.similar(paint("green"), paintings[1], generator).id == "green-0"


def test_clusters_are_made_once(tmp_path: Path, paintings: list[Item], monkeypatch: pytest.MonkeyPatch):
    first = color_clusters(tmp_path, paintings, 3)
    (kept,) = tmp_path.glob("color-clusters-*.npz")
    monkeypatch.setattr(clusters, "histograms", lambda *_: pytest.fail("counted again"))
    again = color_clusters(tmp_path, paintings, 3)
    assert again.members == first.members
    torch.testing.assert_close(again.centers, first.centers)
    monkeypatch.undo()
    color_clusters(tmp_path, paintings[:-1], 3)
    color_clusters(tmp_path, paintings, 2)
    assert len(list(tmp_path.glob("color-clusters-*.npz"))) == 3
    kept.write_bytes(kept.read_bytes()[:100])
    assert color_clusters(tmp_path, paintings, 3).members == first.members


def test_a_data_set_that_cannot_be_written_is_sorted_all_the_same(
    tmp_path: Path, paintings: list[Item], monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(np, "savez", refuse)
    assert len(color_clusters(tmp_path, paintings, 3).members) == 3
    assert not list(tmp_path.glob("*color-clusters*"))


def with_similar(dataset: Index, **options: object) -> PairDataset:
    still = WarpOptions(tps=0.0)
    changed = {"color_clusters": 4, "self_warp": still, "recolor_warp": still, "no_reference": 0.0, **options}
    return PairDataset(dataset, "train", DataOptions(**changed), image_size=64, seed=3, length=40)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [{}, {"recolor_share": 1.0}, {"shuffled_share": 1.0}])
def test_similar_pictures_share_the_reference_s_cluster(dataset: Index, kind: dict[str, float]):
    """The reference is shown as it stands, in whatever palette and with whatever offset."""
    data = with_similar(dataset, **kind)
    sample = compose(Draft.collate([data[number] for number in range(40)]))
    assert data.clusters is not None
    assert sample.similar is not None
    assert sample.similar.shape == sample.reference.shape
    wanted, found = data.clusters.nearest(sample.reference), data.clusters.nearest(sample.similar)
    assert len(wanted.unique()) > 1
    assert (wanted == found).float().mean() > 0.9  # histograms were counted at another size


def test_asking_for_similar_pictures_changes_no_pair(dataset: Index):
    plain, asked = with_similar(dataset, color_clusters=0), with_similar(dataset)
    assert compose(plain[3]).similar is None
    torch.testing.assert_close(compose(plain[3]).color, compose(asked[3]).color, rtol=0, atol=0)
    torch.testing.assert_close(compose(plain[3]).reference, compose(asked[3]).reference, rtol=0, atol=0)


def test_a_negative_number_of_clusters_is_refused():
    with pytest.raises(ConfigError, match="color_clusters"):
        DataOptions(color_clusters=-1)
