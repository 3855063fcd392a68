"""A project on a local Ray cluster of two workers, one of which is killed half way."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

from fakes import box_drawing
from irodori.image_io import read_metadata
from irodori.inference.colorizer import Colorizer
from irodori.projects.run import RunOptions, run_project
from irodori.systems import build_system, preset

ray = pytest.importorskip("ray", reason="ray is not installed (pip install 'irodori[cluster]')")
pytest.importorskip("ray.data", reason="Ray Data is not installed (pip install 'irodori[cluster]')")

PAGES = 16


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """A project of some pages, each the work of a moment, and a model, in the current folder."""
    Colorizer(build_system("scft", preset("scft/tiny").system), device="cpu").save_pretrained(tmp_path / "tiny")
    (tmp_path / "pages").mkdir()
    for number in range(PAGES):
        lines = box_drawing(1200, 900, (100, 100, 700 + number, 800), 4)
        Image.fromarray(lines).save(tmp_path / f"pages/{number}.png")
    Image.fromarray(np.full((40, 60, 3), (200, 40, 90), np.uint8)).save(tmp_path / "rin.png")
    (tmp_path / "irodori.toml").write_text(
        '[coloring]\nmodel = "tiny"\n[characters.rin]\nreferences = ["rin.png"]\n'
        '[[pages]]\nsketches = ["pages"]\ncharacters = ["rin"]\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.fixture
def cluster():
    """Two workers on this machine."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.mark.timeout(240)
def test_one_worker_killed_half_way(studio, cluster):
    killed, written = [], {}

    def on_finished(finished):
        for path in (studio / "colored").glob("*.png"):
            written.setdefault(path.name, path.stat().st_mtime_ns)
        if not killed and 3 <= len(written) < PAGES:
            killed.append(finished.process)
            os.kill(finished.process, signal.SIGKILL)

    report = run_project(studio, RunOptions(engine="ray", workers=2, device="cpu"), on_finished)
    assert killed, "all was done before a worker could be killed"
    assert killed[0] != os.getpid()
    assert {one.process for one in report.finished} - set(killed), "nobody took over"
    names = sorted(f"{number}.png" for number in range(PAGES))
    assert sorted(one.output.name for one in report.finished) == names
    assert not report.failed
    found = {path.name: path for path in (studio / "colored").iterdir()}
    assert sorted(found) == names
    assert all(found[name].stat().st_mtime_ns == when for name, when in written.items()), "a page was colored twice"
    for number in range(PAGES):
        about = json.loads(read_metadata(found[f"{number}.png"])["irodori"])
        assert about["sketch"] == f"{number}.png"
    again = run_project(studio, RunOptions(device="cpu"))  # without the cluster: the same pictures, so nothing to do
    assert len(again.of("skipped")) == PAGES
