"""What every request passes on its way in and out: a request id, safe headers, and errors as problem documents.

It stands outside the whole application, so that no answer leaves without them: not the framework's own 413, nor a 500.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.logs import fields
from api.metrics import Requests
from api.problems import KINDS, Problem

log = logging.getLogger("colophon.http")

# A page may load its own script and style and nothing else; answers of the API may do nothing at all.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    "content-security-policy": _DATA_POLICY,
    "cache-control": "no-store",
}
SAFE_HEADERS = tuple((name.encode("ascii"), value.encode("ascii")) for name, value in _HEADERS.items())
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]@/\s]+)(?::[0-9]*)?")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """ASGI wrapper around the application.

    A browser sends `Sec-Fetch-Site` with every request; writes that another site's page started are refused, since a
    form on any page could otherwise make a service on this machine sign files. Programs do not send the header.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str] = (), requests: Requests | None = None) -> None:
        """Take the application, the host names it answers to (none given means any: a proxy decides), and where to count."""
        self.app, self.requests = app, requests
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = request_id_of(headers.get("x-request-id", "").encode("latin-1")) or secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(scope, send, request_id)
        began = time.perf_counter()
        try:
            if (refusal := self._refusal(scope["method"], headers)) is not None:
                await answer.problem(refusal)
            else:
                await self.app(scope, receive, answer.send)
        except Exception as error:
            if not answer.started:
                await answer.problem(problems.of_error(error))
            elif not answer.finished:
                raise  # too late for words: the server cuts the connection, so that half an answer cannot pass for one
            if answer.status >= 500:
                about = fields(request_id=request_id, method=scope["method"], route=_route(scope))
                log.exception("failed (request %s)", request_id, extra=about)
        self.record(scope, answer.status, time.perf_counter() - began, request_id)

    def record(self, scope: Scope, status: int, took_s: float, request_id: str) -> None:
        """Count and log one answer."""
        method, route = scope["method"], _route(scope)
        if self.requests is not None:
            self.requests.answered(method if method in _METHODS else "other", route, status, took_s)
        if log.isEnabledFor(logging.INFO):
            took_ms = round(took_s * 1000, 1)
            log.info("answered", extra=fields(request_id=request_id, method=method, route=route, status=status, ms=took_ms))

    def answers_to(self, host: bytes) -> bool:
        """Whether this service was started for the name in a Host header."""
        return not self.hosts or _host(host.decode("latin-1")) in self.hosts

    def _refusal(self, method: str, headers: Headers) -> Problem | None:
        if self.hosts and _host(headers.get("host", "")) not in self.hosts:
            return Problem(KINDS["misdirected"])
        if method not in _SAFE_METHODS and headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
            return Problem(KINDS["foreign-page"])
        return None


class _Answer:
    """The way out: adds headers, and turns an error answer that is no problem document into one."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope, self._send, self._request_id = scope, send, request_id
        self.status = 0
        self.started = self.finished = self._replaced = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            if message["status"] >= 400 and not headers.get("content-type", "").startswith(problems.MEDIA_TYPE):
                self._replaced = True
                kept = {name: headers[name] for name in ("allow", "retry-after", "content-range") if name in headers}
                await self.problem(problems.of_status(message["status"], headers=kept))
                return
            self._dress(headers)
            self.started, self.status = True, message["status"]
        elif self._replaced:
            return
        self.finished = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def problem(self, problem: Problem) -> None:
        body = render(problem, self._request_id)
        headers = MutableHeaders(raw=[])
        headers.update(problem_headers(problem))
        headers["content-length"] = str(len(body))
        self._dress(headers)
        self.started, self.status = True, problem.kind.status
        await self._send({"type": "http.response.start", "status": problem.kind.status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": b"" if self._scope["method"] == "HEAD" else body})
        self.finished = True

    def _dress(self, headers: MutableHeaders) -> None:
        raw = headers.raw  # bytes, lower case: this is done for every answer, and is half of what a short one costs
        there = {name for name, _ in raw}
        raw += [pair for pair in SAFE_HEADERS if pair[0] not in there]
        raw.append((b"x-request-id", self._request_id.encode("ascii")))


def request_id_of(given: bytes) -> str:
    """The request id that a client chose, or nothing."""
    return given.decode("ascii") if _REQUEST_ID.fullmatch(given) else ""


def render(problem: Problem, request_id: str) -> bytes:
    """A problem document's bytes."""
    body: dict[str, Any] = problem.as_dict(request_id)
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def problem_headers(problem: Problem) -> dict[str, str]:
    """The headers that belong to a problem, besides those that every answer gets."""
    headers = {"content-type": problems.MEDIA_TYPE, **problem.headers}
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(problem.retry_after_s)
    return headers


def _route(scope: Scope) -> str:
    """The declared address that answered, such as `/api/v1/assets/{asset_id}`; "none" where there is none."""
    if "route_path" in scope:
        return str(scope["route_path"])
    declared = getattr(scope.get("route"), "path", None)
    if declared is None:
        return str(getattr(scope.get("endpoint"), "__name__", "none"))
    filled = declared  # a router tells its own part only: what stands before it was not a parameter
    for name, value in scope.get("path_params", {}).items():
        filled = filled.replace(f"{{{name}}}", str(value)).replace(f"{{{name}:path}}", str(value))
    path = scope["path"]
    return path[: -len(filled)] + declared if filled and path.endswith(filled) else str(declared)


def _host(header: str) -> str:
    """The name in a Host header, without its port: `[::1]:80` → `[::1]`; nothing if it is no such header."""
    found = _HOST.fullmatch(header.lower())
    return found[1] if found else ""
