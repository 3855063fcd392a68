import json
import os
import tarfile
import zipfile
import zlib
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from irodori.cli.main import main
from irodori.data.compose import compose
from irodori.data.dataset import DataOptions, PairDataset
from irodori.data.index import Index, Item, read_index, split_of
from irodori.data.parts import render
from irodori.data.prepare import PrepareOptions, prepare, square
from irodori.data.sources import is_permissive, read_source, with_packs_of
from irodori.errors import DataError, IrodoriError
from irodori.image import to_pixels
from irodori.image_io import write_image
from packs import emoji, make_emoji, make_pack


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)


def pictures(folder: Path, names: list[str]) -> Path:
    """Different pictures under `names`, which may have folders in them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, picture(zlib.crc32(str(folder / name).encode())))
    return folder


def prepared(source: Path, output: Path, **options) -> Index:
    prepare([source], output, PrepareOptions(image_size=64, **options), progress=False)
    return read_index(output)


def test_a_pack_keeps_parts_tags_and_license(dataset: Index):
    item = dataset.items[0]
    assert {part.name for part in item.parts} == {"skin", "hair", "clothes", "ink", "background"}
    assert [part.name for part in item.parts if part.line] == ["ink"]
    assert item.tags == ("face",)
    assert item.license == "CC0 1.0"
    assert dataset.about["licenses"][0]["attribution"] == "drawn for the tests of irodori"


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
    assert stored[8 + 24].max() < 200  # 60 rows become 48, centered from row 8
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
    assert [name for name, _ in report.rejected] == ["art-bad"]
    assert "bad.png" in json.loads((tmp_path / "data" / "dataset.json").read_text())["rejected"][0][1]


def test_licenses_can_be_restricted():
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


def test_square_centers_on_paper():
    result = square(np.zeros((20, 40, 3), np.uint8), 64)
    assert result.shape == (64, 64, 3)
    assert result[:16].min() == result[48:].min() == 255
    assert result[16:48].max() == 0


def test_packs_of_icons_make_every_color_a_part(tmp_path: Path):
    folder = tmp_path / "icons"
    folder.mkdir()
    with zipfile.ZipFile(folder / "svg.zip", "w") as archive:
        archive.writestr(
            "svg/a.svg", '<svg xmlns="http://www.w3.org/2000/svg"><path fill="#f00"/><path fill="#00ff00"/></svg>'
        )
    (folder / "index.jsonl").write_text('{"id": "a", "name": "a", "tags": [], "file": "svg/a.svg", "licence": "MIT"}\n')
    item = next(iter(read_source(folder)))
    assert item.colors == (("", "#f00", False), ("", "#00ff00", False))


# --- identities ------------------------------------------------------------------------------------------------------


def identities(source: Path, kind: str = "auto") -> dict[str, str]:
    return {item.id: item.identity for item in read_source(source, kind)}


def test_plain_folders_are_read_with_all_their_levels(tmp_path: Path):
    names = ["10.png", "2.png", "hero/a.png", "hero/run/side/b.jpg", ".hidden/c.png", "hero/.d.png"]
    assert identities(pictures(tmp_path / "art", names)) == {
        "2": "art/2", "10": "art/10", "hero/a": "art/hero", "hero/run/side/b": "art/hero"
    }  # fmt: skip


def test_folders_of_splits_are_no_identities(tmp_path: Path):
    names = ["Train/x.png", "train/y.png", "VALIDATION/hero/z.png", "hero/test/w.png"]
    assert identities(pictures(tmp_path / "art", names)) == {
        "Train/x": "art/x", "train/y": "art/y", "VALIDATION/hero/z": "art/hero", "hero/test/w": "art/hero"
    }  # fmt: skip


def test_every_side_by_side_or_paired_file_is_an_identity(tmp_path: Path):
    source = pictures(tmp_path / "shoes", ["train/1.png", "train/2.png", "boots/1.png"])
    assert set(identities(source, "side-by-side").values()) == {"shoes/1", "shoes/2", "shoes/boots/1"}
    for half in ("sketch", "color"):
        pictures(tmp_path / "art" / half, ["train/1.png", "boots/1.png", "boots/2.png"])
    assert set(identities(tmp_path / "art").values()) == {"art/1", "art/boots/1", "art/boots/2"}


def test_folders_that_go_round_and_data_sets_are_not_entered(tmp_path: Path):
    source = pictures(tmp_path / "art", ["hero/a.png"])
    (source / "hero" / "loop").symlink_to(source, target_is_directory=True)
    prepared(source, source / "data")
    assert list(identities(source)) == ["hero/a"]


def test_an_identity_that_holds_most_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = pictures(tmp_path / "art", [f"{number}.png" for number in range(44)])
    pictures(source, [f"hero/{number}.png" for number in range(6)])
    text = "identity art/hero holds 6 of 50 drawings: its drawings all stand in one split"
    assert main(["prepare", str(source), "-o", str(tmp_path / "a"), "--size", "32"]) == 0
    assert text in capsys.readouterr().err
    assert text in json.loads((tmp_path / "a" / "dataset.json").read_text())["notices"][0]
    assert main(["prepare", str(source), "-o", str(tmp_path / "b"), "--size", "32", "--json"]) == 0
    assert text in json.loads(capsys.readouterr().out)["notices"][0]
    (source / "hero" / "0.png").unlink()
    assert main(["prepare", str(source), "-o", str(tmp_path / "c"), "--size", "32", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notices"] == []


def test_copies_and_mirrored_copies_share_an_identity(tmp_path: Path):
    source = pictures(tmp_path / "art", [f"{number}.png" for number in range(12)])
    odd = picture(1)[:47, :60]  # fits into the square with one column more on one side than on the other
    for number in range(20):
        write_image(source / f"copy-{number}.png", odd if number % 2 else odd[:, ::-1])
    index = prepared(source, tmp_path / "data")
    copies = [item for item in index.items if "copy" in item.id]
    assert {(item.identity, item.split) for item in copies} == {("art/copy-0", split_of("art/copy-0"))}
    assert len({item.identity for item in index.items}) == 13


# --- ids -------------------------------------------------------------------------------------------------------------


def test_drawings_of_one_name_are_told_apart(tmp_path: Path):
    sources = [pictures(tmp_path / place / "art", ["a.png", "a.jpg", "a-2.png"]) for place in ("one", "two")]
    ids = []
    for workers in (1, 2):
        prepare(sources, tmp_path / str(workers), PrepareOptions(image_size=64), workers, progress=False)
        index = read_index(tmp_path / str(workers))
        ids.append([item.id for item in index.items])
        assert len({item.file for item in index.items}) == len(list((index.root / "items").iterdir())) == 6
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 6
    assert {"art-a", "art-a-2", "art-a-3"} < set(ids[0])


def test_a_paired_sketch_is_not_overwritten(tmp_path: Path):
    for half in ("sketch", "color"):
        pictures(tmp_path / "art" / half, ["a.png", "A.png", "a.sketch.png"])
    index = prepared(tmp_path / "art", tmp_path / "data")
    files = [name for item in index.items for name in (item.file, item.sketch)]
    assert len({name.lower() for name in files}) == 6


def test_any_file_name_makes_a_usable_id(tmp_path: Path):
    source = pictures(
        tmp_path / "my art", ["a b?.png", "線画.png", "x" * 240 + ".png", "x" * 241 + ".png", "u\u2028.png"]
    )
    index = prepared(source, tmp_path / "data")
    assert {"my_art-a_b_", "my_art-線画", "my_art-u_"} < {item.id for item in index.items}
    assert len(index.items) == 5


def test_file_names_that_are_not_utf_8_work(tmp_path: Path):
    source = pictures(tmp_path / "art", ["ok.png"])
    for name in (b"\xff.png", b"\xfe.png"):
        os.link(source / "ok.png", os.fsencode(source) + b"/" + name)
    with open(os.fsencode(source) + b"/bad-\xff.png", "wb") as file:
        file.write(b"no picture")
    index = prepared(source, tmp_path / "data")
    assert {item.id for item in index.items} == {"art-ok", "art-_", "art-_-2"}
    assert [name for name, _ in index.about["rejected"]] == ["art-bad-_"]


def test_the_folder_may_be_given_as_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(pictures(tmp_path / "art", ["a.png"]))
    assert [item.source for item in read_source(Path("."))] == ["art"]


# --- packs -----------------------------------------------------------------------------------------------------------

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path fill="#f00"/><path fill="#00ff00"/></svg>'


def icons(folder: Path, rows: list[dict]) -> Path:
    """A pack whose rows get a file each unless they name one."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "svg.zip", "w") as archive:
        for row in rows:
            archive.writestr(row.setdefault("file", f"{row['id']}.svg"), SVG)
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_variants_and_near_duplicates_share_an_identity(tmp_path: Path):
    rows = [
        {"id": "1f385"}, {"id": "1f385-1f3fb", "skintone_base": "1F385"},
        {"id": "copy", "near_duplicate_of": "1f385-1f3fb"},
        {"id": "1f3c3-200d-2640-fe0f"}, {"id": "1f3c3-1f3fb", "skintone_base": "1F3C3-200D-2640"},
        {"id": "c", "near_duplicate_of": "b"}, {"id": "b", "near_duplicate_of": "c"},
        {"id": "ep01_p1", "episode": 1}, {"id": "ep01_p2", "episode": 1, "near_duplicate_of": "ep01_p1"},
    ]  # fmt: skip
    assert list(identities(icons(tmp_path / "icons", rows)).values()) == [
        *["icons/1f385"] * 3, *["icons/1f3c3-200d-2640"] * 2, *["icons/b"] * 2, *["icons/1"] * 2
    ]  # fmt: skip


def test_packs_may_spell_license_either_way(tmp_path: Path):
    rows = [{"id": "a", "licence": "MIT"}, {"id": "b", "license": "CC0"}, {"id": "c", "license": None}]
    assert [item.license for item in read_source(icons(tmp_path / "icons", rows))] == ["MIT", "CC0", ""]


def test_a_folder_of_packs_is_all_of_them(tmp_path: Path):
    packs = [icons(tmp_path / name, [{"id": name}]) for name in ("b", "a")]
    (tmp_path / "LICENSES").mkdir()
    assert with_packs_of([tmp_path]) == sorted(packs)
    assert with_packs_of([packs[0]]) == [packs[0]]
    pictures(tmp_path, ["beside.png"])
    assert with_packs_of([tmp_path]) == [tmp_path]


def test_older_data_sets_spell_licence(dataset: Index):
    row = json.loads((dataset.root / "index.jsonl").read_text().splitlines()[0])
    row["licence"] = row.pop("license")
    assert Item.from_json(row) == dataset.items[0]


def test_metadata_of_pictures_does_not_make_a_pack(tmp_path: Path):
    source = pictures(tmp_path / "art", ["a.png"])
    (source / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "a boot"}\n')
    assert len(prepared(source, tmp_path / "data").items) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"file": "a.svg"}', "index.jsonl, line 2: has no 'id'"),
        ('{"id": "a"}', "index.jsonl, line 2: has no 'file'"),
        ('{"id": 7, "file": "a.svg"}', "line 2: 'id' must be text, is 7"),
        ('{"id": "a", "file": ["a.svg"]}', "line 2: 'file' must be text"),
        ('{"id": "a", "file": "a.svg", "tags": "face"}', "line 2: 'tags' must be a list"),
        ('{"id": "a", "file": "a.svg", "licence": 3}', "line 2: 'licence' must be text"),
        ('{"id": "a", "file": "a.svg", "skintone_base": {}}', "line 2: 'skintone_base' must be"),
        ('{"id": "b", "file": "b.svg"}', "line 2: b.svg is in no zip"),
        ('["a"]', "line 2: is no JSON object"),
        ('{"id": ', "line 2: is no JSON object"),
    ],
)
def test_wrong_rows_of_a_pack_are_named(tmp_path: Path, line: str, message: str):
    source = icons(tmp_path / "icons", [{"id": "a"}])
    with (source / "index.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=message):
        prepared(source, tmp_path / "data")


@pytest.mark.parametrize("damage", ["truncated", "missing", "empty"])
def test_broken_zips_are_named(tmp_path: Path, damage: str):
    source = icons(tmp_path / "icons", [{"id": "a"}])
    break_file(source / "svg.zip", damage)
    message = "a.svg is in no zip" if damage == "missing" else "svg.zip: cannot be read .*again"
    with pytest.raises(DataError, match=message):
        prepared(source, tmp_path / "data")


def break_file(path: Path, damage: str) -> None:
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"")


def test_damage_inside_a_zip_is_named(tmp_path: Path):
    source = icons(tmp_path / "icons", [{"id": "a"}])
    data = (source / "svg.zip").read_bytes()
    (source / "svg.zip").write_bytes(data.replace(b"#f00", b"#f01"))
    with pytest.raises(DataError, match="svg.zip: cannot be read"):
        prepared(source, tmp_path / "data")


def test_svg_that_is_no_utf_8_is_named(tmp_path: Path):
    source = icons(tmp_path / "icons", [{"id": "a"}])
    with zipfile.ZipFile(source / "svg.zip", "w") as archive:
        archive.writestr("a.svg", b"\xff\xfe<svg/>")
    with pytest.raises(DataError, match="svg.zip: a.svg: the SVG is not UTF-8"):
        prepared(source, tmp_path / "data")


@pytest.mark.parametrize("damage", ["truncated", "missing", "empty"])
def test_broken_tars_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str):
    source = make_pack(tmp_path / "faces", ("round",), 4)
    break_file(source / "round.tar.gz", damage)
    assert main(["prepare", str(source), "-o", str(tmp_path / "data")]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {source}/round.tar.gz: cannot be read")
    assert "again" in message
    assert not list(tmp_path.glob("data*"))


def test_a_tar_that_lacks_drawings_is_named(tmp_path: Path):
    source = make_pack(tmp_path / "faces", ("round",), 4)
    with tarfile.open(source / "round.tar.gz", "w:gz"):
        pass
    with pytest.raises(DataError, match="round.tar.gz: lacks round/round-0.svg of round.jsonl"):
        prepared(source, tmp_path / "data")


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        ("{", "styles.json: cannot be read"),
        ("[]", "styles.json: is no JSON object"),
        ('{"round": 1}', "styles.json, style round: is no JSON object"),
        ('{"round": {}}', "styles.json, style round: 'roles' must be an object"),
        ('{"round": {"roles": {"skin": 1}}}', "style round: 'roles' must be text"),
        ('{"square": {"roles": {}}}', "square.jsonl: cannot be read"),
    ],
)
def test_wrong_styles_are_named(tmp_path: Path, styles: str, message: str):
    source = make_pack(tmp_path / "faces", ("round",), 4)
    (source / "styles.json").write_text(styles)
    with pytest.raises(DataError, match=message):
        prepared(source, tmp_path / "data")


@pytest.mark.parametrize(("key", "value"), [("colors", {"skin": "red"}), ("colors", None), ("variants", ...)])
def test_wrong_rows_of_a_style_are_named(tmp_path: Path, key: str, value: object):
    source = make_pack(tmp_path / "faces", ("round",), 2)
    rows = [json.loads(line) for line in (source / "round.jsonl").read_text().splitlines()]
    rows[1].pop(key)
    if value is not ...:
        rows[1][key] = value
    (source / "round.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="round.jsonl, line 2: .*(color|variants)"):
        prepared(source, tmp_path / "data")


def test_a_disk_that_is_full_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    source = pictures(tmp_path / "art", ["a.png"])
    monkeypatch.setattr("irodori.data.prepare.os.replace", full)
    with pytest.raises(IrodoriError, match="cannot be written .No space left on device"):
        prepared(source, tmp_path / "data")
    assert not list(tmp_path.glob("data*"))


def test_unreadable_sources_are_not_reported_as_unwritable_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    source = icons(tmp_path / "icons", [{"id": "a"}])
    monkeypatch.setattr("irodori.data.sources.zipfile.ZipFile", denied)
    with pytest.raises(DataError, match="svg.zip: cannot be read .Permission denied"):
        prepared(source, tmp_path / "data")


# --- parts of sources ------------------------------------------------------------------------------------------------


def test_one_split_alone_is_that_split_of_the_whole(pack: Path, dataset: Index, tmp_path: Path, monkeypatch):
    from irodori.data import prepare as preparing

    rendered = []
    original = preparing.planes_of
    monkeypatch.setattr(preparing, "planes_of", lambda *given: rendered.append(1) or original(*given))
    index = prepared(pack, tmp_path / "test", splits=("test",))
    assert list(index.items) == dataset.select("test")
    assert len(rendered) == len(index.items) < len(dataset.items)
    assert all((index.root / item.file).read_bytes() == (dataset.root / item.file).read_bytes() for item in index.items)


def test_a_copy_goes_to_the_split_of_its_original(tmp_path: Path):
    """Which is not that of its own name: pictures are compared before they are chosen."""
    names = [f"{number}.png" for number in range(100)]
    split = {name: split_of(f"art/{name[:-4]}") for name in names}
    first = next(name for name in names if split[name] == "test")
    copy = next(name for name in names if name > first and split[name] == "train")
    source = pictures(tmp_path / "art", [first])
    write_image(source / copy, np.ascontiguousarray(cv2.imread(str(source / first))[:, ::-1, ::-1]))
    index = prepared(source, tmp_path / "data", splits=("test",))
    assert [item.id for item in index.items] == [f"art-{name[:-4]}" for name in (first, copy)]
    with pytest.raises(DataError, match="no drawing stands in the split val; give more drawings"):
        prepared(source, tmp_path / "none", splits=("val",))
    assert not (tmp_path / "none").exists()


def test_what_is_left_out_leaves_no_files(tmp_path: Path):
    source = pictures(tmp_path / "art", [f"{number}.png" for number in range(30)])
    index = prepared(source, tmp_path / "data", splits=("test", "val"))
    assert {item.split for item in index.items} <= {"test", "val"}
    assert len(list((index.root / "items").iterdir())) == len(index.items) < 30


def test_emoji_keep_the_artist_s_line_drawing(tmp_path: Path):
    source = make_emoji(tmp_path / "lined")
    index = prepared(source, tmp_path / "data")
    item = index.items[0]
    assert (item.kind, item.attribution) == ("parts", "Line Artist")
    stored = cv2.imread(str(index.root / item.sketch), cv2.IMREAD_GRAYSCALE)
    _, lines = emoji(int(item.identity.split("/")[1], 16), "#000000", "#000000")
    assert np.array_equal(stored, render(lines, 64)[..., 0])
    options = DataOptions(sketches=("ink",), vary_lines=False, no_reference=1.0)
    pairs = PairDataset(index, "test", options, 64, 0, 8)
    drawn = {to_pixels(compose(pairs[number]).sketch).tobytes() for number in range(8)}
    known = {cv2.imread(str(index.root / one.sketch), cv2.IMREAD_GRAYSCALE).tobytes() for one in index.items}
    assert drawn <= known


def test_license_texts_stay_with_the_drawings(tmp_path: Path):
    (tmp_path / "LICENSES").mkdir()
    for name in ("MIT-lined.txt", "Apache-2.0.txt"):
        (tmp_path / "LICENSES" / name).write_text(name)
    source = make_emoji(tmp_path / "lined")
    (source / "LICENSE").write_text("own")
    index = prepared(source, tmp_path / "data")
    found = {path.name: path.read_text() for path in (index.root / "LICENSES").iterdir()}
    assert found == {"MIT-lined.txt": "MIT-lined.txt", "lined-LICENSE": "own"}


def test_the_command_takes_splits(pack: Path, dataset: Index, tmp_path: Path):
    arguments = ["prepare", str(pack), "-o", str(tmp_path / "data"), "--size", "64", "--split", "val", "--json"]
    assert main(arguments) == 0
    assert list(read_index(tmp_path / "data").items) == dataset.select("val")


def celebamask(folder: Path) -> Path:
    """Two pictures in the layout of CelebAMask-HQ: figures of 40 x 40 of 80 pixels; masks are half as large."""
    for name in ("CelebA-HQ-img", "CelebAMask-HQ-mask-anno/0", "CelebAMask-HQ-mask-anno/1"):
        (folder / name).mkdir(parents=True)
    for number in (7, 2001):
        color = np.full((80, 80, 3), (30, 60, 90), np.uint8)
        color[20:60, 20:60] = (200, 150, 120)
        write_image(folder / f"CelebA-HQ-img/{number}.png", color)
        for part, rows in (("hair", slice(10, 18)), ("skin", slice(18, 30))):
            mask = np.zeros((40, 40), np.uint8)
            mask[rows, 10:30] = 255
            write_image(folder / f"CelebAMask-HQ-mask-anno/{number // 2000}/{number:05d}_{part}.png", mask)
    (folder / "CelebAMask-HQ-pose-anno.txt").write_text("30000")
    return folder


def test_celebamask_is_recognized_with_its_masks_and_license(tmp_path: Path):
    found = list(read_source(celebamask(tmp_path / "faces")))
    assert [item.id for item in found] == ["7", "2001"]
    assert [path.name for path in found[1].masks] == ["02001_hair.png", "02001_skin.png"]
    assert [item.identity for item in found] == ["faces/7", "faces/2001"]
    assert not is_permissive(found[0].license)


@pytest.mark.parametrize("removed", [False, True])
def test_masks_remove_the_background_when_asked(tmp_path: Path, removed: bool):
    index = prepared(celebamask(tmp_path / "faces"), tmp_path / "data", remove_background=removed)
    assert index.about["remove_background"] == removed
    stored = cv2.imread(str(index.root / index.items[0].file))[..., ::-1]
    assert stored.shape == (64, 64, 3)
    assert stored[32, 32].tolist() == [200, 150, 120]
    assert stored[2, 2].tolist() == ([255, 255, 255] if removed else [30, 60, 90])
    assert stored[32, 12].tolist() == ([255, 255, 255] if removed else [30, 60, 90])


def test_a_damaged_mask_is_listed(tmp_path: Path):
    faces = celebamask(tmp_path / "faces")
    (faces / "CelebAMask-HQ-mask-anno/0/00007_hair.png").write_bytes(b"")
    report = prepare([faces], tmp_path / "data", PrepareOptions(image_size=64, remove_background=True), progress=False)
    assert report.items == 1
    assert "00007_hair.png" in report.rejected[0][1]


def test_celebamask_without_pictures_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("CelebA-HQ-img", "CelebAMask-HQ-mask-anno"):
        (tmp_path / "faces" / name).mkdir(parents=True)
    assert main(["prepare", str(tmp_path / "faces"), "-o", str(tmp_path / "data"), "--remove-background"]) == 2
    assert "holds no pictures" in capsys.readouterr().err
