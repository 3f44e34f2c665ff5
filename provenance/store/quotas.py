"""How much of what is dear a caller may ask for, counted for all processes together: token buckets in one table.

One statement takes a token or finds none. Only heavy work is counted here, which costs a thousand times such a statement.
"""

from __future__ import annotations

from sqlalchemy import Engine, delete, select

from provenance.store.database import insert, writing
from provenance.store.tables import quota


class Quotas:
    """Buckets that hold `size` tokens and are refilled with `size` a minute."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, caller: str, kind: str, size: int, *, now: float) -> float:
        """Take a token; returns 0, or how many seconds it was asked for too early.

        Args:
            now: Seconds since 1970; processes that share the database should agree on it within a second.
        """
        with writing(self._engine) as connection:
            row = {"caller": caller, "kind": kind, "level": float(size), "at": now}
            connection.execute(insert(connection, quota).values(row).on_conflict_do_nothing())
            held = select(quota.c.level, quota.c.at).where(quota.c.caller == caller, quota.c.kind == kind).with_for_update()
            level, at = connection.execute(held).one()
            level = min(float(size), level + max(0.0, now - at) * size / 60)
            taken = level >= 1
            new = {"level": level - 1 if taken else level, "at": max(now, at)}
            connection.execute(quota.update().where(quota.c.caller == caller, quota.c.kind == kind).values(new))
        return 0.0 if taken else (1 - level) * 60 / size

    def forget(self, before: float) -> int:
        """Drop buckets that nobody used since; they would be full again."""
        with writing(self._engine) as connection:
            return connection.execute(delete(quota).where(quota.c.at < before)).rowcount
