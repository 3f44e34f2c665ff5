"""Sign something new: mark, encode, claim, sign, time stamp, read back, register. Nothing appears before all of it held.

    source ─► prepare (mark, encode) ─► sign ─► read back and judge ─► register ─► rename into place

The source is never touched. A crash leaves no file, or the old one; at worst a registered asset whose file never came
into being, which harms nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any

from keys import policy
from keys.errors import SigningRefusedError
from keys.policy import CAPTURE_CODE, CONSENT, MEDIA_TYPE, SOURCE_TYPE, Statement
from keys.signer import key_name
from provenance import appraisal, hearing, sidecar, tasks, viewing
from provenance.actions import SOURCE_TYPES
from provenance.claim import GENERATOR, THUMBNAIL, captured, further
from provenance.credential import Credential, SoftBinding
from provenance.declared import Consent, stated, training
from provenance.desk import Studio
from provenance.errors import AlreadySignedError, InputError, OutputError, SigningError, UnmarkableError, UnsupportedMediaError
from provenance.feed import public_status
from provenance.judge import Evidence, judge
from provenance.marks import MarkReading
from provenance.progress import Watch, told
from provenance.running import MarkedRun, MarkJob, why_unmarked
from provenance.sdk import VALIDATOR, signable_types
from provenance.soft_binding import binding
from provenance.store.records import Ingredient, Kin
from provenance.store.registry import Binding, Registration
from provenance.verdict import AssetFacts, Status, Verdict, iso
from watermark import engines
from watermark.errors import CarrierTooSmallError
from watermark.media import MARKABLE
from watermark.sound_files import WRITABLE as SOUNDS
from watermark.video_files import WRITABLE as FILMS

AUTO, NONE = "auto", "none"


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


@dataclass(frozen=True, slots=True)
class Signed:
    """What came of it."""

    asset_id: str
    manifest_id: str
    path: Path
    sha256: str
    media_type: str
    binding: SoftBinding | None
    signer: str
    development: bool
    time_state: str  # trusted | queued | absent
    time: datetime | None
    entry_id: int | None
    registered: bool
    verdict: Verdict = field(repr=False)
    steps_ms: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    registration: Registration | None = field(default=None, repr=False)  # what was registered, or can be later
    sidecar: Path | None = None  # where the credential lies, if not in the file

    def as_dict(self) -> dict[str, Any]:
        return {
            "asset_id": self.asset_id,
            "manifest_id": self.manifest_id,
            "path": str(self.path),
            "sha256": self.sha256,
            "media_type": self.media_type,
            "binding": {"alg": self.binding.alg, "value": self.binding.value} if self.binding else None,
            "signer": self.signer,
            "development": self.development,
            "time": {"state": self.time_state, "at": iso(self.time) if self.time else None},
            "trail_entry": self.entry_id,
            "registered": self.registered,
            "status": str(self.verdict.status),
            "steps_ms": dict(self.steps_ms),
            "notes": list(self.notes),
            **({"sidecar": str(self.sidecar)} if self.sidecar else {}),
        }


@dataclass(frozen=True, slots=True)
class Carrier:
    """A file ready for its claim: marked or not, with the small copies kept of it."""

    path: Path
    media_type: str
    binding: SoftBinding | None
    marked_now: bool
    view: tasks.Prepared | None  # None: nothing is kept of it
    notes: tuple[str, ...] = ()
    also: tuple[SoftBinding, ...] = ()  # the same id under other algorithms: in the sound of a film, in its stills

    @property
    def bindings(self) -> tuple[SoftBinding, ...]:
        return (self.binding, *self.also) if self.binding else ()

    @property
    def thumbnail(self) -> bytes | None:
        return self.view.thumbnail if self.view else None


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
        media_type = signable(request.source, studio.desk.workers.run(tasks.kind, str(request.source)), beside=request.beside)
        _refuse_signed(request.source, media_type, studio)
        _ask_policy(request, media_type, studio)
        carrier = carry(request, media_type, scratch, studio, progress)
        definition = captured(
            title=request.title or request.source.name,
            source_type=request.source_type,
            at=at,
            binding=carrier.binding,
            thumbnail=carrier.thumbnail is not None,
            also=[*(further(bound) for bound in carrier.also), *_declarations(request)],
        )
        return finish(
            carrier,
            stated(definition, **{SOURCE_TYPE: request.source_type, CAPTURE_CODE: request.code}),
            scratch,
            studio,
            destination=request.destination,
            action="captured",
            register=request.register,
            at=at,
            summary={"source_type": request.source_type},
            consent=request.consent,
        )


def signable(source: Path, media_type: str | None, *, beside: bool = False) -> str:
    """The type, if a manifest can be written into it, or `beside` it. Raises UnsupportedMediaError."""
    if media_type is None:
        raise UnsupportedMediaError(str(source), "is of no kind that is known here")
    if media_type not in signable_types() and not (beside and media_type in sidecar.KINDS):
        raise UnsupportedMediaError(str(source), f"{media_type} cannot hold a credential")
    return media_type


def carry(request: SignRequest, media_type: str, scratch: Path, studio: Studio, progress: Watch | None = None) -> Carrier:
    """Put the mark in, where one can be put in; redaction alone re-encodes too."""
    wanted = request.mark != NONE
    if media_type in SOUNDS:
        return _carry_running(request, media_type, _SOUND, scratch, studio, progress)
    if media_type in FILMS:
        return _carry_running(request, media_type, _FILM, scratch, studio, progress)
    if media_type not in MARKABLE:
        if request.mark not in (AUTO, NONE):
            raise UnsupportedMediaError(str(request.source), f"{media_type} cannot be marked yet")
        if request.redact:
            raise UnsupportedMediaError(str(request.source), f"nothing can be redacted from {media_type} yet")
        notes = (f"{media_type} is signed without a mark for now",) if wanted else ()
        return Carrier(request.source, media_type, None, False, None, notes)
    if not wanted and not request.redact:
        return Carrier(request.source, media_type, None, False, _view(request.source, studio))
    alg = engines.default("image").alg if request.mark in (AUTO, NONE) else request.mark
    job = tasks.MarkJob(
        source=str(request.source),
        destination=str(scratch.with_suffix(".marked")),
        alg=alg,
        mark_id=studio.new_mark_id() if wanted else None,
        key=studio.mark_key,
        strength=request.strength,
        redact=request.redact,
    )
    notes = ()
    try:
        view = studio.desk.workers.run(tasks.prepare, job)
    except (CarrierTooSmallError, UnmarkableError) as error:
        if request.mark != AUTO:
            raise
        why = error.why if isinstance(error, UnmarkableError) else str(error)
        notes = (f"no mark: {why}",)
        job = replace(job, mark_id=None)
        if not request.redact:
            return Carrier(request.source, media_type, None, False, _view(request.source, studio), notes)
        view = studio.desk.workers.run(tasks.prepare, job)
    bound = binding(alg, job.mark_id) if job.mark_id is not None else None
    return Carrier(Path(job.destination), media_type, bound, bound is not None, view, (*notes, *view.notes))


@dataclass(frozen=True, slots=True)
class _Running:
    """A medium that runs in time: what its workers do, and the seconds that they may take for a length in ms."""

    medium: str
    prepare: Callable[[MarkJob], MarkedRun]
    view: Callable[[str], tasks.Prepared]
    patience: Callable[[int | None], float]


_SOUND = _Running("audio", hearing.prepare_sound, hearing.hear, hearing.patience)
_FILM = _Running("video", viewing.prepare_film, viewing.view, partial(viewing.time_for, encoding=True))


def _carry_running(
    request: SignRequest, media_type: str, kind: _Running, scratch: Path, studio: Studio, progress: Watch | None
) -> Carrier:
    """The same for sound and film; what is too short to hold a mark is signed without, and says so."""
    if request.redact:
        raise UnsupportedMediaError(str(request.source), f"nothing can be redacted from {media_type} yet")
    alg = engines.default(kind.medium).alg
    if request.mark not in (AUTO, NONE, alg):
        raise UnsupportedMediaError(str(request.source), f"{media_type} cannot hold a mark {request.mark}")
    workers, notes = studio.desk.workers, tuple[str, ...]()
    seconds = kind.patience(workers.run(tasks.dimensions, str(request.source))[2])
    if request.mark != NONE:
        marked, so_far = scratch.with_suffix(".marked"), scratch.with_suffix(".told")
        job = MarkJob(
            source=str(request.source),
            destination=str(marked),
            mark_id=studio.new_mark_id(),
            key=studio.mark_key,
            strength=request.strength,
            crf=request.crf,
            progress=str(so_far),
        )
        try:
            run = workers.start_within(seconds, kind.prepare, job).result(_watching(so_far, progress))
            also = tuple(binding(engines.default(medium).alg, job.mark_id) for medium in run.also)
            return Carrier(marked, media_type, binding(alg, job.mark_id), True, run.view, run.view.notes, also)
        except (CarrierTooSmallError, UnmarkableError, UnsupportedMediaError) as error:
            if request.mark != AUTO:
                raise
            notes = (why_unmarked(error),)
    view = workers.start_within(seconds, kind.view, str(request.source)).result()
    return Carrier(request.source, media_type, None, False, view, notes)


def _watching(so_far: Path, progress: Watch | None) -> Callable[[], None] | None:
    """What to do while waiting: pass on what the worker wrote down."""
    if progress is None:
        return None

    def look() -> None:
        if found := told(so_far):
            progress(found)

    return look


def finish(
    carrier: Carrier,
    definition: Mapping[str, Any],
    scratch: Path,
    studio: Studio,
    *,
    destination: Path,
    action: str,
    register: bool,
    at: datetime,
    summary: Mapping[str, Any],
    made_from: tuple[tasks.Made, ...] = (),
    parent_asset_id: str | None = None,
    kin: tuple[Kin, ...] = (),
    resources: Mapping[str, bytes] | None = None,
    update: bool = False,
    stamp: bool = False,
    consent: Consent | None = None,
) -> Signed:
    """Sign a carrier, read it back, judge it, register it, and put it in its place.

    Args:
        made_from: Files that become its ingredients; those of them that are registered, it is joined to.
        kin: Registered assets that it comes from though no claim says so.
        resources: What the definition refers to, besides the thumbnail.
        update: Write an update manifest, with a time stamp for the one before where an authority answers.
        stamp: Take no result without that time stamp.
    """
    job = tasks.SignJob(
        source=str(carrier.path),
        destination=str(scratch),
        media_type=carrier.media_type,
        definition=stated(definition, **{MEDIA_TYPE: carrier.media_type}),
        signer=studio.signer,
        identity=None if update else studio.identity,
        keys_folder=str(studio.keys_folder),
        tsa_url=studio.tsa(),
        ingredients=made_from,
        resources={**(resources or {}), **({THUMBNAIL: carrier.thumbnail} if carrier.thumbnail else {})},
        update=update,
        beside=carrier.media_type not in signable_types(),
    )
    result = _sign(job, studio)
    asset_id = studio.new_asset_id()
    asset = _asset(asset_id, result, carrier, studio, scratch)
    verdict = _judged(asset, result, carrier, studio, destination, at)
    credential = result.credential
    assert isinstance(credential, Credential)
    assert verdict.credential.signer is not None
    stamped = verdict.credential.time.state == "trusted"
    if stamp and not (stamped and all(step.at for step in verdict.history[:2])):
        raise SigningError(str(destination), "the time stamp that came is not one that is trusted here")
    registration = Registration(
        asset_id=asset_id,
        sha256=result.sha256,
        media_type=carrier.media_type,
        manifest_id=credential.active,
        manifest_store=result.store,
        signer_name=verdict.credential.signer.name,
        signer_fingerprint=verdict.credential.signer.fingerprint.removeprefix("sha256:"),
        signed_at=verdict.credential.time.at or at,
        time_state="trusted" if stamped else "absent",
        action=action,
        width=asset.width,
        height=asset.height,
        duration_ms=asset.duration_ms,
        parent_asset_id=parent_asset_id,
        kin=kin,
        ingredients=tuple(Ingredient(*edge) for edge in credential.edges()),
        bindings=tuple(Binding(bound.alg, bound.value) for bound in carrier.bindings),
        reference=carrier.view.reference if carrier.view else None,
        reference_media_type=carrier.view.reference_media_type if carrier.view else None,
        fingerprint=carrier.view.code if carrier.view else None,
        summary={**summary, "manifest": credential.active, "sha256": result.sha256},
        development=verdict.credential.signer.development,
        stamp_due=None if stamped else appraisal.leaf_end(credential.manifest),
        consent=consent.payload() if consent else None,
    )
    entry = None
    if register and studio.desk.registry is not None:
        entry = studio.desk.registry.register(registration, at=at).entry_id
        studio.desk.registry.set_status(asset_id, result.sha256, public_status(verdict), at=at)
    apart = sidecar.beside(destination) if job.beside else None
    with _placed(destination):
        if apart is not None:  # first: whoever sees the film finds its credential
            written = scratch.with_suffix(sidecar.SUFFIX)
            written.write_bytes(result.store)
            written.replace(apart)
        scratch.replace(destination)
    return Signed(
        asset_id=asset_id,
        manifest_id=credential.active,
        path=destination,
        sha256=result.sha256,
        media_type=carrier.media_type,
        binding=carrier.binding,
        signer=verdict.credential.signer.name,
        development=verdict.credential.signer.development,
        time_state="trusted" if stamped else ("queued" if entry is not None else "absent"),
        time=verdict.credential.time.at,
        entry_id=entry,
        registered=entry is not None,
        verdict=verdict,
        steps_ms={**(carrier.view.steps_ms if carrier.view else {}), **result.steps_ms},
        notes=carrier.notes,
        registration=registration,
        sidecar=apart,
    )


@contextmanager
def placing(source: Path, destination: Path) -> Iterator[Path]:
    """A scratch name beside the destination; whatever was written there is gone afterwards, error or not.

    Raises:
        OutputError: the destination is the source or a folder, or its folder cannot be written to.
    """
    if not source.exists():
        raise InputError(str(source), "no such file")
    if destination.is_dir():
        raise OutputError(str(destination), "is a folder")
    if destination.exists() and destination.samefile(source):
        raise OutputError(str(destination), "would overwrite the input")
    scratch = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.part")
    try:
        yield scratch
    except OutputError as error:
        raise OutputError(str(destination), error.why) from error
    finally:
        marked = scratch.with_suffix(".marked")
        unfinished = marked.parent.glob(f".{escape(marked.name)}.*.part")  # of a worker that was stopped
        for left in (scratch, marked, scratch.with_suffix(".told"), scratch.with_suffix(sidecar.SUFFIX), *unfinished):
            left.unlink(missing_ok=True)


def _sign(job: tasks.SignJob, studio: Studio) -> tasks.SignedFile:
    """Sign; an authority that answered its probe and then failed costs the stamp, not the signature."""
    try:
        return studio.desk.workers.run(tasks.sign_file, job)
    except SigningError:
        if job.tsa_url is None or job.update:
            raise
        Path(job.destination).unlink(missing_ok=True)
        return studio.desk.workers.run(tasks.sign_file, replace(job, tsa_url=None))


def _asset(asset_id: str, result: tasks.SignedFile, carrier: Carrier, studio: Studio, scratch: Path) -> AssetFacts:
    if carrier.view is not None:
        view = carrier.view
        return AssetFacts(result.sha256, carrier.media_type, asset_id, view.width, view.height, view.duration_ms)
    width, height, duration = studio.desk.workers.run(tasks.dimensions, str(scratch))
    return AssetFacts(result.sha256, carrier.media_type, asset_id, width, height, duration)


def _judged(
    asset: AssetFacts, result: tasks.SignedFile, carrier: Carrier, studio: Studio, destination: Path, at: datetime
) -> Verdict:
    """The verdict on what was just signed; anything short of intact is an error, and nothing is kept."""
    mark = MarkReading(looked=carrier.binding is not None, binding=carrier.binding)
    evidence = Evidence(asset=asset, credential=result.credential, mark=mark)
    verdict = judge(evidence, lists=studio.desk.lists, at=at, validator=VALIDATOR)
    if verdict.status not in (Status.TRUSTED, Status.VALID):
        why = "; ".join(r.say for r in verdict.reasons) or verdict.summary
        raise SigningError(str(destination), f"what was signed does not read back as intact: {why}")
    return verdict


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


def _view(source: Path, studio: Studio) -> tasks.Prepared:
    return studio.desk.workers.run(tasks.view, str(source))


def _refuse_signed(source: Path, media_type: str, studio: Studio) -> None:
    if media_type in sidecar.KINDS:
        signed = sidecar.lying_beside(source) is not None
    else:
        signed = studio.desk.workers.run(tasks.carries_credential, str(source), media_type)
    if signed:
        raise AlreadySignedError(str(source), "carries a credential already; sign what was made of it as an edit of it")


@contextmanager
def _placed(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(str(destination), (error.strerror or str(error)).lower()) from error
