"""From a model's name to ONNX files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from irodori.checkpoint import read_header
from irodori.errors import InputError
from irodori.export import store
from irodori.export.engine import prepare_graphs
from irodori.export.onnx_files import Shape, describe_weights, export_system
from irodori.image_io import write_whole
from irodori.systems import load_system
from irodori.weights import file_hash, resolve, short_name

SUFFIX = ".onnx"


@dataclass(frozen=True)
class Written:
    """A file, its size, and its largest difference to torch on [-1, 1]; None if it was not compared just now."""

    path: Path
    megabytes: float
    difference: float | None = None


def write_model(
    name: str, output: Path, shape: Shape | None = None, *, in_parts: bool = False, offline: bool = False
) -> list[Written]:
    """Exports a model to a file, or in parts to a folder, which is made; each file is whole or not there.

    Raises WeightsError for a model that does not exist, InputError for one that cannot be exported or a bad output.
    """
    _check_output(output, in_parts)
    path = resolve(name, offline)
    about = describe_weights(short_name(name, path), read_header(path), file_hash(path))
    graphs = export_system(load_system(path), about, shape, in_parts=in_parts)
    if in_parts:
        output.mkdir(exist_ok=True)
    written = []
    for part, graph in graphs.items():
        file = output / f"{part}{SUFFIX}" if in_parts else output
        write_whole(file, graph.data)
        written.append(Written(file, round(len(graph.data) / 1e6, 2), graph.difference))
    return written


def prepare_model(name: str, *, offline: bool = False) -> list[Written]:
    """Makes the graphs that the engine onnxruntime takes from the user's cache, unless they are there."""
    path = resolve(name, offline)
    weights_hash = file_hash(path)
    graphs = prepare_graphs(load_system(path), weights_hash)
    folder = store.folder_of(weights_hash)
    return [Written(folder / f"{part}{SUFFIX}", round(len(data) / 1e6, 2)) for part, data in graphs.items()]


def _check_output(output: Path, in_parts: bool) -> None:
    """InputError for a place where nothing could be written, before minutes are spent."""
    if not in_parts and output.suffix.lower() != SUFFIX:
        raise InputError(f"{output} has no suffix {SUFFIX}: name a file such as model{SUFFIX}, or add --parts")
    if in_parts and output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file, but three graphs need a folder: choose another name")
    if not in_parts and output.is_dir():
        raise InputError(f"{output} is a folder: give a file, or add --parts")
    if not output.absolute().parent.is_dir():
        raise InputError(f"{output} cannot be written because the folder {output.parent} does not exist: create it")
