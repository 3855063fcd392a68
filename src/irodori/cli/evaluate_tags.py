"""`irodori evaluate-tags`: how well a model reads tags."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("evaluate-tags")
@click.argument("model")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder made by 'irodori prepare'.")
@click.option("--count", default=2000, show_default=True, type=click.IntRange(1), help="Pictures.")
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "val", "test"]))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the choice of pictures.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--offline", is_flag=True, help="Use cached weights only.")
@click.option("--details", is_flag=True, help="Also print every tag.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(
    model: str, data: Path, count: int, split: str, seed: int, device: str, offline: bool, details: bool, as_json: bool
) -> None:
    """Measure how well MODEL reads tags from held-out drawings: average precision, group by group."""
    import json
    from dataclasses import asdict

    from irodori.benchmark.tagging import TaggingOptions, by_group, score_tags, table
    from irodori.data.index import read_index
    from irodori.inference.colorizer import select_device
    from irodori.systems import load_system
    from irodori.weights import file_hash, resolve

    path = resolve(model, offline)
    system = load_system(path).to(select_device(device))
    options = TaggingOptions(count=count, split=split, seed=seed)  # type: ignore[arg-type]
    scores = score_tags(system, read_index(data), options, progress=not as_json)
    if as_json:
        about = {"model": model, "weights": file_hash(path), "data": str(data), **asdict(options)}
        known = [asdict(score) for score in scores if score.count]
        click.echo(json.dumps({"about": about, "groups": by_group(scores), "tags": known}, indent=1))
        return
    click.echo(table(by_group(scores)))
    for score in sorted(scores, key=lambda one: -one.count) if details else ():
        if score.count:
            click.echo(f"{score.tag:24} {score.average_precision:.3f}  chance {score.chance:.3f}  of {score.count}")
