"""The registry: all or nothing, the same answer twice, no string that breaks it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, event

from provenance.errors import (
    ConflictError,
    DamagedObjectError,
    NotFoundError,
    ProvenanceError,
    StoreError,
    UnstorableError,
)
from provenance.store import Binding, Objects, Registration, Registry

Make = Callable[..., Registration]
Rows = Callable[[], dict[str, int]]

HOSTILE = [
    "'; DROP TABLE asset; --",
    '"asset"',
    "%s %(x)s :name ? {0} $1 \\",
    "🙂 👩‍👩‍👧 \U0010ffff",
    "\u202ehtob\u202c ways",
    "e\u0301 é",
    "line\r\nbreak\ttab \x01\x7f",
    "NULL",
    " ",
    "x" * 512,
    "é" * 256,
]
UNSTORABLE = ["", "\0", "a\0b", "\ud800", "x" * 513, "é" * 257, "x" * (1 << 20)]


def test_a_registration_comes_back_whole(registry: Registry, make: Make, at: datetime) -> None:
    receipt = registry.register(make(1), at=at)
    assert (receipt.asset_id, receipt.new) == ("asset-1", True)
    found = registry.asset("asset-1")
    assert found is not None
    given = make(1)
    same = set(vars(given)) - {"manifest_store", "reference", "summary", "bindings", "kin", "ingredients", "consent"}
    assert {name: getattr(found, name) for name in same} == {name: getattr(given, name) for name in same}
    assert set(found.bindings) == set(given.bindings)
    assert (found.created_at, found.withdrawn_at, found.stamped_at) == (at, None, None)
    assert registry.manifest_store("urn:c2pa:1") == given.manifest_store
    assert registry.reference("asset-1") == given.reference
    assert registry.by_sha256(given.sha256) == found
    assert registry.by_manifest("urn:c2pa:1") == found
    (entry,) = registry.trail("asset-1")
    assert (entry.id, entry.kind, entry.payload, entry.seq) == (receipt.entry_id, "captured", {"file": "1.jpg"}, None)


def test_the_least_that_can_be_registered(registry: Registry, make: Make, at: datetime) -> None:
    """A sound file without mark, reference or fingerprint, signed by a certificate that names nobody."""
    bare: dict[str, Any] = dict.fromkeys(
        ("width", "height", "reference", "reference_media_type", "reference_width", "reference_height", "fingerprint")
    )
    registry.register(make(1, **bare, bindings=(), signer_name="", duration_ms=61_000, summary={}), at=at)
    found = registry.asset("asset-1")
    assert found is not None
    assert (found.width, found.duration_ms, found.bindings, found.signer_name) == (None, 61_000, (), "")
    assert (found.reference_digest, registry.reference("asset-1")) == (None, None)


def test_registering_again_changes_nothing(registry: Registry, make: Make, at: datetime, rows: Rows) -> None:
    first = registry.register(make(1), at=at)
    registry.append("judged", "asset-1", {}, at=at)
    before = rows()
    later = at + timedelta(days=1)
    for again in (make(1), make(1, asset_id="another id"), make(1, action="registered", bindings=(), summary={"x": 1})):
        receipt = registry.register(again, at=later)
        assert (receipt.asset_id, receipt.entry_id, receipt.new) == (first.asset_id, first.entry_id, False)
    assert rows() == before
    assert registry.asset("another id") is None


def test_what_is_taken_stays_taken(registry: Registry, make: Make, at: datetime, rows: Rows) -> None:
    registry.register(make(1), at=at)
    before = rows()
    in_the_way = [
        make(2, asset_id="asset-1"),  # other bytes, other manifest
        make(1, manifest_id="urn:c2pa:2"),  # these bytes, another manifest
        make(2, manifest_id="urn:c2pa:1"),  # the label, for another store
        make(1, manifest_store=b"another store"),
        make(2, asset_id="asset-1", manifest_id="urn:c2pa:1", manifest_store=b"store 1"),
    ]
    for registration in in_the_way:
        with pytest.raises(ConflictError):
            registry.register(registration, at=at)
    assert rows() == before


def test_bytes_may_carry_a_second_manifest_under_a_second_id(registry: Registry, make: Make, at: datetime) -> None:
    """A detached manifest by somebody else; it never takes the place of the first."""
    registry.register(make(1), at=at)
    assert registry.register(make(2, sha256=make(1).sha256), at=at).new
    first = registry.by_sha256(make(1).sha256)
    assert first is not None
    assert first.asset_id == "asset-1"


def test_a_failure_at_any_statement_leaves_nothing(
    engine: Engine, registry: Registry, make: Make, at: datetime, rows: Rows
) -> None:
    registry.register(make(1), at=at)
    before = rows()
    child = make(2, parent_asset_id="asset-1", action="edited")
    fuse = [0]

    @event.listens_for(engine, "after_cursor_execute")
    def burn(*_: Any) -> None:
        fuse[0] -= 1
        if fuse[0] == 0:
            raise RuntimeError("the power failed")

    failed = 0
    while True:
        fuse[0] = failed + 1
        try:
            registry.register(child, at=at)
        except RuntimeError:
            failed += 1
            fuse[0] = 0
            assert rows() == before
        else:
            break
    fuse[0] = 0
    assert failed >= 8  # manifest, asset, parent, lineage, bindings, chunks, entry, payload, pending
    grown = {table: n - before[table] for table, n in rows().items() if n != before[table]}
    assert grown == {
        "manifest": 1,
        "asset": 1,
        "lineage": 1,
        "binding": 2,
        "fingerprint_chunk": 16,
        "trail_entry": 1,
        "trail_payload": 1,
        "trail_pending": 1,
    }


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"parent_asset_id": "nobody"}, NotFoundError),
        ({"fingerprint": "no ISCC"}, UnstorableError),
        ({"summary": {"score": float("nan")}}, ValueError),
        ({"summary": {"when": object()}}, TypeError),
        ({"summary": {"name": "\ud800"}}, ValueError),
    ],
)
def test_what_only_the_last_steps_notice_leaves_nothing(
    registry: Registry, make: Make, at: datetime, rows: Rows, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        registry.register(make(1, **change), at=at)
    assert not any(rows().values())


def test_eight_threads_register_the_same_asset(registry: Registry, make: Make, at: datetime) -> None:
    receipts = in_threads(8, lambda n: registry.register(make(1, asset_id=f"id of {n}"), at=at))
    assert sorted(r.new for r in receipts) == [False] * 7 + [True]
    assert len({(r.asset_id, r.entry_id) for r in receipts}) == 1
    assert len(registry.trail(receipts[0].asset_id)) == 1


def test_eight_threads_want_the_same_id(registry: Registry, make: Make, at: datetime, rows: Rows) -> None:
    receipts = in_threads(8, lambda n: registry.register(make(n, asset_id="the one"), at=at), expect=ConflictError)
    assert [r.new for r in receipts] == [True]
    assert (rows()["asset"], rows()["manifest"], rows()["trail_entry"]) == (1, 1, 1)


def test_eight_threads_register_different_assets(registry: Registry, make: Make, at: datetime, rows: Rows) -> None:
    in_threads(8, lambda n: [registry.register(make(10 * n + i), at=at) for i in range(10)])
    assert (rows()["asset"], rows()["trail_entry"], rows()["trail_pending"]) == (80, 80, 80)
    assert all(registry.asset(f"asset-{n}") for n in range(80))


def test_a_binding_is_an_algorithm_and_a_value(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1, bindings=(Binding("alg.one", "v"), Binding("alg.two", "w"), Binding("alg.one", "v"))), at=at)
    registry.register(make(2, bindings=(Binding("alg.two", "v"),)), at=at)
    registry.register(make(3, bindings=(Binding("alg.one", "v"),)), at=at)

    def found(alg: str, value: str) -> list[str]:
        return [a.asset_id for a in registry.by_binding(alg, value)]

    assert found("alg.one", "v") == ["asset-1", "asset-3"]
    assert found("alg.two", "v") == ["asset-2"]
    assert found("alg.one", "w") == []
    assert found("alg.one", "V") == []
    assert found("alg", "v") == []
    assert found("alg.one", "%") == []


def test_a_family(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    registry.register(make(2, parent_asset_id="asset-1", action="edited"), at=at)
    registry.register(make(3, parent_asset_id="asset-2", action="rendition"), at=at)
    registry.register(make(4, parent_asset_id="asset-1", action="edited"), at=at)
    registry.register(make(5), at=at)
    assert [a.asset_id for a in registry.children("asset-1")] == ["asset-2", "asset-4"]
    assert [a.asset_id for a in registry.parents("asset-3")] == ["asset-2"]
    assert registry.parents("asset-1") == registry.children("asset-3") == registry.children("nobody") == ()
    third = registry.asset("asset-3")
    assert third is not None
    assert third.parent_asset_id == "asset-2"
    assert [e.asset_id for e in registry.trail("asset-3")] == ["asset-3"]
    told = registry.trail("asset-3", include_parents=True)
    assert [(e.asset_id, e.kind) for e in told] == [
        ("asset-1", "captured"),
        ("asset-2", "edited"),
        ("asset-3", "rendition"),
    ]


def test_a_very_long_line_of_edits(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(0), at=at)
    for n in range(1, 60):
        registry.register(make(n, parent_asset_id=f"asset-{n - 1}", action="edited"), at=at)
    assert len(registry.trail("asset-59", include_parents=True)) == 60


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_back_as_it_was(registry: Registry, make: Make, at: datetime, text: str) -> None:
    registry.register(
        make(
            1,
            asset_id=text,
            manifest_id=text,
            media_type=text,
            signer_name=text,
            signer_fingerprint=text,
            time_state=text,
            reference_media_type=text,
            bindings=(Binding(text, text),),
            summary={text: [text]},
        ),
        at=at,
    )
    found = registry.asset(text)
    assert found is not None
    assert {found.asset_id, found.manifest_id, found.signer_name, found.media_type, found.time_state} == {text}
    assert registry.by_manifest(text) == found
    assert registry.by_binding(text, text) == (found,)
    assert registry.manifest_labels() == (text,)
    assert [e.payload for e in registry.trail(text)] == [{text: [text]}]
    registry.withdraw(text, text, at)
    assert registry.revoke(text, reason=text, at=at) == registry.revocation(text)
    registry.set_status(text, found.sha256, {text: text}, at=at)
    assert set(registry.statuses([text])) == {text}
    assert registry.remember(text, text, "0" * 64, b"answer", at=at) == b"answer"
    assert registry.recall(text, text, "0" * 64) == b"answer"


@pytest.mark.parametrize("text", UNSTORABLE)
def test_what_no_database_holds_is_refused_by_both_and_found_by_none(
    registry: Registry, make: Make, at: datetime, rows: Rows, text: str
) -> None:
    long = len(text) > 2
    for field in ("asset_id", "manifest_id", "media_type", "signer_fingerprint", "time_state", "reference_media_type"):
        with pytest.raises(UnstorableError, match=field):
            make(1, **{field: text})
    with pytest.raises(UnstorableError, match="binding"):
        Binding(text, "v")
    for write in (
        lambda: registry.revoke(text, reason="r", at=at),
        lambda: registry.set_status(text, "0" * 64, {}, at=at),
        lambda: registry.remember(text, "r", "0" * 64, b"", at=at),
        lambda: registry.remember("k", text, "0" * 64, b"", at=at),
    ):
        with pytest.raises(UnstorableError) as caught:
            write()
        assert not long or len(str(caught.value)) < 200
    for change in (
        lambda: registry.append("judged", text, {}, at=at),
        lambda: registry.withdraw(text, "r", at),
        lambda: registry.stamped(text, at),
    ):
        with pytest.raises(NotFoundError):
            change()
    assert registry.asset(text) is registry.by_sha256(text) is registry.by_manifest(text) is None
    assert registry.manifest_store(text) is registry.reference(text) is registry.revocation(text) is None
    assert registry.recall(text, "r", "0" * 64) is registry.recall("k", text, "0" * 64) is None
    assert registry.by_binding(text, "v") == registry.by_binding("a", text) == ()
    assert registry.parents(text) == registry.children(text) == registry.trail(text) == ()
    assert registry.trail(text, include_parents=True) == ()
    assert registry.statuses([text, text]) == {}
    assert registry.manifest_labels(after=text) == ()
    assert not any(rows().values())


def test_a_certificate_with_a_hostile_name(make: Make) -> None:
    for name in ("\0", "\ud800", "x" * (1 << 20)):
        with pytest.raises(UnstorableError, match="signer_name"):
            make(1, signer_name=name)


def test_a_megabyte_of_summary_comes_back(registry: Registry, make: Make, at: datetime) -> None:
    summary = {"note": "\0🙂" * (1 << 18)}
    registry.register(make(1, summary=summary), at=at)
    assert registry.trail("asset-1")[0].payload == summary


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sha256": "A" * 64}, UnstorableError),
        ({"sha256": "0" * 63}, UnstorableError),
        ({"action": "deleted"}, ValueError),
        ({"parent_asset_id": "asset-1"}, ValueError),
        ({"reference_media_type": None}, ValueError),
        ({"reference": None}, ValueError),
        ({"width": -1}, UnstorableError),
        ({"height": 2**31}, UnstorableError),
        ({"duration_ms": 2**80}, UnstorableError),
        ({"signed_at": datetime(2026, 1, 1)}, ValueError),  # noqa: DTZ001
        ({"stamp_due": datetime(2026, 1, 1)}, ValueError),  # noqa: DTZ001
        ({"fingerprint": ""}, UnstorableError),
    ],
)
def test_an_invalid_registration_cannot_be_made(make: Make, change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        make(1, **change)


def test_instants_need_a_zone_and_keep_their_moment(registry: Registry, make: Make, at: datetime, rows: Rows) -> None:
    naive = datetime(2026, 11, 21)  # noqa: DTZ001
    for write in (
        lambda: registry.register(make(1), at=naive),
        lambda: registry.append("judged", None, {}, at=naive),
        lambda: registry.revoke("f", reason="r", at=naive),
        lambda: registry.set_status(None, "0" * 64, {}, at=naive),
        lambda: registry.remember("k", "r", "0" * 64, b"", at=naive),
    ):
        with pytest.raises(ValueError, match="zone"):
            write()
    assert not any(rows().values())
    elsewhere = at.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    registry.register(make(1, signed_at=elsewhere), at=elsewhere)
    found = registry.asset("asset-1")
    assert found is not None
    assert found.created_at == found.signed_at == at
    assert found.created_at.tzinfo is UTC
    assert registry.trail("asset-1")[0].at == at


def test_damage_and_loss_in_the_folder_are_noticed(registry: Registry, objects: Objects, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    found = registry.asset("asset-1")
    assert found is not None
    assert found.reference_digest is not None
    objects.path(found.manifest_digest).write_bytes(b"store 2")
    objects.path(found.reference_digest).unlink()
    with pytest.raises(DamagedObjectError):
        registry.manifest_store("urn:c2pa:1")
    with pytest.raises(NotFoundError):
        registry.reference("asset-1")


def test_a_credential_is_revoked_once_and_for_good(registry: Registry, at: datetime, rows: Rows) -> None:
    assert registry.revocation("sha256:aa") is None
    first = registry.revoke("sha256:aa", reason="superseded", at=at)
    assert registry.revoke("sha256:aa", reason="superseded", at=at + timedelta(days=1)) == first
    assert rows()["trail_entry"] == 1
    later = registry.revoke("sha256:aa", reason="keyCompromise", at=at + timedelta(days=9))
    assert (later.reason, later.at) == ("keyCompromise", at)
    earlier = registry.revoke("sha256:aa", reason="unspecified", at=at - timedelta(days=9))
    assert (earlier.reason, earlier.at) == ("unspecified", at - timedelta(days=9))
    assert registry.revocation("sha256:aa") == earlier
    assert registry.revocation("sha256:ab") is None
    assert (rows()["trail_entry"], rows()["revocation"]) == (3, 1)


def test_eight_threads_revoke_the_same_credential(registry: Registry, at: datetime, rows: Rows) -> None:
    in_threads(8, lambda n: registry.revoke("sha256:aa", reason="keyCompromise", at=at))
    assert (rows()["revocation"], rows()["trail_entry"]) == (1, 1)


def test_an_asset_is_withdrawn_once(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    with pytest.raises(NotFoundError):
        registry.withdraw("nobody", "mistake", at)
    with pytest.raises(UnstorableError):
        registry.withdraw("asset-1", "\0", at)
    registry.withdraw("asset-1", "mistake", at)
    registry.withdraw("asset-1", "again", at + timedelta(days=1))
    found = registry.asset("asset-1")
    assert found is not None
    assert found.withdrawn_at == at
    assert [(e.kind, e.payload) for e in registry.trail("asset-1")][1:] == [("withdrawn", {"reason": "mistake"})]


def test_manifests_wait_for_their_stamp_in_order_of_urgency(registry: Registry, make: Make, at: datetime) -> None:
    for n, days in ((1, 30), (2, -1), (3, None), (4, 10)):
        due = None if days is None else at + timedelta(days=days)
        registry.register(make(n, stamp_due=due, time_state="untrusted"), at=at)
    waiting = registry.stamp_queue()
    assert [w.manifest_id for w in waiting] == ["urn:c2pa:2", "urn:c2pa:4", "urn:c2pa:1"]
    assert waiting[0].due == at - timedelta(days=1)
    registry.stamped("urn:c2pa:4", at)
    registry.stamped("urn:c2pa:4", at + timedelta(days=1))
    assert [w.manifest_id for w in registry.stamp_queue(limit=1)] == ["urn:c2pa:2"]
    assert len(registry.stamp_queue()) == 2
    stamped = registry.asset("asset-4")
    assert stamped is not None
    assert stamped.stamped_at == at
    with pytest.raises(NotFoundError):
        registry.stamped("urn:c2pa:99", at)


def test_labels_come_in_pages(registry: Registry, make: Make, at: datetime) -> None:
    for n in range(7):
        registry.register(make(n), at=at)
    first = registry.manifest_labels(limit=4)
    assert first + registry.manifest_labels(after=first[-1]) == tuple(f"urn:c2pa:{n}" for n in range(7))
    assert registry.manifest_labels(after="urn:c2pa:6") == ()


def test_a_page_of_matches_takes_three_queries(engine: Engine, registry: Registry, make: Make, at: datetime) -> None:
    for n in range(20):
        registry.register(make(n, bindings=(Binding("a", "same"),)), at=at)
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda c, cursor, sql, *_: said.append(sql))
    assert len(registry.by_binding("a", "same")) == 20
    assert len([s for s in said if s.startswith("SELECT")]) == 3


def test_store_errors_are_ours() -> None:
    assert issubclass(StoreError, ProvenanceError)


def in_threads(n: int, work: Callable[[int], Any], *, expect: type[Exception] | None = None) -> list[Any]:
    """Run `work(0)`…`work(n − 1)` at once and return what came of those that did not raise what was expected."""
    done: list[Any] = []
    failed: list[BaseException] = []
    start = threading.Barrier(n)

    def run(k: int) -> None:
        start.wait()
        try:
            done.append(work(k))
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [e for e in failed if expect is None or not isinstance(e, expect)], failed
    assert len(done) + len(failed) == n
    return done
