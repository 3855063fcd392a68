"""The command `irodori`: a group whose commands are imported when they are used, and the mapping of errors.

Exit codes: 0 ok, 1 some items failed (listed), 2 wrong use or nothing could be done, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from irodori.cli.lazy import LazyGroup
from irodori.errors import IrodoriError

COMMANDS: dict[str, tuple[str, str]] = {
    "colorize": ("irodori.cli.colorize", "Color sketches after reference pictures."),
    "edit": ("irodori.cli.edit", "Go on from a colored drawing: change tags, hints, references."),
    "project": ("irodori.cli.project", "Write and check project files: many pages, the same characters."),
    "batch": ("irodori.cli.batch", "Color the pages and frames of a project."),
    "tags": ("irodori.cli.tags", "List the tags that a model sees in a picture."),
    "palette": ("irodori.cli.palette", "Write the colors of pictures as a palette, or one palette as another."),
    "extract-sketch": ("irodori.cli.extract_sketch", "Make line drawings from pictures."),
    "prepare": ("irodori.cli.prepare", "Build a checked data set from pictures."),
    "train": ("irodori.cli.train", "Train a system."),
    "evaluate": ("irodori.cli.evaluate", "Measure a model on a data set."),
    "evaluate-tags": ("irodori.cli.evaluate_tags", "Measure how well a model reads tags."),
    "convert": ("irodori.cli.convert", "Turn published weights into weights of irodori."),
    "export": ("irodori.cli.export", "Write a model as ONNX, or prepare it for ONNX Runtime."),
    "benchmark": ("irodori.cli.benchmark", "Build the benchmark, run methods on it, score and compare them."),
    "study": ("irodori.cli.study", "Let people choose between two methods, and rank by their choices."),
    "serve": ("irodori.cli.serve", "Open the studio in a browser, and an API for programs."),
    "models": ("irodori.cli.models", "List the models that are at hand."),
    "doctor": ("irodori.cli.doctor", "Check this installation."),
}
"""Name → module with a click command called `command`, and its line in the help."""


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="irodori", prog_name="irodori", message="%(prog)s %(version)s")
def cli() -> None:
    """Color line art from reference pictures.

    Example: irodori colorize sketch.png --reference reference.png -o out.png
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code; expected errors become one line on stderr."""
    try:
        code = cli.main(None if arguments is None else list(arguments), "irodori", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except IrodoriError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has gone, as `head` does; nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a path too long, a full disk: what no other place put into words
        print(
            f"error: {error.filename or 'a file'}: {error.strerror or error}; check the path and the disk",
            file=sys.stderr,
        )
        return 2
