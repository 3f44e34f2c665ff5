"""Receipts of the C2PA Soft Binding Resolution API 2.4: that this repository took a manifest in, provably. Pure.

    {"@context": {…}, "@type": "org.c2pa.manifest-receipt",
     "repository": {"uri": …, "manifestId": …},
     "anchor": {"uri": the log, "parameters": {"origin", "keys"},
                "proof": {"type": "c2sp.org/tlog-proof@v1", "entry", "salt", "payload", "tlogProof"}}}

What holds it together: the payload names the manifest and the digest of its bytes; the entry has the payload's salted
digest; the log's signed checkpoint has the entry. The keys in it are for finding, not for trusting.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenance.errors import MalformedError
from provenance.trail.entry import canonical, parse_body, payload_digest
from provenance.trail.note import NoteKey
from provenance.trail.proof import HEADER, Proof, parse_proof, prove
from provenance.trail.tree import leaf_hash

TYPE = "org.c2pa.manifest-receipt"
ASSERTION = "c2pa.repository-receipt"
_CONTEXT = {"c2pa": "https://c2pa.org/ns/", "receipt": "https://c2pa.org/ns/manifest-receipt#"}


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """What a receipt comes to. `error` says in one phrase why it does not hold."""

    verified: bool
    error: str | None = None
    seq: int | None = None
    witnesses: frozenset[str] = frozenset()


def receipt(
    *,
    repository: str,
    log_uri: str,
    manifest_id: str,
    body: bytes,
    salt: bytes,
    payload: bytes,
    proof: Proof,
    keys: Sequence[NoteKey],
) -> dict[str, Any]:
    """Make the receipt of a manifest from the entry that recorded it.

    Args:
        repository: URI of this repository.
        log_uri: URL prefix under which the log's checkpoint and tiles are served.
        body: The entry, as it stands in the log; `salt` and `payload` are what it has the digest of.
        proof: Of that entry.
        keys: The log's public keys.
    Raises:
        ValueError: the payload does not name the manifest.
    """
    if json.loads(payload).get("manifest") != manifest_id:
        raise ValueError("this entry does not record that manifest")
    return {
        "@context": dict(_CONTEXT),
        "@type": TYPE,
        "repository": {"uri": repository, "manifestId": manifest_id},
        "anchor": {
            "uri": log_uri,
            "parameters": {"origin": keys[0].name, "keys": [key.vkey for key in keys]},
            "proof": {
                "type": HEADER,
                "entry": body.decode(),
                "salt": salt.hex(),
                "payload": payload.decode(),
                "tlogProof": bytes(proof).decode(),
            },
        },
    }


def check(given: Mapping[str, Any], *, manifest_id: str, keys: Sequence[NoteKey]) -> ReceiptCheck:
    """Check a receipt for a manifest against the log keys that the caller trusts. Never raises for what it says."""
    try:
        return _check(given, manifest_id, keys)
    except MalformedError as error:
        return ReceiptCheck(False, str(error))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, binascii.Error):
        return ReceiptCheck(False, "not a receipt of this kind")


def assertion(given: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt as an assertion of a later manifest, which puts it on record with the asset itself (C2PA 2.4)."""
    return {"label": ASSERTION, "data": dict(given), "kind": "Json", "created": True}


def _check(given: Mapping[str, Any], manifest_id: str, keys: Sequence[NoteKey]) -> ReceiptCheck:
    if given["@type"] != TYPE:
        return ReceiptCheck(False, "not a manifest receipt")
    if given["repository"]["manifestId"] != manifest_id:
        return ReceiptCheck(False, "it is the receipt of another manifest")
    said = given["anchor"]["proof"]
    if said["type"] != HEADER:
        return ReceiptCheck(False, "its proof is of a kind that is not known here")
    body, payload = said["entry"].encode(), said["payload"].encode()
    if parse_body(body).payload_digest != payload_digest(bytes.fromhex(said["salt"]), payload):
        return ReceiptCheck(False, "its payload is not the one that was recorded")
    recorded = json.loads(payload)
    if canonical(recorded) != payload or recorded.get("manifest") != manifest_id:
        return ReceiptCheck(False, "what was recorded is another manifest")
    proof = parse_proof(said["tlogProof"].encode())
    proven = prove(proof, leaf_hash(body), keys)
    if not proven.included:
        return ReceiptCheck(False, "the entry is not in the log at that place")
    if not proven.opened.signed:
        return ReceiptCheck(False, "its checkpoint is not signed by that log")
    return ReceiptCheck(True, None, proof.index, proven.opened.witnesses)
