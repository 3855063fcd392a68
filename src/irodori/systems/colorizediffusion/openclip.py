"""CLIP weights in OpenCLIP's or transformers' layout, renamed to those of `ImageTextEncoder`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

from irodori.errors import WeightsError

OPENCLIP_PREFIXES = {
    "cond_stage_model.visual.model.": "visual.",  # inside the authors' files, where they hold CLIP at all
    "cond_stage_model.transformer.model.": "",
}
_IGNORED = re.compile(r"(^|\.)(attn_mask|position_ids)$")

_TRANSFORMER = (
    (r"transformer\.resblocks\.", "encoder.layers."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.attn\.", ".self_attn."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
_VISION = (
    *_TRANSFORMER,
    (r"^class_embedding$", "embeddings.class_embedding"),
    (r"^positional_embedding$", "embeddings.position_embedding.weight"),
    (r"^conv1\.", "embeddings.patch_embedding."),
    (r"^ln_pre\.", "pre_layrnorm."),
    (r"^ln_post\.", "post_layernorm."),
)
_TEXT = (
    *_TRANSFORMER,
    (r"^token_embedding\.", "embeddings.token_embedding."),
    (r"^positional_embedding$", "embeddings.position_embedding.weight"),
    (r"^ln_final\.", "final_layer_norm."),
)


def is_clip(name: str) -> bool:
    """True for a tensor of CLIP inside one of the authors' files."""
    return name.startswith("cond_stage_model.")


def clip_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All tensors of a CLIP file under our names; WeightsError for an unknown one."""
    renamed = dict(pair for name, tensor in tensors.items() for pair in _renamed(name, tensor))
    if "vision.visual_projection.weight" not in renamed:
        raise WeightsError("no CLIP weights: there is no image tower with a projection")
    return renamed


def _renamed(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    if _IGNORED.search(name):
        return
    for prefix, ours in OPENCLIP_PREFIXES.items():
        if name.startswith(prefix):
            name = ours + name.removeprefix(prefix)
    if name == "logit_scale":
        yield name, tensor
    elif name.startswith(("vision_model.", "visual_projection.")):
        yield f"vision.{name}", tensor
    elif name.startswith(("text_model.", "text_projection.")):
        yield f"text.{name}", tensor
    elif name == "visual.proj":
        yield "vision.visual_projection.weight", tensor.mT
    elif name == "text_projection":
        yield "text.text_projection.weight", tensor.mT
    elif name.startswith("visual."):
        yield from _tower("vision.vision_model.", name.removeprefix("visual."), _VISION, tensor)
    else:
        yield from _tower("text.text_model.", name, _TEXT, tensor)


def _tower(prefix: str, name: str, rules: tuple[tuple[str, str], ...], tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    ours = name
    for pattern, replacement in rules:
        ours = re.sub(pattern, replacement, ours)
    if ours == name:
        raise WeightsError(f"unknown tensor {name} among the CLIP weights: they are of another architecture")
    joint = re.fullmatch(r"(.*\.self_attn\.)in_proj_(weight|bias)", ours)
    if joint is None:
        yield prefix + ours, tensor
        return
    for part, projection in zip(tensor.chunk(3), "qkv", strict=True):
        yield f"{prefix}{joint[1]}{projection}_proj.{joint[2]}", part
