"""Encoding AV1 leaves the process as urgent as it was: as root, the library would put it before everything else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from watermark.video.priority import kept_priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a policy of Linux")


def policies() -> set[int]:
    return {os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()}


def test_every_thread_is_as_urgent_as_before(tmp_path: Path) -> None:
    before = policies()
    with av.open(str(tmp_path / "x.mp4"), "w") as target:
        stream = target.add_stream("libsvtav1", rate=25, options={"svtav1-params": "lp=1"})
        stream.width, stream.height, stream.pix_fmt = 128, 128, "yuv420p"
        with kept_priority():
            target.start_encoding()
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((128, 128, 3), number, np.uint8), "rgb24")
            target.mux(stream.encode(frame))
        assert policies() == before
        target.mux(stream.encode(None))
    assert policies() == before


def test_an_error_inside_changes_nothing() -> None:
    before = policies()
    with pytest.raises(ValueError, match="no encoder"), kept_priority():
        raise ValueError("no encoder")
    assert policies() == before
