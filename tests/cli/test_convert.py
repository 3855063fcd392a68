"""`irodori convert`: published weights in, a weight file of ours out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import released
from irodori.checkpoint import read_header

FROM = ("convert", "--from", "colorizediffusion")


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """A small file of the authors', one of CLIP, and the path of the result."""
    authors, clip = tmp_path / "mult-eps.safetensors", tmp_path / "clip.safetensors"
    save_file({name: torch.ones(shape) for name, shape in released.small_shapes("v1").items()}, authors)
    save_file({name: torch.ones(shape) for name, shape in released.small_clip_shapes().items()}, clip)
    return str(authors), f"clip={clip}", str(tmp_path / "model.safetensors")


def test_a_file_is_converted(irodori, files):
    authors, clip, output = files
    answer = irodori(*FROM, authors, "-o", output, "--with", clip, "--set", "prediction=v")
    assert answer.code == 0
    assert "ColorizeDiffusion v1, predicts v, 512 px, about " in answer.err
    assert "GB of GPU memory" in answer.err
    assert answer.out.strip().endswith("colorizediffusion, license: CC BY-NC-SA 4.0")
    assert read_header(Path(output)).system == "colorizediffusion"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "--with clip=FILE"),
        (("--with", "clip"), "write ROLE=FILE"),
        (("--with", "names=tags.txt"), "--with names: this layout knows no such thing; use clip"),
    ],
)
def test_wrong_use_is_exit_code_2(irodori, files, more, message):
    answer = irodori(*FROM, files[0], "-o", files[2], *more)
    assert answer.code == 2
    assert message in answer.err
    assert not Path(files[2]).exists()


def test_a_misspelled_setting_is_named(irodori, files):
    answer = irodori(*FROM, files[0], "-o", files[2], "--with", files[1], "--set", "predicton=v")
    assert answer.code == 2
    assert "did you mean 'prediction'" in answer.err
