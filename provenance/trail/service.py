"""The sequencer as a process of its own: it alone holds the log's private keys while a service answers requests.

python -m provenance.trail.service      one line of JSON on standard input says what to serve (see `Task`), so that no
                                        password of a database shows in the list of processes; then it runs until
                                        standard input closes, that is until whoever started it ends
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from keys.child import child
from keys.errors import KeysError
from keys.logkeys import init_log_keys, open_log_keys
from provenance.errors import ConflictError, ProvenanceError, RollbackError, UnavailableError
from provenance.store.database import connect
from provenance.store.log import Log
from provenance.trail.note import NoteKey
from provenance.trail.sequencer import Sequencer, log_keys
from provenance.trail.wire import wire
from provenance.trail.witness import Poster, Witness, collect, parse_witness

READY = "ready"
MEMORY = "trail.checkpoint"
_POLL_S = 0.05
_AFTER_FAILURE_S = 2.0


@dataclass(frozen=True, slots=True)
class Task:
    """What a sequencer serves.

    Attributes:
        database: URL.
        keys_folder: Where the log's keys are; made if there are none.
        origin: The log's name; empty derives one from the public key.
        memory: File that remembers the last checkpoint.
        witnesses: Each `URL VKEY…`, see `witness.parse_witness`.
    """

    database: str
    keys_folder: str
    origin: str
    memory: str
    witnesses: tuple[str, ...] = ()


def keys_of(folder: Path, origin: str = "") -> tuple[NoteKey, NoteKey]:
    """The log's public keys under its name, made at first use. An origin of nobody's choice names the key itself.

    Raises:
        KeyFileError: the folder cannot be written.
    """
    public = init_log_keys(folder)
    return log_keys(origin or f"colophon.invalid/{public.ed25519[:8].hex()}", public.ed25519, public.ml_dsa_44)


@contextmanager
def opened(task: Task) -> Iterator[tuple[Sequencer, Log]]:
    """Open what a task names, for the length of the block."""
    folder = Path(task.keys_folder)
    keys = keys_of(folder, task.origin)
    engine = connect(task.database)
    try:
        yield Sequencer(engine, open_log_keys(folder), keys, now=_now, memory=Path(task.memory)), Log(engine)
    finally:
        engine.dispose()


def run(task: Task, *, stop: threading.Event, post: Poster | None = None, ready: Callable[[], None] = lambda: None) -> None:
    """Number what comes in, and ask the witnesses after it, until told to stop; `ready` is called when it has begun.

    A database that is away is waited for; a log that must not be continued ends the run.

    Raises:
        RollbackError, ConflictError: see `Sequencer.step`.
    """
    witnesses = [parse_witness(line) for line in task.witnesses]
    with opened(task) as (sequencer, log):
        sequencer.begin()
        ready()
        asked = 0
        while not stop.is_set():
            pause = _POLL_S
            try:
                if sequencer.step():
                    continue
                asked = _ask(log, witnesses, asked, post)
            except (RollbackError, ConflictError):
                raise
            except ProvenanceError as error:
                print(f"sequencer: {error}", file=sys.stderr, flush=True)
                pause = _AFTER_FAILURE_S
            stop.wait(pause)


@contextmanager
def spawn(task: Task, *, timeout_s: float = 60.0) -> Iterator[None]:
    """Run a sequencer beside this process for the length of the block; it ends with it, however that ends.

    Raises:
        UnavailableError: it did not come up in time; it says why on standard error.
    """
    given = json.dumps(asdict(task)).encode() + b"\n"
    with child("provenance.trail.service", task=given, timeout_s=timeout_s) as line:
        if line != READY:
            raise UnavailableError("the sequencer of the trail")
        yield


def main() -> int:
    """Serve the task on standard input; exit 1 where the log must not be continued."""
    task = json.loads(sys.stdin.readline())
    stop = threading.Event()
    threading.Thread(target=_watch, args=(stop.set,), daemon=True).start()
    try:
        with wire() as client:
            named = Task(**{**task, "witnesses": tuple(task["witnesses"])})
            run(named, stop=stop, post=client.post, ready=lambda: print(READY, flush=True))
    except (ProvenanceError, KeysError) as error:
        print(f"sequencer: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _ask(log: Log, witnesses: Sequence[Witness], asked: int, post: Poster | None) -> int:
    """Have the newest checkpoint cosigned, once; a witness that is away is asked again with the next one."""
    size = log.size()
    if witnesses and size > asked and post is not None:
        collect(log, witnesses, post, at=_now())
    return size


def _watch(ended: Callable[[], None]) -> None:
    while sys.stdin.readline():
        pass
    ended()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
