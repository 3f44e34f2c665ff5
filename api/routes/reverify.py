"""POST /reverify: a file again, beside an earlier verdict on it; what is another now, and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response

from api import examples, schemas, uploads
from api.problems import refuse
from api.routes.common import errors, house, json_response, turns
from api.wiring import House
from provenance.reverify import compare
from provenance.verify import verify

router = APIRouter()


@router.post(
    "/reverify",
    summary="Verify again, and compare",
    response_model=schemas.Comparison,
    responses={
        200: {"description": "Both verdicts, and what differs.", "content": examples.content("comparison")},
        **errors("bad-request", "foreign-page", "not-found", "too-large", "invalid-request", "unusable-file"),
        **errors("damaged-media", "over-budget", "busy", "storage-full"),
    },
)
async def reverify(
    request: Request,
    file: Annotated[UploadFile, File(description="The same bytes.")],
    verdict: Annotated[UploadFile | None, File(description="An earlier verdict, as JSON; else the one kept here.")] = None,
    at: Annotated[str | None, Form(max_length=40, description="Judge as of this instant, ISO 8601; else now.")] = None,
) -> Response:
    """Each difference, and its cause where one can be found: another instant, trust list, revocation, library or policy.

    A cause is `certain` where the verdict goes back when that input alone is put back. 404 where no verdict is given, and none
    is kept of these bytes. What feeds are told is not touched.
    """
    opened, instant = house(request), _instant(at)
    earlier = None if verdict is None else await verdict.read(1 << 20)
    body = await turns(request).take(lambda: _compared(opened, file.file, file.filename, earlier, instant))
    return json_response(body)


def _compared(opened: House, file: BinaryIO, name: str | None, earlier: bytes | None, at: datetime) -> dict[str, Any]:
    with uploads.received(file, name, opened.settings.home / "incoming") as upload:
        before = _read(earlier) if earlier is not None else _kept(opened, upload.sha256)
        done = verify(upload.path, opened.desk, at=at, marks=_marks(before))
    try:
        return compare(before, done.verdict, done.evidence, opened.desk.lists).as_dict()
    except ValueError as error:
        refuse("invalid-request", errors=[{"where": "body.verdict", "say": str(error)}])


def _marks(before: dict[str, Any]) -> bool:
    """Whether marks were looked for then."""
    return "mark" not in (before.get("not_checked") or ())


def _kept(opened: House, sha256: str) -> dict[str, Any]:
    kept = opened.chores.verdict(sha256)
    if kept is None:
        refuse("not-found", "no earlier verdict on these bytes is kept here: send one")
    found: dict[str, Any] = json.loads(kept.verdict)
    return found


def _read(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        refuse("invalid-request", errors=[{"where": "body.verdict", "say": "not a verdict as JSON"}])
    return found


def _instant(text: str | None) -> datetime:
    try:
        found = datetime.now(UTC) if text is None else datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        refuse("invalid-request", errors=[{"where": "body.at", "say": "not an instant with its time zone"}])
    return found.astimezone(UTC)
