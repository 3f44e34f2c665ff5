"""What routes share: the house, the answer of a problem, JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from api import gate, problems, schemas
from api.guard import client_of
from api.outbox import Outbox
from api.turns import Place

if TYPE_CHECKING:
    from api.wiring import House

API = "/api/v1"


def house(request: Request) -> House:
    """The house that this application was opened with."""
    opened: House = request.app.state.house
    return opened


def outbox(request: Request) -> Outbox:
    box: Outbox = request.app.state.outbox
    return box


def turns(request: Request) -> Place:
    """The line that heavy work waits in, as its caller enters it."""
    return Place(request.app.state.turns, client_of(request.scope))


def problem_response(request: Request, problem: problems.Problem) -> Response:
    """A problem as an answer, with the request's id."""
    body = gate.render(problem, request.state.request_id)
    return Response(body, problem.kind.status, headers=gate.problem_headers(problem))


def json_response(value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Plain values as JSON, compact; what JSON does not have (NaN) is a bug of ours and raises ValueError."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return Response(body, status, headers=headers, media_type="application/json")


def data_url(jpeg: bytes | None) -> str | None:
    """A small JPEG as a `data:` URL; None stays None."""
    return None if jpeg is None else "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def errors(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for kinds of problems, grouped by status, with an example of each kind."""
    grouped: dict[int | str, dict[str, Any]] = {}
    for kind in (problems.KINDS[slug] for slug in slugs):
        entry = grouped.setdefault(
            kind.status,
            {"description": "", "content": {problems.MEDIA_TYPE: {"schema": _REF, "examples": {}}}},
        )
        example = problems.Problem(kind, kind.advice).as_dict("3f2a9c61d07be845")
        entry["content"][problems.MEDIA_TYPE]["examples"][kind.slug] = {"summary": kind.title, "value": example}
        entry["description"] = "; ".join(filter(None, (entry["description"], kind.title)))
    return grouped


_REF = {"$ref": f"#/components/schemas/{schemas.ProblemDocument.__name__}"}
