"""What a container says of its own length."""

from __future__ import annotations

import io

import pytest

from watermark.media import missing


def box(kind: bytes, body: bytes = b"", size: int | None = None) -> bytes:
    return (8 + len(body) if size is None else size).to_bytes(4) + kind + body


def riff(length: int, body: bytes = b"WAVE" + bytes(32)) -> bytes:
    return b"RIFF" + length.to_bytes(4, "little") + body


FILM = box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", bytes(40))
RF64 = b"RF64" + b"\xff" * 4 + b"WAVEds64" + (28).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("data", "lost"),
    [
        (FILM + box(b"mdat", bytes(10), size=30), 12),
        (FILM + (1).to_bytes(4) + b"mdat" + (100).to_bytes(8) + bytes(4), 80),
        (riff(36 + 5), 5),
        (RF64 + (112).to_bytes(8, "little") + bytes(20), 72),
    ],
    ids=["box", "large box", "RIFF", "RF64"],
)
def test_what_is_cut_off_is_counted(data: bytes, lost: int) -> None:
    assert missing(io.BytesIO(data)) == lost


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"fLaC" + bytes(40),
        FILM,
        FILM + box(b"mdat", bytes(10)),
        FILM + box(b"mdat", bytes(10), size=0),  # to the end
        FILM + box(b"mdat", size=3),
        FILM + b"mad",
        FILM + b"some words that a camera left here",
        riff(36),
        riff(20),
        riff(0),
        riff(0xFFFFFFFF),
        box(b"ftyp", size=1)[:8],
    ],
    ids=["empty", "FLAC", "film", "whole", "endless", "damaged", "rest", "words", "RIFF", "more", "streamed", "pipe", "head"],
)
def test_what_is_whole_or_says_nothing_lacks_nothing(data: bytes) -> None:
    assert missing(io.BytesIO(data)) == 0
