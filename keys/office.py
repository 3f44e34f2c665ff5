"""What the signing process does for the outside besides signing: OCSP answers. Its keys are opened when first needed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from keys.book import Book, Pages
from keys.keystore import Keystore
from keys.ocsp import Responder


class Office:
    """The counter of our own authority; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._keystore, self._book = Keystore(folder), Book(folder)
        self._lock = threading.Lock()
        self._responder: tuple[int, Responder] | None = None
        self._pages: tuple[tuple[int, int], Pages] | None = None

    def ocsp(self, request: bytes) -> bytes:
        """Answer a DER OCSPRequest. Raises KeyFileError where there is no authority."""
        with self._lock:
            responder, pages = self._current_responder(), self._current_pages()
        return responder.respond(request, pages, at=datetime.now(UTC).replace(microsecond=0))

    def _current_responder(self) -> Responder:
        path = self._keystore.folder / "authority" / "ocsp.pem"
        made = path.stat().st_mtime_ns if path.exists() else 0
        if self._responder is None or self._responder[0] != made:
            self._responder = (made, self._keystore.responder())
        return self._responder[1]

    def _current_pages(self) -> Pages:
        """The book, read again when it has grown."""
        status = self._book.path.stat() if self._book.path.exists() else None
        state = (status.st_size, status.st_mtime_ns) if status else (0, 0)
        if self._pages is None or self._pages[0] != state:
            self._pages = (state, self._book.read())
        return self._pages[1]
