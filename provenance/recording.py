"""What was signed, into the trail: the journal of the keys folder is copied, each signature once and in order.

The signing process has no database: it writes a journal, on disk before a signature leaves it. Whoever has the database copies
what is new; entries and the number of the last one are one transaction, so a crash in between copies nothing twice.
A long journal is laid aside once all of it is in the trail.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from keys import journal
from keys.errors import KeyFileError
from provenance.store.chores import Chores

_AT_ONCE = 1000


def record(folder: Path, chores: Chores) -> int:
    """Copy what is new. Returns how many signatures.

    Raises:
        KeyFileError: the journal cannot be read.
        StoreError: the registry cannot be written.
    """
    name, _ = journal.read(folder, limit=1)
    if name is None:
        return 0
    copied = 0
    while True:
        _, found = journal.read(folder, after=chores.recorded(name), limit=_AT_ONCE)
        copied += chores.record(name, [(one.n, one.at, one.as_dict()) for one in found])
        if len(found) < _AT_ONCE:
            break
    with suppress(KeyFileError):  # a folder that may only be read: the journal grows on
        journal.rotate(folder, copied=chores.recorded(name), now=datetime.now(UTC))
    return copied
