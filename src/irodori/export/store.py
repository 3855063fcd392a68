"""Graphs in the user's cache: one folder for weights and versions, checked by hashes, replaced when it is stale."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from irodori.errors import InputError
from irodori.export.graphs import PARTS
from irodori.image_io import write_whole

LIST = "graphs.json"
"""Written last: the SHA-256 of each graph."""

MAKERS = ("irodori", "torch", "onnx", "onnxscript", "onnxruntime")
"""Packages on whose versions graphs depend."""


def graphs_folder() -> Path:
    """Where graphs are kept: ``$IRODORI_GRAPHS``, or ``irodori/graphs`` in the user's cache."""
    if chosen := os.environ.get("IRODORI_GRAPHS"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "irodori" / "graphs"


def folder_of(weights_hash: str) -> Path:
    """The folder for weights, of this installation's versions."""
    versions = hashlib.sha256(" ".join(version(name) for name in MAKERS).encode()).hexdigest()
    return graphs_folder() / f"{weights_hash[:16]}-{versions[:8]}"


def read(weights_hash: str) -> dict[str, bytes] | None:
    """The graphs of weights; None if they are missing, of other versions, damaged or not readable."""
    try:
        folder = folder_of(weights_hash)
        hashes = json.loads((folder / LIST).read_text(encoding="utf-8"))
        graphs = {name: (folder / f"{name}.onnx").read_bytes() for name in PARTS}
    except (OSError, ValueError, ImportError):  # the last: a package of the extra is missing
        return None
    return graphs if hashes == _hashes(graphs) else None


def write(weights_hash: str, graphs: Mapping[str, bytes], say: Callable[[str], None]) -> None:
    """Keeps graphs, and removes those of the same weights and other versions; says so where it cannot."""
    folder = folder_of(weights_hash)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in graphs.items():
            write_whole(folder / f"{name}.onnx", data)
        write_whole(folder / LIST, json.dumps(_hashes(graphs)).encode())
    except (OSError, InputError) as error:
        say(f"the graphs cannot be kept for the next time ({error})")
        return
    for other in folder.parent.glob(f"{weights_hash[:16]}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _hashes(graphs: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in graphs.items()}
