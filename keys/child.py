"""A process of ours beside this one, for the length of a block."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TREE = Path(__file__).resolve().parents[1]


@contextmanager
def child(module: str, options: Sequence[str] = (), *, task: bytes = b"", timeout_s: float) -> Iterator[str]:
    """Run `python -m MODULE OPTIONS`; gives the first line that it says, empty where it ended or took too long.

    Its standard input closes with the block, and with this process even if that is killed: the module ends by it.
    Args:
        task: The first it reads there.
    """
    search = os.pathsep.join(filter(None, (str(_TREE), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, "-m", module, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search},
        start_new_session=True,  # Ctrl+C is for the parent, which then ends this one by its standard input
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        try:
            with suppress(BrokenPipeError):  # it ended already: then it says nothing, or why
                process.stdin.write(task)
                process.stdin.flush()
            line = process.stdout.readline().decode("utf-8", "replace").strip()
        finally:
            timer.cancel()
        try:
            yield line
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
