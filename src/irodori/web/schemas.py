"""What clients send as JSON, checked; and the same as `irodori.inference` takes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from irodori.color import to_hex
from irodori.editing.masks import AUTO, MaskOptions
from irodori.errors import InputError
from irodori.inference.batch import Options
from irodori.inference.guidance import MAX_TAG, Hint, parse_color
from irodori.systems.base import Sampling
from irodori.systems.text import THRESHOLDS, TextEdit

HexColor = Annotated[str, Field(pattern=r"^#?[0-9a-fA-F]{6}$", examples=["#2060c0"])]
Share = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[str, Field(max_length=200)]
MaskSource = Literal["auto", "painted"]
MAX_HINTS = 2000


class Wish(BaseModel):
    """What is not known is refused; values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class HintWish(Wish):
    """A color at a place, in pixels of the sketch."""

    x: float
    y: float
    color: HexColor


class TextWish(Wish):
    """An edit in words (`irodori.systems.text.TextEdit`)."""

    target: Words
    anchor: Words = ""
    control: Words = ""
    scale: float = 8.0
    enhance: bool = False
    thresholds: tuple[float, float, float, float] = THRESHOLDS

    def edit(self) -> TextEdit:
        """The same as systems take it; InputError for values out of range."""
        return TextEdit(**self.model_dump())


class MaskWish(Wish):
    """Where foregrounds come from: found automatically, or painted and sent to the session's masks before."""

    sketch: MaskSource = "auto"
    reference: MaskSource = "auto"
    sketch_threshold: Share = 0.05
    reference_threshold: Share = 0.5

    def options(self, painted: dict[str, str]) -> MaskOptions:
        """painted: the files of masks that were sent, by picture; InputError for one that was not."""
        sources = dict.fromkeys(("sketch", "reference"), AUTO)
        for name in sources:
            if getattr(self, name) == "painted":
                if name not in painted:
                    raise InputError(f"there is no painted mask of the {name}: send one, or use auto")
                sources[name] = painted[name]
        return MaskOptions(
            **sources, sketch_threshold=self.sketch_threshold, reference_threshold=self.reference_threshold
        )


class SamplingWish(Wish):
    """How systems draw that do so step by step (`irodori.systems.base.Sampling`)."""

    num_steps: Annotated[int, Field(ge=1, le=200)] | None = None
    guidance_scale: Annotated[float, Field(ge=1, le=50)] | None = None
    sketch_scale: Annotated[float, Field(ge=1, le=50)] | None = None
    reference_strength: Annotated[float, Field(ge=0, le=10)] | None = None
    sampler: Annotated[str, Field(max_length=30)] | None = None


class ColorizeWish(Wish):
    """All options of a coloring; each may be left out."""

    lines: Literal["keep", "model", "none"] = "keep"
    polarity: Literal["auto", "dark", "light"] = "auto"
    image_size: Annotated[int, Field(ge=64, le=1024)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    hints: Annotated[tuple[HintWish, ...], Field(max_length=MAX_HINTS)] = ()
    palette: Annotated[tuple[HexColor, ...], Field(max_length=64)] = ()
    snap: bool = False
    tags: dict[Words, Annotated[float, Field(ge=0, le=MAX_TAG)]] = Field(default={}, max_length=300)
    text: Annotated[tuple[TextWish, ...], Field(max_length=8)] = ()
    masks: MaskWish | None = None
    sampling: SamplingWish | None = None

    def options(self, painted: dict[str, str]) -> Options:
        """The same as `irodori.inference` takes it; InputError for what cannot be."""
        return Options(
            lines=self.lines,
            polarity=self.polarity,
            image_size=self.image_size,
            seed=self.seed,
            hints=tuple(Hint(hint.x, hint.y, parse_color(hint.color)) for hint in self.hints),
            palette=tuple(parse_color(color) for color in self.palette),
            snap=self.snap,
            tags=dict(self.tags),
            text=tuple(text.edit() for text in self.text),
            masks=None if self.masks is None else self.masks.options(painted),
            sampling=None if self.sampling is None else Sampling(**self.sampling.model_dump()),
        )

    def changed(self, **changes: Any) -> ColorizeWish:
        """The same with other values, checked again."""
        return ColorizeWish.model_validate({**self.model_dump(), **changes})


class TextsWish(Wish):
    """Edits in words whose regions are asked for."""

    text: Annotated[tuple[TextWish, ...], Field(min_length=1, max_length=8)]


class ReplaceWish(Wish):
    """A color of a result's palette, and the one that its regions are to have."""

    color: HexColor
    by: HexColor


class PartWish(Wish):
    """The part that a reference is for; empty: all that no other is for."""

    part: Annotated[str, Field(max_length=40)] = ""


class ModelWish(Wish):
    """A model by its name."""

    model: Annotated[str, Field(max_length=200)]


class PictureAnswer(BaseModel):
    """A picture that the server holds."""

    width: int
    height: int
    sha256: str = Field(description="Of the file as it was sent.")
    part: str = Field("", description="Of a reference: the part that it is for; empty: all others.")
    url: str


class ResultAnswer(BaseModel):
    """A coloring that was made."""

    number: int
    url: str
    files: dict[str, str] = Field(description="Where to get it, by kind.")
    seconds: float
    notices: list[str]
    options: ColorizeWish


class SessionAnswer(BaseModel):
    """A session as it is."""

    id: str
    model: str
    sketch: PictureAnswer | None
    references: list[PictureAnswer]
    masks: list[str]
    results: list[ResultAnswer]


class OriginAnswer(BaseModel):
    """Where a color came from: the place of a reference that a place of the sketch looked at most."""

    reference: int
    x: float
    y: float
    weight: float = Field(description="Share of the attention of that place, 0…1.")


class SwatchAnswer(BaseModel):
    """A color of a result's palette."""

    color: HexColor
    share: float


class ModelAnswer(BaseModel):
    """A model that can be used."""

    name: str
    system: str
    takes: list[str]
    license: str


class HealthAnswer(BaseModel):
    """Whether the server lives and takes work."""

    status: Literal["ok", "closing"]


def hint_wishes(hints: tuple[Hint, ...]) -> list[HintWish]:
    """Hints as clients send them."""
    return [HintWish(x=hint.x, y=hint.y, color=to_hex(hint.color)) for hint in hints]
