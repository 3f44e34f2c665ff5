"""Sign a carrier, read it back, judge it, register it, and put it in its place. Nothing appears before all of it held."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import Any

from keys.policy import MEDIA_TYPE
from provenance import appraisal, sidecar, tasks
from provenance.carrying import Carrier
from provenance.claim import THUMBNAIL
from provenance.credential import Credential, SoftBinding
from provenance.declared import Consent, stated
from provenance.desk import Studio
from provenance.errors import InputError, OutputError, SigningError, UnsupportedMediaError
from provenance.feed import public_status
from provenance.judge import Evidence, judge
from provenance.marks import MarkReading
from provenance.sdk import VALIDATOR, signable_types
from provenance.store.records import Ingredient, Kin
from provenance.store.registry import Binding, Registration
from provenance.verdict import AssetFacts, Status, Verdict, iso


@dataclass(frozen=True, slots=True)
class Draft:
    """What is said of a carrier, in its claim and on record.

    Attributes:
        definition: The manifest definition (claim.py).
        action: What the trail calls it: captured, edited, rendition, registered.
        summary: What the trail keeps of it, besides the manifest and the digest.
        made_from: Files that become its ingredients; those of them that are registered, it is joined to.
        kin: Registered assets that it comes from though no claim says so.
        resources: What the definition refers to, besides the thumbnail.
        update: An update manifest, with a time stamp for the one before where an authority answers.
        stamp: No result is taken without that time stamp.
    """

    definition: Mapping[str, Any]
    action: str
    summary: Mapping[str, Any]
    made_from: tuple[tasks.Made, ...] = ()
    parent_asset_id: str | None = None
    kin: tuple[Kin, ...] = ()
    resources: Mapping[str, bytes] = field(default_factory=dict)
    update: bool = False
    stamp: bool = False
    consent: Consent | None = None


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


def signable(source: Path, media_type: str | None, *, beside: bool = False) -> str:
    """The type, if a manifest can be written into it, or `beside` it. Raises UnsupportedMediaError."""
    if media_type is None:
        raise UnsupportedMediaError(str(source), "is of no kind that is known here")
    if media_type not in signable_types() and not (beside and media_type in sidecar.KINDS):
        raise UnsupportedMediaError(str(source), f"{media_type} cannot hold a credential")
    return media_type


def finish(
    carrier: Carrier, draft: Draft, scratch: Path, studio: Studio, *, destination: Path, register: bool, at: datetime
) -> Signed:
    """Sign a carrier, judge what came of it, register it, and put it in its place.

    Raises:
        SigningError: the signer failed, the result did not read back as intact, or the stamp that was asked for did not come.
        OutputError: the destination cannot be written.
        StoreError: the registry could not take it; then there is no file either.
    """
    job = _job(carrier, draft, scratch, studio)
    result = _sign(job, studio)
    asset = _asset(studio.new_asset_id(), result, carrier, studio, scratch)
    verdict = _judged(asset, result, carrier, studio, destination, at)
    if draft.stamp and not (_stamped(verdict) and all(step.at for step in verdict.history[:2])):
        raise SigningError(str(destination), "the time stamp that came is not one that is trusted here")
    registration = _registration(carrier, draft, asset, result, verdict, at)
    entry = None
    if register and studio.desk.registry is not None:
        entry = studio.desk.registry.register(registration, at=at).entry_id
        studio.desk.registry.set_status(registration.asset_id, result.sha256, public_status(verdict), at=at)
    apart = sidecar.beside(destination) if job.beside else None
    with _placed(destination):
        if apart is not None:  # first: whoever sees the film finds its credential
            written = scratch.with_suffix(sidecar.SUFFIX)
            written.write_bytes(result.store)
            written.replace(apart)
        scratch.replace(destination)
    return Signed(
        asset_id=registration.asset_id,
        manifest_id=registration.manifest_id,
        path=destination,
        sha256=result.sha256,
        media_type=carrier.media_type,
        binding=carrier.binding,
        signer=registration.signer_name,
        development=registration.development,
        time_state="trusted" if _stamped(verdict) else ("queued" if entry is not None else "absent"),
        time=verdict.credential.time.at,
        entry_id=entry,
        registered=entry is not None,
        verdict=verdict,
        steps_ms={**(carrier.view.steps_ms if carrier.view else {}), **result.steps_ms},
        notes=carrier.notes,
        registration=registration,
        sidecar=apart,
    )


def _job(carrier: Carrier, draft: Draft, scratch: Path, studio: Studio) -> tasks.SignJob:
    return tasks.SignJob(
        source=str(carrier.path),
        destination=str(scratch),
        media_type=carrier.media_type,
        definition=stated(draft.definition, **{MEDIA_TYPE: carrier.media_type}),
        signer=studio.signer,
        identity=None if draft.update else studio.identity,
        keys_folder=str(studio.keys_folder),
        tsa_url=studio.tsa(),
        ingredients=draft.made_from,
        resources={**draft.resources, **({THUMBNAIL: carrier.thumbnail} if carrier.thumbnail else {})},
        update=draft.update,
        beside=carrier.media_type not in signable_types(),
    )


def _registration(
    carrier: Carrier, draft: Draft, asset: AssetFacts, result: tasks.SignedFile, verdict: Verdict, at: datetime
) -> Registration:
    credential, said = result.credential, verdict.credential
    assert isinstance(credential, Credential)
    assert said.signer is not None
    assert asset.id is not None
    stamped = _stamped(verdict)
    return Registration(
        asset_id=asset.id,
        sha256=result.sha256,
        media_type=carrier.media_type,
        manifest_id=credential.active,
        manifest_store=result.store,
        signer_name=said.signer.name,
        signer_fingerprint=said.signer.fingerprint.removeprefix("sha256:"),
        signed_at=said.time.at or at,
        time_state="trusted" if stamped else "absent",
        action=draft.action,
        width=asset.width,
        height=asset.height,
        duration_ms=asset.duration_ms,
        parent_asset_id=draft.parent_asset_id,
        kin=draft.kin,
        ingredients=tuple(Ingredient(*edge) for edge in credential.edges()),
        bindings=tuple(Binding(bound.alg, bound.value) for bound in carrier.bindings),
        reference=carrier.view.reference if carrier.view else None,
        reference_media_type=carrier.view.reference_media_type if carrier.view else None,
        fingerprint=carrier.view.code if carrier.view else None,
        summary={**draft.summary, "manifest": credential.active, "sha256": result.sha256},
        development=said.signer.development,
        stamp_due=None if stamped else appraisal.leaf_end(credential.manifest),
        consent=draft.consent.payload() if draft.consent else None,
    )


def _stamped(verdict: Verdict) -> bool:
    return verdict.credential.time.state == "trusted"


@contextmanager
def placing(source: Path, destination: Path) -> Iterator[Path]:
    """A scratch name beside the destination; whatever was written there is gone afterwards, error or not.

    Raises:
        OutputError: the destination is the source or a folder, or its folder is missing or cannot be written to.
    """
    if not source.exists():
        raise InputError(str(source), "no such file")
    if destination.is_dir():
        raise OutputError(str(destination), "is a folder")
    if destination.exists() and destination.samefile(source):
        raise OutputError(str(destination), "would overwrite the input")
    if not destination.parent.is_dir():
        raise OutputError(str(destination), f"there is no folder {destination.parent}")
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


@contextmanager
def _placed(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(str(destination), (error.strerror or str(error)).lower()) from error
