"""The models that clients may choose from, loaded when they are first used."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from irodori.checkpoint import read_header
from irodori.config import from_dict
from irodori.errors import ConfigError, WeightsError
from irodori.inference.colorizer import Colorizer
from irodori.systems import system_type
from irodori.web.errors import MissingError
from irodori.web.schemas import ModelAnswer
from irodori.web.settings import Settings
from irodori.weights import WEIGHTS_FILE, downloaded, resolve, shipped

LOADED = 2
"""Models in memory at a time."""


class Models:
    """A fixed list: clients name its entries, never files or repositories."""

    def __init__(self, settings: Settings) -> None:
        """Raises WeightsError for a model that was asked for and is not there; others that are damaged are left out."""
        self.settings = settings
        self._paths = {_title(name): resolve(name) for name in settings.models}
        self.known = {title: describe(title, path) for title, path in self._paths.items()}
        self.default = next(iter(self._paths))
        for name, path in (shipped() | downloaded()).items():
            try:
                self.known.setdefault(name, describe(name, path))
                self._paths.setdefault(name, path)
            except (WeightsError, ConfigError):
                continue
        self._loaded: OrderedDict[str, Colorizer] = OrderedDict()

    def check(self, name: str) -> str:
        """The name as given; MissingError, with those that exist, for an unknown one."""
        if name not in self.known:
            raise MissingError(f"there is no model {name[:80]!r} here: use one of {', '.join(self.known)}")
        return name

    def get(self, name: str) -> Colorizer:
        """A new colorizer of a model.  Only the worker's thread calls this."""
        if name not in self._loaded:
            while len(self._loaded) >= LOADED:
                self._loaded.popitem(last=False)
            settings = self.settings
            self._loaded[name] = Colorizer.from_pretrained(
                self._paths[name], settings.device, offline=True, half=settings.half, offload=settings.offload
            )
            self._loaded[name].name = name
        self._loaded.move_to_end(name)
        return self._loaded[name].another()

    def is_loaded(self, name: str) -> bool:
        """Whether a model is in memory."""
        return name in self._loaded


def describe(name: str, path: Path) -> ModelAnswer:
    """What the header of a weight file says."""
    header = read_header(path)
    kind = system_type(header.system)
    takes = kind.takes_with(from_dict(kind.config_type, header.config, header.system))
    license_name = str(header.provenance.get("license", "not stated"))
    return ModelAnswer(name=name, system=header.system, takes=sorted(takes), license=license_name)


def _title(name: str) -> str:
    """A name for clients: of a path only its end, as folders are private."""
    path = Path(name)
    if not path.exists() or name in shipped() | downloaded():
        return name
    folder = path if path.is_dir() else path.parent
    return folder.resolve().name if path.is_dir() or path.name == WEIGHTS_FILE else path.stem
