"""The examples run, are short, and are what README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_python_example_runs_and_writes_pictures(tmp_path: Path):
    script = ROOT / "examples" / "colorize.py"
    assert len(script.read_text().splitlines()) < 60
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "colored").glob("*.png"))) == 5


def test_every_sample_sketch_has_its_reference():
    sketches = {path.name for path in (ROOT / "examples" / "sketches").glob("*.png")}
    assert sketches == {path.name for path in (ROOT / "examples" / "references").glob("*.png")}
    assert len(sketches) >= 4
    credits = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert all(Path(name).stem in credits for name in sketches)
