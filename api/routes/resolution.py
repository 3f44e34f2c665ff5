"""The C2PA Soft Binding Resolution API 2.4 under /v1: from a mark, a file or an address to the manifests that belong to it.

A binding counts here only if the *signed* claim carries it, so whoever may write can add manifests, and never point a mark
at one that does not name it. Reads are for everyone (behind the guard, see `guard.py`); writes need an OAuth 2.0 scope, and
where no client is registered they answer 403.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request
from starlette.responses import Response

from api import depositing, reaching, receipts
from api.problems import refuse
from api.routes import oauth
from api.routes import resolution_shapes as shapes
from api.routes.common import errors, house, json_response, turns
from api.routes.oauth import need
from provenance.sdk import STORE_TYPE
from provenance.store.registry import AssetRecord, Registry
from watermark import engines

VERSION = "2.4"
router = APIRouter()
services = APIRouter()
MOST = 100
_ISCC = "io.iscc.v0"
_WRITES = {"storeManifests": "store:manifests", "storeBindings": "store:bindings"}
_STORE = {"requestBody": {"required": True, "content": {STORE_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}
_MEDIA = ("image/", "audio/", "video/", "application/", "model/", "text/")
Id = Annotated[str, Path(description="Label of an active manifest, `urn:c2pa:…`.", max_length=512)]
Most = Annotated[int, Query(alias="maxResults", ge=1, le=10_000, description="At most so many matches.")]
Algorithm = Annotated[str | None, Query(max_length=512)]
_READ = ("invalid-request", "no-key", "not-allowed", "unavailable")
_SENT = (*_READ, "bad-request", "foreign-page", "too-large")  # what is told of whatever has a body
_STATED = errors(*_SENT, "not-found", "not-in-claim")


@router.get(
    "/matches/byBinding",
    summary="Manifests that carry a soft binding",
    response_model=shapes.QueryResult,
    responses=shapes.MATCHES | errors(*_READ),
)
def by_binding_get(
    request: Request,
    value: Annotated[str, Query(min_length=1, max_length=4096, description="The binding's value in base64.")],
    alg: Annotated[str, Query(min_length=1, max_length=512)],
    most: Most = 10,
) -> Response:
    """Manifests whose signed claims carry that algorithm and value, the earliest first."""
    return _matches(_bound(house(request).registry, alg, value), most)


@router.post(
    "/matches/byBinding",
    summary="The same for long values",
    response_model=shapes.QueryResult,
    responses=shapes.MATCHES | errors(*_SENT),
)
def by_binding_post(request: Request, query: shapes.BindingQuery, most: Most = 10) -> Response:
    """Manifests whose signed claims carry that algorithm and value, the earliest first."""
    return _matches(_bound(house(request).registry, query.alg, query.value), most)


@router.post(
    "/matches/byContent",
    summary="Manifests of a file that lost its own",
    response_model=shapes.QueryResult,
    responses={**shapes.MATCHES, **errors(*_SENT, "unsupported-media", "damaged-media", "over-budget", "busy")},
    openapi_extra={"requestBody": {"required": True, "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def by_content(
    request: Request,
    alg: Algorithm = None,
    most: Most = 10,
    hint_alg: Annotated[str | None, Query(alias="hintAlg")] = None,
    hint_value: Annotated[str | None, Query(alias="hintValue")] = None,
) -> Response:
    """Look for marks and a like fingerprint in the body, and measure how well the content agrees with each find.

    Content that turns out to be another's is left out. Hints are taken, and not needed: what counts is what is measured.
    """
    media_type = request.headers.get("content-type", "").lower()
    if not media_type.startswith(_MEDIA):
        refuse("unsupported-media", "the Content-Type is none of image, audio, video, application, model, text")
    opened = house(request)
    upload = await reaching.spooled(request, opened.settings)
    with upload:
        found = await turns(request).take(lambda: reaching.content(opened, upload, None, alg=alg, most=min(most, MOST)))
    return json_response({"matches": found})


@router.post(
    "/matches/byReference",
    summary="Manifests of a file at an address",
    response_model=shapes.QueryResult,
    responses={
        **shapes.MATCHES,
        **errors(*_SENT, "unsupported-media", "damaged-media", "over-budget", "busy", "not-fetched"),
    },
)
async def by_reference(request: Request, query: shapes.ReferenceQuery, alg: Algorithm = None, most: Most = 10) -> Response:
    """Fetch a file from a public address and look for it as `byContent` does. No redirects; private networks are refused."""
    opened = house(request)
    if query.assetLength > opened.settings.upload_limit_mb << 20:
        refuse("too-large")
    with await reaching.fetched(request, query.referenceUrl, most=query.assetLength) as file:
        found = await turns(request).take(lambda: reaching.content(opened, file, None, alg=alg, most=min(most, MOST)))
    return json_response({"matches": found})


@router.post(
    "/manifests",
    status_code=200,
    summary="Store a manifest",
    response_model=shapes.Stored,
    responses={**shapes.STORED, **errors(*_SENT, "unsupported-media", "unusable-file", "conflict", "not-in-claim")},
    openapi_extra=_STORE,
)
async def store_manifest(request: Request, return_receipt: Annotated[bool, Query(alias="returnReceipt")] = False) -> Response:
    """Keep a manifest store whose signature holds. The soft bindings of its signed claim lead to it from now on."""
    client = need(request, "store:manifests")
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != STORE_TYPE:
        refuse("unsupported-media", f"the Content-Type is not {STORE_TYPE}")
    opened, body = house(request), await reaching.body(request, 16 << 20)
    at = datetime.now(UTC)
    label = await turns(request).take(lambda: depositing.deposit(opened, body, client=client.id, at=at))
    answer: dict[str, Any] = {"manifestId": label}
    if return_receipt:
        record, root = _known(opened.registry, label), str(request.base_url)
        answer["receipt"] = await turns(request).take(lambda: receipts.made(opened, record, root))
    return json_response(answer)


@router.get(
    "/manifests/{manifest_id}",
    summary="A manifest store",
    response_class=Response,
    responses={200: {"content": {STORE_TYPE: {}}}, **errors(*_READ, "not-found")},
)
def manifest(
    request: Request, manifest_id: Id, active_only: Annotated[bool, Query(alias="returnActiveManifest")] = False
) -> Response:
    """The store's bytes as they were signed; with `returnActiveManifest`, the active manifest alone, in a store of its own."""
    registry = house(request).registry
    store = registry.manifest_store(_known(registry, manifest_id).manifest_id)
    if store is None:
        refuse("not-found")
    body = depositing.active_alone(store) if active_only else store
    return Response(body, media_type=STORE_TYPE, headers={"cache-control": "public, max-age=300"})


@router.delete(
    "/manifests/{manifest_id}",
    status_code=204,
    summary="Withdraw a manifest",
    responses=errors(*_READ, "foreign-page", "not-found"),
)
def delete_manifest(request: Request, manifest_id: Id) -> Response:
    """Withdraw its asset: it is neither found nor handed out any more. The trail keeps that it was there."""
    client = need(request, "store:manifests")
    registry = house(request).registry
    record = _known(registry, manifest_id)
    registry.withdraw(record.asset_id, f"deleted by API client {client.id}", datetime.now(UTC))
    return Response(status_code=204)


@router.get(
    "/manifests/{manifest_id}/receipts",
    summary="A manifest's receipt",
    response_model=shapes.Receipt,
    responses={**shapes.example(shapes.RECEIPT), **errors(*_READ, "not-found")},
)
def receipt(request: Request, manifest_id: Id) -> Response:
    """What proves that this repository took the manifest in: an inclusion proof of its entry in the log."""
    opened = house(request)
    return json_response(receipts.made(opened, _known(opened.registry, manifest_id), str(request.base_url)))


@router.post(
    "/manifests/{manifest_id}/receipts",
    summary="Check a receipt",
    response_model=shapes.CheckedReceipt,
    responses={**shapes.CHECKED, **errors(*_SENT, "not-found")},
)
def check_receipt(request: Request, manifest_id: Id, given: dict[str, Any]) -> Response:
    """The receipt again, with `verified`, and `error` where it does not hold."""
    opened = house(request)
    return json_response(receipts.checked(opened, _known(opened.registry, manifest_id), given))


@router.post("/bindings", status_code=204, summary="State a binding", responses=_STATED)
@router.put("/bindings", status_code=204, summary="State a binding", responses=_STATED)
def state_binding(request: Request, given: shapes.BindingClaim) -> Response:
    """Accepted where the manifest's signed claim carries the binding, which was then known already; refused otherwise."""
    need(request, "store:bindings")
    record = _known(house(request).registry, given.manifestId)
    values = set(_readings(given.bindingValue))
    if not any(bound.value in values and given.alg in {None, bound.alg} for bound in record.bindings):
        refuse("not-in-claim")
    return Response(status_code=204)


@services.get(
    "/services/supportedAlgorithms",
    summary="What can be looked for",
    response_model=shapes.Algorithms,
    responses=shapes.ALGORITHMS,
)
def algorithms(_request: Request) -> Response:
    """Marks that our detectors read, and the fingerprint that is compared."""
    names = sorted(engine.alg for engine in engines.all() if engine.medium in {"image", "audio", "video"})
    return json_response({"watermarks": [{"alg": name} for name in names], "fingerprints": [{"alg": _ISCC}]})


@services.get("/services/status", summary="Is the service there", response_model=shapes.ServiceStatus, responses=shapes.STATUS)
def status(request: Request) -> Response:
    """`ok`, or `down` where the registry cannot be asked."""
    house(request).registry.manifest_labels(limit=1)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return json_response({"status": "ok", "timestamp": now})


@services.get(
    "/services/capabilities", summary="What this service does", response_model=shapes.Capabilities, responses=shapes.CAPABILITIES
)
def capabilities(request: Request) -> Response:
    """Writing is offered where a client is registered that may."""
    can = ["queryByContent", "queryByReference"]
    scopes = frozenset[str]().union(*(key.scopes() for key in request.app.state.access.listed()))
    can += [name for name, scope in _WRITES.items() if scope in scopes]
    return json_response({"c2paSpecificationVersion": VERSION, "supportedCapabilities": can})


def well_known(request: Request) -> Response:
    """Where the API is; at the root of the host (`/.well-known/c2pa-soft-binding-resolution`)."""
    root = f"{str(request.base_url).rstrip('/')}/v1"
    return json_response(
        {
            "apiEndpoint": root,
            "c2paSpecificationVersion": VERSION,
            "capabilitiesEndpoint": f"{root}/services/capabilities",
            "statusEndpoint": f"{root}/services/status",
        },
        headers={"cache-control": "public, max-age=3600", "access-control-allow-origin": "*"},
    )


def mount(app: FastAPI, *, max_body_size: int) -> None:
    """Add every route of the API, the token endpoint, and the pointer at the root of the host."""
    for part in (router, services, oauth.router):
        app.include_router(part, prefix="/v1", tags=["soft binding resolution"], max_body_size=max_body_size)
    app.add_api_route(
        "/.well-known/c2pa-soft-binding-resolution",
        well_known,
        methods=["GET"],
        tags=["soft binding resolution"],
        summary="Where the API is",
        response_model=shapes.Pointer,
        responses=shapes.POINTER,
    )


def _known(registry: Registry, label: str) -> AssetRecord:
    record = registry.by_manifest(label)
    if record is None or record.withdrawn_at is not None:
        refuse("not-found", "no manifest of that label is kept here")
    return record


def _bound(registry: Registry, alg: str, value: str) -> Iterable[AssetRecord]:
    found = {record.asset_id: record for reading in _readings(value) for record in registry.by_binding(alg, reading)}
    return found.values()


def _readings(value: str) -> list[str]:
    """What a value may stand for: text in base64, as the standard asks; or, as many send it, the text itself."""
    try:
        padded = value + "=" * (-len(value) % 4)
        decoded = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True).decode()
    except (binascii.Error, ValueError):
        return [value]
    return [decoded, value]


def _matches(found: Iterable[AssetRecord], most: int) -> Response:
    standing = [record for record in found if record.withdrawn_at is None]
    return json_response({"matches": [{"manifestId": record.manifest_id} for record in standing[: min(most, MOST)]]})
