"""Every error this package raises.

    KeysError
    ├── KeyFileError          a key, secret or certificate file is missing, damaged, unprotected or does not fit
    ├── UnknownSignerError    a signer reference that names nothing we know
    ├── SignerUnavailableError  the signing process could not be reached or broke off
    ├── SigningRefusedError   the signing process was reached and said no
    ├── AlgorithmError        a key or algorithm that C2PA does not allow, or the two do not fit
    ├── ProfileError          asked to issue what the certificate profile forbids
    ├── TrustListError        a trust list that cannot be used as given
    └── TimeStampError        a time stamp authority failed, or its answer is not an answer to our question

A certificate chain that is not trusted or a time stamp that does not hold is no error: it is a value (`Path`,
`TimeStamp`, `Finding`). Fields carry the facts; `str()` is for people. All of them survive pickling, because
verification runs in worker processes.
"""

from __future__ import annotations

from pathlib import Path


class KeysError(Exception):
    """Root of the package's errors."""


class KeyFileError(KeysError):
    """A file that should hold a key, a secret or a certificate does not serve."""

    def __init__(self, path: Path | str, why: str) -> None:
        super().__init__(str(path), why)
        self.path, self.why = Path(path), why

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


class UnknownSignerError(KeysError):
    """A signer reference that leads nowhere."""

    def __init__(self, ref: str, why: str) -> None:
        super().__init__(ref, why)
        self.ref, self.why = ref, why

    def __str__(self) -> str:
        return f"signer {self.ref!r}: {self.why}"


class SignerUnavailableError(KeysError):
    """The signing process did not answer; trying again later may help."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(address, why)
        self.address, self.why = address, why

    def __str__(self) -> str:
        return f"signing process at {self.address}: {self.why}"


class SigningRefusedError(KeysError):
    """The signing process refused; the same request will be refused again. `code` is for programs, `why` for people."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(code, why)
        self.code, self.why = code, why

    def __str__(self) -> str:
        return f"refused to sign ({self.code}): {self.why}"


class AlgorithmError(KeysError):
    """A signature algorithm or key outside C2PA 2.5 §13.2, or a pair that does not fit."""

    def __init__(self, alg: str, why: str) -> None:
        super().__init__(alg, why)
        self.alg, self.why = alg, why

    def __str__(self) -> str:
        return f"{self.alg}: {self.why}"


class ProfileError(KeysError):
    """The certificate asked for would break a rule of the profile."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(rule, why)
        self.rule, self.why = rule, why

    def __str__(self) -> str:
        return f"{self.rule}: {self.why}"


class TrustListError(KeysError):
    """A trust list that cannot be read; half a list is never used."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why

    def __str__(self) -> str:
        return f"trust list {self.name!r}: {self.why}"


class TimeStampError(KeysError):
    """No usable time stamp came back. `failure` is the PKIFailureInfo name when the authority gave one (RFC 3161
    §2.4.2).
    """

    def __init__(self, why: str, failure: str | None = None) -> None:
        super().__init__(why, failure)
        self.why, self.failure = why, failure

    def __str__(self) -> str:
        return f"time stamp: {self.why}" + (f" ({self.failure})" if self.failure else "")
