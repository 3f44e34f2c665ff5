"""POST /deposits: a signed asset without the asset, by whoever signed it elsewhere (`colophon watch --server`)."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import depositing, examples, schemas
from api.routes.common import errors, house, json_response, turns
from api.routes.oauth import need

MOST_BYTES = 24 << 20  # a store of 16 MB, in base64
router = APIRouter()


@router.post(
    "/deposits",
    summary="Deposit a signed asset",
    response_model=schemas.Deposited,
    responses={
        200: {"description": "It is registered, now or before.", "content": examples.content("deposited")},
        **errors("invalid-request", "bad-request", "foreign-page", "no-key", "not-allowed", "too-large"),
        **errors("unusable-file", "conflict", "busy", "unavailable"),
    },
)
async def deposit(request: Request, given: schemas.Deposit) -> Response:
    """Register a signed asset by its manifest store and a small copy; the asset itself stays where it is.

    As `POST /v1/manifests`, which takes a manifest store alone; the copy lets this service recover stripped files and say what
    changed. A picture's must show what the thumbnail in its signed claim shows. The same again changes nothing.
    """
    client = need(request, "store:manifests")
    kept = depositing.Kept(
        asset_id=given.asset_id,
        sha256=given.sha256,
        media_type=given.media_type,
        width=given.width,
        height=given.height,
        duration_ms=given.duration_ms,
        reference=given.reference,
        reference_media_type=given.reference_media_type,
    )
    opened, at = house(request), datetime.now(UTC)
    work = turns(request).take(lambda: depositing.deposit(opened, given.manifest_store, client=client.id, at=at, kept=kept))
    return json_response({"manifest_id": await work})
