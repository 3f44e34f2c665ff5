"""POST /analyze_image, /analyze_audio, /analyze_video: how soon a person should look at a file, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, File, Request, UploadFile
from starlette.responses import Response

from api import examples, schemas, uploads, verifying
from api.problems import refuse
from api.routes.common import errors, house, json_response, turns
from api.wiring import House
from provenance import tasks
from provenance.triage import triage

router = APIRouter()
MEDIA = ("image", "audio", "video")


def _route(medium: str) -> None:
    async def analyze(
        request: Request, file: Annotated[UploadFile, File(description="What to look at; it is not kept.")]
    ) -> Response:
        opened = house(request)
        body = await turns(request).take(lambda: _analyzed(opened, medium, file.file, file.filename))
        return json_response(body)

    analyze.__doc__ = """Verify a file, and say how soon a person should look at it: a queue's order, never a judgement.

    `score` runs from 0 to 1, `band` is low, medium (from 0.3) or high (from 0.6), `reasons` say what it comes from, each with its
    weight; `provenance` is the verdict as `POST verify` gives it. A file without any credential is low: most files have none.
    """
    router.post(
        f"/analyze_{medium}",
        summary=f"Triage of {'an' if medium[0] in 'ai' else 'a'} {medium}",
        operation_id=f"analyze_{medium}",
        response_model=schemas.Triage,
        responses={
            200: {"description": "Its place in the queue.", "content": examples.content("triage")},
            **errors("bad-request", "foreign-page", "too-large", "unsupported-media", "invalid-request", "unusable-file"),
            **errors("over-budget", "busy", "storage-full"),
        },
    )(analyze)


for _medium in MEDIA:
    _route(_medium)


def _analyzed(opened: House, medium: str, file: BinaryIO, name: str | None) -> dict[str, Any]:
    with uploads.received(file, name, opened.settings.home / "incoming") as upload:
        kind = opened.desk.workers.run(tasks.kind, str(upload.path)) or "a kind that is not known here"
        if not kind.startswith(f"{medium}/"):
            refuse("unsupported-media", f"this is {kind}, which is no {medium}")
        found = verifying.found(opened, upload.path, upload.sha256, at=datetime.now(UTC))
    return triage(found.body).as_dict() | {"provenance": found.body}
