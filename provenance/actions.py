"""The actions and source types that we write and how each is read: C2PA 2.4 §18.15 / 2.5 §16.14, as tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"

# Short names of the IPTC digital source types that a capture may state.
SOURCE_TYPES: dict[str, str] = {
    name: _IPTC + name
    for name in (
        "digitalCapture",
        "computationalCapture",
        "compositeCapture",
        "negativeFilm",
        "positiveFilm",
        "print",
        "screenCapture",
        "virtualRecording",
        "digitalCreation",
        "dataDrivenMedia",
        "algorithmicMedia",
        "trainedAlgorithmicMedia",
        "compositeWithTrainedAlgorithmicMedia",
        "compositeSynthetic",
        "composite",
        "humanEdits",
        "algorithmicallyEnhanced",
    )
}

CREATED = "c2pa.created"
OPENED = "c2pa.opened"
PLACED = "c2pa.placed"
MARKED = "c2pa.watermarked.bound"

# Changes nobody would call a change of what is shown (C2PA 2.5 §16.14, table of non-editorial actions).
NON_EDITORIAL = frozenset(
    {
        "c2pa.converted",
        "c2pa.published",
        "c2pa.repackaged",
        "c2pa.transcoded",
        "c2pa.resized.proportional",
        "c2pa.enhanced",
        "c2pa.edited.metadata",
        "c2pa.redacted",
        "c2pa.watermarked",
        "c2pa.watermarked.bound",
        "c2pa.watermarked.unbound",
    }
)
EDITORIAL = frozenset(
    {
        "c2pa.adjustedColor",
        "c2pa.changedSpeed",
        "c2pa.color_adjustments",
        "c2pa.cropped",
        "c2pa.deleted",
        "c2pa.drawing",
        "c2pa.dubbed",
        "c2pa.edited",
        "c2pa.filtered",
        "c2pa.modified",
        "c2pa.orientation",
        "c2pa.placed",
        "c2pa.removed",
        "c2pa.rendered",
        "c2pa.resized",
        "c2pa.trimmed",
        "c2pa.translated",
        "c2pa.unknown",
    }
)
# What makes a rendition: the same work in another size, format or wrapping (C2PA 2.5 §2.3, "asset rendition").
RENDITION = frozenset({"c2pa.converted", "c2pa.published", "c2pa.repackaged", "c2pa.resized.proportional", "c2pa.transcoded"})
# `colophon edit --action`: a manifest's first action and the marks are ours to write, c2pa.placed comes with its
# component, and a redaction would need its target.
EDIT_ACTIONS = (EDITORIAL | NON_EDITORIAL) - {
    PLACED,
    "c2pa.redacted",
    "c2pa.watermarked",
    "c2pa.watermarked.bound",
    "c2pa.watermarked.unbound",
}

# On these the conformance programme wants no digitalSourceType; all other created actions state one.
_WITHOUT_SOURCE_TYPE = NON_EDITORIAL | {OPENED, PLACED}


def states_source_type(action: str) -> bool:
    return action not in _WITHOUT_SOURCE_TYPE


def makes_rendition(names: Iterable[str]) -> bool:
    """Whether these edits leave the work what it was; no edit at all is none."""
    stated = set(names)
    return bool(stated) and stated <= RENDITION


def unknown(actions: Iterable[str]) -> tuple[str, ...]:
    """Those names that an edit may not state, in order."""
    return tuple(a for a in actions if a not in EDIT_ACTIONS)
