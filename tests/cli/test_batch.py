"""`irodori project` and `irodori batch` as a user types them."""

import json
import os
import shutil
import stat
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from fakes import box_drawing


@pytest.fixture
def studio(desk, tiny_model):
    """The desk with irodori.toml: three pages and a sequence of three frames."""
    (desk / "shot").mkdir()
    for number in range(3):
        Image.fromarray(box_drawing(90, 70, (10 + number, 10, 70 + number, 60), 2)).save(f"shot/{number}.png")
    project = f"""
    [coloring]
    model = {json.dumps(str(tiny_model))}

    [characters.rin]
    references = ["reference.png"]

    [[pages]]
    sketches = ["sketches"]
    characters = ["rin"]

    [[frames]]
    name = "shot"
    sketches = ["shot/*.png"]
    characters = ["rin"]
    """
    (desk / "irodori.toml").write_text(textwrap.dedent(project))
    return desk


def _outputs(folder):
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in sorted(folder.rglob("*.*"))}


def test_a_project_runs_and_then_has_nothing_to_do(irodori, studio):
    first = irodori("batch", "irodori.toml", "--device", "cpu")
    assert first.code == 0
    assert first.out.count("model tiny") == 6
    assert "shot  flicker: mean ΔE" in first.out
    made = _outputs(studio / "colored")
    assert list(made) == ["1.png", "10.png", "2.png", "shot/0.png", "shot/1.png", "shot/2.png"]
    again = irodori("batch", ".", "--device", "cpu")
    assert "6 already there" in again.out
    assert _outputs(studio / "colored") == made


def test_only_what_changed_is_colored_again(irodori, studio):
    irodori("batch", "irodori.toml", "--device", "cpu")
    before = _outputs(studio / "colored")
    Image.fromarray(box_drawing(90, 70, (12, 12, 70, 60), 3)).save("sketches/2.png")
    shutil.copy("sketches/1.png", "shot/1.png")
    assert irodori("batch", "irodori.toml", "--device", "cpu").code == 0
    changed = {name for name, when in _outputs(studio / "colored").items() if before[name] != when}
    assert changed == {"2.png", "shot/1.png", "shot/2.png"}  # the last frame follows the one before it


def test_failures_are_listed_and_the_rest_goes_on(irodori, studio):
    (studio / "sketches/10.png").write_bytes(b"")
    (studio / "shot/1.png").write_bytes(b"text")
    answer = irodori("batch", "irodori.toml", "--device", "cpu", "--json")
    found = json.loads(answer.out)
    assert answer.code == 1
    assert [one["outcome"] for one in found["results"]] == ["done", "done", "failed", "done", "failed", "done"]
    assert answer.err.count("failed: ") == 2
    assert "sketches/10.png" in answer.err
    assert not (studio / "colored/10.png").exists()


def test_a_stopped_run_leaves_nothing_behind(irodori, studio):
    irodori("batch", "irodori.toml", "--device", "cpu")
    rest = studio / "colored" / ".irodori-0123.tmp"
    rest.write_bytes(b"half")
    os.utime(rest, (1, 1))
    irodori("batch", "irodori.toml", "--device", "cpu")
    assert not rest.exists()


def test_layers_in_a_batch(irodori, studio):
    text = (studio / "irodori.toml").read_text().replace("[coloring]", '[coloring]\nformat = "ora"')
    (studio / "irodori.toml").write_text(text + "follow = false\n")
    assert irodori("batch", "irodori.toml", "--device", "cpu").code == 0
    assert "6 already there" in irodori("batch", "irodori.toml", "--device", "cpu").out
    assert (studio / "colored/1.ora").read_bytes()[38:54] == b"image/openraster"


def test_a_character_has_exactly_the_same_colors_on_every_page(irodori, studio):
    (studio / "rin.json").write_text('["#c83060", "#104050", "#fff0e0"]')
    text = (studio / "irodori.toml").read_text()
    text = text.replace("[characters.rin]", '[characters.rin]\npalette = "rin.json"').replace(
        "[coloring]", '[coloring]\nlines = "none"'
    )
    (studio / "irodori.toml").write_text(text)
    assert irodori("batch", "irodori.toml", "--device", "cpu").code == 0
    palette = {(200, 48, 96), (16, 64, 80), (255, 240, 224)}
    for path in (studio / "colored").rglob("*.png"):
        assert set(map(tuple, np.asarray(Image.open(path)).reshape(-1, 3).tolist())) <= palette


def test_init_check_and_a_misspelled_key(irodori, shell, desk, tiny_model):
    answer = irodori(
        "project", "init", "--reference", "rin=reference.png", "--pages", "sketches", "--frames", "sketches"
    )
    assert answer.out.startswith("irodori.toml")
    answer = irodori("project", "check", ".")
    assert (answer.code, answer.out.count("after reference.png")) == (0, 6)
    assert not list(desk.glob("colored/*.png"))
    text = (desk / "irodori.toml").read_text(encoding="utf-8")
    (desk / "irodori.toml").write_text(text.replace("sketches =", "sketch =", 1), encoding="utf-8")
    answer = shell("batch", "irodori.toml")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: irodori.toml: pages[0].sketch: unknown key; did you mean 'sketches'?")
    assert irodori("project", "init").code == 2
    assert irodori("batch", "gone.toml").code == 2


FFMPEG = """#!{python}
import sys, pathlib, json
import numpy as np
from PIL import Image
arguments = sys.argv[1:]
if "ffprobe" in sys.argv[0]:
    print("25/2")
    sys.exit()
source, target = arguments[arguments.index("-i") + 1], arguments[-1]
if "%06d" in target:
    with open(source, "rb") as file:
        frames = np.load(file)
    for number, frame in enumerate(frames, start=1):
        Image.fromarray(frame).save(target % number)
else:
    files = sorted(pathlib.Path(source).parent.iterdir())
    assert [file.name for file in files] == [pathlib.Path(source % number).name for number in range(1, len(files) + 1)]
    rate = arguments[arguments.index("-framerate") + 1]
    pictures = [np.asarray(Image.open(file).convert("RGB")).tolist() for file in files]
    pathlib.Path(target).write_text(json.dumps([rate, pictures]))
"""


@pytest.fixture
def stand_in(studio, monkeypatch):
    """Programs called ffmpeg and ffprobe that understand our calls, for "videos" that are NumPy's files."""
    for name in ("ffmpeg", "ffprobe"):
        path = studio / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(FFMPEG.replace("{python}", sys.executable))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{studio / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with open("in.mp4", "wb") as file:
        np.save(file, np.stack([np.asarray(Image.open(f"shot/{number}.png")) for number in range(3)]))
    text = (studio / "irodori.toml").read_text()
    text = text.replace('sketches = ["shot/*.png"]', 'video = "in.mp4"\noutput_video = "out/shot.mp4"')
    (studio / "irodori.toml").write_text(text)
    return studio


def test_a_video_goes_in_and_comes_out(irodori, stand_in):
    answer = irodori("batch", "irodori.toml", "--device", "cpu")
    assert (answer.code, answer.out.count("model tiny")) == (0, 6)
    rate, pictures = json.loads((stand_in / "colored/out/shot.mp4").read_text())
    assert float(rate) == 12.5
    frames = [np.asarray(Image.open(stand_in / f"colored/shot/00000{number}.png")) for number in (1, 2, 3)]
    assert np.array_equal(np.array(pictures), frames)
    assert "6 already there" in irodori("batch", "irodori.toml", "--device", "cpu").out


def test_a_video_without_ffmpeg(irodori, stand_in, monkeypatch):
    monkeypatch.setenv("PATH", str(stand_in))
    answer = irodori("batch", "irodori.toml", "--device", "cpu")
    assert (answer.code, answer.out) == (2, "")
    assert "in.mp4 is a video, for which the program ffmpeg is needed: install ffmpeg" in answer.err


def test_a_damaged_video(irodori, stand_in):
    (stand_in / "in.mp4").write_bytes(b"nothing")
    answer = irodori("batch", "irodori.toml", "--device", "cpu")
    assert answer.code == 2
    assert "in.mp4 cannot be read or written as a video" in answer.err


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_real_video(irodori, studio):
    from irodori.projects.video import join_frames, take_frames

    frames = [studio / f"shot/{number}.png" for number in range(3)]
    join_frames(frames, studio / "real.mp4", 12)
    found, rate = take_frames(studio / "real.mp4", studio / "frames")
    assert (len(found), rate) == (3, 12)
    difference = np.asarray(Image.open(found[1]).convert("L")).astype(int) - np.asarray(Image.open(frames[1]))
    assert np.abs(difference).mean() < 8
