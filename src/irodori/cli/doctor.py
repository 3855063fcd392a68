"""`irodori doctor`: does this installation work, and what does it run on?"""

from __future__ import annotations

import json
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

PACKAGES = ("irodori", "torch", "numpy", "pillow", "opencv-python-headless", "safetensors", "huggingface_hub")


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> int:
    """Show versions and devices, load the shipped models and color a small drawing with each.

    Models that can undo what they do are asked to: sketch to latent and back.
    """
    report = {"python": platform.python_version(), "platform": platform.platform(), **_packages(), **_devices()}
    models = _models()
    healthy = bool(models) and all(model["ok"] for model in models)
    if as_json:
        click.echo(json.dumps({**report, "models": models, "ok": healthy}))
        return 0 if healthy else 1
    for key, value in report.items():
        click.echo(f"{key:24} {value}")
    for model in models:
        click.echo(f"{'model ' + model['name']:24} {model['state']}")
    click.echo("everything works" if healthy else "some model is missing or does not work", err=not healthy)
    return 0 if healthy else 1


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _devices() -> dict[str, str]:
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"threads": str(torch.get_num_threads()), "cuda": ", ".join(gpus) or "none (the CPU is used)"}


def _models() -> list[dict[str, Any]]:
    from irodori.weights import shipped

    return [_try_model(name) for name in shipped()]


def _try_model(name: str) -> dict[str, Any]:
    """Loads a shipped model and colors a ring with it; a failure is reported, not raised.

    A model whose extra is not installed is none.
    """
    from irodori.errors import IrodoriError, MissingPackageError
    from irodori.inference.colorizer import Colorizer
    from irodori.systems.base import EXACT

    start = time.perf_counter()
    try:
        colorizer = Colorizer.from_pretrained(name, offline=True)
        size = colorizer(_ring(), _ring(), image_size=64).image.size
        error = _round_trip_error(colorizer.system)
    except MissingPackageError as missing:
        return {"name": name, "ok": True, "state": f"not tried: {missing}", "sha256": ""}
    except IrodoriError as error:
        return {"name": name, "ok": False, "state": str(error), "sha256": ""}
    state = f"colored {size[0]}x{size[1]} in {time.perf_counter() - start:.1f} s on {colorizer.device}"
    sha256 = colorizer.weights_hash
    state = f"{state}, sha256 {sha256[:12]}"
    if error is None:
        return {"name": name, "ok": True, "state": state, "sha256": sha256}
    state = f"{state}, sketch → latent → sketch within {error:.1g}"
    return {"name": name, "ok": error <= EXACT, "state": state, "sha256": sha256, "round_trip_error": error}


def _round_trip_error(system: Any) -> float | None:
    import numpy as np
    import torch

    from irodori.image import to_tensor
    from irodori.systems.base import Inputs

    ring = to_tensor(np.array(_ring())).to(next(system.parameters()).device)
    with torch.inference_mode():
        return system.round_trip_error(Inputs(ring[:, :1], (ring,)))


def _ring() -> Any:
    """A small line drawing, ``(64, 64, 3)`` uint8."""
    from PIL import Image, ImageDraw

    drawing = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(drawing).ellipse((12, 12, 52, 52), outline="black", width=2)
    return drawing
