"""POST /analyze_…: the verdict, and its place in the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api import schemas
from api.guard import HEAVY, role_for

ROOT = "/api/v1/analyze_"


@pytest.mark.slow
def test_a_signed_photo_asks_for_no_look(client: TestClient, signed: dict[str, Any]) -> None:
    answer = client.post(ROOT + "image", files={"file": ("a.jpg", signed["bytes"])})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    schemas.Triage.model_validate(found, extra="forbid")
    assert (found["band"], found["provenance"]["status"]) == ("low", "trusted")
    verdict = client.post("/api/v1/verify", files={"file": ("a.jpg", signed["bytes"])}).json()
    for one in (found["provenance"], verdict):
        one["inputs"].pop("at")  # looked at anew where a signer waits to be judged again
    assert found["provenance"] == verdict


def test_what_is_of_another_medium_is_refused(client: TestClient, corpus: Path, photo: bytes, problem: Any) -> None:
    found = problem(client.post(ROOT + "audio", files={"file": ("a.wav", photo)}), 415, "unsupported-media")
    assert found["detail"] == "this is image/jpeg, which is no audio"
    problem(client.post(ROOT + "video", files={"file": ("a.mp4", b"no film at all")}), 415, "unsupported-media")
    problem(client.post(ROOT + "image", files={"file": ("a.jpg", b"")}), 422, "unusable-file")
    problem(client.post(ROOT + "image"), 422, "invalid-request")
    problem(client.post(ROOT + "smell", files={"file": ("a", b"x")}), 404, "not-found")


def test_it_is_heavy_work_of_auditors() -> None:
    assert role_for("POST", ROOT + "image") == "auditor"
    assert (ROOT + "video").startswith(HEAVY)
