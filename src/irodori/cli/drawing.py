"""Options of systems that draw step by step: edits in words, masks, steps and guidance, memory."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

import click

from irodori.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])

SAMPLERS = ("dpm++2m", "ddim", "euler", "euler-a", "heun", "unipc")
FORMATS = ("png", "jpg", "webp", "tiff", "bmp", "ora", "psd")
PATH = click.Path(path_type=Path)

OPTIONS = (
    click.option(
        "--text", "texts", metavar="TARGET", multiple=True,
        help="Edit the reference in words: 'red hair'.  Several, one after the other: 'red hair; anchor=black hair', "
        "with anchor, control, scale, enhance and thresholds inside.",
    ),
    click.option("--anchor", metavar="TEXT", help="Of a single --text: what it looks like now, as 'black hair'."),
    click.option("--control", metavar="TEXT", help="Of a single --text: where, as 'hair'.  [default: the target]"),
    click.option("--scale", type=float, help="Of a single --text: how strong, 0 to 15.  [default: 8]"),
    click.option("--enhance", is_flag=True, help="Of a single --text: remove the anchor first."),
    click.option("--thresholds", metavar="A,B,C,D", help="Of a single --text.  [default: 0.5,0.55,0.65,0.95]"),
    click.option("--heatmap", type=PATH, help="Also write a picture of the regions that edits find (file, or folder)."),
    click.option(
        "--sketch-mask", metavar="HOW",
        help="Match foreground and background apart: auto, a picture of the foreground, or an ONNX network.",
    ),
    click.option("--reference-mask", metavar="HOW", help="The same of the reference.  [default: auto]"),
    click.option("--sketch-threshold", type=click.FloatRange(0, 1), help="What is foreground.  [default: 0.05]"),
    click.option("--reference-threshold", type=click.FloatRange(0, 1), help="The same.  [default: 0.5]"),
    click.option("--steps", "num_steps", type=click.IntRange(1, 1000), help="Of drawing; fewer are faster."),
    click.option("--guidance-scale", type=click.FloatRange(1), help="How far the reference is followed; 1 = as is."),
    click.option("--sketch-scale", type=click.FloatRange(1), help="The same of the sketch."),
    click.option("--reference-strength", type=click.FloatRange(0), help="Below 1 the reference counts less."),
    click.option("--sampler", type=click.Choice(SAMPLERS), help="How noise becomes a picture."),
)  # fmt: skip


def drawing_options(command: Command) -> Command:
    """Adds the options of `OPTIONS` to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def color_options(command: Command) -> Command:
    """Adds --hints, --snap-palette and --format."""
    for option in (
        click.option(
            "--format", "file_format", type=click.Choice(FORMATS),
            help="Of results in a folder; ora and psd hold layers.  [default: png]",
        ),
        click.option(
            "--snap-palette", metavar="FILE", type=PATH,
            help="Make each closed region one flat color of a palette (.gpl, .ase, .aco, .json), and no other.",
        ),
        click.option(
            "--hints", "hint_layer", metavar="FILE", type=PATH,
            help="Hints as dabs of color, painted on a transparent picture of the sketch's size.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def take_colors(settings: MutableMapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Removes the options of `color_options`: what was given of hint layer and palette, and the suffix of results."""
    from irodori.inference.palette_files import read_palette

    suffix = f".{settings.pop('file_format') or 'png'}"
    given = _given(settings, "hint_layer", "snap_palette")
    if "snap_palette" in given:
        given["snap_palette"] = read_palette(given["snap_palette"])
    return given, suffix


def memory_options(command: Command) -> Command:
    """Adds --half, --offload and --engine."""
    command = click.option(
        "--engine", type=click.Choice(["auto", "torch", "onnxruntime"]), default="auto", show_default=True,
        help="What computes; auto: onnxruntime where it is faster and `irodori export MODEL` has prepared it.",
    )(command)  # fmt: skip
    command = click.option("--offload", is_flag=True, help="Large systems: on the GPU only what works.")(command)
    return click.option("--half", is_flag=True, help="Large systems: 16-bit numbers, half the memory.")(command)


def take_drawing(settings: MutableMapping[str, Any]) -> dict[str, Any]:
    """Removes the options of `OPTIONS` from a command's settings, but for the heatmap, and returns what they ask for.

    "text", "masks" and "sampling" as `irodori.inference.batch.Options` has them.
    """
    from irodori.editing.masks import MaskOptions
    from irodori.inference.guidance import parse_text, parse_thresholds
    from irodori.systems.base import Sampling

    texts = settings.pop("texts")
    beside = {name: settings.pop(name) for name in ("anchor", "control", "scale", "enhance")}
    if thresholds := settings.pop("thresholds"):
        try:
            beside["thresholds"] = parse_thresholds(thresholds)
        except ValueError:
            raise InputError(f"--thresholds {thresholds}: write four numbers, such as 0.5,0.55,0.65,0.95") from None
    masks = _given(settings, "sketch_mask", "reference_mask", "sketch_threshold", "reference_threshold")
    sampling = _given(settings, "num_steps", "guidance_scale", "sketch_scale", "reference_strength", "sampler")
    return {
        "text": parse_text(texts, **{name: value for name, value in beside.items() if value is not None}),
        "masks": MaskOptions(**{name.removesuffix("_mask"): value for name, value in masks.items()}) if masks else None,
        "sampling": Sampling(**sampling) if sampling else None,
    }


def _given(settings: MutableMapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := settings.pop(name)) is not None}
