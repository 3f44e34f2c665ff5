"""Operation: ready only where the self-test holds, counts without names, a log without persons."""

from __future__ import annotations

import io
import json
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api import app as application
from api import chores, logs, selftest
from api.metrics import Requests, gauges
from api.settings import Settings
from api.wiring import House
from keys.errors import SignerUnavailableError
from keys.signers.socket import SocketSigner
from provenance.errors import DatabaseUnavailableError
from provenance.store.log import Log
from provenance.store.registry import Registry

LINE = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\.)*",?)*\})? ([0-9.e+-]+|\+Inf)')


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the log says meanwhile."""
    kept = {
        name: (one.handlers, one.propagate, one.level) for name in ("colophon", "uvicorn") for one in [logging.getLogger(name)]
    }
    stream = io.StringIO()
    logs.begin(stream)
    yield stream
    for name, (handlers, propagate, level) in kept.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def _ready(client: TestClient) -> Response:
    """What /readyz says, asked again for a while: it is right to say no where the signing process got no turn for seconds."""
    for _ in range(60):
        if (answer := client.get("/readyz")).status_code == 200:
            break
        time.sleep(1)
    return answer


def test_ready_after_the_self_test(client: TestClient, app: FastAPI) -> None:
    assert _ready(client).json() == {
        "status": "ready", "checks": {"database": "ok", "signing process": "ok", "sequencer": "ok", "self-test": "ok"},
    }  # fmt: skip
    assert dict(app.state.selftest.found) == {"good": "trusted", "mail": "valid", "tampered": "altered", "expired": "invalid"}


@pytest.mark.parametrize("case", selftest.EXPECTED)
@pytest.mark.parametrize("word", ["trusted", "unknown"])
def test_one_wrong_answer_is_enough(case: str, word: str) -> None:
    found = selftest.SelfTest({**selftest.EXPECTED, case: word}, 0.0)
    assert found.passed == (selftest.EXPECTED[case] == word)
    assert bool(found.wrong) != found.passed


def test_not_ready_says_which_part(client: TestClient, app: FastAPI, problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailableError("sqlite:////somewhere/colophon.db", "locked")

    def away(*_: Any, **__: Any) -> Any:
        raise SignerUnavailableError("/run/socket", "nobody listens")

    client.get("/readyz")
    for target, name, broken, part in (
        (Registry, "manifest_labels", gone, "database"),
        (SocketSigner, "connect", away, "signing process"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, broken)
            assert problem(client.get("/readyz"), 503, "unavailable")["detail"] == f"not ready: {part}"
    passed, app.state.selftest = app.state.selftest, selftest.SelfTest({}, 0.0)
    assert problem(client.get("/readyz"), 503, "unavailable")["detail"] == "not ready: self-test"
    app.state.selftest = passed


@pytest.mark.parametrize(("stalled_s", "ready"), [(0.0, True), (29.0, True), (31.0, False)])
def test_not_ready_when_nobody_numbers(
    client: TestClient, problem: Any, monkeypatch: pytest.MonkeyPatch, stalled_s: float, ready: bool
) -> None:
    """As with a sequencer that died; how long it stalls is `Log.stalled_s`, tested with the trail."""
    client.get("/readyz")
    monkeypatch.setattr(Log, "stalled_s", lambda *_: stalled_s)
    if ready:
        assert _ready(client).json()["checks"]["sequencer"] == "ok"
    else:
        assert problem(client.get("/readyz"), 503, "unavailable")["detail"] == "not ready: sequencer"
    assert f"colophon_trail_stalled_seconds {stalled_s:g}" in client.get("/metrics").text


def test_a_service_whose_self_test_fails_does_not_start(house: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(selftest, "run", lambda *_, **__: selftest.SelfTest({"good": "valid"}, 0.0))
    monkeypatch.setattr(application, "serving_house", lambda _: _Opened(replace(house, settings=Settings(home=tmp_path))))
    with (
        pytest.raises(RuntimeError, match="good: valid, not trusted"),
        TestClient(application.create_app(Settings(home=tmp_path))),
    ):
        pass


class _Opened:
    def __init__(self, house: Any) -> None:
        self._house = house

    def __enter__(self) -> Any:
        return self._house

    def __exit__(self, *_: object) -> None:
        pass


def test_the_page_is_what_prometheus_reads(client: TestClient) -> None:
    client.get("/api/v1/feed/status?ids=somebody")
    client.get("/api/v1/assets/somebody")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in answer.text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.fullmatch(line), line
    assert "somebody" not in answer.text
    assert 'route="/api/v1/feed/status",status="200"' in answer.text
    assert 'route="/api/v1/assets/{asset_id}",status="404"' in answer.text
    assert "colophon_trail_pending_entries 0" in answer.text


def test_buckets_add_up() -> None:
    requests = Requests()
    for took_s in (0.0005, 0.001, 0.3, 1000):
        requests.answered("GET", "/x", 200, took_s)
    lines = list(requests.lines())
    assert 'colophon_http_request_duration_seconds_bucket{route="/x",le="0.001"} 2' in lines
    assert 'colophon_http_request_duration_seconds_bucket{route="/x",le="0.5"} 3' in lines
    assert 'colophon_http_request_duration_seconds_bucket{route="/x",le="+Inf"} 4' in lines
    assert 'colophon_http_request_duration_seconds_count{route="/x"} 4' in lines


@given(st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False, min_value=0))
def test_any_label_is_one_line(route: str, value: float) -> None:
    requests = Requests()
    requests.answered("GET", route, 200, value)
    assert all("\n" not in line for line in (*requests.lines(), *gauges({"colophon_x": ("About.", value)})))


def test_the_log_has_the_request_and_nobody_in_it(client: TestClient, log: io.StringIO) -> None:
    headers = {"x-request-id": "request-of-a-test", "authorization": "Bearer secret", "user-agent": "somebody's browser"}
    client.get("/api/v1/assets/person-7?q=where", headers=headers)
    line = json.loads(log.getvalue())
    assert {name: line[name] for name in ("request_id", "method", "route", "status", "level", "log")} == {
        "request_id": "request-of-a-test", "method": "GET", "route": "/api/v1/assets/{asset_id}", "status": 404,
        "level": "info", "log": "colophon.http",
    }  # fmt: skip
    for person in ("person-7", "where", "secret", "somebody", "127.0.0.1", "testclient"):
        assert person not in log.getvalue()


def test_a_fault_of_ours_is_logged_with_its_trace(client: TestClient, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "asset", lambda *_: 1 / 0)
    answer = client.get("/api/v1/assets/x")
    assert answer.status_code == 500
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["request_id"] for line in lines} == {answer.json()["request_id"]}
    assert "ZeroDivisionError" in lines[0]["trace"]


@pytest.mark.parametrize("answers", [True, False])
def test_a_time_stamp_authority_that_is_down_is_told_and_stops_nothing(
    client: TestClient, house: House, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    if not answers:
        monkeypatch.setattr("keys.tsa.probe", lambda *_: False)
    chores.round_of(house)
    monkeypatch.setattr("keys.tsa.probe", lambda *_: pytest.fail("asked on a scrape"))
    lines = client.get("/metrics").text.splitlines()
    assert f"colophon_tsa_up {float(answers):g}" in lines
    (age,) = [float(line.split()[1]) for line in lines if line.startswith("colophon_tsa_asked_seconds ")]
    assert 0 <= age < 60
    assert _ready(client).status_code == 200


def test_nothing_is_said_of_an_authority_that_nobody_asked(client: TestClient, house: House) -> None:
    seen = replace(house.tsa_asked)
    house.tsa_asked.at = None
    try:
        assert "colophon_tsa" not in client.get("/metrics").text
    finally:
        house.tsa_asked.up, house.tsa_asked.at = seen.up, seen.at
