"""ZIP files that can be written in one way only, so that no byte of one is without meaning. Pure.

Any unzip program opens them. They are stored, not compressed (what is in them is compressed already), names are ASCII and
sorted, times are 1980-01-01 00:00, nothing is optional. Whoever reads one writes it again and compares: a byte that differs
has a place, and the place has a name.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from provenance.errors import MalformedError

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", re.ASCII)
_VERSION, _DATE, _MODE = 20, 0x21, 0o100644 << 16
_MADE_ON_UNIX = 3 << 8 | _VERSION
MOST_BYTES = 1 << 31
MOST_FILES = 10_000


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are not what the format demands: in which file's content or header, and where in the archive."""

    where: str
    offset: int
    say: str


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive holds, and every place at which it is not as it was written."""

    files: Mapping[str, bytes]
    damage: tuple[Damage, ...] = ()


def pack(files: Mapping[str, bytes]) -> bytes:
    """Write an archive.

    Raises:
        ValueError: a name that is not plain, too many files, over 2 GiB.
    """
    return b"".join(content for _, content in _regions(files))


def unpack(data: bytes) -> Archive:
    """Read an archive, damaged or not, and name each damage.

    Raises:
        MalformedError: no archive, or so damaged that no file of it can be found.
    """
    best: Archive | None = None
    for files in (_by_directory(data), _by_walking(data)):
        if files is None:
            continue
        try:
            found = Archive(files, _compare(data, files))
        except ValueError:
            continue
        if best is None or len(found.damage) < len(best.damage):
            best = found
    if best is None:
        raise MalformedError("archive", "holds no file that could be found")
    return best


def _regions(files: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """The archive in pieces, each with the name of what it belongs to."""
    if len(files) > MOST_FILES or sum(map(len, files.values())) > MOST_BYTES:
        raise ValueError("too much for one archive")
    regions: list[tuple[str, bytes]] = []
    directory: list[tuple[str, bytes]] = []
    offset = 0
    for name in sorted(files):
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a plain name: {name[:80]!r}")
        content, raw = files[name], name.encode("ascii")
        check, size = zlib.crc32(content), len(content)
        local = _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, check, size, size, len(raw), 0) + raw
        central = _CENTRAL.pack(
            b"PK\1\2", _MADE_ON_UNIX, _VERSION, 0, 0, 0, _DATE, check, size, size, len(raw), 0, 0, 0, 0, _MODE, offset
        )  # fmt: skip
        regions += [(f"header of {name}", local), (name, content)]
        directory.append((f"directory entry of {name}", central + raw))
        offset += len(local) + size
    length = sum(len(entry) for _, entry in directory)
    end = _END.pack(b"PK\5\6", 0, 0, len(files), len(files), length, offset, 0)
    return [*regions, *directory, ("end of the archive", end)]


def _compare(data: bytes, files: Mapping[str, bytes]) -> tuple[Damage, ...]:
    """Every region in which the archive is not what its files would be written as."""
    damage: dict[str, Damage] = {}
    offset = 0
    for where, wanted in _regions(files):
        there = data[offset : offset + len(wanted)]
        if there != wanted:
            at = next((i for i, (a, b) in enumerate(zip(there, wanted, strict=False)) if a != b), len(there))
            found = _damage(where, offset + at, at)
            damage.setdefault(found.where, found)
        offset += len(wanted)
    if len(data) > offset:
        damage["end of the archive"] = Damage("end of the archive", offset, f"{len(data) - offset} bytes follow the end")
    return tuple(damage.values())


def _damage(where: str, offset: int, inside: int) -> Damage:
    """A checksum that does not fit stands in a header; what it tells of is the content."""
    name = where.removeprefix("header of ").removeprefix("directory entry of ")
    checksum = range(14, 18) if where.startswith("header") else range(16, 20) if where.startswith("directory") else range(0)
    if inside in checksum:
        return Damage(name, offset, "its bytes are not those that were packed: the checksum does not fit")
    return Damage(where, offset, "is not as it was written")


def _by_directory(data: bytes) -> dict[str, bytes] | None:
    """The files as the directory at the end names them; None where it cannot be followed."""
    try:
        sign, _, _, _, count, _, at, _ = _END.unpack_from(data, len(data) - _END.size)
        if sign != b"PK\5\6" or count > MOST_FILES:
            return None
        files: dict[str, bytes] = {}
        for _ in range(count):
            entry = _CENTRAL.unpack_from(data, at)
            length, offset, size = entry[10], entry[16], entry[8]
            name = data[at + _CENTRAL.size : at + _CENTRAL.size + length].decode("ascii")
            start = offset + _LOCAL.size + length
            if entry[0] != b"PK\1\2" or start + size > len(data) or name in files:
                return None
            files[name] = data[start : start + size]
            at += _CENTRAL.size + length
    except (struct.error, UnicodeDecodeError):
        return None
    return files


def _by_walking(data: bytes) -> dict[str, bytes] | None:
    """The files as their own headers name them, from the first on; None where they cannot be followed to the directory."""
    files: dict[str, bytes] = {}
    at = 0
    try:
        while data[at : at + 4] == b"PK\3\4":
            entry = _LOCAL.unpack_from(data, at)
            size, length = entry[8], entry[9]
            start = at + _LOCAL.size + length
            name = data[at + _LOCAL.size : start].decode("ascii")
            if start + size > len(data) or name in files:
                return None
            files[name] = data[start : start + size]
            at = start + size
    except (struct.error, UnicodeDecodeError):
        return None
    return files if files and data[at : at + 4] == b"PK\1\2" else None
