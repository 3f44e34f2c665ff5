"""Where a file carries its mark, and where not: a known id is followed half a second at a time (SOUND.md §7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from watermark.sound import sync
from watermark.sound.analysis import Real, energies, features
from watermark.sound.detect import Detector, Powers, blocks
from watermark.sound.detection import AudioDetection, Span
from watermark.sound.layout import BINS, FRAME, HOP, HOPS_PER_SECOND, PERIOD, RATE, layout
from watermark.sound.sync import BLOCK, Run

_CHUNK = 16 * BLOCK
_MARGIN = 4 * BLOCK
"""Rows on either side of a chunk that its features are computed with and that are then thrown away."""
_TOGETHER = 4
"""Blocks that are added up to look for the mark at another place in its tile."""
_ELSEWHERE = 7.0
_WANDER = 2
"""Hops by which a block's best offset may differ from the one expected."""
_FOLLOW = 0.2
_SWITCH = 6.0
"""Cost, in nats, of beginning or ending a gap: about one in four hundred blocks."""
_MOST = 5.0


class Locator:
    """Follows one mark through a stream whose detection is known.

    Feed the stream from its start, then `finish`. Keeps a few numbers for every half second.
    """

    def __init__(self, rate: int, channels: int, detection: AudioDetection, key: bytes) -> None:
        """Args:
            rate, channels: As for the detector.
            detection: A mark that was found in this stream.
            key: The key that read it.
        Raises:
            ValueError: the detection found nothing.
        """
        if detection.mark_id is None or detection.speed is None or detection.pitch is None or detection.offset_s is None:
            raise ValueError("there is no mark to follow")
        self._detection = detection
        self._stretch = 1 / detection.speed
        self._pitch = detection.pitch
        ahead = detection.offset_s * RATE / HOP / self._stretch  # hops of the marked sound before the first whole tile
        self._expected = (FRAME / (2 * HOP) - ahead) % PERIOD
        self._spectrum = sync.comb_spectrum(layout(key).tile(detection.mark_id))
        self._powers = Powers(rate, channels)
        self._rows = np.empty((0, BINS), np.float32)
        self._lead = 0  # rows held that were judged already
        self._block = 0
        self._recent = np.zeros((0, PERIOD), np.float32)
        self._scores: list[float] = []
        self._offsets: list[int] = []

    def feed(self, block: NDArray[np.float32]) -> None:
        """Take samples of shape (N, channels)."""
        self._rows = np.concatenate([self._rows, self._powers.feed(block)])
        while len(self._rows) >= self._lead + _CHUNK + _MARGIN:
            self._judge(_CHUNK)

    def finish(self) -> AudioDetection:
        """Return the detection with its spans."""
        self._rows = np.concatenate([self._rows, self._powers.flush()])
        while (left := (len(self._rows) - 1 - self._lead) // BLOCK * BLOCK) > 0:
            self._judge(min(left, _CHUNK))
        return replace(self._detection, spans=tuple(_spans(np.array(self._scores))))

    def _judge(self, count: int) -> None:
        """Score the next `count` rows, a whole number of blocks."""
        reach = min(len(self._rows), self._lead + count + _MARGIN)
        pairs = Run.of(features(energies(self._rows[:reach], self._pitch))).pairs[self._lead : self._lead + count]
        for start in range(0, count, BLOCK):
            self._score(pairs[start : start + BLOCK])
        done = self._lead + count
        keep = min(done, _MARGIN)
        self._rows, self._lead = self._rows[done - keep :], keep

    def _score(self, pairs: Real) -> None:
        """Correlate one block with the tile at every offset; keep its score where the mark is expected, or where it moved."""
        fold = np.zeros((PERIOD, pairs.shape[1]), np.float32)
        rows = np.rint(np.arange(len(pairs)) / self._stretch).astype(np.int64)
        np.add.at(fold, rows, pairs)
        scores = sync.correlate(fold, self._spectrum)
        begin = self._block * BLOCK / self._stretch
        by_start = np.roll(scores, -int(np.rint(begin)) % PERIOD)  # the offset at the stream's start, of each
        self._recent = np.concatenate([self._recent[1 - _TOGETHER :], by_start[None]])
        total = self._recent.sum(axis=0) / np.sqrt(len(self._recent))
        elsewhere = int(total.argmax())
        near = (int(np.rint(self._expected)) + np.arange(-_WANDER, _WANDER + 1)) % PERIOD
        own = float(by_start[near].max())
        if total[near].max() >= _ELSEWHERE:  # the stretch is known to a part in ten thousand: follow what is left
            self._expected += _FOLLOW * (int(total[near].argmax()) - _WANDER)
        if total[elsewhere] >= _ELSEWHERE and total[elsewhere] > total[near].max() + 2:
            for back in range(len(self._recent)):
                moved = float(self._recent[-1 - back, elsewhere])
                if back == 0:
                    own = max(own, moved)
                else:
                    self._scores[-back] = max(self._scores[-back], moved)
        self._scores.append(own if pairs.any() else float("nan"))
        self._block += 1


def _spans(scores: NDArray[np.float64]) -> Iterable[Span]:
    """Divide blocks into those that carry the mark and those that do not: the likeliest path through two states."""
    if not len(scores):
        return
    known = scores[~np.isnan(scores)]
    level = float(np.median(known[known >= np.median(known)])) if known.size else 0.0
    # an unmarked block scores about 1.2, the best of five noisy offsets; the marked ones scatter round `level`
    evidence = np.clip((scores - (1.2 + level) / 2) * max(level - 1.2, 0.1), -_MOST, _MOST)
    states = _viterbi(np.nan_to_num(evidence))
    changes = np.flatnonzero(np.diff(states)) + 1
    edges = [0, *changes.tolist(), len(scores)]
    for start, end in pairwise(edges):
        yield Span(start * BLOCK / HOPS_PER_SECOND, end * BLOCK / HOPS_PER_SECOND, bool(states[start]))


def _viterbi(evidence: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the likeliest states, True where marked, for log-likelihood ratios with a cost for each change."""
    marked = gap = 0.0
    came = np.empty((len(evidence), 2), np.bool_)
    for index, value in enumerate(evidence):
        came[index] = marked >= gap - _SWITCH, marked - _SWITCH > gap
        marked, gap = max(marked, gap - _SWITCH) + value / 2, max(gap, marked - _SWITCH) - value / 2
    states = np.empty(len(evidence), np.bool_)
    state = marked >= gap
    for index in range(len(evidence) - 1, -1, -1):
        states[index] = state
        state = came[index, 0] if state else came[index, 1]
    return states


def locate(samples: NDArray[np.float32], rate: int, *, keys: Sequence[bytes]) -> AudioDetection:
    """Detect a mark and say which spans carry it.

    Args:
        samples: Shape (N, channels), full scale ±1.
        rate: Samples per second.
        keys: Tried in order.
    Returns:
        As `detect`, with spans where a mark was found.
    Raises:
        UnsupportedError: a rate outside the range.
    """
    detector = Detector(rate, samples.shape[1], keys)
    for block in blocks(samples, rate):
        if detector.feed(block):
            break
    answer = detector.finish()
    if answer.key_index is None:
        return answer
    locator = Locator(rate, samples.shape[1], answer, keys[answer.key_index])
    for block in blocks(samples, rate):
        locator.feed(block)
    return locator.finish()
