"""One call or in steps, the same picture; encodings are kept; provenance tells how it was made."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fakes import FakeSystem, box_drawing
from irodori.checkpoint import read_tensors
from irodori.errors import InputError, WeightsError
from irodori.image_io import read_metadata
from irodori.inference.colorizer import Colorizer, select_device
from irodori.systems import build_system, preset

SKETCH = box_drawing(120, 90, (20, 20, 100, 70), 2)
RED = np.full((50, 70, 3), (230, 20, 10), np.uint8)
BLUE = np.full((40, 31, 3), (10, 20, 230), np.uint8)


@pytest.fixture
def colorizer():
    return Colorizer(FakeSystem(), device="cpu")


def _tiny():
    return Colorizer(build_system("scft", preset("scft/tiny").system), device="cpu")


def test_the_result_has_the_sketchs_size_and_the_references_color(colorizer):
    result = colorizer(SKETCH, RED)
    assert result.image.size == (90, 120)
    assert result.image.mode == "RGB"
    middle = result.pixels[60, 45].astype(int)
    assert middle[0] > 180
    assert middle[2] < 60
    assert result.pixels[20, 40].max() == 0  # the artist's line
    assert result.color_pixels.max(axis=2).min() > 180  # no ink of the network
    assert np.array_equal(np.asarray(result.lines), SKETCH)
    assert result.colors_only.size == (90, 120)


@pytest.mark.parametrize("size", [(17, 31), (31, 17), (1000, 37), (301, 299)])
def test_any_size(colorizer, size):
    sketch = np.full(size, 255, np.uint8)
    sketch[size[0] // 2] = 0
    for mode in ("keep", "model", "none"):
        assert colorizer(sketch, RED, lines=mode).image.size == size[::-1]


def test_paths_pil_and_arrays_are_the_same(colorizer, tmp_path):
    Image.fromarray(SKETCH).save(tmp_path / "s.png")
    Image.fromarray(RED).save(tmp_path / "r.png")
    expected = colorizer(SKETCH, RED).pixels
    for sketch, reference in (
        (tmp_path / "s.png", str(tmp_path / "r.png")),
        (Image.fromarray(SKETCH), Image.fromarray(RED)),
        (SKETCH, [RED]),
    ):
        assert np.array_equal(colorizer(sketch, reference).pixels, expected)


def test_seed_decides(colorizer):
    assert np.array_equal(colorizer(SKETCH, RED, seed=3).pixels, colorizer(SKETCH, RED, seed=3).pixels)
    assert not np.array_equal(colorizer(SKETCH, RED, seed=3).pixels, colorizer(SKETCH, RED, seed=4).pixels)


def test_in_steps_it_is_the_same(colorizer):
    expected = colorizer(SKETCH, [RED, BLUE], seed=2, lines="none").pixels
    other = Colorizer(FakeSystem(), device="cpu")
    other.set_reference([RED, BLUE])
    other.set_sketch(SKETCH)
    assert np.array_equal(other.run(seed=2, lines="none").pixels, expected)


def test_encodings_are_kept(colorizer):
    colorizer.set_sketch(SKETCH)
    colorizer.set_reference(RED)
    for seed in range(3):
        colorizer.run(seed=seed)
    colorizer.set_reference(BLUE)
    colorizer.run()
    assert colorizer.system.calls == {"sketch": 1, "references": 2, "paint": 4}
    colorizer.set_sketch(SKETCH)
    colorizer.run()
    assert colorizer.system.calls == {"sketch": 2, "references": 2, "paint": 5}


def test_another_image_size_encodes_the_reference_again(colorizer):
    colorizer.set_reference(RED)
    colorizer.set_sketch(SKETCH)
    colorizer.run()
    colorizer.set_sketch(SKETCH, image_size=128)
    result = colorizer.run()
    assert colorizer.system.calls["references"] == 2
    assert result.network_image.shape == (128, 96, 3)
    assert result.provenance["image_size"] == "128"


def test_run_before_set_sketch_says_so(colorizer):
    with pytest.raises(InputError, match="set_sketch"):
        colorizer.run()


def test_without_a_reference(colorizer):
    result = colorizer(SKETCH)
    assert result.correspondence is None
    assert abs(int(result.pixels[60, 45, 0]) - 128) < 30


@pytest.mark.parametrize("options", [{"lines": "both"}, {"image_size": 32}, {"image_size": 4096}, {"polarity": "x"}])
def test_wrong_options_are_refused(colorizer, options):
    with pytest.raises(InputError):
        colorizer(SKETCH, RED, **options)


def test_a_failed_call_keeps_what_was_set(colorizer):
    colorizer.set_sketch(SKETCH)
    with pytest.raises(InputError):
        colorizer.set_sketch("nowhere.png")
    assert colorizer.run().image.size == (90, 120)


def test_devices():
    assert select_device("cpu").type == "cpu"
    with pytest.raises(InputError, match="auto, cpu, cuda"):
        select_device("tpu")


def test_a_missing_gpu_is_one_sentence(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert select_device("auto").type == "cpu"
    with pytest.raises(InputError, match="no CUDA device"):
        select_device("cuda")


def test_save_carries_provenance(colorizer, tmp_path):
    result = colorizer(SKETCH, RED, seed=5)
    result.save(tmp_path / "out.png", extra={"sketch_sha256": "abc"})
    stored = json.loads(read_metadata(tmp_path / "out.png")["irodori"])
    assert stored == {**result.provenance, "sketch_sha256": "abc"}
    assert stored["seed"] == "5"
    assert stored["model"] == stored["system"] == "fake"
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), result.pixels)


def test_save_pretrained_round_trip_is_identical(tmp_path):
    first = _tiny()
    first.save_pretrained(tmp_path / "model")
    second = Colorizer.from_pretrained(tmp_path / "model", device="cpu")
    second.save_pretrained(tmp_path / "again")
    assert np.array_equal(first(SKETCH, RED).pixels, second(SKETCH, RED).pixels)
    assert second.name == "model"
    assert len(second.weights_hash) == 64
    stored = [read_tensors(tmp_path / name / "model.safetensors") for name in ("model", "again")]
    assert stored[0].keys() == stored[1].keys()
    assert all(torch.equal(stored[0][key], stored[1][key]) for key in stored[0])


def test_errors_of_weights_and_folders(tmp_path):
    with pytest.raises(WeightsError):
        Colorizer.from_pretrained(tmp_path / "none")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError):
        _tiny().save_pretrained(tmp_path / "file" / "below")


def test_provenance_names_no_folder(tmp_path):
    _tiny().save_pretrained(tmp_path / "model")
    provenance = Colorizer.from_pretrained(tmp_path / "model", device="cpu")(SKETCH).provenance
    assert str(Path(tmp_path)) not in json.dumps(provenance)
