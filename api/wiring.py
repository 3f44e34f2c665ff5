"""The one place where things are wired: settings in, an opened house out."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from api.settings import DEVELOPMENT, NONE, Settings
from keys import keystore as stores
from keys import shelf, tsa
from keys.keystore import Keystore
from keys.trust import TrustList
from provenance.desk import Desk, Studio
from provenance.errors import DatabaseUnavailableError, OutputError
from provenance.isolation import Budget, Workers
from provenance.store import database
from provenance.store.chores import Chores
from provenance.store.jobs import Jobs
from provenance.store.log import Log
from provenance.store.objects import Objects
from provenance.store.quick import QuickStatuses
from provenance.store.quotas import Quotas
from provenance.store.registry import Registry
from provenance.store.reviews import Reviews
from provenance.trail import service
from provenance.trail.note import NoteKey
from provenance.trail.witness import parse_witness
from watermark.payload import PUBLIC_KEY

_PROBE_TIMEOUT_S = 3.0
_INTERIM = "interim"


@dataclass(frozen=True)
class House:
    """An opened home: everything that a use case may be handed."""

    settings: Settings
    registry: Registry
    desk: Desk
    keystore: Keystore
    log: Log
    chores: Chores
    statuses: QuickStatuses
    jobs: Jobs
    reviews: Reviews
    quotas: Quotas
    tsa_url: str | None
    signer_override: str | None = None  # reference of a signing process, when private keys must not be opened here

    @property
    def witnesses(self) -> tuple[NoteKey, ...]:
        """Keys of those who cosign the log."""
        return tuple(key for line in sequencing(self.settings).witnesses for key in parse_witness(line).keys)

    def studio(self, key: str | None = None, *, offline: bool = False, identity: str | None = None) -> Studio:
        """What signing with a key, and an organisation's second key, needs; a key is only opened where it is used."""
        return Studio(
            desk=self.desk,
            signer=self._reference(key or self.settings.signer or stores.DEVELOPMENT),
            identity=self._reference(identity) if identity else None,
            keys_folder=self.keystore.folder,
            mark_key=self.desk.mark_keys[0],
            tsa=(lambda: None) if offline else self._answering_tsa,
            new_mark_id=lambda: secrets.randbits(64),
            new_asset_id=lambda: uuid.uuid4().hex,
        )

    def _reference(self, key: str) -> str:
        """A key of the folder is the signing process's where there is one."""
        return f"{self.signer_override}?key={key}" if self.signer_override is not None and ":" not in key else key

    def _answering_tsa(self) -> str | None:
        """The authority's URL, if it answers now: the library would fail a signature for a stamp."""
        if self.tsa_url is None or not tsa.probe(self.tsa_url, _PROBE_TIMEOUT_S):
            return None
        return self.tsa_url


@contextmanager
def open_house(
    settings: Settings,
    *,
    signing: bool = True,
    extra_lists: tuple[TrustList, ...] = (),
    signer_override: str | None = None,
    tsa_url: str | None = None,
) -> Iterator[House]:
    """Open a home, making what is missing: folders, database, development authority.

    Args:
        signing: Whether anything will be signed; only then is the development time stamp authority started.
        signer_override: Reference (`unix:PATH`) of the process that holds the keys. Given, the trail's sequencer is a process
            of its own as well; else what was committed is numbered when the house closes.
        tsa_url: An authority that runs already.
    Raises:
        OutputError: the home cannot be made or written.
        DatabaseUnavailableError, KeysError: as their parts do.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(str(settings.home), (error.strerror or str(error)).lower()) from error
    with ExitStack() as stack:
        keystore = _keystore(settings, elsewhere=signer_override is not None)
        engine = database.connect(settings.database)
        stack.callback(engine.dispose)
        database.migrate(engine)
        registry = Registry(engine, Objects(settings.objects_folder))
        budget = Budget(settings.verify_timeout_s, settings.worker_memory_mb << 20)
        workers = stack.enter_context(Workers(settings.worker_count, budget))
        lists = (*keystore.development_lists(), *_bundled(settings), *extra_lists)
        desk = Desk(workers, lists, _mark_keys(settings), registry)
        url = tsa_url or (_start_tsa(stack, settings, keystore) if signing else None)
        log = Log(engine)
        if signer_override is None:
            stack.callback(_number, settings, log)
        else:
            stack.enter_context(service.spawn(sequencing(settings)))
        tables = (Chores(engine), QuickStatuses(engine), Jobs(engine), Reviews(engine), Quotas(engine))
        yield House(settings, registry, desk, keystore, log, *tables, url, signer_override)


def sequencing(settings: Settings) -> service.Task:
    """What the sequencer of this home serves."""
    return service.Task(
        database=settings.database,
        keys_folder=str(settings.keys_folder),
        origin=settings.log_origin,
        memory=str(settings.home / service.MEMORY),
        witnesses=tuple(filter(None, (line.strip() for line in settings.witnesses.split(";")))),
    )


def number(house: House) -> None:
    """Number now what waits, where the keys may be opened here; else the service's own sequencer does it."""
    if house.signer_override is None:
        _number(house.settings, house.log)


def _number(settings: Settings, log: Log) -> None:
    """Number what this run committed; what cannot be numbered now waits for the next run."""
    with suppress(DatabaseUnavailableError):
        if log.waiting():
            with service.opened(sequencing(settings)) as (sequencer, _):
                sequencer.drain()


def _start_tsa(stack: ExitStack, settings: Settings, keystore: Keystore) -> str | None:
    if settings.tsa == NONE:
        return None
    if settings.tsa == DEVELOPMENT:
        return stack.enter_context(tsa.serve(keystore.tsa()))
    return settings.tsa


def _keystore(settings: Settings, *, elsewhere: bool) -> Keystore:
    """The keys folder; made and renewed here only where no signing process does it."""
    if elsewhere:
        return Keystore.open(settings.keys_folder)
    return stores.init_development(settings.keys_folder, now=datetime.now(UTC))


def _bundled(settings: Settings) -> tuple[TrustList, ...]:
    return tuple(
        entry for entry in shelf.merged(settings.trust_folder) if settings.trust_interim or _INTERIM not in entry.name.lower()
    )


def _mark_keys(settings: Settings) -> tuple[bytes, ...]:
    own = (bytes.fromhex(settings.mark_key),) if settings.mark_key else ()
    return (*own, PUBLIC_KEY)
