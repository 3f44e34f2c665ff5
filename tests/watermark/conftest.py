"""Fixtures of the tests of the marks."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode does not: mark_scenes lies beside the tests

from mark_scenes import scenery

cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def picture() -> NDArray[np.uint8]:
    return scenery(640, 480)
