"""POST /renditions: a platform's own transcode of a registered asset, signed as its child after a look at it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Header, Request, UploadFile
from starlette.responses import Response

from api import examples, idempotency, schemas
from api.problems import refuse
from api.routes.common import errors
from api.routes.handing import KEY_NAME, Job, handed, handed_over
from provenance.rendition import ACTIONS, DEFAULT, RenditionRequest, rendition

router = APIRouter()
_ROUTE = "POST /api/v1/renditions"
_CHOICE = {"enum": sorted(ACTIONS)}


@router.post(
    "/renditions",
    status_code=201,
    summary="Sign a rendition",
    response_model=schemas.Rendition,
    responses={
        201: {
            "description": "Signed. The file itself, or JSON if `Accept` names application/json.",
            "content": examples.content("rendition") | {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        },
        **errors("bad-request", "foreign-page", "signing-refused", "not-found", "in-progress", "conflict", "gone"),
        **errors("too-large", "unsupported-media", "invalid-request", "unusable-file", "damaged-media", "over-budget"),
        **errors("unknown-key", "key-reused", "not-signed", "time-stamp", "unavailable", "busy", "storage-full"),
    },
)
async def sign_rendition(
    request: Request,
    file: Annotated[UploadFile, File(description="The transcode; it is not kept.")],
    parent: Annotated[str, Form(min_length=1, max_length=512, description="Id or SHA-256 of the asset it was made from.")],
    actions: Annotated[
        list[str] | None, Form(description="What was done, none of which changes what is shown.", json_schema_extra=_CHOICE)
    ] = None,
    key: Annotated[str | None, Form(pattern=KEY_NAME, description="Name of a signing key.")] = None,
    idempotency_key: Annotated[
        str | None, Header(pattern=idempotency.PATTERN, description="Any text of your own that names this one request.")
    ] = None,
) -> Response:
    """A child that says "rendition, no editorial change": refused where the content is not what the parent shows.

    The parent's file is not needed: its manifest is kept here. `mark` tells whether the parent's mark can still be read; only
    then does the child name it. `fit` is how much of the compared area agrees.
    """
    done = tuple(actions or DEFAULT)
    if not set(done) <= ACTIONS:
        refuse("invalid-request", errors=[{"where": "body.actions", "say": "not an action of a rendition"}])
    return await handed_over(
        request,
        file.file,
        file.filename,
        lambda job: _rendition(job, parent, done, key),
        route=_ROUTE,
        wishes={"parent": parent, "actions": done, "key": key},
        key=idempotency_key,
    )


def _rendition(job: Job, parent: str, actions: tuple[str, ...], key: str | None) -> dict[str, Any]:
    asked = RenditionRequest(
        parent, job.upload.path, job.slot.folder / f"signed{job.upload.path.suffix}", actions, job.upload.name
    )
    made = rendition(asked, job.house.studio(key), at=job.at)
    told = {"parent": parent, "mark": made.mark, "agreement": made.agreement, "fit": made.fit}
    return handed(job, made.signed) | told
