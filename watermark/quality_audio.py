"""How much a change of sound is heard: SNR, and an estimate of PEAQ's objective difference grade.

The estimate follows the Basic version of PEAQ (ITU-R BS.1387-1, annex 2) as P. Kabal describes it ("An Examination and
Interpretation of ITU-R BS.1387", TSP Lab, McGill University, 2003): FFT ear model, eleven model output variables (MOVs) and
the published network. It has not been run against the conformance items, band edges come from the formula and not from the
standard's rounded table, and it grades the mean of the channels. PEAQ was trained on codecs, not on marks: a number that
lets versions of one mark be compared, not a listening test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from watermark.sound.resample import resample

Real = NDArray[np.float64]

_RATE, _FRAME, _HOP = 48_000, 2048, 1024
_FRAMES_PER_SECOND = _RATE / _HOP
_DZ = 0.25  # Bark per band
_FULL_SCALE = 32_768.0

_MOV_MIN = (393.916656, 361.965332, -24.045116, 1.110661, -0.206623, 0.074318, 1.113683, 0.950345, 0.029985, 0.000101, 0.0)
_MOV_MAX = (921.0, 881.131226, 16.212030, 107.137772, 2.886017, 13.933351, 63.257874, 1145.018555, 14.819740, 1.0, 1.0)
_HIDDEN = (
    (-0.502657, 0.436333, 1.219602),
    (4.307481, 3.246017, 1.123743),
    (4.984241, -2.211189, -0.192096),
    (0.051056, -1.762424, 4.331315),
    (2.321580, 1.789971, -0.754560),
    (-5.303901, -3.452257, -10.814982),
    (2.730991, -6.111805, 1.519223),
    (0.624950, -1.331523, -5.955151),
    (3.102889, 0.871260, -5.922878),
    (-1.051468, -0.939882, -0.142913),
    (-1.804679, -0.503610, -0.620456),
)
_HIDDEN_BIAS, _OUTPUT, _OUTPUT_BIAS = (-2.518254, 0.654841, -2.207228), (-3.817048, 4.107138, 4.629582), -0.307594
_GRADE_MIN, _GRADE_MAX = -3.98, 0.22


@dataclass(frozen=True, slots=True)
class Grade:
    """How a changed sound compares with its reference.

    Attributes:
        odg: Estimated objective difference grade: 0 imperceptible, −1 perceptible but not annoying, −4 very annoying.
        snr_db: Power of the reference over power of the difference.
        nmr_db: Mean noise-to-mask ratio over bands and frames; below about −10 dB little is heard.
    """

    odg: float
    snr_db: float
    nmr_db: float


def snr_db(reference: NDArray[np.float32], changed: NDArray[np.float32]) -> float:
    """Return the signal-to-change ratio in dB of two sounds of one shape; infinite where they are equal."""
    change = float(np.square(changed - reference, dtype=np.float64).sum())
    return float(10 * np.log10(np.square(reference, dtype=np.float64).sum() / change)) if change else float("inf")


def grade(reference: NDArray[np.float32], changed: NDArray[np.float32], rate: int) -> Grade:
    """Estimate how a listener would grade a changed sound.

    Args:
        reference: Shape (N, channels), full scale ±1, at least half a second that is not silent.
        changed: The same shape, sample for sample in time with the reference.
        rate: Samples per second of both.
    Raises:
        ValueError: the shapes differ, or nothing is loud enough to be graded.
    """
    if reference.shape != changed.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {changed.shape}")
    both = np.stack([reference.mean(axis=1), changed.mean(axis=1)], axis=1)
    both = resample(both, rate, _RATE).astype(np.float64) * _FULL_SCALE
    loud = np.flatnonzero(np.convolve(np.abs(both[:, 0]), np.ones(5), "same") > 200.0)  # the standard's data boundary
    if not loud.size or loud[-1] - loud[0] < _RATE // 2:
        raise ValueError("too short or too quiet to be graded")
    movs = _movs(np.round(both[loud[0] : loud[-1] + 1]))
    return Grade(odg=_network(movs), snr_db=snr_db(reference, changed), nmr_db=float(movs[2]))


def _network(movs: Real) -> float:
    scaled = (movs - np.array(_MOV_MIN)) / (np.array(_MOV_MAX) - np.array(_MOV_MIN))
    hidden = 1 / (1 + np.exp(-(scaled @ np.array(_HIDDEN) + np.array(_HIDDEN_BIAS))))
    index = float(hidden @ np.array(_OUTPUT) + _OUTPUT_BIAS)
    return _GRADE_MIN + (_GRADE_MAX - _GRADE_MIN) / (1 + float(np.exp(-index)))


@dataclass(frozen=True)
class _Ear:
    """Constants of the FFT ear model; every band array has shape (109,)."""

    window: Real
    outer: Real
    group: Real
    centre: Real
    noise: Real
    smear: tuple[Real, Real]
    adapt: tuple[Real, Real]


@lru_cache(maxsize=1)
def _ear() -> _Ear:
    edges = 650 * np.sinh((7 * np.arcsinh(80 / 650) + _DZ * np.arange(110)) / 7)
    edges[-1] = 18_000.0
    bark = 7 * np.arcsinh(edges / 650)
    centre = 650 * np.sinh((bark[:-1] + bark[1:]) / 14)
    bins = np.arange(_FRAME // 2 + 1) * _RATE / _FRAME
    half = _RATE / _FRAME / 2
    low, high = np.maximum(edges[:-1], (bins - half)[:, None]), np.minimum(edges[1:], (bins + half)[:, None])
    khz = np.maximum(bins, 1e-3) / 1000
    outer_db = -2.184 * khz**-0.8 + 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) - 0.001 * khz**3.6
    outer = 10 ** (np.maximum(outer_db, -300) / 10)
    outer[0] = 0
    # 92 dB SPL for a full-scale sine of 1,019.5 Hz (Kabal §2.3)
    bin_at = 1019.5 / _RATE * _FRAME
    off = min(np.ceil(bin_at) - bin_at, bin_at - np.floor(bin_at)) * (_FRAME - 1) / _FRAME
    gain = np.sin(np.pi * off) / (np.pi * off * (1 - off**2))
    level = 10 ** (92 / 20) / (gain * _FULL_SCALE / 4 * (_FRAME - 1))
    return _Ear(
        window=level * np.hanning(_FRAME),
        outer=outer,
        group=np.maximum(high - low, 0) / (2 * half),
        centre=centre,
        noise=10 ** (0.1456 * (centre / 1000) ** -0.8),
        smear=_constants(centre, 0.030, 0.008),
        adapt=_constants(centre, 0.050, 0.008),
    )


def _constants(centre: Real, at_100_hz: float, least: float) -> tuple[Real, Real]:
    seconds = least + 100 / centre * (at_100_hz - least)
    keep: Real = np.exp(-1 / (_FRAMES_PER_SECOND * seconds))
    return keep, 1 - keep


def _movs(both: Real) -> Real:
    ear = _ear()
    pad = max(0, _FRAME - len(both))
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(both, ((0, pad), (0, 0))), _FRAME, axis=0)[::_HOP]
    spectra = np.abs(np.fft.rfft(frames * ear.window)) ** 2  # (T, 2, bins)
    weighted = spectra * ear.outer
    reference, changed = weighted[:, 0], weighted[:, 1]
    noise = np.maximum((reference - 2 * np.sqrt(reference * changed) + changed) @ ear.group, 1e-12)
    spread = _spread(np.maximum(weighted @ ear.group, 1e-12) + ear.noise)
    smeared = _recurse(spread, *ear.smear)
    excitation = np.maximum(smeared, spread)
    patterns = _adapted(excitation)
    modulation, average = _modulation(spread)
    late = int(np.ceil(0.5 * _FRAMES_PER_SECOND))
    first, second, weight = _modulation_difference(modulation, average)
    ratio = noise / (10 ** (-np.where(np.arange(109) <= 48, 3, 0.25 * np.arange(109) * _DZ) / 10) * excitation[:, 0])
    bands_ref, bands_test = _bandwidth(spectra)
    detected, steps = _detection(excitation)
    return np.array([
        bands_ref,
        bands_test,
        10 * np.log10(ratio.mean()),
        _windowed(first[late:]),
        np.log10(max(steps[detected > 0.5].sum() / max((detected > 0.5).sum(), 1), 10**-0.5)) if (detected > 0.5).any() else 0.0,
        _harmonic_structure(frames, spectra),
        float((weight * first)[late:].sum() / max(weight[late:].sum(), 1e-12)),
        float((weight * second)[late:].sum() / max(weight[late:].sum(), 1e-12)),
        _noise_loudness(modulation, patterns, excitation, late),
        _most_detected(detected),
        float((ratio.max(axis=1) > 10**0.15).mean()),
    ])  # fmt: skip


def _spread(energy: Real) -> Real:
    """Spread over frequency (BS.1387 §2.1.7), slopes depending on level upwards."""
    return np.asarray(_spread_raw(energy) / _spread_raw(np.ones((1, 109)))[0])


def _spread_raw(energy: Real) -> Real:
    ear = _ear()
    power = 0.4
    down = 10 ** (-2.7 * _DZ)
    up = 10 ** ((-2.4 - 23 / ear.centre) * _DZ) * energy ** (0.2 * _DZ)
    count = np.arange(109)
    norm = (1 - down ** (count + 1)) / (1 - down) + (1 - up ** (109 - count)) / (1 - up) - 1
    each, up = (energy / norm) ** power, up**power
    out = np.zeros_like(energy)
    carry = np.zeros(energy.shape[:-1])
    for band in range(108, -1, -1):
        carry = carry * down**power + each[..., band]
        out[..., band] = carry
    distance = np.arange(1, 109)
    for band in range(108):
        reach = distance[: 108 - band]
        out[..., band + 1 :] += each[..., band, None] * up[..., band, None] ** reach
    return np.asarray(out ** (1 / power))


def _recurse(values: Real, keep: Real, take: Real) -> Real:
    """First-order low-pass along the first axis, from rest."""
    out = np.empty_like(values)
    state = np.zeros(values.shape[1:])
    for index, value in enumerate(values):
        state = keep * state + take * value
        out[index] = state
    return out


def _adapted(excitation: Real) -> Real:
    """Level and pattern adaptation (§3.1)."""
    ear = _ear()
    levels = _recurse(excitation, *ear.adapt)
    correction = (np.sqrt(levels[:, 1] * levels[:, 0]).sum(1) / levels[:, 1].sum(1)) ** 2
    scale = np.stack([1 / np.maximum(correction, 1), np.minimum(correction, 1)], axis=1)[:, :, None]
    level = excitation * scale
    across = _recurse(level[:, 0] * level[:, 1], ear.adapt[0], np.ones(109))
    alone = _recurse(level[:, 0] ** 2, ear.adapt[0], np.ones(109))
    quotient = across / alone
    ratios = np.stack([np.minimum(quotient, 1), np.minimum(1 / quotient, 1)], axis=1)
    padded = np.pad(ratios, ((0, 0), (0, 0), (3, 4)))
    members = np.pad(np.ones(109), (3, 4))
    window = np.lib.stride_tricks.sliding_window_view
    mean = window(padded, 8, axis=2).sum(-1) / window(members, 8).sum(-1)
    return np.asarray(level * _recurse(mean, *ear.adapt))


def _modulation(spread: Real) -> tuple[Real, Real]:
    """Modulation of the envelopes (§3.2), and the reference's average loudness."""
    ear = _ear()
    loudness = spread**0.3
    change = np.abs(np.diff(loudness, axis=0, prepend=np.zeros((1, 2, 109)))) * _FRAMES_PER_SECOND
    average = _recurse(loudness, *ear.adapt)
    return _recurse(change, *ear.adapt) / (1 + average / 0.3), average[:, 0]


def _modulation_difference(modulation: Real, average: Real) -> tuple[Real, Real, Real]:
    reference, changed = modulation[:, 0], modulation[:, 1]
    gap = np.abs(reference - changed)
    lenient = np.where(reference > changed, 0.1 * gap, gap)
    weight = average / (average + 100 * _ear().noise ** 0.3)
    return (
        100 / 109 * (gap / (1 + reference)).sum(1),
        100 / 109 * (lenient / (0.01 + reference)).sum(1),
        weight.sum(1),
    )


def _windowed(values: Real) -> float:
    width = int(0.1 * _FRAMES_PER_SECOND)
    if len(values) < width:
        return 0.0
    runs = np.lib.stride_tricks.sliding_window_view(np.sqrt(values), width).mean(1)
    return float(np.sqrt((runs**4).mean()))


def _noise_loudness(modulation: Real, patterns: Real, excitation: Real, late: int) -> float:
    noise = _ear().noise
    s_ref, s_test = 0.15 * modulation[:, 0] + 0.5, 0.15 * modulation[:, 1] + 0.5
    p_ref, p_test = patterns[:, 0], patterns[:, 1]
    beta = np.exp(-1.5 * (p_test - p_ref) / p_ref)
    rise = np.maximum(s_test * p_test - s_ref * p_ref, 0) / (noise + s_ref * p_ref * beta)
    loudness = np.maximum(24 / 109 * ((noise / s_test) ** 0.23 * ((1 + rise) ** 0.23 - 1)).sum(1), 0)
    heard = np.flatnonzero((_loudness(excitation) > 0.1).all(axis=1))
    start = max(late, (int(heard[0]) if heard.size else len(loudness)) + int(np.ceil(0.05 * _FRAMES_PER_SECOND)))
    return float(np.sqrt((loudness[start:] ** 2).mean())) if start < len(loudness) else 0.0


def _loudness(excitation: Real) -> Real:
    khz = _ear().centre / 1000
    threshold = 10 ** (0.364 * khz**-0.8)
    index = 10 ** ((-2 - 2.05 * np.arctan(khz / 4) - 0.75 * np.arctan((khz / 1.6) ** 2)) / 10)
    scale = 1.07664 * (threshold / (index * 1e4)) ** 0.23
    specific = scale * ((1 - index + index * excitation / threshold) ** 0.23 - 1)
    return np.asarray(24 / 109 * np.maximum(specific, 0).sum(-1))


def _bandwidth(spectra: Real) -> tuple[float, float]:
    top, least = 921, 346
    floor = spectra[:, 1, top:1024].max(axis=1, keepdims=True)
    bins = np.arange(top)
    of_ref = np.where((spectra[:, 0, :top] >= 10 * floor) & (bins > least), bins, -1).max(axis=1) + 1
    of_test = np.where((spectra[:, 1, :top] >= 10**0.5 * floor) & (bins < of_ref[:, None]), bins, -1).max(axis=1) + 1
    wide = of_ref > least
    return (float(of_ref[wide].mean()), float(of_test[wide].mean())) if wide.any() else (0.0, 0.0)


def _detection(excitation: Real) -> tuple[Real, Real]:
    """Probability of detection and steps above threshold, per frame (§4.7)."""
    ref, test = 10 * np.log10(excitation[:, 0]), 10 * np.log10(excitation[:, 1])
    gap = ref - test
    level = np.maximum(np.where(gap > 0, 0.3 * ref + 0.7 * test, test), 1e-6)
    coefficients = (-0.198719, 0.0550197, -0.00102438, 5.05622e-6, 9.01033e-11)
    step = 5.95072 * (6.39468 / level) ** 1.71332 + np.polynomial.polynomial.polyval(level, coefficients)
    miss = 0.5 ** (np.abs(gap / step) ** np.where(gap > 0, 4, 6))
    return 1 - miss.prod(axis=1), (np.abs(np.trunc(gap)) / step).sum(axis=1)


def _most_detected(detected: Real) -> float:
    return float(_recurse(detected, np.array(0.9), np.array(0.1)).max())


def _harmonic_structure(frames: Real, spectra: Real) -> float:
    """Peak of the spectrum of the autocorrelation of the log-spectral difference (§4.8), times 1,000."""
    lags = 256
    strong = (np.square(frames[:, :, _HOP:]).sum(-1) >= 8000).any(axis=1)
    if not strong.any():
        return 0.0
    tiny = 1e-20
    ratio = np.log((spectra[strong, 1, : 2 * lags - 1] + tiny) / (spectra[strong, 0, : 2 * lags - 1] + tiny))
    head = np.fft.rfft(ratio[:, :lags], 2 * lags)
    products = np.fft.irfft(np.conj(head) * np.fft.rfft(ratio, 2 * lags), 2 * lags)[:, :lags]
    power = np.cumsum(np.square(ratio), axis=1)
    moving = power[:, lags - 1 :] - np.pad(power[:, : lags - 1], ((0, 0), (1, 0)))
    scale = np.sqrt(np.maximum(moving[:, :1] * moving, tiny))
    correlation = products / scale
    window = np.hanning(lags) * np.sqrt(8 / 3) / lags
    spectrum = np.abs(np.fft.rfft(window * (correlation - correlation.mean(axis=1, keepdims=True)))) ** 2
    peaks = np.where(spectrum[:, 1:] > spectrum[:, :1], spectrum[:, 1:], 0).max(axis=1)
    return float(1000 * peaks.mean())
