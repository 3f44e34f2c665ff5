"""The inside of a time stamp token: a CMS SignedData around a TSTInfo (RFC 3161 §2.4.2, RFC 5652 §5), read once into
plain values.

`asn1crypto` parses lazily and complains in many ways; all of them end here as `MalformedTokenError`. What is hashed
and verified are the bytes that arrived, never a re-encoding; the one exception is the tag of the signed attributes,
which RFC 5652 §5.4 itself exchanges.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from keys.certificate import load_der, weak
from keys.errors import TimeStampError

MAX_TOKEN = 65_536  # bytes; real ones have 2–6 thousand
MAX_CERTIFICATES = 16
IMPRINT_DIGESTS = ("sha256", "sha384", "sha512")
MALFORMED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    NotImplementedError,
)

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class TimeStampResponse(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """TimeStampResp with its token optional, as RFC 3161 §2.4.2 has it; a refusal carries none. asn1crypto's own
    insists.
    """

    _fields: ClassVar[list[Any]] = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


class MalformedTokenError(ValueError):
    """These bytes are no time stamp token. Inside the package only: callers get a value or a `TimeStampError`."""


@dataclass(frozen=True)
class Token:
    """A parsed token; nothing in it is verified before `fault()` returned None.

    `attributes` is the DER SET OF that was signed; `named` the (digest name, digest) pairs by which the token names
    its signer's certificate; `salt` the PSS salt length in bytes, None for PKCS#1 v1.5 and ECDSA.
    """

    content: bytes
    at: datetime
    serial: int
    nonce: int | None
    imprint_digest: str
    imprint: bytes
    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]
    attributes: bytes
    message_digest: bytes
    named: tuple[tuple[str, bytes], ...]
    digest: str
    scheme: str
    signature_digest: str
    salt: int | None
    signature: bytes

    def fault(self) -> str | None:
        """Say why the signature does not bind this content to this signer, or None."""
        if hashlib.new(self.digest, self.content).digest() != self.message_digest:
            return "the time stamp's content was changed after signing"
        der = self.signer.public_bytes(Encoding.DER)
        if not self.named or any(hashlib.new(name, der).digest() != value for name, value in self.named):
            return "the time stamp names another certificate than the one it carries"
        too_weak = weak(self.signer, signature=False)
        if too_weak:
            return f"the time stamp was signed with a weak key: {too_weak}"
        return None if self._verified() else "the time stamp's signature does not hold"

    def _verified(self) -> bool:
        digest, key = _HASHES[self.signature_digest], self.signer.public_key()
        try:
            if self.scheme == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(self.signature, self.attributes, ec.ECDSA(digest))
            elif self.scheme == "rsassa_pkcs1v15" and isinstance(key, rsa.RSAPublicKey):
                key.verify(self.signature, self.attributes, padding.PKCS1v15(), digest)
            elif self.scheme == "rsassa_pss" and isinstance(key, rsa.RSAPublicKey) and self.salt is not None:
                pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=self.salt)
                key.verify(self.signature, self.attributes, pss, digest)
            else:
                return False
        except (InvalidSignature, ValueError):
            return False
        return True


def response_token(der: bytes) -> bytes:
    """The token of a TimeStampResp whose status is granted (with or without modifications).

    Raises:
        TimeStampError: not a response, or a refusal.
    """
    try:
        answer = TimeStampResponse.load(_limited(der), strict=True)
        status = answer["status"]
        state, failures, words = status["status"].native, status["fail_info"].native, status["status_string"].native
        token = answer["time_stamp_token"]
        body = None if isinstance(token, core.Void) else bytes(token.dump())
    except MALFORMED as error:
        raise TimeStampError("the answer is no time stamp response") from error
    if state not in ("granted", "granted_with_mods"):
        said = "; ".join((state, *(str(item) for item in words or ())))
        raise TimeStampError(f"the authority refused: {said}", ", ".join(sorted(failures or ())) or None)
    if body is None:
        raise TimeStampError("the authority granted a time stamp but sent none")
    return body


def parse(der: bytes) -> Token:
    """Read a DER ContentInfo with a time stamp in it.

    Raises:
        MalformedTokenError: anything else, also a token without its signer's certificate or with more than one signer.
    """
    try:
        return _parse(_limited(der))
    except MalformedTokenError:
        raise
    except MALFORMED as error:
        raise MalformedTokenError("the time stamp is malformed") from error


def _parse(der: bytes) -> Token:
    info = cms.ContentInfo.load(der, strict=True)
    _expect(info["content_type"].native == "signed_data", "the time stamp is not signed data")
    signed = info["content"]
    wrapped = signed["encap_content_info"]
    _expect(wrapped["content_type"].native == "tst_info", "the signed data is not a time stamp")
    _expect(len(signed["signer_infos"]) == 1, "the time stamp has not exactly one signer")
    content = bytes(wrapped["content"])
    stamped, signer_info = tsp.TSTInfo.load(content, strict=True), signed["signer_infos"][0]
    _expect(stamped["version"].native == "v1", "unknown time stamp version")
    signer, others = _certificates(signed, signer_info["sid"])
    attributes = _attributes(signer_info)
    _expect(_single(attributes, "content_type").native == "tst_info", "the signed content type is not a time stamp")
    digest = _digest(signer_info["digest_algorithm"]["algorithm"].native)
    scheme, signature_digest, salt = _scheme(signer_info["signature_algorithm"], digest)
    imprint = stamped["message_imprint"]
    nonce = stamped["nonce"].native
    return Token(
        content=content,
        at=_instant(stamped["gen_time"].native),
        serial=int(stamped["serial_number"].native),
        nonce=None if nonce is None else int(nonce),
        imprint_digest=_digest(imprint["hash_algorithm"]["algorithm"].native),
        imprint=bytes(imprint["hashed_message"].native),
        signer=signer,
        others=others,
        attributes=b"\x31" + bytes(signer_info["signed_attrs"].dump())[1:],  # [0] IMPLICIT → SET OF, RFC 5652 §5.4
        message_digest=bytes(_single(attributes, "message_digest").native),
        named=_named(attributes),
        digest=digest,
        scheme=scheme,
        signature_digest=signature_digest,
        salt=salt,
        signature=bytes(signer_info["signature"].native),
    )


def _certificates(signed: Any, sid: Any) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The signer's certificate as the signer info names it, and the rest. Other kinds of certificate are passed
    over.
    """
    bag = signed["certificates"]
    found = [] if isinstance(bag, core.Void) else [item.chosen for item in bag if item.name == "certificate"]
    _expect(0 < len(found) <= MAX_CERTIFICATES, "the time stamp carries no certificate, or far too many")
    if sid.name == "issuer_and_serial_number":
        serial, issuer = sid.chosen["serial_number"].native, sid.chosen["issuer"]
        wanted = [item for item in found if item.serial_number == serial and _same(item.issuer, issuer)]
    else:
        wanted = [item for item in found if item.key_identifier == sid.chosen.native]
    _expect(bool(wanted), "the certificate of the time stamp's signer is missing")
    others = tuple(load_der(item.dump()) for item in found if item is not wanted[0])
    return load_der(wanted[0].dump()), others


def _same(one: Any, other: Any) -> bool:
    """Whether two names are equal; nearly always they are the same bytes, and comparing them as names is slow."""
    return bool(one.dump() == other.dump() or one == other)


def _attributes(signer_info: Any) -> dict[str, Any]:
    """Signed attributes by name. Each may be there once, with the number of values that its RFC says."""
    attributes: dict[str, Any] = {}
    _expect(bool(signer_info["signed_attrs"]), "the time stamp has no signed attributes")
    for attribute in signer_info["signed_attrs"]:
        name = attribute["type"].native
        _expect(name not in attributes, f"the signed attribute {name} is there twice")
        attributes[name] = attribute["values"]
    return attributes


def _single(attributes: dict[str, Any], name: str) -> Any:
    values = attributes.get(name)
    if values is None or len(values) != 1:
        raise MalformedTokenError(f"the signed attribute {name} is missing")
    return values[0]


def _named(attributes: dict[str, Any]) -> tuple[tuple[str, bytes], ...]:
    """First certificate id of each signing-certificate attribute: SHA-1 in the old one (RFC 2634), named in the new
    (RFC 5035).
    """
    named = []
    if "signing_certificate" in attributes:
        named.append(("sha1", bytes(_single(attributes, "signing_certificate")["certs"][0]["cert_hash"].native)))
    if "signing_certificate_v2" in attributes:
        first = _single(attributes, "signing_certificate_v2")["certs"][0]
        named.append((_digest(first["hash_algorithm"]["algorithm"].native), bytes(first["cert_hash"].native)))
    return tuple(named)


def _scheme(algorithm: Any, digest: str) -> tuple[str, str, int | None]:
    """(scheme, digest, PSS salt): plain "RSA" names no digest of its own and takes that of the signer info."""
    scheme = algorithm.signature_algo
    if scheme == "rsassa_pss":
        parameters = algorithm["parameters"]
        own = _digest(parameters["hash_algorithm"]["algorithm"].native)
        mask = parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native
        _expect(mask == own, "the signature mixes digests")
        return scheme, own, int(parameters["salt_length"].native)
    if algorithm["algorithm"].native in ("rsassa_pkcs1v15", "ecdsa"):
        return scheme, digest, None
    return scheme, _digest(algorithm.hash_algo), None


def _digest(name: str) -> str:
    _expect(name in IMPRINT_DIGESTS, f"the digest {name} is not accepted")
    return name


def _instant(value: datetime) -> datetime:
    _expect(value.tzinfo is not None, "the stamped time has no zone")
    return value.astimezone(UTC)


def _limited(der: bytes) -> bytes:
    _expect(0 < len(der) <= MAX_TOKEN, "the time stamp is empty or far too large")
    return der


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise MalformedTokenError(otherwise)
