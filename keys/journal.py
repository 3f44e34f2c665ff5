"""What was signed: `signed.jsonl` in the keys folder, one JSON object a line, on disk before a signature leaves the process.

    {"journal": ID}                                       the first line; tells this journal from any other
    {"n": 1, "at": …, "key": …, "fingerprint": …, "claim": SHA-256, "instance": …, "generator": …,
     "source_type": …, "media_type": …, "code": SHA-256 of the capture code}

Digests and names of kinds only, nothing of the content. Numbers run on from 1; whoever copies the journal elsewhere (the
trail does) keeps the last number, and what follows it is found by halving. Once it is long, and copied, `rotate` lays it aside as
`signed.UNTIL.jsonl`, and a short one goes on, `{"journal": ID, "after": UNTIL}`, with what still decides: spent capture codes and
the last minute. Several processes may write: each takes the folder's lock and first reads what others added. A line that a crash
cut off was never answered, and is passed over.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from keys.errors import KeyFileError
from keys.files import locked, write_private

NAME = "signed.jsonl"
_MINUTE = timedelta(minutes=1)
_NEAR = 64 << 10  # bytes; so much is read rather than halved
_LONG = 16 << 20  # bytes; some 40,000 signatures


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature that was given, or is about to be. `n` is 0 until it stands in the journal."""

    at: datetime
    key: str
    fingerprint: str
    claim: str
    instance: str
    generator: str
    source_type: str | None
    media_type: str | None
    code: str | None = None
    n: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.astimezone(UTC).isoformat()}


class Journal:
    """The journal of a keys folder, followed by one process. Not for several threads at once: `notary` holds a lock."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._folder, self._end, self._last = folder, 0, 0
        self._file: tuple[int, int] | None = None  # which file that was: it is another after a rotation
        self._spent: dict[str, str] = {}  # capture code → claim, as digests
        self._recent: dict[str, deque[datetime]] = {}

    def enter(self, signature: Signature, allowed: Callable[[Journal], None]) -> Signature:
        """Write a signature down, if `allowed` does not raise with everything read; returns it with its number.

        Raises:
            KeyFileError: the journal cannot be read or written. Nothing may be signed then.
        """
        try:
            with locked(self._folder):
                self._follow()
                allowed(self)
                entry = replace(signature, n=self._last + 1)
                self._write(entry)
        except OSError as error:
            raise KeyFileError(self.path, error.strerror or "cannot be written") from error
        return entry

    def spent_on(self, code: str) -> str | None:
        """The digest of the claim that a capture code, given by its digest, was used for."""
        return self._spent.get(code)

    def in_last_minute(self, key: str, now: datetime) -> int:
        """How many signatures a key gave in the minute before an instant; survives a restart, as it is read from the file."""
        times = self._recent.get(key, deque())
        while times and times[0] <= now - _MINUTE:
            times.popleft()
        return len(times)

    def _follow(self) -> None:
        """Take in what was added since."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            state = os.fstat(file.fileno())
            if (state.st_dev, state.st_ino) != self._file:
                self._file, self._end = (state.st_dev, state.st_ino), 0
                self._recent.clear()
            file.seek(self._end)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            found = _parsed(line)
            if found is not None:
                self._note(found)
            else:
                self._last = max(self._last, _after(line))
        self._end += len(whole)

    def _note(self, entry: Signature) -> None:
        self._last = max(self._last, entry.n)
        self._recent.setdefault(entry.key, deque()).append(entry.at)
        if entry.code:
            self._spent.setdefault(entry.code, entry.claim)

    def _write(self, entry: Signature) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(handle, "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            if end > self._end:  # what a crash left of a line: nobody was answered
                file.truncate(self._end)
                file.seek(self._end)
            begun = {} if self._end else {"journal": secrets.token_hex(16)}
            head = json.dumps(begun).encode("ascii") + b"\n" if begun else b""
            file.write(head + json.dumps(entry.as_dict(), sort_keys=True).encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._end, state = file.tell(), os.fstat(file.fileno())
            self._file = state.st_dev, state.st_ino
        self._note(entry)


def read(folder: Path, *, after: int = 0, limit: int = 10_000) -> tuple[str | None, tuple[Signature, ...]]:
    """The journal's id, and its entries with numbers above `after`, in order. Raises KeyFileError.

    The id is None where nothing was ever signed.
    """
    path = folder / NAME
    try:
        with path.open("rb") as file:
            begun = file.readline()
            if not begun.endswith(b"\n"):
                return None, ()  # a crash cut its first line off
            first = _loaded(begun)
            if not first.get("journal"):
                raise KeyFileError(path, "does not begin as a journal of signatures does")
            _seek_after(file, after)
            return str(first["journal"]), tuple(islice(_entries(file, after), limit))
    except FileNotFoundError:
        return None, ()
    except OSError as error:
        raise KeyFileError(path, error.strerror or "cannot be read") from error


def rotate(folder: Path, *, copied: int, now: datetime, longer_than: int = _LONG) -> Path | None:
    """Lay a long journal aside, if it was copied elsewhere up to its last number. Returns where it lies now.

    A crash leaves the long journal in use, at most with a second name.

    Raises:
        KeyFileError: it cannot be read or written; then nothing was changed.
    """
    path = folder / NAME
    try:
        if not path.exists() or path.stat().st_size <= longer_than:
            return None
        with locked(folder):
            name, found = read(folder, limit=sys.maxsize)
            with path.open("rb") as file:
                last = max([_after(file.readline()), *(one.n for one in found)])
            if name is None or last > copied:
                return None
            kept = [one for one in found if one.code or one.at > now - _MINUTE]
            lines = [{"journal": name, "after": last}, *(one.as_dict() for one in kept)]
            aside = folder / f"signed.{last}.jsonl"
            if not aside.exists():
                os.link(path, aside)
            write_private(path, b"".join(json.dumps(line, sort_keys=True).encode("utf-8") + b"\n" for line in lines))
            return aside
    except OSError as error:
        raise KeyFileError(path, error.strerror or "cannot be laid aside") from error


def _seek_after(file: BinaryIO, after: int) -> None:
    """Go to the beginning of a line such that no entry above `after` stands before it; numbers only grow."""
    low, high = file.tell(), file.seek(0, os.SEEK_END)
    while high - low > _NEAR:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()  # the rest of a line
        start = file.tell()
        entry = next((found for line in iter(file.readline, b"") if (found := _parsed(line)) is not None), None)
        if entry is not None and entry.n <= after:
            low = start
        else:
            high = middle
    file.seek(low)


def _entries(file: BinaryIO, after: int) -> Iterator[Signature]:
    for line in file:
        entry = _parsed(line) if line.endswith(b"\n") else None
        if entry is not None and entry.n > after:
            yield entry


def _after(line: bytes) -> int:
    """The number that a journal goes on from, by its first line."""
    found = _loaded(line).get("after")
    return found if isinstance(found, int) else 0


def _loaded(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _parsed(line: bytes) -> Signature | None:
    entry = _loaded(line)
    try:
        return Signature(**(entry | {"at": datetime.fromisoformat(entry["at"])}))
    except (KeyError, TypeError, ValueError):
        return None
