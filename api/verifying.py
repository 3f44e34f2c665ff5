"""Verify a file that is at hand, once: the same bytes under the same conditions get the verdict that was found before.

A verdict is given again for an hour, as long as everything it rests on is what it was: lists, policy, libraries, keys of
marks; no signer waits to be judged anew; what feeds are told of these bytes was not changed since by a revocation, a
withdrawal or a person; and, unless the file's own credential was intact, nothing was registered since that it might have
come from. `inputs.at` says when it was found.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from api.routes.common import data_url
from api.wiring import House
from provenance.desk import Desk
from provenance.feed import public_status
from provenance.judge import POLICY
from provenance.sdk import VALIDATOR
from provenance.store.events import PENDING
from provenance.store.verdicts import WHOLE
from provenance.verdict import Status, Verdict, iso
from provenance.verify import Pictures, verify
from watermark import engines

AGAIN = timedelta(hours=1)
_INTACT = frozenset({Status.TRUSTED, Status.VALID})
_ASK = {Status.CONFLICT: "its layers contradict each other"}  # what a person is asked to look at


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict as it goes out; `again` where it was found before."""

    body: dict[str, Any]
    again: bool = False


class _OneByOne:
    """The same bytes are looked at by one thread at a time; who waited finds the verdict made."""

    def __init__(self) -> None:
        self._lock, self._held = threading.Lock(), dict[str, tuple[threading.Lock, int]]()

    @contextmanager
    def turn(self, sha256: str) -> Iterator[None]:
        with self._lock:
            own, waiting = self._held.get(sha256, (threading.Lock(), 0))
            self._held[sha256] = own, waiting + 1
        try:
            with own:
                yield
        finally:
            with self._lock:
                own, waiting = self._held[sha256]
                if waiting == 1:
                    del self._held[sha256]
                else:
                    self._held[sha256] = own, waiting - 1


_turns = _OneByOne()


def known(house: House, sha256: str, *, at: datetime) -> Answer | None:
    """The verdict that was found before on these bytes, if it would be found again."""
    kept = house.chores.verdict(sha256, WHOLE)
    if kept is None or not kept.standing or at - kept.at > AGAIN or house.chores.revoked():
        return None
    verdict: dict[str, Any] = json.loads(kept.verdict)
    digest, _, newest = kept.basis.partition(":")
    if digest != basis(house.desk) or verdict["status"] == Status.UNKNOWN:
        return None
    if verdict["status"] not in _INTACT and newest != str(house.chores.newest_asset()):
        return None
    return Answer(verdict, again=True)


def found(
    house: House, path: Path, sha256: str, *, at: datetime, marks: bool = True, pictures: bool = False, apart: Path | None = None,
    stage: Callable[[str], object] = lambda _: None,
) -> Answer:  # fmt: skip
    """The verdict on a file. What feeds are told of its bytes is stored with it, unless marks are left out, or its sender laid
    a credential beside it (`apart`): that is told to them alone.

    Raises:
        InputError, StoreError: as `provenance.verify.verify`.
    """
    if not marks or apart is not None:
        stage("looking")
        done = verify(path, house.desk, at=at, sidecar=apart, marks=marks, pictures=pictures)
        return Answer(_body(done.verdict, done.pictures if pictures and marks else None))
    with _turns.turn(sha256):
        if not pictures and (before := known(house, sha256, at=at)) is not None:
            return before
        stage("looking")
        newest = house.chores.newest_asset()
        done = verify(path, house.desk, at=at, pictures=pictures)
        remember(house, done.verdict, newest, at)
    return Answer(_body(done.verdict, done.pictures if pictures else None))


def remember(house: House, verdict: Verdict, newest: int, at: datetime) -> None:
    """Keep a verdict and tell feeds. Doubt takes the place of nothing only: a busy hour must not unsay a verdict."""
    sha256 = verdict.asset.sha256
    if verdict.status is Status.UNKNOWN and not nothing_known(house, sha256):
        return
    house.registry.set_status(verdict.asset.id, sha256, public_status(verdict), at=at)
    house.chores.keep_verdict(sha256, WHOLE, verdict.as_dict(), f"{basis(house.desk)}:{newest}", at=at)
    if verdict.status in _ASK:
        house.reviews.open(sha256, _ASK[verdict.status], by="service", at=at)


def nothing_known(house: House, sha256: str) -> bool:
    """Whether feeds are told nothing of these bytes yet, or only that somebody looks."""
    stored = house.registry.statuses([sha256]).get(sha256)
    return stored is None or json.loads(stored.document)["status"] == PENDING


def promised(house: House, sha256: str, *, at: datetime) -> None:
    """Tell feeds that a job looks at these bytes."""
    document = {"status": PENDING, "label": "", "summary": "This file is being looked at.", "at": iso(at)}
    house.chores.pending(sha256, document, at=at)


def given_up(house: House, sha256: str, *, at: datetime) -> None:
    """Tell feeds that a job ended without a verdict."""
    if nothing_known(house, sha256):
        say = "It could not be decided what is known of this file."
        house.registry.set_status(
            None, sha256, {"status": "unknown", "label": "Not decided", "summary": say, "at": iso(at)}, at=at
        )


def basis(desk: Desk) -> str:
    """Digest of everything but the bytes, the registry and the instant that a verdict rests on."""
    lists = sorted(f"{one.kind}:{one.digest}" for one in desk.lists)
    keys = [hashlib.sha256(key).hexdigest() for key in desk.mark_keys]
    rest = [VALIDATOR, POLICY, lists, keys, sorted(engine.alg for engine in engines.all())]
    return hashlib.sha256(json.dumps(rest).encode()).hexdigest()


def _body(verdict: Verdict, pictures: Pictures | None) -> dict[str, Any]:
    body = verdict.as_dict()
    if pictures is None:
        return body
    return body | {"pictures": {name: data_url(getattr(pictures, name)) for name in ("copy", "reference", "changes", "laid")}}
