"""Workers: what crashes, hangs or eats memory is ended; its neighbours and its successor notice nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from provenance.errors import BudgetError, InputError
from provenance.isolation import Budget, Workers


def add(a: int, b: int) -> int:
    return a + b


def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    while True:  # in Python and uninterruptible work alike: the process is ended, not asked
        time.sleep(60)


def eat() -> int:
    return len(bytearray(32 << 30))


def refuse() -> None:
    raise InputError("x.jpg", "is empty")


def core_limit() -> tuple[int, int]:
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2, Budget(seconds=2.0, memory_bytes=6 << 30, file_bytes=1 << 20)) as pool:
        pool.run(add, 0, 0)
        yield pool


def test_answers(workers: Workers) -> None:
    assert workers.run(add, 2, b=3) == 5


def test_an_error_comes_through_whole(workers: Workers) -> None:
    with pytest.raises(InputError) as caught:
        workers.run(refuse)
    assert (caught.value.where, caught.value.why) == ("x.jpg", "is empty")


def test_limits_hold_in_the_worker(workers: Workers) -> None:
    assert workers.run(core_limit) == (0, 1 << 20)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "limit"), [(die, "crash"), (hang, "time"), (eat, "memory")])
def test_the_culprit_alone_pays(workers: Workers, task: object, limit: str) -> None:
    assert callable(task)
    with ThreadPoolExecutor(4) as threads:
        bad = threads.submit(workers.run, task)
        good = [threads.submit(workers.run, add, n, n) for n in range(6)]
        assert [g.result() for g in good] == [0, 2, 4, 6, 8, 10]
        error = bad.exception()
    assert isinstance(error, BudgetError)
    assert error.limit == limit
    assert workers.run(add, 1, 1) == 2


@pytest.mark.slow
def test_crash_after_crash(workers: Workers) -> None:
    for _ in range(12):
        with pytest.raises(BudgetError):
            workers.run(die)
    assert workers.run(add, 1, 2) == 3


def test_workers_give_way_to_whoever_answers(workers: Workers) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert workers.run(os.getpriority, os.PRIO_PROCESS, 0) == min(19, own + 10)
    assert os.getpriority(os.PRIO_PROCESS, 0) == own  # only theirs
    if hasattr(os, "SCHED_BATCH"):
        assert workers.run(os.sched_getscheduler, 0) == os.SCHED_BATCH


def test_a_worker_in_place_of_a_dead_one_gives_way_too(workers: Workers) -> None:
    with pytest.raises(BudgetError):
        workers.run(die)
    assert workers.run(os.getpriority, os.PRIO_PROCESS, 0) > os.getpriority(os.PRIO_PROCESS, 0)
