"""The one place where things are wired: settings in, an opened house out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from api.settings import Settings
from api.workshop import Workshop, open_workshop
from keys.trust import TrustList
from provenance.errors import ConflictError, DatabaseUnavailableError, ProvenanceError, RollbackError
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


@dataclass(frozen=True, kw_only=True)
class House(Workshop):
    """An opened home: everything that a use case may be handed."""

    registry: Registry
    log: Log
    chores: Chores
    statuses: QuickStatuses
    jobs: Jobs
    reviews: Reviews
    quotas: Quotas

    @property
    def witnesses(self) -> tuple[NoteKey, ...]:
        """Keys of those who cosign the log."""
        return tuple(key for line in sequencing(self.settings).witnesses for key in parse_witness(line).keys)


@contextmanager
def open_house(
    settings: Settings,
    *,
    signing: bool = True,
    extra_lists: tuple[TrustList, ...] = (),
    signer_override: str | None = None,
    tsa_url: str | None = None,
    unnumbered: Callable[[ProvenanceError], None] | None = None,
) -> Iterator[House]:
    """Open a home, making what is missing: folders, database, development authority.

    Args:
        signing: Whether anything will be signed; only then is the development time stamp authority started.
        signer_override: Reference (`unix:PATH`) of the process that holds the keys. Given, the trail's sequencer is a process
            of its own as well; else what was committed is numbered when the house closes.
        tsa_url: An authority that runs already.
        unnumbered: Told at the end why the log may not be continued, in place of an error: what was done is done, and waits.
    Raises:
        OutputError: the home cannot be made or written.
        DatabaseUnavailableError, KeysError: as their parts do.
    """
    workshop = open_workshop(settings, signing=signing, extra_lists=extra_lists, signer_override=signer_override, tsa_url=tsa_url)
    with ExitStack() as stack:
        shop = stack.enter_context(workshop)
        engine = database.connect(settings.database)
        stack.callback(engine.dispose)
        registry = opened_registry(settings, engine)
        log = Log(engine)
        if signer_override is None:
            stack.callback(number_last, settings, log, unnumbered)
        else:
            stack.enter_context(service.spawn(sequencing(settings)))
        yield House(
            settings=settings,
            desk=replace(shop.desk, registry=registry),
            keystore=shop.keystore,
            tsa_url=shop.tsa_url,
            signer_override=signer_override,
            registry=registry,
            log=log,
            chores=Chores(engine),
            statuses=QuickStatuses(engine),
            jobs=Jobs(engine),
            reviews=Reviews(engine),
            quotas=Quotas(engine),
        )


def opened_registry(settings: Settings, engine: Engine) -> Registry:
    """The registry of a home, its schema brought up to date. Raises StoreError."""
    database.migrate(engine)
    return Registry(engine, Objects(settings.objects_folder))


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
        number_in(house.settings, house.log)


def number_last(settings: Settings, log: Log, unnumbered: Callable[[ProvenanceError], None] | None) -> None:
    """Number what was committed; where the log may not be continued that is told, or raised if nobody is there to be told."""
    try:
        number_in(settings, log)
    except (RollbackError, ConflictError) as error:
        if unnumbered is None:
            raise
        unnumbered(error)


def number_in(settings: Settings, log: Log) -> None:
    """Number what this run committed; what cannot be numbered now waits for the next run."""
    with suppress(DatabaseUnavailableError):
        if log.waiting():
            with service.opened(sequencing(settings)) as (sequencer, _):
                sequencer.drain()
