"""Fixtures of the tests of fit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode does not: fit_scenes lies beside the tests

from fit_scenes import encoded, scene


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    return scene(1)


@pytest.fixture(scope="session")
def reference(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What registration would have stored of the photo."""
    return encoded(photo, "WEBP", 80)
