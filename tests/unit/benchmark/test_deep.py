"""Figures with feature networks: under the network's name, 0 for the same pictures, and never mixed."""

import numpy as np
import pytest
import torch
from PIL import Image

from benches import make_bench, write_answers
from irodori.benchmark import deep
from irodori.benchmark.answers import add_pictures
from irodori.benchmark.deep import DeepFigures, find_feature_file
from irodori.benchmark.figures import figure_named, in_order
from irodori.benchmark.report import build_report
from irodori.benchmark.score import ScoreOptions, score
from irodori.checkpoint import write_atomically
from irodori.errors import ConfigError, WeightsError
from irodori.image import to_tensor
from irodori.image_io import read_image
from irodori.metrics.similarity import style_relevance
from irodori.nn.features import FEATURES, MobileNetV2, MobileNetV2Embedding, load_features
from networks import fill

LPIPS, CR, SR = (
    f"{name}[mobilenet_v2{more}]"
    for name, more in (("lpips", ", unweighted"), ("content_relevance", ""), ("style_relevance", ""))
)

TRACKS = ("recolor", "cross")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A file with a MobileNetV2 filled by rule."""
    path = tmp_path_factory.mktemp("networks") / "mobilenet_v2_small.safetensors"
    tensors = {**fill(MobileNetV2()).state_dict(), **fill(MobileNetV2Embedding()).state_dict()}
    write_atomically(path, tensors, {})
    return find_feature_file(str(path))


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path / "bench", drawings=2)


def _score(bench, results, images, features):
    return score(
        bench,
        add_pictures(results, images.name, images),
        ScoreOptions(tracks=TRACKS, features=features, progress=False),
    )


def test_same_pictures_are_the_same_to_a_network(bench, tmp_path, network):
    perfect = write_answers(bench, tmp_path / "perfect")
    for case in bench.cases:
        if case.truth:
            Image.open(bench.root / case.truth).save(perfect / case.answer)
    dark = write_answers(bench, tmp_path / "dark", shade=100)
    good, bad = (_score(bench, tmp_path / "results", images, (network,)).rows[0].figures for images in (perfect, dark))
    assert good[LPIPS] == pytest.approx(0, abs=1e-5)
    assert good[CR] == pytest.approx(1, abs=1e-5)
    assert good["embedding_similarity[mobilenet_v2]"] == pytest.approx(1, abs=1e-5)
    assert bad[LPIPS] > 0.01
    assert bad[CR] < 0.999
    reference = to_tensor(read_image(bench.root / bench.cases[0].references[0]))[0]
    answer = to_tensor(read_image(dark / bench.cases[0].answer))[0]
    assert bad[SR] == pytest.approx(
        style_relevance(load_features(network.name, network.path), answer, reference), abs=1e-5
    )


def test_sets_of_the_references_themselves_are_no_distance_away(bench, tmp_path, network, monkeypatch):
    images = write_answers(bench, tmp_path / "copies")
    for case in bench.cases:
        if case.track == "cross":
            Image.open(bench.root / case.references[0]).save(images / case.answer)
    monkeypatch.setattr(deep, "BINS", 2)
    found = _score(bench, tmp_path / "results", images, (network,))
    sets = found.about["sets"]["cross"]
    assert (sets["pictures"], sets["references"]) == (2, 2)
    assert sets["figures"]["fid[mobilenet_v2]"] == pytest.approx(0, abs=1e-2)
    assert (sets["figures"]["ndb"], sets["figures"]["jsd"]) == (0, pytest.approx(0, abs=1e-6))
    report = build_report(bench, [found])
    assert report["tracks"]["cross"]["sets"]["ndb"] == {"copies": 0}
    half = ScoreOptions(tracks=("cross",), limit=1, features=(network,), progress=False)
    less = score(bench, add_pictures(tmp_path / "results", "less", images), half)
    assert build_report(bench, [found, less])["tracks"]["cross"]["sets"] == {}  # sets of different cases
    assert report["figures"]["fid[mobilenet_v2]"]["title"] == "FID [mobilenet_v2]"


def test_sets_are_kept_while_nothing_changed(bench, tmp_path, network, monkeypatch):
    images = write_answers(bench, tmp_path / "images")
    first = _score(bench, tmp_path / "results", images, (network,)).about["sets"]
    monkeypatch.setattr(deep, "_compare", lambda *_: pytest.fail("computed again"))
    assert _score(bench, tmp_path / "results", images, (network,)).about["sets"] == first
    monkeypatch.setattr(deep, "_compare", lambda *_: {"figures": {}})
    Image.new("RGB", (64, 64), "red").save(images / "cross-0.png")
    assert _score(bench, tmp_path / "results", images, (network,)).about["sets"] != first


def test_other_networks_score_again(bench, tmp_path, network):
    images = write_answers(bench, tmp_path / "images")
    assert LPIPS not in _score(bench, tmp_path / "results", images, ()).rows[0].figures
    assert LPIPS in _score(bench, tmp_path / "results", images, (network,)).rows[0].figures


def test_failures_have_no_value_where_there_is_no_worst(bench, tmp_path, network):
    images = write_answers(bench, tmp_path / "images")
    (images / "recolor-0.png").unlink()
    row = _score(bench, tmp_path / "results", images, (network,)).rows[0]
    assert (row.status, row.figures[LPIPS], row.figures["psnr"]) == ("failed", None, 0)


def test_learned_weights_of_lpips_go_to_their_network(tmp_path, monkeypatch):
    """The weights of lpips_vgg16 are for vgg16; here a small network plays its part."""

    class Small(MobileNetV2):
        name = "vgg16"

    monkeypatch.setitem(FEATURES, "vgg16", Small)
    write_atomically(tmp_path / "vgg16.safetensors", fill(Small()).state_dict(), {})
    channels = [maps.shape[1] for maps in Small()(torch.zeros(1, 3, 64, 64))]
    learned = {f"lin{n}.model.1.weight": torch.ones(1, count, 1, 1) for n, count in enumerate(channels)}
    write_atomically(tmp_path / "lpips_vgg16.safetensors", learned, {})
    files = [find_feature_file(str(tmp_path / f"{name}.safetensors")) for name in ("vgg16", "lpips_vgg16")]
    assert [file.name for file in files] == ["vgg16", "lpips_vgg16"]
    assert "lpips[vgg16, lin]" in DeepFigures(files).measures
    assert "lpips[vgg16, unweighted]" in DeepFigures(files[:1]).measures


def test_files_are_found_by_name_and_refused_with_a_remedy(tmp_path, monkeypatch, network):
    monkeypatch.setenv("IRODORI_FEATURES", str(tmp_path))
    with pytest.raises(WeightsError, match="features fetch vgg16"):
        find_feature_file("vgg16")
    with pytest.raises(WeightsError, match="mobilenet_v2=FILE"):
        find_feature_file("mobilenet_v2")
    (tmp_path / "mobilenet_v2.safetensors").write_bytes(network.path.read_bytes())
    assert find_feature_file("mobilenet_v2").sha256 == network.sha256
    assert find_feature_file(f"mobilenet_v2={network.path}") == network
    with pytest.raises(WeightsError, match="no such weight file"):
        find_feature_file("mobilenet_v2=nothing")
    for text in ("nothing", f"resnet={network.path}"):
        with pytest.raises(ConfigError, match="names no feature network.*vgg16"):
            find_feature_file(text)


def test_names_and_order_of_figures():
    found = in_order([SR, "psnr", LPIPS, "part_accuracy", "fid[mobilenet_v2]"])
    assert [figure.name for figure in found] == ["part_accuracy", "psnr", LPIPS, SR, "fid[mobilenet_v2]"]
    assert figure_named(LPIPS).title == "LPIPS [mobilenet_v2, unweighted]"
    for name in ("lpips", "psnr[vgg16]", "nothing"):
        with pytest.raises(KeyError):
            figure_named(name)


def test_pixels_of_sets_are_those_of_the_answers(bench, tmp_path, monkeypatch):
    """Half of the clusters are empty when all answers are one picture."""
    images = write_answers(bench, tmp_path / "one")
    for case in bench.cases:
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(images / case.answer)
    monkeypatch.setattr(deep, "BINS", 2)
    assert _score(bench, tmp_path / "results", images, ()).about["sets"]["cross"]["figures"]["jsd"] > 0.1
