"""`irodori export`: a model as ONNX, for other programs, or for the engine onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


class SizeType(click.ParamType):
    """``HEIGHTxWIDTH`` in pixels."""

    name = "HEIGHTxWIDTH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:  # fmt: skip
        try:
            height, width = (int(part) for part in str(value).lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is not a size: write height and width, such as 512x768", param, ctx)
        return height, width


@click.command("export")
@click.argument("model", metavar="MODEL")
@click.option("-o", "--output", type=PATH, help="New file (.onnx), or with --parts a folder.")
@click.option("--parts", is_flag=True, help="Three graphs: sketch encoder, reference encoder, painter.")
@click.option("--references", "num_references", type=click.IntRange(0, 8), default=1, show_default=True)
@click.option("--size", type=SizeType(), help="One fixed size.  [default: any size]")
@click.option("--offline", is_flag=True, help="Never ask the network for weights.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines of text.")
def command(
    model: str,
    output: Path | None,
    parts: bool,
    num_references: int,
    size: tuple[int, int] | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Write MODEL as ONNX: sketch and references in, colors out, in the network's own form.

    Each graph is compared with torch before it is written.  Without -o: prepare the graphs that --engine onnxruntime
    and --engine auto use.
    """
    from irodori.export.files import prepare_model, write_model
    from irodori.export.onnx_files import Shape

    if output is None:
        if parts or size or num_references != 1:
            raise click.UsageError("where should the graphs go?  Give -o FILE, or -o FOLDER with --parts")
        written = prepare_model(model, offline=offline)
    else:
        shape = Shape(num_references=num_references, size=size)
        written = write_model(model, output, shape, in_parts=parts, offline=offline)
    if as_json:
        click.echo(json.dumps([{**vars(one), "path": str(one.path)} for one in written]))
        return
    for one in written:
        difference = "" if one.difference is None else f"  differs from torch by {one.difference:.1g}"
        click.echo(f"{click.format_filename(one.path)}  {one.megabytes:.1f} MB{difference}")
