"""A key for an outside CA, from request to answer to successor; and the answers that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keys import applying, oids
from keys.algorithms import verify
from keys.authority import Issued, issue_leaf, new_issuer, new_root
from keys.certificate import to_pem
from keys.errors import AlgorithmError, KeyFileError, ProfileError, UnknownSignerError
from keys.files import private_folder
from keys.keystore import init_development, rotate_development
from keys.signer import load

NOW = datetime.now(UTC)
WHO = applying.name_of(common="Camera 3", organization="The Studio", country="de")


@pytest.fixture(scope="module")
def ca() -> tuple[Issued, Issued]:
    root = new_root(NOW, role="outside root")
    return root, new_issuer(root, NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "keys")


def answered(ca: tuple[Issued, Issued], csr: Path, **changes: Any) -> x509.Certificate:
    asked = x509.load_pem_x509_csr(csr.read_bytes())
    assert asked.is_signature_valid
    return issue_leaf(
        ca[1], asked.public_key(), asked.subject, changes.pop("now", NOW), ocsp_url="http://ocsp.example/", **changes
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("alg", ["es256", "es384", "ps256", "ed25519"])
def test_from_request_to_signature(folder: Path, ca: tuple[Issued, Issued], alg: str) -> None:
    csr = applying.request(folder, "studio", WHO, alg=alg, now=NOW)
    assert b"PRIVATE" not in csr.read_bytes()
    assert applying.request(folder, "studio", WHO, alg=alg, now=NOW) == csr  # asked again: the same request
    chain = (answered(ca, csr), ca[1].certificate, ca[0].certificate)
    done = applying.take(folder, "studio", to_pem(chain[::-1]).encode(), at=NOW)  # in any order, with the root
    assert done.chain == chain[:2]
    assert done.replaced is None
    signer = load("studio", folder=folder)
    assert signer.alg == alg
    assert verify(chain[0].public_key(), alg, signer.sign(b"x"), b"x")  # type: ignore[arg-type]
    assert list((folder / "requests").iterdir()) == []


def test_a_lone_certificate_in_der(folder: Path, ca: tuple[Issued, Issued]) -> None:
    leaf = answered(ca, applying.request(folder, "studio", WHO, now=NOW))
    assert applying.take(folder, "studio", leaf.public_bytes(Encoding.DER), at=NOW).chain == (leaf,)


def test_a_successor(folder: Path, ca: tuple[Issued, Issued]) -> None:
    first = answered(ca, applying.request(folder, "studio", WHO, now=NOW))
    applying.take(folder, "studio", to_pem((first,)).encode(), at=NOW)
    csr = applying.again(folder, "studio", now=NOW)
    assert x509.load_pem_x509_csr(csr.read_bytes()).subject == WHO
    assert load("studio", folder=folder).chain == (first,)  # goes on signing until the answer is there
    second = answered(ca, csr)
    done = applying.take(folder, "studio", to_pem((second,)).encode(), at=NOW)
    assert done.replaced is not None
    assert load("studio", folder=folder).chain == (second,)
    (kept,) = (folder / "retired").iterdir()
    assert b"PRIVATE" not in kept.read_bytes()


def test_the_development_keys_successor(tmp_path: Path) -> None:
    first = init_development(tmp_path / "keys", now=NOW).chain("development")[0]
    second = rotate_development(tmp_path / "keys", now=NOW).chain("development")[0]
    assert second.public_key() != first.public_key()
    assert second.issuer == first.issuer


def test_answers_that_are_none(folder: Path, ca: tuple[Issued, Issued], lab: Any) -> None:
    csr = applying.request(folder, "studio", WHO, now=NOW)
    other = lab.issue("somebody", ca[1])
    for answer, says in (
        (b"", "no certificate"),
        (b"hello", "no certificate"),
        (b"\x30\x00", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (to_pem((other.certificate,)).encode(), "another key"),
        (csr.read_bytes(), "no certificate"),
        (bytes(300_000), "too large"),
    ):
        with pytest.raises(KeyFileError, match=says):
            applying.take(folder, "studio", answer, at=NOW)
    assert not (folder / "studio.pem").exists()
    assert csr.exists()


def test_an_answer_that_the_profile_forbids(folder: Path, ca: tuple[Issued, Issued], lab: Any) -> None:
    csr = applying.request(folder, "studio", WHO, now=NOW)
    expired = answered(ca, csr, now=NOW - timedelta(days=100))
    with pytest.raises(ProfileError, match="expired"):
        applying.take(folder, "studio", to_pem((expired,)).encode(), at=NOW)
    key = applying.load_file(folder / "requests" / "studio.pem").key
    wrong = lab.issue("server", ca[1], key=key, purposes=(oids.TIME_STAMPING,))
    with pytest.raises(ProfileError) as caught:
        applying.take(folder, "studio", to_pem((wrong.certificate,)).encode(), at=NOW)
    assert caught.value.rule
    assert not (folder / "studio.pem").exists()


@pytest.mark.parametrize("name", ["", "../x", "development", "A B", "x" * 80])
def test_names_that_no_key_can_have(folder: Path, name: str) -> None:
    with pytest.raises(UnknownSignerError):
        applying.request(folder, name, WHO, now=NOW)


@pytest.mark.parametrize(
    ("common", "organization", "country"),
    [("", "o", "DE"), ("c", "", "DE"), ("c", "o", "D"), ("c", "o", "12"), ("c" * 65, "o", "DE")],
)
def test_subjects_that_the_profile_forbids(common: str, organization: str, country: str) -> None:
    with pytest.raises(ProfileError):
        applying.name_of(common=common, organization=organization, country=country)


def test_what_was_never_asked_for(folder: Path) -> None:
    with pytest.raises(UnknownSignerError, match="no request"):
        applying.take(folder, "studio", b"", at=NOW)
    with pytest.raises(UnknownSignerError, match="no such key"):
        applying.again(folder, "studio", now=NOW)
    with pytest.raises(AlgorithmError):
        applying.request(folder, "studio", WHO, alg="rs256", now=NOW)
    applying.request(folder, "studio", WHO, now=NOW)
    with pytest.raises(KeyFileError, match="another request"):
        applying.request(folder, "studio", applying.name_of(common="x", organization="y", country="FR"), now=NOW)
