"""The gate: no answer leaves without its headers, no error without being a problem document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.gate import Gate

SECRET = "/root/secret/keys.pem does not open"
ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


async def _fine(_: Request) -> Response:
    return PlainTextResponse("fine")


async def _fails(_: Request) -> Response:
    raise RuntimeError(SECRET)


async def _refuses(_: Request) -> Response:
    return PlainTextResponse(SECRET, 418)


async def _breaks_off(_: Request) -> Response:
    async def body() -> Any:
        yield b"half"
        raise RuntimeError(SECRET)

    return StreamingResponse(body())


def _gated(**options: Any) -> TestClient:
    routes = [Route(f"/{name}", at, methods=["GET", "POST"]) for name, at in _PLACES.items()]
    return TestClient(Gate(Starlette(routes=routes), **options))


_PLACES: dict[str, Callable[[Request], Any]] = {"fine": _fine, "fails": _fails, "refuses": _refuses, "half": _breaks_off}


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/healthz", "/api/openapi.json", "/nowhere", "/api/v1/sign"])
def test_every_answer_has_safe_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("given", ["abcdefgh", "A-b_9" * 4])
def test_a_plain_request_id_is_kept(client: TestClient, given: str) -> None:
    assert client.get("/healthz", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "a b c d e f", "abcdefgh\tinjected", "<script>alert", "é" * 10])
def test_any_other_request_id_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/healthz", headers={"x-request-id": given.encode("latin-1", "replace")})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


def test_an_unforeseen_error_says_nothing_but_where_to_look(caplog: pytest.LogCaptureFixture) -> None:
    answer = _gated().get("/fails")
    assert answer.status_code == 500
    assert answer.json()["title"] == "A fault of this service"
    assert SECRET not in answer.text
    assert any(answer.headers["x-request-id"] in record.getMessage() and record.exc_info for record in caplog.records)


def test_an_error_answer_that_is_no_problem_becomes_one() -> None:
    answer = _gated().get("/refuses")
    assert answer.status_code == 418
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text


def test_half_an_answer_is_cut_off_and_not_completed() -> None:
    with pytest.raises(RuntimeError):
        _gated().get("/half")


def test_head_of_an_error_has_no_body() -> None:
    answer = _gated().head("/nowhere")
    assert answer.status_code == 404
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_write_that_another_sites_page_started_is_refused(site: str) -> None:
    answer = _gated().post("/fine", headers={"sec-fetch-site": site})
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/foreign-page"


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}])
def test_programs_and_our_own_page_may_write(headers: dict[str, str]) -> None:
    assert _gated().post("/fine", headers=headers).status_code == 200


def test_reading_from_another_site_is_left_to_the_browsers_own_rules() -> None:
    assert _gated().get("/fine", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
def test_the_names_it_was_started_for_are_answered(host: str) -> None:
    assert _gated(hosts=["localhost", "127.0.0.1", "[::1]"]).get("/fine", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["", "evil.example", "localhost.evil.example", "[::1", "[::1].evil", "localhost@evil", ":80"])
def test_any_other_name_is_misdirected(host: str) -> None:
    answer = _gated(hosts=["localhost", "127.0.0.1", "[::1]"]).get("/fine", headers={"host": host})
    assert answer.status_code == 421


@given(st.binary(max_size=80).filter(lambda raw: not re.search(rb"[\r\n\0]", raw)))
def test_no_request_id_can_put_anything_into_the_answer(raw: bytes) -> None:
    answer = _gated().get("/nowhere", headers={"x-request-id": raw})
    assert re.fullmatch(r"[A-Za-z0-9_-]{8,64}", answer.headers["x-request-id"])
    assert json.loads(answer.text)["request_id"] == answer.headers["x-request-id"]
