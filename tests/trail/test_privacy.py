"""What lies beside an entry can go; the entry, its number and every proof stay."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from provenance.errors import NotFoundError, UnstorableError
from provenance.store import Registry
from provenance.store.log import Log
from provenance.trail.entry import canonical, payload_digest
from provenance.trail.note import NoteKey
from provenance.trail.proof import prove
from provenance.trail.sequencer import Sequencer
from provenance.trail.tree import leaf_hash

Keys = tuple[NoteKey, NoteKey]


def test_an_erased_payload_breaks_no_proof(registry: Registry, sequencer: Sequencer, log: Log, keys: Keys, at: datetime) -> None:
    first = registry.append("consent", None, {"person": "Ada Lovelace"}, at=at)
    registry.append("judged", None, {}, at=at)
    sequencer.drain()
    before, proof = log.entry(first), log.prove(0)
    assert before is not None
    assert before.salt is not None
    assert before.payload is not None
    assert json.loads(before.body)["payload_digest"] == payload_digest(before.salt, canonical(before.payload))

    said = registry.erase(first, "asked for by the person", at)
    assert said is not None
    sequencer.drain()
    after = log.entry(first)
    assert after is not None
    assert (after.payload, after.salt) == (None, None)
    assert (after.body, after.digest, after.seq, after.kind) == (before.body, before.digest, 0, "consent")
    for one in (proof, log.prove(0)):
        assert prove(one, leaf_hash(after.body), keys).holds
    told = log.entry(said)
    assert told is not None
    assert (told.kind, told.payload) == ("erased", {"erased": before.digest, "reason": "asked for by the person"})
    assert told.seq == 2
    assert b"Lovelace" not in b"".join(entry.body for entry in log.entries(0, 3))


def test_erasing_twice_says_nothing_more(registry: Registry, log: Log, at: datetime) -> None:
    entry = registry.append("consent", None, {"person": "Ada"}, at=at)
    assert registry.erase(entry, "because", at) is not None
    assert registry.erase(entry, "because", at) is None
    assert log.waiting() == 2


def test_what_cannot_be_erased(registry: Registry, log: Log, at: datetime) -> None:
    with pytest.raises(NotFoundError):
        registry.erase(99, "because", at)
    entry = registry.append("consent", None, {"person": "Ada"}, at=at)
    for reason in ("", "a\0b", "x" * 20_000):
        with pytest.raises(UnstorableError):
            registry.erase(entry, reason, at)
    found = log.entry(entry)
    assert found is not None
    assert found.payload == {"person": "Ada"}
