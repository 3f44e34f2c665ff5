"""Bundles and differences over HTTP: what a desk takes away stands without us, and says where something changed."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from api import schemas
from api.wiring import House
from provenance.bundle.audit import audit
from provenance.edit import EditRequest, edit

BUNDLE, DIFFERENCE = "/api/v1/assets/{}/bundle", "/api/v1/assets/{}/difference"


@pytest.fixture(scope="module")
def parent(client: TestClient, photo: bytes) -> dict[str, Any]:
    """A photo signed without a mark: what is asked here does not need one."""
    form = {"files": {"file": ("parent.jpg", photo)}, "data": {"mark": "none"}, "headers": {"accept": "application/json"}}
    facts: dict[str, Any] = client.post("/api/v1/sign", **form).json()
    return facts | {"bytes": client.get(facts["download"]).content}


@pytest.fixture(scope="module")
def child(house: House, parent: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with a black bar across, signed as an edit; its asset id."""
    folder = tmp_path_factory.mktemp("edit")
    (folder / "parent.jpg").write_bytes(parent["bytes"])
    picture = Image.open(io.BytesIO(parent["bytes"])).convert("RGB")
    w, h = picture.size
    picture.paste((0, 0, 0), (w // 4, h // 4, w // 2, h // 2))
    picture.save(folder / "edited.jpg", quality=92)
    request = EditRequest(
        parent=folder / "parent.jpg",
        edited=folder / "edited.jpg",
        destination=folder / "child.jpg",
        actions=("c2pa.drawing",),
        mark="none",
    )
    return edit(request, house.studio(), at=datetime.now(UTC)).asset_id


def test_a_bundle_stands_without_us(client: TestClient, house: House, parent: dict[str, Any]) -> None:
    answer = _bundle(client, parent["asset_id"])
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    assert audit(answer.content, house.desk.workers).failed == ()


def test_one_flipped_byte_of_it_is_found(client: TestClient, house: House, parent: dict[str, Any]) -> None:
    data = bytearray(_bundle(client, parent["asset_id"]).content)
    data[len(data) // 2] ^= 1
    assert audit(bytes(data), house.desk.workers).failed


def test_a_difference_says_where(client: TestClient, parent: dict[str, Any], child: str) -> None:
    answer = client.get(DIFFERENCE.format(child), params={"from": parent["asset_id"], "pictures": "true"})
    assert answer.status_code == 200, answer.text
    found = schemas.Difference.model_validate(answer.json(), extra="forbid")
    assert found.related == "ancestor"
    assert "c2pa.drawing" in [one.action for one in found.actions]
    assert found.content is not None
    assert found.content.agreement == "changed"
    (change,) = found.content.changes
    assert change.kind == "covered"
    assert abs(change.x - 0.25) < 0.02
    assert abs(change.w - 0.25) < 0.03
    shots = answer.json()["pictures"]
    assert all(shots[name].startswith("data:image/jpeg;base64,") for name in ("copy", "changes", "laid"))


def test_without_being_asked_no_picture_comes(client: TestClient, parent: dict[str, Any], child: str) -> None:
    assert "pictures" not in client.get(DIFFERENCE.format(child), params={"from": parent["asset_id"]}).json()


def test_nothing_differs_from_itself(client: TestClient, child: str) -> None:
    found = client.get(DIFFERENCE.format(child), params={"from": child}).json()
    assert found["content"]["changes"] == []
    assert found["metadata"] == []


@pytest.mark.parametrize("route", [BUNDLE, DIFFERENCE])
def test_an_unknown_asset_has_neither(client: TestClient, problem: Any, route: str) -> None:
    problem(client.get(route.format("never"), params={"from": "never"}), 404, "not-found")


def test_a_difference_from_nothing_is_none(client: TestClient, child: str, problem: Any) -> None:
    problem(client.get(DIFFERENCE.format(child)), 422, "invalid-request")
    problem(client.get(DIFFERENCE.format(child), params={"from": "never"}), 404, "not-found")


def test_what_was_withdrawn_is_not_shown(client: TestClient, house: House, photo: bytes, child: str, problem: Any) -> None:
    form = {"files": {"file": ("gone.jpg", photo)}, "data": {"mark": "none"}, "headers": {"accept": "application/json"}}
    gone = client.post("/api/v1/sign", **form).json()["asset_id"]
    house.registry.withdraw(gone, "its signer asked for it", at=datetime.now(UTC))
    problem(client.get(DIFFERENCE.format(child), params={"from": gone}), 410, "gone")
    problem(client.get(DIFFERENCE.format(gone), params={"from": child}), 410, "gone")


def _bundle(client: TestClient, asset_id: str) -> Any:
    """A bundle, once the sequencer has numbered what was registered a moment ago."""
    for _ in range(50):
        answer = client.get(BUNDLE.format(asset_id))
        if answer.status_code != 503:
            break
    assert answer.status_code == 200, answer.text
    return answer
