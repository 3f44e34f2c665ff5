"""A verdict in words: a paragraph for one file, a line in a table for many, the whole account for `explain`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from api.cli.terminal import Cell, Row, status_style
from api.cli.words import chance, clock, count, moment, percent, place, places, sentence, short
from provenance import partly
from provenance.say import serious
from provenance.verdict import (
    Change,
    CredentialFacts,
    Declared,
    FoundMark,
    HistoryStep,
    Inputs,
    MarkFacts,
    Signature,
    Source,
    Trust,
    Verdict,
)

_TRUST = {
    Trust.TRUSTED: "on a trust list",
    Trust.UNTRUSTED: "on no trust list: identity not verified",
    Trust.EXPIRED: "certificate outside its validity, with no trusted time stamp to say that it was signed before",
}
_SOURCE = {
    Source.EMBEDDED: "in the file",
    Source.SIDECAR: "in the sidecar",
    Source.REGISTRY: "in the registry, of exactly this file",
    Source.RECOVERED: "recovered: not in this file, found in the registry",
    Source.NONE: "none",
}
_TIME = {
    "untrusted": "a time stamp is there, of an authority on no trust list",
    "invalid": "a time stamp is there and does not hold",
    "absent": "no time stamp",
}
_UNCHECKED = {
    "revocation.ocsp": "nobody was asked whether the certificate was revoked",
    "credential.remote": "the file points to a credential elsewhere, which was not fetched",
    "mark": "no invisible mark was looked for",
}
_OWNER = {
    "own": "the credential, or one that it was made from, names it",
    "registered": "the mark of another registered asset",
    "unregistered": "a mark that this registry does not know",
}
_REVOCATION = {"good": "not revoked", "revoked": "revoked", "not_checked": "not checked"}


def facts(verdict: Verdict) -> Iterator[Row]:
    """The few lines under the summary of one file: signer, time, mark, where it changed, what nobody looked at."""
    yield from _signer(verdict.credential)
    if verdict.mark.found:
        yield Row("mark", _mark(verdict.mark))
    yield from (Row("also marked", _also(one)) for one in verdict.marks[1:])
    yield from (Row("generator", reason.say) for reason in verdict.reasons if reason.code == "generator.mark")
    if verdict.changes:
        yield Row("changed", places(verdict.changes), "bad")
    if len(verdict.history) > 1:
        yield Row("history", _history_line(verdict.history))
    if verdict.not_checked:
        yield Row("not checked", ", ".join(verdict.not_checked))


def row(name: str, verdict: Verdict) -> tuple[Cell, ...]:
    """Status, file, and in a line what there is to it, for a table of many."""
    return (Cell(verdict.status, status_style(verdict.status)), Cell(name), Cell(_in_a_line(verdict)))


def _in_a_line(verdict: Verdict) -> str:
    signer = verdict.credential.signer
    if signer is None:
        return sentence(verdict.summary)
    when = f", {_time(verdict.credential)}" if verdict.credential.time.state == "trusted" else ""
    where = f"; changed: {places(verdict.changes)}" if verdict.changes else ""
    return f"signed by {signer.name}{when}{where}"


def credential(facts_: CredentialFacts) -> Iterator[Row]:
    """Every layer of the credential by itself."""
    yield Row("credential", _SOURCE[facts_.source])
    if facts_.source is Source.NONE:
        return
    if facts_.manifest_id:
        yield Row("manifest", facts_.manifest_id)
    if facts_.signature:
        yield Row("signature", facts_.signature)
    if facts_.binding:
        yield Row("content hash", facts_.binding)
    yield from _signer(facts_)
    if facts_.trust:
        listed = f" ({facts_.trust_list})" if facts_.trust_list else ""
        yield Row("trust", _TRUST[facts_.trust] + listed)
    revocation = facts_.revocation
    source = f", by {revocation.source}" if revocation.source else ""
    yield Row("revocation", _REVOCATION.get(revocation.state, revocation.state) + source)


def mark(facts_: MarkFacts, *, looked: bool = True) -> Iterator[Row]:
    """What was read from the pixels or samples, with its evidence."""
    if not facts_.found:
        yield Row("mark", "none found" if looked else "not looked for")
        return
    yield Row("mark", _mark(facts_))
    if facts_.bit_errors is not None:
        yield Row("bit errors", str(facts_.bit_errors))
    if facts_.speed is not None and abs(facts_.speed - 1) >= 0.001:
        yield Row("since marking", f"played at {facts_.speed:.3f} × the speed")
    if facts_.spans:
        marked = ", ".join(f"{clock(s.start_s)}–{clock(s.end_s)}" for s in facts_.spans if s.marked)
        yield Row("carried at", marked or "no stretch of half a second by itself")
    if part := partly.told(facts_.covered, facts_.shown):
        shares = {"covered": "covers {} of this file", "shown": "{} of it is shown"}
        yield Row("what was signed", ", ".join(shares[name].format(partly.about(share)) for name, share in part.items()))
    if facts_.transform:
        pose = facts_.transform
        flipped = ", mirrored" if pose.flipped else ""
        yield Row("since marking", f"scaled × {pose.scale:.3g}, turned {pose.rotation_deg:.1f}°{flipped}")


def history(steps: tuple[HistoryStep, ...]) -> Iterator[Row]:
    """The manifests of the store, newest first, with the faults of each."""
    for step in steps:
        when = f", {moment(step.at)}" if step.at else ""
        who = step.signer or "unknown signer"
        told = f"{who}, {step.trust}{when}"
        if step.faults:
            told += f"; faults: {', '.join(step.faults)}"
        if noted := serious(step.ingest_faults):
            told += f"; faults noted when it was taken in: {', '.join(noted)}"
        yield Row(step.action, told, "bad" if step.faults else "")


def changes(boxes: tuple[Change, ...]) -> list[Row]:
    """Each region: where it is, how large, how much it differs."""
    return [Row(place(box), f"{_extent(box)}, score {box.score:.2f}") for box in boxes]


def _extent(box: Change) -> str:
    if box.start_s is not None and box.end_s is not None:
        return f"{box.end_s - box.start_s:.1f} s, {box.kind}"
    return f"{percent(box.w * box.h)} of the picture"


def declared(said: Declared) -> Iterator[Row]:
    """Who stands behind it besides the signer, what machines may do with it, who consented."""
    for one in said.identities:
        if one.signature is None:
            yield Row("identity", f"of the kind {one.kind}, which is not looked at here")
            continue
        listed = f"on a list ({one.trust_list})" if one.trust_list else "on no identity list: not verified"
        held = "" if one.signature is Signature.VERIFIED else "; its signature does not hold"
        yield Row("identity", f"{one.name}, {listed}{held}" + (f", as {', '.join(one.roles)}" if one.roles else ""))
    for word in dict.fromkeys(said.training.values()):
        uses = ", ".join(use.removeprefix("cawg.") for use, chosen in said.training.items() if chosen == word)
        yield Row("learning", f"{_LEARNING[word]}: {uses}")
    for agreed in said.consents:
        yield Row("consent", f"given {agreed.given} for {', '.join(agreed.uses)} (record {short(agreed.record)})")


_LEARNING = {"allowed": "allowed", "notAllowed": "not allowed", "constrained": "allowed under conditions"}


def unchecked(item: str) -> str:
    """What nobody looked at, and why that matters."""
    return f"{item}: {_UNCHECKED[item]}" if item in _UNCHECKED else item


def inputs(given: Inputs) -> list[Row]:
    """What the verdict rests on besides the file: the same again gives the same verdict."""
    lists = [
        Row(f"{kind} lists", ", ".join(short(digest, 23) for digest in digests))
        for kind, digests in given.trust_lists.items()
        if digests
    ]
    return [Row("as of", moment(given.at)), Row("with", f"{given.validator}, policy {given.policy}"), *lists]


def _signer(facts_: CredentialFacts) -> Iterator[Row]:
    if facts_.signer:
        own = ", a development certificate: it proves nobody's identity" if facts_.signer.development else ""
        yield Row("signed by", facts_.signer.name + own)
        yield Row("signed at", _time(facts_))


def _time(facts_: CredentialFacts) -> str:
    if facts_.time.state == "trusted" and facts_.time.at:
        return moment(facts_.time.at)
    return _TIME.get(facts_.time.state, facts_.time.state)


def _also(one: FoundMark) -> str:
    whose = _OWNER.get(one.owner, one.owner)
    if one.part is None:
        return f"{one.value}: {whose}"
    x, y, w, h = one.part
    return f"{one.value}, {place(Change(x, y, w, h, score=1.0))}: {whose}"


def _mark(facts_: MarkFacts) -> str:
    parts = [facts_.alg or "of an unknown kind"]
    if facts_.value:
        parts[0] += f" {facts_.value}"
    if facts_.p_false is not None:
        parts.append(f"chance of a false reading {chance(facts_.p_false)}")
    if facts_.fit is not None:
        parts.append(f"{percent(facts_.fit)} of the content agrees")
    return ", ".join(parts)


def _history_line(steps: tuple[HistoryStep, ...]) -> str:
    faulty = sum(bool(step.faults) for step in steps)
    told = count(len(steps), "manifest") + ": " + " ← ".join(step.action for step in steps[:5])
    return told + (f"; {faulty} with faults" if faulty else "")
