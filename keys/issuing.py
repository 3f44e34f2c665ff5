"""One link of a certification path (RFC 5280 §6.1): may this leaf be used for this, may this CA have issued that?

Every function says in a phrase what is wrong, or None. They take certificates that can be read
(`certificate.unreadable`), and look at one list's purposes and one instant; the search
is in `trust`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from keys.certificate import critical_oids, extension, is_self_issued, outside_validity, purposes, subject, weak
from keys.constraints import violation
from keys.oids import ANY_PURPOSE, ASSURANCE_LEVEL, CPL_RECORD, TIME_STAMPING

# Critical extensions whose meaning we enforce, or which restrict nothing here: key usage, alternative name, basic
# constraints, name constraints, policies (without policy constraints, which are refused), purposes, C2PA's own two
# labels.
UNDERSTOOD = frozenset(
    {"2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.32", "2.5.29.37", ASSURANCE_LEVEL, CPL_RECORD}
)


def signer_fault(leaf: x509.Certificate, ekus: frozenset[str], at: datetime) -> str | None:
    """Why a leaf may not sign claims (or identity assertions) under a list that accepts these purposes."""
    fault = _common_leaf_fault(leaf, at)
    if fault:
        return fault
    usage = extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.value.digital_signature:
        return "the key usage of the signing certificate lacks digitalSignature"
    if not (purposes(leaf) or frozenset()) & ekus:
        return f"the signing certificate has none of the purposes this list accepts ({', '.join(sorted(ekus))})"
    return None


def tsa_fault(leaf: x509.Certificate, at: datetime) -> str | None:
    """Why a leaf may not sign time stamps: the one purpose timeStamping, critical (RFC 3161 §2.3)."""
    fault = _common_leaf_fault(leaf, at)
    if fault:
        return fault
    usage = extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.value.digital_signature or usage.value.content_commitment):
        return "the key usage of the time stamp certificate allows no signatures"
    found = extension(leaf, x509.ExtendedKeyUsage)
    if found is None or purposes(leaf) != frozenset({TIME_STAMPING}):
        return "the time stamp certificate is not made for time stamping alone"
    return None if found.critical else "the time stamp certificate does not mark its purpose critical"


def ca_fault(
    ca: x509.Certificate,
    below: Sequence[x509.Certificate],
    wanted: frozenset[str],
    at: datetime,
    *,
    tolerated: frozenset[str] = frozenset(),
) -> str | None:
    """Why a CA may not stand above `below` (leaf first, its child last); its signature is checked elsewhere.

    Args:
        wanted: the purposes that leaf and list share; the CA must allow at least one of them, if it restricts
            purposes at all.
        tolerated: purposes of CAs that count as unrestricted (`TrustList.ca_ekus`).
        at: the instant at which every certificate, the anchor included, must be valid.
    """
    basic, usage, name = extension(ca, x509.BasicConstraints), extension(ca, x509.KeyUsage), subject(ca)
    if basic is None or not basic.value.ca:
        return f"{name} is not a CA"
    if usage is not None and not usage.value.key_cert_sign:
        return f"{name} may not sign certificates (key usage)"
    between = sum(not is_self_issued(item) for item in below[1:])
    if basic.value.path_length is not None and between > basic.value.path_length:
        return f"{name} allows only {basic.value.path_length} CA below it (path length)"
    outside = outside_validity(ca, at)
    if outside:
        return f"{name} {outside}"
    if not shared_purposes(ca, wanted, tolerated):
        return f"{name} was not made to issue for this purpose (extended key usage)"
    unknown = critical_oids(ca) - UNDERSTOOD
    if unknown:
        return f"{name} has a critical extension we do not know ({min(unknown)})"
    fault = weak(ca, signature=False) or violation(ca, below)
    return f"{name}: {fault}" if fault else None


def shared_purposes(ca: x509.Certificate, wanted: frozenset[str], tolerated: frozenset[str] = frozenset()) -> frozenset[str]:
    """The purposes that survive this CA: all of them where it does not restrict, else those it names too."""
    own = purposes(ca)
    return wanted if own is None or own & (tolerated | {ANY_PURPOSE}) else wanted & own


def _common_leaf_fault(leaf: x509.Certificate, at: datetime) -> str | None:
    basic = extension(leaf, x509.BasicConstraints)
    if basic is not None and basic.value.ca:
        return "the signing certificate is a CA"
    outside = outside_validity(leaf, at)
    if outside:
        return f"the signing certificate {outside}"
    unknown = critical_oids(leaf) - UNDERSTOOD
    if unknown:
        return f"the signing certificate has a critical extension we do not know ({min(unknown)})"
    fault = weak(leaf, signature=False)
    return f"the signing certificate is too weak: {fault}" if fault else None
