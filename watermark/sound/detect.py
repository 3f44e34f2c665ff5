"""Reading the mark, blind: a stream of samples in, a detection out as soon as chance can be ruled out (SOUND.md §5–6)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from watermark.errors import UnsupportedError
from watermark.sound import sync
from watermark.sound.analysis import Real, energies, features, power
from watermark.sound.decide import Reading, read
from watermark.sound.detection import AudioDetection
from watermark.sound.embed import MAX_RATE, MIN_RATE, audible
from watermark.sound.layout import (
    ALGORITHM,
    BANDS,
    BINS,
    FRAME,
    HOP,
    HOPS_PER_SECOND,
    PERIOD,
    RATE,
    layout,
)
from watermark.sound.resample import Resampler, ratio
from watermark.sound.sync import Pose, Run

WINDOW = 4 * PERIOD
"""Hops that are searched at once for changes of speed: 19.2 s."""
_FIRST_LOOKS = (6 * HOPS_PER_SECOND, 12 * HOPS_PER_SECOND)
_LEAST = 2 * HOPS_PER_SECOND
_FEW = 4 * HOPS_PER_SECOND

_STEP = 0.0008
_NEAR = np.arange(0.9744, 1.0257, _STEP)
SEARCH: tuple[tuple[float, NDArray[np.float64]], ...] = (
    *((pitch, _NEAR) for pitch in (1.0, 0.985, 1.015, 0.97, 1.03)),
    (25 / 24, 24 / 25 + np.arange(-0.008, 0.0081, _STEP)),  # film run at the speed of European television, and back
    (24 / 25, 25 / 24 + np.arange(-0.008, 0.0081, _STEP)),
)
"""Pitches, and the stretches tried with each: ±2.5 % of each other, and the two film speeds."""

_TILT = np.linspace(1.0, 0.35, BANDS, dtype=np.float32)
_TELEPHONE = np.where(np.arange(BANDS) < 12, 1.0, 0.0).astype(np.float32)
_PILOT_LEAST = 3.4
_PILOT_EARLY = 4.5
_PILOT_LIKELY = 4.7
_PROMISING = 6


@dataclass(frozen=True, slots=True)
class Found:
    """A mark that was read, and its pose in hops from the start of the stream."""

    reading: Reading
    pose: Pose
    key_index: int

    def answer(self) -> AudioDetection:
        ahead = (-(self.pose.offset - FRAME // (2 * HOP))) % PERIOD * self.pose.stretch
        return AudioDetection(
            alg=ALGORITHM,
            mark_id=self.reading.mark_id,
            p_false=self.reading.p_false,
            bit_errors=self.reading.bit_errors,
            key_index=self.key_index,
            transform=None,
            speed=round(1 / self.pose.stretch, 5),
            pitch=round(self.pose.pitch, 5),
            offset_s=round(ahead * HOP / RATE, 4),
        )


NOTHING = AudioDetection(alg=ALGORITHM, mark_id=None, p_false=1.0, bit_errors=None, key_index=None, transform=None)


class Powers:
    """Turns blocks of samples into power spectra, one row every 4 ms of sound, in a stream."""

    def __init__(self, rate: int, channels: int) -> None:
        if not MIN_RATE <= rate <= MAX_RATE:
            raise UnsupportedError("", f"sound of {rate} samples a second")
        factor = ratio(rate)
        self._down = None if factor == 1 else Resampler(factor, channels, float(min(rate, RATE)))
        self._held = np.empty((channels, 0), np.float32)

    def feed(self, block: NDArray[np.float32]) -> Real:
        """Take samples (N, channels), return new rows (T, 129)."""
        self._held = np.concatenate([self._held, self._down.feed(block.T) if self._down else block.T], axis=1)
        rows = power(self._held)
        self._held = self._held[:, len(rows) * HOP :]
        return rows

    def flush(self) -> Real:
        """Return the rows that the resampler still holds."""
        if self._down is None:
            return np.empty((0, BINS), np.float32)
        self._held = np.concatenate([self._held, self._down.flush()], axis=1)
        return power(self._held)


class Detector:
    """Looks for a mark in a stream; memory does not grow with its length.

    Feed blocks until `found` is set or the sound ends, then call `finish`. An unchanged mark is tried after 6, 12 and 19.2 s
    and once a window from then on, over all that was heard; changes of speed, tempo and pitch window by window.
    """

    def __init__(self, rate: int, channels: int, keys: Sequence[bytes], *, search_s: float = math.inf) -> None:
        """Args:
            rate: Samples per second, 8,000–384,000.
            channels: 1 or more.
            keys: Tried in order.
            search_s: Seconds in which changes of speed are looked for; in the rest only an unchanged mark is, at little cost.
        Raises:
            UnsupportedError: a rate outside the range.
        """
        self.found: Found | None = None
        self._keys = tuple(keys)
        self._powers = Powers(rate, channels)
        self._window = np.empty((0, BINS), np.float32)
        self._before = self._window
        self._start = 0  # hops before the window
        self._looks = 0
        self._folded = np.zeros((PERIOD, BANDS), np.float32)
        self._attempts = 0
        self._rate = rate
        self._audible = 0
        self._left = search_s
        self._skimmed = 0.0

    def feed(self, block: NDArray[np.float32]) -> bool:
        """Take samples of shape (N, channels), full scale ±1; return True once a mark is found and the rest is not needed."""
        if self.found is None:
            self._audible += audible(block)
            self._window = np.concatenate([self._window, self._powers.feed(block)])
            self._look()
        return self.found is not None

    def finish(self) -> AudioDetection:
        """Look at what is left and return the answer."""
        if self.found is None:
            self._window = np.concatenate([self._window, self._powers.flush()])
            self._look()
        if self.found is None:
            self._last_look()
        return replace(
            self.found.answer() if self.found else NOTHING,
            heard_s=round(self._audible / self._rate, 3),
            skimmed_s=0.0 if self.found else round(self._skimmed, 1),
        )

    def _look(self) -> None:
        while self.found is None:
            while not self._start and self._looks < len(_FIRST_LOOKS) and len(self._window) >= _FIRST_LOOKS[self._looks]:
                self._unchanged(_run(self._window[: _FIRST_LOOKS[self._looks]]).fold(1.0), _PILOT_EARLY)
                self._looks += 1
            if self.found or len(self._window) < WINDOW:
                return
            window, self._window = self._window[:WINDOW], self._window[WINDOW:]
            self._judge(window, self._start)
            self._before = window
            self._start += WINDOW

    def _last_look(self) -> None:
        """Judge the remainder, together with as much before it as makes a window."""
        rest = len(self._window)
        if self._start == 0:
            if rest >= _LEAST:
                self._judge(self._window, 0)
        elif rest >= _FEW:
            whole = np.concatenate([self._before, self._window])
            self._judge(whole[-WINDOW:], self._start + rest - WINDOW, new=rest)

    def _judge(self, window: Real, start: int, new: int | None = None) -> None:
        """Try one window: unchanged with all that was heard before, then changed in speed, tempo or pitch."""
        plain = _run(window)
        if not plain.pairs.any():
            return
        known = 0 if new is None else len(window) - new  # rows that an earlier window brought already
        self._folded += np.roll(Run(plain.pairs[known:]).fold(1.0), (start + known) % PERIOD, axis=0)
        self._unchanged(self._folded, _PILOT_LEAST)
        seconds = (len(window) - known) / HOPS_PER_SECOND
        if self.found is None and self._left > 0:
            self._left -= seconds
            self._changed(window, plain, start)
        elif self.found is None:
            self._skimmed += seconds

    def _unchanged(self, fold: Real, least: float) -> None:
        for key_index, key in enumerate(self._keys):
            spectrum = sync.pilot_spectrum(key)
            tried = set[int]()
            for weights in (_TILT, _TELEPHONE):
                scores = sync.correlate(fold, spectrum, weights)
                offset = int(scores.argmax())
                if scores[offset] >= least and offset not in tried:
                    tried.add(offset)
                    self._decode(fold, Pose(1.0, 1.0, offset, float(scores[offset])), key_index)
                if self.found:
                    return

    def _changed(self, window: Real, plain: Run, start: int) -> None:
        for key_index, key in enumerate(self._keys):
            for run, rough in _promising(window, plain, key):
                fold, pose = _refined(run, rough, key)
                moved = replace(pose, offset=round(pose.offset - start / pose.stretch) % PERIOD)
                self._decode(fold, pose, key_index, moved)
                if self.found:
                    return

    def _decode(self, fold: Real, pose: Pose, key_index: int, stands: Pose | None = None) -> None:
        """Decode a pose; a likely one that fails is tried again with weights that lean on fewer pilots."""
        place = layout(self._keys[key_index])
        cells = sync.cells_at(fold, pose.offset)
        measured = sync.band_weights(cells, place)
        choices: tuple[Real, ...] = (measured, measured + _TILT, _TILT * _TILT)
        for weights in choices[: 3 if pose.score >= _PILOT_LIKELY else 1]:
            self._attempts += 1
            if reading := read(cells, weights, place, self._attempts):
                self.found = Found(reading, stands or pose, key_index)
                return


def detect(samples: NDArray[np.float32], rate: int, *, keys: Sequence[bytes]) -> AudioDetection:
    """Look for a mark in a sound, blindly: no original, offset, speed or length is known.

    Args:
        samples: Shape (N, channels), full scale ±1.
        rate: Samples per second, 8,000–384,000.
        keys: Tried in order.
    Returns:
        A detection without spans (`spans.locate` gives them). Less than 2 s, or silence, is `too_short`.
    Raises:
        UnsupportedError: a rate outside the range.
    """
    detector = Detector(rate, samples.shape[1], keys)
    for block in blocks(samples, rate):
        if detector.feed(block):
            break
    return detector.finish()


def blocks(samples: NDArray[np.float32], rate: int) -> Iterator[NDArray[np.float32]]:
    """Cut a sound into pieces of about two seconds."""
    for start in range(0, len(samples), 2 * rate):
        yield np.asarray(samples[start : start + 2 * rate], np.float32)


def _run(powers: Real, pitch: float = 1.0) -> Run:
    return Run.of(features(energies(powers, pitch)))


def _promising(window: Real, plain: Run, key: bytes) -> list[tuple[Run, Pose]]:
    """Search all pitches and stretches; return the best poses with the features that they were found in, best first."""
    found = []
    for pitch, stretches in SEARCH:
        run = plain if pitch == 1.0 else _run(window, pitch)
        weighted = Run(run.pairs * _TILT)
        found += [(run, pose) for pose in sync.best_stretches(weighted, key, pitch, stretches, 3)]
    found.sort(key=lambda item: -item[1].score)
    return found[:_PROMISING]


def _refined(run: Run, pose: Pose, key: bytes) -> tuple[Real, Pose]:
    """Fold the run exactly, at stretches between those of the search, and keep the best."""
    best: tuple[Real, Pose] | None = None
    for stretch in pose.stretch + np.array([0.0, -_STEP / 2, _STEP / 2]):
        fold = run.fold(float(stretch))
        scores = sync.correlate(fold, sync.pilot_spectrum(key), _TILT)
        near = (pose.offset + np.arange(-3, 4)) % PERIOD
        offset = int(near[scores[near].argmax()])
        if best is None or scores[offset] > best[1].score:
            best = fold, Pose(pose.pitch, float(stretch), offset, float(scores[offset]))
    assert best is not None
    return best
