"""A time stamp authority (RFC 3161) for development; `tsa_client` is the other side.

The responder is a pure function of request, instant and serial number. `serve` puts it behind HTTP on the loopback
interface; it is not made for the open network. Its certificate says that it is a development authority and leads to
its own root, which nothing else trusts.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from keys.certificate import outside_validity
from keys.token import MALFORMED, TimeStampResponse
from keys.tsa_client import REPLY, REQUEST, ask, probe

__all__ = ["POLICY", "TimeStampAuthority", "ask", "probe", "serve"]

POLICY = "2.25.118830418247372498327461946027159612457"  # a UUID as OID (X.667): ours, and claiming nothing
ACCURACY_S = 1
_DIGEST_LENGTHS = {"sha256": 32, "sha384": 48, "sha512": 64}
_MAX_REQUEST = 4096


@dataclass(frozen=True)
class TimeStampAuthority:
    """A time stamp key with its chain.

    Args:
        chain: leaf first, then what leads to its root; all of it goes into a token when the request asks for
            certificates.
        key: P-256, P-384 or P-521.
    """

    chain: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"TimeStampAuthority({self.chain[0].subject.rfc4514_string()!r})"

    def respond(self, request: bytes, *, at: datetime, serial: int) -> bytes:
        """Answer a DER TimeStampReq with a DER TimeStampResp; total: a request we cannot serve gets a refusal.

        Args:
            at: aware instant to stamp; whole seconds are kept, as the accuracy is one second.
            serial: positive, never used before by this authority (RFC 3161 §2.4.2: unique).
        """
        try:
            asked = tsp.TimeStampReq.load(request, strict=True).native  # all of it parsed, nothing of it copied
            failure = _failure(asked) or ("time_not_available" if outside_validity(self.chain[0], at) else None)
        except MALFORMED:
            failure = "bad_data_format"
        if failure:
            return _refusal(failure)
        token = self._token(asked, at.astimezone(UTC).replace(microsecond=0), serial)
        return _tlv(0x30, _GRANTED, token)

    @cached_property
    def _parts(self) -> tuple[bytes, bytes]:
        """What every token repeats: the certificate set, and how the signer is named (issuer and serial number)."""
        leaf = asn1_x509.Certificate.load(self.chain[0].public_bytes(Encoding.DER))
        certificates = _tlv(0xA0, *sorted(item.public_bytes(Encoding.DER) for item in self.chain))
        return certificates, _tlv(0x30, leaf.issuer.dump(), core.Integer(leaf.serial_number).dump())

    def _token(self, asked: dict[str, Any], at: datetime, serial: int) -> bytes:
        """A ContentInfo with SignedData (RFC 5652 §5.1), its outer layers put together here.

        asn1crypto would copy every certificate at each level, for three times the work.
        """
        content = _content(asked, at, serial)
        certificates, signer = self._parts
        attributes = _signed_attributes(content, self.chain[0], at).dump()
        signature = core.OctetString(self.key.sign(attributes, ec.ECDSA(hashes.SHA256()))).dump()
        signer_info = _tlv(0x30, _INTEGER_1, signer, _SHA256, _tlv(0xA0, _contents(attributes)), _ECDSA_SHA256, signature)
        wrapped = _tlv(0x30, _OID_TST_INFO, _tlv(0xA0, core.OctetString(content).dump()))
        signed = _tlv(
            0x30,
            _INTEGER_3,
            _tlv(0x31, _SHA256),
            wrapped,
            certificates if asked["cert_req"] else b"",
            _tlv(0x31, signer_info),
        )
        return _tlv(0x30, _OID_SIGNED_DATA, _tlv(0xA0, signed))


_INTEGER_1, _INTEGER_3 = core.Integer(1).dump(), core.Integer(3).dump()
_OID_SIGNED_DATA, _OID_TST_INFO = cms.ContentType("signed_data").dump(), cms.ContentType("tst_info").dump()
_SHA256 = algos.DigestAlgorithm({"algorithm": "sha256"}).dump()
_ECDSA_SHA256 = algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump()
_GRANTED = bytes(tsp.PKIStatusInfo({"status": "granted"}).dump())


def _tlv(tag: int, *parts: bytes) -> bytes:
    """One DER element: tag, shortest length, contents."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def _contents(element: bytes) -> bytes:
    """The contents of one DER element."""
    first = element[1]
    return element[2 if first < 0x80 else 2 + (first & 0x7F) :]


def _content(asked: dict[str, Any], at: datetime, serial: int) -> bytes:
    imprint = asked["message_imprint"]
    info = {
        "version": "v1",
        "policy": POLICY,
        "serial_number": serial,
        "gen_time": at,
        "message_imprint": {
            "hash_algorithm": {"algorithm": imprint["hash_algorithm"]["algorithm"]},
            "hashed_message": imprint["hashed_message"],
        },
        "accuracy": {"seconds": ACCURACY_S},
    }
    if asked["nonce"] is not None:
        info["nonce"] = asked["nonce"]
    return bytes(tsp.TSTInfo(info).dump())


def _failure(asked: dict[str, Any]) -> str | None:
    """The PKIFailureInfo name for a request we do not serve (RFC 3161 §2.4.2), or None."""
    imprint = asked["message_imprint"]
    digest = imprint["hash_algorithm"]["algorithm"]
    if asked["version"] != "v1":
        return "bad_request"
    if digest not in _DIGEST_LENGTHS:
        return "bad_alg"
    if len(imprint["hashed_message"]) != _DIGEST_LENGTHS[digest]:
        return "bad_data_format"
    if asked["req_policy"] not in (None, POLICY):
        return "unaccepted_policy"
    if asked["extensions"]:
        return "unaccepted_extensions"
    return None


def _signed_attributes(content: bytes, leaf: x509.Certificate, at: datetime) -> cms.CMSAttributes:
    """Content type, time, digest, and the certificate by its SHA-256 (ESSCertIDv2, RFC 5035; SHA-256 is its
    default).
    """
    named = {"cert_hash": leaf.fingerprint(hashes.SHA256())}
    return cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
            cms.CMSAttribute({"type": "signing_time", "values": [cms.Time({"utc_time": at})]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(content).digest()]}),
            cms.CMSAttribute({"type": "signing_certificate_v2", "values": [{"certs": [named]}]}),
        ]
    )


def _refusal(failure: str) -> bytes:
    words = [f"request refused: {failure.replace('_', ' ')}"]
    status = {"status": "rejection", "status_string": words, "fail_info": {failure}}
    return bytes(TimeStampResponse({"status": status}).dump())


@contextmanager
def serve(
    tsa: TimeStampAuthority,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[str]:
    """Answer time stamp requests over HTTP (RFC 3161 §3.4) in background threads; gives the URL, ends with the
    block.
    """
    handler = type("_Bound", (_Handler,), {"tsa": tsa, "clock": staticmethod(clock)})
    server = ThreadingHTTPServer((host, port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="tsa", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    tsa: ClassVar[TimeStampAuthority]
    clock: ClassVar[Callable[[], datetime]]
    timeout = 10.0
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != REQUEST or not length.isdigit() or int(length) > _MAX_REQUEST:
            self.close_connection = True
            self.send_error(400, f"send one {REQUEST} of at most {_MAX_REQUEST} bytes")
            return
        body = self.rfile.read(int(length))
        # 127 random bits are unique without a counter on disk; RFC 3161 allows serial numbers up to 160
        reply = self.tsa.respond(body, at=type(self).clock(), serial=secrets.randbits(127) | 1)
        self.send_response(200)
        self.send_header("Content-Type", REPLY)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Quiet: the caller's own log says what was stamped."""
