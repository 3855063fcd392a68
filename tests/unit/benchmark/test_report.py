"""The report on three folders of pictures: JSON, Markdown, and a page that needs nothing but itself."""

import html.parser
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benches import make_bench, write_answers
from irodori.benchmark.answers import add_pictures
from irodori.benchmark.comparison import fields
from irodori.benchmark.cost_track import write_cost
from irodori.benchmark.gallery import cards, choose, data_uri, difference_map
from irodori.benchmark.pictures import read_scene
from irodori.benchmark.plots import curves
from irodori.benchmark.report import benchmark_of, build_report, choose_scored, write_report
from irodori.benchmark.report_html import span
from irodori.benchmark.report_markdown import cases_text, cell_text, table
from irodori.benchmark.score import ScoreOptions, score
from irodori.errors import DataError, InputError

COST = {
    "methods": {
        "perfect": {
            "parameters": 1_500_000,
            "sizes": {"256": {"gmacs": 12.34, "peak_memory_bytes": 3 << 20, "network_seconds": 0.25,
                              "coloring_seconds": 0.5, "images_per_second": None}},
        }
    },
    "batch": 8, "device": "cpu", "threads": 1, "effective_cores": 1.5,
    "machine": {"processor": "abacus", "cores": "2"},
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Results of a perfect method, one with dark skin, and one that lost pictures; with names that need escaping."""
    root = tmp_path_factory.mktemp("report")
    bench, results = make_bench(root / "bench", recolored=5), root / "results"
    for name, shade in (("perfect", 0), ("dark <skin> & co", 90), ("broken|pipe", 0)):
        images = write_answers(bench, root / re.sub(r"\W", "", name), shade)
        if name.startswith("broken"):
            (images / "recolor-0.png").unlink()
            (images / "cross-1.png").write_text("no picture")
        score(bench, add_pictures(results, name, images), ScoreOptions(progress=False))
    write_cost(results, COST)
    return bench, results


@pytest.fixture(scope="module")
def written(world, tmp_path_factory):
    bench, results = world
    files = write_report(bench, choose_scored([results], ["perfect", "dark <skin> & co", "broken|pipe"]),
                         tmp_path_factory.mktemp("out"), notices=["gmic left out"])  # fmt: skip
    return json.loads(files.json.read_text()), files.markdown.read_text(), files.html.read_text()


# --- JSON and Markdown -----------------------------------------------------------------------------------------------


def test_the_json_names_all_that_a_figure_depends_on(world, written):
    report, _, _ = written
    assert report["benchmark"]["name"] == "squares"
    assert len(report["benchmark"]["index_sha256"]) == 64
    assert report["benchmark"]["about"]["attribution"] == ["drawn for tests"]
    assert report["statistics"] == {"seed": 0, "resamples": 1000, "level": 0.95, "least_items": 6}
    assert [method["name"] for method in report["methods"]] == ["perfect", "dark <skin> & co", "broken|pipe"]
    assert report["methods"][0]["scored"]["features"] == {}
    assert {"torch", "numpy", "irodori"} <= report["methods"][0]["scored"]["versions"].keys()
    assert "cores" in report["methods"][0]["scored"]["machine"]
    names = {name for track in report["tracks"].values() for name in track["figures"]}
    assert names <= report["figures"].keys()


def test_figures_and_verdicts_are_those_of_the_pictures(written):
    cells = written[0]["tracks"]["recolor"]["tables"]["all"]
    assert cells["perfect"]["part_accuracy"]["mean"] == 1
    dark = cells["dark <skin> & co"]["part_accuracy"]
    assert dark["mean"] == pytest.approx(2 / 3)
    assert dark["difference"]["verdict"] == "worse"
    broken = cells["broken|pipe"]["part_accuracy"]
    assert broken["mean"] == pytest.approx(6 / 7)
    assert broken["difference"]["verdict"] == "same"  # one of seven drawings proves nothing
    skin = written[0]["tracks"]["recolor"]["parts"]["skin"]["dark <skin> & co"]
    assert skin["mean"] == 0


def test_failures_are_named_everywhere(written):
    report, markdown, page = written
    assert {(one["case"], one["reason"].split()[0]) for one in report["failures"]} == {
        ("recolor-0", "missing"), ("cross-1", "is")}  # fmt: skip
    assert "| `recolor-0` | missing |" in markdown
    assert "<code>cross-1</code>" in page
    assert report["methods"][2]["failed"] == 2


def test_markdown_has_a_table_for_each_track(written):
    _, markdown, _ = written
    for track in ("aligned", "recolor", "shift", "cross", "editing", "cost"):
        assert f"\n## {track}\n" in markdown
    assert "**0.67 [0.67, 0.67]** ▼" in markdown
    overview = markdown.split("\n## ")[1].splitlines()
    assert overview[0] == "Overview"
    assert "recolor: part accuracy ↑" in overview[2]
    assert overview[5].startswith("| dark <skin> & co | ")
    assert "| **0.67 [0.67, 0.67]** ▼ |" in overview[5]
    assert "broken\\|pipe" in markdown
    assert "| perfect | 256 px | 1.50 M | 12.3 | 3 MiB | 250 ms | 500 ms | – |" in markdown
    assert "1.5 of 2 cores effective" in markdown
    assert "gmic left out" in markdown
    for block in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block


def test_a_report_on_some_of_the_cases_says_so():
    methods = [{"cases": 3}, {"cases": 2}]
    assert cases_text({"methods": methods, "benchmark": {"cases": 3}}) == "3 cases"
    assert cases_text({"methods": methods, "benchmark": {"cases": 5}}) == "3 of 5 cases"


def test_cells():
    assert cell_text(None, 2) == "–"
    cell = {"mean": 1.234, "low": 1.0, "high": 2.0}
    assert cell_text(cell, 1) == "1.2 [1.0, 2.0]"
    assert cell_text({**cell, "difference": {"verdict": "better"}}, 1) == "**1.2 [1.0, 2.0]** ▲"
    assert cell_text({**cell, "difference": {"verdict": "same"}}, 1) == "1.2 [1.0, 2.0]"
    assert table(["a", "b"], [["x|y", "1"]]) == ["| a | b |", "| --- | ---: |", "| x\\|y | 1 |"]
    assert span({"a": {"low": 1.0, "high": 3.0}, "b": None}) == (1.0, 3.0)
    assert span({"a": {"low": 1.0, "high": 1.0}}) == (0.5, 1.5)


# --- the page --------------------------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """Checks nesting, and collects ids, links, sources and texts."""

    VOID = frozenset({"meta", "link", "img", "br", "input", "wbr"})

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.sources, self.images = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        self.sources += [values[name] for name in ("src", "srcset", "data", "action") if name in values]
        self.images += [values] if tag == "img" else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_asks_nothing_of_the_network(written):
    page = Page(written[2])
    assert all(link.startswith(("#", "data:,")) for link in page.links)
    assert all(source.startswith("data:") for source in page.sources)
    assert re.findall(r"@import|url\((?!#)", written[2]) == []
    assert "://" not in re.sub(r"data:image/\w+;base64,[\w+/=]+", "", written[2])
    assert "default-src 'none'" in written[2]


def test_links_lead_somewhere_and_pictures_are_told(written):
    page = Page(written[2])
    targets = {link[1:] for link in page.links if link.startswith("#") and link != "#"}
    assert targets <= set(page.ids)
    assert all("alt" in image for image in page.images)
    cases = [name for name in page.ids if name.startswith("case-")]
    assert len(cases) == len(set(cases)) >= 12


def test_the_page_shows_all_methods_and_escapes_them(written):
    page = written[2]
    for name in ("perfect", "dark &lt;skin&gt; &amp; co", "broken|pipe"):
        assert name in page
    assert "<skin>" not in page
    assert "worst of dark &lt;skin&gt; &amp; co" in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("<svg") == 4 + 2  # curves of shift and editing; aligned has a single position
    assert "abacus" in page
    assert 'style="background:rgb(200, 40, 40)"></span>red_hair at scale' in page
    assert "gmic left out" in page


def test_pictures_stay_within_their_budget(world):
    bench, results = world
    scored = choose_scored([results])
    everything, left = cards(bench, scored, fields(scored), 10**9)
    assert left == 0
    total = sum(card.size for found in everything.values() for card in found)
    some, left = cards(bench, scored, fields(scored), total // 3)
    assert 0 < sum(card.size for found in some.values() for card in found) <= total // 3
    assert left > 0
    assert some.keys() == everything.keys()


def test_the_worst_and_the_best_are_shown(world):
    _, results = world
    scored = choose_scored([results], ["broken|pipe", "dark <skin> & co"])
    field = next(field for field in fields(scored) if field.track == "recolor")
    reasons = choose(field, {"broken|pipe": "images", "dark <skin> & co": "baseline"})
    assert "worst of broken|pipe" in reasons["recolor-0"]
    assert not any("dark" in reason for found in reasons.values() for reason in found)
    assert sum("best of broken|pipe" in found for found in reasons.values()) == 1
    assert sum("sample" in found for found in reasons.values()) == 4


def test_difference_maps_are_dark_where_nothing_differs(world):
    bench, _ = world
    scene = read_scene(bench.root, bench.cases[0], None)
    truth = np.array(Image.open(bench.root / bench.cases[0].truth))
    same, opposite = difference_map(truth, scene), difference_map(255 - truth, scene)
    counted = scene.counted.numpy()
    assert same[counted].max() < 10
    assert opposite[counted].mean() > 60
    assert (same[~counted] == 120).all()


def test_thumbnails_are_small_and_keep_their_colors():
    picture = np.zeros((400, 200, 3), np.uint8)
    picture[:, :100] = (200, 60, 30)
    uri = data_uri(picture)
    import base64
    import io

    found = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert (found.size, found.format) == ((88, 176), "WEBP")
    assert np.abs(np.array(found.convert("RGB").getpixel((20, 80))) - (200, 60, 30)).max() < 12


def test_curves_carry_their_values_and_the_page_s_colors():
    points = [[0, 1.0, 0.5, 1.5], [1, 2.0, 1.5, 2.5]]
    svg = curves('a "quoted" title', "step", {"m": points}, {"m": (0, "system")})
    assert svg.startswith("<svg role=")
    assert "&quot;quoted&quot;" in svg
    assert "currentColor" in svg
    assert "http" not in svg
    assert "#0072b2" in svg
    Page(svg)


# --- choosing --------------------------------------------------------------------------------------------------------


def test_the_order_of_methods_and_what_is_not_there(world):
    _, results = world
    assert [one.method.name for one in choose_scored([results], ["broken|pipe", "perfect"])] == [
        "broken|pipe",
        "perfect",
    ]
    with pytest.raises(InputError, match="'nothing' is not there: the results hold broken"):
        choose_scored([results], ["nothing"])
    with pytest.raises(InputError, match="there 2 times"):
        choose_scored([results, results])
    with pytest.raises(DataError, match="no scores there"):
        choose_scored([results / "perfect"])


def test_another_benchmark_is_refused(world, tmp_path):
    _, results = world
    other = make_bench(tmp_path / "other", drawings=1)
    with pytest.raises(DataError, match="scored on another benchmark"):
        build_report(other, choose_scored([results]))


def test_the_benchmark_is_found_again_or_asked_for(world, tmp_path):
    bench, results = world
    scored = choose_scored([results])
    assert benchmark_of(scored).cases == bench.cases
    with pytest.raises(DataError, match="no longer there.*--benchmark"):
        benchmark_of([replace(scored[0], folder=tmp_path)])


def test_cases_that_not_all_have_are_told(world, tmp_path):
    bench, results = world
    images = write_answers(bench, tmp_path / "some")
    some = score(
        bench,
        add_pictures(tmp_path / "results", "some", images),
        ScoreOptions(tracks=("recolor",), limit=2, progress=False),
    )
    report = build_report(bench, [*choose_scored([results], ["perfect"]), some])
    assert report["tracks"]["recolor"]["cases"] == 4
    assert report["notices"] == [
        "recolor: only the 4 cases count that all methods were scored on; left out are 3 of perfect"
    ]
