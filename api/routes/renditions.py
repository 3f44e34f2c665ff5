"""POST /renditions: a platform's own transcode of a registered asset, signed as its child after a look at it."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Header, Request, UploadFile
from starlette.responses import Response

from api import examples, idempotency, schemas, uploads
from api.guard import caller_of
from api.idempotency import Once
from api.outbox import Outbox
from api.problems import refuse
from api.routes.assets import file_response
from api.routes.common import API, errors, house, json_response, outbox, turns
from api.routes.sign import KEY_NAME, facts_headers, facts_of, request_digest, wants_json
from api.wiring import House
from provenance.rendition import ACTIONS, DEFAULT, RenditionRequest, rendition
from provenance.verdict import iso

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
    opened, box, once = house(request), outbox(request), request.app.state.once
    caller = caller_of(request).id
    facts, replayed = await turns(request).take(
        lambda: _signed(
            opened, box, once, file.file, file.filename, parent, done, key, idempotency_key and f"{caller}:{idempotency_key}"
        )
    )
    headers = {"vary": "accept"} | facts_headers(facts) | ({"idempotent-replayed": "?1"} if replayed else {})
    if wants_json(request.headers.get("accept", "")):
        return json_response({name: value for name, value in facts.items() if name != "token"}, 201, headers)
    path = box.find(facts["token"], facts["asset_id"])
    if path is None:
        refuse("gone")
    response = file_response(path, facts["media_type"], headers)
    response.status_code = 201
    return response


def _signed(
    opened: House, box: Outbox, once: Once, file: BinaryIO, name: str | None, parent: str, actions: tuple[str, ...],
    key: str | None, idempotency_key: str | None,
) -> tuple[Mapping[str, Any], bool]:  # fmt: skip
    at = datetime.now(UTC)
    with uploads.received(file, name, opened.settings.home / "incoming") as upload:

        def work() -> Mapping[str, Any]:
            return _sign(opened, box, upload, parent, actions, key, at)

        digest = request_digest(upload.sha256, {"parent": parent, "actions": actions, "key": key})
        return once.run(work, opened.registry, idempotency_key, route=_ROUTE, request_digest=digest, at=at)


def _sign(
    opened: House, box: Outbox, upload: uploads.Upload, parent: str, actions: tuple[str, ...], key: str | None, at: datetime
) -> dict[str, Any]:
    slot = box.slot()
    asked = RenditionRequest(parent, upload.path, slot.folder / f"signed{upload.path.suffix}", actions, upload.name)
    made = rendition(asked, opened.studio(key), at=at)
    done = made.signed
    ending = mimetypes.guess_extension(done.media_type) or upload.path.suffix
    done.path.rename(slot.folder / f"{done.asset_id}{ending}")
    return facts_of(done) | {
        "parent": parent,
        "mark": made.mark,
        "agreement": made.agreement,
        "fit": made.fit,
        "token": slot.token,
        "download": f"{API}/assets/{quote(done.asset_id, safe='')}/file?token={slot.token}",
        "expires": iso(datetime.fromtimestamp(slot.expires, UTC)),
    }
