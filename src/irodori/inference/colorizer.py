"""The main job: a sketch and references in, a colored drawing out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from irodori.checkpoint import Header, read_header, save
from irodori.config import to_dict
from irodori.errors import InputError
from irodori.image import Geometry, Pixels, to_pixels
from irodori.image_io import ImageSource, over_paper, read_image
from irodori.inference.correspondence import Correspondence
from irodori.inference.finish import LINE_MODES, LineMode
from irodori.inference.prepare import Polarity, PreparedSketch, prepare_sketch
from irodori.inference.result import Result
from irodori.systems import load_system
from irodori.systems.base import Attention, Guidance, Noise, Output, System
from irodori.weights import WEIGHTS_FILE, file_hash, resolve

DEVICES = ("auto", "cpu", "cuda")
MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 64, 1024

References = ImageSource | Sequence[ImageSource]


class Colorizer:
    """A loaded system, and the sketch and references that were set last.

    One call does everything; `set_sketch`, `set_reference` and `run` are the same in steps, so that an interactive
    program pays for an encoding once and can run often.
    """

    def __init__(self, system: System, name: str = "", device: str = "auto", source: Path | None = None) -> None:
        """Takes a system that exists; `from_pretrained` is the usual way.

        name: what provenance calls the model.  source: the weight file, for its hash.
        """
        self.device = select_device(device)
        self.system = system.to(self.device).eval().requires_grad_(False)
        if self.device.type == "cpu":
            self.system.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.name, self.source = name or system.name, source
        self._sketch: PreparedSketch | None = None
        self._polarity: Polarity = "auto"
        self._image_size = system.image_size
        self._references: tuple[Pixels, ...] = ()
        self._sketch_input: Tensor | None = None
        self._sketch_code: Any = None
        self._reference_code: Any = None

    @classmethod
    def from_pretrained(cls, name: str | Path, device: str = "auto", offline: bool = False) -> Colorizer:
        """Loads shipped weights by name, a weight file, a folder with one, or a repository of the Hugging Face hub.

        Raises WeightsError when there are none or they are damaged, InputError for a device that is not there.
        """
        select_device(device)
        path = resolve(str(name), offline)
        return cls(load_system(path), _short_name(str(name), path), device, path)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Writes ``model.safetensors`` into a folder, from which `from_pretrained` loads the same system again."""
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder} cannot be made ({error.strerror}): choose another folder") from error
        provenance = read_header(self.source).provenance if self.source else {}
        header = Header(self.system.name, to_dict(self.system.config), provenance)
        save(folder / WEIGHTS_FILE, header, self.system.state_dict())
        return folder / WEIGHTS_FILE

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 of the weight file, empty for a system that never was one."""
        return file_hash(self.source) if self.source else ""

    def __call__(
        self,
        sketch: ImageSource,
        reference: References | None = None,
        *,
        seed: int = 0,
        lines: LineMode = "keep",
        polarity: Polarity = "auto",
        image_size: int | None = None,
    ) -> Result:
        """Colors a sketch after one or several references, or after none.

        Images are paths, PIL images or arrays.  lines: "keep" the artist's, the "model"'s, or "none".
        polarity: "dark" or "light" lines, or "auto".  image_size: longest side at which the network works, 64…1024.
        Raises InputError for anything that cannot be used.
        """
        check_lines(lines)
        self.set_sketch(sketch, polarity=polarity, image_size=image_size)
        self.set_reference(reference)
        return self.run(seed=seed, lines=lines)

    def set_sketch(
        self, sketch: ImageSource, *, polarity: Polarity = "auto", image_size: int | None = None
    ) -> PreparedSketch:
        """Reads a sketch and prepares its lines; it is encoded when it is first colored."""
        size = self.system.image_size if image_size is None else check_image_size(image_size)
        prepared = prepare_sketch(read_image(sketch), polarity)
        if size != self._image_size or not self._references:
            self._reference_code = None
        self._sketch, self._polarity, self._image_size = prepared, polarity, size
        self._sketch_input = self._sketch_code = None
        return prepared

    def set_reference(self, reference: References | None) -> None:
        """Reads one reference or several; None or an empty list: the system colors without one."""
        self._references = tuple(over_paper(read_image(source)) for source in _as_list(reference))
        self._reference_code = None

    @torch.inference_mode()
    def run(self, seed: int = 0, lines: LineMode = "keep") -> Result:
        """Colors what was set; encodings are kept for the next run."""
        check_lines(lines)
        if self._sketch is None:
            raise InputError("there is no sketch yet: call set_sketch before run")
        geometry = self._geometry(self._sketch.lines)
        self._encode(geometry)
        output: Output = self.system.paint(self._sketch_code, self._reference_code, Noise((seed,)), Guidance())
        return Result(
            network_image=to_pixels(geometry.crop(output.image)),
            drawing=self._sketch.lines,
            mode=lines,
            correspondence=self._correspondence(output.attention, geometry),
            notices=self._sketch.notices,
            provenance=self._provenance(seed, lines),
        )

    def _geometry(self, pixels: Pixels) -> Geometry:
        return Geometry((pixels.shape[0], pixels.shape[1]), self._image_size, self.system.size_multiple)

    def _encode(self, geometry: Geometry) -> None:
        assert self._sketch is not None
        if self._sketch_input is None:
            self._sketch_input = self._network_input(geometry, self._sketch.lines)
            self._sketch_code = self.system.encode_sketch(self._sketch_input)
        if self._reference_code is None:
            references = [self._network_input(self._geometry(pixels), pixels) for pixels in self._references]
            self._reference_code = self.system.encode_references(references, like=self._sketch_input)

    def _network_input(self, geometry: Geometry, pixels: Pixels) -> Tensor:
        return geometry.apply(pixels).to(self.device)

    def _correspondence(self, attention: Attention | None, geometry: Geometry) -> Correspondence | None:
        if attention is None or not self._references or self._sketch is None:
            return None
        geometries = tuple(self._geometry(pixels) for pixels in self._references)
        return Correspondence(attention, geometry, geometries, self._sketch.lines, self._references)

    def _provenance(self, seed: int, lines: LineMode) -> dict[str, str]:
        return {
            "irodori": version("irodori"),
            "model": self.name,
            "system": self.system.name,
            "weights": self.weights_hash,
            "lines": lines,
            "polarity": self._polarity,
            "image_size": str(self._image_size),
            "seed": str(seed),
        }


def select_device(name: str) -> torch.device:
    """The device of a name; "auto" is a GPU where there is one.  InputError for an unknown or a missing one."""
    if name not in DEVICES:
        raise InputError(f"unknown device {name!r}: use one of {', '.join(DEVICES)}")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InputError("no CUDA device was found: use the device cpu or auto")
    return torch.device("cuda" if name != "cpu" and has_gpu else "cpu")


def _as_list(reference: References | None) -> list[ImageSource]:
    if reference is None:
        return []
    if isinstance(reference, (str, Path, bytes, Image.Image, np.ndarray)):
        return [reference]
    return list(reference)


def check_image_size(image_size: int) -> int:
    """The size as given; InputError outside 64…1024 pixels."""
    if not MIN_IMAGE_SIZE <= image_size <= MAX_IMAGE_SIZE:
        raise InputError(f"the image size {image_size} is not between {MIN_IMAGE_SIZE} and {MAX_IMAGE_SIZE} pixels")
    return image_size


def check_lines(lines: str) -> None:
    """InputError for a line mode that does not exist."""
    if lines not in LINE_MODES:
        raise InputError(f"unknown line mode {lines!r}: use one of {', '.join(LINE_MODES)}")


def _short_name(name: str, path: Path) -> str:
    """What provenance calls the model: the name as given, but of a path only the last part, as folders are private."""
    if not Path(name).exists():
        return name
    return path.resolve().parent.name if path.name == WEIGHTS_FILE else path.stem
