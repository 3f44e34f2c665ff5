"""RFC 3161 time stamps: ask for one, read the answer, and check a token against the time stamp lists.

What is stamped was worked out on files of many writers (tests/keys/test_timestamp_corpus.py keeps it true), because the
standard's words allow other readings. The first two are the COSE structure of a counter signature (RFC 9052 §4.4):

    sigTst           claim v1   CBOR ["CounterSignature", protected, h'', claim]
    sigTst2          claim v2   CBOR ["CounterSignature", protected, h'', x], x = the signature as a CBOR byte string
    c2pa.time-stamp  later, in an update manifest: the signature bytes alone (files of 2025: the whole COSE_Sign1)

`protected` is the serialised protected header of the COSE_Sign1, as it stands in the file. sigTst holds a whole
TimeStampResp and sigTst2 a bare token; some writers mix them up, so both are taken for both.

A token holds, whoever made it, when its CMS signature covers its content and names its signer's certificate (RFC
3161 §2.4.2, RFC 5652 §5.4, RFC 5035), and its imprint is that of the message. It is trusted when its signer leads to
an anchor of a *TSA* list at the stamped time. Revocation of the authority is not looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import cbor2
from asn1crypto import algos, core, tsp

from keys.certificate import subject
from keys.errors import TimeStampError
from keys.token import MalformedTokenError, Token, parse, response_token
from keys.trust import ListKind, TrustList, build_path

CLOCK_SKEW = timedelta(minutes=5)  # how far a stamp may lie ahead of the instant of validation


class TimeState(StrEnum):
    """TRUSTED: use `at`. UNTRUSTED: the token holds, nobody we know made it. INVALID: it does not hold. ABSENT:
    there is none.
    """

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    INVALID = "invalid"
    ABSENT = "absent"


@dataclass(frozen=True)
class TimeStamp:
    """What one token is worth.

    `at` is the stamped instant (aware, UTC) whenever the token holds, trusted or not; `tsa` its signer's subject;
    `code` the status code of C2PA 2.5 Annex D ("timeStamp.trusted", "timeStamp.mismatch", …; empty when absent).
    """

    state: TimeState
    at: datetime | None
    tsa: str | None
    list_name: str | None
    reason: str | None
    code: str = ""


ABSENT = TimeStamp(TimeState.ABSENT, None, None, None, "no time stamp")


def message_v1(protected: bytes, claim: bytes) -> bytes:
    """The message that a claim v1 stamp (`sigTst`) covers: protected header bytes and claim bytes, as they stand in
    the file.
    """
    return cbor2.dumps(["CounterSignature", protected, b"", claim])


def message_v2(protected: bytes, signature: bytes) -> bytes:
    """The message that a claim v2 stamp (`sigTst2`) covers: protected header bytes and COSE signature bytes."""
    return cbor2.dumps(["CounterSignature", protected, b"", cbor2.dumps(signature)])


def message_assertion(signature: bytes) -> bytes:
    """The message that a `c2pa.time-stamp` assertion's token covers: the signature bytes of the manifest it is for.

    So writes c2pa-rs 0.91; files of 2025 cover the serialised COSE_Sign1 instead, so a reader tries that as well.
    """
    return signature


def request(message: bytes, *, nonce: int) -> bytes:
    """A DER TimeStampReq for the SHA-256 of a message, asking for the authority's certificates (RFC 3161 §2.4.1)."""
    imprint = tsp.MessageImprint(
        {
            "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256", "parameters": core.Null()}),
            "hashed_message": hashlib.sha256(message).digest(),
        }
    )
    body = {"version": "v1", "message_imprint": imprint, "nonce": nonce, "cert_req": True}
    return bytes(tsp.TimeStampReq(body).dump())


def parse_response(der: bytes, *, nonce: int | None = None) -> bytes:
    """Take the token out of a DER TimeStampResp.

    Args:
        nonce: what the request carried; the token must repeat it (RFC 3161 §2.4.2), or it may be an old answer
            played again.
    Raises:
        TimeStampError: refused by the authority (`failure` says how), no response at all, or another nonce.
    """
    token = response_token(der)
    if nonce is not None:
        try:
            echoed = parse(token).nonce
        except MalformedTokenError as error:
            raise TimeStampError(str(error)) from error
        if echoed != nonce:
            raise TimeStampError("the answer repeats another nonce than the one we sent")
    return token


def check_token(token: bytes, message: bytes | None, lists: Sequence[TrustList], *, at: datetime) -> TimeStamp:
    """Judge a token (or a whole TimeStampResp) in five steps; total: any bytes give an answer.

    1. It parses, and its CMS signature and signer's certificate hang together (`token.Token.fault`).
    2. Its imprint is that of `message`; without a message this step is left to the caller.
    3. It does not come from the future: not later than `at`, but for clock skew.
    4. Its signer leads to an anchor of a TSA list, everything valid at the *stamped* time.
    5. Only then is it trusted.

    Args:
        message: see `message_v1`, `message_v2`; None to judge the token alone.
        at: aware instant of validation.
    """
    if not token:
        return ABSENT
    try:
        parsed = parse(_bare(token))
    except MalformedTokenError as error:
        return _invalid("timeStamp.malformed", str(error))
    fault = parsed.fault()
    if fault:
        return _invalid("timeStamp.mismatch", fault)
    if message is not None and not _covers(parsed, message):
        return _invalid("timeStamp.mismatch", "the time stamp was made for other content")
    if parsed.at > at + CLOCK_SKEW:
        return _invalid("timeStamp.outsideValidity", f"the stamped time {parsed.at:%Y-%m-%d %H:%M} is yet to come")
    leaf = parsed.signer
    path = build_path(leaf, parsed.others, lists, kind=ListKind.TSA, at=parsed.at)
    state, code = (TimeState.TRUSTED, "trusted") if path.trusted else (TimeState.UNTRUSTED, "untrusted")
    return TimeStamp(state, parsed.at, subject(leaf), path.list_name, path.reason, f"timeStamp.{code}")


def _bare(value: bytes) -> bytes:
    """The token inside, if this is a whole response; otherwise the value as it is."""
    try:
        return response_token(value)
    except TimeStampError:
        return value


def _covers(token: Token, message: bytes) -> bool:
    return hashlib.new(token.imprint_digest, message).digest() == token.imprint


def _invalid(code: str, reason: str) -> TimeStamp:
    return TimeStamp(TimeState.INVALID, None, None, None, reason, code)
