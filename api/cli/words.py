"""Values as words for a reader: instants, chances, places in a picture, and text made safe for a terminal. Pure."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

# Letters that would move or reorder what a terminal shows: a file's name or a signer's must not be able to.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # zero-width (non-)joiner: ordinary spelling in Persian, Hindi and emoji


class Box(Protocol):
    """A region as fractions of width and height, or a stretch of time (`provenance.verdict.Change`)."""

    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def w(self) -> float: ...
    @property
    def h(self) -> float: ...
    @property
    def start_s(self) -> float | None: ...
    @property
    def end_s(self) -> float | None: ...


def printable(text: str) -> str:
    """The text with control, bidirectional and unassigned marks spelled out (`\\x1b`, `\\u202e`)."""
    return "".join(_spelled(letter) for letter in text)


def _spelled(letter: str) -> str:
    if letter in _JOINERS or unicodedata.category(letter) not in _UNSAFE:
        return letter
    return letter.encode("unicode_escape").decode("ascii") if letter.isascii() else f"\\u{ord(letter):04x}"


def moment(instant: datetime) -> str:
    """21 November 2026, 10:00 UTC."""
    utc = instant.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def chance(p_false: float) -> str:
    """A probability of a false reading as odds, rounded the cautious way: `1 in 10^12`, `1 in 400`.

    Beyond 10^30 no model of the world is that good, and no more is claimed.
    """
    odds = 1 / max(p_false, 1e-30) if p_false >= 0 else 1.0
    if odds >= 1e4:
        return f"1 in 10^{math.floor(math.log10(odds))}"
    return f"1 in {max(1, math.floor(odds))}"


def percent(fraction: float) -> str:
    """0.974 → `97 %`; what is not nothing never reads as nothing, what is not all never as all."""
    shown = round(fraction * 100)
    if shown == 0 and fraction > 0:
        return "under 1 %"
    if shown == 100 and fraction < 1:
        return "over 99 %"
    return f"{shown} %"


def place(box: Box) -> str:
    """Where in the picture a region lies: `top left`, `centre`, `all over`; when in a sound: `0:12–0:14`."""
    if box.start_s is not None and box.end_s is not None:
        return f"{clock(box.start_s)}–{clock(box.end_s)}"
    if box.w >= 0.85 and box.h >= 0.85:
        return "all over"
    across = _third(box.x + box.w / 2, "left", "right")
    down = _third(box.y + box.h / 2, "top", "bottom")
    return " ".join(part for part in (down, across) if part) or "centre"


def clock(seconds: float) -> str:
    """Minutes and seconds into a recording: `0:12`, `61:05.5`; halves are told."""
    whole, half = divmod(round(seconds * 2), 2)
    return f"{whole // 60}:{whole % 60:02d}" + (".5" if half else "")


def _third(middle: float, low: str, high: str) -> str:
    if middle < 1 / 3:
        return low
    return high if middle > 2 / 3 else ""


def places(boxes: Sequence[Box]) -> str:
    """Where a picture changed, largest first: `top left (4 %), centre (1 %)`, in percent of its area; of sound, when."""
    if any(box.start_s is not None for box in boxes):
        times = [place(box) for box in boxes]
        return ", ".join(times[:5]) + (f" and {len(times) - 5} more" if len(times) > 5 else "")
    largest = sorted(boxes, key=lambda box: -box.w * box.h)
    told = [f"{place(box)} ({percent(box.w * box.h)})" for box in largest[:3]]
    if len(largest) > 3:
        told.append(f"and {count(len(largest) - 3, 'smaller region')}")
    return ", ".join(told)


def count(number: int, noun: str) -> str:
    """`1 file`, `2 files`, `no files`, `2 entries`, `2 statuses`."""
    plural = (
        noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun + ("es" if noun.endswith("s") else "s")
    )
    return f"{number or 'no'} {noun if number == 1 else plural}"


def short(identifier: str, keep: int = 16) -> str:
    """The first letters of a long identifier or digest, with an ellipsis."""
    return identifier if len(identifier) <= keep + 1 else identifier[:keep] + "…"


def sentence(text: str) -> str:
    """The first sentence of a text."""
    head, stop, _rest = text.partition(". ")
    return head + "." if stop else text
