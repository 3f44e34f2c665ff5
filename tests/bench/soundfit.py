"""Does a copy's sound agree with what is stored of the original, and where not: `python -m tests.bench.soundfit [--write]`.

Corpus sounds of up to 16 s. Honest copies are treated as on their way through platforms and telephones; edited ones have two or
three seconds replaced, by another recording or by their own sound from elsewhere, or cut out, and then go through the platform.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from provenance import soundfit
from provenance.fit.result import Agreement
from provenance.soundfit.envelope import of_blocks
from tests.bench.__main__ import ROOT, put
from tests.bench.audio import clips
from watermark import audio_attacks as a
from watermark.audio_ladder import AUDIO_2026
from watermark.sound.layout import RATE
from watermark.sound.resample import resample

Samples = NDArray[np.float32]
Clip = tuple[str, Samples, int]
HONEST = (
    "mp3-64",
    "aac-32",
    "opus-16",
    "noise-20",
    "equaliser",
    "compressor",
    "telephone",
    "amr-12.2",
    "platform",
    "voice-note-16",
    "room",
)
_EDITS = 4


def envelope(sound: Samples, rate: int) -> soundfit.Envelope:
    return of_blocks([sound if rate == RATE else resample(np.asarray(sound, np.float32), rate, RATE)])


def edited(clip: Clip, other: Clip, how: str, seconds: float, draw: np.random.Generator) -> tuple[Samples, float]:
    """A clip with some seconds replaced or cut out, and the second at which that begins."""
    _, sound, rate = clip
    length = round(seconds * rate)
    start = int(draw.uniform(1, len(sound) / rate - seconds - 1) * rate)
    if how == "cut":
        return np.concatenate([sound[:start], sound[start + length :]]), start / rate
    out = sound.copy()
    if how == "own":
        taken = (start + len(sound) // 2) % (len(sound) - length)
        piece = sound[taken : taken + length]
    else:
        mono = resample(np.ascontiguousarray(other[1][:, :1]), other[2], rate)
        piece = mono[len(mono) // 4 :][:length]
        piece = piece / (piece.std() + 1e-9) * sound.std()
    out[start : start + len(piece)] = piece
    return out, start / rate


def table(sounds: list[Clip]) -> str:
    stored = [envelope(sound, rate) for _, sound, rate in sounds]
    steps = {step.name: step for step in AUDIO_2026.steps}
    counts = dict.fromkeys(Agreement, 0)
    treated: list[list[soundfit.Envelope]] = []
    for name in HONEST:
        treated.append([envelope(*steps[name].apply(sound, rate, 1)) for _, sound, rate in sounds])
        for mine, ref in zip(treated[-1], stored, strict=True):
            counts[soundfit.measure(mine, ref).agreement] += 1
    total = len(HONEST) * len(sounds)
    rows = [("copies as they go round, 11 kinds: fit", f"{counts[Agreement.FITS]} of {total}")]
    rows.append(("… called changed", f"{counts[Agreement.CHANGED]} of {total}"))
    rows.append(("… called foreign", f"{counts[Agreement.FOREIGN]} of {total}"))
    platform = treated[HONEST.index("platform")]
    pairs = [
        soundfit.measure(mine, ref).agreement
        for i, mine in enumerate(platform)
        for j, ref in enumerate(stored)
        if sounds[i][0].split(" #")[0] != sounds[j][0].split(" #")[0]
    ]
    rows.append(("every other recording, after the platform: foreign", f"{pairs.count(Agreement.FOREIGN)} of {len(pairs)}"))
    draw = np.random.default_rng(11)
    for title, how, seconds in (
        ("3 s of another recording put in, then the platform: found in its place", "other", 3.0),
        ("2 s of another recording, the same", "other", 2.0),
        ("3 s of its own from elsewhere, the same", "own", 3.0),
        ("3 s cut out, the same", "cut", 3.0),
    ):
        found = trials = 0
        for number, clip in enumerate(sounds):
            if len(clip[1]) / clip[2] < seconds + 4:
                continue
            for _ in range(_EDITS):
                spoofed, start = edited(clip, sounds[(number + 3) % len(sounds)], how, seconds, draw)
                fit = soundfit.measure(envelope(*a.platform(spoofed, clip[2])), stored[number])
                end = start + (0.0 if how == "cut" else seconds)
                trials += 1
                found += any(c.start_s < end + 0.75 and c.end_s > start - 0.75 for c in fit.changes)
        rows.append((title, f"{found} of {trials}"))
    return "\n".join(["| Case | Sounds of the corpus |", "|---|---|", *(f"| {title} | {figure} |" for title, figure in rows)])


def main() -> None:
    printed = table([(name, sound[: 16 * rate], rate) for name, sound, rate in clips()])
    print(printed)
    if "--write" in sys.argv:
        put(ROOT / "provenance" / "soundfit" / "README.md", "soundfit", printed)


if __name__ == "__main__":
    main()
