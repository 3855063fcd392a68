"""Nodes: load a model, color drawings, extract drawings from pictures, take results apart.

ComfyUI's forms: IMAGE is a float tensor ``(B, H, W, C)`` in 0…1, MASK one of ``(B, H, W)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

try:
    from irodori import Colorizer, InputError, Result
    from irodori.data.sketch import extract_sketch
    from irodori.export.engine import ENGINES
    from irodori.image import resize
    from irodori.image_io import over_paper, read_image
    from irodori.inference.guidance import parse_hint, parse_palette, parse_tags
    from irodori.weights import DEFAULT, downloaded, resolve, shipped
except ImportError as error:
    raise ImportError(f"irodori is missing in ComfyUI's Python ({error}): pip install irodori") from error

CATEGORY = "irodori"
STYLES = ["xdog", "dog", "canny", "pencil"]


class LoadModel:
    """A model by name, or from a file, a folder or a repository of the Hugging Face hub."""

    CATEGORY = CATEGORY
    DESCRIPTION = "Loads a model of irodori."
    RETURN_TYPES = ("IRODORI_MODEL",)
    RETURN_NAMES = ("model",)
    FUNCTION = "load"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        names = list(shipped() | downloaded())
        return {
            "required": {
                "model": (names, {"default": DEFAULT}),
                "device": (["auto", "cpu", "cuda"],),
                "engine": (list(ENGINES), {"tooltip": "What computes on a CPU; onnxruntime needs irodori[export]."}),
            },
            "optional": {
                "other": ("STRING", {"default": "", "tooltip": "File, folder or owner/name: used instead of the list."})
            },
        }

    @classmethod
    def IS_CHANGED(cls, model: str, device: str, engine: str, other: str = "") -> str:
        """Another text when the weights are other ones."""
        try:
            about = resolve(other.strip() or model, offline=True).stat()
        except Exception:  # whatever is wrong is said by `load`, in its place
            return ""
        return f"{about.st_size} {about.st_mtime_ns}"

    def load(self, model: str, device: str, engine: str, other: str = "") -> tuple[Colorizer]:
        return (Colorizer.from_pretrained(other.strip() or model, device=device, engine=engine),)


class Colorize:
    """Drawings in the colors of references."""

    CATEGORY = CATEGORY
    DESCRIPTION = "Colors line drawings in the colors of reference pictures, or without any."
    RETURN_TYPES = ("IMAGE", "IRODORI_RESULT")
    RETURN_NAMES = ("image", "result")
    FUNCTION = "colorize"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "model": ("IRODORI_MODEL",),
                "sketch": ("IMAGE", {"tooltip": "Each picture of a batch is one drawing."}),
                "lines": (["keep", "model", "none"],),
                "snap": ("BOOLEAN", {"default": False, "tooltip": "Flats in the reference's exact colors."}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True}),
                "image_size": (
                    "INT", {"default": 0, "min": 0, "max": 1024, "step": 8, "tooltip": "0: as the model was trained."}
                ),
            },
            "optional": {
                "reference": ("IMAGE", {"tooltip": "A batch is several references."}),
                "pairing": (
                    ["all for each", "one for each"],
                    {"tooltip": "All references for each sketch, or the first for the first, and so on."},
                ),
                "mask": ("MASK", {"tooltip": "Where to color; elsewhere the lines stay on white."}),
                "tags": ("STRING", {"default": "", "multiline": True, "tooltip": "red_hair=0.8, one a line"}),
                "hints": ("STRING", {"default": "", "multiline": True, "tooltip": "320,200=2060c0, one a line"}),
                "palette": ("STRING", {"default": "", "tooltip": "ff8000,2060c0"}),
            },
        }  # fmt: skip

    @classmethod
    def VALIDATE_INPUTS(cls, tags: str | None = "", hints: str | None = "", palette: str | None = "") -> bool | str:
        """What is wrong with the texts, before anything is computed; those that come from other nodes are None."""
        try:
            _steering(tags or "", hints or "", palette or "")
        except InputError as error:
            return str(error)
        return True

    def colorize(
        self, model: Colorizer, sketch: Tensor, lines: str, snap: bool, seed: int, image_size: int,
        reference: Tensor | None = None, pairing: str = "all for each", mask: Tensor | None = None, tags: str = "",
        hints: str = "", palette: str = "",
    ) -> tuple[Tensor, list[Result]]:  # fmt: skip
        sketches = pictures_of(sketch, "sketch")
        references = [] if reference is None else pictures_of(reference, "reference")
        one_each = pairing == "one for each" and reference is not None
        if one_each and len(references) != len(sketches):
            raise InputError(
                f"{len(references)} references cannot be paired with {len(sketches)} sketches: give as many, or choose "
                "all for each"
            )
        steering = _steering(tags, hints, palette)
        masks = _masks(mask, len(sketches))
        if not one_each:
            model.set_reference(references)
        progress, results = _progress(len(sketches)), []
        for number, picture in enumerate(sketches):
            if one_each:
                model.set_reference(references[number])
            model.set_sketch(picture, image_size=image_size or None)
            results.append(model.run(seed, lines, snap=snap, **steering))
            progress.update(1)
        images = [_within(one, own) for one, own in zip(results, masks, strict=True)]
        return image_of(images), results


class ExtractSketch:
    """Line drawings of pictures."""

    CATEGORY = CATEGORY
    DESCRIPTION = "Makes line drawings, dark on white, from pictures."
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("sketch",)
    FUNCTION = "extract"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",), "style": (STYLES,)}}

    def extract(self, image: Tensor, style: str) -> tuple[Tensor]:
        pictures = pictures_of(image, "image")
        return (image_of([extract_sketch(over_paper(read_image(picture)), style) for picture in pictures]),)


class Layers:
    """The layers of results: flats, the color layer, and the ink."""

    CATEGORY = CATEGORY
    DESCRIPTION = "Takes results apart: one color for each closed region, colors without lines, and the lines' alpha."
    RETURN_TYPES = ("IMAGE", "IMAGE", "MASK")
    RETURN_NAMES = ("flats", "color", "lines")
    FUNCTION = "take_apart"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"result": ("IRODORI_RESULT",)}}

    def take_apart(self, result: list[Result]) -> tuple[Tensor, Tensor, Tensor]:
        ink = [255 - np.asarray(one.lines) for one in result]
        return (
            image_of([one.flats for one in result]),
            image_of([one.color_pixels for one in result]),
            image_of(ink)[..., 0],
        )


# --- between ComfyUI and irodori -------------------------------------------------------------------------------------


def pictures_of(image: Tensor, name: str) -> list[np.ndarray]:
    """An IMAGE as arrays ``(H, W, C)`` of floats in 0…1; InputError, naming the input, for anything else."""
    if not isinstance(image, torch.Tensor) or image.ndim != 4 or image.shape[-1] not in (1, 3, 4) or not len(image):
        given = tuple(image.shape) if isinstance(image, torch.Tensor) else type(image).__name__
        raise InputError(f"{name} is {given}, no IMAGE of (batch, height, width, 1, 3 or 4 channels): connect an image")
    if not image.isfinite().all():
        raise InputError(f"{name} holds values that are no numbers: look at the node that made it")
    return list(image.detach().float().clamp(0, 1).cpu().numpy())


def image_of(pictures: list[np.ndarray]) -> Tensor:
    """``(H, W)`` or ``(H, W, 3)`` uint8 pictures of one size as an IMAGE ``(B, H, W, 3)``."""
    colored = [picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2) for picture in pictures]
    return torch.from_numpy(np.stack(colored)).float() / 255


def _steering(tags: str, hints: str, palette: str) -> dict[str, Any]:
    """What `Colorizer.run` takes, from lines of text as the command line has them."""
    return {
        "tags": parse_tags(_words(tags)),
        "hints": [parse_hint(hint) for hint in _words(hints)],
        "palette": parse_palette(_words(palette)),
    }


def _words(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _masks(mask: Tensor | None, count: int) -> list[np.ndarray | None]:
    """A MASK for each of some sketches, ``(h, w)`` uint8; one serves all."""
    if mask is None:
        return [None] * count
    if not isinstance(mask, torch.Tensor) or mask.ndim not in (2, 3):
        given = tuple(mask.shape) if isinstance(mask, torch.Tensor) else type(mask).__name__
        raise InputError(f"mask is {given}, no MASK of (batch, height, width): connect a mask")
    planes = mask if mask.ndim == 3 else mask[None]
    if len(planes) not in (1, count):
        raise InputError(f"{len(planes)} masks cannot be paired with {count} sketches: give one, or as many")
    if not planes.any():
        raise InputError("the mask is empty, so that nothing would be colored: draw one, or leave it out")
    levels = (planes.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return [levels[number if len(levels) > 1 else 0] for number in range(count)]


def _within(result: Result, mask: np.ndarray | None) -> np.ndarray:
    """The result where the mask, enlarged to its size, is 1, and lines on white where it is 0."""
    if mask is None:
        return result.pixels
    share = resize(mask, result.pixels.shape[:2])[..., None] / 255
    plain = np.asarray(result.lines)[..., None]
    return np.rint(share * result.pixels + (1 - share) * plain).astype(np.uint8)


class _NoProgress:
    def update(self, value: int) -> None:
        """Outside ComfyUI nobody watches."""


def _progress(total: int) -> Any:
    """ComfyUI's progress bar, which also notices that the user has canceled."""
    try:
        from comfy.utils import ProgressBar
    except ImportError:
        return _NoProgress()
    return ProgressBar(total)


NODE_CLASS_MAPPINGS = {
    "IrodoriLoadModel": LoadModel,
    "IrodoriColorize": Colorize,
    "IrodoriExtractSketch": ExtractSketch,
    "IrodoriLayers": Layers,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "IrodoriLoadModel": "Load Model (irodori)",
    "IrodoriColorize": "Colorize (irodori)",
    "IrodoriExtractSketch": "Extract Sketch (irodori)",
    "IrodoriLayers": "Layers (irodori)",
}
