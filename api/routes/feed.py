"""GET and POST /feed/status: what to show beside each item of a page, from stored bytes; and the key of its tokens.

Bare Starlette, ahead of the framework's routing (see `lane.py`): nothing is validated or computed here, and no model is
built. The JSON of each item was written when its verdict was found; this splices items together, puts a signed token into
each where tokens are asked for, and lets caches answer when nothing changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
from starlette.requests import Request
from starlette.responses import Response

from api.problems import refuse
from api.routes.common import API, house, json_response
from provenance.verdict import iso

if TYPE_CHECKING:
    from api.tokens import Tokens
    from provenance.store.quick import Served

MOST = 500
INLINE = 100  # the event loop itself asks SQLite for so many, 1 ms at most; longer lists and networks get a thread
_SHELF = 50_000  # items kept as they are sent
_LARGEST_BODY = 256 << 10  # 500 ids of 512 bytes
CACHE = "public, max-age=15, stale-if-error=300"
_CROSS_ORIGIN = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
CROSS_ORIGIN = tuple((name.encode("ascii"), value.encode("ascii")) for name, value in _CROSS_ORIGIN.items())


async def statuses(request: Request) -> Response:
    """Answer for up to 500 asset ids or SHA-256 values at once, in the order asked.

    Every id gets an item. `unregistered` means that nobody here has looked at it (or that it is no id at all): show nothing.
    A GET answers 304 while nothing changed; POST takes `{"ids": […]}` for lists that are too long for an address.
    With `tokens=true` each known item carries a `token`, good for five to ten minutes, which `GET /feed/key` lets anyone
    check offline.

    The other members of an item were stored with its verdict and are sent as they were.
    """
    ids = _asked(request) if request.method != "POST" else await _posted(request)
    if not ids:
        refuse("invalid-request", errors=[{"where": "ids", "say": "none given"}])
    if len(ids) > MOST:
        refuse("too-many-ids", f"{len(ids)} were given")
    statuses, tokens = house(request).statuses, _tokens(request)
    window = tokens.window() if tokens else None

    def read() -> tuple[Mapping[str, Served], str]:
        found = statuses.read(ids)
        return found, tag(ids, found, window)

    short, aside = len(ids) <= INLINE, request.app.state.turns.aside
    if statuses.local:
        found, etag = read() if short else await aside(read)
    else:
        found, etag = await anyio.to_thread.run_sync(read)
    headers = {"etag": etag, "cache-control": CACHE, **_CROSS_ORIGIN}
    if request.method != "POST" and matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    signed: Mapping[str, bytes] | None = None
    if tokens and found:
        signed = tokens.known(found) or await anyio.to_thread.run_sync(tokens.sign, found)
    whole = body(ids, found, signed) if short else await aside(lambda: body(ids, found, signed))
    return Response(whole, headers=headers, media_type="application/json")


async def key(request: Request) -> Response:
    """The public key of status tokens as a JWK set (RFC 7517); keep it for a day. 404 where no signing process runs."""
    tokens: Tokens | None = request.app.state.tokens
    if tokens is None:
        refuse("not-found", "no tokens are signed here")
    return json_response({"keys": [tokens.public.as_jwk()]}, headers={"cache-control": "public, max-age=86400", **_CROSS_ORIGIN})


async def recent(request: Request) -> Response:
    """The pictures that were registered here last, newest first; up to 100 (`limit`, 30 unless told)."""
    asked = request.query_params.get("limit", "30")
    if not asked.isascii() or not asked.isdecimal() or not 1 <= int(asked[:9]) <= 100:
        refuse("invalid-request", errors=[{"where": "query.limit", "say": "not a number from 1 to 100"}])
    found = await anyio.to_thread.run_sync(house(request).statuses.recent, int(asked))
    items = [
        {
            "id": one.asset_id,
            "created_at": iso(one.created_at),
            "reference": f"{API}/assets/{quote(one.asset_id, safe='')}/reference",
        }
        for one in found
    ]
    return json_response({"items": items}, headers={"cache-control": "public, max-age=15"})


def _tokens(request: Request) -> Tokens | None:
    """Whoever signs tokens, where they are asked for and there is one."""
    query = request.scope["query_string"]
    if b"tokens=" not in query or request.query_params.get("tokens") != "true":
        return None
    found: Tokens | None = request.app.state.tokens
    return found


def _asked(request: Request) -> list[str]:
    given = (part for value in request.query_params.getlist("ids") for part in value.split(","))
    return list(dict.fromkeys(part for part in given if part))


async def _posted(request: Request) -> list[str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            refuse("too-large")
    try:
        query = json.loads(body)
        ids = query["ids"]
    except (ValueError, RecursionError):
        refuse("bad-request", "the body is not JSON")
    except (KeyError, TypeError):
        refuse("invalid-request", errors=[{"where": "body", "say": 'not an object with a list called "ids"'}])
    if not isinstance(ids, list) or not all(isinstance(asked, str) for asked in ids):
        refuse("invalid-request", errors=[{"where": "ids", "say": "not a list of strings"}])
    return list(dict.fromkeys(ids))


_items: dict[str, tuple[Served, bytes]] = {}  # by id: what an item was made of, and the item; each step on it is one step


def body(ids: Sequence[str], found: Mapping[str, Served], signed: Mapping[str, bytes] | None) -> bytes:
    """The answer: an item for each id, in the order asked."""
    items = [_item(asked, found.get(asked)) for asked in ids]
    if signed:
        pairs = zip(items, map(signed.get, ids), strict=True)
        items = [item if token is None else b'%b,"token":"%b"}' % (item[:-1], token) for item, token in pairs]
    return b'{"items":[' + b",".join(items) + b"]}"


def _item(asked: str, served: Served | None) -> bytes:
    """One item: the id as asked, then the stored members byte for byte."""
    if served is None:
        return _opening(asked) + b',"status":"unregistered"}'
    kept = _items.get(asked)
    if kept is not None and kept[0] is served:
        return kept[1]
    item = _opening(asked) + b"," + served.document[1:]
    if len(_items) >= _SHELF:
        _items.clear()
    _items[asked] = served, item
    return item


def _opening(asked: str) -> bytes:
    plain = asked.isascii() and asked.isalnum()
    return b'{"id":"%b"' % asked.encode("ascii") if plain else b'{"id":' + json.dumps(asked).encode("ascii")


def tag(ids: Sequence[str], found: Mapping[str, Served], window: int | None) -> str:
    """The entity tag: another with any item, their order, or the window of their tokens."""
    parts = [asked + "\0" + (served.etag if (served := found.get(asked)) else "") for asked in ids]
    text = "\0".join(parts) if window is None else "\0".join([*parts, str(window)])
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison, as If-None-Match asks (RFC 9110 §13.1.2)."""
    if not if_none_match:
        return False
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in {etag, "*"} for tag in tags)
