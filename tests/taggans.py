"""TagGANs of a few thousand parameters, and what they are fed."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from batches import plain_sample
from irodori.data.sample import Sample
from irodori.nn.blocks import initialize
from irodori.systems import build_system, preset
from irodori.systems.taggan.config import TagGANConfig
from irodori.systems.taggan.system import TagGAN

TINY = preset("taggan/tiny").system
TAGS = TINY.tags


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def built(config: TagGANConfig = TINY) -> TagGAN:
    """A system whose edits do something, as if step 2 had been trained."""
    torch.manual_seed(0)
    system = build_system("taggan", config).eval()
    initialize(system.editor, "kaiming")
    return system


def colored_bands(count: int = 4, size: int = 32) -> Sample:
    """`plain_sample` whose bands are background, skin and hair, in random colors."""
    batch = plain_sample(count, size)
    return replace(batch, tags=(("glasses",),) * count)
