"""What a feed shows of an asset: a small document made once, when the verdict is made, and served as it is. Pure.

Labels are words about what was signed; none of them says whether the content is true, and absence is never shown as a fault.
"""

from __future__ import annotations

from typing import Any

from provenance import partly
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
    disclosure, part = _disclosure(verdict), _part(verdict)
    return (
        ({"disclosure": disclosure} if disclosure else {})
        | ({"part": part} if part else {})
        | ({"found_by": credential.found_by} if credential.found_by else {})
        | {
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
    )


# Regulation (EU) 2024/1689, art. 50 (2) and (4): content that is wholly or partly synthetic is to be told as such.
_ART_50 = "EU AI Act, art. 50"
_SYNTHETIC = {
    "inception:fullyGenAIMedia": ("wholly", "Wholly made with generative AI, as its credential states."),
    "inception:partlyGenAICreation": ("partly", "Partly made with generative AI, as its credential states."),
    "transformation:perceptibleGenAI": ("partly", "Changed with generative AI, as its credential states."),
}
_STATED = frozenset({Status.TRUSTED, Status.VALID, Status.RECOVERED, Status.ALTERED})  # a signed claim stands behind it


def _disclosure(verdict: Verdict) -> dict[str, str] | None:
    """What must be told at first exposure where a signed claim says "synthetic"; silence says nothing."""
    if verdict.status not in _STATED:
        return None
    found = next((told for signal, told in _SYNTHETIC.items() if signal in verdict.signals), None)
    return {"ai": found[0], "say": found[1], "law": _ART_50} if found else None


def _part(verdict: Verdict) -> dict[str, float]:
    """How much of a recovered copy fits how much of what was signed, where it is not all of it."""
    return partly.told(verdict.mark.covered, verdict.mark.shown) if verdict.status is Status.RECOVERED else {}


def _label(verdict: Verdict) -> str:
    signer = verdict.credential.signer
    label = _LABELS[verdict.status]
    return f"{label} (development)" if label and signer is not None and signer.development else label
