"""Signed statuses: what a feed says of an item, in a form that a client keeps and checks without asking anybody.

A token is a JWT (RFC 7519) signed with Ed25519 by the signing process; its shape is told with an example in README.md.
Time goes in windows of five minutes, and a token lives to the end of the next one: within a window the same item has the
same token in every process, so that caches agree, and each is signed once and then remembered.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from keys.feedkey import FeedPublicKey
from provenance.store.quick import Served

WINDOW_S = 300
_REMEMBERED = 50_000  # tokens of one window, some 30 MB
_SAID = ("status", "label", "at")  # members of a status that stand in the token; `doc` covers all of them


class TokenKey(Protocol):
    """Whoever signs."""

    @property
    def public(self) -> FeedPublicKey: ...

    def sign(self, inputs: Sequence[bytes]) -> list[bytes]: ...


class Tokens:
    """Tokens of this window; safe to share between threads."""

    def __init__(self, key: TokenKey, *, clock: Callable[[], float] = time.time) -> None:
        self._key, self._clock = key, clock
        self._header = key.public.header
        self._lock = threading.Lock()
        self._window = -1
        self._known: dict[tuple[str, str], bytes] = {}

    @property
    def public(self) -> FeedPublicKey:
        return self._key.public

    def window(self) -> int:
        return int(self._clock()) // WINDOW_S

    def known(self, found: Mapping[str, Served]) -> dict[str, bytes] | None:
        """Tokens of these items, if all of them were signed in this window: then nothing blocks."""
        if self._window != self.window():
            return None
        known = self._known
        tokens = {asked: known.get((asked, served.etag)) for asked, served in found.items()}
        return None if None in tokens.values() else tokens  # type: ignore[return-value]  # no None is in it

    def sign(self, found: Mapping[str, Served]) -> dict[str, bytes]:
        """Tokens of these items; signs those that are missing. Blocks: not for the event loop.

        Raises:
            KeysError: the signing process cannot be asked.
        """
        with self._lock:
            window = self.window()
            if window != self._window or len(self._known) > _REMEMBERED:
                self._known, self._window = {}, window
            known = self._known
        missing = [(asked, served) for asked, served in found.items() if (asked, served.etag) not in known]
        if missing:
            inputs = [self._header + _payload(asked, served, window) for asked, served in missing]
            for (asked, served), message, signature in zip(missing, inputs, self._key.sign(inputs), strict=True):
                known[asked, served.etag] = message + b"." + _b64(signature)
        return {asked: known[asked, served.etag] for asked, served in found.items()}


def _payload(asked: str, served: Served, window: int) -> bytes:
    said = json.loads(served.document)
    claims: dict[str, Any] = {"sub": asked, "iat": window * WINDOW_S, "exp": (window + 2) * WINDOW_S}
    claims |= {name: said[name] for name in _SAID if said.get(name)}
    claims["doc"] = hashlib.sha256(served.document).hexdigest()
    return _b64(json.dumps(claims, separators=(",", ":")).encode())


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
