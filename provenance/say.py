"""Verdicts in plain words: one sentence, then the reasons. Pure; the only place where they are worded.

What was signed, by whom, whether it changed, what is unknown: never whether the content is true.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from provenance import contradictions, marks, partly
from provenance.credential import Credential, Remote, Unreadable
from provenance.status import Content, FileCredential, Layers, Owner
from provenance.verdict import Binding, HistoryStep, Reason, Signature, Status, Trust

if TYPE_CHECKING:
    from provenance.appraisal import Appraisal
    from provenance.judge import Evidence

_THING = {"image": "picture", "video": "video", "audio": "recording", "application": "document"}
_KIND = {
    "capturedMedia": "as taken with a camera",
    "capturedMediaStitched": "as stitched from camera shots",
    "fullyGenAIMedia": "as wholly made with generative AI",
    "partlyGenAICreation": "as partly made with generative AI",
    "nonGenAIDigitalCreation": "as made with software",
    "screenCaptureMayContainGenAI": "as a screen capture",
    "compositionMayContainGenAI": "as a composition",
}


_GAP_S = 2.0
_LOST = {
    FileCredential.ABSENT: "This copy lost its credential.",
    FileCredential.MISMATCH: "This copy was encoded anew, and its credential no longer matches its bytes.",
    FileCredential.DAMAGED: "The credential in this copy is damaged.",
    FileCredential.UNDECIDED: "This copy's own credential could not be read.",
    FileCredential.INTACT: "",
}


def _registered(evidence: Evidence) -> str:
    """What a registered asset is called, that something in this file led to."""
    heard = evidence.mark.binding is not None and ".audio." in evidence.mark.binding.alg
    kind = "audio" if heard else (evidence.asset.media_type or "").split("/")[0]
    return _THING.get(kind, "picture")


def summary(word: Status, layers: Layers, shown: Appraisal | None, evidence: Evidence, labels: Sequence[str]) -> str:
    """One sentence or two for a person in a hurry."""
    thing = _THING.get((evidence.asset.media_type or "").split("/")[0], "file")
    who = _who(shown)
    kind = next((_KIND[s.removeprefix("inception:")] for s in labels if s.removeprefix("inception:") in _KIND), "")
    if thing == "recording" and kind == _KIND["capturedMedia"]:
        kind = "as recorded with a microphone"
    described = f", described {kind}" if kind else ""
    if word is Status.TRUSTED:
        return f"This {thing} carries an intact credential signed by {who}{described}. Nothing changed since."
    if word is Status.VALID:
        return (
            f"This {thing} carries an intact credential that names {who}{described}. "
            "Nothing changed since, but the signer's identity can't be verified."
        )
    if word is Status.RECOVERED:
        led = f"{_trail_word(evidence)} leads to a {_registered(evidence)}"
        return f"{_lost(layers, evidence)} {led} signed by {who}; {_fits(evidence)}"
    if word is Status.ALTERED:
        return _altered(thing, who, layers, evidence)
    if word is Status.CONFLICT:
        return f"What this {thing} carries contradicts itself. {_conflict(layers, evidence)}"
    if word is Status.REVOKED:
        what = "was withdrawn" if evidence.withdrawn or (evidence.candidate and evidence.candidate.withdrawn) else ""
        return f"The credential of this {thing}, signed by {who}, {what or 'was signed with a revoked certificate'}."
    if word is Status.INVALID:
        return f"{_invalid(thing, shown, evidence)}, and nothing else led to its origin."
    if word is Status.UNKNOWN:
        return f"It could not be decided what is known of this {thing}."
    if not evidence.mark.looked:
        return f"No credential was found in this {thing}, and no mark was looked for. That proves nothing either way."
    return f"No credential and no mark were found in this {thing}. That proves nothing either way."


def reasons(
    layers: Layers,
    word: Status,
    own: Appraisal | None,
    registered: Appraisal | None,
    evidence: Evidence,
    history: Sequence[HistoryStep],
) -> tuple[Reason, ...]:
    """Why, in the order in which a person would ask."""
    counts = own if layers.credential is FileCredential.INTACT else registered or own
    found = [
        *_credential(layers, own, evidence),
        *_candour(counts),
        *_mark(layers, evidence),
        *marks.say(evidence.others, evidence.credential),
        *_content(layers, registered, evidence),
        *_trust(counts),
        *_ancestors(history),
        *_budget(evidence),
    ]
    return tuple(dict.fromkeys(Reason(code, text) for code, text in found))


def _who(shown: Appraisal | None) -> str:
    if shown is None or shown.signer is None:
        return "an unnamed signer"
    when = f" on {shown.time.at:%-d %B %Y, %H:%M} UTC" if shown.time.at else ""
    named = "development" in shown.signer.name.lower()
    note = " (development certificate)" if shown.signer.development and not named else ""
    return f"{shown.signer.name}{note}{when}"


def _lost(layers: Layers, evidence: Evidence) -> str:
    if evidence.candidate is not None and evidence.candidate.how == "fingerprint":
        return "This file carries no credential of its own."  # nothing says that it ever did
    return _LOST[layers.credential]


def _trail_word(evidence: Evidence) -> str:
    how = evidence.candidate.how if evidence.candidate else "mark"
    return {"mark": "Its invisible mark", "fingerprint": "Its fingerprint", "manifest": "What is left of it"}[how]


def _fits(evidence: Evidence) -> str:
    found = evidence.candidate
    covered, shown = (found.coverage, found.kept) if found else (None, None)
    return partly.fits(covered, shown, film=_is_film(evidence))


def _is_film(evidence: Evidence) -> bool:
    return (evidence.asset.media_type or "").startswith("video/")


def _invalid(thing: str, own: Appraisal | None, evidence: Evidence) -> str:
    """What is wrong with the file's own credential: the gravest of it."""
    if isinstance(evidence.credential, Unreadable):
        return f"A credential is in this {thing}, and it cannot be read"
    if own is not None and own.signature is Signature.FAILED:
        return f"The signature in this {thing}'s credential does not belong to its claim"
    if own is not None and own.faults:
        return f"Parts of this {thing}'s credential are not what was signed"
    if own is not None and own.trust is Trust.EXPIRED:
        why = {
            "untrusted": "the time stamp that would put it earlier comes from an authority on no list",
            "invalid": "the time stamp that would put it earlier does not hold",
        }.get(own.time.state, "no trusted time stamp says that it was signed within it")
        return f"This {thing} was signed with a certificate that is outside its validity: {why}"
    return f"There is a problem with this {thing}'s credential"


def _altered(thing: str, who: str, layers: Layers, evidence: Evidence) -> str:
    if layers.content is Content.CHANGED:
        count = len(evidence.candidate.changes) if evidence.candidate else 0
        where = f" in {count} place{'s' if count != 1 else ''}" if count else ""
        kinds = {c.kind for c in evidence.candidate.changes} if evidence.candidate else set()
        if kinds == {"overlaid"}:
            where += " by what looks like words or lines laid over it"
        return f"This {thing} comes from one signed by {who}, and it was changed{where}."
    return f"This {thing} carries a credential signed by {who}, and the content is not what was signed."


def _conflict(layers: Layers, evidence: Evidence) -> str:
    if layers.clash:
        return "Its credential says that a camera took it, and an image generator's mark is in the pixels."
    if layers.credential in (FileCredential.INTACT, FileCredential.MISMATCH) and layers.owner is Owner.REGISTERED:
        return "Its credential and its invisible mark belong to different assets."
    if layers.content is Content.UNPROVEN:
        return "The record that its mark leads to is not borne out by a signed claim."
    thing = _registered(evidence)
    shows = "holds" if thing == "recording" else "shows"
    what = "invisible mark" if layers.owner in (Owner.REGISTERED, Owner.OWN) else "credential"
    return f"Its {what} belongs to a {thing} that {shows} something else."


def _credential(layers: Layers, own: Appraisal | None, evidence: Evidence) -> Iterator[tuple[str, str]]:
    state = layers.credential
    if state is FileCredential.ABSENT:
        yield "credential.absent", "The file carries no credential; most platforms strip it."
    elif isinstance(evidence.credential, Remote):
        yield "credential.remote", "The file only points to a credential elsewhere; the address was not visited."
    elif isinstance(evidence.credential, Unreadable):
        yield "credential.unreadable", f"A credential is there and cannot be read: {evidence.credential.explanation}."
    elif own is not None:
        if own.signature is Signature.FAILED:
            yield "credential.signature", "The signature does not belong to this claim."
        if own.faults:
            yield "credential.broken", f"Parts of the credential are not what was signed: {', '.join(own.faults)}."
        if own.trust is Trust.EXPIRED:
            yield (
                "credential.expired",
                "The signer's certificate was not valid at the time that counts; no trusted stamp says it was signed before.",
            )
        if layers.credential is FileCredential.UNDECIDED:
            yield "credential.bare", "This is a credential by itself: there is no content to compare it with."
        elif own.binding is Binding.MISMATCH:
            yield "credential.mismatch", "The content is not, byte for byte, what was signed."
        elif own.sound:
            yield "credential.intact", "Signature and content hold: not a byte that was signed has changed."
        if own.identity_faults:
            yield "identity.failed", f"An identity statement in it does not hold: {', '.join(own.identity_faults)}."


def _candour(counts: Appraisal | None) -> Iterator[tuple[str, str]]:
    contradiction = contradictions.of(counts.manifest) if counts is not None and counts.sound else None
    if contradiction:
        yield "claim.contradiction", contradiction


def _mark(layers: Layers, evidence: Evidence) -> Iterator[tuple[str, str]]:
    owner = layers.owner
    if owner is Owner.OWN:
        yield "mark.own", "The invisible mark is the one that the credential names."
    elif owner is Owner.REGISTERED and layers.credential in (FileCredential.INTACT, FileCredential.MISMATCH):
        yield "mark.other", "The invisible mark belongs to another asset than the credential or any of its parents."
    elif owner is Owner.REGISTERED:
        yield "mark.found", "An invisible mark was read that belongs to a registered asset."
    elif owner is Owner.UNREGISTERED:
        yield "mark.unregistered", "An invisible mark was read that this registry does not know."
    elif owner is Owner.NONE and evidence.mark.looked:
        claims = isinstance(evidence.credential, Credential) and evidence.credential.manifest.bindings
        if claims:
            yield "mark.missing", "The credential names an invisible mark that was not found."
        else:
            yield "mark.absent", "No invisible mark of ours was found."
        if evidence.mark.too_short:
            yield "mark.short", "This file is too short, or too silent, to hold a mark."
    gaps = [span for span in evidence.mark.spans if not span.marked and span.end_s - span.start_s >= _GAP_S]
    if gaps:
        where = ", ".join(f"{span.start_s:.1f}–{span.end_s:.1f} s" for span in gaps[:5])
        more = f" and {len(gaps) - 5} more" if len(gaps) > 5 else ""
        yield "mark.gaps", f"The mark runs through this file except at {where}{more}: replaced, or nothing there to carry it."
    if evidence.generator is not None:
        yield (
            "generator.mark",
            f"A mark as {evidence.generator.name} leaves it was read (p = {evidence.generator.p_value:.0e}): a hint, no proof.",
        )


def _content(layers: Layers, registered: Appraisal | None, evidence: Evidence) -> Iterator[tuple[str, str]]:
    found, state, thing = evidence.candidate, layers.content, _registered(evidence)
    if state is Content.FITS:
        yield (
            "content.fits",
            f"The content fits the registered {thing} ({_percent(found.fit if found else None)} agrees).",
        )
    elif state is Content.CHANGED:
        yield "content.changed", f"Parts of the content do not agree with the registered {thing}; see where."
    elif state is Content.UNDECIDED and found is not None:
        yield "content.plain", f"There is too little detail in this file to compare it with the registered {thing}."
    elif state is Content.FOREIGN:
        yield "content.foreign", _foreign(thing)
    elif state is Content.UNPROVEN:
        sound = registered is not None and registered.sound
        why = "does not name this mark" if sound else "does not hold"
        yield "record.unproven", f"The registry knows the mark, but the signed claim stored for it {why}."
    if found and state in (Content.FITS, Content.CHANGED):
        yield from partly.reasons(found.coverage, found.kept, film=_is_film(evidence))


def _foreign(thing: str) -> str:
    if thing == "recording":
        return "The sound is not what the registered recording holds."
    return f"The content does not show what the registered {thing} shows."


def _trust(appraisal: Appraisal | None) -> Iterator[tuple[str, str]]:
    if appraisal is None or not appraisal.sound:
        return
    if appraisal.trust is Trust.TRUSTED:
        yield "signer.trusted", f"The signer is on a trust list: {appraisal.trust_list}."
    else:
        yield "signer.unlisted", f"The signer is on no trust list: {appraisal.trust_reason or 'no path to an anchor'}."
    if appraisal.signer and appraisal.signer.development:
        yield "signer.development", "The certificate is a development one: it names nobody."
    if appraisal.time.state == "absent":
        yield "time.absent", "No time stamp: when it was signed is the signer's word."
    elif appraisal.time.state != "trusted":
        yield "time.untrusted", "Its time stamp comes from an authority that is on no list, or does not hold."
    if appraisal.revocation.state == "revoked":
        yield "signer.revoked", "The signer's certificate was revoked."


def _ancestors(history: Sequence[HistoryStep]) -> Iterator[tuple[str, str]]:
    for step in history[1:]:
        if step.faults:
            yield "history.fault", f"An earlier step ({step.manifest_id}) fails now: {', '.join(step.faults)}."
        elif serious(step.ingest_faults):
            yield (
                "history.ingest",
                f"An earlier step ({step.manifest_id}) failed when it was taken in: {', '.join(serious(step.ingest_faults))}.",
            )


def serious(codes: Sequence[str]) -> tuple[str, ...]:
    """What a taker's record of an ingredient tells a reader: whom its tool trusted then is not among it."""
    return tuple(c for c in codes if c != "signingCredential.untrusted")


def _budget(evidence: Evidence) -> Iterator[tuple[str, str]]:
    for part in sorted(evidence.undecided):
        yield f"undecided.{part}", f"Looking at the {part} took longer than it may and was stopped."


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{share:.0%}"
