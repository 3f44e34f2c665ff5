"""A delegated OCSP responder (RFC 6960) for what our own authority issued.

Its certificate is issued by the same CA, for OCSPSigning alone, and says `ocsp-nocheck`: C2PA readers pass over answers that the
CA signed itself. Pure: the request, the book's pages and the instant come in, the answer goes out. It says "good" only of
certificates that the book has as issued, "revoked" of those it has as revoked, and "unknown" of everything else, also of other
CAs' certificates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from keys.book import Pages

REQUEST, RESPONSE = "application/ocsp-request", "application/ocsp-response"
MAX_REQUEST = 4096
LIFE = timedelta(hours=12)  # how long an answer may be kept
_DIGESTS = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)  # SHA-1 only names the CA here; most clients use it
_NONCE_BYTES = range(1, 33)  # RFC 8954 §2.1


@dataclass(frozen=True)
class Responder:
    """The responder's certificate and key, and the CA that it answers for."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    issuer: x509.Certificate

    def __repr__(self) -> str:
        return f"Responder({self.certificate.subject.rfc4514_string()!r})"

    def respond(self, request: bytes, pages: Pages, *, at: datetime) -> bytes:
        """Answer a DER OCSPRequest; total: what cannot be read gets "malformed", any other CA "unauthorized"."""
        try:
            asked = ocsp.load_der_ocsp_request(request) if len(request) <= MAX_REQUEST else None
            digest = asked.hash_algorithm if asked else None
            nonce = _nonce(asked) if asked else None
        except (ValueError, TypeError, NotImplementedError, UnsupportedAlgorithm, x509.DuplicateExtension):
            asked = None
        if asked is None or digest is None:
            return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if not isinstance(digest, _DIGESTS) or not self._is_ours(asked, digest):
            return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        status, revoked_at, reason = _status(asked.serial_number, pages)
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                issuer_name_hash=asked.issuer_name_hash,
                issuer_key_hash=asked.issuer_key_hash,
                serial_number=asked.serial_number,
                algorithm=digest,
                cert_status=status,
                this_update=at,
                next_update=at + LIFE,
                revocation_time=revoked_at,
                revocation_reason=reason,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
            .certificates([self.certificate])
        )
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _is_ours(self, asked: ocsp.OCSPRequest, digest: hashes.HashAlgorithm) -> bool:
        ours = ocsp.OCSPRequestBuilder().add_certificate(self.certificate, self.issuer, digest).build()
        return asked.issuer_name_hash == ours.issuer_name_hash and asked.issuer_key_hash == ours.issuer_key_hash


def _status(serial: int, pages: Pages) -> tuple[ocsp.OCSPCertStatus, datetime | None, x509.ReasonFlags | None]:
    entry = pages.by_serial(serial)
    if entry is None:
        return ocsp.OCSPCertStatus.UNKNOWN, None, None
    revoked = pages.revoked.get(entry.fingerprint)
    if revoked is None:
        return ocsp.OCSPCertStatus.GOOD, None, None
    known = {flag.value: flag for flag in x509.ReasonFlags}
    return ocsp.OCSPCertStatus.REVOKED, revoked.at, known.get(revoked.reason, x509.ReasonFlags.unspecified)


def _nonce(asked: ocsp.OCSPRequest) -> bytes | None:
    for extension in asked.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            return extension.value.nonce if len(extension.value.nonce) in _NONCE_BYTES else None
    return None


def _refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
