"""Color line art from reference images: the published systems of reference-based sketch colorization, side by side.

    from irodori import Colorizer
    colorizer = Colorizer.from_pretrained("irodori-base")
    result = colorizer("sketch.png", "reference.png", seed=0)
    result.save("out.png")

Everything is imported when it is first used, so that `import irodori` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irodori.editing.masks import MaskOptions
    from irodori.errors import ConfigError, DataError, InputError, IrodoriError, MissingPackageError, WeightsError
    from irodori.inference.colorizer import Colorizer
    from irodori.inference.correspondence import Correspondence
    from irodori.inference.guidance import Hint, Stroke
    from irodori.inference.result import Result
    from irodori.systems.base import Sampling
    from irodori.systems.text import TextEdit

    __version__: str

__all__ = [
    "Colorizer",
    "ConfigError",
    "Correspondence",
    "DataError",
    "Hint",
    "InputError",
    "IrodoriError",
    "MaskOptions",
    "MissingPackageError",
    "Result",
    "Sampling",
    "Stroke",
    "TextEdit",
    "WeightsError",
    "__version__",
    "system_names",
]

_HOMES = {
    "Colorizer": "irodori.inference.colorizer",
    "Correspondence": "irodori.inference.correspondence",
    "Hint": "irodori.inference.guidance",
    "MaskOptions": "irodori.editing.masks",
    "Result": "irodori.inference.result",
    "Sampling": "irodori.systems.base",
    "Stroke": "irodori.inference.guidance",
    "TextEdit": "irodori.systems.text",
    **dict.fromkeys(("ConfigError", "DataError", "InputError", "IrodoriError"), "irodori.errors"),
    **dict.fromkeys(("MissingPackageError", "WeightsError"), "irodori.errors"),
}


def system_names() -> tuple[str, ...]:
    """Names of the colorization systems in this version."""
    from irodori.systems import SYSTEMS

    return tuple(SYSTEMS)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("irodori")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'irodori' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
