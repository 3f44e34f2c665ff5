"""Whom we trust: dated, digested lists kept apart by kind, and our own path from a leaf to one of their anchors at a
given instant.

Why our own path building: the library behind `provenance` pools signer, time stamp and identity anchors and checks
neither expired roots nor the purposes of CAs nor name constraints; the verifier of `cryptography` refuses Ed25519
and knows only web and client certificates.

A path is trusted when, at the instant asked for,
1. the leaf may be used for the kind: no CA, valid, no unknown critical extension, a purpose that the list accepts
   (`issuing`);
2. the leaf is an anchor or, on signer and identity lists only, its fingerprint is allowed by the list; or else
3. a chain of CAs, each valid, made to issue for that purpose and within its path length and name constraints, each
   signature verified and none made with SHA-1, leads to an anchor *of a list of that kind*. The anchor itself is
   held to the same rules as any CA.
C2PA 2.5 §13.4 (trust lists, one per kind), §14.4 (validation); RFC 5280 §6.1. Revocation is not looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from keys.certificate import fingerprint, purposes, signed_by, subject, unreadable, weak
from keys.issuing import ca_fault, shared_purposes, signer_fault, tsa_fault
from keys.lists import ListKind, TrustList, bundled

__all__ = ["ListKind", "Path", "TrustList", "build_path", "bundled"]

MAX_PATH = 8  # certificates from leaf to anchor
MAX_INTERMEDIATES = 32  # taken from a file; real chains carry one to three
MAX_STEPS = 200  # CAs tried in one call: a hostile bag of look-alike, cross-signed CAs costs at most this


@dataclass(frozen=True)
class Path:
    """Where a leaf leads. `chain` runs leaf … anchor when trusted, and is the leaf alone otherwise; `reason` says
    why it is not trusted.
    """

    trusted: bool
    list_name: str | None
    list_digest: str | None
    anchor: str | None
    chain: tuple[x509.Certificate, ...]
    reason: str | None
    development: bool = False


def build_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    lists: Sequence[TrustList],
    *,
    kind: ListKind,
    at: datetime,
) -> Path:
    """Find a trusted path from a leaf to an anchor, in the order of the lists; see the module's three rules.

    Args:
        intermediates: CAs found beside the leaf, in any order, useless and hostile ones included; a root among them
            is worth nothing.
        lists: every list at hand; those of another kind are ignored.
        at: aware instant of trust: the trusted time stamp's, or now.
    Returns:
        The first path that holds, or an untrusted one with the reason that came nearest to an anchor.
    """
    if len(intermediates) > MAX_INTERMEDIATES:
        return _untrusted(leaf, f"more than {MAX_INTERMEDIATES} certificates come with it")
    search = _Search(leaf, tuple(intermediates), kind, at)
    for trust_list in lists:
        if trust_list.kind is kind:
            chain = search.run(trust_list)
            if chain is not None:
                return Path(True, trust_list.name, trust_list.digest, subject(chain[-1]), chain, None, trust_list.development)
    return _untrusted(leaf, search.reason())


def _untrusted(leaf: x509.Certificate, reason: str) -> Path:
    return Path(False, None, None, None, (leaf,), reason)


Chain = tuple[x509.Certificate, ...]


class _Search:
    """Depth first from leaf to anchor. Remembers verified signatures across lists, and every fault with how near it
    came.
    """

    def __init__(self, leaf: x509.Certificate, intermediates: Chain, kind: ListKind, at: datetime) -> None:
        self.leaf, self.kind, self.at = leaf, kind, at
        self.intermediates: dict[x509.Name, Chain] = {}
        for ca in intermediates:
            if not unreadable(ca):
                self.intermediates[ca.subject] = (*self.intermediates.get(ca.subject, ()), ca)
        self._faults: list[tuple[int, bool, str]] = []  # depth reached, concrete?, phrase
        self._signatures: dict[tuple[str, str], bool] = {}
        self._steps = 0

    def reason(self) -> str:
        if not self._faults:
            return f"no {self.kind.value} list to check against"
        return max(self._faults, key=lambda fault: fault[:2])[2]  # the first of the nearest

    def run(self, trust_list: TrustList) -> Chain | None:
        leaf = self.leaf
        fault = self._leaf_fault(trust_list)
        if fault:
            self._faults.append((0, True, fault))
            return None
        wanted = (purposes(leaf) or frozenset()) & trust_list.ekus
        if fingerprint(leaf) in trust_list.accepted:
            return (leaf,)
        return self._climb((leaf,), wanted, trust_list)

    def _leaf_fault(self, trust_list: TrustList) -> str | None:
        cannot = unreadable(self.leaf)
        if cannot:
            return f"the signing certificate cannot be read ({cannot})"
        if self.kind is ListKind.TSA:
            return tsa_fault(self.leaf, self.at)
        return signer_fault(self.leaf, trust_list.ekus, self.at)

    def _climb(self, below: Chain, wanted: frozenset[str], trust_list: TrustList) -> Chain | None:
        child = below[-1]
        if len(below) >= MAX_PATH:
            self._faults.append((len(below), True, f"the path is longer than {MAX_PATH} certificates"))
            return None
        nobody = True
        for ca, is_anchor in self._issuers(below, trust_list):
            nobody = False
            fault = self._fault(ca, below, wanted, trust_list)
            if fault:
                self._faults.append((len(below), True, fault))
                continue
            chain: Chain | None = (*below, ca)
            if not is_anchor:
                chain = self._climb((*below, ca), shared_purposes(ca, wanted, trust_list.ca_ekus), trust_list)
            if chain is not None:
                return chain
        if nobody:
            self._faults.append((len(below), False, f"no {self.kind.value} list knows who issued {subject(child)}"))
        return None

    def _issuers(self, below: Chain, trust_list: TrustList) -> Iterator[tuple[x509.Certificate, bool]]:
        """Certificates with the right name, anchors first; none twice in a path."""
        name, seen = below[-1].issuer, {fingerprint(item) for item in below}
        for pool, is_anchor in ((trust_list.by_subject, True), (self.intermediates, False)):
            for ca in pool.get(name, ()):
                if fingerprint(ca) not in seen:
                    yield ca, is_anchor

    def _fault(self, ca: x509.Certificate, below: Chain, wanted: frozenset[str], trust_list: TrustList) -> str | None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            return "too many look-alike certificates come with it"
        fault = ca_fault(ca, below, wanted, self.at, tolerated=trust_list.ca_ekus) or weak(below[-1])
        if fault or self._signed(below[-1], ca):
            return fault
        return f"the signature of {subject(ca)} on {subject(below[-1])} does not hold"

    def _signed(self, child: x509.Certificate, ca: x509.Certificate) -> bool:
        pair = fingerprint(child), fingerprint(ca)
        if pair not in self._signatures:
            self._signatures[pair] = signed_by(child, ca)
        return self._signatures[pair]
