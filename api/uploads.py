"""An upload on its way to a worker: written once to a private folder, hashed meanwhile, gone when the work is done.

The client's file name is a label. It never becomes part of a path; only its last letters (`.jpg`) do, if they are plain.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from provenance.errors import InputError

_CHUNK = 1 << 20
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrived. `name` is what the client called it, made printable; `path` lives as long as the block."""

    path: Path
    name: str
    size: int
    sha256: str


def label(filename: str | None) -> str:
    """The last part of a client's file name as one printable line; never empty.

    >>> label("C:\\\\photos\\\\..\\\\über\\x00\\r\\n.jpg")
    'über.jpg'
    """
    last = re.split(r"[/\\]", filename or "")[-1]
    shown = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    if len(shown) > _LONGEST_NAME:
        shown = shown[: _LONGEST_NAME - 8] + shown[-8:]
    return shown or "file"


def suffix(name: str) -> str:
    """The plain extension of a label, lower case, or nothing."""
    found = _SUFFIX.fullmatch(Path(name.lower()).suffix)
    return found[0] if found else ""


@contextlib.contextmanager
def received(file: BinaryIO, filename: str | None, folder: Path) -> Iterator[Upload]:
    """Write an upload into a folder of its own under `folder`, and remove it at the end of the block.

    Blocks: not for the event loop.

    Raises:
        InputError: no bytes at all.
        OSError: no room, no rights.
    """
    name = label(filename)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="in-", dir=folder))
    try:
        path = place / f"upload{suffix(name)}"
        size, sha256 = _write(file, path)
        if not size:
            raise InputError(name, "it is empty")
        yield Upload(path, name, size, sha256)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def sweep(folder: Path, older_than_s: float, *, now: float | None = None) -> int:
    """Remove what a crash or an expired link left in a folder; return how many entries went.

    Any number of processes may sweep at once, beside others that write: only age decides.
    """
    limit = (time.time() if now is None else now) - older_than_s
    gone = 0
    for entry in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if entry.stat().st_mtime < limit:
                shutil.rmtree(entry, ignore_errors=True)
                gone += 1
    return gone


def _write(file: BinaryIO, path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    with path.open("xb") as target:
        while chunk := file.read(_CHUNK):
            target.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
