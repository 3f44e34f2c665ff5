"""Judge stored statuses anew after a revocation: from the stored manifest stores, without a file and without a hash.

What was compared when a status was made (bytes, pixels, marks) has not changed since, so it is taken from there; who
signed, when, and whether that still counts is weighed afresh by the same judge. New statuses, their webhooks and the end
of the note that asked for all this are one transaction; whatever stops it before, the next run begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from provenance import outbox, tasks
from provenance.credential import Credential, Remote, Results, SoftBinding, Unreadable
from provenance.desk import Desk
from provenance.errors import StoreError
from provenance.feed import public_status
from provenance.judge import Candidate, Evidence, judge
from provenance.marks import MarkReading
from provenance.sdk import VALIDATOR
from provenance.status import Content
from provenance.store.chores import Chores
from provenance.store.pending import ASSET, Message, Touched
from provenance.verdict import AssetFacts, Status
from provenance.verify import revocations, stamps

_AT_ONCE = 100  # manifest stores of one task
_COPIES = {Status.RECOVERED: Content.FITS, Status.ALTERED: Content.CHANGED, Status.REVOKED: Content.FITS}
_INTACT = frozenset({Status.TRUSTED, Status.VALID, Status.REVOKED})
_Read = Credential | Unreadable | Remote | None


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What one revocation changed: statuses looked at, documents replaced, words that are another now."""

    fingerprint: str
    seen: int
    replaced: int
    changed: int


def rejudge_all(
    desk: Desk, chores: Chores, *, targets: Sequence[str], at: datetime, new_id: Callable[[], str]
) -> tuple[Rejudged, ...]:
    """Judge anew whatever waits for it.

    Args:
        targets: Where webhooks go; one message for up to a hundred changes goes to each.
        new_id: A fresh id of a message.
    Raises:
        StoreError: the registry cannot be asked or written; nothing of the signer at hand was changed.
    """
    return tuple(_rejudge(fingerprint, since, desk, chores, targets, at, new_id) for fingerprint, since in chores.revoked())


def _rejudge(
    fingerprint: str, since: datetime, desk: Desk, chores: Chores, targets: Sequence[str], at: datetime, new_id: Callable[[], str]
) -> Rejudged:
    touched = sorted(chores.touched(fingerprint), key=lambda one: one.asset.manifest_id)  # so that each store is read once
    changes = [(old, new) for old, new in _judged(touched, desk, at) if _differs(old, new)]
    told = [_change(old, new) for old, new in changes if json.loads(old.document)["status"] != new["status"]]
    messages: list[Message] = outbox.status_changed(told, targets=targets, at=at, new_id=new_id)
    cause = "withdrawn" if fingerprint.startswith(ASSET) else "revoked"
    replaced = chores.rejudged(fingerprint, since, changes, messages, at=at, cause=cause)
    return Rejudged(fingerprint, len(touched), replaced, len(told))


def _judged(touched: Sequence[Touched], desk: Desk, at: datetime) -> Iterator[tuple[Touched, dict[str, Any]]]:
    assert desk.registry is not None
    for start in range(0, len(touched), _AT_ONCE):
        part = touched[start : start + _AT_ONCE]
        read = _credentials(part, desk)
        known = [credential for credential in read if isinstance(credential, Credential)]
        revoked, stamped = revocations(known, desk.registry), stamps(known, desk.registry)
        for old, credential in zip(part, read, strict=True):
            evidence = _evidence(old, credential)
            if evidence is not None:
                evidence = replace(evidence, revocations=revoked, stamps=stamped)
                yield old, public_status(judge(evidence, lists=desk.lists, at=at, validator=VALIDATOR))


def _credentials(part: Sequence[Touched], desk: Desk) -> list[_Read]:
    """The registered credential of each; None where its object is damaged or gone. A manifest is fetched and read once."""
    assert desk.registry is not None
    stores: dict[str, bytes] = {}
    for label in dict.fromkeys(old.asset.manifest_id for old in part):
        try:
            store = desk.registry.manifest_store(label)
        except StoreError:
            store = None
        if store:
            stores[label] = store
    read = dict(zip(stores, desk.workers.run(tasks.read_many, list(stores.values())), strict=True))
    return [read.get(old.asset.manifest_id) for old in part]


def _evidence(old: Touched, credential: _Read) -> Evidence | None:
    """The evidence that the stored status stood on; None where it stood on something that is not kept."""
    if not isinstance(credential, Credential):
        return None
    document, record = json.loads(old.document), old.asset
    word, part = Status(document["status"]), document.get("part", {})
    bound = next((SoftBinding(b.alg, b.value) for b in record.bindings), None)
    facts = AssetFacts(old.sha256, record.media_type, record.asset_id, record.width, record.height, record.duration_ms)
    how = document.get("found_by", "mark" if bound else "manifest")
    mark = MarkReading(looked=bound is not None, binding=bound if old.own or how == "mark" else None)
    if old.own and word in _INTACT:
        withdrawn = record.withdrawn_at is not None
        return Evidence(asset=facts, credential=_bound(credential), mark=mark, withdrawn=withdrawn)
    if old.own or word not in _COPIES:
        return None
    candidate = Candidate(
        asset_id=record.asset_id,
        manifest_id=record.manifest_id,
        how=how,
        credential=credential,
        content=_COPIES[word],
        fit=None,
        coverage=part.get("covered"),
        kept=part.get("shown"),
        changes=(),
        pose=None,
        withdrawn=record.withdrawn_at is not None,
    )
    return Evidence(asset=facts, credential=None, mark=mark, owners=(record.manifest_id,), candidate=candidate)


def _bound(credential: Credential) -> Credential:
    """The credential as it reads in its own asset: the bytes that its digest names were compared when it was registered."""
    active = credential.manifest
    failure = tuple(c for c in active.results.failure if not _speaks_of_content(c.code))
    results = Results(active.results.success, active.results.informational, failure)
    return replace(credential, manifests={**credential.manifests, active.id: replace(active, results=results)})


def _speaks_of_content(code: str) -> bool:
    return code.startswith("assertion.") and code.endswith("Hash.mismatch")


def _differs(old: Touched, new: Mapping[str, Any]) -> bool:
    """Whether anything but the instant is another."""
    return {**json.loads(old.document), "at": None} != {**new, "at": None}


def _change(old: Touched, new: Mapping[str, Any]) -> dict[str, Any]:
    before = json.loads(old.document)["status"]
    return {"sha256": old.sha256, "asset_id": old.asset.asset_id, "before": before, "after": new["status"], "status": new}
