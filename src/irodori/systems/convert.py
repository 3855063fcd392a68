"""Published weights of other programs as weights of irodori; the one place where pickled files are opened."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from irodori.checkpoint import Header, read_tensors, save
from irodori.config import to_dict
from irodori.errors import InputError, WeightsError
from irodori.weights import file_hash

IMPORTERS: dict[str, str] = {
    "colorizediffusion": "irodori.systems.colorizediffusion.published:colorizediffusion",
    "two-step-gan": "irodori.systems.taggan.published:two_step_gan",
    "resnet34": "irodori.systems.taggan.published:resnet34",
}
"""Layout → module and function that takes a `Wish` and returns what it `Converted`; imported when it is used."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a user asks to convert.

    files: all published files of one model.  others: further files by their role, such as the names of tags.
    settings: nested values, for what files cannot tell.
    full: keep 32-bit numbers where a layout would store 16-bit ones.
    """

    files: Sequence[Path]
    others: Mapping[str, Path] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    full: bool = False

    def only(self, others: Collection[str] = (), settings: Collection[str] = ()) -> None:
        """InputError for a role or a setting that the layout has no use for."""
        for option, given, known in (("--with", self.others, others), ("--set", self.settings, settings)):
            unknown = sorted(set(given) - set(known))
            if unknown:
                use = f"use {', '.join(known)}" if known else "leave it out"
                raise InputError(f"{option} {unknown[0]}: this layout knows no such thing; {use}")


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
    if layout not in IMPORTERS:
        raise InputError(f"unknown layout {layout!r}: use one of {', '.join(IMPORTERS)}")
    module, _, function = IMPORTERS[layout].partition(":")
    done: Converted = getattr(import_module(module), function)(wish)
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
