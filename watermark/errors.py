"""What can go wrong in `watermark`, by whose fault it is.

WatermarkError
├── MediaDecodeError      the file: cannot be read as what it says it is
├── UnsupportedError      the file: readable, but of a kind that is not handled here
├── CarrierTooSmallError  the file: too little content to carry a mark
└── UnknownEngineError    the caller: no engine of that name is registered

Absent, weak or foreign marks are no errors: they are `Detection` values. All keep their arguments as `args`, so that they
travel between processes.
"""

from __future__ import annotations


class WatermarkError(Exception):
    """Root of every error this package raises on purpose."""


class MediaDecodeError(WatermarkError):
    """Media that cannot be read.

    Attributes:
        path: Which file, as the caller named it.
        what: What is wrong with it, in a few words.
    """

    def __init__(self, path: str, what: str) -> None:
        super().__init__(path, what)
        self.path = path
        self.what = what

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class UnsupportedError(WatermarkError):
    """Something well-formed that is not handled here.

    Attributes:
        path: Which file, as the caller named it; empty for arrays in memory.
        what: Of what kind it is, in a few words.
    """

    def __init__(self, path: str, what: str) -> None:
        super().__init__(path, what)
        self.path = path
        self.what = what

    def __str__(self) -> str:
        return f"{self.path}: {self.what}" if self.path else self.what


class CarrierTooSmallError(WatermarkError):
    """Too few pixels or samples for the payload.

    Attributes:
        have: Size of the carrier.
        need: Smallest size that is tried.
        unit: What both count, such as "pixels on the short side".
    """

    def __init__(self, have: int, need: int, unit: str) -> None:
        super().__init__(have, need, unit)
        self.have = have
        self.need = need
        self.unit = unit

    def __str__(self) -> str:
        return f"{self.have} {self.unit}; a mark needs {self.need}"


class UnknownEngineError(WatermarkError):
    """No engine is registered under `alg`."""

    def __init__(self, alg: str) -> None:
        super().__init__(alg)
        self.alg = alg

    def __str__(self) -> str:
        return f"no engine called {self.alg}"
