"""Work that was promised (202): rows that outlive whoever does it. Each method is one transaction.

A job is taken under a lease that its runner renews; whoever dies with a job gives it back when the lease ends, and after
three deaths it is given up. Two requests for the same work are one job for as long as it is not over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, select, update

from provenance.store.database import insert, reading, writing
from provenance.store.records import is_name
from provenance.store.tables import job
from provenance.store.trail import canonical, utc

LEASE = timedelta(seconds=15)
ATTEMPTS = 3
QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    Attributes:
        kind: What is to be done, such as "verify".
        stage: Where it is: one word.
        caller: Who asked; only they and administrators may ask for it.
        request: What was asked, JSON.
        result: What came of it, JSON: an answer, or a problem document where it failed.
        attempts: How often it was begun.
    """

    id: str
    kind: str
    state: str
    stage: str
    caller: str
    sha256: str | None
    request: Mapping[str, Any]
    result: Mapping[str, Any] | None
    attempts: int
    created_at: datetime
    updated_at: datetime

    @property
    def over(self) -> bool:
        return self.state in (DONE, FAILED)


class Jobs:
    """Safe to share between threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self, job_id: str, kind: str, request: Mapping[str, Any], *, same: str, sha256: str | None, caller: str, at: datetime
    ) -> Job:
        """Queue a job, or return the one that does the same already (its id is another then)."""
        row = {
            "id": job_id, "kind": kind, "state": QUEUED, "stage": QUEUED, "caller": caller, "same": same, "sha256": sha256,
            "request": canonical(request), "attempts": 0, "due_at": utc(at), "created_at": utc(at), "updated_at": utc(at),
        }  # fmt: skip
        with writing(self._engine) as connection:
            connection.execute(insert(connection, job).values(row).on_conflict_do_nothing())
            return _job(connection.execute(select(job).where(job.c.same == same)).one())

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        if not is_name(job_id):
            return None
        with reading(self._engine) as connection:
            row = connection.execute(select(job).where(job.c.id == job_id)).first()
        return None if row is None else _job(row)

    def take(self, runner: str, *, now: datetime) -> Job | None:
        """Take a job that waits, or whose runner died; nobody else gets it while the lease is renewed.

        The caller whose last job was longest ago comes first, then what has waited longest: a caller's thousand jobs are in
        nobody else's way.
        """
        now = utc(now)
        served = (
            select(job.c.caller, func.max(job.c.updated_at).label("at")).where(job.c.attempts > 0).group_by(job.c.caller).cte()
        )
        with writing(self._engine) as connection:
            due = select(job.c.id).outerjoin(served, served.c.caller == job.c.caller).where(job.c.due_at <= now)
            due = due.order_by(served.c.at.is_not(None), served.c.at, job.c.due_at, job.c.created_at).limit(1)
            if connection.dialect.name == "postgresql":
                due = due.with_for_update(skip_locked=True, of=job)
            job_id = connection.scalar(due)
            if job_id is None:
                return None
            new = {"state": RUNNING, "lease": runner, "due_at": now + LEASE, "attempts": job.c.attempts + 1, "updated_at": now}
            connection.execute(update(job).where(job.c.id == job_id).values(new))
            return _job(connection.execute(select(job).where(job.c.id == job_id)).one())

    def renew(self, job_id: str, runner: str, *, now: datetime, stage: str | None = None) -> bool:
        """Renew a lease and, where it is given, tell the stage; False where another has the job by now."""
        new: dict[str, Any] = {"due_at": utc(now) + LEASE}
        if stage is not None:
            new |= {"stage": stage, "updated_at": utc(now)}
        with writing(self._engine) as connection:
            return connection.execute(self._held(job_id, runner).values(new)).rowcount == 1

    def end(self, job_id: str, runner: str, result: Mapping[str, Any], *, failed: bool, now: datetime) -> bool:
        """Note what came of a job; False where another has it by now, whose answer counts."""
        state = FAILED if failed else DONE
        new = {
            "state": state, "stage": state, "result": json.dumps(result).encode(), "due_at": None, "lease": None,
            "same": job_id, "updated_at": utc(now),
        }  # fmt: skip
        with writing(self._engine) as connection:
            return connection.execute(self._held(job_id, runner).values(new)).rowcount == 1

    def give_back(self, runner: str, *, now: datetime) -> int:
        """Give back what a runner holds that stops in order; it does not count as an attempt."""
        back = {"state": QUEUED, "stage": QUEUED, "lease": None, "due_at": utc(now), "attempts": job.c.attempts - 1}
        with writing(self._engine) as connection:
            return connection.execute(update(job).where(job.c.lease == runner).values(back)).rowcount

    def forget(self, before: datetime) -> tuple[str, ...]:
        """Drop jobs that were over before an instant, and return their ids."""
        with writing(self._engine) as connection:
            gone = delete(job).where(job.c.due_at.is_(None), job.c.updated_at < utc(before)).returning(job.c.id)
            return tuple(connection.scalars(gone))

    def waiting(self, caller: str | None = None) -> int:
        """Return how many jobs are not over: of a caller, or of all."""
        some = select(func.count()).select_from(job).where(job.c.due_at.is_not(None))
        with reading(self._engine) as connection:
            return int(connection.scalar(some if caller is None else some.where(job.c.caller == caller)) or 0)

    @staticmethod
    def _held(job_id: str, runner: str) -> Any:
        return update(job).where(job.c.id == job_id, job.c.lease == runner)


def _job(row: Any) -> Job:
    result = None if row.result is None else json.loads(row.result)
    return Job(
        row.id, row.kind, row.state, row.stage, row.caller, row.sha256, json.loads(row.request), result, row.attempts,
        row.created_at, row.updated_at,
    )  # fmt: skip
