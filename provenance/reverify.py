"""What is another in a verdict than it was, and why: today's evidence judged with yesterday's inputs, one at a time. Pure.

An input that changed is a cause if the verdict goes back, wholly or in part, when that input alone is put back. What cannot be
put back (a library of another version, a list that is no longer at hand) is named as a possible cause of what stays unexplained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from keys.trust import ListKind, TrustList
from provenance.judge import Evidence, judge
from provenance.sdk import VALIDATOR
from provenance.verdict import Verdict

# What a difference is told of; the asset itself, sentences, reasons and inputs follow from these.
_WATCHED = (
    "status",
    *(f"credential.{name}" for name in ("source", "manifest_id", "signature", "binding", "trust", "trust_list")),
    "credential.revocation.state",
    "credential.time.state",
    "mark.found",
    "mark.value",
    "signals",
    "changes",
    "history",
    "not_checked",
)
_SAY = {
    "time": "Judged at another instant: what was valid then may have ended, or the other way round.",
    "trust lists": "The trust lists are others now.",
    "revocation": "Since then the registry learnt that a certificate of this file's signers was revoked.",
    "withdrawal": "The asset was withdrawn since.",
    "time stamp": "The registry got a time stamp since that says when it was signed.",
    "registry": "The registry knows more (or less) of this file than it did then.",
    "library": "Another version of the library that reads credentials was used.",
    "policy": "The rules of judging are others now.",
    "looking": "Not the same was looked for: with or without marks, or with other keys or detectors.",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is another now."""

    where: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Cause:
    """Why.

    Attributes:
        what: The input that changed.
        certain: Whether putting it back alone undid something; else it could not be put back.
        explains: Differences that it accounts for.
    """

    what: str
    certain: bool
    explains: tuple[str, ...]
    say: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A verdict beside an earlier one."""

    before: Mapping[str, Any]
    after: Verdict
    differences: tuple[Difference, ...]
    causes: tuple[Cause, ...]

    @property
    def same(self) -> bool:
        return not self.differences

    def as_dict(self) -> dict[str, Any]:
        """As HTTP and command line give it."""
        return {
            "same": self.same,
            "before": {"status": self.before.get("status"), "inputs": self.before.get("inputs")},
            "differences": [asdict(one) for one in self.differences],
            "causes": [{**asdict(one), "explains": list(one.explains)} for one in self.causes],
            "verdict": self.after.as_dict(),
        }


def compare(before: Mapping[str, Any], after: Verdict, evidence: Evidence, lists: Sequence[TrustList]) -> Comparison:
    """Compare a verdict with an earlier one on the same bytes, as JSON gave it.

    Args:
        evidence: What the new verdict was judged on.
        lists: The lists that it was judged with.
    Raises:
        ValueError: the earlier one is no verdict, or on other bytes.
    """
    inputs, asset = before.get("inputs"), before.get("asset")
    if not isinstance(inputs, Mapping) or not isinstance(asset, Mapping) or "at" not in inputs:
        raise ValueError("not a verdict: it has no inputs")
    if asset.get("sha256") != after.asset.sha256:
        raise ValueError("that verdict was on other bytes")
    now = after.as_dict()
    differences = tuple(_differences(before, now))
    return Comparison(before, after, differences, _causes(before, now, after, evidence, lists, differences))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    pairs = ((where, _at(before, where), _at(now, where)) for where in _WATCHED)
    return [Difference(where, old, new) for where, old, new in pairs if old != new]


def _causes(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    after: Verdict,
    evidence: Evidence,
    lists: Sequence[TrustList],
    differences: Sequence[Difference],
) -> tuple[Cause, ...]:
    open_ = {one.where for one in differences}
    causes: list[Cause] = []
    for what, put_back in _put_back(before["inputs"], evidence, lists, after.inputs.at).items():
        restored = _restored(before, put_back().as_dict(), differences)
        if restored:
            causes.append(Cause(what, True, restored, _SAY[what]))
            open_ -= set(restored)
    possible = _possible(before["inputs"], now["inputs"]) if open_ else ()
    if open_ and not possible:
        possible = ("registry",)
    left = tuple(one.where for one in differences if one.where in open_)
    return (*causes, *(Cause(what, False, left, _SAY[what]) for what in possible))


def _restored(before: Mapping[str, Any], other: Mapping[str, Any], differences: Sequence[Difference]) -> tuple[str, ...]:
    return tuple(one.where for one in differences if _at(other, one.where) == _at(before, one.where))


def _put_back(
    inputs: Mapping[str, Any], evidence: Evidence, lists: Sequence[TrustList], at: datetime
) -> dict[str, Callable[[], Verdict]]:
    """A verdict for each input that changed and can be put back alone."""

    def again(evidence: Evidence = evidence, lists: Sequence[TrustList] = lists, at: datetime = at) -> Verdict:
        return judge(evidence, lists=lists, at=at, validator=VALIDATOR)

    found: dict[str, Callable[[], Verdict]] = {}
    then = _instant(str(inputs["at"]))
    if then != at.replace(microsecond=0):
        found["time"] = lambda: again(at=then)
    old = _lists_of(inputs, lists)
    if old is not None and len(old) != len(lists):
        found["trust lists"] = lambda: again(lists=old)
    known = _mapping(inputs.get("given"))
    revocations = {leaf: record for leaf, record in (evidence.revocations or {}).items() if leaf in known.get("revocations", {})}
    if len(revocations) != len(evidence.revocations or {}):
        found["revocation"] = lambda: again(replace(evidence, revocations=revocations))
    if evidence.withdrawn or (evidence.candidate is not None and evidence.candidate.withdrawn):
        candidate = replace(evidence.candidate, withdrawn=False) if evidence.candidate else None
        found["withdrawal"] = lambda: again(replace(evidence, withdrawn=False, candidate=candidate))
    stamps = {label: token for label, token in (evidence.stamps or {}).items() if label in known.get("stamps", {})}
    if len(stamps) != len(evidence.stamps or {}):
        found["time stamp"] = lambda: again(replace(evidence, stamps=stamps))
    return found


def _lists_of(inputs: Mapping[str, Any], lists: Sequence[TrustList]) -> Sequence[TrustList] | None:
    """The lists of an earlier verdict, if all of them are at hand."""
    named = inputs.get("trust_lists")
    if not isinstance(named, Mapping):
        return None
    wanted = {
        *((ListKind.SIGNER, digest) for digest in named.get("signer", ())),
        *((ListKind.TSA, digest) for digest in named.get("tsa", ())),
    }
    found = [one for one in lists if (one.kind, one.digest) in wanted]
    return found if len(found) == len(wanted) else None


def _possible(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Inputs that changed and cannot be put back."""
    given = [_mapping(one.get("given")) for one in (then, now)]
    changed = {
        "library": then.get("validator") != now["validator"],
        "policy": then.get("policy") != now["policy"],
        "trust lists": then.get("trust_lists") != now["trust_lists"],
        "looking": any(given[0].get(name) != given[1].get(name) for name in ("marks", "detectors")) and bool(given[0]),
        "registry": any(given[0].get(name) != given[1].get(name) for name in ("owners", "registered")) and bool(given[0]),
    }
    return tuple(what for what, is_so in changed.items() if is_so)


def _at(document: Any, where: str) -> Any:
    for name in where.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    if where == "history" and isinstance(document, list):  # of each step, what can change
        return [
            [step.get("manifest_id"), step.get("trust"), step.get("faults")] for step in document if isinstance(step, Mapping)
        ]
    return document


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise ValueError("not a verdict: its instant cannot be read") from error
