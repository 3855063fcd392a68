"""`irodori study score`: files of answers to a ranking."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("score")
@click.argument("key", metavar="STUDY.JSON", type=click.Path(path_type=Path))
@click.argument("answers", metavar="ANSWERS.JSON...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--pass-rate", default=0.8, show_default=True, type=click.FloatRange(0.0, 1.0),
    help="Share of attention checks that a judge must answer right to count.",
)  # fmt: skip
@click.option("--resamples", default=1000, show_default=True, type=click.IntRange(100), help="Of the bootstrap.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of Markdown.")
def command(key: Path, answers: tuple[Path, ...], pass_rate: float, resamples: int, seed: int, as_json: bool) -> None:
    """Rank the methods of a study by the answers that judges saved.

    STUDY.JSON is the key that 'irodori study build' wrote. Prints Bradley–Terry strengths with 95 % intervals, who was
    preferred to whom, a Kruskal–Wallis test and the agreement between judges, as Markdown.
    """
    import json

    from irodori.benchmark.study.answers import read_answers
    from irodori.benchmark.study.key import read_key
    from irodori.benchmark.study.report import markdown
    from irodori.benchmark.study.scoring import score_study

    study = read_key(key)
    found = score_study(study, read_answers(answers, study), pass_rate, seed, resamples)
    click.echo(json.dumps(found, indent=1, ensure_ascii=False) if as_json else markdown(found))
