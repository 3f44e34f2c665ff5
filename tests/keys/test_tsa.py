"""The time stamp authority against openssl, the client against authorities that lie."""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import tsp
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import oids
from keys.authority import new_tsa, new_tsa_root
from keys.errors import TimeStampError
from keys.timestamp import TimeState, check_token, parse_response, request
from keys.token import parse
from keys.trust import ListKind
from keys.tsa import POLICY, TimeStampAuthority, ask, probe, serve

MESSAGE = b"a claim signature"


class Authority:
    def __init__(self, lab: Any, root: Any = None, **changes: Any) -> None:
        self.root = root or new_tsa_root(lab.now)
        defaults = {"purposes": [oids.TIME_STAMPING], "purposes_critical": True}
        made = lab.issue("tsa", self.root, **(defaults | changes)) if changes else new_tsa(self.root, lab.now)
        self.tsa = TimeStampAuthority((made.certificate, self.root.certificate), made.key)
        self.list = lab.list(self.root, kind=ListKind.TSA)


@pytest.fixture(scope="module")
def authority(lab: Any) -> Authority:
    return Authority(lab)


def openssl(*arguments: str | Path, ok: bool = True) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout + done.stderr


# --- openssl


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("certificates", [True, False])
def test_openssl_asks_and_accepts(authority: Authority, lab: Any, tmp_path: Path, digest: str, certificates: bool) -> None:
    data, query, reply, root, leaf = (tmp_path / name for name in ("data", "q.tsq", "r.tsr", "root.pem", "leaf.pem"))
    data.write_bytes(MESSAGE)
    root.write_bytes(authority.root.certificate.public_bytes(Encoding.PEM))
    leaf.write_bytes(authority.tsa.chain[0].public_bytes(Encoding.PEM))
    openssl("ts", "-query", "-data", data, f"-{digest}", *(["-cert"] if certificates else []), "-out", query)
    reply.write_bytes(authority.tsa.respond(query.read_bytes(), at=datetime.now(UTC), serial=1))
    given_leaf = [] if certificates else ["-untrusted", leaf]
    verify = ["ts", "-verify", "-in", reply, "-CAfile", root, *given_leaf]
    assert "Verification: OK" in openssl(*verify, "-queryfile", query)
    assert "Verification: OK" in openssl(*verify, "-data", data)
    data.write_bytes(MESSAGE + b"!")
    openssl(*verify, "-data", data, ok=False)
    assert "Accuracy: 0x01 seconds" in openssl("ts", "-reply", "-in", reply, "-text")


OPENSSL_CONFIG = """
[tsa]
default_tsa = t
[t]
serial = {folder}/serial
signer_cert = {folder}/leaf.pem
signer_key = {folder}/key.pem
signer_digest = {digest}
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500
ordering = yes
tsa_name = yes
ess_cert_id_alg = {ess}
"""


@pytest.mark.parametrize(
    ("alg", "digest", "ess", "embedded"),
    [
        ("es256", "sha256", "sha256", True),
        ("es384", "sha384", "sha1", True),
        ("ps256", "sha512", "sha256", True),
        ("es256", "sha256", "sha256", False),
    ],
)
def test_we_accept_what_openssl_stamps(lab: Any, tmp_path: Path, alg: str, digest: str, ess: str, embedded: bool) -> None:
    root = lab.ca("root")
    leaf = lab.issue("tsa", root, alg=alg, purposes=[oids.TIME_STAMPING], purposes_critical=True)
    (tmp_path / "leaf.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "ts.cnf").write_text(OPENSSL_CONFIG.format(folder=tmp_path, digest=digest, ess=ess))
    query = tmp_path / "q.tsq"
    query.write_bytes(request(MESSAGE, nonce=99))
    if not embedded:
        asked = tsp.TimeStampReq.load(query.read_bytes())
        asked["cert_req"] = False
        query.write_bytes(asked.dump(force=True))
    reply = tmp_path / "r.tsr"
    openssl("ts", "-reply", "-queryfile", query, "-config", tmp_path / "ts.cnf", "-out", reply)
    token = parse_response(reply.read_bytes(), nonce=99 if embedded else None)
    stamp = check_token(token, MESSAGE, [lab.list(root, kind=ListKind.TSA)], at=datetime.now(UTC))
    assert stamp.state is (TimeState.TRUSTED if embedded else TimeState.INVALID), stamp
    assert embedded or "no certificate" in (stamp.reason or "")


# --- the responder


def respond(authority: Authority, lab: Any, change: Callable[[Any], None] = lambda _: None, **options: Any) -> bytes:
    asked = tsp.TimeStampReq.load(request(MESSAGE, nonce=7))
    change(asked)
    defaults = {"at": lab.now, "serial": 5}
    return authority.tsa.respond(asked.dump(force=True), **(defaults | options))


def test_a_token_says_what_was_asked(authority: Authority, lab: Any) -> None:
    at = lab.now + timedelta(microseconds=999_999)
    token = parse(parse_response(respond(authority, lab, at=at), nonce=7))
    assert (token.at, token.serial, token.nonce) == (lab.now, 5, 7)
    assert check_token(respond(authority, lab), MESSAGE, [authority.list], at=lab.now).state is TimeState.TRUSTED
    assert parse_response(respond(authority, lab, lambda asked: asked.__setitem__("nonce", None)))
    assert parse_response(respond(authority, lab, lambda asked: asked.__setitem__("req_policy", POLICY)))


def set_digest(name: str, size: int) -> Callable[[Any], None]:
    def change(asked: Any) -> None:
        asked["message_imprint"] = {"hash_algorithm": {"algorithm": name}, "hashed_message": bytes(size)}

    return change


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        (set_digest("sha1", 20), "bad_alg"),
        (set_digest("md5", 16), "bad_alg"),
        (set_digest("sha256", 31), "bad_data_format"),
        (lambda asked: asked.__setitem__("req_policy", "1.2.3"), "unaccepted_policy"),
        (lambda asked: asked.__setitem__("extensions", [{"extn_id": "1.2.3", "extn_value": b"x"}]), "unaccepted_extensions"),
        (lambda asked: asked.__setitem__("version", 2), "bad_request"),
    ],
)
def test_refusals(authority: Authority, lab: Any, change: Callable[[Any], None], failure: str) -> None:
    with pytest.raises(TimeStampError) as caught:
        parse_response(respond(authority, lab, change))
    assert caught.value.failure == failure


def test_openssl_reads_a_refusal(authority: Authority, lab: Any, tmp_path: Path) -> None:
    (tmp_path / "r.tsr").write_bytes(respond(authority, lab, set_digest("sha1", 20)))
    text = openssl("ts", "-reply", "-in", tmp_path / "r.tsr", "-text")
    assert "Rejected" in text
    assert "unrecognized or unsupported algorithm" in text


def test_an_expired_authority_stamps_nothing(authority: Authority, lab: Any) -> None:
    with pytest.raises(TimeStampError) as caught:
        parse_response(respond(authority, lab, at=lab.now + timedelta(days=4000)))
    assert caught.value.failure == "time_not_available"


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_any_request_gets_a_response(authority: Authority, lab: Any, noise: bytes) -> None:
    with pytest.raises(TimeStampError, match="refused"):
        parse_response(authority.tsa.respond(noise, at=lab.now, serial=1))


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_mutated_requests_get_a_response(authority: Authority, lab: Any, data: Any) -> None:
    asked = bytearray(request(MESSAGE, nonce=7))
    for _ in range(data.draw(st.integers(1, 4))):
        asked[data.draw(st.integers(0, len(asked) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_response(authority.tsa.respond(bytes(asked), at=lab.now, serial=1))
    except TimeStampError as error:
        assert error.failure is not None  # noqa: PT017 - the other outcome, a granted stamp, is right too


# --- over HTTP


def test_served_asked_and_probed(lab: Any) -> None:
    authority = Authority(lab)
    with serve(authority.tsa) as url:
        now = datetime.now(UTC)
        tokens = [ask(url, MESSAGE, nonce=nonce, at=now) for nonce in (1, 2, 2**63)]
        assert all(check_token(token, MESSAGE, [authority.list], at=now).state is TimeState.TRUSTED for token in tokens)
        assert len({parse(token).serial for token in tokens}) == 3
        assert probe(url, 5)
    assert not probe(url, 1)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "text/plain"}, b"x"),
        ({"Content-Type": "application/timestamp-query"}, b"x" * 5000),
        ({"Content-Type": "application/timestamp-query", "Content-Length": "-1"}, b""),
        ({"Content-Type": "application/timestamp-query", "Content-Length": "zz"}, b""),
    ],
)
def test_the_server_refuses_other_things(authority: Authority, headers: dict[str, str], body: bytes) -> None:
    with serve(authority.tsa) as url:
        port = int(url.rsplit(":", 1)[1].rstrip("/"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/", body, headers)
        assert connection.getresponse().status == 400
        connection.close()
        assert probe(url, 5)


@contextmanager
def http_server(status: int, body: Callable[[bytes], bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = body(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def lying(authority: Authority, change: Callable[[Any], None], shift: timedelta = timedelta(0)) -> Callable[[bytes], bytes]:
    def body(query: bytes) -> bytes:
        asked = tsp.TimeStampReq.load(query)
        change(asked)
        return authority.tsa.respond(asked.dump(force=True), at=datetime.now(UTC) + shift, serial=1)

    return body


@pytest.mark.parametrize(
    ("change", "shift", "says"),
    [
        (lambda asked: asked.__setitem__("nonce", 1), timedelta(0), "another nonce"),
        (lambda asked: asked.__setitem__("nonce", None), timedelta(0), "another nonce"),
        (set_digest("sha256", 32), timedelta(0), "made for other content"),
        (lambda asked: asked.__setitem__("cert_req", False), timedelta(0), "no certificate"),
        (lambda _: None, timedelta(hours=-1), "clock says"),
        (lambda _: None, timedelta(hours=1), "yet to come"),
    ],
)
def test_lying_authorities(authority: Authority, change: Callable[[Any], None], shift: timedelta, says: str) -> None:
    with http_server(200, lying(authority, change, shift)) as url:
        with pytest.raises(TimeStampError, match=says):
            ask(url, MESSAGE, nonce=12345, at=datetime.now(UTC), timeout_s=5)
        assert not probe(url, 5)


def test_an_authority_with_a_signing_certificate_is_not_trusted(lab: Any) -> None:
    """It answers properly, so `ask` has nothing to object; no list makes it trusted."""
    wrong = Authority(lab, lab.ca("root"), purposes=[oids.CLAIM_SIGNING])
    with serve(wrong.tsa) as url:
        token = ask(url, MESSAGE, nonce=1, at=datetime.now(UTC))
    assert check_token(token, MESSAGE, [wrong.list], at=datetime.now(UTC)).state is TimeState.UNTRUSTED


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, b"", "HTTP 404"),
        (302, b"", "HTTP 302"),
        (200, b"<html>", "no time stamp response"),
        (200, b"", "no time stamp"),
        (200, b"x" * 70_000, "65537 bytes"),
    ],
)
def test_answers_that_are_none(status: int, body: bytes, says: str) -> None:
    with http_server(status, lambda _: body) as url, pytest.raises(TimeStampError, match=says):
        ask(url, MESSAGE, nonce=1, at=datetime.now(UTC), timeout_s=5)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://127.0.0.1/",
        "http://",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "file:///etc/passwd",
        "http://127.0.0.1:1/",
        "http://127.0.0.1:1/\r\nX: y",
        "http://nowhere.invalid/",
    ],
)
def test_addresses_that_lead_nowhere(url: str) -> None:
    with pytest.raises(TimeStampError):
        ask(url, MESSAGE, nonce=1, at=datetime.now(UTC), timeout_s=2)
    assert not probe(url, 2)


def test_an_authority_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not probe(f"http://127.0.0.1:{server.getsockname()[1]}/", 0.2)
