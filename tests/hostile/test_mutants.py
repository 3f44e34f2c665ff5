"""Mutants of real files through verify: a verdict or one of our errors, within the budget, and no worker lost for good."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keys.lists import bundled
from provenance.desk import Desk
from provenance.errors import InputError
from provenance.isolation import Budget, Workers
from provenance.verdict import Status
from provenance.verify import verify
from watermark.payload import PUBLIC_KEY

AT = datetime(2026, 11, 21, tzinfo=UTC)
SECONDS = 20.0
MUTANTS = 1000
WITH_MARKS = 40  # looking for a mark that is not there costs seconds of search


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with Workers(2, Budget(seconds=SECONDS, memory_bytes=8 << 30)) as workers:
        yield Desk(workers, bundled(), (PUBLIC_KEY,), None)


def carriers(corpus: Path) -> list[Path]:
    found = [p for p in sorted((corpus / "c2pa").iterdir()) if p.is_file() and p.suffix != ".csv" and p.stat().st_size < 300_000]
    assert len(found) > 20, "zero files tried would prove nothing"
    return found


def mutant(data: bytes, dice: random.Random) -> bytes:
    """One wound or several, of the kinds that break parsers."""
    hurt = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        at = dice.randrange(len(hurt))
        match dice.randrange(6):
            case 0:
                hurt[at] ^= 1 << dice.randrange(8)
            case 1:
                hurt[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1"))
            case 2:
                del hurt[at : at + dice.randrange(1, 64)]
            case 3:
                hurt[at:at] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 64)))
            case 4:
                hurt[at:at] = hurt[max(at - 4096, 0) : at]
            case _:
                del hurt[at:]
        if not hurt:
            return b"\0"
    return bytes(hurt)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_mutants(corpus: Path, desk: Desk, tmp_path: Path) -> None:
    dice = random.Random(20261121)
    files = [(p, p.read_bytes()) for p in carriers(corpus)]
    seen: Counter[str] = Counter()
    for number in range(MUTANTS):
        original, data = dice.choice(files)
        path = tmp_path / f"m{number}{original.suffix}"
        path.write_bytes(mutant(data, dice))
        began = time.monotonic()
        try:
            seen[verify(path, desk, at=AT, marks=number < WITH_MARKS).verdict.status] += 1
        except InputError:
            seen["error"] += 1
        assert time.monotonic() - began < 3 * SECONDS, original.name
        path.unlink()
    assert sum(seen.values()) == MUTANTS
    assert seen[Status.TRUSTED] < MUTANTS // 20, seen  # wounds in padding and after the end do happen
    intact = corpus / "c2pa" / "dev_signed.jpg"
    assert verify(intact, desk, at=AT, marks=False).verdict.status is Status.VALID


def boxes(count: int) -> bytes:
    """An MP4 of empty boxes: quadratic work for the library's parser, no manifest needed."""
    return b"\0\0\0\x18ftypisom\0\0\0\0isomiso2" + b"\0\0\0\x08free" * count


def gif_blocks(count: int) -> bytes:
    head = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"
    return head + b"\x21\xfe\x01x\0" * count + b"\x3b"


def png_bomb() -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = 40_000
    rows = zlib.compress(b"\0" * (1 << 20), 9) * 8
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    [("boxes.mp4", boxes(80_000)), ("blocks.gif", gif_blocks(1_000_000)), ("bomb.png", png_bomb())],
    ids=["quadratic boxes", "empty blocks", "decompression bomb"],
)
def test_bombs_end_in_doubt_not_in_absence(name: str, data: bytes, desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with Workers(2, Budget(seconds=4.0)) as workers:
        began = time.monotonic()
        verdict = verify(path, Desk(workers, desk.lists, desk.mark_keys, None), at=AT).verdict
        assert time.monotonic() - began < 60
    assert verdict.status in (Status.UNKNOWN, Status.NONE)
    if verdict.status is Status.NONE:
        assert any(part.startswith(("mark", "credential")) for part in verdict.not_checked) or name.endswith("gif")


@pytest.mark.parametrize("name", ["dev_remote_loopback.jpg", "dev_remote_linklocal.jpg"])
def test_no_address_in_a_file_is_visited(name: str, corpus: Path, desk: Desk) -> None:
    verdict = verify(corpus / "c2pa" / name, desk, at=AT, marks=False).verdict
    assert verdict.status is Status.UNKNOWN
    assert "credential.remote" in verdict.not_checked


@pytest.mark.parametrize("content", [b"", b"x", b"#EXTM3U\nhttp://127.0.0.1/x.ts\n", b"ffconcat version 1.0\nfile /etc/passwd\n"])
def test_playlists_and_scraps(content: bytes, desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    if not content:
        with pytest.raises(InputError, match="is empty"):
            verify(path, desk, at=AT)
        return
    verdict = verify(path, desk, at=AT).verdict
    assert verdict.status is Status.NONE
    assert "credential.container" in verdict.not_checked


def test_a_folder_and_a_missing_file(desk: Desk, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.jpg"):
        with pytest.raises(InputError):
            verify(path, desk, at=AT)


def test_a_store_that_lost_its_active_manifest(corpus: Path, desk: Desk, tmp_path: Path) -> None:
    """One bit, and the reader reports an active manifest that it does not have."""
    data = bytearray((corpus / "c2pa" / "adobe-C.jpg").read_bytes())
    data[data.index(b"c2pa.actions") + 60] ^= 1
    path = tmp_path / "hurt.jpg"
    for bit in range(8):
        data[data.index(b"c2pa.actions") + 60] ^= 1 << bit
        path.write_bytes(data)
        assert verify(path, desk, at=AT, marks=False).verdict.status in (
            Status.INVALID,
            Status.ALTERED,
            Status.UNKNOWN,
            Status.VALID,
        )
