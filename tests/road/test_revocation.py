"""A key is revoked: stored statuses follow without their files, and whoever listens is told, once and truly."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api import chores
from api.settings import Settings
from api.wiring import House, open_house
from keys.certificate import fingerprint
from provenance.capture import SignRequest, sign
from provenance.edit import EditRequest, edit
from provenance.feed import public_status
from provenance.fetch import Client
from provenance.finishing import Signed
from provenance.outbox import RETRIES, deliver, headers, parse_targets
from provenance.stamping import stamp_file
from provenance.store.pending import Message
from provenance.verify import verify

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Listener:
    """A receiver of webhooks that can be told to fail."""

    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204


@contextmanager
def listening() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(listener.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener = Listener(f"http://127.0.0.1:{server.server_address[1]}/hook")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield listener
        server.shutdown()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as opened:
        yield opened


@pytest.fixture
def house(tmp_path: Path, listener: Listener) -> Iterator[House]:
    told = {"webhooks": f"{listener.url} whsec_{SECRET}", "webhooks_private": True}
    settings = Settings(home=tmp_path / "home", trust_interim=False, worker_count=1, **told)  # type: ignore[arg-type]
    with open_house(settings) as opened:
        yield opened


@pytest.fixture
def leaf(house: House) -> str:
    return fingerprint(house.keystore.chain("development")[0])


@pytest.fixture
def signed(house: House, photo: Path, tmp_path: Path) -> Signed:
    return sign(SignRequest(photo, tmp_path / "a.jpg", mark="none"), house.studio(offline=True), at=now())


def word(house: House, named: str) -> str:
    return str(json.loads(house.registry.statuses([named])[named].document)["status"])


def test_statuses_follow_and_listeners_are_told(house: House, leaf: str, signed: Signed, listener: Listener) -> None:
    assert word(house, signed.asset_id) == "trusted"
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    assert house.chores.revoked()
    (done,) = chores.rejudge(house)
    assert (done.seen, done.replaced, done.changed) == (1, 1, 1)
    assert word(house, signed.asset_id) == "revoked"
    assert house.chores.revoked() == ()
    assert chores.rejudge(house) == ()

    (sent,) = chores.send(house)
    assert sent.ok
    assert chores.send(house) == ()
    ((heads, body),) = listener.got
    told = json.loads(body)
    assert told["type"] == "credential.status_changed"
    (change,) = told["data"]["changes"]
    assert (change["asset_id"], change["before"], change["after"]) == (signed.asset_id, "trusted", "revoked")
    mac = hmac.digest(base64.b64decode(SECRET), f"{heads['webhook-id']}.{heads['webhook-timestamp']}.".encode() + body, "sha256")
    assert heads["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


def test_it_is_what_verifying_the_file_says(house: House, leaf: str, signed: Signed) -> None:
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    chores.rejudge(house)
    stored = json.loads(house.registry.statuses([signed.asset_id])[signed.asset_id].document)
    fresh = public_status(verify(signed.path, house.desk, at=now(), marks=False).verdict)
    assert {**stored, "at": None} == {**fresh, "at": None}


def test_stamped_before_stays_good_stamped_after_does_not(house: House, leaf: str, photo: Path, tmp_path: Path) -> None:
    stamped = sign(SignRequest(photo, tmp_path / "s.jpg", mark="none"), house.studio(), at=now())
    house.registry.revoke(leaf, reason="superseded", at=now() + timedelta(seconds=5), now=now())
    chores.rejudge(house)
    assert word(house, stamped.asset_id) == "trusted"
    house.registry.revoke(leaf, reason="superseded", at=now() - timedelta(hours=1), now=now())
    chores.rejudge(house)
    assert word(house, stamped.asset_id) == "revoked"


def test_copies_and_updates_follow_too(house: House, leaf: str, signed: Signed, tmp_path: Path) -> None:
    """What was found about a copy, and a file that was only stamped anew with another key, rest on the revoked signature."""
    copy = hashlib.sha256(b"copy").hexdigest()
    document = json.loads(house.registry.statuses([signed.asset_id])[signed.asset_id].document)
    house.registry.set_status(signed.asset_id, copy, {**document, "status": "recovered"}, at=now())
    other = hashlib.sha256(b"other").hexdigest()
    house.registry.set_status(signed.asset_id, other, {**document, "status": "conflict"}, at=now())
    from keys.authority import new_signer
    from keys.keystore import key_path
    from keys.signers.file import write_key

    issuer = house.keystore.issuer()
    second = new_signer(issuer, now())
    write_key(key_path(house.keystore.folder, "second"), second.key, (second.certificate, issuer.certificate))
    updated = stamp_file(signed.path, tmp_path / "u.jpg", house.studio("second"), at=now())
    assert word(house, updated.asset_id) == "trusted"
    house.registry.revoke(leaf, reason="keyCompromise", at=now() - timedelta(hours=1), now=now())
    (done,) = chores.rejudge(house)
    assert done.seen == 4
    assert (word(house, copy), word(house, other), word(house, updated.asset_id)) == ("revoked", "conflict", "revoked")
    fresh = verify(updated.path, house.desk, at=now(), marks=False).verdict
    assert str(fresh.status) == "revoked"


def test_a_part_that_is_judged_anew_is_still_a_part(house: House, leaf: str, photo: Path, tmp_path: Path) -> None:
    stamped = sign(SignRequest(photo, tmp_path / "s.jpg", mark="none"), house.studio(), at=now())
    copy = hashlib.sha256(b"crop").hexdigest()
    document = json.loads(house.registry.statuses([stamped.asset_id])[stamped.asset_id].document)
    house.registry.set_status(stamped.asset_id, copy, {**document, "status": "recovered", "part": {"shown": 0.5}}, at=now())
    house.registry.revoke(leaf, reason="superseded", at=now() + timedelta(hours=1), now=now())
    chores.rejudge(house)
    found = json.loads(house.registry.statuses([copy])[copy].document)
    assert (found["status"], found["part"]) == ("recovered", {"shown": 0.5})
    assert found["summary"].endswith("; this is a part of it (about half), and fits.")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("fingerprint", "Its fingerprint leads to"),
        ("mark", "Its invisible mark leads to"),
        ("manifest", "What is left of it leads"),
    ],
)
def test_what_led_to_it_is_still_told(house: House, leaf: str, photo: Path, tmp_path: Path, how: str, words: str) -> None:
    """Another copy of one marked file may have lost its mark: what one was found by is kept with what was found."""
    stamped = sign(SignRequest(photo, tmp_path / "s.jpg"), house.studio(), at=now())
    copy = hashlib.sha256(how.encode()).hexdigest()
    document = json.loads(house.registry.statuses([stamped.asset_id])[stamped.asset_id].document)
    house.registry.set_status(stamped.asset_id, copy, {**document, "status": "recovered", "found_by": how}, at=now())
    house.registry.revoke(leaf, reason="superseded", at=now() + timedelta(hours=1), now=now())
    chores.rejudge(house)
    found = json.loads(house.registry.statuses([copy])[copy].document)
    assert (found["status"], found["found_by"]) == ("recovered", how)
    assert words in found["summary"]


def test_a_child_by_another_key_keeps_its_own_word(house: House, leaf: str, signed: Signed, photo: Path, tmp_path: Path) -> None:
    """An edit is its editor's signature; that its parent's signer was revoked is told in its history."""
    from keys.authority import new_signer
    from keys.keystore import key_path
    from keys.signers.file import write_key

    issuer = house.keystore.issuer()
    second = new_signer(issuer, now())
    write_key(key_path(house.keystore.folder, "second"), second.key, (second.certificate, issuer.certificate))
    request = EditRequest(signed.path, photo, tmp_path / "e.jpg", ("c2pa.cropped",), mark="none")
    child = edit(request, house.studio("second"), at=now())
    house.registry.revoke(leaf, reason="keyCompromise", at=now() - timedelta(hours=1), now=now())
    chores.rejudge(house)
    assert word(house, child.asset_id) == "trusted"
    assert "signingCredential.ocsp.revoked" in verify(child.path, house.desk, at=now(), marks=False).verdict.history[1].faults


def test_a_crash_between_revoking_and_judging_loses_nothing(
    house: House, leaf: str, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    with monkeypatch.context() as patched:
        patched.setattr("provenance.store.pending.unmark", lambda *_: 1 / 0)  # the last step of the transaction
        with pytest.raises(ZeroDivisionError):
            chores.rejudge(house)
    assert word(house, signed.asset_id) == "trusted"
    assert house.chores.take(now=now()) == ()
    chores.rejudge(house)
    assert word(house, signed.asset_id) == "revoked"
    assert len(house.chores.take(now=now())) == 1


def test_a_status_made_in_the_meantime_stays(house: House, leaf: str, signed: Signed) -> None:
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    (old,) = house.chores.touched(leaf)
    newer = house.registry.set_status(signed.asset_id, signed.sha256, {"status": "unknown"}, at=now())
    ((mark, since),) = house.chores.revoked()
    assert house.chores.rejudged(mark, since, [(old, {"status": "revoked"})], [], at=now()) == 0
    assert house.registry.statuses([signed.asset_id])[signed.asset_id].etag == newer.etag


def test_a_damaged_store_changes_nothing(house: House, leaf: str, signed: Signed) -> None:
    record = house.registry.asset(signed.asset_id)
    assert record is not None
    (house.settings.objects_folder / record.manifest_digest[:2] / record.manifest_digest).write_bytes(b"")
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    (done,) = chores.rejudge(house)
    assert (done.seen, done.changed) == (1, 0)


def test_a_listener_that_fails_is_asked_later_and_given_up_at_last(
    house: House, leaf: str, signed: Signed, listener: Listener
) -> None:
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    chores.rejudge(house)
    listener.status = 500
    client, targets = Client(allow_private=True), chores.targets(house.settings)
    at = now()
    for attempt, wait in enumerate(RETRIES):
        early = at + wait / 2
        (one,) = deliver(house.chores, targets, client, clock=lambda at=at: at)  # type: ignore[misc]
        assert (one.ok, one.why) == (False, "answered HTTP 500"), attempt
        assert list(deliver(house.chores, targets, client, clock=lambda at=early: at)) == []  # type: ignore[misc]
        at += wait
    (one,) = deliver(house.chores, targets, client, clock=lambda: at)
    assert not one.ok
    assert list(deliver(house.chores, targets, client, clock=lambda: at + timedelta(days=30))) == []
    assert len({heads["webhook-id"] for heads, _ in listener.got}) == 1


def test_a_worker_that_died_gives_its_messages_back(house: House, leaf: str, signed: Signed) -> None:
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    chores.rejudge(house)
    assert len(house.chores.take(now=now())) == 1
    assert house.chores.take(now=now()) == ()
    assert len(house.chores.take(now=now() + timedelta(minutes=6))) == 1


def test_private_addresses_are_not_told_unless_allowed(house: House, leaf: str, signed: Signed, listener: Listener) -> None:
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    chores.rejudge(house)
    (one,) = chores.send(replace(house, settings=replace(house.settings, webhooks_private=False)))
    assert "no public address" in (one.why or "")
    assert listener.got == []


def test_a_target_that_was_removed_gets_nothing(house: House, leaf: str, signed: Signed, listener: Listener) -> None:
    house.registry.revoke(leaf, reason="keyCompromise", at=now())
    chores.rejudge(house)
    (one,) = chores.send(replace(house, settings=replace(house.settings, webhooks="")))
    assert one.why == "no longer a target"
    assert chores.send(house) == ()
    assert listener.got == []


def test_the_specifications_own_example() -> None:
    """Standard Webhooks 1.0, "Signature scheme"; the vector of its reference implementations."""
    (target,) = parse_targets("https://x.example/ whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", target.url, b'{"test": 2432232314}')
    made = headers(message, target.secret, datetime.fromtimestamp(1614265330, UTC))
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
