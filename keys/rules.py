"""The rules of the C2PA certificate profile as two tables, one for leaves and one for CAs; `profile.check` walks them.

A rule looks at one certificate at one instant and says in a phrase what is wrong, or None. Rules do not overlap: a
certificate with one mistake breaks one rule. *Errors* break C2PA 2.5 §13.5 or RFC 5280, or make readers refuse the
signature. *Warnings* are what the Certificate Policy of the conformance programme (0.2) asks beyond that, and what
some readers do not understand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from keys import oids
from keys.certificate import (
    critical_oids,
    extension,
    has_unique_ids,
    is_self_issued,
    outside_validity,
    purposes,
    weak,
)
from keys.issuing import UNDERSTOOD

Severity = Literal["error", "warning"]

PROFILE = "C2PA 2.5 §13.5.1"
ALGORITHM = "C2PA 2.5 §13.2"
POLICY = "C2PA Certificate Policy 0.2"
RFC = "RFC 5280 §4.2"

_SIGNING = frozenset({oids.CLAIM_SIGNING, oids.EMAIL_PROTECTION, oids.DOCUMENT_SIGNING, oids.MICROSOFT_C2PA})
_COMPANIONS = frozenset({oids.EMAIL_PROTECTION, oids.DOCUMENT_SIGNING})
_EXCLUSIVE = {oids.TIME_STAMPING: "time stamping", oids.OCSP_SIGNING: "OCSP signing"}
_MAX_DAYS, _MAX_DAYS_AL2 = 366, 90


@dataclass(frozen=True)
class Rule:
    """One row: `broken(certificate, at)` gives the phrase, for certificates that can be read."""

    name: str
    clause: str
    severity: Severity
    mend: str
    broken: Callable[[x509.Certificate, datetime], str | None]


def _version(cert: x509.Certificate, _: datetime) -> str | None:
    return None if cert.version is x509.Version.v3 else f"is an X.509 {cert.version.name} certificate"


def _unique_ids(cert: x509.Certificate, _: datetime) -> str | None:
    return "has an issuer or subject unique identifier" if has_unique_ids(cert) else None


def _unknown_critical(cert: x509.Certificate, _: datetime) -> str | None:
    unknown = critical_oids(cert) - UNDERSTOOD
    return f"has a critical extension that readers do not know ({min(unknown)})" if unknown else None


def _key(cert: x509.Certificate, _: datetime) -> str | None:
    return weak(cert, signature=False)


def _signature(cert: x509.Certificate, at: datetime) -> str | None:
    return None if _key(cert, at) else weak(cert)


def _leaf_ca(cert: x509.Certificate, _: datetime) -> str | None:
    basic = extension(cert, x509.BasicConstraints)
    return "is a CA certificate" if basic is not None and basic.value.ca else None


def _leaf_basic(cert: x509.Certificate, _: datetime) -> str | None:
    basic = extension(cert, x509.BasicConstraints)
    return "has no critical basic constraints" if basic is None or not (basic.critical or basic.value.ca) else None


def _authority_key_id(cert: x509.Certificate, _: datetime) -> str | None:
    missing = extension(cert, x509.AuthorityKeyIdentifier) is None and not is_self_issued(cert)
    return "has no authority key identifier" if missing else None


def _subject_key_id(cert: x509.Certificate, _: datetime) -> str | None:
    return "has no subject key identifier" if extension(cert, x509.SubjectKeyIdentifier) is None else None


def _leaf_usage(cert: x509.Certificate, _: datetime) -> str | None:
    usage = extension(cert, x509.KeyUsage)
    if usage is None:
        return "has no key usage"
    return None if usage.value.digital_signature else "its key usage lacks digitalSignature"


def _usage_critical(cert: x509.Certificate, _: datetime) -> str | None:
    usage = extension(cert, x509.KeyUsage)
    return "its key usage is not critical" if usage is not None and not usage.critical else None


def _leaf_cert_sign(cert: x509.Certificate, _: datetime) -> str | None:
    usage = extension(cert, x509.KeyUsage)
    return "its key usage has keyCertSign" if usage is not None and usage.value.key_cert_sign else None


def _non_repudiation(cert: x509.Certificate, _: datetime) -> str | None:
    usage = extension(cert, x509.KeyUsage)
    lacks = usage is not None and usage.value.digital_signature and not usage.value.content_commitment
    return "its key usage lacks nonRepudiation" if lacks else None


def _purpose_missing(cert: x509.Certificate, _: datetime) -> str | None:
    return None if purposes(cert) else "has no extended key usage"


def _purpose_any(cert: x509.Certificate, _: datetime) -> str | None:
    return "is good for any purpose (anyExtendedKeyUsage)" if oids.ANY_PURPOSE in _own(cert) else None


def _purpose_exclusive(cert: x509.Certificate, _: datetime) -> str | None:
    found = [words for oid, words in _EXCLUSIVE.items() if oid in _own(cert)]
    return f"is a certificate for {found[0]}, which excludes signing claims" if found else None


def _purpose_foreign(cert: x509.Certificate, _: datetime) -> str | None:
    own = _own(cert)
    judged = not own or own & _SIGNING or own & set(_EXCLUSIVE) or oids.ANY_PURPOSE in own
    return None if judged else f"is made for other purposes ({', '.join(sorted(own))})"


def _purpose_claim(cert: x509.Certificate, _: datetime) -> str | None:
    own = _own(cert)
    return "lacks the purpose c2pa-kp-claimSigning" if own & _SIGNING and oids.CLAIM_SIGNING not in own else None


def _purpose_companion(cert: x509.Certificate, _: datetime) -> str | None:
    own = _own(cert)
    lacks = oids.CLAIM_SIGNING in own and not own & _COMPANIONS
    return "has claimSigning without emailProtection or documentSigning" if lacks else None


def _purpose_extra(cert: x509.Certificate, _: datetime) -> str | None:
    own = _own(cert)
    extra = own - _SIGNING - set(_EXCLUSIVE) - {oids.ANY_PURPOSE}
    return f"may also be used for {', '.join(sorted(extra))}" if extra and own & _SIGNING else None


def _validity(cert: x509.Certificate, at: datetime) -> str | None:
    return outside_validity(cert, at)


def _lifetime(cert: x509.Certificate, _: datetime) -> str | None:
    days = (cert.not_valid_after_utc - cert.not_valid_before_utc).days
    limit = _MAX_DAYS_AL2 if _assurance_oid(cert) == oids.ASSURANCE_LEVEL_2 else _MAX_DAYS
    return f"lives {days} days, more than {limit}" if days > limit else None


def _name(cert: x509.Certificate, _: datetime) -> str | None:
    wanted = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}
    missing = [short for short, oid in wanted.items() if not cert.subject.get_attributes_for_oid(oid)]
    return f"its subject has no {', '.join(missing)}" if missing else None


def _policy(cert: x509.Certificate, _: datetime) -> str | None:
    found = extension(cert, x509.CertificatePolicies)
    named = {item.policy_identifier.dotted_string for item in found.value} if found else set()
    return None if oids.CERTIFICATE_POLICY in named else "does not name the C2PA certificate policy"


def _ocsp(cert: x509.Certificate, _: datetime) -> str | None:
    found = extension(cert, x509.AuthorityInformationAccess)
    methods = {item.access_method for item in found.value} if found else set()
    return None if AuthorityInformationAccessOID.OCSP in methods else "names no OCSP responder"


def _assurance(cert: x509.Certificate, _: datetime) -> str | None:
    return None if _assurance_oid(cert) else "states no assurance level"


def _record(cert: x509.Certificate, _: datetime) -> str | None:
    missing = _raw(cert, oids.CPL_RECORD) is None
    return "names no record of the Conforming Products List" if missing else None


def _ca_basic(cert: x509.Certificate, _: datetime) -> str | None:
    basic = extension(cert, x509.BasicConstraints)
    return None if basic is not None and basic.value.ca else "is not a CA certificate"


def _ca_basic_critical(cert: x509.Certificate, _: datetime) -> str | None:
    basic = extension(cert, x509.BasicConstraints)
    return "its basic constraints are not critical" if basic is not None and not basic.critical else None


def _ca_usage(cert: x509.Certificate, _: datetime) -> str | None:
    usage = extension(cert, x509.KeyUsage)
    return None if usage is not None and usage.value.key_cert_sign else "its key usage lacks keyCertSign"


def _own(cert: x509.Certificate) -> frozenset[str]:
    return purposes(cert) or frozenset()


def _raw(cert: x509.Certificate, oid: str) -> bytes | None:
    """The bytes of an extension that `cryptography` does not know."""
    for item in cert.extensions:
        if item.oid.dotted_string == oid and isinstance(item.value, x509.UnrecognizedExtension):
            return item.value.value
    return None


def _assurance_oid(cert: x509.Certificate) -> str | None:
    """The assurance level, read as the DER object identifier 1.3.6.1.4.1.62558.3.(10 | 20)."""
    levels = {_LEVEL_DER + bytes([level]): f"{oids.ASSURANCE_LEVEL}.{level}" for level in (10, 20)}
    return levels.get(_raw(cert, oids.ASSURANCE_LEVEL) or b"")


_LEVEL_DER = bytes.fromhex("060a2b0601040183e85e03")  # OBJECT IDENTIFIER, 10 bytes, 1.3.6.1.4.1.62558.3.…

COMMON = (
    Rule("version", PROFILE, "error", "issue it as version 3", _version),
    Rule("unique-id", PROFILE, "error", "issue it without unique identifiers", _unique_ids),
    Rule("critical-unknown", RFC, "error", "drop the extension, or mark it not critical", _unknown_critical),
    Rule("key", ALGORITHM, "error", "use P-256, P-384, P-521, Ed25519 or RSA of 2048 bits and more", _key),
    Rule("signature", ALGORITHM, "error", "have it signed with SHA-256, SHA-384, SHA-512 or Ed25519", _signature),
    Rule("validity", RFC, "error", "renew it, or check the clock", _validity),
    Rule("authority-key-id", PROFILE, "error", "add the key identifier of its issuer", _authority_key_id),
    Rule("key-usage.critical", PROFILE, "error", "mark the key usage critical", _usage_critical),
)

LEAF = (
    Rule("ca", PROFILE, "error", "sign with an end-entity certificate, first in the chain", _leaf_ca),
    Rule("basic-constraints", POLICY, "warning", "add critical basic constraints with CA:FALSE", _leaf_basic),
    Rule("subject-key-id", POLICY, "warning", "add a subject key identifier", _subject_key_id),
    Rule("key-usage", PROFILE, "error", "add a critical key usage with digitalSignature", _leaf_usage),
    Rule("key-cert-sign", PROFILE, "error", "remove keyCertSign: a leaf signs no certificates", _leaf_cert_sign),
    Rule("non-repudiation", POLICY, "warning", "add nonRepudiation to the key usage", _non_repudiation),
    Rule("purpose", PROFILE, "error", "add an extended key usage with c2pa-kp-claimSigning", _purpose_missing),
    Rule("purpose.any", PROFILE, "error", "name the purposes instead of anyExtendedKeyUsage", _purpose_any),
    Rule("purpose.exclusive", PROFILE, "error", "use separate certificates for separate roles", _purpose_exclusive),
    Rule("purpose.foreign", PROFILE, "error", "ask for c2pa-kp-claimSigning", _purpose_foreign),
    Rule(
        "purpose.claim-signing",
        "C2PA 2.5 §13.4",
        "warning",
        "ask for c2pa-kp-claimSigning: the C2PA Trust List accepts no other purpose",
        _purpose_claim,
    ),
    Rule(
        "purpose.companion",
        POLICY,
        "warning",
        "add documentSigning or emailProtection for readers older than C2PA 2.2",
        _purpose_companion,
    ),
    Rule("purpose.extra", PROFILE, "warning", "keep a claim-signing certificate to signing", _purpose_extra),
    Rule("lifetime", POLICY, "warning", "issue it for at most 366 days (90 at assurance level 2)", _lifetime),
    Rule("name", POLICY, "warning", "give the subject C, O and CN; viewers show O as the signer", _name),
    Rule("policy", POLICY, "warning", f"add the certificate policy {oids.CERTIFICATE_POLICY}", _policy),
    Rule("ocsp", POLICY, "warning", "add an authority information access entry with the OCSP address", _ocsp),
    Rule("assurance", POLICY, "warning", "only a CA of the conformance programme can add it", _assurance),
    Rule("product-record", POLICY, "warning", "only a CA of the conformance programme can add it", _record),
)

CA = (
    Rule("basic-constraints", RFC, "error", "leave it out of the chain, or issue it as a CA", _ca_basic),
    Rule("basic-constraints.critical", RFC, "error", "mark the basic constraints critical", _ca_basic_critical),
    Rule("key-usage", RFC, "error", "add keyCertSign to the CA's key usage", _ca_usage),
    Rule("subject-key-id", RFC, "error", "add a subject key identifier", _subject_key_id),
)
