"""The index of a prepared data set: items, their parts, and the split that keeps an identity in one place.

A data set is a folder with `dataset.json` (how it was made, licenses, counts) and `index.jsonl` (one item a line).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from irodori.errors import DataError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
Kind = Literal["parts", "picture"]

PART_NAMES = (
    *("background", "skin", "hair", "clothes", "eyes", "lips", "mouth", "nose", "eyebrows", "ink", "glasses"),
    *("earrings", "accessory", "sclera", "teeth", "throat", "tongue", "uvula", "freckles", "eyeShadow"),
)
"""Part names that figures of different styles share; the part number of such a part is its position in this list."""

FORMAT = 1


@dataclass(frozen=True)
class Part:
    """A region of one color in vector art.

    name: shared part name, or "" when the art does not name it.
    color: its own color, ``(r, g, b)`` in 0…255.
    line: True when the part is drawn line rather than area.
    """

    name: str
    color: tuple[int, int, int]
    line: bool = False


@dataclass(frozen=True)
class Item:
    """One drawing.

    identity: what makes it *this* figure, whatever its palette or direction; splits are decided by it.
    group: what kind of subject it shows, in the words of its pack; "" where nobody says.
    file: kind "parts": coverage planes (`irodori.data.parts`); kind "picture": the color image.
    sketch: the artist's own line drawing, if there is one.
    Files are relative to the data set's folder.
    """

    id: str
    identity: str
    split: Split
    source: str
    kind: Kind
    file: str
    sketch: str | None = None
    parts: tuple[Part, ...] = ()
    tags: tuple[str, ...] = ()
    license: str = ""
    attribution: str = ""
    group: str = ""

    @staticmethod
    def from_json(row: dict[str, Any]) -> Item:
        """Raises KeyError or TypeError when a field is missing or unknown."""
        if "licence" in row:  # so data sets made before the first release spell it
            row["license"] = row.pop("licence")
        parts = tuple(Part(p["name"], tuple(p["color"]), p["line"]) for p in row.pop("parts"))
        return Item(parts=parts, tags=tuple(row.pop("tags")), **row)


@dataclass(frozen=True)
class Index:
    """A data set on disk: `root`, its items, and `about` (the content of `dataset.json`)."""

    root: Path
    items: tuple[Item, ...]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def image_size(self) -> int:
        """Side of the stored squares, pixels."""
        return int(self.about["image_size"])

    def select(self, split: Split) -> list[Item]:
        """Items of a split, in the order of the index."""
        return [item for item in self.items if item.split == split]


def split_of(identity: str, val: float = 0.05, test: float = 0.10) -> Split:
    """The split of an identity, from its hash alone: the same on every machine and in every selection of items."""
    position = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") / 2**64
    return "test" if position < test else "val" if position < test + val else "train"


def write_index(root: Path, items: Iterable[Item], about: dict[str, Any]) -> None:
    """Writes `index.jsonl`, then `dataset.json`; a folder without the latter is not a data set yet."""
    lines = [json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in items]
    (root / "index.jsonl").write_text("".join(lines), encoding="utf-8")
    text = json.dumps({"format": FORMAT, **about}, indent=1, ensure_ascii=False)
    (root / "dataset.json").write_text(text + "\n", encoding="utf-8")


def read_index(root: Path) -> Index:
    """Opens a prepared data set; DataError when it is missing, incomplete or of another format."""
    try:
        about = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
        # Not splitlines: names may hold U+2028 and other characters at which that would cut a line.
        rows = (root / "index.jsonl").read_text(encoding="utf-8").split("\n")
        if about.get("format") != FORMAT:
            raise DataError(
                f"{root}: data set format {about.get('format')}, this version reads {FORMAT}; prepare it again"
            )
        items = tuple(Item.from_json(json.loads(row)) for row in rows if row.strip())
    except FileNotFoundError as error:
        raise DataError(
            f"{root}: not a prepared data set (no {Path(error.filename).name}); run 'irodori prepare'"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DataError(f"{root}: the index is damaged ({error}); run 'irodori prepare' again") from error
    _check_files(root, items)
    return Index(root, items, about)


def _check_files(root: Path, items: Sequence[Item]) -> None:
    missing = [item.file for item in items[:: max(1, len(items) // 64)] if not (root / item.file).is_file()]
    if missing:
        raise DataError(f"{root}: {missing[0]} is named in the index but missing; run 'irodori prepare' again")
