"""The authors' weight files: which version one is, what its tensors are called here, and its configuration.

Names and shapes were taken from public key lists; the files themselves are licensed CC BY-NC-SA 4.0 by their authors.
Every tensor is accounted for: a file with a missing, unknown or misshapen one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from irodori.errors import WeightsError
from irodori.systems.colorizediffusion.config import Version

Names = Mapping[str, torch.Size]

SCHEDULE_BUFFERS = frozenset(
    (
        *("betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod"),
        *("log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod"),
        *("posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2"),
    )
)
"""Tables of the noise schedule that the files carry; they are computed here."""

PARTS = {
    "model.diffusion_model.": "unet.",
    "control_encoder.": "sketch_encoder.",
    "first_stage_model.": "vae.",
    "thresh_embedder.": "threshold_embedder.",
    "transformer.": "recovery.",
    "bg_encoder.": "background_encoder.",
    "style_encoder.": "style_encoder.",
}

Rules = tuple[tuple[str, str], ...]

_UNET: Rules = (
    (r"^time_embed\.0\.", "time_embedding.linear_1."),
    (r"^time_embed\.2\.", "time_embedding.linear_2."),
    (r"^label_emb\.0\.0\.", "label_embedding.linear_1."),
    (r"^label_emb\.0\.2\.", "label_embedding.linear_2."),
    (r"^out\.0\.", "norm_out."),
    (r"^out\.2\.", "conv_out."),
    (r"^input_blocks\.0\.0\.", "input_blocks.0.resize."),
    (r"^(input_blocks\.\d+)\.0\.op\.", r"\1.resize.conv."),
    (r"^(output_blocks\.\d+)\.[12]\.conv\.", r"\1.resize.conv."),
    (r"^((?:in|out)put_blocks\.\d+)\.0\.", r"\1.resnet."),
    (r"^((?:in|out)put_blocks\.\d+)\.1\.", r"\1.transformer."),
    (r"^middle_block\.0\.", "middle.0.resnet."),
    (r"^middle_block\.1\.", "middle.0.transformer."),
    (r"^middle_block\.2\.", "middle.1.resnet."),
    (r"\.in_layers\.0\.", ".norm1."),
    (r"\.in_layers\.2\.", ".conv1."),
    (r"\.emb_layers\.1\.", ".time_emb_proj."),
    (r"\.out_layers\.0\.", ".norm2."),
    (r"\.out_layers\.3\.", ".conv2."),
    (r"\.skip_connection\.", ".conv_shortcut."),
    (r"\.transformer_blocks\.0\.", "."),
    (r"\.to_out\.0\.", ".to_out."),
    (r"\.to_([qkv])\.lora_(down|up)_fg\.", r".adapters.foreground.\1.\2."),
    (r"\.to_([qkv])\.lora_(down|up)_bg\.", r".adapters.background.\1.\2."),
    (r"^(style_modules\.\d+)\.0\.", r"\1.norm."),
    (r"^(style_modules\.\d+)\.1\.", r"\1.time."),
    (r"^(style_modules\.\d+)\.2\.", r"\1.proj."),
    (r"^zero_layers\.", "zeros."),
)
_SKETCH: Rules = (
    (r"^model\.", "trunk."),
    (r"^zero_layer\.0\.", "zero."),
    (r"^output_blocks\.", "stages."),
    (r"^zero_blocks\.(\d+)\.0\.", r"zeros.\1."),
)
_THRESHOLD: Rules = ((r"^embed_layer\.0\.", "first."), (r"^embed_layer\.2\.", "second."))
_RECOVERY: Rules = (
    (r"^(layers\.\d+)\.0\.", r"\1.norm1."),
    (r"^(layers\.\d+)\.1\.", r"\1.norm2."),
    (r"^(layers\.\d+)\.2\.", r"\1.attn."),
    (r"^(layers\.\d+)\.3\.", r"\1.ff."),
    (r"\.to_out\.0\.", ".to_out."),
)
_VAE: Rules = (
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
    (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
    (r"\.mid\.attn_1\.proj_out\.", ".mid_block.attentions.0.to_out.0."),
    (r"\.norm_out\.", ".conv_norm_out."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"\.down\.(\d+)\.block\.", r".down_blocks.\1.resnets."),
    (r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0."),
    (r"\.up\.(\d+)\.block\.", r".up_blocks.\1.resnets."),
    (r"\.up\.(\d+)\.upsample\.", r".up_blocks.\1.upsamplers.0."),
)
_RULES: Mapping[str, Rules] = {
    "unet.": _UNET, "background_encoder.": _UNET, "style_encoder.": _UNET, "sketch_encoder.": _SKETCH,
    "vae.": _VAE, "threshold_embedder.": _THRESHOLD, "recovery.": _RECOVERY,
}  # fmt: skip


def version_of(names: Names) -> Version:
    """The version of a file, by what it holds and never by its name; WeightsError when it is no such file."""
    if not any(name.startswith("control_encoder.") for name in names):
        older = any(".semantic_input_blocks." in name for name in names)
        raise WeightsError(
            "an older tree's file, with the sketch encoder inside the U-Net: take one of the later files"
            if older
            else "no weights of ColorizeDiffusion: there is no sketch encoder (control_encoder.…)"
        )
    if any(name.startswith("bg_encoder.") for name in names):
        return "v2"
    return "v1.5" if "transformer.embedding" in names else "v1"


def our_name(name: str, vae_levels: int) -> str | None:
    """What a tensor of the authors' file is called here; None for what is not needed; WeightsError if unknown.

    Tensors of CLIP are not among them, see `openclip`.
    """
    if name in SCHEDULE_BUFFERS:
        return None
    for prefix, part in PARTS.items():
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            for pattern, replacement in _RULES[part]:
                rest = re.sub(pattern, replacement, rest)
            return part + (_reversed_levels(rest, vae_levels) if part == "vae." else rest)
    raise WeightsError(f"unknown tensor {name}: the file is of another version or was changed")


def _reversed_levels(name: str, levels: int) -> str:
    """The authors count the decoder's levels from the image, diffusers from the latents."""
    return re.sub(r"\.up_blocks\.(\d+)\.", lambda match: f".up_blocks.{levels - 1 - int(match[1])}.", name)
