"""Published models by name, from a hub that is a folder."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file

import released
from irodori.errors import InputError, WeightsError
from irodori.systems import load_system
from irodori.systems.colorizediffusion.memory import Estimate
from irodori.systems.downloads import ACCEPTED, PUBLISHED, Published, download
from irodori.weights import downloaded, file_hash, resolve


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A hub with a small v1 and a small CLIP; `asked` collects what is downloaded."""
    folder = tmp_path / "hub"
    found = SimpleNamespace(folder=folder, asked=[], digest=file_hash)
    for file, shapes in (
        ("tellurion/ColorizeDiffusion/mult-eps-newft.safetensors", released.small_shapes("v1")),
        ("laion/CLIP-ViT-H-14-laion2B-s32B-b79K/open_clip_model.safetensors", released.small_clip_shapes()),
    ):
        (folder / file).parent.mkdir(parents=True)
        tensors = {name: torch.ones(shape) for name, shape in shapes.items()}
        is_clip = "laion" in file
        save_file({_openclip(name) if is_clip else name: tensor for name, tensor in tensors.items()}, folder / file)

    def fetched(repository: str, name: str, revision: str) -> str:
        found.asked.append((repository, name, revision))
        return str(folder / repository / name)

    def metadata(url: str) -> SimpleNamespace:
        path, _, revision = url.partition("@")
        if not Path(path).is_file():
            raise OSError("no such repository")
        return SimpleNamespace(commit_hash=f"commit of {revision}", etag=found.digest(Path(path)))

    monkeypatch.setattr(
        huggingface_hub, "hf_hub_url", lambda repository, name, revision: f"{folder}/{repository}/{name}@{revision}"
    )
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", metadata)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetched)
    estimate = "irodori.systems.colorizediffusion.memory.estimate"  # takes a second, and is tested elsewhere
    monkeypatch.setattr(estimate, lambda *_: Estimate(0, 0, {"": (0, 0)}))
    monkeypatch.setenv("IRODORI_MODELS", str(tmp_path / "models"))
    return found


def _openclip(name: str) -> str:
    """Of a tensor in the authors' files, its name in OpenCLIP's own."""
    return name.removeprefix("cond_stage_model.transformer.model.").replace("cond_stage_model.visual.model.", "visual.")


def yes(model: Published) -> bool:
    return True


def test_a_model_is_downloaded_converted_and_found_by_its_name(hub):
    path = download("colorizediffusion-v1", yes, revision="v2.0")
    assert load_system(path).config.version == "v1"
    assert resolve("colorizediffusion-v1") == path
    assert list(downloaded()) == ["colorizediffusion-v1"]
    assert [revision for _, _, revision in hub.asked] == ["commit of v2.0", "commit of main"]
    hub.asked.clear()
    assert download("colorizediffusion-v1", yes) == path
    assert not hub.asked  # it is there


def test_a_license_is_asked_for_once(hub, tmp_path: Path):
    asked: list[str] = []

    def accept(model: Published) -> bool:
        asked.append(model.license)
        return len(asked) > 1

    with pytest.raises(InputError, match="CC BY-NC-SA 4.0 was not accepted, so nothing was downloaded"):
        download("colorizediffusion-v1", accept)
    assert not hub.asked
    path = download("colorizediffusion-v1", accept)
    path.unlink()
    download("colorizediffusion-v1", accept)
    assert asked == ["CC BY-NC-SA 4.0"] * 2
    assert json.loads((tmp_path / "models" / ACCEPTED).read_text()) == ["CC BY-NC-SA 4.0"]


def test_a_damaged_file_is_refused(hub, tmp_path: Path):
    hub.digest = lambda path: "0" * 64
    with pytest.raises(WeightsError, match="is not the file that the hub has"):
        download("colorizediffusion-v1", yes)
    assert not downloaded()


def test_without_a_connection_the_other_way_is_named(hub):
    with pytest.raises(WeightsError, match="no such repository.*irodori convert"):
        download("colorizediffusion-v2", yes)
    with pytest.raises(InputError, match="use one of colorizediffusion-v1, "):
        download("colorizediffusion-v9", yes)


def test_every_published_model_names_its_license():
    assert all(model.license and model.license_url.startswith("https://") for model in PUBLISHED.values())
