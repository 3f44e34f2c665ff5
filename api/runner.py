"""What does jobs: a few threads beside the service, which take work that was promised and keep its lease while they do it.

A job's file lies in the home under `jobs/<id>/` before its row exists, so whoever takes the row finds it; services that share
a database share the home too. A process that dies leaves both: the lease ends, and another (or the next) begins anew.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api import problems
from api.wiring import House
from provenance.errors import StoreError
from provenance.store.jobs import ATTEMPTS, LEASE, Job

log = logging.getLogger("colophon.jobs")
KEPT = timedelta(days=1)
_BEAT_S = LEASE.total_seconds() / 3
_LOOK_S = 1.0

Stage = Callable[[str], object]
Handler = Callable[[House, Job, Path, Stage], Mapping[str, Any]]


def folder_of(house: House, job_id: str) -> Path:
    """Where a job's file lies."""
    return house.settings.home / "jobs" / job_id


class Runner:
    """Use as a context manager around a service."""

    def __init__(self, house: House, handlers: Mapping[str, Handler], *, threads: int) -> None:
        """Take the house, what is to be done for each kind of job, and how many are done at once."""
        self._house, self._handlers, self._count = house, handlers, threads
        self._stop, self._wake = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    def wake(self) -> None:
        """Look for work now; without it, within a second."""
        self._wake.set()

    def __enter__(self) -> Runner:
        self._threads = [threading.Thread(target=self._run, name=f"jobs-{n}", daemon=True) for n in range(self._count)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout=5)  # a longer piece of work gives its job back, and somebody else does it

    def _run(self) -> None:
        runner = secrets.token_hex(8)
        while not self._stop.is_set():
            try:
                job = self._house.jobs.take(runner, now=_now())
                if job is not None:
                    self._do(job, runner)
                    continue
            except StoreError as error:
                log.warning("jobs: %s", error)
            self._wake.wait(_LOOK_S)
            self._wake.clear()

    def _do(self, job: Job, runner: str) -> None:
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(job, runner, over), name=f"lease-{job.id}", daemon=True)
        keeper.start()
        try:
            failed, result = self._answer(job, runner)
        finally:
            over.set()
            keeper.join()
        self._house.jobs.end(job.id, runner, result, failed=failed, now=_now())
        shutil.rmtree(folder_of(self._house, job.id), ignore_errors=True)

    def _answer(self, job: Job, runner: str) -> tuple[bool, Mapping[str, Any]]:
        def stage(word: str) -> None:
            self._house.jobs.renew(job.id, runner, now=_now(), stage=word)

        if job.attempts > ATTEMPTS:
            problem = problems.Problem(problems.KINDS["over-budget"], f"begun {ATTEMPTS} times, and never ended")
            return True, problem.as_dict(job.id)
        try:
            return False, self._handlers[job.kind](self._house, job, folder_of(self._house, job.id), stage)
        except Exception as error:
            problem = problems.of_error(error)
            if problem.kind.status >= 500:
                log.exception("job failed", extra={"colophon_fields": {"job": job.id, "kind": job.kind}})
            return True, problem.as_dict(job.id)

    def _keep(self, job: Job, runner: str, over: threading.Event) -> None:
        while not over.wait(_BEAT_S):
            try:
                if self._stop.is_set():
                    self._house.jobs.give_back(runner, now=_now())
                    return
                self._house.jobs.renew(job.id, runner, now=_now())
            except StoreError as error:
                log.warning("jobs: %s", error)


def sweep(house: House) -> int:
    """Forget jobs that were over a day ago; returns how many."""
    gone = house.jobs.forget(_now() - KEPT)
    for job_id in gone:
        shutil.rmtree(folder_of(house, job_id), ignore_errors=True)
    return len(gone)


def _now() -> datetime:
    return datetime.now(UTC)
