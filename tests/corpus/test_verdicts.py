"""Our own verdict on every file of the C2PA corpus at a given instant, stated in verdicts.csv with the reason wherever it
is not what the library's opinion amounts to."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keys.lists import ListKind, TrustList, bundled
from provenance import sdk
from provenance.judge import Evidence, judge
from provenance.verdict import AssetFacts, Source, Status, Trust, Verdict
from watermark import media

AT = datetime(2026, 11, 21, tzinfo=UTC)
TABLE = list(csv.DictReader((Path(__file__).parent / "verdicts.csv").read_text("utf-8").splitlines()))
# What the library's word amounts to in ours.
AS_OURS = {
    "Trusted": "trusted",
    "Valid": "valid",
    "Invalid": "invalid",
    "none": "none",
    "remote": "unknown",
    "error": "invalid",
}


@pytest.fixture(scope="module")
def roots(corpus: Path) -> TrustList:
    folder = corpus / "c2pa" / "trust"
    return TrustList.from_pem(
        (folder / "c2pa-test-roots.pem").read_bytes() + (folder / "ms-test-root.pem").read_bytes(),
        kind=ListKind.SIGNER,
        name="test roots",
        uri="urn:colophon:test",
        date=AT.date(),
        source="corpus",
        ekus=frozenset({"1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36"}),
    )


@pytest.fixture(scope="module")
def library(corpus: Path) -> dict[str, dict[str, str]]:
    return {row["path"]: row for row in csv.DictReader((corpus / "c2pa" / "expected.csv").read_text("utf-8").splitlines())}


def verdict(path: Path, lists: tuple[TrustList, ...], at: datetime = AT, store: bytes | None = None) -> Verdict:
    head = path.read_bytes()[:8192]
    kind = media.sniff(head, path.name)
    with path.open("rb") as stream:
        credential = sdk.read(stream, kind, store=store)
    source = Source.EMBEDDED if store is None else Source.SIDECAR
    return judge(Evidence(AssetFacts("0" * 64, kind), credential, source), lists=lists, at=at, validator="test")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["path"])
def test_verdict(row: dict[str, str], corpus: Path, roots: TrustList, library: dict[str, dict[str, str]]) -> None:
    path = corpus / "c2pa" / row["path"]
    assert verdict(path, bundled()).status == row["bundled_lists"]
    assert verdict(path, (roots, *bundled())).status == row["test_roots"]
    theirs = library[row["path"]]
    lists = "Trusted" if "Trusted" in (theirs["state_c2pa_lists"], theirs["state_interim_list"]) else theirs["state_c2pa_lists"]
    roots = "Trusted" if lists == "Trusted" else theirs["state_test_roots"]
    same = (AS_OURS[lists], AS_OURS[roots]) == (row["bundled_lists"], row["test_roots"])
    assert same != bool(row["why_it_differs_from_the_library"]), "a difference has its reason, and only a difference"


def test_table_is_complete(corpus: Path, library: dict[str, dict[str, str]]) -> None:
    assert {row["path"] for row in TABLE} == {path for path in library if " + " not in path}


def test_sidecar_counts_as_the_files_own(corpus: Path, roots: TrustList) -> None:
    folder = corpus / "c2pa"
    found = verdict(folder / "dev_sidecar.jpg", (roots,), store=(folder / "dev_sidecar.c2pa").read_bytes())
    assert found.status is Status.TRUSTED
    assert found.credential.source is Source.SIDECAR


def test_old_stamp_from_an_unlisted_authority_does_not_prolong_a_leaf(corpus: Path, roots: TrustList) -> None:
    """The library calls this Trusted: it never checks who stamped a claim v1."""
    found = verdict(corpus / "c2pa" / "ms-expired-with-timestamp.jpg", (roots,))
    assert found.status is Status.INVALID
    assert found.credential.trust is Trust.EXPIRED
    assert found.credential.time.state == "untrusted"


def test_signer_under_a_time_stamp_root_is_not_trusted(corpus: Path, roots: TrustList) -> None:
    """The library pools anchors of all kinds; ours are kept apart by kind."""
    as_tsa = TrustList.from_pem(
        (corpus / "c2pa" / "trust" / "c2pa-test-roots.pem").read_bytes(),
        kind=ListKind.TSA,
        name="wrong kind",
        uri="urn:colophon:test-tsa",
        date=AT.date(),
        source="corpus",
    )
    found = verdict(corpus / "c2pa" / "dev_signed.jpg", (as_tsa,))
    assert found.status is Status.VALID
    assert found.credential.trust is Trust.UNTRUSTED


def test_ancestors_that_failed_are_told(corpus: Path) -> None:
    found = verdict(corpus / "c2pa" / "genai-actions-v2.jpg", bundled())
    assert found.status is Status.TRUSTED
    assert any(step.ingest_faults for step in found.history[1:])
    assert any(reason.code == "history.ingest" for reason in found.reasons)


def test_a_later_manifest_may_stamp_its_parent(corpus: Path, roots: TrustList) -> None:
    found = verdict(corpus / "c2pa" / "update-manifest.jpg", (roots, *bundled()))
    assert found.history[1].at == datetime(2025, 5, 28, 13, 50, 3, tzinfo=UTC)


def test_before_the_leaf_began_nothing_is_trusted(corpus: Path, roots: TrustList) -> None:
    early = datetime(2010, 1, 1, tzinfo=UTC)
    assert verdict(corpus / "c2pa" / "dev_signed.jpg", (roots,), at=early).status is Status.INVALID
