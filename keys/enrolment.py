"""Enrolment of devices under our own authority, as EST words it (RFC 7030): a request and a one-time token in, a leaf out.

- A token is 32 random bytes, shown once and kept as its SHA-256. It fixes the name that the certificate will carry: what a
  request asks for is not looked at, except for its key. The same token with the same key again gets the same certificate, so
  that an answer lost on the way costs nothing; with another key it is refused.
- A renewal is a request wrapped in a CMS SignedData by the key of the certificate to be renewed, which must be one of ours,
  in force and not revoked. RFC 7030 §3.3.2 has the client prove this in TLS; here TLS may end at a proxy.
- Every request must be signed by the key it names (RFC 2986: proof of possession).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from cryptography.x509.oid import NameOID

from keys.algorithms import weakness
from keys.authority import LEAF_LIFE, Issued, development_name, issue_leaf
from keys.book import Book
from keys.certificate import fingerprint, load_der, outside_validity
from keys.errors import SigningRefusedError
from keys.token import MALFORMED

TOKEN_LIFE = timedelta(days=7)
DEVICE_LIFE = timedelta(days=30)
MAX_REQUEST = 16_384
_DIGESTS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


@dataclass(frozen=True)
class Enrolment:
    """The counter where devices get certificates. Its book is the only state."""

    issuer: Issued
    book: Book
    ocsp_url: str | None = None
    life: timedelta = DEVICE_LIFE

    def enrol(self, request: bytes, token: str, *, at: datetime) -> x509.Certificate:
        """Issue a leaf for the key in a DER request.

        Raises:
            SigningRefusedError: "token" (unknown, expired, spent on another key) or "request" (malformed, weak, not signed).
        """
        digest = digest_of(token)
        known = self.book.read().tokens.get(digest)
        if known is None or (known.certificate is None and known.expires < at):
            raise SigningRefusedError("token", "the token is unknown or expired")
        key = _key(request)
        if known.certificate is None:
            self.book.spend(digest, self._issue(key, _name(known.name), at).public_bytes(Encoding.DER))
            known = self.book.read().tokens[digest]
        issued = load_der(known.certificate or b"")
        if _spki(issued.public_key()) != _spki(key):
            raise SigningRefusedError("token", "the token was spent on another key")
        return issued

    def renew(self, signed: bytes, *, at: datetime) -> x509.Certificate:
        """Issue a new leaf of the same name for a request that the old key signed.

        Raises:
            SigningRefusedError: "proof" (not signed by a certificate of ours in force) or "request".
        """
        request, old = _opened(signed)
        pages, mark = self.book.read(), fingerprint(old)
        if mark not in pages.issued:
            raise SigningRefusedError("proof", "that certificate is none of ours")
        if mark in pages.revoked:
            raise SigningRefusedError("proof", "that certificate was revoked")
        ended = outside_validity(old, at)
        if ended:
            raise SigningRefusedError("proof", f"that certificate {ended}")
        return self._issue(_key(request), old.subject, at)

    def _issue(self, key: ec.EllipticCurvePublicKey, name: x509.Name, at: datetime) -> x509.Certificate:
        leaf = issue_leaf(self.issuer, key, name, at, life=min(self.life, LEAF_LIFE), ocsp_url=self.ocsp_url)
        self.book.issue(leaf)
        return leaf


def new_token(book: Book, name: str, *, at: datetime, life: timedelta = TOKEN_LIFE) -> str:
    """Make a token for a device of that name; this is the only time it is seen."""
    token = secrets.token_urlsafe(32)
    book.offer(digest_of(token), name=name, expires=at + life)
    return token


def digest_of(token: str) -> str:
    """What is kept of a token; 256 random bits need no stretching."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def as_pkcs7(certificates: Sequence[x509.Certificate]) -> bytes:
    """Certificates as EST hands them out: a degenerate SignedData, DER (RFC 7030 §4.1.3)."""
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)


def _name(device: str) -> x509.Name:
    """The development authority's own names, with the device in the common name."""
    parts = [a for a in development_name("").rdns if not a.get_attributes_for_oid(NameOID.COMMON_NAME)]
    common = x509.NameAttribute(NameOID.COMMON_NAME, f"{device[:40]} (not for publication)")
    return x509.Name([*parts, x509.RelativeDistinguishedName([common])])


def _key(request: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a request that it signed itself."""
    try:
        asked = x509.load_der_x509_csr(request)
        key, whole = asked.public_key(), asked.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningRefusedError("request", f"this is no certificate request ({error})") from error
    if not whole:
        raise SigningRefusedError("request", "the request is not signed by its own key")
    weak = weakness(key)
    if weak:
        raise SigningRefusedError("request", weak)
    return key  # type: ignore[return-value]  # weakness() passed it: EC, RSA or Ed25519


def _opened(signed: bytes) -> tuple[bytes, x509.Certificate]:
    """The content of a CMS SignedData with one signer, and the certificate whose key signed it (RFC 5652 §5)."""
    try:
        data = cms.ContentInfo.load(signed, strict=True)["content"]
        (info,) = data["signer_infos"]
        content = bytes(data["encap_content_info"]["content"].native)
        attributes = {a["type"].native: a["values"] for a in info["signed_attrs"]}
        (claimed,) = attributes["message_digest"].native
        covered = b"\x31" + info["signed_attrs"].dump()[1:]  # signed as a SET OF, carried under an implicit tag
        digest, signature = info["digest_algorithm"]["algorithm"].native, info["signature"].native
        candidates = [load_der(item.chosen.dump()) for item in data["certificates"]]
    except MALFORMED as error:
        raise SigningRefusedError("proof", "this is no signed request") from error
    if digest not in _DIGESTS or hashlib.new(digest, content).digest() != claimed:
        raise SigningRefusedError("proof", "the signature does not cover the request")
    for certificate in candidates:
        if _signed_by(certificate, signature, covered, _DIGESTS[digest]):
            return content, certificate
    raise SigningRefusedError("proof", "no certificate in it made its signature")


def _signed_by(certificate: x509.Certificate, signature: bytes, data: bytes, digest: hashes.HashAlgorithm) -> bool:
    try:
        match key := certificate.public_key():
            case ec.EllipticCurvePublicKey():
                key.verify(signature, data, ec.ECDSA(digest))
            case rsa.RSAPublicKey():
                key.verify(signature, data, padding.PKCS1v15(), digest)
            case ed25519.Ed25519PublicKey():
                key.verify(signature, data)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _spki(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]
