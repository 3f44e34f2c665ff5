"""Time stamps that come later: by update manifest, or kept in the registry; with authorities that are dead, late or lie."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.settings import Settings
from api.wiring import House, open_house
from keys import tsa
from keys.authority import new_tsa, new_tsa_root
from keys.tsa import TimeStampAuthority
from provenance import stamping
from provenance.capture import SignRequest, sign
from provenance.errors import InputError, OutputError, SigningError, UnavailableError
from provenance.finishing import Signed
from provenance.stamping import StampState, queued, stamp_file, stamp_queue
from provenance.verdict import Status, Verdict
from provenance.verify import verify


def now() -> datetime:
    return datetime.now(UTC)


def look(path: Path, house: House, at: datetime) -> Verdict:
    return verify(path, house.desk, at=at, marks=False).verdict


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A home of its own for each test: the queue is what they are about."""
    with open_house(Settings(home=tmp_path / "home", trust_interim=False, worker_count=1)) as opened:
        yield opened


@pytest.fixture
def offline(house: House, photo: Path, tmp_path: Path) -> Signed:
    request = SignRequest(photo, tmp_path / "offline.jpg", mark="none")
    return sign(request, house.studio(offline=True), at=now())


@contextmanager
def stranger() -> Iterator[str]:
    """An authority as good as ours, on nobody's list."""
    root = new_tsa_root(now())
    leaf = new_tsa(root, now())
    with tsa.serve(TimeStampAuthority((leaf.certificate, root.certificate), leaf.key)) as url:  # type: ignore[arg-type]
        yield url


@contextmanager
def answering(body: bytes = b"", *, status: int = 200, wait_s: float = 0.0) -> Iterator[str]:
    """A server that says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(wait_s)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_the_queue_is_emptied_once(house: House, offline: Signed) -> None:
    assert offline.time_state == "queued"
    assert house.tsa_url is not None
    before = look(offline.path, house, now())
    assert before.credential.time.state == "absent"
    (waiting,) = queued(house.desk, at=now())
    assert (waiting.manifest_id, waiting.state) == (offline.manifest_id, StampState.WAITING)

    (done,) = stamp_queue(house.desk, house.tsa_url, clock=now)
    assert done.state is StampState.STAMPED
    assert queued(house.desk, at=now()) == ()
    assert list(stamp_queue(house.desk, house.tsa_url, clock=now)) == []

    after = look(offline.path, house, now())
    assert (after.credential.time.state, after.credential.time.at) == ("trusted", done.at)
    record = house.registry.asset(offline.asset_id)
    assert record is not None
    assert (record.time_state, record.signed_at) == ("trusted", done.at)


def test_a_stamp_outlives_the_certificate(house: House, offline: Signed) -> None:
    """The point of it all: a year later the leaf has ended, and with its stamp the signature has not."""
    assert house.tsa_url is not None
    later = now() + timedelta(days=400)
    assert look(offline.path, house, later).status is not Status.TRUSTED
    list(stamp_queue(house.desk, house.tsa_url, clock=now))
    assert look(offline.path, house, later).status is Status.TRUSTED


def test_a_second_token_changes_nothing(house: House, offline: Signed) -> None:
    """Two workers asked at once: the first token stays."""
    assert house.tsa_url is not None
    (done,) = stamp_queue(house.desk, house.tsa_url, clock=now)
    token = house.registry.kept_stamps([offline.manifest_id])[offline.manifest_id]
    assert house.registry.keep_stamp(offline.manifest_id, b"other", stamped_at=now(), at=now()) is False
    assert house.registry.kept_stamps([offline.manifest_id, "urn:c2pa:none", "\0"]) == {offline.manifest_id: token}
    assert done.at is not None


def test_a_kept_token_is_checked_again(house: House, offline: Signed) -> None:
    """Whoever can write to the registry cannot make a time up."""
    house.registry.keep_stamp(offline.manifest_id, b"\x30\x03junk", stamped_at=now() - timedelta(days=9), at=now())
    verdict = look(offline.path, house, now())
    assert verdict.credential.time.state == "invalid"
    assert verdict.credential.time.at is None


def test_authorities_that_fail(house: House, offline: Signed) -> None:
    refusal = tsa.TimeStampAuthority.respond(house.keystore.tsa(), b"rubbish", at=now(), serial=1)
    with answering(refusal) as refusing, answering(b"<html>") as html, answering(status=500) as broken:
        for url in (refusing, html, broken, "http://127.0.0.1:9/", "ftp://x/", "http://[bad/"):
            (outcome,) = stamp_queue(house.desk, url, clock=now, timeout_s=5)
            assert outcome.state is StampState.WAITING, url
            assert outcome.why
    with answering(wait_s=2) as slow:
        (outcome,) = stamp_queue(house.desk, slow, clock=now, timeout_s=0.3)
        assert outcome.state is StampState.WAITING
    assert len(queued(house.desk, at=now())) == 1


def test_authorities_that_lie(house: House, offline: Signed) -> None:
    """On no list; an hour off; an answer to an earlier question: none of them stamps anything."""
    ours = house.keystore.tsa()
    with stranger() as url:
        (outcome,) = stamp_queue(house.desk, url, clock=now)
        assert outcome.state is StampState.WAITING
        assert "vouches" in (outcome.why or "")
    for shift in (timedelta(hours=-1), timedelta(hours=1)):
        with tsa.serve(ours, clock=lambda by=shift: now() + by) as url:  # type: ignore[misc]
            (outcome,) = stamp_queue(house.desk, url, clock=now)
            assert outcome.state is StampState.WAITING
    from keys.timestamp import request

    with answering(ours.respond(request(b"something else", nonce=7), at=now(), serial=7)) as replaying:
        (outcome,) = stamp_queue(house.desk, replaying, clock=now)
        assert outcome.state is StampState.WAITING
        assert "nonce" in (outcome.why or "")
    assert house.registry.kept_stamps([offline.manifest_id]) == {}


def test_a_dead_authority_is_not_asked_for_each(house: House, offline: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    (due,) = house.registry.stamp_queue()
    monkeypatch.setattr(type(house.registry), "stamp_queue", lambda *_, **__: (due,) * 10)
    asked = []

    def dead(*_: Any, **__: Any) -> bytes:
        asked.append(1)
        raise stamping.TimeStampError("no answer")

    monkeypatch.setattr(stamping.tsa_client, "ask", dead)
    outcomes = list(stamp_queue(house.desk, "http://tsa.example/", clock=now))
    assert [o.state for o in outcomes] == [StampState.WAITING] * 10
    assert len(asked) == 3


def test_too_late_is_told(house: House, offline: Signed) -> None:
    later = now() + timedelta(days=100)
    (one,) = queued(house.desk, at=later)
    assert one.state is StampState.EXPIRED
    assert house.tsa_url is not None
    (one,) = stamp_queue(house.desk, house.tsa_url, clock=lambda: later)
    assert one.state is StampState.EXPIRED
    assert len(queued(house.desk, at=later)) == 1  # it stays where people see it


def test_a_store_that_is_gone_is_told(house: House, offline: Signed) -> None:
    record = house.registry.asset(offline.asset_id)
    assert record is not None
    (house.settings.objects_folder / record.manifest_digest[:2] / record.manifest_digest).write_bytes(b"damaged")
    assert house.tsa_url is not None
    (one,) = stamp_queue(house.desk, house.tsa_url, clock=now)
    assert one.state is StampState.UNREADABLE


def test_by_update_manifest(house: House, offline: Signed, tmp_path: Path) -> None:
    out = tmp_path / "stamped.jpg"
    stamped = stamp_file(offline.path, out, house.studio(), at=now())
    assert stamped.time_state == "trusted"
    assert stamped.registered
    assert queued(house.desk, at=now()) == ()  # the token in the file serves the other copies too
    verdict = look(out, house, now() + timedelta(days=400))
    assert verdict.status is Status.TRUSTED
    assert [step.at is not None for step in verdict.history] == [True, True]
    assert [step.manifest_id for step in verdict.history] == [stamped.manifest_id, offline.manifest_id]
    assert look(offline.path, house, now()).credential.time.state == "trusted"
    assert house.registry.parents(stamped.asset_id)[0].asset_id == offline.asset_id
    with pytest.raises(InputError, match="has a trusted time stamp"):
        stamp_file(out, tmp_path / "again.jpg", house.studio(), at=now())


def test_what_cannot_be_stamped(house: House, offline: Signed, photo: Path, tmp_path: Path) -> None:
    out, studio = tmp_path / "out.jpg", house.studio()
    with pytest.raises(InputError, match="no credential"):
        stamp_file(photo, out, studio, at=now())
    with pytest.raises(InputError, match="ended on"):
        stamp_file(offline.path, out, studio, at=now() + timedelta(days=200))
    with pytest.raises(OutputError, match="overwrite"):
        stamp_file(offline.path, offline.path, studio, at=now())
    with pytest.raises(UnavailableError):
        stamp_file(offline.path, out, house.studio(offline=True), at=now())
    broken = tmp_path / "broken.jpg"
    data = bytearray(offline.path.read_bytes())
    data[-2000] ^= 1
    broken.write_bytes(data)
    with pytest.raises(InputError, match="does not hold"):
        stamp_file(broken, out, studio, at=now())
    assert not out.exists()


def test_an_authority_that_lies_to_the_library(house: House, offline: Signed, tmp_path: Path) -> None:
    """It answers our probe and stamps with a certificate that nobody vouches for: there is no file."""
    from dataclasses import replace

    with stranger() as url:
        studio = replace(house.studio(), tsa=lambda: url)
        with pytest.raises(SigningError):
            stamp_file(offline.path, tmp_path / "out.jpg", studio, at=now())
    assert not (tmp_path / "out.jpg").exists()
    assert len(queued(house.desk, at=now())) == 1


def test_command(tmp_path: Path, photo: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from api.cli.app import run

    monkeypatch.setenv("COLOPHON_HOME", str(tmp_path / "home"))
    assert run(["sign", str(photo), "-o", str(tmp_path / "a.jpg"), "--offline", "--mark", "none"]) == 0
    capfd.readouterr()
    assert run(["stamp", "--list", "--json"]) == 4
    assert json.loads(capfd.readouterr().out)["queue"][0]["state"] == "waiting"
    assert run(["stamp", "--list", "a.jpg"]) == 1
    assert run(["stamp", "--to", str(tmp_path)]) == 1
    assert run(["stamp", str(tmp_path / "a.jpg")]) == 0
    assert (tmp_path / "a.stamped.jpg").exists()
    assert run(["stamp"]) == 0
    assert "Nothing waits" in capfd.readouterr().out
