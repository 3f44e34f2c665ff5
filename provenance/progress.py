"""How far a worker is: told through a small file, as a worker shares nothing else with whoever waits for it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FORM = struct.Struct(">dd")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is.

    Attributes:
        share: Done, 0–1.
        speed: How many times faster than the medium runs; 0 where it is not known.
    """

    share: float
    speed: float = 0.0


Watch = Callable[[Progress], None]


def tell(path: str | None, share: float, speed: float = 0.0) -> None:
    """Write down how far the work is, for `told`; nothing happens without a place, or when it cannot be written."""
    if path is not None:
        with suppress(OSError):
            Path(path).write_bytes(_FORM.pack(share, speed))


def told(path: Path) -> Progress | None:
    """What was written down last; None where there is nothing yet, or half of it."""
    try:
        share, speed = _FORM.unpack(path.read_bytes())
    except (OSError, struct.error):
        return None
    return Progress(min(max(share, 0.0), 1.0), max(speed, 0.0))
