"""Trust lists: anchors of one kind, as somebody published them on a day, and the ones shipped with this version
(C2PA 2.5 §13.4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache, cached_property
from importlib import resources

from cryptography import x509

from keys import oids
from keys.certificate import fingerprint, load_pem, unreadable
from keys.errors import TrustListError

Day = date  # the class below has a field named `date`


class ListKind(StrEnum):
    """What the certificates under a list may do; never interchangeable."""

    SIGNER = "signer"
    TSA = "tsa"
    IDENTITY = "identity"


_PURPOSES = {
    ListKind.SIGNER: frozenset({oids.CLAIM_SIGNING}),
    ListKind.TSA: frozenset({oids.TIME_STAMPING}),
    ListKind.IDENTITY: frozenset({oids.EMAIL_PROTECTION, oids.DOCUMENT_SIGNING}),
}


@dataclass(frozen=True)
class TrustList:
    """One list of one kind, as published.

    `digest` is "sha256:" + hex of the source bytes: the anchors' PEM text followed by the allow list's, if any.
    `allowed` holds the SHA-256 fingerprints (hex) of leaves accepted for themselves; `ekus` the purposes of which a
    leaf must have one; `ca_ekus` purposes of CAs that this list's publisher took as "may issue signers" although they
    say something else. `development` marks a list made on this machine, whose word is worth nothing elsewhere.
    """

    kind: ListKind
    name: str
    uri: str
    digest: str
    date: Day
    source: str
    anchors: tuple[x509.Certificate, ...]
    allowed: frozenset[str]
    ekus: frozenset[str]
    development: bool = False
    ca_ekus: frozenset[str] = frozenset()

    @cached_property
    def by_subject(self) -> Mapping[x509.Name, tuple[x509.Certificate, ...]]:
        """The anchors by subject, for finding an issuer without parsing every name of the list again."""
        found: dict[x509.Name, tuple[x509.Certificate, ...]] = {}
        for anchor in self.anchors:
            found[anchor.subject] = (*found.get(anchor.subject, ()), anchor)
        return found

    @cached_property
    def accepted(self) -> frozenset[str]:
        """Fingerprints that are good for themselves: the allowed leaves and the anchors."""
        return self.allowed | {fingerprint(anchor) for anchor in self.anchors}

    @classmethod
    def from_pem(
        cls,
        pem: bytes,
        *,
        kind: ListKind,
        name: str,
        uri: str,
        date: Day,
        source: str,
        allowed_pem: bytes = b"",
        ekus: frozenset[str] | None = None,
        development: bool = False,
        ca_ekus: frozenset[str] = frozenset(),
    ) -> TrustList:
        """Read a list from PEM text; text around the certificates is ignored, a broken certificate is not.

        Args:
            ekus: purposes accepted; by default those of the kind (signer: claimSigning only). A TSA list always has
                timeStamping alone.
        Raises:
            TrustListError: a block that cannot be read, no anchor at all, no purpose, or leaves allowed on a TSA
                list (C2PA 2.5 §13.4).
        """
        try:
            anchors, leaves = load_pem(pem), load_pem(allowed_pem)
        except ValueError as error:
            raise TrustListError(name, str(error)) from error
        accepted = _PURPOSES[kind] if ekus is None else ekus
        if not anchors and not leaves:
            raise TrustListError(name, "holds no certificate")
        if not accepted or oids.ANY_PURPOSE in accepted:
            raise TrustListError(name, "must name the purposes it accepts")
        if kind is ListKind.TSA and (leaves or accepted != _PURPOSES[kind]):
            raise TrustListError(name, "a time stamp list has anchors for time stamping and nothing else")
        broken = next((fault for item in anchors + leaves if (fault := unreadable(item))), None)
        if broken:
            raise TrustListError(name, f"a certificate cannot be read ({broken})")
        digest = "sha256:" + hashlib.sha256(pem + allowed_pem).hexdigest()
        allowed = frozenset(fingerprint(item) for item in leaves)
        return cls(kind, name, uri, digest, date, source, anchors, allowed, accepted, development, ca_ekus)


@cache
def bundled() -> tuple[TrustList, ...]:
    """The lists shipped with this version: C2PA signers, C2PA TSAs, and the frozen interim list once as signers,
    once as TSAs.

    The interim publishers did not separate kinds: their configuration names timeStamping beside the signing
    purposes, for all anchors. We read it as two lists, so that each purpose is accepted only where that kind is
    asked for. Sources and dates: data/README.md.
    """
    data = resources.files("keys") / "data"
    anchors, interim_date = (data / "interim-anchors.pem").read_bytes(), date(2026, 1, 1)
    configured = _configured((data / "interim-store.cfg").read_text("utf-8"))
    interim_source, interim_uri = "contentauth/verify-site static/trust, 506f98c31a02", "https://contentcredentials.org/trust"
    official_source = "c2pa-org/conformance-public trust-list, 7dbff513b66e"
    return (
        TrustList.from_pem(
            (data / "c2pa-trust-list.pem").read_bytes(),
            kind=ListKind.SIGNER,
            name="C2PA Trust List",
            uri="https://github.com/c2pa-org/conformance-public/blob/main/trust-list/C2PA-TRUST-LIST.pem",
            date=date(2026, 8, 5),
            source=official_source,
        ),
        TrustList.from_pem(
            (data / "c2pa-tsa-trust-list.pem").read_bytes(),
            kind=ListKind.TSA,
            name="C2PA TSA Trust List",
            uri="https://github.com/c2pa-org/conformance-public/blob/main/trust-list/C2PA-TSA-TRUST-LIST.pem",
            date=date(2026, 8, 5),
            source=official_source,
        ),
        TrustList.from_pem(
            anchors,
            kind=ListKind.SIGNER,
            name="Interim trust list (frozen)",
            uri=interim_uri,
            date=interim_date,
            source=interim_source,
            allowed_pem=(data / "interim-allowed.pem").read_bytes(),
            ekus=configured - {oids.TIME_STAMPING, oids.OCSP_SIGNING},
            ca_ekus=frozenset({oids.ADOBE_ISSUING}),
        ),
        TrustList.from_pem(
            anchors,
            kind=ListKind.TSA,
            name="Interim trust list (frozen), time stamps",
            uri=interim_uri,
            date=interim_date,
            source=interim_source,
        ),
    )


def _configured(config: str) -> frozenset[str]:
    """The purposes of a `store.cfg`: one OID a line, lines with // are comments."""
    lines = (line.strip() for line in config.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("//"))
