"""Who may import whom, and what must not creep in: the rules of `docs/architecture.md`, enforced."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "irodori"

RANKS = {
    **dict.fromkeys(["errors", "image", "image_io", "color", "config", "weights", "checkpoint"], 0),
    **dict.fromkeys(["nn", "losses", "data", "metrics"], 1),
    "systems": 2,
    **dict.fromkeys(["training", "inference", "editing", "export", "projects"], 3),
    **dict.fromkeys(["benchmark", "evaluation"], 4),
    "web": 5,
    "cli": 6,
}
"""Modules of the package and their ranks: each imports its own rank or lower."""

NOT_AT_IMPORT = {
    "accelerate",
    "diffusers",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "tensorboard",
    "torchvision",
    "transformers",
}

FILES = sorted(PACKAGE.rglob("*.py"))


def _name(file: Path) -> str:
    """`src/irodori/nn/blocks.py` to `nn.blocks`; a package's `__init__.py` to the package, the root's to ``""``."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {_name(file) for file in FILES}


def _imports(tree: ast.AST) -> Iterator[str]:
    """The modules of ours that a file imports anywhere in it, as `_name` writes them; ``""`` is `irodori` itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_within(alias.name) for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.ImportFrom) and _is_ours(node.module or ""):
            for alias in node.names:
                module = _within(f"{node.module}.{alias.name}")
                yield module if module in MODULES else _within(node.module or "")


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == "irodori"


def _within(module: str) -> str:
    return module.removeprefix("irodori").removeprefix(".")


def _objection(importer: str, imported: str) -> str | None:
    """Why `importer` may not import `imported`; None if it may."""
    if imported.startswith("."):
        return "relative import: write the full name"
    ours, theirs = importer.split("."), imported.split(".")
    if importer in ("", "__main__"):  # the public face of the package stands above all ranks but the command line
        return "only irodori.__main__ imports the command line" if importer == "" and theirs[0] == "cli" else None
    if not imported:
        return None if RANKS[ours[0]] >= 5 else "only the command line and the studio use the public face"
    if RANKS[theirs[0]] > RANKS[ours[0]]:
        return f"rank {RANKS[ours[0]]} imports rank {RANKS[theirs[0]]}"
    if (ours[0], theirs[0]) == ("metrics", "data"):
        return "metrics are independent of the data"
    return _systems_objection(ours, theirs)


def _systems_objection(ours: list[str], theirs: list[str]) -> str | None:
    both_in_folders = all(parts[0] == "systems" and _is_system(parts) for parts in (ours, theirs))
    return "a system imports another system" if both_in_folders and ours[1] != theirs[1] else None


def _is_system(parts: list[str]) -> bool:
    return len(parts) > 1 and (PACKAGE / "systems" / parts[1]).is_dir()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_go_down(file):
    name = _name(file)
    assert name.split(".")[0] in {*RANKS, "", "__main__"}, f"give {name} a rank in this test and in the architecture"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    objections = {imported: _objection(name, imported) for imported in _imports(tree)}
    assert {imported: why for imported, why in objections.items() if why} == {}


def test_the_rules_catch_what_they_are_for():
    tree = ast.parse(
        "import irodori.cli.main\nfrom irodori import image_io\nfrom . import x\nfrom irodori.data import y"
    )
    assert list(_imports(tree)) == ["cli.main", "image_io", ".", "data"]
    assert _objection("image", "nn")
    assert _objection("metrics.lines", "data")
    assert _objection("web.app", "cli.main")
    assert _objection("cli.serve", "web.serve") is None
    assert _objection("", "cli.main")
    assert _objection("nn", "")
    assert _objection("nn", ".")
    assert _systems_objection(["systems", "scft", "system"], ["systems", "scft", "networks"]) is None
    assert _objection("systems.scft.system", "systems.base") is None
    assert _objection("__main__", "cli.main") is None


def test_import_prints_nothing_and_loads_nothing_heavy():
    code = f"import irodori, sys; sys.exit(str(found) if (found := {NOT_AT_IMPORT!r} & set(sys.modules)) else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_torchvision_is_nowhere():
    # Its wheels break beside a CPU build of torch and take down whatever imports them.
    for name in ("pyproject.toml", "constraints.txt"):
        assert "torchvision" not in (ROOT / name).read_text(encoding="utf-8")
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("torchvision")


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_no_file_knows_the_machine_it_was_written_on(folder):
    machine_path = re.compile(r"(?<![\w.*])/(work|root|home|Users)/\w|\.\./shar[e]d")
    texts = [file for file in (ROOT / folder).rglob("*") if file.suffix in {".py", ".md", ".toml", ".json", ".txt"}]
    found = [str(file) for file in texts if machine_path.search(file.read_text(encoding="utf-8"))]
    assert found == []
