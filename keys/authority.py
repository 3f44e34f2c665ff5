"""A certification authority of our own making: root, issuing CA, claim-signing leaves, and a separate root for time
stamps.

Pure functions: the instant comes as an argument, certificates and private keys go out, nothing is written. They
follow the profiles of the C2PA Certificate Policy 0.2 (CA keys P-384, issuing CA path length 0 and at most 1827
days, leaf at most 90 days) except where a development CA cannot: no OCSP address unless one is given, no assurance
level and no product record, since nobody vouched for either. Every name says "Colophon development … (not for
publication)", so that it can be read as such wherever it shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from keys import oids
from keys.algorithms import SigningKey, generate, weakness
from keys.errors import ProfileError

ROOT_LIFE = timedelta(days=3652)
ISSUER_LIFE = timedelta(days=1826)
LEAF_LIFE = timedelta(days=90)
RESPONDER_LIFE = timedelta(days=366)  # nobody checks it for revocation, so it may not live long
TSA_LIFE = timedelta(days=1826)
_BACKDATED = timedelta(minutes=5)  # a verifier whose clock is a little behind sees no future


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key. Never printed: the key is left out of the representation."""

    certificate: x509.Certificate
    key: SigningKey

    def __repr__(self) -> str:
        return f"Issued({self.certificate.subject.rfc4514_string()!r})"


def development_name(role: str) -> x509.Name:
    """The name of a development certificate: C, O and CN, as the profile requires."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ZZ"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Colophon development (not for publication)"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Colophon development {role} (not for publication)"),
        ]
    )


def new_root(now: datetime, *, role: str = "root") -> Issued:
    """A self-signed root for 10 years, one CA level below it."""
    key = generate("es384")
    name = development_name(role)
    draft = _draft(name, name, key.public_key(), now, now + ROOT_LIFE)
    draft = _as_ca(draft, path_length=1)
    return Issued(_signed(draft, key, key.public_key()), key)


def new_issuer(root: Issued, now: datetime, *, role: str = "issuing CA") -> Issued:
    """The CA that issues claim-signing leaves and nothing else: path length 0, its purposes restricted."""
    key = generate("es384")
    end = min(now + ISSUER_LIFE, root.certificate.not_valid_after_utc)
    draft = _draft(development_name(role), root.certificate.subject, key.public_key(), now, end)
    draft = _with_policy(_as_ca(draft, path_length=0)).add_extension(_purposes(*_CLAIM_PURPOSES), critical=False)
    return Issued(_signed(draft, root.key, root.key.public_key()), key)


def issue_leaf(
    issuer: Issued,
    public_key: CertificateIssuerPublicKeyTypes,
    name: x509.Name,
    now: datetime,
    *,
    life: timedelta = LEAF_LIFE,
    ocsp_url: str | None = None,
) -> x509.Certificate:
    """Issue a claim-signing leaf for somebody's public key (C2PA 2.5 §13.5.1; Certificate Policy 0.2).

    Args:
        name: subject; the profile wants C, O and CN.
        life: at most 90 days (the stricter of the two assurance levels), cut to the issuer's own end.
        ocsp_url: http address of the responder, if there is one; the public profile demands it.
    Raises:
        ProfileError: a key, name or life that the profile forbids.
    """
    if not timedelta(0) < life <= LEAF_LIFE:
        raise ProfileError("leaf.lifetime", f"{life.days} days; a leaf lives at most {LEAF_LIFE.days}")
    weak = weakness(public_key)
    if weak:
        raise ProfileError("leaf.key", weak)
    if not name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME):
        raise ProfileError("leaf.name", "the subject needs an organization (O): viewers show it as the signer")
    end = min(now + life, issuer.certificate.not_valid_after_utc)
    draft = _draft(name, issuer.certificate.subject, public_key, now, end)
    draft = _with_policy(_as_end_entity(draft)).add_extension(_purposes(*_CLAIM_PURPOSES), critical=False)
    if ocsp_url is not None:
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url))
        draft = draft.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return _signed(draft, issuer.key, issuer.key.public_key())


def new_signer(
    issuer: Issued, now: datetime, *, alg: str = "es256", life: timedelta = LEAF_LIFE, ocsp_url: str | None = None
) -> Issued:
    """A development claim-signing key with its leaf."""
    key, name = generate(alg), development_name("claim signer")
    return Issued(issue_leaf(issuer, key.public_key(), name, now, life=life, ocsp_url=ocsp_url), key)


def new_responder(issuer: Issued, now: datetime) -> Issued:
    """A delegated OCSP responder (RFC 6960 §4.2.2.2): the single purpose OCSPSigning, under the CA that it answers for."""
    key = generate("es256")
    end = min(now + RESPONDER_LIFE, issuer.certificate.not_valid_after_utc)
    draft = _draft(development_name("OCSP responder"), issuer.certificate.subject, key.public_key(), now, end)
    draft = _with_policy(_as_end_entity(draft)).add_extension(_purposes(oids.OCSP_SIGNING), critical=True)
    draft = draft.add_extension(x509.OCSPNoCheck(), critical=False)
    return Issued(_signed(draft, issuer.key, issuer.key.public_key()), key)


def new_tsa_root(now: datetime) -> Issued:
    """The root of time stamps, which never issues anything that signs claims."""
    return new_root(now, role="time stamp root")


def new_tsa(root: Issued, now: datetime) -> Issued:
    """A time stamp leaf: the single purpose timeStamping, critical (RFC 3161 §2.3); P-256, since EdDSA is excluded
    there.
    """
    key = generate("es256")
    end = min(now + TSA_LIFE, root.certificate.not_valid_after_utc)
    draft = _draft(development_name("time stamp authority"), root.certificate.subject, key.public_key(), now, end)
    draft = _with_policy(_as_end_entity(draft)).add_extension(_purposes(oids.TIME_STAMPING), critical=True)
    return Issued(_signed(draft, root.key, root.key.public_key()), key)


_CLAIM_PURPOSES = (oids.CLAIM_SIGNING, oids.DOCUMENT_SIGNING)  # the second for readers older than C2PA 2.2


def _draft(
    name: x509.Name, issuer: x509.Name, key: CertificateIssuerPublicKeyTypes, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _as_ca(draft: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    return draft.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        _usage(certificates=True), critical=True
    )


def _as_end_entity(draft: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return draft.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).add_extension(
        _usage(certificates=False), critical=True
    )


def _with_policy(draft: x509.CertificateBuilder) -> x509.CertificateBuilder:
    policy = x509.PolicyInformation(x509.ObjectIdentifier(oids.CERTIFICATE_POLICY), None)
    return draft.add_extension(x509.CertificatePolicies([policy]), critical=False)


def _purposes(*dotted: str) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([x509.ObjectIdentifier(item) for item in dotted])


def _usage(*, certificates: bool) -> x509.KeyUsage:
    """keyCertSign + cRLSign for a CA, digitalSignature + nonRepudiation for a leaf; never mixed."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=not certificates,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(draft: x509.CertificateBuilder, key: SigningKey, issuer_key: CertificateIssuerPublicKeyTypes) -> x509.Certificate:
    draft = draft.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return draft.sign(key, None)
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size >= 384
    return draft.sign(key, hashes.SHA384() if strong else hashes.SHA256())
