"""POST /v1/oauth/token: OAuth 2.0 client credentials (RFC 6749 §4.4); the clients are our API keys, id and secret."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any, NoReturn
from urllib.parse import parse_qs, unquote

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.access import SCOPES, TOKEN_S, Access, Key
from api.guard import bearer
from api.problems import KINDS, Problem, ProblemError, refuse
from api.reaching import body
from api.routes.common import errors, json_response
from api.routes.resolution_shapes import Token

router = APIRouter()
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "scope": {"type": "string", "description": " ".join(SCOPES)},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string"},
                    },
                }
            }
        },
    }
}

_TOKEN = {
    "access_token": "ct_eyJpZCI6IjNmMmE5YzYxZDA3YiJ9.n4bQ",
    "token_type": "Bearer",
    "expires_in": TOKEN_S,
    "scope": "store:manifests",
}
_GIVEN: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": _TOKEN}}}}


@router.post(
    "/oauth/token",
    summary="A token for a client",
    response_model=Token,
    responses=_GIVEN | errors("bad-request", "no-key"),
    openapi_extra=_FORM,
)
async def token(request: Request) -> Response:
    """Client id and secret, by HTTP Basic or in the form, for a bearer token of ten minutes with the scopes asked for."""
    form = {name: values[0] for name, values in parse_qs((await body(request, 8192)).decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "client_credentials":
        _refuse("unsupported_grant_type", 400)
    access: Access = request.app.state.access
    client_id, secret = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
    key = access.client(client_id, secret)
    if key is None:
        _refuse("invalid_client", 401)
    asked = frozenset(form["scope"].split()) if "scope" in form else key.scopes()
    if not asked or asked - key.scopes():
        _refuse("invalid_scope", 400)
    answer = {"access_token": access.token(key, asked, now=time.time()), "token_type": "Bearer", "expires_in": TOKEN_S}
    return json_response(answer | {"scope": " ".join(sorted(asked))}, headers={"cache-control": "no-store"})


def need(request: Request, scope: str) -> Key:
    """The client behind a request, if it may: a token with the scope, or an API key with its role.

    Raises:
        ProblemError: 401 where nobody is named, 403 where it may not, or where no client is registered at all.
    """
    access: Access = request.app.state.access
    if not any(scope in key.scopes() for key in access.listed()):
        refuse("not-allowed", "no client is registered that may write here")
    given = bearer(request.headers) or request.headers.get("x-api-key", "")
    opened = access.opened(given, now=time.time()) if given.startswith("ct_") else None
    key = opened[0] if opened else access.key(given)
    if key is None:
        raise ProblemError(Problem(KINDS["no-key"], headers={"www-authenticate": f'Bearer scope="{scope}"'}))
    if scope not in (opened[1] if opened else key.scopes()):
        refuse("not-allowed", f"this asks for the scope {scope}")
    return key


def _basic(request: Request) -> tuple[str, str] | None:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return unquote(name), unquote(secret)


def _refuse(code: str, status: int) -> NoReturn:
    """RFC 6749 §5.2 fixes the word; the rest is a problem document, as everywhere here."""
    kind = KINDS["no-key" if status == 401 else "bad-request"]
    headers = {"www-authenticate": 'Basic realm="colophon"'} if status == 401 else {}
    raise ProblemError(Problem(kind, fields={"error": code}, headers=headers))
