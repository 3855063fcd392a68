from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchmetrics.functional.image import lpips as published

from irodori.checkpoint import read_metadata, read_tensors
from irodori.errors import ConfigError, WeightsError
from irodori.nn import feature_files
from irodori.nn.feature_files import SOURCES, convert_features, default_folder, fetch_features, find_features

LPIPS = Path(published.__file__).parent / "lpips_models" / "vgg.pth"


@pytest.fixture
def pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a network and a classifier that stands for the published VGG16."""
    path = tmp_path / "vgg16-published.pth"
    torch.save({"features.0.weight": torch.arange(3.0), "classifier.0.weight": torch.ones(3)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    source = replace(SOURCES["vgg16"], url=path.as_uri(), sha256=digest)
    monkeypatch.setattr(feature_files, "SOURCES", {**SOURCES, "vgg16": source})
    return path


def test_the_names_of_pytorch_s_files_begin_their_sums():
    for name, beginning in (("vgg16", "397923af"), ("vgg19", "dcbb9e9d"), ("inception_v3_fid", "6726825d")):
        assert beginning in SOURCES[name].url
        assert SOURCES[name].sha256.startswith(beginning)
    assert all(len(source.sha256) == 64 for source in SOURCES.values())


def test_the_published_weights_of_lpips_are_the_known_ones(tmp_path: Path):
    converted = convert_features(LPIPS, tmp_path / "new")
    assert converted.name == "lpips_vgg16.safetensors"
    tensors = read_tensors(converted)
    stored = torch.load(LPIPS, map_location="cpu", weights_only=True)
    assert sorted(tensors) == [f"lin{number}.model.1.weight" for number in range(5)]
    assert all(torch.equal(tensor, stored[name]) for name, tensor in tensors.items())
    assert read_metadata(converted)["sha256"] == SOURCES["lpips_vgg16"].sha256


def test_fetched_weights_are_kept_without_the_classifier(pickled: Path, tmp_path: Path):
    folder = tmp_path / "features"
    path = fetch_features("vgg16", folder)
    assert [each.name for each in folder.iterdir()] == ["vgg16.safetensors"]
    tensors = read_tensors(path)
    assert list(tensors) == ["features.0.weight"]
    assert tensors["features.0.weight"].tolist() == [0, 1, 2]


def test_what_is_there_is_not_fetched_again(pickled: Path, tmp_path: Path):
    path = fetch_features("vgg16", tmp_path)
    pickled.unlink()
    assert fetch_features("vgg16", tmp_path) == path


def test_another_file_under_the_address_is_refused(pickled: Path, tmp_path: Path):
    pickled.write_bytes(pickled.read_bytes() + b"more")
    folder = tmp_path / "features"
    with pytest.raises(WeightsError, match=r"vgg16: cannot be fetched .*invalid hash value .*convert FILE"):
        fetch_features("vgg16", folder)
    assert list(folder.iterdir()) == []


def test_no_connection(pickled: Path, tmp_path: Path):
    pickled.unlink()
    with pytest.raises(WeightsError, match="download it by other means"):
        fetch_features("vgg16", tmp_path / "features")


def test_an_unknown_file_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("opened"))
    path = tmp_path / "vgg16-397923af.pth"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(WeightsError, match=r"none of the known files \(vgg16-397923af.pth, vgg.pth"):
        convert_features(path, tmp_path)
    with pytest.raises(WeightsError, match="no such file"):
        convert_features(tmp_path / "missing.pth", tmp_path)


def test_a_known_file_that_is_no_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "code.pth"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    source = replace(SOURCES["vgg16"], sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(feature_files, "SOURCES", {"vgg16": source})
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        convert_features(path, tmp_path / "features")
    assert not (tmp_path / "features" / "vgg16.safetensors").exists()


def test_unknown_names(tmp_path: Path):
    with pytest.raises(ConfigError, match="choose one of vgg16, lpips_vgg16, inception_v3_fid"):
        fetch_features("resnet", tmp_path)


def test_files_are_found_by_their_name_or_a_longer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert find_features("mobilenet_v2", tmp_path) is None
    longer = tmp_path / "mobilenet_v2_1.0_224.fp16.safetensors"
    longer.touch()
    assert find_features("mobilenet_v2", tmp_path) == longer
    (tmp_path / "mobilenet_v2.safetensors").touch()
    monkeypatch.setenv("IRODORI_FEATURES", str(tmp_path))
    assert default_folder() == tmp_path
    assert find_features("mobilenet_v2") == tmp_path / "mobilenet_v2.safetensors"


def test_the_default_folder_is_in_the_user_s_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("IRODORI_FEATURES", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "irodori" / "features"
