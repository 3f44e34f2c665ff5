"""Witnesses: a small one of ours that keeps to C2SP tlog-witness, asked by the client over real HTTP."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from provenance.errors import MalformedError, NotFoundError, UnavailableError
from provenance.store import Registry
from provenance.store.log import Log
from provenance.trail.checkpoint import message, open_checkpoint, parse_checkpoint, signature
from provenance.trail.note import KeyType, NoteKey, parse_note
from provenance.trail.sequencer import Sequencer
from provenance.trail.tree import EMPTY_ROOT, consistent
from provenance.trail.wire import Wire, wire
from provenance.trail.witness import Answer, Witness, ask, collect, parse_witness, request

Keys = tuple[NoteKey, NoteKey]
NAME = "witness.example/w1"


@dataclass
class SmallWitness:
    """What a witness has to do, and no more: remember one checkpoint a log, cosign what continues it."""

    signer: Any
    log_keys: Keys
    size: int = 0
    root: bytes = EMPTY_ROOT
    at: int = 1_795_000_000
    lie: str = ""
    seen: list[bytes] = field(default_factory=list)

    @property
    def keys(self) -> Keys:
        public = self.signer.keys(NAME)
        return NoteKey(NAME, KeyType.COSIGNATURE_ED25519, public[0].public), public[1]

    def add_checkpoint(self, body: bytes) -> tuple[int, str, bytes]:
        self.seen.append(body)
        head, _, note = body.partition(b"\n\n")
        first, *lines = head.decode().split("\n")
        old, proof = int(first.removeprefix("old ")), [base64.b64decode(line) for line in lines]
        opened = open_checkpoint(note, self.log_keys)
        tree = opened.checkpoint
        if tree.origin != self.log_keys[0].name:
            return 404, "text/plain", b""
        if not opened.signed:
            return 403, "text/plain", b""
        if old > tree.size:
            return 400, "text/plain", b""
        if old != self.size:
            return 409, "text/x.tlog.size", b"%d\n" % self.size
        if not consistent(old, self.root, tree.size, tree.root, proof):
            return 422, "text/plain", b""
        self.size, self.root = tree.size, tree.root
        old_key, new_key = self.keys
        lines_out = [
            signature(old_key, self.signer.sign_ed25519(message(old_key, tree, self.at)), self.at),
            signature(new_key, self.signer.sign_ml_dsa_44(message(new_key, tree, self.at)), self.at),
        ]
        if self.lie == "other tree":
            other = parse_checkpoint(parse_note(note).text.replace(f"\n{tree.size}\n", f"\n{tree.size + 1}\n"))
            lines_out = [signature(old_key, self.signer.sign_ed25519(message(old_key, other, self.at)), self.at)]
        if self.lie == "nonsense":
            return 200, "text/plain", b"certainly\n"
        if self.lie == "long":
            return 200, "text/plain", b"x" * (1 << 17)
        return 200, "text/plain", "".join(s.line for s in lines_out).encode()


@pytest.fixture
def small(seeded: Callable[[str], Any], keys: Keys) -> SmallWitness:
    return SmallWitness(seeded("the witness"), keys)


@pytest.fixture
def witness(small: SmallWitness) -> Iterator[Witness]:
    """The small witness behind a socket."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, kind, body = 404, "text/plain", b""
            if self.path == "/submit/add-checkpoint":
                status, kind, body = small.add_checkpoint(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield Witness(f"http://127.0.0.1:{server.server_address[1]}/submit", small.keys)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client() -> Iterator[Wire]:
    with wire() as opened:
        yield opened


@pytest.fixture
def grow(registry: Registry, sequencer: Sequencer, at: datetime) -> Callable[[int], None]:
    def append(count: int) -> None:
        for n in range(count):
            registry.append("judged", None, {"n": n}, at=at)
        sequencer.drain()

    return append


def test_a_log_is_witnessed_as_it_grows(
    log: Log, grow: Callable[[int], None], witness: Witness, small: SmallWitness, client: Wire, keys: Keys, at: datetime
) -> None:
    for count in (3, 1, 40):
        grow(count)
        (asked,) = collect(log, [witness], client.post, at=at)
        assert asked.why_not is None
        opened = open_checkpoint(log.checkpoint(), [*keys, *witness.keys])
        assert opened.signed
        assert opened.witnesses == {NAME}
        assert len(opened.note.signatures) == 4
    assert small.size == 44
    assert log.witnessed([NAME], 1) == log.checkpoint()
    assert log.witnessed([NAME], 2) is None
    proof = log.prove(2, checkpoint=log.checkpoint(4))  # an older, witnessed checkpoint proves as well
    assert open_checkpoint(proof.checkpoint, witness.keys).witnesses == {NAME}
    grow(1)
    assert open_checkpoint(log.witnessed([NAME], 1) or b"", keys).checkpoint.size == 44


def test_asking_again_is_one_more_answer_and_no_second_line(
    log: Log, grow: Callable[[int], None], witness: Witness, small: SmallWitness, client: Wire, at: datetime
) -> None:
    grow(5)
    for _ in range(2):
        collect(log, [witness], client.post, at=at)
    assert len(parse_note(log.checkpoint()).signatures) == 4
    assert [body.split(b"\n")[0] for body in small.seen] == [b"old 0", b"old 0", b"old 5"]


def test_a_witness_that_saw_more_is_not_argued_with(
    log: Log, grow: Callable[[int], None], witness: Witness, small: SmallWitness, client: Wire
) -> None:
    """The log was set back, and the witness remembers."""
    grow(5)
    small.size, small.root = 9, bytes(32)
    asked = ask(log, witness, client.post)
    assert asked.signatures == ()
    assert asked.why_not == "it remembers 9 entries, and the log has 5"


def test_a_log_that_changed_its_story_is_refused(
    log: Log, grow: Callable[[int], None], witness: Witness, small: SmallWitness, client: Wire
) -> None:
    grow(5)
    small.size, small.root = 3, bytes(32)
    assert ask(log, witness, client.post).why_not == "it answered 422"
    small.size, small.root = 5, bytes(32)
    assert ask(log, witness, client.post).why_not == "it answered 422"


@pytest.mark.parametrize("lie", ["other tree", "nonsense", "long"])
def test_what_a_witness_says_is_checked(
    log: Log, grow: Callable[[int], None], witness: Witness, small: SmallWitness, client: Wire, at: datetime, lie: str
) -> None:
    grow(5)
    small.lie = lie
    if lie == "long":
        with pytest.raises(MalformedError):
            ask(log, witness, client.post)
        return
    (asked,) = collect(log, [witness], client.post, at=at)
    assert asked.signatures == ()
    assert asked.why_not is not None
    assert len(parse_note(log.checkpoint()).signatures) == 2


def test_another_key_than_the_settings_name_does_not_count(
    log: Log, grow: Callable[[int], None], witness: Witness, client: Wire, seeded: Callable[[str], Any]
) -> None:
    grow(5)
    stranger = Witness(witness.url, seeded("stranger").keys(NAME)[1:])
    assert ask(log, stranger, client.post).why_not == "its answer holds no cosignature of its keys"


def test_a_witness_that_is_away_stops_nothing(log: Log, grow: Callable[[int], None], small: SmallWitness, at: datetime) -> None:
    grow(5)

    def away(_url: str, _body: bytes) -> Answer:
        raise UnavailableError("the witness")

    (asked,) = collect(log, [Witness("http://away.example", small.keys)], away, at=at)
    assert asked.why_not == "the witness is unavailable"


def test_there_must_be_something_to_witness(log: Log, small: SmallWitness, at: datetime) -> None:
    with pytest.raises(NotFoundError):
        collect(log, [Witness("http://x.example", small.keys)], lambda *_: Answer(200, b""), at=at)


def test_the_wire_takes_no_redirect_and_no_nonsense(client: Wire) -> None:
    for url in ("http://127.0.0.1:1/", "nonsense", "ftp://example/"):
        with pytest.raises(UnavailableError):
            client.get(url)


def test_how_settings_name_a_witness(small: SmallWitness, keys: Keys) -> None:
    old, new = small.keys
    assert parse_witness(f"https://w.example/ {old.vkey} {new.vkey}") == Witness("https://w.example", (old, new))
    for line in ("https://w.example", f"https://w.example {keys[0].vkey}", f"https://w.example {old.vkey} {keys[1].vkey}"):
        with pytest.raises(MalformedError):
            parse_witness(line)


def test_the_request_of_the_specification() -> None:
    assert request(20, [bytes(32)], b"log\n") == b"old 20\n" + b"A" * 43 + b"=\n\nlog\n"
    assert request(0, [], b"log\n") == b"old 0\n\nlog\n"
