"""References under masks: each place in the colors of its own reference, along the lines, with every system."""

import numpy as np
import pytest
import torch
from PIL import Image

from fakes import FakeSystem, MirrorSystem, box_drawing
from irodori.errors import InputError
from irodori.inference.colorizer import Colorizer
from irodori.inference.masked import compose, find_owners, shrink_owners
from irodori.systems.base import Attention, Output

RED, BLUE, GREEN = (230, 20, 30), (20, 40, 220), (30, 200, 60)


def _drawing():
    """Two boxes, ``(128, 128)``."""
    return np.minimum(box_drawing(128, 128, (20, 8, 110, 60), 2), box_drawing(128, 128, (20, 68, 110, 120), 2))


@pytest.fixture
def files(tmp_path):
    """left.png, right.png: masks; red.png, blue.png, green.png: references."""
    mask = np.zeros((128, 128), np.uint8)
    mask[30:100, 15:62] = 255  # rough: not to the corners, and over the line
    Image.fromarray(mask).save(tmp_path / "left.png")
    alpha = np.zeros((128, 128, 4), np.uint8)
    alpha[25:112, 66:118, 3] = 255
    Image.fromarray(alpha).save(tmp_path / "right.png")
    for name, color in (("red", RED), ("blue", BLUE), ("green", GREEN)):
        Image.new("RGB", (64, 64), color).save(tmp_path / f"{name}.png")
    return tmp_path


def _near(pixels, color):
    return np.abs(pixels.astype(int) - color).max() < 30


@pytest.mark.parametrize("system", [FakeSystem, MirrorSystem])
def test_each_place_has_its_reference(files, system):
    references = {str(files / "left.png"): files / "red.png", str(files / "right.png"): files / "blue.png",
                  "": files / "green.png"}  # fmt: skip
    result = Colorizer(system(), device="cpu")(_drawing(), references, lines="none", image_size=128)
    assert _near(result.pixels[24:107, 12:57], RED)
    assert _near(result.pixels[24:107, 72:117], BLUE)
    assert _near(result.pixels[:18], GREEN)
    assert result.provenance["reference_masks"] == '["left.png", "right.png", ""]'
    assert "reference_parts" not in result.provenance
    assert [name for name, _ in result.references] == ["Reference", "Reference (left)", "Reference (right)"]


def test_flats_and_correspondence_know_all_references(files):
    references = {str(files / "left.png"): files / "red.png", "": [files / "green.png", files / "blue.png"]}
    result = Colorizer(MirrorSystem(), device="cpu")(_drawing(), references, lines="none", image_size=128, snap=True)
    assert (result.pixels[24:95, 12:57] == RED).all()
    assert (result.pixels[:18] == GREEN).all()
    assert len(result.correspondence.references) == 3
    assert result.correspondence.where(30, 60)[0] == 2  # the base's references come first
    assert result.correspondence.where(100, 60)[0] == 0
    assert result.explain().size[0] > 400


def test_without_a_reference_for_the_rest(files):
    references = {str(files / "left.png"): files / "red.png"}
    result = Colorizer(MirrorSystem(), device="cpu")(_drawing(), references, lines="none", image_size=128)
    assert _near(result.pixels[24:95, 12:57], RED)
    assert _near(result.pixels[:18], (128, 128, 128))
    assert result.explain().size[0] > 200


def test_encodings_are_kept_for_the_next_run(files):
    system = FakeSystem()
    colorizer = Colorizer(system, device="cpu")
    colorizer.set_sketch(_drawing())
    colorizer.set_reference({str(files / "left.png"): files / "red.png", "": files / "green.png"})
    colorizer.run()
    colorizer.run(seed=1)
    assert (system.calls["references"], system.calls["paint"]) == (2, 4)


def test_a_mask_of_another_size_is_refused(files):
    Image.new("L", (90, 128), 255).save(files / "left.png")
    with pytest.raises(InputError, match="left.png is 90x128 pixels, but the sketch is 128x128"):
        Colorizer(FakeSystem(), device="cpu")(_drawing(), {str(files / "left.png"): files / "red.png"})


def test_a_mask_that_shows_nothing_is_refused(files):
    Image.new("L", (128, 128), 0).save(files / "left.png")
    with pytest.raises(InputError, match="shows nothing"):
        Colorizer(FakeSystem(), device="cpu").set_reference({str(files / "left.png"): files / "red.png"})


def test_rooms_belong_to_one_mask_and_open_ones_are_divided():
    lines = box_drawing(60, 80, (10, 10, 50, 40), 2)
    mask = np.zeros((60, 80), np.uint8)
    mask[12:46, 12:36] = 255
    owners = find_owners([mask], lines)
    assert (owners[12:49, 12:39] == 1).all()
    assert (owners[:10] == 0).all()
    assert (owners[10, 10:41] == 255).all()
    half = np.zeros((60, 80), np.uint8)
    half[:, :40] = 255
    empty = find_owners([half], np.full((60, 80), 255, np.uint8))
    assert (empty[:, :40] == 1).all()
    assert (empty[:, 40:] == 0).all()
    later = find_owners([half, mask], np.full((60, 80), 255, np.uint8))
    assert later[20, 20] == 2
    assert later[2, 2] == 1


def test_owners_at_the_networks_size_cover_ink_and_padding():
    lines = box_drawing(64, 64, (8, 8, 56, 40), 4)
    mask = np.zeros((64, 64), np.uint8)
    mask[8:57, 8:41] = 255
    owners = shrink_owners(find_owners([mask], lines), (32, 32), (32, 40))
    assert owners.shape == (32, 40)
    assert set(np.unique(owners)) == {0, 1}
    assert owners[16, 12] == 1
    assert owners[16, 35] == 0


def test_attention_is_that_of_the_owner():
    first = Attention.of(torch.full((1, 4, 3), 1 / 3), (2, 2), ((1, 3),))
    second = Attention.of(torch.full((1, 4, 2), 1 / 2), (2, 2), ((1, 2),))
    image = torch.zeros(1, 3, 4, 4)
    owners = np.zeros((4, 4), np.uint8)
    owners[:, 2:] = 1
    both = compose([Output(image, first), Output(image + 1, second)], owners)
    rows = both.attention.weights[0]
    assert torch.allclose(rows[0], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0, 0]))
    assert torch.allclose(rows[1], torch.tensor([0, 0, 0, 1 / 2, 1 / 2]))
    assert both.attention.reference_grids == ((1, 3), (1, 2))
    assert (both.image[..., :2] == 0).all()
    assert (both.image[..., 2:] == 1).all()
