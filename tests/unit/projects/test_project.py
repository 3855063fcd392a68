"""Project files: read strictly, and written so that they can be read."""

import pytest
from PIL import Image

from irodori.errors import ConfigError, InputError
from irodori.projects.project import Coloring, new_project, parse_characters, read_project
from irodori.projects.work import plan_work

FULL = """
[coloring]
model = "tiny"
format = "ora"
snap = false
seed = 3

[characters.rin]
references = ["rin.png", "hair=hair.png"]
palette = "rin.json"

[characters.kai]
references = ["kai.png"]

[[pages]]
sketches = ["pages/*.png"]
characters = ["rin"]

[[pages]]
sketches = ["extra.png"]
characters = ["rin"]
output = "extra"
masks = {kai = "mask.png"}
hints = ["5,5=ff0000"]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pages").mkdir()
    for name in ("rin", "kai", "hair", "extra", "mask", "pages/2", "pages/10", "pages/1"):
        Image.new("RGB", (40, 40), (90, 20, 200)).save(tmp_path / f"{name}.png")
    (tmp_path / "rin.json").write_text('["#010203"]')
    return tmp_path


def _write(folder, text):
    (folder / "irodori.toml").write_text(text, encoding="utf-8")
    return folder / "irodori.toml"


def _plan(folder, text):
    return plan_work(read_project(_write(folder, text)), folder, lambda frames: [folder / "extra.png"])


def test_a_whole_file(folder):
    work = _plan(folder, FULL)
    assert [one.jobs[0].output.relative_to(folder).as_posix() for one in work] == [
        "colored/1.ora", "colored/2.ora", "colored/10.ora", "colored/extra/extra.ora",
    ]  # fmt: skip
    page, extra = work[0], work[-1]
    assert [path.name for path in page.jobs[0].references] == ["hair.png", "rin.png"]
    assert page.jobs[0].parts == ("hair", "")
    assert page.options.snap_palette == ((1, 2, 3),)
    assert (page.options.seed, page.options.snap) == (3, False)
    assert extra.jobs[0].masks == (folder / "mask.png",)
    assert extra.options.snap_palette == ((1, 2, 3), (90, 20, 200))
    assert extra.options.hints[0].color == (255, 0, 0)


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("seed = 3", "sead = 3", ("coloring.sead", "did you mean 'seed'?")),
        ("seed = 3", 'seed = "3"', ("coloring.seed", "expected int")),
        ("[characters.kai]", "[charakters.kai]", ("charakters", "did you mean 'characters'?")),
        ('sketches = ["extra.png"]', 'sketches = "extra.png"', ("pages[1].sketches", "expected a list")),
        ('format = "ora"', 'format = "gif"', ("coloring.format", "png")),
        ('["pages/*.png"]\ncharacters = ["rin"]', '["pages/*.png"]\ncharacters = ["rim"]', ("'rim'", "rin, kai")),
        ("masks = {kai", "masks = {kei", ("'kei'",)),
        ("[coloring]", "[coloring", ("irodori.toml", "TOML")),
        ('palette = "rin.json"', "pallete = 1", ("characters.rin.pallete", "did you mean 'palette'?")),
    ],
)
def test_a_mistake_is_named_with_its_remedy(folder, old, new, parts):
    assert old in FULL
    with pytest.raises(ConfigError) as caught:
        read_project(_write(folder, FULL.replace(old, new)))
    assert "irodori.toml" in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('"pages/*.png"', '"drawings/*.png"', "finds no picture"),
        ('"kai.png"', '"gone.png"', "gone.png does not exist"),
        ('"mask.png"', '"gone.png"', "gone.png does not exist"),
        ('"rin.json"', '"gone.json"', "gone.json cannot be read"),
        ('output = "extra"', 'output = "../pages"', None),
        ('["extra.png"]', '["pages/1.png"]', "are used"),
        ('["extra.png"]\n', '["pages"]\n', "are 3"),
        ('"hair=hair.png"', '"hiar=hair.png"', "did you mean hair"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_colored(folder, old, new, part):
    assert old in FULL
    text = FULL.replace(old, new)
    if part == "are used":
        text, part = text.replace('output = "extra"\n', ""), "would both become"
    if part is None:
        assert _plan(folder, text)[-1].jobs[0].output.name == "extra.ora"
        return
    with pytest.raises(InputError, match=part):
        _plan(folder, text)


def test_an_output_never_replaces_an_input(folder):
    text = '[coloring]\noutput = "."\n[[pages]]\nsketches = ["extra.png"]\n'
    with pytest.raises(InputError, match="extra.png is used already"):
        _plan(folder, text)


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        ('name = "a"', "either sketches or a video"),
        ('name = "a"\nsketches = ["pages"]\nvideo = "a.mp4"', "either sketches or a video"),
        ('sketches = ["pages"]', "name"),
        ('name = "a"\nsketches = ["pages"]\ncharacters = ["rin"]', "no character 'rin': none is"),
        ("", "name"),
    ],
)
def test_frames(folder, frames, part):
    with pytest.raises(ConfigError, match=part):
        read_project(_write(folder, f"[[frames]]\n{frames}\n"))


def test_frames_follow_as_pictures(folder):
    text = '[coloring]\nformat = "psd"\n[[frames]]\nname = "a"\nsketches = ["pages"]\n'
    with pytest.raises(ConfigError, match="follow = false"):
        read_project(_write(folder, text))
    assert read_project(_write(folder, text + "follow = false\n")).frames[0].name == "a"


def test_an_empty_project(folder):
    with pytest.raises(ConfigError, match="nothing to color"):
        read_project(_write(folder, ""))


def test_a_new_project_can_be_read(folder):
    (folder / "references").mkdir()
    Image.new("RGB", (40, 40)).save(folder / "references" / 'ri"n 線.png')
    (folder / "shot").mkdir()
    path = new_project(folder, {}, [], [folder / "shot"])
    project = read_project(path)
    assert list(project.characters) == ['ri"n 線']
    assert project.pages[0].sketches == ("pages",)
    assert project.frames[0].sketches == ("shot",)
    assert project.coloring == Coloring()
    with pytest.raises(InputError, match="exists already"):
        new_project(folder, {}, [], [])


def test_characters_of_the_command_line(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert list(parse_characters(["rin=rin.png", "rin=kai.png"])["rin"][1].parts) == ["kai.png"]
    for text in ("rin", "rin=", "=rin.png"):
        with pytest.raises(InputError, match="no character"):
            parse_characters([text])
    with pytest.raises(InputError, match="gone.png does not exist"):
        parse_characters(["rin=gone.png"])
