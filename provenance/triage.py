"""Triage: how soon a person should look at a file, from its verdict. Pure.

The score orders a desk's queue; it says nothing about whether what a file shows is so, and absence of a credential is no
suspicion. Each finding has a weight w, and the score is 1 − Π (1 − w): more findings never lower it, none decides alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LOW, MEDIUM, HIGH = "low", "medium", "high"
_MEDIUM_FROM, _HIGH_FROM = 0.3, 0.6
_LARGE_SHARE = 0.02  # of the picture: what a face takes in a group photo

# what the status alone asks for
_STATUS: Mapping[str, tuple[float, str]] = {
    "trusted": (0.0, "The credential is intact, and its signer is on a trust list."),
    "valid": (0.05, "The credential is intact; who signed is not verified."),
    "recovered": (0.05, "This copy lost its credential; what was registered fits it."),
    "none": (0.1, "Nothing is known of it. That is so of most files, and proves nothing."),
    "unknown": (0.35, "It could not be decided; asking again may do."),
    "invalid": (0.4, "Its credential fails; careless tools do that as often as people."),
    "altered": (0.45, "It is not what was signed."),
    "revoked": (0.7, "Its signer's certificate was revoked, or the signer took it back."),
    "conflict": (0.8, "Its credential, its mark and its content contradict each other."),
}
# what a reason of the verdict adds, by its code
_REASONS: Mapping[str, float] = {
    "content.foreign": 0.5,
    "content.partial": 0.2,
    "generator.mark": 0.3,
    "history.fault": 0.25,
    "identity.failed": 0.25,
    "mark.gaps": 0.25,
    "mark.missing": 0.15,
    "mark.unregistered": 0.1,
    "record.unproven": 0.2,
    "signer.development": 0.1,
    "time.untrusted": 0.15,
}
_GENERATED = frozenset({"inception:fullyGenAIMedia", "inception:partlyGenAICreation", "transformation:perceptibleGenAI"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that asks for a look; `weight` from 0 to 1."""

    code: str
    say: str
    weight: float


@dataclass(frozen=True, slots=True)
class Triage:
    """A place in the queue.

    Attributes:
        score: From 0, nothing asks for a look, to below 1.
        band: "low", "medium" from 0.3, "high" from 0.6.
        findings: What it comes from, the weightiest first; the status is always among them.
    """

    score: float
    band: str
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        reasons = [{"code": one.code, "say": one.say, "weight": one.weight} for one in self.findings]
        return {"score": self.score, "band": self.band, "reasons": reasons}


def triage(verdict: Mapping[str, Any]) -> Triage:
    """Return the place in the queue of a file with this verdict (`Verdict.as_dict()`)."""
    findings = tuple(sorted(_findings(verdict), key=lambda one: -one.weight))
    calm = 1.0
    for one in findings:
        calm *= 1 - one.weight
    score = round(1 - calm, 2)
    return Triage(score, HIGH if score >= _HIGH_FROM else MEDIUM if score >= _MEDIUM_FROM else LOW, findings)


def _findings(verdict: Mapping[str, Any]) -> Iterator[Finding]:
    weight, say = _STATUS[verdict["status"]]
    yield Finding(f"status.{verdict['status']}", say, weight)
    for reason in verdict["reasons"]:
        if reason["code"] in _REASONS:
            yield Finding(reason["code"], reason["say"], _REASONS[reason["code"]])
    yield from _changes(verdict["changes"])
    if _GENERATED & set(verdict["signals"]):
        yield Finding("claim.generated", "Its signed claim says that it was generated, wholly or partly: show that.", 0.0)


def _changes(changes: Any) -> Iterator[Finding]:
    """A caption is what people add every day; other content in the place of what was signed is what a desk must see."""
    written = [one for one in changes if one["kind"] == "overlaid"]
    other = [one for one in changes if one["kind"] != "overlaid"]
    if other:
        share = min(1.0, sum(one["w"] * one["h"] for one in other))
        weight = 0.4 if share >= _LARGE_SHARE else 0.25
        yield Finding("changes.replaced", f"Other content is in {_regions(other)} of what was signed.", weight)
    elif written:
        yield Finding("changes.overlaid", f"What was added to {_regions(written)} looks like words or lines.", 0.0)


def _regions(changes: list[Any]) -> str:
    return "one region" if len(changes) == 1 else f"{len(changes)} regions"
