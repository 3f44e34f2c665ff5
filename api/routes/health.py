"""GET /healthz: the process answers. It asks nothing of the database or the workers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response


async def healthz(_request: Request) -> Response:
    """Answer 200 as long as the process serves requests at all, also while all workers are busy."""
    return Response(b'{"status":"ok"}', media_type="application/json")
