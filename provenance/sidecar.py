"""Credentials that lie beside a file, because its container holds none: `clip.webm` and `clip.webm.c2pa`.

The name is the file's with `.c2pa` behind it, so that `clip.webm` and `clip.mkv` in one folder do not meet. `clip.c2pa`, as other
tools write it, is read as well.
"""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".c2pa"
KINDS = frozenset({"video/webm", "video/x-matroska"})
"""Media types that are signed with a credential beside them."""
MOST_BYTES = 64 << 20


def beside(path: Path) -> Path:
    """Where the credential of a file goes."""
    return path.with_name(path.name + SUFFIX)


def lying_beside(path: Path) -> Path | None:
    """The credential that lies beside a file; None where there is none."""
    return next((one for one in (beside(path), path.with_suffix(SUFFIX)) if one != path and one.is_file()), None)
