"""The image-text encoder whose tokens prompt the U-Net (section 5.3): OpenCLIP's layout, at any size.

The towers are transformers' CLIP models.  Tokens differ from a plain CLIP embedding: all of them are taken, normalized
and projected, not only the class token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection

from irodori.data.index import PART_NAMES
from irodori.errors import WeightsError
from irodori.systems.colorizediffusion.config import BYTE_VOCABULARY, STEM_GROUPS, ImageTextConfig, TowerConfig

CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

BYTE_START, BYTE_END = BYTE_VOCABULARY - 2, BYTE_VOCABULARY - 1
BPE_FILES = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
"""Hub repository whose vocabulary files tokenize for OpenCLIP."""


class ImageTextEncoder(nn.Module):
    """tau_phi of section 5.3: images to tokens, and prompts to vectors in the same space."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ImageTextConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(*(_halving(*pair) for pair in pairwise((3, *config.stem))))
        self.vision = CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                num_channels=(3, *config.stem)[-1],
                image_size=config.image_size // config.stem_stride,
                patch_size=config.patch_size // config.stem_stride,
                **_tower(config.vision, config),
            )
        )
        self.text = CLIPTextModelWithProjection(_text_config(config)) if config.text else None
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07))) if config.text else None
        self.to_color = nn.Linear(config.token_channels, 3) if config.reads_colors else None
        self.to_part = nn.Linear(config.token_channels, len(PART_NAMES)) if config.reads_parts else None
        self.register_buffer("mean", torch.tensor(CLIP_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(CLIP_DEVIATION).view(1, 3, 1, 1), persistent=False)

    def preprocess(self, image: Tensor) -> Tensor:
        """``(B, 3, h, w)`` in [-1, 1] of any size to the tower's input; stretched, as released."""
        size = (self.config.image_size, self.config.image_size)
        square = F.interpolate(image, size, mode="bicubic", align_corners=True, antialias=True)
        return ((square + 1) / 2 - self.mean.to(square)) / self.deviation.to(square)

    def tokens(self, image: Tensor) -> Tensor:
        """``(B, 3, h, w)`` in [-1, 1] to ``(B, 1 + N, C)``: the class token, then local ones, row-major.

        All blocks, then the last normalization and the projection on every token; lengths are not normalized.
        """
        # In half precision pictures are prepared in single: cubic interpolation with antialiasing has no other.
        square = self.preprocess(image.float()).to(self.vision.visual_projection.weight)
        hidden = self.vision.vision_model(pixel_values=self.stem(square)).last_hidden_state
        return self.vision.visual_projection(self.vision.vision_model.post_layernorm(hidden))

    def text_vectors(self, ids: Tensor) -> Tensor:
        """``(B, L)`` token numbers to ``(B, C)`` vectors of length 1, read at the end token, which is the largest."""
        if self.text is None:
            raise WeightsError("these weights have no text tower: convert them again with --clip")
        hidden = self.text.text_model(ids, output_hidden_states=True).hidden_states[-1 - self.config.text_skip]
        projected = self.text.text_projection(self.text.text_model.final_layer_norm(hidden))
        at_end = projected[torch.arange(len(ids), device=ids.device), ids.argmax(-1)]
        return F.normalize(at_end, dim=-1)

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """``(len(prompts), C)`` vectors of length 1."""
        make = byte_ids if self.config.alphabet == "bytes" else bpe_ids
        return self.text_vectors(make(prompts, self.config.text_length).to(self.mean.device))


def byte_ids(prompts: Sequence[str], length: int) -> Tensor:
    """Lower-case UTF-8 bytes between a start and an end: ``(B, length)``, filled up with zeros."""
    ids = torch.zeros(len(prompts), length, dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        letters = list(prompt.lower().encode())[: length - 2]
        ids[row, : len(letters) + 2] = torch.tensor([BYTE_START, *letters, BYTE_END])
    return ids


def bpe_ids(prompts: Sequence[str], length: int) -> Tensor:
    """CLIP's byte pairs: ``(B, length)``; WeightsError when the vocabulary files are neither cached nor reachable."""
    from transformers import CLIPTokenizer

    try:
        tokenizer: Any = CLIPTokenizer.from_pretrained(BPE_FILES)
    except OSError as error:
        raise WeightsError(
            f"text needs the vocabulary files of {BPE_FILES}, which are not in the cache and could not be downloaded; "
            "check the connection"
        ) from error
    encoded = tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return torch.where(encoded["attention_mask"] > 0, encoded["input_ids"], 0)


def _halving(channels_in: int, channels: int) -> nn.Sequential:
    """A level of the stem: half the sides, then a look at the surroundings."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride=2, padding=1), nn.GroupNorm(STEM_GROUPS, channels), nn.SiLU(),
        nn.Conv2d(channels, channels, 3, padding=1), nn.GroupNorm(STEM_GROUPS, channels), nn.SiLU(),
    )  # fmt: skip


def _tower(tower: TowerConfig, config: ImageTextConfig) -> dict[str, Any]:
    return {
        "hidden_size": tower.channels,
        "intermediate_size": 4 * tower.channels,
        "num_hidden_layers": tower.num_layers,
        "num_attention_heads": tower.num_heads,
        "hidden_act": "gelu",
        "projection_dim": config.token_channels,
    }


def _text_config(config: ImageTextConfig) -> CLIPTextConfig:
    assert config.text is not None
    return CLIPTextConfig(
        vocab_size=config.vocabulary_size, max_position_embeddings=config.text_length, pad_token_id=0,
        bos_token_id=config.vocabulary_size - 2, eos_token_id=config.vocabulary_size - 1, **_tower(config.text, config),
    )  # fmt: skip
