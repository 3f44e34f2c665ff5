"""The review desk: what a person is asked to look at, and what they found. Each method is one transaction.

A decision never changes the word of a status, which is a function of what was found in the file; it says beside it what a
person found. So a status, its entry in the trail (`reviewed`) and the change that feeds follow commit together.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from provenance.errors import ConflictError, NotFoundError
from provenance.store import served, trail
from provenance.store.database import reading, writing
from provenance.store.records import TEXT_BYTES, require_storable
from provenance.store.tables import asset, review, status
from provenance.store.trail import SALT_BYTES, Kind, utc
from provenance.verdict import iso


class Decision(StrEnum):
    """What a person found. None of them says whether what is shown is so."""

    UPHELD = "upheld"  # it is as the status says
    EXPLAINED = "explained"  # there is a harmless reason, such as a caption
    MISLEADING = "misleading"  # the change gives another impression of what was signed
    UNRESOLVED = "unresolved"  # it could not be found out


@dataclass(frozen=True, slots=True)
class Review:
    """One question to a person.

    Attributes:
        status: The word when it was asked.
        why: Why it was asked.
        say: What the decision says to readers, in a sentence.
        entry_id: The trail's entry of the decision.
    """

    id: int
    sha256: str
    asset_id: str | None
    status: str
    why: str
    opened_at: datetime
    opened_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    say: str | None
    entry_id: int | None

    def as_dict(self) -> dict[str, Any]:
        return {name: iso(value) if isinstance(value, datetime) else value for name, value in asdict(self).items()}


class Reviews:
    """Safe to share between threads and processes."""

    def __init__(self, engine: Engine, *, salt: Callable[[], bytes] = lambda: secrets.token_bytes(SALT_BYTES)) -> None:
        """Take a migrated database, and where 16 random bytes come from."""
        self._engine, self._salt = engine, salt

    def open(self, sha256: str, why: str, *, by: str, at: datetime) -> Review:
        """Ask for a person's look at some bytes; an open question is asked once.

        Raises:
            NotFoundError: nothing is known of these bytes.
            UnstorableError: a reason that cannot be stored.
        """
        require_storable("why", why, TEXT_BYTES)
        with writing(self._engine) as connection:
            opened = review.c.sha256 == sha256, review.c.decided_at.is_(None)
            if (found := connection.execute(select(review).where(*opened)).first()) is None:
                known = connection.execute(select(status).where(status.c.sha256 == sha256)).first()
                if known is None:
                    raise NotFoundError("status", sha256)
                row = {
                    "sha256": sha256, "asset_id": known.asset_id, "status": json.loads(known.document)["status"], "why": why,
                    "opened_at": utc(at), "opened_by": by,
                }  # fmt: skip
                found = connection.execute(review.insert().values(row).returning(review)).one()
        return Review(*found)

    def queue(self, *, decided: bool = False, after: int = 0, limit: int = 50) -> tuple[Review, ...]:
        """Return questions that are open (or decided), the oldest first, a page at a time."""
        over = review.c.decided_at.is_not(None) if decided else review.c.decided_at.is_(None)
        query = select(review).where(over, review.c.id > after).order_by(review.c.id).limit(limit)
        with reading(self._engine) as connection:
            return tuple(Review(*row) for row in connection.execute(query))

    def get(self, review_id: int) -> Review:
        """Return one question. Raises NotFoundError."""
        with reading(self._engine) as connection:
            return _one(connection, review_id)

    def decide(self, review_id: int, decision: Decision, say: str, *, by: str, at: datetime) -> Review:
        """Record what a person found: here, in the trail, and in what feeds are told of these bytes.

        Raises:
            NotFoundError: there is no such question.
            ConflictError: it was decided already; ask anew.
            UnstorableError: a sentence that cannot be stored.
        """
        require_storable("say", say, TEXT_BYTES)
        at = utc(at)
        with writing(self._engine) as connection:
            known = _one(connection, review_id)
            asked = update(review).where(review.c.id == review_id, review.c.decided_at.is_(None))
            new = {"decided_at": at, "decided_by": by, "decision": decision.value, "say": say}
            if not connection.execute(asked.values(new)).rowcount:
                raise ConflictError("review", str(review_id), "was decided already")
            payload = {
                "sha256": known.sha256, "status": known.status, "decision": decision.value, "say": say, "by": by,
                "review": str(review_id),
            }  # fmt: skip
            about = known.asset_id if _registered(connection, known.asset_id) else None
            entry = trail.append(connection, Kind.REVIEWED, about, payload, salt=self._salt(), at=at)
            connection.execute(update(review).where(review.c.id == review_id).values(entry_id=entry))
            shown = connection.execute(select(status).where(status.c.sha256 == known.sha256)).first()
            if shown is not None:
                document = {**json.loads(shown.document), "at": iso(at)}
                served.set_status(connection, shown.asset_id, known.sha256, document, at, cause="reviewed")
            return _one(connection, review_id)


def _one(connection: Connection, review_id: int) -> Review:
    found = connection.execute(select(review).where(review.c.id == review_id)).first()
    if found is None:
        raise NotFoundError("review", str(review_id))
    return Review(*found)


def _registered(connection: Connection, asset_id: str | None) -> bool:
    return asset_id is not None and connection.scalar(select(asset.c.id).where(asset.c.id == asset_id)) is not None
