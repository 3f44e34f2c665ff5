"""Tiles of C2SP tlog-tiles: the tree as static resources of 256 hashes, and entries in bundles of 256. Pure.

    tile/<L>/<N>            256 hashes of the 2^(8·L)-leaf subtrees from N·256 on: 8,192 bytes, never changes
    tile/<L>/<N>.p/<W>      the W hashes that are there while the tile is not full, 1 ≤ W ≤ 255
    tile/entries/<N>[.p/W]  the entries under tile 0/N: each a big-endian uint16 length, then the entry

<N> is written in groups of three digits, all but the last with an x before: 1234067 is x001/x234/067.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from provenance.errors import MalformedError
from provenance.trail.tree import HASH_BYTES, Edge, Node, pairs, perfect_root

WIDTH = 256
HEIGHT = 8
MAX_ENTRY = 0xFFFF
ENTRIES = -1  # in place of a level: an entry bundle
_MAX_LEVEL = 63
_PATH = re.compile(r"tile/(0|[1-9][0-9]?|entries)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class Tile:
    """A tile, or with `level` ENTRIES a bundle; `width` 256 is a full one."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        digits = f"{self.number:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        part = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{'entries' if self.level == ENTRIES else self.level}/{name}{part}"

    @property
    def leaves_end(self) -> int:
        """Number of leaves that must be in the tree for this tile to be there at this width."""
        return (self.number * WIDTH + self.width) << (HEIGHT * max(self.level, 0))


def parse_path(path: str) -> Tile:
    """Read a tile's path.

    Raises:
        MalformedError: not the one way in which a tile is named.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise MalformedError("tile path", "is not tile/<L>/<N>[.p/<W>]")
    level, number, width = match.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(number.replace("x", "").replace("/", "")),
        WIDTH if width is None else int(width),
    )
    if tile.level > _MAX_LEVEL or (width is not None and tile.width >= WIDTH) or tile.path != path:
        raise MalformedError("tile path", "is not written the one way that it can be")
    return tile


def tiles_of(size: int) -> tuple[Tile, ...]:
    """All tiles of a tree of `size` leaves, without the entry bundles."""
    tiles: list[Tile] = []
    level, count = 0, size
    while count:
        tiles += [Tile(level, number) for number in range(count // WIDTH)]
        if count % WIDTH:
            tiles.append(Tile(level, count // WIDTH, count % WIDTH))
        level, count = level + 1, count // WIDTH
    return tuple(tiles)


def bundles_of(size: int, start: int = 0) -> tuple[Tile, ...]:
    """The entry bundles of a tree of `size` leaves that hold leaves from `start` on."""
    first = start // WIDTH
    tiles = [Tile(ENTRIES, number) for number in range(first, size // WIDTH)]
    if size % WIDTH and size > start:
        tiles.append(Tile(ENTRIES, size // WIDTH, size % WIDTH))
    return tuple(tiles)


def pack(entries: Iterable[bytes]) -> bytes:
    """Write entries as a bundle.

    Raises:
        ValueError: an entry over 65,535 bytes.
    """
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise ValueError(f"an entry of {len(entry)} bytes does not fit into a bundle")
        parts += [struct.pack(">H", len(entry)), entry]
    return b"".join(parts)


def unpack(bundle: bytes, width: int) -> tuple[bytes, ...]:
    """Read the entries of a bundle.

    Raises:
        MalformedError: it does not hold exactly `width` entries.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        if at + 2 > len(bundle):
            raise MalformedError("entry bundle", "ends inside a length")
        (length,) = struct.unpack_from(">H", bundle, at)
        at += 2
        if at + length > len(bundle):
            raise MalformedError("entry bundle", "ends inside an entry")
        entries.append(bundle[at : at + length])
        at += length
    if len(entries) != width:
        raise MalformedError("entry bundle", f"holds {len(entries)} entries, not {width}")
    return tuple(entries)


def split(hashes: bytes) -> tuple[bytes, ...]:
    """The hashes of a tile."""
    return tuple(hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES))


Folded = tuple[bytes, ...]  # by height above the tile's own hashes: those of its whole subtrees, concatenated


def folded(hashes: bytes) -> Folded:
    """All whole subtrees of a tile, at once: a path through it needs nearly every one of them."""
    heights, pair = [hashes], 2 * HASH_BYTES
    while len(heights[-1]) >= pair:
        heights.append(pairs(heights[-1]))
    return tuple(heights)


@dataclass(frozen=True)
class TileHashes:
    """Hashes of perfect subtrees from the tiles of a tree of `size` leaves; each tile is fetched once per question.

    Attributes:
        fetch: Gives some tiles, folded.
    """

    size: int
    fetch: Callable[[Sequence[Tile]], Sequence[Folded]]

    def __call__(self, nodes: Sequence[Node]) -> Sequence[bytes]:
        places = [self._place(node) for node in nodes]
        needed = sorted({tile for tile, _, _ in places})
        held = dict(zip(needed, self.fetch(needed), strict=True))
        return [held[tile][height][at * HASH_BYTES : (at + 1) * HASH_BYTES] for tile, height, at in places]

    def _place(self, node: Node) -> tuple[Tile, int, int]:
        """The tile that a subtree folds from, how high above the tile's hashes, and which one there."""
        level, above = divmod(node.level, HEIGHT)
        first = node.number << above
        number, offset = divmod(first, WIDTH)
        there = self.size >> (HEIGHT * level)
        if first + (1 << above) > there:
            raise ValueError(f"a tree of {self.size} leaves has no whole subtree {node}")
        return Tile(level, number, min(WIDTH, there - number * WIDTH)), above, offset >> above


@dataclass(frozen=True, slots=True)
class FullTile:
    """A tile that has just been filled, with its own root: one hash of the tile above."""

    level: int
    number: int
    hashes: bytes
    root: bytes


class Builder:
    """A growing tree's open tiles: takes leaf hashes, gives full tiles and the root.

    `edges[l]` holds the hashes of the open tile of level l, fewer than 256; all else is in full tiles already.
    """

    def __init__(self, size: int = 0, edges: Sequence[Sequence[bytes]] = ()) -> None:
        """Take up a tree where it stands.

        Raises:
            ValueError: the edges are not those of a tree of that size.
        """
        self.size = size
        self.edges = [list(edge) for edge in edges]
        expected, left = [], size
        while left:
            expected.append(left % WIDTH)
            left //= WIDTH
        if [len(edge) for edge in self.edges] != expected:
            raise ValueError(f"these are not the open tiles of a tree of {size} leaves")

    def append(self, leaf: bytes) -> list[FullTile]:
        """Add a leaf's hash and return the tiles that it filled: none mostly, then the lowest first."""
        filled: list[FullTile] = []
        self.size += 1
        value = leaf
        for level in range(_MAX_LEVEL):
            if level == len(self.edges):
                self.edges.append([])
            edge = self.edges[level]
            edge.append(value)
            if len(edge) < WIDTH:
                break
            hashes = b"".join(edge)
            value = perfect_root(hashes)
            number = (self.size >> (HEIGHT * (level + 1))) - 1
            filled.append(FullTile(level, number, hashes, value))
            edge.clear()
        return filled

    def root(self) -> bytes:
        """The root of the tree as it is now: every open tile's perfect parts, highest level first."""
        parts: list[bytes] = []
        for edge in reversed(self.edges):
            folded = Edge()
            folded.extend(edge)
            parts += folded.hashes
        return Edge(self.size, parts).root()

    def copy(self) -> Builder:
        return Builder(self.size, self.edges)
