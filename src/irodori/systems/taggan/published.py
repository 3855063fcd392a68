"""Weights in the layout of the authors' code, and ResNet-34 in torchvision's, as weights of TagGAN.

The authors save step 1 as {states, G, D}, step 2 as {states, M, Mr}, and the tagger in a file of its own.  All widths
are read from the tensors; a name or a shape that does not fit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from irodori.checkpoint import check_keys
from irodori.errors import ConfigError, InputError, WeightsError
from irodori.systems import preset, recipe_system_name
from irodori.systems.convert import Converted, Wish, read_foreign
from irodori.systems.taggan.config import TagGANConfig, TaggerConfig
from irodori.systems.taggan.system import TagGAN

Tensors = dict[str, Tensor]

NETWORKS = ("G", "D", "M", "Mr", "R")
"""Generator, critic, mapping network, omega and tagger, as the authors call them; the last is a file without a name."""

KNOWN_TAGS = {11: "blonde_hair", 20: "red_eyes", 49: "blue_hair", 269: "blue_skirt", 801: "red_shirt"}
"""Names by position that the authors' examples tell; the list of all 6000 is not part of their code."""

START = "taggan/paper-384-tagger"
"""Preset that ImageNet's weights start, unless another one is named."""

NOTICE = (
    "the authors' repository states no license for these weights: ask them before you publish the weights or sell what "
    "is made with them"
)

_ROLES = {"q": "query", "k": "key", "v": "value", "out": "out"}

_RULES: tuple[tuple[str, str, Callable[[re.Match[str]], str]], ...] = (
    ("G", r"conv(\d+)\.(conv[12]\.\w+)", lambda m: f"generator.encoder.{int(m[1]) - 1}.{m[2]}"),
    ("G", r"res\.(conv[12]\.\w+)", lambda m: f"generator.middle.{m[1]}"),
    ("G", r"in_conv\.(\w+)", lambda m: f"generator.receive_conv.{m[1]}"),
    ("G", r"refer_attn\.(q|k|v|out)_w\.weight", lambda m: f"generator.attention.{_ROLES[m[1]]}.weight"),
    ("G", r"deconv1\.conv\.(\w+)", lambda m: f"generator.first_up.conv.{m[1]}"),
    ("G", r"deconv1\.sattn\.(q|k|v|out)_w\.weight", lambda m: f"generator.first_up.attention.{_ROLES[m[1]]}.weight"),
    ("G", r"deconv(\d+)\.(conv[12]\.\w+)", lambda m: f"generator.ups.{int(m[1]) - 2}.{m[2]}"),
    ("G", r"deconv(\d+)\.attn_layer\.(q|k|v|out)_w\.weight",
     lambda m: f"generator.ups.{int(m[1]) - 2}.rbca.{_ROLES[m[2]]}.weight"),
    ("D", r"model\.(\d+\.\w+)", lambda m: f"discriminator.body.{m[1]}"),
    ("M", r"mlp\.(\d+)\.0\.(\w+)", lambda m: f"editor.mapping.layers.{m[1]}.{m[2]}"),
    ("M", r"fusion_layer\.(\w+)", lambda m: f"editor.mapping.fusion.{m[1]}"),
    ("Mr", r"(weight|bias)", lambda m: f"editor.omega.{m[1]}"),
    ("R", r"(.+)", lambda m: f"tagger.network.{m[1]}"),
)  # fmt: skip
"""Network, name in it, our name."""


def two_step_gan(wish: Wish) -> Converted:
    """The authors' files: colorization and tagger, and the mapping for tags.  --with names=FILE: the tags' names."""
    wish.only(others=("names",))
    names = _lines(wish.others["names"]) if "names" in wish.others else ()
    config, tensors = from_two_step({path: read_foreign(path) for path in wish.files}, names)
    return Converted("taggan", config, tensors, NOTICE, "not stated by the authors")


def resnet34(wish: Wish) -> Converted:
    """ResNet-34 of ImageNet as a start for a preset's tagger.  --set preset=NAME: `START` if it is not given."""
    wish.only(settings=("preset",))
    if len(wish.files) != 1:
        raise InputError(f"{len(wish.files)} files are given: the layout resnet34 is one file")
    recipe = preset(str(wish.settings.get("preset", START)))
    if recipe_system_name(recipe) != "taggan":
        raise InputError(f"the preset {recipe.name} has no tagger: use one of taggan")
    with torch.random.fork_rng():
        torch.manual_seed(recipe.training.seed)
        tensors = from_imagenet(wish.files[0], read_foreign(wish.files[0]), recipe.system)
    notice = f"a start for 'irodori train --preset {recipe.name} --initialize': only the tagger's body is trained"
    return Converted("taggan", recipe.system, tensors, notice, "that of the weights it was made from")


def _lines(path: Path) -> tuple[str, ...]:
    """The lines of a file, words joined by "_" as in tags."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): give a text file with one tag a line") from error
    return tuple("_".join(line.split()) for line in lines if line.strip())


# --- the authors' layout ---------------------------------------------------------------------------------------------


def our_name(network: str, name: str) -> str | None:
    """What a tensor of the authors' layout is called here; None if there is no such tensor."""
    for place, pattern, rename in _RULES:
        match = re.fullmatch(pattern, name) if place == network else None
        if match:
            return rename(match)
    return None


def from_two_step(files: Mapping[Path, Mapping[str, Any]], names: Sequence[str] = ()) -> tuple[TagGANConfig, Tensors]:
    """Configuration and weights from the authors' files, read already; G and R are needed, M with Mr for tags.

    names: of the tags, in the order of the tagger's outputs.  Parts that the files lack keep fresh weights.
    Raises WeightsError when files are missing or do not fit together.
    """
    where = next(iter(files))
    found = _by_network(files)
    missing = [kind for kind in ("G", "R") if kind not in found]
    if missing:
        what = {"G": "the colorization file (G)", "R": "the tagger's file"}[missing[0]]
        raise WeightsError(f"{where}: {what} is missing; give all files of the model together")
    config = _config(where, found, names)
    renamed = _renamed(where, found)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fresh = TagGAN(config).state_dict()
    own = {key for key in fresh if _network_of(key) not in found}
    check_keys(where, {key: value for key, value in fresh.items() if key not in own}, renamed)
    return config, {**{key: fresh[key] for key in own}, **renamed}


def _by_network(files: Mapping[Path, Mapping[str, Any]]) -> dict[str, Tensors]:
    """The tensors of each network, without the "module." that several GPUs leave."""
    found: dict[str, Tensors] = {}
    for path, content in files.items():
        parts = {kind: content[kind] for kind in NETWORKS if isinstance(content.get(kind), Mapping)}
        if not parts and "conv1.weight" in {_bare(key) for key in content}:
            parts = {"R": content}
        if not parts:
            raise WeightsError(f"{path}: holds none of the networks {', '.join(NETWORKS)} of the layout two-step-gan")
        for kind, tensors in parts.items():
            found[kind] = {_bare(key): value for key, value in tensors.items() if isinstance(value, Tensor)}
    return found


def _bare(key: Any) -> str:
    return str(key).removeprefix("module.")


def _config(where: Path, found: Mapping[str, Tensors], names: Sequence[str]) -> TagGANConfig:
    """The architecture that the shapes tell."""
    generator, tagger, mapping = found["G"], found["R"], found.get("M", {})
    try:
        widths = tuple(len(generator[f"conv{i}.conv1.weight"]) for i in range(1, 1 + _count(generator, r"conv(\d+)\.")))
        depths = [_count(tagger, rf"layer{i}\.(\d+)\.") for i in range(1, 1 + _count(tagger, r"layer(\d+)\."))]
        return TagGANConfig(
            image_size=384,
            steps=("tags",) if mapping else ("colors",),
            tags=_tag_names(where, len(tagger["fc.weight"]), names),
            tagger=TaggerConfig(
                channels=tuple(len(tagger[f"layer{i}.0.conv1.weight"]) for i in range(1, 1 + len(depths))),
                blocks=tuple(depths),
            ),
            channels=widths,
            receiving="attention" if "refer_attn.q_w.weight" in generator else "add",
            rbca="deconv2.attn_layer.q_w.weight" in generator,
            critic_channels=len(found["D"]["model.0.weight"]) if "D" in found else 64,
            mapping_channels=len(mapping["mlp.0.0.weight"]) if mapping else 512,
            num_mapping_layers=_count(mapping, r"mlp\.(\d+)\.") if mapping else 4,
        )
    except (KeyError, ConfigError) as error:
        raise WeightsError(f"{where}: not of the layout two-step-gan ({error})") from error


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """How many numbers the names have in the place of the pattern's group."""
    return len({match[1] for key in tensors if (match := re.match(pattern, key))})


def _tag_names(where: Path, count: int, names: Sequence[str]) -> tuple[str, ...]:
    if names and len(names) != count:
        raise WeightsError(f"{where}: the tagger has {count} tags, but {len(names)} names are given, one a line")
    return tuple(names) or tuple(KNOWN_TAGS.get(number, f"tag_{number:04}") for number in range(count))


def _renamed(where: Path, found: Mapping[str, Tensors]) -> Tensors:
    renamed: Tensors = {}
    for network, tensors in found.items():
        for key, value in tensors.items():
            name = our_name(network, key)
            if name is None:
                raise WeightsError(f"{where}: {network} holds {key}, which the layout two-step-gan does not have")
            renamed[name] = value.float() if value.is_floating_point() else value
    return renamed


def _network_of(name: str) -> str:
    """The authors' network that a tensor of ours belongs to; our own bookkeeping belongs to none."""
    starts = {
        "generator.": "G", "discriminator.": "D", "editor.mapping.": "M", "editor.omega.": "Mr", "tagger.network.": "R",
    }  # fmt: skip
    return next((network for start, network in starts.items() if name.startswith(start)), "")


# --- ImageNet --------------------------------------------------------------------------------------------------------

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def from_imagenet(path: Path, tensors: Mapping[str, Tensor], config: TagGANConfig) -> Tensors:
    """A fresh TagGAN whose tagger starts from a ResNet of torchvision's layout, as the paper's does from ImageNet.

    Its classifier is left out, and its first layer takes pictures in [-1, 1] instead of ImageNet's normalization.
    """
    system = TagGAN(config).state_dict()
    found = {
        f"tagger.network.{_bare(key)}": value for key, value in tensors.items() if not _bare(key).startswith("fc.")
    }
    wanted = {k: v for k, v in system.items() if k.startswith("tagger.network.") and ".fc." not in k}
    check_keys(path, wanted, found)
    first = found["tagger.network.conv1.weight"].float()
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    shift = (first * (0.5 - mean) / deviation).sum((1, 2, 3))
    return {
        **system,
        **found,
        "tagger.network.conv1.weight": first * 0.5 / deviation,
        "tagger.network.bn1.running_mean": found["tagger.network.bn1.running_mean"] - shift,
    }
