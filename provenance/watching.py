"""Sign what appears in a folder, with or without anybody to tell; deliver it once, in order, when somebody can be told.

    new file ─► sign in the backlog's work folder ─► commit to the queue ─► place in the target folder ─► deliver ─► note

Every step after the commit is repeated by the next run until it is noted, and repeating it changes nothing. The source is never
touched. The same bytes are signed once, whatever they are called; another file of a known name gets its digest into its name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from keys.errors import KeysError
from provenance import sidecar
from provenance.backlog import Backlog, Waiting
from provenance.capture import SignRequest, sign
from provenance.desk import Studio
from provenance.errors import ConflictError, FetchError, InputError, ProvenanceError, StoreError, UnavailableError
from provenance.feed import public_status
from provenance.fetch import Answer, Client
from provenance.sdk import STORE_TYPE
from provenance.store.registry import Registry
from watermark.errors import WatermarkError

FOLDER = ".colophon"  # in the target folder
Deliver = Callable[[Waiting], str]
_REFUSED = frozenset({400, 409, 413, 415, 422})
_UNKNOWN_THERE = frozenset({404, 405, 413, 501})  # some look at the size before the path


class UnwantedError(ProvenanceError):
    """Whoever was told does not want an entry, and never will."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to one file: signed | registered | refused | waiting."""

    kind: str
    path: Path
    why: str | None = None
    receipt: str | None = None


class Watch:
    """One pass after another over a folder; the backlog must be held meanwhile."""

    def __init__(self, source: Path, target: Path, request: SignRequest, *, settled: bool = False) -> None:
        """Take the folders and a request to copy for each file. With `settled`, files are taken as they are; else a file is
        signed once a whole pass has left it unchanged, so that none is signed while it is still written.
        """
        if source.resolve() == target.resolve():
            raise InputError(str(target), "is the folder that is watched")
        self.backlog = Backlog(target / FOLDER)
        self._source, self._target, self._request, self._settled = source, target, request, settled
        self._seen: dict[Path, tuple[int, int]] = {}
        self._left: dict[Path, tuple[int, int]] = {}  # signed or refused already, as it was then

    def round(self, studio: Studio, deliver: Deliver, *, clock: Callable[[], datetime]) -> Iterator[Event]:
        """Sign what is new, then deliver what waits.

        Raises:
            InputError, OutputError: a folder cannot be read or written.
        """
        known = self.backlog.known()
        for path, state in self._new():
            yield from self._taken(path, state, known, studio, clock())
        yield from self._delivered(deliver)

    def _new(self) -> list[tuple[Path, tuple[int, int]]]:
        """Files that are ready, oldest first."""
        try:
            found = [(path, path.stat()) for path in self._source.iterdir() if not path.name.startswith(".") and path.is_file()]
        except OSError as error:
            raise InputError(str(self._source), (error.strerror or str(error)).lower()) from error
        found.sort(key=lambda pair: (pair[1].st_mtime_ns, pair[0].name))
        states = {path: (status.st_size, status.st_mtime_ns) for path, status in found}
        ready = [p for p, state in states.items() if state[0] and (self._settled or self._seen.get(p) == state)]
        self._seen = states
        return [(path, states[path]) for path in ready if self._left.get(path) != states[path]]

    def _taken(self, path: Path, state: tuple[int, int], known: dict[str, str], studio: Studio, at: datetime) -> Iterator[Event]:
        try:
            digest = _digest(path)
            if digest not in known:
                known[digest] = self._signed(path, digest, set(known.values()), studio, at)
                yield Event("signed", self._target / known[digest])
        except (ProvenanceError, KeysError, WatermarkError, OSError) as error:
            if isinstance(error, UnavailableError):
                yield Event("waiting", path, str(error))
                return  # it is tried again in the next round
            yield Event("refused", path, str(error))
        self._left[path] = state

    def _signed(self, path: Path, digest: str, taken: set[str], studio: Studio, at: datetime) -> str:
        name = path.name if path.name not in taken and not (self._target / path.name).exists() else _other(path, digest)
        scratch = self.backlog.work / f"{secrets.token_hex(4)}{path.suffix}"
        wanted = replace(self._request, source=path, destination=scratch, title=path.name, register=False, beside=True)
        done = sign(wanted, studio, at=at)
        assert done.registration is not None
        if done.sidecar is not None:
            done.sidecar.unlink()  # the registration holds the same; it is laid beside the file when that has its place
        self.backlog.add(scratch, done.registration, public_status(done.verdict), source=digest, name=name, at=at)
        return name

    def _delivered(self, deliver: Deliver) -> Iterator[Event]:
        for entry in self.backlog.waiting():
            target = self._target / entry.name
            if entry.registration.media_type in sidecar.KINDS:  # first: whoever sees the film finds its credential
                self._lay(entry.registration.manifest_store, sidecar.beside(target))
            self._place(entry.asset, target)
            try:
                receipt = deliver(entry)
            except UnwantedError as error:
                self.backlog.refuse(entry, error.why)
                yield Event("refused", target, error.why)
                continue
            except (UnavailableError, StoreError, FetchError) as error:
                yield Event("waiting", target, str(error))
                return  # those behind it wait as well: the order is kept
            self.backlog.done(entry, receipt)
            yield Event("registered", target, receipt=receipt)

    def _place(self, asset: Path, target: Path) -> None:
        """Put a signed file where the user looks for it; the queue keeps its own link to it."""
        if target.exists() and target.stat().st_size == asset.stat().st_size and _digest(target) == _digest(asset):
            return
        scratch = self.backlog.work / secrets.token_hex(8)
        try:
            os.link(asset, scratch)
        except OSError:  # a file system without links
            shutil.copyfile(asset, scratch)
        scratch.replace(target)

    def _lay(self, data: bytes, target: Path) -> None:
        if target.is_file() and target.read_bytes() == data:
            return
        scratch = self.backlog.work / secrets.token_hex(8)
        scratch.write_bytes(data)
        scratch.replace(target)


def locally(registry: Registry) -> Deliver:
    """Deliver into this home's own registry."""

    def deliver(entry: Waiting) -> str:
        try:
            receipt = registry.register(entry.registration, at=entry.at)
        except ConflictError as error:
            raise UnwantedError(error.why) from error
        registry.set_status(receipt.asset_id, entry.registration.sha256, dict(entry.status), at=entry.at)
        return receipt.asset_id

    return deliver


def to_service(url: str, api_key: str | None, client: Client) -> Deliver:
    """Deliver to a service: manifest store and reference to ours, so that stripped copies can be recovered and compared there.

    One that does not know `POST /api/v1/deposits` gets the manifest store alone (`POST /v1/manifests`, Soft Binding Resolution
    API): marks lead to it.
    """
    root, key = url.rstrip("/"), {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def deliver(entry: Waiting) -> str:
        answer = client.post(f"{root}/api/v1/deposits", _deposit(entry), {"Content-Type": "application/json", **key})
        if answer.status in _UNKNOWN_THERE:
            store = entry.registration.manifest_store
            answer = client.post(f"{root}/v1/manifests", store, {"Content-Type": STORE_TYPE, **key})
        if answer.status == 200:
            return entry.registration.manifest_id
        if answer.status in _REFUSED:
            raise UnwantedError(f"{url} answered HTTP {answer.status}{_detail(answer)}")
        raise UnavailableError(f"{url} (HTTP {answer.status})", 30)

    return deliver


def _deposit(entry: Waiting) -> bytes:
    """An entry as `POST /api/v1/deposits` takes it."""
    r = entry.registration
    plain = ("asset_id", "sha256", "media_type", "width", "height", "duration_ms", "reference_media_type")
    said: dict[str, Any] = {name: getattr(r, name) for name in plain}
    said["manifest_store"] = base64.b64encode(r.manifest_store).decode("ascii")
    said["reference"] = None if r.reference is None else base64.b64encode(r.reference).decode("ascii")
    return json.dumps(said).encode("ascii")


def _detail(answer: Answer) -> str:
    """What a problem document (RFC 9457) says went wrong."""
    try:
        detail = json.loads(answer.body)["detail"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {str(detail)[:300]}"


def _other(path: Path, digest: str) -> str:
    return f"{path.stem}.{digest[:8]}{path.suffix}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
