"""The pages and their parts: a handful of files, read once, each served under its own hash."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib import resources

from fastapi import FastAPI, Request
from starlette.responses import Response

from api import examples, schemas
from api.gate import PAGE_POLICY
from api.problems import KINDS, refuse
from api.routes.common import errors, json_response

_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_ADDRESSES = {
    "/": "index.html",
    "/api/docs": "docs.html",
    "/feed": "feed.html",
    "/assets/{asset_id}": "asset.html",
    "/badge.js": "badge.js",
}
# The badge is made for other people's pages; everything else stays on its own.
_ELSEWHERE = {"badge.js": {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}}


def mount(app: FastAPI, *, upload_limit_mb: int) -> None:
    """Add the pages. What a page must know of this service stands in its HTML, for nothing runs inline."""
    for name, text in _files().items():
        body = text.replace("{{ upload_limit_mb }}", str(upload_limit_mb)) if name.endswith(".html") else text
        addresses = [at for at, page in _ADDRESSES.items() if page == name] or [f"/static/{name}"]
        for address in addresses:
            app.add_route(address, _page(body.encode(), name), methods=["GET"], include_in_schema=False)
    app.add_api_route(
        "/problems/{slug}",
        problem_kind,
        methods=["GET"],
        response_model=schemas.ProblemKind,
        responses={200: {"content": examples.content("problem-kind")}, **errors("not-found", "invalid-request")},
        summary="A kind of problem",
        tags=["operation"],
    )


def problem_kind(slug: str) -> Response:
    """What a problem document's `type` means, and what to do."""
    kind = KINDS.get(slug)
    if kind is None:
        refuse("not-found")
    return json_response(kind.as_dict(), headers={"cache-control": "public, max-age=3600"})


def _files() -> dict[str, str]:
    folder = resources.files("api") / "web"
    return {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(tuple(_TYPES))}


def _page(body: bytes, name: str) -> Callable[[Request], Awaitable[Response]]:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "etag": etag,
        "cache-control": "no-cache",
        "content-type": _TYPES[name[name.rindex(".") :]],
        "content-security-policy": PAGE_POLICY,
        **_ELSEWHERE.get(name, {}),
    }

    async def page(request: Request) -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers)

    return page
