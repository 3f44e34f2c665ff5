"""The trail's log as static resources (C2SP tlog-tiles), proofs of its entries, and the lineage of an asset.

What is immutable is said to be so: any cache, or a plain file server, may answer in our place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import examples, schemas
from api.problems import refuse
from api.routes.common import errors, house, json_response
from provenance.errors import MalformedError
from provenance.lineage import lineage as lineage_of
from provenance.trail.tile import parse_path

router = APIRouter(prefix="/log")
family = APIRouter(prefix="/assets/{asset_id}")
_TEXT = "text/plain; charset=utf-8"
_MUTABLE = {"cache-control": "no-cache", "access-control-allow-origin": "*"}
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable", "access-control-allow-origin": "*"}
_UNKNOWN = errors("not-found", "invalid-request", "unavailable")


def _resource(what: str, media_type: str) -> dict[int | str, dict[str, object]]:
    return {200: {"description": what, "content": {media_type: {}}}}


@router.head("/checkpoint", include_in_schema=False)
@router.get(
    "/checkpoint",
    summary="The log's newest checkpoint",
    response_class=Response,
    responses={**_resource("A signed note.", "text/plain"), **errors("not-found", "unavailable")},
)
def checkpoint(request: Request) -> Response:
    """Size and root of the log, signed by it and cosigned by its witnesses (C2SP tlog-checkpoint)."""
    return Response(house(request).log.checkpoint(), media_type=_TEXT, headers=_MUTABLE)


@router.get(
    "/keys",
    summary="The log's public keys",
    response_class=Response,
    responses={**_resource("One vkey a line.", "text/plain"), **errors("unavailable")},
)
def keys(request: Request) -> Response:
    """To compare with what others have of this log; a key taken from the log itself vouches for nothing."""
    vkeys = "".join(f"{key.vkey}\n" for key in house(request).log.public_keys())
    return Response(vkeys, media_type=_TEXT, headers=_MUTABLE)


@router.head("/tile/{path:path}", include_in_schema=False)
@router.get(
    "/tile/{path:path}",
    summary="A tile of hashes, or a bundle of entries",
    response_class=Response,
    responses={**_resource("256 hashes of 32 bytes, or fewer.", "application/octet-stream"), **_UNKNOWN},
)
def tile(
    request: Request, path: Annotated[str, Path(description="`<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`.", max_length=200)]
) -> Response:
    """As C2SP tlog-tiles names them. Never changes once it is there."""
    try:
        wanted = parse_path(f"tile/{path}")
    except MalformedError:
        refuse("not-found", "no tile is named like that")
    return Response(house(request).log.resource(wanted), media_type="application/octet-stream", headers=_FOR_EVER)


@router.get(
    "/proof",
    summary="Proof that an entry is in the log",
    response_class=Response,
    responses={**_resource("A proof file.", "text/plain"), **_UNKNOWN},
)
def proof(
    request: Request,
    seq: Annotated[int | None, Query(description="Number in the log.", ge=0, lt=2**62)] = None,
    entry: Annotated[int | None, Query(description="Id as `sign` and the trail give it.", ge=0, lt=2**62)] = None,
) -> Response:
    """A file that stands by itself with the log's public key (C2SP tlog-proof). Name `seq` or `entry`.

    An entry that was just committed has no number yet; ask again in a moment.
    """
    log = house(request).log
    if (seq is None) == (entry is None):
        refuse("invalid-request", "name either `seq` or `entry`")
    number = seq if entry is None else log.number(entry)
    if number is None:
        refuse("not-found", "no such entry is in the log, or not yet")
    return Response(bytes(log.prove(number)), media_type=_TEXT, headers=_MUTABLE)


@family.get(
    "/lineage",
    summary="What an asset was made from, and what was made from it",
    response_model=schemas.Lineage,
    responses={200: {"content": examples.content("lineage")}, **_UNKNOWN},
)
def lineage(
    request: Request,
    asset_id: Annotated[str, Path(description="As `sign` and `verify` give it.", max_length=512)],
    as_of: Annotated[datetime | None, Query(description="Judge as of this instant; what came later is left out.")] = None,
) -> Response:
    """Manifests as nodes, "was made from" as edges. `inferred` edges rest on a mark in the pixels, not on a signed claim.

    Every manifest is judged afresh; `ingest_faults` are what its taker recorded then.
    """
    moment = as_of.replace(tzinfo=UTC) if as_of is not None and as_of.tzinfo is None else as_of
    return json_response(lineage_of(asset_id, house(request).desk, at=datetime.now(UTC), as_of=moment).as_dict())
