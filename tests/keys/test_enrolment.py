"""Enrolment: tokens are good once, for one key; renewals need the old key; openssl alone can make both requests."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.book import Book
from keys.certificate import fingerprint, to_pem
from keys.enrolment import Enrolment, as_pkcs7, digest_of, new_token
from keys.errors import SigningRefusedError
from keys.keystore import Keystore, init_development
from keys.profile import check
from keys.trust import ListKind, build_path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, lab: Any) -> Keystore:
    return init_development(tmp_path_factory.mktemp("home") / "keys", now=lab.now)


@pytest.fixture
def counter(store: Keystore) -> Enrolment:
    return Enrolment(store.issuer(), Book(store.folder), ocsp_url="http://ocsp.example/api/v1/keys/ocsp")


def request(key: Any = None, name: str = "whatever it wants") -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def wrapped(csr: bytes, certificate: x509.Certificate, key: Any, *options: pkcs7.PKCS7Options) -> bytes:
    builder = pkcs7.PKCS7SignatureBuilder().set_data(csr).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])


def test_a_device_gets_its_certificate(counter: Enrolment, store: Keystore, lab: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = counter.enrol(request(key), new_token(counter.book, "Camera 3", at=lab.now), at=lab.now)
    assert leaf.public_key() == key.public_key()
    assert "Camera 3" in leaf.subject.rfc4514_string()
    assert "whatever" not in leaf.subject.rfc4514_string()
    assert leaf.not_valid_after_utc - lab.now <= timedelta(days=90)
    findings = [f for f in check((leaf, counter.issuer.certificate), at=lab.now) if f.severity == "error"]
    assert findings == []
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [a.access_location.value for a in access] == ["http://ocsp.example/api/v1/keys/ocsp"]
    lists = store.development_lists()
    assert build_path(leaf, [counter.issuer.certificate], lists, kind=ListKind.SIGNER, at=lab.now).trusted
    assert fingerprint(leaf) in counter.book.read().issued


def test_a_token_is_good_once(counter: Enrolment, lab: Any) -> None:
    token, csr = new_token(counter.book, "one", at=lab.now), request()
    first = counter.enrol(csr, token, at=lab.now)
    assert counter.enrol(csr, token, at=lab.now + timedelta(days=20)) == first  # its answer was lost on the way
    with pytest.raises(SigningRefusedError, match="spent on another key"):
        counter.enrol(request(), token, at=lab.now)


def test_what_is_kept_of_a_token(counter: Enrolment, lab: Any) -> None:
    token = new_token(counter.book, "secret", at=lab.now)
    assert token not in counter.book.path.read_text()
    assert digest_of(token) in counter.book.read().tokens


def test_tokens_that_are_none(counter: Enrolment, lab: Any) -> None:
    expired = new_token(counter.book, "late", at=lab.now - timedelta(days=8))
    for token in ("", "x", "é" * 50, expired, digest_of(expired)):
        with pytest.raises(SigningRefusedError, match="unknown or expired"):
            counter.enrol(request(), token, at=lab.now)


def test_requests_that_are_none(counter: Enrolment, lab: Any) -> None:
    token = new_token(counter.book, "bad", at=lab.now)
    forged = bytearray(request())
    forged[-1] ^= 1
    weak = request(rsa.generate_private_key(65537, 1024))
    foreign = request(ec.generate_private_key(ec.SECP256K1()))
    for csr in (b"", b"\x30\x00", bytes(forged), weak, foreign):
        with pytest.raises(SigningRefusedError) as caught:
            counter.enrol(csr, token, at=lab.now)
        assert caught.value.code == "request"
    assert counter.enrol(request(), token, at=lab.now)  # none of them spent it


def test_renewal(counter: Enrolment, lab: Any) -> None:
    key, new = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    old = counter.enrol(request(key), new_token(counter.book, "Camera 4", at=lab.now), at=lab.now)
    later = lab.now + timedelta(days=25)
    leaf = counter.renew(wrapped(request(new), old, key), at=later)
    assert leaf.subject == old.subject
    assert leaf.public_key() == new.public_key()
    assert leaf.not_valid_after_utc > old.not_valid_after_utc
    with pytest.raises(SigningRefusedError, match="expired"):
        counter.renew(wrapped(request(new), old, key), at=lab.now + timedelta(days=40))
    counter.book.revoke(fingerprint(old), reason="keyCompromise", at=lab.now)
    with pytest.raises(SigningRefusedError, match="revoked"):
        counter.renew(wrapped(request(new), old, key), at=later)


def test_renewals_that_prove_nothing(counter: Enrolment, lab: Any, chain: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    old = counter.enrol(request(key), new_token(counter.book, "Camera 5", at=lab.now), at=lab.now)
    good = wrapped(request(), old, key)
    with pytest.raises(SigningRefusedError, match="none of ours"):
        counter.renew(wrapped(request(), chain.leaf.certificate, chain.leaf.key), at=lab.now)
    for place in range(40, len(good), 23):
        bad = bytearray(good)
        bad[place] ^= 1
        try:
            renewed = counter.renew(bytes(bad), at=lab.now)
        except SigningRefusedError:
            continue
        assert renewed.subject == old.subject  # a byte that nobody signed, like a version or a set's order
    with pytest.raises(SigningRefusedError):
        counter.renew(wrapped(request(), old, key, pkcs7.PKCS7Options.DetachedSignature), at=lab.now)
    with pytest.raises(SigningRefusedError):
        counter.renew(wrapped(request(), old, key, pkcs7.PKCS7Options.NoAttributes), at=lab.now)


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_refused(store: Keystore, lab: Any, data: bytes) -> None:
    counter = Enrolment(store.issuer(), Book(store.folder))
    with pytest.raises(SigningRefusedError):
        counter.renew(data, at=lab.now)


def test_openssl_alone(counter: Enrolment, lab: Any, tmp_path: Path) -> None:
    def openssl(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, check=True).stdout

    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "old.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    openssl("req", "-new", "-key", "old.key", "-subj", "/CN=x", "-outform", "DER", "-out", "request.der")
    token = new_token(counter.book, "openssl", at=lab.now)
    old = counter.enrol((tmp_path / "request.der").read_bytes(), token, at=lab.now)
    (tmp_path / "reply.p7").write_bytes(as_pkcs7((old,)))
    assert openssl("pkcs7", "-inform", "DER", "-in", "reply.p7", "-print_certs").count(b"BEGIN CERTIFICATE") == 1
    (tmp_path / "old.pem").write_text(to_pem((old,)))
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "new.key",
            "-subj", "/CN=x", "-outform", "DER", "-out", "new.der")  # fmt: skip
    openssl("cms", "-sign", "-binary", "-nodetach", "-md", "sha256", "-in", "new.der", "-signer", "old.pem", "-inkey", "old.key",
            "-outform", "DER", "-out", "renewal.der")  # fmt: skip
    assert counter.renew((tmp_path / "renewal.der").read_bytes(), at=lab.now).subject == old.subject
