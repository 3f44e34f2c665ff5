"""Webhooks: what they say, how they are signed, when they are tried again.

A message is written with what it tells of (`store.chores`) and sent by a worker, at least once; its `webhook-id` stays the same,
so that a receiver can drop what it has seen. Signed as Standard Webhooks 1.0 says, so that any of its libraries can check one:

    webhook-id: ID    webhook-timestamp: SECONDS    webhook-signature: v1,BASE64(HMAC-SHA256(secret, "ID.SECONDS.BODY"))
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from provenance.errors import FetchError, InputError
from provenance.fetch import Client
from provenance.store.chores import Chores
from provenance.store.pending import Message, Waiting
from provenance.verdict import iso

STATUS_CHANGED = "credential.status_changed"
_CHANGES_AT_ONCE = 100
_PREFIX = "whsec_"
_MIN_SECRET = 24  # bytes, as the specification says
# Waits after each failure; then a message is given up, and its row says why.
RETRIES = tuple(timedelta(seconds=s) for s in (5, 60, 300, 1800, 7200, 21_600, 43_200, 86_400))


@dataclass(frozen=True)
class Target:
    """Where webhooks go, and the secret shared with whoever listens there."""

    url: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Target({self.url!r})"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message."""

    event_id: str
    target: str
    ok: bool
    why: str | None = None


def parse_targets(text: str) -> tuple[Target, ...]:
    """Read the setting `webhooks`: `URL SECRET`, several apart by semicolons; a secret is base64, with or without `whsec_`.

    Raises:
        InputError: anything else.
    """
    return tuple(_target(line) for line in filter(None, (part.strip() for part in text.split(";"))))


def _target(line: str) -> Target:
    url, _, secret = line.partition(" ")
    try:
        raw = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) < _MIN_SECRET or not url.startswith(("https://", "http://")):
        raise InputError("webhooks", f"is not `URL SECRET`, with at least {_MIN_SECRET} secret bytes in base64")
    return Target(url, raw)


def status_changed(
    changes: Sequence[Mapping[str, Any]], *, targets: Sequence[str], at: datetime, new_id: Callable[[], str]
) -> list[Message]:
    """The messages that tell of some changes: each target gets all of them, up to a hundred in one."""
    messages = []
    for start in range(0, len(changes), _CHANGES_AT_ONCE):
        event_id = f"msg_{new_id()}"
        part = list(changes[start : start + _CHANGES_AT_ONCE])
        body = json.dumps({"type": STATUS_CHANGED, "timestamp": iso(at), "data": {"changes": part}}, separators=(",", ":"))
        messages += [Message(event_id, target, body.encode("utf-8")) for target in targets]
    return messages


def headers(message: Message, secret: bytes, at: datetime) -> dict[str, str]:
    """The headers of one attempt."""
    seconds = str(int(at.timestamp()))
    signed = f"{message.event_id}.{seconds}.".encode() + message.body
    digest = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode("ascii")
    return {
        "Content-Type": "application/json",
        "webhook-id": message.event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{digest}",
    }


def deliver(chores: Chores, targets: Sequence[Target], client: Client, *, clock: Callable[[], datetime]) -> Iterator[Delivery]:
    """Send what is due, until nothing is; yields what became of each message.

    A target that fails is not asked again in this run: what else waits for it is due later, with it.
    """
    secrets = {target.url: target.secret for target in targets}
    down: dict[str, str] = {}
    while batch := chores.take(now=clock()):
        for waiting in batch:
            yield _deliver(waiting, secrets.get(waiting.message.target), chores, client, clock, down)


def _deliver(
    waiting: Waiting, secret: bytes | None, chores: Chores, client: Client, clock: Callable[[], datetime], down: dict[str, str]
) -> Delivery:
    message = waiting.message
    if secret is None:
        chores.failed(waiting.id, "no longer a target", again_at=None)
        return Delivery(message.event_id, message.target, ok=False, why="no longer a target")
    why = down.get(message.target) or _send(message, secret, client, clock())
    if why is None:
        chores.sent(waiting.id, at=clock())
        return Delivery(message.event_id, message.target, ok=True)
    down[message.target] = why
    wait = RETRIES[waiting.attempts] if waiting.attempts < len(RETRIES) else None
    chores.failed(waiting.id, why, again_at=clock() + wait if wait else None)
    return Delivery(message.event_id, message.target, ok=False, why=why)


def _send(message: Message, secret: bytes, client: Client, at: datetime) -> str | None:
    """Why it did not arrive, or None."""
    try:
        answer = client.post(message.target, message.body, headers(message, secret, at))
    except FetchError as error:
        return error.why
    return None if 200 <= answer.status < 300 else f"answered HTTP {answer.status}"
