"""Killable workers for hostile media: every parse of a file that others made happens in one of these.

A worker that crashes, hangs or eats memory is ended and replaced; the task that did it gets `BudgetError`, its neighbours
notice nothing. Tasks are module-level functions with picklable arguments (paths rather than bytes).
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, wait
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from provenance.errors import BudgetError, UnavailableError

_YIELDS = 10  # levels of priority that a worker gives up: whoever answers questions beside it goes first

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one worker.

    Attributes:
        seconds: Wall time of one task, queueing excluded.
        memory_bytes: Address space of the process; reserved far beyond what is used, so it is a wide fence.
        file_bytes: Size of any file that it writes.
        tasks: Tasks after which a worker is replaced, so that what leaks does not add up.
    """

    seconds: float = 60.0
    memory_bytes: int = 8 << 30
    file_bytes: int = 4 << 30
    tasks: int = 200


_LOOK_EVERY_S = 0.25


class Workers:
    """A pool of killable processes. Use as a context manager; safe to share between threads."""

    def __init__(self, count: int = 2, budget: Budget = Budget()) -> None:  # noqa: B008 - frozen
        self._count, self._budget = count, budget
        self._lock = threading.Lock()
        self._pool = self._open()

    def start(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Begin a task; collect it with `.result()`. Starting several before collecting runs them side by side."""
        return Pending(self, task, args, kwargs)

    def start_within(self, seconds: float, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Begin a task that may take longer than others, as a long recording does; never shorter than the budget."""
        return Pending(self, task, args, kwargs, seconds)

    def run(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a task to its end.

        Raises:
            BudgetError: it was stopped for time or memory, or its process died.
            Exception: whatever the task raised itself.
        """
        return self.start(task, *args, **kwargs).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the workers at once: whatever still runs was abandoned by its caller."""
        _end(self._pool)

    def schedule(self, task: Callable[..., Any], args: Any, kwargs: Any, seconds: float = 0.0) -> tuple[Any, ProcessPool]:
        """Hand a task to the pool; returns its future and the pool that took it."""
        limit = max(seconds, self._budget.seconds)
        for _ in range(2):
            pool = self._pool
            try:
                return pool.schedule(task, args=list(args), kwargs=dict(kwargs), timeout=limit), pool
            except RuntimeError:  # it broke since
                self.renew(pool)
        raise UnavailableError("the workers")

    def renew(self, broken: ProcessPool) -> None:
        """Replace a broken pool, once, whoever noticed first."""
        with self._lock:
            if self._pool is broken:
                self._pool = self._open()
                _end(broken)

    def _open(self) -> ProcessPool:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["provenance.tasks", "provenance.hearing"])
        return ProcessPool(
            max_workers=self._count,
            max_tasks=self._budget.tasks,
            initializer=_begin,
            initargs=[self._budget.memory_bytes, self._budget.file_bytes],
            context=context,
        )


class Pending(Generic[T]):
    """A task under way."""

    def __init__(self, workers: Workers, task: Callable[..., T], args: Any, kwargs: Any, seconds: float = 0.0) -> None:
        self._workers, self._task, self._arguments = workers, task, (args, kwargs, seconds)
        self._what = getattr(task, "__name__", "task").replace("_", " ")
        self._future, self._pool = workers.schedule(task, args, kwargs, seconds)

    def result(self, meanwhile: Callable[[], None] | None = None) -> T:
        """Wait for the task's value; its own error, or BudgetError, comes out of here. `meanwhile` is called now and then."""
        try:
            while meanwhile is not None and not wait((self._future,), _LOOK_EVERY_S).done:
                meanwhile()
            return self._once()
        except BrokenProcessPool:
            # A worker that dies before it acknowledged its task takes the whole pool with it. Tasks can be run again.
            self._workers.renew(self._pool)
            self._future, self._pool = self._workers.schedule(self._task, *self._arguments)
        try:
            return self._once()
        except BrokenProcessPool as error:
            self._workers.renew(self._pool)
            raise BudgetError(self._what, "crash") from error

    def _once(self) -> T:
        try:
            value: T = self._future.result()
        except FutureTimeout as error:
            raise BudgetError(self._what, "time") from error
        except MemoryError as error:
            raise BudgetError(self._what, "memory") from error
        except (ProcessExpired, CancelledError) as error:
            raise BudgetError(self._what, "crash") from error
        return value


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]  # pebble has no types here
    pool.join()


def _begin(memory_bytes: int, file_bytes: int) -> None:
    """What a worker does first."""
    _step_back()
    _fence(memory_bytes, file_bytes)
    import cv2

    cv2.setNumThreads(1)  # one core a worker: the pool is the parallelism


def _step_back() -> None:
    """Give way to the process that answers: hostile work may use a core, and never keep a reader from one."""
    os.nice(_YIELDS)
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it; the lower priority stays
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # what wakes up beside it preempts it


def _fence(memory_bytes: int, file_bytes: int) -> None:
    """Limits that the kernel keeps, in the worker itself, before it sees any media."""
    limits: Mapping[int, int] = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: file_bytes,
        **({resource.RLIMIT_AS: memory_bytes} if sys.platform != "darwin" else {}),  # refused there
    }
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (ceiling, hard))
