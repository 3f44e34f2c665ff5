"""What a desk takes away of an asset: a bundle that stands without us, and what changed between it and another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import examples, schemas
from api.problems import refuse
from api.routes.common import data_url, errors, house, json_response, turns
from api.wiring import House, number
from provenance.bundle.make import make
from provenance.difference import Difference, difference

router = APIRouter(prefix="/assets/{asset_id}")
Id = Annotated[str, Path(description="As `sign` and `verify` give it.", max_length=512)]
_FAULTS = errors("not-found", "invalid-request", "over-budget", "unavailable", "busy")


@router.get(
    "/bundle",
    summary="The whole story of an asset in one file",
    response_class=Response,
    responses={200: {"description": "A ZIP file.", "content": {"application/zip": {}}}, **_FAULTS},
)
async def bundle(request: Request, asset_id: Id) -> Response:
    """Manifests, entries with their proofs, certificates, trust lists and the verdict; the file itself by its digest alone.

    `colophon audit` checks it without a server and without a network. What was registered a moment ago may have no number
    in the log yet: 503, ask again.
    """
    opened = house(request)
    data = await turns(request).take(lambda: _bundle(asset_id, opened))
    named = f'attachment; filename="colophon-{"".join(filter(str.isalnum, asset_id[:32]))}.zip"'
    return Response(data, media_type="application/zip", headers={"content-disposition": named})


@router.get(
    "/difference",
    summary="What changed between two assets",
    response_model=schemas.Difference,
    responses={200: {"content": examples.content("difference")}, **_FAULTS, **errors("gone")},
)
async def changed(
    request: Request,
    asset_id: Id,
    since: Annotated[str, Query(alias="from", description="The other asset, mostly a parent.", max_length=512)],
    pictures: Annotated[bool, Query(description="Also send the pictures.")] = False,
) -> Response:
    """Actions that claims state, facts, and where the small copies differ. 410 where one of them was withdrawn."""
    opened = house(request)
    found = await turns(request).take(lambda: _difference(since, asset_id, opened))
    return json_response(found.as_dict() | ({"pictures": _pictures(found)} if pictures else {}))


def _bundle(asset_id: str, opened: House) -> bytes:
    number(opened)  # where no sequencer runs beside us
    return make(asset_id, opened.desk, opened.log, at=datetime.now(UTC), witnesses=opened.witnesses)


def _difference(old: str, new: str, opened: House) -> Difference:
    for asset_id in (old, new):
        record = opened.registry.asset(asset_id)
        if record is not None and record.withdrawn_at is not None:
            refuse("gone", "the asset was withdrawn")
    return difference(old, new, opened.desk, at=datetime.now(UTC))


def _pictures(found: Difference) -> dict[str, Any]:
    shots = {"copy": found.copy, "changes": found.picture if found.changes else None, "laid": found.laid}
    return {name: data_url(jpeg) for name, jpeg in shots.items()}
