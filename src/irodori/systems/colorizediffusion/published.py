"""From the authors' files to weights of ours, with the image encoder inside; strict."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from irodori.checkpoint import check_keys, iterate_tensors, read_shapes
from irodori.config import override
from irodori.errors import InputError, WeightsError
from irodori.systems.colorizediffusion.config import (
    AdapterConfig,
    ColorizeDiffusionConfig,
    ImageTextConfig,
    RecoveryConfig,
    TowerConfig,
    UNetConfig,
    VAEConfig,
)
from irodori.systems.colorizediffusion.openclip import clip_tensors, is_clip
from irodori.systems.colorizediffusion.release import our_name, version_of
from irodori.systems.convert import Converted, Wish

LICENSE = "CC BY-NC-SA 4.0"
_UNET, _SKETCH, _VAE = "model.diffusion_model.", "control_encoder.", "first_stage_model."
_MATRIX = re.compile(r"attentions\.0\.to_(q|k|v|out\.0)\.weight$")
_SIZES = {"v1": 512, "v1.5": 512, "v2": 768}

Names = Mapping[str, torch.Size]


def colorizediffusion(wish: Wish) -> Converted:
    """One of the authors' files, with the role "clip" for OpenCLIP ViT-H/14, which their files do not hold.

    Settings change the configuration that the file's shapes tell, such as ``{"prediction": "v"}``: neither the
    prediction nor widths of heads can be seen in a file.
    Raises WeightsError unless every tensor is known, needed and of the right shape.
    """
    if len(wish.files) != 1:
        raise InputError(f"{len(wish.files)} files are given: the layout colorizediffusion is one file")
    wish.only(others=("clip",), settings=wish.settings)
    file, dtype = wish.files[0], torch.float32 if wish.full else torch.float16
    names = read_shapes(file)
    version_of(names)  # before anything is said about CLIP
    clip = _clip_file(file, names, wish.others)
    config = override(config_of(names, _clip_names(read_shapes(clip))), wish.settings)
    tensors = dict(_renamed(file, len(config.vae.channels), dtype)) | _encoder(clip, dtype)
    check_keys(file, empty_state(config), tensors)
    return Converted("colorizediffusion", config, tensors, _notice(config), LICENSE)


def _notice(config: ColorizeDiffusionConfig) -> str:
    from irodori.systems.colorizediffusion.memory import estimate

    side = config.image_size
    needs = estimate(config, (side, side), torch.float16)
    memory = f"about {needs.total / 1e9:.1f} GB of GPU memory in 16 bit, {needs.offloaded / 1e9:.1f} GB with --offload"
    said = f"ColorizeDiffusion {config.version}, predicts {config.prediction}, {side} px, {memory}"
    return f"{said}; its license forbids commercial use"


def empty_state(config: ColorizeDiffusionConfig) -> dict[str, Tensor]:
    """Names and shapes of all tensors of a model, without memory."""
    from irodori.systems.colorizediffusion.parts import make_parts

    with torch.device("meta"):
        parts = make_parts(config)
    return {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}


def fitted(name: str, tensor: Tensor) -> Tensor:
    """The authors' autoencoder attends through 1x1 convolutions, ours through matrices."""
    is_convolution = name.startswith("vae.") and tensor.ndim == 4 and _MATRIX.search(name)
    return tensor.flatten(1) if is_convolution else tensor


def _renamed(file: Path, vae_levels: int, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in iterate_tensors(file):
        if not is_clip(name) and (ours := our_name(name, vae_levels)) is not None:
            yield ours, fitted(ours, tensor).to(dtype)


def _encoder(file: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    wanted = _clip_names(read_shapes(file))
    found = {name: tensor.to(dtype) for name, tensor in iterate_tensors(file) if name in wanted}
    return {f"encoder.{name}": tensor for name, tensor in clip_tensors(found).items()}


def _clip_names(names: Names) -> Names:
    """Of one of the authors' files the part that is CLIP's, of a CLIP file everything."""
    inside = {name: shape for name, shape in names.items() if is_clip(name)}
    return inside or names


def _clip_file(file: Path, names: Names, more: Mapping[str, Path]) -> Path:
    if "clip" in more:
        return more["clip"]
    if any(is_clip(name) for name in names):
        return file
    raise WeightsError(
        f"{file}: holds no image encoder: give OpenCLIP ViT-H/14 (laion2b_s32b_b79k, hub repository "
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K) as safetensors with --with clip=FILE"
    )


# ------------------------------------------------------------------------------------------- shapes to configuration


def config_of(names: Names, clip: Names) -> ColorizeDiffusionConfig:
    """The configuration that names and shapes tell; heads and prediction are the release's for that version."""
    version = version_of(names)
    try:
        unet = _unet(names)
        return ColorizeDiffusionConfig(
            version=version,
            prediction="v" if version == "v2" else "eps",
            image_size=_SIZES[version],
            unet=unet,
            vae=_vae(names),
            sketch_channels=_sketch_channels(names),
            encoder=encoder_of(clip),
            adapters=None if version == "v1" else _adapters(names),
            recovery=_recovery(names, unet) if version == "v1.5" else None,
        )
    except KeyError as error:
        raise WeightsError(f"the tensor {error} is missing: the file is incomplete or of another version") from error


def _unet(names: Names) -> UNetConfig:
    first = names[f"{_UNET}input_blocks.0.0.weight"]
    levels: list[list[int]] = [[]]
    attends: set[int] = set()
    for number in range(1, _count(names, rf"{re.escape(_UNET)}input_blocks\.(\d+)\.")):
        block = f"{_UNET}input_blocks.{number}."
        if f"{block}0.op.weight" in names:
            levels.append([])
            continue
        levels[-1].append(names[f"{block}0.in_layers.2.weight"][0])
        if f"{block}1.norm.weight" in names:
            attends.add(len(levels))
    channels = first[0]
    return UNetConfig(
        latent_channels=first[1],
        channels=channels,
        multipliers=tuple(widths[0] // channels for widths in levels),
        num_blocks=len(levels[0]),
        attention_levels=max(attends, default=0),
        head_channels=min(64, channels),
        warp_head_channels=min(64, channels),
        token_channels=names[f"{_UNET}middle_block.1.transformer_blocks.0.attn2.to_k.weight"][1],
    )


def _vae(names: Names) -> VAEConfig:
    levels = _count(names, rf"{re.escape(_VAE)}encoder\.down\.(\d+)\.")
    return VAEConfig(
        channels=tuple(names[f"{_VAE}encoder.down.{level}.block.0.conv1.weight"][0] for level in range(levels)),
        num_blocks=_count(names, rf"{re.escape(_VAE)}encoder\.down\.0\.block\.(\d+)\."),
    )


def _sketch_channels(names: Names) -> tuple[int, ...]:
    """Every second convolution of the trunk but the last keeps its width: those before them tell the widths."""
    layers = _count(names, rf"{re.escape(_SKETCH)}model\.(\d+)\.")
    return tuple(names[f"{_SKETCH}model.{layer}.weight"][0] for layer in range(0, layers - 1, 4))


def _adapters(names: Names) -> AdapterConfig | None:
    """Ranks, as whole numbers or as the share of the smaller side that all adapters of a branch have."""
    downs = [(name, shape) for name, shape in names.items() if ".lora_down_" in name]
    if not downs:
        return None
    ranks = {}
    for branch in ("fg", "bg"):
        found = [(shape[0], min(shape[1], _outs(names, name))) for name, shape in downs if f"_down_{branch}." in name]
        whole = {rank for rank, _ in found}
        ranks[branch] = float(found[0][0] if len(whole) == 1 else found[0][0] / found[0][1])
    decoder_only = not any(name.startswith(f"{_UNET}input_blocks.") for name, _ in downs)
    return AdapterConfig(foreground_rank=ranks["fg"], background_rank=ranks["bg"], decoder_only=decoder_only)


def _outs(names: Names, down: str) -> int:
    return names[down.replace(".lora_down_", ".lora_up_")][0]


def _recovery(names: Names, unet: UNetConfig) -> RecoveryConfig:
    return RecoveryConfig(
        num_layers=_count(names, r"transformer\.layers\.(\d+)\."),
        num_tokens=names["transformer.embedding"][0],
        head_channels=min(64, unet.token_channels),
    )


def encoder_of(clip: Names) -> ImageTextConfig:
    """The towers that a CLIP file holds; 16 heads each, as in ViT-H/14."""
    shaped = {name: torch.empty(shape, device="meta") for name, shape in clip.items()}
    names = {name: tensor.shape for name, tensor in clip_tensors(shaped).items()}
    embeddings = "vision.vision_model.embeddings."
    patch = names[f"{embeddings}patch_embedding.weight"]
    grid = math.isqrt(names[f"{embeddings}position_embedding.weight"][0] - 1)
    words = names.get("text.text_model.embeddings.token_embedding.weight")
    positions = names.get("text.text_model.embeddings.position_embedding.weight")
    return ImageTextConfig(
        image_size=grid * patch[2],
        patch_size=patch[2],
        token_channels=names["vision.visual_projection.weight"][0],
        vision=_tower(names, "vision.vision_model.", patch[0]),
        text=None if words is None else _tower(names, "text.text_model.", words[1]),
        vocabulary_size=words[0] if words else ImageTextConfig.vocabulary_size,
        text_length=positions[0] if positions else ImageTextConfig.text_length,
    )


def _tower(names: Names, prefix: str, channels: int) -> TowerConfig:
    layers = _count(names, rf"{re.escape(prefix)}encoder\.layers\.(\d+)\.")
    return TowerConfig(channels=channels, num_layers=layers, num_heads=16)


def _count(names: Names, pattern: str) -> int:
    """How many numbers the group of a pattern takes, which start at 0."""
    return 1 + max((int(found[1]) for name in names if (found := re.match(pattern, name))), default=-1)
