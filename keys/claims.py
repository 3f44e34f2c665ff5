"""What the signing process is willing to sign: a COSE Sig_structure around a C2PA claim, and nothing else.

A private key that signs any bytes signs for whoever reaches its socket. So the bytes are decoded and must be exactly
`["Signature1", protected, h'', claim]` (RFC 9052 §4.4, C2PA 2.5 §13.2) with our algorithm and certificate in the
protected header, and the claim must have the members that every claim has (C2PA 2.5 §10; v1 and v2 claims). The
asset itself never travels.

The one other thing is the signer payload of an identity assertion (CAWG Identity 1.1 §5.2, §8.1): assertions by digest, the hard
binding among them, in the same structure. A policy names it `cawg.identity` among its generators.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keys.algorithms import ALGORITHMS
from keys.policy import CAPTURE_CODE, MEDIA_TYPE, SOURCE_TYPE, Statement

_ALG, _X5CHAIN = 1, 33
_SIGNATURE_BOX = "self#jumbf="
_X509 = "cawg.x509.cose"
IDENTITY = "cawg.identity"  # what a policy's `generators` calls identity assertions


def objection(tbs: bytes, alg: str, leaf: x509.Certificate) -> str | None:
    """Say why to-be-signed bytes are not a claim for this key, or None. Total: any bytes give an answer."""
    structure = _decode(tbs)
    if not _is_list(structure) or len(structure) != 4 or structure[0] != "Signature1":
        return "not a COSE Signature1 structure"
    _, protected, external, payload = structure
    if not isinstance(protected, bytes) or not isinstance(payload, bytes) or external != b"":
        return "not the Signature1 structure of a claim"
    content = _decode(payload)
    check = _identity_objection if _is_identity(content) else _claim_objection
    return _header_objection(_decode(protected), alg, leaf) or check(content)


@dataclass(frozen=True, slots=True)
class Claim:
    """The payload of to-be-signed bytes that passed `objection`."""

    payload: bytes
    instance: str


def claim_of(tbs: bytes) -> Claim:
    """The claim in to-be-signed bytes that `objection` has passed."""
    payload = _decode(tbs)[3]
    return Claim(payload, _decode(payload).get("instanceID", ""))


def statement(tbs: bytes) -> Statement:
    """What the claim in to-be-signed bytes that `objection` has passed says of itself."""
    return said_by(_decode(tbs)[3])


def said_by(claim_cbor: bytes) -> Statement:
    """What a claim says of itself; what has another type says nothing. Total: any bytes give an answer."""
    claim = _decode(claim_cbor)
    if _is_identity(claim):
        return Statement(IDENTITY)
    if not isinstance(claim, Mapping):
        return Statement("")
    info = claim.get("claim_generator_info")
    info = info[0] if _is_list(info) and info else info  # a list in claims of version 1
    info = info if isinstance(info, Mapping) else {}
    listed = [claim.get(name) for name in _ASSERTIONS]
    uris = [item["url"] for items in listed if _is_list(items) for item in items if _is_hashed_uri(item)]
    return Statement(
        generator=_text(info.get("name")) or _text(claim.get("claim_generator")) or "",
        source_type=_text(info.get(SOURCE_TYPE)),
        media_type=_text(info.get(MEDIA_TYPE)) or _text(claim.get("dc:format")),
        code=_text(info.get(CAPTURE_CODE)),
        labels=frozenset(uri.rpartition("/")[2].partition("__")[0] for uri in uris),
    )


_ASSERTIONS = ("created_assertions", "gathered_assertions", "assertions")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _is_identity(content: Any) -> bool:
    return isinstance(content, Mapping) and "sig_type" in content


def _identity_objection(payload: Mapping[Any, Any]) -> str | None:
    """The signer payload of an identity assertion names assertions by digest, the hard binding among them (§5.2)."""
    named = payload.get("referenced_assertions")
    if payload.get("sig_type") != _X509 or set(payload) - {"sig_type", "referenced_assertions", "role"}:
        return "not the signer payload of an X.509 identity assertion"
    if not _is_list(named) or not named or not all(_is_hashed_uri(item) for item in named):
        return "the identity assertion names no assertions"
    if not any(item["url"].rpartition("/")[2].startswith("c2pa.hash.") for item in named):
        return "the identity assertion does not name the hard binding"
    return None


def _header_objection(header: Any, alg: str, leaf: x509.Certificate) -> str | None:
    if not isinstance(header, Mapping):
        return "the protected header is not a map"
    if header.get(_ALG) != ALGORITHMS[alg].cose:
        return f"the protected header asks for another algorithm than this key's {alg}"
    chain = header.get(_X5CHAIN, header.get("x5chain"))
    first = chain[0] if _is_list(chain) and chain else chain
    if first != leaf.public_bytes(Encoding.DER):
        return "the protected header names another certificate than this key's"
    return None


def _claim_objection(claim: Any) -> str | None:
    if not isinstance(claim, Mapping):
        return "the payload is not a claim"
    if not isinstance(claim.get("instanceID"), str):
        return "the claim has no instanceID"
    signature = claim.get("signature")
    if not isinstance(signature, str) or not signature.startswith(_SIGNATURE_BOX):
        return "the claim does not point to its signature"
    assertions = claim.get("created_assertions", claim.get("assertions"))
    if not _is_list(assertions) or not assertions or not all(_is_hashed_uri(item) for item in assertions):
        return "the claim lists no assertions"
    if not claim.get("claim_generator_info") and not claim.get("claim_generator"):
        return "the claim does not name its generator"
    return None


def _is_hashed_uri(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("url"), str) and isinstance(item.get("hash"), bytes)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _decode(data: bytes) -> Any:
    """One CBOR item and nothing after it; None for anything else."""
    stream = io.BytesIO(data)
    try:
        value = cbor2.load(stream)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError):
        return None
    return value if stream.read(1) == b"" else None
