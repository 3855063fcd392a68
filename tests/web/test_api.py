"""The API: what it does is what `Colorizer` does, and its answers are what its description says."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from irodori.editing.recipe import read_recipe
from irodori.inference.colorizer import Colorizer
from irodori.systems.irodori.system import Irodori
from irodori.web.service import KINDS, LAYERED_KINDS
from servers import begin, color, colors, drawing, file_of, pixels


def test_a_coloring_is_that_of_the_library(client, models):
    files = [("sketch", file_of(drawing())), ("references", file_of(colors(1))), ("references", file_of(colors(2)))]
    options = {"seed": 3, "hints": [{"x": 30, "y": 20, "color": "#2060c0"}], "snap": True, "tags": {"red_hair": 0.5}}
    answer = client.post("/api/colorize", files=files, data={"parts": ["hair", ""], "options": json.dumps(options)})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    wanted = Colorizer.from_pretrained(models[0], "cpu")(
        drawing(), {"hair": colors(1), "": colors(2)}, seed=3, hints=[(30, 20, (0x20, 0x60, 0xC0))], snap=True,
        tags={"red_hair": 0.5},
    )  # fmt: skip
    assert np.array_equal(pixels(answer.content), wanted.pixels)


def test_a_one_shot_leaves_nothing(start, tmp_path):
    client, server = start()
    assert client.post("/api/colorize", files={"sketch": file_of(drawing())}).status_code == 200
    assert list((tmp_path / "server-0").iterdir()) == []
    assert server.service.store.sessions == {}


def test_a_session_encodes_once(client, monkeypatch):
    calls = []
    for name in ("encode_sketch", "encode_references"):
        real = getattr(Irodori, name)

        def counted(self, *arguments, name=name, real=real, **more):
            calls.append(name)
            return real(self, *arguments, **more)

        monkeypatch.setattr(Irodori, name, counted)
    session = begin(client)
    color(client, session)
    assert sorted(calls) == ["encode_references", "encode_sketch"]
    color(client, session, tags={"red_hair": 1})
    assert len(calls) == 2
    client.post(f"/api/sessions/{session}/references", files={"reference": file_of(colors(5))})
    color(client, session)
    assert calls[2:] == ["encode_references"]


def test_sessions_do_not_mix(client):
    first, second = begin(client), begin(client)
    client.put(f"/api/sessions/{second}/sketch", files={"sketch": file_of(drawing(80, 50))})
    one, other = color(client, first), color(client, second)
    again = color(client, first)
    shape = {name: pixels(client.get(url["url"]).content).shape for name, url in (("one", one), ("other", other))}
    assert shape == {"one": (40, 60, 3), "other": (50, 80, 3)}
    assert client.get(one["url"]).content == client.get(again["url"]).content


def test_a_session_shows_what_it_holds(client):
    session = begin(client, parts=["hair"])
    made = color(client, session, seed=4)
    found = client.get(f"/api/sessions/{session}").json()
    assert (found["sketch"]["width"], found["sketch"]["height"]) == (60, 40)
    assert [reference["part"] for reference in found["references"]] == ["hair"]
    assert [result["number"] for result in found["results"]] == [made["number"]]
    assert found["results"][0]["options"]["seed"] == 4
    assert client.get(found["sketch"]["url"]).headers["content-type"] == "image/png"
    assert np.array_equal(pixels(client.get(found["references"][0]["url"]).content), np.asarray(colors()))
    assert client.delete(f"/api/sessions/{session}").status_code == 204
    assert client.get(f"/api/sessions/{session}").status_code == 404


def test_references_can_be_named_and_removed(client):
    session = begin(client)
    address = f"/api/sessions/{session}/references"
    client.post(address, files={"reference": file_of(colors(2))}, data={"part": "hair"})
    found = client.patch(f"{address}/0", json={"part": "skin"}).json()
    assert [reference["part"] for reference in found["references"]] == ["skin", "hair"]
    found = client.delete(f"{address}/0").json()
    assert [reference["part"] for reference in found["references"]] == ["hair"]
    assert client.delete(f"{address}/1").status_code == 404
    assert "did you mean hair?" in client.patch(f"{address}/0", json={"part": "hare"}).json()["error"]


@pytest.mark.parametrize("kind", KINDS)
def test_results_can_be_had_in_every_format(client, kind):
    session = begin(client)
    files = color(client, session, seed=1)["files"]
    answer = client.get(files[kind])
    assert answer.status_code == 200
    if kind in ("png", "webp"):
        assert np.array_equal(pixels(answer.content), pixels(client.get(files["png"]).content))
    elif kind == "jpeg":
        assert Image.open(io.BytesIO(answer.content)).format == "JPEG"
    elif kind in LAYERED_KINDS:
        assert answer.content[:4] in (b"PK\x03\x04", b"8BPS")


def test_the_recipe_is_one_that_edit_understands(client, tmp_path):
    session = begin(client, parts=["hair"])
    files = color(client, session, seed=7, snap=True, tags={"red_hair": 0.5}, palette=["#ff8000"])["files"]
    for kind in ("json", "png"):
        path = tmp_path / f"recipe.{kind}"
        path.write_bytes(client.get(files[kind]).content)
        recipe = read_recipe(path)
        assert (recipe.options.seed, recipe.options.snap) == (7, True)
        assert recipe.options.tags == {"red_hair": 0.5}
        assert [source.part for source in recipe.references] == ["hair"]


def test_a_color_tells_where_it_came_from(client, models):
    session = begin(client)
    number = color(client, session)["number"]
    color(client, session, seed=2)  # another one is in memory now
    found = client.get(f"/api/sessions/{session}/results/{number}/origin", params={"x": 30, "y": 20}).json()
    result = Colorizer.from_pretrained(models[0], "cpu")(drawing(), colors())
    assert tuple(found.values()) == pytest.approx(result.correspondence.where(30, 20))
    outside = client.get(f"/api/sessions/{session}/results/{number}/origin", params={"x": 300, "y": 20})
    assert (outside.status_code, "outside the sketch" in outside.json()["error"]) == (400, True)


def test_a_color_of_the_palette_is_replaced_everywhere_and_exactly(client):
    session = begin(client)
    result = color(client, session, snap=True)
    base = f"/api/sessions/{session}/results/{result['number']}"
    palette = client.get(f"{base}/palette").json()
    assert sum(swatch["share"] for swatch in palette) == pytest.approx(1)
    hints = client.post(f"{base}/replace", json={"color": palette[0]["color"], "by": "#123456"}).json()
    assert {hint["color"] for hint in hints} == {"#123456"}
    before = pixels(client.get(color(client, session, snap=True, lines="none")["url"]).content)
    after = pixels(client.get(color(client, session, snap=True, lines="none", hints=hints)["url"]).content)
    old = tuple(int(palette[0]["color"][place : place + 2], 16) for place in (1, 3, 5))
    assert (before == old).all(axis=2).sum() > 50
    assert not (after == old).all(axis=2).any()
    assert (after == (0x12, 0x34, 0x56)).all(axis=2).sum() > 50
    strange = client.post(f"{base}/replace", json={"color": "#010203", "by": "#123456"})
    assert "not in the picture's palette" in strange.json()["error"]


def test_tags_of_a_reference(client, models):
    session = begin(client)
    found = client.get(f"/api/sessions/{session}/references/0/tags").json()
    assert found == pytest.approx(Colorizer.from_pretrained(models[0], "cpu").read_tags(colors()))
    client.put(f"/api/sessions/{session}/model", json={"model": "tiny-scft"})
    assert client.get(f"/api/sessions/{session}/references/0/tags").json() == {}


def test_models_are_listed_and_chosen_by_name_alone(client, models):
    found = client.get("/api/models").json()
    assert [(model["name"], model["system"]) for model in found[:2]] == [
        ("tiny-irodori", "irodori"),
        ("tiny-scft", "scft"),
    ]
    assert found[0]["takes"] == ["hints", "palette", "tags", "uses"]
    for name in (models[0], "owner/name", "../tiny-scft", "nothing"):
        answer = client.post("/api/sessions", data={"model": name})
        assert (answer.status_code, "there is no model" in answer.json()["error"]) == (404, True)
    assert client.post("/api/sessions", data={"model": "tiny-scft"}).json()["model"] == "tiny-scft"


def test_what_a_model_does_not_take_is_told(client):
    session = begin(client, model="tiny-scft")
    answer = client.post(f"/api/sessions/{session}/colorize", json={"tags": {"red_hair": 1}})
    assert (answer.status_code, "takes no tags" in answer.json()["error"]) == (400, True)
    heat = client.post(f"/api/sessions/{session}/heatmap", json={"text": [{"target": "red hair"}]})
    assert (heat.status_code, "takes no edits in words" in heat.json()["error"]) == (400, True)
    masks = client.post(f"/api/sessions/{session}/colorize", json={"masks": {"sketch": "painted"}})
    assert "no painted mask" in masks.json()["error"]
    client.put(f"/api/sessions/{session}/masks/sketch", files={"mask": file_of(drawing())})
    masks = client.post(f"/api/sessions/{session}/colorize", json={"masks": {"sketch": "painted"}})
    assert "takes no masks" in masks.json()["error"]


def test_health_and_metrics(client):
    assert client.get("/api/health").json() == {"status": "ok"}
    session = begin(client)
    color(client, session)
    text = client.get("/metrics").text
    assert 'irodori_requests_total{code="201",method="POST",route="/api/sessions/{session}/colorize"} 1.0' in text
    assert 'irodori_jobs_total{outcome="done"} 1.0' in text
    assert "irodori_sessions 1.0" in text
    assert session not in text


def test_the_description_is_complete_and_asks_no_other_machine(client):
    described = client.get("/openapi.json").json()
    assert {"/api/colorize", "/api/sessions/{session}/colorize", "/metrics"} <= set(described["paths"])
    assert "hints" in described["components"]["schemas"]["ColorizeWish"]["properties"]
    assert client.get("/docs").status_code == 404  # it would load its program from a CDN
