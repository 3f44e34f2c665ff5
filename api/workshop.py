"""What signing needs, and nothing else: keys, lists, workers, an authority for time. No database, no network has to be there."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.settings import DEVELOPMENT, NONE, Settings
from keys import keystore as stores
from keys import shelf, tsa
from keys.keystore import Keystore
from keys.trust import TrustList
from provenance.desk import Desk, Studio
from provenance.errors import OutputError
from provenance.isolation import Budget, Workers
from watermark.payload import PUBLIC_KEY

_PROBE_TIMEOUT_S = 3.0
_INTERIM = "interim"


@dataclass(slots=True)
class Asked:
    """What an authority said when it was asked last. `at` is monotonic, in seconds; None: nobody has asked yet."""

    up: bool = False
    at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """An opened home as far as signing goes; its desk may have no registry."""

    settings: Settings
    desk: Desk
    keystore: Keystore
    tsa_url: str | None
    signer_override: str | None = None  # reference of a signing process, when private keys must not be opened here
    tsa_asked: Asked = field(default_factory=Asked)

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
        return self.tsa_url if self.tsa_answers() else None

    def tsa_answers(self) -> bool:
        """Whether an authority is set and answers now; waits three seconds for it at most. Kept in `tsa_asked`."""
        if self.tsa_url is None:
            return False
        self.tsa_asked.up = tsa.probe(self.tsa_url, _PROBE_TIMEOUT_S)
        self.tsa_asked.at = time.monotonic()
        return self.tsa_asked.up


@contextmanager
def open_workshop(
    settings: Settings,
    *,
    signing: bool = True,
    extra_lists: tuple[TrustList, ...] = (),
    signer_override: str | None = None,
    tsa_url: str | None = None,
) -> Iterator[Workshop]:
    """Open a home for signing, making what is missing of it: folder, development authority; arguments as `open_house`.

    Raises:
        OutputError: the home cannot be made or written.
        KeysError: as the keystore does.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(str(settings.home), (error.strerror or str(error)).lower()) from error
    with ExitStack() as stack:
        keystore = _keystore(settings, elsewhere=signer_override is not None)
        budget = Budget(settings.verify_timeout_s, settings.worker_memory_mb << 20)
        workers = stack.enter_context(Workers(settings.worker_count, budget))
        lists = (*keystore.development_lists(), *_bundled(settings), *extra_lists)
        url = tsa_url or (_start_tsa(stack, settings, keystore) if signing else None)
        yield Workshop(
            settings=settings,
            desk=Desk(workers, lists, _mark_keys(settings), None),
            keystore=keystore,
            tsa_url=url,
            signer_override=signer_override,
        )


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
    others = (bytes.fromhex(key) for key in settings.other_mark_keys.split())
    return tuple(dict.fromkeys((*own, PUBLIC_KEY, *others)))
