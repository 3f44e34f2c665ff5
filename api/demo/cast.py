"""Who plays: the photos in `media/`, whose sources and licences stand in `media/README.md`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path

from api.demo.pictures import Oval
from api.demo.story import Cast
