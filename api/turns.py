"""Heavy work takes turns, in threads of its own, and so do those who ask for it.

Signing and verifying hold a thread each while a worker process does the work. In the framework's pool of forty they would
starve every other answer, so they have their own few; the rest wait in line without a thread. The next turn is another
client's, if one waits; and when the line is full, whoever has most in it loses what came last: nobody's flood is anybody
else's wait.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio import CapacityLimiter

from api.problems import refuse

T = TypeVar("T")
_SPOOLING = 8


@dataclass(eq=False, slots=True)
class _Waiter:
    """One piece of work in line; `called` is set when its turn has come, or when it lost its place."""

    called: anyio.Event = field(default_factory=anyio.Event)
    turn: bool = False


class Turns:
    """At most `at_once` pieces of work run, at most `in_line` wait. It belongs to one event loop."""

    def __init__(self, at_once: int, in_line: int) -> None:
        self._threads: CapacityLimiter | None = None
        self._spooling: CapacityLimiter | None = None
        self._aside: CapacityLimiter | None = None
        self._at_once, self._in_line = at_once, in_line
        self._running = 0
        self._line: OrderedDict[str, deque[_Waiter]] = OrderedDict()  # by client, the next to be served first

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return sum(map(len, self._line.values()))

    async def take(self, work: Callable[[], T], client: str = "") -> T:
        """Run blocking work when its turn comes. A client that left the line is forgotten; work once begun is finished.

        Raises:
            ProblemError: the line is too long (503, Retry-After).
        """
        threads = self._threads = self._threads or CapacityLimiter(self._at_once)  # made here: it belongs to the running loop
        await self._turn(client)
        try:
            return await anyio.to_thread.run_sync(work, limiter=threads)
        finally:
            self._running -= 1
            self._call_next()

    async def spool(self, work: Callable[[], T]) -> T:
        """Run what only moves bytes (a fetch, a file to its place) in a few threads of its own, out of the line.

        Raises:
            ProblemError: too many wait (503, Retry-After).
        """
        limiter = self._spooling = self._spooling or CapacityLimiter(_SPOOLING)
        if limiter.statistics().tasks_waiting >= self._in_line:
            refuse("busy", "too many files are on their way already", retry_after_s=5)
        return await anyio.to_thread.run_sync(work, limiter=limiter)

    async def aside(self, work: Callable[[], T]) -> T:
        """Run what would hold up the event loop for milliseconds, one at a time: short questions wait for one thread at most."""
        limiter = self._aside = self._aside or CapacityLimiter(1)
        return await anyio.to_thread.run_sync(work, limiter=limiter)

    async def _turn(self, client: str) -> None:
        """Wait for a turn; it is counted as running from here on."""
        if self._running < self._at_once:
            self._running += 1
            return
        if self.waiting >= self._in_line:
            self._make_room(client)
        waiter = _Waiter()
        self._line.setdefault(client, deque()).append(waiter)
        try:
            await waiter.called.wait()
        except BaseException:
            if waiter.turn:  # it was called while it left
                self._running -= 1
                self._call_next()
            elif waiter in self._line.get(client, ()):
                self._drop(client, waiter)
            raise
        if not waiter.turn:
            self._refuse()

    def _make_room(self, client: str) -> None:
        """Send away the last of whoever has most in line; the newcomer, if that is who it is."""
        longest = max(self._line, key=lambda one: len(self._line[one]))
        if len(self._line[longest]) <= len(self._line.get(client, ())) + 1:
            self._refuse()
        last = self._line[longest][-1]
        self._drop(longest, last)
        last.called.set()

    def _call_next(self) -> None:
        if not self._line:
            return
        client = next(iter(self._line))
        waiter = self._line[client][0]
        self._drop(client, waiter)
        if client in self._line:
            self._line.move_to_end(client)
        self._running += 1
        waiter.turn = True
        waiter.called.set()

    def _drop(self, client: str, waiter: _Waiter) -> None:
        self._line[client].remove(waiter)
        if not self._line[client]:
            del self._line[client]

    def _refuse(self) -> None:
        refuse("busy", f"{self._in_line} others are waiting already", retry_after_s=5)


@dataclass(frozen=True, slots=True)
class Place:
    """One client's way into the line."""

    turns: Turns
    client: str

    async def take(self, work: Callable[[], T]) -> T:
        """As `Turns.take`."""
        return await self.turns.take(work, self.client)

    async def spool(self, work: Callable[[], T]) -> T:
        """As `Turns.spool`."""
        return await self.turns.spool(work)
