"""G'MIC's flat coloring of line art, run as its users run it (Fourey, Tschumperlé, Revoy 2018, "A fast and efficient
semi-guided algorithm for flat coloring line-arts").

The filter *Colorize Lineart [Smart Coloring]* in its mode *Auto-Clean Bottom Color Layer* takes the lines and a rough
color layer; here that is the reference stretched to the sketch.  All other settings are the filter's own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from irodori.errors import ConfigError, InputError
from irodori.image import Pixels, resize
from irodori.image_io import over_paper, read_image, write_image
from irodori.inference.finish import composite

AUTO_CLEAN = "2"
DEFAULTS = "95,0,0,1,24,200,0,75,2,60,20,90,1,10,1,0"
"""Contour detection 95 %, end points 75 % with connectivity 2, splines up to 60 px and 90°, segments up to 20 px, …"""
SECONDS = 120


@cache
def version() -> str:
    """The version of the program, as ``2.9.4``; ConfigError when it is not installed."""
    if shutil.which("gmic") is None:
        raise ConfigError("the program gmic is not installed: sudo apt-get install gmic")
    done = subprocess.run(["gmic", "version"], capture_output=True, text=True, check=False, timeout=SECONDS)
    found = re.search(r"Version (\d+(\.\d+)+)", done.stdout + done.stderr)
    return found[1] if found else "unknown"


def paint(lines: Pixels, reference: Pixels) -> Pixels:
    """Lines ``(H, W)`` and reference to the colored drawing ``(H, W, 3)``; InputError when the program fails."""
    version()
    with tempfile.TemporaryDirectory(prefix="irodori-") as name:
        top, bottom, cleaned = (Path(name) / file for file in ("lines.png", "colors.png", "cleaned.png"))
        write_image(top, over_paper(lines))
        write_image(bottom, resize(reference, (lines.shape[0], lines.shape[1])))
        _run(str(top), str(bottom), "fx_colorize_lineart_smart", f"{AUTO_CLEAN},{DEFAULTS}", "keep[-1]", "output",
             str(cleaned))  # fmt: skip
        colors = over_paper(read_image(cleaned))
    return composite(colors, lines, "keep", colors)


def _run(*arguments: str) -> None:
    try:
        done = subprocess.run(["gmic", *arguments], capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"gmic needed more than {SECONDS} seconds") from error
    if done.returncode:
        reason = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr).strip().split("\n")[-1]
        raise InputError(f"gmic failed ({reason[:120]})")
