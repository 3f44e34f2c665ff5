"""The development authority's counter: OCSP (RFC 6960 Appendix A) and enrolment as EST words it (RFC 7030).

    POST /api/v1/keys/ocsp, GET /api/v1/keys/ocsp/{base64}
    GET  /.well-known/est/cacerts          POST /.well-known/est/simpleenroll   HTTP Basic: any name, the token as password
                                           POST /.well-known/est/simplereenroll a request that the old key signed (CMS)

Bytes are passed on to the signing process, which holds the keys and decides; nothing is decoded here but base64.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from api.problems import KINDS, Problem, ProblemError, refuse
from api.routes.common import API, house
from keys.errors import KeysError, SigningRefusedError
from keys.frames import Frame
from keys.ocsp import MAX_REQUEST, REQUEST, RESPONSE
from keys.signers import socket

_EST = "/.well-known/est"
_PKCS7 = "application/pkcs7-mime; smime-type=certs-only"
_MAX_BODY = 32_768
_CACHED = {"Cache-Control": "max-age=3600, public, no-transform, must-revalidate"}
_UNPROVEN = {"token", "proof"}  # codes of refusals by the signing process; all others are of the request
_PAUSE_S = 5
_CHALLENGE = {"www-authenticate": 'Basic realm="enrolment"'}  # RFC 7030 §3.2.3: clients wait for it before they send a token


async def ocsp(request: Request) -> Response:
    """Say whether a certificate of the development authority stands."""
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0] != REQUEST:
            refuse("unsupported-media", f"send one {REQUEST}")
        body = await _body(request, MAX_REQUEST)
    else:
        body = _unbase64(request.path_params["request"])
    if body is None:
        refuse("bad-request", "no OCSP request of a usable size")
    return Response(await _ask(request, Frame({"op": "ocsp"}, body)), media_type=RESPONSE, headers=_CACHED)


async def cacerts(request: Request) -> Response:
    """The authority's certificates."""
    return _certificates(await _ask(request, Frame({"op": "cacerts"})))


async def simpleenroll(request: Request) -> Response:
    """A certificate for a device that has a one-time token."""
    token = _password(request.headers.get("authorization", ""))
    if token is None:
        raise _unproven("give the token as the password of HTTP Basic authentication")
    body = await _est_body(request)
    if body is None:
        refuse("bad-request", "no base64 PKCS#10 request of a usable size")
    return _certificates(await _ask(request, Frame({"op": "enrol", "token": token}, body)))


async def simplereenroll(request: Request) -> Response:
    """A new certificate for a device that still has its old key."""
    body = await _est_body(request)
    if body is None:
        refuse("bad-request", "no base64 signed request of a usable size")
    return _certificates(await _ask(request, Frame({"op": "renew"}, body)))


Endpoint = Callable[[Request], Awaitable[Response]]
ROUTES: Sequence[tuple[str, Endpoint, Sequence[str]]] = (
    (f"{API}/keys/ocsp", ocsp, ("POST",)),
    (f"{API}/keys/ocsp/{{request:path}}", ocsp, ("GET",)),
    (f"{_EST}/cacerts", cacerts, ("GET",)),
    (f"{_EST}/simpleenroll", simpleenroll, ("POST",)),
    (f"{_EST}/simplereenroll", simplereenroll, ("POST",)),
)


async def _ask(request: Request, question: Frame) -> bytes:
    """What the signing process answers. Raises ProblemError where it refuses."""
    ref = house(request).signer_override or ""
    if not ref.startswith("unix:"):
        refuse("not-found", "no authority is served here")
    try:
        return (await asyncio.to_thread(socket.exchange, Path(ref.removeprefix("unix:")), question, 10.0)).body
    except SigningRefusedError as error:
        if error.code in _UNPROVEN:
            raise _unproven(error.why) from error
        refuse("bad-request", error.why)
    except KeysError:
        refuse("unavailable", "the signing process does not answer", retry_after_s=_PAUSE_S)


async def _body(request: Request, limit: int) -> bytes | None:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > limit:
            return None
    return bytes(data) or None


async def _est_body(request: Request) -> bytes | None:
    body = await _body(request, _MAX_BODY)
    return None if body is None else _unbase64(body.decode("ascii", "replace"))


def _unbase64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _password(header: str) -> str | None:
    scheme, _, value = header.partition(" ")
    given = _unbase64(value) if scheme.lower() == "basic" else None
    return given.decode("utf-8", "replace").partition(":")[2] or None if given else None


def _certificates(answer: bytes) -> Response:
    headers = {"Content-Type": _PKCS7, "Content-Transfer-Encoding": "base64"}
    return Response(base64.encodebytes(answer), headers=headers)


def _unproven(why: str) -> ProblemError:
    """Whoever asks has not shown that they may; the reason is for a person to read (RFC 7030 §4.2.3)."""
    return ProblemError(Problem(KINDS["no-token"], why, headers=_CHALLENGE))
