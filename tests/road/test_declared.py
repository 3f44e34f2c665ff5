"""Who stands behind a file, what it may be used for, who consented: written, read back, and refused where it must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest

from api.wiring import House
from keys.algorithms import generate
from keys.authority import issue_leaf
from keys.certificate import to_pem
from keys.errors import SigningRefusedError
from keys.signers.file import write_key
from keys.trust import ListKind, TrustList
from provenance import declared
from provenance.capture import SignRequest, sign
from provenance.credential import Credential, Manifest
from provenance.errors import InputError
from provenance.finishing import Signed
from provenance.sdk import read
from provenance.verdict import Declared, Signature, Status, Trust, Verdict
from provenance.verify import verify

RECORD = {"subject": "A. Person", "given": "2026-11-01", "uses": ["synthetic voice"], "evidence": "contract 7"}


def record(**changes: Any) -> declared.Consent:
    text = json.dumps({name: value for name, value in (RECORD | changes).items() if value is not None}).encode()
    return declared.consent(text, "consent.json", salt=b"s" * 16)


@pytest.fixture(scope="module")
def desk_key(house: House) -> str:
    """An organisation's key, of another CA than any signer list has."""
    from cryptography import x509

    from keys.authority import new_issuer, new_root

    now = datetime.now(UTC)
    root = new_root(now, role="newsroom root")
    issuer, key = new_issuer(root, now), generate("es256")
    names = {x509.NameOID.COUNTRY_NAME: "ZZ", x509.NameOID.ORGANIZATION_NAME: "The Desk", x509.NameOID.COMMON_NAME: "desk"}
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in names.items()])
    leaf = issue_leaf(issuer, key.public_key(), name, now)
    write_key(house.keystore.folder / "desk.pem", key, (leaf, issuer.certificate))
    (house.keystore.folder / "desk-root.crt").write_text(to_pem((root.certificate,)))
    return "desk"


@pytest.fixture(scope="module")
def whole(house: House, desk_key: str, photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """A photo with everything declared."""
    request = SignRequest(
        photo, tmp_path_factory.mktemp("declared") / "a.jpg", mark="none", training="notAllowed", consent=record(),
        source_type="compositeSynthetic",
    )  # fmt: skip
    return sign(request, house.studio(identity=desk_key), at=datetime.now(UTC))


def _verdict(house: House, path: Path, *more: TrustList) -> Verdict:
    return verify(path, replace(house.desk, lists=(*house.desk.lists, *more)), at=datetime.now(UTC)).verdict


def _identity_list(house: House, kind: ListKind = ListKind.IDENTITY) -> TrustList:
    pem = (house.keystore.folder / "desk-root.crt").read_bytes()
    return TrustList.from_pem(pem, kind=kind, name="Desks", uri="urn:d", date=date(2026, 1, 1), source="test")


def _manifest(path: Path) -> Manifest:
    with path.open("rb") as stream:
        found = read(stream, "image/jpeg")
    assert isinstance(found, Credential)
    return found.manifest


def test_an_identity_is_shown_and_trusted_by_identity_lists_alone(house: House, whole: Signed) -> None:
    plain = _verdict(house, whole.path)
    assert plain.status is Status.TRUSTED
    (identity,) = plain.declared.identities
    assert (identity.name, identity.kind, identity.signature) == ("The Desk", "cawg.x509.cose", Signature.VERIFIED)
    assert (identity.trust, identity.trust_list) == (Trust.UNTRUSTED, None)
    for kind in (ListKind.SIGNER, ListKind.TSA):
        pooled = _verdict(house, whole.path, _identity_list(house, kind))
        assert pooled.declared.identities[0].trust is Trust.UNTRUSTED
    listed = _verdict(house, whole.path, _identity_list(house))
    assert (listed.declared.identities[0].trust, listed.declared.identities[0].trust_list) == (Trust.TRUSTED, "Desks")
    assert listed.credential.trust_list != "Desks"  # it vouches for the identity, not for the signer


def test_an_identity_list_vouches_for_no_signer(house: House, desk_key: str, photo: Path, tmp_path: Path) -> None:
    done = sign(SignRequest(photo, tmp_path / "a.jpg", mark="none", register=False), house.studio(desk_key), at=datetime.now(UTC))
    assert _verdict(house, done.path, _identity_list(house)).credential.trust is Trust.UNTRUSTED


def test_preference_and_consent_are_read_back(house: House, whole: Signed) -> None:
    found = _verdict(house, whole.path).declared
    assert found.training == dict.fromkeys(declared.USES, "notAllowed")
    assert [(c.record, c.given, c.uses) for c in found.consents] == [(record().digest, "2026-11-01", ("synthetic voice",))]


def test_who_consented_is_in_the_trail_and_not_in_the_file(house: House, whole: Signed) -> None:
    assert b"Person" not in whole.path.read_bytes()
    assert house.registry is not None
    kinds = {entry.kind: entry for entry in house.registry.trail(whole.asset_id)}
    payload = kinds["consent"].payload
    assert payload is not None
    assert payload["record"] == RECORD
    assert payload["digest"] == record().digest
    assert b"Person" not in kinds["consent"].body


def test_nothing_declared(house: House, signed: Signed) -> None:
    assert _verdict(house, signed.path).declared == Declared()


@pytest.mark.parametrize("word", declared.PREFERENCES)
def test_every_preference_has_a_well_formed_assertion(word: str) -> None:
    entries = declared.training(word)["data"]["entries"]
    assert set(entries) == set(declared.USES)
    assert all(entry == {"use": word} for entry in entries.values())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"subject": None}, "names nobody"),
        ({"subject": " "}, "names nobody"),
        ({"given": None}, "when"),
        ({"given": "yesterday"}, "when"),
        ({"uses": None}, "what for"),
        ({"uses": []}, "what for"),
        ({"uses": "all"}, "what for"),
        ({"uses": ["a\nb"]}, "what for"),
        ({"uses": ["x"] * 21}, "what for"),
    ],
)
def test_records_that_are_none(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        record(**changes)


@pytest.mark.parametrize("text", [b"", b"[]", b"no json", b'{"a": NaN}', b"[" * 100_000, b" " * 70_000])
def test_bytes_that_are_no_record(text: bytes) -> None:
    with pytest.raises(InputError, match=r"consent\.json"):
        declared.consent(text, "consent.json", salt=b"s" * 16)


def test_the_same_record_has_another_digest_under_another_salt() -> None:
    text = json.dumps(RECORD).encode()
    assert declared.consent(text, "a", salt=b"1" * 16).digest != declared.consent(text, "a", salt=b"2" * 16).digest


# --- policy


def test_consent_that_the_policy_asks_for(house: House, photo: Path, tmp_path: Path) -> None:
    rules = house.keystore.folder / "policy.toml"
    rules.write_text('[default]\nconsent_for = ["trainedAlgorithmicMedia"]\nmedia_types = ["image/jpeg"]\n')
    try:
        request = SignRequest(photo, tmp_path / "a.jpg", mark="none", source_type="trainedAlgorithmicMedia", register=False)
        with pytest.raises(SigningRefusedError) as caught:
            sign(request, house.studio(), at=datetime.now(UTC))
        assert caught.value.code == "consent"
        assert list(tmp_path.iterdir()) == []
        done = sign(replace(request, consent=record()), house.studio(), at=datetime.now(UTC))
        assert done.verdict.declared.consents
        png = photo.parent / "astronaut.png"
        with pytest.raises(SigningRefusedError, match="image/png"):
            sign(SignRequest(png, tmp_path / "b.png", mark="none", register=False), house.studio(), at=datetime.now(UTC))
    finally:
        rules.unlink()


def test_a_second_key_that_may_not_sign_identities(house: House, desk_key: str, photo: Path, tmp_path: Path) -> None:
    rules = house.keystore.folder / "policy.toml"
    rules.write_text('[keys.desk]\ngenerators = ["Other"]\n')
    try:
        request = SignRequest(photo, tmp_path / "a.jpg", mark="none", register=False)
        with pytest.raises(SigningRefusedError, match=r"cawg\.identity"):
            sign(request, house.studio(identity=desk_key), at=datetime.now(UTC))
        assert list(tmp_path.iterdir()) == []
        rules.write_text('[keys.desk]\ngenerators = ["cawg.identity"]\n')
        assert sign(request, house.studio(identity=desk_key), at=datetime.now(UTC)).verdict.declared.identities
    finally:
        rules.unlink()


# --- what others may have written


def _with(manifest: Manifest, assertions: Mapping[str, bytes]) -> Manifest:
    assert manifest.sealed is not None
    return replace(manifest, sealed=replace(manifest.sealed, assertions=assertions))


NOISE = [
    b"",
    b"\xff",
    b"\xf6",
    cbor2.dumps([]),
    cbor2.dumps({}),
    cbor2.dumps({"signer_payload": 3, "signature": 4}),
    b"\x9f" * 3000,
]


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("label", [declared.IDENTITY, declared.TRAINING, declared.CONSENT, "cawg.identity__1"])
def test_malformed_declarations_say_nothing(whole: Signed, label: str, noise: bytes) -> None:
    found = declared.read(_with(_manifest(whole.path), {label: noise}), lists=(), at=datetime.now(UTC))
    assert found == Declared()


def test_an_identity_of_another_kind_is_named_and_not_judged(whole: Signed) -> None:
    payload = {"sig_type": "cawg.identity_claims_aggregation", "referenced_assertions": []}
    other = cbor2.dumps({"signer_payload": payload, "signature": b"x"})
    found = declared.read(_with(_manifest(whole.path), {declared.IDENTITY: other}), lists=(), at=datetime.now(UTC))
    assert found.identities[0].signature is None
    assert found.identities[0].trust is Trust.UNTRUSTED


def test_the_stricter_of_two_preferences_counts(whole: Signed) -> None:
    use = {"cawg.ai_training": {"use": "allowed"}, "x": {"use": "maybe"}, "y": 3}
    mixed = {
        declared.TRAINING: cbor2.dumps({"entries": {"cawg.ai_training": {"use": "notAllowed"}}}),
        f"{declared.TRAINING}__1": cbor2.dumps({"entries": use}),
    }
    found = declared.read(_with(_manifest(whole.path), mixed), lists=(), at=datetime.now(UTC))
    assert found.training == {"cawg.ai_training": "notAllowed"}


def test_a_changed_identity_does_not_hold(house: House, whole: Signed, tmp_path: Path) -> None:
    """The identity's signature is broken in the file itself; the claim's digest of it tells."""
    data = bytearray(whole.path.read_bytes())
    place = data.index(b"cawg.x509.cose") - 40
    data[place] ^= 1
    (tmp_path / "broken.jpg").write_bytes(data)
    (found,) = declared.read(_manifest(tmp_path / "broken.jpg"), lists=[_identity_list(house)], at=datetime.now(UTC)).identities
    assert (found.signature, found.trust) == (Signature.FAILED, Trust.UNTRUSTED)
