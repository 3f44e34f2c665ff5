"""What marks lived through: the newest result of each ladder stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from provenance.errors import NotFoundError, UnstorableError
from provenance.store import Registration, Registry

Make = Callable[..., Registration]


def test_nothing_was_measured(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    for name in ("asset-1", "asset-2", "", "\x00", "x" * 10_000):
        assert registry.survival(name) is None
    assert registry.survival("asset-1", "\x00") is None


def test_the_last_measured_ladder_answers_and_each_by_its_name(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    registry.register(make(2), at=at)
    registry.keep_survival("asset-1", "long", {"passed": 1}, at=at)
    registry.keep_survival("asset-1", "short", {"passed": 2}, at=at + timedelta(days=1))
    assert json.loads(registry.survival("asset-1") or b"") == {"passed": 2}
    assert json.loads(registry.survival("asset-1", "long") or b"") == {"passed": 1}
    assert registry.survival("asset-1", "other") is None
    assert registry.survival("asset-2") is None


def test_a_new_result_takes_the_place_of_the_old(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    registry.keep_survival("asset-1", "long", {"passed": 31}, at=at)
    registry.keep_survival("asset-1", "long", {"passed": 30}, at=at + timedelta(days=1))
    assert json.loads(registry.survival("asset-1", "long") or b"") == {"passed": 30}


def test_only_of_assets_that_are_registered(registry: Registry, make: Make, at: datetime) -> None:
    registry.register(make(1), at=at)
    with pytest.raises(NotFoundError):
        registry.keep_survival("asset-7", "long", {}, at=at)
    with pytest.raises(UnstorableError):
        registry.keep_survival("asset-1", "a\x00b", {}, at=at)
    assert registry.survival("asset-1") is None
