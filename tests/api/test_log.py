"""The log as static resources: the same bytes to everybody, for ever, and their headers without them."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

LOG = "/api/v1/log"


def test_a_tile_and_a_checkpoint_answer_head(client: TestClient, signed: dict[str, Any]) -> None:
    size = int(client.get(f"{LOG}/checkpoint").text.split("\n")[1])
    assert size
    tile = "tile/0/000" if size >= 256 else f"tile/0/000.p/{size}"
    for path, kept in (("checkpoint", "no-cache"), (tile, "immutable")):
        whole, head = client.get(f"{LOG}/{path}"), client.head(f"{LOG}/{path}")
        assert (whole.status_code, head.status_code) == (200, 200)
        assert head.headers["content-length"] == str(len(whole.content))
        assert kept in head.headers["cache-control"]


def test_a_tile_that_is_not_there(client: TestClient, problem: Any) -> None:
    for name in ("0/999", "0/x", "9/000", "0/000.p/0", "0/000.p/256"):
        problem(client.get(f"{LOG}/tile/{name}"), 404, "not-found")
        assert client.head(f"{LOG}/tile/{name}").status_code == 404
