"""Who may do what: API keys with roles, and the short-lived tokens that OAuth 2.0 clients get for them (RFC 6749 §4.4).

`access.json` in the home, for its owner alone, holds of each key a name, its roles and the SHA-256 of its secret: 256
random bits need no slow hash. The file is read again whenever it changes, so that a revoked key ends at once, its tokens too.

    colophon_<id: 12 hex digits>_<secret: 43 letters>      an API key, shown once; as an OAuth client: id and secret
    ct_<claims, base64url>.<HMAC-SHA-256, base64url>       a token, good for ten minutes
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from keys.files import locked, private_folder, write_private
from provenance.errors import InputError, NotFoundError

ROLES = ("feed", "signer", "auditor", "reviewer", "admin")
SCOPES: Mapping[str, str] = {"fetch:manifests": "feed", "store:manifests": "signer", "store:bindings": "signer"}
TOKEN_S = 600
_KEY = re.compile(r"colophon_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_FILE = "access.json"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `digest` is the SHA-256 of its secret; a revoked one stays in the file, so that its id is never given again."""

    id: str
    name: str
    roles: tuple[str, ...]
    digest: str
    created_at: str
    revoked_at: str | None = None

    def may(self, role: str) -> bool:
        """Whether it has a role; an admin has all of them."""
        return self.revoked_at is None and (role in self.roles or "admin" in self.roles)

    def scopes(self) -> frozenset[str]:
        return frozenset(scope for scope, role in SCOPES.items() if self.may(role))


class Access:
    """The keys of a home; safe to share between processes, which see each other's changes."""

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}
        self._secret = b""

    def listed(self) -> tuple[Key, ...]:
        """All keys, revoked ones too, oldest first.

        Raises:
            InputError: the file is damaged.
        """
        self._refresh()
        return tuple(self._keys.values())

    def new(self, name: str, roles: Iterable[str], *, at: datetime) -> tuple[Key, str]:
        """Make a key; returns it and what is shown once.

        Raises:
            InputError: no name, no roles, or a role there is not.
        """
        chosen = tuple(dict.fromkeys(roles))
        if not name.strip() or not name.isprintable() or len(name) > 100:
            raise InputError("name", "is empty, too long or not printable")
        if not chosen or set(chosen) - set(ROLES):
            raise InputError("roles", f"must be some of {', '.join(ROLES)}")
        secret = secrets.token_urlsafe(32)
        key = Key(secrets.token_hex(6), name.strip(), chosen, _digest(secret), at.isoformat(timespec="seconds"))
        with self._changing():
            self._write({**self._keys, key.id: key})
        return key, f"colophon_{key.id}_{secret}"

    def revoke(self, key_id: str, *, at: datetime) -> Key:
        """End a key and every token it got; done twice it changes nothing.

        Raises:
            NotFoundError: there is no such key.
        """
        with self._changing():
            key = self._keys.get(key_id)
            if key is None:
                raise NotFoundError("API key", key_id[:64])
            if key.revoked_at is None:
                key = replace(key, revoked_at=at.isoformat(timespec="seconds"))
                self._write({**self._keys, key_id: key})
        return key

    def key(self, text: str) -> Key | None:
        """The living key that this text is."""
        found = _KEY.fullmatch(text)
        return self.client(found[1], found[2]) if found else None

    def client(self, key_id: str, secret: str) -> Key | None:
        """The living key of an OAuth client's id and secret; a whole key does for the secret too."""
        self._refresh()
        key = self._keys.get(key_id)
        whole = _KEY.fullmatch(secret)
        given = _digest(whole[2] if whole else secret)
        if key is None or not hmac.compare_digest(given, key.digest) or key.revoked_at is not None:
            return None
        return key

    def token(self, key: Key, scopes: Iterable[str], *, now: float) -> str:
        """A token for some of a key's scopes."""
        claims = {"id": key.id, "scopes": sorted(scopes), "exp": int(now) + TOKEN_S}
        body = _b64(json.dumps(claims, separators=(",", ":")).encode())
        return f"ct_{body}.{_b64(self._seal(body))}"

    def opened(self, token: str, *, now: float) -> tuple[Key, frozenset[str]] | None:
        """A token's key and scopes, if it is ours, not over, and its key lives."""
        body, _, seal = token.removeprefix("ct_").partition(".")
        try:
            self._refresh()
            if not token.startswith("ct_") or not hmac.compare_digest(_unb64(seal), self._seal(body)):
                return None
            claims: dict[str, Any] = json.loads(_unb64(body))
        except (ValueError, binascii.Error):
            return None
        key = self._keys.get(claims["id"])
        if key is None or key.revoked_at is not None or claims["exp"] <= now:
            return None
        return key, frozenset(claims["scopes"]) & key.scopes()

    def _seal(self, body: str) -> bytes:
        if not self._secret:  # no key was ever made: nothing can be sealed, and nothing is ours
            raise ValueError("no keys")
        return hmac.digest(self._secret, body.encode(), "sha256")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with locked(private_folder(self._path.parent)):
            self._refresh()
            yield

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            if (stamp := (status.st_mtime_ns, status.st_ino)) == self._seen:
                return
            stored = json.loads(self._path.read_bytes())
            self._secret = bytes.fromhex(stored["token_secret"])
            self._keys = {key["id"]: Key(**{**key, "roles": tuple(key["roles"])}) for key in stored["keys"]}
            self._seen = stamp
        except FileNotFoundError:
            self._keys, self._secret, self._seen = {}, b"", None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(str(self._path), "cannot be read as a list of API keys") from error

    def _write(self, keys: Mapping[str, Key]) -> None:
        secret = self._secret or secrets.token_bytes(32)
        stored = {"token_secret": secret.hex(), "keys": [asdict(key) for key in keys.values()]}
        write_private(self._path, json.dumps(stored, indent=1).encode() + b"\n")
        self._refresh()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
