"""An exception as one line, `FILE: what is wrong`, and as JSON. Every such run ends with exit code 1."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from keys.errors import KeyFileError, KeysError, SigningRefusedError, UnknownSignerError
from provenance.errors import (
    AlreadySignedError,
    BudgetError,
    DamagedMediaError,
    DatabaseUnavailableError,
    InputError,
    NotFoundError,
    OutputError,
    ProvenanceError,
    SchemaError,
    SigningError,
    UnavailableError,
    UnsupportedMediaError,
)
from watermark.errors import (
    CarrierTooSmallError,
    MediaDecodeError,
    UnknownEngineError,
    UnsupportedError,
    WatermarkError,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong.

    Attributes:
        code: One stable word for programs.
        say: A phrase for people.
        where: The file, or whatever else it is about, as the user named it.
    """

    code: str
    say: str
    where: str | None = None

    @property
    def line(self) -> str:
        return f"{self.where}: {self.say}" if self.where else self.say

    def as_dict(self) -> dict[str, Any]:
        return {"code": self.code, "where": self.where, "say": self.say}


_OS_PHRASES = {
    errno.ENOENT: ("missing", "no such file or folder"),
    errno.EACCES: ("no-rights", "no right to open or write it"),
    errno.EPERM: ("no-rights", "not permitted"),
    errno.EROFS: ("no-rights", "the file system is read-only"),
    errno.EISDIR: ("is-folder", "is a folder, not a file"),
    errno.ENOTDIR: ("missing", "a part of its path is a file, not a folder"),
    errno.ENOSPC: ("disk-full", "no space left on the disk"),
    errno.EDQUOT: ("disk-full", "the disk quota is used up"),
    errno.EFBIG: ("disk-full", "larger than a file may be here"),
    errno.ENAMETOOLONG: ("bad-name", "the name is too long"),
    errno.ELOOP: ("bad-name", "its symbolic links lead in a circle"),
    errno.EADDRINUSE: ("address-in-use", "this address is already in use"),
}

# The first class that fits tells; so a class stands before its parents.
_TABLE: tuple[tuple[type[Exception], Callable[[Any], Problem]], ...] = (
    (UnsupportedMediaError, lambda e: Problem("unsupported", e.why, e.where)),
    (DamagedMediaError, lambda e: Problem("damaged", e.why, e.where)),
    (AlreadySignedError, lambda e: Problem("already-signed", f"{e.why}: `colophon edit`", e.where)),
    (InputError, lambda e: Problem("unusable", e.why, e.where)),
    (OutputError, lambda e: Problem("unwritable", e.why, e.where)),
    (SigningError, lambda e: Problem("not-signed", e.why, e.where)),
    (KeyFileError, lambda e: Problem("key-file", e.why, str(e.path))),
    (UnknownSignerError, lambda e: Problem("unknown-key", e.why, e.ref)),
    (SigningRefusedError, lambda e: Problem("refused", e.why)),
    (BudgetError, lambda e: Problem("over-budget", f"stopped: it would need more {e.limit} than a file may", e.what)),
    (UnavailableError, lambda e: Problem("unavailable", f"does not answer; try again in {e.retry_after_s} s", e.which)),
    (DatabaseUnavailableError, lambda e: Problem("database", e.why, e.url)),
    (SchemaError, lambda e: Problem("schema", f"{e}; run `colophon migrate`")),
    (NotFoundError, lambda e: Problem("not-found", f"no such {e.what} is known here", e.id)),
    (ProvenanceError, lambda e: Problem("failed", str(e))),
    (KeysError, lambda e: Problem("keys", str(e))),
    (MediaDecodeError, lambda e: Problem("damaged", e.what, e.where)),
    (UnsupportedError, lambda e: Problem("unsupported", e.what)),
    (UnknownEngineError, lambda e: Problem("unknown-mark", "no mark of that name; try auto or none", e.alg)),
    (CarrierTooSmallError, lambda e: Problem("too-small", f"too small to carry a mark ({e}); --mark none signs it without")),
    (WatermarkError, lambda e: Problem("mark", str(e))),
    (click.UsageError, lambda e: Problem("usage", _usage(e))),
    (click.ClickException, lambda e: Problem("usage", e.format_message())),
    (OSError, lambda e: _system(e)),  # noqa: PLW0108 -- defined below
    (MemoryError, lambda e: Problem("memory", "not enough memory")),
)


def describe(error: BaseException) -> Problem:
    """The line for an exception; one that nobody foresaw is named as a fault of ours."""
    for kind, problem in _TABLE:
        if isinstance(error, kind):
            return problem(error)
    detail = (str(error).splitlines() or [""])[0][:200]
    say = f"a fault of this program: {type(error).__name__}: {detail} (COLOPHON_TRACEBACK=1 shows where)"
    return Problem("internal", say)


def _system(error: OSError) -> Problem:
    code, say = _OS_PHRASES.get(error.errno or 0, ("failed", error.strerror or str(error) or type(error).__name__))
    return Problem(code, say, str(error.filename) if error.filename is not None else None)


def _usage(error: click.UsageError) -> str:
    """Click's message and where help is, in one line."""
    message = error.format_message().rstrip()
    name = error.ctx.command_path if error.ctx else "colophon"
    return f"{message}{'' if message.endswith(('.', '?', '!')) else '.'} Try `{name} --help`."
