"""Architecture and sampling of ColorizeDiffusion (Yan 2025, chapter 5); defaults are those of the released v1.

Where thesis and release differ, both are values of a field, and the release is the default; the table stands in
docs/systems/colorizediffusion.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from irodori.errors import ConfigError

BYTE_VOCABULARY = 258
"""All bytes, a start and an end."""

STEM_GROUPS = 8
"""Groups of the normalizations in an encoder's stem."""

Version = Literal["v1", "v1.5", "v2"]
Prediction = Literal["eps", "v"]
Tokens = Literal["local", "cls", "projected-cls"]
PhaseName = Literal["autoencoder", "image-text", "denoiser", "adapters", "background", "style"]
Spacing = Literal["leading", "trailing"]
Sampler = Literal["dpm++2m", "ddim", "euler", "euler-a", "heun", "unipc"]


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Denoising network (table 5.1, as released: SD 2.1's shape with 1x1 convolutions around its transformers)."""

    latent_channels: int = 4
    channels: int = 320  # of the first level; also the width of the timestep's sinusoids
    multipliers: tuple[int, ...] = (1, 2, 4, 4)  # channels of each level
    num_blocks: int = 2  # residual blocks of a level on the way down; one more on the way up
    attention_levels: int = 3  # outer levels with attention; the middle always has it
    head_channels: int = 64
    token_channels: int = 1024
    norm_groups: int = 32
    warp_head_channels: int = 64  # of the background's warp modules (v2)

    def __post_init__(self) -> None:
        if not self.multipliers or min(self.channels, self.num_blocks, self.head_channels, *self.multipliers) < 1:
            raise ConfigError("colorizediffusion.unet: widths and numbers of blocks must be at least 1")
        if not 0 <= self.attention_levels <= len(self.multipliers):
            raise ConfigError("colorizediffusion.unet.attention_levels must not exceed the number of levels")
        if any(width % self.norm_groups or width % self.head_channels for width in self.widths):
            raise ConfigError(
                f"colorizediffusion.unet: the widths {self.widths} must be multiples of norm_groups "
                f"({self.norm_groups}) and head_channels ({self.head_channels})"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the levels, outer to inner."""
        return tuple(self.channels * multiplier for multiplier in self.multipliers)

    @property
    def stride(self) -> int:
        """Latent positions for one position of the innermost level, along each side."""
        return int(2 ** (len(self.multipliers) - 1))


@dataclass(frozen=True, kw_only=True)
class VAEConfig:
    """Autoencoder of the latent space.

    kind: "stable-diffusion" (`diffusers.AutoencoderKL`), whose last level does not halve the size; or "small"
        (`SmallAutoencoder`), whose levels all do.
    """

    kind: Literal["stable-diffusion", "small"] = "stable-diffusion"
    channels: tuple[int, ...] = (128, 256, 512, 512)
    num_blocks: int = 2
    norm_groups: int = 32  # of "stable-diffusion"
    scaling: float = 0.18215  # factor on latents

    def __post_init__(self) -> None:
        if not self.channels or min(self.num_blocks, self.norm_groups, *self.channels) < 1 or self.scaling <= 0:
            raise ConfigError("colorizediffusion.vae: widths, blocks and groups must be at least 1, scaling positive")

    @property
    def stride(self) -> int:
        """Pixels for one latent position, along each side."""
        return int(2 ** (len(self.channels) - (self.kind == "stable-diffusion")))


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """Low-rank adapters of split cross-attention (section 5.5.2).

    ranks: whole numbers, or shares of the smaller side of a weight when below 1.
    """

    foreground_rank: float = 4  # release 4, thesis 16
    background_rank: float = 0.5  # release v1.5: half, v2: 4; thesis 4
    decoder_only: bool = False  # release v2; v1.5 and thesis: every cross-attention

    def __post_init__(self) -> None:
        if min(self.foreground_rank, self.background_rank) <= 0:
            raise ConfigError("colorizediffusion.adapters: ranks must be positive")


@dataclass(frozen=True, kw_only=True)
class RecoveryConfig:
    """Recovery transformer of v1.5 (section 5.5.4).

    kind: "resampler", as released: learned queries look at the background's tokens; "encoder", as in the thesis: the
        tokens look at each other.
    """

    kind: Literal["resampler", "encoder"] = "resampler"
    num_layers: int = 6  # release 6, thesis 4
    head_channels: int = 64
    num_tokens: int = 256  # learned queries of the resampler

    def __post_init__(self) -> None:
        if min(self.num_layers, self.head_channels, self.num_tokens) < 1:
            raise ConfigError("colorizediffusion.recovery: sizes must be at least 1")


@dataclass(frozen=True, kw_only=True)
class TowerConfig:
    """A transformer of the image-text encoder."""

    channels: int
    num_layers: int
    num_heads: int

    def __post_init__(self) -> None:
        if min(self.channels, self.num_layers, self.num_heads) < 1 or self.channels % self.num_heads:
            raise ConfigError("colorizediffusion.encoder: channels must be a multiple of num_heads, both at least 1")


@dataclass(frozen=True, kw_only=True)
class ImageTextConfig:
    """The frozen image-text encoder; defaults are OpenCLIP ViT-H/14, ``laion2b_s32b_b79k``.

    stem: channels of convolutions before the vision tower, each of which halves the sides: a small tower learns what
        parts look like from far fewer pictures with them (Xiao et al. 2021). OpenCLIP has none.
    alphabet: how prompts become numbers: "bpe" is CLIP's way; "bytes" needs no files.
    text_skip: last blocks of the text tower that are left out (release 1; thesis, a plain CLIP text encoder: 0).
    reads_colors: a linear layer reads the color of a patch off its token; for encoders that are trained here, so that
        tokens of a small one keep the shade and not only its name.
    reads_parts: another one reads off which part the patch shows.
    """

    image_size: int = 224
    patch_size: int = 14
    token_channels: int = 1024
    stem: tuple[int, ...] = ()
    vision: TowerConfig = TowerConfig(channels=1280, num_layers=32, num_heads=16)
    text: TowerConfig | None = TowerConfig(channels=1024, num_layers=24, num_heads=16)
    text_length: int = 77
    vocabulary_size: int = 49408
    alphabet: Literal["bpe", "bytes"] = "bpe"
    text_skip: int = 1
    reads_colors: bool = False
    reads_parts: bool = False

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size:
            raise ConfigError("colorizediffusion.encoder.image_size must be a multiple of patch_size")
        if self.patch_size % self.stem_stride or min(self.stem, default=STEM_GROUPS) % STEM_GROUPS:
            raise ConfigError(
                f"colorizediffusion.encoder: patch_size must be a multiple of the stem's stride ({self.stem_stride}), "
                f"and its channels multiples of {STEM_GROUPS}"
            )
        if self.alphabet == "bytes" and self.vocabulary_size != BYTE_VOCABULARY:
            raise ConfigError(f"colorizediffusion.encoder: the alphabet bytes has a vocabulary of {BYTE_VOCABULARY}")
        if self.text is not None and not 0 <= self.text_skip < self.text.num_layers:
            raise ConfigError("colorizediffusion.encoder.text_skip must leave at least one block of the text tower")

    @property
    def stem_stride(self) -> int:
        """Pixels for one position of the stem's output, along each side."""
        return int(2 ** len(self.stem))

    @property
    def grid(self) -> int:
        """Local tokens along each side."""
        return self.image_size // self.patch_size

    @property
    def num_tokens(self) -> int:
        """Local tokens, without the class token."""
        return self.grid**2


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How images are drawn when nothing else is asked for (the release's own interface)."""

    sampler: Sampler = "dpm++2m"
    num_steps: int = 20
    spacing: Spacing = "leading"  # of timesteps; trailing starts at the very noise (few steps)
    reference_scale: float = 4.0  # classifier-free guidance on the reference; 1 = off
    sketch_scale: float = 1.0  # the same on the sketch
    sketch_strength: float = 1.0  # factor on the sketch's hints
    reference_strength: float = 1.0  # factor on what cross-attention brings; 0.4…0.8 against figures that leak (v1)
    style: bool = True  # v2: the reference's style is injected
    window: tuple[float, float] = (0.0, 1.0)  # shares of the way, from noise to image, between which references count
    pause: tuple[float, float] = (-1.0, -1.0)  # and between which they do not

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ConfigError(f"colorizediffusion.sampling.num_steps must be at least 1, got {self.num_steps}")
        if min(self.reference_scale, self.sketch_scale) < 1:
            raise ConfigError("colorizediffusion.sampling: guidance scales start at 1, which is off")
        if min(self.sketch_strength, self.reference_strength) < 0:
            raise ConfigError("colorizediffusion.sampling: strengths must not be negative")


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """What is trained, and how training pairs are made harder (sections 5.4 to 5.6); defaults are those of stage I.

    phases: "autoencoder", "image-text", "denoiser" (U-Net and sketch encoder, stages I and II), "adapters" (split
        attention, v1.5), "background" and "style" (v2); all that is not in them is frozen.
    """

    phases: tuple[PhaseName, ...] = ("denoiser",)
    reference_drop: float = 0.1  # share of references that are dropped: stage I 0.1, all later ones 0.5
    token_noise: Literal["none", "same-timestep", "clean-at-start"] = "same-timestep"
    # Noise on tokens (equation 5.2): stage I the sample's own timestep; a later release: nearly none from 900 on.
    timestep_shift: float = 1.0  # above 1, noisy timesteps are drawn more often (Esser et al. 2024); release 1
    sketch_margin: float = 0.15  # largest margin that is cut off the sketch alone (section 5.4.3), share of its side
    offset_noise: float = 0.05  # deviation of a constant added to the noise of each channel (release)
    split_share: float = 0.5  # share of steps of the style stage in which the background parts are active
    thresholds: tuple[float, float] = (0.05, 0.95)  # range of tau_s and tau_r
    attention_weight: float = 0.0  # of the parts that the decoder's attention is told (not in the thesis)
    kl_weight: float = 1e-6  # of the autoencoder's latents
    autoencoder_side: int = 0  # pixels of the cut-outs and scaled pictures that it learns from; 0 = whole pictures

    def __post_init__(self) -> None:
        shares = (self.reference_drop, self.sketch_margin, self.split_share, *self.thresholds)
        if not self.phases or not all(0 <= share <= 1 for share in shares):
            raise ConfigError("colorizediffusion.objective: shares and thresholds must lie in 0…1, and phases be named")
        if self.timestep_shift <= 0:
            raise ConfigError(f"colorizediffusion.objective.timestep_shift must be positive, got {self.timestep_shift}")
        if (
            self.sketch_margin >= 0.5
            or min(self.offset_noise, self.kl_weight, self.autoencoder_side, self.attention_weight) < 0
        ):
            raise ConfigError(
                "colorizediffusion.objective: margins must stay under 0.5, weights and sizes not be negative"
            )


@dataclass(frozen=True, kw_only=True)
class ColorizeDiffusionConfig:
    """A whole model.  version decides which parts exist; prediction is never guessed from a file's name."""

    version: Version = "v1"
    prediction: Prediction = "eps"  # release: v1 and v1.5 eps, v2 v; thesis: eps throughout
    image_size: int = 512  # longest side of training images, pixels
    tokens: Tokens = "local"  # ablations of section 5.4.4: the class token, as it is or projected
    unet: UNetConfig = field(default_factory=UNetConfig)
    vae: VAEConfig = field(default_factory=VAEConfig)
    sketch_channels: tuple[int, ...] = (16, 32, 96, 256)  # trunk of the sketch encoder (table 5.2)
    hints_start_at_zero: bool = True  # as released, which starts from a trained U-Net; off where nothing is trained yet
    encoder: ImageTextConfig = field(default_factory=ImageTextConfig)
    adapters: AdapterConfig | None = None  # v1.5 and v2; ablation: none
    recovery: RecoveryConfig | None = None  # v1.5; ablation: none
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)

    def __post_init__(self) -> None:
        if 2 ** (len(self.sketch_channels) - 1) != self.vae.stride:
            raise ConfigError(
                f"colorizediffusion: a latent stands for {self.vae.stride} pixels, which sketch_channels with "
                f"{len(self.sketch_channels)} levels do not reach"
            )
        if self.unet.token_channels != self.encoder.token_channels:
            raise ConfigError(
                f"colorizediffusion: unet.token_channels ({self.unet.token_channels}) must be those of the encoder "
                f"({self.encoder.token_channels})"
            )
        if self.image_size % self.stride:
            raise ConfigError(f"colorizediffusion.image_size must be a multiple of {self.stride}")
        if self.version == "v1" and (self.adapters or self.recovery):
            raise ConfigError("colorizediffusion: v1 has neither adapters nor a recovery transformer")
        if self.recovery and self.unet.token_channels % self.recovery.head_channels:
            raise ConfigError("colorizediffusion: unet.token_channels must be a multiple of recovery.head_channels")
        if self.version == "v2" and any(width % self.unet.warp_head_channels for width in self.unet.widths):
            raise ConfigError("colorizediffusion.unet: widths must be multiples of warp_head_channels")
        if self.objective.attention_weight and self.tokens != "local":
            raise ConfigError("colorizediffusion.objective.attention_weight: class tokens have no places to look at")
        missing = set(self.objective.phases) - self._trainable()
        if missing:
            raise ConfigError(f"colorizediffusion.objective.phases: {self.version} has no part '{min(missing)}'")
        if self.version == "v2" and self.recovery:
            raise ConfigError("colorizediffusion: v2 has no recovery transformer, but a background encoder")

    @property
    def stride(self) -> int:
        """Sides of network images are multiples of this many pixels."""
        return self.vae.stride * self.unet.stride

    def _trainable(self) -> set[str]:
        """The phases that this version's parts allow."""
        phases = {"autoencoder", "denoiser"}
        if self.encoder.text is not None:
            phases.add("image-text")
        if self.version == "v1.5" and (self.adapters or self.recovery):
            phases.add("adapters")
        return phases | ({"background", "style"} if self.version == "v2" else set())
