"""The receipt of the Soft Binding Resolution API: it holds by itself, and nothing in it can be exchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from provenance.store import Registry
from provenance.store.log import Log
from provenance.trail.entry import canonical
from provenance.trail.note import NoteKey
from provenance.trail.receipt import assertion, check, receipt
from provenance.trail.sequencer import Sequencer

Keys = tuple[NoteKey, NoteKey]
MANIFEST = "urn:c2pa:1"


@pytest.fixture
def given(registry: Registry, sequencer: Sequencer, log: Log, keys: Keys, at: datetime) -> dict[str, Any]:
    for n in range(5):
        registry.append("registered", None, {"manifest": f"urn:c2pa:{n}", "sha256": "ab" * 32}, at=at)
    sequencer.drain()
    (entry,) = log.entries(1, 2)
    assert entry.salt is not None
    assert entry.payload is not None
    return receipt(
        repository="https://repo.example/",
        log_uri="https://repo.example/api/v1/log",
        manifest_id=MANIFEST,
        body=entry.body,
        salt=entry.salt,
        payload=canonical(entry.payload),
        proof=log.prove(1),
        keys=keys,
    )


def test_a_receipt_holds(given: dict[str, Any], keys: Keys) -> None:
    found = check(given, manifest_id=MANIFEST, keys=keys)
    assert (found.verified, found.error, found.seq) == (True, None, 1)
    assert set(given) == {"@context", "@type", "repository", "anchor"}  # the standard allows no other members
    assert assertion(given)["label"] == "c2pa.repository-receipt"


def test_only_keys_that_one_trusts_count(given: dict[str, Any], seeded: Callable[[str], Any], keys: Keys) -> None:
    for wrong in ((), seeded("another log").keys(keys[0].name), seeded("x").keys("y")):
        found = check(given, manifest_id=MANIFEST, keys=wrong)
        assert not found.verified
        assert found.error == "its checkpoint is not signed by that log"


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (("@type",), "receipt", "not a manifest receipt"),
        (("repository", "manifestId"), "urn:c2pa:2", "it is the receipt of another manifest"),
        (("anchor", "proof", "type"), "x", "its proof is of a kind that is not known here"),
        (("anchor", "proof", "salt"), "00" * 16, "its payload is not the one that was recorded"),
        (("anchor", "proof", "salt"), "zz", "not a receipt of this kind"),
        (("anchor", "proof", "payload"), '{"manifest":"urn:c2pa:1"}', "its payload is not the one that was recorded"),
        (("anchor", "proof", "entry"), "{}", "entry: is no body of this log"),
        (("anchor", "proof", "tlogProof"), "", "proof: has no checkpoint after an empty line"),
        (("anchor", "proof"), None, "not a receipt of this kind"),
        (("anchor",), 7, "not a receipt of this kind"),
    ],
)
def test_what_is_exchanged_is_told(given: dict[str, Any], keys: Keys, path: tuple[str, ...], value: Any, error: str) -> None:
    bent = copy.deepcopy(given)
    place = bent
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    found = check(bent, manifest_id=MANIFEST, keys=keys)
    assert (found.verified, found.error) == (False, error)


def test_the_index_and_the_entry_belong_together(given: dict[str, Any], log: Log, keys: Keys) -> None:
    bent = copy.deepcopy(given)
    bent["anchor"]["proof"]["tlogProof"] = bytes(log.prove(2)).decode()
    assert check(bent, manifest_id=MANIFEST, keys=keys).error == "the entry is not in the log at that place"


def test_an_entry_of_another_manifest_gives_no_receipt(given: dict[str, Any], log: Log, keys: Keys) -> None:
    (entry,) = log.entries(2, 3)
    assert entry.salt is not None
    assert entry.payload is not None
    parts = {"body": entry.body, "salt": entry.salt, "payload": canonical(entry.payload)}
    with pytest.raises(ValueError, match="does not record"):
        receipt(repository="r", log_uri="l", manifest_id=MANIFEST, proof=log.prove(2), keys=keys, **parts)
