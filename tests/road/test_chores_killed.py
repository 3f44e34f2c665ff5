"""The worker is killed with -9 at random moments: every stamp that is due is got and kept once, every webhook arrives."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from keys import tsa
from keys.keystore import Keystore, init_development
from provenance import sdk
from provenance.capture import SignRequest, sign
from provenance.desk import Desk, Studio
from provenance.fetch import Client
from provenance.finishing import Signed
from provenance.outbox import deliver, parse_targets, status_changed
from provenance.stamping import stamp_queue
from provenance.store import Objects, Registry, connect
from provenance.store.chores import Chores
from provenance.store.database import reading
from provenance.store.events import Change
from provenance.store.pending import Message
from provenance.store.tables import outbox, stamp, status_event
from provenance.verify import verify
from tests.road.test_watching import drop
from watermark.payload import PUBLIC_KEY

KILLS, DUE, CHANGES = 5, 8, 40
LEASE = timedelta(minutes=6)  # after so long a message that a dead worker had taken is due again
SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def now() -> datetime:
    return datetime.now(UTC)


class Here:
    """Workers that work in this process: one kill ends everything at once, in the middle of whatever it is."""

    def run(self, task: Callable[..., Any], *arguments: Any) -> Any:
        return task(*arguments)

    def start(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(task(*arguments))
        return future


@contextmanager
def desk_of(keystore: Keystore, database: str, root: Path) -> Iterator[Desk]:
    """A desk with connections of its own: none survives a fork."""
    engine = connect(database)
    try:
        registry = Registry(engine, Objects(root / "objects"))
        yield Desk(Here(), keystore.development_lists(), (PUBLIC_KEY,), registry)  # type: ignore[arg-type]
    finally:
        engine.dispose()


def sign_all(desk: Desk, keystore: Keystore, root: Path, count: int) -> list[Signed]:
    """Small pictures, signed while no authority answered."""
    dice = random.Random(5)
    studio = Studio(
        desk,
        "development",
        keystore.folder,
        PUBLIC_KEY,
        lambda: None,
        lambda: dice.getrandbits(64),
        lambda: uuid.uuid4().hex,
    )
    signed = []
    for number in range(count):
        source = drop(root, f"{number}.jpg", number)
        signed.append(sign(SignRequest(source, root / f"{number}.signed.jpg", mark="none"), studio, at=now()))
    return signed


@contextmanager
def child(work: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """A process for the length of the block; killed at its end."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments, daemon=True)
    process.start()
    try:
        yield process
    finally:
        assert process.pid is not None
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()


def wait_for(path: Path) -> str:
    """What another process writes into a file, once it has."""
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"no {path.name}"
        time.sleep(0.005)
    return path.read_text()


def publish(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


def held(done: Path, allowed: Path) -> None:
    """Wait until so many lines may be there: whoever is to be killed never gets through before, however long we are away."""
    while len(lines(done)) > int(allowed.read_text()):
        time.sleep(0.002)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


# late stamps


def _authority(folder: Path, asked: Path, allowed: Path, address: Path) -> None:
    """A time stamp authority that takes its time, answers as many as it may, and notes every question."""

    def clock() -> datetime:
        with asked.open("a") as file:
            file.write("asked\n")
        time.sleep(0.04)
        held(asked, allowed)
        return now()

    with tsa.serve(Keystore.open(folder).tsa(), clock=clock) as url:
        publish(address, url)
        signal.pause()


def _stamp(folder: Path, database: str, root: Path, url: str) -> None:
    sdk._context.cache_clear()  # a context of the library is its process's own
    with desk_of(Keystore.open(folder), database, root) as desk:
        for _ in stamp_queue(desk, url, clock=now):
            pass


@pytest.mark.slow
def test_every_stamp_is_kept_once(database_url: str, engine: Engine, tmp_path: Path) -> None:
    keystore, dice = init_development(tmp_path / "keys", now=now()), random.Random(3)
    registry = Registry(engine, Objects(tmp_path / "objects"))
    with desk_of(keystore, database_url, tmp_path) as desk:
        signed = sign_all(desk, keystore, tmp_path, DUE)
    asked, allowed, address, left = tmp_path / "asked", tmp_path / "allowed", tmp_path / "address", []
    publish(allowed, "0")
    with child(_authority, keystore.folder, asked, allowed, address):
        url = wait_for(address)
        for _ in range(KILLS):
            before = len(lines(asked))
            publish(allowed, str(before + dice.randint(1, 2)))
            engine.dispose()
            with child(_stamp, keystore.folder, database_url, tmp_path, url) as worker:
                while worker.is_alive() and len(lines(asked)) == before:
                    time.sleep(0.002)
                time.sleep(dice.uniform(0.0, 0.12))
            left.append(len(registry.stamp_queue()))
        assert left[0], "everything was done before the first kill: the test shows nothing"
        publish(allowed, str(DUE + KILLS + 1))
        _stamp(keystore.folder, database_url, tmp_path, url)
    assert registry.stamp_queue() == ()
    with reading(engine) as connection:
        kept = sorted(connection.scalars(select(stamp.c.manifest_label)))
    assert kept == sorted(one.manifest_id for one in signed)
    assert DUE <= len(lines(asked)) <= DUE + KILLS  # a kill costs at most the token that was under way
    with desk_of(keystore, database_url, tmp_path) as desk:
        for one in signed:
            assert verify(one.path, desk, at=now(), marks=False).verdict.credential.time.state == "trusted", one.path


# webhooks


def _listener(got: Path, allowed: Path, address: Path) -> None:
    """A receiver of webhooks: what it answered well, it has on disk. It answers as many as it may."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with got.open("a") as file:
                file.write(json.dumps([self.headers["webhook-id"], body["data"]["changes"][0]["sha256"]]) + "\n")
            time.sleep(0.01)
            held(got, allowed)
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        publish(address, f"http://127.0.0.1:{server.server_address[1]}/hook")
        server.serve_forever(poll_interval=0.02)


def _tell(database: str, url: str, later: timedelta) -> None:
    """What the worker does of it in a round: messages for what changed, then the messages."""
    engine, targets = connect(database), parse_targets(f"{url} {SECRET}")
    chores = Chores(engine)

    def compose(changes: Sequence[Change]) -> list[Message]:
        told = [[one.as_dict()] for one in changes]  # a message for each, so that there are many
        return [m for one in told for m in status_changed(one, targets=[url], at=now(), new_id=lambda: uuid.uuid4().hex)]

    chores.tell(compose, at=now())
    for _ in deliver(chores, targets, Client(allow_private=True), clock=lambda: now() + later):
        pass
    engine.dispose()


@pytest.mark.slow
def test_every_webhook_arrives(database_url: str, engine: Engine, tmp_path: Path) -> None:
    dice = random.Random(4)
    registry, digests = Registry(engine, Objects(tmp_path / "objects")), [f"{number:064x}" for number in range(CHANGES)]
    got, allowed, address, sent = tmp_path / "got", tmp_path / "allowed", tmp_path / "address", []
    publish(allowed, "0")
    with child(_listener, got, allowed, address):
        url = wait_for(address)
        for turn in range(KILLS):
            for digest in digests[turn * CHANGES // KILLS : (turn + 1) * CHANGES // KILLS]:
                for word in ("valid", "revoked"):  # what was never shown is not told; what changed is
                    registry.set_status(None, digest, {"status": word}, at=now())
            publish(allowed, str(len(lines(got)) + dice.randint(1, 6)))
            engine.dispose()
            with child(_tell, database_url, url, turn * LEASE) as worker:
                began = time.monotonic()
                while worker.is_alive() and len(lines(got)) == (sent[-1] if sent else 0) and time.monotonic() < began + 10:
                    time.sleep(0.002)
                time.sleep(dice.uniform(0.0, 0.1))
            sent.append(len(lines(got)))
        assert sent[0] < CHANGES // KILLS, "everything was sent before the first kill: the test shows nothing"
        publish(allowed, str(CHANGES + KILLS + 1))
        _tell(database_url, url, KILLS * LEASE)
    with reading(engine) as connection:
        rows = connection.execute(select(outbox.c.event_id, outbox.c.sent_at)).all()
        untold = list(connection.scalars(select(status_event.c.id).where(status_event.c.told.is_(False))))
    assert untold == []
    assert len(rows) == CHANGES  # a change is told in one message
    assert all(row.sent_at is not None for row in rows)
    arrived = [json.loads(line) for line in lines(got)]
    assert {event_id for event_id, _ in arrived} == {row.event_id for row in rows}
    assert {digest for _, digest in arrived} == set(digests)
    assert len(arrived) <= CHANGES + KILLS  # what was sent and not noted goes out again, under the same id
