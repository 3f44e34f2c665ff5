"""Idempotency-Key: the same write asked for twice is done once (draft-ietf-httpapi-idempotency-key-header).

The answer is kept in the registry with a digest of the request, so it is found by every process and after a restart. Two
equal requests at the same moment are told apart within one process only: across processes both may do the work, and both
get the answer of the first.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from api.problems import refuse
from provenance.errors import ConflictError
from provenance.store.registry import Registry

PATTERN = r"^[\x21-\x7e]{1,128}$"


class Once:
    """Guards the writes of one process."""

    def __init__(self) -> None:
        self._lock, self._under_way = threading.Lock(), set[tuple[str, str]]()

    def run(
        self,
        work: Callable[[], Mapping[str, Any]],
        registry: Registry,
        key: str | None,
        *,
        route: str,
        request_digest: str,
        at: datetime,
    ) -> tuple[Mapping[str, Any], bool]:
        """Do the work, or return what it returned before, and whether it was done before. An error is not remembered.

        Raises:
            ProblemError: the key stands for another request (422), or the work is under way (409).
        """
        if key is None:
            return work(), False
        with self._lock:
            if (route, key) in self._under_way:
                refuse("in-progress", retry_after_s=2)
            self._under_way.add((route, key))
        try:
            if (before := registry.recall(key, route, request_digest)) is not None:
                return json.loads(before), True
            answer = json.dumps(dict(work())).encode()
            return json.loads(registry.remember(key, route, request_digest, answer, at=at)), False
        except ConflictError as error:
            if error.what != "idempotency key":
                raise
            refuse("key-reused")
        finally:
            with self._lock:
                self._under_way.discard((route, key))
