"""The ladder `audio-2026`: what a marked sound is put through, to tell what it survives.

Its steps never change under this name; a better selection gets a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

from watermark import audio_attacks as a
from watermark.audio_attacks import Samples, Sound


@dataclass(frozen=True, slots=True)
class Treatment:
    """A function of `audio_attacks` with its parameters: a value that can go to another process."""

    function: Callable[..., Sound]
    options: tuple[float, ...]

    def __call__(self, samples: Samples, rate: int, seed: int) -> Sound:
        seeded = {"seed": seed} if "seed" in signature(self.function).parameters else {}
        return self.function(samples, rate, *self.options, **seeded)


def _do(function: Callable[..., Sound], *options: float) -> Treatment:
    return Treatment(function, options)


@dataclass(frozen=True, slots=True)
class SoundStep:
    """One treatment.

    Attributes:
        name: Stable name within the ladder.
        title: What happens, for people.
        attacks: What is done, in order.
        seconds: Length of the excerpt that is treated; None for the whole.
    """

    name: str
    title: str
    attacks: tuple[Treatment, ...]
    seconds: float | None = None

    def apply(self, samples: Samples, rate: int, seed: int) -> Sound:
        """Return the treated sound and its rate; `seed` decides where an excerpt lies, and the like."""
        if self.seconds is not None:
            samples, rate = a.excerpt(samples, rate, self.seconds, seed=seed)
        for attack in self.attacks:
            samples, rate = attack(samples, rate, seed)
        return samples, rate


@dataclass(frozen=True, slots=True)
class SoundLadder:
    """A named, fixed sequence of steps for sound."""

    name: str
    steps: tuple[SoundStep, ...]
    medium: str = "audio"


def _coded(name: str, title: str, function: Callable[..., Sound], *rates: int) -> tuple[SoundStep, ...]:
    return tuple(SoundStep(f"{name}-{rate}", f"{title} at {rate} kbit/s", (_do(function, rate),)) for rate in rates)


def _changed(name: str, title: str, function: Callable[..., Sound], *percent: float) -> tuple[SoundStep, ...]:
    return tuple(SoundStep(f"{name}{p:+g}", f"{title} {p:+g} %", (_do(function, 1 + p / 100),)) for p in percent)


_PLATFORM = SoundStep("platform", "platform: AAC 128, −14 LUFS, Opus 64", (_do(a.platform),))
_VOICE_16 = SoundStep("voice-note-16", "voice note: mono, 16 kHz, Opus 16", (_do(a.voice_note, 16),))


def _of(seconds: float, *steps: SoundStep) -> tuple[SoundStep, ...]:
    """Return the same steps on an excerpt."""
    return tuple(
        SoundStep(f"{seconds:g}s:{step.name}", f"{seconds:g} s of it, {step.title}", step.attacks, seconds) for step in steps
    )


AUDIO_2026 = SoundLadder(
    "audio-2026",
    (
        SoundStep("none", "as it is", ()),
        *_coded("mp3", "MP3", a.mp3, 320, 128, 64),
        *_coded("aac", "AAC", a.aac, 128, 64, 32),
        *_coded("opus", "Opus", a.opus, 64, 32, 16),
        *_coded("vorbis", "Vorbis", a.vorbis, 64),
        SoundStep("rate-16k", "resampled to 16 kHz", (_do(a.resampled, 16_000),)),
        SoundStep("rate-8k", "resampled to 8 kHz", (_do(a.resampled, 8_000),)),
        SoundStep("mono", "mono", (_do(a.mono),)),
        SoundStep("gain+6", "6 dB louder, clipped", (_do(a.gain, 6),)),
        SoundStep("gain-6", "6 dB softer", (_do(a.gain, -6),)),
        SoundStep("noise-30", "white noise at −30 dB", (_do(a.noise, 30),)),
        SoundStep("noise-20", "white noise at −20 dB", (_do(a.noise, 20),)),
        SoundStep("low-pass-8k", "low-pass at 8 kHz", (_do(a.low_pass, 8_000),)),
        SoundStep("low-pass-4k", "low-pass at 4 kHz", (_do(a.low_pass, 4_000),)),
        SoundStep("echo", "echo", (_do(a.echo),)),
        SoundStep("equaliser", "equaliser ±6 dB", (_do(a.equaliser),)),
        SoundStep("compressor", "compressor 4 : 1", (_do(a.compressor),)),
        SoundStep("telephone", "telephone: 8 kHz, µ-law", (_do(a.telephone),)),
        SoundStep("amr-12.2", "mobile telephone: AMR-NB 12.2", (_do(a.amr_nb),)),
        _PLATFORM,
        SoundStep("voice-note-24", "voice note: mono, 16 kHz, Opus 24", (_do(a.voice_note, 24),)),
        _VOICE_16,
        *_changed("speed", "speed", a.speed, 0.5, -0.5, 1, -1, 2, -2),
        *_changed("tempo", "tempo", a.tempo, 1, -1, 2, -2),
        SoundStep("pitch+20", "pitch +20 cents", (_do(a.pitch, 20),)),
        SoundStep("pitch-20", "pitch −20 cents", (_do(a.pitch, -20),)),
        SoundStep("room", "loudspeaker, room, microphone", (_do(a.room),)),
        *_of(
            10,
            SoundStep("plain", "as it is", ()),
            *_coded("mp3", "MP3", a.mp3, 64),
            _PLATFORM,
            *_changed("speed", "speed", a.speed, 1),
            *_coded("aac", "AAC", a.aac, 32),
            *_coded("opus", "Opus", a.opus, 16),
            _VOICE_16,
        ),
        *_of(5, SoundStep("plain", "as it is", ()), *_coded("opus", "Opus", a.opus, 32)),
    ),
)
