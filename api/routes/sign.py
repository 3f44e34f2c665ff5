"""POST /sign: a file in, the same file out with a mark, a credential and a place in the trail."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO, Literal
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Header, Request, UploadFile
from starlette.responses import Response

from api import examples, idempotency, schemas, uploads
from api.idempotency import Once
from api.outbox import Outbox
from api.problems import refuse
from api.routes.assets import file_response
from api.routes.common import API, errors, house, json_response, outbox, turns
from api.wiring import House
from provenance.actions import SOURCE_TYPES
from provenance.capture import SignRequest, sign
from provenance.declared import Consent
from provenance.declared import consent as consent_record
from provenance.finishing import Signed
from provenance.verdict import iso

router = APIRouter()
_ROUTE = "POST /api/v1/sign"
_BINARY = {"type": "string", "format": "binary"}
KEY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_MARK_NAME = r"^[A-Za-z0-9._-]{1,64}$"
Preference = Literal["allowed", "notAllowed", "constrained"]
_SOURCES = {"enum": sorted(SOURCE_TYPES)}
_HEADERS = {
    "Location": "Address of the asset.",
    "Repr-Digest": "SHA-256 of the signed file (RFC 9530).",
    "Colophon-Asset-Id": "Id of the asset.",
    "Colophon-Manifest-Id": "Label of the active manifest.",
    "Colophon-Mark": "Algorithm and value of the invisible mark, `alg=value`; absent where none was made.",
    "Colophon-Development": "`?1` where a development certificate signed.",
    "Idempotent-Replayed": "`?1` where an earlier answer is repeated.",
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the form asks for; part of what makes two requests the same."""

    key: str | None
    source: str
    mark: str
    redact: tuple[str, ...]
    code: str | None = None
    identity: str | None = None
    training: str | None = None
    consent: str | None = None


@router.post(
    "/sign",
    status_code=201,
    summary="Sign a file",
    response_model=schemas.Signed,
    responses={
        201: {
            "description": "Signed. The file itself, or JSON if `Accept` names application/json.",
            "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()},
            "content": examples.content("signed") | {"*/*": {"schema": _BINARY}},
        },
        **errors("bad-request", "foreign-page", "signing-refused", "in-progress", "conflict", "gone", "too-large"),
        **errors("unsupported-media"),
        **errors(
            *("invalid-request", "unusable-file", "damaged-media", "too-small", "over-budget"),
            *("unknown-key", "unknown-mark", "key-reused"),
        ),
        **errors("not-signed", "time-stamp", "unavailable", "busy", "storage-full"),
    },
)
async def sign_file(
    request: Request,
    file: Annotated[UploadFile, File(description="What to sign; it is not kept.")],
    key: Annotated[str | None, Form(pattern=KEY_NAME, description="Name of a signing key.")] = None,
    source: Annotated[str, Form(description="IPTC digital source type.", json_schema_extra=_SOURCES)] = "digitalCapture",
    mark: Annotated[str, Form(pattern=_MARK_NAME, description='"auto", "none" or an algorithm.')] = "auto",
    redact: Annotated[list[Literal["gps"]] | None, Form(description="Camera metadata to leave out.")] = None,
    code: Annotated[str | None, Form(max_length=200, description="Capture code, where the key's policy asks for one.")] = None,
    identity: Annotated[str | None, Form(pattern=KEY_NAME, description="A second key, for an identity assertion.")] = None,
    training: Annotated[Preference | None, Form(description="Whether machines may learn from it.")] = None,
    consent: Annotated[str | None, Form(description="Consent record of whoever is depicted or voiced, JSON.")] = None,
    idempotency_key: Annotated[
        str | None, Header(pattern=idempotency.PATTERN, description="Any text of your own that names this one request.")
    ] = None,
) -> Response:
    """Mark, sign, time stamp, read back, register. Answers 201 in one of two forms:

    - `Accept: application/json`: the facts, with a `download` address that gives the file back for an hour;
    - anything else: the signed file itself, with the facts in headers.

    With an `Idempotency-Key`, the same request again gives the first answer and signs nothing.
    """
    if source not in SOURCE_TYPES:
        refuse("invalid-request", errors=[{"where": "body.source", "say": "not a known digital source type"}])
    wishes = Wishes(key, source, mark, tuple(sorted(set(redact or ()))), code, identity, training, consent)
    once: Once = request.app.state.once
    opened, box = house(request), outbox(request)
    facts, replayed = await turns(request).take(
        lambda: _signed(opened, box, once, file.file, file.filename, wishes, idempotency_key)
    )
    headers = {"vary": "accept"} | facts_headers(facts) | ({"idempotent-replayed": "?1"} if replayed else {})
    body = {name: value for name, value in facts.items() if name != "token"}
    if wants_json(request.headers.get("accept", "")):
        return json_response(body, 201, headers)
    path = box.find(facts["token"], facts["asset_id"])
    if path is None:
        refuse("gone")
    response = file_response(path, facts["media_type"], headers)
    response.status_code = 201
    return response


def wants_json(accept: str) -> bool:
    """Whether an Accept header names JSON; a wildcard does not, for the file is what a client came for."""
    for choice in accept.lower().split(","):
        name, *parameters = (part.strip() for part in choice.split(";"))
        if name == "application/json":
            return not any(p.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for p in parameters)
    return False


def _signed(
    opened: House, box: Outbox, once: Once, file: BinaryIO, name: str | None, wishes: Wishes, key: str | None
) -> tuple[Mapping[str, Any], bool]:
    at = datetime.now(UTC)
    with uploads.received(file, name, opened.settings.home / "incoming") as upload:
        digest = request_digest(upload.sha256, asdict(wishes))
        return once.run(
            lambda: _sign(opened, box, upload, wishes, at), opened.registry, key, route=_ROUTE, request_digest=digest, at=at
        )


def _sign(opened: House, box: Outbox, upload: uploads.Upload, wishes: Wishes, at: datetime) -> dict[str, Any]:
    slot = box.slot()
    done = sign(
        SignRequest(
            source=upload.path,
            destination=slot.folder / f"signed{upload.path.suffix}",
            source_type=wishes.source,
            mark=wishes.mark,
            redact=frozenset(wishes.redact),
            title=upload.name,
            code=wishes.code,
            training=wishes.training,
            consent=_consent(wishes.consent),
        ),
        opened.studio(wishes.key, identity=wishes.identity),
        at=at,
    )
    ending = mimetypes.guess_extension(done.media_type) or upload.path.suffix  # the content decides, not the upload's name
    done.path.rename(slot.folder / f"{done.asset_id}{ending}")
    return facts_of(done) | {
        "token": slot.token,
        "download": f"{API}/assets/{quote(done.asset_id, safe='')}/file?token={slot.token}",
        "expires": iso(datetime.fromtimestamp(slot.expires, UTC)),
    }


def _consent(text: str | None) -> Consent | None:
    return consent_record(text.encode(), "consent", salt=secrets.token_bytes(16)) if text else None


def request_digest(file_sha256: str, wishes: Mapping[str, Any]) -> str:
    """What makes two requests the same: the bytes and the wishes; not the file's name."""
    return hashlib.sha256(json.dumps([file_sha256, wishes], sort_keys=True).encode()).hexdigest()


def facts_of(done: Signed) -> dict[str, Any]:
    """What a client learns; the path is ours."""
    return {
        "asset_id": done.asset_id,
        "manifest_id": done.manifest_id,
        "sha256": done.sha256,
        "media_type": done.media_type,
        "binding": {"alg": done.binding.alg, "value": done.binding.value} if done.binding else None,
        "signer": done.signer,
        "development": done.development,
        "time_state": done.time_state,
        "time": iso(done.time) if done.time else None,
        "entry_id": done.entry_id,
        "registered": done.registered,
        "notes": list(done.notes),
        "steps_ms": {step: round(ms, 1) for step, ms in done.steps_ms.items()},
    }


def facts_headers(facts: Mapping[str, Any]) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(facts["sha256"])).decode("ascii")
    headers = {
        "location": f"{API}/assets/{quote(facts['asset_id'], safe='')}",
        "repr-digest": f"sha-256=:{digest}:",
        "colophon-asset-id": facts["asset_id"],
        "colophon-manifest-id": facts["manifest_id"],
    }
    if facts["binding"]:
        headers["colophon-mark"] = f"{facts['binding']['alg']}={facts['binding']['value']}"
    if facts["development"]:
        headers["colophon-development"] = "?1"
    return headers
