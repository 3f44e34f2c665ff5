"""The official vocabulary for labels, computed from a chain of manifests: C2PA Asset Rubrics 1.0. Pure.

Two signals at most: how the asset came to be (inception), and what happened to it since (transformation).
"""

from __future__ import annotations

from collections.abc import Iterable

from provenance import actions
from provenance.credential import Action, Credential, Manifest

_INCEPTION = {
    "digitalCapture": "capturedMedia",
    "computationalCapture": "capturedMedia",
    "negativeFilm": "capturedMedia",
    "positiveFilm": "capturedMedia",
    "print": "capturedMedia",
    "compositeCapture": "capturedMediaStitched",
    "trainedAlgorithmicMedia": "fullyGenAIMedia",
    "compositeWithTrainedAlgorithmicMedia": "partlyGenAICreation",
    "compositeSynthetic": "partlyGenAICreation",
    "digitalCreation": "nonGenAIDigitalCreation",
    "digitalArt": "nonGenAIDigitalCreation",
    "algorithmicMedia": "nonGenAIDigitalCreation",
    "dataDrivenMedia": "nonGenAIDigitalCreation",
    "virtualRecording": "nonGenAIDigitalCreation",
    "softwareImage": "nonGenAIDigitalCreation",
    "composite": "compositionMayContainGenAI",
    "screenCapture": "screenCaptureMayContainGenAI",
    "empty": "blankCanvas",
}
_GENERATED = {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"}
_CAPTURED = {"capturedMedia", "capturedMediaStitched"}


def of(credential: Credential) -> tuple[str, ...]:
    """`inception:…` and, where anything followed, `transformation:…`, over the whole line of parents."""
    line = _parents(credential)
    steps = [a for m in line for a in m.actions if a.name not in (actions.CREATED, actions.OPENED)]
    return (f"inception:{_inception(line[-1])}", *_transformation(steps, all(m.all_actions_included for m in line)))


def claims_capture(signals: Iterable[str]) -> bool:
    """Whether the chain states that the content was taken with a camera."""
    return any(s.removeprefix("inception:") in _CAPTURED for s in signals)


def _parents(credential: Credential) -> list[Manifest]:
    """The active manifest and its parents; each manifest once."""
    line, label = [], credential.active
    while label in credential.manifests and credential.manifests[label] not in line:
        line.append(credential.manifests[label])
        label = next((i.manifest_id or "" for i in line[-1].ingredients if i.relationship == "parentOf"), "")
    return line


def _inception(first: Manifest) -> str:
    if any(i.relationship == "parentOf" for i in first.ingredients):
        return "mediaUnknownProvenance"  # it began as something that carried no credential
    source = next((a.source_type for a in first.actions if a.name == actions.CREATED), None)
    return _INCEPTION.get(_short(source), "mediaUnknownProvenance")


def _transformation(steps: list[Action], complete: bool) -> tuple[str, ...]:
    if any(_short(a.source_type) in _GENERATED for a in steps):
        return ("transformation:perceptibleGenAI",)
    names = {a.name for a in steps}
    if names - actions.EDITORIAL - actions.NON_EDITORIAL:
        return ("transformation:ambiguousActions",)
    if names & actions.EDITORIAL:
        certain = complete and all(a.source_type for a in steps if a.name in actions.EDITORIAL)
        return ("transformation:perceptibleNonGenAI" if certain else "transformation:perceptiblePossiblyGenAI",)
    return ("transformation:nonEditorial",)


def _short(source: str | None) -> str:
    return (source or "").strip().rsplit("/", 1)[-1]
