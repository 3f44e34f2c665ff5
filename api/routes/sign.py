"""POST /sign: a file in, the same file out with a mark, a credential and a place in the trail."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Header, Request, UploadFile
from starlette.responses import Response

from api import examples, idempotency, schemas
from api.problems import refuse
from api.routes.common import errors
from api.routes.handing import KEY_NAME, Job, handed, handed_over
from provenance.actions import SOURCE_TYPES
from provenance.capture import SignRequest, sign
from provenance.declared import Consent
from provenance.declared import consent as consent_record

router = APIRouter()
_ROUTE = "POST /api/v1/sign"
_BINARY = {"type": "string", "format": "binary"}
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
    "Link": '`rel="c2pa-manifest"`: where the credential is, if the file\'s container holds none (WebM, Matroska).',
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
    return await handed_over(
        request,
        file.file,
        file.filename,
        lambda job: _sign(job, wishes),
        route=_ROUTE,
        wishes=asdict(wishes),
        key=idempotency_key,
    )


def _sign(job: Job, wishes: Wishes) -> dict[str, Any]:
    done = sign(
        SignRequest(
            source=job.upload.path,
            destination=job.slot.folder / f"signed{job.upload.path.suffix}",
            source_type=wishes.source,
            mark=wishes.mark,
            redact=frozenset(wishes.redact),
            title=job.upload.name,
            code=wishes.code,
            training=wishes.training,
            consent=_consent(wishes.consent),
            beside=True,
        ),
        job.house.studio(wishes.key, identity=wishes.identity),
        at=job.at,
    )
    return handed(job, done)


def _consent(text: str | None) -> Consent | None:
    return consent_record(text.encode(), "consent", salt=secrets.token_bytes(16)) if text else None
