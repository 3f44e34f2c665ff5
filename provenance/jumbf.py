"""A minimal walk over a JUMBF manifest store (ISO 19566-5; C2PA 2.5 §11): claims, signatures and assertions as raw bytes.

The library parses and validates; this walk only lays hold of what it does not hand out: the certificate chain, the time
stamp tokens and the bytes they cover, so that the trust decision can be our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2

_X5CHAIN = 33  # RFC 9360; older files use the text label and the unprotected bucket
_MAX_DEPTH = 16


class JumbfError(ValueError):
    """The bytes are no well-formed manifest store; carries the offset."""

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(f"{why} at byte {offset}")
        self.why, self.offset = why, offset


@dataclass(frozen=True, slots=True)
class Sealed:
    """One manifest's signed parts: the claim's bytes, its COSE_Sign1 taken apart, its assertions' raw CBOR by label."""

    claim: bytes
    cose: bytes  # the whole COSE_Sign1, as it stands
    algorithm: int | None
    protected: bytes
    signature: bytes
    chain: tuple[bytes, ...]  # DER, leaf first
    stamps: tuple[tuple[str, bytes], ...]  # (header name, token): "sigTst2" covers the signature, "sigTst" the claim
    stapled_ocsp: bool
    assertions: Mapping[str, bytes] = field(default_factory=dict)


def manifests(store: bytes) -> dict[str, Sealed]:
    """The manifests of a store by label, in stored order.

    Manifests whose signature cannot be taken apart are left out: the library judges those.

    Raises:
        JumbfError: the box structure is broken.
    """
    found: dict[str, dict[str, bytes]] = {}
    for path, kind, content in _boxes(store, 0, len(store), (), 0):
        if kind == b"cbor" and len(path) >= 3:
            found.setdefault(path[1], {})["/".join(path[2:])] = content
    sealed = {}
    for label, parts in found.items():
        claim = parts.get("c2pa.claim.v2", parts.get("c2pa.claim"))
        signature = parts.get("c2pa.signature")
        if claim is None or signature is None:
            continue
        taken = _take_apart(claim, signature)
        if taken is not None:
            prefix = "c2pa.assertions/"
            assertions = {k.removeprefix(prefix): v for k, v in parts.items() if k.startswith(prefix)}
            sealed[label] = replace(taken, assertions=assertions)
    return sealed


def thumbnail(store: bytes, label: str) -> bytes | None:
    """The picture that a manifest's claim holds of its asset (C2PA 2.5 §18.11); None where there is none.

    Whether it is the one that was signed, the library says: it compares the digest of every assertion.

    Raises:
        JumbfError: the box structure is broken.
    """
    for path, kind, content in _boxes(store, 0, len(store), (), 0):
        if kind == b"bidb" and path[1:3] == (label, "c2pa.assertions") and path[-1].startswith("c2pa.thumbnail.claim"):
            return content
    return None


def _boxes(
    data: bytes, start: int, end: int, path: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], bytes, bytes]]:
    if depth > _MAX_DEPTH:
        raise JumbfError("boxes nest too deep", start)
    at = start
    while at + 8 <= end:
        length, kind, header = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8], 8
        if length == 1:
            length, header = int.from_bytes(data[at + 8 : at + 16]), 16
        if length == 0:
            length = end - at
        if length < header or at + length > end:
            raise JumbfError("a box is longer than what holds it", at)
        if kind == b"jumb":
            label, inner = _description(data, at + header, at + length)
            yield from _boxes(data, inner, at + length, (*path, label), depth + 1)
        else:
            yield path, kind, data[at + header : at + length]
        at += length


def _description(data: bytes, start: int, end: int) -> tuple[str, int]:
    """The label of a superbox and where its content begins."""
    length = int.from_bytes(data[start : start + 4])
    if data[start + 4 : start + 8] != b"jumd" or length < 25 or start + length > end:
        raise JumbfError("a superbox has no description", start)
    has_label = data[start + 24] & 0x02
    raw = data[start + 25 : start + length].split(b"\0", 1)[0] if has_label else b""
    return raw.decode("utf-8", "replace"), start + length


def _take_apart(claim: bytes, signature: bytes) -> Sealed | None:
    try:
        outer = cbor2.loads(signature)
        protected, unprotected, _, raw = outer.value if isinstance(outer, cbor2.CBORTag) else outer
        header = cbor2.loads(protected) if protected else {}
        if not (isinstance(header, Mapping) and isinstance(unprotected, Mapping) and isinstance(raw, bytes)):
            return None
        algorithm = header.get(1)
        chain = _chain(header, unprotected)
        stamps = tuple(
            (name, token["val"])
            for name in ("sigTst2", "sigTst")
            if isinstance(unprotected.get(name), Mapping)
            for token in unprotected[name].get("tstTokens", ())
            if isinstance(token, Mapping) and isinstance(token.get("val"), bytes)
        )
    except (cbor2.CBORError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return Sealed(
        claim,
        signature,
        algorithm if isinstance(algorithm, int) else None,
        bytes(protected),
        raw,
        chain,
        stamps,
        "rVals" in unprotected,
    )


def _chain(*headers: Mapping[Any, Any]) -> tuple[bytes, ...]:
    for header in headers:
        for label in (_X5CHAIN, "x5chain"):
            value = header.get(label)
            if isinstance(value, bytes):
                return (value,)
            if isinstance(value, list | tuple) and value and all(isinstance(v, bytes) for v in value):
                return tuple(value)
    return ()
