"""`colophon serve`: the HTTP service and its pages."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.options import command as _command
from api.cli.terminal import Terminal


@_command("serve", example="colophon serve\ncolophon serve --port 9000 --home /srv/colophon")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
def command(terminal: Terminal, home: Path | None, host: str, port: int) -> int:
    """Serve the HTTP API, the verify page and the feed until stopped with Ctrl-C."""
    raise NotImplementedError
