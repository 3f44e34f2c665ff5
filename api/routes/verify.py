"""POST /verify: one file in, everything that is known of it out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, File, Query, Request, UploadFile
from starlette.responses import Response

from api import examples, schemas, uploads
from api.routes.common import data_url, errors, house, json_response, turns
from api.wiring import House
from provenance.feed import public_status
from provenance.store.registry import Registry
from provenance.verdict import Status, Verdict
from provenance.verify import Pictures, verify

router = APIRouter()


@router.post(
    "/verify",
    summary="Verify a file",
    response_model=schemas.Verdict,
    responses={
        200: {"description": "A verdict, whatever it is.", "content": examples.content(*examples.VERDICTS)},
        **errors("bad-request", "foreign-page", "too-large", "unsupported-media", "invalid-request", "unusable-file"),
        **errors("damaged-media", "over-budget", "busy", "storage-full"),
    },
)
async def verify_file(
    request: Request,
    file: Annotated[UploadFile, File(description="The photo, sound or video; its name is only a label.")],
    pictures: Annotated[bool, Query(description="Also send the copy, the reference and where it changed.")] = False,
    marks: Annotated[bool, Query(description="Look for invisible marks.")] = True,
) -> Response:
    """Answer 200 with a verdict for every file that can be read, signed or not: a verdict is an answer, not an error.

    `status` is the word, `summary` the sentence, `reasons` the account, `not_checked` what nobody looked at. The file is not
    kept; what feeds are told of its bytes is, unless `marks=false`: a look with one eye must not take a full one's place.
    """
    opened = house(request)
    body = await turns(request).take(lambda: _verdict(opened, file.file, file.filename, marks=marks, pictures=pictures))
    return json_response(body)


def _verdict(opened: House, file: BinaryIO, name: str | None, *, marks: bool, pictures: bool) -> dict[str, Any]:
    at = datetime.now(UTC)
    with uploads.received(file, name, opened.settings.home / "incoming") as upload:
        found = verify(upload.path, opened.desk, at=at, marks=marks, pictures=pictures)
    if marks:
        _remember(opened.registry, found.verdict, at)
    body = found.verdict.as_dict()
    return body | {"pictures": _data_urls(found.pictures)} if pictures else body


def _remember(registry: Registry, verdict: Verdict, at: datetime) -> None:
    """Store what feeds are told of these bytes. Doubt takes the place of nothing only: a busy hour must not unsay a verdict."""
    sha256 = verdict.asset.sha256
    if verdict.status is not Status.UNKNOWN or not registry.statuses([sha256]):
        registry.set_status(verdict.asset.id, sha256, public_status(verdict), at=at)


def _data_urls(pictures: Pictures) -> dict[str, str | None]:
    return {name: data_url(getattr(pictures, name)) for name in ("copy", "reference", "changes", "laid")}
