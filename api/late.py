"""A home's registry opened when something is to be delivered, or later: signing never waits for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from api.settings import Settings
from api.wiring import number_last, opened_registry
from provenance.backlog import Waiting
from provenance.errors import ProvenanceError
from provenance.store import database
from provenance.store.log import Log
from provenance.watching import Deliver, locally


class LateRegistry:
    """Delivers what a watch has signed into this home, for the length of a block."""

    def __init__(self, settings: Settings, *, unnumbered: Callable[[ProvenanceError], None] | None = None) -> None:
        """Take a home, and whom to tell if its log may not be continued (see `wiring.open_house`)."""
        self._settings, self._stack, self._unnumbered = settings, ExitStack(), unnumbered
        self._deliver: Deliver | None = None
        self._log: Log | None = None

    def __enter__(self) -> LateRegistry:
        return self

    def __exit__(self, *error: object) -> None:
        self.number()
        self._stack.close()

    def deliver(self, entry: Waiting) -> str:
        """Register one entry. Raises StoreError where the database cannot be reached now: the entry waits."""
        if self._deliver is None:
            engine = database.connect(self._settings.database)
            try:
                self._deliver = locally(opened_registry(self._settings, engine))
            except BaseException:
                engine.dispose()
                raise
            self._stack.callback(engine.dispose)
            self._log = Log(engine)
        return self._deliver(entry)

    def number(self) -> None:
        """Have the trail number what was delivered; what cannot be numbered now waits for the next run."""
        if self._log is not None:
            number_last(self._settings, self._log, self._unnumbered)
