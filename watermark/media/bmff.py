"""The still-picture part of ISO BMFF files: items, their properties, and where their bytes lie (ISO 23008-12, 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_FULL = {b"meta", b"pitm", b"iinf", b"infe", b"iloc", b"iref", b"ipma", b"auxC", b"pixi"}


@dataclass
class Items:
    """What `meta` says.

    Attributes:
        primary: Id of the picture to show.
        kinds: Item type by id, such as b"av01", b"grid", b"Exif".
        extents: (offset, length) of an item's parts in the file; items kept in `idat` are left out.
        references: (kind, from, to) triples of `iref`.
        properties: (type, content) by item id, in order.
    """

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    references: list[tuple[bytes, int, int]] = field(default_factory=list)
    properties: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=dict)

    def content(self, data: bytes, item: int) -> bytes:
        """Join an item's parts."""
        return b"".join(data[start : start + size] for start, size in self.extents.get(item, ()))

    def first(self, kind: bytes) -> int | None:
        """Return the first item of a type."""
        return next((item for item, found in self.kinds.items() if found == kind), None)

    def coded_bytes(self) -> int:
        """Return the size of the primary picture: its own data, its tiles, and its alpha plane with tiles."""
        wanted = {self.primary}
        wanted |= {source for kind, source, target in self.references if kind == b"auxl" and target == self.primary}
        wanted = {item for item in wanted if item == self.primary or self._is_alpha(item)}
        wanted |= {target for kind, source, target in self.references if kind == b"dimg" and source in wanted}
        return sum(size for item in wanted for _, size in self.extents.get(item, ()))

    def property(self, kind: bytes) -> bytes | None:
        """Return a property of the primary picture, or else of one of its tiles."""
        tiles = [target for ref, source, target in self.references if ref == b"dimg" and source == self.primary]
        for item in (self.primary, *tiles[:1]):
            for found, content in self.properties.get(item, ()):
                if found == kind:
                    return content
        return None

    def _is_alpha(self, item: int) -> bool:
        return any(kind == b"auxC" and b"alpha" in content for kind, content in self.properties.get(item, ()))


def read(data: bytes) -> Items:
    """Parse the file's `meta` box.

    Raises:
        ValueError: There is none, or it is damaged.
    """
    items = Items()
    try:
        meta = next(content for kind, content in boxes(data) if kind == b"meta")
        for kind, content in boxes(meta[4:]):
            if kind == b"pitm":
                items.primary = int.from_bytes(content[4 : 6 if content[0] == 0 else 8])
            elif kind == b"iinf":
                items.kinds = dict(_kinds(content))
            elif kind == b"iloc":
                items.extents = dict(_extents(content))
            elif kind == b"iref":
                items.references = list(_references(content))
            elif kind == b"iprp":
                items.properties = _properties(content)
    except (struct.error, IndexError, StopIteration) as error:
        raise ValueError("the picture's index is damaged") from error
    return items


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of consecutive boxes; stops at one that does not fit."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        end = len(data) if size == 0 else at + size
        if end < at + head or end > len(data):
            return
        yield kind, data[at + head : end]
        at = end


def _kinds(content: bytes) -> Iterator[tuple[int, bytes]]:
    for kind, entry in boxes(content[6 if content[0] == 0 else 8 :]):
        if kind == b"infe" and entry[0] in (2, 3):
            wide = entry[0] == 3
            yield int.from_bytes(entry[4 : 8 if wide else 6]), entry[10:14] if wide else entry[8:12]


def _extents(content: bytes) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    version = content[0]
    offset_size, length_size = content[4] >> 4, content[4] & 15
    base_size, index_size = content[5] >> 4, content[5] & 15 if version else 0
    at, id_size = (8, 2) if version < 2 else (10, 4)

    def take(size: int) -> int:
        nonlocal at
        if at + size > len(content):
            raise IndexError(at)
        at += size
        return int.from_bytes(content[at - size : at])

    for _ in range(int.from_bytes(content[6:at])):
        item = take(id_size)
        method = take(2) & 15 if version else 0
        take(2)
        base = take(base_size)
        parts = []
        for _ in range(take(2)):
            take(index_size)
            parts.append((base + take(offset_size), take(length_size)))
        if method == 0:
            yield item, parts


def _references(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    size = 4 if content[0] else 2
    for kind, entry in boxes(content[4:]):
        source = int.from_bytes(entry[:size])
        for at in range(size + 2, len(entry), size):
            yield kind, source, int.from_bytes(entry[at : at + size])


def _properties(content: bytes) -> dict[int, list[tuple[bytes, bytes]]]:
    known: list[tuple[bytes, bytes]] = []
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    for kind, inner in boxes(content):
        if kind == b"ipco":
            known = list(boxes(inner))
        elif kind == b"ipma":
            for item, index in _associations(inner):
                if 1 <= index <= len(known):
                    found.setdefault(item, []).append(known[index - 1])
    return found


def _associations(content: bytes) -> Iterator[tuple[int, int]]:
    wide_id, wide_index = content[0] > 0, content[3] & 1
    at = 8
    for _ in range(int.from_bytes(content[4:8])):
        item = int.from_bytes(content[at : at + (4 if wide_id else 2)])
        at += 4 if wide_id else 2
        count, at = content[at], at + 1
        for _ in range(count):
            yield item, int.from_bytes(content[at : at + 2]) & 0x7FFF if wide_index else content[at] & 0x7F
            at += 2 if wide_index else 1
