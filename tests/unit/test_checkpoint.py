import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from irodori.checkpoint import Header, _umask, check_keys, load, read_header, save
from irodori.errors import WeightsError
from irodori.systems import load_system
from irodori.weights import file_hash, resolve, shipped

HEADER = Header("scft", {"image_size": 32}, {"preset": "scft/tiny"})
TENSORS = {"a": torch.arange(4.0), "b": torch.tensor([1, 2])}


def test_header_and_tensors_come_back(tmp_path: Path):
    save(tmp_path / "w.safetensors", HEADER, TENSORS)
    header, tensors = load(tmp_path / "w.safetensors")
    assert header == HEADER == read_header(tmp_path / "w.safetensors")
    assert os.name == "nt" or (tmp_path / "w.safetensors").stat().st_mode & 0o444 == 0o444 & ~_umask()
    assert all(torch.equal(tensors[key], value) for key, value in TENSORS.items())


def test_half_precision_is_stored_and_read_as_float32(tmp_path: Path):
    save(tmp_path / "w.safetensors", HEADER, {"a": torch.tensor([0.1])}, torch.float16)
    _, tensors = load(tmp_path / "w.safetensors")
    assert tensors["a"].dtype == torch.float32
    assert tensors["a"].item() == torch.tensor(0.1).half().item()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.safetensors", b"", "not a readable safetensors"),
        ("w.safetensors", b"\x08\0\0\0\0\0\0\0{}      rest", "not a weight file of irodori|not a readable"),
        ("w.safetensors", b"\xff" * 64, "not a readable safetensors"),
        ("w.pt", pickle.dumps({"a": 1}), "pickled weights can run code"),
        ("w.ckpt", b"", "pickled weights can run code"),
    ],
)
def test_damaged_and_dangerous_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        load(tmp_path / name)


def test_truncated_files_are_refused(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save(path, HEADER, TENSORS)
    whole = path.read_bytes()
    for length in (1, 8, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="w.safetensors"):
            load(path)


def test_foreign_and_missing_files_are_refused(tmp_path: Path):
    save_file(TENSORS, str(tmp_path / "foreign.safetensors"))
    with pytest.raises(WeightsError, match="convert foreign weights"):
        load(tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match="no such weight file"):
        load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float):
    save(tmp_path / "w.safetensors", HEADER, {"good": torch.ones(2), "bad": torch.tensor([value])})
    with pytest.raises(WeightsError, match=r"1 tensors hold NaN or infinity \(bad\)"):
        load(tmp_path / "w.safetensors")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "w.safetensors"
    save(path, HEADER, TENSORS)
    before = path.read_bytes()

    def full_disk(tensors, name, metadata):
        Path(name).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("irodori.checkpoint.save_file", full_disk)
    with pytest.raises(WeightsError, match="No space left"):
        save(path, HEADER, TENSORS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(WeightsError, match="cannot be written"):
        save(tmp_path / "none" / "w.safetensors", HEADER, TENSORS)


def test_key_differences_are_counted_and_named():
    expected = {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(1)}
    found = {"a": torch.zeros(2), "b": torch.zeros(4), "d": torch.zeros(1)}
    with pytest.raises(WeightsError, match=r"1 missing \['c'\], 1 unexpected \['d'\], 1 of another shape \['b'\]"):
        check_keys(Path("w"), expected, found)
    check_keys(Path("w"), expected, expected)


def test_names_resolve_to_files(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"x")
    assert resolve(str(tmp_path)) == tmp_path / "model.safetensors"
    assert resolve(str(tmp_path / "model.safetensors")).name == "model.safetensors"
    for name, path in shipped().items():
        assert resolve(name) == path
    with pytest.raises(WeightsError, match="scft-smal: neither shipped weights"):
        resolve("scft-smal")
    with pytest.raises(WeightsError, match="not found in the local cache"):
        resolve("nobody/nothing", offline=True)


def test_file_hash_is_sha256(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_hash(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    "header",
    [Header(["scft"], {}, {}), Header("scft", [1], {}), Header("scft", {}, "x"), Header("scft", {"channels": "x"}, {}),
     Header("nothing", {}, {}), Header("scft", {"channels": [600_000] * 5}, {})],
    ids=["system", "config", "provenance", "value", "name", "huge"],
)  # fmt: skip
def test_headers_that_lie_are_refused_before_anything_is_allocated(tmp_path: Path, header: Header):
    save(tmp_path / "w.safetensors", header, TENSORS)
    with pytest.raises(WeightsError, match="w.safetensors"):
        load_system(tmp_path / "w.safetensors")
