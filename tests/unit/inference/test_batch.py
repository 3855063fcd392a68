"""Which jobs there are, and that a batch resumes, reuses references and survives failures."""

import json

import numpy as np
import pytest
from PIL import Image

from fakes import FakeSystem, MirrorSystem, box_drawing
from irodori.errors import InputError
from irodori.image_io import read_metadata
from irodori.inference.batch import Options, plan_jobs, run_jobs
from irodori.inference.colorizer import Colorizer

SKETCH = box_drawing(60, 50, (10, 10, 50, 40), 2)


@pytest.fixture
def files(tmp_path):
    """sketches/{a,b,c}.png, references/{a,b}.png, one.png, and ``tmp_path`` itself."""
    for name, level in (("a", 60), ("b", 120), ("c", 180)):
        (tmp_path / "sketches").mkdir(exist_ok=True)
        Image.fromarray(np.minimum(SKETCH, 255 - (ord(name) - 97))).save(tmp_path / "sketches" / f"{name}.png")
        (tmp_path / "references").mkdir(exist_ok=True)
        if name != "c":
            picture = Image.fromarray(np.full((40, 40, 3), (level, 0, 255 - level), np.uint8))
            picture.save(tmp_path / "references" / f"{name}.png")
    Image.fromarray(np.full((40, 40, 3), 99, np.uint8)).save(tmp_path / "one.png")
    return tmp_path


@pytest.fixture
def colorizer(tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(b"weights")
    return Colorizer(FakeSystem(), device="cpu", source=weights)


def test_one_sketch_to_a_file(files):
    (job,) = plan_jobs([files / "sketches/a.png"], [files / "one.png"], files / "new/out.webp")
    assert job.output == files / "new/out.webp"
    assert job.references == (files / "one.png",)
    assert (files / "new").is_dir()


def test_several_sketches_go_to_a_folder(files):
    jobs = plan_jobs([files / "sketches"], [files / "one.png", files / "references/a.png"], files / "out")
    assert [job.output.name for job in jobs] == ["a.png", "b.png", "c.png"]
    assert all(job.references == (files / "one.png", files / "references/a.png") for job in jobs)


def test_clashing_stems_get_the_suffix(files):
    Image.fromarray(SKETCH).save(files / "a.jpg")
    jobs = plan_jobs([files / "sketches/a.png", files / "a.jpg", files / "one.png"], [], files / "out")
    assert [job.output.name for job in jobs] == ["a_png.png", "a_jpg.png", "one.png"]


def test_a_reference_folder_is_paired_by_stem(files):
    jobs = plan_jobs([files / "sketches"], [files / "references"], files / "out")
    assert [job.references for job in jobs[:2]] == [(files / f"references/{name}.png",) for name in "ab"]
    assert "c.png has no reference" in jobs[2].problem


def test_a_reference_folder_with_one_picture_is_for_all(files):
    (files / "references/b.png").unlink()
    jobs = plan_jobs([files / "sketches"], [files / "references"], files / "out")
    assert {job.references for job in jobs} == {(files / "references/a.png",)}


@pytest.mark.parametrize(
    ("sketches", "references", "output"),
    [
        (["sketches"], [], "out.png"),  # a folder into a file
        (["sketches/a.png"], [], "sketches/a.png"),  # onto itself
        (["sketches/a.png"], ["one.png"], "one.png"),  # onto the reference
        (["sketches"], [], "sketches"),
        (["sketches/a.png"], ["gone.png"], "out.png"),
        (["gone.png"], [], "out.png"),
        (["sketches/a.png"], [], "out.gif"),
        (["sketches/a.png"], ["references", "one.png"], "out.png"),
        (["sketches/a.png"], [], "one.png/below"),
        (["empty"], [], "out"),
    ],
)
def test_what_cannot_work_is_refused_before_the_work(files, sketches, references, output):
    (files / "empty").mkdir()
    with pytest.raises(InputError):
        plan_jobs([files / name for name in sketches], [files / name for name in references], files / output)


def test_a_batch_goes_on_after_failures_and_lists_them(files, colorizer, capsys):
    (files / "sketches/b.png").write_text("no picture", encoding="utf-8")
    jobs = plan_jobs([files / "sketches"], [files / "references"], files / "out")
    report = run_jobs(colorizer, jobs)
    assert [done.job.output.name for done in report.done] == ["a.png"]
    assert [path.name for path, _ in report.failed] == ["b.png", "c.png"]
    assert "3/3" in capsys.readouterr().err
    assert sorted(path.name for path in (files / "out").iterdir()) == ["a.png"]


def test_a_batch_resumes(files, colorizer):
    jobs = plan_jobs([files / "sketches"], [files / "one.png"], files / "out")
    assert len(run_jobs(colorizer, jobs[:2]).done) == 2
    report = run_jobs(colorizer, jobs)
    assert (len(report.done), len(report.skipped)) == (1, 2)
    assert len(run_jobs(colorizer, jobs, overwrite=True).done) == 3


def test_what_changed_is_done_again(files, colorizer):
    jobs = plan_jobs([files / "sketches"], [files / "one.png"], files / "out")
    run_jobs(colorizer, jobs)
    assert len(run_jobs(colorizer, jobs, Options(seed=1)).done) == 3
    Image.fromarray(255 - SKETCH).save(files / "sketches/a.png")
    assert [done.job.sketch.name for done in run_jobs(colorizer, jobs, Options(seed=1)).done] == ["a.png"]
    Image.fromarray(np.full((40, 40, 3), 12, np.uint8)).save(files / "one.png")
    assert len(run_jobs(colorizer, jobs, Options(seed=1)).done) == 3
    (files / "weights").write_bytes(b"other")
    other = Colorizer(FakeSystem(), device="cpu", source=files / "weights")
    assert len(run_jobs(other, jobs, Options(seed=1)).done) == 3


def test_a_foreign_file_is_not_replaced(files, colorizer):
    Image.fromarray(SKETCH).save(files / "out.png")
    jobs = plan_jobs([files / "sketches/a.png"], [], files / "out.png")
    assert "not made by irodori" in run_jobs(colorizer, jobs).failed[0][1]
    assert len(run_jobs(colorizer, jobs, overwrite=True).done) == 1


def test_consecutive_jobs_share_the_reference(files, colorizer):
    run_jobs(colorizer, plan_jobs([files / "sketches"], [files / "one.png"], files / "out"))
    assert colorizer.system.calls == {"sketch": 3, "references": 1, "paint": 3}


def test_an_unreadable_reference_does_not_leave_the_last_one_set(files, colorizer):
    (files / "references/b.png").write_text("no picture", encoding="utf-8")
    Image.fromarray(np.full((40, 40, 3), (0, 255, 0), np.uint8)).save(files / "references/c.png")
    jobs = plan_jobs([files / "sketches"], [files / "references"], files / "out")
    report = run_jobs(colorizer, jobs)
    assert [path.name for path, _ in report.failed] == ["b.png"]
    assert Image.open(files / "out/c.png").getpixel((25, 30))[1] > 180


def test_attention_pictures(files, colorizer):
    jobs = plan_jobs([files / "sketches"], [files / "one.png"], files / "out")
    report = run_jobs(colorizer, jobs, Options(attention=files / "maps", points=((20, 20),)))
    assert [done.pictures["attention"] for done in report.done] == [files / f"maps/{name}.png" for name in "abc"]
    assert len(list((files / "maps").iterdir())) == 3
    for wrong in ("map.png", "out", "sketches"):
        with pytest.raises(InputError):
            run_jobs(colorizer, jobs, Options(attention=files / wrong))


def test_all_pictures_beside_a_result(files, tmp_path):
    jobs = plan_jobs([files / "sketches/a.png"], [files / "one.png"], files / "out.png")
    wanted = {kind: files / f"{kind}.png" for kind in ("attention", "explain", "grid", "warped")}
    report = run_jobs(Colorizer(MirrorSystem(), device="cpu"), jobs, Options(**wanted))
    assert report.done[0].pictures == wanted
    assert Image.open(wanted["warped"]).size == (50, 60)
    assert Image.open(wanted["grid"]).size == Image.open(wanted["explain"]).size


def test_a_system_that_does_not_warp_its_reference_says_so(files, colorizer):
    jobs = plan_jobs([files / "sketches/a.png"], [files / "one.png"], files / "out.png")
    report = run_jobs(colorizer, jobs, Options(warped=files / "warped.png"))
    assert "does not warp" in report.failed[0][1]
    assert not (files / "out.png").exists()


def test_provenance_is_in_the_file(files, colorizer):
    jobs = plan_jobs([files / "sketches/a.png"], [files / "one.png"], files / "out.jpg")
    run_jobs(colorizer, jobs, Options(seed=7, lines="none"))
    stored = json.loads(read_metadata(files / "out.jpg")["irodori"])
    assert (stored["seed"], stored["lines"], len(stored["sketch_sha256"])) == ("7", "none", 64)
