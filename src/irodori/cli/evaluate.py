"""`irodori evaluate`: weights against the exact truth of recolored figures."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder made by 'irodori prepare'.")
@click.option("--count", default=200, show_default=True, type=click.IntRange(2), help="Pairs for each condition.")
@click.option("--size", default=128, show_default=True, type=click.IntRange(32, 1024), help="Side of the images.")
@click.option("--style", default="", help="Sketch only figures of this style.  [default: all]")
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "val", "test"]))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the pairing.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--offline", is_flag=True, help="Use cached weights only.")
@click.option("--details", is_flag=True, help="Also print differences, ΔE2000 and every kind of part.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(
    models: tuple[str, ...],
    data: Path,
    count: int,
    size: int,
    style: str,
    split: str,
    seed: int,
    device: str,
    offline: bool,
    details: bool,
    as_json: bool,
) -> None:
    """Color held-out figures from references of other figures and score every part.

    MODELS are shipped names, weight files or hub repositories.  Prints part accuracy (share of parts whose median
    color lies within ΔE2000 10 of the truth) under growing mismatch of the reference, with 95 % bootstrap intervals.
    """
    import json

    from irodori.benchmark.recolor import MISMATCHES, RecolorOptions, compare, recolor_pairs, score_system, summarize
    from irodori.data.index import read_index
    from irodori.inference.colorizer import select_device
    from irodori.systems import load_system
    from irodori.weights import file_hash, resolve

    options = RecolorOptions(count=count, image_size=size, split=split, seed=seed, style=style)  # type: ignore[arg-type]
    paths = {name: resolve(name, offline) for name in models}
    target = select_device(device)
    systems = {name: load_system(path).to(target) for name, path in paths.items()}
    index = read_index(data)
    report: dict[str, dict[str, dict[str, object]]] = {name: {} for name in models}
    for condition, mismatch in MISMATCHES.items():
        pairs = recolor_pairs(index, options, mismatch)
        scores = {name: score_system(system, pairs, progress=not as_json) for name, system in systems.items()}
        for name, found in scores.items():
            report[name][condition] = summarize(found, seed)
            if name != models[0]:
                report[name][condition]["against_first"] = compare(found, scores[models[0]], seed)
    if as_json:
        hashes = {name: file_hash(path) for name, path in paths.items()}
        about = {
            "data": str(data),
            "count": count,
            "size": size,
            "split": split,
            "style": style,
            "seed": seed,
            "weights": hashes,
        }
        click.echo(json.dumps({"about": about, "results": report}, indent=1))
        return
    from irodori.benchmark.tables import detailed, overview

    click.echo(overview(report))
    if details:
        click.echo("\n" + detailed(report))
