"""A whole benchmark, built from art that is drawn here: every truth can be drawn again by other means."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from irodori.benchmark import build as building
from irodori.benchmark.build import BuildOptions, build
from irodori.benchmark.cases import NO_PART, Benchmark, Case, read_benchmark
from irodori.benchmark.tracks import aligned, editing, recolor, shift
from irodori.data.index import PART_NAMES, Index, read_index
from irodori.data.parts import render
from irodori.data.prepare import PrepareOptions, prepare
from irodori.errors import ConfigError, DataError
from packs import STYLE, TONES, emoji, face, make_emoji, make_pack, make_paintings

SIZE, COUNT = 64, 3
OPTIONS = BuildOptions(image_size=SIZE, count=COUNT)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sources")
    return [
        make_pack(folder / "faces", count=90),
        make_emoji(folder / "lined"),
        make_emoji(folder / "traced", lines=False),
        make_paintings(folder / "paintings"),
    ]


@pytest.fixture(scope="module")
def benchmark(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    folder = tmp_path_factory.mktemp("benchmark") / "bench"
    build(sources, folder, OPTIONS, progress=False)
    return read_benchmark(folder)


def picture(benchmark: Benchmark, name: str | None) -> np.ndarray:
    """RGB levels as integers that can be subtracted."""
    assert name is not None
    return cv2.imread(str(benchmark.root / name))[..., ::-1].astype(int)


def part_map(benchmark: Benchmark, case: Case) -> np.ndarray:
    return picture(benchmark, case.parts)[..., 0]


def test_every_track_has_its_conditions(benchmark: Benchmark):
    strengths = [f"{strength:g}" for strength in aligned.STRENGTHS]
    assert benchmark.about["counts"] == {
        "aligned": {f"{name}, warp {strength}": COUNT for name in ("figures", "recolored figures", "paintings")
                    for strength in strengths},
        "recolor": dict.fromkeys(recolor.CONDITIONS, COUNT),
        "variants": {"artists' lines": COUNT, "traced lines": COUNT},
        "shift": dict.fromkeys(shift.STEPS, COUNT),
        "cross": dict.fromkeys(("figures", "objects", "paintings", "any art"), COUNT),
        "editing": benchmark.about["counts"]["editing"],
    }  # fmt: skip
    assert benchmark.about["counts"]["editing"]["before"] == COUNT
    assert benchmark.about["cost"] == {"sizes": [256, 512, 1024]}


def test_pictures_have_the_size_and_are_stored_once(benchmark: Benchmark):
    files = list((benchmark.root / "pictures").iterdir())
    shapes = {cv2.imread(str(file), cv2.IMREAD_UNCHANGED).shape[:2] for file in files}
    assert shapes == {(SIZE, SIZE)}
    assert len({file.read_bytes() for file in files}) == len(files)
    for number in range(COUNT):
        assert len({case.sketch for case in benchmark.select(["recolor"]) if f"-{number:04d}-" in case.id}) == 1


def test_only_held_out_identities_are_used(benchmark: Benchmark, sources: list[Path], tmp_path: Path):
    prepare(sources, tmp_path / "all", PrepareOptions(image_size=SIZE), progress=False)
    held_out = {item.id for item in read_index(tmp_path / "all").select("test")}
    assert {id for case in benchmark.cases for id in case.items} <= held_out


# --- truths ----------------------------------------------------------------------------------------------------------


def drawn_again(item: str, colors: dict[str, str], line: str) -> np.ndarray:
    return render(face(int(item.rsplit("-", 1)[1]), {**colors, "line": line}), SIZE).astype(int)


ROLES = {"background": "background", "skin": "skin", "hair": "hair", "clothes": "shirt"}
PALETTE = {role: f"#{level:02x}{level:02x}40" for role, level in zip(ROLES.values(), (250, 200, 150, 100), strict=True)}


def colors_of(reference: np.ndarray, number: int) -> dict[str, str]:
    """The colors of a face that is not moved, read in the middle of its parts."""
    head, hair = 20 + number % 5, 10 + number % 7
    middles = {"background": (4, 4), "shirt": (48, 92), "skin": (48, 54), "hair": (48, 46 - (head + hair) / 2)}
    levels = {name: reference[round(y * SIZE / 96), round(x * SIZE / 96)] for name, (x, y) in middles.items()}
    return {name: "#{:02x}{:02x}{:02x}".format(*level) for name, level in levels.items()}


@pytest.mark.parametrize("condition", ["same style, centered", "other style, centered"])
def test_a_recolored_truth_is_the_figure_drawn_in_the_reference_s_colors(benchmark: Benchmark, condition: str):
    cases = [case for case in benchmark.select(["recolor"]) if case.condition == condition]
    for case in cases:
        sketched, shown = case.items
        colors = colors_of(picture(benchmark, case.references[0]), int(shown.rsplit("-", 1)[1]))
        wanted = drawn_again(sketched, colors, "#000000")
        has_no_line = (wanted == drawn_again(sketched, colors, "#ffffff")).all(-1)
        assert has_no_line.mean() > 0.7
        assert np.abs(picture(benchmark, case.truth) - wanted)[has_no_line].max() <= 1
        assert case.scored_parts == tuple(PART_NAMES.index(name) for name in ("background", "skin", "hair", "clothes"))


def test_variants_are_the_artist_s_own(benchmark: Benchmark):
    skin = PART_NAMES.index("skin")
    for case in benchmark.select(["variants"]):
        (pack, base, tone), (_, other, same) = (re.fullmatch(r"(\w+)-(1f6..)(.*)", id).groups() for id in case.items)
        assert (base != other, tone) == (True, same)
        colored, lines = emoji(int(base, 16), *TONES[tone])
        assert np.abs(picture(benchmark, case.truth) - render(colored, SIZE)).max() <= 2
        if pack == "lined":
            assert np.array_equal(picture(benchmark, case.sketch), render(lines, SIZE))
        parts, truth = part_map(benchmark, case), picture(benchmark, case.truth)
        both_have_hair = all(int(name, 16) % 4 != 1 for name in (base, other))
        assert case.scored_parts == ((skin, len(PART_NAMES)) if both_have_hair else (skin,))
        assert np.median(truth[parts == skin], axis=0).tolist() == [
            int(TONES[tone][0][i : i + 2], 16) for i in (1, 3, 5)
        ]
        assert set(np.unique(parts)) <= {skin, len(PART_NAMES), NO_PART}  # what does not change is no part


def test_every_scored_part_has_a_color_of_its_reference(benchmark: Benchmark):
    for case in benchmark.select(["recolor", "shift", "editing", "variants"]):
        if case.edit or not case.scored_parts:
            continue
        parts, truth, reference = part_map(benchmark, case), picture(benchmark, case.truth), case.references[0]
        shown = picture(benchmark, reference).reshape(-1, 3)
        for part in case.scored_parts:
            color = np.median(truth[parts == part], axis=0)
            assert (np.abs(shown - color).max(1) <= 1).sum() >= 4, (case.id, part)


def test_corresponding_points_have_one_color(benchmark: Benchmark):
    counts = {"aligned": 0, "recolor": 0, "shift": 0}
    for case in benchmark.select(list(counts)):
        truth, reference = picture(benchmark, case.truth), picture(benchmark, case.references[0])
        for x, y, across, down in case.correspondence:
            assert np.abs(truth[round(y), round(x)] - reference[round(down), round(across)]).max() <= 8
            counts[case.track] += 1
        if case.track == "aligned" and case.position == 0:
            assert len(case.correspondence) > 8
            assert all(abs(x - a) + abs(y - b) == 0 for x, y, a, b in case.correspondence)
            if case.condition.endswith("centered"):  # deep inside the same part of both
                assert part_map(benchmark, case)[round(y), round(x)] in case.scored_parts
        if case.condition.endswith("centered"):
            assert len(case.correspondence) == 3
    assert min(counts.values()) > 20


def test_drawn_lines_are_no_part(benchmark: Benchmark):
    for case in benchmark.select(["recolor"]):
        black, white = (drawn_again(case.items[0], PALETTE, line)[..., 0] for line in ("#000000", "#ffffff"))
        parts, line_share = part_map(benchmark, case), (white - black) / 255
        assert (parts[line_share > 0.55] == NO_PART).all()
        assert (parts[line_share < 0.05] != NO_PART).mean() > 0.99
        assert (line_share > 0.55).sum() > 20


# --- sequences -------------------------------------------------------------------------------------------------------


def sequences(benchmark: Benchmark, track: str) -> list[list[Case]]:
    names = dict.fromkeys(case.sequence for case in benchmark.select([track]) if case.sequence)
    return [[case for case in benchmark.cases if case.sequence == name] for name in names]


def test_aligned_references_leave_the_truth_step_by_step(benchmark: Benchmark):
    for cases in sequences(benchmark, "aligned"):
        assert [case.position for case in cases] == list(aligned.STRENGTHS)
        assert len({(case.sketch, case.truth) for case in cases}) == 1
        assert cases[0].references[0] == cases[0].truth
        far = [np.abs(picture(benchmark, case.references[0]) - picture(benchmark, case.truth)).mean() for case in cases]
        assert all(near < farther for near, farther in pairwise(far[:3]))


def test_the_shift_slides_from_the_truth_to_something_unrelated(benchmark: Benchmark):
    for cases in sequences(benchmark, "shift"):
        assert [case.condition for case in cases] == list(shift.STEPS)
        assert [case.position for case in cases] == list(range(len(shift.STEPS)))
        assert len({(case.sketch, case.truth, case.parts) for case in cases}) == 1
        assert cases[0].references[0] == cases[0].truth
        assert len({case.references for case in cases}) == len(cases)
        styles = [case.items[1].split("-")[0] for case in cases]
        own = cases[0].items[0]
        assert [case.items[1] == own for case in cases] == [True] * 3 + [False] * 4
        assert styles[3] == own.split("-")[0] != styles[4] == styles[5]
        assert styles[6] in {"lined", "traced"}
        assert len({case.scored_parts for case in cases[:-1]}) == 1
        assert {1, 2} <= set(cases[0].scored_parts)
        assert cases[-1].scored_parts == (0,)


def test_an_edit_changes_its_part_alone(benchmark: Benchmark):
    by_id = {case.id: case for case in benchmark.cases}
    assert len(sequences(benchmark, "editing")) == COUNT
    for cases in sequences(benchmark, "editing"):
        assert [case.edit.scale for case in cases] == [case.position for case in cases] == list(editing.SCALES)
        none, wanted = cases[0], cases[2]
        before = by_id[none.edit.before]
        assert none.truth == before.truth
        assert (wanted.sketch, wanted.references, wanted.parts) == (before.sketch, before.references, before.parts)
        assert [case.truth is None for case in cases] == [False, True, False, True, True]
        parts, truth = part_map(benchmark, wanted), picture(benchmark, wanted.truth)
        role = ROLES[PART_NAMES[wanted.edit.part]]
        black, white = (drawn_again(wanted.items[0], PALETTE | {role: color}, "#000000") for color in ("#000", "#fff"))
        share = (white - black)[..., 0] / 255
        assert (share[parts == wanted.edit.part] > 0.4).all()
        assert np.abs(truth - wanted.edit.color)[share == 1].max() <= 1
        previous = picture(benchmark, before.truth)
        assert np.abs(truth - previous)[share == 0].max() <= 1
        assert np.abs(np.median(previous[share == 1], axis=0) - wanted.edit.color).max() >= 60


# --- the same everywhere ---------------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


OTHER_MACHINE = {
    "OMP_NUM_THREADS": "2",
    "ATEN_CPU_CAPABILITY": "default",
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,AVX,FP16",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX2 FMA3",
    "OPENBLAS_CORETYPE": "Nehalem",
}
"""Makes the libraries compute as on a processor without vector units wider than SSE."""


def test_two_machines_build_the_same_bytes(sources: list[Path], tmp_path: Path):
    """Another processor, other numbers of threads and processes, another order of the sources."""
    build(sources, tmp_path / "one", replace(OPTIONS, count=1), progress=False)
    command = [sys.executable, "-m", "irodori", "benchmark", "build", "--workers", "2", "--json", "--count", "1",
               "--size", str(SIZE), "-o", str(tmp_path / "other"), "--sources", *map(str, sources[::-1])]  # fmt: skip
    done = subprocess.run(command, env={**os.environ, **OTHER_MACHINE}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["empty"] == []
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_case_depends_on_seed_track_and_number_alone(benchmark: Benchmark, sources: list[Path], tmp_path: Path):
    options = replace(OPTIONS, count=1, tracks=("shift", "recolor"))
    build(sources, tmp_path / "few", options, progress=False)
    few = read_benchmark(tmp_path / "few").cases
    assert few == tuple(case for case in benchmark.select(["recolor", "shift"]) if "-0000-" in case.id)
    build(sources, tmp_path / "others", replace(options, seed=1), progress=False)
    others = read_benchmark(tmp_path / "others").cases
    assert {case.sketch for case in few} != {case.sketch for case in others}
    assert not {case.seed for case in few} & {case.seed for case in others}


def test_a_prepared_data_set_gives_the_same_cases(benchmark: Benchmark, sources: list[Path], tmp_path: Path):
    prepare(sources, tmp_path / "data", PrepareOptions(image_size=SIZE), progress=False)
    build([tmp_path / "data"], tmp_path / "bench", OPTIONS, progress=False)
    assert read_benchmark(tmp_path / "bench").cases == benchmark.cases


# --- licenses --------------------------------------------------------------------------------------------------------


def test_sources_are_attributed(benchmark: Benchmark):
    found = {one["source"]: one for one in benchmark.about["sources"]}
    assert found["round"]["license"] == "CC0 1.0"
    assert found["round"]["page"] == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert found["lined"]["attribution"] == "Line Artist"
    text = (benchmark.root / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert STYLE["attribution"] in text
    assert "Line Artist" in text
    assert {license for case in benchmark.cases for license in case.licenses} <= {"CC0 1.0", "MIT", ""}


def test_the_mini_edition_holds_permissive_art_only(sources: list[Path], tmp_path: Path):
    build(sources, tmp_path / "mini", replace(OPTIONS, edition="mini", count=1), progress=False)
    mini = read_benchmark(tmp_path / "mini")
    assert {license for case in mini.cases for license in case.licenses} == {"CC0 1.0", "MIT"}
    assert "paintings" not in {one["source"] for one in mini.about["sources"]}  # nobody says what may be done with them


def test_license_texts_travel_along(tmp_path: Path):
    (tmp_path / "LICENSES").mkdir()
    for name in ("MIT-faces.txt", "CC0-1.0.txt", "GPL-2.0.txt"):
        (tmp_path / "LICENSES" / name).write_text(name)
    source = make_pack(tmp_path / "faces", count=90)
    (source / "NOTICE").write_text("notice")
    build([source], tmp_path / "bench", replace(OPTIONS, count=1, tracks=("recolor",)), progress=False)
    folder = tmp_path / "bench" / "LICENSES"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "CC0-1.0.txt": "CC0-1.0.txt",
        "faces-NOTICE": "notice",
    }
    assert read_benchmark(tmp_path / "bench").about["sources"][0]["texts"] == ["LICENSES/CC0-1.0.txt"]


# --- what cannot be built --------------------------------------------------------------------------------------------


def test_an_interrupted_build_leaves_nothing(sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(building.MAKERS, "cross", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build(sources, tmp_path / "bench", replace(OPTIONS, count=1, tracks=("recolor", "cross")), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_wrong_input_is_told_in_one_sentence(sources: list[Path], dataset: Index, tmp_path: Path):
    def refused(match: str, given: list[Path], **options) -> None:
        with pytest.raises(DataError, match=match):
            build(given, tmp_path / "new" / "bench", replace(OPTIONS, **options), progress=False)
        assert not (tmp_path / "new").exists() or list((tmp_path / "new").iterdir()) == []

    (tmp_path / "old").mkdir()
    with pytest.raises(DataError, match="old: already exists; choose a new folder"):
        build(sources, tmp_path / "old", OPTIONS)
    refused("nothing: no such folder", [tmp_path / "nothing"])
    refused("stored at 64 px.*--size 128.*--size 64", [dataset.root], image_size=128)
    refused("drawing round-.* stands in two of the sources", [dataset.root, sources[0]])
    refused("no art for shift", [sources[1]], tracks=("shift",))
    refused("permissive license.*allow every license", [sources[3]], permissive_only=True)
    refused("no drawing stands in the split test", [make_emoji(tmp_path / "pack", count=0)])
    with pytest.raises(ConfigError, match=r"benchmark tracks are aligned,.*got costs"):
        replace(OPTIONS, tracks=("costs",))


def test_the_command_names_counts_and_missing_art(sources: list[Path], tmp_path: Path, capsys):
    from irodori.cli.main import main

    arguments = ["benchmark", "build", "--sources", str(sources[1]), "--size", "64", "--count", "1"]
    assert main([*arguments, "-o", str(tmp_path / "bench")]) == 0
    captured = capsys.readouterr()
    assert "bench: 3 cases (variants 1, cross 2)" in captured.out
    assert "notice: the sources hold no art for the track shift" in captured.err
    assert main([*arguments, "-o", str(tmp_path / "bench")]) == 2
    assert main([*arguments, "--tracks", "costs", "-o", str(tmp_path / "more")]) == 2
    assert main(["benchmark", "build", "-o", str(tmp_path / "more")]) == 2
    assert "Missing option '--sources'" in capsys.readouterr().err
