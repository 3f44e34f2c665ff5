"""Following a whole log: what was seen must still be there, and every leaf is recomputed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import uvicorn
from sqlalchemy import Engine

from api.app import create_app, serving_house
from api.cli.app import run
from api.settings import Settings
from provenance.errors import MalformedError, NotFoundError
from provenance.store.grouped import Grouped
from provenance.store.log import Log
from provenance.trail.audit import Fetch, follow, keys_of, remembered
from provenance.trail.note import NoteKey
from provenance.trail.proof import parse_proof, prove
from provenance.trail.sequencer import Sequencer
from provenance.trail.tile import parse_path
from provenance.trail.tree import leaf_hash

Keys = tuple[NoteKey, NoteKey]


@pytest.fixture
def fetch(log: Log) -> Fetch:
    """The log as it is served, without the wire."""

    def get(path: str) -> bytes | None:
        try:
            return log.checkpoint() if path == "checkpoint" else log.resource(parse_path(path))
        except NotFoundError:
            return None

    return get


@pytest.fixture
def grow(engine: Engine, sequencer: Sequencer, at: datetime) -> Callable[[int], None]:
    def append(count: int) -> None:
        with Grouped(engine, salt=lambda: bytes(16)) as line:
            for n in range(count):
                line.append("judged", None, {"n": n}, at=at)
        sequencer.drain()

    return append


def bent(fetch: Fetch, path: str, change: Callable[[bytes], bytes | None]) -> Fetch:
    """The same log, but for one resource."""

    def get(asked: str) -> bytes | None:
        found = fetch(asked)
        return change(found) if asked == path and found is not None else found

    return get


def test_a_log_is_followed_as_it_grows(fetch: Fetch, grow: Callable[[int], None], keys: Keys) -> None:
    kept = None
    size = 0
    for count in (7, 250, 1, 600):
        grow(count)
        size += count
        seen: list[tuple[int, int]] = []
        found = follow(fetch, keys, kept, seen=lambda done, most, to=seen: to.append((done, most)))  # type: ignore[misc]
        assert (found.faults, found.new) == ((), count)
        assert found.checkpoint is not None
        assert found.checkpoint.size == size
        assert seen[-1] == (count, count)
        assert found.remembered is not None
        kept = remembered(bytes(found.remembered))
    again = follow(fetch, keys, kept)
    assert (again.faults, again.new) == ((), 0)


def test_the_empty_log(fetch: Fetch, sequencer: Sequencer, keys: Keys) -> None:
    assert [f.say for f in follow(fetch, keys).faults] == ["There is none."]
    sequencer.begin()
    sequencer.begin()
    found = follow(fetch, keys)
    assert (found.faults, found.new) == ((), 0)
    assert found.checkpoint is not None
    assert found.checkpoint.size == 0


@pytest.mark.parametrize(
    ("path", "change", "where"),
    [
        ("checkpoint", lambda b: b.replace(b"\n300\n", b"\n299\n"), "checkpoint"),
        ("checkpoint", lambda _: b"nonsense", "checkpoint"),
        ("checkpoint", lambda _: None, "checkpoint"),
        ("tile/entries/000", lambda b: b.replace(b"judged", b"Judged", 1), "tile/entries/000"),
        ("tile/entries/000", lambda b: b[:-1], "tile/entries/000"),
        ("tile/entries/001.p/44", lambda _: None, "tile/entries/001.p/44"),
        ("tile/entries/001.p/44", lambda b: b + b"\0\0", "tile/entries/001.p/44"),
        ("tile/0/000", lambda b: b[:-1] + bytes([b[-1] ^ 1]), "tile/entries/000"),
        ("tile/0/001.p/44", lambda b: b[:-32], "tile/entries/001.p/44"),
    ],
)
def test_what_is_otherwise_is_named(
    fetch: Fetch, grow: Callable[[int], None], keys: Keys, path: str, change: Callable[[bytes], bytes | None], where: str
) -> None:
    grow(300)
    found = follow(bent(fetch, path, change), keys)
    assert [fault.where for fault in found.faults] == [where]
    assert found.remembered is None


def test_a_consistent_lie_is_caught_by_the_root_and_by_what_was_seen(
    fetch: Fetch, grow: Callable[[int], None], keys: Keys, log: Log
) -> None:
    """The log serves another entry 3 with a tile to fit: the signed root does not."""
    grow(10)
    first = follow(fetch, keys)
    other = log.entries(3, 4)[0].body.replace(b"judged", b"Judged")

    def lie(path: str) -> bytes | None:
        good = fetch(path)
        if good is None:
            return None
        if path.startswith("tile/entries/000"):
            return good.replace(log.entries(3, 4)[0].body, other)
        if path.startswith("tile/0/000"):
            return good[: 3 * 32] + leaf_hash(other) + good[4 * 32 :]
        return good

    assert [fault.where for fault in follow(lie, keys).faults] == ["checkpoint"]
    grow(5)
    assert first.remembered is not None
    bad = remembered(bytes(first.remembered))
    assert follow(fetch, keys, bad).faults == ()


def test_a_log_that_shrank_or_is_another(
    fetch: Fetch, grow: Callable[[int], None], keys: Keys, log: Log, seeded: Callable[..., object]
) -> None:
    grow(10)
    early = log.checkpoint()
    grow(10)
    seen = follow(fetch, keys).remembered
    assert seen is not None
    back = follow(bent(fetch, "checkpoint", lambda _: early), keys, seen)
    assert [f.say for f in back.faults] == ["The log has 10 entries, and last time it had 20."]
    strangers = seeded("another").keys(keys[0].name)  # type: ignore[attr-defined]
    assert [f.say for f in follow(fetch, strangers).faults] == ["It is not signed by the log's key."]


@pytest.mark.parametrize("change", [lambda s: s.update(edge=[]), lambda s: s.update(checkpoint=""), lambda s: s.pop("keys")])
def test_what_is_remembered_must_fit_together(
    fetch: Fetch, grow: Callable[[int], None], keys: Keys, change: Callable[[dict[str, object]], None]
) -> None:
    grow(3)
    found = follow(fetch, keys).remembered
    assert found is not None
    said = json.loads(bytes(found))
    change(said)
    with pytest.raises(MalformedError):
        remembered(json.dumps(said).encode())
    with pytest.raises(MalformedError):
        remembered(b"nonsense")


# over HTTP, from the command line


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with its own sequencer, behind a socket; some entries are on their way."""
    home = tmp_path_factory.mktemp("served")
    with serving_house(Settings(home=home, tsa="none", worker_count=1)) as house:
        assert house.desk.registry is not None
        server = uvicorn.Server(uvicorn.Config(create_app(house), port=0, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
        entry = 0
        for n in range(5):
            entry = house.desk.registry.append("judged", None, {"n": n}, at=datetime.now(UTC))

        house.log.await_number(entry, timeout_s=30, sleep=time.sleep, clock=time.monotonic)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api/v1/log"
        server.should_exit = True
        thread.join()


@pytest.mark.slow
def test_from_the_command_line(address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def audit(*more: str) -> tuple[int, dict[str, object]]:
        capfd.readouterr()
        code = run(["audit", "--log", address, "--home", str(tmp_path), "--json", *more])
        return code, json.loads(capfd.readouterr().out)

    code, first = audit()
    assert (code, first["size"], first["new"], first["faults"]) == (0, 5, 5, [])
    code, second = audit()
    assert (code, second["size"], second["new"]) == (0, 5, 0)
    Path(str(first["remembered"])).write_text("{}")
    code, broken = audit()
    assert code == 1
    assert "error" in broken


@pytest.mark.slow
def test_resources_are_served_as_the_specification_says(address: str) -> None:

    with httpx2.Client(base_url=address, trust_env=False) as client:
        checkpoint = client.get("/checkpoint")
        assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
        assert checkpoint.headers["cache-control"] == "no-cache"
        keys = keys_of(client.get("/keys").content)
        tile = client.get("/tile/0/000.p/5")
        assert (tile.headers["content-type"], len(tile.content)) == ("application/octet-stream", 160)
        assert "immutable" in tile.headers["cache-control"]
        for seq in range(5):
            proof = parse_proof(client.get("/proof", params={"seq": seq}).content)
            assert prove(proof, tile.content[seq * 32 : seq * 32 + 32], keys).holds
        entries = client.get("/tile/entries/000.p/5")
        assert entries.status_code == 200
        for missing in ("/tile/0/000", "/tile/0/000.p/6", "/tile/9/000", "/tile/x", "/proof?seq=5", "/proof?entry=99"):
            assert client.get(missing).status_code == 404, missing
        for wrong in ("/proof", "/proof?seq=1&entry=1", "/proof?seq=-1", "/proof?seq=x"):
            assert client.get(wrong).status_code == 422, wrong
