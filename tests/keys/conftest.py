"""A laboratory that can issue any certificate, right or wrong, and a reader of the COSE signatures in corpus files."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keys import oids
from keys.algorithms import SigningKey, generate
from keys.authority import Issued
from keys.trust import ListKind, TrustList

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
Extra = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Lab:
    """Issues certificates. Defaults are right; each keyword breaks one thing."""

    now: datetime = NOW

    def issue(
        self,
        name: str | x509.Name,
        by: Issued | None = None,
        *,
        ca: bool | None = False,
        path_length: int | None = None,
        basic_critical: bool = True,
        purposes: Sequence[str] | None = (oids.CLAIM_SIGNING, oids.DOCUMENT_SIGNING),
        purposes_critical: bool = False,
        usage: str | None = None,
        usage_critical: bool = True,
        start: timedelta = timedelta(days=-1),
        end: timedelta = timedelta(days=80),
        alg: str = "es256",
        key: SigningKey | None = None,
        authority_id: bool = True,
        subject_id: bool = True,
        policy: bool = True,
        extra: Sequence[Extra] = (),
        digest: hashes.HashAlgorithm | None = None,
        signed_with: SigningKey | None = None,
        **options: Any,
    ) -> Issued:
        key = key or generate(alg)
        subject = name if isinstance(name, x509.Name) else self.name(name)
        above = by or Issued(_nobody(subject), key)
        draft = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(above.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + start)
            .not_valid_after(self.now + end)
        )
        if ca is not None:
            draft = draft.add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=basic_critical)
        letters = usage if usage is not None else ("CR" if ca else "DN")
        if letters:
            draft = draft.add_extension(_usage(letters), critical=usage_critical)
        if purposes is not None:
            wanted = x509.ExtendedKeyUsage([x509.ObjectIdentifier(item) for item in purposes])
            draft = draft.add_extension(wanted, critical=purposes_critical)
        if subject_id:
            draft = draft.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        if authority_id:
            above_key = above.key.public_key()
            draft = draft.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above_key), critical=False)
        if policy:
            info = x509.PolicyInformation(x509.ObjectIdentifier(oids.CERTIFICATE_POLICY), None)
            draft = draft.add_extension(x509.CertificatePolicies([info]), critical=False)
        for item, critical in extra:
            draft = draft.add_extension(item, critical=critical)
        signing = signed_with or above.key
        chosen = None if isinstance(signing, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
        return Issued(draft.sign(signing, chosen, **options), key)

    def ca(self, name: str, by: Issued | None = None, **changes: Any) -> Issued:
        defaults: dict[str, Any] = {
            "ca": True,
            "purposes": None,
            "start": timedelta(days=-400),
            "end": timedelta(days=4000),
            "policy": False,
        }
        return self.issue(name, by, **(defaults | changes))

    def name(self, common: str, organization: str = "Lab") -> x509.Name:
        parts = {NameOID.COUNTRY_NAME: "ZZ", NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: common}
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])

    def list(self, *anchors: Issued, kind: ListKind = ListKind.SIGNER, **changes: Any) -> TrustList:
        pem = b"".join(item.certificate.public_bytes(Encoding.PEM) for item in anchors)
        defaults: dict[str, Any] = {"name": f"lab {kind}", "uri": "urn:lab", "date": date(2026, 1, 1), "source": "lab"}
        return TrustList.from_pem(pem, kind=kind, **(defaults | changes))


def _usage(letters: str) -> x509.KeyUsage:
    """D digitalSignature, N nonRepudiation, E keyEncipherment, C keyCertSign, R cRLSign."""
    return x509.KeyUsage(
        digital_signature="D" in letters,
        content_commitment="N" in letters,
        key_encipherment="E" in letters,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign="C" in letters,
        crl_sign="R" in letters,
        encipher_only=False,
        decipher_only=False,
    )


def _nobody(subject: x509.Name) -> Any:
    """Stands in for an issuer certificate where only its subject is asked for (self-signed)."""
    return type("Subject", (), {"subject": subject})()


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()


@dataclass(frozen=True)
class Chain:
    """root → issuer → leaf, all right."""

    root: Issued
    issuer: Issued
    leaf: Issued


@pytest.fixture(scope="session")
def chain(lab: Lab) -> Chain:
    root = lab.ca("root")
    issuer = lab.ca("issuer", root, path_length=0)
    return Chain(root, issuer, lab.issue("leaf", issuer))


@dataclass(frozen=True)
class CoseSignature:
    """One claim signature of a corpus file."""

    protected: bytes
    unprotected: dict[Any, Any] = field(repr=False)
    claim: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def certificates(self) -> list[x509.Certificate]:
        header = cbor2.loads(self.protected)
        places = [place.get(label) for place in (header, self.unprotected) for label in (33, "x5chain")]
        found = next(item for item in places if item)
        ders = [found] if isinstance(found, bytes) else found
        return [x509.load_der_x509_certificate(der) for der in ders]

    def token(self) -> tuple[str, bytes] | None:
        for label in ("sigTst", "sigTst2"):
            if label in self.unprotected:
                return label, self.unprotected[label]["tstTokens"][0]["val"]
        return None


@pytest.fixture(scope="session")
def read_signatures() -> Callable[[bytes], list[CoseSignature]]:
    """Claim signatures of a file's bytes, in the order of its manifests."""
    return lambda data: list(_signatures(data))


@pytest.fixture(scope="session")
def read_boxes() -> Callable[[bytes], list[tuple[tuple[str, ...], bytes]]]:
    """Every CBOR box of a file's bytes with its path of labels."""
    return lambda data: [item for store in _stores(data) for item in _walk(store)]


@pytest.fixture(scope="session")
def signatures(corpus: Path) -> Callable[[str], list[CoseSignature]]:
    """Claim signatures of a corpus file, in the order of its manifests."""
    return lambda name: list(_signatures((corpus / "c2pa" / name).read_bytes()))


def _signatures(data: bytes) -> Iterator[CoseSignature]:
    manifests: dict[str, dict[str, bytes]] = {}
    for store in _stores(data):
        for path, box in _walk(store):
            if len(path) == 3:
                kind = "signature" if path[2] == "c2pa.signature" else "claim" if path[2].startswith("c2pa.claim") else ""
                manifests.setdefault(path[1], {})[kind] = box
    for parts in manifests.values():
        if {"signature", "claim"} <= parts.keys():
            protected, unprotected, _, signature = cbor2.loads(parts["signature"]).value
            yield CoseSignature(protected, unprotected, parts["claim"], signature)


def _stores(data: bytes) -> Iterator[bytes]:
    """JUMBF stores: from JPEG's APP11 segments, elsewhere by looking for the box; enough for the corpus."""
    if data[:2] == b"\xff\xd8":
        data = _app11(data)
    place = data.find(b"jumb")
    while place >= 0:
        if data[place + 8 : place + 16] == b"jumdc2pa":
            end = place - 4 + struct.unpack(">I", data[place - 4 : place])[0]
            yield data[place + 4 : end]
            place = end
        place = data.find(b"jumb", place + 4)


def _app11(data: bytes) -> bytes:
    offset, parts = 2, []
    while data[offset + 1] != 0xDA:
        (size,) = struct.unpack(">H", data[offset + 2 : offset + 4])
        if data[offset + 1] == 0xEB and data[offset + 4 : offset + 6] == b"JP":
            body = data[offset + 12 : offset + 2 + size]
            parts.append(body if not parts else body[8:])
        offset += 2 + size
    return b"".join(parts)


def _walk(content: bytes, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bytes]]:
    boxes = list(_boxes(content))
    label = boxes[0][1][17:].split(b"\0")[0].decode() if boxes and boxes[0][0] == b"jumd" else ""
    for kind, body in boxes[1:]:
        if kind == b"jumb":
            yield from _walk(body, (*above, label))
        elif kind == b"cbor":
            yield (*above, label), body


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = 0
    while offset + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[offset : offset + 8])
        yield kind, content[offset + 8 : offset + size]
        offset += size
