"""Sign a file into a new one and read the result back."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keys.certificate import outside_validity
from keys.errors import KeysError, SigningRefusedError
from keys.notary import witnessed
from keys.signer import Signer, key_name
from provenance import sdk
from provenance.chunking import CHUNK_KB, may_chunk
from provenance.credential import Credential, Remote, Unreadable
from provenance.errors import OutputError, SigningError
from provenance.tasks.looking import probe
from provenance.tasks.rim import Clock, phrase, reading


@dataclass(frozen=True, slots=True)
class Made:
    """A file that another was made from, and how the claim names it."""

    ingredient: Mapping[str, Any]
    media_type: str
    path: str


@dataclass(frozen=True, slots=True)
class SignJob:
    """A claim to be signed over a file; `mark_id` None leaves the content alone."""

    source: str
    destination: str
    media_type: str
    definition: Mapping[str, Any]
    signer: str
    keys_folder: str
    tsa_url: str | None
    ingredients: tuple[Made, ...] = ()
    resources: Mapping[str, bytes] = field(default_factory=dict)
    update: bool = False  # an update manifest that holds a time stamp for the one before
    identity: str | None = None  # reference of a second key, for an identity assertion
    beside: bool = False  # the file stays as it is: its credential will lie beside it


@dataclass(frozen=True, slots=True)
class SignedFile:
    sha256: str
    size: int
    store: bytes
    credential: Credential | Unreadable | Remote | None
    steps_ms: Mapping[str, float]


def sign_file(job: SignJob) -> SignedFile:
    """Sign a file into a new one and read the result back.

    Raises:
        SigningError: the library could not sign.
        KeysError: the signer could not, or refused.
        OutputError: the result cannot be written (disk full, no rights).
    """
    clock = Clock()
    signer = _opened(job.signer, job.keys_folder)
    named = _opened(job.identity, job.keys_folder) if job.identity else None
    with ExitStack() as files, reading(job.source) as source, _Watched(job.destination) as destination:
        made_from = [(one.ingredient, one.media_type, files.enter_context(reading(one.path))) for one in job.ingredients]
        try:
            if job.beside:
                shutil.copyfileobj(source, destination, 1 << 20)
                source.seek(0)
            sealed = sdk.sign(
                job.definition,
                source,
                destination,
                job.media_type,
                algorithm=signer.alg,
                chain_pem=signer.certificate_pem,
                callback=signer.sign,
                tsa_url=job.tsa_url,
                resources=job.resources,
                ingredients=made_from,
                update=job.update,
                beside=job.beside,
                chunk_kb=CHUNK_KB if not job.update and may_chunk(source, job.media_type) else None,
                identity=(named.alg, named.certificate_pem, named.sign) if named else None,
            )
        except OSError:
            destination.reraise()
            raise
        except sdk.SignFailedError as error:
            destination.reraise()
            if isinstance(error.__cause__, KeysError):
                raise error.__cause__ from error
            raise SigningError(job.source, str(error)) from error
    clock.lap("sign")
    digest = probe(job.destination)
    clock.lap("digest")
    with reading(job.destination) as stream:
        credential = sdk.read(stream, sdk.STORE_TYPE, store=sealed.store) if job.beside else sdk.read(stream, job.media_type)
    clock.lap("read back")
    return SignedFile(digest.sha256, digest.size, sealed.store, credential, clock.laps)


def _opened(ref: str, keys_folder: str) -> Signer:
    """A key whose certificate is valid now: the library would lay an ended one, or a clock set back, to the file's charge."""
    signer = witnessed(ref, folder=Path(keys_folder))
    at = datetime.now(UTC)
    outside = outside_validity(signer.chain[0], at)
    if outside:
        raise SigningRefusedError(
            "expired", f"the certificate of the key {key_name(ref)} {outside}, and this clock says {at:%Y-%m-%d %H:%M} UTC"
        )
    return signer


class _Watched:
    """A new file for the library to write to; it remembers the real error, which the library replaces by its own."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = Path(path).open("w+b")  # noqa: SIM115 - closed in __exit__
        except OSError as error:
            raise OutputError(path, phrase(error)) from error
        self._error: OSError | None = None
        for name in ("read", "write", "seek", "tell", "flush", "truncate"):
            setattr(self, name, self._guard(getattr(self._file, name)))

    def _guard(self, method: Any) -> Any:
        def guarded(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except OSError as error:
                self._error = error
                raise

        return guarded

    def reraise(self) -> None:
        if self._error is not None:
            raise OutputError(self._path, phrase(self._error)) from self._error

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise OutputError(self._path, phrase(error)) from error
