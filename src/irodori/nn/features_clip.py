"""The image half of CLIP (Radford et al. 2021), ViT-B/32, through transformers."""

from __future__ import annotations

from torch import Tensor

from irodori.errors import ConfigError
from irodori.nn.features_base import Embedding, Normalization, resized

_MEAN, _DEVIATION = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)  # of its training pictures


class CLIPImage(Embedding):
    """CLIP's 512 values of a picture: its short side resized to 224 px, the middle square cut out, as CLIP was trained.

    ConfigError when transformers is not installed.
    """

    name = "clip_vit_b32"
    num_features = 512
    image_size = 224

    def __init__(self) -> None:
        super().__init__()
        try:
            from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
        except ImportError as error:
            raise ConfigError("CLIP similarity needs transformers: pip install 'irodori[clip]'") from error
        self.normalization = Normalization(_MEAN, _DEVIATION)
        network = CLIPVisionModelWithProjection(CLIPVisionConfig())  # whose defaults are ViT-B/32
        self.vision_model, self.visual_projection = network.vision_model, network.visual_projection

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        scale = self.image_size / min(height, width)
        tall, wide = (max(self.image_size, round(side * scale)) for side in (height, width))
        top, left = (tall - self.image_size) // 2, (wide - self.image_size) // 2
        square = resized(image, tall, wide)[..., top : top + self.image_size, left : left + self.image_size]
        seen = self.vision_model(pixel_values=self.normalization(square))
        return self.visual_projection(seen.pooler_output)
