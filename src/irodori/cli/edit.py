"""`irodori edit`: a saved result, with changes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from irodori.cli.colorize import announce, color_jobs
from irodori.cli.drawing import color_options, drawing_options, memory_options, take_colors, take_drawing

PATH = click.Path(path_type=Path)


@click.command("edit")
@click.argument("result", metavar="RESULT", type=PATH)
@click.option("-o", "--output", type=PATH, help="File, or folder for several sketches.")
@click.option("--tag", "tags", metavar="NAME[=VALUE]", multiple=True, help="Set a tag, as red_hair=1.5; again.")
@click.option("--without", metavar="NAME", multiple=True, help="Take back a tag that was set; again.")
@click.option("--hint", "hints", metavar="X,Y=COLOR", multiple=True, help="One more color at a place; again.")
@click.option("--palette", metavar="COLOR,...", multiple=True, help="Other colors to choose from.")
@click.option("--snap/--no-snap", default=None, help="Flats in exact colors, or not.")
@click.option("--lines", type=click.Choice(["keep", "model", "none"]), help="Other treatment of lines.")
@click.option("--sketch", "sketches", multiple=True, type=PATH, help="Do the same with these sketches (also folders).")
@click.option(
    "--reference", "references", metavar="REF", multiple=True, help="Take colors from these pictures instead."
)
@click.option("--sweep", "sweeps", metavar="NAME=A:B:STEPS", multiple=True, help="One sheet with a tag in steps.")
@color_options
@drawing_options
@memory_options
@click.option("--show", is_flag=True, help="Print the changed recipe as JSON, and color nothing.")
@click.option("--model", help="Shipped name, file, folder or hub repository.  [default: the one of the result]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--overwrite", is_flag=True, help="Color again what is there already, and replace foreign files.")
@click.option("--offline", is_flag=True, help="Never ask the network for weights.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines of text.")
def command(
    result: Path,
    output: Path | None,
    tags: tuple[str, ...],
    without: tuple[str, ...],
    hints: tuple[str, ...],
    palette: tuple[str, ...],
    snap: bool | None,
    lines: str | None,
    sketches: tuple[Path, ...],
    references: tuple[str, ...],
    sweeps: tuple[str, ...],
    half: bool,
    offload: bool,
    engine: str,
    show: bool,
    model: str | None,
    device: str,
    overwrite: bool,
    offline: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Color again as RESULT was colored, with changes.

    RESULT is a picture that irodori wrote, or a recipe that --show printed.  Its sketch and references are looked for
    beside it and here, and must not have changed.
    """
    if output is None and not show:
        raise click.UsageError("where should the result go?  Give -o FILE")
    start = time.perf_counter()
    from irodori.editing.recipe import changed, for_other_sketches, read_recipe, to_words, with_hint_layer
    from irodori.errors import WeightsError
    from irodori.inference.colorizer import Colorizer
    from irodori.inference.guidance import parse_hint, parse_palette, parse_tags
    from irodori.inference.plan import plan_jobs

    recipe = read_recipe(result)
    if sketches:
        if recipe.options.hints or recipe.hint_layer:
            name = recipe.sketch.name if recipe.sketch else "another sketch"
            click.echo(f"{result}: its hints belong to {name} and are left out", err=True)
        recipe = for_other_sketches(recipe)
    colors, suffix = take_colors(settings)
    given = {
        "snap": snap,
        "lines": lines,
        "palette": parse_palette(palette) or None,
        **take_drawing(settings),
        **colors,
        **settings,
    }
    if snap is False:
        given["snap_palette"] = ()
    options = {key: value for key, value in given.items() if value is not None}
    recipe = changed(
        recipe, parse_tags(tags), without, hints=tuple(parse_hint(text) for text in hints), **options
    )  # fmt: skip
    if show:
        click.echo(json.dumps(to_words(recipe), indent=1, ensure_ascii=False))
        return 0
    assert output is not None
    recipe = with_hint_layer(recipe, _folders(result))
    jobs = plan_jobs(*_inputs(recipe, result, sketches, references), output, suffix)
    try:
        colorizer = Colorizer.from_pretrained(
            model or recipe.model,
            device=device,
            offline=offline,
            half=half,
            offload=offload,
            engine=engine,
            announce=announce,
        )
    except WeightsError as error:
        raise error if model else WeightsError(f"{error}; name the model of {result} with --model") from error
    if recipe.weights not in ("", colorizer.weights_hash) and model is None:
        click.echo(f"{result}: was made with other weights called {recipe.model}; colors may differ", err=True)
    return color_jobs(colorizer, jobs, recipe.options, sweeps, overwrite=overwrite, as_json=as_json, start=start)


def _inputs(recipe: Any, result: Path, sketches: tuple[Path, ...], references: tuple[str, ...]) -> tuple[Any, Any]:
    """Sketches and references: those given, else those of the recipe."""
    from irodori.editing.recipe import find_references, find_sketch
    from irodori.inference.guidance import parse_references

    folders = _folders(result)
    found = sketches or (find_sketch(recipe, folders),)
    return found, parse_references(references) if references else find_references(recipe, folders)


def _folders(result: Path) -> list[Path]:
    """Where the files of a recipe are looked for."""
    return list(dict.fromkeys((result.parent, Path())))
