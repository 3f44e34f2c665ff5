"""What was signed: `signed.jsonl` in the keys folder, one JSON object a line, on disk before a signature leaves the process.

    {"journal": ID}                                       the first line; tells this journal from any other
    {"n": 1, "at": …, "key": …, "fingerprint": …, "claim": SHA-256, "instance": …, "generator": …,
     "source_type": …, "media_type": …, "code": SHA-256 of the capture code}

Digests and names of kinds only, nothing of the content. Numbers run on from 1; whoever copies the journal elsewhere (the
trail does) keeps the last number. Several processes may write: each takes the folder's lock and first reads what others
added. A line that a crash cut off was never answered, and is passed over.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from keys.errors import KeyFileError
from keys.files import locked

NAME = "signed.jsonl"
_MINUTE = timedelta(minutes=1)


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
        with self.path.open("rb") if self.path.exists() else _nothing() as file:
            file.seek(self._end)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            found = _parsed(line)
            if found is not None:
                self._note(found)
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
            head = b""
            if end == 0:
                head = json.dumps({"journal": secrets.token_hex(16)}).encode("ascii") + b"\n"
            elif end > self._end:  # what a crash left of a line: nobody was answered
                file.truncate(self._end)
                file.seek(self._end)
            file.write(head + json.dumps(entry.as_dict(), sort_keys=True).encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._end = file.tell()
        self._note(entry)


def read(folder: Path, *, after: int = 0, limit: int = 10_000) -> tuple[str | None, tuple[Signature, ...]]:
    """The journal's id, and its entries with numbers above `after`, in order. Raises KeyFileError.

    The id is None where nothing was ever signed.
    """
    path = folder / NAME
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return None, ()
    except OSError as error:
        raise KeyFileError(path, error.strerror or "cannot be read") from error
    if not lines or not (first := _loaded(lines[0])).get("journal"):
        raise KeyFileError(path, "does not begin as a journal of signatures does")
    found: list[Signature] = []
    for line in lines[1:]:
        entry = _parsed(line) if line.endswith(b"\n") else None
        if entry is not None and entry.n > after:
            found.append(entry)
            if len(found) == limit:
                break
    return str(first["journal"]), tuple(found)


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


class _nothing:  # noqa: N801 - stands for an open file
    """An empty file."""

    def __enter__(self) -> _nothing:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def seek(self, _: int) -> None:
        return None

    def read(self) -> bytes:
        return b""
