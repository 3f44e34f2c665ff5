"""What sound and film have in common on the way to a claim: a job for a worker, and what comes back of it."""

from __future__ import annotations

from dataclasses import dataclass

from provenance.errors import UnmarkableError, UnsupportedMediaError
from provenance.tasks import Prepared
from watermark.errors import CarrierTooSmallError


@dataclass(frozen=True, slots=True)
class MarkJob:
    """A mark to be put into something that runs in time.

    Attributes:
        strength: Of the medium's own unit; None for the default.
        crf: Constant rate factor of a film's encoding; sound has none.
        progress: Where to tell how far it is.
    """

    source: str
    destination: str
    mark_id: int
    key: bytes
    strength: float | None
    crf: int | None = None
    progress: str | None = None


@dataclass(frozen=True, slots=True)
class MarkedRun:
    """What came of it, ready to be signed.

    Attributes:
        view: What is kept of it, with what is to be told.
        also: Further media ("image", "audio") whose mark it carries under the same id.
    """

    view: Prepared
    also: tuple[str, ...] = ()


def why_unmarked(error: CarrierTooSmallError | UnmarkableError | UnsupportedMediaError) -> str:
    """The note that stands with a file which was signed without a mark."""
    if isinstance(error, UnmarkableError | UnsupportedMediaError):
        return f"no mark: {error.why}"
    amount, _, of_what = error.unit.partition(" of ")
    if amount == "milliseconds" and not error.have and of_what == "sound":
        return "no mark: all of it is silent"
    if amount == "milliseconds":
        return f"no mark: too short to hold one ({error.have / 1000:.1f} s of {of_what}; {error.need / 1000:.2g} s are needed)"
    return f"no mark: {error}"
