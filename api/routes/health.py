"""GET /healthz, /readyz, /metrics: is the process there, may it be sent work, and how is it doing."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import Response

from api import metrics, selftest
from api.problems import refuse
from api.routes.common import house, json_response
from api.wiring import House
from keys.errors import KeysError
from keys.signers.socket import SocketSigner
from provenance.errors import ProvenanceError

log = logging.getLogger("colophon.health")
_PATIENCE_S = 4.0  # for the signing process to say that it is there: it answers in a millisecond, on a crowded machine in seconds
_STALLED_S = 30.0  # entries wait for so long without a single checkpoint: a sequencer needs a twentieth of a second


async def healthz(_request: Request) -> Response:
    """Answer 200 as long as the process serves requests at all, also while all workers are busy."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def readyz(request: Request) -> Response:
    """Answer 200 while this service may be sent work: database, signing process, sequencer and self-test are as they must be.

    503 names the part that is not. The self-test (one good file and three bad ones) ran at start, or runs now if it has not.
    """
    checks = await anyio.to_thread.run_sync(_checks, request)
    wrong = [name for name, state in checks.items() if state != "ok"]
    if wrong:
        refuse("unavailable", f"not ready: {', '.join(wrong)}", retry_after_s=5)
    return json_response({"status": "ready", "checks": checks})


async def exposition(request: Request) -> Response:
    """Counts, times and gauges in the text format of Prometheus."""
    lines = [*request.app.state.requests.lines(), *metrics.gauges(await anyio.to_thread.run_sync(_gauges, request))]
    return Response("\n".join(lines) + "\n", media_type=metrics.MEDIA_TYPE)


def _checks(request: Request) -> dict[str, str]:
    return {
        "database": _database(request),
        "signing process": _signing(request),
        "sequencer": _sequencer(request),
        "self-test": _selftest(request),
    }


def _database(request: Request) -> str:
    try:
        house(request).registry.manifest_labels(limit=1)
    except ProvenanceError:
        return "unavailable"
    return "ok"


def _signing(request: Request) -> str:
    signer = house(request).studio().signer
    if not signer.startswith("unix:"):
        return "ok"  # keys are opened where they are used, or elsewhere altogether
    path, _, key = signer.removeprefix("unix:").partition("?key=")
    try:
        SocketSigner.connect(Path(path), key=key or None, timeout_s=_PATIENCE_S)
    except KeysError:
        return "unavailable"
    return "ok"


def _sequencer(request: Request) -> str:
    """Whether what waits for a number gets one: a trail that nobody signs any more is no record."""
    if house(request).signer_override is None:
        return "ok"  # no service with a sequencer of its own: it is done when the home closes
    try:
        stalled = house(request).log.stalled_s(datetime.now(UTC))
    except ProvenanceError:
        return "ok"  # the database is away, which has its own line
    return "stalled" if stalled > _STALLED_S else "ok"


def _selftest(request: Request) -> str:
    """The self-test's outcome, kept for as long as the process lives: nothing that it looks at changes meanwhile."""
    state = request.app.state
    if state.selftest is None:
        state.selftest = selftest.run(house(request).desk, at=datetime.now(UTC))
    if state.selftest.passed:
        return "ok"
    log.error("self-test: %s", state.selftest.wrong)
    return "failed"


def _gauges(request: Request) -> dict[str, tuple[str, float]]:
    opened, line = house(request), request.app.state.turns
    return {
        **_authority(opened),
        "colophon_trail_entries": ("Entries in the newest checkpoint.", opened.log.size()),
        "colophon_trail_pending_entries": ("Entries that have no number yet.", opened.log.waiting()),
        "colophon_trail_stalled_seconds": (
            "Time that entries wait while none is numbered.",
            opened.log.stalled_s(datetime.now(UTC)),
        ),
        "colophon_stamp_queue_manifests": ("Manifests that wait for a stamp, up to 500.", len(opened.registry.stamp_queue())),
        "colophon_heavy_running": ("Pieces of work on media under way.", line.running),
        "colophon_heavy_waiting": ("Pieces of work on media in line.", line.waiting),
        "colophon_selftest_passed": ("1 where the start-up self-test passed.", _passed(request)),
    }


def _authority(opened: House) -> dict[str, tuple[str, float]]:
    """What the time stamp authority said when signing or the chores asked it last; nothing until then."""
    seen = opened.tsa_asked
    if seen.at is None:
        return {}
    says = "1 where the time stamp authority answered when asked last; where not, what is signed waits for its stamp."
    return {
        "colophon_tsa_up": (says, float(seen.up)),
        "colophon_tsa_asked_seconds": ("Time since the time stamp authority was asked last.", time.monotonic() - seen.at),
    }


def _passed(request: Request) -> float:
    found = request.app.state.selftest
    return 1.0 if found is not None and found.passed else 0.0
