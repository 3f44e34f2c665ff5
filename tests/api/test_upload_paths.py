"""Ways in besides a small file: an address, a platform's transcode. No request may leave this machine."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from provenance.errors import BudgetError
from provenance.store.registry import Registry

JSON = {"accept": "application/json"}


class Listener:
    """Counts connections to a port of loopback."""

    def __init__(self) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.door.getsockname()[1]
        self.seen = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.door.accept()
            except OSError:
                return
            self.seen += 1
            connection.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.door.close()


@pytest.fixture
def outward(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every connection that this process opens to anywhere but its own files."""
    opened: list[Any] = []
    real = socket.create_connection

    def watched(address: Any, *rest: Any, **more: Any) -> Any:
        opened.append(address)
        return real(address, *rest, **more)

    monkeypatch.setattr(socket, "create_connection", watched)
    return opened


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/x.jpg", "https://localhost:{port}/x.jpg", "https://[::1]:{port}/", "https://0.0.0.0:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/", "https://2130706433:{port}/", "https://169.254.169.254/latest/meta-data/",
        "https://[64:ff9b::7f00:1]:{port}/", "https://[2002:7f00:1::]:{port}/", "https://10.0.0.1/", "https://user@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/x.jpg", "file:///etc/passwd", "ftp://127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/_x",
        "https://", "https://127.0.0.1:0/", "https://exa mple/", "\u2024\u2024", "concat:/etc/passwd",
    ],
)  # fmt: skip
def test_no_address_leads_inside(client: TestClient, problem: Any, listener: Listener, outward: list[Any], url: str) -> None:
    problem(client.post("/api/v1/verify", data={"url": url.format(port=listener.port)}), 422, "not-fetched")
    assert (listener.seen, outward) == (0, [])


@pytest.mark.parametrize("name", ["dev_remote_loopback.jpg", "dev_remote_linklocal.jpg", "remote-cloud.jpg"])
def test_a_file_that_points_elsewhere_is_not_followed(client: TestClient, corpus: Path, outward: list[Any], name: str) -> None:
    answer = client.post("/api/v1/verify?marks=false", files={"file": (name, (corpus / "c2pa" / name).read_bytes())})
    assert answer.status_code == 200
    assert "credential.remote" in answer.json()["not_checked"]
    assert outward == []


def test_a_file_or_an_address_but_one_of_them(client: TestClient, problem: Any) -> None:
    problem(client.post("/api/v1/verify"), 422, "invalid-request")
    both = client.post("/api/v1/verify", files={"file": ("x", b"x")}, data={"url": "https://example.org/"})
    problem(both, 422, "invalid-request")


def transcoded(photo: bytes, quality: int = 70, share: float = 0.75, box: tuple[float, ...] = (0, 0, 1, 1)) -> bytes:
    with Image.open(io.BytesIO(photo)) as image:
        width, height = image.size
        part = image.convert("RGB").crop((int(box[0] * width), int(box[1] * height), int(box[2] * width), int(box[3] * height)))
    small = part.resize((int(part.width * share), int(part.height * share)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.mark.slow
def test_a_transcode_becomes_a_child_without_an_editorial_change(client: TestClient, signed: dict[str, Any]) -> None:
    given = {"parent": signed["asset_id"], "actions": ["c2pa.transcoded", "c2pa.resized.proportional"]}
    answer = client.post("/api/v1/renditions", files={"file": ("t.jpg", transcoded(signed["bytes"]))}, data=given, headers=JSON)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["mark"], made["agreement"]) == ("kept", "fits")
    assert made["binding"] == signed["binding"]
    child = client.get(made["download"]).content
    verdict = client.post("/api/v1/verify?marks=false", files={"file": ("c.jpg", child)}).json()
    assert verdict["status"] == "trusted"
    assert "transformation:nonEditorial" in verdict["signals"]
    assert [(step["manifest_id"], step["faults"]) for step in verdict["history"]] == [
        (made["manifest_id"], []),
        (signed["manifest_id"], []),
    ]
    record = client.get(f"/api/v1/assets/{made['asset_id']}").json()
    assert (record["action"], record["parents"]) == ("rendition", [signed["asset_id"]])


@pytest.mark.slow
def test_what_is_no_rendition_is_refused(client: TestClient, signed: dict[str, Any], corpus: Path, problem: Any) -> None:
    def post(file: bytes, **given: Any) -> Any:
        data = {"parent": signed["asset_id"], **given}
        return client.post("/api/v1/renditions", files={"file": ("t.jpg", file)}, data=data, headers=JSON)

    other = (corpus / "c2pa" / "boxhash.jpg").read_bytes()
    foreign = transcoded(max((corpus / "photos").glob("*.jpg"), key=lambda path: path.name).read_bytes(), share=0.2)
    problem(post(foreign), 422, "unusable-file")
    problem(post(other), 422, "unusable-file")  # it carries the credential of something else
    problem(post(transcoded(signed["bytes"]), actions="c2pa.cropped"), 422, "invalid-request")
    problem(post(transcoded(signed["bytes"]), parent="never"), 404, "not-found")
    problem(post(b"no picture"), 415, "unsupported-media")


class Endless:
    """What looks at media, and is stopped."""

    def result(self) -> Any:
        raise BudgetError("read pixels", "time")


@pytest.mark.slow
def test_what_was_not_compared_is_not_signed(
    client: TestClient, signed: dict[str, Any], problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(file: bytes, name: str = "t.jpg") -> Any:
        return client.post("/api/v1/renditions", files={"file": (name, file)}, data={"parent": signed["asset_id"]}, headers=JSON)

    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    problem(post(svg, "t.svg"), 422, "unusable-file")  # nothing here sees what it shows
    copy = transcoded(signed["bytes"])
    with monkeypatch.context() as away:
        away.setattr(Registry, "reference", lambda *_: None)
        problem(post(copy), 503, "unavailable")
    monkeypatch.setattr("provenance.rendition.look", lambda *_: Endless())
    problem(post(copy), 422, "over-budget")
