"""`irodori serve`: its options, and a server as a process, from its first line to the last file that is gone."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest


def test_help_names_every_limit(irodori):
    text = irodori("serve", "--help").out
    assert all(f"--{name}" in text for name in ("host", "port", "model", "token", "queue", "timeout", "max-pixels"))
    assert "IRODORI_TOKEN" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "give a --token of at least 16 characters"),
        (["--token", "short"], "too short"),
        (["--model", "nothing"], "nothing: neither shipped weights"),
        (["--host", "256.1.1.1", "--token", "x" * 20], "cannot listen on 256.1.1.1"),
        (["--port", "99999"], "99999 is not in the range"),
        (["--queue", "-1"], "-1 is not in the range"),
        (["--max-pixels", "100"], "100.0 is not in the range"),
    ],
)
def test_wrong_use_is_told(irodori, arguments, words):
    answer = irodori("serve", *arguments)
    assert answer.code == 2
    assert words in answer.err


def test_a_port_in_use_is_told(irodori, server):
    answer = irodori("serve", "--port", server.port)
    assert answer.code == 2
    assert f"cannot listen on 127.0.0.1:{server.port} (Address already in use)" in answer.err


def test_a_missing_package_is_named(irodori, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "irodori.web.serve", raising=False)
    answer = irodori("serve")
    assert (answer.code, "pip install 'irodori[studio]'" in answer.err) == (2, True)


class Running:
    """A server in a process of its own.  temporary: where it makes its private folder."""

    def __init__(self, temporary, model, *arguments):
        self.temporary = temporary
        command = [sys.executable, "-m", "irodori", "serve", "--port", "0", "--api-only", "--model", str(model)]
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=temporary,
            env={**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.line = self.process.stdout.readline()
        self.port = int(re.search(r"http://127.0.0.1:(\d+)/", self.line)[1])

    def health(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/health", timeout=10) as answer:
            return answer.read()

    def stop(self, number):
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def server(tmp_path, tiny_model):
    running = Running(tmp_path, tiny_model)
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGKILL)
    running.process.stdout.close()


@pytest.mark.skipif(os.name != "posix", reason="signals of other systems are others")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_goes_without_a_trace(server, number):
    assert server.health() == b'{"status":"ok"}'
    (folder,) = server.temporary.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert server.stop(number) == 0
    assert server.process.stdout.read() == ""
    assert list(server.temporary.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals of other systems are others")
def test_what_a_killed_one_left_the_next_one_removes(server, tiny_model):
    server.health()
    server.stop(signal.SIGKILL)
    (left,) = server.temporary.iterdir()
    (server.temporary / "irodori-serve-foreign").mkdir()  # no lock: not known to be ours
    following = Running(server.temporary, tiny_model)
    another = Running(server.temporary, tiny_model)
    try:
        assert following.health() == another.health() == b'{"status":"ok"}'
        names = {path.name for path in server.temporary.iterdir()}
        assert left.name not in names
        assert len(names) == 3  # those of both, as one in use is left alone, and the foreign one
    finally:
        assert (following.stop(signal.SIGTERM), another.stop(signal.SIGTERM)) == (0, 0)
    time.sleep(0.1)
    assert [path.name for path in server.temporary.iterdir()] == ["irodori-serve-foreign"]
