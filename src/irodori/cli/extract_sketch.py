"""`irodori extract-sketch`: line drawings from pictures."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command("extract-sketch")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="File, or folder for several pictures.")
@click.option(
    "--style",
    type=click.Choice(["xdog", "dog", "canny", "pencil"]),
    default="xdog",
    show_default=True,
    help="xdog: binary, as SCFT is trained.  dog, canny: thin lines.  pencil: soft gray strokes.",
)
def command(images: tuple[Path, ...], output: Path, style: str) -> int:
    """Make line drawings, dark on white, from color pictures or folders of them."""
    from tqdm import tqdm

    from irodori.errors import InputError
    from irodori.inference.plan import plan_jobs

    jobs = plan_jobs(images, [], output)
    failures: list[str] = []
    for job in tqdm(jobs, desc="extracting", unit="picture", disable=len(jobs) < 2):
        try:
            _extract(job.sketch, job.output, style)
        except InputError as error:
            failures.append(str(error))
    if failures and len(jobs) == 1:
        raise InputError(failures[0])
    for failure in failures:
        click.echo(f"failed: {failure}", err=True)
    return 1 if failures else 0


def _extract(source: Path, target: Path, style: str) -> None:
    from irodori.data.sketch import extract_sketch
    from irodori.image_io import over_paper, read_image, write_image

    write_image(target, extract_sketch(over_paper(read_image(source)), style))
    click.echo(str(target))
