"""Whatever is sent: one clear sentence under the right code, and the server lives and keeps no file."""

import asyncio
import errno
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import irodori.web.service as service_module
from irodori.errors import InputError
from servers import begin, color, colors, drawing, file_of, in_loop

SESSIONS = "/api/sessions"


def refused(answer, code, words):
    assert answer.status_code == code, answer.text
    assert list(answer.json()) == ["error"]
    sentence = answer.json()["error"]
    assert words in sentence
    assert "Traceback" not in sentence
    assert "/tmp" not in sentence
    return answer


def noise():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8))


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", 400, "the sketch is empty"),
        (b"no picture", 415, "the sketch is not a readable PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "the sketch is not a readable PNG"),
        (file_of(drawing(), "GIF"), 415, "the sketch is not a readable PNG"),
        (file_of(noise())[:5000], 400, "the sketch is damaged or incomplete"),
        (file_of(Image.new("RGB", (8, 8))), 400, "too small"),
        (file_of(Image.new("L", (700, 700))), 413, "more than the limit"),
    ],
)
def test_pictures_that_cannot_be_used(start, tmp_path, content, code, words):
    client, server = start(max_pixels=400_000)
    refused(client.post(SESSIONS, files={"sketch": ("../../etc/passwd", content)}), code, words)
    assert list((tmp_path / "server-0").iterdir()) == []
    session = begin(client)
    before = client.get(f"{SESSIONS}/{session}").json()
    refused(client.put(f"{SESSIONS}/{session}/sketch", files={"sketch": content}), code, words)
    assert client.get(f"{SESSIONS}/{session}").json() == before
    assert len(list(server.service.store.get(session).folder.iterdir())) == 2
    color(client, session)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": -1}, "seed cannot be used"),
        ({"sead": 1}, "sead cannot be used"),
        ({"tags": {"red_hair": 6}}, "tags.red_hair cannot be used"),
        ({"tags": {"rad_hair": 1}}, "did you mean red_hair"),
        ({"hints": [{"x": 1e9, "y": 0, "color": "#ffffff"}]}, "outside the sketch"),
        ({"hints": [{"x": 1, "y": 1, "color": "red"}]}, "hints.0.color cannot be used"),
        ({"hints": [{"x": 1, "y": 1, "color": "#ffffff"}] * 2001}, "hints cannot be used"),
        ({"image_size": 4096}, "image_size cannot be used"),
        ({"lines": "model", "snap": True}, "use the line mode keep or none"),
        ({"masks": {"sketch": "/etc/passwd"}}, "masks.sketch cannot be used"),
        ({"text": [{"target": ""}]}, "needs a target"),
        ({"text": [{"target": "red hair", "thresholds": [0.9, 0.1, 0.2, 0.3]}]}, "must rise"),
    ],
)
def test_options_that_cannot_be_used(client, options, words):
    session = begin(client)
    refused(client.post(f"{SESSIONS}/{session}/colorize", json=options), 400, words)
    refused(
        client.post("/api/colorize", files={"sketch": file_of(drawing())}, data={"options": json.dumps(options)}),
        400, words,
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"seed": NaN}', b"\xff\xfe", b'{"seed":' + b"9" * 5000 + b"}"])
def test_bodies_that_are_no_options(client, body):
    session = begin(client)
    answer = client.post(f"{SESSIONS}/{session}/colorize", content=body, headers={"content-type": "application/json"})
    refused(answer, 400, "cannot be used")


def test_addresses_of_nothing(client):
    session = begin(client)
    color(client, session)
    for address, words in {
        "/api/nothing": "there is nothing at /api/nothing", f"{SESSIONS}/nobody": "no such session",
        f"{SESSIONS}/..%2f..%2fetc": "nothing at", f"{SESSIONS}/{session}/results/9.png": "no result 9",
        f"{SESSIONS}/{session}/results/1.exe": "cannot be had as exe",
        f"{SESSIONS}/{session}/references/7.png": "no reference 7",
    }.items():  # fmt: skip
        refused(client.get(address), 404, words)
    refused(client.put(f"{SESSIONS}/{session}/masks/..%2fx", files={"mask": file_of(drawing())}), 404, "")
    refused(
        client.post(f"{SESSIONS}/{begin(client)}/results/1/replace", json={"color": "#000000", "by": "#111111"}),
        404,
        "no result",
    )


def test_a_session_without_a_sketch(client):
    session = client.post(SESSIONS).json()["id"]
    refused(client.post(f"{SESSIONS}/{session}/colorize", json={}), 400, "there is no sketch yet")
    refused(client.get(f"{SESSIONS}/{session}/sketch.png"), 404, "")


def test_no_more_references_than_may_be(client):
    session = begin(client)
    content = file_of(colors())
    for _ in range(15):
        assert client.post(f"{SESSIONS}/{session}/references", files={"reference": content}).status_code == 201
    refused(client.post(f"{SESSIONS}/{session}/references", files={"reference": content}), 400, "at most 16")


def test_too_many_bytes_are_refused_by_their_announcement_and_while_they_come(start):
    client, server = start(max_upload=20_000)
    refused(client.post(SESSIONS, files={"sketch": b"x" * 30_000}), 413, "larger than the limit of 0.02 MB")

    def endless():
        yield b'--b\r\nContent-Disposition: form-data; name="sketch"; filename="a"\r\n\r\n'
        for _ in range(1000):
            sent.append(1)
            yield b"x" * 1000

    sent = []
    headers = {"content-type": "multipart/form-data; boundary=b"}
    refused(client.post(SESSIONS, content=endless(), headers=headers), 413, "larger than the limit")
    assert server.service.store.sessions == {}
    begin(client)


def test_fifty_uploads_at_once(start):
    client, server = start(queue=100, timeout=100.0)
    contents = [file_of(drawing(50 + number, 40)) for number in range(50)]

    def send(number):
        files = {"sketch": contents[number] if number % 5 else b"broken"}
        answer = client.post("/api/colorize", files=files)
        return answer.status_code

    with ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(send, range(50)))
    assert codes == [200 if number % 5 else 415 for number in range(50)]
    assert server.service.store.sessions == {}
    assert list(server.service.store.folder.iterdir()) == []


class Gate:
    """Makes the worker wait until it is opened."""

    def __init__(self, monkeypatch):
        self.open, self.reached = threading.Event(), threading.Event()
        real = service_module.Service.result

        def slow(service, *arguments):
            self.reached.set()
            assert self.open.wait(20)
            return real(service, *arguments)

        monkeypatch.setattr(service_module.Service, "result", slow)


def test_a_full_queue_says_when_to_come_again(start, monkeypatch):
    client, _ = start(queue=2)
    session = begin(client)
    gate = Gate(monkeypatch)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(color, client, session) for _ in range(3)]
        assert gate.reached.wait(10)
        until(lambda: "irodori_jobs_waiting 2.0" in client.get("/metrics").text)
        answer = refused(client.post(f"{SESSIONS}/{session}/colorize", json={}), 429, "the server is busy")
        assert int(answer.headers["retry-after"]) >= 1
        gate.open.set()
        assert sorted(one.result()["number"] for one in waiting) == [1, 2, 3]
    color(client, session)


def test_a_request_that_takes_too_long(start, monkeypatch):
    client, server = start(timeout=0.3)
    session = begin(client)
    gate = Gate(monkeypatch)
    refused(client.post(f"{SESSIONS}/{session}/colorize", json={}), 504, "not ready within 0.3 s")
    gate.open.set()
    folder = server.service.store.get(session).folder
    until(lambda: client.post(f"{SESSIONS}/{session}/colorize", json={}).status_code == 201)
    assert len(list(folder.iterdir())) == 4  # sketch, reference, result, thumbnail


def test_whoever_has_gone_is_not_colored_for(start, monkeypatch):
    client, server = start(queue=5)
    session = begin(client)
    gate, worker = Gate(monkeypatch), server.service.worker
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(color, client, session)
        assert gate.reached.wait(10)
        in_loop(_ask_and_go(server.app, f"{SESSIONS}/{session}/colorize", worker))
        assert worker.waiting == 0
        gate.open.set()
        assert first.result()["number"] == 1
    assert 'irodori_jobs_total{outcome="gone"} 1.0' in client.get("/metrics").text


async def _ask_and_go(app, path, worker):
    """An ASGI client that sends a request, waits until it is in the line, and disconnects."""
    body = [{"type": "http.request", "body": b"{}"}]

    async def receive():
        if body:
            return body.pop()
        while not worker.waiting:
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message):
        pass

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": headers, "scheme": "http", "root_path": "",
        "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 5),
    }  # fmt: skip
    await asyncio.wait_for(app(scope, receive, send), 10)


def test_a_client_that_goes_while_it_sends(start):
    client, server = start()

    async def send_half():
        async def receive():
            if not parts:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": parts.pop(), "more_body": True}

        async def send(message):
            pass

        parts = [b'--b\r\nContent-Disposition: form-data; name="sketch"; filename="a"\r\n\r\nhalf a pict']
        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"multipart/form-data; boundary=b")]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": SESSIONS,
            "raw_path": SESSIONS.encode(), "query_string": b"", "headers": headers, "scheme": "http",
            "root_path": "", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 5),
        }  # fmt: skip
        await asyncio.wait_for(server.app(scope, receive, send), 10)

    in_loop(send_half())
    assert server.service.store.sessions == {}
    begin(client)


def test_a_full_disk(start, monkeypatch):
    client, server = start()
    session = begin(client)
    real = service_module.write_image

    def full(path, *arguments):
        real(path, *arguments)
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise InputError(f"{path} cannot be written (No space left on device): choose") from error

    monkeypatch.setattr(service_module, "write_image", full)
    refused(client.post(f"{SESSIONS}/{session}/colorize", json={}), 507, "disk is full")
    refused(client.put(f"{SESSIONS}/{session}/sketch", files={"sketch": file_of(drawing())}), 507, "disk is full")
    assert len(list(server.service.store.get(session).folder.iterdir())) == 2
    monkeypatch.undo()
    color(client, session)


def test_an_error_that_nobody_foresaw(start, monkeypatch):
    client, _ = start()
    session = begin(client)

    def broken(*_):
        raise RuntimeError("a secret path: /secret/ann")

    monkeypatch.setattr(service_module.Service, "result", broken)
    answer = refused(client.post(f"{SESSIONS}/{session}/colorize", json={}), 500, "something went wrong")
    assert "ann" not in answer.text
    monkeypatch.setattr(service_module.Service, "result", lambda *_: (_ for _ in ()).throw(MemoryError()))
    refused(client.post(f"{SESSIONS}/{session}/colorize", json={}), 413, "more memory")
    monkeypatch.undo()
    color(client, session)


def test_nothing_of_an_upload_but_its_pixels_is_kept(start):
    client, server = start()
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "Ann Example")
    exif = Image.Exif()
    exif[0x013B] = "Ann Example"
    files = [
        ("sketch", ("Ann Example.png", file_of(drawing(), pnginfo=text, exif=exif))),
        ("references", ("Ann Example.jpg", file_of(colors(), "JPEG", exif=exif))),
    ]
    session = client.post(SESSIONS, files=files).json()["id"]
    made = color(client, session)
    for path in server.service.store.get(session).folder.iterdir():
        assert b"Ann" not in path.read_bytes()
        assert "Ann" not in path.name
    addresses = [*made["files"].values(), f"{SESSIONS}/{session}", f"{SESSIONS}/{session}/sketch.png"]
    assert all(b"Ann" not in client.get(address).content for address in addresses)


def test_old_sessions_make_room(start):
    client, server = start(sessions=2)
    first, second = begin(client), begin(client)
    client.get(f"{SESSIONS}/{first}")  # used last now
    third = begin(client)
    assert set(server.service.store.sessions) == {first, third}
    refused(client.get(f"{SESSIONS}/{second}"), 404, "no such session, or it has expired")
    assert {path.name for path in server.service.store.folder.iterdir()} == {first, third}


def test_sessions_expire_and_have_room_on_disk_to_share(start):
    client, server = start(idle=0.2)
    session = begin(client)
    time.sleep(0.25)
    refused(client.post(f"{SESSIONS}/{session}/colorize", json={}), 404, "expired")
    begin(client)
    assert session not in server.service.store.sessions
    client, server = start(max_disk=1500)
    sessions = [begin(client) for _ in range(4)]
    assert list(server.service.store.sessions)[-1] == sessions[-1]
    assert len(server.service.store.sessions) < 4


def test_a_file_that_goes_while_sessions_are_counted_is_not_counted(start):
    client, server = start()
    session = server.service.store.get(begin(client))
    before = session.size()
    (session.folder / "gone").symlink_to(session.folder / "nowhere")  # listed, but cannot be looked at
    assert session.size() == before > 0


def test_results_and_encodings_in_memory_are_few(start, monkeypatch):
    client, server = start(warm=2)
    monkeypatch.setattr("irodori.web.store.MAX_RESULTS", 3)
    sessions = [begin(client) for _ in range(4)]
    for session in sessions:
        color(client, session)
    assert list(server.service._warm) == sessions[-2:]
    numbers = [color(client, sessions[0])["number"] for _ in range(4)]
    found = client.get(f"{SESSIONS}/{sessions[0]}").json()
    assert [result["number"] for result in found["results"]] == numbers[-3:]
    assert len(list(server.service.store.get(sessions[0]).folder.iterdir())) == 2 + 2 * 3


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_closing_finishes_what_runs_and_refuses_what_is_new(start, monkeypatch):
    client, server = start(queue=3)
    session = begin(client)
    gate, worker = Gate(monkeypatch), server.service.worker
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(color, client, session)
        assert gate.reached.wait(10)
        waiting = pool.submit(client.post, f"{SESSIONS}/{session}/colorize", json={})
        until(lambda: worker.waiting == 1)
        worker.refuse()
        refused(waiting.result(), 503, "being shut down")
        refused(client.post(f"{SESSIONS}/{session}/colorize", json={}), 503, "being shut down")
        assert client.get("/api/health").status_code == 503
        gate.open.set()
        assert running.result()["number"] == 1
