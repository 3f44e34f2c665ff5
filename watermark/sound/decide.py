"""From a pose to an id, and the proof that chance did not write it (SOUND.md §6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from watermark import code, payload
from watermark.sound.analysis import Real
from watermark.sound.layout import CODE_BITS, Layout

BOUND = 1e-9
"""Chance per file that a sound without a mark of these keys is said to carry one."""
_IDS_LN = 64 * math.log(2)
_RADEMACHER = 3.178
_SMALLEST = 1e-300


@dataclass(frozen=True, slots=True)
class Reading:
    """An id that was read.

    Attributes:
        mark_id: The id.
        score: Correlation of the data cells with the id's signs, in deviations.
        p_false: Bound on the chance that any attempt on this file does as well without a mark.
        bit_errors: Code bits whose soft value had the wrong sign.
    """

    mark_id: int
    score: float
    p_false: float
    bit_errors: int


def chance(score: float, attempt: int) -> float:
    """Bound the chance that unmarked sound reaches a score at the n-th attempt for any of the 2⁶⁴ ids.

    The signs of data cells are independent of everything that chose pose and weights, so that for one id the score is a sum
    of ± fixed numbers of total square 1: P(score ≥ z) ≤ 3.178 Q(z), Q being the normal tail, whatever the sound (Bentkus and
    Dzindzalieva, "A tight Gaussian bound for weighted sums of Rademacher random variables", Bernoulli 21, 2015). The ids give
    the factor 2⁶⁴; a factor n (n + 1) at the n-th attempt makes the bounds of all attempts on a file add up to one.
    """
    if score <= 0:
        return 1.0
    logarithm = _IDS_LN + math.log(attempt * (attempt + 1)) + math.log(_RADEMACHER) + _ln_tail(score)
    return max(math.exp(min(0.0, logarithm)), _SMALLEST)


def _ln_tail(z: float) -> float:
    """Return ln Q(z), or a little more where Q cannot be written as a number."""
    return math.log(math.erfc(z / math.sqrt(2)) / 2) if z < 30 else -z * z / 2 - math.log(z * math.sqrt(2 * math.pi))


def read(cells: Real, weights: Real, place: Layout, attempt: int) -> Reading | None:
    """Decode one pose.

    Args:
        cells: Shape (400, 24): the feature of each cell of the tile.
        weights: Shape (24,): what each band counts, chosen without looking at data chips.
        place: The key's layout.
        attempt: How many poses have been decoded on this file, this one included.
    Returns:
        The id with the best score, if any is within the bound.
    """
    weighted = cells * weights
    data = ~place.pilot
    norm = float(np.sqrt(np.square(weighted[data], dtype=np.float64).sum()))
    if norm == 0.0:
        return None
    soft = np.bincount(place.bit[data], weights=(weighted * place.chips)[data], minlength=CODE_BITS).astype(np.float32)
    readings = []
    for bits in code.decode(soft / np.float32(norm)):
        mark_id = payload.unpack(bits)
        if mark_id is None:
            continue
        word = 1 - 2 * code.encode(bits).astype(np.float32)
        score = float(soft @ word) / norm
        p_false = chance(score, attempt)
        if p_false <= BOUND:
            readings.append(Reading(mark_id, score, p_false, int((soft * word < 0).sum())))
    return max(readings, key=lambda reading: reading.score, default=None)
