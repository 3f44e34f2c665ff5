"""Sign something new: mark, encode, claim, sign, time stamp, read back, register. Nothing appears before all of it held.

    source ─► prepare (mark, encode) ─► sign ─► read back and judge ─► register ─► rename into place

The source is never touched. A crash leaves no file, or the old one; at worst a registered asset whose file never came
into being, which harms nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from keys import policy
from keys.errors import SigningRefusedError
from keys.policy import CAPTURE_CODE, CONSENT, SOURCE_TYPE, Statement
from keys.signer import key_name
from provenance import sidecar, tasks
from provenance.actions import SOURCE_TYPES
from provenance.carrying import AUTO, Wanted, carry
from provenance.claim import GENERATOR, captured, further
from provenance.declared import Consent, stated, training
from provenance.desk import Studio
from provenance.errors import AlreadySignedError
from provenance.finishing import Draft, Signed, finish, placing, signable
from provenance.progress import Watch


@dataclass(frozen=True, slots=True)
class SignRequest:
    """One file to be signed as new.

    Attributes:
        destination: Where the signed copy goes; replaced whole if it exists, never the source itself.
        source_type: A key of `actions.SOURCE_TYPES`.
        mark: "auto" marks what can be marked, "none" leaves the content alone, an algorithm's name insists.
        redact: Metadata to leave out of a re-encoded picture: "gps".
        strength: RMS luma change in 8-bit code values; None lets the content decide.
        code: A capture code, where the key's policy asks for one.
        training: Whether machines may learn from it, one of `declared.PREFERENCES`; None says nothing.
        consent: Of whoever is depicted or voiced.
        crf: Constant rate factor of a film that is marked, 0–51; None for visually lossless.
        beside: Whether the credential may go into a file of its own where the container holds none (see `sidecar`).
    """

    source: Path
    destination: Path
    source_type: str = "digitalCapture"
    mark: str = AUTO
    redact: frozenset[str] = frozenset()
    register: bool = True
    title: str | None = None
    strength: float | None = None
    code: str | None = field(default=None, repr=False)
    training: str | None = None
    consent: Consent | None = None
    crf: int | None = None
    beside: bool = False


def sign(request: SignRequest, studio: Studio, *, at: datetime, progress: Watch | None = None) -> Signed:
    """Sign one file as something new.

    Args:
        progress: Told now and then how far the marking of a sound or a film is.
    Raises:
        InputError: the source cannot be read, is no kind that can be signed, or carries a credential already.
        OutputError: the destination cannot be written, or is the source.
        SigningRefusedError: the key's policy does not let it sign this.
        SigningError: the signer failed, or the result did not read back as intact.
        StoreError: the registry could not take it; then there is no file either.
    """
    if request.source_type not in SOURCE_TYPES:
        raise ValueError(f"no such source type: {request.source_type!r}")
    with placing(request.source, request.destination) as scratch:
        media_type = signable(
            request.source, studio.desk.workers.run(tasks.kind_of_whole, str(request.source)), beside=request.beside
        )
        _refuse_signed(request.source, media_type, studio)
        _ask_policy(request, media_type, studio)
        wanted = Wanted(request.mark, request.redact, request.strength, request.crf)
        carrier = carry(request.source, media_type, wanted, scratch, studio, progress)
        definition = captured(
            title=request.title or request.source.name,
            source_type=request.source_type,
            at=at,
            binding=carrier.binding,
            thumbnail=carrier.thumbnail is not None,
            also=[*(further(bound) for bound in carrier.also), *_declarations(request)],
        )
        draft = Draft(
            stated(definition, **{SOURCE_TYPE: request.source_type, CAPTURE_CODE: request.code}),
            action="captured",
            summary={"source_type": request.source_type},
            consent=request.consent,
        )
        return finish(carrier, draft, scratch, studio, destination=request.destination, register=request.register, at=at)


def _declarations(request: SignRequest) -> list[Mapping[str, Any]]:
    """The assertions that the request asks for besides what every capture states."""
    wanted: list[Mapping[str, Any]] = []
    if request.training:
        wanted.append(training(request.training))
    if request.consent:
        wanted.append(request.consent.assertion())
    return wanted


def _ask_policy(request: SignRequest, media_type: str, studio: Studio) -> None:
    """Ask the key's policy before any work is done; whoever holds the key asks it again, and counts."""
    labels = frozenset({CONSENT}) if request.consent else frozenset()
    said = Statement(GENERATOR["name"], request.source_type, media_type, request.code, labels)
    refused = policy.load(studio.keys_folder).rule(key_name(studio.signer)).objection(said)
    if refused:
        raise SigningRefusedError(*refused)


def _refuse_signed(source: Path, media_type: str, studio: Studio) -> None:
    if media_type in sidecar.KINDS:
        signed = sidecar.lying_beside(source) is not None
    else:
        signed = studio.desk.workers.run(tasks.carries_credential, str(source), media_type)
    if signed:
        raise AlreadySignedError(str(source), "carries a credential already; sign what was made of it as an edit of it")
