"""Uploads and requests that mean harm: every one gets a verdict or a problem, and the service stays up."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.wiring import House

VERIFY, SIGN = "/api/v1/verify?marks=false", "/api/v1/sign"  # marks have their own tests, and take their time
MB = 2**20


PART = 'form-data; name="file"; filename="x.jpg"'
NAMES = [
    "../../../etc/passwd", "..\\..\\x.exe", "/etc/shadow", "x.jpg\0.sh", "x" * 4000 + ".jpg", "$(reboot).jpg", "-rf",
    "\u202egpj.sh", "a;b|c&d.jpg",
]  # fmt: skip
NO_MEDIA = [
    b"<html><script>alert(1)</script>", b"#!/bin/sh\nreboot", b"PK\x03\x04" + b"\0" * 60, b"%PDF-1.7\n", b"GIF89a",
    b"\xff\xd8\xff", b"RIFF\xff\xff\xff\xffWEBP", b"#EXTM3U\nhttp://127.0.0.1/",
]  # fmt: skip
NO_HTTP = [
    b"GET / HTTP/9.9", b"\0\0\0", b"POST /api/v1/verify HTTP/1.1\r\nContent-Length: -1", b"GET " + b"/x" * 40_000 + b" HTTP/1.1",
]  # fmt: skip


def form(data: bytes, *, disposition: str = PART) -> tuple[bytes, dict[str, str]]:
    head = f"--b\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
    return head + data + b"\r\n--b--\r\n", {"content-type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize("path", [VERIFY, SIGN])
def test_no_bytes(client: TestClient, problem: Any, path: str) -> None:
    assert problem(client.post(path, files={"file": ("x.jpg", b"")}), 422, "unusable-file")["detail"] == "it is empty"


@pytest.mark.parametrize("byte", [b"\0", b"\xff", b"<", b"{"])
def test_one_byte(client: TestClient, problem: Any, byte: bytes) -> None:
    assert client.post(VERIFY, files={"file": ("x.jpg", byte)}).json()["status"] == "none"
    problem(client.post(SIGN, files={"file": ("x.jpg", byte)}), 415, "unsupported-media")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_harms_nobody(client: TestClient, house: House, photo: bytes, name: str) -> None:
    body, headers = form(photo, disposition=f'form-data; name="file"; filename="{name}"')
    answer = client.post(VERIFY, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert list((house.settings.home / "incoming").iterdir()) == []


def test_a_wrong_name_does_not_decide_what_a_file_is(client: TestClient, photo: bytes) -> None:
    answer = client.post(VERIFY, files={"file": ("movie.mp4", photo, "video/mp4")})
    assert answer.json()["asset"]["media_type"] == "image/jpeg"
    signed = client.post(SIGN, files={"file": ("movie.mp4", photo, "text/html")}, data={"mark": "none"})
    assert signed.headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("content", NO_MEDIA)
def test_what_is_no_media_gets_a_verdict_or_a_problem(client: TestClient, content: bytes) -> None:
    seen = client.post(VERIFY, files={"file": ("x.jpg", content)})
    assert seen.status_code in {200, 415, 422}, seen.text
    signed = client.post(SIGN, files={"file": ("x.jpg", content)})
    assert signed.status_code in {415, 422}, signed.text


def test_an_svg_with_script_comes_back_as_a_download_in_a_sandbox(client: TestClient) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
    answer = client.post(SIGN, files={"file": ("x.svg", svg)})
    if answer.status_code == 201:
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    else:
        assert answer.status_code in {415, 422}


@pytest.mark.parametrize("path", [VERIFY, SIGN])
def test_too_large_by_its_own_word(client: TestClient, problem: Any, path: str) -> None:
    problem(client.post(path, files={"file": ("x.jpg", bytes(13 * MB))}), 413, "too-large")


def test_too_large_in_chunks_without_a_length(client: TestClient, problem: Any, house: House) -> None:
    def chunks() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(14):
            yield bytes(MB)
        yield b"\r\n--b--\r\n"

    problem(client.post(VERIFY, content=chunks(), headers={"content-type": "multipart/form-data; boundary=b"}), 413, "too-large")
    assert not list((house.settings.home / "incoming").iterdir())


def test_chunks_within_the_limit_are_welcome(client: TestClient, photo: bytes) -> None:
    body, headers = form(photo)
    whole = (body[at : at + 5000] for at in range(0, len(body), 5000))
    assert client.post(VERIFY, content=whole, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary="),
        (b"x", "multipart/form-data; boundary=b"),
        (b"--b\r\n", "multipart/form-data; boundary=b"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (b"--b\r\n" + b"A" * 70_000 + b": x\r\n\r\n", "multipart/form-data; boundary=b"),
        (b"file=x", "application/x-www-form-urlencoded"),
        (b'{"file": "x"}', "application/json"),
        (b"x", "image/jpeg"),
    ],
)
def test_a_body_that_is_no_form(client: TestClient, body: bytes, kind: str) -> None:
    answer = client.post(VERIFY, content=body, headers={"content-type": kind})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_more_fields_files_or_text_than_a_form_may_have(client: TestClient, photo: bytes, problem: Any) -> None:
    problem(client.post(SIGN, files=[("file", ("a", b"x")), ("file", ("b", b"y"))]), 400, "bad-request")
    problem(client.post(SIGN, files={"file": ("a", b"x")}, data={f"f{n}": "x" for n in range(9)}), 400, "bad-request")
    problem(client.post(SIGN, files={"file": ("a", b"x")}, data={"key": "x" * 5000}), 400, "bad-request")


def test_a_file_that_is_sent_as_text(client: TestClient, problem: Any) -> None:
    problem(client.post(VERIFY, data={"file": "x"}), 422, "invalid-request")


@pytest.mark.parametrize("header", ["x-request-id", "idempotency-key", "accept", "range", "if-none-match", "origin"])
@pytest.mark.parametrize("value", [b"a\tb", b"\xff\xfe", b"x" * 8000, b'"><script>', b"%0d%0aSet-Cookie: x=1"])
def test_no_header_of_a_request_adds_one_to_the_answer(client: TestClient, header: str, value: bytes) -> None:
    answer = client.post(SIGN, files={"file": ("x", b"x")}, headers={header: value})
    assert answer.status_code in {415, 422}
    assert "set-cookie" not in answer.headers
    assert "script" not in str(answer.headers)


def test_a_name_cannot_break_out_of_the_download_header(client: TestClient, photo: bytes) -> None:
    body, headers = form(photo, disposition='form-data; name="file"; filename="x\\"; evil=\\"y.jpg"')
    answer = client.post(SIGN, content=body, headers=headers)
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize("name", ["dev_truncated.jpg", "dev_stripped.jpg", "dev_transplant.jpg", "dev_jumbf_flip.jpg"])
def test_broken_credentials_are_a_verdict(client: TestClient, corpus: Path, name: str) -> None:
    data = (corpus / "c2pa" / name).read_bytes()
    answer = client.post(VERIFY, files={"file": (name, data)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] not in {"trusted", "valid"}


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None)
@given(st.integers(0, 100_000), st.binary(min_size=1, max_size=40))
def test_a_photo_with_bytes_overwritten_is_a_verdict(client: TestClient, signed: dict[str, Any], at: int, junk: bytes) -> None:
    data = bytearray(signed["bytes"])
    at %= len(data)
    data[at : at + len(junk)] = junk
    answer = client.post(VERIFY, files={"file": ("x.jpg", bytes(data))})
    assert answer.status_code == 200, answer.text


# ——— on a real socket ———


def _connect(server: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server).netloc, timeout=120)


def test_a_length_over_the_limit_is_refused_before_the_body_comes(server: str) -> None:
    connection = _connect(server)
    connection.putrequest("POST", VERIFY)
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["type"] == "/problems/too-large"
    assert answer.getheader("x-content-type-options") == "nosniff"
    connection.close()


def test_a_client_that_goes_away_in_mid_upload_costs_nothing(server: str, client: TestClient, house: House) -> None:
    address = urlsplit(server)
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port)) as raw:
            head = f"POST {VERIFY} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            part = f"Content-Length: 5000000\r\n\r\n--b\r\nContent-Disposition: {PART}\r\n\r\n"
            raw.sendall((head + part).encode() + bytes(100_000))
    assert client.get("/healthz").status_code == 200
    assert not list((house.settings.home / "incoming").iterdir())


@pytest.mark.parametrize("line", NO_HTTP)
def test_what_is_no_http_is_refused(server: str, client: TestClient, line: bytes) -> None:
    address = urlsplit(server)
    with socket.create_connection((address.hostname, address.port), timeout=60) as raw:
        raw.sendall(line + b"\r\nHost: x\r\n\r\n")
        answer = raw.recv(100)
    assert not answer or (answer.startswith(b"HTTP/1.1 ") and answer[9:10] in b"24"), answer
    assert client.get("/healthz").status_code == 200
