"""SVT-AV1, where root runs it, puts its threads and its caller before everything else of the machine (SCHED_FIFO 99): undone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def kept_priority() -> Iterator[None]:
    """Give every thread that was made a real-time one inside the block, the caller among them, the caller's policy again.

    Only Linux has the policy, and only root may take it.
    """
    if sys.platform != "linux" or os.sched_getscheduler(0) == os.SCHED_FIFO:
        yield
        return
    before = os.sched_getscheduler(0)
    try:
        yield
    finally:
        for thread in [int(task.name) for task in Path("/proc/self/task").iterdir()]:
            with suppress(OSError):  # it has ended meanwhile
                if os.sched_getscheduler(thread) == os.SCHED_FIFO:
                    os.sched_setscheduler(thread, before, os.sched_param(0))
