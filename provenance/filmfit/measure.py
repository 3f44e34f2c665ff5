"""From a copy's frames and a reel to what a verdict needs: does it fit, how much of it, and when not. Pure.

Every frame of the copy looks for the frame of the reference that it agrees with best: so an excerpt, another rate or speed do
not matter. What does not agree with any was replaced or added. Order is not judged, nor is anything finer than a cell (1/48 of
the width).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.filmfit.reel import Reel, Sight
from provenance.fit.result import Agreement

AGREES = 0.8
"""Correlation from which a frame is the reference's (README.md)."""
FLAT = 3.0
"""Standard deviation, code values, below which a frame has nothing to compare."""
LEAST_SEEN = 0.1
"""Share of the reference's frame that must be seen."""
CORE = 0.2
"""Share of the frames that must agree to speak of this film at all."""
LEAST_S = 1.0
"""Shorter disagreements are fades and joints."""


@dataclass(frozen=True, slots=True)
class FilmChange:
    """A stretch of the copy that is not in the reference; seconds of the copy, and how sure, 0–1."""

    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True, slots=True)
class FilmFit:
    """How a copy agrees with its reference.

    Attributes:
        agreement: What that means for a verdict.
        score: Share of the compared frames that agree, 0–1.
        coverage: Share of the copy's frames that could be compared, 0–1.
        kept: Share of the reference's frames that the copy has, 0–1.
        changes: In order.
    """

    agreement: Agreement
    score: float
    coverage: float
    kept: float
    changes: tuple[FilmChange, ...]


def measure(copy: Iterable[Sight], reel: Reel) -> FilmFit:
    """Compare a copy's frames with what is kept of the original."""
    reference = reel.frames.astype(np.float32).reshape(len(reel.frames), -1)
    places, best, matched = [], [], np.zeros(len(reel.frames), np.bool_)
    looked = 0
    for sight in copy:
        looked += 1
        found = _correlations(sight, reference)
        if found is None:
            continue
        places.append(sight.time_s)
        best.append(float(found.max()))
        matched[found > max(AGREES, float(found.max()) - 0.02)] = True
    if not places:
        return FilmFit(Agreement.UNDECIDED, 0.0, 0.0, 0.0, ())
    agrees = np.array(best) >= AGREES
    changes = tuple(_changes(places, agrees, np.array(best)))
    score = float(agrees.mean())
    agreement = Agreement.CHANGED if changes else Agreement.FITS
    if score < CORE:
        agreement, changes = Agreement.FOREIGN, ()
    return FilmFit(agreement, score, len(places) / looked, float(matched.mean()), changes)


def _correlations(sight: Sight, reference: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Correlation with each frame of the reference over the cells that are seen; None where nothing can be compared."""
    seen = sight.seen.reshape(-1)
    if seen.mean() < LEAST_SEEN:
        return None
    mine = cv2.GaussianBlur(sight.grey, (0, 0), 0.8).reshape(-1)[seen]
    mine = mine - mine.mean()
    if mine.std() < FLAT:
        return None
    theirs = reference[:, seen]
    theirs = theirs - theirs.mean(1, keepdims=True)
    size = np.sqrt((theirs**2).sum(1)) * np.sqrt((mine**2).sum())
    return np.asarray(theirs @ mine / (size + 1e-3 * len(mine)), np.float32)


def _changes(places: list[float], agrees: NDArray[np.bool_], best: NDArray[np.float64]) -> Iterator[FilmChange]:
    """Runs of frames that agree with nothing, long enough to mean something, borders half way between frames.

    A lone frame is the whole of a still.
    """
    step = places[1] - places[0] if len(places) > 1 else LEAST_S
    at = 0
    for fits, run in groupby(agrees.tolist()):
        count = len(list(run))
        if not fits:
            start = places[at] - step / 2 if at else places[at]
            end = places[at + count - 1] + (step if at + count == len(places) else step / 2)
            if count * step >= LEAST_S:
                lack = (AGREES - best[at : at + count].mean()) / AGREES
                yield FilmChange(round(start, 2), round(end, 2), round(float(min(1.0, 0.5 + lack)), 2))
        at += count
