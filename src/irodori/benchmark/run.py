"""The whole benchmark for some methods: answers, scores, cost, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from irodori.benchmark.answers import AnswerOptions, answer_cases
from irodori.benchmark.baselines import usable_baselines
from irodori.benchmark.cases import TRACKS, Benchmark
from irodori.benchmark.cost_track import COST, SIZES, measure_cost, write_cost
from irodori.benchmark.deep import FeatureFile
from irodori.benchmark.methods import BASELINE_PREFIX, BaselineMethod, SystemMethod, make_method
from irodori.benchmark.report import ReportFiles, choose_scored, write_report
from irodori.benchmark.results import Scored
from irodori.benchmark.score import ScoreOptions, score
from irodori.errors import ConfigError
from irodori.inference.finish import LineMode

ALL_TRACKS: tuple[str, ...] = (*TRACKS, COST)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """baselines: also those that were not named.  tracks: which; none named: all.  limit: of each condition, 0 = all.

    workers: processes for baselines and scores.  seed: added to each case's own, and of the bootstrap.
    lines: what systems give: the artist's lines on their colors ("keep"), or what the network drew ("model").
    """

    baselines: bool = True
    tracks: tuple[str, ...] = ()
    limit: int = 0
    workers: int = 1
    seed: int = 0
    device: str = "auto"
    offline: bool = False
    lines: LineMode = "keep"
    features: tuple[FeatureFile, ...] = ()
    progress: bool = True


@dataclass(frozen=True)
class RunReport:
    """What was written; scored: the methods of this run.  notices: what could not be done."""

    files: ReportFiles
    scored: tuple[Scored, ...]
    notices: tuple[str, ...]


def run(benchmark: Benchmark, results: Path, systems: Sequence[str], options: RunOptions | None = None) -> RunReport:
    """Lets methods answer, scores them, and writes the report on all that the folder holds, the first one first."""
    options = options or RunOptions()
    methods, notices = _methods(systems, options)
    tracks = tuple(track for track in options.tracks if track != COST)
    scored = []
    if tracks or not options.tracks:
        for method in methods:
            scored.append(_answer_and_score(benchmark, results, method, tracks, options))
    if COST in options.tracks or (not options.tracks and COST in benchmark.about):
        sizes = benchmark.about.get(COST, {}).get("sizes", SIZES)
        write_cost(results, measure_cost(methods, sizes, options.progress))
    names = [method.name for method in methods]
    others = [one.method.name for one in choose_scored([results]) if one.method.name not in names]
    chosen = choose_scored([results], [*names, *others])
    return RunReport(write_report(benchmark, chosen, results, notices, options.seed), tuple(scored), tuple(notices))


def _methods(systems: Sequence[str], options: RunOptions) -> tuple[list[SystemMethod | BaselineMethod], list[str]]:
    """The methods by name, then the baselines that are not among them; ConfigError when two have the same name."""
    asked = (options.device, options.offline, options.seed, options.lines)
    methods = [make_method(name, *asked) for name in dict.fromkeys(systems)]
    names = [method.name for method in methods]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"two systems are called '{min(twice)}': write LABEL=NAME to tell them apart")
    baselines, notices = usable_baselines() if options.baselines else ([], [])
    methods += [BaselineMethod(name) for name in baselines if BASELINE_PREFIX + name not in names]
    return methods, notices


def _answer_and_score(
    benchmark: Benchmark,
    results: Path,
    method: SystemMethod | BaselineMethod,
    tracks: tuple[str, ...],
    options: RunOptions,
) -> Scored:
    answers = AnswerOptions(
        tracks=tracks, limit=options.limit, workers=options.workers, progress=options.progress
    )  # fmt: skip
    folder = answer_cases(benchmark, results, method, answers)
    return score(
        benchmark,
        folder,
        ScoreOptions(
            tracks=tracks,
            limit=options.limit,
            workers=options.workers,
            features=options.features,
            progress=options.progress,
        ),
    )
