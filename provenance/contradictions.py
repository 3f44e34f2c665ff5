"""What a claim told its signer, against what its actions say. Pure.

A policy decides by what a claim says of itself (`keys.policy`), since the bytes to be signed hold assertions by digest only. Both
are signed, so whoever told the signer another thing than the reader has signed a contradiction: it is named here.
"""

from __future__ import annotations

from keys.claims import said_by
from provenance.actions import CREATED
from provenance.credential import Manifest


def of(manifest: Manifest) -> str | None:
    """A sentence on a claim whose source type is not that of its `c2pa.created`; None where they agree, or one is silent."""
    if manifest.sealed is None:
        return None
    told = said_by(manifest.sealed.claim).source_type
    stated = [a.source_type.rpartition("/")[2] for a in manifest.actions if a.name == CREATED and a.source_type]
    if told is None or not stated or told in stated:
        return None
    return f"Its claim told the signing key {told[:80]!r}, and its actions say {stated[0][:80]!r}: one of them is not so."
