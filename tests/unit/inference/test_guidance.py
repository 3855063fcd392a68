"""What the artist gives arrives at the system as its contract says, and what cannot be meant is refused."""

import numpy as np
import pytest
import torch

from fakes import FakeSystem, MirrorSystem, box_drawing
from irodori.color import delta_e
from irodori.data.index import PART_NAMES
from irodori.errors import InputError
from irodori.image import Geometry
from irodori.inference.colorizer import Colorizer
from irodori.inference.guidance import (
    Hint,
    checked_hints,
    checked_part,
    hint_tensor,
    parse_hint,
    parse_palette,
    parse_references,
    uses_of,
)

SKETCH = box_drawing(120, 90, (20, 20, 100, 70), 2)
RED = np.full((50, 70, 3), (230, 20, 10), np.uint8)
BLUE = np.full((40, 31, 3), (10, 20, 230), np.uint8)
TEAL = (0, 128, 140)


@pytest.fixture
def colorizer():
    return Colorizer(MirrorSystem(), device="cpu")


def _lab_distance(found, wanted):
    pair = torch.tensor(np.array([found, wanted]), dtype=torch.float32) / 127.5 - 1
    return float(delta_e(pair[:1], pair[1:]))


# --- values ----------------------------------------------------------------------------------------------------------


def test_hints_are_mapped_to_network_pixels():
    tensor = hint_tensor([Hint(0, 0, (0, 0, 0)), Hint(99, 49, (255, 255, 0))], Geometry((100, 200), 50, 8))
    assert tensor.shape == (1, 2, 5)
    assert tensor[0, 0].tolist() == pytest.approx([-0.375, -0.375, -1, -1, -1])
    assert tensor[0, 1].tolist() == pytest.approx([24.375, 11.875, 1, 1, -1])
    assert hint_tensor([], Geometry((100, 200), 50, 8)) is None


@pytest.mark.parametrize(("x", "y"), [(-0.6, 5), (90, 5), (5, 119.6), (5, -3)])
def test_a_hint_outside_names_the_size(x, y):
    assert checked_hints([Hint(89.4, 119.4, TEAL)], (120, 90))
    with pytest.raises(InputError, match="outside the sketch of 90x120"):
        checked_hints([Hint(x, y, TEAL)], (120, 90))


@pytest.mark.parametrize("color", [(0, 0, 256), (-1, 0, 0), (0, 0), (0.5, 0, 0)])
def test_what_is_no_color_is_refused(colorizer, color):
    with pytest.raises(InputError, match="0 to 255"):
        colorizer(SKETCH, RED, hints=[Hint(5, 5, color)])
    with pytest.raises(InputError, match="0 to 255"):
        colorizer(SKETCH, RED, palette=[color])


def test_an_unknown_part_suggests_the_nearest():
    with pytest.raises(InputError, match="'hiar'.*did you mean hair"):
        checked_part("hiar")
    with pytest.raises(InputError, match="use one of background, skin"):
        checked_part("zzz")


def test_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_hint("1.5,2=#0a0B0c") == Hint(1.5, 2, (10, 11, 12))
    assert parse_palette(["#000000,ffffff", "0a0b0c"]) == ((0, 0, 0), (255, 255, 255), (10, 11, 12))
    (tmp_path / "hair=a.png").touch()
    named = parse_references(["hair=a.png", "clothes=b=c.png", "eyeShadow=x.png", "x/y=z.png", "clothes=d.png"])
    assert {part: [str(path) for path in paths] for part, paths in named.items()} == {
        "": ["hair=a.png", "x/y=z.png"],
        "clothes": ["b=c.png", "d.png"],
        "eyeShadow": ["x.png"],
    }


@pytest.mark.parametrize("text", ["5,5", "5=#ff0000", "5,5=red", "a,b=#ff0000", "1,2,3=#ff0000", "nan,5=#ff0000", ""])
def test_a_malformed_hint(text):
    with pytest.raises(InputError):
        parse_hint(text)


def test_uses_name_all_parts_that_are_meant():
    assert uses_of([["", ""], [""]]) == ()
    rest = tuple(name for name in PART_NAMES if name not in ("hair", "skin"))
    assert uses_of([["hair"], ["skin", ""]]) == (("hair",), ("skin", *rest))


# --- what reaches the system -----------------------------------------------------------------------------------------


def test_guidance_reaches_the_system(colorizer):
    hints = [Hint(45, 60, TEAL)]
    result = colorizer(SKETCH, {"hair": RED, "": BLUE}, hints=hints, palette=[(255, 0, 0)])
    (given,) = colorizer.system.given
    assert torch.equal(given.hints, hint_tensor(hints, Geometry((120, 90), 64, 8)))
    assert given.palette.tolist() == [[[1, -1, -1]]]
    assert given.uses[0] == ("hair",)
    assert set(given.uses[1]) == set(PART_NAMES) - {"hair"}
    about = result.provenance
    assert (about["hints"], about["palette"]) == ("45,60=#00808c", "#ff0000")
    assert about["reference_parts"] == "hair *"


def test_without_guidance_nothing_is_told(colorizer):
    result = colorizer(SKETCH, [RED, BLUE])
    assert colorizer.system.given[0].kinds == frozenset()
    assert not {"hints", "palette", "snap", "reference_parts"} & set(result.provenance)


def test_one_picture_for_several_parts_is_encoded_once(colorizer):
    colorizer(SKETCH, {"hair": RED, "clothes": [BLUE, RED.copy()]})
    assert len(colorizer.system.encoded) == 2
    assert colorizer.system.given[0].uses == (("hair", "clothes"), ("clothes",))


def test_hints_do_not_encode_again(colorizer):
    colorizer.set_sketch(SKETCH)
    colorizer.set_reference(RED)
    for x in (30, 40, 50):
        colorizer.run(hints=[Hint(x, 50, TEAL)], palette=[TEAL], snap=True)
    assert colorizer.system.calls == {"sketch": 1, "references": 1, "paint": 3}


def test_a_system_that_takes_no_guidance():
    colorizer = Colorizer(FakeSystem(), device="cpu")
    with pytest.raises(InputError, match="takes no palette"):
        colorizer(SKETCH, RED, palette=[TEAL])
    with pytest.raises(InputError, match="did you mean hair"):
        colorizer(SKETCH, {"hairs": RED})
    assert "hints" in colorizer(SKETCH, {"": RED}, hints=[Hint(45, 60, TEAL)]).provenance


@pytest.mark.parametrize("system", [FakeSystem, MirrorSystem])
def test_every_system_obeys_a_hint(system):
    result = Colorizer(system(), device="cpu")(SKETCH, RED, hints=[Hint(45, 60, TEAL)], snap=True)
    inside = result.color_pixels[22:99, 22:69]
    assert (inside == TEAL).all()
    assert _lab_distance(result.color_pixels[60, 45], TEAL) < 3
    assert _lab_distance(result.color_pixels[5, 5], TEAL) > 20


@pytest.mark.parametrize("steering", [{"hints": [Hint(5, 5, TEAL)]}, {"snap": True}])
def test_the_models_own_lines_cannot_be_steered_by_region(colorizer, steering):
    with pytest.raises(InputError, match="keep or none"):
        colorizer(SKETCH, RED, lines="model", **steering)


def test_confidence_and_warped_reference(colorizer):
    result = colorizer(SKETCH, RED, hints=[Hint(45, 60, TEAL)])
    assert (result.confidence.mode, result.confidence.size) == ("L", (90, 120))
    levels = np.asarray(result.confidence)
    assert levels[5, 5] == 255
    assert levels[115, 5] == 0
    assert levels[95, 45] == 255  # the hint decides the whole box
    assert result.warped_reference.getpixel((45, 60)) == (230, 20, 10)
    plain = Colorizer(FakeSystem(), device="cpu")(SKETCH, RED)
    assert plain.confidence is plain.warped_reference is None
