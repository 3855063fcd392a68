"""A recipe: everything that decides the result of a training run, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from irodori.data.dataset import DataOptions
from irodori.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Optimizer and schedule; defaults are those of the GAN papers (Adam, constant rate, then linear decay)."""

    images: int = 10_860_000  # images seen in total
    batch_size: int = 16
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0
    warmup_images: int = 0  # linear rise from 0
    decay: Literal["linear", "cosine", "steps", "none"] = "linear"
    decay_start: float = 0.5  # share of the run after which the rate falls to 0
    decay_factor: float = 0.9  # of decay "steps": what the rate is multiplied by …
    decay_images: int = 0  # … each time so many images were seen
    gradient_clip: float = 0.0  # largest gradient norm, 0 = off
    ema: float = 0.0  # decay of the averaged weights per step, 0 = off
    precision: Literal["no", "bf16", "fp16"] = "no"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.images < self.batch_size:
            raise ConfigError(f"training: images ({self.images}) must be at least one batch ({self.batch_size})")
        if not 0 < self.learning_rate < 10 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError("training: learning_rate must lie in 0…10, betas in 0…1 (1 excluded)")
        if not 0 <= self.decay_start <= 1 or not 0 <= self.ema < 1:
            raise ConfigError("training: decay_start must lie in 0…1, ema in 0…1 (1 excluded)")
        if self.decay == "steps" and (self.decay_images < 1 or not 0 < self.decay_factor <= 1):
            raise ConfigError("training: decay by steps needs decay_images of at least 1 and a decay_factor in 0…1")
        if min(self.warmup_images, self.gradient_clip, self.weight_decay, self.seed) < 0:
            raise ConfigError("training: warmup_images, gradient_clip, weight_decay and seed must not be negative")

    @property
    def steps(self) -> int:
        """Optimizer steps of each phase."""
        return self.images // self.batch_size


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named preset.  system: the system's configuration.  about: what it reproduces and what was reached."""

    name: str
    about: str
    system: Any
    data: DataOptions = field(default_factory=DataOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
