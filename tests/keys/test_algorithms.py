"""Raw COSE signatures: widths, wrong keys, wrong algorithms."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import errors
from keys.algorithms import ALGORITHMS, default_for, fits, generate, narrow, sign, verify, weakness
from keys.errors import AlgorithmError, KeysError

WIDTHS = {"es256": 64, "es384": 96, "es512": 132, "ps256": 256, "ps384": 256, "ps512": 256, "ed25519": 64}
KEYS = {name: generate(name, rsa_bits=2048) for name in ALGORITHMS}


@pytest.mark.parametrize("alg", WIDTHS)
def test_signatures_have_their_width_and_hold(alg: str) -> None:
    key = KEYS[alg]
    signature = sign(key, alg, b"data")
    assert len(signature) == WIDTHS[alg]
    assert verify(key.public_key(), alg, signature, b"data")
    assert not verify(key.public_key(), alg, signature, b"Data")
    for wrong in (b"", signature[:-1], signature + b"\0", bytes(len(signature)), b"\xff" * len(signature)):
        assert not verify(key.public_key(), alg, wrong, b"data")


@pytest.mark.parametrize("alg", WIDTHS)
def test_no_key_signs_for_another_algorithm(alg: str) -> None:
    for other in WIDTHS:
        if alg[:2] == other[:2] == "ps":
            continue  # one RSA key may serve any of the three
        if other == alg:
            assert fits(alg, KEYS[alg].public_key())
            continue
        assert not fits(other, KEYS[alg].public_key())
        assert not verify(KEYS[alg].public_key(), other, sign(KEYS[alg], alg, b"x"), b"x")
        with pytest.raises(AlgorithmError):
            sign(KEYS[alg], other, b"x")


def test_an_rsa_signature_is_tied_to_its_digest() -> None:
    signature = sign(KEYS["ps256"], "ps256", b"x")
    assert not verify(KEYS["ps256"].public_key(), "ps384", signature, b"x")


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=100), st.binary(max_size=140))
def test_any_bytes_verify_to_false(data: bytes, noise: bytes) -> None:
    assert verify(KEYS["es256"].public_key(), "es256", sign(KEYS["es256"], "es256", data), data)
    assert not any(verify(KEYS[alg].public_key(), alg, noise, data) for alg in ALGORITHMS)


def test_keys_outside_the_standard() -> None:
    strange = [
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP256K1()),
        x25519.X25519PrivateKey.generate(),
    ]
    for key in strange:
        assert weakness(key.public_key())
        assert not any(fits(alg, key.public_key()) for alg in ALGORITHMS)
        with pytest.raises(AlgorithmError):
            default_for(key.public_key())
    with pytest.raises(AlgorithmError):
        narrow(x25519.X25519PrivateKey.generate())
    with pytest.raises(AlgorithmError):
        narrow(dsa.generate_private_key(1024))
    for alg, bits in (("es257", 2048), ("", 2048), ("ps256", 1024)):
        with pytest.raises(AlgorithmError):
            generate(alg, rsa_bits=bits)


def test_defaults() -> None:
    assert [default_for(KEYS[alg].public_key()) for alg in ("es256", "es384", "es512", "ps512", "ed25519")] == [
        "es256",
        "es384",
        "es512",
        "ps256",
        "ed25519",
    ]


def test_errors_travel_between_processes() -> None:
    made = [
        errors.KeyFileError("a.pem", "why"),
        errors.UnknownSignerError("x:y", "why"),
        errors.TrustListError("l", "why"),
        errors.SignerUnavailableError("sock", "why"),
        errors.SigningRefusedError("code", "why"),
        errors.AlgorithmError("es1", "why"),
        errors.ProfileError("rule", "why"),
        errors.TimeStampError("why", "bad_alg"),
    ]
    for error in made:
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
        assert isinstance(error, KeysError)
        assert "why" in str(error)
    kinds = {item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, KeysError)}
    assert kinds - {KeysError} == {type(item) for item in made}
