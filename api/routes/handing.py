"""How a signed file is handed over: what is done once for one request, and the two forms of the answer."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from api import uploads
from api.guard import caller_of
from api.idempotency import Once
from api.outbox import Outbox, Slot
from api.problems import refuse
from api.routes.assets import file_response
from api.routes.common import API, house, json_response, outbox, turns
from api.wiring import House
from provenance.finishing import Signed
from provenance.verdict import iso

KEY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """What there is to work with: the house, the upload, a place for what is made, and the instant of the request."""

    house: House
    upload: uploads.Upload
    slot: Slot
    at: datetime


async def handed_over(
    request: Request,
    file: BinaryIO,
    name: str | None,
    make: Callable[[Job], Facts],
    *,
    route: str,
    wishes: Mapping[str, Any],
    key: str | None,
) -> Response:
    """Take a file in, make a signed one of it when the turn comes, and answer 201 with the file or with its facts.

    Args:
        make: What is done, in a thread of its own; returns what `handed` says of its result.
        route: Under which name an `Idempotency-Key` is remembered.
        wishes: What the form asks for, plain values; part of what makes two requests the same.
        key: The caller's `Idempotency-Key`; another caller's never meets it.
    """
    opened, box, caller = house(request), outbox(request), caller_of(request).id
    once: Once = request.app.state.once

    def work() -> tuple[Facts, bool]:
        at = datetime.now(UTC)
        with uploads.received(file, name, opened.settings.home / "incoming") as upload:
            return once.run(
                lambda: make(Job(opened, upload, box.slot(), at)),
                opened.registry,
                key and f"{caller}:{key}",
                route=route,
                request_digest=request_digest(upload.sha256, wishes),
                at=at,
            )

    facts, replayed = await turns(request).take(work)
    return _answer(request, box, facts, replayed=replayed)


def handed(job: Job, done: Signed) -> dict[str, Any]:
    """What is said of a signed file, which waits for its caller from here on."""
    ending = mimetypes.guess_extension(done.media_type) or job.upload.path.suffix  # the content decides, not the upload's name
    done.path.rename(job.slot.folder / f"{done.asset_id}{ending}")
    if done.sidecar is not None:
        done.sidecar.unlink()  # it is given out as a manifest: see `credential`
    return _facts_of(done) | {
        "token": job.slot.token,
        "download": f"{API}/assets/{quote(done.asset_id, safe='')}/file?token={job.slot.token}",
        "expires": iso(datetime.fromtimestamp(job.slot.expires, UTC)),
    }


def wants_json(accept: str) -> bool:
    """Whether an Accept header names JSON; a wildcard does not, for the file is what a client came for."""
    for choice in accept.lower().split(","):
        name, *parameters = (part.strip() for part in choice.split(";"))
        if name == "application/json":
            return not any(p.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for p in parameters)
    return False


def request_digest(file_sha256: str, wishes: Mapping[str, Any]) -> str:
    """What makes two requests the same: the bytes and the wishes; not the file's name."""
    return hashlib.sha256(json.dumps([file_sha256, wishes], sort_keys=True).encode()).hexdigest()


def _answer(request: Request, box: Outbox, facts: Facts, *, replayed: bool) -> Response:
    headers = {"vary": "accept"} | _headers(facts) | ({"idempotent-replayed": "?1"} if replayed else {})
    if wants_json(request.headers.get("accept", "")):
        return json_response({name: value for name, value in facts.items() if name != "token"}, 201, headers)
    path = box.find(facts["token"], facts["asset_id"])
    if path is None:
        refuse("gone")
    response = file_response(path, facts["media_type"], headers)
    response.status_code = 201
    return response


def _facts_of(done: Signed) -> dict[str, Any]:
    """What a client learns; the path is ours."""
    return {
        "asset_id": done.asset_id,
        "manifest_id": done.manifest_id,
        "sha256": done.sha256,
        "media_type": done.media_type,
        "binding": {"alg": done.binding.alg, "value": done.binding.value} if done.binding else None,
        "signer": done.signer,
        "development": done.development,
        "time_state": done.time_state,
        "time": iso(done.time) if done.time else None,
        "entry_id": done.entry_id,
        "registered": done.registered,
        "credential": f"/v1/manifests/{quote(done.manifest_id, safe='')}" if done.sidecar is not None else None,
        "notes": list(done.notes),
        "steps_ms": {step: round(ms, 1) for step, ms in done.steps_ms.items()},
    }


def _headers(facts: Facts) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(facts["sha256"])).decode("ascii")
    headers = {
        "location": f"{API}/assets/{quote(facts['asset_id'], safe='')}",
        "repr-digest": f"sha-256=:{digest}:",
        "colophon-asset-id": facts["asset_id"],
        "colophon-manifest-id": facts["manifest_id"],
    }
    if facts["binding"]:
        headers["colophon-mark"] = f"{facts['binding']['alg']}={facts['binding']['value']}"
    if facts.get("credential"):
        headers["link"] = f'<{facts["credential"]}>; rel="c2pa-manifest"'
    if facts["development"]:
        headers["colophon-development"] = "?1"
    return headers
