"""Asking a time stamp authority over HTTP (RFC 3161 §3.4), and not believing its answer before it is checked."""

from __future__ import annotations

import http.client
import secrets
from datetime import UTC, datetime
from urllib.parse import urlsplit

from keys.errors import TimeStampError
from keys.timestamp import CLOCK_SKEW, TimeState, check_token, parse_response, request
from keys.token import MAX_TOKEN

REQUEST, REPLY = "application/timestamp-query", "application/timestamp-reply"


def ask(url: str, message: bytes, *, nonce: int, at: datetime, timeout_s: float = 10.0) -> bytes:
    """Get a time stamp token for a message from an authority, and make sure that it answers this question.

    The token repeats the nonce, covers the message, holds, and its time is within five minutes of `at`; whether
    anybody trusts the authority is for `check_token` to say. No redirects are followed, no proxy is used.
    Raises:
        TimeStampError: unreachable, refused, or a lie in one of these.
    """
    token = parse_response(_post(url, request(message, nonce=nonce), timeout_s), nonce=nonce)
    stamp = check_token(token, message, (), at=at)
    if stamp.state is TimeState.INVALID or stamp.at is None:
        raise TimeStampError(f"the authority's answer does not hold: {stamp.reason}")
    if abs(stamp.at - at) > CLOCK_SKEW:
        raise TimeStampError(f"the authority's clock says {stamp.at:%Y-%m-%d %H:%M:%S}, ours {at:%Y-%m-%d %H:%M:%S}")
    return token


def probe(url: str, timeout_s: float) -> bool:
    """Whether an authority is up and answers properly, by stamping 32 random bytes. Any failure is False."""
    try:
        ask(url, secrets.token_bytes(32), nonce=secrets.randbits(63), at=datetime.now(UTC), timeout_s=timeout_s)
    except TimeStampError:
        return False
    return True


def _post(url: str, body: bytes, timeout_s: float) -> bytes:
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise TimeStampError(f"{url} is no http address")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=timeout_s)
    except ValueError as error:
        raise TimeStampError(f"{url} is no http address") from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, {"Content-Type": REQUEST, "Accept": REPLY})
        response = connection.getresponse()
        answer = response.read(MAX_TOKEN + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TimeStampError(f"no answer from {url}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if response.status != 200 or len(answer) > MAX_TOKEN:
        raise TimeStampError(f"{url} answered HTTP {response.status}, {len(answer)} bytes")
    return answer
