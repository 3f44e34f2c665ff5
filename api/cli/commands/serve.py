"""`colophon serve`: the HTTP service and its pages."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import click

from api.cli.options import declare
from api.cli.terminal import Terminal
from keys.hosts import is_local
from provenance.errors import OutputError

_PATIENCE_S = 30  # after a signal: new connections are refused, what is under way may end
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")


@declare("serve", example="colophon serve\ncolophon serve --port 9000 --home /srv/colophon")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
def command(terminal: Terminal, home: Path | None, host: str, port: int) -> int:
    """Serve the HTTP API, the verify page and the feed until stopped with Ctrl-C."""
    import uvicorn

    from api import logs
    from api.app import create_app
    from api.cli.house import settings_of

    local = is_local(host)
    app = create_app(settings_of(home), hosts=_LOCAL_NAMES if local else (), guarded=not local)
    with _listening(host, port) as door:
        address = _address(host, door.getsockname()[1])
        if terminal.as_json:
            terminal.document({"address": address})
        else:
            terminal.line(f"Serving on {address} (Ctrl-C stops)")
        if not local:
            terminal.note(
                "note: this listens beyond this machine, in plain HTTP; put a proxy with TLS in front. "
                "Callers need a key: colophon api-key new"
            )
        logs.begin(level=logging.WARNING if sys.stderr.isatty() else logging.INFO)  # a person needs no line a request

        class Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: FrameType | None) -> None:
                """End the streams of followers, which would never end by themselves; they come back to whoever serves next."""
                if (watch := getattr(app.state, "watch", None)) is not None:
                    watch.close()
                super().handle_exit(sig, frame)

        server = Server(
            uvicorn.Config(app, log_config=None, server_header=False, access_log=False, timeout_graceful_shutdown=_PATIENCE_S)
        )
        with suppress(KeyboardInterrupt):  # the way to stop it
            server.run(sockets=[door])
    return 0 if server.started else 1


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket, opened before the service so that a taken port is one clear line."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        door = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = "no such address" if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0).lower()
        raise OutputError(f"{host}:{port}", why) from error
    with door:
        yield door


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
