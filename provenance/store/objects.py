"""Immutable bytes under their own SHA-256, in a folder: manifest stores and references.

    objects/3f/3f8a…e1        the first two digits keep folders small

Written new, flushed, renamed: a crash leaves the object or nothing (at worst a stray `.….new`, which nobody reads).
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from provenance.errors import DamagedObjectError, NotFoundError

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether a text is a lower-case hex SHA-256; everything that becomes a path passes through here."""
    return _DIGEST.fullmatch(text) is not None


class Objects:
    """A folder of immutable objects. Any number of processes may share it; none locks.

    An `OSError` of the file system (full, read-only, no rights) passes through unchanged.
    """

    def __init__(self, folder: Path) -> None:
        """Take a folder, which is made at the first `put`."""
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Return where an object lies, or would lie.

        Raises:
            ValueError: not a lower-case hex SHA-256, so it may not become part of a path.
        """
        if not is_digest(digest):
            raise ValueError("not a lower-case hex SHA-256")
        return self.folder / digest[:2] / digest

    def put(self, data: bytes) -> str:
        """Store bytes durably and return their SHA-256; storing them again changes nothing, or mends a damaged copy."""
        digest = hashlib.sha256(data).hexdigest()
        target = self.path(digest)
        if not _holds(target, data):
            self._write(target, data)
        return digest

    def get(self, digest: str) -> bytes:
        """Return an object's bytes, hashed again on the way out.

        Raises:
            NotFoundError: no such object; also for anything that is not a digest.
            DamagedObjectError: the bytes are no longer those that were stored.
        """
        if not is_digest(digest):
            raise NotFoundError("object", digest[:64])
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFoundError("object", digest) from None
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            raise DamagedObjectError(digest, found)
        return data

    def _write(self, target: Path, data: bytes) -> None:
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            _flush_folder(self.folder)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _flush_folder(target.parent)


def _holds(target: Path, data: bytes) -> bool:
    try:
        return target.stat().st_size == len(data) and target.read_bytes() == data
    except FileNotFoundError:
        return False


def _flush_folder(folder: Path) -> None:
    """Make a rename durable: without this, a power cut may forget the name of a file whose bytes are safe."""
    if os.name == "nt":  # folders cannot be opened there, and renames are journalled
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
