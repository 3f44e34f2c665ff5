"""The command line, `colophon`: thin commands over the use cases. `main` is the entry point.

Nothing heavy is imported before a command needs it, so that `--help` answers at once.
"""

from api.cli.app import main

__all__ = ["main"]
