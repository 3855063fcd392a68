"""The authors' files in small, and what the released networks compute, written out on the files' own names.

Names and shapes are those of `released_names`.  Everything below works on a plain dictionary of
tensors under those names and shares no code with the package: it is the second opinion of the tests.
"""

from __future__ import annotations

import math
import re

import torch
import torch.nn.functional as F
from torch import Tensor

import released_names as names

VERSIONS = ("v1", "v1.5", "v2")
HEAD = 32  # channels of a head in the small files
TOKENS = 64  # width of their tokens

Weights = dict[str, Tensor]
Shapes = names.Shapes


def release_shapes(version: str) -> Shapes:
    """All tensors of a version's file, full size, without CLIP."""
    more = {"v1": dict, "v1.5": names.v15_more, "v2": names.v2_more}[version]
    return names.v1() | more()


def small_shapes(version: str) -> Shapes:
    """The same with a tenth of the U-Net's channels and a quarter of the autoencoder's."""
    return {name: _small(name, shape) for name, shape in release_shapes(version).items()}


def small_clip_shapes() -> Shapes:
    """CLIP with narrow towers of two image and three text blocks, 4 x 4 patches."""
    kept = {}
    for name, shape in names.clip().items():
        block = re.search(r"resblocks\.(\d+)\.", name)
        if block and int(block[1]) >= (2 if ".visual." in name else 3):
            continue
        sides = {1280: 80, 3840: 240, 5120: 320} if ".visual." in name else {3072: 192, 4096: 256, 49408: 300}
        kept[name] = tuple({**sides, 1024: TOKENS, 257: 17, 77: 12}.get(side, side) for side in shape)
    return kept


def _small(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if name.startswith("first_stage_model."):
        return tuple(side // 4 if side >= 128 else side for side in shape)
    if name == "transformer.embedding":
        return (16, TOKENS)
    if name.startswith(("transformer.", "thresh_embedder.")):
        return tuple({1024: TOKENS, 4096: 4 * TOKENS}.get(side, side) for side in shape)
    ranks = {512: TOKENS // 2} if ".lora_" in name else {}
    return tuple(ranks.get(side, TOKENS if side == 1024 else side // 10 if side % 160 == 0 else side) for side in shape)


def random_weights(shapes: Shapes, seed: int = 0) -> Weights:
    """Random tensors under which signals neither vanish nor explode; nothing is zero, adapters and hints included."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        draw = torch.randn(shape, generator=generator)
        inputs = math.prod(shape[1:]) if len(shape) > 1 else 1
        is_scale = len(shape) == 1 and name.endswith("weight")
        weights[name] = 1 + 0.2 * draw if is_scale else draw / math.sqrt(inputs) if len(shape) > 1 else 0.2 * draw
    return weights


# ------------------------------------------------------------------------------------------------------- elements


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))


def conv(w: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    weight = w[f"{name}.weight"]
    return F.conv2d(x, weight, w[f"{name}.bias"], stride, padding=weight.shape[-1] // 2)


def layer_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def group_norm(w: Weights, name: str, x: Tensor, eps: float) -> Tensor:
    return F.group_norm(x, 32, w[f"{name}.weight"], w[f"{name}.bias"], eps)


def sinusoid(t: Tensor, width: int) -> Tensor:
    frequency = torch.exp(-math.log(10000.0) * torch.arange(width // 2) / (width // 2))
    angle = t[:, None].float() * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=1)


def attend(q: Tensor, k: Tensor, v: Tensor, head: int) -> Tensor:
    b, _, c = q.shape
    q, k, v = (part.view(b, -1, c // head, head).permute(0, 2, 1, 3) for part in (q, k, v))
    weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(head), dim=-1)
    return (weights @ v).permute(0, 2, 1, 3).reshape(b, -1, c)


def plain_attention(w: Weights, name: str, x: Tensor, context: Tensor, head: int) -> Tensor:
    out = attend(
        linear(w, f"{name}.to_q", x), linear(w, f"{name}.to_k", context), linear(w, f"{name}.to_v", context), head
    )
    return linear(w, f"{name}.to_out.0", out)


def adapted(w: Weights, name: str, x: Tensor, branch: str | None) -> Tensor:
    out = linear(w, name, x)
    if branch is None or f"{name}.lora_down_{branch}.weight" not in w:
        return out
    return out + linear(w, f"{name}.lora_up_{branch}", linear(w, f"{name}.lora_down_{branch}", x))


def cross_attention(w: Weights, name: str, x: Tensor, grid: tuple[int, int], told: dict, strength: float) -> Tensor:
    def branch(context: Tensor, adapter: str | None) -> Tensor:
        parts = (adapted(w, f"{name}.to_{p}", x if p == "q" else context, adapter) for p in "qkv")
        return strength * attend(*parts, HEAD)

    if told.get("mask") is None:
        return linear(w, f"{name}.to_out.0", branch(told["context"], None))
    first, second = told["context"].chunk(2, 1)
    fg = told.get("fg_scale", 1.0) * branch(first, "fg" if told["fg"] else None)
    bg = told.get("bg_scale", 1.0) * branch(second, "bg" if told["bg"] else None)
    fg = fg * (1 - told.get("merge", 0.0)) + bg * told.get("merge", 0.0)
    mask = F.interpolate(told["mask"], grid, mode="bicubic").flatten(2).transpose(1, 2)
    has_adapters = f"{name}.to_q.lora_down_fg.weight" in w
    chosen = mask > told["tau"] if has_adapters else ~(mask < told["tau"])
    return linear(w, f"{name}.to_out.0", torch.where(chosen, fg, bg))


def res_block(w: Weights, name: str, x: Tensor, emb: Tensor) -> Tensor:
    h = conv(w, f"{name}.in_layers.2", F.silu(group_norm(w, f"{name}.in_layers.0", x, 1e-5)))
    h = h + linear(w, f"{name}.emb_layers.1", F.silu(emb))[:, :, None, None]
    h = conv(w, f"{name}.out_layers.3", F.silu(group_norm(w, f"{name}.out_layers.0", h, 1e-5)))
    return h + (conv(w, f"{name}.skip_connection", x) if f"{name}.skip_connection.weight" in w else x)


def transformer(w: Weights, name: str, x: Tensor, told: dict) -> Tensor:
    grid = (x.shape[-2], x.shape[-1])
    h = conv(w, f"{name}.proj_in", group_norm(w, f"{name}.norm", x, 1e-6)).flatten(2).transpose(1, 2)
    block = f"{name}.transformer_blocks.0"
    normed = layer_norm(w, f"{block}.norm1", h)
    h = h + plain_attention(w, f"{block}.attn1", normed, normed, HEAD)
    strength = told["strengths"].pop(0) if told.get("strengths") else 1.0
    h = h + cross_attention(w, f"{block}.attn2", layer_norm(w, f"{block}.norm2", h), grid, told, strength)
    value, gate = linear(w, f"{block}.ff.net.0.proj", layer_norm(w, f"{block}.norm3", h)).chunk(2, -1)
    h = h + linear(w, f"{block}.ff.net.2", value * F.gelu(gate))
    return x + conv(w, f"{name}.proj_out", h.transpose(1, 2).reshape(x.shape))


def block(w: Weights, name: str, x: Tensor, emb: Tensor, told: dict) -> Tensor:
    """An input or output block, by the layers that it has."""
    if f"{name}.0.op.weight" in w:
        return conv(w, f"{name}.0.op", x, stride=2)
    if f"{name}.0.weight" in w:
        return conv(w, f"{name}.0", x)
    x = res_block(w, f"{name}.0", x, emb)
    for layer in (1, 2):
        if f"{name}.{layer}.norm.weight" in w:
            x = transformer(w, f"{name}.{layer}", x, told)
        elif f"{name}.{layer}.conv.weight" in w:
            x = conv(w, f"{name}.{layer}.conv", F.interpolate(x, scale_factor=2.0, mode="nearest"))
    return x


def time_embedding(w: Weights, name: str, t: Tensor) -> Tensor:
    width = w[f"{name}.time_embed.0.weight"].shape[1]
    return linear(w, f"{name}.time_embed.2", F.silu(linear(w, f"{name}.time_embed.0", sinusoid(t, width))))


# ------------------------------------------------------------------------------------------------------- networks


def hints(w: Weights, sketch: Tensor) -> list[Tensor]:
    """The five hints of a sketch ``(B, 3, H, W)``, lines +1."""
    h = sketch
    for layer, stride in zip(range(0, 16, 2), (1, 1, 2, 1, 2, 1, 2, 1), strict=True):
        h = conv(w, f"control_encoder.model.{layer}", h, stride)
        h = F.silu(h) if layer < 14 else h
    found = [conv(w, "control_encoder.zero_layer.0", h)]
    for stage, stride in enumerate((2, 2, 2, 1)):
        h = conv(w, f"control_encoder.output_blocks.{stage}.1", F.silu(h), stride)
        h = conv(w, f"control_encoder.output_blocks.{stage}.3", F.silu(h))
        found.append(conv(w, f"control_encoder.zero_blocks.{stage}.0", h))
    return found


def unet(w: Weights, x: Tensor, t: Tensor, told: dict) -> Tensor:
    """told: hints, context, and optionally mask, tau, fg, bg, fg_scale, bg_scale, merge, hs_bg, style, strengths."""
    name = "model.diffusion_model"
    told = {**told, "strengths": list(told.get("strengths", ()))}
    emb = time_embedding(w, name, t)
    left, skips = list(told["hints"]), []
    for number in range(12):
        x = block(w, f"{name}.input_blocks.{number}", x, emb, told)
        if number in (0, 3, 6, 9, 11):
            x = x + left.pop(0)
        skips.append(x)
    x = res_block(w, f"{name}.middle_block.0", x, emb)
    x = transformer(w, f"{name}.middle_block.1", x, told)
    x = res_block(w, f"{name}.middle_block.2", x, emb)
    for number in range(12):
        skip = skips.pop()
        if told.get("hs_bg") is not None:
            warped = warp(w, f"{name}.warp_modules.{number}", skip, told["hs_bg"][number])
            mask = F.interpolate(told["mask"], skip.shape[-2:], mode="bicubic")
            skip = torch.where(mask > told["tau"], skip, warped)
        x = block(w, f"{name}.output_blocks.{number}", torch.cat([x, skip], 1), emb, told)
        if told.get("style") is not None:
            x = modulate(w, f"{name}.style_modules.{number}", x, told["style"][number], emb)
    return conv(w, f"{name}.out.2", F.silu(group_norm(w, f"{name}.out.0", x, 1e-5)))


def warp(w: Weights, name: str, skip: Tensor, hs_bg: Tensor) -> Tensor:
    x = skip.flatten(2).transpose(1, 2)
    x = plain_attention(w, f"{name}.attn", layer_norm(w, f"{name}.norm1", x), hs_bg, HEAD) + x
    x = linear(w, f"{name}.ff.2", F.silu(linear(w, f"{name}.ff.0", layer_norm(w, f"{name}.norm2", x)))) + x
    return x.transpose(1, 2).reshape(skip.shape)


def modulate(w: Weights, name: str, x: Tensor, hint: Tensor, emb: Tensor) -> Tensor:
    m = linear(w, f"{name}.2", layer_norm(w, f"{name}.0", hint + linear(w, f"{name}.1", emb)))
    scale, shift = m[:, :, None, None].chunk(2, 1)
    return x * (1 + scale) + shift


def reference_encoder(w: Weights, name: str, latents: Tensor, label: Tensor, context: Tensor) -> list[Tensor]:
    """bg_encoder: maps as ``(B, h * w, c)``; style_encoder: vectors; both deepest first."""
    emb = time_embedding(w, name, torch.zeros(len(latents)))
    emb = emb + linear(w, f"{name}.label_emb.0.2", F.silu(linear(w, f"{name}.label_emb.0.0", label)))
    found, x = [], latents
    for number in range(12):
        x = block(w, f"{name}.input_blocks.{number}", x, emb, {"context": context})
        zero = f"{name}.zero_layers.{number}"
        if w[f"{zero}.weight"].ndim == 4:
            found.append(conv(w, zero, x).flatten(2).transpose(1, 2))
        else:
            found.append(linear(w, zero, x.mean(dim=(2, 3))))
    return found[::-1]


def size_label(reference: tuple[int, int], output: tuple[int, int]) -> Tensor:
    (oh, ow), (height, width) = reference, output
    if oh < height or ow < width:
        ih = oh + max(height, width)
        iw = ow / oh * ih
    else:
        ih, iw = oh, ow
    return torch.cat(list(sinusoid(torch.tensor([ih / height, iw / width]), 256).chunk(2)), 1)


def threshold_token(w: Weights, tau: float) -> Tensor:
    x = linear(w, "thresh_embedder.embed_layer.0", sinusoid(torch.tensor([tau]), 256))
    return linear(w, "thresh_embedder.embed_layer.2", F.silu(x))[:, None]


def recovered(w: Weights, tokens: Tensor, head: int = 64) -> Tensor:
    x = w["transformer.embedding"][None].repeat(len(tokens), 1, 1)
    for layer in range(6):
        name = f"transformer.layers.{layer}"
        x = plain_attention(w, f"{name}.2", layer_norm(w, f"{name}.0", x), tokens, head) + x
        x = linear(w, f"{name}.3.2", F.silu(linear(w, f"{name}.3.0", layer_norm(w, f"{name}.1", x)))) + x
    return x


# ----------------------------------------------------------------------------------------------------------- CLIP


def clip_block(w: Weights, name: str, x: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """A block of OpenCLIP, on ``(N, B, C)`` as torch's own attention wants it."""
    normed = layer_norm(w, f"{name}.ln_1", x)
    attended, _ = F.multi_head_attention_forward(
        normed, normed, normed, x.shape[-1], heads, w[f"{name}.attn.in_proj_weight"], w[f"{name}.attn.in_proj_bias"],
        None, None, False, 0.0, w[f"{name}.attn.out_proj.weight"], w[f"{name}.attn.out_proj.bias"], training=False,
        need_weights=False, attn_mask=mask,
    )  # fmt: skip
    x = x + attended
    hidden = F.gelu(linear(w, f"{name}.mlp.c_fc", layer_norm(w, f"{name}.ln_2", x)))
    return x + linear(w, f"{name}.mlp.c_proj", hidden)


def clip_tokens(w: Weights, square: Tensor, blocks: int = 2, heads: int = 16) -> Tensor:
    """All projected tokens of a prepared image, class token first."""
    name = "cond_stage_model.visual.model"
    x = F.conv2d(square, w[f"{name}.conv1.weight"], stride=14).flatten(2).transpose(1, 2)
    x = torch.cat([w[f"{name}.class_embedding"].expand(len(x), 1, -1), x], 1) + w[f"{name}.positional_embedding"]
    x = layer_norm(w, f"{name}.ln_pre", x).transpose(0, 1)
    for number in range(blocks):
        x = clip_block(w, f"{name}.transformer.resblocks.{number}", x, heads)
    return layer_norm(w, f"{name}.ln_post", x.transpose(0, 1)) @ w[f"{name}.proj"]


def clip_text(w: Weights, ids: Tensor, blocks: int = 2, heads: int = 16) -> Tensor:
    """Vectors of length 1; three blocks are there, the last is left out."""
    name = "cond_stage_model.transformer.model"
    x = w[f"{name}.token_embedding.weight"][ids] + w[f"{name}.positional_embedding"]
    mask = torch.full((ids.shape[1], ids.shape[1]), -math.inf).triu(1)
    x = x.transpose(0, 1)
    for number in range(blocks):
        x = clip_block(w, f"{name}.transformer.resblocks.{number}", x, heads, mask)
    x = layer_norm(w, f"{name}.ln_final", x.transpose(0, 1)) @ w[f"{name}.text_projection"]
    x = x[torch.arange(len(ids)), ids.argmax(-1)]
    return x / x.norm(dim=-1, keepdim=True)
