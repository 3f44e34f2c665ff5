"""The fast lane: the few addresses that are asked for every item of every page go straight to their function.

The framework's own stack (exit stacks, telemetry, trying each route's pattern in turn) costs more than such an answer.
Errors are raised as they are: the gate outside turns them into problem documents.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Answer = Callable[[Request], Awaitable[Response]]


class Lane:
    """ASGI: exact paths go to their functions, everything else to the application."""

    def __init__(self, rest: ASGIApp, app: Any, answers: Mapping[str, tuple[frozenset[str], Answer]]) -> None:
        """Take what answers everything else, the application (for `request.app`), and functions by path with their methods."""
        self._rest, self._app, self._answers = rest, app, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._answers.get(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] not in found[0]:
            await self._rest(scope, receive, send)
            return
        scope["app"] = self._app
        scope["route_path"] = scope["path"]
        response = await found[1](Request(scope, receive))
        await response(scope, receive, send)
