"""POST /verify: one file in, or its address; everything that is known of it out: now, or by a job."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, File, Form, Header, Query, Request, UploadFile
from starlette.responses import Response

from api import examples, idempotency, reaching, runner, schemas, uploads, verifying
from api.guard import caller_of
from api.idempotency import Once
from api.problems import refuse
from api.routes import jobs
from api.routes.common import errors, house, json_response, turns
from api.wiring import House
from provenance import sidecar
from provenance.sidecar import MOST_BYTES
from provenance.store.jobs import Job
from provenance.verdict import Status

router = APIRouter()
_ROUTE, KIND = "POST /api/v1/verify", "verify"
_JOBS_EACH = 32  # that wait, of one caller and for each worker: their files lie on the disk


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of a file; with its bytes and the caller, what makes two requests the same."""

    marks: bool
    pictures: bool
    later: bool  # a job, however small the file
    caller: str
    key: str | None
    credential: bytes | None = None  # what lies beside the file

    def digest(self, sha256: str) -> str:
        said = [sha256, self.marks, self.pictures, *([] if self.credential is None else [_sha256(self.credential)])]
        return _sha256(json.dumps(said).encode())


@router.post(
    "/verify",
    summary="Verify a file",
    response_model=schemas.Verdict,
    responses={
        200: {"description": "A verdict, whatever it is.", "content": examples.content(*examples.VERDICTS)},
        202: {"description": "A job that will find it.", "model": schemas.Job, "content": examples.content("job")},
        **errors("bad-request", "foreign-page", "in-progress", "too-large", "unsupported-media", "invalid-request"),
        **errors("unusable-file", "damaged-media", "over-budget", "not-fetched", "key-reused", "busy", "storage-full"),
    },
)
async def verify_file(
    request: Request,
    file: Annotated[UploadFile | None, File(description="The photo, sound or video; its name is only a label.")] = None,
    credential: Annotated[
        UploadFile | None, File(description="A manifest store that lies beside the file (`.c2pa`); it wins over an embedded one.")
    ] = None,
    url: Annotated[str | None, Form(description="Or its public https address.", max_length=2048)] = None,
    pictures: Annotated[bool, Query(description="Also send the copy, the reference and where it changed.")] = False,
    marks: Annotated[bool, Query(description="Look for invisible marks.")] = True,
    prefer: Annotated[str | None, Header(description="`respond-async`: answer 202 with a job, however small the file.")] = None,
    idempotency_key: Annotated[
        str | None, Header(pattern=idempotency.PATTERN, description="Any text of your own that names this one request.")
    ] = None,
) -> Response:
    """Answer 200 with a verdict for every file that can be read, signed or not: a verdict is an answer, not an error.

    `status` is the word, `summary` the sentence, `reasons` the account, `not_checked` what nobody looked at. The file is not
    kept; what feeds are told of its bytes is, unless `marks=false`: a look with one eye must not take a full one's place. Nor
    must a `credential` that anybody may send beside anybody's bytes: such a verdict is for its caller alone.

    Large files, and all with `Prefer: respond-async`, get 202 with a job: feeds say `pending` of them until it is done. The
    same bytes again get the verdict found before, for up to an hour (`Age`), while all that it rests on stays as it was.
    """
    if (file is None) == (not url):
        refuse("invalid-request", errors=[{"where": "body", "say": "give a file or a url, one of them"}])
    opened, once = house(request), request.app.state.once
    later = "respond-async" in (prefer or "").lower()
    beside = await _beside(credential)
    wishes = Wishes(marks, pictures, later, caller_of(request).id, idempotency_key, beside)
    with ExitStack() as stack:
        if file is not None:
            body, name = file.file, file.filename
        else:
            body, name = cast(BinaryIO, await reaching.fetched(request, str(url))), None
            stack.enter_context(body)
        size = body.seek(0, os.SEEK_END)
        if later or size > opened.settings.inline_limit_mb << 20:
            answer = await turns(request).spool(lambda: _promised(opened, body, name, wishes))
        else:
            answer = await turns(request).take(lambda: _at_once(opened, once, body, name, wishes))
    if isinstance(answer, Job):
        request.app.state.runner.wake()
        return jobs.promised(answer)
    found, replayed = answer
    at = datetime.fromisoformat(found.body["inputs"]["at"])
    headers = {"idempotent-replayed": "?1"} if replayed else {}
    if found.again:
        headers["age"] = str(max(0, int((datetime.now(UTC) - at).total_seconds())))
    return json_response(found.body, headers=headers)


def _at_once(opened: House, once: Once, file: BinaryIO, name: str | None, wishes: Wishes) -> tuple[verifying.Answer, bool]:
    at = datetime.now(UTC)
    with uploads.received(file, name, opened.settings.home / "incoming") as upload:

        def work() -> Mapping[str, Any]:
            apart = _written(wishes.credential, upload.path)
            found = verifying.found(
                opened, upload.path, upload.sha256, at=at, marks=wishes.marks, pictures=wishes.pictures, apart=apart
            )
            return {"body": found.body, "again": found.again}

        digest, key = wishes.digest(upload.sha256), _key(wishes)
        kept, replayed = once.run(work, opened.registry, key, route=_ROUTE, request_digest=digest, at=at)
    return verifying.Answer(kept["body"], kept["again"]), replayed


def _promised(opened: House, file: BinaryIO, name: str | None, wishes: Wishes) -> Job | tuple[verifying.Answer, bool]:
    """Queue a job, unless the verdict is known. The file lies where the job will look before its row exists."""
    at, job_id = datetime.now(UTC), uuid.uuid4().hex
    if opened.jobs.waiting(wishes.caller) >= _JOBS_EACH * opened.settings.worker_count:
        refuse("busy", "as many jobs of yours are waiting as may: let some end first", retry_after_s=30)
    with uploads.received(file, name, opened.settings.home / "incoming") as upload:
        if wishes.marks and not wishes.pictures and not wishes.later and wishes.credential is None:
            before = verifying.known(opened, upload.sha256, at=at)
            if before is not None:
                return before, False
        folder = runner.folder_of(opened, job_id)
        _laid_down(upload.path, folder)
        apart = _written(wishes.credential, folder / upload.path.name)
    request: dict[str, Any] = {"file": upload.path.name, "name": upload.name, "marks": wishes.marks, "pictures": wishes.pictures}
    if apart is not None:
        request["credential"] = apart.name
    same = f"{KIND}:{wishes.caller}:{_key(wishes) or ''}:{wishes.digest(upload.sha256)}"
    job = opened.jobs.add(job_id, KIND, request, same=same, sha256=upload.sha256, caller=wishes.caller, at=at)
    if job.id != job_id:
        shutil.rmtree(folder, ignore_errors=True)
    if wishes.marks and wishes.credential is None:
        verifying.promised(opened, upload.sha256, at=at)
    return job


def work(opened: House, job: Job, folder: Path, stage: runner.Stage) -> Mapping[str, Any]:
    """Do a job of this kind."""
    at, asked = datetime.now(UTC), job.request
    assert job.sha256 is not None
    apart = folder / str(asked["credential"]) if "credential" in asked else None
    promised = bool(asked["marks"]) and apart is None  # then feeds say that somebody looks
    try:
        found = verifying.found(
            opened,
            folder / str(asked["file"]),
            job.sha256,
            at=at,
            marks=bool(asked["marks"]),
            pictures=bool(asked["pictures"]),
            apart=apart,
            stage=stage,
        )
    except BaseException:
        if promised:
            verifying.given_up(opened, job.sha256, at=at)
        raise
    if promised and found.body["status"] == Status.UNKNOWN:
        verifying.given_up(opened, job.sha256, at=at)
    return found.body


async def _beside(credential: UploadFile | None) -> bytes | None:
    if credential is None:
        return None
    store = await credential.read(MOST_BYTES + 1)
    if not store or len(store) > MOST_BYTES:
        wrong = f"larger than {MOST_BYTES >> 20} MB" if store else "empty"
        refuse("invalid-request", errors=[{"where": "body.credential", "say": f"it is {wrong}"}])
    return store


def _written(credential: bytes | None, file: Path) -> Path | None:
    """Lay a credential, if there is one, beside a file, under a name of ours."""
    if credential is None:
        return None
    path = sidecar.beside(file)
    path.write_bytes(credential)
    return path


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _key(wishes: Wishes) -> str | None:
    """One caller's keys are not another's."""
    return f"{wishes.caller}:{wishes.key}" if wishes.key else None


def _laid_down(source: Path, folder: Path) -> None:
    """Move a file to where it outlives this process, and the power."""
    folder.mkdir(mode=0o700, parents=True)
    target = folder / source.name
    source.rename(target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
