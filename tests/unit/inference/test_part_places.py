"""References for named parts with systems that know no parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes import FakeSystem, MirrorSystem
from irodori import Colorizer
from irodori.data.index import PART_NAMES
from irodori.errors import InputError
from irodori.image_io import read_image, to_gray
from irodori.inference import colorizer as colorizer_module
from irodori.inference.part_places import by_place, part_mask, read_part_map
from irodori.inference.references import read_groups

EXAMPLE = Path(__file__).parents[3] / "examples" / "sketches" / "spiky.png"
RED, BLUE, GREEN = (np.full((64, 64, 3), color, np.uint8) for color in ((220, 30, 30), (30, 30, 220), (30, 160, 30)))
LEFT, RIGHT = (slice(24, 106), slice(14, 56)), (slice(24, 106), slice(74, 116))


def two_boxes():
    """Boxes on the left and on the right of ``(128, 128)``."""
    lines = np.full((128, 128), 255, np.uint8)
    for left in (10, 70):
        lines[20:110, left : left + 50] = 0
        lines[23:107, left + 3 : left + 47] = 255
    return lines


@pytest.fixture
def colorizer(monkeypatch):
    """A system without parts; the left half is hair, but for some of it that was misread, and the right one clothes."""
    found = np.full((128, 128), PART_NAMES.index("hair"), np.uint8)
    found[:, 64:] = PART_NAMES.index("clothes")
    monkeypatch.setattr(colorizer_module, "read_part_map", lambda lines: found)
    return Colorizer(FakeSystem(), device="cpu")


def near(pixels, picture):
    return np.abs(pixels.astype(int) - picture[0, 0]).max() < 30


def test_each_part_has_its_reference(colorizer):
    result = colorizer(two_boxes(), {"hair": RED, "": [BLUE]}, lines="none", image_size=128)
    assert near(result.pixels[LEFT], RED)
    assert near(result.pixels[RIGHT], BLUE)
    assert [name for name, _ in result.references] == ["Reference", "Reference (hair)"]
    assert result.provenance["reference_parts"] == "hair *"


def test_a_mask_lies_over_parts(colorizer, tmp_path):
    mask = np.zeros((128, 128), np.uint8)
    mask[20:110, 66:124] = 255
    Image.fromarray(mask).save(tmp_path / "coat.png")
    references = {"clothes": BLUE, str(tmp_path / "coat.png"): GREEN, "hair": RED}
    result = colorizer(two_boxes(), references, lines="none", image_size=128)
    assert near(result.pixels[LEFT], RED)
    assert near(result.pixels[RIGHT], GREEN)


def test_groups_of_places_know_which_picture_was_given_when():
    groups, _ = read_groups({"hair": RED, "clothes": [BLUE, RED], "": GREEN})
    base, *places = by_place(groups[0])
    assert (base.place, base.numbers) == ((), (3,))
    assert [(group.place, group.numbers) for group in places] == [(("hair",), (0,)), (("clothes",), (0, 1))]
    assert all(group.uses == () for group in (base, *places))
    named_alone, _ = read_groups({"hair": RED, "eyes": RED})
    base, eyes_and_hair = by_place(named_alone[0])
    assert base.references[0] is eyes_and_hair.references[0]  # what none is for is colored after all of them
    assert eyes_and_hair.place == ("hair", "eyes")
    unnamed, _ = read_groups([RED, BLUE])
    assert by_place(unnamed[0]) == (unnamed[0],)


def test_correspondence_says_which_of_the_given_pictures_it_was(monkeypatch, colorizer):
    class Mirror(MirrorSystem):
        takes = frozenset()

    result = Colorizer(Mirror(), device="cpu")(two_boxes(), {"hair": RED, "clothes": BLUE}, image_size=128)
    found = result.correspondence
    assert found.numbers == (0, 1, 0, 1)  # all of them for the rest, then each for its part
    assert found.numbers[found.where(30, 60)[0]] == 0
    assert found.numbers[found.where(100, 60)[0]] == 1


def test_the_shipped_model_knows_the_parts_of_a_drawing():
    lines = to_gray(read_image(EXAMPLE))
    found = read_part_map(lines)
    assert found.shape == lines.shape
    height, width = lines.shape
    places = {"hair": (0.2, 0.5), "skin": (0.5, 0.5), "clothes": (0.95, 0.5), "background": (0.05, 0.05)}
    for name, (down, across) in places.items():
        assert PART_NAMES[found[int(down * height), int(across * width)]] == name
    mask = part_mask(found, ("hair", "clothes"))
    assert set(np.unique(mask)) == {0, 255}
    assert mask[int(0.2 * height), width // 2] == mask[int(0.95 * height), width // 2] == 255
    assert mask[height // 2, width // 2] == 0


def test_systems_without_part_names_say_so():
    with pytest.raises(InputError, match="was not taught part names"):
        FakeSystem().name_parts(None)
