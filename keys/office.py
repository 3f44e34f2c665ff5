"""What the signing process does besides signing: OCSP answers, enrolment. Its keys are opened when first needed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from keys.book import Book, Pages
from keys.enrolment import MAX_REQUEST, Enrolment, as_pkcs7
from keys.errors import SigningRefusedError
from keys.frames import Frame
from keys.keystore import Keystore
from keys.ocsp import Responder


class Office:
    """The counter of our own authority; safe to share between threads."""

    def __init__(self, folder: Path, ocsp_url: str | None = None) -> None:
        self._ocsp_url = ocsp_url
        self._keystore, self._book = Keystore(folder), Book(folder)
        self._lock = threading.Lock()
        self._responder: tuple[int, Responder] | None = None
        self._pages: tuple[tuple[int, int], Pages] | None = None

    def serve(self, wish: str, question: Frame) -> bytes:
        """Answer a frame of the office's: "ocsp", "cacerts", "enrol", "renew".

        Raises:
            SigningRefusedError: a device that may not be enrolled.
            KeyFileError: there is no authority.
        """
        if wish == "ocsp":
            return self.ocsp(question.body)
        root = self._keystore.development_lists()[0].anchors[0]
        issuer = self._keystore.issuer()
        if wish == "cacerts":
            return as_pkcs7((issuer.certificate, root))
        if len(question.body) > MAX_REQUEST:
            raise SigningRefusedError("request", "the request is too large")
        counter = Enrolment(issuer, self._book, self._ocsp_url)
        now = datetime.now(UTC)
        if wish == "renew":
            return as_pkcs7((counter.renew(question.body, at=now),))
        return as_pkcs7((counter.enrol(question.body, str(question.header.get("token", "")), at=now),))

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
