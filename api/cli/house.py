"""Open the home of this run, and say once when that has just been made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from api.cli.terminal import Terminal

if TYPE_CHECKING:
    from api.wiring import House
