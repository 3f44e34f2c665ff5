"""The error-correcting code: 80 bits → 640, tail-biting convolutional, constraint length 15, rate 1/8.

Six of the generators are those of the (15, 1/6) code flown on Cassini; two were added by search. Its free distance, 76, is
computed from the trellis by a test. Tail-biting saves the 14 zero bits that would close the trellis (0.7 dB at this length).

Register: the newest bit is the most significant of 15; a generator's most significant bit multiplies the newest bit. Bit i of
the payload enters at step i, the register starting with the last 14 bits; step i gives code bits 8 i … 8 i + 7, one a
generator, in the order below. Every generator has its first and last tap set, which `_forward` uses: the four branches that
join two states with two have one metric up to sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

GENERATORS = (0o46321, 0o51271, 0o63667, 0o70535, 0o73277, 0o76513, 0o74323, 0o51373)
RATE = len(GENERATORS)
MEMORY = 14
STATES = 1 << MEMORY

Bits = NDArray[np.uint8]
Soft = NDArray[np.float32]
Metrics = TypeVar("Metrics", NDArray[np.float32], NDArray[np.int16])


def encode(bits: Bits) -> Bits:
    """Return the code word of a payload: shape (n,) with n ≥ 14 → (8 n,), all uint8 of 0 and 1."""
    if bits.size < MEMORY:
        raise ValueError(f"tail-biting needs {MEMORY} bits, not {bits.size}")
    window = np.stack([np.roll(bits, delay) for delay in range(MEMORY + 1)], axis=1).astype(np.int64)
    taps = np.array([[generator >> (MEMORY - delay) & 1 for delay in range(MEMORY + 1)] for generator in GENERATORS])
    word: Bits = (window @ taps.T % 2).astype(np.uint8).reshape(-1)
    return word


def decode(soft: Soft, *, most: int = 64, worth: Callable[[float], bool] | None = None) -> Iterator[Bits]:
    """Yield likely payloads of a received word, the likeliest first, no more than `most`, each once.

    A circular Viterbi run (three turns round the tail-biting trellis, maximum likelihood but for rare words) ranks the last
    turn's end states; every survivor that closes on itself is a candidate. The list lets an outer check rescue a word whose
    likeliest path is a near neighbour.

    Args:
        soft: Shape (8 n,), float32: log-likelihood ratios up to one positive factor, > 0 where a 0 is likelier.
        most: How many end states are followed, 1–16,384.
        worth: Told, after the first turn, a correlation that no word can exceed; where it says no, nothing is yielded.
    """
    steps = soft.size // RATE
    values = np.asarray(soft, np.float32).reshape(steps, RATE)
    if worth is not None and not worth(_ceiling(values)):
        return
    metrics = _branch_metrics(values)
    score = _turn(np.zeros(STATES, np.float32), metrics)
    score = _turn(score - score.max(), metrics)
    score, decisions = _forward(score - score.max(), metrics)
    ends = np.argsort(-score, kind="stable")[:most] if most < STATES else np.argsort(-score)
    paths, starts = _trace(ends, decisions)
    seen: set[bytes] = set()
    order = np.argsort(starts != ends, kind="stable")  # closed paths first: the others are words only by accident
    for row in paths[order]:
        if (name := row.tobytes()) not in seen:
            seen.add(name)
            yield row


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Signs of the 256 code bytes, and the code byte that state 2 j and a new 0 give, for every j < 8192."""
    signs = (1 - 2 * ((np.arange(1 << RATE)[None, :] >> np.arange(RATE)[:, None]) & 1)).astype(np.float32)
    register = 2 * np.arange(STATES // 2)
    outputs = np.zeros(STATES // 2, np.intp)
    for place, generator in enumerate(GENERATORS):
        parity = register & generator
        for shift in (8, 4, 2, 1):
            parity = parity ^ (parity >> shift)
        outputs |= (parity & 1).astype(np.intp) << place
    return signs, outputs


def _branch_metrics(soft: Soft) -> Soft:
    """Correlation of each step's eight values with the branch out of state 2 j on a 0: shape (steps, 8192)."""
    signs, outputs = _tables()
    return np.take(soft @ signs, outputs, axis=1, mode="clip")


def _ceiling(soft: Soft) -> float:
    """A correlation that no word exceeds: that of the best open path, of which there are 2¹⁴ times more than closed ones.

    In integers of 16 bits, each branch's metric rounded, which costs a third; what rounding may have hidden is added.
    """
    signs, outputs = _tables()
    exact = soft @ signs
    # no path's sum, and no branch more, leaves the range
    step = max(float(np.abs(exact).max(1).sum() + 2 * np.abs(exact).max()) / (np.iinfo(np.int16).max - 2 * len(soft)), 1e-30)
    branches = np.rint(exact / np.float32(step)).astype(np.int16)
    score = _turn(np.zeros(STATES, np.int16), np.take(branches, outputs, axis=1, mode="clip"))
    return (float(score.max()) + len(soft) / 2) * step


def _turn(score: Metrics, metrics: Metrics) -> Metrics:
    """Run the trellis once for the scores alone."""
    half = STATES // 2
    score, after = score.copy(), np.empty_like(score)
    one, other = np.empty((2, half), score.dtype)
    pair = np.empty((2, half, 1), score.dtype)
    even, odd = pair[0, :, 0], pair[1, :, 0]
    for branch in metrics:
        cv2.split(score.reshape(half, 1, 2), list(pair))  # neighbours apart, which makes the rest contiguous
        np.maximum(np.add(even, branch, out=one), np.subtract(odd, branch, out=other), out=after[:half])
        np.maximum(np.subtract(even, branch, out=one), np.add(odd, branch, out=other), out=after[half:])
        score, after = after, score
    return score


def _forward(score: Soft, metrics: Soft) -> tuple[Soft, NDArray[np.bool_]]:
    """Run the trellis once: scores at the end, and for each step and state whether the odd predecessor won."""
    half = STATES // 2
    decisions = np.empty((len(metrics), STATES), np.bool_)
    for step, branch in enumerate(metrics):
        even, odd = score[0::2], score[1::2]
        zero_even, zero_odd = even + branch, odd - branch
        one_even, one_odd = even - branch, odd + branch
        np.greater(zero_odd, zero_even, out=decisions[step, :half])
        np.greater(one_odd, one_even, out=decisions[step, half:])
        score = np.concatenate([np.maximum(zero_even, zero_odd), np.maximum(one_even, one_odd)])
    return score, decisions


def _trace(ends: NDArray[np.intp], decisions: NDArray[np.bool_]) -> tuple[Bits, NDArray[np.intp]]:
    """Follow survivors back from their end states: payloads, shape (ends, steps), and the states that they start from."""
    steps = len(decisions)
    paths = np.empty((ends.size, steps), np.uint8)
    state = ends.copy()
    for step in range(steps - 1, -1, -1):
        paths[:, step] = state >> (MEMORY - 1)
        state = ((state << 1) & (STATES - 1)) | decisions[step, state]
    return paths, state
