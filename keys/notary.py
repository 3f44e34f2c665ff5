"""The notary of the signing process: looks at a claim, at the policy, at the capture code, writes down, and only then signs.

    1. the bytes are a claim for this key and nothing else          claims.objection
    2. the policy lets this key sign what the claim says it is      policy.Rule.objection
    3. the certificate is valid now                                 an expired key signs nothing that anybody accepts
    4. under the journal's lock: the rate holds; the capture code is known, in time, for this key, and was used for no other claim
    5. the signature stands in the journal, on disk
    6. it is made

A crash between 5 and 6 leaves an entry for a signature that nobody got, never a signature without an entry.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from keys import policy as policies
from keys.book import Book, Pages
from keys.certificate import fingerprint, outside_validity
from keys.claims import claim_of, objection, statement
from keys.errors import SigningRefusedError
from keys.journal import Journal, Signature
from keys.policy import Policy, Statement
from keys.signer import Signer, key_name, load
from keys.signers.remote import RemoteSigner
from keys.signers.socket import SocketSigner


class Notary:
    """Signs for one keys folder; safe to share between threads. Policy and book are read again when their files change."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._book = folder, Book(folder)
        self._journal = Journal(folder)
        self._lock = threading.Lock()
        self._policy: tuple[object, Policy] | None = None
        self._pages: tuple[object, Pages] | None = None

    def sign(self, name: str, signer: Signer, tbs: bytes, *, at: datetime) -> bytes:
        """Sign a claim's COSE Sig_structure with the key of a name.

        Raises:
            SigningRefusedError: by one of the numbers above; `code` says which.
            KeyFileError: the policy, the book or the journal cannot be used: nothing is signed.
        """
        wrong = objection(tbs, signer.alg, signer.chain[0])
        if wrong:
            raise SigningRefusedError("not_a_claim", wrong)
        said = statement(tbs)
        rule = self._current_policy().rule(name)
        if refused := rule.objection(said):
            raise SigningRefusedError(*refused)
        if outside := outside_validity(signer.chain[0], at):
            raise SigningRefusedError("expired", f"the certificate {outside}")
        entry = _entry(name, signer, tbs, said, at)

        def allowed(journal: Journal) -> None:
            if rule.per_minute is not None and journal.in_last_minute(name, at) >= rule.per_minute:
                raise SigningRefusedError("rate", f"this key signs at most {rule.per_minute} times a minute")
            if entry.code is not None:
                self._require_code(entry.code, name, journal.spent_on(entry.code), entry.claim, at)

        with self._lock:
            self._journal.enter(entry, allowed)
        return signer.sign(tbs)

    def _require_code(self, digest: str, name: str, spent_on: str | None, claim: str, at: datetime) -> None:
        """A code is good for one claim; for that one again too, since its answer may have been lost."""
        known = self._current_pages().codes.get(digest)
        if known is None or known.name != name:
            raise SigningRefusedError("capture_code", "this capture code is not known for this key")
        if at >= known.expires:
            raise SigningRefusedError("capture_code", f"this capture code ended on {known.expires:%Y-%m-%d %H:%M} UTC")
        if spent_on not in (None, claim):
            raise SigningRefusedError("capture_code", "this capture code was used for another claim")

    def _current_policy(self) -> Policy:
        state = _state(self._folder / policies.NAME)
        if self._policy is None or self._policy[0] != state:
            self._policy = (state, policies.load(self._folder))
        return self._policy[1]

    def _current_pages(self) -> Pages:
        state = _state(self._book.path)
        if self._pages is None or self._pages[0] != state:
            self._pages = (state, self._book.read())
        return self._pages[1]


@dataclass(frozen=True)
class Witnessed:
    """A signer opened in this process, behind the notary of its folder."""

    name: str
    signer: Signer
    notary: Notary

    @property
    def alg(self) -> str:
        return self.signer.alg

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return self.signer.chain

    @property
    def certificate_pem(self) -> str:
        return self.signer.certificate_pem

    def sign(self, data: bytes) -> bytes:
        """Sign a claim. Raises as `Notary.sign`."""
        return self.notary.sign(self.name, self.signer, data, at=datetime.now(UTC))


def witnessed(ref: str, *, folder: Path) -> Signer:
    """The signer of a reference; one that is opened here obeys the folder's policy and writes into its journal.

    A signing process and a remote service do so on their side. Raises like `keys.signer.load`.
    """
    signer = load(ref, folder=folder)
    if isinstance(signer, SocketSigner | RemoteSigner):
        return signer
    return Witnessed(key_name(ref), signer, Notary(folder))


def _state(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _entry(name: str, signer: Signer, tbs: bytes, said: Statement, at: datetime) -> Signature:
    claim = claim_of(tbs)
    return Signature(
        at=at,
        key=name,
        fingerprint=fingerprint(signer.chain[0]),
        claim=hashlib.sha256(claim.payload).hexdigest(),
        instance=claim.instance[:200],
        generator=said.generator[:200],
        source_type=said.source_type,
        media_type=said.media_type,
        code=hashlib.sha256(said.code.encode()).hexdigest() if said.code else None,
    )
