"""Names and shapes of all tensors in the authors' full-size files and in OpenCLIP ViT-H/14, written down as rules.

They say what public key lists of the files say, block by block, and share no code with the package.
"""

from __future__ import annotations

from collections.abc import Iterator

Shapes = dict[str, tuple[int, ...]]
Pairs = Iterator[tuple[str, tuple[int, ...]]]

LEVELS = (320, 640, 1280, 1280)  # U-Net, outer to inner; attention in all but the last
TIME, TOKEN = 1280, 1024
UNET, SKETCH, VAE = "model.diffusion_model", "control_encoder", "first_stage_model"
TABLES = (
    *("betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod"),
    *("log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod"),
    *("posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2"),
)


def v1() -> Shapes:
    """v1: schedule tables, U-Net, sketch encoder, autoencoder."""
    return dict.fromkeys(TABLES, (1000,)) | dict((*unet(), *sketch_encoder(), *autoencoder()))


def v15_more() -> Shapes:
    """What v1.5 adds: adapters everywhere, threshold embedder, recovery transformer."""
    adapters = (pair for name, c in attentions() for pair in adapter(name, c, 4, min(c, 1280) // 2))
    return dict(
        (*adapters, *mlp("thresh_embedder.embed_layer", 256, TOKEN, TOKEN), ("transformer.embedding", (256, TOKEN)))
    ) | dict(pair for layer in range(6) for pair in recovery(f"transformer.layers.{layer}"))


def v2_more() -> Shapes:
    """What v2 adds: adapters in the decoder, warp and style modules, background and style encoder."""
    decoder = [(name, c) for name, c in attentions() if ".output_blocks." in name]
    ins, outs = input_widths(), [c for c in reversed(LEVELS) for _ in range(3)]
    return dict(
        (
            *(pair for name, c in decoder for pair in adapter(name, c, 4, 4)),
            *(pair for n, c in enumerate(reversed(ins)) for pair in warp(f"{UNET}.warp_modules.{n}", c)),
            *(pair for n, c in enumerate(outs) for pair in style(f"{UNET}.style_modules.{n}", 2 * c)),
            *reference_encoder("bg_encoder"),
            *(pair for n, c in enumerate(ins) for pair in conv(f"bg_encoder.zero_layers.{n}", c, c, 1)),
            *reference_encoder("style_encoder"),
            *(
                pair
                for n, c in enumerate(ins)
                for pair in linear(f"style_encoder.zero_layers.{n}", c, 2 * outs[11 - n])
            ),
        )
    )


def clip() -> Shapes:
    """OpenCLIP ViT-H/14 under the names that it has inside the authors' wrapper."""
    see, read = "cond_stage_model.visual.model", "cond_stage_model.transformer.model"
    blocks = [(f"{see}.transformer.resblocks.{n}", 1280) for n in range(32)]
    blocks += [(f"{read}.transformer.resblocks.{n}", 1024) for n in range(24)]
    alone = {
        f"{see}.class_embedding": (1280,), f"{see}.positional_embedding": (257, 1280), f"{see}.proj": (1280, 1024),
        f"{see}.conv1.weight": (1280, 3, 14, 14), f"{read}.positional_embedding": (77, 1024),
        f"{read}.text_projection": (1024, 1024), f"{read}.logit_scale": (),
        f"{read}.token_embedding.weight": (49408, 1024),
    }  # fmt: skip
    norms = (*norm(f"{see}.ln_pre", 1280), *norm(f"{see}.ln_post", 1280), *norm(f"{read}.ln_final", 1024))
    return alone | dict((*norms, *(pair for name, c in blocks for pair in clip_block(name, c))))


# ------------------------------------------------------------------------------------------------------------ layers


def linear(name: str, ins: int, outs: int, bias: bool = True) -> Pairs:
    yield f"{name}.weight", (outs, ins)
    if bias:
        yield f"{name}.bias", (outs,)


def conv(name: str, ins: int, outs: int, side: int = 3) -> Pairs:
    yield f"{name}.weight", (outs, ins, side, side)
    yield f"{name}.bias", (outs,)


def norm(name: str, channels: int) -> Pairs:
    yield f"{name}.weight", (channels,)
    yield f"{name}.bias", (channels,)


def mlp(name: str, ins: int, hidden: int, outs: int) -> Pairs:
    yield from linear(f"{name}.0", ins, hidden)
    yield from linear(f"{name}.2", hidden, outs)


def attention(name: str, channels: int, context: int) -> Pairs:
    for letter, ins in (("q", channels), ("k", context), ("v", context)):
        yield from linear(f"{name}.to_{letter}", ins, channels, bias=False)
    yield from linear(f"{name}.to_out.0", channels, channels)


def adapter(name: str, channels: int, fg: int, bg: int) -> Pairs:
    for letter, ins in (("q", channels), ("k", TOKEN), ("v", TOKEN)):
        for branch, rank in (("fg", fg), ("bg", bg if bg == 4 else min(ins, channels) // 2)):
            yield f"{name}.to_{letter}.lora_down_{branch}.weight", (rank, ins)
            yield f"{name}.to_{letter}.lora_up_{branch}.weight", (channels, rank)


def clip_block(name: str, channels: int) -> Pairs:
    yield from norm(f"{name}.ln_1", channels)
    yield from norm(f"{name}.ln_2", channels)
    yield f"{name}.attn.in_proj_weight", (3 * channels, channels)
    yield f"{name}.attn.in_proj_bias", (3 * channels,)
    yield from linear(f"{name}.attn.out_proj", channels, channels)
    yield from linear(f"{name}.mlp.c_fc", channels, 4 * channels)
    yield from linear(f"{name}.mlp.c_proj", 4 * channels, channels)


# ------------------------------------------------------------------------------------------------------------- U-Net


def resnet(name: str, ins: int, outs: int) -> Pairs:
    yield from norm(f"{name}.in_layers.0", ins)
    yield from conv(f"{name}.in_layers.2", ins, outs)
    yield from linear(f"{name}.emb_layers.1", TIME, outs)
    yield from norm(f"{name}.out_layers.0", outs)
    yield from conv(f"{name}.out_layers.3", outs, outs)
    if ins != outs:
        yield from conv(f"{name}.skip_connection", ins, outs, 1)


def transformer(name: str, channels: int) -> Pairs:
    block = f"{name}.transformer_blocks.0"
    yield from norm(f"{name}.norm", channels)
    yield from conv(f"{name}.proj_in", channels, channels, 1)
    for number in (1, 2, 3):
        yield from norm(f"{block}.norm{number}", channels)
    yield from attention(f"{block}.attn1", channels, channels)
    yield from attention(f"{block}.attn2", channels, TOKEN)
    yield from linear(f"{block}.ff.net.0.proj", channels, 8 * channels)
    yield from linear(f"{block}.ff.net.2", 4 * channels, channels)
    yield from conv(f"{name}.proj_out", channels, channels, 1)


def input_widths() -> list[int]:
    """Channels of the outputs of the twelve input blocks."""
    return [320, 320, 320, 320, 640, 640, 640, 1280, 1280, 1280, 1280, 1280]


def input_blocks(name: str) -> Pairs:
    widths = [4, *input_widths()]
    for number in range(12):
        block, ins, outs = f"{name}.input_blocks.{number}", widths[number], widths[number + 1]
        if number == 0:
            yield from conv(f"{block}.0", ins, outs)
        elif number % 3 == 0:
            yield from conv(f"{block}.0.op", ins, outs)
        else:
            yield from resnet(f"{block}.0", ins, outs)
            if number < 9:
                yield from transformer(f"{block}.1", outs)


def output_blocks() -> Pairs:
    width, skips = 1280, input_widths()
    for number in range(12):
        block, outs = f"{UNET}.output_blocks.{number}", LEVELS[3 - number // 3]
        yield from resnet(f"{block}.0", width + skips.pop(), outs)
        if number > 2:
            yield from transformer(f"{block}.1", outs)
        if number in (2, 5, 8):
            yield from conv(f"{block}.{1 if number == 2 else 2}.conv", outs, outs)
        width = outs


def unet() -> Pairs:
    yield from mlp(f"{UNET}.time_embed", 320, TIME, TIME)
    yield from input_blocks(UNET)
    yield from resnet(f"{UNET}.middle_block.0", 1280, 1280)
    yield from transformer(f"{UNET}.middle_block.1", 1280)
    yield from resnet(f"{UNET}.middle_block.2", 1280, 1280)
    yield from output_blocks()
    yield from norm(f"{UNET}.out.0", 320)
    yield from conv(f"{UNET}.out.2", 320, 4)


def attentions() -> Iterator[tuple[str, int]]:
    """The cross-attentions of the U-Net, with their channels."""
    for key, shape in unet():
        if key.endswith(".attn2.to_q.weight"):
            yield key.removesuffix(".to_q.weight"), shape[0]


# ------------------------------------------------------------------------------------------------------- other parts


def sketch_encoder() -> Pairs:
    trunk = (3, 16, 16, 32, 32, 96, 96, 256, 320)
    for number in range(8):
        yield from conv(f"{SKETCH}.model.{2 * number}", trunk[number], trunk[number + 1])
    yield from conv(f"{SKETCH}.zero_layer.0", 320, 320, 1)
    for number, (ins, outs) in enumerate(((320, 320), (320, 640), (640, 1280), (1280, 1280))):
        yield from conv(f"{SKETCH}.output_blocks.{number}.1", ins, outs)
        yield from conv(f"{SKETCH}.output_blocks.{number}.3", outs, outs)
        yield from conv(f"{SKETCH}.zero_blocks.{number}.0", outs, outs, 1)


def recovery(name: str) -> Pairs:
    yield from norm(f"{name}.0", TOKEN)
    yield from norm(f"{name}.1", TOKEN)
    yield from attention(f"{name}.2", TOKEN, TOKEN)
    yield from mlp(f"{name}.3", TOKEN, 4 * TOKEN, TOKEN)


def warp(name: str, channels: int) -> Pairs:
    yield from norm(f"{name}.norm1", channels)
    yield from norm(f"{name}.norm2", channels)
    yield from attention(f"{name}.attn", channels, channels)
    yield from mlp(f"{name}.ff", channels, 4 * channels, channels)


def style(name: str, channels: int) -> Pairs:
    yield from norm(f"{name}.0", channels)
    yield from linear(f"{name}.1", TIME, channels)
    yield from linear(f"{name}.2", channels, channels)


def reference_encoder(name: str) -> Pairs:
    yield from mlp(f"{name}.time_embed", 320, TIME, TIME)
    yield from mlp(f"{name}.label_emb.0", 512, TIME, TIME)
    yield from input_blocks(name)


def vae_resnet(name: str, ins: int, outs: int) -> Pairs:
    yield from norm(f"{name}.norm1", ins)
    yield from conv(f"{name}.conv1", ins, outs)
    yield from norm(f"{name}.norm2", outs)
    yield from conv(f"{name}.conv2", outs, outs)
    if ins != outs:
        yield from conv(f"{name}.nin_shortcut", ins, outs, 1)


def vae_half(name: str, stacks: tuple[tuple[str, tuple[int, ...]], ...], resize: str) -> Pairs:
    """stacks: for each level its name and the channels between its blocks; all but the last one are resized."""
    for level, widths in stacks:
        for number in range(len(widths) - 1):
            yield from vae_resnet(f"{name}.{level}.block.{number}", widths[number], widths[number + 1])
        if (level, widths) != stacks[-1]:
            yield from conv(f"{name}.{level}.{resize}.conv", widths[-1], widths[-1])
    yield from vae_resnet(f"{name}.mid.block_1", 512, 512)
    yield from norm(f"{name}.mid.attn_1.norm", 512)
    for layer in ("q", "k", "v", "proj_out"):
        yield from conv(f"{name}.mid.attn_1.{layer}", 512, 512, 1)
    yield from vae_resnet(f"{name}.mid.block_2", 512, 512)


def autoencoder() -> Pairs:
    down = (("down.0", (128,) * 3), ("down.1", (128, 256, 256)), ("down.2", (256, 512, 512)), ("down.3", (512,) * 3))
    up = (("up.3", (512,) * 4), ("up.2", (512,) * 4), ("up.1", (512, 256, 256, 256)), ("up.0", (256, 128, 128, 128)))
    yield from conv(f"{VAE}.encoder.conv_in", 3, 128)
    yield from vae_half(f"{VAE}.encoder", down, "downsample")
    yield from norm(f"{VAE}.encoder.norm_out", 512)
    yield from conv(f"{VAE}.encoder.conv_out", 512, 8)
    yield from conv(f"{VAE}.decoder.conv_in", 4, 512)
    yield from vae_half(f"{VAE}.decoder", up, "upsample")
    yield from norm(f"{VAE}.decoder.norm_out", 128)
    yield from conv(f"{VAE}.decoder.conv_out", 128, 3)
    yield from conv(f"{VAE}.quant_conv", 8, 8, 1)
    yield from conv(f"{VAE}.post_quant_conv", 4, 4, 1)
