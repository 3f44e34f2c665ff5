"""`colophon serve`: the HTTP service and its pages."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import click

from api.cli.options import declare
from api.cli.terminal import Terminal

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")


@declare("serve", example="colophon serve\ncolophon serve --port 9000 --home /srv/colophon")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def command(terminal: Terminal, home: Path | None, host: str, port: int) -> int:
    """Serve the HTTP API, the verify page and the feed until stopped with Ctrl-C."""
    import uvicorn

    from api.app import create_app
    from api.cli.house import settings_of

    local = _is_local(host)
    app = create_app(settings_of(home), hosts=_LOCAL_NAMES if local else ())
    if terminal.as_json:
        terminal.document({"address": _address(host, port)})
    else:
        terminal.line(f"Serving on {_address(host, port)} (Ctrl-C stops)")
    if not local:
        terminal.note("note: this listens beyond this machine, in plain HTTP; put a proxy with TLS in front")
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", server_header=False))
    server.run()
    return 0 if server.started else 1


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
