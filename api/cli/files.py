"""Files of results: written beside their place and renamed there, so that a crash leaves the old one or the new."""

from __future__ import annotations

import secrets
from pathlib import Path

from provenance.errors import OutputError


def write_new(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: it cannot be written there.
    """
    if path.is_dir():
        raise OutputError(str(path), "is a folder")
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        scratch.write_bytes(data)
        scratch.replace(path)
    except OSError as error:
        raise OutputError(str(path), (error.strerror or str(error)).lower()) from error
    finally:
        scratch.unlink(missing_ok=True)
