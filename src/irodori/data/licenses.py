"""What must travel with drawings: license texts, and the credits that some public packs leave out of their index."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

FOLDER = "LICENSES"
"""Holds license texts: in or beside a source, in a data set and in a benchmark."""

_OWN_TEXTS = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*")

_PAGES = {
    "cc0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc by 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc by-sa 4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc by-sa 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "mit": "https://opensource.org/license/mit",
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "gpl-2.0": "https://www.gnu.org/licenses/old-licenses/gpl-2.0.html",
    "gpl-3.0": "https://www.gnu.org/licenses/gpl-3.0.html",
}

_CREDITS = {
    "emojione": "EmojiOne 2 by Emoji One",
    "fluent": "Fluent Emoji, Copyright (c) Microsoft Corporation",
    "fxemoji": "FxEmojis by Mozilla",
    "noto": "Noto Emoji by Google",
    "openmoji": "OpenMoji, the open-source emoji and icon project",
    "streamline-emojis": "Streamline Emojis by Streamline (streamlinehq.com)",
    "streamline-ultimate-color": "Streamline Ultimate Color by Streamline (streamlinehq.com)",
}


def license_page(license: str) -> str:
    """Where a license can be read; "" for one that is not known here.

    >>> license_page("CC0-1.0")
    'https://creativecommons.org/publicdomain/zero/1.0/'
    """
    name = license.lower().replace("cc-by", "cc by")
    return next((page for start, page in _PAGES.items() if name.startswith(start)), "")


def credit(source: str, attribution: str) -> str:
    """Whom to name for the drawings of a source: what its index says, else what is known of the pack of that name."""
    return attribution or _CREDITS.get(source, "")


def copy_license_texts(source: Path, licenses: Collection[str], target: Path) -> None:
    """Copies a source's own license files, and those of these `licenses` in a `FOLDER` in or beside it, to `target`.

    The texts in a `FOLDER` are named after their licenses: `MIT-renpy.txt`, `Apache-2.0.txt`.
    """
    name = source.resolve().name
    own = {f"{name}-{path.name}": path for pattern in _OWN_TEXTS for path in sorted(source.glob(pattern))}
    shared = {
        path.name: path
        for folder in (source.resolve().parent / FOLDER, source / FOLDER)
        for path in sorted(folder.glob("*"))
        if any(is_text_of(path.stem, license) for license in licenses)
    }
    for file, path in {**shared, **own}.items():
        if path.is_file():
            target.mkdir(exist_ok=True)
            shutil.copyfile(path, target / file)


def is_text_of(stem: str, license: str) -> bool:
    """Whether `GPL-2.0` is the text of "GPL-2.0-or-later", and `MIT-renpy` that of "MIT"."""
    file, name = (text.lower().replace(" ", "-") for text in (stem, license))
    return bool(name) and (file.startswith(name) or name.startswith(file))
