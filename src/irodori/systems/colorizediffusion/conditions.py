"""From a reference and masks to what the denoising network is told, version by version, as the released code does it.

Three kinds of "nothing" differ: no reference is tokens of zeros, no sketch is an all-paper image, and what is masked
out of a reference is painted white.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.systems.colorizediffusion.blocks import Split
from irodori.systems.colorizediffusion.networks import Condition, size_label

Encode = Callable[[Tensor], Tensor]
WHITE = 1.0


@dataclass(frozen=True)
class Separation:
    """What is asked for beside the reference (sections 5.5 and 5.6); the defaults are the release's.

    sketch_mask: ``(B, 1, H, W)``, foreground of the sketch in 0…1; needed by background and foreground.
    reference_mask: ``(B, 1, h, w)``, of the reference; needed by background, unless there is a picture for it.
    background: backgrounds of sketch and reference are matched apart.  foreground: foregrounds get their adapter.
    style: global style of the reference is injected (v2).
    picture: ``(B, 3, h, w)``, a background of its own instead of the reference's.
    adapters: "both": as equation 5.4 has it; "released": v1.5 uses those of the branches that were asked for.
    sketch_threshold, reference_threshold: tau_s and tau_r, one or ``(B,)``; what lies over them is foreground.
    foreground_scale, background_scale, merge: see `Split`.  background_factor: on the background's features (v2).
    """

    sketch_mask: Tensor | None = None
    reference_mask: Tensor | None = None
    background: bool = False
    foreground: bool = False
    style: bool = False
    picture: Tensor | None = None
    adapters: Literal["released", "both"] = "released"
    sketch_threshold: float | Tensor = 0.05
    reference_threshold: float | Tensor = 0.5
    foreground_scale: float = 1.0
    background_scale: float = 1.0
    merge: float = 0.0
    background_factor: float = 1.0

    @property
    def splits(self) -> bool:
        """True if cross-attention is split."""
        return self.background or self.foreground


@dataclass(frozen=True)
class Reference:
    """A reference as the release sees it.

    tokens: ``(B, 1 + K, C)``, the class token first, then local ones; they may have been edited by text.
    image: ``(B, 3, h, w)`` in [-1, 1], at its own size; None where there is none.
    """

    tokens: Tensor
    image: Tensor | None = None

    @property
    def local(self) -> Tensor:
        """The local tokens."""
        return self.tokens[:, 1:]


@dataclass(frozen=True)
class Told:
    """What `Conditioner` makes of a reference: all of a `Condition` but the hints."""

    tokens: Tensor
    split: Split | None = None
    background: tuple[Tensor, ...] = ()
    style: tuple[Tensor, ...] = ()

    def with_hints(self, hints: tuple[Tensor, ...], strengths: tuple[float, ...] = ()) -> Condition:
        """The condition under a sketch's hints."""
        return Condition(hints, self.tokens, self.split, self.background, self.style, strengths)


@dataclass(frozen=True)
class Conditioner:
    """The networks that look at references.

    local_tokens: ``(B, 3, h, w)`` images to ``(B, K, C)``.  latents: images to latents.
    parts: the other networks by name, as in `make_parts`.
    vae_stride: pixels of a latent position.
    """

    version: str
    local_tokens: Encode
    latents: Encode
    vae_stride: int
    parts: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, reference: Reference, size: tuple[int, int], separation: Separation) -> Told:
        """size: ``(height, width)`` of the output in pixels."""
        if self.version == "v2":
            return self._v2(reference, size, separation)
        if not separation.splits:
            return Told(reference.local)
        return self._v15(reference, separation) if self.version == "v1.5" else self._v1(reference, separation)

    # ------------------------------------------------------------------------------------------------- v1 and v1.5

    def _v1(self, reference: Reference, separation: Separation) -> Told:
        """Split attention without training: background tokens follow the whole reference's."""
        background = self.local_tokens(_background_image(reference, separation))
        return Told(_joined(reference.local, background), self._split(separation, foreground=False, background=False))

    def _v15(self, reference: Reference, separation: Separation) -> Told:
        """Section 5.5: with background, its recovered tokens follow; with foreground, all tokens come twice.

        With both, as released, the two branches look at the same tokens (foreground's and background's) and differ in
        their adapters alone.
        """
        tokens = reference.local
        if separation.background:
            tokens = _joined(*self._v15_tokens(reference, separation))
        if separation.foreground:
            tokens = tokens.repeat(1, 2, 1)
        both = separation.adapters == "both"
        foreground, background = separation.foreground or both, separation.background or both
        return Told(tokens, self._split(separation, foreground=foreground, background=background))

    def _v15_tokens(self, reference: Reference, separation: Separation) -> tuple[Tensor, Tensor]:
        """e and e_b of equation 5.4, each told its threshold; a picture of its own is not recovered."""
        embed = self.parts["threshold_embedder"]
        sketch = embed(_each(separation.sketch_threshold, reference.tokens))
        cut = embed(_each(separation.reference_threshold, reference.tokens))
        background = self.local_tokens(_background_image(reference, separation)) + cut
        if separation.picture is None and "recovery" in self.parts:
            background = self.parts["recovery"](background)
        return reference.local + sketch, background

    # ---------------------------------------------------------------------------------------------------------- v2

    def _v2(self, reference: Reference, size: tuple[int, int], separation: Separation) -> Told:
        """Section 5.6: style for the whole image, features and tokens of the background outside the sketch."""
        told = Told(reference.local)
        if separation.style:
            told = replace(told, style=self._style(reference, size, separation))
        if not separation.splits:
            return told
        background_tokens = reference.local
        if separation.background:
            image = _background_image(reference, separation)
            background_tokens = self.local_tokens(image)
            features = self._background(reference, image, background_tokens, size, separation)
            told = replace(told, background=features)
        adapts = separation.background
        return replace(
            told,
            tokens=_joined(reference.local, background_tokens),
            split=self._split(separation, foreground=adapts, background=adapts),
        )

    def _style(self, reference: Reference, size: tuple[int, int], separation: Separation) -> tuple[Tensor, ...]:
        """Style hints of the reference, mixed with those of a background picture by `merge`."""
        assert reference.image is not None
        hints = self._style_of(reference.image, reference.local, size)
        if separation.picture is None:
            return hints
        other = self._style_of(separation.picture, self.local_tokens(separation.picture), size)
        merge = separation.merge
        return tuple(mine * (1 - merge) + merge * theirs for mine, theirs in zip(hints, other, strict=True))

    def _style_of(self, image: Tensor, tokens: Tensor, size: tuple[int, int]) -> tuple[Tensor, ...]:
        return self.parts["style_encoder"](
            self._stretched_latents(image, size), self._label(image, size, tokens), tokens
        )

    def _background(
        self, reference: Reference, image: Tensor, tokens: Tensor, size: tuple[int, int], separation: Separation
    ) -> tuple[Tensor, ...]:
        """z_bg of section 5.6.1.

        The encoder is prompted with the reference's tokens; with a background picture and without style, as released,
        with the picture's.
        """
        shown = separation.picture if separation.picture is not None else reference.image
        assert shown is not None
        prompt = tokens if separation.picture is not None and not separation.style else reference.local
        latents, label = self._stretched_latents(image, size), self._label(shown, size, tokens)
        features = self.parts["background_encoder"](latents, label, prompt)
        return tuple(separation.background_factor * each for each in features)

    def _stretched_latents(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        return self.latents(F.interpolate(image, size, mode="bicubic"))

    def _label(self, image: Tensor, size: tuple[int, int], tokens: Tensor) -> Tensor:
        label = size_label((image.shape[-2], image.shape[-1]), size)
        return label.to(tokens).expand(len(image), -1)

    # ------------------------------------------------------------------------------------------------------- shared

    def _split(self, separation: Separation, *, foreground: bool, background: bool) -> Split:
        mask = separation.sketch_mask
        assert mask is not None
        height, width = mask.shape[-2:]
        return Split(
            mask=F.interpolate(mask, (height // self.vae_stride, width // self.vae_stride), mode="bicubic"),
            threshold=_each(separation.sketch_threshold, mask),
            foreground=foreground,
            background=background,
            foreground_scale=separation.foreground_scale,
            background_scale=separation.background_scale,
            merge=separation.merge,
        )


def _background_image(reference: Reference, separation: Separation) -> Tensor:
    """r_b: the reference with its foreground painted white, or the picture given instead."""
    if separation.picture is not None:
        return separation.picture
    assert reference.image is not None
    assert separation.reference_mask is not None
    threshold = _each(separation.reference_threshold, reference.image).view(-1, 1, 1, 1)
    is_background = separation.reference_mask < threshold
    return torch.where(is_background, reference.image, torch.full_like(reference.image, WHITE))


def _joined(foreground: Tensor, background: Tensor) -> Tensor:
    """Tokens of both, equally many; of several references the first tells the background, and attention to tokens that
    are repeated is attention to them."""
    return torch.cat([foreground, background.repeat(1, foreground.shape[1] // background.shape[1], 1)], dim=1)


def _each(threshold: float | Tensor, like: Tensor) -> Tensor:
    """A threshold for each member of the batch, ``(B,)``."""
    return torch.as_tensor(threshold, dtype=like.dtype, device=like.device).expand(len(like))
