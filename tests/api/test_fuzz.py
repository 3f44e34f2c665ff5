"""Requests made from the service's own description (schemathesis): no answer is a fault of ours, none is undescribed.

The suite makes a few for each operation, half of them wrong on purpose; `COLOPHON_FUZZ=1000` makes a thousand, and
`COLOPHON_FUZZ_PART=0/8` takes every eighth operation from the first, since all of them take an hour.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any
from unittest import SkipTest

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance
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
@pytest.mark.timeout(max(60, CASES * 10))
@pytest.mark.filterwarnings("ignore")  # of the generator, about regular expressions of ours that it does not know
def test_no_answer_is_a_fault_of_ours_or_undescribed(operations: list[schemathesis.APIOperation], client: TestClient) -> None:
    assert len(operations) > 40
    first, of = map(int, os.environ.get("COLOPHON_FUZZ_PART", "0/1").split("/"))
    wrong: list[str] = []
    for operation in operations[first::of]:
        made = _tried(operation, client, wrong)
        if CASES > 10:
            print(f"{operation.label}: {made} requests, {len(wrong)} wrong so far", flush=True)
    assert not wrong, "\n".join(wrong[:20])


def _tried(operation: schemathesis.APIOperation, client: TestClient, wrong: list[str]) -> int:
    """Send requests of both kinds to one operation; what is wrong of their answers goes to `wrong`. Returns how many."""
    made = 0

    def one(case: schemathesis.Case) -> None:
        nonlocal made
        made += 1
        answer = case.call(session=client)
        if (say := _fault(case, answer)) is not None:
            wrong.append(f"{case.method} {case.formatted_path} {answer.status_code}: {say}")

    for mode in GenerationMode:
        limits = settings(
            max_examples=max(1, CASES // 2), deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )  # fmt: skip
        with suppress(Unsatisfiable, SkipTest):  # where nothing is asked for, nothing can be asked wrongly
            limits(given(case=operation.as_strategy(generation_mode=mode))(one))()
    return made


def _fault(case: schemathesis.Case, answer: schemathesis.Response) -> str | None:
    """What is wrong with an answer: a fault of ours, an error that is no problem document, or what nobody described."""
    if answer.status_code >= 500 and answer.status_code != 503:
        return answer.text[:200]
    kind = answer.headers.get("content-type", [""])[0]
    if answer.status_code >= 400 and not kind.startswith("application/problem+json"):
        return f"an error as {kind!r}"
    try:
        case.validate_response(answer, checks=[status_code_conformance, content_type_conformance, response_schema_conformance])
    except FailureGroup as error:
        return "; ".join(f"{one.title}: {one.message}" for one in error.exceptions)[:400]
    return None
