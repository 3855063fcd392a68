from __future__ import annotations

import json
from pathlib import Path

from torchmetrics.functional.image import lpips

PUBLISHED = Path(lpips.__file__).parent / "lpips_models" / "vgg.pth"


def test_convert_then_list(irodori, tmp_path):
    answer = irodori("benchmark", "features", "convert", PUBLISHED, "--folder", tmp_path)
    assert (answer.code, answer.out) == (0, f"{tmp_path / 'lpips_vgg16.safetensors'}\n")
    listed = irodori("benchmark", "features", "list", "--folder", tmp_path, "--json")
    found = {row["name"]: row["file"] for row in json.loads(listed.out)}
    assert found["lpips_vgg16"] == str(tmp_path / "lpips_vgg16.safetensors")
    assert {name for name, file in found.items() if file is None} == {
        *("vgg16", "vgg19", "inception_v3_fid", "clip_vit_b32", "mobilenet_v2"),
    }
    assert "vgg16              missing  (LPIPS, SR, CR)" in irodori("benchmark", "features", "list").out


def test_what_cannot_be_had_is_exit_code_2(irodori, tmp_path):
    (tmp_path / "vgg16-397923af.pth").write_bytes(b"no weights")
    answer = irodori("benchmark", "features", "convert", tmp_path / "vgg16-397923af.pth", "--folder", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert "none of the known files" in answer.err
    answer = irodori("benchmark", "features", "fetch", "resnet", "--folder", tmp_path)
    assert answer.code == 2
    assert "choose one of vgg16" in answer.err


def test_fetch_prints_the_file(irodori, tmp_path):
    (tmp_path / "vgg16.safetensors").touch()
    answer = irodori("benchmark", "features", "fetch", "vgg16", "--folder", tmp_path)
    assert (answer.code, answer.out) == (0, f"{tmp_path / 'vgg16.safetensors'}\n")
