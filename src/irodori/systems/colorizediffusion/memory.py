"""How much memory a model will take, known before it is loaded: its networks run on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from irodori.nn.memory import made_in, peak_bytes
from irodori.systems.colorizediffusion.blocks import Split
from irodori.systems.colorizediffusion.config import ColorizeDiffusionConfig
from irodori.systems.colorizediffusion.networks import LABEL_CHANNELS, Condition, input_widths, output_widths
from irodori.systems.colorizediffusion.parts import make_parts

OVERHEAD = 600_000_000
"""Bytes that a GPU's driver and libraries take for themselves; a usual value, not a measured one."""


@dataclass(frozen=True)
class Estimate:
    """In bytes.  weights: of all networks.  activations: most that a step of the work has alive.

    stages: for each step of the work, the weights that it uses and its activations.
    """

    weights: int
    activations: int
    stages: Mapping[str, tuple[int, int]]

    @property
    def total(self) -> int:
        """With all networks on the GPU at once."""
        return self.weights + self.activations + OVERHEAD

    @property
    def offloaded(self) -> int:
        """With only the networks of the current step on the GPU."""
        return max(weights + activations for weights, activations in self.stages.values()) + OVERHEAD


def estimate(config: ColorizeDiffusionConfig, size: tuple[int, int], dtype: torch.dtype, batch: int = 1) -> Estimate:
    """The memory for pictures of ``(height, width)`` pixels, every part of the version in use and both guidances on."""
    with torch.device("meta"):
        with made_in(dtype):
            parts = make_parts(config)
        work = _Work(config, parts, size, dtype, batch)
        activations = {name: peak_bytes(compute) for name, (_, compute) in work.stages().items()}
    weights = {name: sum(p.numel() * p.element_size() for p in part.parameters()) for name, part in parts.items()}
    stages = {
        name: (sum(weights[part] for part in used if part in weights), activations[name])
        for name, (used, _) in work.stages().items()
    }
    return Estimate(sum(weights.values()), max(activations.values()), stages)


@dataclass(frozen=True)
class _Work:
    """The steps of a coloring on meta tensors."""

    config: ColorizeDiffusionConfig
    parts: Mapping[str, Any]
    size: tuple[int, int]
    dtype: torch.dtype
    batch: int

    def stages(self) -> dict[str, tuple[tuple[str, ...], Callable[[], Any]]]:
        """For each step the networks that it uses, and the computation."""
        side = self.config.encoder.image_size
        found: dict[str, tuple[tuple[str, ...], Callable[[], Any]]] = {
            "sketch": (("sketch_encoder",), lambda: self.parts["sketch_encoder"](self._empty(3, *self.size))),
            "reference": (
                ("encoder", "projection", "threshold_embedder", "recovery"),
                lambda: self.parts["encoder"].vision(self.parts["encoder"].stem(self._empty(3, side, side))),
            ),
            "denoising": (("unet",), self._denoise),
            "decoding": (("vae",), lambda: self.parts["vae"].decode(self._latents(self.batch))),
        }
        if self.config.version == "v2":
            encoded = lambda: self.parts["vae"].encode(self._empty(3, *self.size))  # noqa: E731
            found["encoding"] = (("vae",), encoded)
            found["features"] = (("background_encoder", "style_encoder"), self._features)
        return found

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(self.batch, *shape, dtype=self.dtype)

    def _latents(self, count: int) -> Tensor:
        sides = (side // self.config.vae.stride for side in self.size)
        return torch.empty(count, self.config.unet.latent_channels, *sides, dtype=self.dtype)

    def _features(self) -> Any:
        label = self._empty(2 * LABEL_CHANNELS)
        return self.parts["background_encoder"](self._latents(self.batch), label, self._tokens(self.batch, 1))

    def _denoise(self) -> Tensor:
        """All that the version can be told, for three passes: conditional, without reference, without sketch."""
        count = 3 * self.batch
        latents = self._latents(count)
        is_split, is_v2 = self.config.version != "v1", self.config.version == "v2"
        height, width = latents.shape[-2:]
        split = Split(torch.empty(count, 1, height, width, dtype=self.dtype), torch.empty(count, dtype=self.dtype))
        condition = Condition(
            hints=self.parts["sketch_encoder"](torch.empty(count, 3, *self.size, dtype=self.dtype)),
            tokens=self._tokens(count, 2 if is_split else 1),
            split=split if is_split else None,
            background=self._background(count, height, width) if is_v2 else (),
            style=self._style(count) if is_v2 else (),
        )
        return self.parts["unet"](latents, torch.empty(count), condition)

    def _tokens(self, count: int, copies: int) -> Tensor:
        encoder = self.config.encoder
        return torch.empty(count, copies * encoder.num_tokens, encoder.token_channels, dtype=self.dtype)

    def _style(self, count: int) -> tuple[Tensor, ...]:
        return tuple(torch.empty(count, 2 * c, dtype=self.dtype) for c in output_widths(self.config.unet))

    def _background(self, count: int, height: int, width: int) -> tuple[Tensor, ...]:
        """Features of the background as the encoder gives them, by the sizes of the input blocks."""
        step = self.config.unet.num_blocks + 1
        found = []
        for number, channels in enumerate(input_widths(self.config.unet)):
            positions = (height >> number // step) * (width >> number // step)
            found.append(torch.empty(count, positions, channels, dtype=self.dtype))
        return tuple(found[::-1])
