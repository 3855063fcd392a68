"""Who may ask: tokens, names of the host, pages of other sites; and what a server refuses to be set up as."""

import pytest
from starlette.websockets import WebSocketDisconnect

from irodori.errors import InputError
from irodori.web.guard import COOKIE
from irodori.web.serve import address
from irodori.web.settings import Settings
from servers import begin

TOKEN = "a-token-of-24-characters"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8642", "localhost:8642", "[::1]:8642", "192.168.0.7:80", "LocalHost", "art.example"]
)
def test_names_that_are_its_own(start, host):
    client, _ = start(names=("art.example",))
    assert client.get("/api/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8642", "", "localhost.evil.example"])
def test_foreign_names_are_refused_so_that_no_name_can_be_bent_to_it(client, host):
    answer = client.get("/api/models", headers={"host": host})
    assert (answer.status_code, "not known by that name" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
    ],
)  # fmt: skip
def test_pages_of_other_sites_cannot_post(client, headers):
    answer = client.post("/api/sessions", headers=headers)
    assert (answer.status_code, "another site" in answer.json()["error"]) == (403, True)
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/socket", headers={"host": "127.0.0.1", **headers}),
    ):
        pass


def test_its_own_page_can(client):
    headers = {"origin": "http://127.0.0.1:8642", "sec-fetch-site": "same-origin"}
    assert client.post("/api/sessions", headers=headers).status_code == 201


def test_without_the_token_nothing_is_told_but_that_it_lives(start):
    client, _ = start(token=TOKEN)
    for path in ("/", "/api/models", "/metrics", "/openapi.json", "/api/nothing"):
        for headers in (
            {},
            {"authorization": f"Bearer {TOKEN}x"},
            {"authorization": f"Basic {TOKEN}"},
            {"cookie": f"{COOKIE}=x"},
        ):
            answer = client.get(path, headers=headers)
            assert (answer.status_code, "token" in answer.json()["error"]) == (401, True)
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/api/health").json() == {"status": "ok"}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/socket", headers={"host": "127.0.0.1"}):
        pass


def test_with_the_token(start):
    client, _ = start(token=TOKEN)
    client.headers["authorization"] = f"Bearer {TOKEN}"
    begin(client)


def test_the_printed_address_lets_a_browser_in_and_hides_the_token(start):
    client, _ = start(token=TOKEN)
    answer = client.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/api/models").status_code == 200
    client.cookies.clear()
    assert client.get(f"/api/models?token={TOKEN}").status_code == 401  # addresses end up in logs: the page's alone


def test_every_answer_forbids_what_the_page_does_not_need(client):
    for path in ("/api/health", "/api/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "art.example"])
def test_others_are_let_in_with_a_token_alone(host):
    with pytest.raises(InputError, match="give a --token"):
        Settings(host=host)
    assert Settings(host=host, token=TOKEN).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_this_machine_needs_none(host):
    assert Settings(host=host).token == ""


@pytest.mark.parametrize(
    ("token", "words"),
    [("short", "too short"), ("with a space in it", "without spaces"), ("ünsäglich-lang-und-wirr", "letters")],
)
def test_tokens_that_would_not_work(token, words):
    with pytest.raises(InputError, match=words):
        Settings(token=token)


def test_the_address_that_is_printed():
    assert address(Settings(), 8642) == "http://127.0.0.1:8642/"
    assert address(Settings(host="::", token=TOKEN), 80) == f"http://[::1]:80/?token={TOKEN}"
