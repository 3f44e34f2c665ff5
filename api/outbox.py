"""Signed files waiting to be fetched: each under a capability, for a short while.

outbox/<SHA-256 of the token>/<asset id>.jpg     the token itself is not here; whoever has it may fetch
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from api import uploads

KEPT_S = 3600
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one signed file; `expires` in seconds since 1970."""

    token: str
    folder: Path
    expires: int


class Outbox:
    """A folder that forgets. Processes may share it."""

    def __init__(self, folder: Path, kept_s: int = KEPT_S) -> None:
        self.folder, self.kept_s = folder, kept_s

    def slot(self) -> Slot:
        """Return a fresh empty place under a token that cannot be guessed (256 bits), after removing what is too old."""
        uploads.sweep(self.folder, self.kept_s)
        token = secrets.token_urlsafe(32)
        folder = self._place(token)
        folder.mkdir(mode=0o700, parents=True)
        return Slot(token, folder, int(time.time()) + self.kept_s)

    def find(self, token: str, asset_id: str) -> Path | None:
        """Return an asset's file under a token, or None: unknown, another's, unfinished, expired or no token at all."""
        if not _TOKEN.fullmatch(token):
            return None
        folder = self._place(token)
        try:
            if folder.stat().st_mtime < time.time() - self.kept_s:
                return None
            with os.scandir(folder) as entries:
                files = (Path(entry.path) for entry in entries if not entry.name.startswith("."))
                return next((file for file in files if file.stem == asset_id), None)
        except FileNotFoundError:
            return None

    def _place(self, token: str) -> Path:
        return self.folder / hashlib.sha256(token.encode()).hexdigest()
