"""The review desk and what administrators do: questions to a person, withdrawals, revocations, API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api import acts, examples, schemas
from api.access import Access, Key
from api.guard import caller_of
from api.routes.common import errors, house, json_response
from provenance.store.reviews import Decision
from provenance.verdict import iso

router = APIRouter()
_WHERE = errors("bad-request", "no-key", "not-allowed", "invalid-request", "unavailable")
ReviewId = Annotated[int, Path(ge=1, le=2**53)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Question(_Asked):
    sha256: schemas.Sha256
    why: str = Field(min_length=1, max_length=2000)


class Finding(_Asked):
    decision: Decision
    say: str = Field(min_length=1, max_length=2000, description="One sentence that readers see beside the status.")


class Withdrawing(_Asked):
    reason: str = Field(min_length=1, max_length=2000)


class Revoking(_Asked):
    fingerprint: str = Field(pattern="^(sha256:)?[0-9a-f]{64}$", description="SHA-256 of the signer's certificate.")
    reason: str = Field(min_length=1, max_length=200, description="As RFC 5280 names it, such as keyCompromise.")
    since: AwareDatetime | None = Field(None, description="From when on; now unless told.")


class NewKey(_Asked):
    name: str = Field(min_length=1, max_length=100)
    roles: list[str] = Field(min_length=1, max_length=5)


@router.get("/review", summary="Questions to a person", response_model=schemas.Reviews,
            responses={200: {"content": examples.content("reviews")}, **_WHERE})  # fmt: skip
def queue(
    request: Request,
    decided: Annotated[bool, Query(description="Those that were decided, instead of those that are open.")] = False,
    after: Annotated[int, Query(ge=0, le=2**53, description="Go on behind this id.")] = 0,
) -> Response:
    """The oldest first, fifty at a time. Contradictions (`conflict`) come here by themselves."""
    found = house(request).reviews.queue(decided=decided, after=after)
    return json_response({"items": [one.as_dict() for one in found]})


@router.post("/review", status_code=201, summary="Ask for a person's look", response_model=schemas.Review,
             responses={201: {"content": examples.content("review")}, **_WHERE, **errors("not-found")})  # fmt: skip
def ask(request: Request, question: Question) -> Response:
    """Put a file that is known here on the desk, by its SHA-256; an open question is asked once."""
    by, at = caller_of(request).id, datetime.now(UTC)
    return json_response(house(request).reviews.open(question.sha256, question.why, by=by, at=at).as_dict(), 201)


@router.get("/review/{review_id}", summary="One question", response_model=schemas.Review,
            responses={200: {"content": examples.content("review")}, **_WHERE, **errors("not-found")})  # fmt: skip
def one(request: Request, review_id: ReviewId) -> Response:
    """A question, and what was found where it was decided."""
    return json_response(house(request).reviews.get(review_id).as_dict())


@router.post("/review/{review_id}/decision", summary="Decide", response_model=schemas.Review,
             responses={200: {"content": examples.content("review")}, **_WHERE, **errors("not-found", "conflict")})  # fmt: skip
def decide(request: Request, review_id: ReviewId, finding: Finding) -> Response:
    """Record what a person found: in the trail, and beside the status, which feeds hear of at once.

    The status itself is what was found in the file, and stays. Who disagrees asks anew: the last decision is shown.
    """
    by, at = caller_of(request).id, datetime.now(UTC)
    return json_response(house(request).reviews.decide(review_id, finding.decision, finding.say, by=by, at=at).as_dict())


@router.post("/assets/{asset_id}/withdrawal", summary="Withdraw an asset", response_model=schemas.Withdrawal,
             responses={200: {"content": examples.content("withdrawal")}, **_WHERE, **errors("not-found")})  # fmt: skip
def withdraw(request: Request, asset_id: Annotated[str, Path(max_length=512)], given: Withdrawing) -> Response:
    """Its status, and that of copies recovered to it, becomes `revoked` before this is answered. Nothing un-withdraws."""
    record = acts.withdraw(house(request), asset_id, given.reason, by=caller_of(request), at=datetime.now(UTC))
    return json_response({"asset_id": record.asset_id, "withdrawn_at": iso(record.withdrawn_at or datetime.now(UTC))})


@router.post("/keys/revocations", summary="Revoke a signer's certificate", response_model=schemas.Revoked,
             responses={200: {"content": examples.content("revoked")}, **_WHERE})  # fmt: skip
def revoke(request: Request, given: Revoking) -> Response:
    """Statuses of what it signed are judged anew before this is answered; with a trusted time stamp from before, they stay."""
    at = datetime.now(UTC)
    fingerprint = given.fingerprint.removeprefix("sha256:")
    found = acts.revoke(house(request), fingerprint, given.reason, since=given.since or at, by=caller_of(request), at=at)
    return json_response({"fingerprint": f"sha256:{found.fingerprint}", "reason": found.reason, "since": iso(found.at)})


@router.get("/access/keys", summary="API keys", response_model=schemas.ApiKeys,
            responses={200: {"content": examples.content("api-keys")}, **_WHERE})  # fmt: skip
def keys(request: Request) -> Response:
    """All keys, ended ones too; never what opens them."""
    access: Access = request.app.state.access
    return json_response({"keys": [_key(key) for key in access.listed()]})


@router.post("/access/keys", status_code=201, summary="Make an API key", response_model=schemas.NewApiKey,
             responses={201: {"content": examples.content("new-api-key")}, **_WHERE})  # fmt: skip
def make(request: Request, given: NewKey) -> Response:
    """`secret` is shown once. The trail says who made it, and for which roles."""
    by, at = caller_of(request), datetime.now(UTC)
    key, secret = acts.make_key(house(request), request.app.state.access, given.name, given.roles, by=by, at=at)
    return json_response(_key(key) | {"secret": secret}, 201, {"cache-control": "no-store"})


@router.post("/access/keys/{key_id}/rotation", status_code=201, summary="Replace an API key",
             response_model=schemas.NewApiKey,
             responses={201: {"content": examples.content("new-api-key")}, **_WHERE, **errors("not-found")})  # fmt: skip
def rotate(request: Request, key_id: Annotated[str, Path(max_length=64)]) -> Response:
    """A new key of the same name and roles; the old one goes on until it is ended, so that callers can change over."""
    by, at = caller_of(request), datetime.now(UTC)
    key, secret = acts.replace_key(house(request), request.app.state.access, key_id, by=by, at=at)
    return json_response(_key(key) | {"secret": secret}, 201, {"cache-control": "no-store"})


@router.delete("/access/keys/{key_id}", summary="End an API key", response_model=schemas.ApiKey,
               responses={200: {"content": examples.content("api-key")}, **_WHERE, **errors("not-found")})  # fmt: skip
def end(request: Request, key_id: Annotated[str, Path(max_length=64)]) -> Response:
    """It and every token it got end now."""
    by, at = caller_of(request), datetime.now(UTC)
    key = acts.end_key(house(request), request.app.state.access, key_id, by=by, at=at)
    return json_response(_key(key))


def _key(key: Key) -> dict[str, Any]:
    return {"id": key.id, "name": key.name, "roles": list(key.roles), "created_at": key.created_at, "revoked_at": key.revoked_at}
