"""The registry of colorization systems, their presets, and how a weight file becomes a system."""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch

from irodori.checkpoint import Header, check_keys, load, read_header
from irodori.config import from_dict
from irodori.errors import ConfigError, WeightsError
from irodori.nn.memory import made_in
from irodori.systems.base import System
from irodori.systems.cnf import presets as cnf_presets
from irodori.systems.cnf.system import CNF
from irodori.systems.colorizediffusion import presets as colorizediffusion_presets
from irodori.systems.colorizediffusion.system import ColorizeDiffusion
from irodori.systems.csft import presets as csft_presets
from irodori.systems.csft.system import CSFT
from irodori.systems.irodori import presets as irodori_presets
from irodori.systems.irodori.system import Irodori
from irodori.systems.recipe import Recipe
from irodori.systems.scft import presets as scft_presets
from irodori.systems.scft.system import SCFT
from irodori.systems.taggan import presets as taggan_presets
from irodori.systems.taggan.system import TagGAN

SYSTEMS: dict[str, type[System]] = {
    system.name: system for system in (Irodori, SCFT, CSFT, TagGAN, CNF, ColorizeDiffusion)
}

PRESETS: dict[str, Recipe] = {
    recipe.name: recipe
    for presets in (
        irodori_presets,
        scft_presets,
        csft_presets,
        taggan_presets,
        cnf_presets,
        colorizediffusion_presets,
    )
    for recipe in presets.PRESETS
}

ENTRY_POINTS = "irodori.systems"
"""Entry-point group through which other packages add a system: a class that signs `System`, named as in `name`."""


def system_type(name: str) -> type[System]:
    """The class of a system, ours or a registered one; ConfigError with the valid names otherwise."""
    if name in SYSTEMS:
        return SYSTEMS[name]
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        return entry.load()
    raise ConfigError(f"unknown system '{name}'; known: {', '.join(SYSTEMS)}")


def preset(name: str) -> Recipe:
    """A preset by name; ConfigError with the nearest name otherwise."""
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(PRESETS)}"
    raise ConfigError(f"unknown preset '{name}'; {hint}")


def build_system(system_name: str, config: Any) -> System:
    """A system with fresh weights from its name and configuration (a dataclass, or plain data from a header)."""
    kind = system_type(system_name)
    return kind(config if isinstance(config, kind.config_type) else from_dict(kind.config_type, config, system_name))


def load_system(path: Path, dtype: torch.dtype = torch.float32) -> System:
    """The system in a weight file, in evaluation mode; WeightsError when anything does not fit."""
    header, tensors = load(path, dtype)
    try:
        with torch.device("meta"):  # a header may claim any size: nothing is allocated before the shapes agree
            check_keys(path, build_system(header.system, header.config).state_dict(), tensors)
        with made_in(dtype):
            system = build_system(header.system, header.config)
    except ConfigError as error:
        raise WeightsError(f"{path}: made by another version or system ({error}); update irodori") from error
    system.load_state_dict(tensors, assign=True)
    return system.eval().requires_grad_(False)


def recipe_system_name(recipe: Recipe) -> str:
    """The system that a preset configures: the part of its name before the slash."""
    return recipe.name.partition("/")[0]


__all__ = [
    "PRESETS", "SYSTEMS", "Header", "Recipe", "System", "build_system", "load_system", "preset", "read_header",
    "recipe_system_name", "system_type",
]  # fmt: skip
