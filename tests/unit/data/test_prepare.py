import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from irodori.data.index import Index, read_index, split_of
from irodori.data.prepare import PrepareOptions, prepare, square
from irodori.data.sources import is_permissive, read_source
from irodori.errors import DataError
from irodori.image_io import write_image

PICTURE = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)


def pictures(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        write_image(folder / name, PICTURE)
    return folder


def prepared(source: Path, output: Path, **options) -> Index:
    prepare([source], output, PrepareOptions(image_size=64, **options), progress=False)
    return read_index(output)


def test_a_pack_keeps_parts_tags_and_licence(dataset: Index):
    item = dataset.items[0]
    assert {part.name for part in item.parts} == {"skin", "hair", "clothes", "ink", "background"}
    assert [part.name for part in item.parts if part.line] == ["ink"]
    assert item.tags == ("face",)
    assert item.licence == "CC0 1.0"
    assert dataset.about["licences"][0]["attribution"] == "drawn for the tests of irodori"


def test_an_identity_stands_in_one_split_only(dataset: Index):
    splits = defaultdict(set)
    for item in dataset.items:
        splits[item.identity].add(item.split)
    assert len(splits) == 30  # two figures share their variants each
    assert all(len(found) == 1 for found in splits.values())
    assert {item.split for item in dataset.items} == {"train", "val", "test"}


def test_splits_have_the_asked_sizes_and_never_change():
    names = [f"figure-{number}" for number in range(4000)]
    found = [split_of(name) for name in names]
    assert abs(found.count("test") / 4000 - 0.10) < 0.02
    assert abs(found.count("val") / 4000 - 0.05) < 0.02
    assert [split_of(name) for name in ("a", "b", "figure-3")] == ["train", "train", "train"]


def test_a_plain_folder_groups_subfolders_into_identities(tmp_path: Path):
    source = pictures(tmp_path / "art", ["alone.png"])
    pictures(source / "hero", ["1.png", "2.jpg"])
    index = prepared(source, tmp_path / "data")
    assert {item.identity for item in index.items} == {"art/alone", "art/hero"}
    assert len(index.items) == 3


def test_paired_folders_keep_the_artist_s_sketch(tmp_path: Path):
    pictures(tmp_path / "art" / "color", ["a.png"])
    (tmp_path / "art" / "sketch").mkdir()
    lines = np.full((60, 80), 255, np.uint8)
    lines[30] = 0
    write_image(tmp_path / "art" / "sketch" / "a.png", lines)
    item = prepared(tmp_path / "art", tmp_path / "data").items[0]
    stored = cv2.imread(str(tmp_path / "data" / item.sketch), cv2.IMREAD_GRAYSCALE)
    assert stored.shape == (64, 64)
    assert stored[8 + 24].max() < 200  # 60 rows become 48, centred from row 8
    assert stored[8].min() == 255


def test_paired_folders_name_what_has_no_partner(tmp_path: Path):
    pictures(tmp_path / "art" / "color", ["a.png", "b.png"])
    pictures(tmp_path / "art" / "sketch", ["a.png"])
    with pytest.raises(DataError, match="'b'"):
        prepared(tmp_path / "art", tmp_path / "data")


@pytest.mark.parametrize("side", ["left", "right"])
def test_side_by_side_files_are_split(tmp_path: Path, side: str):
    color, sketch = np.full((40, 40, 3), (200, 30, 30), np.uint8), np.full((40, 40, 3), 255, np.uint8)
    sketch[20] = 0
    halves = [sketch, color] if side == "left" else [color, sketch]
    (tmp_path / "art").mkdir()
    write_image(tmp_path / "art" / "pair.png", np.hstack(halves))
    index = prepared(tmp_path / "art", tmp_path / "data", kind="side-by-side", sketch_side=side)
    item = index.items[0]
    assert cv2.imread(str(index.root / item.file))[..., ::-1][32, 32].tolist() == [200, 30, 30]
    assert cv2.imread(str(index.root / item.sketch), cv2.IMREAD_GRAYSCALE)[33].max() < 255


def test_damaged_pictures_are_listed_and_left_out(tmp_path: Path):
    source = pictures(tmp_path / "art", ["good.png"])
    (source / "bad.png").write_bytes(b"no picture")
    report = prepare([source], tmp_path / "data", PrepareOptions(image_size=64), progress=False)
    assert report.items == 1
    assert [name for name, _ in report.rejected] == ["bad"]
    assert "bad.png" in json.loads((tmp_path / "data" / "dataset.json").read_text())["rejected"][0][1]


def test_licences_can_be_restricted():
    assert all(map(is_permissive, ["CC0 1.0", "CC0-1.0", "CC BY 4.0", "MIT", "Apache-2.0", "Apache-2.0 (repository)"]))
    assert not any(map(is_permissive, ["CC BY-SA 4.0", "GPL-2.0-or-later", "", "CC BY-NC 4.0"]))


def test_two_processes_make_the_same_data_set(pack: Path, tmp_path: Path):
    for workers in (1, 2):
        options = PrepareOptions(image_size=64, limit=8)
        prepare([pack], tmp_path / str(workers), options, workers=workers, progress=False)
    first, second = ((tmp_path / str(workers) / "index.jsonl").read_bytes() for workers in (1, 2))
    assert first == second


@pytest.mark.parametrize("what", ["missing", "empty", "existing"])
def test_unusable_arguments_leave_nothing_behind(tmp_path: Path, what: str):
    source = tmp_path / "source"
    if what != "missing":
        source.mkdir()
    if what == "existing":
        (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match="source|data"):
        prepared(source, tmp_path / "data")
    assert not list(tmp_path.glob("*.partial"))
    assert (tmp_path / "data").exists() == (what == "existing")


def test_a_folder_that_is_no_data_set_says_so(tmp_path: Path):
    with pytest.raises(DataError, match="irodori prepare"):
        read_index(tmp_path)


def test_a_damaged_index_says_so(pack: Path, tmp_path: Path):
    prepared(pack, tmp_path / "data", limit=2)
    (tmp_path / "data" / "index.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(DataError, match="damaged"):
        read_index(tmp_path / "data")


def test_square_centres_on_paper():
    result = square(np.zeros((20, 40, 3), np.uint8), 64)
    assert result.shape == (64, 64, 3)
    assert result[:16].min() == result[48:].min() == 255
    assert result[16:48].max() == 0


def test_packs_of_icons_make_every_color_a_part(tmp_path: Path):
    import zipfile

    folder = tmp_path / "icons"
    folder.mkdir()
    with zipfile.ZipFile(folder / "svg.zip", "w") as archive:
        archive.writestr(
            "svg/a.svg", '<svg xmlns="http://www.w3.org/2000/svg"><path fill="#f00"/><path fill="#00ff00"/></svg>'
        )
    (folder / "index.jsonl").write_text('{"id": "a", "name": "a", "tags": [], "file": "svg/a.svg", "licence": "MIT"}\n')
    item = next(iter(read_source(folder)))
    assert item.colors == (("", "#f00", False), ("", "#00ff00", False))
