"""What is done by itself: statuses judged anew, time stamps fetched, webhooks sent. By `colophon worker`, or beside `serve`."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api import runner
from api.settings import Settings
from api.wiring import House
from keys.errors import KeysError
from provenance.errors import ProvenanceError
from provenance.fetch import Client
from provenance.outbox import Delivery, Target, deliver, parse_targets, status_changed
from provenance.recording import record
from provenance.rejudge import Rejudged, rejudge_all
from provenance.stamping import Outcome, StampState, queued, stamp_queue
from provenance.store.events import Change
from provenance.store.pending import Message

PERIOD_S = 30.0
_STAMPS_AT_ONCE = 100
_CHANGES_KEPT, _VERDICTS_KEPT = timedelta(days=7), timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Done:
    """What one round did."""

    rejudged: tuple[Rejudged, ...] = ()
    stamped: tuple[Outcome, ...] = ()
    sent: tuple[Delivery, ...] = ()
    recorded: int = 0  # signatures copied into the trail

    @property
    def anything(self) -> bool:
        return bool(self.rejudged or self.sent or any(one.state is StampState.STAMPED for one in self.stamped))


def targets(settings: Settings) -> tuple[Target, ...]:
    """Who is told of changes. Raises InputError for a setting that cannot be read."""
    return parse_targets(settings.webhooks)


def rejudge(house: House) -> tuple[Rejudged, ...]:
    """Judge anew what a revocation touched, and queue the webhooks that tell of it."""
    urls = [target.url for target in targets(house.settings)]
    return rejudge_all(house.desk, house.chores, targets=urls, at=_now(), new_id=lambda: uuid.uuid4().hex)


def tell(house: House) -> int:
    """Queue the webhooks of changes that no revocation made; returns how many changes."""
    urls, at = [target.url for target in targets(house.settings)], _now()

    def compose(changes: Sequence[Change]) -> Sequence[Message]:
        told = [one.as_dict() for one in changes]
        return status_changed(told, targets=urls, at=at, new_id=lambda: uuid.uuid4().hex)

    return house.chores.tell(compose, at=at)


def tidy(house: House) -> None:
    """Drop what is too old to be asked for."""
    now = _now()
    house.chores.forget(changes_before=now - _CHANGES_KEPT, verdicts_before=now - _VERDICTS_KEPT)
    house.quotas.forget(now.timestamp() - 3600)
    runner.sweep(house)


def send(house: House) -> tuple[Delivery, ...]:
    """Send the webhooks that are due."""
    client = Client(allow_private=house.settings.webhooks_private)
    return tuple(deliver(house.chores, targets(house.settings), client, clock=_now))


def stamp(house: House) -> tuple[Outcome, ...]:
    """Fetch time stamps for what waits for one; what came too late is told every time."""
    standing = queued(house.desk, at=_now(), limit=_STAMPS_AT_ONCE)
    if house.tsa_url is None or all(one.state is not StampState.WAITING for one in standing):
        return tuple(one for one in standing if one.state is StampState.EXPIRED)
    return tuple(stamp_queue(house.desk, house.tsa_url, clock=_now, limit=_STAMPS_AT_ONCE))


def round_of(house: House) -> Done:
    """Do everything that is due, once."""
    house.tsa_answers()  # for /metrics, which never waits for it
    recorded = record(house.keystore.folder, house.chores)
    done = rejudge(house), stamp(house)
    tell(house)
    tidy(house)
    return Done(*done, send(house), recorded)


@contextmanager
def beside(house: House, *, period_s: float = PERIOD_S, complain: Callable[[str], None]) -> Iterator[None]:
    """Do the chores in a thread for the length of the block. A round that fails is told, and tried again."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                round_of(house)
            except (ProvenanceError, KeysError) as error:
                complain(f"chores: {error}")
            stop.wait(period_s)

    thread = threading.Thread(target=run, name="chores", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)


def _now() -> datetime:
    return datetime.now(UTC)
