"""`irodori train`: a recipe and a data set to weights."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--preset", "preset_name", required=True, help="Recipe to start from, for example scft/small.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder made by 'irodori prepare'.")
@click.option("--run", "run_folder", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with changes to the recipe.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One change, e.g. system.image_size=64.")
@click.option("--initialize", type=click.Path(path_type=Path), help="Weights to start from.")
@click.option("--features", type=click.Path(path_type=Path), help="Weights of the network of the perceptual losses.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--workers", default=0, show_default=True, type=click.IntRange(0), help="Processes that make pairs.")
@click.option("--log-every", default=50, show_default=True, type=click.IntRange(1), help="Steps.")
@click.option("--checkpoint-every", default=500, show_default=True, type=click.IntRange(1), help="Steps.")
@click.option("--sample-every", default=1000, show_default=True, type=click.IntRange(1), help="Steps.")
@click.option("--stop-after", default=0, type=click.IntRange(0), help="Leave after so many steps; 0 = run to the end.")
@click.option("--threads", default=0, type=click.IntRange(0), help="CPU threads of the network; 0 = torch's choice.")
@click.option("--dry-run", is_flag=True, help="Print the resolved recipe as JSON and stop.")
def command(
    preset_name: str,
    data: Path,
    run_folder: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    initialize: Path | None,
    features: Path | None,
    device: str,
    workers: int,
    log_every: int,
    checkpoint_every: int,
    sample_every: int,
    stop_after: int,
    threads: int,
    dry_run: bool,
) -> None:
    """Train a system, or continue: the same command on the same run folder resumes exactly."""
    import json

    from irodori.config import override, parse_assignments, read_toml, to_dict
    from irodori.systems import preset

    recipe = override(preset(preset_name), read_toml(config) if config else {})
    recipe = override(recipe, parse_assignments(assignments))
    if dry_run:
        click.echo(json.dumps(to_dict(recipe), indent=1))
        return

    import torch

    from irodori.data.index import read_index
    from irodori.training.loop import LoopOptions, train
    from irodori.training.run_folder import RunFolder

    if threads:
        torch.set_num_threads(threads)
    options = LoopOptions(
        device=device, workers=workers, log_every=log_every, checkpoint_every=checkpoint_every,
        sample_every=sample_every, stop_after=stop_after,
    )  # fmt: skip
    weights = train(recipe, read_index(data), RunFolder(run_folder), options, initialize, features)
    click.echo(f"{weights}: {recipe.name}, seed {recipe.training.seed}")
