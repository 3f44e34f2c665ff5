"""GET /assets/{id}: what is registered, its trail, its reference picture, and a signed file while it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import FileResponse, Response

from api import examples, schemas
from api.problems import refuse
from api.routes.common import API, errors, house, json_response, outbox
from provenance.store.registry import AssetRecord, Registry, TrailEntry
from provenance.verdict import iso

router = APIRouter(prefix="/assets/{asset_id}")
Id = Annotated[str, Path(description="As `sign` and `verify` give it.", max_length=512)]
_UNKNOWN = errors("not-found", "invalid-request", "unavailable")


@router.get(
    "",
    summary="A registered asset",
    response_model=schemas.Asset,
    responses={200: {"content": examples.content("asset")}, **_UNKNOWN},
)
def asset(request: Request, asset_id: Id) -> Response:
    """Who signed it and when, how it can be found again, what it was made from and what was made from it."""
    registry = house(request).registry
    return json_response(_asset(_known(registry, asset_id), registry))


@router.get(
    "/trail",
    summary="What happened to an asset",
    response_model=schemas.Trail,
    responses={200: {"content": examples.content("trail")}, **_UNKNOWN},
)
def trail(
    request: Request,
    asset_id: Id,
    ancestors: Annotated[bool, Query(description="With the entries of everything that it was made from.")] = False,
) -> Response:
    """Every entry, oldest first, with what is needed to hash it again."""
    registry = house(request).registry
    record = _known(registry, asset_id)
    entries = registry.trail(record.asset_id, include_parents=ancestors)
    return json_response({"asset_id": record.asset_id, "entries": [_entry(entry) for entry in entries]})


@router.get(
    "/reference",
    summary="The small copy that content is compared with",
    response_class=Response,
    responses={200: {"description": "A picture.", "content": {"image/*": {}}}, **_UNKNOWN, **errors("gone")},
)
def reference(request: Request, asset_id: Id) -> Response:
    """Answer 404 where none is stored, 410 where the asset was withdrawn."""
    registry = house(request).registry
    record = _known(registry, asset_id)
    if record.withdrawn_at is not None:
        refuse("gone", "the asset was withdrawn")
    picture = registry.reference(record.asset_id)
    if picture is None:
        refuse("not-found", "no reference is stored with this asset")
    return Response(picture, media_type=record.reference_media_type, headers={"cache-control": "private, max-age=300"})


@router.get(
    "/file",
    summary="A signed file, while it is kept",
    response_class=FileResponse,
    responses={200: {"description": "The file.", "content": {"*/*": {}}}, **_UNKNOWN, **errors("gone")},
)
def signed_file(
    request: Request,
    asset_id: Id,
    token: Annotated[str, Query(description="From the `download` address of POST /sign.", max_length=64)],
) -> Response:
    """Give back what POST /sign made, to whoever has the address, for an hour. Ranges are served."""
    record = _known(house(request).registry, asset_id)
    path = outbox(request).find(token, record.asset_id)
    if path is None:
        refuse("gone")
    return file_response(path, record.media_type)


def file_response(path: FilePath, media_type: str, headers: Mapping[str, str] | None = None) -> FileResponse:
    """A signed file as a download: never shown in place, since an SVG can carry script."""
    return FileResponse(path, media_type=media_type, filename=path.name, headers=dict(headers or {}))


def _known(registry: Registry, asset_id: str) -> AssetRecord:
    record = registry.asset(asset_id)
    if record is None:
        refuse("not-found", "no asset of that id is registered here")
    return record


def _asset(record: AssetRecord, registry: Registry) -> dict[str, Any]:
    here = f"{API}/assets/{quote(record.asset_id, safe='')}"
    shown = record.reference_digest is not None and record.withdrawn_at is None
    return {
        "id": record.asset_id,
        "sha256": record.sha256,
        "media_type": record.media_type,
        "width": record.width,
        "height": record.height,
        "duration_ms": record.duration_ms,
        "action": record.action,
        "created_at": iso(record.created_at),
        "withdrawn_at": iso(record.withdrawn_at) if record.withdrawn_at else None,
        "credential": {
            "manifest_id": record.manifest_id,
            "signer": {
                "name": record.signer_name,
                "fingerprint": f"sha256:{record.signer_fingerprint}",  # as in a verdict
                "development": record.development,
            },
            "signed_at": iso(record.signed_at),
            "time_state": record.time_state,
        },
        "bindings": [{"alg": binding.alg, "value": binding.value} for binding in record.bindings],
        "parents": [parent.asset_id for parent in registry.parents(record.asset_id)],
        "children": [child.asset_id for child in registry.children(record.asset_id)],
        "links": {"self": here, "trail": f"{here}/trail", "lineage": f"{here}/lineage", "bundle": f"{here}/bundle"}
        | ({"reference": f"{here}/reference"} if shown else {})
        | ({"survival": f"{here}/survival"} if registry.survival(record.asset_id) is not None else {}),
    }


def _entry(entry: TrailEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "seq": entry.seq,
        "at": iso(entry.at),
        "kind": str(entry.kind),
        "asset_id": entry.asset_id,
        "digest": entry.digest,
        "body": entry.body.decode(),
        "payload": entry.payload,
        "salt": entry.salt.hex() if entry.salt is not None else None,
    }
