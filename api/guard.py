"""The guard of a service that listens beyond its own machine: API keys by role, and limits on how often.

It stands inside the gate and before everything else. A development service on loopback has none; there, who can reach it
may use it (see README.md).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access import Access, Key
from api.problems import KINDS, Problem, ProblemError, refuse
from api.settings import Settings

# The first row that fits decides; None: anybody. What no row names is an administrator's.
_READ, _ANY = frozenset({"GET", "HEAD"}), frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
RULES: tuple[tuple[frozenset[str], str, str | None], ...] = (
    (_READ, "/api/v1/feed/key", None),
    (_ANY, "/api/v1/feed/", "feed"),
    (_READ, "/api/v1/log", None),  # a log that only some may read proves nothing to the others
    (_ANY, "/api/v1/keys/ocsp", None),
    (_READ, "/api/v1/assets/", "feed"),
    (_READ, "/api/v1/jobs/", "feed"),
    (_ANY, "/api/v1/verify", "auditor"),
    (_ANY, "/api/v1/reverify", "auditor"),
    (_ANY, "/api/v1/sign", "signer"),
    (_ANY, "/api/v1/renditions", "signer"),
    (_ANY, "/v1/matches/byContent", "auditor"),
    (_ANY, "/v1/matches/byReference", "auditor"),
    (_ANY, "/v1/matches/", "feed"),
    (_ANY, "/v1/", None),  # reads may be anonymous; writes ask for a scope themselves (resolution.py)
    (_ANY, "/.well-known/", None),  # enrolment has tokens of its own
    (_READ, "/healthz", None),
    (_READ, "/readyz", None),
    (_READ, "/problems/", None),
    (_READ, "/static/", None),
    (_READ, "/badge.js", None),
    (_READ, "/api/docs", None),
    (_READ, "/api/openapi.json", None),
    (_READ, "/assets/", None),  # the page; what it shows it asks for as anybody else
    (_READ, "/feed", None),
)
_MEDIA = ("/api/v1/sign", "/api/v1/verify", "/api/v1/renditions")
HEAVY = (*_MEDIA, "/v1/matches/byContent", "/v1/matches/byReference")
_LIGHT = "/api/v1/sign/claim"  # a few kilobytes, and a limit of its own in the signing process
_MOST_CLIENTS = 10_000


def role_for(method: str, path: str) -> str | None:
    """The role that a request needs; None for none."""
    if path == "/" and method in _READ:
        return None
    for methods, prefix, role in RULES:
        if method in methods and path.startswith(prefix):
            return role
    return "admin"


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class Limits:
    """Token buckets by client: so many requests a minute, as many at once; the oldest clients are forgotten."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._clock = float(per_minute), clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, client: str) -> float:
        """Count a request; returns 0, or how many seconds it came too early."""
        now = self._clock()
        bucket = self._buckets.pop(client, None) or _Bucket(self._size, now)
        self._buckets[client] = bucket
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        bucket.level = min(self._size, bucket.level + (now - bucket.at) * self._size / 60)
        bucket.at = now
        if bucket.level < 1:
            return (1 - bucket.level) * 60 / self._size
        bucket.level -= 1
        return 0.0


def guard(settings: Settings, access: Access) -> Callable[[ASGIApp], Guard]:
    """What wraps the application of a service with these settings."""
    light, heavy = Limits(settings.requests_per_minute), Limits(settings.heavy_per_minute)
    anonymous = frozenset(settings.anonymous.split())
    return lambda inner: Guard(inner, access, anonymous=anonymous, light=light, heavy=heavy)


class Guard:
    """ASGI wrapper: refuses what its caller may not do, or does too often."""

    def __init__(self, app: ASGIApp, access: Access, *, anonymous: frozenset[str], light: Limits, heavy: Limits) -> None:
        """Take the application, the keys, the roles that a caller without a key has, and two limits."""
        self._app, self._access, self._anonymous = app, access, anonymous
        self._light, self._heavy = light, heavy

    def at_once(self, scope: Scope) -> bool:
        """Let a light request pass and count it, if that takes no more than a look; False leaves it to the common way."""
        try:
            self._admit(scope)
        except ProblemError:
            return False
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._admit(scope)
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        key = caller(Headers(scope=scope), self._access)
        client = key.id if key else str((scope.get("client") or ("unknown",))[0])
        self._count(client, scope["path"])
        role = role_for(scope["method"], scope["path"])
        if role is not None and role not in self._anonymous:
            _require(key, role)

    def _count(self, client: str, path: str) -> None:
        early_s = (self._heavy if path.startswith(HEAVY) and path != _LIGHT else self._light).take(client)
        if early_s:
            refuse("too-often", retry_after_s=max(1, round(early_s)))


def caller(headers: Headers, access: Access) -> Key | None:
    """The API key of a request: `Authorization: Bearer colophon_…` or `X-Api-Key`; a token stands for its key."""
    given = headers.get("x-api-key", "") or bearer(headers)
    if given.startswith("ct_"):
        opened = access.opened(given, now=time.time())
        return opened[0] if opened else None
    return access.key(given) if given else None


def bearer(headers: Headers) -> str:
    """What stands in `Authorization: Bearer …`, or nothing."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _require(key: Key | None, role: str) -> None:
    if key is None:
        raise ProblemError(Problem(KINDS["no-key"], headers={"www-authenticate": 'Bearer realm="colophon"'}))
    if not key.may(role):
        refuse("not-allowed", f"this asks for the role {role}")
