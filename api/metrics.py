"""Counts and times in the text format that Prometheus reads (version 0.0.4): a page of it, and no library.

Labels are routes as they are declared, never paths as they were asked for: an address could name an asset or a person,
and each would be a time series of its own.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Times:
    """One histogram: how many took how long."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0


class Requests:
    """What was answered, by route; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str, int], int] = {}
        self._times: dict[str, _Times] = {}

    def answered(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count one answer."""
        with self._lock:
            key = (method, route, status)
            self._answers[key] = self._answers.get(key, 0) + 1
            times = self._times.setdefault(route, _Times())
            times.counts[bisect_left(BUCKETS_S, took_s)] += 1
            times.total_s += took_s

    def lines(self) -> Iterator[str]:
        """The exposition of both families."""
        with self._lock:
            answers = sorted(self._answers.items())
            times = [(route, list(one.counts), one.total_s) for route, one in sorted(self._times.items())]
        yield from _head("colophon_http_requests_total", "counter", "Requests answered.")
        for (method, route, status), count in answers:
            yield _line("colophon_http_requests_total", (("method", method), ("route", route), ("status", str(status))), count)
        yield from _head("colophon_http_request_duration_seconds", "histogram", "Time to answer, from the first byte.")
        for route, counts, total_s in times:
            yield from _histogram(route, counts, total_s)


def gauges(values: Mapping[str, tuple[str, float]]) -> Iterator[str]:
    """The exposition of values by name, each with its help text."""
    for name, (about, value) in values.items():
        yield from _head(name, "gauge", about)
        yield _line(name, (), value)


def _histogram(route: str, counts: list[int], total_s: float) -> Iterator[str]:
    name, so_far = "colophon_http_request_duration_seconds", 0
    for limit, count in zip((*map(str, BUCKETS_S), "+Inf"), counts, strict=True):
        so_far += count
        yield _line(f"{name}_bucket", (("route", route), ("le", limit)), so_far)
    yield _line(f"{name}_sum", (("route", route),), total_s)
    yield _line(f"{name}_count", (("route", route),), so_far)


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
