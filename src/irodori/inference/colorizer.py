"""The main job: a sketch and references in, a colored drawing out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
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
from irodori.data.vocabulary import color_of
from irodori.editing.masks import MaskOptions, mask_of
from irodori.errors import InputError
from irodori.export.engine import OnnxEngine, check_engine, choose_engine
from irodori.image import Geometry, Pixels, to_pixels, to_uint8
from irodori.image_io import ImageSource, over_paper, read_image
from irodori.inference.correspondence import Correspondence
from irodori.inference.dominant import dominant_colors
from irodori.inference.finish import LINE_MODES, LineMode
from irodori.inference.guidance import (
    Color,
    Hint,
    Stroke,
    checked_color,
    checked_hints,
    checked_tags,
    color_tensor,
    describe,
    describe_drawing,
    hint_tensor,
    is_mask,
)
from irodori.inference.heatmap import heatmap
from irodori.inference.marks import AnyHint, read_dabs, told_hints
from irodori.inference.masked import compose, find_owners, shrink_owners
from irodori.inference.memory import Holding, check_holding
from irodori.inference.palette_files import as_pixels
from irodori.inference.part_places import PartMap, by_place, part_mask, read_part_map
from irodori.inference.prepare import Polarity, PreparedSketch, prepare_sketch
from irodori.inference.references import ReferenceGroup, References, read_groups
from irodori.inference.regions import closed_regions
from irodori.inference.result import Result
from irodori.systems import load_system
from irodori.systems.base import Attention, Guidance, Masks, Noise, Output, Sampling, System
from irodori.systems.text import TextEdit
from irodori.weights import WEIGHTS_FILE, file_hash, resolve, short_name

DEVICES = ("auto", "cpu", "cuda")
MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 64, 1024


class Colorizer:
    """A loaded system, and the sketch and references that were set last.

    One call does everything; `set_sketch`, `set_reference` and `run` are the same in steps, so that an interactive
    program pays for an encoding once and can run often.
    """

    def __init__(
        self, system: System, name: str = "", device: str = "auto", source: Path | None = None, *, offload: bool = False
    ) -> None:
        """Takes a system that exists; `from_pretrained` is the usual way.

        name: what provenance calls the model.  source: the weight file, for its hash.  offload: see there.
        """
        self.device = select_device(device)
        self.system = system.eval().requires_grad_(False)
        self.system.place(self.device, offload=offload)
        if self.device.type == "cpu":
            self.system.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.name, self.source = name or system.name, source
        self._engine: System | OnnxEngine = self.system
        self._forget()

    def _forget(self) -> None:
        """Neither sketch nor references."""
        self._sketch: PreparedSketch | None = None
        self._polarity: Polarity = "auto"
        self._image_size = self.system.image_size
        self._groups: tuple[ReferenceGroup, ...] = (ReferenceGroup(),)
        self._parts: tuple[str, ...] = ()
        self._dominant: Pixels | None = None
        self._sketch_input: Tensor | None = None
        self._sketch_code: Any = None
        self._part_map: PartMap | None = None

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        device: str = "auto",
        offline: bool = False,
        *,
        half: bool = False,
        offload: bool = False,
        engine: str = "auto",
        announce: Callable[[str], None] = lambda sentence: None,
    ) -> Colorizer:
        """Loads shipped weights by name, a weight file, a folder with one, or a repository of the Hugging Face hub.

        half: 16-bit numbers, half the memory.  offload: parts of the system are on the device only while they work.
        Both are for large systems.  engine: what computes, "torch", "onnxruntime" on the CPU, or "auto", the faster one
        (`irodori.export.engine`).  announce: is told beforehand how much GPU memory a large system will need, and what
        takes long.
        Raises WeightsError when there are no such weights or they are damaged, InputError for a device that is not
        there or too small, or an engine that does not fit, MissingPackageError for one that is not installed.
        """
        check_engine(engine)
        target, path = select_device(device), resolve(str(name), offline)
        holding = Holding(half=half, offload=offload)
        if sentence := check_holding(path, holding, target):
            announce(sentence)
        system = load_system(path, holding.dtype(target))
        colorizer = cls(system, short_name(str(name), path), device, path, offload=offload)
        colorizer._engine = choose_engine(engine, colorizer.system, colorizer.weights_hash, target, announce)
        return colorizer

    def another(self) -> Colorizer:
        """A colorizer of the same loaded system with a sketch and references of its own; the two take turns."""
        twin = copy(self)
        twin._forget()
        return twin

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

    @property
    def engine(self) -> str:
        """What computes: "torch", or "onnxruntime"."""
        return "onnxruntime" if isinstance(self._engine, OnnxEngine) else "torch"

    @property
    def precision(self) -> str:
        """Of the weights where it is not the usual one: "float16", "bfloat16" or ""."""
        first = next(self.system.parameters(), None)
        return "" if first is None or first.dtype == torch.float32 else str(first.dtype).removeprefix("torch.")

    def __call__(
        self,
        sketch: ImageSource,
        reference: References | None = None,
        *,
        seed: int = 0,
        lines: LineMode = "keep",
        polarity: Polarity = "auto",
        image_size: int | None = None,
        hints: Sequence[Hint | Stroke] = (),
        hint_layer: ImageSource | None = None,
        palette: Sequence[Color] = (),
        snap: bool = False,
        snap_palette: Sequence[Color] = (),
        tags: Mapping[str, float] | None = None,
        text: Sequence[TextEdit] = (),
        masks: MaskOptions | None = None,
        sampling: Sampling | None = None,
    ) -> Result:
        """Colors a sketch after one or several references, or after none.

        Images are paths, PIL images or arrays; references for named parts: ``{"hair": a, "clothes": b, "": c}``, and
        for places: ``{"coat-mask.png": b, "": c}``.
        lines: "keep" the artist's, the "model"'s, or "none".
        polarity: "dark" or "light" lines, or "auto".  image_size: longest side at which the network works, 64…1024.
        hints, hint_layer, palette, snap, snap_palette, tags, text, masks, sampling: see `run`.
        Raises InputError for anything that cannot be used.
        """
        check_lines(lines)
        self.set_sketch(sketch, polarity=polarity, image_size=image_size)
        self.set_reference(reference)
        return self.run(
            seed=seed, lines=lines, hints=hints, hint_layer=hint_layer, palette=palette, snap=snap,
            snap_palette=snap_palette, tags=tags, text=text, masks=masks, sampling=sampling,
        )  # fmt: skip

    def set_sketch(
        self, sketch: ImageSource, *, polarity: Polarity = "auto", image_size: int | None = None
    ) -> PreparedSketch:
        """Reads a sketch and prepares its lines; it is encoded when it is first colored."""
        size = self.system.image_size if image_size is None else check_image_size(image_size)
        prepared = prepare_sketch(read_image(sketch), polarity)
        for group in self._groups:
            if size != self._image_size or not group.references:
                group.code = None
        self._sketch, self._polarity, self._image_size = prepared, polarity, size
        self._sketch_input = self._sketch_code = self._part_map = None
        return prepared

    def set_reference(self, reference: References | None) -> None:
        """Reads one reference or several; None or an empty list: the system colors without one.

        A mapping gives them for named parts, or for places; a picture that is given for several parts is encoded once.
        With systems that do not know parts, named parts are places that the default model finds in the sketch.
        """
        groups, parts = read_groups(reference)
        if "uses" not in self.system.takes:
            groups = (*by_place(groups[0]), *groups[1:])
        self._groups, self._parts, self._dominant = groups, parts, None

    @torch.inference_mode()
    def run(
        self,
        seed: int = 0,
        lines: LineMode = "keep",
        *,
        hints: Sequence[Hint | Stroke] = (),
        hint_layer: ImageSource | None = None,
        palette: Sequence[Color] = (),
        snap: bool = False,
        snap_palette: Sequence[Color] = (),
        tags: Mapping[str, float] | None = None,
        text: Sequence[TextEdit] = (),
        masks: MaskOptions | None = None,
        sampling: Sampling | None = None,
    ) -> Result:
        """Colors what was set; encodings are kept for the next run.

        hints: colors at points or along strokes; the closed region around each gets exactly its color, whatever the
            system.  hint_layer: the same, painted as dabs on a transparent picture of the sketch's size.
        palette: colors to choose from, for systems that take one.
        snap: makes every closed region one flat color, and that exactly a color of the references.
        snap_palette: the same with exactly these colors, and no other.
        tags: how strong tags should be, such as ``{"red_hair": 1.5}``, for systems that take them; 0 is none, 1 as in
            a picture that shows it, at most 5.  Other tags of the same part give way.
        text: edits in words, one after the other, for systems that take them.
        masks: where foregrounds come from, for systems that match foregrounds and backgrounds apart.
        sampling: number of steps and the like, for systems that draw step by step.
        """
        check_lines(lines)
        if self._sketch is None:
            raise InputError("there is no sketch yet: call set_sketch before run")
        geometry = self._geometry(self._sketch.lines)
        hints = checked_hints(hints, geometry.size)
        palette, snap_palette = (tuple(map(checked_color, colors)) for colors in (palette, snap_palette))
        tags = self.checked_tags(tags or {})
        marks: tuple[AnyHint, ...] = hints
        if hint_layer is not None:
            marks += read_dabs(hint_layer, geometry.size, picture_name(hint_layer))
        check_steering(lines, marks, snap or bool(snap_palette))
        guidance = replace(
            self._guidance(marks, palette, tags, geometry), text=tuple(text), sampling=sampling
        )  # fmt: skip
        output = self._paint(seed, guidance, masks, geometry)
        snapped = snap or bool(snap_palette)
        choices = as_pixels(snap_palette) if snap_palette else self._choices(guidance, palette) if snapped else None
        steering = describe(hints, palette, snapped, self._parts, tags, snap_palette)
        return Result(
            network_image=to_pixels(geometry.crop(output.image)),
            drawing=self._sketch.lines,
            mode=lines,
            correspondence=self._correspondence(output.attention, geometry),
            notices=self._sketch.notices,
            provenance=self._provenance(seed, lines)
            | _given(steering | self._described_masks(hint_layer) | describe_drawing(text, masks, sampling)),
            hints=marks,
            choices=choices,
            exact=bool(snap_palette),
            inked=self.system.draws_lines,
            network_warped=_map_pixels(output.warped_reference, geometry),
            network_confidence=_confidence_pixels(output.confidence, geometry),
            references=self._named_references(),
        )

    def _paint(self, seed: int, guidance: Guidance, masks: MaskOptions | None, geometry: Geometry) -> Output:
        """The coloring of each group of references, put together by their masks."""
        assert self._sketch is not None
        tasks = []
        for group in self._groups:
            own = replace(guidance, uses=group.uses, masks=self._masks(masks, group, geometry))
            self.system.check_guidance(own)
            tasks.append((group, own))
        places = self._check_places(geometry.size)
        self._encode(geometry)
        outputs = [self._engine.paint(self._sketch_code, group.code, Noise((seed,)), own) for group, own in tasks]
        if not places:
            return outputs[0]
        owners = find_owners(places, self._sketch.lines)
        return compose(outputs, shrink_owners(owners, geometry.fitted_size, geometry.network_size))

    def _check_places(self, size: tuple[int, int]) -> list[Pixels]:
        """The places of all groups but the first; InputError for a mask of another size than the sketch."""
        places = [self._place(group) for group in self._groups if group.place]
        for group in self._groups:
            if group.mask is None:
                continue
            if group.mask.shape != size:
                raise InputError(
                    f"the mask {group.mask_name} is {group.mask.shape[1]}x{group.mask.shape[0]} pixels, but the sketch "
                    f"is {size[1]}x{size[0]}: paint it over the sketch"
                )
            places.append(group.mask)
        return places

    def _place(self, group: ReferenceGroup) -> Pixels:
        assert self._sketch is not None
        if self._part_map is None:
            self._part_map = read_part_map(self._sketch.lines)
        return part_mask(self._part_map, group.place)

    def _named_references(self) -> tuple[tuple[str, Pixels], ...]:
        """Each picture once, by the last place that it is for."""
        named: dict[int, tuple[str, Pixels]] = {}
        for group in self._groups:
            named.update(zip(group.numbers, zip(group.names, group.references, strict=True), strict=True))
        return tuple(named.values())

    @property
    def _references(self) -> tuple[Pixels, ...]:
        return tuple(picture for group in self._groups for picture in group.references)

    def _described_masks(self, hint_layer: ImageSource | None) -> dict[str, str]:
        """Names of the masks of references, as JSON, and of the layer of hints; without folders, which are private."""
        masks = [Path(part).name if is_mask(part) else "" for part in self._parts]
        return {
            "reference_masks": json.dumps(masks, ensure_ascii=False) if any(masks) else "",
            "hint_layer": Path(picture_name(hint_layer)).name if hint_layer is not None else "",
        }

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that the model knows; none of a system that takes no tags."""
        return self.system.tags

    @torch.inference_mode()
    def read_tags(self, picture: ImageSource) -> dict[str, float]:
        """How sure the model is of each of its tags in a picture, 0…1.

        Raises InputError for a picture that cannot be read, and for a model that knows no tags.
        """
        if not self.tags:
            raise InputError(f"the model {self.name} knows no tags: use the model irodori-base")
        pixels = over_paper(read_image(picture))
        values = self.system.read_tags(self._network_input(self._geometry(pixels), pixels))[0].tolist()
        return dict(zip(self.tags, values, strict=True))

    def checked_tags(self, tags: Mapping[str, float]) -> dict[str, float]:
        """Tags by the names that the model has for them; InputError for one that it does not know or take."""
        found = checked_tags(tags, self.tags)
        self.system.check_guidance(Guidance(tags=tuple(found.items())))
        return found

    def _guidance(
        self, hints: tuple[AnyHint, ...], palette: tuple[Color, ...], tags: Mapping[str, float], geometry: Geometry
    ) -> Guidance:
        """What the system is told; a system that takes no hints has them laid on its color layer alone."""
        told = hint_tensor(self._points(hints), geometry) if "hints" in self.system.takes else None
        colors = color_tensor(palette)
        return Guidance(
            hints=None if told is None else told.to(self.device),
            palette=None if colors is None else colors.to(self.device),
            tags=tuple(tags.items()),
        )

    def _points(self, hints: tuple[AnyHint, ...]) -> tuple[Hint, ...]:
        assert self._sketch is not None
        points = tuple(hint for hint in hints if isinstance(hint, Hint))
        return points if len(points) == len(hints) else told_hints(hints, closed_regions(self._sketch.lines))

    def _masks(self, options: MaskOptions | None, group: ReferenceGroup, geometry: Geometry) -> Masks | None:
        """Foregrounds of the sketch and of the first reference; None without a reference, which has no background."""
        if options is None or not group.references or self._sketch is None:
            return None
        if "masks" not in self.system.takes:
            raise self.system.refusal("masks")
        first = group.references[0]
        sketch = geometry.apply_mask(mask_of(self._sketch.lines, options.sketch, "sketch"))
        reference = self._reference_geometry(first).apply_mask(mask_of(first, options.reference, "reference"))
        return Masks(
            sketch.to(self.device), reference.to(self.device), options.sketch_threshold, options.reference_threshold
        )

    @torch.inference_mode()
    def heatmap(self, text: Sequence[TextEdit]) -> Image.Image:
        """Where edits in words would take effect in the first reference (`irodori.inference.heatmap`).

        Raises InputError without a reference, and in systems that take no text.
        """
        if not self._references:
            raise InputError("there is no reference whose regions could be shown: give one")
        if self._sketch is None:
            raise InputError("there is no sketch yet: call set_sketch before heatmap")
        self._encode(self._geometry(self._sketch.lines))
        first = next(group for group in self._groups if group.references)
        fits = self.system.text_fit(first.code, [edit.place for edit in text])
        return Image.fromarray(heatmap(self._references[0], fits.cpu(), [edit.thresholds for edit in text]))

    def _choices(self, guidance: Guidance, palette: tuple[Color, ...]) -> Pixels:
        """Colors that flats may have: those of the references, and those that the system was told of."""
        if self._dominant is None:
            self._dominant = dominant_colors(self._references)
        told = [color for tag, value in guidance.tags if value > 0 and (color := color_of(tag)) is not None]
        hinted = to_uint8(guidance.hints[0, :, 2:]).cpu().numpy() if guidance.hints is not None else as_pixels(())
        return np.concatenate([self._dominant, as_pixels(palette), hinted, as_pixels(told)])

    def _geometry(self, pixels: Pixels) -> Geometry:
        return Geometry((pixels.shape[0], pixels.shape[1]), self._image_size, self.system.size_multiple)

    def _reference_geometry(self, pixels: Pixels) -> Geometry:
        size = (pixels.shape[0], pixels.shape[1])
        return Geometry(size, max(size), 1) if self.system.keeps_references else self._geometry(pixels)

    def _encode(self, geometry: Geometry) -> None:
        assert self._sketch is not None
        if self._sketch_input is None:
            self._sketch_input = self._network_input(geometry, self._sketch.lines)
            self._sketch_code = self._engine.encode_sketch(self._sketch_input)
        for group in self._groups:
            if group.code is None:
                references = [self._network_input(self._reference_geometry(one), one) for one in group.references]
                group.code = self._engine.encode_references(references, like=self._sketch_input)

    def _network_input(self, geometry: Geometry, pixels: Pixels) -> Tensor:
        return geometry.apply(pixels).to(self.device)

    def _correspondence(self, attention: Attention | None, geometry: Geometry) -> Correspondence | None:
        if attention is None or not self._references or self._sketch is None:
            return None
        geometries = tuple(self._reference_geometry(pixels) for pixels in self._references)
        numbers = tuple(number for group in self._groups for number in group.numbers)
        return Correspondence(attention, geometry, geometries, self._sketch.lines, self._references, numbers)

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
        } | _given({"precision": self.precision, "engine": self.engine.removeprefix("torch")})


def select_device(name: str) -> torch.device:
    """The device of a name; "auto" is a GPU where there is one.  InputError for an unknown or a missing one."""
    if name not in DEVICES:
        raise InputError(f"unknown device {name!r}: use one of {', '.join(DEVICES)}")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InputError("no CUDA device was found: use the device cpu or auto")
    return torch.device("cuda" if name != "cpu" and has_gpu else "cpu")


def picture_name(source: ImageSource) -> str:
    """A file's path, or words for a picture that came without one."""
    return str(source) if isinstance(source, (str, Path)) else "the given picture"


def _given(steering: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in steering.items() if value}


def _map_pixels(image: Tensor | None, geometry: Geometry) -> Pixels | None:
    return None if image is None else to_pixels(geometry.crop(image))


def _confidence_pixels(confidence: Tensor | None, geometry: Geometry) -> Pixels | None:
    """``(1, 1, h, w)`` in 0…1 to ``(h, w)`` in 0…255."""
    return None if confidence is None else to_pixels(geometry.crop(confidence) * 2 - 1)[..., 0]


def check_steering(lines: LineMode, hints: object, snap: bool) -> None:
    """InputError for what the network's own picture cannot have: its areas are not those of the drawing."""
    if lines == "model" and (hints or snap):
        raise InputError(
            f"{'hints' if hints else 'flats'} belong to the drawing's regions, not to lines that the model drew: "
            "use the line mode keep or none"
        )


def check_image_size(image_size: int) -> int:
    """The size as given; InputError outside 64…1024 pixels."""
    if not MIN_IMAGE_SIZE <= image_size <= MAX_IMAGE_SIZE:
        raise InputError(f"the image size {image_size} is not between {MIN_IMAGE_SIZE} and {MAX_IMAGE_SIZE} pixels")
    return image_size


def check_lines(lines: str) -> None:
    """InputError for a line mode that does not exist."""
    if lines not in LINE_MODES:
        raise InputError(f"unknown line mode {lines!r}: use one of {', '.join(LINE_MODES)}")
