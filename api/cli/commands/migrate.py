"""`colophon migrate`: bring the database to this version's schema."""

from __future__ import annotations

from pathlib import Path

from api.cli.options import declare
from api.cli.terminal import Terminal
from api.cli.words import count


@declare("migrate", example="colophon migrate\nCOLOPHON_DATABASE_URL=postgresql://… colophon migrate")
def command(terminal: Terminal, home: Path | None) -> int:
    """Bring the database to the schema of this version. Done twice, it changes nothing; nothing is ever dropped."""
    from api.cli.app import finish
    from api.cli.house import settings_of
    from provenance.store.database import about, connect, current, migrate

    settings = settings_of(home)
    settings.home.mkdir(parents=True, exist_ok=True)
    engine = connect(settings.database)
    try:
        applied = migrate(engine)
        revision = current(engine)
    finally:
        engine.dispose()
    if not terminal.as_json:
        for step in applied:
            terminal.line(f"{step}  {about(step)}")
        done = f"{count(len(applied), 'step')} applied, now at {revision}" if applied else f"already at {revision}"
        terminal.line(done)
    return finish(terminal, {"applied": list(applied), "revision": revision}, 0)
