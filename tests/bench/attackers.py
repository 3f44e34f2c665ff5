"""What is sent to a service under attack (`tests.bench.attack`): each time other bytes, so that no answer is known already."""

from __future__ import annotations

import hashlib
import http.client
import socket
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="b.mp4"\r\n\r\n'
_END = b"\r\n--b--\r\n"
_FORM = {"Content-Type": "multipart/form-data; boundary=b"}
_INSIDE = (
    "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://169.254.169.254/latest/meta-data/", "https://0x7f000001/",
    "https://10.0.0.1/", "http://127.0.0.1/", "file:///etc/passwd", "https://[::ffff:127.0.0.1]/", "https://2130706433/",
)  # fmt: skip
_CROWD, _HELD_S = 100, 1.0

Line = http.client.HTTPConnection


@dataclass(frozen=True, slots=True)
class Attack:
    """`send` makes one request and returns the status of its answer."""

    about: str
    send: Callable[[Line, int], int]


def boxes(line: Line, number: int) -> int:
    """Empty boxes in their thousands, quadratic in many a parser."""
    return _posted(line, b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x00\x00\x00\x08free" * 20_000 + _own(number))


def large(line: Line, number: int) -> int:
    """Ninety megabytes of nothing, as fast as they are taken."""
    return _posted(line, _own(number) + bytes(90 << 20))


def pixels(line: Line, number: int) -> int:
    """A PNG of 30,000 × 30,000 pixels in some kilobytes."""
    return _posted(line, _png((30_000, 30_000), _zeros(108), (b"tEXt", b"n\0" + _own(number))))


def inflating(line: Line, number: int) -> int:
    """A small PNG with a text of 300 MB, deflated."""
    text = b"n\0\0" + _zeros(300)
    return _posted(line, _png((64, 64), zlib.compress(bytes(9) * 64), (b"zTXt", text), (b"tEXt", b"n\0" + _own(number))))


def frames(line: Line, number: int) -> int:
    """A GIF of 50,000 frames on a canvas of 16,000 × 16,000."""
    frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    head = b"GIF89a" + struct.pack("<HHBBB", 16_000, 16_000, 0x80, 0, 0) + bytes(6)
    return _posted(line, head + frame * 50_000 + b"\x21\xfe" + bytes([len(_own(number))]) + _own(number) + b"\0\x3b")


def playlists(line: Line, number: int) -> int:
    """A film that is a list of addresses inside our network."""
    parts = "".join(f"#EXTINF:1,\n{url}{number}\n" for url in _INSIDE)
    return _posted(line, f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{parts}#EXT-X-ENDLIST\n".encode())


def addresses(line: Line, number: int) -> int:
    """Addresses inside our network, to be fetched."""
    field = b'--b\r\nContent-Disposition: form-data; name="url"\r\n\r\n'
    line.request("POST", "/api/v1/verify", field + f"{_INSIDE[number % len(_INSIDE)]}{number}".encode() + _END, _FORM)
    return _status(line)


def parts(line: Line, number: int) -> int:
    """A form of a hundred thousand parts."""
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n%d\r\n' % number
    line.request("POST", "/api/v1/verify", part * 100_000 + b"--b--\r\n", _FORM)
    return _status(line)


def ids(line: Line, number: int) -> int:
    """Five hundred ids that nobody knows."""
    asked = '","'.join(hashlib.sha256(b"%d %d" % (number, one)).hexdigest() for one in range(500))
    line.request("POST", "/api/v1/feed/status", '{"ids":["' + asked + '"]}', {"Content-Type": "application/json"})
    return _status(line)


def crowd(line: Line, number: int) -> int:
    """A hundred connections that say half of a request and wait; then all are closed, and others come."""
    with ExitStack() as stack:
        for one in range(_CROWD):
            door = stack.enter_context(socket.create_connection((line.host, line.port), 10))
            door.sendall(f"GET /api/v1/feed/status?ids={number}-{one} HTTP/1.1\r\nHost: loc".encode())
        time.sleep(_HELD_S)
    return 0


def _own(number: int) -> bytes:
    return b"%d" % number


@cache
def _zeros(megabytes: int) -> bytes:
    """So many, deflated: made once, since an attacker has time."""
    deflate = zlib.compressobj(9)
    return b"".join([*(deflate.compress(bytes(1 << 20)) for _ in range(megabytes)), deflate.flush()])


def _png(size: tuple[int, int], data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)), (b"IDAT", data), *more, (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _posted(line: Line, file: bytes) -> int:
    line.request("POST", "/api/v1/verify", _HEAD + file + _END, _FORM)
    return _status(line)


def _status(line: Line) -> int:
    answer = line.getresponse()
    answer.read()
    return answer.status


KINDS = {
    "boxes": Attack("box bombs", boxes),
    "frames": Attack("GIFs of 50,000 frames", frames),
    "pixels": Attack("PNGs of 900 megapixels", pixels),
    "inflating": Attack("PNGs with 300 MB of deflated text", inflating),
    "playlists": Attack("playlists in disguise", playlists),
    "large": Attack("files of 90 MB", large),
    "parts": Attack("forms of 100,000 parts", parts),
    "addresses": Attack("addresses inside the network", addresses),
    "ids": Attack("500 unknown ids a request", ids),
    "crowd": Attack("400 half-said requests", crowd),
}
