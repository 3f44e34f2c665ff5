"""Many at once: heavy work waits its turn, and light answers do not wait for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from api import verifying
from api.wiring import House

pytestmark = pytest.mark.slow


def test_light_answers_do_not_wait_for_heavy_work(
    server: str, signed: dict[str, Any], house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing heavy can end, everything light still does; how soon, `tests.bench.attack` measures."""
    begun, gate, really = threading.Semaphore(0), threading.Event(), verifying.found

    def held(*arguments: Any, **named: Any) -> Any:
        begun.release()
        assert gate.wait(100)
        return really(*arguments, **named)

    def verify(_: int) -> int:
        return httpx2.post(f"{server}/api/v1/verify", files={"file": ("x.jpg", signed["bytes"])}, timeout=200).status_code

    monkeypatch.setattr(verifying, "found", held)
    with ThreadPoolExecutor(8) as pool, httpx2.Client(timeout=60) as light:
        heavy = [pool.submit(verify, n) for n in range(8)]
        try:
            for _ in range(house.settings.worker_count):
                assert begun.acquire(timeout=60)
            for path in ("/healthz", "/api/v1/feed/status?ids=a,b,c", "/api/v1/assets/unknown") * 5:
                assert light.get(server + path).status_code in {200, 404}
            assert not any(one.done() for one in heavy)
        finally:
            gate.set()
        assert [one.result() for one in heavy] == [200] * 8


def test_equal_requests_at_once_sign_once(server: str, photo: bytes) -> None:
    headers = {"accept": "application/json", "idempotency-key": "all-at-once"}

    def sign(_: int) -> Any:
        form: dict[str, Any] = {"files": {"file": ("x.jpg", photo)}, "data": {"mark": "none"}}
        return httpx2.post(f"{server}/api/v1/sign", headers=headers, timeout=120, **form)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(sign, range(4)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    ids = {answer.json()["asset_id"] for answer in answers if answer.status_code == 201}
    assert len(ids) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"] == "/problems/in-progress"
            assert answer.headers["retry-after"]
