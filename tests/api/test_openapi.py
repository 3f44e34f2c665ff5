"""The description of the API: every route, every example true to its schema, every shape true to our values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from api import examples, schemas
from api.problems import KINDS, MEDIA_TYPE
from api.routes import resolution_shapes
from provenance import verdict

JSON = "application/json"
EXPECTED = {
    ("get", "/api/v1/assets/{asset_id}/lineage"), ("get", "/api/v1/log/checkpoint"), ("get", "/api/v1/log/keys"),
    ("get", "/api/v1/log/tile/{path}"), ("get", "/api/v1/log/proof"),
    ("post", "/api/v1/sign/claim"), ("get", "/api/v1/sign/claim"),
    ("post", "/api/v1/sign"), ("post", "/api/v1/verify"), ("get", "/api/v1/assets/{asset_id}"),
    ("get", "/api/v1/assets/{asset_id}/trail"), ("get", "/api/v1/assets/{asset_id}/reference"),
    ("get", "/api/v1/assets/{asset_id}/file"), ("get", "/api/v1/feed/status"), ("post", "/api/v1/feed/status"),
    ("get", "/api/v1/feed/key"), ("get", "/api/v1/feed/events"), ("get", "/api/v1/jobs/{job_id}"),
    ("get", "/api/v1/jobs/{job_id}/events"),
    ("post", "/api/v1/analyze_image"), ("post", "/api/v1/analyze_audio"), ("post", "/api/v1/analyze_video"),
    ("post", "/api/v1/renditions"), ("post", "/api/v1/reverify"),
    ("get", "/api/v1/review"), ("post", "/api/v1/review"), ("get", "/api/v1/review/{review_id}"),
    ("post", "/api/v1/review/{review_id}/decision"), ("post", "/api/v1/assets/{asset_id}/withdrawal"),
    ("post", "/api/v1/keys/revocations"), ("get", "/api/v1/access/keys"), ("post", "/api/v1/access/keys"),
    ("post", "/api/v1/access/keys/{key_id}/rotation"), ("delete", "/api/v1/access/keys/{key_id}"),
    ("get", "/v1/matches/byBinding"), ("post", "/v1/matches/byBinding"), ("post", "/v1/matches/byContent"),
    ("post", "/v1/matches/byReference"), ("post", "/v1/manifests"), ("get", "/v1/manifests/{manifest_id}"),
    ("delete", "/v1/manifests/{manifest_id}"), ("get", "/v1/manifests/{manifest_id}/receipts"),
    ("post", "/v1/manifests/{manifest_id}/receipts"), ("post", "/v1/bindings"), ("put", "/v1/bindings"),
    ("get", "/v1/services/supportedAlgorithms"), ("get", "/v1/services/status"), ("get", "/v1/services/capabilities"),
    ("post", "/api/v1/deposits"), ("post", "/v1/oauth/token"), ("get", "/.well-known/c2pa-soft-binding-resolution"),
    ("get", "/api/v1/feed/recent"),
    ("get", "/api/v1/assets/{asset_id}/bundle"), ("get", "/api/v1/assets/{asset_id}/difference"),
    ("get", "/api/v1/assets/{asset_id}/survival"),
    ("get", "/readyz"), ("get", "/metrics"), ("get", "/healthz"), ("get", "/problems/{slug}"),
}  # fmt: skip


@pytest.fixture(scope="module")
def description(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/openapi.json").json()
    return found | {"paths": _followed(found, found["paths"])}


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _examples(content: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    yield from (entry["value"] for entry in content.get("examples", {}).values())


def _followed(description: dict[str, Any], value: Any) -> Any:
    """The value, its `$ref`s to examples put in their place."""
    if isinstance(value, dict):
        if str(value.get("$ref", "")).startswith("#/components/examples/"):
            return description["components"]["examples"][value["$ref"].rsplit("/", 1)[-1]]
        return {name: _followed(description, child) for name, child in value.items()}
    return [_followed(description, child) for child in value] if isinstance(value, list) else value


def test_every_route_is_described(description: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in _operations(description)} == EXPECTED


def test_every_described_route_is_served(description: dict[str, Any], client: TestClient) -> None:
    for method, path, _ in _operations(description):
        if path == "/api/v1/feed/events":
            continue  # it never ends
        answer = client.request(method, path.replace("{asset_id}", "x").replace("{slug}", "busy"))
        assert answer.status_code != 405, (method, path)
        if "{" not in path:
            assert answer.status_code != 404, (method, path)


def test_every_operation_is_explained_and_its_answers_have_examples(description: dict[str, Any]) -> None:
    for method, path, operation in _operations(description):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                if media_type in {JSON, MEDIA_TYPE}:
                    assert list(_examples(content)), (method, path, status)


def test_every_example_fits_its_schema(description: dict[str, Any]) -> None:
    seen = 0
    for _, _, operation in _operations(description):
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                for example in _examples(content):
                    name = content["schema"]["$ref"].rsplit("/", 1)[-1]
                    model = getattr(schemas, name, None) or getattr(resolution_shapes, name)
                    model.model_validate(example, extra="forbid")
                    if issubclass(model, schemas.ProblemDocument):
                        assert example["status"] == int(status)
                    seen += 1
    assert seen > 50


def test_the_query_of_a_long_list_has_an_example() -> None:
    schemas.StatusQuery.model_validate(examples.QUERY, extra="forbid")


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for child in value.values():
                yield from references(child)
        elif isinstance(value, list):
            for child in value:
                yield from references(child)

    known = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert set(references(description)) <= known
    assert "HTTPValidationError" not in description["components"]["schemas"]


def test_every_kind_of_problem_can_be_told_apart() -> None:
    assert len({(kind.status, kind.title) for kind in KINDS.values()}) == len(KINDS)
    for slug, kind in KINDS.items():
        assert slug == kind.slug
        assert kind.title
        assert kind.advice


@pytest.mark.parametrize(
    "name",
    [
        "AssetFacts",
        "SignerFacts",
        "RevocationFacts",
        "TimeFacts",
        "CredentialFacts",
        "HistoryStep",
        "PoseFacts",
        "MarkFacts",
        "Change",
        "Reason",
        "Inputs",
    ],
)
def test_shapes_have_the_fields_of_our_values(name: str) -> None:
    model: type[BaseModel] = getattr(schemas, name)
    assert set(model.model_fields) == {field.name for field in fields(getattr(verdict, name))}


def test_a_verdict_has_the_fields_of_our_verdict() -> None:
    ours = {field.name for field in fields(verdict.Verdict)} - {"extra"}
    assert set(schemas.Verdict.model_fields) - {"pictures"} == ours


def test_nothing_is_loaded_from_elsewhere(client: TestClient, app: FastAPI) -> None:
    assert app.docs_url is None
    assert app.redoc_url is None
    for path in ("/", "/api/docs", "/static/style.css", "/static/verify.js", "/static/words.js", "/static/docs.js"):
        page = client.get(path).text
        for line in page.splitlines():
            outside = [word for word in ("http://", "https://", "//cdn") if word in line]
            assert not outside or "www.w3.org" in line, (path, line)
