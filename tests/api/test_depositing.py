"""A device signs by itself and deposits at the service: copies that were stripped are recovered and compared there."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from api.access import Access
from api.settings import Settings
from api.wiring import House
from api.workshop import Workshop, open_workshop
from provenance.backlog import Waiting
from provenance.capture import SignRequest
from provenance.fetch import Client
from provenance.verdict import Status
from provenance.verify import verify
from provenance.watching import Watch, to_service

MEDIA = Path(__file__).resolve().parents[2] / "api" / "demo" / "media"
CLIENT = Client(allow_private=True, timeout_s=60)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A camera's own home, without a database."""
    with open_workshop(Settings(home=tmp_path_factory.mktemp("device"), trust_interim=False, worker_count=1)) as opened:
        assert opened.desk.registry is None
        yield opened


@pytest.fixture
def key(app: FastAPI) -> Iterator[str]:
    access: Access = app.state.access
    made, text = access.new("a camera", ["signer"], at=now())
    yield text
    access.revoke(made.id, at=now())


@pytest.fixture(scope="module")
def taken(device: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Waiting:
    """A photo that the camera signed and could tell nobody of."""
    folder = tmp_path_factory.mktemp("card")
    (folder / "in").mkdir()
    (folder / "in" / "larch.jpg").write_bytes((MEDIA / "larch.jpg").read_bytes())
    watch = Watch(folder / "in", folder / "out", SignRequest(folder, folder), settled=True)
    nobody = to_service("http://127.0.0.1:1", None, CLIENT)
    with watch.backlog.held():
        kinds = [event.kind for event in watch.round(device.studio(offline=True), nobody, clock=now)]
        (entry,) = watch.backlog.waiting()
    assert kinds == ["signed", "waiting"]
    return entry


@pytest.fixture
def said(taken: Waiting) -> dict[str, Any]:
    """What the camera deposits."""
    r = taken.registration
    assert r.reference is not None
    return {
        "asset_id": r.asset_id,
        "sha256": r.sha256,
        "media_type": r.media_type,
        "width": r.width,
        "height": r.height,
        "manifest_store": base64.b64encode(r.manifest_store).decode(),
        "reference": base64.b64encode(r.reference).decode(),
        "reference_media_type": r.reference_media_type,
    }


Post = Callable[..., Any]


@pytest.fixture
def post(client: TestClient, key: str) -> Post:
    return lambda body: client.post("/api/v1/deposits", json=body, headers={"authorization": f"Bearer {key}"})


def stripped(asset: Path, to: Path, *, patch: bool = False) -> Path:
    """A copy as a platform makes it: encoded again, its metadata gone; or also with something laid over it."""
    with Image.open(asset) as image:
        copy = image.convert("RGB")
    if patch:
        wide, high = copy.size
        ImageDraw.Draw(copy).rectangle((wide // 3, high // 3, wide // 2, high // 2), fill=(220, 30, 40))
    copy.save(to, "JPEG", quality=85)
    return to


def as_text(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80)
    return base64.b64encode(out.getvalue()).decode()


def refused(post: Post, problem: Any, body: dict[str, Any], why: str) -> None:
    assert why in problem(post(body), 422, "unusable-file")["detail"]


def test_nothing_wrong_is_believed(post: Post, problem: Any, said: dict[str, Any], house: House) -> None:
    """A signature is not lent to another picture."""
    with Image.open(MEDIA / "larch.jpg") as image:
        true = image.convert("RGB")
    true.thumbnail((1024, 1024))
    other = Image.open(MEDIA / "ice_cream.jpg").convert("RGB").resize(true.size)
    refused(post, problem, said | {"reference": as_text(other)}, "shows something else")
    touched = true.copy()
    wide, high = true.size
    ImageDraw.Draw(touched).rectangle((wide // 3, high // 3, wide // 2, high // 2), fill=(255, 0, 255))
    refused(post, problem, said | {"reference": as_text(touched)}, "shows something else")
    refused(post, problem, said | {"reference": as_text(true.resize((wide // 2, high)))}, "another shape")
    refused(post, problem, said | {"width": 10, "height": 4000}, "another shape")
    refused(post, problem, said | {"width": None}, "width and height")
    refused(post, problem, said | {"reference": base64.b64encode(b"RIFF, no picture").decode()}, "cannot be read")
    for kind in ("sound-envelope", "film-reel"):
        refused(post, problem, said | {"reference_media_type": f"application/vnd.colophon.{kind}"}, "cannot be read")
    store = bytearray(base64.b64decode(said["manifest_store"]))
    store[store.index(b"c2pa.actions") + 60] ^= 1
    problem(post(said | {"manifest_store": base64.b64encode(store).decode()}), 422, "unusable-file")
    assert house.registry.asset(said["asset_id"]) is None


@pytest.mark.parametrize(
    "wrong",
    [{"sha256": "x"}, {"width": 0}, {"manifest_store": None}, {"asset_id": ""}, {"reference_media_type": "text/html"}],
)
def test_what_has_no_such_shape(post: Post, problem: Any, said: dict[str, Any], wrong: dict[str, Any]) -> None:
    problem(post(said | wrong), 422, "invalid-request")


def test_strangers_deposit_nothing(client: TestClient, key: str, problem: Any, said: dict[str, Any]) -> None:
    problem(client.post("/api/v1/deposits", json=said), 401, "no-key")
    problem(client.post("/api/v1/deposits", json=said, headers={"authorization": f"Bearer {key}x"}), 401, "no-key")


def test_stripped_copies_are_recovered_at_the_service(
    server: str, key: str, taken: Waiting, house: House, tmp_path: Path, said: dict[str, Any], post: Post, problem: Any
) -> None:
    deliver = to_service(server, key, CLIENT)
    assert deliver(taken) == deliver(taken) == taken.registration.manifest_id  # again changes nothing
    record = house.registry.asset(taken.registration.asset_id)
    assert record is not None
    assert (record.sha256, record.media_type) == (taken.registration.sha256, "image/jpeg")
    assert record.fingerprint
    assert taken.registration.manifest_id in {due.manifest_id for due in house.registry.stamp_queue()}

    copy = verify(stripped(taken.asset, tmp_path / "copy.jpg"), house.desk, at=now()).verdict
    assert copy.status is Status.RECOVERED
    assert copy.asset.id == taken.registration.asset_id
    assert copy.mark.fit is not None
    assert copy.mark.fit > 0.9
    touched = verify(stripped(taken.asset, tmp_path / "touched.jpg", patch=True), house.desk, at=now()).verdict
    assert touched.status is Status.ALTERED
    assert touched.changes

    problem(post(said | {"sha256": "0" * 64}), 409, "conflict")  # its id stands for other bytes


def test_a_service_of_another_make_gets_the_manifest_store(
    server: str, key: str, taken: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    post = Client.post

    def elsewhere(client: Client, url: str, body: bytes, headers: Any) -> Any:
        asked.append(url.removeprefix(server))
        return post(client, url.replace("/api/v1/deposits", "/api/v1/unknown"), body, headers)

    monkeypatch.setattr(Client, "post", elsewhere)
    assert to_service(server, key, CLIENT)(taken) == taken.registration.manifest_id
    assert asked == ["/api/v1/deposits", "/v1/manifests"]
