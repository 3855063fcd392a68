"""Models that others have published, by name: downloaded once, checked, converted, and then used like shipped ones.

No revision is pinned in this file: nobody here has seen the published files.  The revision that the hub resolves, or
the one asked for, and the SHA-256 of every file are compared with what the hub says of them and kept in the weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from irodori.errors import InputError, WeightsError
from irodori.systems.convert import Wish, convert
from irodori.weights import downloads_folder, file_hash

ACCEPTED = "accepted-licenses.json"
SHA256_DIGITS = 64


@dataclass(frozen=True)
class HubFile:
    """A file of a repository of the Hugging Face hub."""

    repository: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published model.

    about: one line.  license: its name; license_url: its text.  layout: how it is converted, see
        `irodori.systems.convert`.  others: further files by role.
    """

    about: str
    file: HubFile
    license: str
    license_url: str
    layout: str
    others: Mapping[str, HubFile] = field(default_factory=dict)


_CLIP = {"clip": HubFile("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "open_clip_model.safetensors")}


def _colorizediffusion(file: str, about: str) -> Published:
    return Published(
        about=f"ColorizeDiffusion {about}",
        file=HubFile("tellurion/ColorizeDiffusion", file),
        license="CC BY-NC-SA 4.0",
        license_url="https://creativecommons.org/licenses/by-nc-sa/4.0/",
        layout="colorizediffusion",
        others=_CLIP,
    )


PUBLISHED: Mapping[str, Published] = {
    "colorizediffusion-v1": _colorizediffusion("mult-eps-newft.safetensors", "v1, 512 px, 3.9 GB and 3.9 GB of CLIP"),
    "colorizediffusion-v1.5": _colorizediffusion("switch-eps.safetensors", "v1.5, 512 px, 4.3 GB and 3.9 GB of CLIP"),
    "colorizediffusion-v2": _colorizediffusion("v2-full.safetensors", "v2, 768 px, 6.8 GB and 3.9 GB of CLIP"),
}


def download(
    name: str, accept: Callable[[Published], bool], revision: str = "main", folder: Path | None = None
) -> Path:
    """The weight file of a published model, downloaded and converted if it is not here yet.

    accept: asked once for each license.  revision: of the model's repository.
    Raises InputError for an unknown name or a license that is not accepted, WeightsError when files cannot be had.
    """
    if name not in PUBLISHED:
        raise InputError(f"unknown model {name!r}: use one of {', '.join(PUBLISHED)}")
    model, folder = PUBLISHED[name], folder or downloads_folder()
    target = folder / f"{name}.safetensors"
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    _ask(model, folder / ACCEPTED, accept)
    file = fetch(model.file, revision)
    others = {role: fetch(other) for role, other in model.others.items()}
    convert(model.layout, Wish(files=(file,), others=others), target)
    return target


def _ask(model: Published, record: Path, accept: Callable[[Published], bool]) -> None:
    """Asks for a license unless it was accepted before."""
    accepted = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else []
    if model.license in accepted:
        return
    if not accept(model):
        raise InputError(f"the license {model.license} was not accepted, so nothing was downloaded")
    record.write_text(json.dumps([*accepted, model.license]), encoding="utf-8")


def fetch(file: HubFile, revision: str = "main") -> Path:
    """A file of the hub in its local cache, after its SHA-256 was found to be the one that the hub names.

    Raises WeightsError when it cannot be had or is another one.
    """
    import huggingface_hub

    where = f"{file.repository}/{file.name}"
    try:
        url = huggingface_hub.hf_hub_url(file.repository, file.name, revision=revision)
        known = huggingface_hub.get_hf_file_metadata(url)
        path = Path(huggingface_hub.hf_hub_download(file.repository, file.name, revision=known.commit_hash))
    except Exception as error:  # the hub client raises errors of many libraries
        reason = str(error).split("\n")[0].rstrip(".")
        raise WeightsError(
            f"{where}: cannot be downloaded ({reason}); check the connection, or download it by other means and use "
            "'irodori convert'"
        ) from error
    digest = known.etag or ""  # of large files, their SHA-256
    if len(digest) == SHA256_DIGITS and file_hash(path) != digest:
        raise WeightsError(f"{path}: is not the file that the hub has as {where}; delete it and download it again")
    return path
