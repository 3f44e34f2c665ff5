"""Several marks in one file: a camera's and an agency's, each under its own key. Which one counts, and what is told. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from provenance.credential import Credential, Remote, SoftBinding, Unreadable
from provenance.status import Owner
from provenance.verdict import FoundMark, Part, SpanFacts

_WHOSE = {
    Owner.OWN: "the credential, or one that it was made from, names it",
    Owner.REGISTERED: "it belongs to another registered asset",
    Owner.UNREGISTERED: "this registry does not know it",
}
_FIRST = (Owner.OWN, Owner.REGISTERED)


@dataclass(frozen=True, slots=True)
class MarkReading:
    """What the detector said; `looked` is False when it was not asked or the medium has no engine yet."""

    looked: bool
    binding: SoftBinding | None = None
    p_false: float | None = None
    bit_errors: int | None = None
    spans: tuple[SpanFacts, ...] = ()
    speed: float | None = None
    too_short: bool = False  # nothing was found, and nothing could have been


NOT_LOOKED = MarkReading(looked=False)


@dataclass(frozen=True, slots=True)
class OwnedMark:
    """A reading, and the ids of manifests registered with it."""

    reading: MarkReading
    owners: tuple[str, ...] = ()
    part: Part | None = None  # of the picture, where the mark was looked for in that alone


Read = Credential | Unreadable | Remote | None


def owner(read: SoftBinding | None, owners: Sequence[str], credential: Read) -> Owner:
    """Whose a mark is: of the credential in the file or an ancestor in it, of another registered asset, of nobody known."""
    if read is None:
        return Owner.NONE
    if isinstance(credential, Credential):
        claimed = {b for m in credential.manifests.values() for b in m.bindings}
        if read in claimed or set(owners) & set(credential.manifests):
            return Owner.OWN
    return Owner.REGISTERED if owners else Owner.UNREGISTERED


def ordered(found: Sequence[OwnedMark], credential: Read) -> tuple[OwnedMark, ...]:
    """The mark that counts first: one that the file's own credential names, then a registered one, then as they were read."""
    whose = [owner(one.reading.binding, one.owners, credential) for one in found]
    ranks = [_FIRST.index(one) if one in _FIRST else len(_FIRST) for one in whose]
    return tuple(found[n] for n in sorted(range(len(found)), key=ranks.__getitem__))


def facts(found: Sequence[OwnedMark], credential: Read) -> tuple[FoundMark, ...]:
    """All marks side by side, in the same order."""
    return tuple(
        FoundMark(
            alg=one.reading.binding.alg,
            value=one.reading.binding.value,
            p_false=one.reading.p_false,
            bit_errors=one.reading.bit_errors,
            owner=str(owner(one.reading.binding, one.owners, credential)),
            manifests=one.owners,
            part=one.part,
        )
        for one in found
        if one.reading.binding is not None
    )


def say(others: Sequence[OwnedMark], credential: Read) -> Iterator[tuple[str, str]]:
    """What a person is told of the marks beside the one that counts."""
    for one in others:
        read = one.reading.binding
        if read is not None:
            whose = _WHOSE[owner(read, one.owners, credential)]
            where = "under another key" if one.part is None else "in another part of the picture"
            yield "mark.second", f"Another invisible mark was read {where} ({read.value}): {whose}."
