"""Errors as RFC 9457 problem documents: one table of kinds, one table from our error classes to them.

A problem tells a stranger what to do next and nothing about this machine: no paths, no host names, no traceback. What
the operator needs is in the log, under the same request id.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from keys.errors import (
    KeysError,
    SignerUnavailableError,
    SigningRefusedError,
    TimeStampError,
    UnknownSignerError,
)
from provenance.errors import (
    BudgetError,
    ConflictError,
    DamagedMediaError,
    DatabaseUnavailableError,
    InputError,
    NotFoundError,
    OutputError,
    ProvenanceError,
    SchemaError,
    SigningError,
    UnavailableError,
    UnstorableError,
    UnsupportedMediaError,
)
from watermark.errors import (
    CarrierTooSmallError,
    MediaDecodeError,
    UnknownEngineError,
    UnsupportedError,
    WatermarkError,
)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem, the same each time it occurs (RFC 9457 §3.1.1): `slug` ends its type URI."""

    slug: str
    status: int
    title: str
    advice: str

    @property
    def type(self) -> str:
        return f"/problems/{self.slug}"

    def as_dict(self) -> dict[str, Any]:
        return {"type": self.type, "title": self.title, "status": self.status, "advice": self.advice}


_KINDS = (
    Kind("bad-request", 400, "The request cannot be read", "Send the body as the API description says."),
    Kind("no-key", 401, "This asks for an API key", "Send `Authorization: Bearer KEY`; an administrator makes keys."),
    Kind(
        "no-token", 401, "This asks for a one-time token, or a proof by the key of before", "`colophon keys token` makes tokens."
    ),
    Kind("foreign-page", 403, "A page of another site may not do this", "Call from your own server, or from this site's page."),
    Kind("signing-refused", 403, "The signing process refused", "It would refuse again; the code says why."),
    Kind("not-allowed", 403, "This key may not do that", "Use a key with the role or scope that the detail names."),
    Kind("not-found", 404, "Nothing is known under this address", "Check the id; it may never have been registered here."),
    Kind("method-not-allowed", 405, "This address does not do that", "The Allow header lists what it does."),
    Kind("in-progress", 409, "The same request is still being answered", "Ask again with the same Idempotency-Key in a moment."),
    Kind("conflict", 409, "Something else is already stored under this id", "Nothing was changed."),
    Kind("gone", 410, "The signed file is no longer kept here", "It was kept for a short while only; sign again with a new key."),
    Kind("too-large", 413, "The upload is too large", "Send a smaller file, or use the command line next to the data."),
    Kind("unsupported-media", 415, "This kind of file cannot be worked on", "The detail names what was found in the file."),
    Kind("misdirected", 421, "This service does not answer under that host name", "Use the name it was started for."),
    Kind("invalid-request", 422, "The request is not one this address understands", "`errors` lists what is wrong, and where."),
    Kind("too-many-ids", 422, "Too many ids in one request", "Ask for at most 500 at a time."),
    Kind("unusable-file", 422, "The file cannot be used", "The detail says what is wrong with it."),
    Kind("damaged-media", 422, "The file is truncated or malformed", "Send the file as it was first written."),
    Kind("too-small", 422, "The file is too small to carry a mark", 'Send a larger one, or ask for mark="none".'),
    Kind("over-budget", 422, "The file asks for more time or memory than one file may", "Send a smaller file."),
    Kind("unknown-key", 422, "No signing key of that name", "Leave `key` out to sign with the default key."),
    Kind("unknown-mark", 422, "No mark of that name", 'Use "auto", "none", or an algorithm this service has.'),
    Kind("not-in-claim", 422, "The signed claim does not carry this binding", "A binding counts only where it was signed."),
    Kind("not-fetched", 422, "The address could not be fetched", "It must be a public https address that answers with the file."),
    Kind("key-reused", 422, "This Idempotency-Key was used for another request", "Use a fresh key for each new request."),
    Kind("too-often", 429, "Too many requests", "Try again after the time in Retry-After."),
    Kind("internal", 500, "A fault of this service", "It was recorded under the request id."),
    Kind("not-signed", 500, "The file could not be signed", "Nothing was signed or registered."),
    Kind("time-stamp", 502, "The time stamp authority failed", "Try again later."),
    Kind("unavailable", 503, "A part of this service is not available", "Try again after the time in Retry-After."),
    Kind("busy", 503, "Too much work at once", "Try again after the time in Retry-After."),
    Kind("storage-full", 507, "There is no room to work in", "Try again later."),
)
KINDS: Mapping[str, Kind] = {kind.slug: kind for kind in _KINDS}
_BY_STATUS = {kind.status: kind for kind in reversed(_KINDS)}


@dataclass(frozen=True, slots=True)
class Problem:
    """One occurrence of a kind. `fields` are extension members; `detail` may be read by anyone."""

    kind: Kind
    detail: str | None = None
    retry_after_s: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self, request_id: str) -> dict[str, Any]:
        wait = f"Try again in {self.retry_after_s} s." if self.retry_after_s else self.kind.advice
        body: dict[str, Any] = {"type": self.kind.type, "title": self.kind.title, "status": self.kind.status}
        body["detail"] = self.detail or wait  # whoever is refused learns at least what to do
        return body | {"instance": f"urn:colophon:request:{request_id}", "request_id": request_id} | dict(self.fields)


class ProblemError(Exception):
    """A request that this package itself refuses."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.kind.slug)
        self.problem = problem


def refuse(slug: str, detail: str | None = None, *, retry_after_s: int | None = None, **fields: Any) -> NoReturn:
    """Raise a problem of a kind of the table."""
    raise ProblemError(Problem(KINDS[slug], detail, retry_after_s, fields))


def of_status(status: int, detail: str | None = None, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for an HTTP status that the framework chose: 404, 405, 413 …"""
    fallback = KINDS["internal"] if status >= 500 else KINDS["bad-request"]
    kind = _BY_STATUS.get(status) or Kind(fallback.slug, status, fallback.title, fallback.advice)
    return Problem(kind, detail, headers=dict(headers or {}))


def of_fields(found: Iterable[Mapping[str, Any]]) -> Problem:
    """The problem for what the framework's validation found: where and what, but not the value, which may be anything."""
    errors = [{"where": ".".join(map(str, error["loc"])), "say": public(str(error["msg"]))} for error in found]
    return Problem(KINDS["invalid-request"], None, fields={"errors": errors})


def of_error(error: BaseException) -> Problem:
    """The problem for an exception; one that nobody foresaw is a fault of ours and says nothing about itself."""
    if isinstance(error, ProblemError):
        return error.problem
    for ancestor in type(error).__mro__:
        if ancestor in _TABLE:
            return _TABLE[ancestor](error)
    return Problem(KINDS["internal"])


def _as(slug: str, *attributes: str) -> Callable[[Any], Problem]:
    """A row of the table: the kind, and which fields of the error are fit for strangers."""

    def problem(error: Any) -> Problem:
        detail = ": ".join(public(str(getattr(error, name))) for name in attributes)
        return Problem(KINDS[slug], detail or None)

    return problem


def _unavailable(error: Any) -> Problem:
    return Problem(KINDS["unavailable"], public(error.which), error.retry_after_s)


def _down(_error: Any) -> Problem:
    return Problem(KINDS["unavailable"], None, 5)


def _refused(error: SigningRefusedError) -> Problem:
    if error.code == "UnknownSigner":  # the signing process's own word for UnknownSignerError
        return Problem(KINDS["unknown-key"])
    return Problem(KINDS["signing-refused"], public(error.why), fields={"code": public(error.code)})


def _not_found(error: NotFoundError) -> Problem:
    return Problem(KINDS["not-found"], f"no such {public(error.what)} is known here")


def _system(error: OSError) -> Problem:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return Problem(KINDS["storage-full" if full else "internal"], None, 60 if full else None)


# Looked up along the class's ancestors, so a class needs a row only where it differs from its parent.
_TABLE: Mapping[type[BaseException], Callable[[Any], Problem]] = {
    InputError: _as("unusable-file", "why"),
    UnsupportedMediaError: _as("unsupported-media", "why"),
    DamagedMediaError: _as("damaged-media", "why"),
    OutputError: _as("storage-full"),
    SigningError: _as("not-signed", "why"),
    BudgetError: _as("over-budget", "limit"),
    UnavailableError: _unavailable,
    NotFoundError: _not_found,
    ConflictError: _as("conflict", "why"),
    UnstorableError: _as("invalid-request", "what", "why"),
    DatabaseUnavailableError: _down,
    SchemaError: _down,
    ProvenanceError: _as("internal"),
    UnknownSignerError: _as("unknown-key"),
    SignerUnavailableError: _down,
    SigningRefusedError: _refused,
    TimeStampError: _as("time-stamp"),
    KeysError: _as("internal"),
    MediaDecodeError: _as("damaged-media", "what"),
    UnsupportedError: _as("unsupported-media", "what"),
    CarrierTooSmallError: _as("too-small"),
    UnknownEngineError: _as("unknown-mark"),
    WatermarkError: _as("internal"),
    OSError: _system,
}

_PATH = re.compile(r"""(?:[A-Za-z]:)?(?<![\w.])[/\\](?:[^\s/\\'"]+[/\\])*[^\s/\\'":;,)]+""")


def public(text: str) -> str:
    """The text as one printable line without paths: a library's message may name files of this machine."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return _PATH.sub("(a path)", line).strip()[:300]
