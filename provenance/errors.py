"""What can go wrong in this package, by whose fault it is; a verdict is never an error.

ProvenanceError
├── InputError                    the file given cannot be used
│   ├── UnsupportedMediaError     … its kind is not one that this is done with
│   ├── DamagedMediaError         … it is truncated or malformed
│   ├── AlreadySignedError        … it carries a credential, which a new claim would drop
│   └── UnmarkableError           … a mark put into it cannot be read back
├── OutputError                   the result cannot be written where it was asked for
├── SigningError                  the claim could not be signed; nothing was written
├── BudgetError                   media took longer, or more memory, than it may; the worker was killed
├── UnavailableError              a helper (signing process, time stamp authority) is down
├── FetchError                    an address of somebody else's may not be reached, or did not answer well
├── MalformedError                a note, proof, tile, receipt or bundle is not written as its format says
├── RollbackError                 the log is not what was published of it before: older, or another one
└── StoreError                    the registry, the trail, the folder of objects
    ├── NotFoundError             nothing is stored under that id
    ├── ConflictError             something else is already stored under that id
    ├── UnstorableError           a value that no database of ours can hold
    ├── DamagedObjectError        stored bytes are no longer what their digest says
    ├── DatabaseUnavailableError  the database cannot be reached, is locked or is full
    └── SchemaError               the database is older or newer than this program

Errors carry fields; their text is for logs. Every one can be pickled, so that it survives its way out of a worker.
"""

from __future__ import annotations


class ProvenanceError(Exception):
    """Root of everything that this package raises on purpose."""


class StoreError(ProvenanceError):
    """The registry, the trail or the folder of objects could not do what was asked."""


class NotFoundError(StoreError):
    """Nothing is stored under an id.

    Attributes:
        what: Kind of thing, one word: "asset", "manifest", "object".
        id: The id that was asked for.
    """

    def __init__(self, what: str, id: str) -> None:  # noqa: A002 - the field's name in every answer
        super().__init__(what, id)
        self.what, self.id = what, id

    def __str__(self) -> str:
        return f"no {self.what} {self.id!r}"


class ConflictError(StoreError):
    """Something else is already stored under an id; nothing was changed.

    Attributes:
        what: Kind of thing, one word.
        id: The id that is taken.
        why: What differs.
    """

    def __init__(self, what: str, id: str, why: str) -> None:  # noqa: A002
        super().__init__(what, id, why)
        self.what, self.id, self.why = what, id, why

    def __str__(self) -> str:
        return f"{self.what} {self.id!r}: {self.why}"


class UnstorableError(StoreError):
    """A value that not every database of ours can hold (a NUL, a lone surrogate, too long, not a digest).

    Attributes:
        what: Name of the field.
        why: What is wrong with the value; the value itself may be huge or hostile and is not repeated.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)
        self.what, self.why = what, why

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


class DamagedObjectError(StoreError):
    """Stored bytes are no longer what their digest says.

    Attributes:
        digest: SHA-256 under which the bytes are stored, lower-case hex.
        found: SHA-256 of what is there now.
    """

    def __init__(self, digest: str, found: str) -> None:
        super().__init__(digest, found)
        self.digest, self.found = digest, found

    def __str__(self) -> str:
        return f"object {self.digest} is damaged: its bytes now hash to {self.found}"


class DatabaseUnavailableError(StoreError):
    """The database cannot be reached, is locked for too long, is full, or its driver is not installed.

    Attributes:
        url: Which database; never with its password.
        why: The driver's own first line.
    """

    def __init__(self, url: str, why: str) -> None:
        super().__init__(url, why)
        self.url, self.why = url, why

    def __str__(self) -> str:
        return f"database {self.url}: {self.why}"


class SchemaError(StoreError):
    """The database's schema is not the one that this program needs.

    Attributes:
        have: Revision of the database; None where it was never migrated.
        need: Revision of this program.
    """

    def __init__(self, have: str | None, need: str) -> None:
        super().__init__(have, need)
        self.have, self.need = have, need

    def __str__(self) -> str:
        return f"the database is at schema {self.have or 'none'}, this program needs {self.need}"


class InputError(ProvenanceError):
    """A file that was given cannot be used.

    Attributes:
        where: The file as the caller named it.
        why: What is wrong with it, a phrase.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(where, why)
        self.where, self.why = where, why

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


class UnsupportedMediaError(InputError):
    """The file is of a kind that this cannot be done with."""


class DamagedMediaError(InputError):
    """The file is truncated or malformed."""


class AlreadySignedError(InputError):
    """The file carries a credential: a new claim over it would drop its history without a word."""


class UnmarkableError(InputError):
    """A mark put into the picture is lost to the file's own coarse encoding."""


class OutputError(ProvenanceError):
    """A result could not be written; whatever was there before is still there.

    Attributes:
        where: The place as the caller named it.
        why: What is wrong, a phrase.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(where, why)
        self.where, self.why = where, why

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


class SigningError(ProvenanceError):
    """A claim could not be signed, or what was signed did not read back as intact; nothing was written.

    Attributes:
        where: The file, as the caller named it.
        why: The cause.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(where, why)
        self.where, self.why = where, why

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


class BudgetError(ProvenanceError):
    """Work on media overran its budget and its worker was ended.

    Attributes:
        what: The work, a phrase.
        limit: Which limit: "time", "memory" or "crash".
    """

    def __init__(self, what: str, limit: str) -> None:
        super().__init__(what, limit)
        self.what, self.limit = what, limit

    def __str__(self) -> str:
        return f"{self.what}: stopped ({self.limit})"


class UnavailableError(ProvenanceError):
    """A helper is down; asking again later may do.

    Attributes:
        which: The helper, a phrase.
        retry_after_s: A hint, whole seconds.
    """

    def __init__(self, which: str, retry_after_s: int = 5) -> None:
        super().__init__(which, retry_after_s)
        self.which, self.retry_after_s = which, retry_after_s

    def __str__(self) -> str:
        return f"{self.which} is unavailable"


class FetchError(ProvenanceError):
    """An address that others gave us could not be asked, or may not be.

    Attributes:
        url: The address.
        why: A phrase.
    """

    def __init__(self, url: str, why: str) -> None:
        super().__init__(url, why)
        self.url, self.why = url, why

    def __str__(self) -> str:
        return f"{self.url}: {self.why}"


class MalformedError(ProvenanceError):
    """Something that others wrote is not in its format; what it would have said is unknown.

    Attributes:
        what: The format, or the part of it: "note", "checkpoint", "entry bundle".
        why: What is wrong, a phrase.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)
        self.what, self.why = what, why

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


class RollbackError(ProvenanceError):
    """The log in the database does not contain what was published of it; nothing more is signed.

    A database restored from a copy is older than its last checkpoint. Signing on would tell two stories of one log.

    Attributes:
        published: Size of the last checkpoint that was given out.
        found: Size of the log that is there now.
    """

    def __init__(self, published: int, found: int) -> None:
        super().__init__(published, found)
        self.published, self.found = published, found

    def __str__(self) -> str:
        return f"the log has {self.found} entries that do not continue the {self.published} already published"
