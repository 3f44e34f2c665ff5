"""Who follows changes of statuses: one watch on the database for all listeners of a process, and server-sent events.

    id: 18211
    event: status
    data: {"sha256":…,"asset_id":…,"before":"trusted","after":"revoked","cause":"revoked","status":{…}}

Ids grow with commits (`provenance.store.events`), so `Last-Event-ID` resumes without a gap in any process. Changes are kept
for a week; whoever was away longer gets `event: reset` and asks for statuses anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence

import anyio.to_thread

from provenance.errors import StoreError
from provenance.store.events import Change

PERIOD_S = 0.5
BEAT_S = 15.0  # a comment now and then, so that proxies and clients know the line is alive
MOST = 1_000  # listeners of one process


class Watch:
    """Sees changes as they are committed, whoever commits them."""

    def __init__(self, changes: Callable[[int], Sequence[Change]], newest: Callable[[], int]) -> None:
        """Take what returns changes after an id, and what returns the newest id; both may block."""
        self._changes, self._newest = changes, newest
        self._seen, self._listeners, self.closed = 0, 0, False
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._batch: tuple[int, int, Sequence[Change]] = (0, 0, ())

    @property
    def full(self) -> bool:
        return self._listeners >= MOST

    def close(self) -> None:
        """End every stream; the service is about to stop."""
        self.closed = True
        self._woken.set()

    async def after(self, last: int) -> AsyncIterator[Sequence[Change]]:
        """Changes after an id as they come; an empty batch where nothing did for a while."""
        self._listeners += 1
        self._task = self._task or asyncio.create_task(self._look())
        try:
            while not self.closed:
                if self._seen > last and (batch := await self._after(last)):
                    last = batch[-1].id
                    yield batch
                    continue
                woken = self._woken
                try:
                    await asyncio.wait_for(woken.wait(), BEAT_S)
                except TimeoutError:
                    yield ()
        finally:
            self._listeners -= 1
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _after(self, last: int) -> Sequence[Change]:
        """Listeners that stand at the same place share one question."""
        if self._batch[:2] != (last, self._seen):
            seen = self._seen
            self._batch = (last, seen, await anyio.to_thread.run_sync(self._changes, last))
        return self._batch[2]

    async def _look(self) -> None:
        while True:
            try:
                newest = await anyio.to_thread.run_sync(self._newest)
            except StoreError:
                newest = self._seen  # it will be back, or the listeners will leave
            if newest > self._seen:
                self._seen = newest
                woken, self._woken = self._woken, asyncio.Event()
                woken.set()
            await asyncio.sleep(PERIOD_S)


def event(name: str, data: object, event_id: int | None = None) -> bytes:
    """One server-sent event."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


async def told(watch: Watch, last: int, wanted: frozenset[str], *, asked: int | None, oldest: int) -> AsyncIterator[bytes]:
    """The stream of one listener.

    Args:
        last: Where it begins: the id of the last change that it is not to hear of.
        wanted: Asset ids and SHA-256 values; empty for all.
        asked: What the listener said it heard last; None for a new one.
        oldest: The oldest change that is kept.
    """
    yield b"retry: 2000\n" + f"id: {last}\n\n".encode()
    if asked is not None and oldest > asked + 1:
        yield event("reset", {"say": "changes were missed: ask for statuses anew"}, last)
    async for batch in watch.after(last):
        heard = [one for one in batch if not wanted or one.sha256 in wanted or one.asset_id in wanted]
        yield b"".join(event("status", one.as_dict(), one.id) for one in heard) or b": beat\n\n"
