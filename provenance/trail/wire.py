"""The two requests that the trail makes of others: fetch a resource of a log, post a checkpoint to a witness.

Addresses are the operator's own (settings, command line), never a stranger's. No redirects, limits on time and size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from provenance.errors import MalformedError, UnavailableError
from provenance.trail.witness import Answer

_TIMEOUT_S = 10.0
_MAX_POSTED = 1 << 16
MAX_RESOURCE = 1 << 25  # a bundle of 256 entries of 65,535 bytes is half of that


class Wire:
    """Kept-alive connections; safe to share between threads."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def get(self, url: str) -> bytes | None:
        """Fetch a resource; None where there is none.

        Raises:
            UnavailableError: no answer, or not the resource.
            MalformedError: larger than any resource of a log.
        """
        answer = self._send("GET", url, None, MAX_RESOURCE)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise UnavailableError(f"{url} (it answered {answer.status})")
        return answer.body

    def post(self, url: str, body: bytes) -> Answer:
        """Post to a witness.

        Raises:
            UnavailableError: no answer.
            MalformedError: an answer that is too long.
        """
        return self._send("POST", url, body, _MAX_POSTED)

    def _send(self, method: str, url: str, body: bytes | None, most: int) -> Answer:
        parts: list[bytes] = []
        try:
            with self._client.stream(method, url, content=body) as response:
                for part in response.iter_bytes():
                    parts.append(part)
                    if sum(map(len, parts)) > most:
                        raise MalformedError(url, f"answers with more than {most} bytes")
                return Answer(response.status_code, b"".join(parts), response.headers.get("content-type", ""))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise UnavailableError(f"{url} ({error or type(error).__name__})") from error


@contextmanager
def wire() -> Iterator[Wire]:
    """Open a client for the length of the block."""
    with httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        yield Wire(client)
