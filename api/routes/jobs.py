"""GET /jobs/{id}: work that was promised with a 202, and its progress as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Path, Request
from starlette.responses import Response, StreamingResponse

from api import examples, schemas
from api.following import event
from api.guard import caller_of
from api.problems import refuse
from api.routes.common import API, errors, house, json_response
from api.routes.events import HEADERS, STREAM
from provenance.store.jobs import FAILED, Job, Jobs
from provenance.verdict import iso

router = APIRouter(prefix="/jobs/{job_id}")
Id = Annotated[str, Path(description="From the answer 202.", max_length=64)]
_LOOK_S, _BEATS = 0.3, 50
_UNKNOWN = errors("not-found", "invalid-request", "unavailable")


@router.get(
    "",
    summary="A job",
    response_model=schemas.Job,
    responses={200: {"content": examples.content("job")}, **_UNKNOWN},
)
def job(request: Request, job_id: Id) -> Response:
    """Where a job is, and what came of it: `result` once it is `done`, `problem` where it `failed`. Kept for a day."""
    found = _own(request, house(request).jobs.get(job_id))
    return json_response(document(found), headers={} if found.over else {"retry-after": "1"})


@router.get(
    "/events",
    summary="A job's progress",
    response_class=Response,
    responses={200: {"description": "Server-sent events.", "content": {STREAM: {"schema": {"type": "string"}}}}, **_UNKNOWN},
)
async def events(request: Request, job_id: Id) -> Response:
    """`event: stage` with the job whenever it goes on, and at last `event: done` or `event: failed`; then the stream ends."""
    jobs = house(request).jobs
    first = _own(request, await anyio.to_thread.run_sync(jobs.get, job_id))
    stopping = request.app.state.watch
    return StreamingResponse(_told(jobs, first, lambda: stopping.closed), media_type=STREAM, headers=HEADERS)


def document(found: Job) -> dict[str, Any]:
    """A job as its caller sees it; the file and the request are ours."""
    here = f"{API}/jobs/{quote(found.id, safe='')}"
    body: dict[str, Any] = {
        "id": found.id,
        "kind": found.kind,
        "state": found.state,
        "stage": found.stage,
        "sha256": found.sha256,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
        "links": {"self": here, "events": f"{here}/events"},
    }
    if found.result is not None:
        body["problem" if found.state == FAILED else "result"] = found.result
    return body


def promised(found: Job) -> Response:
    """202 with the job (RFC 9110 §15.3.3)."""
    body = document(found)
    return json_response(body, 202, {"location": body["links"]["self"], "retry-after": "1"})


def _own(request: Request, found: Job | None) -> Job:
    caller = caller_of(request)
    if found is None or not caller.owns(found.caller):
        refuse("not-found", "no such job is known here")
    return found


async def _told(jobs: Jobs, found: Job, stopping: Callable[[], bool]) -> AsyncIterator[bytes]:
    said, quiet = "", 0
    while True:
        mark = f"{found.state} {found.stage} {found.updated_at}"
        if found.over:
            yield event(found.state, document(found))
            return
        if mark != said:
            said, quiet = mark, 0
            yield event("stage", document(found))
        elif (quiet := quiet + 1) % _BEATS == 0:
            yield b": beat\n\n"
        if stopping():
            return
        await asyncio.sleep(_LOOK_S)
        again = await anyio.to_thread.run_sync(jobs.get, found.id)
        if again is None:
            return
        found = again
