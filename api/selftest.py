"""The start-up self-test: one good file and three bad ones, signed and judged by the real parts, with keys made for it.

    good       signed by a leaf that our signer list knows                         → trusted
    mail       signed by an S/MIME leaf under the *time stamp* root                → valid: intact, and nobody we know
    tampered   the good file with one byte of its content changed                  → altered
    expired    the good file, unstamped, as it looks after its leaf has ended      → invalid

The libraries that decide these things change what they decide from release to release (provenance/README.md); a service in
which one of the four comes out wrong must not answer for files at all.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from keys import authority, oids
from keys.algorithms import generate
from keys.certificate import to_pem
from keys.lists import ListKind, TrustList
from keys.signers.file import write_key
from provenance.capture import SignRequest, sign
from provenance.desk import Desk, Studio
from provenance.verify import verify
from watermark.payload import PUBLIC_KEY

EXPECTED: Mapping[str, str] = {"good": "trusted", "mail": "valid", "tampered": "altered", "expired": "invalid"}
_LATER = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What came out: a status for each case."""

    found: Mapping[str, str]
    took_s: float

    @property
    def passed(self) -> bool:
        return dict(self.found) == dict(EXPECTED)

    @property
    def wrong(self) -> str:
        """What came out otherwise, as one line for the log."""
        cases = [f"{case}: {self.found.get(case)}, not {word}" for case, word in EXPECTED.items() if self.found.get(case) != word]
        return "; ".join(cases)


def run(desk: Desk, *, at: datetime) -> SelfTest:
    """Sign and judge the four files with a desk's workers; registry and lists of the desk are left out. Takes a second or two.

    Raises:
        ProvenanceError: a file could not even be signed or read.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="colophon-selftest-") as place:
        folder = Path(place)
        own = replace(desk, lists=_make_keys(folder, at), registry=None, mark_keys=(PUBLIC_KEY,))
        source = folder / "source.jpg"
        Image.linear_gradient("L").convert("RGB").save(source, quality=90)
        good = _signed(source, folder / "good.jpg", "camera", folder, own, at)
        mail = _signed(source, folder / "mail.jpg", "mail", folder, own, at)
        tampered = folder / "tampered.jpg"
        tampered.write_bytes(_changed(good.read_bytes()))
        cases = {"good": (good, at), "mail": (mail, at), "tampered": (tampered, at), "expired": (good, at + _LATER)}
        found = {case: str(verify(path, own, at=when, marks=False).verdict.status) for case, (path, when) in cases.items()}
    return SelfTest(found, time.monotonic() - began)


def _signed(source: Path, destination: Path, key: str, folder: Path, desk: Desk, at: datetime) -> Path:
    studio = Studio(
        desk=desk,
        signer=key,
        keys_folder=folder,
        mark_key=PUBLIC_KEY,
        tsa=lambda: None,
        new_mark_id=lambda: 0,
        new_asset_id=lambda: "selftest",
    )
    return sign(SignRequest(source, destination, mark="none", register=False), studio, at=at).path


def _make_keys(folder: Path, at: datetime) -> tuple[TrustList, TrustList]:
    """Two signers, one of each root, and the two lists that the roots stand on."""
    root, tsa_root = authority.new_root(at), authority.new_tsa_root(at)
    issuer = authority.new_issuer(root, at)
    camera = authority.new_signer(issuer, at)
    write_key(folder / "camera.pem", camera.key, (camera.certificate, issuer.certificate))
    key = generate("es256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    write_key(folder / "mail.pem", key, (_mail_leaf(tsa_root, key, at), tsa_root.certificate))
    signers = _list(ListKind.SIGNER, root.certificate, at, ekus=frozenset({oids.CLAIM_SIGNING}))
    return signers, _list(ListKind.TSA, tsa_root.certificate, at, ekus=frozenset({oids.TIME_STAMPING}))


def _list(kind: ListKind, anchor: x509.Certificate, at: datetime, *, ekus: frozenset[str]) -> TrustList:
    pem = to_pem((anchor,)).encode("ascii")
    return TrustList.from_pem(
        pem, kind=kind, name="self-test", uri="urn:colophon:selftest", date=at.date(), source="made at start", ekus=ekus
    )


def _mail_leaf(root: authority.Issued, key: ec.EllipticCurvePrivateKey, at: datetime) -> x509.Certificate:
    """A leaf for signed mail, such as public time stamp roots issue too."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "ZZ"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Colophon self-test"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Colophon self-test mail"),
        ]
    )
    usage = dict.fromkeys(("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(minutes=5))
        .not_valid_after(at + timedelta(days=90))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, content_commitment=True, encipher_only=False, decipher_only=False, **usage),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    )
    assert isinstance(root.key, ec.EllipticCurvePrivateKey)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()), critical=False)
    return builder.sign(root.key, hashes.SHA384())


def _changed(jpeg: bytes) -> bytes:
    """The file with one bit of its last entropy-coded byte turned: content, not metadata."""
    at = jpeg.rindex(b"\xff\xd9") - 2
    return jpeg[:at] + bytes([jpeg[at] ^ 0x04]) + jpeg[at + 1 :]
