"""What came too late for a time stamp stays on the queue to be seen, and never stands before what is still in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from provenance.store.records import Registration
from provenance.store.registry import Registry

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_overdue_comes_last(registry: Registry, make: Callable[..., Registration]) -> None:
    for number, days in enumerate((-30, -2, 0, 5, 1)):
        registry.register(make(number, stamp_due=NOW + timedelta(days=days)), at=NOW)
    found = [due.due.astimezone(UTC) - NOW for due in registry.stamp_queue(at=NOW)]
    assert [gap.days for gap in found] == [1, 5, -30, -2, 0]
    assert [(due.due.astimezone(UTC) - NOW).days for due in registry.stamp_queue(limit=1, at=NOW)] == [1]
    assert [(due.due.astimezone(UTC) - NOW).days for due in registry.stamp_queue(limit=1)] == [-30]
