from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from irodori.data.dataset import DataOptions, PairDataset, load
from irodori.data.index import PART_NAMES, Index, Item, Part, read_index
from irodori.data.palette import recolor
from irodori.data.prepare import PrepareOptions, prepare
from irodori.data.sample import Sample
from irodori.data.warp import Warp, WarpOptions, random_warp
from irodori.errors import ConfigError, DataError
from irodori.image import to_pixels
from irodori.image_io import write_image

STILL = WarpOptions(tps=0.0)


def unmoved() -> Warp:
    return random_warp(64, STILL, np.random.default_rng(0))


def pairs(dataset: Index, **options) -> PairDataset:
    return PairDataset(dataset, "train", DataOptions(**options), image_size=64, seed=3, length=100)


def test_pair_depends_on_seed_and_number_alone(dataset: Index):
    first, second = pairs(dataset, recolor_share=0.5), pairs(dataset, recolor_share=0.5)
    _ = second[9]
    for f in fields(Sample):
        torch.testing.assert_close(getattr(first[4], f.name), getattr(second[4], f.name), equal_nan=True)
    assert not torch.equal(first[4].color, first[5].color)


def test_shapes_and_ranges_are_the_internal_form(dataset: Index):
    sample = Sample.collate([pairs(dataset, recolor_share=0.5)[i] for i in range(6)])
    assert sample.sketch.shape == (6, 1, 64, 64)
    assert sample.color.shape == sample.reference.shape == (6, 3, 64, 64)
    assert sample.correspondence.shape == (6, 2, 64, 64)
    for image in (sample.sketch, sample.color, sample.reference):
        assert image.min() >= -1
        assert image.max() <= 1
    assert sample.sketch.mean() > 0  # mostly paper


def test_self_pair_without_warp_shows_the_truth_itself(dataset: Index):
    sample = pairs(dataset, self_warp=STILL, no_reference=0.0)[0]
    torch.testing.assert_close(sample.reference, sample.color)
    assert (sample.valid == 1).all()


def test_self_pair_correspondence_leads_to_the_same_color(dataset: Index):
    """Reading the reference where the field points gives the ground truth (away from part borders)."""
    sample = pairs(dataset, self_warp=WarpOptions(tps=0.04), no_reference=0.0)[2]
    x, y = sample.correspondence[0]
    known = torch.isfinite(x)
    columns, rows = x[known].round().long().clamp(0, 63), y[known].round().long().clamp(0, 63)
    difference = (sample.reference[0][:, rows, columns] - sample.color[0][:, known]).abs().mean(0)
    assert known.float().mean() > 0.5
    assert difference.median() < 0.02
    assert (difference < 0.1).float().mean() > 0.8


def test_appearance_offset_is_the_ground_truth_too(dataset: Index):
    """A.3: the offset picture is both truth and reference; offsets lie within the bound."""
    plain, shifted = (pairs(dataset, appearance=a, self_warp=STILL, random_palette_share=0, no_reference=0)[1]
                      for a in (0.0, 50.0))  # fmt: skip
    difference = (shifted.color - plain.color) * 127.5
    assert 1 < difference.abs().max() <= 51
    torch.testing.assert_close(shifted.reference, shifted.color)


def test_recolor_pair_has_the_reference_s_colors_part_by_part(dataset: Index):
    items = dataset.select("train")
    first, other = items[0], next(item for item in items if item.source != items[0].source)
    palette = [part.color for part in other.parts]
    sample = pairs(dataset).recolor_sample(first, other, palette, unmoved(), np.random.default_rng(0))
    truth, numbers = to_pixels(sample.color), sample.parts[0].numpy()
    for part in other.parts:
        inside = numbers == PART_NAMES.index(part.name)
        if part.name in ("skin", "hair", "clothes", "background"):
            assert np.abs(np.median(truth[inside], axis=0) - part.color).max() <= 1, part.name
    np.testing.assert_array_equal(to_pixels(sample.reference), load(dataset.root, other, 64).color(palette))


def test_parts_that_the_reference_lacks_are_masked_out(dataset: Index):
    items = dataset.select("train")
    hatless = replace(
        items[1], parts=tuple(replace(p, name="" if p.name == "hair" else p.name) for p in items[1].parts)
    )
    colors, known = recolor(items[0].parts, hatless, [part.color for part in hatless.parts])
    names = [part.name for part in items[0].parts]
    assert [name for name, flag in zip(names, known, strict=True) if not flag] == ["hair"]
    assert colors[names.index("hair")] == items[0].parts[names.index("hair")].color
    sample = pairs(dataset).recolor_sample(
        items[0], hatless, [part.color for part in hatless.parts], unmoved(), np.random.default_rng(0)
    )
    hair = sample.parts[0] == PART_NAMES.index("hair")
    assert (sample.valid[0, 0][hair] == 0).float().mean() > 0.9
    assert (sample.valid[0, 0][sample.parts[0] == PART_NAMES.index("background")] == 1).float().mean() > 0.9


def test_one_reference_in_ten_is_zero(dataset: Index):
    data = pairs(dataset, no_reference=0.1)
    empty = sum(bool((data[i].reference == 0).all()) for i in range(100))
    assert 3 <= empty <= 20


def test_without_a_reference_the_truth_has_the_artist_s_colors(dataset: Index):
    sample = pairs(dataset, no_reference=1.0, random_palette_share=1.0, appearance=50.0)[3]
    median = {tuple(np.median(to_pixels(sample.color)[sample.parts[0].numpy() == n], axis=0).astype(int))
              for n in sample.parts.unique().tolist() if n >= 0 and PART_NAMES[n] != "ink"}  # fmt: skip
    own = {part.color for item in dataset.select("train") for part in item.parts}
    assert len(median) >= 3
    assert median <= own


def test_a_missing_reference_has_no_correspondence(dataset: Index):
    sample = pairs(dataset, no_reference=1.0)[0]
    assert sample.correspondence.isnan().all()
    assert (sample.reference_parts == -1).all()


def test_pictures_give_self_pairs_and_refuse_recolor_pairs(tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "art").mkdir()
    for number in range(24):
        write_image(tmp_path / "art" / f"{number}.png", generator.integers(0, 255, (40, 50, 3), np.uint8))
    prepare([tmp_path / "art"], tmp_path / "data", PrepareOptions(image_size=64), progress=False)
    index = read_index(tmp_path / "data")
    assert pairs(index)[0].sketch.shape == (1, 1, 64, 64)
    with pytest.raises(DataError, match="recolor_share=0"):
        pairs(index, recolor_share=0.5)


@pytest.mark.parametrize("wrong", [{"recolor_share": 1.5}, {"no_reference": -0.1}, {"sketches": ("crayon",)}])
def test_options_out_of_range_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        DataOptions(**wrong)


def test_a_name_with_two_colors_has_no_exact_truth():
    """Hair and beard share a name: where the reference has them in two colors, neither is the answer."""
    parts = (Part("hair", (1, 1, 1)), Part("skin", (2, 2, 2)))
    bearded = (Part("hair", (9, 9, 9)), Part("hair", (8, 8, 8)), Part("skin", (7, 7, 7)))
    other = Item("b", "b", "train", "s", "parts", "", parts=bearded)
    assert recolor(parts, other, [(9, 9, 9), (8, 8, 8), (7, 7, 7)]) == ([(1, 1, 1), (7, 7, 7)], [False, True])
    assert recolor(parts, other, [(9, 9, 9), (9, 9, 9), (7, 7, 7)])[1] == [True, True]
    assert recolor(parts, other, [(9, 9, 9), (9, 9, 9), (7, 7, 7)], [True, True, False])[1] == [True, False]


def test_what_a_moved_reference_no_longer_shows_is_masked_out(dataset: Index):
    """Pushed down by 26 of 64 pixels, the shirt leaves the picture, and its color cannot be known."""
    items = dataset.select("train")
    down = Warp(np.array([[1, 0, 0], [0, 1, -26]], float), np.zeros((64, 64, 2), np.float32))
    palette = [part.color for part in items[1].parts]
    sample = pairs(dataset).recolor_sample(items[0], items[1], palette, down, np.random.default_rng(0))
    shirt = sample.parts[0] == PART_NAMES.index("clothes")
    skin = sample.parts[0] == PART_NAMES.index("skin")
    assert shirt.sum() > 20
    assert (sample.valid[0, 0][shirt] == 0).float().mean() > 0.9
    assert (sample.valid[0, 0][skin] == 1).float().mean() > 0.9


@pytest.mark.parametrize("wrong", [{"scale": (0.0, 0.0)}, {"scale": (2.0, 1.0)}, {"tps": -0.1}, {"mirror": 2.0}])
def test_impossible_warps_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match="warp"):
        WarpOptions(**wrong)
