"""Where the frozen networks' weights come from: fetched at a fixed address, or converted from a file at hand.

The published files are pickles, which can run code; they are opened in PyTorch's weights-only mode after their SHA-256
was found to be the known one, and kept as ``NAME.safetensors``.  Nothing is fetched unless a user asks for it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from irodori.checkpoint import write_atomically
from irodori.errors import ConfigError, WeightsError
from irodori.weights import file_hash


@dataclass(frozen=True, kw_only=True)
class FeatureSource:
    """A published file of weights.

    used_for: figures that need it.  url: with a revision that does not move.  sha256: of the published file.
    keep: beginnings of the names of the tensors that are kept.
    """

    name: str
    used_for: str
    url: str
    sha256: str
    license: str
    keep: tuple[str, ...]


SOURCES: Mapping[str, FeatureSource] = {
    source.name: source
    for source in (
        FeatureSource(
            name="vgg16",
            used_for="LPIPS, SR, CR",
            url="https://download.pytorch.org/models/vgg16-397923af.pth",
            sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            license="BSD-3-Clause (torchvision)",
            keep=("features.",),
        ),
        FeatureSource(
            name="lpips_vgg16",
            used_for="LPIPS with learned weights, together with vgg16",
            url="https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/"
            "082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1/vgg.pth",
            sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
            license="BSD-2-Clause (Richard Zhang and others)",
            keep=("lin",),
        ),
        FeatureSource(
            name="inception_v3_fid",
            used_for="FID, KID",
            url="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            "pt_inception-2015-12-05-6726825d.pth",
            sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            license="Apache-2.0 (pytorch-fid, TensorFlow)",
            keep=("Conv2d_", "Mixed_"),
        ),
        FeatureSource(
            name="clip_vit_b32",
            used_for="CLIP similarity",
            url="https://huggingface.co/openai/clip-vit-base-patch32/resolve/"
            "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268/pytorch_model.bin",
            sha256="a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
            license="MIT (OpenAI CLIP)",
            keep=("vision_model.", "visual_projection."),
        ),
        FeatureSource(
            name="vgg19",
            used_for="training SCFT and CSFT",
            url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
            sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
            license="BSD-3-Clause (torchvision)",
            keep=("features.",),
        ),
    )
}
"""By name.  The sums were found the same in several public projects; PyTorch's file names begin them."""


def default_folder() -> Path:
    """Where weights of frozen networks are kept: ``$IRODORI_FEATURES``, or ``irodori/features`` in the user's cache."""
    if chosen := os.environ.get("IRODORI_FEATURES"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "irodori" / "features"


def find_features(name: str, folder: Path | None = None) -> Path | None:
    """The file of a network in a folder (None: the default one), its name or a longer one: ``vgg16*.safetensors``."""
    folder = folder or default_folder()
    exact = folder / f"{name}.safetensors"
    if exact.is_file():
        return exact
    return next(iter(sorted(folder.glob(f"{name}*.safetensors"))), None)


def fetch_features(name: str, folder: Path | None = None) -> Path:
    """Downloads a network's weights, checks and converts them; returns at once when they are there.

    WeightsError when the file cannot be had or is another one.
    """
    if name not in SOURCES:
        raise ConfigError(f"unknown features '{name}'; choose one of {', '.join(SOURCES)}")
    source, folder = SOURCES[name], folder or default_folder()
    if (done := folder / f"{name}.safetensors").is_file():
        return done
    folder.mkdir(parents=True, exist_ok=True)
    download = folder / f".{name}.download"
    try:
        torch.hub.download_url_to_file(source.url, str(download), source.sha256)
        return convert_features(download, folder)
    except (OSError, RuntimeError) as error:  # no connection; a wrong sum
        raise WeightsError(
            f"{name}: cannot be fetched from {source.url} ({error}); download it by other means and run "
            "'irodori benchmark features convert FILE'"
        ) from error
    finally:
        download.unlink(missing_ok=True)


def convert_features(path: Path, folder: Path | None = None) -> Path:
    """Turns a published file, known by its SHA-256, into ``NAME.safetensors`` in a folder; returns that path."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    digest = file_hash(path)
    source = next((source for source in SOURCES.values() if source.sha256 == digest), None)
    if source is None:
        known = ", ".join(source.url.rpartition("/")[2] for source in SOURCES.values())
        raise WeightsError(f"{path}: SHA-256 {digest[:8]}… is none of the known files ({known}); download it again")
    folder = folder or default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{source.name}.safetensors"
    about = {"source": source.url, "sha256": source.sha256, "license": source.license}
    write_atomically(target, _kept(path, source), about)
    return target


def _kept(path: Path, source: FeatureSource) -> dict[str, Tensor]:
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise WeightsError(f"{path}: cannot be read as weights ({error}); download it again") from error
    return {
        name: tensor.float().contiguous()
        for name, tensor in found.items()
        if name.startswith(source.keep) and tensor.is_floating_point()
    }
