"""Makes a benchmark from art: the held-out drawings, the cases of every track, and what their licenses ask for."""

from __future__ import annotations

import functools
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch
from tqdm import tqdm

from irodori.benchmark.art import Art
from irodori.benchmark.attribution import CREDITS, attribution, credits_of
from irodori.benchmark.cases import TRACKS, Case, Track, write_cases
from irodori.benchmark.tracks import MAKERS
from irodori.benchmark.tracks.base import PICTURES, Unit
from irodori.data.index import Index, Item, read_index, write_index
from irodori.data.licenses import FOLDER as LICENSES
from irodori.data.prepare import NONE_PERMISSIVE, PrepareOptions, map_in_processes, prepare, writing
from irodori.data.sources import is_permissive, with_packs_of
from irodori.errors import ConfigError, DataError

Edition = Literal["full", "mini"]

ART = "art"
"""Folder of the prepared drawings while the benchmark is being made."""

COUNTS: dict[Edition, int] = {"full": 100, "mini": 8}
"""Cases of each condition, unless asked otherwise."""

COST_SIZES = (256, 512, 1024)
"""Sides in pixels at which the cost of a method is measured; that track needs no pictures."""

_DRAWN_BY = ("irodori", "numpy", "opencv-python-headless", "pillow", "resvg_py")
"""Packages whose versions may show in the pictures."""


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """edition: "mini" has few cases of permissively licensed art only, to lie in a repository.

    image_size: side of the pictures in pixels.  count: cases of each condition, 0 = the edition's.
    seed: of every pairing.  tracks: which to build.  permissive_only: for the full edition too.
    """

    edition: Edition = "full"
    image_size: int = 256
    count: int = 0
    seed: int = 0
    tracks: tuple[Track, ...] = TRACKS
    permissive_only: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.tracks) - set(TRACKS)
        if unknown or not self.tracks:
            raise ConfigError(f"benchmark tracks are {', '.join(TRACKS)}; got {', '.join(sorted(unknown)) or 'none'}")

    @property
    def cases_of_each(self) -> int:
        return self.count or COUNTS[self.edition]

    @property
    def is_permissive(self) -> bool:
        return self.permissive_only or self.edition == "mini"


@dataclass(frozen=True)
class BuildReport:
    """counts: cases by track and condition.  empty: asked tracks for which the art holds no case."""

    counts: dict[str, dict[str, int]]
    empty: tuple[Track, ...]


def build(
    sources: Sequence[Path], output: Path, options: BuildOptions, workers: int = 1, progress: bool = True
) -> BuildReport:
    """Builds the benchmark `output`, a new folder that appears only when it is complete.

    sources: whatever `irodori prepare` reads, of which the held-out drawings are prepared, or prepared data sets.
    """
    if output.exists():
        raise DataError(f"{output}: already exists; choose a new folder or delete it first")
    sources = with_packs_of(sources)
    folder = output.with_name(output.name + ".partial")
    try:
        with writing(output):
            shutil.rmtree(folder, ignore_errors=True)
            for name in (PICTURES, ART, LICENSES):
                (folder / name).mkdir(parents=True)
        index = _held_out(sources, folder, options, workers, progress)
        cases = _make_cases(folder, options, workers, progress)
        counts = _counts(cases)
        with writing(output):
            sources_used = credits_of(cases, index, folder / LICENSES)
            (folder / CREDITS).write_text(attribution(sources_used), encoding="utf-8", newline="\n")
            write_cases(folder, cases, {**_settings(sources, options), "counts": counts, "sources": sources_used})
            shutil.rmtree(folder / ART)
            if not any((folder / LICENSES).iterdir()):
                (folder / LICENSES).rmdir()
            os.replace(folder, output)
    finally:
        _open_art.cache_clear()
        shutil.rmtree(folder, ignore_errors=True)
    return BuildReport(counts, tuple(track for track in options.tracks if track not in counts))


def _settings(sources: Sequence[Path], options: BuildOptions) -> dict[str, Any]:
    """What made the benchmark; nothing of it tells one machine from another."""
    names = " ".join(sorted(source.resolve().name for source in sources))
    tracks = "" if set(options.tracks) == set(TRACKS) else "".join(f" --tracks {track}" for track in options.tracks)
    return {
        "edition": options.edition,
        "image_size": options.image_size,
        "count": options.cases_of_each,
        "seed": options.seed,
        "permissive_only": options.is_permissive,
        "command": f"irodori benchmark build --sources {names} --edition {options.edition} --size {options.image_size} "
        f"--count {options.cases_of_each} --seed {options.seed}{tracks}{' --permissive' * options.permissive_only}",
        "versions": {name: found for name in _DRAWN_BY if (found := _version(name))},
        "cost": {"sizes": list(COST_SIZES)},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _counts(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for (track, condition), count in Counter((case.track, case.condition) for case in cases).items():
        counts.setdefault(track, {})[condition] = count
    return counts


# --- the art ---------------------------------------------------------------------------------------------------------


def _held_out(sources: Sequence[Path], folder: Path, options: BuildOptions, workers: int, progress: bool) -> Index:
    """One index of the held-out drawings of all sources, in `folder`, in an order that is not that of the sources."""
    indexes = _data_sets(sources, folder / ART / "prepared", options, workers, progress)
    items = [
        _at(index.root, item)
        for index in indexes
        for item in index.select("test")
        if is_permissive(item.license) or not options.is_permissive
    ]
    if not items:
        raise DataError(NONE_PERMISSIVE if options.is_permissive else "no drawing stands in the split test; give more")
    twice, count = Counter(item.id for item in items).most_common(1)[0]
    if count > 1:
        raise DataError(f"drawing {twice} stands in two of the sources; give each source once")
    for index in indexes:
        if (index.root / LICENSES).is_dir():
            shutil.copytree(index.root / LICENSES, folder / LICENSES, dirs_exist_ok=True)
    items.sort(key=lambda item: (item.source, item.id))
    write_index(folder / ART, items, {"image_size": options.image_size})
    return read_index(folder / ART)


def _data_sets(
    sources: Sequence[Path], prepared: Path, options: BuildOptions, workers: int, progress: bool
) -> list[Index]:
    """The sources that are data sets, and one more, made in `prepared`, of the test split of all others."""
    ready = [source for source in sources if (source / "dataset.json").is_file()]
    raw = [source for source in sources if source not in ready]
    indexes = [_large_enough(read_index(source), options.image_size) for source in ready]
    if raw:
        wanted = PrepareOptions(
            image_size=options.image_size, permissive_only=options.is_permissive, splits=("test",)
        )  # fmt: skip
        prepare(raw, prepared, wanted, workers, progress)
        indexes.append(read_index(prepared))
    return indexes


def _large_enough(index: Index, image_size: int) -> Index:
    if index.image_size < image_size:
        raise DataError(
            f"{index.root}: stored at {index.image_size} px, too small for a benchmark of {image_size} px; prepare it "
            f"again with --size {image_size}, or give --size {index.image_size}"
        )
    return index


def _at(root: Path, item: Item) -> Item:
    """The item with paths that lead to its files from anywhere."""
    absolute = root.resolve()
    return replace(item, file=str(absolute / item.file), sketch=item.sketch and str(absolute / item.sketch))


# --- the cases -------------------------------------------------------------------------------------------------------


def _make_cases(folder: Path, options: BuildOptions, workers: int, progress: bool) -> list[Case]:
    tracks = [track for track in TRACKS if track in options.tracks]
    units = [Unit(folder, track, number, options.seed) for track in tracks for number in range(options.cases_of_each)]
    work = functools.partial(_cases_of, image_size=options.image_size)
    cases: list[Case] = []
    with tqdm(total=len(units), unit="sketch", disable=not progress) as bar:
        for found in map_in_processes(work, units, workers):
            bar.update()
            cases += found
    if not cases:
        raise DataError(
            f"the sources hold no art for {', '.join(tracks)}; give a pack whose color roles are named, or more tracks"
        )
    return cases


def _cases_of(unit: Unit, image_size: int) -> list[Case]:
    if multiprocessing.parent_process():
        torch.set_num_threads(1)  # its threads would stand in the way of the other processes
    return list(MAKERS[unit.track](_open_art(unit.folder, image_size), unit))


@functools.lru_cache(maxsize=1)
def _open_art(folder: Path, image_size: int) -> Art:
    """Once in each process."""
    return Art(read_index(folder / ART), image_size)
