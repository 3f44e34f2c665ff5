"""The group `colophon`, and the one place where an exception becomes an exit code.

Exit codes (DESIGN §4): 0 the credential holds, 2 it is contradicted, 3 nothing found, 4 could not be decided; 1 usage
or input/output error (click would say 2, which here means "altered"); 130 stopped from the keyboard. Over several files
the gravest wins.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from api.cli.terminal import Terminal

# Order of the help page. The modules hold click declarations only; what they do is imported when they do it.
COMMANDS: Mapping[str, str] = {
    "demo": "demo",
    "sign": "sign",
    "edit": "edit",
    "watch": "watch",
    "stamp": "stamp",
    "verify": "verify",
    "explain": "explain",
    "reverify": "reverify",
    "find": "find",
    "survive": "survive",
    "trail": "trail",
    "bundle": "bundle",
    "audit": "audit",
    "import": "importing",
    "keys": "keys",
    "trust": "trust",
    "api-key": "api_key",
    "serve": "serve",
    "worker": "worker",
    "migrate": "migrate",
}
ERROR = 1
STOPPED = 130


class _Shelf(click.Group):
    """Commands loaded by name, listed in the order of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"api.cli.commands.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group(
    cls=_Shelf,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 the credential holds; 2 altered, conflicting, revoked or invalid; 3 nothing found; "
    "4 could not be decided; 1 usage or file error. Over several files the gravest.",
)
@click.version_option(package_name="colophon", message="%(prog)s %(version)s")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of keys, records and settings; default $COLOPHON_HOME, else the platform's data folder.",
)
@click.pass_context
def colophon(context: click.Context, home: Path | None) -> None:
    """Says where media comes from.

    Signs photos, sound and video, marks them so that the note survives, and tells what is known of a file: who signed
    it, whether it changed, and what nobody can tell.

    \b
    Example:
      colophon sign photo.jpg -o signed.jpg
      colophon verify signed.jpg
    """
    context.obj = home


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; never with a traceback, unless COLOPHON_TRACEBACK is set."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """One command line → exit code."""
    terminal = Terminal(as_json="--json" in arguments)
    try:
        outcome = colophon.main(args=arguments, prog_name="colophon", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        terminal.complain("stopped")
        return STOPPED
    except BrokenPipeError:  # the reader left (`| head`)
        _give_up_output()
        return ERROR
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except Exception as error:  # noqa: BLE001  -- the rim: everything becomes one line and one code
        if isinstance(error, OSError):
            _give_up_output()  # if it is the output that is full
        return _failed(error, terminal)
    return outcome if isinstance(outcome, int) else 0


def _give_up_output() -> None:
    """Let what cannot be written go: Python would try once more while closing, and exit with a code of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(error: Exception, terminal: Terminal) -> int:
    from api.cli.errors import describe

    if os.environ.get("COLOPHON_TRACEBACK"):
        raise error
    problem = describe(error)
    terminal.complain(problem.line)
    if terminal.as_json:
        try:
            terminal.document({"error": problem.as_dict(), "exit_code": ERROR})
        except OSError:
            return ERROR  # standard output itself is what failed
    return ERROR


def finish(terminal: Terminal, document: Mapping[str, Any], exit_code: int) -> int:
    """Print the document if JSON was asked for; the exit code passes through."""
    if terminal.as_json:
        terminal.document({**document, "exit_code": exit_code})
    return exit_code
