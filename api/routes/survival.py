"""GET /assets/{id}/survival: what the mark of an asset lived through when that was measured."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import examples, schemas
from api.problems import refuse
from api.routes.common import errors, house

router = APIRouter(prefix="/assets/{asset_id}")


@router.get(
    "/survival",
    summary="What the mark of an asset lives through",
    response_model=schemas.Survival,
    responses={200: {"content": examples.content("survival")}, **errors("not-found", "invalid-request", "unavailable")},
)
def survival(
    request: Request,
    asset_id: Annotated[str, Path(description="As `sign` and `verify` give it.", max_length=512)],
    ladder: Annotated[str | None, Query(description="Default: whichever was measured last.", max_length=64)] = None,
) -> Response:
    """Every step of a named ladder, and whether the mark was read after it: measured by `colophon survive`, never promised."""
    document = house(request).registry.survival(asset_id, ladder)
    if document is None:
        refuse("not-found", "no ladder was measured for an asset of that id")
    return Response(document, media_type="application/json")
