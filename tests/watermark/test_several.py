"""Two marks in one picture, each under its own key: both are read, and neither is taken for the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from watermark.detection import Detection
from watermark.several import under_each_key

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


def detector(marks: dict[bytes, int]) -> tuple[list[list[bytes]], Callable[[Sequence[bytes]], Detection]]:
    asked: list[list[bytes]] = []

    def detect(keys: Sequence[bytes]) -> Detection:
        asked.append(list(keys))
        for index, key in enumerate(keys):
            if key in marks:
                return Detection("x", marks[key], 1e-9, 0, index, None)
        return Detection("x", None, 1.0, None, None, None)

    return asked, detect


@pytest.mark.parametrize(
    ("marks", "keys", "found"),
    [
        ({}, [A, B], [(None, None)]),
        ({A: 1}, [A], [(1, 0)]),
        ({A: 1}, [A, B], [(1, 0)]),
        ({B: 2}, [A, B, C], [(2, 1)]),
        ({A: 1, B: 2}, [A, B], [(1, 0), (2, 1)]),
        ({A: 1, C: 3}, [C, B, A], [(3, 0), (1, 2)]),
        ({A: 1, B: 1}, [A, B], [(1, 0), (1, 1)]),
        ({A: 1}, [A, A, A], [(1, 0)]),
        ({A: 1, B: 2, C: 3}, [B, C, A], [(2, 0), (3, 1), (1, 2)]),
    ],
)
def test_every_key_is_asked_until_none_reads(
    marks: dict[bytes, int], keys: list[bytes], found: list[tuple[int | None, int | None]]
) -> None:
    asked, detect = detector(marks)
    read = under_each_key(detect, keys)
    assert [(one.mark_id, one.key_index) for one in read] == found
    assert all(len(set(question)) == len(question) for question in asked)
    assert len(asked) <= len(set(keys))
