"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from irodori.data.index import Index, read_index
from irodori.data.prepare import PrepareOptions, prepare
from packs import make_pack

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vector art pack of two styles, thirty figures each."""
    return make_pack(tmp_path_factory.mktemp("pack") / "faces")


@pytest.fixture(scope="session")
def dataset(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The pack, prepared at 64 px."""
    folder = tmp_path_factory.mktemp("dataset") / "faces"
    prepare([pack], folder, PrepareOptions(image_size=64), progress=False)
    return read_index(folder)
