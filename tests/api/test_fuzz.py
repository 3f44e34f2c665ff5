"""Requests made from the service's own description (schemathesis): whatever is sent, no answer is a fault of ours.

The suite makes a few for each operation; `COLOPHON_FUZZ=1000` makes a thousand.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient

CASES = int(os.environ.get("COLOPHON_FUZZ", "2"))
ENDLESS = {"/api/v1/feed/events"}  # a stream has no end to wait for
LASTING = {  # what would take something away from the tests that run beside these
    ("POST", "/api/v1/keys/revocations"), ("DELETE", "/v1/manifests/{manifest_id}"), ("POST", "/api/v1/access/keys"),
}  # fmt: skip


@schemathesis.serializer("application/c2pa", "application/ocsp-request", "application/pkcs10")
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A body that is bytes already."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def operations(app: FastAPI, client: TestClient) -> list[schemathesis.APIOperation]:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    found = [result.ok() for result in schema.get_all_operations()]
    return [one for one in found if one.path not in ENDLESS and (one.method.upper(), one.path) not in LASTING]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the generator, about regular expressions of ours that it does not know
def test_no_request_is_a_fault_of_ours(operations: list[schemathesis.APIOperation], client: TestClient) -> None:
    assert len(operations) > 40
    wrong: list[str] = []
    for operation in operations:

        @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
                  phases=[Phase.explicit, Phase.generate])  # fmt: skip
        def one(case: schemathesis.Case) -> None:
            answer = case.call(session=client)
            if answer.status_code >= 500 and answer.status_code != 503:
                wrong.append(f"{case.method} {case.formatted_path} {answer.status_code}: {answer.text[:200]}")
            if answer.status_code >= 400:
                assert answer.headers["content-type"][0].startswith("application/problem+json"), case.formatted_path

        given(case=operation.as_strategy())(one)()
    assert not wrong, "\n".join(wrong[:20])
