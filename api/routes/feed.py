"""GET and POST /feed/status: what to show beside each item of a page, from stored bytes.

A bare Starlette route: nothing is validated or computed here, and no model is built. The JSON of each item was written when
its verdict was found; this splices items together and lets caches answer when nothing changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import anyio
from starlette.requests import Request
from starlette.responses import Response

from api.problems import refuse
from api.routes.common import house
from provenance.store.registry import StatusRecord

MOST = 500
_INLINE = 50  # the event loop itself asks SQLite for so many, 2 ms at most; longer lists and networks get a thread
CACHE = "public, max-age=15, stale-if-error=300"


async def statuses(request: Request) -> Response:
    """Answer for up to 500 asset ids or SHA-256 values at once, in the order asked.

    Every id gets an item. `unregistered` means that nobody here has looked at it (or that it is no id at all): show nothing.
    A GET answers 304 while nothing changed; POST takes `{"ids": […]}` for lists that are too long for an address.

    The other members of an item were stored with its verdict and are sent as they were.
    """
    ids = _asked(request) if request.method != "POST" else await _posted(request)
    if not ids:
        refuse("invalid-request", errors=[{"where": "ids", "say": "none given"}])
    if len(ids) > MOST:
        refuse("too-many-ids", f"{len(ids)} were given")
    registry = house(request).registry
    slow = len(ids) > _INLINE or not house(request).settings.database.startswith("sqlite")
    found = await anyio.to_thread.run_sync(registry.statuses, ids) if slow else registry.statuses(ids)
    etag = _etag(ids, found)
    headers = {"etag": etag, "cache-control": CACHE}
    if request.method != "POST" and _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    items = b",".join(_item(asked, found.get(asked)) for asked in ids)
    return Response(b'{"items":[' + items + b"]}", headers=headers, media_type="application/json")


def _asked(request: Request) -> list[str]:
    given = (part for value in request.query_params.getlist("ids") for part in value.split(","))
    return list(dict.fromkeys(part for part in given if part))


async def _posted(request: Request) -> list[str]:
    try:
        query = json.loads(await request.body())
        ids = query["ids"]
    except (ValueError, RecursionError):
        refuse("bad-request", "the body is not JSON")
    except (KeyError, TypeError):
        refuse("invalid-request", errors=[{"where": "body", "say": 'not an object with a list called "ids"'}])
    if not isinstance(ids, list) or not all(isinstance(asked, str) for asked in ids):
        refuse("invalid-request", errors=[{"where": "ids", "say": "not a list of strings"}])
    return list(dict.fromkeys(ids))


def _item(asked: str, record: StatusRecord | None) -> bytes:
    """One item: the id as asked, then the stored members byte for byte."""
    opening = b'{"id":' + json.dumps(asked).encode("ascii")
    return opening + (b"," + record.document[1:] if record else b',"status":"unregistered"}')


def _etag(ids: Sequence[str], found: dict[str, StatusRecord]) -> str:
    digest = hashlib.sha256()
    for asked in ids:
        record = found.get(asked)
        digest.update(f"{asked}\0{record.etag if record else ''}\0".encode("utf-8", "surrogatepass"))
    return f'"{digest.hexdigest()[:32]}"'


def _matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison, as If-None-Match asks (RFC 9110 §13.1.2)."""
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in {etag, "*"} for tag in tags)
