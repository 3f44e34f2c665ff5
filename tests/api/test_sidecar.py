"""WebM, whose container holds no credential: signed, given out with the address of it, and verified with it and without."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.video.conftest import write_film

pytestmark = pytest.mark.slow
JSON = {"accept": "application/json"}
VERIFY = "/api/v1/verify?marks=false"
EMPTY = b"\xec\x81\x00"  # a void element of Matroska: the same film, other bytes


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    fast = {"deadline": "realtime", "cpu-used": "8"}
    path = tmp_path_factory.mktemp("film") / "pan.webm"
    return write_film(path, seconds=1, rate=12, size=(160, 96), codec="libvpx-vp9", **fast).read_bytes()


@pytest.fixture(scope="module")
def webm(client: TestClient, film: bytes) -> dict[str, Any]:
    answer = client.post("/api/v1/sign", files={"file": ("pan.webm", film)}, data={"mark": "none"}, headers=JSON)
    assert answer.status_code == 201, answer.text
    facts: dict[str, Any] = answer.json()
    assert answer.headers["link"] == f'<{facts["credential"]}>; rel="c2pa-manifest"'
    return facts | {"bytes": client.get(facts["download"]).content, "store": client.get(facts["credential"]).content}


def verdict(client: TestClient, film: bytes, store: bytes | None = None, address: str = VERIFY) -> dict[str, Any]:
    files = {"file": ("f.webm", film)} | ({} if store is None else {"credential": ("f.webm.c2pa", store)})
    answer = client.post(address, files=files)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_with_its_credential_beside_it(client: TestClient, webm: dict[str, Any]) -> None:
    found = verdict(client, webm["bytes"], webm["store"])
    assert (found["status"], found["credential"]["source"]) == ("trusted", "sidecar")
    assert found["credential"]["manifest_id"] == webm["manifest_id"]


def test_alone_it_is_known_by_its_bytes(client: TestClient, webm: dict[str, Any]) -> None:
    found = verdict(client, webm["bytes"])
    assert (found["status"], found["credential"]["source"]) == ("trusted", "registry")


def test_other_bytes_are_not_what_that_credential_is_of(client: TestClient, webm: dict[str, Any], film: bytes) -> None:
    found = verdict(client, film + EMPTY, webm["store"])
    assert (found["status"], found["credential"]["binding"]) == ("recovered", "mismatch")  # it shows what is registered


def test_what_anybody_lays_beside_a_file_tells_feeds_nothing(client: TestClient, webm: dict[str, Any], film: bytes) -> None:
    before = client.get("/api/v1/feed/status", params={"ids": webm["sha256"]}).json()["items"][0]
    found = verdict(client, webm["bytes"], b"no credential at all", "/api/v1/verify?marks=true")
    assert found["status"] not in {"trusted", "valid"}
    assert client.get("/api/v1/feed/status", params={"ids": webm["sha256"]}).json()["items"][0] == before
    assert verdict(client, webm["bytes"])["status"] == "trusted"


def test_a_job_takes_both_along(client: TestClient, webm: dict[str, Any], film: bytes) -> None:
    files = {"file": ("f.webm", film + EMPTY), "credential": ("f.c2pa", webm["store"])}
    job = client.post(VERIFY, files=files, headers={"prefer": "respond-async"})
    assert job.status_code == 202, job.text
    for _ in range(600):
        ended = client.get(job.json()["links"]["self"]).json()
        if ended["state"] in {"done", "failed"}:
            break
        time.sleep(0.1)
    assert ended["state"] == "done", ended
    assert (ended["result"]["status"], ended["result"]["credential"]["binding"]) == ("recovered", "mismatch")


def test_an_empty_credential_is_refused(client: TestClient, film: bytes, problem: Any) -> None:
    files = {"file": ("f.webm", film), "credential": ("f.c2pa", b"")}
    found = problem(client.post(VERIFY, files=files), 422, "invalid-request")
    assert found["errors"] == [{"where": "body.credential", "say": "it is empty"}]


def test_a_folder_is_walked_for_films_of_every_kind(tmp_path: Path) -> None:
    from api.cli.commands.verify import MEDIA

    assert {".webm", ".mkv", ".mp4", ".mov"} <= MEDIA
