from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from irodori.data.compose import compose, transferred
from irodori.data.dataset import DataOptions, PairDataset, layers_of, shared_numbers
from irodori.data.draft import Draft
from irodori.data.drawing import Drawing, DrawingCache, load
from irodori.data.index import PART_NAMES, Index, Item, Part, read_index
from irodori.data.jitter import JitterOptions
from irodori.data.layers import Layers
from irodori.data.lines import KINDS
from irodori.data.palette import Color, own_palette
from irodori.data.parts import unpack
from irodori.data.prepare import PrepareOptions, prepare
from irodori.data.sample import Sample
from irodori.data.scene import side_by_side
from irodori.data.warp import Warp, WarpOptions, nearest_at, no_warp, sample_at
from irodori.errors import ConfigError, DataError
from irodori.image import from_uint8, to_pixels
from irodori.image_io import read_stored, write_image

STILL = WarpOptions(tps=0.0)


RICH = {
    "recolor_share": 0.5, "sketches": KINDS, "light_share": 0.5, "scene_share": 0.5, "no_reference": 0.2,
    "shuffled_share": 0.3, "color_clusters": 4,
    "sketch_warp": WarpOptions(tps=0.02, move=0.1, scale=(0.8, 1.2), mirror=0.5),
    "self_warp": WarpOptions(tps=0.05, move=0.1, scale=(0.7, 1.2), rotate_degrees=10, elastic=0.02),
    "jitter": JitterOptions(brightness=0.3, contrast=0.3, saturation=0.5, hue_degrees=90),
}  # fmt: skip


def drafts(dataset: Index, **options) -> PairDataset:
    return PairDataset(dataset, "train", DataOptions(**options), image_size=64, seed=3, length=100)


class Samples:
    """The composed pairs of a data set."""

    def __init__(self, data: PairDataset) -> None:
        self.data = data

    def __getitem__(self, number: int) -> Sample:
        return compose(self.data[number])


def pairs(dataset: Index, **options) -> Samples:
    return Samples(drafts(dataset, **options))


def recolored(dataset: Index, item: Item, other: Item, palette: list[Color], warp: Warp, **options) -> Sample:
    data = drafts(dataset, **options)
    given = (load(dataset.root, item, 64), load(dataset.root, other, 64))
    return compose(data.recolor_draft(*given, palette, warp, np.random.default_rng(0)))


def assert_same(first: Sample, second: Sample) -> None:
    for f in fields(Sample):
        one, other = getattr(first, f.name), getattr(second, f.name)
        if isinstance(one, torch.Tensor):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True, msg=f.name)
        else:
            assert one == other, f.name


def test_pair_depends_on_seed_and_number_alone(dataset: Index):
    first, second = pairs(dataset, recolor_share=0.5), pairs(dataset, recolor_share=0.5)
    _ = second[9]
    assert_same(first[4], second[4])
    assert not torch.equal(first[4].color, first[5].color)


def test_a_pair_is_the_same_alone_and_in_any_batch(dataset: Index):
    """Bit for bit, with everything that can be switched on."""
    data = drafts(dataset, **RICH)
    alone = [compose(data[number]) for number in range(32)]
    for batch in (3, 16, 32):
        groups = [range(at, min(at + batch, 32)) for at in range(0, 32, batch)]
        together = [compose(Draft.collate([data[number] for number in group])) for group in groups]
        assert_same(Sample.collate(together), Sample.collate(alone))


def test_worker_processes_make_the_same_pairs(dataset: Index):
    data = drafts(dataset, **RICH)
    for workers in (0, 2):
        loader = DataLoader(
            data, batch_size=10, num_workers=workers, collate_fn=Draft.collate,
            multiprocessing_context="spawn" if workers else None,
        )  # fmt: skip
        made = Sample.collate([compose(draft) for draft in loader])
        assert_same(made, Sample.collate([compose(data[number]) for number in range(100)]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_composes_what_the_cpu_composes(dataset: Index):
    draft = Draft.collate([drafts(dataset, **RICH)[number] for number in range(32)])
    there, here = compose(draft.to(torch.device("cuda"))).to(torch.device("cpu")), compose(draft)
    torch.testing.assert_close(there.color, here.color, rtol=0, atol=2.01 / 255)
    assert (there.sketch - here.sketch).abs().mean() < 0.01
    assert (there.parts != here.parts).float().mean() < 0.001


def test_shapes_and_ranges_are_the_internal_form(dataset: Index):
    sample = Sample.collate([pairs(dataset, recolor_share=0.5)[i] for i in range(6)])
    assert sample.lines.shape == sample.valid.shape == (6, 1, 64, 64)
    assert sample.sketch.shape == (6, 1, 64, 64)
    assert sample.color.shape == sample.reference.shape == (6, 3, 64, 64)
    assert sample.correspondence.shape == (6, 2, 64, 64)
    for image in (sample.sketch, sample.color, sample.reference):
        assert image.min() >= -1
        assert image.max() <= 1
    assert sample.sketch.mean() > 0  # mostly paper


def test_shuffled_pairs_show_another_drawing_and_know_no_truth(dataset: Index):
    sample = pairs(dataset, shuffled_share=1.0, self_warp=STILL, no_reference=0.0)[0]
    assert (sample.valid == 0).all()
    assert sample.correspondence.isnan().all()
    assert not torch.equal(sample.parts, sample.reference_parts)
    own = [load(dataset.root, item, 64) for item in dataset.select("train")]
    colors = [layers_of(one, own_palette(one.parts), shared_numbers(one.parts)) for one in own]
    pictures = torch.cat([from_uint8(layers.paint(layers.palette)) for layers in colors])
    for shown in (sample.color, sample.reference):
        assert (pictures == shown).flatten(1).all(1).any()


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


def test_jitter_changes_truth_and_reference_alike_and_not_the_sketch(dataset: Index):
    options = {"self_warp": STILL, "appearance": 0.0, "no_reference": 0.0, "vary_lines": False}
    plain, turned = (pairs(dataset, jitter=jitter, **options)[1] for jitter in (None, JitterOptions(hue_degrees=180)))
    torch.testing.assert_close(turned.reference, turned.color)
    torch.testing.assert_close(turned.sketch, plain.sketch)
    assert (turned.color - plain.color).abs().mean() > 0.02
    inside = (turned.color.abs() < 1).all(1)  # a turn of the hue keeps the sum of the channels where nothing is clipped
    sums = (turned.color.sum(1) - plain.color.sum(1))[inside] * 127.5
    assert sums.abs().max() <= 2


def test_recolor_pair_has_the_reference_s_colors_part_by_part(dataset: Index):
    items = dataset.select("train")
    first, other = items[0], next(item for item in items if item.source != items[0].source)
    palette = [part.color for part in other.parts]
    sample = recolored(dataset, first, other, palette, no_warp())
    truth, numbers = to_pixels(sample.color), sample.parts[0].numpy()
    for part in other.parts:
        inside = numbers == PART_NAMES.index(part.name)
        if part.name in ("skin", "hair", "clothes", "background"):
            assert np.abs(np.median(truth[inside], axis=0) - part.color).max() <= 1, part.name
    shown = unpack(read_stored(dataset.root / other.file, gray=True)).compose(palette)
    assert np.abs(to_pixels(sample.reference).astype(int) - shown).max() <= 1


def test_parts_that_the_reference_lacks_are_masked_out(dataset: Index):
    items = dataset.select("train")
    hatless = replace(
        items[1], parts=tuple(replace(p, name="" if p.name == "hair" else p.name) for p in items[1].parts)
    )
    sample = recolored(dataset, items[0], hatless, [part.color for part in hatless.parts], no_warp())
    own = next(part.color for part in items[0].parts if part.name == "hair")
    hair = sample.parts[0] == PART_NAMES.index("hair")
    assert (sample.valid[0, 0][hair] == 0).float().mean() > 0.9
    assert tuple(np.median(to_pixels(sample.color)[hair.numpy()], axis=0)) == own
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


@pytest.mark.parametrize("wrong", [{"recolor_share": 1.5}, {"no_reference": -0.1}, {"sketches": ("crayon",)},
                                   {"scene_share": 2.0}, {"light_share": -1.0}, {"palettes": ("loud",)}])  # fmt: skip
def test_options_out_of_range_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        DataOptions(**wrong)


def test_a_name_with_two_colors_has_no_exact_truth():
    """Hair and beard share a name: where the reference has them in two colors, neither is the answer."""
    hair, skin = 1, 2

    def found(colors: list[Color], visible: tuple[bool, bool, bool] = (True, True, True)) -> tuple[list, list]:
        source = Layers(
            torch.zeros(1, 6, 4, 4), torch.tensor([colors], dtype=torch.float32), torch.zeros(1, 3, dtype=torch.int64),
            torch.tensor([[hair, hair, skin]]), torch.zeros(1, 3, dtype=torch.bool),
        )  # fmt: skip
        own = torch.tensor([[[1.0, 1, 1], [2, 2, 2], [3, 3, 3]]])
        palette, known = transferred(own, torch.tensor([[hair, skin, 0]]), source, torch.tensor([visible]))
        return palette[0].tolist(), known[0].tolist()

    assert found([(9, 9, 9), (8, 8, 8), (7, 200, 7)]) == ([[1, 1, 1], [7, 200, 7], [3, 3, 3]], [False, True, False])
    assert found([(9, 9, 9), (9, 9, 9), (7, 7, 7)])[1] == [True, True, False]
    assert found([(0, 0, 0), (0, 0, 0), (7, 7, 7)], (True, True, False))[1] == [True, False, False]
    assert found([(9, 9, 9), (8, 8, 8), (7, 7, 7)], (False, True, True))[0][0] == [8, 8, 8]


def test_what_a_moved_reference_no_longer_shows_is_masked_out(dataset: Index):
    """Pushed down by 26 of 64 pixels, the shirt leaves the picture, and its color cannot be known."""
    items = dataset.select("train")
    down = Warp(torch.tensor([[[1.0, 0, 0], [0, 1, -26]]]), torch.zeros(1, 16, 2))
    palette = [part.color for part in items[1].parts]
    sample = recolored(dataset, items[0], items[1], palette, down)
    shirt = sample.parts[0] == PART_NAMES.index("clothes")
    skin = sample.parts[0] == PART_NAMES.index("skin")
    assert shirt.sum() > 20
    assert (sample.valid[0, 0][shirt] == 0).float().mean() > 0.9
    assert (sample.valid[0, 0][skin] == 1).float().mean() > 0.9


@pytest.mark.parametrize("wrong", [{"scale": (0.0, 0.0)}, {"scale": (2.0, 1.0)}, {"tps": -0.1}, {"mirror": 2.0}])
def test_impossible_warps_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match="warp"):
        WarpOptions(**wrong)


def test_the_sketch_side_moves_with_truth_parts_and_reference(dataset: Index):
    """The truth of a moved drawing is the moved truth, and an unwarped reference is still the truth itself."""
    shift = WarpOptions(tps=0.0, move=0.2, scale=(0.6, 0.9))
    plain = {"self_warp": STILL, "no_reference": 0.0, "appearance": 0.0, "vary_lines": False}
    moved, still = (drafts(dataset, sketch_warp=warp, random_palette_share=0.0, **plain)[2] for warp in (shift, None))
    sample, plain = compose(moved), compose(still)
    points = moved.drawing_warp.backward(64)
    expected = sample_at((plain.color + 1) * 127.5, points)
    assert ((sample.color + 1) * 127.5 - expected).abs().max() <= 3
    assert (sample.parts == nearest_at(plain.parts, points)).float().mean() > 0.97
    torch.testing.assert_close(sample.reference, sample.color)
    assert (sample.color - plain.color).abs().mean() > 0.02


def test_light_falls_on_the_reference_alone(dataset: Index):
    lit, plain = (pairs(dataset, light_share=s, self_warp=STILL, no_reference=0.0)[6] for s in (1.0, 0.0))
    torch.testing.assert_close(lit.color, plain.color)
    torch.testing.assert_close(lit.sketch, plain.sketch)
    light = (lit.reference + 1)[plain.reference > -0.5] / (plain.reference + 1)[plain.reference > -0.5]
    assert 0.53 < light.min() < 0.92
    assert light.max() <= 1


def test_a_scene_shows_two_figures_in_one_palette(dataset: Index):
    items = dataset.select("train")
    first, second = (load(dataset.root, item, 64) for item in (items[0], items[1]))
    scene = side_by_side(first, second, np.random.default_rng(0))
    names = [part.name for part in scene.parts]
    assert sorted(names) == sorted(set(names)) == sorted({part.name for part in first.parts})
    assert (scene.planes.float().sum(0) - 255).abs().max() <= len(names)  # opaque: base and coverages are the whole
    skin = scene.planes[3 + names.index("skin")] > 127
    filled = skin.any(0).nonzero().flatten()
    assert filled[0] < 32 < filled[-1]
    area = sum((figure.planes[3 + names.index("skin")] > 127).sum() for figure in (first, second))
    assert 0.2 < skin.sum() / area < 0.56


def test_figures_of_a_scene_hide_each_other_and_keep_nameless_parts_apart():
    solid = torch.zeros(5, 32, 32, dtype=torch.uint8)
    solid[4] = 255
    figure = Drawing((Part("background", (0, 0, 0)), Part("", (9, 9, 9))), solid)
    scene = side_by_side(figure, figure, np.random.default_rng(1))
    assert [part.name for part in scene.parts] == ["background", "", ""]
    assert scene.planes[3:].float().sum(0).eq(255).all()
    assert all((plane == 255).float().mean() > 0.05 for plane in scene.planes[3:])


def test_scenes_have_exact_truth_too(dataset: Index):
    """Wherever the truth is known, sketch and reference show a part in one and the same color."""
    data = pairs(dataset, recolor_share=1.0, scene_share=1.0, no_reference=0.0, recolor_warp=STILL)
    compared = 0
    for number in range(8):
        sample = data[number]
        for part in sample.parts.unique().tolist():
            here, there = (sample.parts[0] == part) & (sample.valid[0, 0] > 0), sample.reference_parts[0] == part
            if part >= 0 and here.sum() > 150 and there.sum() > 150:
                truth, shown = sample.color[0][:, here].mode(1).values, sample.reference[0][:, there].mode(1).values
                torch.testing.assert_close(truth, shown)
                compared += 1
    assert compared > 15


def nameless(dataset: Index) -> Index:
    """The data set with a name on the background alone."""
    items = tuple(
        replace(item, parts=tuple(replace(p, name=p.name if p.name == "background" else "") for p in item.parts))
        for item in dataset.items
    )
    return replace(dataset, items=items)


def test_nameless_parts_have_numbers_of_their_own_in_self_pairs_only(dataset: Index):
    for share, has_numbers in ((0.0, True), (1.0, False)):
        sample = pairs(nameless(dataset), recolor_share=share, no_reference=0.0, self_warp=STILL)[0]
        numbers = set(sample.parts.unique().tolist())
        assert 0 in numbers  # the background keeps its place in PART_NAMES
        assert (max(numbers) >= len(PART_NAMES)) == has_numbers
        assert ((sample.parts == -1).float().mean() > 0.15) != has_numbers
        assert not has_numbers or torch.equal(sample.parts, sample.reference_parts)


def test_drawn_lines_are_known(dataset: Index):
    sample = pairs(dataset, no_reference=0.0, random_palette_share=0.0, appearance=0.0)[0]
    ink = sample.parts[0] == PART_NAMES.index("ink")
    paper = sample.parts[0] == PART_NAMES.index("background")
    assert sample.lines[0, 0][ink].min() >= 0.5
    assert sample.lines[0, 0][paper].mean() < 0.1
    assert 0 <= sample.lines.min() <= sample.lines.max() <= 1


def test_the_cache_stays_within_its_bytes_and_decodes_once(dataset: Index, monkeypatch: pytest.MonkeyPatch):
    items, decoded = dataset.select("train")[:6], []

    def counting(root: Path, item: Item, size: int) -> Drawing:
        decoded.append(item.id)
        return load(root, item, size)

    monkeypatch.setattr("irodori.data.drawing.load", counting)
    one = load(dataset.root, items[0], 32).nbytes
    small, large = DrawingCache(dataset.root, 32, 3 * one), DrawingCache(dataset.root, 32, 100 * one)
    for item in [*items, *items]:
        torch.testing.assert_close(small[item].planes, load(dataset.root, item, 32).planes)
        assert 0 < small.nbytes <= 3 * one
    assert len(decoded) == 12
    for item in [*items, *items]:
        _ = large[item]
    assert len(decoded) == 18


def test_sources_can_be_left_out(dataset: Index):
    left = PairDataset(dataset, "train", DataOptions(leave_out=("round",)), 64, seed=3, length=100)
    assert {item.source for item in left.items} == {"square"}
    with pytest.raises(DataError, match="'?oval'?, which is no source"):
        pairs(dataset, leave_out=("oval",))
