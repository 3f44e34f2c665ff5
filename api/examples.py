"""Examples of the API description. A test holds each to its schema.

They are referred to and not written beside their routes, because the framework drops every null that stands there.
"""

from __future__ import annotations

from typing import Any

from api.problems import KINDS
from provenance.triage import triage

_PHOTO = "9f1c3a5e7b2d4f60819a3c5e7f1b2d4f60819a3c5e7f1b2d4f60819a3c5e7f1b"
_COPY = "0b6e2d94c1f7a8354e9d0c2b7f6a1e3d5c8b9a70f1e2d3c4b5a697887766554f"
_LEAF = "sha256:c0ffee3b1d5a7e9f2c4b6d8e0a1f3c5b7d9e2f4a6c8b0d1e3f5a7c9b2d4e6f80"
_ID = "a7c1e5d09b3f4826"
_MANIFEST = "urn:c2pa:5f0c1b7e-3d2a-4c59-8e61-7b9a0d4f2c13"
_MARK = {"alg": "org.colophon.mark.image.1", "value": "5b0f9c3ea6d17284"}
_SIGNER = {"name": "Example Newsroom Camera 7", "fingerprint": _LEAF, "development": False}
_LISTS = {"signer": [f"sha256:{_PHOTO}"], "tsa": [f"sha256:{_COPY}"]}
_SIGNED_AT = "2026-11-20T16:04:11Z"
_NOTHING_READ = {
    "found": False, "alg": None, "value": None, "p_false": None, "bit_errors": None, "fit": None, "transform": None,
}  # fmt: skip
_NO_CREDENTIAL: dict[str, Any] = {
    "source": "none", "manifest_id": None, "signature": None, "binding": None, "trust": None, "trust_list": None,
    "revocation": {"state": "not_checked", "source": None, "at": None},
    "time": {"state": "absent", "at": None, "tsa": None}, "signer": None, "codes": [],
}  # fmt: skip
_CREDENTIAL = {
    "source": "embedded",
    "manifest_id": _MANIFEST,
    "signature": "verified",
    "binding": "match",
    "trust": "trusted",
    "trust_list": "C2PA signer list, 2026-11-01",
    "revocation": {"state": "good", "source": "registry", "at": None},
    "time": {"state": "trusted", "at": _SIGNED_AT, "tsa": "Example Time Stamping"},
    "signer": _SIGNER,
    "codes": ["claimSignature.validated", "assertion.dataHash.match", "signingCredential.trusted", "timeStamp.trusted"],
}
_STEP = {
    "manifest_id": _MANIFEST, "action": "c2pa.created", "signer": _SIGNER["name"], "trust": "trusted", "at": _SIGNED_AT,
    "relationship": None, "faults": [], "ingest_faults": [],
}  # fmt: skip


def _verdict(status: str, summary: str, sha256: str, reasons: dict[str, str], **layers: Any) -> dict[str, Any]:
    asset = {"id": _ID, "sha256": sha256, "media_type": "image/jpeg", "width": 1080, "height": 810, "duration_ms": None}
    return {
        "status": status,
        "summary": summary,
        "asset": asset,
        "credential": _CREDENTIAL,
        "history": [_STEP],
        "mark": _NOTHING_READ,
        "changes": [],
        "signals": ["inception:capturedMedia"],
        "reasons": [{"code": code, "say": say} for code, say in reasons.items()],
        "not_checked": ["revocation.ocsp"],
        "declared": {"identities": [], "training": {"cawg.ai_generative_training": "notAllowed"}, "consents": []},
        "inputs": {
            "validator": "c2pa-python 0.38.1",
            "policy": "colophon-1",
            "trust_lists": _LISTS,
            "at": "2026-11-21T09:30:00Z",
        },
    } | layers


_RECOVERED = _CREDENTIAL | {"source": "recovered", "binding": "mismatch", "codes": ["assertion.dataHash.mismatch"]}
_MARK_READ = _MARK | {
    "found": True,
    "p_false": 1e-12,
    "bit_errors": 3,
    "fit": 0.97,
    "covered": 1.0,
    "shown": 1.0,
    "transform": {"scale": 0.5, "rotation_deg": 0.0, "flipped": False},
}
_WHO = "Example Newsroom Camera 7 on 20 November 2026, 16:04 UTC"

VERDICTS: dict[str, dict[str, Any]] = {
    "trusted": {
        "summary": "An intact photo from a listed signer",
        "value": _verdict(
            "trusted",
            f"This picture carries an intact credential signed by {_WHO}, described as taken with a camera. "
            "Nothing changed since.",
            _PHOTO,
            {"credential.intact": "Signature and content hold: not a byte that was signed has changed."},
            mark=_MARK_READ | {"bit_errors": 0, "fit": None, "covered": None, "shown": None, "transform": None},
        ),
    },
    "recovered": {
        "summary": "A copy that a platform resized and stripped",
        "value": _verdict(
            "recovered",
            f"This copy lost its credential. Its invisible mark leads to a picture signed by {_WHO}; the content fits.",
            _COPY,
            {
                "credential.absent": "The file carries no credential; most platforms strip it.",
                "mark.found": "An invisible mark was read that belongs to a registered asset.",
                "content.fits": "The content fits the registered picture (97% agrees).",
            },
            credential=_RECOVERED,
            mark=_MARK_READ,
        ),
    },
    "altered": {
        "summary": "A copy in which something was replaced",
        "value": _verdict(
            "altered",
            f"This picture comes from one signed by {_WHO}, and it was changed in 1 place since.",
            _COPY,
            {
                "credential.absent": "The file carries no credential; most platforms strip it.",
                "mark.found": "An invisible mark was read that belongs to a registered asset.",
                "content.changed": "Parts of the content do not agree with the registered picture; see where.",
            },
            credential=_RECOVERED,
            mark=_MARK_READ | {"fit": 0.82},
            changes=[{"x": 0.41, "y": 0.12, "w": 0.16, "h": 0.21, "score": 0.93, "kind": "replaced"}],
        ),
    },
    "none": {
        "summary": "A photo of which nothing is known",
        "value": _verdict(
            "none",
            "No credential and no mark were found in this picture. That proves nothing either way.",
            _COPY,
            {
                "credential.absent": "The file carries no credential; most platforms strip it.",
                "mark.absent": "No invisible mark of ours was found.",
            },
            asset={"id": None, "sha256": _COPY, "media_type": "image/jpeg", "width": 800, "height": 600, "duration_ms": None},
            credential=_NO_CREDENTIAL,
            history=[],
            signals=[],
            not_checked=[],
        ),
    },
}

SIGNED: dict[str, Any] = {
    "asset_id": _ID,
    "manifest_id": _MANIFEST,
    "sha256": _PHOTO,
    "media_type": "image/jpeg",
    "binding": _MARK,
    "signer": _SIGNER["name"],
    "development": False,
    "time_state": "trusted",
    "time": _SIGNED_AT,
    "entry_id": 18211,
    "registered": True,
    "credential": None,
    "notes": [],
    "steps_ms": {"mark": 212.0, "sign": 31.5, "register": 6.2},
    "download": f"/api/v1/assets/{_ID}/file?token=mZ0bC1Qm7nq3p0b9Vd2J4wKx8sT6yR5uLhGfEaWcXiY",
    "expires": "2026-11-20T17:04:11Z",
}

ASSET: dict[str, Any] = {
    "id": _ID,
    "sha256": _PHOTO,
    "media_type": "image/jpeg",
    "width": 4032,
    "height": 3024,
    "duration_ms": None,
    "action": "captured",
    "created_at": "2026-11-20T16:04:12Z",
    "withdrawn_at": None,
    "credential": {"manifest_id": _MANIFEST, "signer": _SIGNER, "signed_at": _SIGNED_AT, "time_state": "trusted"},
    "bindings": [_MARK],
    "parents": [],
    "children": ["c3d81f62ea07b594"],
    "links": {
        "self": f"/api/v1/assets/{_ID}",
        "trail": f"/api/v1/assets/{_ID}/trail",
        "lineage": f"/api/v1/assets/{_ID}/lineage",
        "bundle": f"/api/v1/assets/{_ID}/bundle",
        "reference": f"/api/v1/assets/{_ID}/reference",
    },
}

_NODE = {
    "manifest_id": _MANIFEST,
    "asset_id": _ID,
    "media_type": "image/jpeg",
    "title": "photo.jpg",
    "made": "captured",
    "actions": ["c2pa.created"],
    "marks": ["org.colophon.mark.image.1 8c2f41d07be95a13"],
    "signer": "Example Newsroom Camera 7",
    "at": _SIGNED_AT,
    "trust": "trusted",
    "faults": [],
    "ingest_faults": [],
    "withdrawn": False,
}
_EDITED = "urn:c2pa:0d6f2a91-54b7-4c1e-9a3b-1f7e8d2c6b40"
LINEAGE: dict[str, Any] = {
    "focus": _MANIFEST,
    "as_of": "2026-11-21T09:30:00Z",
    "nodes": [
        _NODE,
        _NODE | {"manifest_id": _EDITED, "asset_id": None, "made": None, "actions": ["c2pa.opened", "c2pa.cropped"]},
    ],
    "edges": [{"child": _EDITED, "parent": _MANIFEST, "relationship": "parentOf", "inferred": False}],
    "cut": False,
}

DIFFERENCE: dict[str, Any] = {
    "old": _ID,
    "new": "c3d81f62ea07b594",
    "related": "ancestor",
    "actions": [{"manifest_id": _EDITED, "action": "c2pa.opened"}, {"manifest_id": _EDITED, "action": "c2pa.cropped"}],
    "metadata": [{"field": "width", "old": 4032, "new": 3024}],
    "content": {"agreement": "fits", "score": 0.99, "changes": []},
}

_BODY = (
    f'{{"asset":"{_ID}","at":"2026-11-20T16:04:12.000000Z","kind":"captured",'
    '"payload_digest":"4d7e0a9c5b3f1826d4e0c7b9a5f3281604d7e0a9c5b3f1826d4e0c7b9a5f3281"}'
)
TRAIL: dict[str, Any] = {
    "asset_id": _ID,
    "entries": [
        {
            "id": 18211,
            "seq": None,
            "at": "2026-11-20T16:04:12Z",
            "kind": "captured",
            "asset_id": _ID,
            "digest": "8a0d4f6b2c9e1753f0a8d6c4b2e097513f8a0d4f6b2c9e1753f0a8d6c4b2e097",
            "body": _BODY,
            "payload": {"source_type": "digitalCapture"},
            "salt": "00112233445566778899aabbccddeeff",
        }
    ],
}


def _told(status: str, label: str) -> dict[str, Any]:
    return {
        "status": status,
        "label": label,
        "summary": VERDICTS[status]["value"]["summary"],
        "signer": {"name": _SIGNER["name"], "development": False},
        "signed_at": _SIGNED_AT,
        "manifest_id": _MANIFEST,
        "asset_id": _ID,
        "signals": ["inception:capturedMedia"],
        "at": "2026-11-21T09:30:00Z",
    }


QUERY: dict[str, Any] = {"ids": [_ID, _COPY, "never-seen"]}
STATUSES: dict[str, Any] = {
    "items": [
        {"id": _ID, **_told("trusted", "Content Credentials")},
        {"id": _COPY, **_told("recovered", "Content Credentials, recovered")},
        {"id": "never-seen", "status": "unregistered"},
    ]
}

RECENT: dict[str, Any] = {
    "items": [{"id": _ID, "created_at": "2026-11-20T16:04:12Z", "reference": f"/api/v1/assets/{_ID}/reference"}]
}
KEY_SET: dict[str, Any] = {
    "keys": [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            "alg": "EdDSA",
            "use": "sig",
        }
    ]
}

COMPARISON: dict[str, Any] = {
    "same": False,
    "before": {"status": "valid", "inputs": VERDICTS["trusted"]["value"]["inputs"]},
    "differences": [{"where": "status", "before": "valid", "after": "trusted"}],
    "causes": [
        {"what": "trust lists", "certain": True, "explains": ["status"], "say": "The trust lists are others now."},
    ],
    "verdict": VERDICTS["trusted"]["value"],
}
REVIEW: dict[str, Any] = {
    "id": 41,
    "sha256": _COPY,
    "asset_id": _ID,
    "status": "altered",
    "why": "asked by the picture desk",
    "opened_at": "2026-11-21T09:30:00Z",
    "opened_by": "key:3f2a9c61d07b",
    "decided_at": "2026-11-21T10:02:00Z",
    "decided_by": "oidc:9f1c5a7be2d84c0f6a3b1e57",
    "decision": "explained",
    "say": "The agency laid its caption over the lower edge.",
    "entry_id": 18211,
}
API_KEY: dict[str, Any] = {
    "id": "3f2a9c61d07b",
    "name": "picture desk",
    "roles": ["feed", "auditor"],
    "created_at": "2026-11-21T09:30:00+00:00",
    "revoked_at": None,
}
_JOB = "/api/v1/jobs/0c6f2d3e8b7a4f519d0e5a6b7c8d9e0f"
JOB: dict[str, Any] = {
    "id": _JOB.rsplit("/", 1)[-1],
    "kind": "verify",
    "state": "running",
    "stage": "looking",
    "sha256": _COPY,
    "created_at": "2026-11-21T09:30:00Z",
    "updated_at": "2026-11-21T09:30:01Z",
    "links": {"self": _JOB, "events": f"{_JOB}/events"},
}

SURVIVAL: dict[str, Any] = {
    "asset_id": _ID,
    "ladder": "image-2026",
    "alg": _MARK["alg"],
    "value": _MARK["value"],
    "measured_at": "2026-11-21T10:12:00Z",
    "passed": 1,
    "of": 2,
    "steps": [
        {"name": "jpeg-50", "title": "JPEG at quality 50", "found": True, "bit_errors": 211, "p_false": 2.1e-48},
        {"name": "crop-10", "title": "cut to 10 % of the area", "found": False, "bit_errors": None, "p_false": None},
    ],
}

TRIAGE = triage(VERDICTS["altered"]["value"]).as_dict() | {"provenance": VERDICTS["altered"]["value"]}

NAMED: dict[str, dict[str, Any]] = {
    **VERDICTS,
    "triage": {"summary": "A photo with another face", "value": TRIAGE},
    "signed": {"summary": "A photo was signed", "value": SIGNED},
    "asset": {"summary": "A photo", "value": ASSET},
    "deposited": {"summary": "A photo", "value": {"manifest_id": _MANIFEST}},
    "trail": {"summary": "One entry", "value": TRAIL},
    "survival": {"summary": "Two steps", "value": SURVIVAL},
    "lineage": {"summary": "A photo and its crop", "value": LINEAGE},
    "difference": {"summary": "A photo and its crop", "value": DIFFERENCE},
    "query": {"summary": "Two known files and one unknown", "value": QUERY},
    "statuses": {"summary": "Two known files and one unknown", "value": STATUSES},
    "recent": {"summary": "One picture", "value": RECENT},
    "comparison": {"summary": "A signer that came onto a list", "value": COMPARISON},
    "rendition": {
        "summary": "A smaller JPEG",
        "value": SIGNED | {"parent": _ID, "mark": "kept", "agreement": "fits", "fit": 0.98},
    },
    "review": {"summary": "A caption was laid over it", "value": REVIEW},
    "reviews": {"summary": "One question", "value": {"items": [REVIEW]}},
    "withdrawal": {"summary": "Withdrawn", "value": {"asset_id": _ID, "withdrawn_at": "2026-11-21T09:30:00Z"}},
    "revoked": {
        "summary": "A stolen key",
        "value": {"fingerprint": _SIGNER["fingerprint"], "reason": "keyCompromise", "since": "2026-11-19T00:00:00Z"},
    },
    "api-key": {"summary": "A feed's", "value": API_KEY},
    "api-keys": {"summary": "One key", "value": {"keys": [API_KEY]}},
    "new-api-key": {"summary": "A feed's", "value": API_KEY | {"secret": "colophon_3f2a9c61d07b_…"}},
    "job": {"summary": "A large video is being looked at", "value": JOB},
    "signing-key": {
        "summary": "The default key",
        "value": {
            "key": "development",
            "alg": "es256",
            "chain": "-----BEGIN CERTIFICATE-----\nMIIC…\n-----END CERTIFICATE-----\n",
        },
    },
    "key-set": {"summary": "One key", "value": KEY_SET},
    "ready": {
        "summary": "It may",
        "value": {"status": "ready", "checks": {"database": "ok", "signing process": "ok", "sequencer": "ok", "self-test": "ok"}},
    },
    "health": {"summary": "All is well", "value": {"status": "ok"}},
    "problem-kind": {"summary": "Too many at once", "value": KINDS["busy"].as_dict()},
}


def content(*names: str) -> dict[str, Any]:
    """The `content` of an answer in JSON with references to examples."""
    return {"application/json": {"examples": {name: {"$ref": f"#/components/examples/{name}"} for name in names}}}
