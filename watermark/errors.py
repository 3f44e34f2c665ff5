"""What can go wrong in `watermark`, by whose fault it is.

WatermarkError
├── MediaDecodeError      the file: cannot be read as what it says it is
├── UnsupportedError      the file: readable, but of a kind that is not handled here
└── CarrierTooSmallError  the file: too little content to carry a mark

Absent, weak or foreign marks are no errors: they are `Detection` values.
"""

from __future__ import annotations


class WatermarkError(Exception):
    """Root of every error this package raises on purpose."""


class MediaDecodeError(WatermarkError):
    """Media that cannot be read.

    Attributes:
        what: What is wrong, in a few words.
        where: The file, and the place in it where that is known.
    """

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where


class UnsupportedError(WatermarkError):
    """Something well-formed that is not handled here; `what` names it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class CarrierTooSmallError(WatermarkError):
    """Too few pixels or samples for the payload; both counts in the unit that the engine names."""

    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"{have} available, {need} needed")
        self.have = have
        self.need = need
