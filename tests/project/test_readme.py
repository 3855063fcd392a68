"""Every irodori command and every Python block in README and docs is one that exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from irodori.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINES = [
    (page.name, line.partition("#")[0].strip())
    for page in PAGES
    for block in re.findall(r"```\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("irodori ")
]


def test_there_are_commands_to_check():
    assert len(LINES) >= 8


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_documented_command_parses(page: str, line: str):
    name, *arguments = shlex.split(line)[1:]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, line
    command.make_context(name, arguments)


def test_the_python_block_of_the_readme_compiles_and_names_what_exists():
    import irodori

    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
        for name in re.findall(r"from irodori import (.+)", block):
            assert all(hasattr(irodori, part.strip()) for part in name.split(","))
        for attribute in re.findall(r"result\.(\w+)", block):
            assert hasattr(irodori.Result, attribute) or attribute in irodori.Result.__dataclass_fields__
