"""`irodori colorize`: sketches and references in, colored drawings out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irodori.cli.drawing import color_options, drawing_options, memory_options, take_colors, take_drawing
from irodori.errors import InputError
from irodori.weights import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irodori.inference.batch import BatchReport, Done, Options
    from irodori.inference.colorizer import Colorizer
    from irodori.inference.plan import Job

PATH = click.Path(path_type=Path)


class PointType(click.ParamType):
    """``x,y`` in pixels."""

    name = "x,y"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        try:
            x, y = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a point: write two numbers with a comma, such as 120,85", param, ctx)
        return x, y


@click.command("colorize")
@click.argument("sketches", metavar="SKETCH...", nargs=-1, required=True, type=PATH)
@click.option(
    "--reference",
    "references",
    metavar="REF",
    multiple=True,
    help="Picture whose colors to take; give it again to use several at once.  hair=PICTURE: for that part alone.  "
    "MASK.png=PICTURE: for the place that the mask shows.  "
    "A folder: for each sketch the reference of the same name, or its only picture for all.  "
    "Left out: colored without a reference.",
)
@click.option(
    "-o", "--output", required=True, type=PATH, help="File (.ora and .psd: with layers), or folder for several."
)
@click.option("--model", default=DEFAULT, show_default=True, help="Shipped name, file, folder or hub repository.")
@click.option(
    "--lines",
    type=click.Choice(["keep", "model", "none"]),
    default="keep",
    show_default=True,
    help="keep: your own lines on top.  model: as the network drew them.  none: colors alone.",
)
@click.option(
    "--polarity",
    type=click.Choice(["auto", "dark", "light"]),
    default="auto",
    show_default=True,
    help="Whether lines are dark or light; both also say that the sketch is line art and no picture.",
)
@click.option(
    "--image-size",
    type=click.IntRange(64, 1024),
    help="Longest side in pixels at which the network works.  [default: its training size]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="For systems that draw lots.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--attention", type=PATH, help="Also write a picture of where sketch points looked (file, or folder).")
@click.option("--point", "points", multiple=True, type=PointType(), help="Sketch point for --attention; repeatable.")
@click.option("--explain", type=PATH, help="Also write a picture of what colored which part (file, or folder).")
@click.option(
    "--grid", type=PATH, help="Also write a picture of a grid on the reference, brought along (file, or folder)."
)
@click.option("--warped", type=PATH, help="Also write the reference's colors before refinement (file, or folder).")
@click.option(
    "--hint",
    "hints",
    metavar="X,Y=COLOR",
    multiple=True,
    help="Color at a place, as 120,85=#ff8000, or along a stroke, as 120,85:160,90=#ff8000; again.",
)
@click.option("--palette", metavar="COLOR,...", multiple=True, help="Colors to choose from, as ff8000,2060c0.")
@click.option("--snap", is_flag=True, help="Make each closed region one flat color, exactly one of the reference's.")
@click.option(
    "--tag", "tags", metavar="NAME[=VALUE]", multiple=True, help="What it should show, as red_hair=1.5; again."
)
@click.option(
    "--sweep",
    "sweeps",
    metavar="NAME=A:B:STEPS",
    multiple=True,
    help="One sheet with a tag in steps, as red_hair=0:3:6; a second one: from top to bottom.",
)
@color_options
@drawing_options
@memory_options
@click.option("--overwrite", is_flag=True, help="Color again what is there already, and replace foreign files.")
@click.option("--offline", is_flag=True, help="Never ask the network for weights.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines of text.")
def command(
    sketches: tuple[Path, ...],
    references: tuple[str, ...],
    output: Path,
    model: str,
    device: str,
    sweeps: tuple[str, ...],
    half: bool,
    offload: bool,
    engine: str,
    overwrite: bool,
    offline: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Color line drawings, in the colors of reference pictures.

    Each SKETCH is a picture or a folder of them; the result has its exact size.  A run that was stopped goes on
    where it was when it is started again.
    """
    for name in ("attention", "explain", "grid", "warped"):
        if settings[name] and not references:
            raise click.UsageError(f"--{name} shows where in a reference the colors came from: give --reference too")
    if settings["heatmap"] and not (references and settings["texts"]):
        raise click.UsageError("--heatmap shows where a --text takes effect in a --reference: give both")
    start = time.perf_counter()
    from irodori.inference.batch import Options
    from irodori.inference.colorizer import Colorizer
    from irodori.inference.guidance import parse_hint, parse_palette, parse_references, parse_tags
    from irodori.inference.plan import plan_jobs

    settings["hints"] = tuple(parse_hint(hint) for hint in settings["hints"])
    settings["palette"] = parse_palette(settings["palette"])
    settings["tags"] = parse_tags(settings["tags"])
    colors, suffix = take_colors(settings)
    options = Options(**take_drawing(settings), **colors, **settings)
    jobs = plan_jobs(sketches, parse_references(references), output, suffix)
    colorizer = Colorizer.from_pretrained(
        model,
        device=device,
        offline=offline,
        half=half,
        offload=offload,
        engine=engine,
        announce=announce,
    )
    return color_jobs(colorizer, jobs, options, sweeps, overwrite=overwrite, as_json=as_json, start=start)


def announce(sentence: str) -> None:
    """Says on stderr what the model will need."""
    click.echo(sentence, err=True)


def color_jobs(
    colorizer: Colorizer,
    jobs: Sequence[Job],
    options: Options,
    sweeps: Sequence[str],
    *,
    overwrite: bool,
    as_json: bool,
    start: float,
) -> int:
    """Colors everything, or one sheet of a sweep, and tells what was done; returns the exit code."""
    from irodori.inference.batch import run_jobs

    if sweeps:
        return _sweep(colorizer, jobs, options, sweeps, overwrite, as_json, start)
    on_done = _ignore if as_json else _print_done
    report = run_jobs(colorizer, jobs, options, overwrite=overwrite, on_done=on_done)
    if len(jobs) == 1 and report.failed:
        raise InputError(report.failed[0][1])
    if as_json:
        click.echo(json.dumps(_as_json(report, options, time.perf_counter() - start), ensure_ascii=False))
    _print_rest(report, as_json)
    return 1 if report.failed else 0


def _sweep(
    colorizer: Colorizer, jobs: Sequence[Job], options: Options, sweeps: Sequence[str], overwrite: bool, as_json: bool,
    start: float,
) -> int:  # fmt: skip
    from irodori.editing.sweep import parse_sweep, write_sweep

    if len(jobs) > 1:
        raise InputError(f"a sweep is one sheet of one sketch, but there are {len(jobs)}: sweep them one by one")
    write_sweep(colorizer, jobs[0], options, [parse_sweep(text) for text in sweeps], overwrite=overwrite)
    seconds = time.perf_counter() - start
    if as_json:
        click.echo(json.dumps({"sheet": str(jobs[0].output), "sweeps": list(sweeps), "seconds": round(seconds, 3)}))
    else:
        click.echo(f"{jobs[0].output}  model {colorizer.name}  {' '.join(sweeps)}  {seconds:.1f} s")
    return 0


def _ignore(done: Done) -> None:
    """With --json everything is printed at the end."""


def _print_done(done: Done) -> None:
    about = done.provenance
    click.echo(f"{done.job.output}  model {about['model']}  seed {about['seed']}  {done.seconds:.1f} s")
    for notice in done.notices:
        click.echo(f"{done.job.sketch}: {notice}", err=True)


def _print_rest(report: BatchReport, as_json: bool) -> None:
    """Skipped files, and failures on stderr, last."""
    if report.skipped and not as_json:
        click.echo(f"{len(report.skipped)} already there, skipped (--overwrite colors again)")
    for path, reason in report.failed:
        click.echo(f"failed: {reason if str(path) in reason else f'{path}: {reason}'}", err=True)


def _beside(done: Done, kind: str) -> str | None:
    return str(done.pictures[kind]) if kind in done.pictures else None


def _as_json(report: BatchReport, options: Options, seconds: float) -> dict[str, Any]:
    results = [
        {
            "sketch": str(done.job.sketch),
            "references": [str(path) for path in done.job.references],
            "reference_parts": list(done.job.parts),
            "output": str(done.job.output),
            "attention": _beside(done, "attention"),
            "explanation": _beside(done, "explain"),
            "grid": _beside(done, "grid"),
            "warped": _beside(done, "warped"),
            "heatmap": _beside(done, "heatmap"),
            "notices": list(done.notices),
            "provenance": done.provenance,
            "seconds": round(done.seconds, 3),
        }
        for done in report.done
    ]
    return {
        "results": results,
        "skipped": [str(path) for path in report.skipped],
        "failures": [{"sketch": str(path), "reason": reason} for path, reason in report.failed],
        "seconds": round(seconds, 3),
    }
