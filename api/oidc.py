"""Tokens of an OpenID Connect provider as credentials: signed JWTs (RFC 9068 style), checked against the provider's keys.

The provider's keys are fetched through the guarded client and kept for ten minutes; a token that names another key asks for
them once more, once a minute at most. Roles stand in one claim, as ours are called, with or without `colophon:` before them.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.access import ROLES
from api.callers import Caller
from api.settings import Settings
from provenance.errors import FetchError, UnavailableError
from provenance.fetch import Client

# No symmetric one: the provider's keys are public. "EdDSA", which leaves the curve open, is deprecated by RFC 9864.
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "Ed25519"]
_KEPT_S, _AGAIN_S, _TOKENS = 600.0, 60.0, 10_000
_LEEWAY_S = 60
_PREFIX = "colophon:"
_LONGEST = 8_192

Fetch = Callable[[str], Mapping[str, Any]]


def looks_like_one(given: str) -> bool:
    """Whether a bearer token has the form of a JWS: three parts, the first of which begins with `{"`."""
    return given.startswith("eyJ") and given.count(".") == 2 and len(given) <= _LONGEST


class Provider:
    """One provider; safe to share between threads."""

    def __init__(self, settings: Settings, *, fetch: Fetch | None = None, clock: Callable[[], float] = time.time) -> None:
        """Take the settings; `fetch` returns the JSON of an address, through the guarded client unless told otherwise."""
        self._issuer, self._audience = settings.oidc_issuer, settings.oidc_audience
        self._jwks, self._claim = settings.oidc_jwks, settings.oidc_roles
        self._fetch = fetch or (lambda url: _json(url, private=settings.oidc_private))
        self._clock, self._lock = clock, threading.Lock()
        self._keys: KeySet | None = None
        self._fetched = 0.0
        self._known: dict[bytes, tuple[Caller, float]] = {}

    def known(self, token: str) -> Caller | None:
        """The caller of a token that was checked before and still holds; asks nobody."""
        found = self._known.get(_digest(token))
        return found[0] if found is not None and found[1] > self._clock() else None

    def caller(self, token: str) -> Caller | None:
        """The caller behind a token, or None where it does not hold. May block for the provider's keys.

        Raises:
            UnavailableError: the keys cannot be fetched, and none are known.
        """
        if (before := self.known(token)) is not None:
            return before
        for fresh in (False, True):
            keys = self._current(fresh=fresh)
            if keys is None:
                return None
            try:
                claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # perhaps the provider has a new key
            return self._accepted(token, claims)
        return None

    def _accepted(self, token: str, claims: Mapping[str, Any]) -> Caller | None:
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            rules.validate(dict(claims))
        except (JoseError, ValueError, TypeError):
            return None
        given = claims.get(self._claim, ())
        words = given.split() if isinstance(given, str) else given if isinstance(given, list) else ()
        roles = frozenset(str(word).removeprefix(_PREFIX) for word in words) & frozenset(ROLES)
        # who it is stays with the provider: what we keep is a digest that two entries of one person share
        pseudonym = hashlib.sha256(f"{self._issuer}\n{claims['sub']}".encode()).hexdigest()[:24]
        caller = Caller(f"oidc:{pseudonym}", roles)
        with self._lock:
            if len(self._known) >= _TOKENS:
                self._known.clear()
            self._known[_digest(token)] = caller, min(float(claims["exp"]), self._clock() + _KEPT_S)
        return caller

    def _current(self, *, fresh: bool) -> KeySet | None:
        """The provider's keys; None where `fresh` ones were asked for too soon."""
        with self._lock:
            age = self._clock() - self._fetched
            if self._keys is not None and age < (_AGAIN_S if fresh else _KEPT_S):
                return None if fresh else self._keys
            try:
                self._keys = KeySet.import_key_set(dict(self._fetch(self._jwks_address())))  # type: ignore[arg-type]
                self._fetched = self._clock()
            except (FetchError, JoseError, ValueError, KeyError, TypeError) as error:
                if self._keys is None:
                    raise UnavailableError("the identity provider") from error
                self._fetched = self._clock() - _KEPT_S + _AGAIN_S  # old keys are better than nobody; ask again in a minute
            return self._keys

    def _jwks_address(self) -> str:
        if self._jwks:
            return self._jwks
        found = self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        return str(found["jwks_uri"])


def provider(settings: Settings) -> Provider | None:
    """The provider of a service with these settings, if it has one."""
    return Provider(settings) if settings.oidc_issuer and settings.oidc_audience else None


def _json(url: str, *, private: bool) -> Mapping[str, Any]:
    if not private and not url.startswith("https://"):
        raise FetchError(url, "is no https address")
    answer = Client(allow_private=private).get(url)
    if answer.status != 200:
        raise FetchError(url, f"answered HTTP {answer.status}")
    found: Mapping[str, Any] = json.loads(answer.body)
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
