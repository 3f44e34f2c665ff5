"""The signature algorithms of C2PA 2.5 §13.2 that we write: names, COSE numbers, keys, raw signatures (RFC 9053)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from keys.errors import AlgorithmError

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
VerifyingKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

MIN_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True)
class Algorithm:
    """One row of the table. `curve` is set for ECDSA, `digest` for all but Ed25519; PSS salts are as long as the
    digest.
    """

    name: str
    cose: int
    digest: hashes.HashAlgorithm | None
    curve: ec.EllipticCurve | None = None


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        row.name: row
        for row in (
            Algorithm("es256", -7, hashes.SHA256(), ec.SECP256R1()),
            Algorithm("es384", -35, hashes.SHA384(), ec.SECP384R1()),
            Algorithm("es512", -36, hashes.SHA512(), ec.SECP521R1()),
            Algorithm("ps256", -37, hashes.SHA256()),
            Algorithm("ps384", -38, hashes.SHA384()),
            Algorithm("ps512", -39, hashes.SHA512()),
            Algorithm("ed25519", -8, None),
        )
    }
)


def weakness(key: PublicKeyTypes) -> str | None:
    """Say why a public key is outside C2PA 2.5 §13.2 (RSA ≥ 2048 bits; P-256, P-384, P-521; Ed25519), or None."""
    match key:
        case rsa.RSAPublicKey():
            return None if key.key_size >= MIN_RSA_BITS else f"RSA key of {key.key_size} bits (at least {MIN_RSA_BITS})"
        case ec.EllipticCurvePublicKey():
            return None if key.curve.name in CURVES else f"curve {key.curve.name} (P-256, P-384 or P-521)"
        case ed25519.Ed25519PublicKey():
            return None
        case _:
            return f"key type {type(key).__name__.removesuffix('PublicKey')} is not allowed"


def fits(alg: str, key: PublicKeyTypes) -> bool:
    """Whether a key may be used with an algorithm; ECDSA is tied to its curve, as C2PA ties it."""
    row = ALGORITHMS.get(alg)
    if row is None or weakness(key) is not None:
        return False
    match key:
        case ec.EllipticCurvePublicKey():
            return row.curve is not None and row.curve.name == key.curve.name
        case rsa.RSAPublicKey():
            return row.curve is None and row.digest is not None
        case _:
            return row.name == "ed25519"


def default_for(key: PublicKeyTypes) -> str:
    """The algorithm a key is used with unless told otherwise: by curve for EC, PS256 for RSA.

    Raises:
        AlgorithmError: the key is outside C2PA 2.5 §13.2.
    """
    for name in ALGORITHMS:
        if fits(name, key):
            return name
    raise AlgorithmError(type(key).__name__, weakness(key) or "no C2PA algorithm fits this key")


def narrow(key: PrivateKeyTypes) -> SigningKey:
    """Return the same key typed as one of ours.

    Raises:
        AlgorithmError: a DSA, DH, X25519 … key.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise AlgorithmError(type(key).__name__, "key type is not allowed")


def generate(alg: str, *, rsa_bits: int = 3072) -> SigningKey:
    """Make a fresh private key for an algorithm from the system's randomness.

    Raises:
        AlgorithmError: unknown algorithm, or fewer than 2048 RSA bits.
    """
    row = _row(alg)
    if row.curve is not None:
        return ec.generate_private_key(row.curve)
    if row.digest is None:
        return ed25519.Ed25519PrivateKey.generate()
    if rsa_bits < MIN_RSA_BITS:
        raise AlgorithmError(alg, f"RSA key of {rsa_bits} bits (at least {MIN_RSA_BITS})")
    return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)


def sign(key: SigningKey, alg: str, data: bytes) -> bytes:
    """Sign as COSE wants it: r‖s of fixed width for ECDSA (RFC 9053 §2.1), PSS with a digest-long salt, plain Ed25519.

    Raises:
        AlgorithmError: key and algorithm do not fit.
    """
    row = _row(alg)
    if not fits(alg, key.public_key()):
        raise AlgorithmError(alg, "does not fit this key")
    match key:
        case ec.EllipticCurvePrivateKey():
            assert row.digest is not None
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(row.digest)))
            width = (key.curve.key_size + 7) // 8
            return r.to_bytes(width) + s.to_bytes(width)
        case rsa.RSAPrivateKey():
            assert row.digest is not None
            return key.sign(data, _pss(row.digest), row.digest)
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)


def verify(key: PublicKeyTypes, alg: str, signature: bytes, data: bytes) -> bool:
    """Whether a raw COSE signature holds. Wrong length, wrong key or unknown algorithm is False, not an error."""
    row = ALGORITHMS.get(alg)
    if row is None or not fits(alg, key):
        return False
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                width = (key.curve.key_size + 7) // 8
                if len(signature) != 2 * width:
                    return False
                der = encode_dss_signature(int.from_bytes(signature[:width]), int.from_bytes(signature[width:]))
                assert row.digest is not None
                key.verify(der, data, ec.ECDSA(row.digest))
            case rsa.RSAPublicKey():
                assert row.digest is not None
                key.verify(signature, data, _pss(row.digest), row.digest)
            case ed25519.Ed25519PublicKey():
                key.verify(signature, data)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _row(alg: str) -> Algorithm:
    try:
        return ALGORITHMS[alg]
    except KeyError:
        raise AlgorithmError(alg, f"unknown; one of {', '.join(ALGORITHMS)}") from None


def _pss(digest: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
