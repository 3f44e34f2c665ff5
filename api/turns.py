"""Heavy work takes turns, in threads of its own.

Signing and verifying hold a thread each while a worker process does the work. In the framework's pool of forty they would
starve every other answer, so they have their own few; the rest wait in line without a thread, and a long line is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import CapacityLimiter

from api.problems import refuse

T = TypeVar("T")
_SPOOLING = 8


class Turns:
    """At most `at_once` pieces of work run, at most `in_line` wait."""

    def __init__(self, at_once: int, in_line: int) -> None:
        self._limiter: CapacityLimiter | None = None
        self._spooling: CapacityLimiter | None = None
        self._at_once, self._in_line = at_once, in_line

    @property
    def running(self) -> int:
        return self._limiter.statistics().borrowed_tokens if self._limiter else 0

    @property
    def waiting(self) -> int:
        return self._limiter.statistics().tasks_waiting if self._limiter else 0

    async def take(self, work: Callable[[], T]) -> T:
        """Run blocking work when its turn comes. A client that left the line is forgotten; work once begun is finished.

        Raises:
            ProblemError: the line is too long (503, Retry-After).
        """
        limiter = self._limiter = self._limiter or CapacityLimiter(self._at_once)  # made here: it belongs to the running loop
        if limiter.statistics().tasks_waiting >= self._in_line:
            refuse("busy", f"{self._in_line} others are waiting already", retry_after_s=5)
        return await anyio.to_thread.run_sync(work, limiter=limiter)

    async def spool(self, work: Callable[[], T]) -> T:
        """Run what only moves bytes (a fetch, a file to its place) in a few threads of its own, out of the line.

        Raises:
            ProblemError: too many wait (503, Retry-After).
        """
        limiter = self._spooling = self._spooling or CapacityLimiter(_SPOOLING)
        if limiter.statistics().tasks_waiting >= self._in_line:
            refuse("busy", "too many files are on their way already", retry_after_s=5)
        return await anyio.to_thread.run_sync(work, limiter=limiter)
