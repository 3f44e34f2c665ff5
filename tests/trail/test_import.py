"""`colophon import` killed with SIGKILL in mid-run and started again: each file once, copies found, nothing lost."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from tests.bench.imports import assets, killed, make

FILES, COPIES = 60, 4


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_import_that_was_killed_is_taken_up_again(tmp_path: Path) -> None:
    from api.cli.app import run

    archive, home = tmp_path / "archive", tmp_path / "home"
    make(archive, tmp_path / "elsewhere", FILES, COPIES)
    command = [sys.executable, "-W", "ignore", "-m", "api.cli", "import", str(archive), "--json", "--no-marks"]
    environment = os.environ | {"COLOPHON_HOME": str(home), "COLOPHON_TSA": "none"}
    before = killed(command, environment, home, 5)
    assert 5 <= before < FILES - COPIES
    out = io.StringIO()
    with redirect_stdout(out):
        assert run(["import", str(archive), "--json", "--no-marks", "--home", str(home)]) == 0
    found = json.loads(out.getvalue())
    assert found["totals"]["failed"] == found["totals"]["unsigned"] == 0
    assert found["totals"]["new"] + found["totals"]["known"] == FILES
    assert assets(home) == FILES - COPIES
    copies = [one["asset"] for one in found["files"][-COPIES:]]
    assert all(copies)  # each is told which asset it is a copy of
