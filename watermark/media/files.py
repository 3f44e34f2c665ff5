"""Reading whole files, and writing them so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from watermark.errors import MediaDecodeError


def read_file(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises:
        MediaDecodeError: A folder, a device, or nothing in it.
        OSError: It is not there, or may not be read.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise MediaDecodeError(str(path), "is a folder" if stat.S_ISDIR(mode) else "is not a regular file")
    data = path.read_bytes()
    if not data:
        raise MediaDecodeError(str(path), "the file is empty")
    return data


def write_new(path: Path, data: bytes) -> None:
    """Put a file in place: written beside it under another name, flushed to the disk, renamed.

    Raises:
        OSError: The disk is full, or the folder may not be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # a file system that cannot flush a folder has still renamed
        _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
