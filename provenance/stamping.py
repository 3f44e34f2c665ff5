"""Time stamps for what was signed without one: offline, or while no authority answered.

Two ways, for two situations, with the same evidence (C2PA 2.5 §16.19: a token over the manifest's signature bytes):

    a file at hand        `stamp_file`   an update manifest that holds the token, signed and stamped itself; a new file
    a manifest store only `stamp_queue`  the token is kept in the registry, where our judge finds it

Both must happen while the leaf certificate is valid: a stamp after its end proves nothing. What was missed is told as
"expired" and stays on the queue for people to see. A crash at any moment costs at most a token nobody kept: the queue is
emptied in the transaction that keeps one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from keys import tsa_client
from keys.errors import TimeStampError
from keys.timestamp import TimeState, check_token, message_assertion
from provenance import appraisal, tasks
from provenance.credential import Credential, Manifest
from provenance.desk import Desk, Studio
from provenance.errors import InputError, StoreError, UnavailableError
from provenance.finishing import Signed, placing
from provenance.store.records import AssetRecord, StampDue
from provenance.updating import signed_source, write_updated
from provenance.verdict import iso

_GIVE_UP_AFTER = 3  # failures of the authority in a row: it is down, and the rest can wait


class StampState(StrEnum):
    """STAMPED: done. WAITING: still in time. EXPIRED: its leaf ended first, too late for ever. UNREADABLE: its store is gone."""

    STAMPED = "stamped"
    WAITING = "waiting"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one manifest on the queue; `why` where it was not stamped although it should be."""

    manifest_id: str
    due: datetime
    state: StampState
    at: datetime | None = None
    why: str | None = None

    def as_dict(self) -> dict[str, Any]:
        at = iso(self.at) if self.at else None
        return {"manifest_id": self.manifest_id, "due": iso(self.due), "state": str(self.state), "at": at, "why": self.why}


def queued(desk: Desk, *, at: datetime, limit: int = 500) -> tuple[Outcome, ...]:
    """The queue as it stands, the most urgent first; nothing is asked of anybody."""
    assert desk.registry is not None
    return tuple(_standing(due, at) for due in desk.registry.stamp_queue(limit=limit, at=at))


def stamp_queue(
    desk: Desk, tsa_url: str, *, clock: Callable[[], datetime], limit: int = 500, timeout_s: float = 10.0
) -> Iterator[Outcome]:
    """Get a time stamp for each manifest on the queue, the most urgent first; yields what became of each, once it is kept.

    Args:
        tsa_url: RFC 3161 authority. Its answers are believed only as far as the desk's lists go: one that lies, or that
            nobody vouches for, stamps nothing.
        clock: The instant, asked again for each.
    Raises:
        StoreError: the registry cannot be asked or written.
    """
    assert desk.registry is not None
    failures, why = 0, None
    for due in desk.registry.stamp_queue(limit=limit, at=clock()):
        standing = _standing(due, clock())
        if standing.state is StampState.EXPIRED:
            yield standing
        elif failures >= _GIVE_UP_AFTER:
            yield Outcome(due.manifest_id, due.due, StampState.WAITING, why=why)
        else:
            try:
                yield _stamp(due, desk, tsa_url, clock, timeout_s)
                failures = 0
            except TimeStampError as error:
                failures, why = failures + 1, str(error)
                yield Outcome(due.manifest_id, due.due, StampState.WAITING, why=why)


def stamp_file(source: Path, destination: Path, studio: Studio, *, at: datetime, register: bool = True) -> Signed:
    """Write a signed file anew with an update manifest that holds a time stamp for its active manifest.

    Raises:
        InputError: it carries no credential, one that does not hold, one that is stamped already or came too late.
        UnavailableError: no time stamp authority answers.
        OutputError, SigningError, StoreError: as `capture.sign`.
    """
    with placing(source, destination) as scratch:
        given = signed_source(source, studio, purpose="could be stamped")
        _require_stampable(source, given.credential, studio, at)
        if studio.tsa() is None:
            raise UnavailableError("the time stamp authority")
        signed = write_updated(
            given,
            destination,
            scratch,
            studio,
            at=at,
            summary={"stamped": given.credential.active},
            stamp=True,
            register=register,
        )
    if given.record is not None:
        _keep_embedded(given.record, destination, given.media_type, studio, at)
    return signed


def _standing(due: StampDue, at: datetime) -> Outcome:
    return Outcome(due.manifest_id, due.due, StampState.EXPIRED if due.due <= at else StampState.WAITING)


def _stamp(due: StampDue, desk: Desk, tsa_url: str, clock: Callable[[], datetime], timeout_s: float) -> Outcome:
    assert desk.registry is not None
    manifest = _manifest(due, desk)
    if manifest is None or manifest.sealed is None:
        return Outcome(due.manifest_id, due.due, StampState.UNREADABLE, why="its manifest store is damaged or gone")
    message = message_assertion(manifest.sealed.signature)
    token = tsa_client.ask(tsa_url, message, nonce=secrets.randbits(63), at=clock(), timeout_s=timeout_s)
    stamp = check_token(token, message, desk.lists, at=clock())
    if stamp.state is not TimeState.TRUSTED or stamp.at is None:
        raise TimeStampError(f"nobody vouches for this authority: {stamp.reason}")
    end = appraisal.leaf_end(manifest)
    if end is None or stamp.at > end:
        return Outcome(due.manifest_id, due.due, StampState.EXPIRED, why="the stamp came after the certificate's end")
    desk.registry.keep_stamp(due.manifest_id, token, stamped_at=stamp.at, at=clock())
    return Outcome(due.manifest_id, due.due, StampState.STAMPED, stamp.at)


def _manifest(due: StampDue, desk: Desk) -> Manifest | None:
    assert desk.registry is not None
    try:
        store = desk.registry.manifest_store(due.manifest_id)
    except StoreError:
        return None
    credential = desk.workers.run(tasks.read_registered, store) if store is not None else None
    return credential.manifests.get(due.manifest_id) if isinstance(credential, Credential) else None


def _require_stampable(source: Path, found: Credential, studio: Studio, at: datetime) -> None:
    weighed = appraisal.appraise(found.manifest, credential=found, lists=studio.desk.lists, revocations={}, at=at)
    if weighed.time.state == "trusted":
        raise InputError(str(source), "has a trusted time stamp already")
    if weighed.leaf_not_after is not None and weighed.leaf_not_after < at:
        raise InputError(str(source), f"its certificate ended on {weighed.leaf_not_after:%Y-%m-%d}: a stamp now proves nothing")
    if not weighed.sound or str(weighed.binding) != "match":
        raise InputError(str(source), "its credential does not hold; a time stamp would not mend it")


def _keep_embedded(record: AssetRecord, path: Path, media_type: str, studio: Studio, at: datetime) -> None:
    """Keep the token that the update manifest holds for the asset's own manifest: its other copies are served by it too."""
    assert studio.desk.registry is not None
    updated = studio.desk.workers.run(tasks.read_credential, str(path), media_type, None)
    if not isinstance(updated, Credential):
        return
    for token in appraisal.later_stamps(record.manifest_id, updated):
        manifest = updated.manifests[record.manifest_id]
        signature = manifest.sealed.signature if manifest.sealed else b""
        stamp = check_token(token, message_assertion(signature), studio.desk.lists, at=datetime.now(UTC))
        if stamp.state is TimeState.TRUSTED and stamp.at is not None:
            studio.desk.registry.keep_stamp(record.manifest_id, token, stamped_at=stamp.at, at=at)
