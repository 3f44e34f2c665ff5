"""What was signed where nobody could be told: a queue of files on disk, delivered once and in order.

    FOLDER/
      lock                held by the one process that works here
      work/               being made; swept at start
      queue/00000007/     committed by a rename: entry.json, asset, store.c2pa, reference
      done/00000007.json  delivered: what it was, where it came from, the receipt
      refused/00000007/   nobody wants it, and says why: entry.json, asset, …, why.txt

An entry is in `queue` whole or not at all, and leaves it only after its note in `done` is on disk. Whoever is killed in between
delivers it again, which changes nothing: a registration bears its asset's id, its digest and its manifest from the beginning.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance.errors import InputError, OutputError
from provenance.store.records import Binding, Registration

try:
    import fcntl
except ImportError:  # Windows: two watches of one folder are not kept apart
    fcntl = None  # type: ignore[assignment]

_BYTES = {"manifest_store": "store.c2pa", "reference": "reference"}
_INSTANTS = ("signed_at", "stamp_due")
_PLAIN = tuple(f.name for f in fields(Registration) if f.name not in (*_BYTES, *_INSTANTS, "bindings", "kin", "ingredients"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A signed asset that was not delivered yet.

    Attributes:
        number: Place in the order.
        source: SHA-256 of the file that it was made from.
        name: Of the signed file in the target folder.
        asset: Where its bytes are.
    """

    number: int
    source: str
    name: str
    at: datetime
    asset: Path
    registration: Registration
    status: Mapping[str, Any]


class Backlog:
    """The queue of one target folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._queue, self._done, self._refused, self.work = (folder / n for n in ("queue", "done", "refused", "work"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Work here alone; what an earlier process left unfinished is swept away.

        Raises:
            InputError: another process works here.
            OutputError: the folder cannot be written.
        """
        try:
            for place in (self._queue, self._done, self._refused, self.work):
                place.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self._folder / "lock").open("a+b") as lock:
                if fcntl is not None:
                    self._take(lock.fileno())
                for left in self.work.iterdir():
                    _remove(left)
                yield
        except OSError as error:
            raise OutputError(str(self._folder), (error.strerror or str(error)).lower()) from error

    def _take(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(str(self._folder.parent), "another watch works here") from error

    def known(self) -> dict[str, str]:
        """Digests of all sources that were taken in, and the names of their signed files."""
        entries = [*self._queue.glob("*/entry.json"), *self._done.glob("*.json"), *self._refused.glob("*/entry.json")]
        return {said["source"]: said["name"] for said in map(_json, sorted(entries))}

    def add(
        self, signed: Path, registration: Registration, status: Mapping[str, Any], *, source: str, name: str, at: datetime
    ) -> int:
        """Take in a signed file, which must lie in `work`; returns its number. After this it is never lost."""
        place = self.work / secrets.token_hex(8)
        place.mkdir()
        signed.replace(place / "asset")
        for field_, file in _BYTES.items():
            content = getattr(registration, field_)
            if content is not None:
                (place / file).write_bytes(content)
        entry = {
            "source": source,
            "name": name,
            "at": at.isoformat(),
            "registration": _plain(registration),
            "status": dict(status),
        }
        (place / "entry.json").write_text(json.dumps(entry, ensure_ascii=False))
        for path in place.iterdir():
            _flush(path)
        number = 1 + max((_number(p) for f in (self._queue, self._done, self._refused) for p in f.iterdir()), default=0)
        place.rename(self._queue / f"{number:08d}")
        _flush(self._queue)
        return number

    def waiting(self) -> Iterator[Waiting]:
        """What was not delivered, in order."""
        for place in sorted(self._queue.iterdir()):
            if (self._done / f"{place.name}.json").exists():
                _remove(place)  # the last thing that was not done
                continue
            said = _json(place / "entry.json")
            at = datetime.fromisoformat(said["at"])
            registration = _registration(said["registration"], place)
            yield Waiting(_number(place), said["source"], said["name"], at, place / "asset", registration, said["status"])

    def done(self, entry: Waiting, receipt: str) -> None:
        """Note that an entry arrived, and let go of its bytes."""
        said = {"source": entry.source, "name": entry.name, "at": entry.at.isoformat(), "receipt": receipt}
        said |= {"asset_id": entry.registration.asset_id, "manifest_id": entry.registration.manifest_id}
        note = self.work / f"{entry.number:08d}.json"
        note.write_text(json.dumps(said))
        _flush(note)
        note.replace(self._done / note.name)
        _flush(self._done)
        _remove(entry.asset.parent)

    def refuse(self, entry: Waiting, why: str) -> None:
        """Put an entry aside that will never be taken, so that it does not stop those behind it."""
        (entry.asset.parent / "why.txt").write_text(why + "\n")
        entry.asset.parent.replace(self._refused / entry.asset.parent.name)


def _plain(registration: Registration) -> dict[str, Any]:
    said: dict[str, Any] = {name: getattr(registration, name) for name in _PLAIN}
    for name in _INSTANTS:
        instant = getattr(registration, name)
        said[name] = None if instant is None else instant.isoformat()
    return said | {"bindings": [[b.alg, b.value] for b in registration.bindings]}


def _registration(said: Mapping[str, Any], place: Path) -> Registration:
    known: dict[str, Any] = {name: said[name] for name in _PLAIN if name in said}
    for name in _INSTANTS:
        known[name] = None if said[name] is None else datetime.fromisoformat(said[name])
    for name, file in _BYTES.items():
        known[name] = (place / file).read_bytes() if (place / file).exists() else None
    return Registration(**known, bindings=tuple(Binding(alg, value) for alg, value in said["bindings"]))


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(str(path), "is damaged: it was written by no watch") from error
    return found


def _number(path: Path) -> int:
    return int(path.name.partition(".")[0])


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
