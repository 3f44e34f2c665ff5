"""Forged, damaged and lying time stamp tokens: every lie one test."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import oids
from keys.errors import TimeStampError
from keys.timestamp import ABSENT, TimeState, check_token, parse_response, request
from keys.token import TimeStampResponse
from keys.trust import ListKind

MESSAGE = b"what was signed"
TSA = {"purposes": [oids.TIME_STAMPING], "purposes_critical": True, "end": timedelta(days=1000)}


def as_asn1(certificate: Any) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def forge(leaf: Any, *above: Any, **lies: Any) -> bytes:
    """A token over MESSAGE; each keyword is one lie or one variant."""
    at, digest = lies.get("at", datetime(2026, 11, 21, 11, 0, tzinfo=UTC)), lies.get("digest", "sha256")
    imprint = lies.get("imprint_digest", "sha256")
    content = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3",
            "serial_number": 7,
            "gen_time": at,
            "nonce": lies.get("nonce", 5),
            "message_imprint": {
                "hash_algorithm": {"algorithm": imprint},
                "hashed_message": hashlib.new(imprint, MESSAGE).digest(),
            },
        }
    ).dump()
    signer = as_asn1(leaf.certificate)
    named = hashlib.sha256(lies.get("names", leaf).certificate.public_bytes(Encoding.DER)).digest()
    attributes = [
        {"type": "content_type", "values": [lies.get("content_type", "tst_info")]},
        {"type": "message_digest", "values": [hashlib.new(digest, lies.get("signed_content", content)).digest()]},
        {
            "type": "signing_certificate_v2",
            "values": [{"certs": [{"hash_algorithm": {"algorithm": "sha256"}, "cert_hash": named}]}],
        },
    ]
    attributes = [item for item in attributes if item["type"] not in lies.get("without", ())]
    signed_attrs = cms.CMSAttributes([*attributes, *lies.get("more", ())])
    scheme, signature = _sign(lies.get("key", leaf.key), signed_attrs.dump(), digest, pss=lies.get("pss", False))
    signer_info = cms.SignerInfo(
        {
            "version": "v1",
            "signed_attrs": signed_attrs,
            "signature": signature,
            "signature_algorithm": scheme,
            "digest_algorithm": {"algorithm": digest},
            "sid": {"issuer_and_serial_number": {"issuer": signer.issuer, "serial_number": signer.serial_number}},
        }
    )
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [{"algorithm": digest}],
            "encap_content_info": {"content_type": lies.get("wraps", "tst_info"), "content": core.ParsableOctetString(content)},
            "certificates": [as_asn1(item.certificate) for item in lies.get("carries", (leaf, *above))],
            "signer_infos": [signer_info] * lies.get("signers", 1),
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def _sign(key: Any, data: bytes, digest: str, *, pss: bool) -> tuple[dict[str, Any], bytes]:
    algorithm = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}[digest]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"algorithm": f"{digest}_ecdsa"}, key.sign(data, ec.ECDSA(algorithm))
    if not pss:
        return {"algorithm": "rsassa_pkcs1v15"}, key.sign(data, padding.PKCS1v15(), algorithm)
    parameters = {
        "hash_algorithm": {"algorithm": digest},
        "salt_length": algorithm.digest_size,
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": digest}},
    }
    signed = key.sign(data, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
    return {"algorithm": "rsassa_pss", "parameters": parameters}, signed


class Bench:
    """A root, its list, and a right time stamp leaf."""

    def __init__(self, lab: Any) -> None:
        self.lab, self.root = lab, lab.ca("tsa root")
        self.list = lab.list(self.root, kind=ListKind.TSA)
        self.leaf = lab.issue("tsa", self.root, **TSA)
        self.token = forge(self.leaf)

    def check(self, token: bytes, message: bytes | None = MESSAGE, **changes: Any) -> Any:
        return check_token(token, message, changes.get("lists", [self.list]), at=changes.get("at", self.lab.now))


@pytest.fixture(scope="module")
def bench(lab: Any) -> Bench:
    return Bench(lab)


def test_a_true_stamp(bench: Bench) -> None:
    stamp = bench.check(forge(bench.leaf))
    assert stamp.state is TimeState.TRUSTED
    assert (stamp.at, stamp.list_name) == (datetime(2026, 11, 21, 11, 0, tzinfo=UTC), "lab tsa")
    assert (stamp.code, stamp.reason) == ("timeStamp.trusted", None)
    assert bench.check(forge(bench.leaf), message=None).state is TimeState.TRUSTED


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("kind", ["ec", "rsa", "pss"])
def test_signature_schemes_and_imprints(bench: Bench, digest: str, kind: str) -> None:
    key = RSA if kind != "ec" else ec.generate_private_key(ec.SECP384R1())
    leaf = bench.lab.issue("tsa", bench.root, key=key, **TSA)
    token = forge(leaf, digest=digest, imprint_digest=digest, pss=kind == "pss")
    assert bench.check(token).state is TimeState.TRUSTED


RSA = rsa.generate_private_key(65537, 2048)


def test_issuing_ca_comes_from_the_token(bench: Bench) -> None:
    issuer = bench.lab.ca("tsa issuer", bench.root, purposes=[oids.TIME_STAMPING])
    leaf = bench.lab.issue("tsa", issuer, **TSA)
    assert bench.check(forge(leaf, issuer)).state is TimeState.TRUSTED
    assert bench.check(forge(leaf)).state is TimeState.UNTRUSTED


def test_trusted_after_the_authority_has_expired(bench: Bench) -> None:
    """What counts is the stamped time, at which everything was valid."""
    assert bench.check(forge(bench.leaf), at=bench.lab.now + timedelta(days=9000)).state is TimeState.TRUSTED


@pytest.mark.parametrize(
    ("lies", "says"),
    [
        ({"signed_content": b"other"}, "changed after signing"),
        ({"content_type": "data"}, "content type"),
        ({"wraps": "data"}, "not a time stamp"),
        ({"without": ["message_digest"]}, "message_digest is missing"),
        ({"without": ["content_type"]}, "content_type is missing"),
        ({"without": ["signing_certificate_v2"]}, "names another certificate"),
        ({"more": [{"type": "content_type", "values": ["tst_info"]}]}, "there twice"),
        ({"signers": 2}, "exactly one signer"),
        ({"signers": 0}, "exactly one signer"),
        ({"digest": "sha1"}, "sha1 is not accepted"),
        ({"imprint_digest": "sha1"}, "sha1 is not accepted"),
        ({"imprint_digest": "md5"}, "md5 is not accepted"),
    ],
)
def test_lies_in_the_structure(bench: Bench, lies: dict[str, Any], says: str) -> None:
    stamp = bench.check(forge(bench.leaf, **lies))
    assert (stamp.state, stamp.at, stamp.tsa, stamp.list_name) == (TimeState.INVALID, None, None, None)
    assert says in stamp.reason


def test_lies_about_the_signer(bench: Bench) -> None:
    other = bench.lab.issue("tsa", bench.root, **TSA)
    for lies, says in (
        ({"key": other.key}, "signature does not hold"),
        ({"names": other}, "names another certificate"),
        ({"carries": (other,)}, "certificate of the time stamp's signer is missing"),
        ({"carries": ()}, "carries no certificate"),
        ({"carries": (bench.leaf,) * 17}, "far too many"),
    ):
        stamp = bench.check(forge(bench.leaf, **lies))
        assert stamp.state is TimeState.INVALID
        assert says in stamp.reason


def test_weak_authority_key(bench: Bench) -> None:
    weak = bench.lab.issue("tsa", bench.root, key=rsa.generate_private_key(65537, 1024), **TSA)
    assert "weak key" in bench.check(forge(weak)).reason


def test_other_content(bench: Bench) -> None:
    stamp = bench.check(forge(bench.leaf), message=b"something else")
    assert (stamp.state, stamp.code) == (TimeState.INVALID, "timeStamp.mismatch")


def test_a_stamp_from_the_future(bench: Bench) -> None:
    token = forge(bench.leaf, at=bench.lab.now + timedelta(minutes=6))
    assert bench.check(token).code == "timeStamp.outsideValidity"
    assert bench.check(token, at=bench.lab.now + timedelta(minutes=2)).state is TimeState.TRUSTED


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"purposes": [oids.CLAIM_SIGNING]}, "not made for time stamping"),
        ({"purposes": [oids.TIME_STAMPING, oids.EMAIL_PROTECTION]}, "not made for time stamping alone"),
        ({"purposes_critical": False}, "critical"),
        ({"end": timedelta(hours=-2)}, "expired"),
        ({"start": timedelta(hours=1)}, "valid only from"),
    ],
)
def test_a_leaf_that_may_not_stamp(bench: Bench, changes: dict[str, Any], says: str) -> None:
    leaf = bench.lab.issue("tsa", bench.root, **(TSA | changes))
    stamp = bench.check(forge(leaf))
    assert (stamp.state, stamp.list_name) == (TimeState.UNTRUSTED, None)
    assert says in stamp.reason


def test_only_tsa_lists_count(bench: Bench) -> None:
    token = forge(bench.leaf)
    for kind in (ListKind.SIGNER, ListKind.IDENTITY):
        stamp = bench.check(token, lists=[bench.lab.list(bench.root, kind=kind)])
        assert (stamp.state, stamp.reason) == (TimeState.UNTRUSTED, "no tsa list to check against")


def test_nothing_is_absent() -> None:
    assert check_token(b"", None, [], at=datetime.now(UTC)) is ABSENT


def test_unsigned_bits_are_all_that_may_change(bench: Bench) -> None:
    """Flip every third byte in turn: never trusted with another time, and mostly not at all."""
    token, trusted = forge(bench.leaf), 0
    for place in range(0, len(token), 3):
        changed = bytearray(token)
        changed[place] ^= 0x01
        stamp = bench.check(bytes(changed))
        if stamp.state is TimeState.TRUSTED:
            trusted += 1
            assert stamp.at == datetime(2026, 11, 21, 11, 0, tzinfo=UTC)
    assert trusted < 40  # the list of digests, version numbers and the like are not signed (RFC 5652)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400))
def test_any_bytes_get_an_answer(noise: bytes) -> None:
    assert check_token(noise, None, [], at=datetime.now(UTC)).state in (TimeState.INVALID, TimeState.ABSENT)
    with pytest.raises(TimeStampError):
        parse_response(noise)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_mutated_tokens_get_an_answer(bench: Bench, data: Any) -> None:
    token = bytearray(bench.token)
    for _ in range(data.draw(st.integers(1, 6))):
        token[data.draw(st.integers(0, len(token) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(token)))
    for candidate in (bytes(token), bytes(token[:cut]), bytes(token) + b"\0"):
        bench.check(candidate)


def test_too_large_a_token(bench: Bench) -> None:
    assert bench.check(forge(bench.leaf) + bytes(70_000)).code == "timeStamp.malformed"


# --- responses


def response(status: dict[str, Any], token: bytes | None = None) -> bytes:
    body: dict[str, Any] = {"status": status}
    if token is not None:
        body["time_stamp_token"] = cms.ContentInfo.load(token)
    return bytes(TimeStampResponse(body).dump())


def test_responses(bench: Bench) -> None:
    token = forge(bench.leaf, nonce=5)
    assert parse_response(response({"status": "granted"}, token)) == token
    assert parse_response(response({"status": "granted_with_mods"}, token), nonce=5) == token
    with pytest.raises(TimeStampError, match="another nonce"):
        parse_response(response({"status": "granted"}, token), nonce=6)
    with pytest.raises(TimeStampError, match="sent none"):
        parse_response(response({"status": "granted"}))
    with pytest.raises(TimeStampError, match="no time stamp response"):
        parse_response(token)
    refused = response({"status": "rejection", "status_string": ["no"], "fail_info": {"bad_alg"}}, token)
    with pytest.raises(TimeStampError, match=r"rejection; no \(bad_alg\)") as caught:
        parse_response(refused)
    assert caught.value.failure == "bad_alg"


def test_a_whole_response_is_taken_for_a_token(bench: Bench) -> None:
    whole = response({"status": "granted"}, forge(bench.leaf))
    assert bench.check(whole).state is TimeState.TRUSTED


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=2000), st.integers(0, 2**64 - 1))
def test_requests(message: bytes, nonce: int) -> None:
    parsed = tsp.TimeStampReq.load(request(message, nonce=nonce), strict=True)
    assert parsed["nonce"].native == nonce
    assert parsed["cert_req"].native is True
    assert parsed["message_imprint"]["hashed_message"].native == hashlib.sha256(message).digest()
