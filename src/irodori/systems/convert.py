"""Published weights of other programs as weights of irodori; the one place where pickled files are opened."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from irodori.checkpoint import Header, read_tensors, save
from irodori.config import to_dict
from irodori.errors import InputError, WeightsError
from irodori.systems import preset, recipe_system_name
from irodori.systems.taggan import published
from irodori.weights import file_hash


@dataclass(frozen=True, kw_only=True)
class Wish:
    """files: all files of one model.  names: a file with the names of tags, one a line.  preset: what to start."""

    files: Sequence[Path]
    names: Path | None = None
    preset: str = "taggan/paper-384-tagger"


@dataclass(frozen=True)
class Converted:
    """A system's configuration and weights, and what its user must know."""

    system: str
    config: Any
    tensors: Mapping[str, Tensor]
    notice: str
    license: str


def convert(layout: str, wish: Wish, output: Path) -> Converted:
    """Reads published weights, checks every name and shape, and writes them as ours; InputError for another layout."""
    if layout not in LAYOUTS:
        raise InputError(f"unknown layout {layout!r}: use one of {', '.join(LAYOUTS)}")
    done = LAYOUTS[layout](wish)
    sources = {path.name: file_hash(path) for path in wish.files}
    provenance = {"converted_from": layout, "sources": sources, "license": done.license, "notice": done.notice}
    save(output, Header(done.system, to_dict(done.config), provenance), done.tensors)
    return done


def read_foreign(path: Path) -> dict[str, Any]:
    """A safetensors file, or a pickled one of which only tensors and plain values are taken: no code in it runs."""
    if path.suffix.lower() == ".safetensors":
        return dict(read_tensors(path))
    if not path.is_file():
        raise WeightsError(f"{path}: no such weight file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).split("\n")[0]
        raise WeightsError(f"{path}: not a readable file of weights alone ({reason}); download it again") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: holds no dictionary of tensors; give the file that the authors publish")
    return content


def _two_step_gan(wish: Wish) -> Converted:
    names = _lines(wish.names) if wish.names else ()
    config, tensors = published.from_two_step({path: read_foreign(path) for path in wish.files}, names)
    return Converted("taggan", config, tensors, published.NOTICE, "not stated by the authors")


def _resnet34(wish: Wish) -> Converted:
    if len(wish.files) != 1:
        raise InputError(f"{len(wish.files)} files are given: the layout resnet34 is one file")
    recipe = preset(wish.preset)
    if recipe_system_name(recipe) != "taggan":
        raise InputError(f"the preset {wish.preset} has no tagger: use one of taggan")
    torch.manual_seed(recipe.training.seed)
    tensors = published.from_imagenet(wish.files[0], read_foreign(wish.files[0]), recipe.system)
    notice = (
        f"a start for 'irodori train --preset {wish.preset} --initialize': nothing but the tagger's body is trained"
    )
    return Converted("taggan", recipe.system, tensors, notice, "that of the weights it was made from")


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): give a text file with one tag a line") from error


LAYOUTS: Mapping[str, Callable[[Wish], Converted]] = {"two-step-gan": _two_step_gan, "resnet34": _resnet34}
"""What can be converted, by name."""
