"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real photos, clips and C2PA files; its tests are skipped, loudly, where it is absent."""
    folder = Path(os.environ.get("COLOPHON_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"CORPUS MISSING: no corpus at {folder} (set COLOPHON_CORPUS)")
    return folder
