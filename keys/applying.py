"""A key for an outside CA: made here, its request sent there, the answer checked and put in place. And its successor.

    requests/NAME.pem, NAME.secret   the new key, with a certificate of its own making that nobody is shown
    requests/NAME.csr                what the CA gets (PKCS#10, PEM)
    NAME.pem, NAME.secret            after the answer: key, leaf, intermediates (`signers.file`)
    retired/NAME-FINGERPRINT.crt     what was replaced: certificates, no key

The private key never leaves the folder. An answer counts only if its leaf belongs to the key of the request, the chain links up
without the root, and the certificate profile finds no error in it (`profile.check`); warnings are passed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keys.algorithms import SigningKey, generate
from keys.certificate import fingerprint, is_self_issued, load_der, load_pem, read_pem, signed_by, subject, to_pem
from keys.errors import KeyFileError, ProfileError, UnknownSignerError
from keys.files import locked, private_folder, write_private
from keys.profile import Finding, check
from keys.signers.file import key_path, load_file, write_key

REQUESTS, RETIRED = "requests", "retired"
MAX_ANSWER = 262_144
_DEVELOPMENT = "development"


@dataclass(frozen=True)
class Imported:
    """A key that is in its place now; `replaced` is the fingerprint of what was there before."""

    chain: tuple[x509.Certificate, ...]
    findings: tuple[Finding, ...]
    replaced: str | None


def name_of(*, common: str, organization: str, country: str) -> x509.Name:
    """The subject of a request: the profile wants all three. Raises ProfileError."""
    if len(country) != 2 or not country.isalpha() or not country.isascii():
        raise ProfileError("leaf.name", f"the country {country[:10]!r} is no code of two letters")
    if not common.strip() or not organization.strip():
        raise ProfileError("leaf.name", "common name and organization have 1 to 64 letters")
    parts = {NameOID.COUNTRY_NAME: country.upper(), NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: common}
    try:
        return x509.Name([x509.NameAttribute(oid, text.strip()) for oid, text in parts.items()])
    except ValueError as error:
        raise ProfileError("leaf.name", f"common name and organization have 1 to 64 letters ({error})") from error


def request(folder: Path, name: str, who: x509.Name, *, alg: str = "es256", now: datetime) -> Path:
    """Make a key and its request; returns the request's path. The same again gives the same request.

    Raises:
        UnknownSignerError: no name for a key, or the development key's.
        AlgorithmError: an algorithm that C2PA does not have.
        KeyFileError: the folder cannot be written, or a request of that name asks for something else.
    """
    key_path(folder, name)  # refuses names that lead elsewhere
    if name == _DEVELOPMENT:
        raise UnknownSignerError(name, "is the development key's name; take another")
    place = private_folder(folder / REQUESTS)
    with locked(folder):
        path = place / f"{name}.csr"
        if path.exists():
            _require_same(path, who)
            return path
        key = generate(alg)
        write_key(place / f"{name}.pem", key, (_placeholder(key, who, now),), alg=alg)
        write_private(path, _request(key, who).public_bytes(Encoding.PEM))
    return path


def again(folder: Path, name: str, *, now: datetime) -> Path:
    """Make a successor of a key in its folder: the same subject and algorithm, a new key. Raises as `request`."""
    current = load_file(_existing(folder, name))
    return request(folder, name, current.chain[0].subject, alg=current.alg, now=now)


def take(folder: Path, name: str, answer: bytes, *, at: datetime) -> Imported:
    """Put the CA's answer (PEM, or one DER certificate) to a request in its place.

    Raises:
        UnknownSignerError: nothing was asked for under that name.
        KeyFileError: no certificates, not this key's, or they do not link up; `path` names the request.
        ProfileError: the profile forbids it; names the first rule and how to mend it.
    """
    place = folder / REQUESTS
    path = place / f"{name}.pem"
    key_path(folder, name)
    if not path.exists():
        raise UnknownSignerError(name, f"there is no request of that name in {place}; run: colophon keys new")
    asked = load_file(path)
    chain = _ordered(path, _certificates(path, answer), asked.key)
    findings = check(chain, at=at)
    if wrong := next((one for one in findings if one.severity == "error"), None):
        raise ProfileError(wrong.rule, f"{wrong.say}; {wrong.mend} ({wrong.clause})")
    with locked(folder):
        replaced = _retire(folder, name)
        write_key(key_path(folder, name), asked.key, chain, alg=asked.alg)
        for left in (path, path.with_suffix(".secret"), path.with_suffix(".csr")):
            left.unlink(missing_ok=True)
    return Imported(chain, findings, replaced)


def _certificates(path: Path, answer: bytes) -> tuple[x509.Certificate, ...]:
    if len(answer) > MAX_ANSWER:
        raise KeyFileError(path, "the answer is too large")
    try:
        found = load_pem(answer) or ((load_der(answer),) if answer[:1] == b"\x30" else ())
    except ValueError as error:
        raise KeyFileError(path, f"the answer cannot be read: {error}") from error
    if not found:
        raise KeyFileError(path, "the answer holds no certificate")
    return found


def _ordered(path: Path, found: Sequence[x509.Certificate], key: SigningKey) -> tuple[x509.Certificate, ...]:
    """Leaf, then each issuer, without the root; certificates that belong to nobody are left out."""
    mine = [one for one in found if _belongs(one, key)]
    if not mine:
        raise KeyFileError(path, f"the answer is for another key: {subject(found[0])}")
    chain = [mine[0]]
    while issuer := next((one for one in found if one not in chain and signed_by(chain[-1], one)), None):
        if is_self_issued(issuer):
            break
        chain.append(issuer)
    return tuple(chain)


def _belongs(certificate: x509.Certificate, key: SigningKey) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except ValueError:
        return False


def _retire(folder: Path, name: str) -> str | None:
    """Keep the certificates of what is replaced: what it signed names them."""
    path = key_path(folder, name)
    if not path.exists():
        return None
    chain = read_pem(path)
    mark = fingerprint(chain[0])
    write_private(private_folder(folder / RETIRED) / f"{name}-{mark[:16]}.crt", to_pem(chain).encode("ascii"))
    return mark


def _existing(folder: Path, name: str) -> Path:
    path = key_path(folder, name)
    if not path.exists():
        raise UnknownSignerError(name, f"no such key in {folder}")
    return path


def _require_same(path: Path, who: x509.Name) -> None:
    if x509.load_pem_x509_csr(path.read_bytes()).subject != who:
        raise KeyFileError(path, "another request of that name waits for its answer; import it, or remove it")


def _request(key: SigningKey, who: x509.Name) -> x509.CertificateSigningRequest:
    draft = x509.CertificateSigningRequestBuilder().subject_name(who)
    return draft.sign(key, _digest(key))


def _placeholder(key: SigningKey, who: x509.Name, now: datetime) -> x509.Certificate:
    """A certificate that only fills the place of the one to come: no CA, no purpose, valid for an hour."""
    draft = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    draft = draft.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(hours=1))
    return draft.sign(key, _digest(key))


def _digest(key: SigningKey) -> hashes.SHA256 | hashes.SHA384 | None:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    return hashes.SHA384() if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256 else hashes.SHA256()
