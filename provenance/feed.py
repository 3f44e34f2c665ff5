"""What a feed shows of an asset: a small document made once, when the verdict is made, and served as it is. Pure.

Labels are words about what was signed; none of them says whether the content is true, and absence is never shown as a fault.
"""

from __future__ import annotations

from typing import Any

from provenance.verdict import Status, Verdict, iso

_LABELS = {
    Status.TRUSTED: "Content Credentials",
    Status.VALID: "Content Credentials, signer not verified",
    Status.RECOVERED: "Content Credentials, recovered",
    Status.ALTERED: "Changed since it was signed",
    Status.CONFLICT: "Contradictory credentials",
    Status.REVOKED: "Credential withdrawn",
    Status.INVALID: "Credential cannot be read",
    Status.NONE: "",
    Status.UNKNOWN: "Not decided",
}


def public_status(verdict: Verdict) -> dict[str, Any]:
    """The document that feed routes serve for a file or an asset."""
    credential = verdict.credential
    signer = credential.signer
    return {
        "status": str(verdict.status),
        "label": _label(verdict),
        "summary": verdict.summary,
        "signer": {"name": signer.name, "development": signer.development} if signer else None,
        "signed_at": iso(credential.time.at) if credential.time.at else None,
        "manifest_id": credential.manifest_id,
        "asset_id": verdict.asset.id,
        "signals": list(verdict.signals),
        "at": iso(verdict.inputs.at),
    }


def _label(verdict: Verdict) -> str:
    signer = verdict.credential.signer
    label = _LABELS[verdict.status]
    return f"{label} (development)" if label and signer is not None and signer.development else label
