"""From a body or an address to matches: the content is written to a private file, measured in killable workers, and gone."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import IO, Any

from starlette.requests import Request

from api import uploads
from api.problems import refuse
from api.routes.common import house, turns
from api.settings import Settings
from api.wiring import House
from provenance.errors import FetchError
from provenance.fetch import Client
from provenance.find import Match, find
from watermark import engines

_IN_MEMORY = 1 << 20
_FETCH_S = 20.0
_ISCC = "io.iscc.v0"


async def body(request: Request, limit: int) -> bytes:
    """The body, if it is no longer than a limit (413)."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            refuse("too-large")
    return bytes(data)


async def spooled(request: Request, settings: Settings) -> IO[bytes]:
    """The body in a file that is gone when it is closed."""
    limit, size = settings.upload_limit_mb << 20, 0
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                refuse("too-large")
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    return file


def content(opened: House, file: IO[bytes], name: str | None, *, alg: str | None, most: int) -> list[dict[str, Any]]:
    """Matches of a file's content, best first, each with how well it agrees; foreign content is no match. Blocks."""
    if alg is not None and alg != _ISCC and alg not in {engine.alg for engine in engines.all()}:
        refuse("invalid-request", errors=[{"where": "query.alg", "say": "no algorithm that is known here"}])
    with uploads.received(file, name, opened.settings.home / "incoming") as upload:  # type: ignore[arg-type]  # a binary file
        found = find(upload.path, opened.desk, limit=most)
    return [_match(one) for one in found if _counts(one, alg)]


async def fetched(request: Request, url: str, *, most: int | None = None) -> IO[bytes]:
    """What a public https address answers with, in a file that is gone when it is closed.

    Raises:
        ProblemError: it may not be asked, or did not answer well (422); too many are being fetched (503).
    """
    limit = house(request).settings.upload_limit_mb << 20
    limit = limit if most is None else min(limit, most)
    client: Client = request.app.state.fetching
    return await turns(request).spool(lambda: fetch(url, limit, client))


def fetch(url: str, limit: int, client: Client) -> IO[bytes]:
    """The same. Blocks, twenty seconds at most."""
    if not url.startswith("https://"):
        refuse("not-fetched", "it is no https address")
    try:
        answer = replace(client, timeout_s=_FETCH_S, max_bytes=limit).get(url)
    except FetchError:
        refuse("not-fetched")
    if answer.status != 200:
        refuse("not-fetched", f"the address answered {answer.status}")
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    file.write(answer.body)
    return file


def _counts(match: Match, alg: str | None) -> bool:
    if match.agreement == "foreign" or match.asset.withdrawn_at is not None:
        return False
    if match.how == "fingerprint" and match.agreement != "fits":
        return False
    if alg is None:
        return True
    return match.how == "fingerprint" if alg == _ISCC else any(bound.alg == alg for bound in match.asset.bindings)


def _match(match: Match) -> dict[str, Any]:
    score = {} if match.fit is None else {"similarityScore": round(max(0.0, min(1.0, match.fit)) * 100)}
    return {"manifestId": match.asset.manifest_id, **score}
