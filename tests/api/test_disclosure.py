"""EU AI Act, art. 50: what a signed claim says is synthetic is told with the status; where none says so, nothing is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from provenance.feed import public_status
from provenance.verdict import AssetFacts, CredentialFacts, Inputs, MarkFacts, Source, Status, Verdict

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
WHOLLY, PARTLY, CHANGED = "inception:fullyGenAIMedia", "inception:partlyGenAICreation", "transformation:perceptibleGenAI"


def status_of(status: Status, *signals: str) -> dict[str, Any]:
    verdict = Verdict(
        status=status,
        summary="",
        asset=AssetFacts("0" * 64, "image/jpeg"),
        credential=CredentialFacts(Source.EMBEDDED),
        mark=MarkFacts(found=False),
        inputs=Inputs("x", "x", {}, AT),
        signals=signals,
    )
    return public_status(verdict)


@pytest.mark.parametrize("status", [Status.TRUSTED, Status.VALID, Status.RECOVERED, Status.ALTERED])
@pytest.mark.parametrize(("signal", "ai"), [(WHOLLY, "wholly"), (PARTLY, "partly"), (CHANGED, "partly")])
def test_what_is_stated_is_told(status: Status, signal: str, ai: str) -> None:
    told = status_of(status, signal)["disclosure"]
    assert told["ai"] == ai
    assert told["law"] == "EU AI Act, art. 50"
    assert told["say"].lower().startswith(ai if signal != CHANGED else "changed")
    assert "credential states" in told["say"]
    assert "made with AI" not in told["say"]


def test_wholly_outweighs_partly() -> None:
    assert status_of(Status.VALID, CHANGED, WHOLLY)["disclosure"]["ai"] == "wholly"


@pytest.mark.parametrize("status", [Status.INVALID, Status.REVOKED, Status.CONFLICT, Status.NONE, Status.UNKNOWN])
def test_where_no_claim_stands_nothing_is_told(status: Status) -> None:
    assert "disclosure" not in status_of(status, WHOLLY)


@pytest.mark.parametrize("signal", ["inception:capturedMedia", "inception:compositionMayContainGenAI",
                                    "transformation:perceptiblePossiblyGenAI", "inception:mediaUnknownProvenance"])  # fmt: skip
def test_what_is_only_possible_is_not_told_as_so(signal: str) -> None:
    assert "disclosure" not in status_of(Status.TRUSTED, signal)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "ai"),
    [("trainedAlgorithmicMedia", "wholly"), ("compositeWithTrainedAlgorithmicMedia", "partly"), ("digitalCapture", None)],
)
def test_from_signing_to_the_feed(client: TestClient, photo: bytes, source: str, ai: str | None) -> None:
    data = {"source": source, "mark": "none"}
    answer = client.post("/api/v1/sign", files={"file": ("x.jpg", photo)}, data=data, headers={"accept": "application/json"})
    assert answer.status_code == 201, answer.text
    for name in (answer.json()["asset_id"], answer.json()["sha256"]):
        (item,) = client.get(f"/api/v1/feed/status?ids={name}").json()["items"]
        assert item.get("disclosure", {}).get("ai") == ai
