"""The API's description of itself: what is not said beside a route is said here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response
from starlette.routing import BaseRoute

from api import examples, schemas
from api.routes import events, feed, health
from api.routes.common import API, errors

TITLE = "Colophon"
SUMMARY = "Signs media, verifies it, recovers what was stripped, and says at display time what is known."
DESCRIPTION = """
Errors are problem documents (RFC 9457): `type` leads to an explanation, `request_id` finds the request in the log.
A verdict is never an error: a file that was altered, or of which nothing is known, is answered with 200.
"""


def _version() -> str:
    try:
        return version("colophon")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0"


VERSION = _version()

# Never mounted: these functions are served by bare Starlette routes (see app.py), and are described as if by FastAPI.
router = APIRouter()
_STATUSES: dict[int | str, dict[str, Any]] = {200: {"model": schemas.Statuses, "content": examples.content("statuses")}}
_IDS = {
    "name": "ids",
    "in": "query",
    "required": True,
    "description": "Asset ids or SHA-256 values, separated by commas.",
    "schema": {"type": "string"},
    "example": ",".join(examples.QUERY["ids"]),
}
_TOKENS = {
    "name": "tokens",
    "in": "query",
    "description": "Put a signed token into each known item.",
    "schema": {"type": "boolean", "default": False},
}
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing changed since the ETag in If-None-Match."}}
router.add_api_route(
    f"{API}/feed/status",
    feed.statuses,
    methods=["GET"],
    operation_id="feed_status",
    summary="Status of many items",
    tags=["feed"],
    responses=_STATUSES | _NOT_MODIFIED | errors("invalid-request", "too-many-ids", "unavailable"),
    openapi_extra={"parameters": [_IDS, _TOKENS]},
)
router.add_api_route(
    f"{API}/feed/status",
    feed.statuses,
    methods=["POST"],
    operation_id="feed_status_many",
    summary="Status of many items, long list",
    tags=["feed"],
    responses=_STATUSES | errors("bad-request", "foreign-page", "too-large", "invalid-request", "too-many-ids", "unavailable"),
    openapi_extra={
        "parameters": [_TOKENS],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schemas.StatusQuery.model_json_schema(),
                    **examples.content("query")["application/json"],
                }
            },
        },
    },
)
router.add_api_route(
    f"{API}/feed/key",
    feed.key,
    methods=["GET"],
    operation_id="feed_key",
    summary="The key of status tokens",
    tags=["feed"],
    responses={200: {"model": schemas.KeySet, "content": examples.content("key-set")}, **errors("not-found")},
)
router.add_api_route(
    f"{API}/feed/recent",
    feed.recent,
    methods=["GET"],
    operation_id="feed_recent",
    summary="Pictures registered last",
    tags=["feed"],
    responses={200: {"model": schemas.Recent, "content": examples.content("recent")}, **errors("invalid-request", "unavailable")},
    openapi_extra={
        "parameters": [
            {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 30}}
        ]
    },
)
router.add_api_route(
    f"{API}/feed/events",
    events.changes,
    methods=["GET"],
    operation_id="feed_events",
    summary="Changes of statuses",
    tags=["feed"],
    response_class=Response,
    responses={
        200: {"description": "Server-sent events.", "content": {events.STREAM: {"schema": {"type": "string"}}}},
        **errors("too-many-ids", "busy", "unavailable"),
    },
    openapi_extra={
        "parameters": [
            {"name": "ids", "in": "query", "description": "Only of these items.", "schema": {"type": "string"}},
            {"name": "Last-Event-ID", "in": "header", "description": "Go on after this one.", "schema": {"type": "string"}},
        ]
    },
)
router.add_api_route(
    "/healthz",
    health.healthz,
    methods=["GET"],
    operation_id="healthz",
    summary="Is the process there",
    tags=["operation"],
    responses={200: {"model": schemas.Health, "content": examples.content("health")}},
)
router.add_api_route(
    "/readyz",
    health.readyz,
    methods=["GET"],
    operation_id="readyz",
    summary="May it be sent work",
    tags=["operation"],
    responses={200: {"model": schemas.Ready, "content": examples.content("ready")}, **errors("unavailable")},
)
router.add_api_route(
    "/metrics",
    health.exposition,
    methods=["GET"],
    operation_id="metrics",
    summary="How it is doing",
    tags=["operation"],
    response_class=Response,
    responses={200: {"description": "Text that Prometheus reads.", "content": {"text/plain": {}}}},
)


def whole(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The description of these routes and of the bare ones, as OpenAPI."""
    everything = [*routes, *router.routes]
    return _complete(
        get_openapi(title=TITLE, version=VERSION, summary=SUMMARY, description=DESCRIPTION.strip(), routes=everything)
    )


def _complete(description: dict[str, Any]) -> dict[str, Any]:
    """Add what routes refer to, and drop the framework's own error shapes, which are never sent."""
    parts = description.setdefault("components", {})
    parts["examples"] = examples.NAMED
    known = parts.setdefault("schemas", {})
    problem = schemas.ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    known |= problem.pop("$defs", {}) | {schemas.ProblemDocument.__name__: problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        known.pop(unused, None)
    return description
