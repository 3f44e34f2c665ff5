"""/sign/claim: to-be-signed bytes in, signature out. The asset stays on the device that made it.

    GET  /api/v1/sign/claim?key=NAME    which key it is: algorithm and certificates
    POST /api/v1/sign/claim?key=NAME    a COSE Sig_structure around a C2PA claim, as octets; answers the raw signature

Bytes are passed on to the signing process, which decodes them, asks its policy and writes down what it signs. Any C2PA library
with a signing callback can use it; ours does by `--key https://HOST/api/v1/sign/claim?key=NAME`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import examples, schemas
from api.problems import refuse
from api.routes.common import errors, house, json_response
from keys.frames import MAX_BODY, Frame
from keys.signers import socket

router = APIRouter()
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_OCTETS = "application/octet-stream"
_TIMEOUT_S = 10.0
_BINARY = {"schema": {"type": "string", "format": "binary"}}
Name = Annotated[str | None, Query(pattern=_NAME, description="Name of a signing key; the default key otherwise.")]


@router.get(
    "/sign/claim",
    summary="The key that signs claims",
    response_model=schemas.SigningKey,
    responses={
        200: {"description": "The key.", "content": examples.content("signing-key")},
        **errors("signing-refused", "invalid-request", "unknown-key", "unavailable"),
    },
)
async def describe(request: Request, key: Name = None) -> Response:
    """Algorithm and certificate chain (PEM, leaf first) of a signing key: what a claim's protected header must name."""
    answer = await _ask(request, Frame({"op": "describe", "key": key or house(request).settings.signer or None}))
    known = {"key": answer.header["key"], "alg": answer.header["alg"], "chain": answer.body.decode("ascii")}
    return json_response(known)


@router.post(
    "/sign/claim",
    summary="Sign a claim",
    response_class=Response,
    responses={
        200: {"description": "The raw COSE signature.", "content": {_OCTETS: _BINARY}},
        **errors("bad-request", "foreign-page", "signing-refused", "too-large", "unsupported-media"),
        **errors("invalid-request", "unknown-key", "unavailable"),
    },
    openapi_extra={"requestBody": {"required": True, "content": {_OCTETS: _BINARY}}},
)
async def sign_claim(request: Request, key: Name = None) -> Response:
    """Sign a COSE `Sig_structure` (RFC 9052 §4.4) around a C2PA claim that names this key's algorithm and certificate.

    Anything else is refused, and so is what the key's policy does not allow. Every signature is written to the trail. Nothing of
    the asset is sent: a claim lists its assertions by digest.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _OCTETS:
        refuse("unsupported-media", f"send one {_OCTETS}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            refuse("too-large")
    if not body:
        refuse("bad-request", "there is nothing to sign")
    name = key or house(request).settings.signer or None
    answer = await _ask(request, Frame({"op": "sign", "key": name}, bytes(body)))
    return Response(answer.body, media_type=_OCTETS)


async def _ask(request: Request, question: Frame) -> Frame:
    """What the signing process answers. Raises KeysError, which becomes a problem document."""
    ref = house(request).signer_override or ""
    if not ref.startswith("unix:"):
        refuse("unavailable", "no signing process runs here", retry_after_s=60)
    return await asyncio.to_thread(socket.exchange, Path(ref.removeprefix("unix:")), question, _TIMEOUT_S)
