"""What a manifest store says, as plain values: the reader's report joined with the raw signed parts. Pure.

Terms are the standard's (C2PA 2.5 §2): manifest, claim, assertion, ingredient, action. No trust is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provenance.jumbf import Sealed

SOFT_BINDING = "c2pa.soft-binding"


@dataclass(frozen=True, slots=True)
class Code:
    """One validation entry: a status code of C2PA 2.5 Annex D, the part it speaks of, the reader's words."""

    code: str
    url: str = ""
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    success: tuple[Code, ...] = ()
    informational: tuple[Code, ...] = ()
    failure: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class SoftBinding:
    alg: str
    value: str


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    source_type: str | None = None
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Ingredient:
    relationship: str
    title: str | None
    manifest_id: str | None  # None: an ingredient without a credential
    ingest: Results | None  # as recorded by the claim generator that took it in


@dataclass(frozen=True, slots=True)
class Manifest:
    id: str
    generator: str
    title: str | None
    actions: tuple[Action, ...]
    all_actions_included: bool
    bindings: tuple[SoftBinding, ...]
    ingredients: tuple[Ingredient, ...]
    issuer: str | None
    common_name: str | None
    sealed: Sealed | None  # None: the signature could not be taken apart
    results: Results  # of this manifest alone; an ancestor's hard binding is not part of it

    @property
    def is_update(self) -> bool:
        """Whether it says something of a manifest before it and binds no content of its own (C2PA 2.5 §11.4)."""
        return self.sealed is not None and not any(label.startswith("c2pa.hash.") for label in self.sealed.assertions)


@dataclass(frozen=True, slots=True)
class Credential:
    """A manifest store that could be read, valid or not."""

    active: str
    manifests: Mapping[str, Manifest]
    deltas: tuple[Code, ...]  # failures found now in ingredients that their recorded results do not have
    store: bytes
    embedded: bool

    @property
    def manifest(self) -> Manifest:
        return self.manifests[self.active]

    def lineage(self) -> Iterator[tuple[Manifest, str | None]]:
        """The active manifest, then every ancestor once, with the relationship that led to it."""
        waiting: list[tuple[str, str | None]] = [(self.active, None)]
        seen: set[str] = set()
        while waiting:
            label, relationship = waiting.pop(0)
            manifest = self.manifests.get(label)
            if label in seen or manifest is None:
                continue
            seen.add(label)
            yield manifest, relationship
            waiting += [(i.manifest_id, i.relationship) for i in manifest.ingredients if i.manifest_id]

    def edges(self) -> tuple[tuple[str, str, str], ...]:
        """What the manifests of the store say of each other, at every depth: child, parent, relationship."""
        found = (
            (label, i.manifest_id, i.relationship or "parentOf")
            for label, manifest in self.manifests.items()
            for i in manifest.ingredients
            if i.manifest_id and i.manifest_id != label
        )
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A credential is there and cannot be read; `kind` is the library's error class."""

    kind: str
    explanation: str

    @property
    def unsupported(self) -> bool:
        """The container is one that the library cannot read at all: then nothing is known of a credential."""
        return self.kind == "C2paNotSupported"


@dataclass(frozen=True, slots=True)
class Remote:
    """The file carries only a pointer to a credential; nobody followed it."""

    url: str


def assemble(
    report: Mapping[str, Any],
    parts: Mapping[str, Sealed],
    ancestors: Mapping[str, Results],
    *,
    store: bytes,
    embedded: bool,
) -> Credential:
    """Join the reader's report of a whole store with the raw parts and the fresh results of each ancestor."""
    active = str(report["active_manifest"])
    results = report.get("validation_results") or {}
    own = _results(results.get("activeManifest"))
    manifests = {
        label: _manifest(label, raw, parts.get(label), own if label == active else ancestors.get(label, Results()))
        for label, raw in report.get("manifests", {}).items()
    }
    deltas = tuple(
        code for delta in results.get("ingredientDeltas") or () for code in _results(delta.get("validationDeltas")).failure
    )
    return Credential(active, manifests, deltas, store, embedded)


def results_of(report: Mapping[str, Any]) -> Results:
    """The active manifest's entries in a reader's report."""
    return _results((report.get("validation_results") or {}).get("activeManifest"))


def _manifest(label: str, raw: Mapping[str, Any], sealed: Sealed | None, results: Results) -> Manifest:
    info = (raw.get("claim_generator_info") or [{}])[0]
    generator = " ".join(str(info[k]) for k in ("name", "version") if info.get(k)) or str(raw.get("claim_generator") or "")
    actions, complete = _actions(raw)
    signature = raw.get("signature_info") or {}
    return Manifest(
        id=label,
        generator=generator,
        title=_text(raw.get("title")),
        actions=actions,
        all_actions_included=complete,
        bindings=tuple(_bindings(raw)),
        ingredients=tuple(_ingredient(i) for i in raw.get("ingredients") or ()),
        issuer=_text(signature.get("issuer")),
        common_name=_text(signature.get("common_name")),
        sealed=sealed,
        results=results,
    )


def _actions(raw: Mapping[str, Any]) -> tuple[tuple[Action, ...], bool]:
    actions: list[Action] = []
    complete = False
    for assertion in _assertions(raw, "c2pa.actions"):
        complete = complete or assertion.get("allActionsIncluded") is True
        for action in assertion.get("actions") or ():
            if isinstance(action, Mapping):
                source = action.get("digitalSourceType")
                actions.append(Action(str(action.get("action", "")), _text(source), _text(action.get("when"))))
    return tuple(actions), complete


def _bindings(raw: Mapping[str, Any]) -> Iterator[SoftBinding]:
    for assertion in _assertions(raw, SOFT_BINDING):
        for block in assertion.get("blocks") or ():
            if isinstance(block, Mapping) and isinstance(block.get("value"), str):
                yield SoftBinding(str(assertion.get("alg", "")), block["value"])


def _assertions(raw: Mapping[str, Any], label: str) -> Iterator[Mapping[str, Any]]:
    """Assertions of a label, its versions (.v2) and repeats (__1)."""
    for assertion in raw.get("assertions") or ():
        name, data = str(assertion.get("label", "")), assertion.get("data")
        base = name.split("__", 1)[0]
        if (base == label or base.startswith(label + ".v")) and isinstance(data, Mapping):
            yield data


def _ingredient(raw: Mapping[str, Any]) -> Ingredient:
    recorded = raw.get("validation_results")
    if recorded is not None:
        ingest: Results | None = _results(recorded.get("activeManifest"))
    elif raw.get("validation_status"):  # claim v1: a flat list, failures and successes together
        ingest = Results(failure=tuple(_code(c) for c in raw["validation_status"] if not _is_success(c)))
    else:
        ingest = None
    return Ingredient(str(raw.get("relationship", "")), _text(raw.get("title")), _text(raw.get("active_manifest")), ingest)


def _is_success(entry: Mapping[str, Any]) -> bool:
    code = str(entry.get("code", ""))
    return entry.get("success") is True or code.endswith(
        (".match", ".validated", ".trusted", ".notRevoked", ".insideValidity", ".accessible")
    )


def _results(raw: Mapping[str, Any] | None) -> Results:
    raw = raw or {}
    success, informational, failure = (tuple(_code(c) for c in raw.get(k) or ()) for k in ("success", "informational", "failure"))
    return Results(success, informational, failure)


def _code(raw: Mapping[str, Any]) -> Code:
    return Code(str(raw.get("code", "")), str(raw.get("url") or ""), str(raw.get("explanation") or ""))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
