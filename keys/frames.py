"""The wire of the signing process: one frame there, one frame back.

u32 header length · u32 body length · header (UTF-8 JSON object) · body (bytes)      big-endian

{"op": "describe", "key": NAME?}            → {"ok": true, "key": NAME, "alg": "es256"}, body: chain as PEM
{"op": "sign", "key": NAME?} + Sig_structure → {"ok": true}, body: signature
{"op": "status"} + JWS inputs, one a line   → {"ok": true}, body: 64 bytes for each
{"op": "ocsp"} + OCSPRequest                → {"ok": true}, body: OCSPResponse
{"op": "cacerts"}                           → {"ok": true}, body: PKCS#7 with the authority's certificates
{"op": "enrol", "token": …} + CSR           → {"ok": true}, body: PKCS#7 with the new certificate
{"op": "renew"} + CSR signed in CMS         → {"ok": true}, body: PKCS#7 with the new certificate
anything wrong                               → {"ok": false, "code": "refused", "why": "…"}
"""

from __future__ import annotations

import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

MAX_HEADER = 4096
MAX_BODY = 1_000_000  # bytes; a claim has some thousand, and the library's own limit is one megabyte
_LENGTHS = struct.Struct(">II")


class FrameError(Exception):
    """The other side sent something that is no frame. Inside the package only."""


@dataclass(frozen=True)
class Frame:
    """One message."""

    header: dict[str, Any]
    body: bytes = b""


def encode(frame: Frame) -> bytes:
    """The frame's bytes. Raises FrameError when it is too large to be read back."""
    header = json.dumps(frame.header, separators=(",", ":")).encode("utf-8")
    if len(header) > MAX_HEADER or len(frame.body) > MAX_BODY:
        raise FrameError(f"{len(header)} + {len(frame.body)} bytes are too many")
    return _LENGTHS.pack(len(header), len(frame.body)) + header + frame.body


def receive(connection: socket.socket, *, within_s: float) -> Frame:
    """Read one frame. Raises FrameError for anything else, OSError (TimeoutError for a sender who drips) from the
    socket.
    """
    deadline = time.monotonic() + within_s
    header_length, body_length = _LENGTHS.unpack(_exactly(connection, _LENGTHS.size, deadline))
    if header_length > MAX_HEADER or body_length > MAX_BODY:
        raise FrameError(f"{header_length} + {body_length} bytes are too many")
    return Frame(_header(_exactly(connection, header_length, deadline)), _exactly(connection, body_length, deadline))


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError("the header is not JSON") from error
    if not isinstance(header, dict):
        raise FrameError("the header is not an object")
    return header


def _exactly(connection: socket.socket, count: int, deadline: float) -> bytes:
    parts, missing = [], count
    while missing:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        part = connection.recv(min(missing, 65_536))
        if not part:
            raise FrameError("the connection ended in the middle of a frame")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
