"""Verify one file: gather evidence in killable workers and from the registry, then judge.

    probe ─► credential ┐
          └► pixels ────┴► who owns the mark ─► candidates ─► compare with each reference ─► judge

Effects live here and branches are few; every decision is judge.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance import appraisal, filmfit, hearing, soundfit, tasks, viewing
from provenance.credential import Credential, Remote, Unreadable
from provenance.desk import Desk
from provenance.errors import BudgetError, DamagedMediaError, InputError, StoreError, UnsupportedMediaError
from provenance.judge import Candidate, Evidence, GeneratorReading, judge
from provenance.looking import Facts, look, other_marks, read_mark, reading_of
from provenance.marks import MarkReading, OwnedMark, ordered
from provenance.sdk import STORE_TYPE, VALIDATOR, readable_types
from provenance.sidecar import KINDS, MOST_BYTES, lying_beside
from provenance.status import Content
from provenance.store.registry import AssetRecord, Registry
from provenance.verdict import AssetFacts, Part, PoseFacts, Source, Verdict
from watermark.sound.detection import AudioDetection

# Followed no further: each costs a comparison, and an asset has few doubles.
_MAX_CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class Pictures:
    """Small JPEGs for a person: the file, the registered picture, where they differ, the latter as it lies in the file."""

    copy: bytes | None = None
    reference: bytes | None = None
    changes: bytes | None = None
    laid: bytes | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    verdict: Verdict
    pictures: Pictures
    evidence: Evidence = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lead:
    """A registered asset that something in the file points to."""

    asset: AssetRecord
    how: str  # mark | manifest | fingerprint
    distance: int | None = None
    p_false: float | None = None  # of the mark
    posed: bool = True  # whether the first mark tells how it lies in the file


@dataclass(frozen=True, slots=True)
class Followed:
    """A lead, its credential read and its reference compared."""

    lead: Lead
    candidate: Candidate
    compared: tasks.Compared | None


def verify(
    path: Path, desk: Desk, *, at: datetime, sidecar: Path | None = None, marks: bool = True, pictures: bool = False
) -> Verification:
    """All that can be said of a file at an instant.

    Args:
        sidecar: A manifest store that lies beside the file; it wins over an embedded one. None: where its container holds
            none, the one beside it is read, else the one that exactly these bytes were registered with.
        marks: Whether to look for marks: a file whose credential is intact is judged far faster without.
        pictures: Whether to make the small pictures.
    Raises:
        InputError: the file cannot be read at all. What its bytes say never raises.
        StoreError: the registry cannot be asked.
    """
    name = str(path)
    if not path.is_file():  # before any worker is started for it
        raise InputError(name, "is a folder" if path.is_dir() else "no such file")
    seen = desk.workers.run(tasks.probe, name)
    if sidecar is None and seen.media_type in KINDS:
        sidecar = lying_beside(path)
    store, source = _sidecar(sidecar), Source.EMBEDDED if sidecar is None else Source.SIDECAR
    if store is None and seen.media_type in KINDS and (store := _registered(seen.sha256, desk)) is not None:
        source = Source.REGISTRY
    reading = desk.workers.start(tasks.read_credential, name, _type_for_reader(seen.media_type, store), store)
    looking = look(name, seen.media_type, desk) if marks else None

    undecided: set[str] = set()
    not_checked: list[str] = []
    credential: Credential | Unreadable | Remote | None = None
    if store is None and seen.media_type not in readable_types():
        not_checked.append("credential.container")
    try:
        credential = reading.result()
    except BudgetError:
        undecided.add("credential")
    if isinstance(credential, Unreadable) and credential.unsupported:
        credential = None
    facts: Facts | None = None
    if looking is not None:
        try:
            facts = looking.result()
        except BudgetError:
            undecided.add("mark")
        except (DamagedMediaError, UnsupportedMediaError) as error:
            not_checked.append(f"mark ({error.why})")
    if isinstance(facts, hearing.SoundFacts) and facts.detection.skimmed_s:
        minutes = facts.detection.skimmed_s / 60
        not_checked.append(f"mark (changes of speed in the last {minutes:.0f} minutes: too much to search)")

    evidence = Evidence(
        asset=_facts_of(seen, facts),
        credential=credential,
        source=source,
        mark=read_mark(facts),
        others=other_marks(facts),
        generator=GeneratorReading(*facts.generator) if facts and facts.generator else None,
        undecided=frozenset(undecided),
        not_checked=tuple(not_checked),
    )
    evidence, facts = _whose(evidence, facts, desk.registry)
    shots = Pictures()
    if desk.registry is not None:
        evidence, shots = _consult(path, evidence, facts, desk, pictures)
    else:
        evidence = replace(evidence, not_checked=(*evidence.not_checked, "registry"))
    if pictures and shots.copy is None and isinstance(facts, tasks.PixelFacts):
        shots = replace(shots, copy=desk.workers.run(tasks.picture_of, name))
    return Verification(judge(evidence, lists=desk.lists, at=at, validator=VALIDATOR), shots, evidence)


def leads(evidence: Evidence, facts: Facts | None, desk: Desk, *, everything: bool = False) -> tuple[Lead, ...]:
    """Registered assets that a file may come from, best ground first: mark, manifest label, fingerprint.

    The fingerprint is asked only where nothing better was found, unless `everything` is wanted.
    """
    assert desk.registry is not None
    found: list[Lead] = []
    if evidence.mark.binding is not None:
        read = evidence.mark.binding
        found += [Lead(a, "mark", p_false=evidence.mark.p_false) for a in desk.registry.by_binding(read.alg, read.value)]
    for one in evidence.others if everything else ():
        if other := one.reading.binding:
            again = desk.registry.by_binding(other.alg, other.value)
            found += [Lead(a, "mark", p_false=one.reading.p_false, posed=False) for a in again]
    if isinstance(evidence.credential, Credential):
        named = desk.registry.by_manifest(evidence.credential.active)
        found += [Lead(named, "manifest")] if named else []
    # A mark that is read names its asset; a fingerprint may only lead where there is none to contradict it.
    if facts is not None and (everything or (not found and evidence.mark.binding is None)):
        near = {
            record.asset_id: Lead(record, "fingerprint", distance)
            for code in facts.codes
            for record, distance in desk.registry.near(code, limit=_MAX_CANDIDATES)
        }
        found += sorted(near.values(), key=lambda lead: lead.distance or 0)
    first = {lead.asset.asset_id: lead for lead in reversed(found)}  # the best ground for each asset stays
    return tuple(lead for lead in found if first[lead.asset.asset_id] is lead)


def follow(path: Path, found: Iterable[Lead], facts: Facts | None, desk: Desk, *, pictures: bool) -> tuple[Followed, ...]:
    """Read each lead's registered credential and compare its reference; best fit first."""
    transform = facts.detection.transform if facts else None
    followed = []
    for lead in list(found)[:_MAX_CANDIDATES]:
        asset = lead.asset
        hint = None
        if transform is not None and lead.posed and asset.width and asset.height:
            a, b, _, c, d, _ = transform.against(asset.width, asset.height).matrix
            hint = (a, b, c, d)
        followed.append(_follow(path, lead, hint, facts, desk, pictures))
    return tuple(sorted(followed, key=_rank))


def _rank(followed: Followed) -> tuple[int, float, float]:
    """Best first: by agreement, then fit, then how much of the reference is there (an edit and its parent may both fit)."""
    order = {Content.FITS: 0, Content.CHANGED: 1}
    compared = followed.compared
    return (
        order.get(followed.candidate.content, 2),
        -round(compared.score, 2) if compared else 0.0,
        -round(compared.kept, 2) if compared else 0.0,
    )


def _consult(path: Path, evidence: Evidence, facts: Facts | None, desk: Desk, pictures: bool) -> tuple[Evidence, Pictures]:
    """Add what the registry knows: whose mark it is, which asset fits, what was revoked."""
    assert desk.registry is not None
    own = evidence.credential if isinstance(evidence.credential, Credential) else None
    exact = desk.registry.by_manifest(own.active) if own else None
    evidence = replace(
        evidence,
        withdrawn=exact is not None and exact.withdrawn_at is not None,
        asset=replace(evidence.asset, id=exact.asset_id if exact and exact.sha256 == evidence.asset.sha256 else None),
    )
    shots = Pictures()
    credentials: list[Credential] = [own] if own else []
    if not _intact(own):
        try:
            best = _best(follow(path, leads(evidence, facts, desk), facts, desk, pictures=pictures))
        except BudgetError:
            best = None
            evidence = replace(evidence, undecided=evidence.undecided | {"fit"})
        if best is not None:
            evidence = replace(evidence, candidate=best.candidate)
            if isinstance(best.candidate.credential, Credential):
                credentials.append(best.candidate.credential)
            if best.compared is not None:
                shots = Pictures(best.compared.copy, best.compared.reference, best.compared.picture, best.compared.laid)
                evidence = _elsewhere(path, best.compared.beside, evidence, desk)
    return replace(
        evidence, revocations=revocations(credentials, desk.registry), stamps=stamps(credentials, desk.registry)
    ), shots


def _elsewhere(path: Path, parts: Sequence[Part], evidence: Evidence, desk: Desk) -> Evidence:
    """Add the marks of what lies beside a registered picture, or was put over it: one key reads but the strongest of a whole."""
    if not parts or evidence.mark.binding is None:
        return evidence
    try:
        read = desk.workers.run(tasks.read_parts, str(path), parts, desk.mark_keys)
    except BudgetError:
        return replace(evidence, not_checked=(*evidence.not_checked, "mark (of what lies beside it)"))
    known = {evidence.mark.binding, *(one.reading.binding for one in evidence.others)}
    more = []
    for part, found in read:
        one = reading_of(found)
        if one.binding not in known:
            known.add(one.binding)
            more.append(OwnedMark(one, _owners(one, desk.registry), part))
    return replace(evidence, others=(*evidence.others, *more))


def _best(followed: Sequence[Followed]) -> Followed | None:
    """The candidate that counts. A fingerprint's lead that does not fit was no lead at all."""
    best = followed[0] if followed else None
    if best is not None and best.lead.how == "fingerprint" and best.candidate.content is not Content.FITS:
        return None
    return best


def _follow(
    path: Path,
    lead: Lead,
    hint: tuple[float, float, float, float] | None,
    facts: Facts | None,
    desk: Desk,
    pictures: bool,
) -> Followed:
    assert desk.registry is not None
    asset = lead.asset
    try:
        store = desk.registry.manifest_store(asset.manifest_id)
        reference = desk.registry.reference(asset.asset_id)
    except StoreError:  # the object was damaged or erased: the record can prove nothing
        store = reference = None
    credential = desk.workers.run(tasks.read_registered, store) if store is not None else None
    compared = None
    content = Content.UNCHECKED
    if reference is not None and asset.reference_media_type == soundfit.MEDIA_TYPE:
        speed = facts.detection.speed if facts and isinstance(facts.detection, AudioDetection) else None
        seconds = hearing.patience(asset.duration_ms)
        compared = desk.workers.start_within(seconds, hearing.compare_sound, str(path), reference, speed).result()
        content = Content(compared.agreement)
    elif reference is not None and asset.reference_media_type == filmfit.MEDIA_TYPE:
        kind = {tasks.PixelFacts: "still", hearing.SoundFacts: "sound"}.get(type(facts), "film")
        transform = facts.detection.transform if facts else None
        seconds = viewing.time_for(asset.duration_ms)
        compared = desk.workers.start_within(seconds, viewing.compare_film, str(path), reference, transform, kind=kind).result()
        content = Content(compared.agreement)
    elif reference is not None and asset.width and asset.height:
        compared = desk.workers.run(tasks.compare, str(path), reference, (asset.width, asset.height), hint, pictures)
        content = Content(compared.agreement)
    candidate = Candidate(
        asset_id=asset.asset_id,
        manifest_id=asset.manifest_id,
        how=lead.how,
        credential=credential,
        content=content,
        fit=compared.score if compared else None,
        coverage=compared.coverage if compared else None,
        kept=_kept(compared, facts, asset),
        changes=compared.changes if compared else (),
        pose=_pose(compared),
        withdrawn=asset.withdrawn_at is not None,
    )
    return Followed(lead, candidate, compared)


def _kept(compared: tasks.Compared | None, facts: Facts | None, asset: AssetRecord) -> float | None:
    """Share of the registered work that a file shows, 0–1.

    Silence and frames without detail are found nowhere: of what has a length, the part that a copy is long enough for counts.
    """
    if compared is None:
        return None
    if facts is None or isinstance(facts, tasks.PixelFacts) or not facts.duration_ms or not asset.duration_ms:
        return compared.kept
    return max(compared.kept, min(1.0, compared.coverage * facts.duration_ms / asset.duration_ms))


def _pose(compared: tasks.Compared | None) -> PoseFacts | None:
    if compared is None or not compared.aligned:
        return None
    return PoseFacts(round(compared.scale, 4), round(compared.rotation_deg, 2) + 0.0, compared.flipped)


def _intact(credential: Credential | None) -> bool:
    """Whether the file's own bytes are what its credential was made over: then nothing needs recovering."""
    if credential is None:
        return False
    codes = {c.code for c in credential.manifest.results.failure}
    return not any(c.endswith(("Hash.mismatch", "hashedURI.mismatch", "claimSignature.mismatch")) for c in codes)


def _whose(evidence: Evidence, facts: Facts | None, registry: Registry | None) -> tuple[Evidence, Facts | None]:
    """Who owns each mark; the one that counts goes first, and with it how it lies in the file."""
    readings = (evidence.mark, *(one.reading for one in evidence.others))
    found = ordered([OwnedMark(read, _owners(read, registry)) for read in readings], evidence.credential)
    first, *others = found
    evidence = replace(evidence, mark=first.reading, owners=first.owners, others=tuple(others))
    for one in facts.others if facts else ():
        if facts and first.reading.binding == reading_of(one).binding:
            rest = tuple(other for other in (facts.detection, *facts.others) if other is not one)
            kept: dict[str, Any] = {"detection": one, "others": rest}
            return evidence, replace(facts, **kept)
    return evidence, facts


def _owners(read: MarkReading, registry: Registry | None) -> tuple[str, ...]:
    if read.binding is None or registry is None:
        return ()
    return tuple(one.manifest_id for one in registry.by_binding(read.binding.alg, read.binding.value))


def _facts_of(seen: tasks.Probe, facts: Facts | None) -> AssetFacts:
    if facts is None:
        return AssetFacts(seen.sha256, seen.media_type)
    duration_ms = None if isinstance(facts, tasks.PixelFacts) else facts.duration_ms
    return AssetFacts(seen.sha256, seen.media_type, None, facts.width, facts.height, duration_ms)


def revocations(credentials: Sequence[Credential], registry: Registry) -> dict[str, appraisal.RevocationRecord]:
    """What the registry knows against any signer in these credentials, by leaf fingerprint."""
    leaves = {appraisal.fingerprint(m) for c in credentials for m in c.manifests.values()} - {None}
    known = {leaf: registry.revocation(leaf) for leaf in leaves if leaf}
    return {leaf: appraisal.RevocationRecord(r.at, r.reason) for leaf, r in known.items() if r}


def stamps(credentials: Sequence[Credential], registry: Registry) -> dict[str, bytes]:
    """Time stamps that manifests in these credentials got later, by manifest id."""
    return registry.kept_stamps([label for c in credentials for label in c.manifests])


def _sidecar(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            store = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(str(path), (error.strerror or "cannot be read").lower()) from error
    if len(store) > MOST_BYTES:
        raise InputError(str(path), f"is larger than {MOST_BYTES >> 20} MB: no credential")
    return store


def _registered(sha256: str, desk: Desk) -> bytes | None:
    """The manifest store that exactly these bytes were registered with."""
    if desk.registry is None or (asset := desk.registry.by_sha256(sha256)) is None:
        return None
    return desk.registry.manifest_store(asset.manifest_id)


def _type_for_reader(media_type: str | None, store: bytes | None) -> str | None:
    """The library looks for itself except where the bytes do not tell (SVG, bare stores), or it does not know them."""
    if media_type in readable_types():
        return media_type
    return STORE_TYPE if store is not None and media_type in KINDS else None
