"""The application: routes, limits and pages put together around one opened house."""

from __future__ import annotations

import contextlib
import gc
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from api import chores, describe, problems, selftest, uploads
from api.access import Access
from api.express import Express
from api.following import Watch
from api.gate import Gate
from api.guard import Guard, guard
from api.idempotency import Once
from api.lane import Lane
from api.metrics import Requests
from api.outbox import KEPT_S, Outbox
from api.routes import (
    assets,
    authority,
    claims,
    deposits,
    desk,
    events,
    feed,
    health,
    jobs,
    log,
    pages,
    renditions,
    reverify,
    sign,
    story,
    survival,
    triage,
    verify,
)
from api.routes.common import API, problem_response
from api.routes.resolution import mount as mount_resolution
from api.runner import Runner
from api.settings import DEVELOPMENT, Settings
from api.tokens import Tokens
from api.turns import Turns
from api.wiring import House, open_house
from keys.errors import KeysError
from keys.feedkey import SocketFeedKey, feed_public_key
from keys.frames import MAX_BODY
from keys.service import spawn
from provenance.errors import ProvenanceError
from provenance.fetch import Client
from watermark.errors import WatermarkError

_SMALL_BODY = 256 << 10  # 500 ids of 512 bytes
_FORM_ROOM = 64 << 10  # the other fields and the multipart headers, on top of the file
_PATIENCE = 16  # pieces of work in line for each one under way
_SWITCH_S = 0.0001  # threads that move uploads give way to the event loop fifty times sooner than Python's 5 ms
_REMEMBERED = timedelta(days=1)  # answers under an Idempotency-Key


HANDLERS = {verify.KIND: verify.work}
FEED_STATUS = f"{API}/feed/status"


class Colophon(FastAPI):
    """FastAPI behind our gate, with our description."""

    hosts: Sequence[str] = ()
    guarded: Callable[[ASGIApp], Guard] | None = None

    def build_middleware_stack(self) -> ASGIApp:
        quick = {
            FEED_STATUS: (frozenset({"GET", "POST"}), feed.statuses),
            "/healthz": (frozenset({"GET"}), health.healthz),
        }
        inner: ASGIApp = Lane(super().build_middleware_stack(), self, quick)
        guard = self.guarded(inner) if self.guarded else None
        gate = Gate(guard or inner, hosts=self.hosts, requests=self.state.requests)
        return Express(gate, self, FEED_STATUS, admit=guard.at_once if guard else None)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = describe.whole(self.routes)
        return self.openapi_schema


def create_app(house: House | Settings, *, hosts: Sequence[str] = (), guarded: bool = False) -> FastAPI:
    """Return the service around a house that is open, or around settings: then it opens one at start and closes it at the end.

    Args:
        house: What the routes work with.
        hosts: Host names to answer to; none for any. Name them where no proxy checks, so that a page in a browser cannot
            reach a service on its own machine under a name that points there.
        guarded: Ask for API keys, and limit how often; for whatever listens beyond loopback.
    """
    settings = house if isinstance(house, Settings) else house.settings
    app = Colophon(
        title=describe.TITLE,
        version=describe.VERSION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's page loads scripts from elsewhere; ours is pages.py
        redoc_url=None,
        lifespan=_lifespan(house),
        max_body_size=_SMALL_BODY,
    )
    app.hosts = tuple(hosts)
    app.state.turns = Turns(settings.worker_count, settings.worker_count * _PATIENCE)
    app.state.outbox = Outbox(settings.home / "outbox")
    app.state.once = Once()
    app.state.fetching = Client()  # guarded; whom else it may believe, only a test says
    app.state.requests = Requests()
    app.state.selftest = None
    app.state.access = Access(settings.home)
    if guarded or settings.require_keys:
        app.guarded = guard(settings, app.state.access, lambda: getattr(getattr(app.state, "house", None), "quotas", None))
    if isinstance(house, House):
        _move_in(app, house)
    app.add_route("/healthz", health.healthz, methods=["GET"])
    app.add_route("/readyz", health.readyz, methods=["GET"])
    app.add_route("/metrics", health.exposition, methods=["GET"])
    app.add_route(FEED_STATUS, feed.statuses, methods=["GET", "POST"])
    app.add_route(f"{API}/feed/key", feed.key, methods=["GET"])
    app.add_route(f"{API}/feed/recent", feed.recent, methods=["GET"])
    app.add_route(f"{API}/feed/events", events.changes, methods=["GET"])
    largest = (settings.upload_limit_mb << 20) + _FORM_ROOM
    for router, files in ((sign.router, 1), (renditions.router, 1), (verify.router, 2), (triage.router, 1), (reverify.router, 2)):
        app.include_router(
            router,
            prefix=API,
            tags=["media"],
            max_body_size=largest,
            form_limits={"max_files": files, "max_fields": 8, "max_part_size": 4096},
        )
    app.include_router(claims.router, prefix=API, tags=["media"], max_body_size=MAX_BODY + 1)
    for path, endpoint, methods in authority.ROUTES:
        app.add_route(path, endpoint, methods=list(methods))
    app.include_router(deposits.router, prefix=API, tags=["assets"], max_body_size=deposits.MOST_BYTES)
    app.include_router(jobs.router, prefix=API, tags=["media"])
    app.include_router(desk.router, prefix=API, tags=["desk"])
    app.include_router(assets.router, prefix=API, tags=["assets"])
    app.include_router(log.family, prefix=API, tags=["assets"])
    app.include_router(story.router, prefix=API, tags=["assets"])
    app.include_router(survival.router, prefix=API, tags=["assets"])
    app.include_router(log.router, prefix=API, tags=["log"])
    mount_resolution(app, max_body_size=largest)
    pages.mount(app, upload_limit_mb=settings.upload_limit_mb)
    _answer_errors(app)
    return app


@contextlib.contextmanager
def serving_house(settings: Settings) -> Iterator[House]:
    """Open a house whose keys are held by a process of their own, reached through a socket that only this user can open."""
    # its own short folder: a socket's path may have some hundred bytes, and two services may share a home
    with (
        tempfile.TemporaryDirectory(prefix="colophon-") as folder,
        spawn(
            settings.keys_folder,
            Path(folder) / "keys" / "socket",
            init=True,
            tsa=settings.tsa == DEVELOPMENT,
            ocsp_url=settings.ocsp_url or None,
        ) as keys,
        open_house(settings, signer_override=keys.ref, tsa_url=keys.tsa_url) as house,
    ):
        yield house


def _prove(app: FastAPI) -> None:
    """Run the self-test, and refuse to serve where it fails."""
    app.state.selftest = selftest.run(app.state.house.desk, at=datetime.now(UTC))
    if not app.state.selftest.passed:
        raise RuntimeError(f"the start-up self-test failed: {app.state.selftest.wrong}")


def _move_in(app: FastAPI, house: House) -> None:
    """Hand the house to the routes; status tokens are signed where a signing process runs."""
    app.state.house = house
    app.state.watch = Watch(house.chores.changes, lambda: house.chores.bounds()[1])
    app.state.runner = Runner(house, HANDLERS, threads=max(1, house.settings.worker_count - 1))
    ref = house.signer_override or ""
    app.state.tokens = None
    if ref.startswith("unix:"):
        app.state.tokens = Tokens(SocketFeedKey(Path(ref.removeprefix("unix:")), feed_public_key(house.keystore.folder)))


def _lifespan(house: House | Settings) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            sys.setswitchinterval(_SWITCH_S)
            if isinstance(house, Settings):
                _move_in(app, stack.enter_context(serving_house(house)))
                await anyio.to_thread.run_sync(_prove, app)
                gc.collect()
                gc.freeze()  # a full collection of all that stays would hold up every answer for a tenth of a second
                stack.callback(gc.unfreeze)
            opened: House = app.state.house
            uploads.sweep(opened.settings.home / "incoming", KEPT_S)
            opened.registry.forget(datetime.now(UTC) - _REMEMBERED)
            stack.enter_context(app.state.runner)
            stack.callback(app.state.watch.close)
            if isinstance(house, Settings):  # a house that was handed in is its owner's to keep
                threading.Thread(target=app.openapi, name="describing", daemon=True).start()  # so that nobody waits for it
                stack.enter_context(chores.beside(opened, complain=lambda text: print(text, file=sys.stderr, flush=True)))
            yield

    return lifespan


def _answer_errors(app: FastAPI) -> None:
    """Errors of ours and of the framework become problem documents here; whatever else escapes, at the gate."""

    async def ours(request: Request, error: Exception) -> Response:
        return problem_response(request, problems.of_error(error))

    async def frameworks(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem_response(request, problems.of_status(error.status_code, headers=error.headers))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(request, problems.of_fields(error.errors()))

    for kind in (problems.ProblemError, ProvenanceError, KeysError, WatermarkError, Exception):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(HTTPException, frameworks)
    app.add_exception_handler(RequestValidationError, invalid)
