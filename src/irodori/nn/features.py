"""Frozen networks that say how alike two pictures look, behind one interface that reports its name.

`FEATURES` compare pictures place by place, `EMBEDDINGS` as wholes.  All are read from safetensors files
(`irodori.nn.feature_files` makes them).  Figures made with different networks are never comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from irodori.errors import ConfigError
from irodori.nn.features_base import Embedding, Features, Frozen
from irodori.nn.features_clip import CLIPImage
from irodori.nn.features_inception import Inception3FID
from irodori.nn.features_mobilenet import MobileNetV2, MobileNetV2Embedding
from irodori.nn.features_vgg import VGG16, VGG19, VGG19Second

__all__ = [
    "EMBEDDINGS",
    "FEATURES",
    "VGG16",
    "VGG19",
    "CLIPImage",
    "Embedding",
    "Features",
    "Frozen",
    "Inception3FID",
    "MobileNetV2",
    "MobileNetV2Embedding",
    "VGG19Second",
    "load_embedding",
    "load_features",
]

FEATURES: Mapping[str, type[Features]] = {network.name: network for network in (VGG19, VGG19Second, VGG16, MobileNetV2)}
EMBEDDINGS: Mapping[str, type[Embedding]] = {
    network.name: network for network in (Inception3FID, CLIPImage, MobileNetV2Embedding)
}


def load_features(name: str, path: Path) -> Features:
    """A frozen feature network, filled from a file; ConfigError for an unknown name, WeightsError for the file."""
    if name not in FEATURES:
        raise ConfigError(f"unknown features '{name}'; choose one of {', '.join(FEATURES)}")
    return FEATURES[name]().load(path)


def load_embedding(name: str, path: Path) -> Embedding:
    """The same for a network that gives one vector for a picture."""
    if name not in EMBEDDINGS:
        raise ConfigError(f"unknown embedding '{name}'; choose one of {', '.join(EMBEDDINGS)}")
    return EMBEDDINGS[name]().load(path)
