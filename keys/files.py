"""Private files: written whole or not at all, readable by their owner alone."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keys.errors import KeyFileError

try:
    import fcntl
except ImportError:  # Windows has no flock: two first starts at once may both write there, and the later wins
    fcntl = None  # type: ignore[assignment]

_MOST_BYTES = 65_536


def private_folder(path: Path) -> Path:
    """Make a folder (and its parents) that only its owner may enter; tighten it if it is there already. Raises
    KeyFileError.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise KeyFileError(path, error.strerror or "cannot be made") from error
    return path


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 beside its place, flush it to disk, and rename it there. Raises KeyFileError."""
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise KeyFileError(path, error.strerror or "cannot be written") from error


def read_private(path: Path) -> bytes:
    """Read a small file that only its owner may read. Raises KeyFileError."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeyFileError(path, f"others may read it (mode {mode:04o}); run: chmod 600 {path}")
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise KeyFileError(path, error.strerror or "cannot be read") from error
    if len(content) > _MOST_BYTES:
        raise KeyFileError(path, "is too large for a key file")
    return content


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock file, so that two processes never set it up at once; released even by `kill -9`."""
    with os.fdopen(os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
