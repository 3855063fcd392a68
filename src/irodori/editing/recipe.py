"""The recipe of a coloring: everything that made it, as its file keeps it, and the same with changes."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from irodori.data.vocabulary import group_of, normal
from irodori.editing.masks import AUTO
from irodori.errors import InputError
from irodori.inference.batch import Options, content_hash
from irodori.inference.colorizer import MAX_IMAGE_SIZE, MIN_IMAGE_SIZE
from irodori.inference.guidance import (
    ALL_PARTS,
    checked_part,
    drawing_of,
    parse_hint,
    parse_palette,
    parse_tags,
)
from irodori.inference.layer_files import read_notes
from irodori.inference.result import METADATA_KEY

ANY_PART = "*"
"""In text: a reference for all parts that no other is given for."""


@dataclass(frozen=True)
class Source:
    """A file that a coloring was made from.

    name: without its folder.  part: of a reference, the part it is for.  mask: of a reference, the place it is for.
    """

    name: str
    sha256: str
    part: str = ALL_PARTS
    mask: Source | None = None


@dataclass(frozen=True, kw_only=True)
class ColoringRecipe:
    """model: a name that `Colorizer.from_pretrained` takes.  weights: hash of its file.

    sketch: None in results of programs, which need not have come from files.
    hint_layer: as it was; `options` name the file once it was found (`with_hint_layer`).
    """

    model: str
    weights: str = ""
    sketch: Source | None = None
    references: tuple[Source, ...] = ()
    hint_layer: Source | None = None
    options: Options


# --- from and to text ------------------------------------------------------------------------------------------------


def read_recipe(path: Path) -> ColoringRecipe:
    """The recipe that a result, or a JSON file with the same content, holds; InputError if there is none in it."""
    words = _read_words(path)
    try:
        return _from_words(words)
    except (InputError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: its recipe is damaged ({error}): color the sketch again") from error


def _read_words(path: Path) -> Any:
    """The content before it is understood."""
    try:
        if path.suffix.lower() == ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        return json.loads(read_notes(path)[METADATA_KEY])
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the path") from error
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path} does not say how it was made: give a picture that irodori wrote as PNG, JPEG, WebP, TIFF, ORA "
            "or PSD, or a recipe as JSON"
        ) from error


def _from_words(words: Mapping[str, str]) -> ColoringRecipe:
    options = Options(
        lines=words.get("lines", "keep"),  # type: ignore[arg-type]
        polarity=words.get("polarity", "auto"),  # type: ignore[arg-type]
        image_size=_image_size(words),
        seed=int(words.get("seed", 0)),
        hints=tuple(parse_hint(text) for text in words.get("hints", "").split()),
        palette=parse_palette(words.get("palette", "").split()),
        snap=words.get("snap", "") == "yes",
        snap_palette=parse_palette(words.get("snap_palette", "").split()),
        tags=parse_tags(words.get("tags", "").split()),
        **drawing_of(words),
    )
    sketch = _source(words, "sketch")
    return ColoringRecipe(
        model=words["model"], weights=words.get("weights", ""), sketch=sketch, references=_references(words),
        hint_layer=_source(words, "hint_layer"), options=options,
    )  # fmt: skip


def _image_size(words: Mapping[str, str]) -> int | None:
    """The size at which the network worked; None where no one could ask for it, so that it was the model's own."""
    size = int(words.get("image_size", 0))
    return size if MIN_IMAGE_SIZE <= size <= MAX_IMAGE_SIZE else None


def _references(words: Mapping[str, str]) -> tuple[Source, ...]:
    names = [Path(name).name for name in json.loads(words.get("references", "[]"))]
    hashes = words.get("reference_sha256", "").split()
    parts = words.get("reference_parts", "").split() or [ANY_PART] * len(names)
    known = [ALL_PARTS if part == ANY_PART else checked_part(part) for part in parts]
    return tuple(Source(*one) for one in zip(names, hashes, known, _masks(words, len(names)), strict=True))


def _masks(words: Mapping[str, str], count: int) -> list[Source | None]:
    """For each reference its mask."""
    names = json.loads(words.get("reference_masks", "[]")) or [""] * count
    hashes = words.get("reference_mask_sha256", "").split() or ["-"] * count
    pairs = zip(names, hashes, strict=True)
    return [Source(Path(name).name, found) if name else None for name, found in pairs]


def _source(words: Mapping[str, str], key: str) -> Source | None:
    return Source(Path(words[key]).name, words.get(f"{key}_sha256", "")) if key in words else None


def to_words(recipe: ColoringRecipe) -> dict[str, str]:
    """The recipe as a result's file keeps it, and as `read_recipe` understands it."""
    options, references = recipe.options, recipe.references
    words = {
        "model": recipe.model,
        "weights": recipe.weights,
        "lines": options.lines,
        "polarity": options.polarity,
        "image_size": "" if options.image_size is None else str(options.image_size),
        "seed": str(options.seed),
        "sketch": recipe.sketch.name if recipe.sketch else "",
        "sketch_sha256": recipe.sketch.sha256 if recipe.sketch else "",
        "references": json.dumps([one.name for one in references], ensure_ascii=False) if references else "",
        "reference_sha256": " ".join(one.sha256 for one in references),
        **_mask_words(references),
        "hint_layer": recipe.hint_layer.name if recipe.hint_layer else "",
        "hint_layer_sha256": recipe.hint_layer.sha256 if recipe.hint_layer else "",
        **options.words([one.part for one in references]),
    }
    return {key: value for key, value in words.items() if value}


def _mask_words(references: Sequence[Source]) -> dict[str, str]:
    masks = [one.mask for one in references]
    if not any(masks):
        return {}
    return {
        "reference_masks": json.dumps([mask.name if mask else "" for mask in masks], ensure_ascii=False),
        "reference_mask_sha256": " ".join(mask.sha256 if mask else "-" for mask in masks),
    }


# --- changes ---------------------------------------------------------------------------------------------------------


def changed(
    recipe: ColoringRecipe, tags: Mapping[str, float] | None = None, without: Sequence[str] = (), **options: Any
) -> ColoringRecipe:
    """The recipe with some tags set and some taken back, with more hints and edits, and other options as given.

    A new color of a part replaces the one that was asked for before.  Raises InputError for a tag in `without` that the
    recipe does not set.
    """
    kept = dict(recipe.options.tags)
    for name in without:
        if kept.pop(normal(name), None) is None:
            raise InputError(f"the tag {name} is not set: {', '.join(recipe.options.tags) or 'no tag'} is")
    hints = (*recipe.options.hints, *options.pop("hints", ()))
    text = (*recipe.options.text, *options.pop("text", ()))
    more = {"tags": with_tags(kept, tags or {}), "hints": hints, "text": text, **options}
    return replace(recipe, options=replace(recipe.options, **more))


def with_tags(before: Mapping[str, float], tags: Mapping[str, float]) -> dict[str, float]:
    """Tags of both; of those before, without any that excludes one of the new ones.

    >>> with_tags({"red_hair": 1.0, "blue_eyes": 0.5, "smile": 1.0}, {"green hair": 2.0})
    {'blue_eyes': 0.5, 'smile': 1.0, 'green hair': 2.0}
    """
    groups = {group_of(tag) for tag in tags} - {""}
    kept = {tag: value for tag, value in before.items() if group_of(tag) not in groups and tag not in tags}
    return {**kept, **tags}


def for_other_sketches(recipe: ColoringRecipe) -> ColoringRecipe:
    """The recipe without what belongs to its own drawing: places, its mask, and whether lines are dark."""
    masks = recipe.options.masks and replace(recipe.options.masks, sketch=AUTO)
    options = replace(recipe.options, hints=(), hint_layer=None, masks=masks, polarity="auto")
    everywhere = tuple(one for one in recipe.references if one.mask is None)
    return replace(recipe, sketch=None, references=everywhere, hint_layer=None, options=options)


# --- files -----------------------------------------------------------------------------------------------------------


def find_sketch(recipe: ColoringRecipe, folders: Sequence[Path]) -> Path:
    """The sketch that the recipe is for; InputError if it is not there any more."""
    if recipe.sketch is None:
        raise InputError("the result does not say which sketch it is of: give one with --sketch")
    return _find(recipe.sketch, folders, "--sketch")


def find_references(recipe: ColoringRecipe, folders: Sequence[Path]) -> dict[str, list[Path]]:
    """The references by the part that they are for; InputError if one is not there any more."""
    found: dict[str, list[Path]] = {}
    for source in recipe.references:
        part = source.part if source.mask is None else str(_find(source.mask, folders, "--reference MASK=FILE"))
        found.setdefault(part, []).append(_find(source, folders, "--reference"))
    return found


def with_hint_layer(recipe: ColoringRecipe, folders: Sequence[Path]) -> ColoringRecipe:
    """The recipe whose options name the file of its hint layer; InputError if it is not there any more."""
    if recipe.hint_layer is None or recipe.options.hint_layer is not None:
        return recipe
    found = _find(recipe.hint_layer, folders, "--hints")
    return replace(recipe, options=replace(recipe.options, hint_layer=found))


def _find(source: Source, folders: Sequence[Path], option: str) -> Path:
    """A file by name in some folders and the folders in them, if its content is the same."""
    below = f"*/{glob.escape(source.name)}"
    named = [path for folder in folders for path in (folder / source.name, *sorted(folder.glob(below)))]
    candidates = [path for path in named if path.is_file()]
    for path in candidates:
        if content_hash(path) == source.sha256:
            return path
    reason = f"{candidates[0]} has changed since" if candidates else "it is neither beside the result nor here"
    raise InputError(f"the result was made from {source.name}, but {reason}: give the file with {option}")
