"""The rim of every task: files opened, failures told in our terms, time taken."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from provenance.errors import DamagedMediaError, InputError, OutputError, UnsupportedMediaError
from watermark import media
from watermark.errors import MediaDecodeError, UnsupportedError

Rgb = NDArray[np.uint8]
PICTURE_SIDE = 1024
"""Pixels of the longer side of what is kept of a picture, and of what people are shown."""


class Clock:
    """Milliseconds of process time since the last lap, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.laps[name] = round((now - self._last) * 1000, 1)
        self._last = now


@contextmanager
def reading(path: str) -> Iterator[BinaryIO]:
    """A file that others made, open; what keeps it from being read is an InputError."""
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(path, phrase(error)) from error
    with stream:
        try:
            yield stream
        except IsADirectoryError as error:
            raise InputError(path, phrase(error)) from error


@contextmanager
def writing(path: str) -> Iterator[None]:
    """A block that writes a file; what keeps it from being written is an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(path, phrase(error)) from error


@contextmanager
def media_errors(path: str) -> Iterator[None]:
    """A block that decodes a file; what `watermark` says against it is told in our terms, with the file's name."""
    try:
        yield
    except MediaDecodeError as error:
        raise DamagedMediaError(path, error.what) from error
    except UnsupportedError as error:
        raise UnsupportedMediaError(path, error.what) from error
    except OSError as error:
        raise InputError(path, phrase(error)) from error


def load(path: str) -> Rgb:
    """A still picture, upright, sRGB, (height, width, 3). Raises like `media_errors`."""
    with media_errors(path):
        return media.load_rgb8(Path(path))


def phrase(error: OSError) -> str:
    """What went wrong, in a few words."""
    known = {
        FileNotFoundError: "no such file",
        IsADirectoryError: "is a folder",
        PermissionError: "no permission",
        FileExistsError: "is in the way",
    }
    for kind, text in known.items():
        if isinstance(error, kind):
            return text
    return (error.strerror or str(error)).lower()
