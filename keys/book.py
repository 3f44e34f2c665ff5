"""The book of our own authority: which certificates it issued, which it revoked. `keys/book.jsonl`, one JSON object a line.

Only ever appended to, each line flushed to disk under the folder's lock; a line that a crash cut off is not counted, and
the next one begins on a line of its own. OCSP answers and enrolment tokens (as digests) rest on it; certificates of other
authorities may be noted as revoked too, for whoever asks by fingerprint.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from keys.certificate import fingerprint, subject
from keys.errors import KeyFileError
from keys.files import locked

NAME = "book.jsonl"


@dataclass(frozen=True)
class IssuedEntry:
    """A certificate that the authority issued."""

    fingerprint: str
    serial: int
    subject: str
    not_after: datetime


@dataclass(frozen=True)
class RevokedEntry:
    """A certificate that no longer counts, from `at` on; `reason` in the words of RFC 5280 §5.3.1."""

    fingerprint: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class TokenEntry:
    """A one-time token for enrolment: whom it enrols, until when, and the certificate that it was spent on."""

    digest: str
    name: str
    expires: datetime
    certificate: bytes | None = None  # DER


@dataclass(frozen=True)
class CodeEntry:
    """A capture code, by its SHA-256: the key that it is for, and until when. What it was spent on stands in the journal."""

    digest: str
    name: str
    expires: datetime


@dataclass(frozen=True)
class Pages:
    """The book as read at one moment."""

    issued: Mapping[str, IssuedEntry]  # by fingerprint
    tokens: Mapping[str, TokenEntry]  # by SHA-256 of the token
    revoked: Mapping[str, RevokedEntry]  # by fingerprint; of several notes the earliest instant and the last reason
    codes: Mapping[str, CodeEntry]  # by SHA-256 of the code

    def by_serial(self, serial: int) -> IssuedEntry | None:
        return next((entry for entry in self.issued.values() if entry.serial == serial), None)


@dataclass(frozen=True)
class Book:
    """The book of a keys folder."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / NAME

    def issue(self, certificate: x509.Certificate) -> None:
        """Note a certificate before it is handed out. Raises KeyFileError."""
        self._append(
            {
                "issued": fingerprint(certificate),
                "serial": f"{certificate.serial_number:x}",
                "subject": subject(certificate),
                "not_after": certificate.not_valid_after_utc.isoformat(),
            }
        )

    def revoke(self, mark: str, *, reason: str, at: datetime) -> None:
        """Note a revocation by fingerprint (64 hex digits); the same again changes nothing. Raises KeyFileError."""
        known = self.read().revoked.get(mark)
        if known is None or known.reason != reason or at < known.at:
            self._append({"revoked": mark, "reason": reason, "at": at.astimezone(UTC).isoformat()})

    def offer(self, digest: str, *, name: str, expires: datetime) -> None:
        """Note a token, by its digest. Raises KeyFileError."""
        self._append({"token": digest, "name": name, "expires": expires.astimezone(UTC).isoformat()})

    def offer_codes(self, digests: Iterable[str], *, key: str, expires: datetime) -> None:
        """Note capture codes of a key, by their digests. Raises KeyFileError."""
        until = expires.astimezone(UTC).isoformat()
        with self._locked():
            self._write(*({"code": digest, "key": key, "expires": until} for digest in digests))

    def spend(self, digest: str, certificate: bytes) -> bytes:
        """Spend a token on a certificate and return the one that it stands for: of two at once, the first one's.

        Raises:
            KeyError: no such token.
            KeyFileError: the book cannot be read or written.
        """
        with self._locked():
            known = self.read().tokens[digest]
            if known.certificate is not None:
                return known.certificate
            self._write({"spent": digest, "certificate": base64.b64encode(certificate).decode("ascii")})
        return certificate

    def read(self) -> Pages:
        """Everything noted so far; an absent book is an empty one. Raises KeyFileError."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise KeyFileError(self.path, error.strerror or "cannot be read") from error
        pages = Pages({}, {}, {}, {})
        for line in lines:
            _note(line, pages.issued, pages.tokens, pages.revoked, pages.codes)  # type: ignore[arg-type]  # still being written
        return pages

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with locked(self.folder):
                yield
        except OSError as error:
            raise KeyFileError(self.path, error.strerror or "cannot be written") from error

    def _append(self, entry: Mapping[str, Any]) -> None:
        with self._locked():
            self._write(entry)

    def _write(self, *entries: Mapping[str, Any]) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            torn = end > 0 and file.read(1) != b"\n"
            file.write(b"\n" * torn + b"".join(json.dumps(one, sort_keys=True).encode("utf-8") + b"\n" for one in entries))
            file.flush()
            os.fsync(file.fileno())


def _note(
    line: bytes,
    issued: dict[str, IssuedEntry],
    tokens: dict[str, TokenEntry],
    revoked: dict[str, RevokedEntry],
    codes: dict[str, CodeEntry],
) -> None:
    """Take one line in; what a crash cut off, and what a later version added, is passed over."""
    try:
        entry = json.loads(line)
        if "issued" in entry:
            mark, end = str(entry["issued"]), datetime.fromisoformat(entry["not_after"])
            issued[mark] = IssuedEntry(mark, int(entry["serial"], 16), str(entry["subject"]), end)
        elif "token" in entry:
            mark = str(entry["token"])
            tokens[mark] = TokenEntry(mark, str(entry["name"]), datetime.fromisoformat(entry["expires"]))
        elif "code" in entry:
            mark = str(entry["code"])
            codes[mark] = CodeEntry(mark, str(entry["key"]), datetime.fromisoformat(entry["expires"]))
        elif "spent" in entry:
            mark = str(entry["spent"])
            tokens[mark] = replace(tokens[mark], certificate=base64.b64decode(entry["certificate"], validate=True))
        elif "revoked" in entry:
            mark, at = str(entry["revoked"]), datetime.fromisoformat(entry["at"])
            known = revoked.get(mark)
            revoked[mark] = RevokedEntry(mark, str(entry["reason"]), min(at, known.at) if known else at)
    except (ValueError, KeyError, TypeError):
        return
