"""The express lane: a plain question for statuses is answered before anything else of the framework is touched.

    GET /api/v1/feed/status?ids=a,b,…[&tokens=true]

It takes only what it can answer at once: ids of plain characters, SQLite, tokens that are signed already, a caller whom the
guard knows without asking. Whatever else (an error too) goes the common way, which gives the same answers; so there is one
place where each rule stands, and this one only knows when none of them is needed.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from api.gate import SAFE_HEADERS, Gate, request_id_of
from api.routes import feed
from provenance.errors import StoreError

_QUERY = re.compile(rb"ids=([A-Za-z0-9._~:,-]+)(&tokens=true)?")
_OWN = ((b"content-type", b"application/json"), (b"cache-control", feed.CACHE.encode()), *feed.CROSS_ORIGIN)
_NAMES = frozenset(name for name, _ in _OWN)
_HEADERS = (*_OWN, *(pair for pair in SAFE_HEADERS if pair[0] not in _NAMES))

Admit = Callable[[Scope], bool]


class Express:
    """ASGI: in front of the gate."""

    def __init__(self, gate: Gate, app: Any, path: str, *, admit: Admit | None) -> None:
        """Take the common way, the application, the address answered here, and the guard's quick word, where there is one."""
        self._gate, self._app, self._path, self._admit = gate, app, path, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = None
        if scope["type"] == "http" and scope["path"] == self._path and scope["method"] == "GET":
            began = time.perf_counter()
            answer = self._answer(scope)
        if answer is None:
            rest: ASGIApp = self._gate
            await rest(scope, receive, send)
            return
        status, headers, body = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._gate.record(scope, status, time.perf_counter() - began, scope["state"]["request_id"])

    def _answer(self, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        query = _QUERY.fullmatch(scope["query_string"])
        given = dict(scope["headers"])
        if query is None or len(given) != len(scope["headers"]) or not self._gate.answers_to(given.get(b"host", b"")):
            return None
        ids = list(dict.fromkeys(query[1].decode("ascii").split(",")))
        house = getattr(self._app.state, "house", None)
        if house is None or not house.statuses.local or not len(ids) <= feed.INLINE or "" in ids:
            return None
        tokens = self._app.state.tokens if query[2] else None
        try:
            found = house.statuses.read(ids)
        except StoreError:
            return None
        signed = tokens.known(found) if tokens and found else None
        if signed is None and tokens and found:
            return None  # the signing process must be asked first
        if self._admit is not None and not self._admit(scope):
            return None
        etag = feed.tag(ids, found, tokens.window() if tokens else None)
        state = scope.setdefault("state", {})
        request_id = request_id_of(given.get(b"x-request-id", b"")) or secrets.token_hex(8)
        state["request_id"], scope["route_path"] = request_id, self._path
        about = [(b"etag", etag.encode("ascii")), (b"x-request-id", request_id.encode("ascii"))]
        if feed.matches(given.get(b"if-none-match", b"").decode("latin-1"), etag):
            return 304, [*_HEADERS[1:], *about], b""
        body = feed.body(ids, found, signed)
        return 200, [*_HEADERS, *about, (b"content-length", b"%d" % len(body))], body
