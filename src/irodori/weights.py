"""Where weights come from: shipped with the package, a file or folder, or a repository on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from irodori.errors import WeightsError

WEIGHTS_FILE = "model.safetensors"
DEFAULT = "irodori-base"

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


def shipped() -> dict[str, Path]:
    """Weights that come with the package, by name."""
    package = Path(__file__).parent
    for folder in (package / "shipped_weights", package.parents[1] / "weights"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}
    return {}


def downloads_folder() -> Path:
    """Where converted downloads are kept: ``$IRODORI_MODELS``, or ``irodori/models`` in the user's cache."""
    if chosen := os.environ.get("IRODORI_MODELS"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "irodori" / "models"


def downloaded() -> dict[str, Path]:
    """Weights that `irodori models download` made, by name."""
    return {path.stem: path for path in sorted(downloads_folder().glob("*.safetensors"))}


def resolve(name: str, offline: bool = False) -> Path:
    """The file of a shipped or downloaded name, of a path, or of a hub repository ``owner/name[@revision]``.

    Raises WeightsError, naming what exists, when nothing fits; with `offline` the hub's local cache alone is asked.
    """
    known = downloaded() | shipped()
    if name in known:
        return known[name]
    path = Path(name).expanduser()
    if path.is_dir():
        return path / WEIGHTS_FILE
    if path.is_file():
        return path
    if _REPOSITORY.fullmatch(name) and not path.suffix:
        return _from_hub(name, offline)
    raise WeightsError(
        f"{name}: neither shipped weights ({', '.join(known) or 'none'}) nor a download nor an existing file or folder"
    )


def _from_hub(name: str, offline: bool) -> Path:
    from huggingface_hub import hf_hub_download

    repository, _, revision = name.partition("@")
    try:
        return Path(hf_hub_download(repository, WEIGHTS_FILE, revision=revision or None, local_files_only=offline))
    except Exception as error:  # the hub client raises errors of many libraries
        reason = str(error).split("\n")[0].rstrip(".")
        where = "in the local cache" if offline else "on the hub"
        raise WeightsError(f"{name}: not found {where} ({reason}); check the name and the connection") from error


def short_name(name: str, path: Path) -> str:
    """What provenance calls the model: the name as given, but of a path only the last part, as folders are private."""
    if not Path(name).exists():
        return name
    return path.resolve().parent.name if path.name == WEIGHTS_FILE else path.stem


def file_hash(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
