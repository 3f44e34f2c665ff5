"""Small, total questions about one X.509 certificate. Anything malformed surfaces as `ValueError`, nothing else."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from keys.algorithms import weakness
from keys.errors import KeyFileError

E = TypeVar("E", bound=x509.ExtensionType)

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# What `cryptography` says of a damaged name: TypeError for a bit string in it, a warning (where those are errors)
# for a country of three letters.
_UNREADABLE = (ValueError, TypeError, UserWarning)
_DIGESTS = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER bytes, 64 lower-case hex digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def subject(certificate: x509.Certificate) -> str:
    """The subject as one line (RFC 4514), or its fingerprint when it has none or cannot be read."""
    try:
        return certificate.subject.rfc4514_string() or f"sha256:{fingerprint(certificate)}"
    except _UNREADABLE:
        return f"sha256:{fingerprint(certificate)}"


def holder(certificate: x509.Certificate) -> str:
    """What a person would call its subject: the organisation, else the common name, else `subject`."""
    try:
        for oid in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME):
            for attribute in certificate.subject.get_attributes_for_oid(oid):
                return str(attribute.value)
    except _UNREADABLE:
        pass
    return subject(certificate)


def extension(certificate: x509.Certificate, kind: type[E]) -> x509.Extension[E] | None:
    """One extension, None if absent.

    Raises:
        ValueError: the extensions cannot be parsed, or one is there twice.
    """
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from error


def critical_oids(certificate: x509.Certificate) -> frozenset[str]:
    """OIDs of the extensions marked critical. Raises ValueError like `extension`."""
    try:
        return frozenset(item.oid.dotted_string for item in certificate.extensions if item.critical)
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from error


def purposes(certificate: x509.Certificate) -> frozenset[str] | None:
    """OIDs of the extended key usage; None when the extension is absent, that is: unrestricted."""
    found = extension(certificate, x509.ExtendedKeyUsage)
    return None if found is None else frozenset(oid.dotted_string for oid in found.value)


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Subject equals issuer (RFC 5280 §3.2); says nothing about whose key signed it."""
    return certificate.subject == certificate.issuer


def has_unique_ids(certificate: x509.Certificate) -> bool:
    """Whether issuerUniqueID or subjectUniqueID is present; `cryptography` does not tell."""
    body = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))["tbs_certificate"]
    return any(body[field].native is not None for field in ("issuer_unique_id", "subject_unique_id"))


@lru_cache(maxsize=4096)  # a pure function of two certificates' bytes, and the dear part of every path
def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key made this certificate (RSA PKCS#1 v1.5 and PSS, ECDSA, Ed25519)."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def weak(certificate: x509.Certificate, *, signature: bool = True) -> str | None:
    """Say what is too weak about the key or (unless told not to look) the signature's digest; None if nothing."""
    try:
        fault = weakness(certificate.public_key())
        digest = certificate.signature_hash_algorithm if signature else None
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"unsupported key or signature ({error})"
    if fault is None and digest is not None and not isinstance(digest, _DIGESTS):
        return f"signed with {digest.name}"
    return fault


def outside_validity(certificate: x509.Certificate, at: datetime) -> str | None:
    """Say that a certificate is not yet or no longer valid at an aware instant; None inside (both ends included)."""
    if at < certificate.not_valid_before_utc:
        return f"is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}"
    if at > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    return None


@lru_cache(maxsize=4096)
def unreadable(certificate: x509.Certificate) -> str | None:
    """Say what cannot be parsed of the parts that `cryptography` parses only when asked; None if all can.

    Every other question here is safe to ask of a certificate that passed.
    """
    try:
        _ = certificate.subject, certificate.issuer, certificate.not_valid_before_utc, certificate.not_valid_after_utc
        critical_oids(certificate)
    except _UNREADABLE as error:
        return str(error)
    return None


def load_der(der: bytes) -> x509.Certificate:
    """One certificate. Raises ValueError for anything else, an unknown version included."""
    try:
        return x509.load_der_x509_certificate(der)
    except (x509.InvalidVersion, CryptographyDeprecationWarning) as error:  # the latter where warnings are errors
        raise ValueError(str(error)) from error


def load_pem(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Every certificate block of a PEM text, in order; other text around the blocks is ignored.

    Raises:
        ValueError: a block that is not a certificate; names its position, counted from 1.
    """
    found = []
    for number, block in enumerate(_BLOCK.findall(pem), start=1):
        try:
            found.append(load_der(_armoured(block)))
        except ValueError as error:
            raise ValueError(f"certificate {number} cannot be read ({error})") from error
    if pem.count(b"-----BEGIN CERTIFICATE-----") != len(found):
        raise ValueError("a certificate block is cut off")
    return tuple(found)


def read_pem(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a file, at least one.

    Raises:
        KeyFileError: it cannot be read, is damaged, or holds none.
    """
    try:
        chain = load_pem(path.read_bytes())
    except OSError as error:
        raise KeyFileError(path, error.strerror or "cannot be read") from error
    except ValueError as error:
        raise KeyFileError(path, str(error)) from error
    if not chain:
        raise KeyFileError(path, "holds no certificate in PEM form")
    return chain


def _armoured(block: bytes) -> bytes:
    return base64.b64decode(b"".join(block.split(b"-----")[2].split()), validate=True)


def to_pem(chain: tuple[x509.Certificate, ...]) -> str:
    """The chain as PEM text, in the order given."""
    return "".join(item.public_bytes(Encoding.PEM).decode("ascii") for item in chain)
