"""Evidence in, verdict out. Pure: the instant, the lists and all that was fetched are given.

1. Weigh the file's own credential (appraisal.py), then every ancestor in it.
2. Weigh the registered credential that mark, manifest or fingerprint led to; it counts only if its *signed* claim
   carries the very binding that led to it, and the content fits the reference stored with it (2.5 §16.3.7.5).
3. Reduce both to layers, and the layers to one word (status.py).
4. Say why, and say what nobody looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from keys.trust import ListKind, TrustList
from provenance import declared, marks, say, signals
from provenance.appraisal import REPLACED, Appraisal, RevocationRecord, appraise
from provenance.credential import Credential, Manifest, Remote, Unreadable
from provenance.marks import NOT_LOOKED, MarkReading, OwnedMark
from provenance.status import Content, FileCredential, Layers, Owner, status
from provenance.verdict import (
    AssetFacts,
    Binding,
    Change,
    CredentialFacts,
    Declared,
    HistoryStep,
    Inputs,
    MarkFacts,
    PoseFacts,
    Signature,
    Source,
    Status,
    Trust,
    Verdict,
)

POLICY = "colophon-1"
STORE_TYPE = "application/c2pa"


@dataclass(frozen=True, slots=True)
class GeneratorReading:
    """An image generator's mark, read by a second engine: a hint with its probability, never proof."""

    name: str
    p_value: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registered asset that something in the file led to."""

    asset_id: str
    manifest_id: str
    how: str  # mark | manifest | fingerprint
    credential: Credential | Unreadable | Remote | None
    content: Content  # as compared with its reference
    fit: float | None
    coverage: float | None  # share of the file that the registered work covers
    kept: float | None  # share of the registered work that the file shows
    changes: tuple[Change, ...]
    pose: PoseFacts | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    asset: AssetFacts
    credential: Credential | Unreadable | Remote | None
    source: Source = Source.EMBEDDED
    mark: MarkReading = NOT_LOOKED
    owners: tuple[str, ...] = ()  # ids of manifests registered with the mark that was read
    others: tuple[OwnedMark, ...] = ()  # marks read under further keys
    candidate: Candidate | None = None  # the best one
    generator: GeneratorReading | None = None
    revocations: Mapping[str, RevocationRecord] | None = None  # by leaf fingerprint, hex
    stamps: Mapping[str, bytes] | None = None  # time stamp tokens that the registry got later, by manifest id
    withdrawn: bool = False  # the asset of the file's own manifest was withdrawn
    undecided: frozenset[str] = frozenset()  # "credential", "mark", "fit": stopped at their budget
    not_checked: tuple[str, ...] = ()


def judge(evidence: Evidence, *, lists: Sequence[TrustList], at: datetime, validator: str) -> Verdict:
    """The verdict on a file at an instant. The same arguments give the same verdict."""

    weighed: dict[int, Appraisal] = {}

    def weigh(credential: Credential, manifest: Manifest | None = None) -> Appraisal:
        manifest = manifest or credential.manifest
        if id(manifest) not in weighed:  # paths and stamps are the dear part, and the history asks again
            weighed[id(manifest)] = appraise(
                manifest,
                credential=credential,
                lists=lists,
                revocations=evidence.revocations or {},
                at=at,
                stamps=evidence.stamps or {},
            )
        return weighed[id(manifest)]

    own = weigh(evidence.credential) if isinstance(evidence.credential, Credential) else None
    found = evidence.candidate
    registered = weigh(found.credential) if found and isinstance(found.credential, Credential) else None
    file_state = _file_state(evidence, own)
    content = _content(evidence, registered)
    leads = file_state is not FileCredential.INTACT and content in (Content.FITS, Content.CHANGED)
    shown = registered if leads and registered else own
    recovered = shown is not None and shown is registered
    chain = _chain(shown, evidence, found)
    labels = signals.of(chain) if chain else ()
    layers = Layers(
        credential=file_state,
        trusted=shown is not None and shown.trust is Trust.TRUSTED,
        revoked=_revoked(_signers(shown, chain, weigh), evidence, recovered=recovered),
        owner=_owner(evidence),
        content=content,
        clash=evidence.generator is not None and signals.claims_capture(labels),
    )
    word = status(layers)
    credential = _credential_facts(shown, evidence, recovered=recovered)
    mark = _mark_facts(evidence)
    history = _history(chain, weigh, whole=not recovered) if chain else ()
    reasons = say.reasons(layers, word, own, registered, evidence, history)
    changes = found.changes if found and content is Content.CHANGED else ()
    return Verdict(
        status=word,
        summary=say.summary(word, layers, shown, evidence, labels),
        asset=_asset(evidence, layers),
        credential=credential,
        mark=mark,
        marks=marks.facts((OwnedMark(evidence.mark, evidence.owners), *evidence.others), evidence.credential),
        history=history,
        changes=changes,
        signals=_told(labels, word),
        reasons=reasons,
        not_checked=_not_checked(evidence, shown),
        declared=declared.read(shown.manifest, lists=lists, at=shown.time.at or at) if shown else Declared(),
        inputs=Inputs(validator, POLICY, _digests(lists), at, _given(evidence)),
    )


def _file_state(evidence: Evidence, own: Appraisal | None) -> FileCredential:
    if "credential" in evidence.undecided or isinstance(evidence.credential, Remote):
        return FileCredential.UNDECIDED
    if isinstance(evidence.credential, Unreadable):
        return FileCredential.DAMAGED
    if own is None:
        return FileCredential.ABSENT
    if not own.sound:
        return FileCredential.DAMAGED
    if _bare(evidence):
        return FileCredential.UNDECIDED
    return FileCredential.INTACT if own.binding is Binding.MATCH else FileCredential.MISMATCH


def _bare(evidence: Evidence) -> bool:
    """Whether the file is a manifest store and nothing else."""
    return evidence.asset.media_type == STORE_TYPE and evidence.source is Source.EMBEDDED


def _content(evidence: Evidence, registered: Appraisal | None) -> Content:
    found = evidence.candidate
    if found is None:
        return Content.UNDECIDED if "fit" in evidence.undecided else Content.UNCHECKED
    if registered is None or not registered.sound:
        return Content.UNPROVEN
    if found.how == "mark" and evidence.mark.binding not in registered.manifest.bindings:
        return Content.UNPROVEN  # the registry names this asset for the mark, its signed claim does not
    return found.content


def _owner(evidence: Evidence) -> Owner:
    if "mark" in evidence.undecided:
        return Owner.UNDECIDED
    return marks.owner(evidence.mark.binding, evidence.owners, evidence.credential)


def _revoked(signers: Sequence[Appraisal], evidence: Evidence, *, recovered: bool) -> bool:
    withdrawn = evidence.candidate.withdrawn if recovered and evidence.candidate is not None else evidence.withdrawn
    return withdrawn or any(one.revocation.state == "revoked" for one in signers)


def _signers(
    shown: Appraisal | None, chain: Credential | None, weigh: Callable[[Credential, Manifest], Appraisal]
) -> Sequence[Appraisal]:
    """The manifest that counts and, as long as it only updates another without touching the content, that one too."""
    if shown is None or chain is None:
        return (shown,) if shown else ()
    signers, seen = [shown], {shown.manifest.id}
    while signers[-1].manifest.is_update:
        parents = (i.manifest_id for i in signers[-1].manifest.ingredients if i.relationship == "parentOf" and i.manifest_id)
        parent = chain.manifests.get(next(parents, ""))
        if parent is None or parent.id in seen:
            break
        seen.add(parent.id)
        signers.append(weigh(chain, parent))
    return signers


def _chain(shown: Appraisal | None, evidence: Evidence, found: Candidate | None) -> Credential | None:
    """The credential whose history is told: the one that counts."""
    if shown is None:
        return None
    for credential in (evidence.credential, found.credential if found else None):
        if isinstance(credential, Credential) and credential.manifests.get(shown.manifest.id) is shown.manifest:
            return credential
    return None


def _credential_facts(shown: Appraisal | None, evidence: Evidence, *, recovered: bool) -> CredentialFacts:
    if shown is None:
        if isinstance(evidence.credential, Unreadable):
            return CredentialFacts(evidence.source, signature=Signature.FAILED, codes=("general.error",))
        if isinstance(evidence.credential, Remote):
            return CredentialFacts(Source.NONE, codes=("manifest.inaccessible",))
        return CredentialFacts(Source.NONE)
    return CredentialFacts(
        source=Source.RECOVERED if recovered else evidence.source,
        manifest_id=shown.manifest.id,
        signature=shown.signature,
        binding=_binding(shown, evidence, recovered=recovered),
        trust=shown.trust,
        trust_list=shown.trust_list,
        revocation=shown.revocation,
        time=shown.time,
        signer=shown.signer,
        codes=_codes(shown, recovered=recovered),
        found_by=evidence.candidate.how if recovered and evidence.candidate else None,
    )


def _codes(shown: Appraisal, *, recovered: bool) -> tuple[str, ...]:
    """Status codes (2.5 Annex D): the library's for what was hashed and compared, ours for trust and time."""
    results = shown.manifest.results
    theirs = [c.code for c in (*results.failure, *results.success) if not c.code.startswith(REPLACED)]
    if recovered:
        # Read without its asset, so the library could not compare; these bytes are not the ones that were signed.
        theirs = [c for c in theirs if not c.endswith("Hash.mismatch")] + ["assertion.dataHash.mismatch"]
    trust = {
        Trust.TRUSTED: "signingCredential.trusted",
        Trust.UNTRUSTED: "signingCredential.untrusted",
        Trust.EXPIRED: "claimSignature.outsideValidity",
    }[shown.trust]
    stamp = {"trusted": ["timeStamp.trusted"], "untrusted": ["timeStamp.untrusted"], "invalid": ["timeStamp.mismatch"]}
    return tuple(dict.fromkeys((trust, *stamp.get(shown.time.state, ()), *theirs)))


def _binding(shown: Appraisal, evidence: Evidence, *, recovered: bool) -> Binding:
    if recovered:
        return Binding.MISMATCH
    return Binding.UNCHECKED if _bare(evidence) else shown.binding


def _mark_facts(evidence: Evidence) -> MarkFacts:
    read, facts = evidence.mark, MarkFacts(found=False)
    if read.binding is not None:
        facts = MarkFacts(
            found=True,
            alg=read.binding.alg,
            value=read.binding.value,
            p_false=read.p_false,
            bit_errors=read.bit_errors,
            spans=read.spans,
            speed=read.speed,
        )
    copy = evidence.candidate
    if copy is None:
        return facts
    return replace(facts, fit=copy.fit, covered=_share(copy.coverage), shown=_share(copy.kept), transform=copy.pose)


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _history(chain: Credential, weigh: Callable[[Credential, Manifest], Appraisal], *, whole: bool) -> tuple[HistoryStep, ...]:
    """Every manifest of the chain, weighed afresh; what its taker recorded stands beside what is found now.

    Args:
        whole: Whether the chain was read with its asset; without, its hard binding says nothing.
    """
    recorded = {
        i.manifest_id: tuple(c.code for c in i.ingest.failure)
        for m in chain.manifests.values()
        for i in m.ingredients
        if i.manifest_id and i.ingest
    }
    steps = []
    for manifest, relationship in chain.lineage():
        weighed = weigh(chain, manifest)
        ancestor = relationship is not None
        faults = list(weighed.faults)
        if weighed.signature is Signature.FAILED:
            faults.append("claimSignature.mismatch")
        if weighed.revocation.state == "revoked":
            faults.append("signingCredential.ocsp.revoked")
        if weighed.binding is Binding.MISMATCH and not ancestor and whole:
            faults.append("assertion.dataHash.mismatch")
        steps.append(
            HistoryStep(
                manifest_id=manifest.id,
                action=manifest.actions[0].name if manifest.actions else "",
                signer=weighed.signer.name if weighed.signer else manifest.issuer,
                trust=str(weighed.trust),
                at=weighed.time.at,
                relationship=relationship,
                faults=tuple(dict.fromkeys(faults)),
                ingest_faults=recorded.get(manifest.id, ()),
            )
        )
    return tuple(steps)


def _told(labels: tuple[str, ...], word: Status) -> tuple[str, ...]:
    """What happened to content that is no longer what was signed, nobody stated."""
    if word in (Status.TRUSTED, Status.VALID, Status.RECOVERED):
        return labels
    return tuple(label for label in labels if label.startswith("inception:"))


def _asset(evidence: Evidence, layers: Layers) -> AssetFacts:
    facts, found = evidence.asset, evidence.candidate
    if facts.id is None and found is not None and layers.content in (Content.FITS, Content.CHANGED):
        return AssetFacts(facts.sha256, facts.media_type, found.asset_id, facts.width, facts.height, facts.duration_ms)
    return facts


def _not_checked(evidence: Evidence, shown: Appraisal | None) -> tuple[str, ...]:
    missing = list(evidence.not_checked)
    if shown is not None and shown.revocation.state == "not_checked":
        missing.append("revocation.ocsp")
    if isinstance(evidence.credential, Remote):
        missing.append("credential.remote")
    if not evidence.mark.looked:
        missing.append("mark")
    return tuple(dict.fromkeys(missing))


def _given(evidence: Evidence) -> Mapping[str, Any]:
    """What the registry said, and whether marks were looked for."""
    found = evidence.candidate
    return {
        "marks": evidence.mark.looked,
        "revocations": {leaf: record.at for leaf, record in sorted((evidence.revocations or {}).items())},
        "stamps": {label: hashlib.sha256(token).hexdigest() for label, token in sorted((evidence.stamps or {}).items())},
        "withdrawn": evidence.withdrawn or (found is not None and found.withdrawn),
        "owners": sorted(evidence.owners),
        "registered": found.manifest_id if found is not None else None,
    }


def _digests(lists: Sequence[TrustList]) -> Mapping[str, tuple[str, ...]]:
    def of(kind: ListKind) -> tuple[str, ...]:
        return tuple(sorted(entry.digest for entry in lists if entry.kind is kind))

    digests: dict[str, Any] = {"signer": of(ListKind.SIGNER), "tsa": of(ListKind.TSA)}
    return digests
