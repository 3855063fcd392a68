"""What the API and the studio do alike: pictures in, colorings out, one session at a time on the one worker."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
import numpy as np

from irodori.color import to_hex
from irodori.errors import InputError
from irodori.image import Pixels, resize
from irodori.image_io import read_image, read_metadata, write_image
from irodori.inference.colorizer import Colorizer
from irodori.inference.guidance import checked_part, parse_color
from irodori.inference.recolor import palette_of, replace_color
from irodori.inference.result import METADATA_KEY, Result
from irodori.web.errors import MissingError
from irodori.web.models import Models
from irodori.web.schemas import ColorizeWish, HintWish, OriginAnswer, SwatchAnswer, TextWish, hint_wishes
from irodori.web.settings import Settings
from irodori.web.store import MAX_REFERENCES, Entry, Inputs, Picture, Session, Store
from irodori.web.worker import Gone, Progress, Worker

Value = TypeVar("Value")
Reader = Callable[[], Awaitable[bytes]]

READERS = 2
"""Pictures that are decoded at a time, which bounds the memory that uploads take."""
PICTURE_KINDS = ("png", "webp", "jpeg")
LAYERED_KINDS = ("ora", "psd") if find_spec("irodori.inference.layers") else ()
KINDS = (*PICTURE_KINDS, *LAYERED_KINDS, "json")
"""As what a result can be had."""
MASKS = ("sketch", "reference")
THUMBNAIL = 128
"""Longest side, in pixels."""
WARM_PIXELS = 48_000_000
"""Of the sketches of all sessions in memory together; one larger one is kept alone."""


@dataclass
class Warm:
    """A session in memory.  colorizer: with encodings of `inputs`.  result: of the entry `number`."""

    colorizer: Colorizer
    inputs: Inputs
    polarity: str = ""
    image_size: int | None = None
    number: int = 0
    result: Result | None = None


class Service:
    """Everything that can be done with sessions.  Methods raise the errors of `irodori.web.errors`."""

    def __init__(self, settings: Settings, models: Models, store: Store, worker: Worker) -> None:
        self.settings, self.models, self.store, self.worker = settings, models, store, worker
        self._readers = asyncio.Semaphore(READERS)
        self._warm: OrderedDict[str, Warm] = OrderedDict()  # only the worker's thread touches it

    # --- inputs

    def create(self, model: str = "") -> Session:
        """A new session with a model, or with the usual one."""
        return self.store.create(self.models.check(model or self.models.default))

    def set_model(self, session: Session, model: str) -> None:
        """Another model for a session's next coloring."""
        session.change(model=self.models.check(model))

    async def set_sketch(self, session: Session, read: Reader) -> Picture:
        """The drawing of a session; hints and masks belonged to the one before and go with it."""
        picture = await self._receive(session, read, "sketch")
        session.wish = session.wish.changed(hints=(), masks=None)
        session.change(sketch=picture, masks=())
        return picture

    async def add_reference(self, session: Session, read: Reader, part: str = "") -> Picture:
        """One more reference, for a part or for all."""
        part = checked_part(part)
        if len(session.inputs.references) >= MAX_REFERENCES:
            raise InputError(f"a session has at most {MAX_REFERENCES} references: remove one first")
        picture = replace(await self._receive(session, read, "reference"), part=part)
        session.change(references=(*session.inputs.references, picture))
        return picture

    def name_reference(self, session: Session, index: int, part: str) -> None:
        """The part that a reference is for."""
        named = replace(session.picture(index), part=checked_part(part))
        references = session.inputs.references
        session.change(references=(*references[:index], named, *references[index + 1 :]))

    def remove_reference(self, session: Session, index: int) -> None:
        """A reference less."""
        gone = session.picture(index)
        session.change(references=tuple(one for one in session.inputs.references if one is not gone))
        if index == 0:  # masks are of the first one
            session.change(masks=tuple(pair for pair in session.inputs.masks if pair[0] != "reference"))
            if session.wish.masks is not None:
                session.wish = session.wish.changed(masks=session.wish.masks.model_copy(update={"reference": "auto"}))

    async def set_mask(self, session: Session, of: str, read: Reader) -> None:
        """A painted foreground mask of the sketch or of the first reference."""
        if of not in MASKS:
            raise MissingError(f"masks are of the {' or the '.join(MASKS)}")
        picture = await self._receive(session, read, f"mask-{of}")
        session.change(masks=(*(pair for pair in session.inputs.masks if pair[0] != of), (of, picture.path)))

    def mask(self, session: Session, of: str) -> Path:
        """The file of a painted mask; MissingError if there is none."""
        for name, path in session.inputs.masks:
            if name == of:
                return path
        raise MissingError(f"no mask of the {of[:20]} was painted")

    async def _receive(self, session: Session, read: Reader, kind: str) -> Picture:
        """A picture that is sent: only its pixels are kept."""
        async with self._readers:
            data = await read()
            with session.new_file(kind) as path:
                picture = await anyio.to_thread.run_sync(_keep, data, path, kind, self.settings.max_pixels)
                self._check_alive(session)
        self.store.make_room()
        return picture

    def _check_alive(self, session: Session) -> None:
        """MissingError for a session that was deleted meanwhile."""
        if session.id not in self.store.sessions:
            raise MissingError("the session has ended meanwhile: start a new one")

    # --- colorings

    async def colorize(
        self, session: Session, wish: ColorizeWish, gone: Gone | None = None, progress: Progress | None = None
    ) -> Entry:
        """Colors a session's sketch as wished, and keeps the result."""
        inputs = session.inputs
        if inputs.sketch is None:
            raise InputError("there is no sketch yet: send one first")
        session.wish, start = wish, time.monotonic()
        with session.new_file("result") as path, session.new_file("thumbnail") as thumbnail:
            session.results += 1
            number = session.results
            coloring = _Coloring(self, session.id, inputs, wish, (path, thumbnail), number)
            notices, words = await self.run(coloring, gone, progress)
            self._check_alive(session)
            entry = Entry(number, inputs, wish, path, thumbnail, time.monotonic() - start, notices, words)
            session.add(entry)
        self.store.make_room()
        return entry

    async def run(self, work: Callable[[], Value], gone: Gone | None = None, progress: Progress | None = None) -> Value:
        """Something done by the worker, within the time that a request may take."""
        return await self.worker.run(work, self.settings.timeout, gone, progress)

    def result(self, session_id: str, inputs: Inputs, wish: ColorizeWish, number: int) -> Result:
        """The result of an entry, made again unless it is the one in memory.  Only in the worker's thread."""
        warm = self._warmed(session_id, inputs, wish)
        if warm.number != number or warm.result is None:
            options = wish.options({name: str(path) for name, path in inputs.masks})
            warm.result = warm.colorizer.run(options.seed, options.lines, **options.steering)
            warm.number = number
        return warm.result

    def _warmed(self, session_id: str, inputs: Inputs, wish: ColorizeWish) -> Warm:
        """A session's colorizer with its sketch and references set; nothing is encoded again that is the same."""
        warm = self._warm.pop(session_id, None)
        if warm is None or warm.inputs.model != inputs.model:
            warm = Warm(self.models.get(inputs.model), Inputs(inputs.model))
        if warm.inputs != inputs or (warm.polarity, warm.image_size) != (wish.polarity, wish.image_size):
            _set(warm, inputs, wish)
        self._warm[session_id] = warm
        while len(self._warm) > 1 and (len(self._warm) > self.settings.warm or _pixels(self._warm) > WARM_PIXELS):
            self._warm.popitem(last=False)
        for name in [name for name, one in self._warm.items() if not self.models.is_loaded(one.inputs.model)]:
            del self._warm[name]
        return warm

    # --- about colorings

    async def file(self, session: Session, number: int, kind: str, gone: Gone | None = None) -> bytes:
        """The content of a result's file of some kind."""
        entry = session.entry(number)
        if kind not in KINDS:
            raise MissingError(f"results cannot be had as {kind[:20]}: use one of {', '.join(KINDS)}")
        if kind == "png":
            return await anyio.to_thread.run_sync(entry.path.read_bytes)
        if kind == "json":
            return json.dumps(entry.words, indent=2, ensure_ascii=False).encode()
        with session.new_file("file", f".{kind}") as path:
            if kind in PICTURE_KINDS:
                await anyio.to_thread.run_sync(_convert, entry.path, path)
            else:
                await self.run(lambda: self._again(session, entry).save(path, _sources(entry.inputs)), gone)
            content = await anyio.to_thread.run_sync(path.read_bytes)
            path.unlink()
        return content

    def _again(self, session: Session, entry: Entry) -> Result:
        return self.result(session.id, entry.inputs, entry.wish, entry.number)

    async def origin(self, session: Session, number: int, x: float, y: float) -> OriginAnswer:
        """Where in the references the color of a place came from."""
        entry = session.entry(number)

        def look() -> OriginAnswer:
            found = self._again(session, entry).correspondence
            if found is None:
                raise InputError("this result does not tell where its colors came from: its model has no attention")
            number, x_ref, y_ref, weight = found.where(x, y)
            given = [one for pictures in entry.inputs.by_part.values() for one in pictures]
            reference = entry.inputs.references.index(given[found.numbers[number]])
            return OriginAnswer(reference=reference, x=x_ref, y=y_ref, weight=weight)

        return await self.run(look)

    async def palette(self, session: Session, number: int) -> list[SwatchAnswer]:
        """The dominant colors of a result."""
        entry = session.entry(number)
        swatches = await self.run(lambda: palette_of(self._again(session, entry)))
        return [SwatchAnswer(color=to_hex(color), share=share) for color, share in swatches]

    async def replace(self, session: Session, number: int, color: str, by: str) -> list[HintWish]:
        """The hints of a result, and those that give all regions of one of its colors another one."""
        entry = session.entry(number)
        more = await self.run(lambda: replace_color(self._again(session, entry), parse_color(color), parse_color(by)))
        return [*entry.wish.hints, *hint_wishes(more)]

    async def tags(self, session: Session, index: int) -> dict[str, float]:
        """How sure the model is of each of its tags in a reference; none if it knows no tags."""
        picture, inputs = session.picture(index), session.inputs

        def read() -> dict[str, float]:
            colorizer = self._warmed(session.id, inputs, session.wish).colorizer
            return colorizer.read_tags(picture.path) if colorizer.tags else {}

        return await self.run(read)

    async def known_tags(self, session: Session) -> tuple[str, ...]:
        """The tags that a session's model knows."""
        inputs = session.inputs
        return await self.run(lambda: self._warmed(session.id, inputs, session.wish).colorizer.tags)

    async def heatmap(self, session: Session, texts: tuple[TextWish, ...]) -> bytes:
        """Where edits in words would take effect in the first reference, as a PNG."""
        inputs = session.inputs
        with session.new_file("heatmap") as path:

            def draw() -> bytes:
                colorizer = self._warmed(session.id, inputs, session.wish).colorizer
                write_image(path, np.asarray(colorizer.heatmap([text.edit() for text in texts])))
                return path.read_bytes()

            content = await self.run(draw)
            path.unlink()
        return content


@dataclass(frozen=True)
class _Coloring:
    """The job of one coloring: notices and provenance; picture and thumbnail are in files."""

    service: Service
    session_id: str
    inputs: Inputs
    wish: ColorizeWish
    paths: tuple[Path, Path]
    number: int

    def __call__(self) -> tuple[tuple[str, ...], dict[str, str]]:
        result = self.service.result(self.session_id, self.inputs, self.wish, self.number)
        words = result.provenance | _sources(self.inputs)
        write_image(self.paths[0], result.pixels, {METADATA_KEY: json.dumps(words)})
        write_image(self.paths[1], _small(result.pixels))
        return result.notices, words


def _pixels(warm: OrderedDict[str, Warm]) -> int:
    return sum(one.inputs.sketch.size[0] * one.inputs.sketch.size[1] for one in warm.values() if one.inputs.sketch)


def _set(warm: Warm, inputs: Inputs, wish: ColorizeWish) -> None:
    """Gives a colorizer other inputs; one that fails half way must not be used again."""
    before, warm.number = warm.inputs, 0
    prepared = (wish.polarity, wish.image_size)
    if inputs.sketch and (inputs.sketch != before.sketch or prepared != (warm.polarity, warm.image_size)):
        warm.colorizer.set_sketch(inputs.sketch.path, polarity=wish.polarity, image_size=wish.image_size)
    if inputs.references != before.references:
        by_part = {part: [one.path for one in pictures] for part, pictures in inputs.by_part.items()}
        warm.colorizer.set_reference(by_part if any(by_part) else by_part.get("", []))
    warm.inputs, warm.polarity, warm.image_size = inputs, wish.polarity, wish.image_size


def _keep(data: bytes, path: Path, kind: str, max_pixels: int) -> Picture:
    """Decodes a picture and writes its pixels alone."""
    if not data:
        raise InputError(f"the {kind} is empty (0 bytes): send it again")
    try:
        pixels: Pixels = read_image(data, max_pixels=max_pixels)
    except InputError as error:
        raise type(error)(str(error).replace("the given image", f"the {kind}", 1)) from error
    write_image(path, pixels)
    return Picture(path, (pixels.shape[0], pixels.shape[1]), hashlib.sha256(data).hexdigest())


def _small(pixels: Pixels) -> Pixels:
    scale = THUMBNAIL / max(pixels.shape[:2])
    return resize(pixels, (max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale))))


def _convert(source: Path, target: Path) -> None:
    """The same picture, with its provenance, in another format."""
    write_image(target, read_image(source), {METADATA_KEY: read_metadata(source)[METADATA_KEY]})


def _sources(inputs: Inputs) -> dict[str, str]:
    """What provenance says about the files: their hashes, and names that tell nothing about whoever sent them."""
    assert inputs.sketch is not None
    references = [reference for pictures in inputs.by_part.values() for reference in pictures]
    names = [f"reference-{number}.png" for number in range(1, len(references) + 1)]
    words = {
        "sketch": "sketch.png",
        "sketch_sha256": inputs.sketch.sha256,
        "references": json.dumps(names) if names else "",
        "reference_sha256": " ".join(reference.sha256 for reference in references),
    }
    return {key: value for key, value in words.items() if value}
