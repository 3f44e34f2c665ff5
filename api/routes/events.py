"""GET /feed/events: changes of statuses as server-sent events, for all or for some items; and of jobs."""

from __future__ import annotations

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.following import Watch, told
from api.problems import refuse
from api.routes.common import house
from api.routes.feed import MOST

STREAM = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # a proxy that gathers would hold changes back
_LONGEST = 16_384  # of the list of ids


async def changes(request: Request) -> Response:
    """Every change of a status from now on, or from `Last-Event-ID`: `event: status` with the words before and after.

    `ids=` names up to 500 asset ids or SHA-256 values; without it all changes come. `event: reset` says that changes were
    missed because too long ago: ask `feed/status` anew. A comment comes every 15 seconds.
    """
    wanted = frozenset(part for part in request.query_params.get("ids", "")[:_LONGEST].split(",") if part)
    if len(wanted) > MOST:
        refuse("too-many-ids", f"{len(wanted)} were given")
    watch: Watch = request.app.state.watch
    if watch.full:
        refuse("busy", "too many are listening already", retry_after_s=30)
    asked = _asked(request)
    oldest, newest = await anyio.to_thread.run_sync(house(request).chores.bounds)
    last = newest if asked is None else min(max(asked, oldest - 1), newest)
    return StreamingResponse(told(watch, last, wanted, asked=asked, oldest=oldest), media_type=STREAM, headers=HEADERS)


def _asked(request: Request) -> int | None:
    """What the listener heard last; a header that is no number of ours says nothing."""
    given = request.headers.get("last-event-id", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None
