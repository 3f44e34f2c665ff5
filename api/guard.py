"""The guard of a service that listens beyond its own machine: API keys by role, and limits on how often.

It stands inside the gate and before everything else. A development service on loopback has none; there, who can reach it
may use it (see README.md).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api import oidc
from api.access import Access, Key
from api.callers import ANONYMOUS_ID, LOCAL, Caller
from api.problems import KINDS, Problem, ProblemError, refuse
from api.settings import Settings
from provenance.errors import StoreError
from provenance.store.quotas import Quotas

# The first row that fits decides; None: anybody. What no row names is an administrator's.
_READ, _ANY = frozenset({"GET", "HEAD"}), frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
RULES: tuple[tuple[frozenset[str], str, str | None], ...] = (
    (_READ, "/api/v1/feed/key", None),
    (_ANY, "/api/v1/feed/", "feed"),
    (_READ, "/api/v1/log", None),  # a log that only some may read proves nothing to the others
    (_ANY, "/api/v1/keys/ocsp", None),
    (_READ, "/api/v1/assets/", "feed"),
    (_READ, "/api/v1/jobs/", None),  # whoever asked for it (routes/jobs.py)
    (_ANY, "/api/v1/review", "reviewer"),
    (_ANY, "/api/v1/verify", "auditor"),
    (_ANY, "/api/v1/reverify", "auditor"),
    (_ANY, "/api/v1/analyze_", "auditor"),
    (_ANY, "/api/v1/sign", "signer"),
    (_ANY, "/api/v1/renditions", "signer"),
    (_ANY, "/api/v1/deposits", "signer"),
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
HEAVY = (*_MEDIA, "/api/v1/reverify", "/api/v1/analyze_", "/v1/matches/byContent", "/v1/matches/byReference")
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


def guard(settings: Settings, access: Access, quotas: Callable[[], Quotas | None]) -> Callable[[ASGIApp], Guard]:
    """What wraps the application of a service with these settings; `quotas` is asked once the service is open."""
    limits = Limits(settings.requests_per_minute), Limits(settings.heavy_per_minute)
    anonymous = frozenset(settings.anonymous.split())
    who = Who(access, oidc.provider(settings), anonymous)
    return lambda inner: Guard(inner, who, light=limits[0], heavy=limits[1], quotas=quotas, heavy_size=settings.heavy_per_minute)


class Who:
    """Tells who calls, from what they show."""

    def __init__(self, access: Access, provider: oidc.Provider | None, anonymous: frozenset[str]) -> None:
        """Take the API keys, the identity provider, and the roles of callers that show nothing."""
        self._access, self._provider = access, provider
        self._nobody = Caller(ANONYMOUS_ID, anonymous)

    def at_once(self, headers: Headers) -> Caller | None:
        """The caller, where that takes no more than a look; None where the provider must be asked."""
        given = headers.get("x-api-key", "") or bearer(headers)
        if self._provider is not None and oidc.looks_like_one(given):
            return self._provider.known(given)
        key = caller(headers, self._access)
        return self._nobody if key is None else Caller(f"key:{key.id}", frozenset(key.roles))

    async def found(self, headers: Headers) -> Caller:
        """The caller. Whoever shows a token that does not hold is nobody."""
        at_once = self.at_once(headers)
        if at_once is not None or self._provider is None:
            return at_once or self._nobody
        given = headers.get("x-api-key", "") or bearer(headers)
        return await anyio.to_thread.run_sync(self._provider.caller, given) or self._nobody


class Guard:
    """ASGI wrapper: refuses what its caller may not do, or does too often."""

    def __init__(
        self, app: ASGIApp, who: Who, *, light: Limits, heavy: Limits, quotas: Callable[[], Quotas | None], heavy_size: int
    ) -> None:
        """Take the application, who tells callers apart, limits of this process, and the quotas that processes share."""
        self._app, self._who, self._light, self._heavy = app, who, light, heavy
        self._quotas, self._heavy_size = quotas, heavy_size

    def at_once(self, scope: Scope) -> bool:
        """Let a light request pass and count it, if that takes no more than a look; False leaves it to the common way."""
        known = self._who.at_once(Headers(scope=scope))
        if known is None:
            return False
        try:
            self._count(scope, known)
            _require(known, scope)
        except ProblemError:
            return False
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            known = await self._who.found(Headers(scope=scope))
            scope.setdefault("state", {})["caller"] = known
            if known.id != ANONYMOUS_ID and _is_heavy(scope["path"]):
                await self._count_together(known)
            else:
                self._count(scope, known)
            _require(known, scope)
        await self._app(scope, receive, send)

    def _count(self, scope: Scope, known: Caller) -> None:
        """Count within this process. The address of a caller without a name is kept in memory alone."""
        _too_early((self._heavy if _is_heavy(scope["path"]) else self._light).take(_client(known, scope)))

    async def _count_together(self, known: Caller) -> None:
        """Count heavy work over all processes that share the database; where it cannot be asked, within this one."""
        quotas = self._quotas()
        early_s: float | None = None
        if quotas is not None:
            with suppress(StoreError):
                early_s = await anyio.to_thread.run_sync(
                    lambda: quotas.take(known.id, "heavy", self._heavy_size, now=time.time())
                )
        _too_early(self._heavy.take(known.id) if early_s is None else early_s)


def _is_heavy(path: str) -> bool:
    return path.startswith(HEAVY) and path != _LIGHT


def _too_early(early_s: float) -> None:
    if early_s:
        refuse("too-often", retry_after_s=max(1, round(early_s)))


def client_of(scope: Scope) -> str:
    """Whom a request counts for: its caller, or the address of one without a name, which is written nowhere."""
    return _client(scope.get("state", {}).get("caller", LOCAL), scope)


def _client(known: Caller, scope: Scope) -> str:
    return known.id if known.id != ANONYMOUS_ID else str((scope.get("client") or ("unknown",))[0])


def caller_of(request: Request) -> Caller:
    """Who sent a request; whoever reaches a service that guards nothing is `LOCAL`."""
    found: Caller = request.scope.get("state", {}).get("caller", LOCAL)
    return found


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


def _require(known: Caller, scope: Scope) -> None:
    role = role_for(scope["method"], scope["path"])
    if role is None or known.may(role):
        return
    if known.id == ANONYMOUS_ID:
        raise ProblemError(Problem(KINDS["no-key"], headers={"www-authenticate": 'Bearer realm="colophon"'}))
    refuse("not-allowed", f"this asks for the role {role}")
