"""The book and the OCSP responder: what it says of whom, as openssl reads it too."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.book import Book
from keys.certificate import fingerprint, to_pem
from keys.frames import Frame
from keys.keystore import Keystore, init_development
from keys.service import Keyring, answer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, lab: Any) -> Keystore:
    return init_development(tmp_path_factory.mktemp("home") / "keys", now=lab.now)


def ask(store: Keystore, certificate: x509.Certificate, issuer: x509.Certificate, at: Any, **options: Any) -> ocsp.OCSPResponse:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, options.get("digest", hashes.SHA1()))
    if "nonce" in options:
        builder = builder.add_extension(x509.OCSPNonce(options["nonce"]), critical=False)
    request = builder.build().public_bytes(Encoding.DER)
    return ocsp.load_der_ocsp_response(store.responder().respond(request, Book(store.folder).read(), at=at))


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA256()])
def test_good_and_unknown(store: Keystore, lab: Any, digest: hashes.HashAlgorithm) -> None:
    leaf, issuer = store.chain("development")
    found = ask(store, leaf, issuer, lab.now, digest=digest, nonce=b"n" * 16)
    assert found.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert found.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 16
    assert found.next_update_utc is not None
    assert found.next_update_utc - found.this_update_utc <= timedelta(days=1)
    responder = found.certificates[0]
    responder.verify_directly_issued_by(issuer)
    assert [o.dotted_string for o in responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == [
        "1.3.6.1.5.5.7.3.9"
    ]
    assert responder.extensions.get_extension_for_class(x509.OCSPNoCheck)
    other = store.issuer()
    from keys.authority import new_signer

    assert ask(store, new_signer(other, lab.now).certificate, issuer, lab.now).certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def test_other_peoples_certificates(store: Keystore, lab: Any, chain: Any) -> None:
    found = ask(store, chain.leaf.certificate, chain.issuer.certificate, lab.now)
    assert found.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_bytes_get_an_answer(store: Keystore, lab: Any, request_bytes: bytes) -> None:
    reply = store.responder().respond(request_bytes, Book(store.folder).read(), at=lab.now)
    assert ocsp.load_der_ocsp_response(reply).response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL


def test_too_long_is_malformed(store: Keystore, lab: Any) -> None:
    reply = store.responder().respond(b"\x30" * 5000, Book(store.folder).read(), at=lab.now)
    assert ocsp.load_der_ocsp_response(reply).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_revoked_and_renewed(tmp_path: Path, lab: Any) -> None:
    """A revoked development key is replaced at the next start; the first instant of a revocation stays."""
    store = init_development(tmp_path / "keys", now=lab.now)
    leaf, issuer = store.chain("development")
    book, mark = Book(store.folder), fingerprint(leaf)
    for reason, days in (("superseded", 3), ("superseded", 3), ("keyCompromise", 1), ("keyCompromise", 5)):
        book.revoke(mark, reason=reason, at=lab.now - timedelta(days=5 - days))
    found = ask(store, leaf, issuer, lab.now)
    assert found.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert found.revocation_reason is x509.ReasonFlags.key_compromise
    assert found.revocation_time_utc == (lab.now - timedelta(days=4)).replace(microsecond=0)
    assert len(book.path.read_text().splitlines()) == 3  # issued, and two that said something new
    init_development(store.folder, now=lab.now)
    assert store.chain("development")[0] != leaf
    assert ask(store, store.chain("development")[0], issuer, lab.now).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_a_torn_line_costs_itself_alone(tmp_path: Path, lab: Any) -> None:
    book = Book(tmp_path)
    book.revoke("a" * 64, reason="superseded", at=lab.now)
    with book.path.open("ab") as file:
        file.write(b'{"revoked": "bbbb')  # kill -9 here
    book.revoke("c" * 64, reason="superseded", at=lab.now)
    book.path.write_bytes(book.path.read_bytes() + b'[1]\n{"issued": 1}\n{"other": 1}\n\xff\n')
    assert set(book.read().revoked) == {"a" * 64, "c" * 64}
    assert book.read().issued == {}


def test_openssl_agrees(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    store = init_development(tmp_path / "keys", now=datetime.now(UTC))
    leaf, issuer = store.chain("development")
    root = store.development_lists()[0].anchors[0]
    (tmp_path / "leaf.pem").write_text(to_pem((leaf,)))
    (tmp_path / "issuer.pem").write_text(to_pem((issuer,)))
    (tmp_path / "root.pem").write_text(to_pem((root,)))

    def openssl(*arguments: str) -> str:
        done = subprocess.run(["openssl", "ocsp", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    openssl("-issuer", "issuer.pem", "-cert", "leaf.pem", "-no_nonce", "-reqout", "request.der")
    keys = Keyring(store.folder)
    reply = answer(Frame({"op": "ocsp"}, (tmp_path / "request.der").read_bytes()), keys)
    assert reply.header == {"ok": True}
    (tmp_path / "reply.der").write_bytes(reply.body)
    read = ("-respin", "reply.der", "-issuer", "issuer.pem", "-cert", "leaf.pem", "-CAfile", "root.pem", "-no_nonce")
    said = openssl(*read)
    assert "Response verify OK" in said, said
    assert "leaf.pem: good" in said
    Book(store.folder).revoke(fingerprint(leaf), reason="keyCompromise", at=datetime.now(UTC))
    (tmp_path / "reply.der").write_bytes(answer(Frame({"op": "ocsp"}, (tmp_path / "request.der").read_bytes()), keys).body)
    said = openssl(*read)
    assert "leaf.pem: revoked" in said
    assert "keyCompromise" in said
