"""One house for all tests of this folder, opened as `colophon serve` opens it: real keys, registry, workers, photos."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app, serving_house
from api.settings import Settings
from api.wiring import House

LIMIT_MB = 12


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("home")
    with serving_house(Settings(home=home, upload_limit_mb=LIMIT_MB, verify_timeout_s=20.0)) as opened:
        yield opened


@pytest.fixture(scope="session")
def app(house: House) -> FastAPI:
    return create_app(house)


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as opened:
        yield opened


@pytest.fixture(scope="session")
def server(app: FastAPI) -> Iterator[str]:
    """The application behind a real socket; gives its address."""
    with running(app) as address:
        yield address


class running:  # noqa: N801 - reads as what it does
    """Serve an application for the length of a block, on a free port of loopback."""

    def __init__(self, app: FastAPI) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", server_header=False))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture(scope="session")
def photo(corpus: Path) -> bytes:
    """A real photo, small enough to be signed in a moment."""
    return (corpus / "photos" / "larch.jpg").read_bytes()


@pytest.fixture(scope="session")
def signed(client: TestClient, photo: bytes) -> dict[str, Any]:
    """The photo, signed over HTTP: the facts, and the file under `bytes`."""
    answer = client.post("/api/v1/sign", files={"file": ("larch.jpg", photo)}, headers={"accept": "application/json"})
    assert answer.status_code == 201, answer.text
    facts: dict[str, Any] = answer.json()
    return facts | {"bytes": client.get(facts["download"]).content}


Problem = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def problem() -> Problem:
    """Check that an answer is a problem document of a kind, whole and without secrets, and return it."""

    def check(answer: Any, status: int, slug: str) -> dict[str, Any]:
        assert answer.status_code == status, (answer.status_code, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        body: dict[str, Any] = answer.json()
        assert body["type"] == f"/problems/{slug}"
        assert body["status"] == status
        assert body["title"]
        assert body["request_id"] == answer.headers["x-request-id"]
        assert body["instance"].endswith(body["request_id"])
        for secret in ("Traceback", "/tmp", "/home", "/root", "site-packages", ".py"):
            assert secret not in answer.text, answer.text
        return body

    return check
